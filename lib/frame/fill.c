/* Frames from data of the caller. */
#include "frame/frame_internal.h"

#include "base/error.h"
#include "dtype/dtype.h"

#include <string.h>

static int check_sources(const struct shmf_frame_spec *spec, const void *const *data,
                         struct shmf_error *err)
{
    int rc = shmfi_frame_check_spec(spec, err);
    if (rc || spec->n_columns == 0 || spec->n_rows == 0)
        return rc;
    if (!data)
        return shmfi_error(err, SHMF_E_INVAL, "data: NULL");
    for (int64_t c = 0; c < spec->n_columns; c++)
        if (!data[c])
            return shmfi_error(err, SHMF_E_INVAL, "data[%lld]: NULL", (long long)c);
    return SHMF_OK;
}

static struct shmf_frame *finished(struct shmf_frame *frame, struct shmf_error *err)
{
    if (shmf_frame_finish(frame, err) == SHMF_OK)
        return frame;
    shmf_frame_free(frame);
    return NULL;
}

static int copy_column(struct shmf_frame *frame, int64_t position, const void *data,
                       const uint8_t *validity, struct shmf_error *err)
{
    const struct shmf_format_column *column = shmfi_frame_descriptor(frame, position);
    int64_t n_rows = (int64_t)frame->header.n_rows;
    if (validity && column->validity_offset)
        memcpy(frame->base + column->validity_offset, validity,
               (size_t)n_rows / 8 + (n_rows % 8 != 0));
    if (!shmfi_dtype_is_string(column->dtype))
        memcpy(frame->base + column->data_offset, data, column->data_size);
    else if (!shmfi_texts_write(data, n_rows, frame->base, column))
        return shmfi_error(err, SHMF_E_INVAL, "data[%lld]: changed while it was read",
                           (long long)position);
    return SHMF_OK;
}

struct shmf_frame *shmf_frame_from_columns(const struct shmf_frame_spec *spec,
                                           const void *const *data, const uint8_t *const *validity,
                                           struct shmf_error *err)
{
    if (check_sources(spec, data, err))
        return NULL;
    const struct shmfi_frame_source source = {.data = spec->n_rows > 0 ? data : NULL,
                                              .validity = validity};
    struct shmf_frame *frame = shmfi_frame_create(spec, &source, err);
    if (!frame)
        return NULL;
    for (int64_t c = 0; spec->n_rows > 0 && c < spec->n_columns; c++)
        if (copy_column(frame, c, data[c], validity ? validity[c] : NULL, err)) {
            shmf_frame_free(frame);
            return NULL;
        }
    return finished(frame, err);
}

/* ---- matrices ----------------------------------------------------------------------------- */

/* Where elements come from: (r, c) is at data + r * row_stride + c * column_stride. */
struct source {
    const unsigned char *data;
    int64_t row_stride, column_stride;
};

static const unsigned char *source_at(const struct source *source, int64_t row, int64_t column)
{
    return source->data + row * source->row_stride + column * source->column_stride;
}

static void pack_column(unsigned char *bits, const struct source *source, int64_t n_rows,
                        int64_t column)
{
    memset(bits, 0, (size_t)(n_rows / 8 + (n_rows % 8 != 0)));
    for (int64_t r = 0; r < n_rows; r++)
        if (*source_at(source, r, column))
            bits[r / 8] |= (unsigned char)(1u << (r % 8));
}

/* A row-major source is transposed in tiles that fit the first-level cache: every line of it is
 * then read once, not once a column. */
static void transpose(struct shmf_frame *frame, const struct source *source, size_t size)
{
    enum { TILE = 32 };
    int64_t n_rows = (int64_t)frame->header.n_rows, n_columns = (int64_t)frame->header.n_columns;
    for (int64_t c0 = 0; c0 < n_columns; c0 += TILE) {
        int64_t c1 = n_columns - c0 < TILE ? n_columns : c0 + TILE;
        for (int64_t r0 = 0; r0 < n_rows; r0 += TILE) {
            int64_t n = n_rows - r0 < TILE ? n_rows - r0 : TILE;
            for (int64_t c = c0; c < c1; c++) {
                const struct shmf_format_column *column = shmfi_frame_descriptor(frame, c);
                shmfi_dtype_pack(frame->base + column->data_offset + (uint64_t)r0 * size,
                                 source_at(source, r0, c), n, source->row_stride, size);
            }
        }
    }
}

static void fill(struct shmf_frame *frame, const struct source *source, enum shmf_dtype dtype)
{
    size_t size = shmf_dtype_size(dtype);
    int64_t n_rows = (int64_t)frame->header.n_rows;
    bool whole_columns = source->row_stride == (int64_t)size;
    if (dtype != SHMF_BOOL && !whole_columns) {
        transpose(frame, source, size);
        return;
    }
    for (int64_t c = 0; c < (int64_t)frame->header.n_columns; c++) {
        unsigned char *to = frame->base + shmfi_frame_descriptor(frame, c)->data_offset;
        if (dtype == SHMF_BOOL)
            pack_column(to, source, n_rows, c);
        else
            memcpy(to, source_at(source, 0, c), (size_t)n_rows * size);
    }
}

struct shmf_frame *shmf_frame_from_matrix(const struct shmf_frame_spec *spec, const void *data,
                                          int64_t row_stride, int64_t column_stride,
                                          struct shmf_error *err)
{
    if (shmfi_frame_check_spec(spec, err))
        return NULL;
    for (int64_t c = 1; spec->columns && c < spec->n_columns; c++)
        if (spec->columns[c].dtype != spec->columns[0].dtype) {
            shmfi_error(err, SHMF_E_DTYPE, "columns[%lld].dtype: is not that of the first",
                        (long long)c);
            return NULL;
        }
    bool empty = spec->n_rows == 0 || spec->n_columns == 0;
    if (spec->n_columns > 0 && !shmfi_dtype_is_plain((uint32_t)shmfi_frame_spec_dtype(spec, 0))) {
        shmfi_error(err, SHMF_E_DTYPE, "dtype: a matrix of %s",
                    shmf_dtype_name(shmfi_frame_spec_dtype(spec, 0)));
        return NULL;
    }
    if (!empty && !data) {
        shmfi_error(err, SHMF_E_INVAL, "data: NULL");
        return NULL;
    }
    struct shmf_frame *frame = shmfi_frame_create(spec, &(struct shmfi_frame_source){0}, err);
    if (!frame)
        return NULL;
    if (!empty) {
        struct source source = {data, row_stride, column_stride};
        fill(frame, &source, shmfi_frame_spec_dtype(spec, 0));
    }
    return finished(frame, err);
}

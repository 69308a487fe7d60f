/* Rows of all batches, written into the columns of the frame that is being built. */
#include "import.h"

#include <string.h>

/* Where rows go. */
struct target {
    unsigned char *data;
    uint8_t *validity; /* NULL: the column has no nulls */
    void *offsets;
    bool wide; /* offsets */
    enum shmf_dtype index_dtype;
    int64_t row;  /* the next one */
    int64_t byte; /* the next one of strings */
};

static void fill_bits(const struct shmfi_arrow_piece *piece, struct target *to)
{
    shmfi_arrow_copy_bits(to->data, to->row, piece->array->buffers[1], piece->first, piece->n);
}

static void fill_fixed(const struct shmfi_arrow_piece *piece, const void *data, int64_t first,
                       int64_t width, struct target *to)
{
    memcpy(to->data + to->row * width, (const unsigned char *)data + first * width,
           (size_t)(piece->n * width));
}

/* The list's element i is 2i and 2i + 1 of its child. */
static bool fill_parts(const struct shmfi_arrow_piece *piece, int64_t width, struct target *to)
{
    const struct ArrowArray *parts = piece->array->children[0];
    const uint8_t *validity = parts->null_count ? parts->buffers[0] : NULL;
    int64_t first = parts->offset + 2 * piece->first;
    const unsigned char *data = (const unsigned char *)parts->buffers[1] + first * (width / 2);
    memcpy(to->data + to->row * width, data, (size_t)(piece->n * width));
    for (int64_t i = 0; validity && i < piece->n; i++)
        if (!shmfi_arrow_is_null(piece, i) && (!shmfi_arrow_bit(validity, first + 2 * i) ||
                                               !shmfi_arrow_bit(validity, first + 2 * i + 1)))
            return false;
    return true;
}

static void put_offset(struct target *to, int64_t row)
{
    if (to->wide)
        ((int64_t *)to->offsets)[row] = to->byte;
    else
        ((int32_t *)to->offsets)[row] = (int32_t)to->byte;
}

/* The bytes as they are, those of nulls too, and the offsets moved. The last one was measured;
 * false: another one leads outside. (Whether they are in order is checked when the frame is
 * finished.) */
static bool fill_texts(const struct shmfi_arrow_piece *piece, bool wide, struct target *to)
{
    const int32_t *narrow_from = piece->array->buffers[1];
    const int64_t *wide_from = piece->array->buffers[1];
    int64_t begin = wide ? wide_from[piece->first] : narrow_from[piece->first];
    int64_t end = wide ? wide_from[piece->first + piece->n] : narrow_from[piece->first + piece->n];
    int64_t at = to->byte;
    for (int64_t i = 0; i < piece->n; i++) {
        int64_t from = wide ? wide_from[piece->first + i] : narrow_from[piece->first + i];
        if (from < begin || from > end)
            return false;
        to->byte = at + (from - begin);
        put_offset(to, to->row + i);
    }
    if (end > begin)
        memcpy(to->data + at, (const char *)piece->array->buffers[2] + begin,
               (size_t)(end - begin));
    to->byte = at + (end - begin);
    put_offset(to, to->row + piece->n);
    return true;
}

static void fill_views(const struct shmfi_arrow_piece *piece, struct target *to)
{
    for (int64_t i = 0; i < piece->n; i++) {
        struct shmf_text text = {"", 0};
        if (!shmfi_arrow_is_null(piece, i))
            text = shmfi_arrow_text(piece->array, SHMFI_ARROW_VIEW, piece->first + i);
        memcpy(to->data + to->byte, text.data, (size_t)text.size);
        to->byte += text.size;
        put_offset(to, to->row + i + 1);
    }
}

/* ---- indexes of categories ---------------------------------------------------------------- */

int64_t shmfi_arrow_index(const void *data, enum shmf_dtype dtype, int64_t i)
{
    switch (dtype) {
    case SHMF_INT8:
        return ((const int8_t *)data)[i];
    case SHMF_INT16:
        return ((const int16_t *)data)[i];
    case SHMF_INT32:
        return ((const int32_t *)data)[i];
    case SHMF_UINT8:
        return ((const uint8_t *)data)[i];
    case SHMF_UINT16:
        return ((const uint16_t *)data)[i];
    case SHMF_UINT32:
        return ((const uint32_t *)data)[i];
    case SHMF_UINT64:
        return ((const uint64_t *)data)[i] > INT64_MAX ? -1 : ((const int64_t *)data)[i];
    default:
        return ((const int64_t *)data)[i];
    }
}

/* Little-endian: the first bytes are the lowest. */
static void put_index(struct target *to, int64_t row, int64_t index)
{
    size_t width = shmf_dtype_size(to->index_dtype);
    memcpy(to->data + (size_t)row * width, &index, width);
}

/* Indexes of nulls become 0: what they were may not fit. */
static bool fill_mapped(const struct shmfi_arrow_field *field,
                        const struct shmfi_arrow_piece *piece, int64_t batch, struct target *to)
{
    const int64_t *map = field->categories.maps[batch];
    int64_t n = field->categories.sizes[batch];
    for (int64_t i = 0; i < piece->n; i++) {
        int64_t index = 0, row = to->row + i;
        if (!shmfi_arrow_is_null(piece, i)) {
            index = shmfi_arrow_index(piece->array->buffers[1], field->type.type.index_dtype,
                                      piece->first + i);
            if (index < 0 || index >= n)
                return false;
            index = map ? map[index] : index;
        }
        if (index < 0) {
            to->validity[row / 8] &= (uint8_t) ~(1u << (row % 8));
            index = 0;
        }
        put_index(to, row, index);
    }
    return true;
}

/* The values that the indexes lead to; below nulls, zeros. */
static bool fill_values(const struct shmfi_arrow_field *field,
                        const struct shmfi_arrow_piece *piece, struct target *to)
{
    const struct ArrowArray *values = piece->array->dictionary;
    const uint8_t *validity = values->null_count ? values->buffers[0] : NULL;
    const unsigned char *data = values->buffers[1];
    size_t width = (size_t)field->type.values_width;
    for (int64_t i = 0; i < piece->n; i++) {
        int64_t row = to->row + i, index = -1;
        if (!shmfi_arrow_is_null(piece, i)) {
            index =
                shmfi_arrow_index(piece->array->buffers[1], field->type.indexes, piece->first + i);
            if (index < 0 || index >= values->length)
                return false;
            if (validity && !shmfi_arrow_bit(validity, values->offset + index)) {
                to->validity[row / 8] &= (uint8_t) ~(1u << (row % 8));
                index = -1;
            }
        }
        if (index < 0)
            memset(to->data + (size_t)row * width, 0, width);
        else
            memcpy(to->data + (size_t)row * width, data + (size_t)(values->offset + index) * width,
                   width);
    }
    return true;
}

/* ---- all ---------------------------------------------------------------------------------- */

static bool fill_piece(const struct shmfi_arrow_field *field, const struct shmfi_arrow_piece *piece,
                       int64_t batch, struct target *to)
{
    switch (field->type.layout) {
    case SHMFI_ARROW_BITS:
        fill_bits(piece, to);
        return true;
    case SHMFI_ARROW_FIXED:
        fill_fixed(piece, piece->array->buffers[1], piece->first, field->type.width, to);
        return true;
    case SHMFI_ARROW_PARTS:
        return fill_parts(piece, field->type.width, to);
    case SHMFI_ARROW_VIEW:
        fill_views(piece, to);
        return true;
    case SHMFI_ARROW_INDEXES:
        if (field->categories.maps[batch] || to->index_dtype != field->type.type.index_dtype)
            return fill_mapped(field, piece, batch, to);
        fill_fixed(piece, piece->array->buffers[1], piece->first, field->type.width, to);
        return true;
    case SHMFI_ARROW_LOOKUP:
        return fill_values(field, piece, to);
    default:
        return fill_texts(piece, field->type.layout == SHMFI_ARROW_LARGE, to);
    }
}

static const char *what_failed(enum shmfi_arrow_layout layout)
{
    return layout == SHMFI_ARROW_PARTS ? "half of a complex number is null"
           : layout == SHMFI_ARROW_INDEXES || layout == SHMFI_ARROW_LOOKUP
               ? "an index without a category"
               : "offsets that are not in order";
}

int shmfi_arrow_fill(const struct shmfi_arrow_import *import, int64_t f, struct shmf_frame *frame,
                     int64_t column, struct shmf_error *err)
{
    const struct shmfi_arrow_field *field = &import->fields[f];
    struct shmf_type type;
    struct target to = {.data = shmf_frame_data_mut(frame, column),
                        .validity = shmf_frame_validity_mut(frame, column),
                        .offsets = shmf_frame_offsets_mut(frame, column)};
    if (!to.data || shmf_frame_type(frame, column, &type))
        return shmf_error_set(err, SHMF_E_ACCESS, "the frame cannot be written");
    to.wide = type.dtype == SHMF_LARGE_UTF8;
    to.index_dtype = type.index_dtype;
    for (int64_t b = 0; b < import->n_batches; b++) {
        struct shmfi_arrow_piece piece = shmfi_arrow_piece(import, f, b);
        if (piece.n == 0)
            continue;
        if (piece.validity && to.validity) /* without a null there is no bitmap */
            shmfi_arrow_copy_bits(to.validity, to.row, piece.validity, piece.first, piece.n);
        if (!fill_piece(field, &piece, b, &to))
            return shmf_error_set(err, SHMF_E_INVAL, "field \"%s\": batch %lld: %s",
                                  shmfi_arrow_name(field->schema), (long long)b,
                                  what_failed(field->type.layout));
        to.row += piece.n;
    }
    return SHMF_OK;
}

#include "frame/frame_internal.h"

#include "dtype/dtype.h"
#include "format/format.h"
#include "memory/memory.h"

#include <math.h>

int64_t shmf_frame_rows(const struct shmf_frame *frame)
{
    return frame ? (int64_t)frame->header.n_rows : 0;
}

int64_t shmf_frame_columns(const struct shmf_frame *frame)
{
    return frame ? (int64_t)frame->header.n_columns : 0;
}

static bool has_column(const struct shmf_frame *frame, int64_t position)
{
    return frame && position >= 0 && position < (int64_t)frame->header.n_columns;
}

const uint8_t *shmfi_frame_validity(const struct shmf_frame *frame,
                                    const struct shmf_format_column *column)
{
    bool open = __atomic_load_n(&frame->nulls_open, __ATOMIC_RELAXED);
    if (!column->validity_offset || (!column->null_count && !open))
        return NULL;
    return frame->base + column->validity_offset;
}

int shmf_frame_column(const struct shmf_frame *frame, int64_t position, struct shmf_column *column)
{
    if (!frame || !column)
        return SHMF_E_INVAL;
    if (!has_column(frame, position))
        return SHMF_E_RANGE;
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(frame, position);
    *column = (struct shmf_column){
        .dtype = (enum shmf_dtype)descriptor->dtype,
        .n_rows = (int64_t)frame->header.n_rows,
        .null_count = (int64_t)descriptor->null_count,
        .data = frame->base + descriptor->data_offset,
        .validity = shmfi_frame_validity(frame, descriptor),
        .offsets = descriptor->offsets_offset ? frame->base + descriptor->offsets_offset : NULL,
        .data_size = (int64_t)descriptor->data_size,
        .bit_offset = (int)frame->bit_shift,
    };
    return SHMF_OK;
}

const void *shmf_frame_data(const struct shmf_frame *frame, int64_t position, enum shmf_dtype dtype)
{
    if (!has_column(frame, position))
        return NULL;
    const struct shmf_format_column *column = shmfi_frame_descriptor(frame, position);
    return column->dtype == (uint32_t)dtype ? frame->base + column->data_offset : NULL;
}

/* The segment is asked too: what was made before a fork is read-only in the pool's workers. */
static bool may_write(const struct shmf_frame *frame)
{
    return (frame->building || frame->writable) && frame->segment && frame->segment->writable;
}

void *shmf_frame_data_mut(struct shmf_frame *frame, int64_t column)
{
    if (!has_column(frame, column) || !may_write(frame))
        return NULL;
    return frame->base + shmfi_frame_descriptor(frame, column)->data_offset;
}

void *shmf_frame_offsets_mut(struct shmf_frame *frame, int64_t column)
{
    if (!has_column(frame, column) || !may_write(frame))
        return NULL;
    uint64_t offset = shmfi_frame_descriptor(frame, column)->offsets_offset;
    return offset ? frame->base + offset : NULL;
}

uint8_t *shmf_frame_validity_mut(struct shmf_frame *frame, int64_t column)
{
    if (!has_column(frame, column) || !may_write(frame))
        return NULL;
    uint64_t offset = shmfi_frame_descriptor(frame, column)->validity_offset;
    if (!offset)
        return NULL;
    __atomic_store_n(&frame->nulls_open, true, __ATOMIC_RELAXED);
    return frame->base + offset;
}

bool shmfi_frame_is_matrix(const struct shmf_frame *frame, uint32_t *dtype, uint64_t *stride,
                           const unsigned char **data)
{
    const struct shmf_format_frame *h = &frame->header;
    if (!h->matrix_dtype || __atomic_load_n(&frame->nulls_open, __ATOMIC_RELAXED))
        return false;
    *dtype = h->matrix_dtype;
    *stride = h->matrix_stride;
    *data = frame->base +
            (h->n_columns ? shmfi_frame_descriptor(frame, 0)->data_offset : h->body_offset);
    return true;
}

int shmf_frame_matrix(const struct shmf_frame *frame, struct shmf_matrix *matrix)
{
    uint32_t dtype;
    uint64_t stride;
    const unsigned char *data;
    if (!frame || !matrix)
        return SHMF_E_INVAL;
    if (!shmfi_frame_is_matrix(frame, &dtype, &stride, &data))
        return SHMF_E_DTYPE;
    int64_t distance = (int64_t)(stride / shmfi_dtype_info(dtype)->size);
    if (frame->header.n_columns == 0) /* nothing says how far apart they would be */
        distance = (int64_t)frame->header.n_rows;
    *matrix = (struct shmf_matrix){
        .dtype = (enum shmf_dtype)dtype,
        .n_rows = (int64_t)frame->header.n_rows,
        .n_columns = (int64_t)frame->header.n_columns,
        .leading_dimension = distance ? distance : 1, /* as BLAS wants it, for no rows too */
        .data = data,
    };
    return SHMF_OK;
}

#include "frame/frame_internal.h"

#include "base/error.h"
#include "dtype/dtype.h"
#include "format/format.h"
#include "memory/memory.h"

#include <string.h>

bool shmfi_frame_find_matrix(const struct shmf_frame *frame, uint32_t *dtype, uint64_t *stride)
{
    int64_t n = (int64_t)frame->header.n_columns;
    *dtype = 0;
    *stride = 0;
    if (n == 0)
        return false;
    const struct shmf_format_column *first = shmfi_frame_descriptor(frame, 0);
    uint64_t at = first->data_offset;
    uint64_t distance =
        (first->data_size + SHMFI_BUFFER_ALIGNMENT - 1) & ~(uint64_t)(SHMFI_BUFFER_ALIGNMENT - 1);
    if (n > 1)
        distance = shmfi_frame_descriptor(frame, 1)->data_offset - at;
    if (!shmfi_dtype_is_number(first->dtype))
        return false;
    for (int64_t c = 0; c < n; c++, at += distance) {
        const struct shmf_format_column *column = shmfi_frame_descriptor(frame, c);
        if (column->dtype != first->dtype || column->null_count || column->data_offset != at)
            return false;
    }
    *dtype = first->dtype;
    *stride = distance;
    return true;
}

/* Padding to 64 bytes, and 64 more where columns are kept off a distance of 4096. */
#define MAX_PADDING (UINT64_C(2) * SHMFI_BUFFER_ALIGNMENT - 1)

/* Where the buffer that follows this column's data begins: what lies between is padding. */
static uint64_t next_buffer(const struct shmf_frame *frame, int64_t column)
{
    const struct shmf_format_frame *h = &frame->header;
    if (column + 1 < (int64_t)h->n_columns)
        return shmfi_column_begin(shmfi_frame_descriptor(frame, column + 1));
    if (h->row_labels == SHMF_ROWS_RANGE)
        return h->body_offset + h->body_size;
    return shmfi_column_begin(&h->row_label);
}

/* Clears the bits behind the rows in the last byte. */
static void clear_tail(unsigned char *bits, uint64_t n_rows)
{
    if (n_rows % 8)
        bits[n_rows / 8] &= (unsigned char)((1u << (n_rows % 8)) - 1);
}

static void clear_gap(struct shmf_frame *frame, uint64_t from, uint64_t to, uint64_t most)
{
    uint64_t gap = to - from;
    memset(frame->base + from, 0, gap < most ? gap : most);
}

/* Of each gap `most` bytes. */
static void clear_padding(struct shmf_frame *frame, int64_t position, uint64_t most)
{
    const struct shmf_format_column *column = shmfi_frame_descriptor(frame, position);
    uint64_t n_rows = frame->header.n_rows;
    uint64_t offset_size = column->dtype == SHMF_LARGE_UTF8 ? 8 : 4;
    clear_gap(frame, column->data_offset + column->data_size, next_buffer(frame, position), most);
    if (column->dtype == SHMF_BOOL)
        clear_tail(frame->base + column->data_offset, n_rows);
    if (column->offsets_offset)
        clear_gap(frame, column->offsets_offset + (n_rows + 1) * offset_size, column->data_offset,
                  most);
    if (!column->validity_offset)
        return;
    clear_tail(frame->base + column->validity_offset, n_rows);
    clear_gap(frame, column->validity_offset + n_rows / 8 + (n_rows % 8 != 0),
              column->offsets_offset ? column->offsets_offset : column->data_offset, most);
}

void shmfi_frame_clear_gaps(struct shmf_frame *frame)
{
    const struct shmf_format_frame *h = &frame->header;
    if (h->n_columns > 0)
        clear_gap(frame, h->body_offset, shmfi_column_begin(shmfi_frame_descriptor(frame, 0)),
                  UINT64_MAX);
    for (int64_t c = 0; c < (int64_t)h->n_columns; c++)
        clear_padding(frame, c, UINT64_MAX);
}

/* In the segment, and in the private copy where there is one. */
static void set_null_count(struct shmf_frame *frame, int64_t position, uint64_t count)
{
    struct shmf_format_column *shared = (void *)(frame->base + frame->header.columns_offset +
                                                 (uint64_t)position * frame->header.column_size);
    shared->null_count = count;
    if (frame->copied)
        frame->copied[position].null_count = count;
}

static void count_nulls(struct shmf_frame *frame)
{
    int64_t n_rows = (int64_t)frame->header.n_rows;
    for (int64_t c = 0; c < (int64_t)frame->header.n_columns; c++) {
        clear_padding(frame, c, MAX_PADDING);
        uint64_t validity = shmfi_frame_descriptor(frame, c)->validity_offset;
        if (validity)
            set_null_count(frame, c,
                           (uint64_t)(n_rows - shmfi_bitmap_count(frame->base + validity, n_rows)));
    }
}

/* Nulls may have been marked since the bitmaps were handed out. */
static int check_columns(struct shmf_frame *frame, struct shmf_error *err)
{
    int rc = SHMF_OK;
    bool open = frame->nulls_open;
    __atomic_store_n(&frame->nulls_open, true, __ATOMIC_RELAXED);
    for (int64_t c = 0; c < (int64_t)frame->header.n_columns && !rc; c++)
        if (!shmfi_dtype_is_plain(shmfi_frame_descriptor(frame, c)->dtype))
            rc = shmfi_frame_check_values(frame, c, true, SHMF_E_INVAL, err);
    __atomic_store_n(&frame->nulls_open, open, __ATOMIC_RELAXED);
    return rc;
}

/* A frame that is being built becomes READY by the last store; a reader that sees it sees all. A
 * frame that was opened for private writing has its null counts brought up to date. */
int shmf_frame_finish(struct shmf_frame *frame, struct shmf_error *err)
{
    if (!frame)
        return shmfi_error(err, SHMF_E_INVAL, "frame: NULL");
    if (!frame->building && !frame->writable)
        return SHMF_OK;
    if (frame->is_view)
        return shmfi_error(err, SHMF_E_ACCESS, "frame: its owner finishes it, as a whole");
    if (!frame->segment || !frame->segment->writable)
        return shmfi_error(err, SHMF_E_ACCESS, "frame: belongs to another process");
    struct shmf_format_frame *shared = (void *)frame->base;
    int rc = check_columns(frame, err);
    if (rc)
        return rc;
    count_nulls(frame);
    if (frame->header.n_columns > 0) {
        shmfi_frame_find_matrix(frame, &frame->header.matrix_dtype, &frame->header.matrix_stride);
        shared->matrix_dtype = frame->header.matrix_dtype;
        shared->matrix_stride = frame->header.matrix_stride;
    }
    __atomic_store_n(&frame->nulls_open, false, __ATOMIC_RELAXED);
    frame->building = false;
    frame->header.header.state = SHMF_FORMAT_READY;
    __atomic_store_n(&shared->header.state, SHMF_FORMAT_READY, __ATOMIC_RELEASE);
    return SHMF_OK;
}

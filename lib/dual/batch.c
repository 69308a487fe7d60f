/* The body of a frame as that of one record batch. */
#include "dual/dual.h"

#include "format/format.h"
#include "frame/frame_internal.h"

static void add_node(struct shmfi_dual *dual, uint64_t length, uint64_t nulls)
{
    dual->nodes[2 * dual->n_nodes] = (int64_t)length;
    dual->nodes[2 * dual->n_nodes + 1] = (int64_t)nulls;
    dual->n_nodes++;
}

/* `offset` in the frame. */
static void add_buffer(struct shmfi_dual *dual, uint64_t offset, uint64_t size)
{
    dual->buffers[2 * dual->n_buffers] = offset - dual->frame->header.body_offset;
    dual->buffers[2 * dual->n_buffers + 1] = size;
    dual->n_buffers++;
}

/* One that is absent lies, with no bytes, where the next begins. */
static void add_validity(struct shmfi_dual *dual, const struct shmf_format_column *column,
                         uint64_t n)
{
    uint64_t offset = column->validity_offset;
    add_buffer(dual, offset ? offset : shmfi_column_begin(column), offset ? (n + 7) / 8 : 0);
}

static void add_column(struct shmfi_dual *dual, const struct shmf_format_column *column)
{
    uint64_t n = dual->frame->header.n_rows;
    uint64_t offset_size = column->dtype == SHMF_LARGE_UTF8 ? 8 : 4;
    add_node(dual, n, column->null_count);
    add_validity(dual, column, n);
    if (column->dtype == SHMF_COMPLEX64 || column->dtype == SHMF_COMPLEX128) {
        add_node(dual, 2 * n, 0);
        add_buffer(dual, column->data_offset, 0);
    }
    if (column->offsets_offset)
        add_buffer(dual, column->offsets_offset, (n + 1) * offset_size);
    add_buffer(dual, column->data_offset, column->data_size);
}

static void add_range(struct shmfi_dual *dual)
{
    const struct shmf_format_frame *header = &dual->frame->header;
    uint64_t behind = header->body_offset + header->body_size;
    add_node(dual, header->n_rows, 0);
    add_buffer(dual, behind, 0);
    add_buffer(dual, behind, header->n_rows * sizeof(int64_t));
}

uint64_t shmfi_dual_describe_batch(struct shmfi_dual *dual)
{
    const struct shmf_format_frame *header = &dual->frame->header;
    for (uint64_t c = 0; c < header->n_columns; c++)
        add_column(dual, shmfi_frame_descriptor(dual->frame, (int64_t)c));
    if (!dual->with_labels)
        return header->body_size;
    if (header->row_labels != SHMFI_ROWS_RANGE) {
        add_column(dual, &header->row_label);
        return header->body_size;
    }
    add_range(dual);
    return header->body_size + (header->n_rows * sizeof(int64_t) + 63) / 64 * 64;
}

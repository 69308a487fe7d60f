/* Builders whose columns grow in place: in the ranges of a frame that has room for the rows that
 * are expected. Finishing it copies nothing. */
#include "frame/builder_internal.h"

#include "base/sys.h"
#include "dtype/dtype.h"
#include "memory/memory.h"

#include <string.h>

/* ---- reserving ---------------------------------------------------------------------------- */

/* A bitmap that nobody needs in the end is a gap: where it is small beside the values there is room
 * for it, elsewhere only if the spec promises nulls. */
static bool reserves_bitmap(const struct shmfi_growing *column)
{
    return column->nullable || column->width >= 4 || shmfi_dtype_is_string(column->dtype);
}

static void begin_ranges(struct shmf_builder *builder)
{
    const struct shmf_frame *frame = builder->reserved;
    for (int64_t c = 0; c < builder->n_columns; c++) {
        const struct shmf_format_column *range = shmfi_frame_descriptor(frame, c);
        struct shmfi_growing *column = &builder->columns[c];
        unsigned char *data = frame->base + range->data_offset;
        uint64_t offset_size = column->dtype == SHMF_LARGE_UTF8 ? 8 : 4;
        struct shmfi_stream *stream =
            column->dtype == SHMF_BOOL ? &column->booleans.bytes : &column->data;
        shmfi_stream_begin(stream, data, range->data_size);
        if (range->offsets_offset)
            shmfi_stream_begin(&column->ends, frame->base + range->offsets_offset + offset_size,
                               frame->header.n_rows * offset_size);
        if (range->validity_offset) {
            column->bitmap = frame->base + range->validity_offset;
            column->bitmap_size = (frame->header.n_rows + 7) / 8;
        }
    }
}

void shmfi_builder_reserve(struct shmf_builder *builder)
{
    struct shmfi_spec like;
    struct shmfi_column_size *sizes;
    builder->begun = true;
    if (builder->expected_rows <= 0 || builder->reserved)
        return;
    sizes = shmfi_sys.calloc((size_t)builder->n_columns + 1, sizeof *sizes);
    if (sizes && shmfi_spec_of(builder->model, &like, NULL) == SHMF_OK) {
        like.spec.n_rows = builder->expected_rows;
        like.spec.range_start = builder->range_start;
        like.spec.range_step = builder->range_step;
        for (int64_t c = 0; c < builder->n_columns; c++)
            sizes[c] = (struct shmfi_column_size){builder->expected_bytes[c],
                                                  reserves_bitmap(&builder->columns[c])};
        builder->reserved =
            shmfi_frame_create(&like.spec, &(struct shmfi_frame_source){.sizes = sizes}, NULL);
        shmfi_spec_free(&like);
    }
    shmfi_sys.free(sizes);
    if (builder->reserved)
        begin_ranges(builder);
}

/* A little more than this time: a gap of a sixteenth is no reason to copy. */
static int64_t and_some(int64_t n)
{
    return n < INT64_MAX / 2 ? n + n / 16 : n;
}

void shmfi_builder_expect(struct shmf_builder *builder)
{
    bool is_range = builder->labels == SHMF_ROWS_RANGE;
    builder->expected_rows = is_range ? and_some(shmf_builder_rows(builder)) : 0;
    for (int64_t c = 0; c < builder->n_columns; c++) {
        uint64_t bytes = builder->columns[c].bytes;
        bool wide = builder->columns[c].dtype == SHMF_LARGE_UTF8;
        uint64_t most = wide ? INT64_MAX : INT32_MAX, more = bytes + bytes / 16;
        builder->expected_bytes[c] = more < most ? more : most;
    }
}

/* ---- taking ------------------------------------------------------------------------------- */

static uint64_t padded(uint64_t size)
{
    return (size + SHMFI_BUFFER_ALIGNMENT - 1) & ~(uint64_t)(SHMFI_BUFFER_ALIGNMENT - 1);
}

/* Is everything that was appended to the column in its ranges? Then how large it is, padded. */
static bool is_in_place(struct shmfi_growing *column, uint64_t *size)
{
    uint64_t data, ends = 0, bits = 0;
    bool in_place = shmfi_stream_is_range(
        column->dtype == SHMF_BOOL ? &column->booleans.bytes : &column->data, &data);
    if (shmfi_dtype_is_string(column->dtype))
        in_place &= shmfi_stream_is_range(&column->ends, &ends);
    if (column->has_bits)
        in_place &= shmfi_stream_is_range(&column->validity.bytes, &bits);
    bits += (uint64_t)column->whole;
    if (!column->has_bits && column->nullable)
        bits = (uint64_t)column->n / 8;
    *size = padded(data) + padded(ends) + padded(bits);
    return in_place;
}

static bool may_be_taken(struct shmf_builder *builder)
{
    uint64_t used = 0, size;
    if (!builder->reserved || builder->labels != SHMF_ROWS_RANGE)
        return false;
    for (int64_t c = 0; c < builder->n_columns; c++) {
        struct shmfi_growing *column = &builder->columns[c];
        shmfi_bits_flush(&column->booleans);
        shmfi_bits_flush(&column->validity);
        if (!is_in_place(column, &size))
            return false;
        used += size;
    }
    return builder->reserved->header.body_size - used <= used / 8;
}

/* The descriptor says what was appended instead of what was expected. */
static void describe_column(struct shmf_frame *frame, int64_t position,
                            const struct shmfi_growing *column)
{
    struct shmf_format_column *descriptor =
        (void *)(frame->base + frame->header.columns_offset +
                 (uint64_t)position * frame->header.column_size);
    uint64_t n = frame->header.n_rows;
    if (descriptor->offsets_offset)
        descriptor->data_size = column->bytes;
    else
        descriptor->data_size = column->width ? n * column->width : (n + 7) / 8;
    if (column->has_bits)
        memset(frame->base + descriptor->validity_offset, 0xFF, (size_t)column->whole);
    else if (!column->nullable)
        descriptor->validity_offset = 0;
}

struct shmf_frame *shmfi_builder_take_reserved(struct shmf_builder *builder)
{
    if (!may_be_taken(builder))
        return NULL;
    struct shmf_frame *frame = builder->reserved;
    struct shmf_format_frame *shared = (void *)frame->base;
    builder->reserved = NULL;
    frame->header.n_rows = (uint64_t)shmf_builder_rows(builder);
    shared->n_rows = frame->header.n_rows;
    for (int64_t c = 0; c < builder->n_columns; c++)
        describe_column(frame, c, &builder->columns[c]);
    shmfi_frame_clear_gaps(frame);
    return frame;
}

/* What the segment has and Arrow does not look at: it goes behind the end of Arrow's stream. */
#include "dual/dual.h"

#include "format/format.h"
#include "frame/frame_internal.h"

#include <string.h>

/* A part that lies at `offset` in the frame. */
static uint64_t move(struct shmfi_dual *dual, uint64_t offset, uint64_t size)
{
    return shmfi_plan_put(&dual->plan, dual->frame->base + offset, size, SHMFI_BUFFER_ALIGNMENT);
}

static void move_strings(struct shmfi_dual *dual, struct shmf_format_column *strings, uint64_t n)
{
    uint64_t each = strings->dtype == SHMF_LARGE_UTF8 ? 8 : 4;
    strings->offsets_offset = move(dual, strings->offsets_offset, (n + 1) * each);
    strings->data_offset = move(dual, strings->data_offset, strings->data_size);
}

static void move_index(struct shmfi_dual *dual, struct shmf_format_index *index, bool tagged)
{
    if (index->capacity)
        index->offset =
            move(dual, index->offset, index->capacity * shmfi_format_place_size(tagged));
}

/* Zone and metadata of a column; neighbours that share one go on sharing it. */
struct note {
    uint64_t from, to;
    uint32_t size;
};

static void move_note(struct shmfi_dual *dual, struct note *last, uint64_t *offset, uint32_t size)
{
    if (!*offset)
        return;
    if (*offset != last->from || size != last->size)
        *last = (struct note){*offset, move(dual, *offset, size), size};
    *offset = last->to;
}

/* The buffers moved with the body, all by the same distance. */
static void move_columns(struct shmfi_dual *dual)
{
    const struct shmf_format_frame *old = &dual->frame->header;
    uint64_t distance = dual->header.body_offset - old->body_offset;
    struct note zone = {0}, metadata = {0};
    for (uint64_t c = 0; c < old->n_columns; c++) {
        struct shmf_format_column *column = &dual->columns[c];
        *column = *shmfi_frame_descriptor(dual->frame, (int64_t)c);
        column->data_offset += distance;
        column->offsets_offset += column->offsets_offset ? distance : 0;
        column->validity_offset += column->validity_offset ? distance : 0;
        move_note(dual, &zone, &column->zone_offset, column->zone_size);
        move_note(dual, &metadata, &column->metadata_offset, column->metadata_size);
    }
    if (old->row_labels == SHMFI_ROWS_RANGE)
        return;
    dual->header.row_label.data_offset += distance;
    dual->header.row_label.offsets_offset += dual->header.row_label.offsets_offset ? distance : 0;
}

void shmfi_dual_put_tables(struct shmfi_dual *dual)
{
    struct shmf_format_frame *header = &dual->header;
    header->column_size = sizeof dual->columns[0];
    header->columns_offset =
        shmfi_plan_put(&dual->plan, dual->columns, header->n_columns * sizeof dual->columns[0],
                       SHMFI_BUFFER_ALIGNMENT);
    move_strings(dual, &header->column_label, header->n_columns);
    move_index(dual, &header->column_index, false);
    move_index(dual, &header->row_index, shmfi_format_has_tags(header));
    if (header->n_dictionaries) {
        header->dictionary_size = sizeof dual->dictionaries[0];
        header->dictionaries_offset = shmfi_plan_put(
            &dual->plan, dual->dictionaries, header->n_dictionaries * sizeof dual->dictionaries[0],
            SHMFI_BUFFER_ALIGNMENT);
    }
    move_columns(dual);
    if (header->metadata_offset)
        header->metadata_offset = move(dual, header->metadata_offset, header->metadata_size);
}

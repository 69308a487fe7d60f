/* The levels of validation above that of opening. */
#include "frame/frame_internal.h"

#include "base/error.h"
#include "base/sys.h"
#include "dtype/dtype.h"

#include <inttypes.h>

/* ---- default: what is found through few offsets -------------------------------------------- */

/* `column` -1: the frame's own. */
static int check_metadata(const struct shmf_frame *frame, uint64_t offset, uint64_t size,
                          int64_t column, struct shmf_error *err)
{
    struct shmfi_metadata metadata;
    struct shmfi_piece key, value;
    bool fine = shmfi_metadata_begin(&metadata, frame->base + offset, size);
    for (int64_t n = fine ? metadata.pairs : 0; n > 0 && fine; n--)
        fine = shmfi_metadata_next(&metadata, &key, &value);
    if (fine)
        return SHMF_OK;
    if (column < 0)
        return shmfi_error(err, SHMF_E_CORRUPT, "metadata_size: pairs reach behind it");
    return shmfi_error(err, SHMF_E_CORRUPT,
                       "column %" PRId64 ": metadata_size: pairs reach behind it", column);
}

static int check_notes(const struct shmf_frame *frame, int64_t column, struct shmf_error *err)
{
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(frame, column);
    const char *zone = (const char *)frame->base + descriptor->zone_offset;
    if (descriptor->zone_offset && !shmfi_utf8_valid(zone, descriptor->zone_size))
        return shmfi_error(err, SHMF_E_CORRUPT, "column %" PRId64 ": zone_offset: no valid UTF-8",
                           column);
    return check_metadata(frame, descriptor->metadata_offset, descriptor->metadata_size, column,
                          err);
}

/* ---- full: nulls and labels ----------------------------------------------------------------- */

static int check_nulls(const struct shmf_frame *frame, int64_t column, struct shmf_error *err)
{
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(frame, column);
    int64_t n_rows = (int64_t)frame->header.n_rows;
    if (!descriptor->validity_offset)
        return SHMF_OK;
    const uint8_t *validity = frame->base + descriptor->validity_offset;
    int64_t nulls = n_rows - (shmfi_bitmap_count(validity, n_rows + frame->bit_shift) -
                              shmfi_bitmap_count(validity, frame->bit_shift));
    if (nulls == (int64_t)descriptor->null_count)
        return SHMF_OK;
    return shmfi_error(err, SHMF_E_CORRUPT,
                       "column %" PRId64 ": null_count: %" PRIu64 ", but %" PRId64 " are null",
                       column, descriptor->null_count, nulls);
}

static int64_t find_label(const struct shmfi_labels *labels, const struct shmfi_index *index,
                          uint64_t position, int64_t *count)
{
    const char *text;
    uint64_t size;
    if (labels->numbers)
        return shmfi_index_find_number(index, labels, labels->numbers[position], count);
    if (!shmfi_strings_at(&labels->strings, position, &text, &size))
        return SHMF_E_RANGE;
    return shmfi_index_find_text(index, labels, text, size, count);
}

static int check_texts(const struct shmfi_labels *labels, const char *what, struct shmf_error *err)
{
    const char *text;
    uint64_t size;
    for (uint64_t i = 0; i < labels->n && !labels->numbers; i++) {
        if (!shmfi_strings_at(&labels->strings, i, &text, &size))
            return shmfi_error(err, SHMF_E_CORRUPT, "%s_label: offsets of label %" PRIu64, what, i);
        if (!shmfi_utf8_valid(text, size))
            return shmfi_error(err, SHMF_E_CORRUPT,
                               "%s_label: label %" PRIu64 " is not valid UTF-8", what, i);
    }
    return SHMF_OK;
}

/* Every label is found, at a position that is not behind it: so at the first that bears it. As many
 * places are taken as there are such positions: so none is there twice, or for nothing. Each has
 * the count that `counts` has when all labels were looked up. */
static int check_index(const struct shmfi_labels *labels, const struct shmfi_index *index,
                       uint32_t *counts, const char *what, struct shmf_error *err)
{
    const char *place_name = index->entries ? "entry" : "slot";
    uint64_t distinct = 0, taken = 0;
    int64_t count;
    for (uint64_t i = 0; i < labels->n; i++) {
        int64_t first = find_label(labels, index, i, &count);
        if (first < 0 || (uint64_t)first > i)
            return shmfi_error(err, SHMF_E_CORRUPT, "%s_index: label %" PRIu64 " is not found",
                               what, i);
        counts[first] += counts[first] != UINT32_MAX;
        distinct += (uint64_t)first == i;
    }
    for (uint64_t place = 0; place < index->capacity; place++)
        if (!shmfi_index_place_is_good(index, labels, place, counts, &taken))
            return shmfi_error(err, SHMF_E_CORRUPT, "%s_index: %s %" PRIu64, what, place_name,
                               place);
    if (taken != distinct)
        return shmfi_error(err, SHMF_E_CORRUPT,
                           "%s_index: %" PRIu64 " places for %" PRIu64 " labels", what, taken,
                           distinct);
    return SHMF_OK;
}

static int check_labels(const struct shmfi_labels *labels, const struct shmfi_index *index,
                        const char *what, struct shmf_error *err)
{
    int rc = check_texts(labels, what, err);
    if (rc)
        return rc;
    uint32_t *counts = shmfi_sys.calloc(labels->n + 1, sizeof *counts);
    if (!counts)
        return shmfi_error(err, SHMF_E_NOMEM, "counts of %" PRIu64 " labels", labels->n);
    rc = check_index(labels, index, counts, what, err);
    shmfi_sys.free(counts);
    return rc;
}

static int check_column(const struct shmf_frame *frame, int64_t column, bool whole,
                        struct shmf_error *err)
{
    int rc = check_notes(frame, column, err);
    if (!rc && whole)
        rc = check_nulls(frame, column, err);
    return rc ? rc : shmfi_frame_check_values(frame, column, whole, SHMF_E_CORRUPT, err);
}

int shmf_frame_validate(const struct shmf_frame *frame, enum shmf_validation level,
                        struct shmf_error *err)
{
    if (!frame)
        return shmfi_error(err, SHMF_E_INVAL, "frame: NULL");
    if ((int)level < SHMF_VALIDATE_NONE || level > SHMF_VALIDATE_FULL)
        return shmfi_error(err, SHMF_E_INVAL, "level: there is no %d", (int)level);
    if (level < SHMF_VALIDATE_DEFAULT) /* the rest was done when it was opened */
        return SHMF_OK;
    bool whole = level == SHMF_VALIDATE_FULL;
    int rc =
        check_metadata(frame, frame->header.metadata_offset, frame->header.metadata_size, -1, err);
    for (int64_t c = 0; !rc && c < (int64_t)frame->header.n_columns; c++)
        rc = check_column(frame, c, whole, err);
    if (rc || !whole)
        return rc;
    rc = check_labels(&frame->column_labels, &frame->column_index, "column", err);
    if (!rc && frame->header.row_labels != SHMF_ROWS_RANGE)
        rc = check_labels(&frame->indexed_rows, &frame->row_index, "row", err);
    return rc;
}

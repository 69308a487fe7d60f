/* What a frame holds beside columns and labels: dictionaries, time zones, metadata. */
#include "frame/frame_internal.h"

#include "base/error.h"
#include "dtype/dtype.h"

#include <string.h>

/* From `end` to the next multiple of the buffers' alignment. */
static void clear_padding(unsigned char *base, uint64_t end)
{
    memset(base + end, 0, (size_t)(-end & (SHMFI_BUFFER_ALIGNMENT - 1)));
}

/* ---- dictionaries ------------------------------------------------------------------------- */

static int check_values(const struct shmf_column_details *details, int64_t column,
                        struct shmf_error *err)
{
    for (int64_t i = 0; i < details->n_values; i++)
        if (!details->values[i].data ||
            !shmfi_utf8_valid(details->values[i].data, (uint64_t)details->values[i].size))
            return shmfi_error(err, SHMF_E_INVAL, "details[%lld].values[%lld]: no valid UTF-8",
                               (long long)column, (long long)i);
    return SHMF_OK;
}

static int write_dictionary(const struct shmf_column_details *details, unsigned char *base,
                            const struct shmf_format_dictionary *dictionary, int64_t column,
                            struct shmf_error *err)
{
    const struct shmf_format_column *values = &dictionary->values;
    uint64_t offset_size = values->dtype == SHMF_LARGE_UTF8 ? 8 : 4;
    int rc = check_values(details, column, err);
    if (rc)
        return rc;
    if (!shmfi_texts_write(details->values, details->n_values, base, values))
        return shmfi_error(err, SHMF_E_INVAL, "details[%lld].values: changed while they were read",
                           (long long)column);
    clear_padding(base, values->offsets_offset + (dictionary->n_values + 1) * offset_size);
    clear_padding(base, values->data_offset + values->data_size);
    return SHMF_OK;
}

/* Every column has a dictionary of its own. */
int shmfi_frame_put_dictionaries(const struct shmf_frame_spec *spec, struct shmfi_layout *layout,
                                 unsigned char *base, struct shmf_format_frame *header,
                                 struct shmf_error *err)
{
    struct shmf_format_column *columns = base ? (void *)(base + header->columns_offset) : NULL;
    struct shmf_format_dictionary *table =
        base ? (void *)(base + header->dictionaries_offset) : NULL;
    uint32_t n = 0;
    for (int64_t c = 0; c < spec->n_columns; c++) {
        struct shmf_format_dictionary dictionary = {.span_offset = layout->end};
        const struct shmf_column_details *details = shmfi_frame_spec_details(spec, c);
        uint64_t bytes;
        int64_t absent;
        if (shmfi_frame_spec_dtype(spec, c) != SHMF_DICTIONARY)
            continue;
        if (n++ == UINT32_MAX)
            return shmfi_error(err, SHMF_E_TOOBIG, "columns: too many dictionaries");
        int rc = shmfi_texts_measure(details->values, details->n_values, "values of details", c,
                                     &bytes, &absent, err);
        if (rc)
            return rc;
        dictionary.n_values = (uint64_t)details->n_values;
        shmfi_layout_strings(layout, dictionary.n_values, bytes, &dictionary.values);
        dictionary.span_size = layout->end - dictionary.span_offset;
        if (!base)
            continue;
        columns[c].dictionary = n;
        table[n - 1] = dictionary;
        rc = write_dictionary(details, base, &dictionary, c, err);
        if (rc)
            return rc;
    }
    header->n_dictionaries = n;
    return SHMF_OK;
}

/* ---- zones and metadata ------------------------------------------------------------------- */

static uint64_t metadata_size(const struct shmf_pair *pairs, int64_t n)
{
    uint64_t size = n > 0 ? sizeof(int32_t) : 0;
    for (int64_t i = 0; i < n; i++)
        size += 2 * sizeof(int32_t) + (uint64_t)pairs[i].key.size + (uint64_t)pairs[i].value.size;
    return size;
}

static unsigned char *write_int32(unsigned char *to, int64_t number)
{
    int32_t narrow = (int32_t)number;
    memcpy(to, &narrow, sizeof narrow);
    return to + sizeof narrow;
}

static unsigned char *write_text(unsigned char *to, const struct shmf_text *text)
{
    to = write_int32(to, text->size);
    if (text->size > 0)
        memcpy(to, text->data, (size_t)text->size);
    return to + text->size;
}

static uint64_t put_metadata(const struct shmf_pair *pairs, int64_t n, struct shmfi_layout *layout,
                             unsigned char *base)
{
    uint64_t size = metadata_size(pairs, n);
    if (size == 0)
        return 0;
    uint64_t offset = shmfi_layout_put(layout, size);
    if (!base)
        return offset;
    unsigned char *to = write_int32(base + offset, n);
    for (int64_t i = 0; i < n; i++)
        to = write_text(write_text(to, &pairs[i].key), &pairs[i].value);
    clear_padding(base, offset + size);
    return offset;
}

static uint64_t put_zone(const struct shmf_text *zone, struct shmfi_layout *layout,
                         unsigned char *base)
{
    if (zone->size == 0)
        return 0;
    uint64_t offset = shmfi_layout_put(layout, (uint64_t)zone->size);
    if (base) {
        memcpy(base + offset, zone->data, (size_t)zone->size);
        clear_padding(base, offset + (uint64_t)zone->size);
    }
    return offset;
}

int shmfi_frame_put_notes(const struct shmf_frame_spec *spec, struct shmfi_layout *layout,
                          unsigned char *base, struct shmf_format_frame *header,
                          struct shmf_error *err)
{
    struct shmf_format_column *columns = base ? (void *)(base + header->columns_offset) : NULL;
    for (int64_t c = 0; spec->details && c < spec->n_columns; c++) {
        const struct shmf_column_details *details = &spec->details[c];
        uint64_t size = metadata_size(details->metadata, details->n_metadata);
        if (size > UINT32_MAX)
            return shmfi_error(err, SHMF_E_TOOBIG, "details[%lld].metadata: more than 4 GiB",
                               (long long)c);
        uint64_t zone = put_zone(&details->type.zone, layout, base);
        uint64_t metadata = put_metadata(details->metadata, details->n_metadata, layout, base);
        if (base) {
            columns[c].zone_offset = zone;
            columns[c].zone_size = (uint32_t)details->type.zone.size;
            columns[c].metadata_offset = metadata;
            columns[c].metadata_size = (uint32_t)size;
        }
    }
    header->metadata_size = metadata_size(spec->metadata, spec->n_metadata);
    header->metadata_offset = put_metadata(spec->metadata, spec->n_metadata, layout, base);
    return SHMF_OK;
}

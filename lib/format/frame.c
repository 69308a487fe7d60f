#include "format/check.h"

#include "base/checked.h"
#include "base/error.h"
#include "dtype/dtype.h"

#include <shmframe/handle.h>

#include <inttypes.h>
#include <string.h>

static bool all_zero(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size; i++)
        if (at[i])
            return false;
    return true;
}

/* `entry` bytes from one to the next: of at least those that are understood, `known`. */
static bool entry_fits(uint32_t entry, size_t known)
{
    return entry >= known && entry % 8 == 0;
}

static bool table_fits(uint64_t offset, uint64_t count, uint32_t entry, uint64_t size)
{
    uint64_t bytes;
    return offset % 8 == 0 && shmfi_mul(count, entry, &bytes) && shmfi_inside(offset, bytes, size);
}

static bool index_fits(const struct shmf_format_index *index, uint64_t n, bool tagged,
                       uint64_t size)
{
    if (tagged && (index->capacity % SHMFI_GROUP_SIZE || index->offset % SHMFI_BUFFER_ALIGNMENT))
        return false;
    return index->capacity > n && table_fits(index->offset, index->capacity,
                                             (uint32_t)shmfi_format_place_size(tagged), size);
}

/* In 128 bits: the way to the last row may be longer than an int64 although both ends are one. */
bool shmfi_format_range_fits(int64_t start, int64_t step, uint64_t n_rows)
{
    if (n_rows == 0)
        return true;
    if (n_rows > INT64_MAX)
        return false;
    __int128 last = start + (__int128)(n_rows - 1) * step;
    return last >= INT64_MIN && last <= INT64_MAX;
}

static const char *check_shape(const struct shmf_format_frame *h)
{
    uint64_t size = h->header.total_size;
    if (h->n_rows > INT64_MAX)
        return "n_rows";
    if (h->n_columns > INT64_MAX)
        return "n_columns";
    if (h->body_offset % SHMFI_BUFFER_ALIGNMENT != 0 || h->body_offset < h->header.header_size ||
        h->body_offset > size)
        return "body_offset";
    if (h->body_size % SHMFI_BUFFER_ALIGNMENT != 0 ||
        !shmfi_inside(h->body_offset, h->body_size, size))
        return "body_size";
    if (!entry_fits(h->column_size, sizeof(struct shmf_format_column)))
        return "column_size";
    if (!table_fits(h->columns_offset, h->n_columns, h->column_size, size))
        return "columns_offset";
    if (!h->n_dictionaries && (h->dictionaries_offset || h->dictionary_size))
        return h->dictionaries_offset ? "dictionaries_offset" : "dictionary_size";
    if (h->n_dictionaries && !entry_fits(h->dictionary_size, sizeof(struct shmf_format_dictionary)))
        return "dictionary_size";
    if (h->n_dictionaries &&
        !table_fits(h->dictionaries_offset, h->n_dictionaries, h->dictionary_size, size))
        return "dictionaries_offset";
    if (h->metadata_offset &&
        (h->metadata_offset < h->header.header_size || h->metadata_offset > size))
        return "metadata_offset";
    if (h->metadata_offset ? !shmfi_inside(h->metadata_offset, h->metadata_size, size)
                           : h->metadata_size != 0)
        return "metadata_size";
    if (h->matrix_dtype && !shmfi_dtype_is_number(h->matrix_dtype))
        return "matrix_dtype";
    if (h->matrix_stride % SHMFI_BUFFER_ALIGNMENT != 0 || (!h->matrix_dtype && h->matrix_stride))
        return "matrix_stride";
    return all_zero(h->reserved, sizeof h->reserved) ? NULL : "reserved";
}

static const char *check_range(const struct shmf_format_frame *h)
{
    if (h->range_step == 0)
        return "range_step";
    if (!shmfi_format_range_fits(h->range_start, h->range_step, h->n_rows))
        return "range_start";
    if (!all_zero(&h->row_label, sizeof h->row_label))
        return "row_label";
    return all_zero(&h->row_index, sizeof h->row_index) ? NULL : "row_index";
}

/* `*part`: which of the two descriptors the field belongs to, or none. */
static const char *check_labels(const struct shmf_format_frame *h, const char **part)
{
    uint64_t size = h->header.total_size;
    struct shmfi_span body = {h->body_offset, h->body_offset + h->body_size};
    struct shmfi_span all = {h->header.header_size, size};
    const char *field;
    *part = "";
    if (h->row_labels > SHMFI_ROWS_UTF8)
        return "row_labels";
    if (h->row_labels == SHMFI_ROWS_RANGE) {
        field = check_range(h);
    } else if (h->range_start || h->range_step) {
        field = h->range_start ? "range_start" : "range_step";
    } else if (!index_fits(&h->row_index, h->n_rows, shmfi_format_has_tags(h), size)) {
        field = "row_index";
    } else {
        *part = "row_label.";
        field = h->row_labels == SHMFI_ROWS_UTF8
                    ? shmfi_format_check_strings(&h->row_label, h->n_rows, &body)
                : h->row_label.dtype != SHMF_INT64 || h->row_label.validity_offset
                    ? "dtype"
                    : shmfi_format_check_plain(&h->row_label, h->n_rows, &body);
    }
    if (field)
        return field;
    *part = "";
    if (!index_fits(&h->column_index, h->n_columns, false, size))
        return "column_index";
    *part = "column_label.";
    return shmfi_format_check_strings(&h->column_label, h->n_columns, &all);
}

int shmfi_format_read_frame(const void *segment, uint64_t size, struct shmf_format_frame *header,
                            struct shmf_error *err)
{
    if (size < sizeof *header)
        return shmfi_error(err, SHMF_E_CORRUPT, "a segment of %" PRIu64 " bytes holds no frame",
                           size);
    shmfi_format_snapshot(header, segment, sizeof *header);
    int rc = shmfi_format_check_header(&header->header, SHMF_KIND_FRAME, sizeof *header, size, err);
    if (rc)
        return rc;
    const char *part = "";
    const char *field = check_shape(header);
    if (!field)
        field = check_labels(header, &part);
    if (!field)
        return SHMF_OK;
    return shmfi_error(err, SHMF_E_CORRUPT, "frame header: %s%s", part, field);
}

#include "format/check.h"

#include "base/checked.h"
#include "base/error.h"
#include "dtype/dtype.h"

#include <inttypes.h>
#include <stddef.h>

static bool put_buffer(struct shmfi_span *span, uint64_t offset, uint64_t size)
{
    if (offset % SHMFI_BUFFER_ALIGNMENT != 0 || offset < span->cursor ||
        !shmfi_inside(offset, size, span->end))
        return false;
    span->cursor = offset + size;
    return true;
}

/* The bytes of strings: which of the two fields leads out? */
static const char *put_bytes(struct shmfi_span *span, const struct shmf_format_column *column)
{
    uint64_t offset = column->data_offset;
    if (put_buffer(span, offset, column->data_size))
        return NULL;
    return put_buffer(span, offset, 0) ? "data_size" : "data_offset";
}

/* The fields that neither numbers nor strings have. One test for all in the common case. */
static const char *check_absent(const struct shmf_format_column *column)
{
    if (!(column->flags | column->dictionary | column->width | column->index_dtype | column->unit |
          column->precision | (uint16_t)column->scale | column->zone_offset | column->zone_size |
          column->reserved))
        return NULL;
    return column->flags         ? "flags"
           : column->dictionary  ? "dictionary"
           : column->width       ? "width"
           : column->index_dtype ? "index_dtype"
           : column->unit        ? "unit"
           : column->precision   ? "precision"
           : column->scale       ? "scale"
           : column->zone_offset ? "zone_offset"
           : column->zone_size   ? "zone_size"
                                 : "reserved";
}

const char *shmfi_format_check_plain(const struct shmf_format_column *column, uint64_t n,
                                     struct shmfi_span *span)
{
    uint64_t expected;
    if (!shmfi_dtype_is_plain(column->dtype))
        return "dtype";
    if (column->null_count > n || (column->null_count && !column->validity_offset))
        return "null_count";
    if (column->validity_offset && !put_buffer(span, column->validity_offset, n / 8 + (n % 8 != 0)))
        return "validity_offset";
    if (column->offsets_offset)
        return "offsets_offset";
    if (!shmfi_dtype_column_bytes(column->dtype, n, &expected) || column->data_size != expected)
        return "data_size";
    if (!put_buffer(span, column->data_offset, expected))
        return "data_offset";
    return check_absent(column);
}

const char *shmfi_format_check_strings(const struct shmf_format_column *column, uint64_t n,
                                       struct shmfi_span *span)
{
    uint64_t size;
    if (column->dtype != SHMF_UTF8 && column->dtype != SHMF_LARGE_UTF8)
        return "dtype";
    if (column->null_count)
        return "null_count";
    if (column->validity_offset)
        return "validity_offset";
    if (!shmfi_add(n, 1, &size) || !shmfi_mul(size, column->dtype == SHMF_UTF8 ? 4 : 8, &size) ||
        !put_buffer(span, column->offsets_offset, size))
        return "offsets_offset";
    const char *field = put_bytes(span, column);
    return field ? field : check_absent(column);
}

/* ---- the other dtypes ------------------------------------------------------------------------ */

static bool is_index_dtype(uint32_t dtype)
{
    return shmfi_dtype_info(dtype)->class == SHMFI_CLASS_INTEGER;
}

/* Where zones and metadata lie does not matter, as long as it is inside. */
static bool text_fits(uint64_t offset, uint64_t size, const struct shmf_format_header *header)
{
    return offset ? offset >= header->header_size && shmfi_inside(offset, size, header->total_size)
                  : size == 0;
}

/* So that its size is wrong where the text does not fit. */
static bool text_begins(uint64_t offset, const struct shmf_format_header *header)
{
    return text_fits(offset, 0, header);
}

/* Checks the fields that belong to the dtype, and clears them in `rest`: what is left there must
 * be zero. */
static const char *check_parameters(struct shmf_format_column *rest,
                                    const struct shmf_format_frame *h)
{
    unsigned unit = rest->unit;
    switch (rest->dtype) {
    case SHMF_FIXED_BINARY:
        if (rest->width == 0 || rest->width > INT32_MAX)
            return "width";
        rest->width = 0;
        return NULL;
    case SHMF_DICTIONARY:
        if (!is_index_dtype(rest->index_dtype))
            return "index_dtype";
        if (rest->dictionary == 0 || rest->dictionary > h->n_dictionaries)
            return "dictionary";
        rest->index_dtype = 0;
        rest->dictionary = 0;
        rest->flags &= ~SHMF_COLUMN_ORDERED;
        return NULL;
    case SHMF_DECIMAL128:
        if (rest->precision < 1 || rest->precision > 38)
            return "precision";
        rest->precision = 0;
        rest->scale = 0;
        return NULL;
    case SHMF_TIME32:
    case SHMF_TIME64:
    case SHMF_TIMESTAMP:
    case SHMF_DURATION:
        if (!shmfi_format_unit_fits(rest->dtype, unit))
            return "unit";
        rest->unit = 0;
        if (rest->dtype != SHMF_TIMESTAMP)
            return NULL;
        if (!text_fits(rest->zone_offset, rest->zone_size, &h->header))
            return text_begins(rest->zone_offset, &h->header) ? "zone_size" : "zone_offset";
        rest->zone_offset = 0;
        rest->zone_size = 0;
        return NULL;
    default:
        return NULL;
    }
}

bool shmfi_format_unit_fits(uint32_t dtype, unsigned unit)
{
    if (dtype == SHMF_TIME32)
        return unit == SHMF_UNIT_SECOND || unit == SHMF_UNIT_MILLISECOND;
    if (dtype == SHMF_TIME64)
        return unit == SHMF_UNIT_MICROSECOND || unit == SHMF_UNIT_NANOSECOND;
    return unit >= SHMF_UNIT_SECOND && unit <= SHMF_UNIT_NANOSECOND;
}

static const char *check_offsets(const struct shmf_format_column *column, uint64_t n,
                                 struct shmfi_span *span)
{
    uint64_t size;
    if (!shmfi_dtype_is_string(column->dtype))
        return column->offsets_offset ? "offsets_offset" : NULL;
    if (!shmfi_add(n, 1, &size) ||
        !shmfi_mul(size, column->dtype == SHMF_LARGE_UTF8 ? 8 : 4, &size) ||
        !put_buffer(span, column->offsets_offset, size))
        return "offsets_offset";
    return NULL;
}

/* A column of any dtype that is not plain. */
static const char *check_other(const struct shmf_format_column *column, uint64_t n,
                               const struct shmf_format_frame *h, struct shmfi_span *span)
{
    struct shmf_format_column rest = *column;
    uint64_t expected = column->data_size;
    if (shmfi_dtype_info(column->dtype)->class == SHMFI_CLASS_NONE)
        return "dtype";
    const char *field = check_parameters(&rest, h);
    if (field)
        return field;
    if (column->null_count > n || (column->null_count && !column->validity_offset))
        return "null_count";
    if (column->validity_offset && !put_buffer(span, column->validity_offset, n / 8 + (n % 8 != 0)))
        return "validity_offset";
    field = check_offsets(column, n, span);
    if (field)
        return field;
    if (!shmfi_dtype_is_string(column->dtype) &&
        !shmfi_mul(n, shmfi_format_width(column), &expected))
        return "data_size";
    if (column->data_size != expected)
        return "data_size";
    if (shmfi_dtype_is_string(column->dtype))
        field = put_bytes(span, column);
    else if (!put_buffer(span, column->data_offset, expected))
        field = "data_offset";
    return field ? field : check_absent(&rest);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const char *check_column(const struct shmf_format_column *column,
                                const struct shmf_format_frame *h, struct shmfi_span *span)
{
    if ((column->metadata_offset || column->metadata_size) &&
        !text_fits(column->metadata_offset, column->metadata_size, &h->header))
        return text_begins(column->metadata_offset, &h->header) ? "metadata_size"
                                                                : "metadata_offset";
    return shmfi_dtype_is_plain(column->dtype) ? shmfi_format_check_plain(column, h->n_rows, span)
                                               : check_other(column, h->n_rows, h, span);
}

/* The stride of a single column leads nowhere, but BLAS is told it and wants it to be that of one.
 */
static bool in_matrix(const struct shmf_format_frame *header,
                      const struct shmf_format_column *column, uint64_t expected_offset)
{
    return column->dtype == header->matrix_dtype && column->null_count == 0 &&
           column->data_offset == expected_offset && header->matrix_stride >= column->data_size &&
           header->matrix_stride <= INT64_MAX;
}

static int check_row_labels(const struct shmf_format_frame *header, struct shmfi_span *span,
                            struct shmf_error *err)
{
    const char *field = NULL;
    if (header->row_labels == SHMFI_ROWS_INT64)
        field = shmfi_format_check_plain(&header->row_label, header->n_rows, span);
    else if (header->row_labels == SHMFI_ROWS_UTF8)
        field = shmfi_format_check_strings(&header->row_label, header->n_rows, span);
    if (!field)
        return SHMF_OK;
    return shmfi_error(err, SHMF_E_CORRUPT, "row labels overlap a column: %s", field);
}

void shmfi_column_reader_begin(struct shmfi_column_reader *reader,
                               const struct shmf_format_frame *header)
{
    *reader = (struct shmfi_column_reader){
        .header = header,
        .cursor = header->body_offset,
        .end = header->body_offset + header->body_size,
    };
}

static uint64_t word(const struct shmf_format_column *column, size_t at)
{
    uint64_t value;
    memcpy(&value, (const char *)column + at, sizeof value);
    return value;
}

/* Is the column like the one before, but for its place? Long tables are little else than such
 * columns; so word by word, because waiting for a copy to become readable is half of the cost. */
static bool is_alike(const struct shmf_format_column *before,
                     const struct shmf_format_column *column, uint64_t *distance)
{
    uint64_t moved = column->data_offset - before->data_offset;
    uint64_t differ =
        (column->validity_offset - before->validity_offset) ^ (before->validity_offset ? moved : 0);
    differ |=
        (column->offsets_offset - before->offsets_offset) ^ (before->offsets_offset ? moved : 0);
#pragma GCC unroll 16
    for (size_t at = 0; at < offsetof(struct shmf_format_column, validity_offset); at += 8)
        differ |= word(before, at) ^ word(column, at);
#pragma GCC unroll 16
    for (size_t at = offsetof(struct shmf_format_column, data_size); at < sizeof *column; at += 8)
        differ |= word(before, at) ^ word(column, at);
    *distance = moved;
    return !differ;
}

/* Do the buffers of the one before have room there, all together? The last of them ends at the
 * cursor. */
static bool moves_behind(struct shmfi_column_reader *reader,
                         const struct shmf_format_column *before, uint64_t distance)
{
    uint64_t begin = before->validity_offset  ? before->validity_offset
                     : before->offsets_offset ? before->offsets_offset
                                              : before->data_offset;
    if (distance % SHMFI_BUFFER_ALIGNMENT != 0 || distance < reader->cursor - begin ||
        distance > reader->end - reader->cursor)
        return false;
    reader->cursor += distance;
    return true;
}

int shmfi_column_reader_next(struct shmfi_column_reader *reader, const void *entry,
                             struct shmf_error *err)
{
    const struct shmf_format_frame *header = reader->header;
    uint64_t position = reader->next++;
    struct shmf_format_column *column = &reader->two[position % 2];
    const struct shmf_format_column *before = &reader->two[(position + 1) % 2];
    shmfi_format_snapshot(column, entry, sizeof *column);
    reader->column = column;
    reader->is_alike = position > 0 && is_alike(before, column, &reader->distance) &&
                       moves_behind(reader, before, reader->distance);
    if (!reader->is_alike) {
        struct shmfi_span span = {reader->cursor, reader->end};
        const char *field = check_column(column, header, &span);
        if (field)
            return shmfi_error(err, SHMF_E_CORRUPT, "column %" PRIu64 ": %s", position, field);
        reader->cursor = span.cursor;
    }
    if (position == 0)
        reader->in_matrix = column->data_offset;
    if (header->matrix_dtype && !in_matrix(header, column, reader->in_matrix))
        return shmfi_error(err, SHMF_E_CORRUPT,
                           "header: matrix_dtype or matrix_stride contradicts column %" PRIu64,
                           position);
    reader->in_matrix += header->matrix_stride;
    return SHMF_OK;
}

int shmfi_column_reader_end(const struct shmfi_column_reader *reader, struct shmf_error *err)
{
    struct shmfi_span span = {reader->cursor, reader->end};
    return check_row_labels(reader->header, &span, err);
}

int shmfi_format_read_columns(const void *segment, const struct shmf_format_frame *header,
                              struct shmf_format_column *columns, struct shmf_error *err)
{
    const unsigned char *from = (const unsigned char *)segment + header->columns_offset;
    struct shmfi_column_reader reader;
    int rc = SHMF_OK;
    shmfi_column_reader_begin(&reader, header);
    for (uint64_t c = 0; c < header->n_columns && !rc; c++, from += header->column_size) {
        rc = shmfi_column_reader_next(&reader, from, err);
        columns[c] = *reader.column;
    }
    return rc ? rc : shmfi_column_reader_end(&reader, err);
}

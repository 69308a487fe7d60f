#include "format/check.h"

#include "base/checked.h"
#include "base/error.h"
#include "dtype/dtype.h"

#include <inttypes.h>

static bool put_buffer(struct shmfi_span *span, uint64_t offset, uint64_t size)
{
    if (offset % SHMFI_BUFFER_ALIGNMENT != 0 || offset < span->cursor ||
        !shmfi_inside(offset, size, span->end))
        return false;
    span->cursor = offset + size;
    return true;
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
    if (!put_buffer(span, column->data_offset, column->data_size))
        return "data_offset";
    return check_absent(column);
}

static bool in_matrix(const struct shmf_format_frame *header,
                      const struct shmf_format_column *column, uint64_t expected_offset)
{
    return column->dtype == header->matrix_dtype && column->null_count == 0 &&
           column->data_offset == expected_offset;
}

static int refuse(const struct shmf_format_column *column, uint64_t position, const char *field,
                  struct shmf_error *err)
{
    if (shmfi_dtype_info(column->dtype)->class != SHMFI_CLASS_NONE &&
        !shmfi_dtype_is_plain(column->dtype))
        return shmfi_error(err, SHMF_E_UNSUPPORTED, "column %" PRIu64 ": dtype %s", position,
                           shmfi_dtype_info(column->dtype)->name);
    return shmfi_error(err, SHMF_E_CORRUPT, "column %" PRIu64 ": %s", position, field);
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

int shmfi_format_read_columns(const void *segment, const struct shmf_format_frame *header,
                              struct shmf_format_column *columns, struct shmf_error *err)
{
    const unsigned char *from = (const unsigned char *)segment + header->columns_offset;
    struct shmfi_span span = {header->body_offset, header->body_offset + header->body_size};
    uint64_t expected = 0;
    for (uint64_t c = 0; c < header->n_columns; c++, from += header->column_size) {
        struct shmf_format_column *column = &columns[c];
        shmfi_format_snapshot(column, from, sizeof *column);
        const char *field = shmfi_format_check_plain(column, header->n_rows, &span);
        if (field)
            return refuse(column, c, field, err);
        if (c == 0)
            expected = column->data_offset;
        if (header->matrix_dtype && !in_matrix(header, column, expected))
            return shmfi_error(err, SHMF_E_CORRUPT,
                               "header: matrix_dtype or matrix_stride contradicts column %" PRIu64,
                               c);
        expected += header->matrix_stride;
    }
    return check_row_labels(header, &span, err);
}

/* Single cells, and what is known about their column. */
#include "frame/frame_internal.h"

#include "dtype/dtype.h"

static const struct shmf_text no_text;

static bool has_column(const struct shmf_frame *frame, int64_t column)
{
    return frame && column >= 0 && column < (int64_t)frame->header.n_columns;
}

#define column_at(frame, column)                                                                   \
    (has_column(frame, column) ? shmfi_frame_descriptor(frame, column) : NULL)

static int check_cell(const struct shmf_frame *frame, int64_t row, int64_t column)
{
    if (!frame)
        return SHMF_E_INVAL;
    bool inside = row >= 0 && row < (int64_t)frame->header.n_rows && has_column(frame, column);
    return inside ? SHMF_OK : SHMF_E_RANGE;
}

int shmf_frame_type(const struct shmf_frame *frame, int64_t column, struct shmf_type *type)
{
    if (!frame || !type)
        return SHMF_E_INVAL;
    const struct shmf_format_column *descriptor = column_at(frame, column);
    if (!descriptor)
        return SHMF_E_RANGE;
    *type = (struct shmf_type){
        .dtype = (enum shmf_dtype)descriptor->dtype,
        .unit = (enum shmf_unit)descriptor->unit,
        .index_dtype = (enum shmf_dtype)descriptor->index_dtype,
        .ordered = (descriptor->flags & SHMF_COLUMN_ORDERED) != 0,
        .width = descriptor->width,
        .precision = descriptor->precision,
        .scale = descriptor->scale,
    };
    if (descriptor->zone_offset)
        type->zone = (struct shmf_text){(const char *)frame->base + descriptor->zone_offset,
                                        descriptor->zone_size};
    return SHMF_OK;
}

int shmf_frame_is_null(const struct shmf_frame *frame, int64_t row, int64_t column)
{
    int rc = check_cell(frame, row, column);
    if (rc)
        return rc;
    const uint8_t *validity = shmfi_frame_validity(frame, shmfi_frame_descriptor(frame, column));
    return validity && !shmfi_row_bit(frame, validity, row);
}

const void *shmfi_frame_element(const struct shmf_frame *frame, int64_t row, int64_t position,
                                uint8_t *boolean)
{
    const struct shmf_format_column *column = shmfi_frame_descriptor(frame, position);
    const unsigned char *data = frame->base + column->data_offset;
    const uint8_t *validity = shmfi_frame_validity(frame, column);
    if (shmfi_dtype_is_string(column->dtype) || (validity && !shmfi_row_bit(frame, validity, row)))
        return NULL;
    if (column->dtype != SHMF_BOOL)
        return data + (uint64_t)row * shmfi_format_width(column);
    *boolean = shmfi_row_bit(frame, data, row);
    return boolean;
}

/* ---- strings and categories --------------------------------------------------------------- */

struct shmfi_strings shmfi_frame_strings(const struct shmf_frame *frame, int64_t column)
{
    return shmfi_strings_resolve(frame->base, shmfi_frame_descriptor(frame, column),
                                 frame->header.n_rows);
}

struct shmfi_strings shmfi_dictionary_strings(const struct shmf_frame *frame,
                                              const struct shmf_format_dictionary *dictionary)
{
    return shmfi_strings_resolve(frame->base, &dictionary->values, dictionary->n_values);
}

static struct shmf_text text_at(const struct shmfi_strings *strings, int64_t position)
{
    const char *text;
    uint64_t size;
    if (position < 0 || !shmfi_strings_at(strings, (uint64_t)position, &text, &size))
        return no_text;
    return (struct shmf_text){text, (int64_t)size};
}

int64_t shmf_frame_n_categories(const struct shmf_frame *frame, int64_t column)
{
    const struct shmf_format_column *descriptor = column_at(frame, column);
    const struct shmf_format_dictionary *dictionary =
        descriptor ? shmfi_frame_dictionary(frame, descriptor) : NULL;
    return dictionary ? (int64_t)dictionary->n_values : 0;
}

struct shmf_text shmf_frame_category(const struct shmf_frame *frame, int64_t column, int64_t index)
{
    const struct shmf_format_column *descriptor = column_at(frame, column);
    const struct shmf_format_dictionary *dictionary =
        descriptor ? shmfi_frame_dictionary(frame, descriptor) : NULL;
    if (!dictionary)
        return no_text;
    struct shmfi_strings strings = shmfi_dictionary_strings(frame, dictionary);
    return text_at(&strings, index);
}

struct shmf_column shmfi_strings_column(const struct shmfi_strings *strings)
{
    return (struct shmf_column){
        .dtype = strings->wide ? SHMF_LARGE_UTF8 : SHMF_UTF8,
        .n_rows = (int64_t)strings->n,
        .data = strings->bytes,
        .offsets = strings->offsets,
        .data_size = (int64_t)strings->bytes_size,
    };
}

int shmf_frame_categories(const struct shmf_frame *frame, int64_t column,
                          struct shmf_column *categories)
{
    const struct shmf_format_column *descriptor = column_at(frame, column);
    if (!frame || !categories)
        return SHMF_E_INVAL;
    if (!descriptor)
        return SHMF_E_RANGE;
    const struct shmf_format_dictionary *dictionary = shmfi_frame_dictionary(frame, descriptor);
    if (!dictionary)
        return SHMF_E_DTYPE;
    struct shmfi_strings strings = shmfi_dictionary_strings(frame, dictionary);
    *categories = shmfi_strings_column(&strings);
    return SHMF_OK;
}

struct shmf_text shmf_frame_text(const struct shmf_frame *frame, int64_t row, int64_t column)
{
    int64_t index;
    uint8_t boolean;
    if (check_cell(frame, row, column) || shmf_frame_is_null(frame, row, column))
        return no_text;
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(frame, column);
    if (shmfi_dtype_is_string(descriptor->dtype)) {
        struct shmfi_strings strings = shmfi_frame_strings(frame, column);
        return text_at(&strings, row);
    }
    const void *element = shmfi_frame_element(frame, row, column, &boolean);
    if (!element) /* it was no null a moment ago: somebody changes the frame */
        return no_text;
    if (descriptor->dtype == SHMF_FIXED_BINARY)
        return (struct shmf_text){element, descriptor->width};
    if (descriptor->dtype == SHMF_DICTIONARY &&
        shmfi_dtype_to_int64(descriptor->index_dtype, element, &index))
        return shmf_frame_category(frame, column, index);
    return no_text;
}

int shmf_frame_cell_int64(const struct shmf_frame *frame, int64_t row, int64_t column,
                          int64_t *value)
{
    uint8_t boolean;
    int rc = value ? check_cell(frame, row, column) : SHMF_E_INVAL;
    if (rc)
        return rc;
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(frame, column);
    uint32_t dtype =
        descriptor->dtype == SHMF_DICTIONARY ? descriptor->index_dtype : descriptor->dtype;
    if (shmf_frame_is_null(frame, row, column))
        return SHMF_E_NOTFOUND;
    const void *element = shmfi_frame_element(frame, row, column, &boolean);
    if (element && shmfi_dtype_to_int64(dtype, element, value))
        return SHMF_OK;
    return dtype == SHMF_UINT64 ? SHMF_E_RANGE : SHMF_E_DTYPE;
}

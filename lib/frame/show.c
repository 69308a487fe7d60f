/* Cells and types as text. */
#include "frame/frame_internal.h"

#include "dtype/dtype.h"

#include <string.h>

enum { PRECISION = 17, HEX_SHOWN = SHMFI_SHOWN_TEXT_WIDTH / 2 - 2 };

_Static_assert(SHMFI_ELEMENT_TEXT_SIZE <= SHMFI_SHOWN_TEXT_SIZE, "elements fit into cells");

static bool is_binary(uint32_t dtype)
{
    return dtype == SHMF_BINARY || dtype == SHMF_FIXED_BINARY;
}

static bool is_text(uint32_t dtype)
{
    return shmfi_dtype_is_string(dtype) || is_binary(dtype) || dtype == SHMF_DICTIONARY;
}

static void hex(char *to, const char *bytes, int64_t n)
{
    static const char digits[] = "0123456789abcdef";
    for (int64_t i = 0; i < n; i++) {
        to[2 * i] = digits[(unsigned char)bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
}

static int show_binary(struct shmf_text text, char to[SHMFI_SHOWN_TEXT_SIZE])
{
    int64_t n = text.size <= HEX_SHOWN ? text.size : HEX_SHOWN;
    hex(to, text.data, n);
    strcpy(to + 2 * n, text.size > n ? "..." : "");
    return (int)strlen(to);
}

/* A text that is not there although the cell is not null: offsets or index lead nowhere. */
static int show_text(uint32_t dtype, struct shmf_text text, char to[SHMFI_SHOWN_TEXT_SIZE])
{
    if (!text.data)
        return (int)strlen(strcpy(to, "?"));
    if (is_binary(dtype))
        return show_binary(text, to);
    return (int)shmfi_text_show(to, text.data, (uint64_t)text.size);
}

/* A cell whose text has a bounded length. */
static size_t element_text(const struct shmf_frame *frame, int64_t row, int64_t column,
                           int precision, int decimals, char to[SHMFI_SHOWN_TEXT_SIZE])
{
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(frame, column);
    uint8_t boolean;
    const void *element = shmfi_frame_element(frame, row, column, &boolean);
    if (!element) /* it was none a moment ago: somebody changes the frame */
        return strlen(strcpy(to, "null"));
    const char *zone =
        descriptor->zone_offset ? (const char *)frame->base + descriptor->zone_offset : NULL;
    switch (shmfi_dtype_info(descriptor->dtype)->class) {
    case SHMFI_CLASS_TIME:
        return shmfi_time_text(to, descriptor->dtype, descriptor->unit, zone, descriptor->zone_size,
                               element);
    case SHMFI_CLASS_DECIMAL:
        return shmfi_decimal_text(to, element, descriptor->scale);
    default:
        return shmfi_element_text(to, descriptor->dtype, element, precision, decimals);
    }
}

int shmfi_frame_show_cell(const struct shmf_frame *frame, int64_t row, int64_t column,
                          int precision, int decimals, char to[SHMFI_SHOWN_TEXT_SIZE])
{
    uint32_t dtype = shmfi_frame_descriptor(frame, column)->dtype;
    if (shmf_frame_is_null(frame, row, column))
        return (int)strlen(strcpy(to, "null"));
    if (is_text(dtype))
        return show_text(dtype, shmf_frame_text(frame, row, column), to);
    return (int)element_text(frame, row, column, precision, decimals, to);
}

int shmfi_frame_show_type(const struct shmf_frame *frame, int64_t column,
                          char to[SHMFI_SHOWN_TEXT_SIZE])
{
    struct shmf_type type;
    char zone[SHMFI_SHOWN_TEXT_SIZE];
    shmf_frame_type(frame, column, &type);
    const char *name = shmf_dtype_name(type.dtype), *unit = shmfi_unit_name((unsigned)type.unit);
    switch (type.dtype) {
    case SHMF_FIXED_BINARY:
        return snprintf(to, SHMFI_SHOWN_TEXT_SIZE, "%s[%u]", name, type.width);
    case SHMF_DECIMAL128:
        return snprintf(to, SHMFI_SHOWN_TEXT_SIZE, "%s(%d,%d)", name, type.precision, type.scale);
    case SHMF_TIMESTAMP:
        if (!type.zone.data)
            return snprintf(to, SHMFI_SHOWN_TEXT_SIZE, "%s[%s]", name, unit);
        int width = (int)shmfi_text_show(zone, type.zone.data, (uint64_t)type.zone.size);
        int size = snprintf(to, SHMFI_SHOWN_TEXT_SIZE, "%s[%s, %.200s]", name, unit, zone);
        return size - (int)strlen(zone) + width;
    case SHMF_TIME32:
    case SHMF_TIME64:
    case SHMF_DURATION:
        return snprintf(to, SHMFI_SHOWN_TEXT_SIZE, "%s[%s]", name, unit);
    default:
        return snprintf(to, SHMFI_SHOWN_TEXT_SIZE, "%s", name);
    }
}

/* ---- in full ------------------------------------------------------------------------------ */

/* As much of it as fits with a NUL behind it. */
static int64_t hand_out(char *to, size_t size, const char *text, int64_t length)
{
    size_t fits = (size_t)length < size ? (size_t)length : size - 1;
    if (size == 0)
        return length;
    if (fits > 0)
        memcpy(to, text, fits);
    to[fits] = '\0';
    return length;
}

static int64_t hand_out_hex(char *to, size_t size, struct shmf_text bytes)
{
    if (size == 0)
        return 2 * bytes.size;
    int64_t fits = (int64_t)((size - 1) / 2);
    int64_t n = bytes.size < fits ? bytes.size : fits;
    hex(to, bytes.data, n);
    to[2 * n] = '\0';
    return 2 * bytes.size;
}

int64_t shmf_frame_cell_text(const struct shmf_frame *frame, int64_t row, int64_t column, char *to,
                             size_t size)
{
    char cell[SHMFI_SHOWN_TEXT_SIZE];
    int null = shmf_frame_is_null(frame, row, column);
    if (null < 0 || (!to && size > 0))
        return null < 0 ? null : SHMF_E_INVAL;
    if (null)
        return hand_out(to, size, "null", 4);
    uint32_t dtype = shmfi_frame_descriptor(frame, column)->dtype;
    if (!is_text(dtype)) {
        size_t length = element_text(frame, row, column, PRECISION, -1, cell);
        return hand_out(to, size, cell, (int64_t)length);
    }
    struct shmf_text text = shmf_frame_text(frame, row, column);
    if (!text.data)
        return hand_out(to, size, "?", 1);
    return is_binary(dtype) ? hand_out_hex(to, size, text)
                            : hand_out(to, size, text.data, text.size);
}

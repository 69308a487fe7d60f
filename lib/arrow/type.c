/* The formats of the C Data interface, read. */
#include "adapter.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *format;
    enum shmf_dtype dtype;
    enum shmfi_arrow_layout layout;
    enum shmf_unit unit;
} simple[] = {
    {"b", SHMF_BOOL, SHMFI_ARROW_BITS, 0},
    {"c", SHMF_INT8, SHMFI_ARROW_FIXED, 0},
    {"C", SHMF_UINT8, SHMFI_ARROW_FIXED, 0},
    {"s", SHMF_INT16, SHMFI_ARROW_FIXED, 0},
    {"S", SHMF_UINT16, SHMFI_ARROW_FIXED, 0},
    {"i", SHMF_INT32, SHMFI_ARROW_FIXED, 0},
    {"I", SHMF_UINT32, SHMFI_ARROW_FIXED, 0},
    {"l", SHMF_INT64, SHMFI_ARROW_FIXED, 0},
    {"L", SHMF_UINT64, SHMFI_ARROW_FIXED, 0},
    {"e", SHMF_FLOAT16, SHMFI_ARROW_FIXED, 0},
    {"f", SHMF_FLOAT32, SHMFI_ARROW_FIXED, 0},
    {"g", SHMF_FLOAT64, SHMFI_ARROW_FIXED, 0},
    {"u", SHMF_UTF8, SHMFI_ARROW_TEXT, 0},
    {"U", SHMF_LARGE_UTF8, SHMFI_ARROW_LARGE, 0},
    {"vu", SHMF_UTF8, SHMFI_ARROW_VIEW, 0},
    {"z", SHMF_BINARY, SHMFI_ARROW_TEXT, 0},
    {"Z", SHMF_BINARY, SHMFI_ARROW_LARGE, 0},
    {"vz", SHMF_BINARY, SHMFI_ARROW_VIEW, 0},
    {"tdD", SHMF_DATE32, SHMFI_ARROW_FIXED, 0},
    {"tdm", SHMF_DATE64, SHMFI_ARROW_FIXED, 0},
    {"tts", SHMF_TIME32, SHMFI_ARROW_FIXED, SHMF_SECONDS},
    {"ttm", SHMF_TIME32, SHMFI_ARROW_FIXED, SHMF_MILLISECONDS},
    {"ttu", SHMF_TIME64, SHMFI_ARROW_FIXED, SHMF_MICROSECONDS},
    {"ttn", SHMF_TIME64, SHMFI_ARROW_FIXED, SHMF_NANOSECONDS},
    {"tDs", SHMF_DURATION, SHMFI_ARROW_FIXED, SHMF_SECONDS},
    {"tDm", SHMF_DURATION, SHMFI_ARROW_FIXED, SHMF_MILLISECONDS},
    {"tDu", SHMF_DURATION, SHMFI_ARROW_FIXED, SHMF_MICROSECONDS},
    {"tDn", SHMF_DURATION, SHMFI_ARROW_FIXED, SHMF_NANOSECONDS},
};

size_t shmfi_arrow_width(const struct shmf_type *type)
{
    if (type->dtype == SHMF_FIXED_BINARY)
        return type->width;
    if (type->dtype == SHMF_DICTIONARY)
        return shmf_dtype_size(type->index_dtype);
    return type->dtype == SHMF_BOOL ? 0 : shmf_dtype_size(type->dtype);
}

/* A decimal number in lo..hi at `*at`, which moves behind it. */
static bool read_number(const char **at, long lo, long hi, long *value)
{
    char *end;
    *value = strtol(*at, &end, 10);
    bool fine = end != *at && **at != ' ' && **at != '+' && *value >= lo && *value <= hi;
    *at = end;
    return fine;
}

static bool parse_simple(const char *format, struct shmfi_arrow_type *type)
{
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++)
        if (strcmp(format, simple[i].format) == 0) {
            type->type.dtype = simple[i].dtype;
            type->type.unit = simple[i].unit;
            type->layout = simple[i].layout;
            return true;
        }
    return false;
}

static bool parse_timestamp(const char *format, struct shmfi_arrow_type *type)
{
    static const char units[] = "smun";
    const char *unit =
        format[0] == 't' && format[1] == 's' && format[2] ? strchr(units, format[2]) : NULL;
    if (!unit || format[3] != ':')
        return false;
    type->type.dtype = SHMF_TIMESTAMP;
    type->type.unit = (enum shmf_unit)(SHMF_SECONDS + (unit - units));
    if (format[4])
        type->type.zone = (struct shmf_text){format + 4, (int64_t)strlen(format + 4)};
    return true;
}

static bool parse_sized(const char *format, struct shmfi_arrow_type *type)
{
    long first, second, bits = 128;
    const char *at = format + 2;
    if (strncmp(format, "w:", 2) == 0) {
        type->type.dtype = SHMF_FIXED_BINARY;
        bool fine = read_number(&at, 1, INT32_MAX, &first);
        type->type.width = fine ? (uint32_t)first : 0;
        return fine && !*at;
    }
    if (strncmp(format, "d:", 2) != 0 || !read_number(&at, 1, 38, &first) || *at++ != ',' ||
        !read_number(&at, INT16_MIN, INT16_MAX, &second))
        return false;
    if (*at == ',') {
        at++;
        if (!read_number(&at, 0, 1024, &bits))
            return false;
    }
    type->type.dtype = SHMF_DECIMAL128;
    type->type.precision = (int)first;
    type->type.scale = (int)second;
    return bits == 128 && !*at;
}

/* A list of two floats that says it is a complex number. */
static bool parse_complex(const struct ArrowSchema *field, struct shmfi_arrow_type *type)
{
    const char *part = field->n_children == 1 ? field->children[0]->format : "";
    struct shmf_text mark = shmfi_arrow_metadata(field->metadata, SHMFI_ARROW_COMPLEX);
    bool narrow = shmfi_arrow_text_is(mark, "complex64") && strcmp(part, "f") == 0;
    bool wide = shmfi_arrow_text_is(mark, "complex128") && strcmp(part, "g") == 0;
    if (strcmp(field->format, "+w:2") != 0 || (!narrow && !wide))
        return false;
    type->type.dtype = wide ? SHMF_COMPLEX128 : SHMF_COMPLEX64;
    type->layout = SHMFI_ARROW_PARTS;
    return true;
}

static int parse_dictionary(const struct ArrowSchema *field, struct shmfi_arrow_type *type,
                            struct shmf_error *err)
{
    struct shmfi_arrow_type values = {.layout = SHMFI_ARROW_FIXED};
    if (type->layout != SHMFI_ARROW_FIXED || type->type.dtype < SHMF_INT8 ||
        type->type.dtype > SHMF_UINT64)
        return shmf_error_set(err, SHMF_E_INVAL,
                              "field \"%s\": a dictionary with indexes of format \"%s\"",
                              shmfi_arrow_name(field), field->format);
    const char *format = field->dictionary->format;
    bool known = !field->dictionary->dictionary &&
                 (parse_simple(format, &values) || parse_timestamp(format, &values) ||
                  parse_sized(format, &values));
    bool is_text = values.type.dtype == SHMF_UTF8 || values.type.dtype == SHMF_LARGE_UTF8;
    if (!known || (!is_text && values.layout != SHMFI_ARROW_FIXED))
        return shmf_error_set(err, SHMF_E_UNSUPPORTED,
                              "field \"%s\": a dictionary of format \"%s\": of strings and of "
                              "values of fixed width only",
                              shmfi_arrow_name(field), format);
    if (!is_text) {
        type->indexes = type->type.dtype;
        type->width = (int64_t)shmf_dtype_size(type->indexes);
        type->type = values.type;
        type->layout = SHMFI_ARROW_LOOKUP;
        type->values = values.layout;
        type->values_width = (int64_t)shmfi_arrow_width(&values.type);
        return SHMF_OK;
    }
    type->type.index_dtype = type->type.dtype;
    type->type.dtype = SHMF_DICTIONARY;
    type->type.ordered = (field->flags & ARROW_FLAG_DICTIONARY_ORDERED) != 0;
    type->layout = SHMFI_ARROW_INDEXES;
    type->values = values.layout;
    return SHMF_OK;
}

int shmfi_arrow_type(const struct ArrowSchema *field, struct shmfi_arrow_type *type,
                     struct shmf_error *err)
{
    const char *format = field->format;
    *type = (struct shmfi_arrow_type){.layout = SHMFI_ARROW_FIXED};
    if (!parse_simple(format, type) && !parse_timestamp(format, type) &&
        !parse_sized(format, type) && !parse_complex(field, type))
        return shmf_error_set(
            err, SHMF_E_UNSUPPORTED, "field \"%s\": format \"%s\": a frame has no such type%s",
            shmfi_arrow_name(field), format, format[0] == '+' ? " (it is nested)" : "");
    if (field->dictionary) {
        int rc = parse_dictionary(field, type, err);
        if (rc)
            return rc;
    }
    if (type->layout != SHMFI_ARROW_LOOKUP)
        type->width = (int64_t)shmfi_arrow_width(&type->type);
    return SHMF_OK;
}

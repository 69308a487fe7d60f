/* Attributes, and values: what is missing, what is packed. */
#include "file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void shmfi_nc_number(char to[32], double value, bool narrow)
{
    for (int digits = narrow ? 6 : 15; digits <= 17; digits++) {
        snprintf(to, 32, "%.*g", digits, value);
        if (narrow ? strtof(to, NULL) == (float)value : strtod(to, NULL) == value)
            break;
    }
}

/* ---- attributes --------------------------------------------------------------------------- */

static char *join_strings(char **strings, size_t n)
{
    size_t size = 1;
    for (size_t i = 0; i < n; i++)
        size += (strings[i] ? strlen(strings[i]) : 0) + 2;
    char *text = calloc(size, 1), *to = text;
    for (size_t i = 0; text && i < n; i++)
        to += sprintf(to, "%s%s", i ? ", " : "", strings[i] ? strings[i] : "");
    return text;
}

static char *string_attribute(int group, int id, const char *name, size_t n)
{
    char **strings = calloc(n + 1, sizeof *strings), *text = NULL;
    if (strings && !nc_get_att_string(group, id, name, strings)) {
        text = join_strings(strings, n);
        nc_free_string(n, strings);
    }
    free(strings);
    return text;
}

static char *number_attribute(int group, int id, const char *name, nc_type type, size_t n)
{
    const bool natural = type == NC_UINT64, integer = type != NC_FLOAT && type != NC_DOUBLE;
    char *text = calloc(n + 1, 34), *to = text;
    void *values = calloc(n + 1, sizeof(long long));
    int rc = !text || !values ? NC_ENOMEM
             : natural        ? nc_get_att_ulonglong(group, id, name, values)
             : integer        ? nc_get_att_longlong(group, id, name, values)
                              : nc_get_att_double(group, id, name, values);
    for (size_t i = 0; !rc && i < n; i++) {
        char number[32];
        if (natural)
            snprintf(number, sizeof number, "%llu", ((unsigned long long *)values)[i]);
        else if (integer)
            snprintf(number, sizeof number, "%lld", ((long long *)values)[i]);
        else
            shmfi_nc_number(number, ((double *)values)[i], type == NC_FLOAT);
        to += sprintf(to, "%s%s", i ? ", " : "", number);
    }
    free(values);
    if (rc) {
        free(text);
        return NULL;
    }
    return text;
}

char *shmfi_nc_attribute(int group, int id, const char *name)
{
    nc_type type;
    size_t n;
    if (nc_inq_att(group, id, name, &type, &n))
        return NULL;
    if (type == NC_STRING)
        return string_attribute(group, id, name, n);
    if (type != NC_CHAR)
        return shmfi_nc_dtype(type) ? number_attribute(group, id, name, type, n) : NULL;
    char *text = calloc(n + 1, 1);
    if (text && nc_get_att_text(group, id, name, text)) {
        free(text);
        text = NULL;
    }
    return text;
}

bool shmfi_nc_attribute_name(int group, int id, int i, char name[NC_MAX_NAME + 1])
{
    return nc_inq_attname(group, id, i, name) == NC_NOERR;
}

/* ---- missing ------------------------------------------------------------------------------ */

static void add_missing(const struct shmfi_nc_variable *variable, const char *name,
                        struct shmfi_nc_missing *missing)
{
    enum { MOST = sizeof missing->values / sizeof missing->values[0] };
    union {
        double numbers[MOST];
        float narrow[MOST];
        long long integers[MOST];
        unsigned long long naturals[MOST];
    } found;
    size_t n = 0;
    nc_type type = 0;
    if (nc_inq_att(variable->group, variable->id, name, &type, &n) || n + missing->n > MOST ||
        type == NC_CHAR || !shmfi_nc_dtype(type))
        return;
    const bool narrow = variable->type == NC_FLOAT, wide = variable->type == NC_DOUBLE;
    const bool natural = variable->type == NC_UINT64;
    /* One that does not fit into the variable's type equals no value of it. */
    int rc = narrow    ? nc_get_att_float(variable->group, variable->id, name, found.narrow)
             : wide    ? nc_get_att_double(variable->group, variable->id, name, found.numbers)
             : natural ? nc_get_att_ulonglong(variable->group, variable->id, name, found.naturals)
                       : nc_get_att_longlong(variable->group, variable->id, name, found.integers);
    for (size_t i = 0; !rc && i < n; i++) {
        if (narrow)
            missing->values[missing->n++].narrow = found.narrow[i];
        else if (wide)
            missing->values[missing->n++].number = found.numbers[i];
        else if (natural)
            missing->values[missing->n++].natural = found.naturals[i];
        else
            missing->values[missing->n++].integer = found.integers[i];
    }
}

void shmfi_nc_find_missing(const struct shmfi_nc_variable *variable,
                           struct shmfi_nc_missing *missing)
{
    missing->n = 0;
    if (!variable->dtype || variable->type == NC_CHAR)
        return;
    add_missing(variable, "_FillValue", missing);
    add_missing(variable, "missing_value", missing);
}

bool shmfi_nc_scale(const struct shmfi_nc_variable *variable, double *factor, double *offset)
{
    *factor = 1;
    *offset = 0;
    if (!variable->dtype || variable->type == NC_CHAR)
        return false;
    size_t n = 0;
    bool scaled = false;
    if (!nc_inq_attlen(variable->group, variable->id, "scale_factor", &n) && n == 1)
        scaled |= !nc_get_att_double(variable->group, variable->id, "scale_factor", factor);
    if (!nc_inq_attlen(variable->group, variable->id, "add_offset", &n) && n == 1)
        scaled |= !nc_get_att_double(variable->group, variable->id, "add_offset", offset);
    return scaled;
}

#define EACH(type, member, same)                                                                   \
    do {                                                                                           \
        const type *values = data;                                                                 \
        for (size_t m = 0; m < missing->n; m++)                                                    \
            for (size_t i = 0; i < n; i++)                                                         \
                if (values[i] == missing->values[m].member || (same))                              \
                    at(i, context);                                                                \
    } while (0)

void shmfi_nc_each_missing(const struct shmfi_nc_missing *missing, enum shmf_dtype dtype,
                           const void *data, size_t n, void (*at)(size_t i, void *context),
                           void *context)
{
    switch (dtype) {
    case SHMF_INT8:
        EACH(int8_t, integer, false);
        break;
    case SHMF_INT16:
        EACH(int16_t, integer, false);
        break;
    case SHMF_INT32:
        EACH(int32_t, integer, false);
        break;
    case SHMF_INT64:
        EACH(int64_t, integer, false);
        break;
    case SHMF_UINT8:
        EACH(uint8_t, integer, false);
        break;
    case SHMF_UINT16:
        EACH(uint16_t, integer, false);
        break;
    case SHMF_UINT32:
        EACH(uint32_t, integer, false);
        break;
    case SHMF_UINT64:
        EACH(uint64_t, natural, false);
        break;
    case SHMF_FLOAT32:
        EACH(float, narrow, isnan(values[i]) && isnan(missing->values[m].narrow));
        break;
    case SHMF_FLOAT64:
        EACH(double, number, isnan(values[i]) && isnan(missing->values[m].number));
        break;
    default:
        break;
    }
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Doubles that stand where the packed values were read; what is missing is so by the packed value,
 * which a double holds exactly unless it has 64 bits. */
static void unpack(const struct shmfi_nc_variable *variable, double *values, size_t n)
{
    double factor, offset;
    struct shmfi_nc_missing missing;
    shmfi_nc_scale(variable, &factor, &offset);
    shmfi_nc_find_missing(variable, &missing);
    for (size_t i = 0; i < n; i++) {
        bool none = false;
        for (size_t m = 0; m < missing.n; m++) {
            const double value = variable->type == NC_FLOAT    ? (double)missing.values[m].narrow
                                 : variable->type == NC_DOUBLE ? missing.values[m].number
                                 : variable->type == NC_UINT64 ? (double)missing.values[m].natural
                                                               : (double)missing.values[m].integer;
            none |= values[i] == value || (isnan(values[i]) && isnan(value));
        }
        values[i] = none ? (double)NAN : values[i] * factor + offset;
    }
}

int shmfi_nc_read(const struct shmfi_nc *nc, const struct shmfi_nc_variable *variable,
                  const size_t *start, const size_t *count, bool unpacked, void *to)
{
    size_t n = 1;
    for (int d = 0; d < variable->n_dims; d++)
        n *= count[d];
    if (n == 0)
        return SHMF_OK;
    int rc = unpacked ? nc_get_vara_double(variable->group, variable->id, start, count, to)
                      : nc_get_vara(variable->group, variable->id, start, count, to);
    if (!rc && unpacked)
        unpack(variable, to, n);
    return shmfi_nc_said(nc, rc, variable->name);
}

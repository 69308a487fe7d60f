#include "file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *shmfi_h5_attribute_name(hid_t object, int i)
{
    char *name = NULL;
    ssize_t size = H5Aget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, NULL, 0,
                                      H5P_DEFAULT);
    if (size < 0 || !(name = malloc((size_t)size + 1)))
        return NULL;
    if (H5Aget_name_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)i, name,
                           (size_t)size + 1, H5P_DEFAULT) < 0) {
        free(name);
        return NULL;
    }
    return name;
}

/* With as few digits as give it back. */
static void put_number(char to[32], double value)
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(to, 32, "%.*g", digits, value);
        if (strtod(to, NULL) == value)
            break;
    }
}

static char *numbers(hid_t attribute, bool integers, size_t n)
{
    double *values = calloc(n + 1, sizeof *values);
    int64_t *whole = (void *)values;
    char *text = calloc(n + 1, 34), *to = text;
    bool fine = values && text &&
                H5Aread(attribute, integers ? H5T_NATIVE_INT64 : H5T_NATIVE_DOUBLE, values) >= 0;
    for (size_t i = 0; fine && i < n; i++) {
        char number[32];
        if (integers)
            snprintf(number, sizeof number, "%lld", (long long)whole[i]);
        else
            put_number(number, values[i]);
        to += sprintf(to, "%s%s", i ? ", " : "", number);
    }
    free(values);
    if (fine)
        return text;
    free(text);
    return NULL;
}

static char *variable_text(hid_t attribute, hid_t memory)
{
    char *found = NULL, *text = NULL;
    if (H5Aread(attribute, memory, &found) >= 0)
        text = strdup(found ? found : "");
    H5free_memory(found);
    return text;
}

static char *fixed_text(hid_t attribute, hid_t memory)
{
    char *text = calloc(H5Tget_size(memory) + 1, 1);
    if (text && H5Aread(attribute, memory, text) < 0) {
        free(text);
        text = NULL;
    }
    return text;
}

char *shmfi_h5_attribute(hid_t object, const char *name)
{
    if (H5Aexists(object, name) <= 0)
        return NULL;
    char *text = NULL;
    hid_t memory = -1, attribute = H5Aopen(object, name, H5P_DEFAULT);
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    const hssize_t n = H5Sget_simple_extent_npoints(space);
    const enum shmf_dtype dtype = type < 0 ? 0 : shmfi_h5_dtype(type, &memory);
    if (dtype == SHMF_UTF8 && n == 1)
        text = H5Tis_variable_str(type) > 0 ? variable_text(attribute, memory)
                                            : fixed_text(attribute, memory);
    else if (dtype >= SHMF_INT8 && dtype <= SHMF_FLOAT64 && n > 0 && n < 65536)
        text = numbers(attribute, dtype < SHMF_FLOAT16, (size_t)n);
    if (memory >= 0)
        H5Tclose(memory);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attribute);
    return text;
}

int64_t shmfi_h5_number(hid_t object, const char *name, int64_t otherwise)
{
    char *text = shmfi_h5_attribute(object, name);
    const int64_t value = text ? strtoll(text, NULL, 10) : otherwise;
    free(text);
    return value;
}

/* ---- writing ------------------------------------------------------------------------------ */

static bool put(hid_t object, const char *name, hid_t type, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool fine = attribute >= 0 && H5Awrite(attribute, type, value) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    return fine;
}

bool shmfi_h5_put_text(hid_t object, const char *name, struct shmf_text text)
{
    char *bytes = calloc((size_t)text.size + 1, 1);
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_cset(type, H5T_CSET_UTF8);
    H5Tset_size(type, text.size > 0 ? (size_t)text.size : 1);
    if (bytes && text.size > 0)
        memcpy(bytes, text.data, (size_t)text.size);
    const bool fine = bytes && put(object, name, type, bytes);
    H5Tclose(type);
    free(bytes);
    return fine;
}

bool shmfi_h5_put_number(hid_t object, const char *name, int64_t value)
{
    return put(object, name, H5T_STD_I64LE, &value);
}

/* ---- metadata ----------------------------------------------------------------------------- */

static bool says_how_stored(const char *name)
{
    static const char *const names[] = {"CLASS",          "NAME",          "DIMENSION_LIST",
                                        "REFERENCE_LIST", "_Netcdf4Dimid", "_Netcdf4Coordinates",
                                        "_NCProperties"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "shmframe_", 9) == 0;
}

/* The first with a key counts. */
static bool has(const struct shmfi_h5_pairs *pairs, const char *name)
{
    for (int64_t i = 0; i < pairs->n; i++)
        if (strcmp(pairs->pairs[i].key.data, name) == 0)
            return true;
    return false;
}

bool shmfi_h5_add_attributes(struct shmfi_h5_pairs *pairs, hid_t object)
{
    char *name;
    for (int i = 0; (name = shmfi_h5_attribute_name(object, i)); i++) {
        char *value =
            says_how_stored(name) || has(pairs, name) ? NULL : shmfi_h5_attribute(object, name);
        struct shmf_pair *grown = pairs->pairs;
        if (value)
            grown = realloc(pairs->pairs, (size_t)(pairs->n + 1) * sizeof *grown);
        if (grown && value) {
            pairs->pairs = grown;
            grown[pairs->n++] =
                (struct shmf_pair){{name, (int64_t)strlen(name)}, {value, (int64_t)strlen(value)}};
        } else {
            free(name);
            free(value);
        }
        if (value && !grown)
            return false;
    }
    return true;
}

void shmfi_h5_free_pairs(struct shmfi_h5_pairs *pairs)
{
    for (int64_t i = 0; i < pairs->n; i++) {
        free((char *)(uintptr_t)pairs->pairs[i].key.data);
        free((char *)(uintptr_t)pairs->pairs[i].value.data);
    }
    free(pairs->pairs);
    *pairs = (struct shmfi_h5_pairs){0};
}

/* Metadata, labels, nulls: what frames of variables have beside values. */
#include "frame.h"

#include <stdlib.h>
#include <string.h>

/* ---- metadata ----------------------------------------------------------------------------- */

static bool says_how_stored(const char *name)
{
    static const char *const names[] = {"_FillValue", "missing_value",  "_NCProperties", "CLASS",
                                        "NAME",       "DIMENSION_LIST", "REFERENCE_LIST"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "shmframe_", 9) == 0;
}

/* The first with a key counts. */
static bool has(const struct shmfi_nc_pairs *pairs, const char *name)
{
    for (int64_t i = 0; i < pairs->n; i++)
        if (strcmp(pairs->pairs[i].key.data, name) == 0)
            return true;
    return false;
}

bool shmfi_nc_add_attributes(struct shmfi_nc_pairs *pairs, int group, int id)
{
    char name[NC_MAX_NAME + 1];
    for (int i = 0; shmfi_nc_attribute_name(group, id, i, name); i++) {
        char *value =
            says_how_stored(name) || has(pairs, name) ? NULL : shmfi_nc_attribute(group, id, name);
        if (!value)
            continue;
        struct shmf_pair *grown =
            realloc(pairs->pairs, (size_t)(pairs->n + 1) * sizeof *pairs->pairs);
        char *key = strdup(name);
        if (grown)
            pairs->pairs = grown;
        if (!grown || !key) {
            free(key);
            free(value);
            return false;
        }
        grown[pairs->n++] =
            (struct shmf_pair){{key, (int64_t)strlen(key)}, {value, (int64_t)strlen(value)}};
    }
    return true;
}

void shmfi_nc_free_pairs(struct shmfi_nc_pairs *pairs)
{
    for (int64_t i = 0; i < pairs->n; i++) {
        free((char *)(uintptr_t)pairs->pairs[i].key.data);
        free((char *)(uintptr_t)pairs->pairs[i].value.data);
    }
    free(pairs->pairs);
    *pairs = (struct shmfi_nc_pairs){0};
}

void shmfi_nc_restore_type(const struct shmfi_nc_variable *variable, struct shmf_type *type,
                           char zone[128])
{
    char *name = shmfi_nc_attribute(variable->group, variable->id, "shmframe_dtype");
    char *unit = shmfi_nc_attribute(variable->group, variable->id, "shmframe_unit");
    char *place = shmfi_nc_attribute(variable->group, variable->id, "shmframe_zone");
    static const char *const units[] = {"", "s", "ms", "us", "ns"};
    for (int dtype = SHMF_BOOL; name && dtype <= SHMF_DURATION; dtype++) {
        const bool known = dtype == SHMF_BOOL || dtype >= SHMF_DATE32;
        if (known && strcmp(name, shmf_dtype_name((enum shmf_dtype)dtype)) == 0 &&
            shmf_dtype_size((enum shmf_dtype)dtype) == shmf_dtype_size(variable->dtype))
            type->dtype = (enum shmf_dtype)dtype;
    }
    for (int i = SHMF_SECONDS; unit && i <= SHMF_NANOSECONDS; i++)
        if (strcmp(unit, units[i]) == 0)
            type->unit = (enum shmf_unit)i;
    if (place && type->dtype == SHMF_TIMESTAMP && strlen(place) < 128)
        type->zone = (struct shmf_text){strcpy(zone, place), (int64_t)strlen(place)};
    free(name);
    free(unit);
    free(place);
}

/* ---- labels ------------------------------------------------------------------------------- */

bool shmfi_nc_find_labels(const struct shmfi_nc *nc, int group, int dim,
                          struct shmfi_nc_variable *variable)
{
    char name[NC_MAX_NAME + 1];
    int id;
    const struct shmfi_nc quiet = {nc->file, nc->path, NULL};
    return !nc_inq_dimname(group, dim, name) && !nc_inq_varid(group, name, &id) &&
           !shmfi_nc_describe(&quiet, group, id, variable) && variable->dims[0] == dim &&
           (shmfi_nc_is_text(variable) ||
            (variable->n_dims == 1 && variable->dtype && variable->type != NC_CHAR));
}

int shmfi_nc_read_labels(const struct shmfi_nc *nc, const struct shmfi_nc_variable *variable,
                         bool texts, struct shmfi_nc_labels *labels)
{
    int rc;
    const bool integers = variable->dtype != SHMF_FLOAT32 && variable->dtype != SHMF_FLOAT64;
    if (!shmfi_nc_is_text(variable) && integers && !texts) {
        labels->numbers = malloc((variable->shape[0] + 1) * sizeof *labels->numbers);
        return shmfi_nc_said(nc,
                             labels->numbers ? nc_get_var_longlong(variable->group, variable->id,
                                                                   (long long *)labels->numbers)
                                             : NC_ENOMEM,
                             variable->name);
    }
    rc = shmfi_nc_is_text(variable) ? shmfi_nc_read_texts(nc, variable, &labels->texts)
                                    : shmfi_nc_read_numbers_as_texts(nc, variable, &labels->texts);
    if (rc)
        return rc;
    labels->pointers = shmfi_nc_pointers(&labels->texts);
    return labels->pointers ? SHMF_OK : shmfi_nc_said(nc, NC_ENOMEM, variable->name);
}

void shmfi_nc_free_labels(struct shmfi_nc_labels *labels)
{
    shmfi_nc_free_texts(&labels->texts);
    free(labels->pointers);
    free(labels->numbers);
    *labels = (struct shmfi_nc_labels){0};
}

/* ---- nulls, the end ------------------------------------------------------------------------- */

static void clear_bit(size_t i, void *context)
{
    uint8_t *validity = context;
    validity[i / 8] &= (uint8_t) ~(1u << i % 8);
}

void shmfi_nc_set_nulls(struct shmf_frame *frame, int64_t column, const void *data, size_t n,
                        const struct shmfi_nc_missing *missing, enum shmf_dtype dtype)
{
    uint8_t *validity = shmf_frame_validity_mut(frame, column);
    if (validity)
        shmfi_nc_each_missing(missing, dtype, data, n, clear_bit, validity);
}

int shmfi_nc_core_said(const struct shmfi_nc *nc, const struct shmf_error *err)
{
    return shmf_error_set(nc->err, err->code ? err->code : SHMF_E_NOMEM, "%.110s: %.140s", nc->path,
                          err->message);
}

struct shmf_frame *shmfi_nc_finish(const struct shmfi_nc *nc, struct shmf_frame *frame)
{
    struct shmf_error err = {0};
    if (!frame || !shmf_frame_finish(frame, &err))
        return frame;
    shmfi_nc_core_said(nc, &err);
    shmf_frame_free(frame);
    return NULL;
}

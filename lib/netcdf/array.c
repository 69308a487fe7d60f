/* Variables as arrays. */
#include "file.h"

#include <math.h>

static int check_options(const struct shmf_netcdf_options *options, struct shmf_error *err)
{
    for (size_t i = 0; options && i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        if (options->reserved[i])
            return shmf_error_set(err, SHMF_E_INVAL, "options.reserved[%zu]: not zero", i);
    return SHMF_OK;
}

static void set_nan_32(size_t i, void *context)
{
    ((float *)context)[i] = NAN;
}

static void set_nan_64(size_t i, void *context)
{
    ((double *)context)[i] = (double)NAN;
}

static void set_missing(const struct shmfi_nc_variable *variable, struct shmf_array *array)
{
    struct shmfi_nc_missing missing;
    void *data = shmf_array_data_mut(array);
    shmfi_nc_find_missing(variable, &missing);
    if (variable->dtype == SHMF_FLOAT32 || variable->dtype == SHMF_FLOAT64)
        shmfi_nc_each_missing(&missing, variable->dtype, data, (size_t)shmf_array_size(array),
                              variable->dtype == SHMF_FLOAT32 ? set_nan_32 : set_nan_64, data);
}

static struct shmf_array *read_array(const struct shmfi_nc *nc,
                                     const struct shmfi_nc_variable *variable, bool unpack,
                                     bool nan)
{
    static const size_t start[SHMF_MAX_DIMS];
    int64_t shape[SHMF_MAX_DIMS] = {1};
    for (int d = 0; d < variable->n_dims; d++)
        shape[d] = (int64_t)variable->shape[d];
    struct shmf_error err = {0};
    struct shmf_array *array = shmf_array_new(unpack ? SHMF_FLOAT64 : variable->dtype,
                                              variable->n_dims ? variable->n_dims : 1, shape, &err);
    if (!array) {
        shmf_error_set(nc->err, err.code, "%.100s: %.60s: %.80s", nc->path, variable->name,
                       err.message);
        return NULL;
    }
    if (shmfi_nc_read(nc, variable, start, variable->shape, unpack, shmf_array_data_mut(array))) {
        shmf_array_free(array);
        return NULL;
    }
    if (nan && !unpack)
        set_missing(variable, array);
    return array;
}

struct shmf_array *shmf_netcdf_array(const char *path, const char *name,
                                     const struct shmf_netcdf_options *options,
                                     struct shmf_error *err)
{
    struct shmfi_nc nc;
    struct shmfi_nc_variable variable;
    struct shmf_array *array = NULL;
    double factor, offset;
    if (check_options(options, err) || shmfi_nc_open(&nc, path, err))
        return NULL;
    if (shmfi_nc_find(&nc, name, &variable) == SHMF_OK) {
        if (!variable.dtype)
            shmf_error_set(err, SHMF_E_UNSUPPORTED,
                           "%.120s: %.60s: its type is none that arrays have%s", path, name,
                           variable.type == NC_STRING ? " (string: read it as a frame)" : "");
        else
            array = read_array(&nc, &variable,
                               options && options->unpack &&
                                   shmfi_nc_scale(&variable, &factor, &offset),
                               options && options->nan);
    }
    shmfi_nc_close(&nc);
    return array;
}

/* Arrays as variables. */
#include "write.h"

#include <stdlib.h>
#include <string.h>

static int define(const struct shmfi_nc_output *output, const struct shmf_array *array,
                  const char *variable, const struct shmf_netcdf_write_options *options, int *id)
{
    int dims[SHMF_MAX_DIMS], rc = SHMF_OK;
    const nc_type type = shmfi_nc_type(output, shmf_array_dtype(array));
    if (!type)
        return shmf_error_set(output->nc.err, SHMF_E_DTYPE, "%.120s: %.60s: the format has no %s",
                              output->nc.path, variable, shmf_dtype_name(shmf_array_dtype(array)));
    for (int d = 0; !rc && d < shmf_array_ndim(array); d++) {
        char *own = NULL;
        const char *name = options && options->dimensions ? options->dimensions[d] : NULL;
        if (!name && asprintf(&own, "%s_%d", variable, d) < 0)
            return shmfi_nc_said(&output->nc, NC_ENOMEM, variable);
        rc = shmfi_nc_put_dimension(output, name ? name : own, (size_t)shmf_array_shape(array)[d],
                                    &dims[d]);
        free(own);
    }
    if (!rc)
        rc = shmfi_nc_said(
            &output->nc,
            nc_def_var(output->nc.file, variable, type, shmf_array_ndim(array), dims, id),
            variable);
    for (int64_t i = 0; !rc && options && i < options->n_attributes; i++)
        rc = shmfi_nc_put_attribute(output, *id, &options->attributes[i]);
    return rc;
}

/* C-contiguous from dimension `d` on? */
static bool is_dense(const struct shmf_array *array, int d)
{
    int64_t stride = (int64_t)shmf_dtype_size(shmf_array_dtype(array));
    for (int i = shmf_array_ndim(array) - 1; i >= d; i--) {
        if (shmf_array_strides(array)[i] != stride && shmf_array_shape(array)[i] > 1)
            return false;
        stride *= shmf_array_shape(array)[i];
    }
    return true;
}

/* Elements from start[] on, the first `d` dimensions one at a time. */
static int put(const struct shmf_array *array, int file, int id, int d, const char *at,
               size_t *start, size_t *count)
{
    const int n = shmf_array_ndim(array);
    if (d == n || is_dense(array, d))
        return nc_put_vara(file, id, start, count, at);
    const int64_t length = shmf_array_shape(array)[d];
    int rc = NC_NOERR;
    count[d] = 1;
    for (int64_t i = 0; !rc && i < length; i++) {
        start[d] = (size_t)i;
        rc = put(array, file, id, d + 1, at + i * shmf_array_strides(array)[d], start, count);
    }
    start[d] = 0;
    count[d] = (size_t)length;
    return rc;
}

int shmf_netcdf_write_array(const struct shmf_array *array, const char *path, const char *variable,
                            const struct shmf_netcdf_write_options *options, struct shmf_error *err)
{
    struct shmfi_nc_output output;
    size_t start[SHMF_MAX_DIMS] = {0}, count[SHMF_MAX_DIMS] = {0};
    int id = 0;
    if (!array || !variable)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", array ? "variable" : "array");
    int rc = shmfi_nc_output_begin(&output, path, options, err);
    if (!rc)
        rc = define(&output, array, variable, options, &id);
    if (!rc)
        rc = shmfi_nc_said(&output.nc, nc_enddef(output.nc.file), variable);
    for (int d = 0; d < shmf_array_ndim(array); d++)
        count[d] = (size_t)shmf_array_shape(array)[d];
    if (!rc && shmf_array_size(array) > 0)
        rc = shmfi_nc_said(&output.nc,
                           put(array, output.nc.file, id, 0, shmf_array_data(array), start, count),
                           variable);
    return shmfi_nc_output_end(&output, rc);
}

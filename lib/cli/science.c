/* netCDF and HDF5 files, as far as the tool was built with them. */
#include "files.h"

#include <string.h>

#ifdef CLI_NETCDF
#include <shmframe/netcdf.h>

static void read_netcdf(const char *path, const struct cli_variables *variables,
                        struct cli_object *object, struct shmf_error *err)
{
    const struct shmf_netcdf_options options = {.unpack = 1, .nan = 1};
    const char *const *names = variables->n ? variables->names : NULL;
    if (!variables->array)
        object->frame = shmf_netcdf_frame(path, names, variables->n, &options, err);
    if (variables->array || (variables->n == 1 && !object->frame && err->code == SHMF_E_DTYPE))
        object->array = shmf_netcdf_array(path, names ? names[0] : NULL, &options, err);
}

static int write_netcdf(const struct cli_object *object, const char *path, const char *variable,
                        struct shmf_error *err)
{
    return object->frame ? shmf_netcdf_write_frame(object->frame, path, NULL, err)
                         : shmf_netcdf_write_array(object->array, path,
                                                   variable ? variable : "values", NULL, err);
}
#endif

#ifdef CLI_HDF5
#include <shmframe/hdf5.h>

static void read_hdf5(const char *path, const struct cli_variables *variables,
                      struct cli_object *object, struct shmf_error *err)
{
    const char *name = variables->n ? variables->names[0] : "/";
    if (!variables->array)
        object->frame = shmf_hdf5_frame(path, name, err);
    if (variables->array || (variables->n == 1 && !object->frame && err->code == SHMF_E_DTYPE))
        object->array = shmf_hdf5_array(path, name, err);
}

static int write_hdf5(const struct cli_object *object, const char *path, const char *variable,
                      struct shmf_error *err)
{
    return object->frame
               ? shmf_hdf5_write_frame(object->frame, path, variable ? variable : "/", NULL, err)
               : shmf_hdf5_write_array(object->array, path, variable ? variable : "values", NULL,
                                       err);
}
#endif

static int lacks(enum cli_format format, struct shmf_error *err)
{
    err->code = SHMF_E_UNSUPPORTED;
    snprintf(err->message, sizeof err->message, "this shmframe was built without %s",
             format == CLI_NETCDF_FILE ? "netCDF" : "HDF5");
    return err->code;
}

int cli_read_science(enum cli_format format, const char *path,
                     const struct cli_variables *variables, struct cli_object *object,
                     struct shmf_error *err)
{
#ifdef CLI_NETCDF
    if (format == CLI_NETCDF_FILE) {
        read_netcdf(path, variables, object, err);
        return object->frame || object->array ? SHMF_OK : err->code;
    }
#endif
#ifdef CLI_HDF5
    if (format == CLI_HDF5_FILE) {
        read_hdf5(path, variables, object, err);
        return object->frame || object->array ? SHMF_OK : err->code;
    }
#endif
    (void)path;
    (void)variables;
    (void)object;
    return lacks(format, err);
}

int cli_write_science(enum cli_format format, const struct cli_object *object, const char *path,
                      const char *variable, struct shmf_error *err)
{
#ifdef CLI_NETCDF
    if (format == CLI_NETCDF_FILE)
        return write_netcdf(object, path, variable, err);
#endif
#ifdef CLI_HDF5
    if (format == CLI_HDF5_FILE)
        return write_hdf5(object, path, variable, err);
#endif
    (void)object;
    (void)path;
    (void)variable;
    return lacks(format, err);
}

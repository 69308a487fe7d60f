#include "write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the file ----------------------------------------------------------------------------- */

static int check(const struct shmf_netcdf_write_options *options, struct shmf_error *err)
{
    if (!options)
        return SHMF_OK;
    if (options->format > SHMF_NETCDF_CDF5)
        return shmf_error_set(err, SHMF_E_INVAL, "options.format: there is no %u", options->format);
    if (options->n_attributes < 0 || (options->n_attributes > 0 && !options->attributes))
        return shmf_error_set(err, SHMF_E_INVAL, "options.attributes: there are not %lld",
                              (long long)options->n_attributes);
    for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        if (options->reserved[i])
            return shmf_error_set(err, SHMF_E_INVAL, "options.reserved[%zu]: not zero", i);
    return SHMF_OK;
}

static int create(struct shmfi_nc_output *output, uint32_t format)
{
    static const int modes[] = {[SHMF_NETCDF4] = NC_NETCDF4,
                                [SHMF_NETCDF_CLASSIC] = 0,
                                [SHMF_NETCDF_64BIT] = NC_64BIT_OFFSET,
                                [SHMF_NETCDF_CDF5] = NC_64BIT_DATA};
    int rc = shmf_file_begin(output->nc.path, &output->made, output->nc.err);
    if (rc)
        return rc;
    rc = nc_create(shmf_file_path(output->made), modes[format] | NC_CLOBBER, &output->nc.file);
    if (rc)
        output->nc.file = -1;
    return shmfi_nc_said(&output->nc, rc, NULL);
}

static int open_again(struct shmfi_nc_output *output)
{
    int format = 0;
    int rc = nc_open(output->nc.path, NC_WRITE, &output->nc.file);
    if (rc)
        output->nc.file = -1;
    else if (!(rc = nc_inq_format(output->nc.file, &format)))
        rc = nc_redef(output->nc.file);
    if (rc == NC_EINDEFINE)
        rc = NC_NOERR;
    output->classic = format != NC_FORMAT_NETCDF4;
    output->cdf5 = format == NC_FORMAT_CDF5;
    return shmfi_nc_said(&output->nc, rc, NULL);
}

int shmfi_nc_output_begin(struct shmfi_nc_output *output, const char *path,
                          const struct shmf_netcdf_write_options *options, struct shmf_error *err)
{
    const uint32_t format = options ? options->format : 0;
    *output = (struct shmfi_nc_output){.nc = {-1, path, err},
                                       .classic = format != SHMF_NETCDF4,
                                       .cdf5 = format == SHMF_NETCDF_CDF5};
    int rc = check(options, err);
    if (!rc && !path)
        rc = shmf_error_set(err, SHMF_E_INVAL, "path: NULL");
    if (!rc)
        rc = options && options->append ? open_again(output) : create(output, format);
    if (!rc) /* every value is written: it need not be filled before */
        rc = shmfi_nc_said(&output->nc, nc_set_fill(output->nc.file, NC_NOFILL, NULL), NULL);
    return rc;
}

int shmfi_nc_output_end(struct shmfi_nc_output *output, int rc)
{
    if (output->nc.file >= 0) {
        int said = nc_close(output->nc.file);
        if (!rc)
            rc = shmfi_nc_said(&output->nc, said, NULL);
    }
    if (output->made && !rc)
        return shmf_file_finish(output->made, output->nc.err);
    shmf_file_free(output->made);
    return rc;
}

/* ---- what is in it ------------------------------------------------------------------------ */

int shmfi_nc_put_dimension(const struct shmfi_nc_output *output, const char *name, size_t length,
                           int *dim)
{
    size_t there;
    if (nc_inq_dimid(output->nc.file, name, dim))
        /* Length 0 would mean without a limit, which has no rows so far. */
        return shmfi_nc_said(&output->nc, nc_def_dim(output->nc.file, name, length, dim), name);
    int rc = nc_inq_dimlen(output->nc.file, *dim, &there);
    if (!rc && there != length)
        return shmf_error_set(output->nc.err, SHMF_E_EXISTS,
                              "%.120s: %.60s: the dimension is there, with length %zu, not %zu",
                              output->nc.path, name, there, length);
    return shmfi_nc_said(&output->nc, rc, name);
}

nc_type shmfi_nc_type(const struct shmfi_nc_output *output, enum shmf_dtype dtype)
{
    nc_type type = dtype == SHMF_BOOL || dtype == SHMF_INT8       ? NC_BYTE
                   : dtype == SHMF_INT16                          ? NC_SHORT
                   : dtype == SHMF_INT32                          ? NC_INT
                   : dtype == SHMF_DATE32 || dtype == SHMF_TIME32 ? NC_INT
                   : dtype == SHMF_FLOAT32                        ? NC_FLOAT
                   : dtype == SHMF_FLOAT64                        ? NC_DOUBLE
                   : dtype == SHMF_UINT8                          ? NC_UBYTE
                   : dtype == SHMF_UINT16                         ? NC_USHORT
                   : dtype == SHMF_UINT32                         ? NC_UINT
                   : dtype == SHMF_UINT64                         ? NC_UINT64
                   : dtype == SHMF_INT64 || dtype == SHMF_DATE64 || dtype == SHMF_TIME64 ||
                           dtype == SHMF_TIMESTAMP || dtype == SHMF_DURATION
                       ? NC_INT64
                       : 0;
    return type > NC_DOUBLE && output->classic && !output->cdf5 ? 0 : type;
}

int shmfi_nc_put_attribute(const struct shmfi_nc_output *output, int id,
                           const struct shmf_pair *pair)
{
    char *name = strndup(pair->key.data ? pair->key.data : "", (size_t)pair->key.size);
    if (name && nc_inq_attid(output->nc.file, id, name, NULL) == NC_NOERR) {
        free(name); /* the first with a key counts */
        return SHMF_OK;
    }
    int rc = name ? nc_put_att_text(output->nc.file, id, name, (size_t)pair->value.size,
                                    pair->value.data ? pair->value.data : "")
                  : NC_ENOMEM;
    rc = shmfi_nc_said(&output->nc, rc, name && !*name ? "an attribute without a name" : name);
    free(name);
    return rc;
}

/* ---- a value that is not there -------------------------------------------------------------- */

static bool is_valid(const uint8_t *validity, int64_t i)
{
    return !validity || (validity[i / 8] >> i % 8 & 1);
}

static bool is_taken(const void *values, size_t width, bool nan, const uint8_t *validity,
                     int64_t bit_offset, int64_t n, const void *candidate)
{
    for (int64_t i = 0; i < n; i++) {
        const char *value = (const char *)values + (size_t)i * width;
        bool same = memcmp(value, candidate, width) == 0;
        if (nan && width == 8)
            same = isnan(*(const double *)(const void *)value);
        else if (nan)
            same = isnan(*(const float *)(const void *)value);
        if (same && is_valid(validity, i + bit_offset))
            return true;
    }
    return false;
}

int shmfi_nc_choose_fill(const struct shmfi_nc_output *output, const char *name, nc_type type,
                         const void *values, const uint8_t *validity, int64_t bit_offset, int64_t n,
                         void *fill)
{
    const size_t width = type == NC_BYTE || type == NC_UBYTE                     ? 1
                         : type == NC_SHORT || type == NC_USHORT                 ? 2
                         : type == NC_INT || type == NC_UINT || type == NC_FLOAT ? 4
                                                                                 : 8;
    const double nan = (double)NAN;
    const float narrow = NAN;
    if (type == NC_DOUBLE || type == NC_FLOAT) {
        memcpy(fill, type == NC_DOUBLE ? (const void *)&nan : &narrow, width);
        if (!is_taken(values, width, true, validity, bit_offset, n, fill))
            return SHMF_OK;
        /* Numbers that nobody measures. */
        double number = NC_FILL_DOUBLE;
        for (int i = 0; i < 70; i++) {
            number /= 3;
            const float same = (float)number;
            memcpy(fill, type == NC_DOUBLE ? (const void *)&number : &same, width);
            if (!is_taken(values, width, false, validity, bit_offset, n, fill))
                return SHMF_OK;
        }
    }
    /* From the least, or of numbers without sign the greatest, on. */
    const bool natural =
        type == NC_UBYTE || type == NC_USHORT || type == NC_UINT || type == NC_UINT64;
    for (uint64_t i = 0; i < 1000 && (width > 1 || i < 256); i++) {
        const uint64_t least = UINT64_C(1) << (8 * width - 1);
        const uint64_t candidate = natural ? UINT64_MAX - i : least + i;
        memcpy(fill, &candidate, width);
        if (type != NC_DOUBLE && type != NC_FLOAT &&
            !is_taken(values, width, false, validity, bit_offset, n, fill))
            return SHMF_OK;
    }
    return shmf_error_set(output->nc.err, SHMF_E_DTYPE,
                          "%.120s: %.60s: no value is left that could stand for nulls",
                          output->nc.path, name);
}

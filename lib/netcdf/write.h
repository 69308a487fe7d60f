/* Files that are written. */
#ifndef NETCDF_WRITE_H
#define NETCDF_WRITE_H

#include "file.h"

#include <shmframe/file.h>

struct shmfi_nc_output {
    struct shmfi_nc nc;     /* messages name the file that was asked for */
    struct shmf_file *made; /* a new file; NULL: an old one is added to */
    bool classic, cdf5;
};

/* Checks options, and opens or makes the file, ready to define. */
int shmfi_nc_output_begin(struct shmfi_nc_output *output, const char *path,
                          const struct shmf_netcdf_write_options *options, struct shmf_error *err);

/* Closes it; a new file, unless `rc`, takes its place. Returns `rc`, or what went wrong now. */
int shmfi_nc_output_end(struct shmfi_nc_output *output, int rc);

/* The dimension with this name and length, new or there already. */
int shmfi_nc_put_dimension(const struct shmfi_nc_output *output, const char *name, size_t length,
                           int *dim);

/* netCDF's type for a dtype, as far as the format has it; 0: it has none. Text is not among them.
 */
nc_type shmfi_nc_type(const struct shmfi_nc_output *output, enum shmf_dtype dtype);

int shmfi_nc_put_attribute(const struct shmfi_nc_output *output, int id,
                           const struct shmf_pair *pair);

/* A value in the type of the column's variable that none of its values has; SHMF_E_DTYPE: there are
 * as many. */
int shmfi_nc_choose_fill(const struct shmfi_nc_output *output, const char *name, nc_type type,
                         const void *values, const uint8_t *validity, int64_t bit_offset, int64_t n,
                         void *fill);

#endif

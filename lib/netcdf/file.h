/* The adapter's own vocabulary: files, variables, what is missing. */
#ifndef NETCDF_FILE_H
#define NETCDF_FILE_H

#include <shmframe/netcdf.h>

#include <netcdf.h>
#include <stdbool.h>

struct shmfi_nc {
    int file;
    const char *path;
    struct shmf_error *err;
};

struct shmfi_nc_variable {
    int group, id;
    nc_type type;
    enum shmf_dtype dtype; /* 0: text, or none */
    int n_dims;
    int dims[SHMF_MAX_DIMS];
    size_t shape[SHMF_MAX_DIMS];
    char name[NC_MAX_NAME + 1]; /* without its group */
};

/* What means that there is no value, in the variable's type. */
struct shmfi_nc_missing {
    size_t n;
    union {
        long long integer;
        unsigned long long natural;
        double number;
        float narrow;
    } values[16];
};

/* ---- errors ------------------------------------------------------------------------------- */

/* What libnetcdf said about the file, or, not NULL, `what` in it. 0 for NC_NOERR. */
int shmfi_nc_said(const struct shmfi_nc *nc, int status, const char *what);

/* ---- files -------------------------------------------------------------------------------- */

int shmfi_nc_open(struct shmfi_nc *nc, const char *path, struct shmf_error *err);
void shmfi_nc_close(struct shmfi_nc *nc);

int shmfi_nc_find(const struct shmfi_nc *nc, const char *name, struct shmfi_nc_variable *variable);

/* All about variable `id` of a group. */
int shmfi_nc_describe(const struct shmfi_nc *nc, int group, int id,
                      struct shmfi_nc_variable *variable);

/* 0 for none. */
enum shmf_dtype shmfi_nc_dtype(nc_type type);

/* ---- attributes --------------------------------------------------------------------------- */

/* An attribute as text, allocated: numbers with a comma between them. NULL: no memory, or it has a
 * type that the file defines. `id` NC_GLOBAL: of the group. */
char *shmfi_nc_attribute(int group, int id, const char *name);

/* Name of attribute `i`; false: there is none. */
bool shmfi_nc_attribute_name(int group, int id, int i, char name[NC_MAX_NAME + 1]);

void shmfi_nc_find_missing(const struct shmfi_nc_variable *variable,
                           struct shmfi_nc_missing *missing);

/* scale_factor and add_offset; false: it has neither, or is no number. */
bool shmfi_nc_scale(const struct shmfi_nc_variable *variable, double *factor, double *offset);

/* ---- values ------------------------------------------------------------------------------- */

/* Calls `at` for each element of `dtype`, the variable's, that is missing. */
void shmfi_nc_each_missing(const struct shmfi_nc_missing *missing, enum shmf_dtype dtype,
                           const void *data, size_t n, void (*at)(size_t i, void *context),
                           void *context);

/* Reads count[] elements from start[] on as they are stored or, `unpack`, as unpacked float64, with
 * NaN for what is missing. */
int shmfi_nc_read(const struct shmfi_nc *nc, const struct shmfi_nc_variable *variable,
                  const size_t *start, const size_t *count, bool unpack, void *to);

/* A number as text with as few digits as give it back; `to` has room for 32 bytes. */
void shmfi_nc_number(char to[32], double value, bool narrow);

#endif

/* Text on its way from a file into a frame, and labels. */
#ifndef NETCDF_TEXT_H
#define NETCDF_TEXT_H

#include "file.h"

/* Texts one behind the other, each with a NUL behind it. */
struct shmfi_nc_texts {
    char *bytes;
    size_t size, room;
    int64_t *begins; /* of each; -1: missing */
    size_t n, most;
};

/* All texts of a variable of strings with one dimension, or of characters with two. */
int shmfi_nc_read_texts(const struct shmfi_nc *nc, const struct shmfi_nc_variable *variable,
                        struct shmfi_nc_texts *texts);

/* Numbers of a variable with one dimension as texts. */
int shmfi_nc_read_numbers_as_texts(const struct shmfi_nc *nc,
                                   const struct shmfi_nc_variable *variable,
                                   struct shmfi_nc_texts *texts);

void shmfi_nc_free_texts(struct shmfi_nc_texts *texts);

/* As arrays of strings go: `n` pointers, allocated; NULL: no memory. */
const char **shmfi_nc_pointers(const struct shmfi_nc_texts *texts);

/* Is it a variable whose values are text, one for each element of its first dimension? */
static inline bool shmfi_nc_is_text(const struct shmfi_nc_variable *variable)
{
    return (variable->type == NC_STRING && variable->n_dims == 1) ||
           (variable->type == NC_CHAR && variable->n_dims == 2);
}

#endif

#ifndef SHMFI_ARRAY_CREATE_H
#define SHMFI_ARRAY_CREATE_H

#include "array/array_internal.h"

/* Makes the array that a complete header describes; its elements are not defined. `flags` as for
 * shmfi_segment_new. */
struct shmf_array *shmfi_array_create(const struct shmf_format_array *header, unsigned flags,
                                      struct shmf_error *err);

/* shmf_array_new, with flags. */
struct shmf_array *shmfi_array_new(enum shmf_dtype dtype, int ndim, const int64_t *shape,
                                   unsigned flags, struct shmf_error *err);

#endif

#ifndef SHMFI_ARRAY_CREATE_H
#define SHMFI_ARRAY_CREATE_H

#include "array/array_internal.h"

/* Makes the array that a complete header describes; its elements are not defined. */
struct shmf_array *shmfi_array_create(const struct shmf_format_array *header,
                                      struct shmf_error *err);

#endif

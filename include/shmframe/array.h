/* libshmframe: n-dimensional arrays in shared memory: dtype, shape, strides, data.
 *
 * An array is an opaque, process-private object that refers to a segment. It is made in place
 * (shmf_array_new, then write through shmf_array_data_mut), from data of the caller, or opened
 * from a handle. Thread safety: any number of threads may read one array; creation, writing and
 * freeing are the caller's to order. Fork: an array made before a pool may be read in the pool's
 * workers through the inherited pointer; elsewhere forked children must not free it. */
#ifndef SHMFRAME_ARRAY_H
#define SHMFRAME_ARRAY_H

#include <shmframe/dtype.h>
#include <shmframe/error.h>
#include <shmframe/handle.h>

#include <stdio.h>

SHMF_BEGIN_DECLS

/* The most dimensions that an array may have. */
#define SHMF_MAX_DIMS 16

struct shmf_array;

/* A new C-contiguous array of `ndim` dimensions (1 to SHMF_MAX_DIMS), each >= 0. The contents are
 * NOT defined (recycled memory holds old bytes): write every element, or call shmf_array_zero.
 * Errors: SHMF_E_INVAL (ndim, a negative dimension, dtype), SHMF_E_DTYPE (no fixed width),
 * SHMF_E_TOOBIG, SHMF_E_NOSPC, SHMF_E_NOMEM. The caller owns it: shmf_array_free. */
SHMF_API struct shmf_array *shmf_array_new(enum shmf_dtype dtype, int ndim, const int64_t *shape,
                                           struct shmf_error *err);

/* As shmf_array_new, filled from `data`. `strides` (bytes, one per dimension, may be negative or
 * zero) says how `data` is laid out; NULL means C-contiguous. */
SHMF_API struct shmf_array *shmf_array_from_data(enum shmf_dtype dtype, int ndim,
                                                 const int64_t *shape, const int64_t *strides,
                                                 const void *data, struct shmf_error *err);

/* The array, or the slice of one, that `handle` names, with the handle's access. The caller frees
 * it. Errors: SHMF_E_STALE, SHMF_E_INVAL (not an array), SHMF_E_CORRUPT (names the field), ... */
SHMF_API struct shmf_array *shmf_array_open(struct shmf_handle handle, struct shmf_error *err);

/* Lets go of the array; its memory is used again when nobody needs it any more. NULL is fine. */
SHMF_API void shmf_array_free(struct shmf_array *array);

/* The handle with read-only access; see shmf_handle_with. A handle with region 0 for NULL. */
SHMF_API struct shmf_handle shmf_array_handle(const struct shmf_array *array);

/* What the array is. */
SHMF_API enum shmf_dtype shmf_array_dtype(const struct shmf_array *array);
SHMF_API int shmf_array_ndim(const struct shmf_array *array);
SHMF_API const int64_t *shmf_array_shape(const struct shmf_array *array);   /* ndim elements */
SHMF_API const int64_t *shmf_array_strides(const struct shmf_array *array); /* ndim, in bytes */
SHMF_API int64_t shmf_array_size(const struct shmf_array *array);           /* elements */

/* The first element; valid until the array is freed. NULL only when `array` is NULL. */
SHMF_API const void *shmf_array_data(const struct shmf_array *array);

/* The same for writing; NULL when the array is NULL or was opened read-only. */
SHMF_API void *shmf_array_data_mut(struct shmf_array *array);

/* Set every byte to zero. SHMF_E_ACCESS when the array is read-only, SHMF_E_INVAL for NULL. */
SHMF_API int shmf_array_zero(struct shmf_array *array);

/* Print dtype, shape and the corner of the first two dimensions. SHMF_E_INVAL for NULL. */
SHMF_API int shmf_array_print(const struct shmf_array *array, FILE *out);

SHMF_END_DECLS

#endif

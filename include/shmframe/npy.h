/* libshmframe: arrays from and to NumPy's .npy files (format versions 1 to 3).
 *
 * All dtypes of arrays travel, both ways; files of either byte order and of either order of
 * elements (C, Fortran) are read. Thread safety: all functions may be called by any thread. */
#ifndef SHMFRAME_NPY_H
#define SHMFRAME_NPY_H

#include <shmframe/array.h>

SHMF_BEGIN_DECLS

/* The array that a file holds (the first one, as numpy.load does); C-contiguous; the caller owns
 * it. SHMF_E_CORRUPT: the byte that is wrong, or where the file ends too early. SHMF_E_UNSUPPORTED:
 * a type that arrays do not have (objects, text, times, records), or no dimension, or more than
 * SHMF_MAX_DIMS. SHMF_E_NOTFOUND: no such file. SHMF_E_INVAL: NULL, or no ordinary file.
 * SHMF_E_PERM, SHMF_E_TOOBIG, SHMF_E_NOSPC, SHMF_E_NOMEM, SHMF_E_SYS. */
SHMF_API struct shmf_array *shmf_npy_load(const char *path, struct shmf_error *err);

/* Writes a file of this name, which appears when it is complete, in place of one that was there.
 * SHMF_E_INVAL: NULL. SHMF_E_NOTFOUND: no such folder. SHMF_E_PERM, SHMF_E_NOMEM, SHMF_E_SYS. */
SHMF_API int shmf_npy_save(const struct shmf_array *array, const char *path,
                           struct shmf_error *err);

SHMF_END_DECLS

#endif

/* libshmframe: arrays from and to NumPy's .npy files (format versions 1 to 3), and .npz files,
 * which are zip files of them.
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

/* The array called `name` ("values", not "values.npy") of an .npz file; NULL: the only one there
 * is. Its checksum is compared. Errors as above, and SHMF_E_NOTFOUND: there is no such array;
 * SHMF_E_UNSUPPORTED: it is compressed (numpy.savez stores); SHMF_E_INVAL: no name, and several
 * arrays. */
SHMF_API struct shmf_array *shmf_npz_load(const char *path, const char *name,
                                          struct shmf_error *err);

/* Calls `visit` with the name of each array, in the order of the file, until it returns something
 * else than 0, which is then returned; else how many there are, or an error. */
SHMF_API int64_t shmf_npz_each(const char *path, int (*visit)(const char *name, void *context),
                               void *context, struct shmf_error *err);

/* Writes `n` arrays with their names as an .npz file, stored, which appears when it is complete.
 * SHMF_E_INVAL too for names that are empty or longer than 500 bytes. Otherwise as for
 * shmf_npy_save. */
SHMF_API int shmf_npz_save(const struct shmf_array *const *arrays, const char *const *names,
                           size_t n, const char *path, struct shmf_error *err);

SHMF_END_DECLS

#endif

/* libshmframe: files that appear whole or not at all, for whoever writes a format.
 *
 * What saves to a path here (npy.h, ipc.h, netcdf.h, hdf5.h, the tool) writes to a new file in the
 * same directory, which takes the name when it is complete: readers never see half a file, and one
 * that was there stays until then, and when writing fails. A process that is killed meanwhile
 * leaves the new file behind, under the name with `.PID.NUMBER` appended. Nothing is flushed to the
 * disk: whoever must survive a power failure calls fsync before shmf_file_finish.
 * Thread and fork safety: a file under way belongs to one thread at a time, of the process that
 * made it; children that give it up (shmf_file_free) would remove it. */
#ifndef SHMFRAME_FILE_H
#define SHMFRAME_FILE_H

#include <shmframe/error.h>

SHMF_BEGIN_DECLS

/* A file under way. */
struct shmf_file;

/* Begins a file that is to appear at `path`: it is there, empty, at shmf_file_path(). What is at
 * `path` and is not a regular file (a pipe, /dev/null) is written to as it is, and shmf_file_path()
 * is `path`; a symbolic link to a file is replaced. `*ret_file` is the caller's, and untouched on
 * failure. SHMF_E_INVAL: NULL; SHMF_E_NOTFOUND: no such directory; SHMF_E_PERM, SHMF_E_NOSPC,
 * SHMF_E_NOMEM, SHMF_E_NOFILES; SHMF_E_SYS: `path` is a directory, and others. */
SHMF_API int shmf_file_begin(const char *path, struct shmf_file **ret_file, struct shmf_error *err);

/* Where to write: a path to be opened (O_WRONLY, "w"), by any library. As long as the file. */
SHMF_API const char *shmf_file_path(const struct shmf_file *file);

/* The file takes its name: call it when what was opened is closed. Frees `file`. On failure
 * (SHMF_E_PERM, SHMF_E_NOSPC, SHMF_E_NOMEM, SHMF_E_SYS) it is removed, and what was there before
 * stays. SHMF_E_INVAL: NULL. */
SHMF_API int shmf_file_finish(struct shmf_file *file, struct shmf_error *err);

/* Gives up: the file is removed, what was there before stays. NULL is fine. */
SHMF_API void shmf_file_free(struct shmf_file *file);

SHMF_END_DECLS

#endif

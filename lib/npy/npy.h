/* The adapter's own vocabulary. */
#ifndef NPY_NPY_H
#define NPY_NPY_H

#include <shmframe/npy.h>

#include <stdbool.h>

/* Magic, two bytes of version; then the size of the description: two bytes, four from version 2
 * on. */
#define SHMFI_NPY_MAGIC "\x93NUMPY"
enum { SHMFI_NPY_MAGIC_SIZE = 6, SHMFI_NPY_MOST = 1 << 16 };

/* What a description, which is a Python dictionary, says. */
struct shmfi_npy_header {
    enum shmf_dtype dtype;
    int n_dims;
    int64_t shape[SHMF_MAX_DIMS];
    bool fortran_order;
    bool swapped; /* elements of more than one byte are big-endian */
};

/* Reads a description of `size` bytes that begins at byte `offset` of its file. SHMF_E_CORRUPT,
 * SHMF_E_UNSUPPORTED. */
int shmfi_npy_parse(const char *text, size_t size, size_t offset, struct shmfi_npy_header *header,
                    struct shmf_error *err);

/* NumPy's name of a dtype without the byte order, such as "f8"; NULL for none. */
const char *shmfi_npy_name(enum shmf_dtype dtype);

int shmfi_npy_error(struct shmf_error *err, int code, const char *format, ...) SHMF_PRINTF(3, 4);

/* The same for what a system call said about a file, by errno. */
int shmfi_npy_error_sys(struct shmf_error *err, const char *path);

#endif

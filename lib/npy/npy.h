/* The adapter's own vocabulary. */
#ifndef NPY_NPY_H
#define NPY_NPY_H

#include <shmframe/npy.h>

#include <stdbool.h>
#include <stdio.h>

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

/* The array of bytes `begin` to `end` of a file; `crc`: what they must have, or NULL. */
struct shmf_array *shmfi_npy_read(int fd, const char *path, int64_t begin, int64_t end,
                                  const uint32_t *crc, struct shmf_error *err);

/* Writes an array as an .npy file; its CRC and size, unless NULL. False: errno says why. */
bool shmfi_npy_write(const struct shmf_array *array, FILE *out, uint32_t *crc, int64_t *size);

/* Writes a file that appears when it is complete (file.h); write_all is false with errno set. */
int shmfi_npy_write_file(const char *path, bool (*write_all)(FILE *out, const void *context),
                         const void *context, struct shmf_error *err);

/* What a system call said about a file, by errno. Returns the code. */
int shmfi_npy_error_sys(struct shmf_error *err, const char *path);

#endif

/* Arrays into files. */
#include "npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A description that ends, with blanks and a line end, at a multiple of 64 bytes. */
static bool write_header(const struct shmf_array *array, FILE *out)
{
    char header[640] = SHMFI_NPY_MAGIC "\x01";
    const int start = SHMFI_NPY_MAGIC_SIZE + 4;
    enum shmf_dtype dtype = shmf_array_dtype(array);
    size_t n = (size_t)start;
    n += (size_t)snprintf(header + n, sizeof header - n,
                          "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                          shmf_dtype_size(dtype) == 1 ? '|' : '<', shmfi_npy_name(dtype));
    for (int d = 0; d < shmf_array_ndim(array); d++)
        n += (size_t)snprintf(header + n, sizeof header - n, "%lld, ",
                              (long long)shmf_array_shape(array)[d]);
    n += (size_t)snprintf(header + n, sizeof header - n, "), }");
    size_t size = (n + 1 + 63) / 64 * 64;
    memset(header + n, ' ', size - n - 1);
    header[size - 1] = '\n';
    header[start - 2] = (char)((size - (size_t)start) & 0xff);
    header[start - 1] = (char)((size - (size_t)start) >> 8);
    return fwrite(header, 1, size, out) == size;
}

/* Dimension d and those behind it. */
static bool write_from(const struct shmf_array *array, int d, const char *at, FILE *out)
{
    const int64_t length = shmf_array_shape(array)[d], stride = shmf_array_strides(array)[d];
    const int64_t size = (int64_t)shmf_dtype_size(shmf_array_dtype(array));
    bool last = d + 1 == shmf_array_ndim(array), fine = true;
    if (last && stride == size)
        return fwrite(at, (size_t)size, (size_t)length, out) == (size_t)length;
    for (int64_t i = 0; i < length && fine; i++)
        fine = last ? fwrite(at + i * stride, (size_t)size, 1, out) == 1
                    : write_from(array, d + 1, at + i * stride, out);
    return fine;
}

/* To a file beside the one that was asked for, which takes its place when it is complete. */
static int write_beside(const struct shmf_array *array, char *beside, const char *path,
                        struct shmf_error *err)
{
    int fd = mkstemp(beside);
    FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!out) {
        int rc = shmfi_npy_error_sys(err, path);
        if (fd >= 0) {
            close(fd);
            unlink(beside);
        }
        return rc;
    }
    mode_t mask = umask(0);
    umask(mask);
    bool fine = write_header(array, out) && write_from(array, 0, shmf_array_data(array), out) &&
                fchmod(fd, 0666 & ~mask) == 0;
    int rc = fine ? SHMF_OK : shmfi_npy_error_sys(err, path);
    if (fclose(out) && !rc)
        rc = shmfi_npy_error_sys(err, path);
    if (!rc && rename(beside, path))
        rc = shmfi_npy_error_sys(err, path);
    if (rc)
        unlink(beside);
    return rc;
}

int shmf_npy_save(const struct shmf_array *array, const char *path, struct shmf_error *err)
{
    if (!array || !path)
        return shmfi_npy_error(err, SHMF_E_INVAL, "%s: NULL", array ? "path" : "array");
    char *beside = NULL;
    if (asprintf(&beside, "%s.XXXXXX", path) < 0)
        return shmfi_npy_error(err, SHMF_E_NOMEM, "private memory is exhausted");
    int rc = write_beside(array, beside, path, err);
    free(beside);
    return rc;
}

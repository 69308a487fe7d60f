/* Arrays into files. */
#include "zip.h"

#include <shmframe/file.h>

#include <stdio.h>
#include <string.h>

/* Bytes are counted, and summed up, on their way. */
struct sink {
    FILE *out;
    uint32_t crc;
    int64_t size;
    bool checked;
};

static bool put(struct sink *sink, const void *bytes, size_t size)
{
    sink->size += (int64_t)size;
    if (sink->checked)
        sink->crc = shmfi_crc32(sink->crc, bytes, size);
    return fwrite(bytes, 1, size, sink->out) == size;
}

/* A description that ends, with blanks and a line end, at a multiple of 64 bytes. */
static bool write_header(const struct shmf_array *array, struct sink *sink)
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
    return put(sink, header, size);
}

/* Dimension d and those behind it. */
static bool write_from(const struct shmf_array *array, int d, const char *at, struct sink *sink)
{
    const int64_t length = shmf_array_shape(array)[d], stride = shmf_array_strides(array)[d];
    const int64_t size = (int64_t)shmf_dtype_size(shmf_array_dtype(array));
    bool last = d + 1 == shmf_array_ndim(array), fine = true;
    if (last && stride == size)
        return put(sink, at, (size_t)(size * length));
    for (int64_t i = 0; i < length && fine; i++)
        fine = last ? put(sink, at + i * stride, (size_t)size)
                    : write_from(array, d + 1, at + i * stride, sink);
    return fine;
}

bool shmfi_npy_write(const struct shmf_array *array, FILE *out, uint32_t *crc, int64_t *size)
{
    struct sink sink = {.out = out, .checked = crc != NULL};
    if (!write_header(array, &sink) || !write_from(array, 0, shmf_array_data(array), &sink))
        return false;
    if (crc)
        *crc = sink.crc;
    if (size)
        *size = sink.size;
    return true;
}

static int write_to(const char *at, const char *path,
                    bool (*write_all)(FILE *out, const void *context), const void *context,
                    struct shmf_error *err)
{
    FILE *out = fopen(at, "we");
    if (!out)
        return shmfi_npy_error_sys(err, path);
    int rc = write_all(out, context) ? SHMF_OK : shmfi_npy_error_sys(err, path);
    if (fclose(out) && !rc)
        rc = shmfi_npy_error_sys(err, path);
    return rc;
}

int shmfi_npy_write_file(const char *path, bool (*write_all)(FILE *out, const void *context),
                         const void *context, struct shmf_error *err)
{
    struct shmf_file *file = NULL;
    int rc = shmf_file_begin(path, &file, err);
    if (!rc)
        rc = write_to(shmf_file_path(file), path, write_all, context, err);
    if (!rc)
        return shmf_file_finish(file, err);
    shmf_file_free(file);
    return rc;
}

static bool write_one(FILE *out, const void *context)
{
    return shmfi_npy_write(context, out, NULL, NULL);
}

int shmf_npy_save(const struct shmf_array *array, const char *path, struct shmf_error *err)
{
    if (!array || !path)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", array ? "path" : "array");
    return shmfi_npy_write_file(path, write_one, array, err);
}

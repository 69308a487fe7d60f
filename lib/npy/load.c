/* Arrays of files. */
#include "zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int shmfi_npy_error_sys(struct shmf_error *err, const char *path)
{
    return shmf_error_set_sys(err, errno, "%.200s", path);
}

struct source {
    int fd;
    const char *path;
    int64_t size;
    int64_t at;
    uint32_t crc; /* of what was read, if it is `checked` */
    bool checked;
    struct shmf_error *err;
};

/* Exactly `size` bytes. */
static int read_bytes(struct source *source, void *to, int64_t size)
{
    for (int64_t done = 0; done < size;) {
        ssize_t got = read(source->fd, (char *)to + done, (size_t)(size - done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return shmfi_npy_error_sys(source->err, source->path);
        if (got == 0)
            return shmf_error_set(source->err, SHMF_E_CORRUPT,
                                  "%s: byte %lld: the file ends too early", source->path,
                                  (long long)source->at);
        if (source->checked)
            source->crc = shmfi_crc32(source->crc, (char *)to + done, (size_t)got);
        done += got;
        source->at += got;
    }
    return SHMF_OK;
}

static int read_header(struct source *source, struct shmfi_npy_header *header)
{
    unsigned char start[12] = {0};
    char text[SHMFI_NPY_MOST];
    int rc = read_bytes(source, start, 10);
    if (rc)
        return rc;
    if (memcmp(start, SHMFI_NPY_MAGIC, SHMFI_NPY_MAGIC_SIZE) != 0)
        return shmf_error_set(source->err, SHMF_E_CORRUPT,
                              "%s: byte 0: it does not begin as .npy files do", source->path);
    if (start[6] < 1 || start[6] > 3)
        return shmf_error_set(source->err, SHMF_E_UNSUPPORTED, "%s: byte 6: version %d",
                              source->path, start[6]);
    if (start[6] > 1 && (rc = read_bytes(source, start + 10, 2)))
        return rc;
    int64_t size = start[8] | start[9] << 8 | (int64_t)start[10] << 16 | (int64_t)start[11] << 24;
    if (size >= SHMFI_NPY_MOST)
        return shmf_error_set(source->err, SHMF_E_CORRUPT,
                              "%s: byte 8: a description of %lld bytes", source->path,
                              (long long)size);
    struct shmf_error why = {0};
    size_t offset = (size_t)source->at;
    rc = read_bytes(source, text, size);
    if (!rc && (rc = shmfi_npy_parse(text, (size_t)size, offset, header, &why)))
        shmf_error_set(source->err, rc, "%s: %.200s", source->path, why.message);
    return rc;
}

/* Bytes of all elements; more than the file has is found out before memory is taken for them. */
static int measure(const struct source *source, const struct shmfi_npy_header *header,
                   int64_t *size)
{
    bool empty = false;
    *size = (int64_t)shmf_dtype_size(header->dtype);
    for (int d = 0; d < header->n_dims; d++)
        empty = empty || header->shape[d] == 0;
    for (int d = 0; d < header->n_dims && !empty; d++) {
        if (__builtin_mul_overflow(*size, header->shape[d], size))
            return shmf_error_set(source->err, SHMF_E_TOOBIG, "%s: a shape beyond 2^63 bytes",
                                  source->path);
    }
    *size = empty ? 0 : *size;
    if (*size > source->size - source->at)
        return shmf_error_set(
            source->err, SHMF_E_CORRUPT,
            "%s: byte %lld: the file ends too early, at byte %llu the elements would", source->path,
            (long long)source->size, (unsigned long long)source->at + (unsigned long long)*size);
    return SHMF_OK;
}

/* Numbers of 2, 4 and 8 bytes the other way round; complex numbers are two. */
static void swap(unsigned char *data, int64_t size, enum shmf_dtype dtype)
{
    bool complex = dtype == SHMF_COMPLEX64 || dtype == SHMF_COMPLEX128;
    int64_t width = (int64_t)shmf_dtype_size(dtype) / (complex ? 2 : 1);
    for (int64_t at = 0; at < size; at += width) {
        for (int64_t i = 0; i < width / 2; i++) {
            unsigned char byte = data[at + i];
            data[at + i] = data[at + width - 1 - i];
            data[at + width - 1 - i] = byte;
        }
    }
}

/* The first index moves first: columns become rows on the way from private memory. */
static struct shmf_array *turned(struct source *source, const struct shmfi_npy_header *header,
                                 int64_t size)
{
    int64_t strides[SHMF_MAX_DIMS], stride = (int64_t)shmf_dtype_size(header->dtype);
    struct shmf_array *array = NULL;
    void *data = malloc((size_t)size + 1);
    if (!data) {
        shmf_error_set(source->err, SHMF_E_NOMEM, "private memory is exhausted");
        return NULL;
    }
    for (int d = 0; d < header->n_dims; d++) {
        strides[d] = stride;
        stride = size ? stride * header->shape[d] : stride;
    }
    if (!read_bytes(source, data, size))
        array = shmf_array_from_data(header->dtype, header->n_dims, header->shape, strides, data,
                                     source->err);
    free(data);
    return array;
}

static struct shmf_array *read_array(struct source *source)
{
    struct shmfi_npy_header header;
    int64_t size;
    if (read_header(source, &header) || measure(source, &header, &size))
        return NULL;
    struct shmf_array *array = header.fortran_order ? turned(source, &header, size)
                                                    : shmf_array_new(header.dtype, header.n_dims,
                                                                     header.shape, source->err);
    if (array && !header.fortran_order && read_bytes(source, shmf_array_data_mut(array), size)) {
        shmf_array_free(array);
        return NULL;
    }
    if (array && header.swapped)
        swap(shmf_array_data_mut(array), size, header.dtype);
    return array;
}

struct shmf_array *shmfi_npy_read(int fd, const char *path, int64_t begin, int64_t end,
                                  const uint32_t *crc, struct shmf_error *err)
{
    struct source source = {
        .fd = fd, .path = path, .size = end, .at = begin, .checked = crc != NULL, .err = err};
    if (lseek(fd, begin, SEEK_SET) < 0) {
        shmfi_npy_error_sys(err, path);
        return NULL;
    }
    struct shmf_array *array = read_array(&source);
    if (array && crc && (source.at != end || source.crc != *crc)) {
        shmf_error_set(err, SHMF_E_CORRUPT,
                       "%s: byte %lld: the checksum of what is before is wrong", path,
                       (long long)source.at);
        shmf_array_free(array);
        return NULL;
    }
    return array;
}

struct shmf_array *shmf_npy_load(const char *path, struct shmf_error *err)
{
    struct stat status;
    if (!path) {
        shmf_error_set(err, SHMF_E_INVAL, "path: NULL");
        return NULL;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        shmfi_npy_error_sys(err, path);
        return NULL;
    }
    struct shmf_array *array = NULL;
    if (fstat(fd, &status))
        shmfi_npy_error_sys(err, path);
    else if (!S_ISREG(status.st_mode))
        shmf_error_set(err, SHMF_E_INVAL, "%s: not a regular file", path);
    else
        array = shmfi_npy_read(fd, path, 0, status.st_size, NULL, err);
    close(fd);
    return array;
}

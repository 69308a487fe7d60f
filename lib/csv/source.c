/* The text: read once, into shared memory, so that it stays as it is while it is parsed, whatever
 * becomes of the file. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int shmfi_csv_error(struct shmf_error *err, int code, const char *format, ...)
{
    va_list arguments;
    if (!err)
        return code;
    err->code = code;
    err->sys_errno = 0;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return code;
}

static int system_error(struct shmf_error *err, const char *path)
{
    int why = errno;
    int code = why == ENOENT                    ? SHMF_E_NOTFOUND
               : why == EACCES || why == EPERM  ? SHMF_E_PERM
               : why == EMFILE || why == ENFILE ? SHMF_E_NOFILES
                                                : SHMF_E_SYS;
    shmfi_csv_error(err, code, "%s: %s", path, strerror(why));
    if (err)
        err->sys_errno = why;
    return code;
}

/* The first line end that is not within quotes. */
static const char *first_line_end(const char *text, int64_t size)
{
    bool inside = false;
    for (const char *at = text; at < text + size; at++) {
        if (*at == '"')
            inside = !inside;
        else if (*at == '\n' && !inside)
            return at;
    }
    return NULL;
}

/* Lines must end: a last one that does not is given the end that the first one has. */
static int end_last_line(struct shmfi_csv_source *source)
{
    char *text = shmf_array_data_mut(source->array);
    const char *first = first_line_end(text, source->size);
    source->crlf = first && first > text && first[-1] == '\r';
    if (source->size > 0 && text[source->size - 1] != '\n') {
        if (source->crlf && text[source->size - 1] != '\r')
            text[source->size++] = '\r';
        text[source->size++] = '\n';
    }
    source->text = text;
    return SHMF_OK;
}

static int make_room(struct shmfi_csv_source *source, int64_t size, struct shmf_error *err)
{
    source->array = shmf_array_new(SHMF_UINT8, 1, (int64_t[]){size + 2}, err);
    if (source->array)
        return SHMF_OK;
    return err->code;
}

int shmfi_csv_source_copy(struct shmfi_csv_source *source, const void *bytes, size_t size,
                          struct shmf_error *err)
{
    int rc = make_room(source, (int64_t)size, err);
    if (rc)
        return rc;
    if (size)
        memcpy(shmf_array_data_mut(source->array), bytes, size);
    source->size = (int64_t)size;
    return end_last_line(source);
}

static int read_all(struct shmfi_csv_source *source, int fd, int64_t size, const char *path,
                    struct shmf_error *err)
{
    char *to = shmf_array_data_mut(source->array);
    while (source->size < size) {
        ssize_t got = read(fd, to + source->size, (size_t)(size - source->size));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return system_error(err, path);
        if (got == 0)
            return shmfi_csv_error(err, SHMF_E_CORRUPT, "%s: it became shorter while it was read",
                                   path);
        source->size += got;
    }
    return SHMF_OK;
}

int shmfi_csv_source_read(struct shmfi_csv_source *source, const char *path, struct shmf_error *err)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return system_error(err, path);
    int rc = fstat(fd, &status) ? system_error(err, path) : SHMF_OK;
    if (!rc && !S_ISREG(status.st_mode))
        rc = shmfi_csv_error(err, SHMF_E_INVAL, "%s: not a regular file", path);
    if (!rc)
        rc = make_room(source, status.st_size, err);
    if (!rc)
        rc = read_all(source, fd, status.st_size, path, err);
    close(fd);
    return rc ? rc : end_last_line(source);
}

void shmfi_csv_source_free(struct shmfi_csv_source *source)
{
    shmf_array_free(source->array);
}

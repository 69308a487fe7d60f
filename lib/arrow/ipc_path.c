/* Arrow IPC by descriptor and by name. */
#include "adapter.h"

#include <shmframe/ipc.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(struct shmf_error *err, const char *what, const char *path)
{
    int code = errno;
    int status = code == ENOENT                    ? SHMF_E_NOTFOUND
                 : code == EACCES || code == EPERM ? SHMF_E_PERM
                 : code == ENOSPC                  ? SHMF_E_NOSPC
                 : code == ENOMEM                  ? SHMF_E_NOMEM
                                                   : SHMF_E_SYS;
    shmf_error_set(err, status, "%s%s%s: %s", what, *path ? " " : "", path, strerror(code));
    if (err)
        err->sys_errno = code;
    return status;
}

/* ---- in ----------------------------------------------------------------------------------- */

/* Up to the end. Of a regular file the size is known; one that shrinks or grows meanwhile is what
 * was read. (A mapping of it could end in SIGBUS.) To be freed. */
static void *read_all(int fd, size_t *size, struct shmf_error *err)
{
    struct stat status;
    size_t room = 1 << 16;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
        room = (size_t)status.st_size + 1;
    unsigned char *bytes = malloc(room);
    for (*size = 0; bytes;) {
        if (*size == room) {
            unsigned char *more = realloc(bytes, room *= 2);
            if (!more)
                free(bytes);
            bytes = more;
            continue;
        }
        ssize_t n = read(fd, bytes + *size, room - *size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            failed(err, "read", "");
            free(bytes);
            return NULL;
        }
        if (n == 0)
            return bytes;
        *size += (size_t)n;
    }
    shmfi_arrow_no_memory(err);
    return NULL;
}

struct shmf_frame *shmf_ipc_read(int fd, const struct shmf_arrow_import_options *options,
                                 struct shmf_error *err)
{
    size_t size;
    void *bytes = read_all(fd, &size, err);
    if (!bytes)
        return NULL;
    struct shmf_frame *frame = shmf_ipc_read_memory(bytes, size, options, err);
    free(bytes);
    return frame;
}

struct shmf_frame *shmf_ipc_load(const char *path, const struct shmf_arrow_import_options *options,
                                 struct shmf_error *err)
{
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        if (path)
            failed(err, "open", path);
        else
            shmf_error_set(err, SHMF_E_INVAL, "path: NULL");
        return NULL;
    }
    struct shmf_frame *frame = shmf_ipc_read(fd, options, err);
    close(fd);
    return frame;
}

/* ---- out ---------------------------------------------------------------------------------- */

enum { SUFFIX = 48, ATTEMPTS = 100 };

/* A new file beside the one to come, so that it can be renamed; its name ends up in `name`. */
static int open_beside(const char *path, char *name)
{
    static unsigned counter;
    size_t size = strlen(path);
    int fd = -1;
    memcpy(name, path, size);
    for (int i = 0; i < ATTEMPTS && fd < 0; i++) {
        unsigned number = __atomic_fetch_add(&counter, 1, __ATOMIC_RELAXED);
        snprintf(name + size, SUFFIX, ".%ld.%u", (long)getpid(), number);
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd;
}

int shmf_ipc_save(const struct shmf_frame *frame, const char *path,
                  const struct shmf_ipc_options *options, struct shmf_error *err)
{
    if (!path)
        return shmf_error_set(err, SHMF_E_INVAL, "path: NULL");
    char *name = malloc(strlen(path) + SUFFIX);
    if (!name)
        return shmfi_arrow_no_memory(err);
    int fd = open_beside(path, name);
    if (fd < 0) {
        int rc = failed(err, "create", path);
        free(name);
        return rc;
    }
    int rc = shmf_ipc_write(frame, fd, options, err);
    if (close(fd) && !rc)
        rc = failed(err, "close", path);
    if (!rc && rename(name, path))
        rc = failed(err, "rename to", path);
    if (rc)
        unlink(name);
    free(name);
    return rc;
}

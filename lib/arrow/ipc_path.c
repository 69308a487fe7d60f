/* Arrow IPC by descriptor and by name. */
#include "adapter.h"

#include <shmframe/file.h>
#include <shmframe/ipc.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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
            shmf_error_set_sys(err, errno, "read");
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
            shmf_error_set_sys(err, errno, "%.200s", path);
        else
            shmf_error_set(err, SHMF_E_INVAL, "path: NULL");
        return NULL;
    }
    struct shmf_frame *frame = shmf_ipc_read(fd, options, err);
    close(fd);
    return frame;
}

/* ---- out ---------------------------------------------------------------------------------- */

int shmf_ipc_save(const struct shmf_frame *frame, const char *path,
                  const struct shmf_ipc_options *options, struct shmf_error *err)
{
    struct shmf_file *file = NULL;
    int rc = shmf_file_begin(path, &file, err);
    if (rc)
        return rc;
    int fd = open(shmf_file_path(file), O_WRONLY | O_CLOEXEC);
    rc = fd < 0 ? shmf_error_set_sys(err, errno, "%.200s", path)
                : shmf_ipc_write(frame, fd, options, err);
    if (fd >= 0 && close(fd) && !rc)
        rc = shmf_error_set_sys(err, errno, "%.200s", path);
    if (!rc)
        return shmf_file_finish(file, err);
    shmf_file_free(file);
    return rc;
}

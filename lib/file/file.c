/* Files that appear whole or not at all: written beside their name, which they take at the end. */
#include <shmframe/file.h>

#include "base/error.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Room for ".PID.NUMBER"; numbers that are tried. */
enum { SUFFIX = 40, ATTEMPTS = 1000 };

struct shmf_file {
    char *path;   /* where it is to appear; behind the struct */
    char *beside; /* where it is until then; `path` itself: it is written to as it is */
};

static struct shmf_file *allocate(const char *path)
{
    const size_t size = strlen(path) + 1;
    struct shmf_file *file = shmfi_sys.malloc(sizeof *file + 2 * size + SUFFIX);
    if (!file)
        return NULL;
    file->path = memcpy(file + 1, path, size);
    file->beside = memcpy(file->path + size, path, size);
    return file;
}

/* The type (S_IFMT) of what is there, following links; 0: nothing, or it does not say. */
static mode_t type_of(const char *path)
{
    struct stat status;
    int fd = shmfi_sys.open(path, O_PATH | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    mode_t type = shmfi_sys.fstat(fd, &status) ? 0 : status.st_mode & S_IFMT;
    shmfi_sys.close(fd);
    return type;
}

/* A file that nobody else has, with the permissions that the umask leaves. Negative: see errno. */
static int create(const struct shmf_file *file)
{
    static unsigned counter;
    char *suffix = file->beside + strlen(file->path);
    for (int i = 0; i < ATTEMPTS; i++) {
        unsigned number = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
        snprintf(suffix, SUFFIX, ".%ld.%u", (long)getpid(), number);
        int fd = shmfi_sys.open(file->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            shmfi_sys.close(fd);
            return 0;
        }
        if (errno != EEXIST)
            break;
    }
    return -1;
}

int shmf_file_begin(const char *path, struct shmf_file **ret_file, struct shmf_error *err)
{
    if (!path || !ret_file)
        return shmfi_error(err, SHMF_E_INVAL, "%s: NULL", path ? "ret_file" : "path");
    const mode_t type = type_of(path);
    if (type == S_IFDIR)
        return shmfi_error_sys(err, EISDIR, "%.200s", path);
    struct shmf_file *file = allocate(path);
    if (!file)
        return shmfi_error(err, SHMF_E_NOMEM, "private memory is exhausted");
    if (type && type != S_IFREG) {
        file->beside = file->path;
    } else if (create(file)) {
        int rc = shmfi_error_sys(err, errno, "%.200s", path);
        shmfi_sys.free(file);
        return rc;
    }
    *ret_file = file;
    return SHMF_OK;
}

const char *shmf_file_path(const struct shmf_file *file)
{
    return file ? file->beside : NULL;
}

int shmf_file_finish(struct shmf_file *file, struct shmf_error *err)
{
    int rc = SHMF_OK;
    if (!file)
        return shmfi_error(err, SHMF_E_INVAL, "file: NULL");
    if (file->beside != file->path &&
        shmfi_sys.renameat2(AT_FDCWD, file->beside, AT_FDCWD, file->path, 0)) {
        rc = shmfi_error_sys(err, errno, "%.200s", file->path);
        shmfi_sys.unlink(file->beside);
    }
    shmfi_sys.free(file);
    return rc;
}

void shmf_file_free(struct shmf_file *file)
{
    if (file && file->beside != file->path)
        shmfi_sys.unlink(file->beside);
    shmfi_sys.free(file);
}

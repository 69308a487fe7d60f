/* Locks tell who lives: the owner of a name, and who has borrowed an object. */
#include "share/share_internal.h"

#include "base/error.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int64_t shmfi_lock_length_of_owner(void)
{
    return 1 + (int64_t)getpid();
}

static int call(int fd, int command, struct flock *lock)
{
    int rc;
    do
        rc = shmfi_sys.fcntl(fd, command, (long)(intptr_t)lock);
    while (rc < 0 && errno == EINTR);
    return rc;
}

static int refused(const char *what, struct shmf_error *err)
{
    if (errno == EINVAL)
        return shmfi_error(err, SHMF_E_UNSUPPORTED, "locks of open files (Linux 3.15)");
    return shmfi_error_sys(err, errno, "%s", what);
}

int shmfi_lock_take(int fd, int64_t length, struct shmf_error *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = length};
    if (call(fd, F_OFD_SETLK, &lock) == 0)
        return 1;
    if (errno == EAGAIN || errno == EACCES)
        return 0;
    return refused("lock of a name", err);
}

int shmfi_lock_share(int fd, uint64_t byte, struct shmf_error *err)
{
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
    return call(fd, F_OFD_SETLK, &lock) ? refused("lock of what is lent", err) : SHMF_OK;
}

int shmfi_lock_is_shared(int fd, uint64_t byte)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1};
    return call(fd, F_OFD_GETLK, &lock) || lock.l_type != F_UNLCK;
}

/* Asks for a lock on byte 0, which all have in common. */
int shmfi_lock_look(int fd, int64_t *pid)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    *pid = 0;
    if (call(fd, F_OFD_GETLK, &lock) || lock.l_type == F_UNLCK)
        return 0;
    if (lock.l_type == F_WRLCK && lock.l_start == 0 && lock.l_len > 1)
        *pid = lock.l_len - 1;
    return 1;
}

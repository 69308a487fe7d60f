/* The lock that tells owners that live from those that were killed. */
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

int shmfi_lock_take(int fd, int64_t length, struct shmf_error *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = length};
    if (call(fd, F_OFD_SETLK, &lock) == 0)
        return 1;
    if (errno == EAGAIN || errno == EACCES)
        return 0;
    if (errno == EINVAL)
        return shmfi_error(err, SHMF_E_UNSUPPORTED, "locks of open files (Linux 3.15)");
    return shmfi_error_sys(err, errno, "lock of a name");
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

#include "handle/fdpass.h"

#include "base/error.h"
#include "base/sys.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

#define MOST_FDS 8 /* room for more than the one expected, so that they can be closed */

/* Aligned as control messages must be. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(MOST_FDS * sizeof(int))];
};

int shmfi_fdpass_pair(int fds[2], struct shmf_error *err)
{
    if (shmfi_sys.socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds))
        return shmfi_error_sys(err, errno, "socket pair");
    return 0;
}

static void attach(struct msghdr *header, union control *control, int fd)
{
    memset(control, 0, sizeof *control);
    header->msg_control = control->bytes;
    header->msg_controllen = CMSG_SPACE(sizeof fd);
    struct cmsghdr *part = CMSG_FIRSTHDR(header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(part), &fd, sizeof fd);
}

/* ETOOMANYREFS: more descriptors of this user are under way than RLIMIT_NOFILE allows; the
 * receiver's reading makes room, as with a full socket. */
static bool is_congestion(int why)
{
    return why == EAGAIN || why == ENOBUFS || why == ETOOMANYREFS;
}

static bool is_gone(int why)
{
    return why == EPIPE || why == ECONNRESET || why == ENOTCONN || why == ECONNREFUSED;
}

int shmfi_fdpass_send(int socket, const void *message, size_t size, int fd, struct shmf_error *err)
{
    /* sendmsg does not write through iov_base */
    struct iovec bytes = {.iov_base = (void *)(uintptr_t)message, .iov_len = size};
    struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
    union control control;
    if (fd >= 0)
        attach(&header, &control, fd);
    ssize_t sent;
    do
        sent = shmfi_sys.sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 1; /* a SOCK_SEQPACKET message goes whole or not at all */
    if (is_congestion(errno))
        return 0;
    if (is_gone(errno))
        return shmfi_error(err, SHMF_E_CLOSED, "message: the other process is gone");
    return shmfi_error_sys(err, errno, "message of %zu bytes", size);
}

/* The first descriptor of all that came; the others are closed. */
static int collect(struct msghdr *header, size_t *count)
{
    int first = -1;
    *count = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            if ((*count)++ == 0)
                first = fd;
            else
                shmfi_sys.close(fd);
        }
    }
    return first;
}

static int refuse(int fd, int code)
{
    if (fd >= 0)
        shmfi_sys.close(fd);
    return code;
}

static int check(const struct msghdr *header, size_t got, size_t size, size_t count, int fd,
                 struct shmf_error *err)
{
    if (got != size || (header->msg_flags & MSG_TRUNC))
        return refuse(fd, shmfi_error(err, SHMF_E_CORRUPT,
                                      "message: %zu bytes%s, but %zu were expected", got,
                                      header->msg_flags & MSG_TRUNC ? " or more" : "", size));
    if (count > 1)
        return refuse(fd,
                      shmfi_error(err, SHMF_E_CORRUPT, "message: %zu descriptors, not one", count));
    if (header->msg_flags & MSG_CTRUNC)
        return refuse(fd,
                      shmfi_error(err, SHMF_E_NOFILES,
                                  "message: its descriptor was lost (RLIMIT_NOFILE, ulimit -n)"));
    return 1;
}

int shmfi_fdpass_receive(int socket, void *message, size_t size, int *fd, struct shmf_error *err)
{
    struct iovec bytes = {.iov_base = message, .iov_len = size};
    union control control;
    struct msghdr header = {.msg_iov = &bytes,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof control.bytes};
    *fd = -1;
    ssize_t got;
    do
        got = shmfi_sys.recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got == 0 || (got < 0 && is_gone(errno)))
        return shmfi_error(err, SHMF_E_CLOSED, "message: the other process is gone");
    if (got < 0 && errno == ENOBUFS)
        errno = ENOMEM;
    if (got < 0)
        return shmfi_error_sys(err, errno, "receiving a message");
    size_t count;
    int first = collect(&header, &count);
    int rc = check(&header, (size_t)got, size, count, first, err);
    if (rc > 0)
        *fd = first;
    return rc;
}

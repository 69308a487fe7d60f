/* One message over a Unix socket, with one descriptor, waited for. */
#include "share/share_internal.h"

#include "base/error.h"
#include "base/sys.h"
#include "handle/fdpass.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

struct deadline {
    bool never;
    struct timespec at;
};

static struct deadline deadline_in(double seconds)
{
    struct deadline deadline = {.never = !(seconds < 1e9) || seconds < 0};
    if (deadline.never)
        return deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline.at);
    int64_t ns = (int64_t)((seconds - (double)(int64_t)seconds) * 1e9) + deadline.at.tv_nsec;
    deadline.at.tv_sec += (time_t)seconds + (time_t)(ns / 1000000000);
    deadline.at.tv_nsec = (long)(ns % 1000000000);
    return deadline;
}

/* Milliseconds that are left, rounded up; -1: no end. */
static int left(const struct deadline *deadline)
{
    struct timespec now;
    if (deadline->never)
        return -1;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double ms = (double)(deadline->at.tv_sec - now.tv_sec) * 1e3 +
                (double)(deadline->at.tv_nsec - now.tv_nsec) / 1e6;
    return ms <= 0 ? 0 : ms > 1e9 ? 1000000000 : (int)ms + 1;
}

/* `pause`: the socket is ready, but not for us (others' descriptors are under way): the kernel
 * wakes nobody when that changes. */
static int wait_for(int socket, short events, bool pause, const struct deadline *deadline,
                    struct shmf_error *err)
{
    struct pollfd ready = {.fd = socket, .events = events};
    int ms = left(deadline);
    if (ms == 0)
        return shmfi_error(err, SHMF_E_TIMEOUT, "socket: the deadline passed");
    int rc = pause ? shmfi_sys.poll(NULL, 0, 1) : shmfi_sys.poll(&ready, 1, ms);
    if (rc < 0 && errno != EINTR)
        return shmfi_error_sys(err, errno, "waiting for a socket");
    return SHMF_OK;
}

int shmfi_message_send(int socket, const void *message, size_t size, int fd, double seconds,
                       struct shmf_error *err)
{
    struct deadline deadline = deadline_in(seconds);
    for (bool pause = false;; pause = !pause) {
        int rc = shmfi_fdpass_send(socket, message, size, fd, err);
        if (rc)
            return rc > 0 ? SHMF_OK : rc;
        rc = wait_for(socket, POLLOUT, pause, &deadline, err);
        if (rc)
            return rc;
    }
}

int shmfi_message_receive(int socket, void *message, size_t size, int *fd, double seconds,
                          struct shmf_error *err)
{
    struct deadline deadline = deadline_in(seconds);
    for (;;) {
        int rc = shmfi_fdpass_receive(socket, message, size, fd, err);
        if (rc)
            return rc > 0 ? SHMF_OK : rc;
        rc = wait_for(socket, POLLIN, false, &deadline, err);
        if (rc)
            return rc;
    }
}

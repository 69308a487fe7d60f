/* Making system calls and allocations of the library fail, in the application, its supervisor or
 * its workers: the nth call of one kind, once or from then on.
 *
 * The plan lies in shared memory, so it reaches processes that are forked later. What role a
 * process plays follows from its depth: who calls faults_watch() is the application, what its pool
 * forks is the supervisor, what that forks are workers. In an application that starts early
 * (faults.early) the process of the early moment stands between the first two. */
#ifndef TEST_SUPPORT_FAULTS_H
#define TEST_SUPPORT_FAULTS_H

#include "base/sys.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* type, entry of struct shmfi_sys, value that says failure, parameters, arguments. Not here:
 * free and sched_yield, which cannot fail; close, fork and munmap, which are written out below. */
#define FAULTS_PLAIN(X)                                                                            \
    X(void *, malloc, NULL, (size_t size), (size))                                                 \
    X(void *, calloc, NULL, (size_t count, size_t size), (count, size))                            \
    X(void *, realloc, NULL, (void *old, size_t size), (old, size))                                \
    X(int, memfd_create, -1, (const char *name, unsigned flags), (name, flags))                    \
    X(int, ftruncate, -1, (int fd, off_t size), (fd, size))                                        \
    X(int, fallocate, -1, (int fd, int mode, off_t at, off_t length), (fd, mode, at, length))      \
    X(void *, mmap, MAP_FAILED,                                                                    \
      (void *at, size_t length, int protection, int flags, int fd, off_t offset),                  \
      (at, length, protection, flags, fd, offset))                                                 \
    X(int, mprotect, -1, (void *at, size_t length, int protection), (at, length, protection))      \
    X(int, madvise, -1, (void *at, size_t length, int advice), (at, length, advice))               \
    X(int, open, -1, (const char *path, int flags, mode_t mode), (path, flags, mode))              \
    X(int, fcntl, -1, (int fd, int command, long argument), (fd, command, argument))               \
    X(int, fstat, -1, (int fd, struct stat *status), (fd, status))                                 \
    X(int, getrlimit, -1, (int resource, struct rlimit *limit), (resource, limit))                 \
    X(ssize_t, getrandom, -1, (void *at, size_t size, unsigned flags), (at, size, flags))          \
    X(int, sysinfo, -1, (struct sysinfo * info), (info))                                           \
    X(int, socketpair, -1, (int domain, int type, int protocol, int fds[2]),                       \
      (domain, type, protocol, fds))                                                               \
    X(ssize_t, sendmsg, -1, (int fd, const struct msghdr *message, int flags),                     \
      (fd, message, flags))                                                                        \
    X(ssize_t, recvmsg, -1, (int fd, struct msghdr *message, int flags), (fd, message, flags))     \
    X(long, futex, -1,                                                                             \
      (_Atomic uint32_t *word, int operation, uint32_t value, const struct timespec *timeout),     \
      (word, operation, value, timeout))                                                           \
    X(int, eventfd, -1, (unsigned count, int flags), (count, flags))                               \
    X(ssize_t, read, -1, (int fd, void *buffer, size_t size), (fd, buffer, size))                  \
    X(ssize_t, write, -1, (int fd, const void *buffer, size_t size), (fd, buffer, size))           \
    X(int, poll, -1, (struct pollfd * fds, nfds_t count, int timeout_ms),                          \
      (fds, count, timeout_ms))                                                                    \
    X(pid_t, waitpid, -1, (pid_t pid, int *status, int options), (pid, status, options))           \
    X(int, kill, -1, (pid_t pid, int signal), (pid, signal))                                       \
    X(int, waitid, -1, (int type, int id, siginfo_t *info, int options),                           \
      (type, id, info, options))                                                                   \
    X(int, pidfd_open, -1, (pid_t pid, unsigned flags), (pid, flags))                              \
    X(int, pidfd_send_signal, -1, (int pidfd, int signal), (pidfd, signal))                        \
    X(int, prctl, -1, (int option, unsigned long argument), (option, argument))                    \
    X(int, close_range, -1, (unsigned first, unsigned last, int flags), (first, last, flags))      \
    X(int, signalfd, -1, (int fd, const void *set, int flags), (fd, set, flags))                   \
    X(int, epoll_create1, -1, (int flags), (flags))                                                \
    X(int, epoll_ctl, -1, (int epfd, int operation, int fd, uint32_t events),                      \
      (epfd, operation, fd, events))

#define FAULTS_AS_ENUM(type, name, failure, parameters, arguments) FAULT_##name,
#define FAULTS_AS_NAME(type, name, failure, parameters, arguments) #name,

enum fault_call { FAULTS_PLAIN(FAULTS_AS_ENUM) FAULT_close, FAULT_munmap, FAULT_fork, FAULT_CALLS };
enum fault_role { FAULT_APPLICATION, FAULT_EARLY, FAULT_SUPERVISOR, FAULT_WORKER, FAULT_ROLES };

static const char *const fault_call_names[FAULT_CALLS] = {FAULTS_PLAIN(FAULTS_AS_NAME) "close",
                                                          "munmap", "fork"};
static const char *const fault_role_names[FAULT_ROLES] = {"application", "early", "supervisor",
                                                          "worker"};

enum { FAULT_MOST_KEPT = 256 };

#define FAULT_DIES (-1) /* in place of an errno: the process is killed instead of calling */

struct faults {
    enum fault_role role;
    enum fault_call call;
    int error;
    long at;         /* the first call that fails, from 1 */
    bool persistent; /* and all after it */
    bool early;      /* the application starts early */
    atomic_bool armed;
    atomic_long hits;
    atomic_long made[FAULT_ROLES][FAULT_CALLS];
    /* what the application's munmap refused: it stays mapped, until faults_restore() */
    void *kept[FAULT_MOST_KEPT];
    size_t kept_size[FAULT_MOST_KEPT], n_kept;
};

static struct faults *faults;
static struct shmfi_sys faults_real;
static enum fault_role fault_role;

static bool fault_strikes(enum fault_call call)
{
    long n = 1 + atomic_fetch_add(&faults->made[fault_role][call], 1);
    if (!atomic_load(&faults->armed) || call != faults->call || fault_role != faults->role ||
        (faults->persistent ? n < faults->at : n != faults->at))
        return false;
    atomic_fetch_add(&faults->hits, 1);
    if (faults->error == FAULT_DIES)
        kill(getpid(), SIGKILL);
    errno = faults->error;
    return true;
}

#define FAULTS_AS_FUNCTION(type, name, failure, parameters, arguments)                             \
    static type fault_in_##name parameters                                                         \
    {                                                                                              \
        return fault_strikes(FAULT_##name) ? (failure) : faults_real.name arguments;               \
    }
FAULTS_PLAIN(FAULTS_AS_FUNCTION)

/* Linux closes the descriptor whatever close() returns. */
static int fault_in_close(int fd)
{
    if (!fault_strikes(FAULT_close))
        return faults_real.close(fd);
    int why = errno;
    faults_real.close(fd);
    errno = why;
    return -1;
}

static int fault_in_munmap(void *at, size_t length)
{
    if (!fault_strikes(FAULT_munmap))
        return faults_real.munmap(at, length);
    if (fault_role == FAULT_APPLICATION && faults->n_kept < FAULT_MOST_KEPT) {
        faults->kept[faults->n_kept] = at;
        faults->kept_size[faults->n_kept++] = length;
    }
    return -1;
}

static pid_t fault_in_fork(void)
{
    if (fault_strikes(FAULT_fork))
        return -1;
    pid_t pid = faults_real.fork();
    if (pid == 0)
        fault_role += fault_role == FAULT_APPLICATION && !faults->early ? 2 : 1;
    return pid;
}

#define FAULTS_AS_ENTRY(type, name, failure, parameters, arguments)                                \
    shmfi_sys.name = fault_in_##name;

/* From now on calls are counted, and fail as `plan` says (at 0: none does). */
static inline void faults_watch(const struct faults *plan)
{
    if (!faults) {
        faults =
            mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (faults == MAP_FAILED)
            abort();
        faults_real = shmfi_sys;
    }
    *faults = *plan;
    fault_role = FAULT_APPLICATION;
    atomic_store(&faults->armed, plan->at > 0);
    FAULTS_PLAIN(FAULTS_AS_ENTRY)
    shmfi_sys.close = fault_in_close;
    shmfi_sys.munmap = fault_in_munmap;
    shmfi_sys.fork = fault_in_fork;
}

static inline void faults_restore(void)
{
    atomic_store(&faults->armed, false);
    shmfi_sys = faults_real;
    for (size_t i = 0; i < faults->n_kept; i++)
        munmap(faults->kept[i], faults->kept_size[i]);
    faults->n_kept = 0;
}

#endif

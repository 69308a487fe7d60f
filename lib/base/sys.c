#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Variadic or macro-like functions need one of a fixed type; glibc lacks wrappers for others. */
static int sys_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static int sys_mbind(void *at, size_t length, int policy, const unsigned long *nodes,
                     unsigned long max_node)
{
    return (int)syscall(SYS_mbind, at, length, (long)policy, nodes, max_node, 0UL);
}

static int sys_get_mempolicy(int *policy, unsigned long *nodes, unsigned long max_node, void *at,
                             unsigned long flags)
{
    return (int)syscall(SYS_get_mempolicy, policy, nodes, max_node, at, flags);
}

static int sys_fcntl(int fd, int command, long argument)
{
    return fcntl(fd, command, argument);
}

static int sys_fstat(int fd, struct stat *status)
{
    return fstat(fd, status);
}

static int sys_getrlimit(int resource, struct rlimit *limit)
{
    return getrlimit((__rlimit_resource_t)resource, limit);
}

static long sys_futex(_Atomic uint32_t *word, int operation, uint32_t value,
                      const struct timespec *timeout)
{
    return syscall(SYS_futex, word, operation, value, timeout, NULL, 0);
}

static int sys_renameat2(int from, const char *old, int to, const char *path, unsigned flags)
{
    return (int)syscall(SYS_renameat2, from, old, to, path, flags);
}

static int sys_prctl(int option, unsigned long argument)
{
    return prctl(option, argument, 0UL, 0UL, 0UL);
}

static int sys_pidfd_open(pid_t pid, unsigned flags)
{
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static int sys_pidfd_send_signal(int pidfd, int signal)
{
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static int sys_waitid(int type, int id, siginfo_t *info, int options)
{
    return waitid((idtype_t)type, (id_t)id, info, options);
}

static int sys_close_range(unsigned first, unsigned last, int flags)
{
    return (int)syscall(SYS_close_range, first, last, flags);
}

static int sys_sched_getaffinity(size_t size, void *cpu_set)
{
    return sched_getaffinity(0, size, cpu_set);
}

static int sys_sched_setaffinity(size_t size, const void *cpu_set)
{
    return sched_setaffinity(0, size, cpu_set);
}

static int sys_getrusage(int who, struct rusage *usage)
{
    return getrusage((__rusage_who_t)who, usage);
}

static int sys_signalfd(int fd, const void *signal_set, int flags)
{
    return signalfd(fd, signal_set, flags);
}

static int sys_epoll_ctl(int epfd, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.fd = fd}};
    return epoll_ctl(epfd, operation, fd, &event);
}

static int sys_eventfd(unsigned count, int flags)
{
    return eventfd(count, flags);
}

struct shmfi_sys shmfi_sys = {
    .malloc = malloc,
    .calloc = calloc,
    .realloc = realloc,
    .free = free,
    .memfd_create = memfd_create,
    .ftruncate = ftruncate,
    .fallocate = fallocate,
    .mmap = mmap,
    .munmap = munmap,
    .mprotect = mprotect,
    .madvise = madvise,
    .mbind = sys_mbind,
    .get_mempolicy = sys_get_mempolicy,
    .open = sys_open,
    .shm_open = shm_open,
    .shm_unlink = shm_unlink,
    .close = close,
    .fcntl = sys_fcntl,
    .fstat = sys_fstat,
    .pread = pread,
    .getrlimit = sys_getrlimit,
    .getrandom = getrandom,
    .sysinfo = sysinfo,
    .socketpair = socketpair,
    .sendmsg = sendmsg,
    .recvmsg = recvmsg,
    .linkat = linkat,
    .renameat2 = sys_renameat2,
    .unlink = unlink,
    .fchmod = fchmod,
    .futex = sys_futex,
    .sched_yield = sched_yield,
    .eventfd = sys_eventfd,
    .read = read,
    .write = write,
    .poll = poll,
    .fork = fork,
    .waitpid = waitpid,
    .waitid = sys_waitid,
    .kill = kill,
    .pidfd_open = sys_pidfd_open,
    .pidfd_send_signal = sys_pidfd_send_signal,
    .prctl = sys_prctl,
    .close_range = sys_close_range,
    .signalfd = sys_signalfd,
    .sched_getaffinity = sys_sched_getaffinity,
    .sched_setaffinity = sys_sched_setaffinity,
    .getrusage = sys_getrusage,
    .epoll_create1 = epoll_create1,
    .epoll_ctl = sys_epoll_ctl,
};

/* The system calls and allocations of the library, in one table, so that tests can make any of
 * them fail. Production code calls through `shmfi_sys`; nothing else in lib/ calls the kernel.
 * The table is written by tests only, before any thread or process is started. */
#ifndef SHMFI_BASE_SYS_H
#define SHMFI_BASE_SYS_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/types.h>
#include <time.h>

struct shmfi_sys {
    /* private memory */
    void *(*malloc)(size_t size);
    void *(*calloc)(size_t count, size_t size);
    void *(*realloc)(void *old, size_t size);
    void (*free)(void *memory);
    /* memory/ */
    int (*memfd_create)(const char *name, unsigned flags);
    int (*ftruncate)(int fd, off_t size);
    int (*fallocate)(int fd, int mode, off_t offset, off_t length);
    void *(*mmap)(void *at, size_t length, int protection, int flags, int fd, off_t offset);
    int (*munmap)(void *at, size_t length);
    int (*mprotect)(void *at, size_t length, int protection);
    int (*madvise)(void *at, size_t length, int advice);
    int (*mbind)(void *at, size_t length, int policy, const unsigned long *nodes,
                 unsigned long max_node);
    int (*get_mempolicy)(int *policy, unsigned long *nodes, unsigned long max_node, void *at,
                         unsigned long flags);
    int (*open)(const char *path, int flags, mode_t mode);
    int (*shm_open)(const char *name, int flags, mode_t mode);
    int (*shm_unlink)(const char *name);
    int (*close)(int fd);
    int (*fcntl)(int fd, int command, long argument);
    int (*fstat)(int fd, struct stat *status);
    ssize_t (*pread)(int fd, void *to, size_t size, off_t offset);
    int (*getrlimit)(int resource, struct rlimit *limit);
    ssize_t (*getrandom)(void *buffer, size_t size, unsigned flags);
    int (*sysinfo)(struct sysinfo *info);
    /* handle/ */
    int (*socketpair)(int domain, int type, int protocol, int fds[2]);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
    /* share/ */
    int (*linkat)(int from, const char *old, int to, const char *path, int flags);
    int (*renameat2)(int from, const char *old, int to, const char *path, unsigned flags);
    int (*unlink)(const char *path);
    int (*fchmod)(int fd, mode_t mode);
    /* board/ */
    long (*futex)(_Atomic uint32_t *word, int operation, uint32_t value,
                  const struct timespec *timeout);
    int (*sched_yield)(void);
    int (*eventfd)(unsigned count, int flags);
    ssize_t (*read)(int fd, void *buffer, size_t size);
    ssize_t (*write)(int fd, const void *buffer, size_t size);
    int (*poll)(struct pollfd *fds, nfds_t count, int timeout_ms);
    /* pool/ */
    pid_t (*fork)(void);
    pid_t (*waitpid)(pid_t pid, int *status, int options);
    int (*waitid)(int type, int id, siginfo_t *info, int options);
    int (*kill)(pid_t pid, int signal);
    int (*pidfd_open)(pid_t pid, unsigned flags);
    int (*pidfd_send_signal)(int pidfd, int signal);
    int (*prctl)(int option, unsigned long argument);
    int (*close_range)(unsigned first, unsigned last, int flags);
    int (*signalfd)(int fd, const void *signal_set, int flags);
    int (*sched_getaffinity)(size_t size, void *cpu_set); /* of the calling thread */
    int (*sched_setaffinity)(size_t size, const void *cpu_set);
    int (*getrusage)(int who, struct rusage *usage);
    int (*epoll_create1)(int flags);
    int (*epoll_ctl)(int epfd, int operation, int fd, uint32_t events);
};

extern struct shmfi_sys shmfi_sys;

#endif

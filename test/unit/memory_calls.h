/* Counting and failing the system calls of memory/, through the library's own table. */
#ifndef TEST_UNIT_MEMORY_CALLS_H
#define TEST_UNIT_MEMORY_CALLS_H

#include "base/sys.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct calls {
    long kernel;     /* calls of the kernel since calls_watch() */
    long heap;       /* allocations */
    long all;        /* both, as fail_at counts them: those whose failure matters */
    long fail_at;    /* 0: none fails; n: the nth */
    bool persistent; /* and all after it */
    int error;
    int collapse_error; /* what MADV_COLLAPSE says, 0: what the kernel says */
    int populate_error; /* ... MADV_POPULATE_WRITE */
    int memfd_error;    /* ... memfd_create */
};

static struct calls calls;
static struct shmfi_sys real_sys;

static bool failing(void)
{
    calls.all++;
    bool hit = calls.fail_at &&
               (calls.persistent ? calls.all >= calls.fail_at : calls.all == calls.fail_at);
    if (hit)
        errno = calls.error;
    return hit;
}

static bool kernel_failing(void)
{
    calls.kernel++;
    return failing();
}

static void *watched_calloc(size_t count, size_t size)
{
    calls.heap++;
    return failing() ? NULL : real_sys.calloc(count, size);
}

static int watched_memfd_create(const char *name, unsigned flags)
{
    if (kernel_failing())
        return -1;
    if (calls.memfd_error) {
        errno = calls.memfd_error;
        return -1;
    }
    return real_sys.memfd_create(name, flags);
}

static int watched_ftruncate(int fd, off_t size)
{
    return kernel_failing() ? -1 : real_sys.ftruncate(fd, size);
}

static int watched_fallocate(int fd, int mode, off_t offset, off_t length)
{
    return kernel_failing() ? -1 : real_sys.fallocate(fd, mode, offset, length);
}

static void *watched_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    return kernel_failing() ? MAP_FAILED : real_sys.mmap(at, length, protection, flags, fd, offset);
}

static int watched_munmap(void *at, size_t length)
{
    calls.kernel++;
    return real_sys.munmap(at, length);
}

static int watched_mprotect(void *at, size_t length, int protection)
{
    return kernel_failing() ? -1 : real_sys.mprotect(at, length, protection);
}

static int watched_madvise(void *at, size_t length, int advice)
{
    if (kernel_failing())
        return -1;
    errno = advice == 25 ? calls.collapse_error : advice == 23 ? calls.populate_error : 0;
    return errno ? -1 : real_sys.madvise(at, length, advice);
}

static int watched_open(const char *path, int flags, mode_t mode)
{
    return kernel_failing() ? -1 : real_sys.open(path, flags, mode);
}

static int watched_close(int fd)
{
    calls.kernel++;
    return real_sys.close(fd);
}

static int watched_fcntl(int fd, int command, long argument)
{
    return kernel_failing() ? -1 : real_sys.fcntl(fd, command, argument);
}

static int watched_fstat(int fd, struct stat *status)
{
    return kernel_failing() ? -1 : real_sys.fstat(fd, status);
}

static int watched_getrlimit(int resource, struct rlimit *limit)
{
    return kernel_failing() ? -1 : real_sys.getrlimit(resource, limit);
}

static ssize_t watched_getrandom(void *buffer, size_t size, unsigned flags)
{
    return kernel_failing() ? -1 : real_sys.getrandom(buffer, size, flags);
}

/* From now on calls are counted, and fail as `calls` says. */
static inline void calls_watch(void)
{
    if (!real_sys.mmap)
        real_sys = shmfi_sys;
    memset(&calls, 0, sizeof calls);
    shmfi_sys.calloc = watched_calloc;
    shmfi_sys.memfd_create = watched_memfd_create;
    shmfi_sys.ftruncate = watched_ftruncate;
    shmfi_sys.fallocate = watched_fallocate;
    shmfi_sys.mmap = watched_mmap;
    shmfi_sys.munmap = watched_munmap;
    shmfi_sys.mprotect = watched_mprotect;
    shmfi_sys.madvise = watched_madvise;
    shmfi_sys.open = watched_open;
    shmfi_sys.close = watched_close;
    shmfi_sys.fcntl = watched_fcntl;
    shmfi_sys.fstat = watched_fstat;
    shmfi_sys.getrlimit = watched_getrlimit;
    shmfi_sys.getrandom = watched_getrandom;
}

static inline void calls_restore(void)
{
    if (real_sys.mmap)
        shmfi_sys = real_sys;
}

static inline bool is_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
}

/* Page faults are counted differently where every access is instrumented. */
static inline bool is_instrumented(void)
{
    const char *slow = getenv("SHMF_TEST_SLOW");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#endif
    return is_valgrind() || (slow && atof(slow) > 1);
}

#endif

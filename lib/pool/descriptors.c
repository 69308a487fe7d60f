#include "pool/descriptors.h"

#include "base/error.h"
#include "base/sys.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>

/* They are few, or in order already; and qsort() is code that a new process would have to map. */
static void sort(int *fds, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        int fd = fds[i];
        size_t at = i;
        for (; at > 0 && fds[at - 1] > fd; at--)
            fds[at] = fds[at - 1];
        fds[at] = fd;
    }
}

static bool is_kept(const int *keep, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++)
        if (keep[i] == fd)
            return true;
    return false;
}

/* Kernels before 5.9, and Valgrind, lack close_range. */
static void close_one_by_one(const int *keep, size_t count)
{
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return;
    int own = dirfd(directory);
    struct dirent *entry;
    while ((entry = readdir(directory))) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && fd > 2 && fd != own && !is_kept(keep, count, (int)fd))
            shmfi_sys.close((int)fd);
    }
    closedir(directory);
}

void shmfi_close_all_but(int *keep, size_t count)
{
    sort(keep, count);
    unsigned first = 3;
    for (size_t i = 0; i <= count; i++) {
        unsigned last = i < count ? (unsigned)keep[i] - 1 : ~0u;
        if (i < count && (keep[i] < 0 || (unsigned)keep[i] < first))
            continue;
        if (first <= last && shmfi_sys.close_range(first, last, 0)) {
            close_one_by_one(keep, count);
            return;
        }
        first = last + 2;
    }
}

void shmfi_forget_output(void)
{
    if (__fpending(stdout))
        __fpurge(stdout);
    if (__fpending(stderr))
        __fpurge(stderr);
}

void shmfi_flush_output(void)
{
    if (__fpending(stdout))
        fflush(stdout);
    if (__fpending(stderr))
        fflush(stderr);
}

int shmfi_check_keep_fds(const int *keep_fds, size_t n, struct shmf_error *err)
{
    if (n && !keep_fds)
        return shmfi_error(err, SHMF_E_INVAL, "options.keep_fds: NULL, but n_keep_fds is %zu", n);
    for (size_t i = 0; i < n; i++)
        if (shmfi_sys.fcntl(keep_fds[i], F_GETFD, 0) < 0)
            return shmfi_error(err, SHMF_E_INVAL, "options.keep_fds[%zu]: %d is not open", i,
                               keep_fds[i]);
    return SHMF_OK;
}

/* Which memfds of the library does a process hold? By /proc/PID/fd and /proc/PID/maps. */
#ifndef TEST_SUPPORT_SHARED_H
#define TEST_SUPPORT_SHARED_H

#include <stdint.h>
#include <sys/types.h>

/* One descriptor or one mapping of shared memory. */
struct test_holding {
    const char *target; /* as /proc has it: "/memfd:shmf-r (deleted)", "/dev/shm/x", ... */
    int fd;             /* -1: a mapping */
    uint64_t inode;
    uint64_t bytes; /* of pages in it, or of the mapping where the pages cannot be counted */
};

typedef void (*test_holding_visit)(const struct test_holding *holding, void *context);

/* Calls `visit` for each descriptor of the process, whatever it is (bytes: 0 unless a memfd). */
void test_each_fd(pid_t pid, test_holding_visit visit, void *context);

/* Calls `visit` for each mapping of a memfd, of a file in /dev/shm or of shared memory without a
 * file. */
void test_each_shared_mapping(pid_t pid, test_holding_visit visit, void *context);

#endif

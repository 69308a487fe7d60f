/* What the programs of several ranks have in common: no CMocka, which knows one process only. A
 * check that does not hold ends all ranks. */
#ifndef TEST_MPI_RANKS_H
#define TEST_MPI_RANKS_H

#include <shmframe/mpi.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct shmf_error err;
static struct shmf_mpi *mpi;
static struct shmf_mpi_place place;

#define check(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "rank %d, %s:%d: %s (last error: %s)\n", place.rank, __FILE__,         \
                    __LINE__, #condition, err.message);                                            \
            MPI_Abort(MPI_COMM_WORLD, 1);                                                          \
        }                                                                                          \
    } while (0)

static inline void check_ok(int rc, const char *what)
{
    if (rc == SHMF_OK)
        return;
    fprintf(stderr, "rank %d: %s: %s: %s\n", place.rank, what, shmf_status_name(rc), err.message);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* The inode of the file that is mapped at the address; 0: none. */
static inline uint64_t inode_at(const void *address)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];
    unsigned long long inode = 0;
    while (maps && fgets(line, sizeof line, maps)) {
        unsigned long long begin, end, found;
        if (sscanf(line, "%llx-%llx %*s %*s %*s %llu", &begin, &end, &found) == 3 &&
            begin <= (uintptr_t)address && (uintptr_t)address < end)
            inode = found;
    }
    if (maps)
        fclose(maps);
    return inode;
}

/* How many descriptors this process has. */
static inline int count_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++) {
        char path[40], to[8];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        n += readlink(path, to, sizeof to) >= 0;
    }
    return n;
}

#endif

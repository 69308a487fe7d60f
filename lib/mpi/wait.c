/* Patience: MPI's own waiting takes a processor that the node's workers could use. */
#include "map.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

enum { SHORTEST = 20, LONGEST = 1000 }; /* microseconds */
enum { MOST_YIELDS = 5000 };            /* some milliseconds */
#define A_WHILE 50e-6                   /* seconds */

void shmfi_mpi_rest(struct shmfi_mpi_patience *patience, struct shmf_pool *pool, bool flows)
{
    if (flows && patience->yields++ < MOST_YIELDS) {
        sched_yield();
        return;
    }
    long now = patience->microseconds ? patience->microseconds : SHORTEST;
    struct timespec time = {.tv_nsec = now * 1000};
    struct pollfd pollfd = {.fd = pool ? shmf_pool_fd(pool) : -1, .events = POLLIN};
    patience->microseconds = 2 * now < LONGEST ? 2 * now : LONGEST;
    if (pollfd.fd >= 0)
        ppoll(&pollfd, 1, &time, NULL);
    else
        nanosleep(&time, NULL);
}

bool shmfi_mpi_is_time(double *last)
{
    double now = MPI_Wtime();
    if (now - *last < A_WHILE)
        return false;
    *last = now;
    return true;
}

int shmfi_mpi_wait(MPI_Request *request, const char *what, struct shmf_error *err)
{
    struct shmfi_mpi_patience patience = {0};
    int there = 0, rc = MPI_SUCCESS;
    while (!rc && !there) {
        rc = MPI_Test(request, &there, MPI_STATUS_IGNORE);
        if (!rc && !there)
            shmfi_mpi_rest(&patience, NULL, false);
    }
    return shmfi_mpi_done(rc, what, err);
}

void *shmfi_mpi_extend(struct shmfi_mpi_buffer *buffer, size_t size)
{
    size_t padded = (size + 15) & ~(size_t)15;
    if (padded < size || padded > SIZE_MAX / 2 - buffer->size)
        return NULL;
    if (buffer->size + padded > buffer->room) {
        size_t room = 2 * (buffer->size + padded);
        char *bytes = realloc(buffer->bytes, room);
        if (!bytes)
            return NULL;
        buffer->bytes = bytes;
        buffer->room = room;
    }
    char *at = buffer->bytes + buffer->size;
    buffer->size += padded;
    for (size_t i = size; i < padded; i++)
        at[i] = 0;
    return at;
}

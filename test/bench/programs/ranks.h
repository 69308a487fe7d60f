/* What the programs of several ranks have in common. */
#ifndef BENCH_RANKS_H
#define BENCH_RANKS_H

#include <shmframe/mpi.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static struct shmf_mpi *mpi;
static struct shmf_error err;
static struct shmf_mpi_place place;

static inline void need(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "rank %d: %s: %s\n", place.rank, what, err.message);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static inline void start_ranks(int *argc, char ***argv)
{
    need(shmf_mpi_init(argc, argv, MPI_THREAD_FUNNELED, NULL, NULL, &err) == 0, "init");
    mpi = shmf_mpi_new(MPI_COMM_WORLD, NULL, &err);
    need(mpi != NULL, "shmf_mpi_new");
    shmf_mpi_place(mpi, -1, &place);
}

static inline int end_ranks(void)
{
    shmf_mpi_free(mpi);
    MPI_Finalize();
    return 0;
}

/* Waits for all ranks, asleep: on few processors MPI's busy waiting would take the time of those
 * that work. Returns the seconds since `*start` of the slowest, and starts anew. */
static inline double lap(double *start)
{
    double mine = MPI_Wtime() - *start, slowest;
    MPI_Request request;
    int there = 0;
    MPI_Iallreduce(&mine, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD, &request);
    while (MPI_Test(&request, &there, MPI_STATUS_IGNORE) == MPI_SUCCESS && !there)
        usleep(200);
    *start = MPI_Wtime();
    return slowest;
}

static inline double sum_of_all(double mine)
{
    double sum;
    MPI_Allreduce(&mine, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return sum;
}

/* Seconds of this process, in it and in the kernel for it. */
static inline double processor_time(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static inline int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Orders the values. */
static inline double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, by_value);
    return values[n / 2];
}

#endif

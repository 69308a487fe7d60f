/* MPI-3 shared windows: every rank computes into its own part of a window, which rank 0 reads where
 * it is. Tasks go round and ranks meet after each round, which is how such programs are written:
 *
 *     mpirun -n WORKERS bench_mpi BENCH mpi_window WORKERS AT */
#include "way.h"

#include <mpi.h>
#include <stdlib.h>
#include <unistd.h>

static int rank, ranks;
static char *mine;
static const char **parts; /* of all ranks, as seen here */
static MPI_Win window;

static void open_window(void)
{
    /* two results for each: one is looked at while the next is computed */
    MPI_Win_allocate_shared((MPI_Aint)(2 * way_work.result_bytes), 1, MPI_INFO_NULL, MPI_COMM_WORLD,
                            &mine, &window);
    parts = malloc((size_t)ranks * sizeof *parts);
    bench_need(parts != NULL, "memory for the parts");
    for (int r = 0; r < ranks; r++) {
        MPI_Aint size;
        int unit;
        char *part;
        MPI_Win_shared_query(window, r, &size, &unit, &part);
        parts[r] = part;
    }
    MPI_Win_lock_all(MPI_MODE_NOCHECK, window);
}

/* What all ranks computed in a round. */
static uint64_t look(int64_t round, int64_t n)
{
    uint64_t sum = 0;
    for (int r = 0; r < ranks && round * ranks + r < n; r++)
        sum += work_consume(&way_work, round * ranks + r,
                            parts[r] + (size_t)(round % 2) * way_work.result_bytes);
    return sum;
}

static uint64_t compute_all(int64_t n)
{
    uint64_t sum = 0;
    for (int64_t round = 0; round * ranks < n; round++) {
        int64_t task = round * ranks + rank;
        if (task < n)
            way_work.compute(&way_work, way_input, work_row(&way_work, task), task,
                             mine + (size_t)(round % 2) * way_work.result_bytes);
        MPI_Win_sync(window);
        MPI_Barrier(MPI_COMM_WORLD);
        MPI_Win_sync(window);
        if (rank == 0)
            sum += look(round, n);
    }
    return sum;
}

static void announce(int64_t n)
{
    MPI_Request request;
    MPI_Ibcast(&n, 1, MPI_INT64_T, 0, MPI_COMM_WORLD, &request);
    MPI_Wait(&request, MPI_STATUS_IGNORE);
}

static void run_window(int64_t n, struct reply *reply)
{
    announce(n);
    MPI_Barrier(MPI_COMM_WORLD); /* the others looked for this round now and then only */
    double start = bench_now();
    uint64_t sum = compute_all(n);
    way_reply(reply, n, bench_now() - start, sum);
}

static void close_window(void)
{
    announce(0);
    MPI_Win_unlock_all(window);
    MPI_Win_free(&window);
    free(parts);
}

/* How many tasks come next. A broadcast that is waited for would keep a processor busy while other
 * impls have their turn. */
static int64_t wait_for_round(void)
{
    int64_t n;
    int there = 0;
    MPI_Request request;
    MPI_Ibcast(&n, 1, MPI_INT64_T, 0, MPI_COMM_WORLD, &request);
    while (MPI_Test(&request, &there, MPI_STATUS_IGNORE) == MPI_SUCCESS && !there)
        usleep(1000);
    return n;
}

/* The other ranks do as rank 0 says. */
static void follow(void)
{
    way_prepare();
    open_window();
    for (int64_t n; (n = wait_for_round()) > 0;) {
        MPI_Barrier(MPI_COMM_WORLD);
        compute_all(n);
    }
    MPI_Win_unlock_all(window);
    MPI_Win_free(&window);
    free(parts);
}

int main(int argc, char **argv)
{
    const struct measure measure = {NULL,        "mpi_window", way_prepare,
                                    open_window, run_window,   close_window};
    MPI_Init(&argc, &argv);
    bench_need(argc == 5, "usage: bench_mpi BENCH mpi_window WORKERS AT");
    setting = (struct setting){argv[1], argv[2], atoi(argv[3]), atoll(argv[4])};
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (rank == 0)
        bench_serve(&measure);
    else
        follow();
    MPI_Finalize();
    return 0;
}

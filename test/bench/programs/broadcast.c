/* broadcast [MIB]: a frame made by rank 0 is given to all ranks of a node, in interleaved rounds:
 *
 *     shmframe     made in shared memory, shmf_mpi_bcast
 *     mpi_bcast    made in private memory, MPI_Bcast into a private buffer of each rank
 *     mpi_window   made in a window of MPI_Win_allocate_shared, which all ranks see
 *
 *     mpirun -n 4 bench_broadcast 1024
 *
 * Each round takes from nothing to when every rank has read every page. Prints medians of the time
 * of the slowest rank, without and with the making of the data, and what a rank's memory is: the
 * proportional set size (/proc/self/smaps_rollup) added up over all ranks. */
#include <shmframe/memory.h>
#include <shmframe/mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 5, WAYS = 3 };

static const char *const names[WAYS] = {"shmframe", "mpi_bcast", "mpi_window"};
static struct shmf_mpi *mpi;
static struct shmf_error err;
static int rank;
static int64_t rows; /* of 8 bytes */

struct round {
    double making, giving, reading; /* seconds of the slowest rank */
    double memory;                  /* MiB of all ranks */
};

static void need(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "rank %d: %s: %s\n", rank, what, err.message);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static double memory_of_all(void)
{
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    char line[256];
    double kib = 0, sum;
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Pss: %lf", &kib) == 1)
            break;
    if (file)
        fclose(file);
    MPI_Allreduce(&kib, &sum, 1, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    return sum / 1024;
}

/* Ends a part of the round for all. Who is there early sleeps: on few processors MPI's busy waiting
 * would take the time of those that work. */
static double lap(double *start)
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

static void make(double *data)
{
    for (int64_t i = 0; i < rows; i++)
        data[i] = (double)i;
}

static void read_all(const double *data)
{
    double sum = 0;
    for (int64_t i = 0; i < rows; i += 512)
        sum += data[i];
    need(sum > 0, "the sum");
}

static struct round by_shmframe(void)
{
    struct round round;
    struct shmf_frame_spec spec = {.n_rows = rows, .n_columns = 1, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame = NULL;
    double start = MPI_Wtime();
    if (rank == 0) {
        frame = shmf_frame_new(&spec, &err);
        need(frame != NULL, "frame");
        make(shmf_frame_data_mut(frame, 0));
        need(shmf_frame_finish(frame, &err) == SHMF_OK, "finish");
    }
    round.making = lap(&start);
    need(shmf_mpi_bcast(mpi, 0, &frame, &err) == SHMF_OK, "bcast");
    round.giving = lap(&start);
    read_all(shmf_frame_data(frame, 0, SHMF_FLOAT64));
    round.reading = lap(&start);
    round.memory = memory_of_all();
    shmf_frame_free(frame);
    return round;
}

static struct round by_mpi_bcast(void)
{
    struct round round;
    double start = MPI_Wtime();
    double *data = malloc((size_t)rows * sizeof *data);
    need(data != NULL, "buffer");
    if (rank == 0)
        make(data);
    round.making = lap(&start);
    MPI_Bcast(data, (int)rows, MPI_DOUBLE, 0, MPI_COMM_WORLD);
    round.giving = lap(&start);
    read_all(data);
    round.reading = lap(&start);
    round.memory = memory_of_all();
    free(data);
    return round;
}

static struct round by_window(void)
{
    struct round round;
    MPI_Win window;
    MPI_Aint size;
    int unit;
    double *data;
    double start = MPI_Wtime();
    MPI_Win_allocate_shared(rank == 0 ? (MPI_Aint)rows * (MPI_Aint)sizeof *data : 0, sizeof *data,
                            MPI_INFO_NULL, MPI_COMM_WORLD, &data, &window);
    MPI_Win_shared_query(window, 0, &size, &unit, &data);
    MPI_Win_fence(0, window);
    if (rank == 0)
        make(data);
    round.making = lap(&start);
    MPI_Win_fence(0, window);
    round.giving = lap(&start);
    read_all(data);
    round.reading = lap(&start);
    round.memory = memory_of_all();
    MPI_Win_free(&window);
    return round;
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

int main(int argc, char **argv)
{
    static struct round (*const ways[WAYS])(void) = {by_shmframe, by_mpi_bcast, by_window};
    double giving[WAYS][ROUNDS], all[WAYS][ROUNDS], memory[WAYS][ROUNDS];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    rows = (argc > 1 ? atoll(argv[1]) : 1024) << 17;
    need(rows > 0 && rows < INT32_MAX, "usage: broadcast [MIB]");
    mpi = shmf_mpi_new(MPI_COMM_WORLD, NULL, &err);
    need(mpi != NULL, "shmf_mpi_new");
    double before = memory_of_all();
    for (int i = 0; i < ROUNDS; i++)
        for (int way = 0; way < WAYS; way++) {
            struct round round = ways[way]();
            shmf_memory_trim(0);
            giving[way][i] = round.giving + round.reading;
            all[way][i] = round.making + round.giving + round.reading;
            memory[way][i] = round.memory - before;
        }
    for (int way = 0; rank == 0 && way < WAYS; way++)
        printf("%-10s given and read %8.4f s   made too %7.3f s   memory %6.0f MiB\n", names[way],
               median(giving[way]), median(all[way]), median(memory[way]));
    shmf_mpi_free(mpi);
    MPI_Finalize();
    return 0;
}

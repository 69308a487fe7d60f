/* nodes outer [TASKS] | nodes null [TASKS [WINDOW [BYTES]]]: tasks for the pools of all nodes.
 *
 *     SHMFRAME_MPI_RANKS_PER_NODE=1 mpirun -n 2 bench_nodes outer 20
 *
 * Outer products, matrices of 5,000 x 5,000 doubles, in interleaved rounds: by one pool of as many
 * workers as there are nodes, and by pools of one worker each; handed over whole, and added up row
 * by row in the task, so that 40 kB come of each.
 *
 *     SHMFRAME_MPI_RANKS_PER_NODE=1 mpirun --oversubscribe -n 64 bench_nodes null 200000
 *
 * Tasks that do nothing and return so many bytes, done by the leaders themselves, so that more
 * nodes than processors can be simulated: the processor time of the root for each task, in which
 * there is no waiting, says how many it can hand out. */
#include <shmframe/mpi.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { ROUNDS = 5, COLUMNS = 5000, ROWS = 1000 };

static struct shmf_mpi *mpi;
static struct shmf_error err;
static struct shmf_mpi_place place;

static void need(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "rank %d: %s: %s\n", place.rank, what, err.message);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* ---- outer products -------------------------------------------------------------------------- */

static double means[COLUMNS];

/* The means of the columns of a random matrix. */
static void draw(uint64_t seed)
{
    memset(means, 0, sizeof means);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < COLUMNS; c++) {
            seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            means[c] += (double)(seed >> 11) * (0x1p-53 / ROWS);
        }
}

static int outer_whole(struct shmf_task *task, void *context)
{
    int64_t shape[2] = {COLUMNS, COLUMNS};
    struct shmf_array *array = shmf_task_new_array(task, SHMF_FLOAT64, 2, shape);
    double *to = shmf_array_data_mut(array);
    (void)context;
    draw(shmf_task_seed(task));
    for (int i = 0; to && i < COLUMNS; i++)
        for (int j = 0; j < COLUMNS; j++)
            to[(int64_t)i * COLUMNS + j] = means[j] * (double)(i + 1);
    return to ? shmf_task_return_array(task, array) : -1;
}

static double *scratch; /* of the worker, as it would be of any program */

static int outer_sums(struct shmf_task *task, void *context)
{
    static double sums[COLUMNS];
    (void)context;
    if (!scratch)
        scratch = malloc(sizeof(double) * COLUMNS * COLUMNS);
    if (!scratch)
        return -1;
    draw(shmf_task_seed(task));
    for (int i = 0; i < COLUMNS; i++) {
        double sum = 0, *to = scratch + (int64_t)i * COLUMNS;
        for (int j = 0; j < COLUMNS; j++)
            sum += to[j] = means[j] * (double)(i + 1);
        sums[i] = sum;
    }
    return shmf_task_return_bytes(task, sums, sizeof sums);
}

/* The others sleep, or do their nodes' tasks. */
static double lap(double start)
{
    MPI_Request request;
    int there = 0;
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    while (MPI_Test(&request, &there, MPI_STATUS_IGNORE) == MPI_SUCCESS && !there)
        usleep(1000);
    return MPI_Wtime() - start;
}

static double by_one_pool(struct shmf_pool *pool, shmf_task_fn fn, int64_t count)
{
    struct shmf_tasks tasks = {.count = count, .seed = 1};
    struct shmf_result *result;
    double start = MPI_Wtime();
    if (place.rank == 0) {
        struct shmf_iter *iter = shmf_pool_imap(pool, fn, &tasks, NULL, &err);
        need(iter != NULL, "shmf_pool_imap");
        while (shmf_iter_next(iter, &result, &err) == 1) {
            need(shmf_result_status(result) == SHMF_OK, "a task");
            shmf_result_free(result);
        }
        shmf_iter_free(iter);
    }
    return lap(start);
}

static double by_nodes(struct shmf_pool *pool, shmf_task_fn fn, int64_t count, int window,
                       const void *arg)
{
    struct shmf_tasks tasks = {.count = count, .seed = 1, .context = (void *)(uintptr_t)arg};
    struct shmf_mpi_imap_options options = {.imap = {.window = window, .unordered = window > 0}};
    struct shmf_mpi_result *result;
    double start = MPI_Wtime();
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, fn, &tasks, &options, &err);
    need(iter != NULL, "shmf_mpi_imap");
    int rc;
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        need(result->status == SHMF_OK, "a task");
        shmf_mpi_result_free(result);
    }
    need(rc == 0, "shmf_mpi_iter_next");
    shmf_mpi_iter_free(iter);
    return lap(start);
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

static void outer(int64_t count)
{
    static const shmf_task_fn functions[] = {outer_whole, outer_sums};
    static const char *const names[] = {"matrices, 200 MB", "their sums, 40 kB"};
    struct shmf_pool_options all = {.workers = place.nodes, .start = SHMF_START_EARLY};
    struct shmf_pool_options one = {.workers = 1, .start = SHMF_START_EARLY};
    struct shmf_pool *big = place.rank ? NULL : shmf_pool_new(&all, &err);
    struct shmf_pool *small = place.node_rank ? NULL : shmf_pool_new(&one, &err);
    need((big || place.rank) && (small || place.node_rank), "shmf_pool_new");
    for (int job = 0; job < 2; job++) {
        double pool[ROUNDS], nodes[ROUNDS], ratio[ROUNDS];
        for (int i = -1; i < ROUNDS; i++) { /* the first warms up */
            double first = by_one_pool(big, functions[job], count);
            double second = by_nodes(small, functions[job], count, 0, NULL);
            if (i >= 0) {
                pool[i] = first;
                nodes[i] = second;
                ratio[i] = second / first;
            }
        }
        if (place.rank == 0)
            printf("%-18s one pool %7.3f s   %d nodes %7.3f s   ratio %.2f\n", names[job],
                   median(pool), place.nodes, median(nodes), median(ratio));
    }
    shmf_pool_free(big);
    shmf_pool_free(small);
}

/* ---- tasks that do nothing ------------------------------------------------------------------- */

static int return_bytes(struct shmf_task *task, void *context)
{
    static char bytes[1 << 20];
    return shmf_task_return_bytes(task, bytes, (size_t)(uintptr_t)context);
}

static double processor_time(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

static void null(int64_t count, int window, size_t bytes)
{
    struct shmf_pool_options options = {.workers = SHMF_INLINE};
    struct shmf_pool *pool = shmf_pool_new(&options, &err);
    need(pool != NULL, "shmf_pool_new");
    double before = processor_time();
    double took = by_nodes(pool, return_bytes, count, window, (const void *)(uintptr_t)bytes);
    double used = processor_time() - before;
    if (place.rank == 0)
        printf("%d nodes, window %d, %zu bytes: %.0f tasks/s here; the root used %.2f us a task\n",
               place.nodes, window, bytes, (double)count / took, used / (double)count * 1e6);
    shmf_pool_free(pool);
}

int main(int argc, char **argv)
{
    need(shmf_mpi_init(&argc, &argv, MPI_THREAD_FUNNELED, NULL, NULL, &err) == 0, "init");
    mpi = shmf_mpi_new(MPI_COMM_WORLD, NULL, &err);
    need(mpi != NULL, "shmf_mpi_new");
    shmf_mpi_place(mpi, -1, &place);
    if (argc > 1 && !strcmp(argv[1], "outer"))
        outer(argc > 2 ? atoll(argv[2]) : 20);
    else if (argc > 1 && !strcmp(argv[1], "null"))
        null(argc > 2 ? atoll(argv[2]) : 100000, argc > 3 ? atoi(argv[3]) : 64,
             argc > 4 ? (size_t)atoll(argv[4]) : 100);
    else
        need(0, "usage: nodes outer [TASKS] | null [TASKS [WINDOW [BYTES]]]");
    shmf_mpi_free(mpi);
    MPI_Finalize();
    return 0;
}

/* nodes outer [TASKS [ROUNDS]] | nodes null [TASKS [WINDOW [BYTES [STAY]]]]: tasks for the pools of
 * all nodes.
 *
 *     SHMFRAME_MPI_RANKS_PER_NODE=1 mpirun -n 2 bench_nodes outer 40
 *
 * Outer products, matrices of 5,000 x 5,000 doubles, by pools of the nodes with a worker each,
 * against one pool of as many workers, in interleaved rounds: handed over whole to the loop of the
 * node that made them; handed over whole to the root, lent, or sent with SHMFRAME_MPI_APART=1; and
 * added up row by row in the task, so that 40 kB come of each to the root. Whoever gets a matrix
 * reads a number of each of its pages, and the sums of all that was read must be the same. Then by
 * the other node alone, against one pool of one worker: there the processor that receives is not
 * one that computes, as with a network that copies by itself. The last line says what receiving a
 * matrix costs the root, and what copying it there costs.
 *
 *     SHMFRAME_MPI_RANKS_PER_NODE=1 mpirun --oversubscribe -n 64 bench_nodes null 200000
 *
 * Tasks that do nothing and return so many bytes, done by the leaders themselves, so that more
 * nodes than processors can be simulated: the processor time of the root for each task, in which
 * there is no waiting, says how many it can hand out. */
#include "ranks.h"

#include <string.h>

enum { MOST_ROUNDS = 101, COLUMNS = 5000, ROWS = 1000 };

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

static uint64_t seen; /* sum of the bits of what was read: whatever the order, it is the same */

/* The consumer: a number of each page. */
static void read_result(const struct shmf_array *array, const void *bytes, size_t size)
{
    const double *numbers = array ? shmf_array_data(array) : bytes;
    size_t n = array ? (size_t)shmf_array_size(array) : size / sizeof *numbers;
    for (size_t i = 0; i < n; i += 512) {
        uint64_t bits;
        memcpy(&bits, &numbers[i], sizeof bits);
        seen += bits;
    }
}

static double by_one_pool(struct shmf_pool *pool, shmf_task_fn fn, int64_t count)
{
    struct shmf_tasks tasks = {.count = count, .seed = 1};
    struct shmf_result *result;
    double start = MPI_Wtime();
    if (pool) {
        struct shmf_iter *iter = shmf_pool_imap(pool, fn, &tasks, NULL, &err);
        need(iter != NULL, "shmf_pool_imap");
        while (shmf_iter_next(iter, &result, &err) == 1) {
            need(shmf_result_status(result) == SHMF_OK, "a task");
            size_t size = 0;
            const struct shmf_array *array = shmf_result_array(result);
            const void *bytes = array ? NULL : shmf_result_bytes(result, &size);
            read_result(array, bytes, size);
            shmf_result_free(result);
        }
        shmf_iter_free(iter);
    }
    return lap(&start);
}

static double by_nodes(struct shmf_pool *pool, int root, shmf_task_fn fn,
                       const struct shmf_tasks *tasks, const struct shmf_mpi_imap_options *options)
{
    struct shmf_mpi_result *result;
    double start = MPI_Wtime();
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, root, pool, fn, tasks, options, &err);
    need(iter != NULL, "shmf_mpi_imap");
    int rc;
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1) {
        need(result->status == SHMF_OK, "a task");
        read_result(result->array, result->bytes, result->size);
        shmf_mpi_result_free(result);
    }
    need(rc == 0, "shmf_mpi_iter_next");
    shmf_mpi_iter_free(iter);
    return lap(&start);
}

/* A job by one pool, and by nodes; `far`: all of it by the first node, for the last rank. */
struct job {
    const char *name;
    shmf_task_fn fn;
    bool stay, far;
};

/* What all ranks have seen since the last call. */
static uint64_t seen_by_all(void)
{
    uint64_t all;
    MPI_Allreduce(&seen, &all, 1, MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD);
    seen = 0;
    return all;
}

static double compare(const struct job *job, struct shmf_pool *big, struct shmf_pool *small,
                      int64_t count, int rounds)
{
    double pool[MOST_ROUNDS], nodes[MOST_ROUNDS], ratio[MOST_ROUNDS], spends[MOST_ROUNDS];
    struct shmf_tasks tasks = {.count = count, .seed = 1};
    struct shmf_mpi_imap_options options = {.block = job->far ? count : 0, .stay = job->stay};
    for (int i = -1; i < rounds; i++) { /* the first warms up */
        double first = by_one_pool(job->far ? place.rank ? NULL : small : big, job->fn, count);
        uint64_t wanted = seen_by_all();
        double before = processor_time();
        double second = by_nodes(small, job->far ? place.ranks - 1 : 0, job->fn, &tasks, &options);
        double spent = processor_time() - before;
        need(seen_by_all() == wanted, "the same results");
        if (i < 0)
            continue;
        spends[i] = spent;
        pool[i] = first;
        nodes[i] = second;
        ratio[i] = second / first;
    }
    double middle = median(ratio, rounds); /* which orders them */
    if (place.rank == 0)
        printf("%-26s one pool %7.3f s   nodes %7.3f s   ratio %.2f (%.2f to %.2f)\n", job->name,
               median(pool, rounds), median(nodes, rounds), middle, ratio[0], ratio[rounds - 1]);
    fflush(stdout);
    return median(spends, rounds);
}

/* A matrix from one place of this process to another, both warm. */
static double copy_seconds(void)
{
    size_t size = sizeof(double) * COLUMNS * COLUMNS;
    char *from = malloc(size), *to = malloc(size);
    double took[9];
    need(from && to, "memory");
    memset(from, 1, size);
    memset(to, 2, size);
    for (int i = 0; i < 9; i++) {
        double before = processor_time();
        memcpy(to, from, size);
        took[i] = processor_time() - before;
        need(to[(size_t)i * 1000] == 1, "the copy");
        from[0]++;
    }
    free(from);
    free(to);
    return median(took, 9);
}

static void outer(int64_t count, int rounds)
{
    static const struct job jobs[] = {{"matrices, 200 MB, stay", outer_whole, true, false},
                                      {"matrices, 200 MB", outer_whole, false, false},
                                      {"their sums, 40 kB", outer_sums, false, false},
                                      {"matrices, other node alone", outer_whole, false, true}};
    struct shmf_pool_options all = {.workers = place.nodes, .start = SHMF_START_EARLY};
    struct shmf_pool_options one = {.workers = 1, .start = SHMF_START_EARLY};
    struct shmf_pool *big = place.rank ? NULL : shmf_pool_new(&all, &err);
    struct shmf_pool *small = place.node_rank ? NULL : shmf_pool_new(&one, &err);
    double spent = 0;
    need((big || place.rank) && (small || place.node_rank), "shmf_pool_new");
    need(count > 0 && rounds > 0 && rounds <= MOST_ROUNDS && place.nodes > 1, "two nodes");
    for (size_t job = 0; job < sizeof jobs / sizeof *jobs; job++)
        spent = compare(&jobs[job], big, small, count, rounds);
    if (place.rank == place.ranks - 1)
        printf("a matrix of the other node costs its receiver %.1f ms of processor time; memcpy "
               "takes %.1f ms\n",
               spent / (double)count * 1e3, copy_seconds() * 1e3);
    shmf_pool_free(big);
    shmf_pool_free(small);
}

/* ---- tasks that do nothing ------------------------------------------------------------------- */

static int return_bytes(struct shmf_task *task, void *context)
{
    static char bytes[1 << 20];
    return shmf_task_return_bytes(task, bytes, (size_t)(uintptr_t)context);
}

static void null(int64_t count, int window, size_t bytes, int stay)
{
    struct shmf_pool_options options = {.workers = SHMF_INLINE};
    struct shmf_tasks tasks = {.count = count, .context = (void *)(uintptr_t)bytes};
    struct shmf_mpi_imap_options imap = {.imap = {.window = window, .unordered = true},
                                         .stay = stay};
    struct shmf_pool *pool = shmf_pool_new(&options, &err);
    need(pool != NULL, "shmf_pool_new");
    double before = processor_time();
    double took = by_nodes(pool, 0, return_bytes, &tasks, &imap);
    double used = processor_time() - before;
    if (place.rank == 0)
        printf(
            "%d nodes, window %d, %zu bytes%s: %.0f tasks/s here; the root used %.2f us a task\n",
            place.nodes, window, bytes, stay ? " that stay" : "", (double)count / took,
            used / (double)count * 1e6);
    shmf_pool_free(pool);
}

int main(int argc, char **argv)
{
    start_ranks(&argc, &argv);
    if (argc > 1 && !strcmp(argv[1], "outer"))
        outer(argc > 2 ? atoll(argv[2]) : 20, argc > 3 ? atoi(argv[3]) : 5);
    else if (argc > 1 && !strcmp(argv[1], "null"))
        null(argc > 2 ? atoll(argv[2]) : 100000, argc > 3 ? atoi(argv[3]) : 64,
             argc > 4 ? (size_t)atoll(argv[4]) : 100, argc > 5 ? atoi(argv[5]) : 0);
    else
        need(0, "usage: nodes outer [TASKS [ROUNDS]] | null [TASKS [WINDOW [BYTES [STAY]]]]");
    return end_ranks();
}

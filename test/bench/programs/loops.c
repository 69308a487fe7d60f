/* Whole loops: a map over many elements with a result and a status for each, and an empty parallel
 * loop, which two processes or two threads share. */
#include "way.h"

#include <shmframe/shmframe.h>

#include <stdlib.h>

enum { RANGE = 1000 };

static struct shmf_pool *pool;
static struct shmf_error err;
static int64_t *results;
static int *statuses;
static int64_t room;

/* Memory for n results and statuses, touched. */
static void make_room(int64_t n)
{
    if (n <= room)
        return;
    free(results);
    free(statuses);
    results = malloc((size_t)n * sizeof *results);
    statuses = malloc((size_t)n * sizeof *statuses);
    bench_need(results && statuses, "memory for results");
    for (int64_t i = 0; i < n; i++)
        statuses[i] = (int)(results[i] = -1);
    room = n;
}

static void reply_map(struct reply *reply, int64_t n, double seconds)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (uint64_t)results[i] * (uint64_t)(i + 1) + (uint64_t)statuses[i];
    way_reply(reply, n, seconds, sum);
}

static void prepare_map(void)
{
    way_work = work_find("noop_map", 0);
}

static int element(struct shmf_task *task, void *unused)
{
    int64_t value;
    (void)unused;
    way_work.compute(&way_work, NULL, 0, shmf_task_index(task), &value);
    return shmf_task_return_bytes(task, &value, sizeof value);
}

static void open_pool(void)
{
    pool = shmf_pool_new(&(struct shmf_pool_options){.workers = setting.workers}, &err);
    bench_need(pool != NULL, "shmf_pool_new");
}

static void map_shmframe(int64_t n, struct reply *reply)
{
    make_room(n);
    struct shmf_tasks tasks = {.count = n};
    double start = bench_now();
    int rc = shmf_pool_map(pool, element, &tasks, NULL, results, sizeof *results, statuses, &err);
    double seconds = bench_now() - start;
    bench_need(rc == 0, "shmf_pool_map");
    reply_map(reply, n, seconds);
}

static void close_pool(void)
{
    shmf_pool_free(pool);
}

/* Through the same pointer as everybody, so that nothing is inlined away. */
static void map_here(int64_t n, struct reply *reply)
{
    make_room(n);
    double start = bench_now();
    for (int64_t i = 0; i < n; i++) {
        way_work.compute(&way_work, NULL, 0, i, &results[i]);
        statuses[i] = 0;
    }
    reply_map(reply, n, bench_now() - start);
}

/* The body of the empty loop. */
static inline void body(int64_t i)
{
    __asm__ volatile("" ::"r"(i));
}

static int part(struct shmf_task *task, int64_t begin, int64_t end, void *unused)
{
    (void)task;
    (void)unused;
    for (int64_t i = begin; i < end; i++)
        body(i);
    return 0;
}

static void open_one(void)
{
    pool = shmf_pool_new(&(struct shmf_pool_options){.workers = 1}, &err);
    bench_need(pool != NULL, "shmf_pool_new");
}

static void for_shmframe(int64_t n, struct reply *reply)
{
    const struct shmf_for_options options = {.caller_too = 1};
    double start = bench_now();
    for (int64_t i = 0; i < n; i++)
        bench_need(shmf_pool_for(pool, 0, RANGE, part, NULL, &options, &err) == 0, "shmf_pool_for");
    reply_add(reply, "ns", (bench_now() - start) * 1e9 / (double)n);
}

static void for_here(int64_t n, struct reply *reply)
{
    double start = bench_now();
    for (int64_t i = 0; i < n; i++)
        part(NULL, 0, RANGE, NULL);
    reply_add(reply, "ns", (bench_now() - start) * 1e9 / (double)n);
}

#ifdef _OPENMP
static void map_omp(int64_t n, struct reply *reply)
{
    make_room(n);
    double start = bench_now();
#pragma omp parallel for num_threads(setting.workers)
    for (int64_t i = 0; i < n; i++) {
        way_work.compute(&way_work, NULL, 0, i, &results[i]);
        statuses[i] = 0;
    }
    reply_map(reply, n, bench_now() - start);
}

static void for_omp(int64_t n, struct reply *reply)
{
    double start = bench_now();
    for (int64_t i = 0; i < n; i++) {
#pragma omp parallel for num_threads(2)
        for (int64_t k = 0; k < RANGE; k++)
            body(k);
    }
    reply_add(reply, "ns", (bench_now() - start) * 1e9 / (double)n);
}
#endif

const struct measure bench_loops[] = {
    {"noop_map", "shmframe", prepare_map, open_pool, map_shmframe, close_pool},
    {"noop_map", "sequential", prepare_map, NULL, map_here, NULL},
    {"parallel_for", "shmframe", NULL, open_one, for_shmframe, close_pool},
    {"parallel_for", "sequential", NULL, NULL, for_here, NULL},
#ifdef _OPENMP
    {"noop_map", "omp_prealloc", prepare_map, NULL, map_omp, NULL},
    {"parallel_for", "omp_prealloc", NULL, NULL, for_omp, NULL},
#endif
    {0},
};

/* One large array, its rows computed by everybody where they lie: nothing is handed over but
 * slices. */
#include "way.h"

#include <shmframe/grant.h>
#include <shmframe/shmframe.h>

#include <stdlib.h>

enum { ROWS = 2048, COLUMNS = 4096, GRAIN = 16 };

static struct shmf_pool *pool;
static struct shmf_array *array;
static struct shmf_handle grant;
static struct shmf_error err;
static double *plain;

/* The kernel: one row. Compiled once, for all. */
static __attribute__((noinline)) void fill_row(double *out, int64_t row)
{
    for (int64_t c = 0; c < COLUMNS; c++)
        out[c] = (double)(row + c) * 0.5 + (double)(row ^ c);
}

static void reply_fill(struct reply *reply, int64_t n, double seconds, const double *out)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < (int64_t)ROWS * COLUMNS; i += 509)
        sum += (uint64_t)out[i];
    way_reply(reply, n, seconds, sum);
}

static void open_grant(void)
{
    pool = shmf_pool_new(&(struct shmf_pool_options){.workers = setting.workers}, &err);
    array = shmf_array_new_grantable(SHMF_FLOAT64, 2, (int64_t[]){ROWS, COLUMNS}, &err);
    bench_need(pool && array, "pool and array");
    grant = shmf_array_grant(array, 0, ROWS, &err);
}

static int part(struct shmf_task *task, int64_t begin, int64_t end, void *unused)
{
    double *out = shmf_array_data_mut(shmf_task_array(task, 0));
    (void)unused;
    for (int64_t r = begin; out && r < end; r++)
        fill_row(out + (r - begin) * COLUMNS, r);
    return out ? 0 : -1;
}

static void fill_shmframe(int64_t n, struct reply *reply)
{
    const struct shmf_for_options options = {.grain = GRAIN, .handles = &grant, .n_handles = 1};
    double start = bench_now();
    for (int64_t i = 0; i < n; i++)
        bench_need(shmf_pool_for(pool, 0, ROWS, part, NULL, &options, &err) == 0, err.message);
    reply_fill(reply, n, bench_now() - start, shmf_array_data(array));
}

static void close_grant(void)
{
    shmf_array_free(array);
    shmf_pool_free(pool);
}

static void open_plain(void)
{
    plain = malloc((size_t)ROWS * COLUMNS * sizeof *plain);
    bench_need(plain != NULL, "memory");
}

static void fill_here(int64_t n, struct reply *reply)
{
    double start = bench_now();
    for (int64_t i = 0; i < n; i++)
        for (int64_t r = 0; r < ROWS; r++)
            fill_row(plain + r * COLUMNS, r);
    reply_fill(reply, n, bench_now() - start, plain);
}

#ifdef _OPENMP
static void fill_omp(int64_t n, struct reply *reply)
{
    double start = bench_now();
    for (int64_t i = 0; i < n; i++) {
#pragma omp parallel for schedule(dynamic, GRAIN) num_threads(setting.workers)
        for (int64_t r = 0; r < ROWS; r++)
            fill_row(plain + r * COLUMNS, r);
    }
    reply_fill(reply, n, bench_now() - start, plain);
}
#endif

static void close_plain(void)
{
    free(plain);
}

const struct measure bench_inplace[] = {
    {"inplace", "shmframe", NULL, open_grant, fill_shmframe, close_grant},
    {"inplace", "sequential", NULL, open_plain, fill_here, close_plain},
#ifdef _OPENMP
    {"inplace", "omp_prealloc", NULL, open_plain, fill_omp, close_plain},
#endif
    {0},
};

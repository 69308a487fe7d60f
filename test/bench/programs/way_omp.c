/* OpenMP: as threads are usually written, with memory of its own for every result, and as an expert
 * writes them, with one buffer for each thread, used again and again. */
#include "way.h"

#include <omp.h>
#include <stdlib.h>

static void **buffers;

static void run_malloc(int64_t n, struct reply *reply)
{
    uint64_t sum = 0;
    double start = bench_now();
#pragma omp parallel for schedule(dynamic) num_threads(setting.workers) reduction(+ : sum)
    for (int64_t task = 0; task < n; task++) {
        void *result = malloc(way_work.result_bytes);
        bench_need(result != NULL, "memory for a result");
        way_work.compute(&way_work, way_input, work_row(&way_work, task), task, result);
        sum += work_consume(&way_work, task, result);
        free(result);
    }
    way_reply(reply, n, bench_now() - start, sum);
}

static void open_prealloc(void)
{
    buffers = calloc((size_t)setting.workers, sizeof *buffers);
    for (int i = 0; buffers && i < setting.workers; i++) {
        buffers[i] = malloc(way_work.result_bytes);
        bench_need(buffers[i] != NULL, "memory for a result");
    }
}

static void run_prealloc(int64_t n, struct reply *reply)
{
    uint64_t sum = 0;
    double start = bench_now();
#pragma omp parallel for schedule(dynamic) num_threads(setting.workers) reduction(+ : sum)
    for (int64_t task = 0; task < n; task++) {
        void *result = buffers[omp_get_thread_num()];
        way_work.compute(&way_work, way_input, work_row(&way_work, task), task, result);
        sum += work_consume(&way_work, task, result);
    }
    way_reply(reply, n, bench_now() - start, sum);
}

static void close_prealloc(void)
{
    for (int i = 0; i < setting.workers; i++)
        free(buffers[i]);
    free(buffers);
}

const struct measure way_omp[] = {
    {NULL, "omp_malloc", way_prepare, NULL, run_malloc, NULL},
    {NULL, "omp_prealloc", way_prepare, open_prealloc, run_prealloc, close_prealloc},
    {0},
};

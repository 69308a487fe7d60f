#include "work.h"

#include "bench.h"
#include "common/convolve.h"
#include "common/random.h"
#include "common/stream.h"

#include <stdlib.h>
#include <string.h>

/* Of row_means: all over the matrix, but equally many whatever its size, so that the caches hold
 * them or do not hold them in every case. */
enum { KERNEL = 20, STRIP = 16, ROWS_READ = 128 };

/* result[i][j] = row[i] * the mean of column j of a random matrix of the input's size */
static void outer(const struct work *work, const double *input, int64_t row, int64_t task,
                  void *result)
{
    int64_t n = work->columns;
    double *values = malloc(2 * (size_t)n * sizeof *values);
    bench_need(values && random_column_means((uint64_t)task, work->rows, n, values + n) == 0,
               "memory for a row");
    for (int64_t c = 0; c < n; c++)
        values[c] = input[c * work->rows + row];
    for (int64_t i = 0; i < n; i++)
        stream_scaled((double *)result + i * n, values + n, n, values[i]);
    free(values);
}

static void copy(const struct work *work, const double *input, int64_t row, int64_t task,
                 void *result)
{
    (void)row;
    (void)task;
    stream_copy(result, input, work->rows * work->columns);
}

static void choose_weights(const struct work *work, const double *input, int64_t row, int64_t task,
                           double *weights)
{
    uint64_t state = (uint64_t)task;
    for (int i = 0; i < KERNEL * KERNEL; i++)
        weights[i] = input[random_below(&state, work->columns) * work->rows + row];
}

static void convolution(const struct work *work, const double *input, int64_t row, int64_t task,
                        void *result)
{
    double weights[KERNEL * KERNEL];
    choose_weights(work, input, row, task, weights);
    struct grid grid = {input, work->rows, work->columns, work->rows, EDGE_REFLECT, EDGE_REFLECT};
    bench_need(convolve(&grid, &(struct kernel){weights, KERNEL, KERNEL}, 0, work->columns, result,
                        work->rows) == 0,
               "memory for the convolution");
}

static void convolution_sum(const struct work *work, const double *input, int64_t row, int64_t task,
                            void *result)
{
    double weights[KERNEL * KERNEL], sum = 0;
    double *strip = malloc((size_t)(STRIP * work->rows) * sizeof *strip);
    bench_need(strip != NULL, "memory for a strip");
    choose_weights(work, input, row, task, weights);
    struct grid grid = {input, work->rows, work->columns, work->rows, EDGE_REFLECT, EDGE_REFLECT};
    for (int64_t c = 0; c < work->columns; c += STRIP) {
        int64_t n = work->columns - c < STRIP ? work->columns - c : STRIP;
        bench_need(convolve(&grid, &(struct kernel){weights, KERNEL, KERNEL}, c, n, strip,
                            work->rows) == 0,
                   "memory for the convolution");
        for (int64_t i = 0; i < n * work->rows; i++)
            sum += strip[i];
    }
    free(strip);
    memcpy(result, &sum, sizeof sum);
}

static void row_mean(const struct work *work, const double *input, int64_t row, int64_t task,
                     void *result)
{
    const double *values = input + row * work->columns;
    double sum[8] = {0};
    (void)task;
    for (int64_t c = 0; c < work->columns; c += 8)
        for (int lane = 0; lane < 8; lane++)
            sum[lane] += values[c + lane];
    sum[0] += sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
    sum[0] /= (double)work->columns;
    memcpy(result, sum, sizeof *sum);
}

static void fill(const struct work *work, const double *input, int64_t row, int64_t task,
                 void *result)
{
    (void)input;
    (void)row;
    memset(result, (int)task, work->result_bytes);
}

static void number(const struct work *work, const double *input, int64_t row, int64_t task,
                   void *result)
{
    (void)work;
    (void)input;
    (void)row;
    memcpy(result, &task, sizeof task);
}

/* A chain of dependent multiply-adds, some four cycles each: `at` is their number. */
static void chain(const struct work *work, const double *input, int64_t row, int64_t task,
                  void *result)
{
    uint64_t state = (uint64_t)task;
    (void)input;
    (void)row;
    for (int64_t i = 0; i < work->at; i++)
        state = state * 0x5851f42d4c957f2du + 1;
    memcpy(result, &state, sizeof state);
}

/* The same, and a result that takes room. */
static void chain_and_fill(const struct work *work, const double *input, int64_t row, int64_t task,
                           void *result)
{
    uint64_t state;
    chain(work, input, row, task, &state);
    memset(result, (int)(state >> 56), work->result_bytes);
}

#define WIDE (INT64_C(5000) * 5000 * 8)

static const struct work works[] = {
    {"outer_200MB", 1000, 5000, true, WIDE, 0, outer},
    {"outer_40MB", 1000, 2236, true, INT64_C(2236) * 2236 * 8, 0, outer},
    {"fresh", 1000, 5000, true, WIDE, 0, outer},
    {"window", 1000, 2236, true, INT64_C(2236) * 2236 * 8, 0, outer},
    {"copy_200MB", 5000, 5000, false, WIDE, 0, copy},
    {"convolve", 1000, 5000, true, INT64_C(1000) * 5000 * 8, 0, convolution},
    {"convolve_sum", 1000, 5000, true, 8, 0, convolution_sum},
    {"row_means", 0, 1000, false, 8, 0, row_mean}, /* at: bytes of the matrix */
    {"result_sizes", 0, 0, false, 0, 0, fill},     /* at: bytes of a result */
    {"task_lengths", 0, 0, false, 8, 0, chain},    /* at: links of the chain */
    {"task_lengths_64KiB", 0, 0, false, 1 << 16, 0, chain_and_fill},
    {"task_lengths_2MiB", 0, 0, false, 2 << 20, 0, chain_and_fill},
    {"noop_imap", 0, 0, false, 8, 0, number}, /* at: window, 0 the default */
    {"noop_map", 0, 0, false, 8, 0, number},
    {"million_tasks", 0, 0, false, 256, 0, fill}, /* too large to travel in the record */
    {"workers_256", 0, 0, false, 8, 0, number},
};

struct work work_find(const char *bench, int64_t at)
{
    for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
        struct work work = works[i];
        if (strcmp(work.bench, bench))
            continue;
        work.at = at;
        if (work.compute == row_mean)
            work.rows = at / (work.columns * (int64_t)sizeof(double));
        if (!work.result_bytes)
            work.result_bytes = (size_t)at;
        return work;
    }
    bench_need(false, "no such bench");
    return works[0];
}

size_t work_input_bytes(const struct work *work)
{
    return (size_t)(work->rows * work->columns) * sizeof(double);
}

void work_fill(const struct work *work, double *input)
{
    struct random random;
    random_seed(&random, 1);
    random_fill(&random, input, work->rows * work->columns);
}

int64_t work_row(const struct work *work, int64_t task)
{
    uint64_t state = (uint64_t)task;
    if (work->compute == row_mean)
        return task % ROWS_READ * (work->rows / ROWS_READ);
    return work->rows ? random_below(&state, work->rows) : 0;
}

uint64_t work_consume(const struct work *work, int64_t task, const void *result)
{
    const size_t last = work->result_bytes / sizeof(uint64_t) - 1, at[3] = {0, last / 2, last};
    uint64_t sum = 0, word;
    for (int i = 0; i < 3; i++) {
        memcpy(&word, (const char *)result + at[i] * sizeof word, sizeof word);
        sum += word;
    }
    return sum * (2 * (uint64_t)task + 1);
}

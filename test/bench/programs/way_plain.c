/* One task after the other in one process, with one buffer. And for `convolve`, as impl raw: the
 * multiply-adds that its definition asks for, from registers and nothing else: what the processor
 * could do at best. */
#include "common/simd.h"
#include "way.h"

#include <stdlib.h>
#include <string.h>

static void *buffer;

static void open_sequential(void)
{
    buffer = malloc(way_work.result_bytes);
    bench_need(buffer != NULL, "memory for a result");
}

static void run_sequential(int64_t n, struct reply *reply)
{
    uint64_t sum = 0;
    double start = bench_now();
    for (int64_t task = 0; task < n; task++) {
        way_work.compute(&way_work, way_input, work_row(&way_work, task), task, buffer);
        sum += work_consume(&way_work, task, buffer);
    }
    way_reply(reply, n, bench_now() - start, sum);
}

static void close_sequential(void)
{
    free(buffer);
    buffer = NULL;
}

typedef double lanes __attribute__((vector_size(32)));
enum { CHAINS = 12, LANES = 4 };

/* As many vectors in flight as the convolution has sums. The factor is not known to the compiler,
 * so that every product is computed. */
#if defined(SIMD_AVX2)
SIMD_AVX2
#endif
static __attribute__((noinline)) double multiply_adds(int64_t n, const volatile double *factor)
{
    lanes sum[CHAINS], by = {*factor, *factor, *factor, *factor}, total = {0};
    for (int c = 0; c < CHAINS; c++)
        sum[c] = (lanes){(double)c};
    for (int64_t i = 0; i < n; i += CHAINS * LANES)
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            sum[c] = sum[c] * by + by;
    for (int c = 0; c < CHAINS; c++)
        total += sum[c];
    return total[0] + total[1] + total[2] + total[3];
}

static void run_multiply_adds(int64_t n, struct reply *reply)
{
    volatile double sink = 0, factor = 0.5;
    double start = bench_now();
    for (int64_t task = 0; task < n; task++)
        sink = sink + multiply_adds(INT64_C(1000) * 5000 * 400, &factor);
    reply_add(reply, "tasks_per_s", (double)n / (bench_now() - start));
}

const struct measure way_plain[] = {
    {NULL, "sequential", way_prepare, open_sequential, run_sequential, close_sequential},
    {"convolve", "raw", NULL, NULL, run_multiply_adds, NULL},
    {0},
};

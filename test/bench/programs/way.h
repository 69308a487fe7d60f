/* Parts that the ways of running a kernel share. */
#ifndef BENCH_WAY_H
#define BENCH_WAY_H

#include "bench.h"
#include "work.h"

#ifdef __cplusplus
extern "C" {
#endif

extern struct work way_work; /* the bench's kernel */
extern double *way_input;    /* its input, in plain memory */

/* Finds the kernel and fills its input. */
void way_prepare(void);

/* The answer of every way: the rate, and what the consumer saw. */
void way_reply(struct reply *reply, int64_t n_tasks, double seconds, uint64_t sum);

extern const struct measure way_plain[], way_omp[], way_pipe[], way_shmframe[], way_raw[];
extern const struct measure bench_roundtrip[], bench_loops[], bench_lookup[], bench_life[],
    bench_memory[], bench_inplace[];

#ifdef __cplusplus
}
#endif

#endif

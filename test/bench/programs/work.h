/* The kernels: plain C functions, compiled once and linked into the programs of all impls. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct work {
    const char *bench;
    int64_t rows, columns; /* of the input */
    bool labelled;         /* column-major, with labelled rows: a frame; else a row-major array */
    size_t result_bytes;
    int64_t at; /* the bench's parameter */
    void (*compute)(const struct work *work, const double *input, int64_t row, int64_t task,
                    void *result);
};

/* What the bench of this name computes; exits with a message when there is none. */
struct work work_find(const char *bench, int64_t at);

size_t work_input_bytes(const struct work *work);
void work_fill(const struct work *work, double *input); /* the same numbers in every program */

/* The row that the task works on. Labels are "Idx-0", "Idx-1", ... */
int64_t work_row(const struct work *work, int64_t task);

/* What every consumer does with a result: looks at its first, middle and last words. The sum over
 * all tasks does not depend on their order and must agree between all impls. */
uint64_t work_consume(const struct work *work, int64_t task, const void *result);

#ifdef __cplusplus
}
#endif

#endif

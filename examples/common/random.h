/* Random numbers that depend on a seed and on nothing else: seeded with shmf_task_seed, a task's
 * numbers are the same whatever the number of workers and whichever of them runs it. */
#ifndef EXAMPLES_RANDOM_H
#define EXAMPLES_RANDOM_H

#include <stdint.h>

/* Eight xoshiro256+ generators side by side, so that the loop over them vectorises. */
struct random {
    uint64_t state[4][8];
};

void random_seed(struct random *random, uint64_t seed);

/* n numbers, uniform in [0, 1). */
void random_fill(struct random *random, double *out, int64_t n);

/* The means of the columns of a random n_rows x n_columns matrix, which is seen one column at a
 * time: a column fits the cache, and of the matrix nothing but the means is needed. */
int random_column_means(uint64_t seed, int64_t n_rows, int64_t n_columns, double *means);

/* One number after the other, from a single word of state (splitmix64). */
uint64_t random_next(uint64_t *state);
int64_t random_below(uint64_t *state, int64_t limit);

#endif

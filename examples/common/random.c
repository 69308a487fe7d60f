#include "random.h"

#include "simd.h"

#include <stdlib.h>
#include <string.h>

typedef uint64_t words __attribute__((vector_size(32)));
typedef double doubles __attribute__((vector_size(32)));

uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int64_t random_below(uint64_t *state, int64_t limit)
{
    return (int64_t)(((unsigned __int128)random_next(state) * (uint64_t)limit) >> 64);
}

void random_seed(struct random *random, uint64_t seed)
{
    for (int word = 0; word < 4; word++)
        for (int lane = 0; lane < 8; lane++)
            random->state[word][lane] = random_next(&seed);
}

/* Eight numbers: the upper 52 bits of each sum become the fraction of a double in [1, 2). */
ALWAYS_INLINE void step(words state[4][2], double out[8])
{
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        words s0 = state[0][half], s1 = state[1][half], s2 = state[2][half], s3 = state[3][half];
        words bits = ((s0 + s3) >> 12) | 0x3ff0000000000000u;
        doubles number;
        memcpy(&number, &bits, sizeof number);
        number -= 1.0;
        memcpy(out + (size_t)half * 4, &number, sizeof number);
        words shifted = s1 << 17;
        s2 ^= s0;
        s3 ^= s1;
        state[1][half] = s1 ^ s2;
        state[0][half] = s0 ^ s3;
        state[2][half] = s2 ^ shifted;
        state[3][half] = (s3 << 45) | (s3 >> 19);
    }
}

ALWAYS_INLINE void fill(struct random *random, double *out, int64_t n)
{
    words state[4][2];
    double last[8];
    int64_t i = 0;
    memcpy(state, random->state, sizeof state);
    for (; i + 8 <= n; i += 8)
        step(state, out + i);
    if (i < n) {
        step(state, last);
        memcpy(out + i, last, (size_t)(n - i) * sizeof *out);
    }
    memcpy(random->state, state, sizeof state);
}

/* Four running sums: adding in a fixed order of our own is what lets the loop vectorise. */
ALWAYS_INLINE double mean(const double *values, int64_t n)
{
    doubles sum[2] = {{0}, {0}}, next;
    double total = 0;
    int64_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&next, values + i, sizeof next);
        sum[0] += next;
        memcpy(&next, values + i + 4, sizeof next);
        sum[1] += next;
    }
    for (; i < n; i++)
        total += values[i];
    sum[0] += sum[1];
    return (total + sum[0][0] + sum[0][1] + sum[0][2] + sum[0][3]) / (double)n;
}

ALWAYS_INLINE void column_means(struct random *random, int64_t n_rows, int64_t n_columns,
                                double *column, double *means)
{
    for (int64_t c = 0; c < n_columns; c++) {
        fill(random, column, n_rows);
        means[c] = mean(column, n_rows);
    }
}

#if defined(SIMD_AVX2)
SIMD_AVX2 static void fill_avx2(struct random *random, double *out, int64_t n)
{
    fill(random, out, n);
}

SIMD_AVX2 static void column_means_avx2(struct random *random, int64_t n_rows, int64_t n_columns,
                                        double *column, double *means)
{
    column_means(random, n_rows, n_columns, column, means);
}
#endif

void random_fill(struct random *random, double *out, int64_t n)
{
#if defined(SIMD_AVX2)
    if (simd_have_avx2()) {
        fill_avx2(random, out, n);
        return;
    }
#endif
    fill(random, out, n);
}

int random_column_means(uint64_t seed, int64_t n_rows, int64_t n_columns, double *means)
{
    struct random random;
    double *column = malloc((size_t)n_rows * sizeof *column);
    if (!column)
        return -1;
    random_seed(&random, seed);
#if defined(SIMD_AVX2)
    if (simd_have_avx2())
        column_means_avx2(&random, n_rows, n_columns, column, means);
    else
#endif
        column_means(&random, n_rows, n_columns, column, means);
    free(column);
    return 0;
}

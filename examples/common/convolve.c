#include "convolve.h"

#include "simd.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_COLUMNS  4
#define TILE_COLUMNS   16  /* a tile and its surroundings stay in the second-level cache */
#define TILE_ROWS      252 /* a multiple of every block's rows */
#define MAX_BLOCK_ROWS 12

#define BLOCK_TYPE(name)  BLOCK_TYPE_(name)
#define BLOCK_TYPE_(name) name##_vector

#define BLOCK block_128
#define LANES 2
#define TARGET
#include "convolve_block.h"
#undef BLOCK
#undef LANES
#undef TARGET

#if defined(SIMD_AVX2)
#define BLOCK  block_avx2
#define LANES  4
#define TARGET SIMD_AVX2
#include "convolve_block.h"
#endif

typedef void (*block_fn)(const double *lines, int64_t leading_dimension, int64_t n_lines,
                         const double *taps, int64_t n_shifts, double *out);

struct convolution {
    const struct grid *in;
    const struct kernel *kernel;
    block_fn block;
    int64_t block_rows;
    int64_t n_lines; /* of the padded tile that one block reads */
    double *taps;
    double *tile; /* the tile with its surroundings, whatever lies beyond the edges filled in */
    int64_t tile_dimension;
};

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Where element i is found, i being beyond the edges perhaps, and by more than n perhaps. */
static int64_t at_edge(int64_t i, int64_t n, enum edge edge)
{
    int64_t period = edge == EDGE_WRAP ? n : 2 * n;
    i %= period;
    if (i < 0)
        i += period;
    return i < n ? i : period - 1 - i;
}

/* The kernel turned around, since a convolution does that; column b of a block meets line l of
 * its tile under the kernel's column n - 1 - l + b. */
static void make_taps(const struct convolution *job)
{
    const struct kernel *kernel = job->kernel;
    double *tap = job->taps;
    for (int64_t line = 0; line < job->n_lines; line++)
        for (int64_t i = kernel->n_rows - 1; i >= 0; i--)
            for (int64_t b = 0; b < BLOCK_COLUMNS; b++, tap++) {
                int64_t j = kernel->n_columns - 1 - line + b;
                int inside = j >= 0 && j < kernel->n_columns;
                *tap = inside ? kernel->weights[i * kernel->n_columns + j] : 0;
            }
}

static void fill_tile(const struct convolution *job, int64_t first_row, int64_t n_rows,
                      int64_t first_column, int64_t n_columns)
{
    const struct grid *in = job->in;
    const struct kernel *kernel = job->kernel;
    int64_t top = first_row - (kernel->n_rows - 1 - kernel->n_rows / 2);
    int64_t left = first_column - (kernel->n_columns - 1 - kernel->n_columns / 2);
    int64_t height = n_rows + kernel->n_rows - 1;
    int64_t above = top < 0 ? smaller(-top, height) : 0; /* rows that lie beyond the edge */
    int64_t below = smaller(height, in->n_rows - top);   /* where they do so again */
    for (int64_t c = 0; c < n_columns + kernel->n_columns - 1; c++) {
        int64_t column = at_edge(left + c, in->n_columns, in->left_right);
        const double *from = in->data + column * in->leading_dimension;
        double *to = job->tile + c * job->tile_dimension;
        for (int64_t r = 0; r < above; r++)
            to[r] = from[at_edge(top + r, in->n_rows, in->top_bottom)];
        memcpy(to + above, from + top + above, (size_t)(below - above) * sizeof *to);
        for (int64_t r = below; r < height; r++)
            to[r] = from[at_edge(top + r, in->n_rows, in->top_bottom)];
    }
}

/* All blocks of a tile that was filled; the last ones may jut out and are written in part. */
static void convolve_tile(const struct convolution *job, int64_t n_rows, int64_t n_columns,
                          double *out, int64_t out_dimension)
{
    double block[BLOCK_COLUMNS * MAX_BLOCK_ROWS];
    for (int64_t c = 0; c < n_columns; c += BLOCK_COLUMNS) {
        int64_t columns = n_columns - c < BLOCK_COLUMNS ? n_columns - c : BLOCK_COLUMNS;
        for (int64_t r = 0; r < n_rows; r += job->block_rows) {
            int64_t rows = n_rows - r < job->block_rows ? n_rows - r : job->block_rows;
            job->block(job->tile + c * job->tile_dimension + r, job->tile_dimension, job->n_lines,
                       job->taps, job->kernel->n_rows, block);
            for (int64_t b = 0; b < columns; b++)
                memcpy(out + (c + b) * out_dimension + r, block + b * job->block_rows,
                       (size_t)rows * sizeof *out);
        }
    }
}

int convolve(const struct grid *in, const struct kernel *kernel, int64_t first, int64_t count,
             double *out, int64_t out_leading_dimension)
{
    struct convolution job = {.in = in, .kernel = kernel, .block = block_128, .block_rows = 6};
#if defined(SIMD_AVX2)
    if (simd_have_avx2()) {
        job.block = block_avx2;
        job.block_rows = 12;
    }
#endif
    job.n_lines = kernel->n_columns + BLOCK_COLUMNS - 1;
    job.tile_dimension = TILE_ROWS + kernel->n_rows - 1 + MAX_BLOCK_ROWS;
    int64_t n_taps = job.n_lines * kernel->n_rows * BLOCK_COLUMNS;
    int64_t n_tile = (TILE_COLUMNS + job.n_lines) * job.tile_dimension;
    job.taps = calloc((size_t)(n_taps + n_tile), sizeof *job.taps);
    if (!job.taps)
        return -1;
    job.tile = job.taps + n_taps;
    make_taps(&job);
    for (int64_t c = 0; c < count; c += TILE_COLUMNS) {
        int64_t columns = smaller(TILE_COLUMNS, count - c);
        for (int64_t r = 0; r < in->n_rows; r += TILE_ROWS) {
            int64_t rows = smaller(TILE_ROWS, in->n_rows - r);
            fill_tile(&job, r, rows, first + c, columns);
            convolve_tile(&job, rows, columns, out + c * out_leading_dimension + r,
                          out_leading_dimension);
        }
    }
    free(job.taps);
    return 0;
}

/* Two-dimensional convolution, as scipy.ndimage.convolve does it. */
#ifndef EXAMPLES_CONVOLVE_H
#define EXAMPLES_CONVOLVE_H

#include <stdint.h>

/* What lies beyond the edge: EDGE_REFLECT   d c b a | a b c d | d c b a
 *                            EDGE_WRAP      a b c d | a b c d | a b c d  */
enum edge { EDGE_REFLECT, EDGE_WRAP };

/* A column-major matrix: element (r, c) is at data + c * leading_dimension + r. */
struct grid {
    const double *data;
    int64_t n_rows;
    int64_t n_columns;
    int64_t leading_dimension;
    enum edge top_bottom;
    enum edge left_right;
};

/* A row-major kernel. Its centre is at (n_rows / 2, n_columns / 2), for even sizes too. */
struct kernel {
    const double *weights;
    int64_t n_rows;
    int64_t n_columns;
};

/* Columns first .. first + count - 1 of the convolved grid, column-major, into `out`:
 *     result(r, c) = sum over i, j of  kernel(i, j) * in(r + n_rows / 2 - i, c + n_columns / 2 - j)
 * Returns 0, or -1 when there is no memory for the scratch area (some 100 KB). */
int convolve(const struct grid *in, const struct kernel *kernel, int64_t first, int64_t count,
             double *out, int64_t out_leading_dimension);

#endif

/* The inner loop of the convolution; no include guard: convolve.c includes it once per instruction
 * set, with BLOCK the function's name, LANES the doubles in a vector, TARGET an attribute or empty.
 *
 * It computes 3 vectors of rows x 4 columns at once, in twelve registers. One shifted piece of an
 * input line serves all four columns, since column b sees it under the tap of line - b: so there
 * are twelve multiply-adds to seven loads, and the multipliers and not the loads set the pace. */
typedef double BLOCK_TYPE(BLOCK) __attribute__((vector_size(LANES * 8), aligned(8)));

/* `taps` has BLOCK_COLUMNS weights for each line and shift, zero where the kernel has ended. */
TARGET static void BLOCK(const double *lines, int64_t leading_dimension, int64_t n_lines,
                         const double *taps, int64_t n_shifts, double *out)
{
    BLOCK_TYPE(BLOCK) sum[BLOCK_COLUMNS][3], piece[3];
#pragma GCC unroll 4
    for (int b = 0; b < BLOCK_COLUMNS; b++)
#pragma GCC unroll 3
        for (int v = 0; v < 3; v++)
            sum[b][v] = (BLOCK_TYPE(BLOCK)){0};
    for (int64_t line = 0; line < n_lines; line++, lines += leading_dimension) {
        for (int64_t shift = 0; shift < n_shifts; shift++, taps += BLOCK_COLUMNS) {
#pragma GCC unroll 3
            for (int v = 0; v < 3; v++)
                piece[v] = *(const BLOCK_TYPE(BLOCK) *)(lines + shift + v * LANES);
#pragma GCC unroll 4
            for (int b = 0; b < BLOCK_COLUMNS; b++)
#pragma GCC unroll 3
                for (int v = 0; v < 3; v++)
                    sum[b][v] += piece[v] * taps[b];
        }
    }
#pragma GCC unroll 4
    for (int b = 0; b < BLOCK_COLUMNS; b++)
#pragma GCC unroll 3
        for (int v = 0; v < 3; v++, out += LANES)
            *(BLOCK_TYPE(BLOCK) *)out = sum[b][v];
}

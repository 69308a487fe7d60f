/* NumPy's file format, as far as the examples need it: one matrix of doubles. */
#ifndef EXAMPLES_NPY_H
#define EXAMPLES_NPY_H

#include <stdint.h>

/* DIRECTORY/NAME-NUMBER.npy; element (r, c) is at data + r * row_step + c * column_step.
 * 0, or -1 after a message. */
int npy_write(const char *directory, const char *name, int64_t number, const double *data,
              int64_t n_rows, int64_t n_columns, int64_t row_step, int64_t column_step);

#endif

#include "npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Magic, version 1.0, length of the description, a Python dictionary padded with blanks so that
 * the data begin at byte 128, a newline, the data. */
static int write_header(FILE *file, int64_t n_rows, int64_t n_columns)
{
    char header[128] = "\x93NUMPY\x01\x00\x76"; /* 0x76 = 118 bytes follow the first ten */
    int n =
        snprintf(header + 10, sizeof header - 10,
                 "{'descr': '<f8', 'fortran_order': True, 'shape': (%" PRId64 ", %" PRId64 "), }",
                 n_rows, n_columns);
    memset(header + 10 + n, ' ', sizeof header - 10 - (size_t)n);
    header[sizeof header - 1] = '\n';
    return fwrite(header, sizeof header, 1, file) == 1 ? 0 : -1;
}

int npy_write(const char *directory, const char *name, int64_t number, const double *data,
              int64_t n_rows, int64_t n_columns, int64_t row_step, int64_t column_step)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s-%" PRId64 ".npy", directory, name, number);
    FILE *file = fopen(path, "wb");
    int rc = file ? write_header(file, n_rows, n_columns) : -1;
    for (int64_t c = 0; rc == 0 && c < n_columns; c++)
        for (int64_t r = 0; rc == 0 && r < n_rows; r++)
            if (fwrite(data + r * row_step + c * column_step, sizeof *data, 1, file) != 1)
                rc = -1;
    if (file && fclose(file))
        rc = -1;
    if (rc)
        perror(path);
    return rc;
}

/* A variable with two dimensions as a frame. Files have row after row, frames column after column:
 * some rows at a time are read and turned. */
#include "frame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t BLOCK_BYTES = 4 << 20;

struct matrix {
    const struct shmfi_nc *nc;
    const struct shmfi_nc_variable *variable;
    bool unpack;
    enum shmf_dtype dtype; /* of values as they are read */
    struct shmfi_nc_missing missing;
};

/* `width` is a constant where it is called: what is copied is a number in a register. */
static inline void turn_width(struct shmf_frame *frame, size_t width, const char *block,
                              size_t first, size_t rows, size_t columns)
{
    for (size_t c = 0; c < columns; c++) {
        char *to = (char *)shmf_frame_data_mut(frame, (int64_t)c) + first * width;
        for (size_t r = 0; r < rows; r++)
            memcpy(to + r * width, block + (r * columns + c) * width, width);
    }
}

static void turn(struct shmf_frame *frame, enum shmf_dtype dtype, const void *block, size_t first,
                 size_t rows, size_t columns)
{
    switch (shmf_dtype_size(dtype)) {
    case 1:
        turn_width(frame, 1, block, first, rows, columns);
        break;
    case 2:
        turn_width(frame, 2, block, first, rows, columns);
        break;
    case 4:
        turn_width(frame, 4, block, first, rows, columns);
        break;
    default:
        turn_width(frame, 8, block, first, rows, columns);
    }
}

static int fill(const struct matrix *matrix, struct shmf_frame *frame)
{
    const size_t rows = matrix->variable->shape[0], columns = matrix->variable->shape[1];
    const size_t width = shmf_dtype_size(matrix->dtype);
    size_t most = columns ? BLOCK_BYTES / (columns * width) : 0;
    most = most < 1 ? 1 : most > rows ? rows : most;
    void *block = malloc(most * columns * width + 1);
    int rc = block ? SHMF_OK : shmfi_nc_said(matrix->nc, NC_ENOMEM, matrix->variable->name);
    for (size_t first = 0, n; !rc && columns && first < rows; first += n) {
        n = rows - first < most ? rows - first : most;
        rc = shmfi_nc_read(matrix->nc, matrix->variable, (size_t[]){first, 0},
                           (size_t[]){n, columns}, matrix->unpack, block);
        if (!rc)
            turn(frame, matrix->dtype, block, first, n, columns);
    }
    free(block);
    for (size_t c = 0; !rc && c < columns; c++)
        shmfi_nc_set_nulls(frame, (int64_t)c, shmf_frame_data_mut(frame, (int64_t)c), rows,
                           &matrix->missing, matrix->dtype);
    return rc;
}

/* Columns without a label of their own are "0", "1", ... */
static struct shmf_column_spec *make_columns(const struct matrix *matrix,
                                             const struct shmfi_nc_labels *labels, char **numbers)
{
    const size_t n = matrix->variable->shape[1];
    struct shmf_column_spec *columns = calloc(n + 1, sizeof *columns);
    *numbers = labels->pointers ? NULL : malloc(n * 24 + 1);
    if (!columns || (!labels->pointers && !*numbers)) {
        free(columns);
        return NULL;
    }
    for (size_t c = 0; c < n; c++) {
        if (*numbers)
            snprintf(*numbers + c * 24, 24, "%zu", c);
        columns[c] =
            (struct shmf_column_spec){labels->pointers ? labels->pointers[c] : *numbers + c * 24,
                                      matrix->dtype, matrix->missing.n > 0};
    }
    return columns;
}

static struct shmf_frame *make(const struct matrix *matrix, const struct shmfi_nc_labels labels[2],
                               const struct shmfi_nc_pairs *pairs)
{
    struct shmf_error err = {0};
    char *numbers = NULL;
    struct shmf_column_spec *columns = make_columns(matrix, &labels[1], &numbers);
    const struct shmf_frame_spec spec = {.n_rows = (int64_t)matrix->variable->shape[0],
                                         .n_columns = (int64_t)matrix->variable->shape[1],
                                         .columns = columns,
                                         .row_labels = labels[0].pointers,
                                         .row_numbers = labels[0].numbers,
                                         .metadata = pairs->pairs,
                                         .n_metadata = pairs->n};
    struct shmf_frame *frame = columns ? shmf_frame_new(&spec, &err) : NULL;
    if (!columns)
        shmfi_nc_said(matrix->nc, NC_ENOMEM, matrix->variable->name);
    else if (!frame)
        shmfi_nc_core_said(matrix->nc, &err);
    free(columns);
    free(numbers);
    return frame;
}

struct shmf_frame *shmfi_nc_read_matrix(const struct shmfi_nc *nc,
                                        const struct shmfi_nc_variable *variable, bool unpack)
{
    double factor, offset;
    struct matrix matrix = {
        nc, variable, unpack && shmfi_nc_scale(variable, &factor, &offset), variable->dtype, {0}};
    struct shmfi_nc_labels labels[2] = {0};
    struct shmfi_nc_pairs pairs = {0};
    struct shmfi_nc_variable of;
    struct shmf_frame *frame = NULL;
    shmfi_nc_find_missing(variable, &matrix.missing);
    if (matrix.unpack) { /* what is missing is NaN then */
        matrix.dtype = SHMF_FLOAT64;
        if (matrix.missing.n)
            matrix.missing = (struct shmfi_nc_missing){1, {{.number = (double)NAN}}};
    }
    int rc = SHMF_OK;
    for (int d = 0; d < 2 && !rc; d++)
        if (shmfi_nc_find_labels(nc, variable->group, variable->dims[d], &of))
            rc = shmfi_nc_read_labels(nc, &of, d == 1, &labels[d]);
    if (!rc && (!shmfi_nc_add_attributes(&pairs, variable->group, variable->id) ||
                !shmfi_nc_add_attributes(&pairs, nc->file, NC_GLOBAL)))
        rc = shmfi_nc_said(nc, NC_ENOMEM, variable->name);
    if (!rc)
        frame = make(&matrix, labels, &pairs);
    if (frame && fill(&matrix, frame)) {
        shmf_frame_free(frame);
        frame = NULL;
    }
    shmfi_nc_free_labels(&labels[0]);
    shmfi_nc_free_labels(&labels[1]);
    shmfi_nc_free_pairs(&pairs);
    return shmfi_nc_finish(nc, frame);
}

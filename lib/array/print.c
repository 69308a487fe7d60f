#include "array/array_internal.h"

#include "dtype/dtype.h"

#include <inttypes.h>
#include <string.h>

enum { SHOWN_ROWS = 6, SHOWN_COLUMNS = 6, PRECISION = 6 };

/* The matrix of the first two dimensions, at index 0 of all others; one dimension is one row. */
struct corner {
    uint32_t dtype;
    const unsigned char *data;
    int64_t rows, columns;
    int64_t row_stride, column_stride;
};

static struct corner corner_of(const struct shmf_array *array)
{
    const struct shmf_format_array *h = &array->header;
    bool flat = h->n_dims == 1;
    return (struct corner){
        .dtype = h->dtype,
        .data = array->data,
        .rows = flat ? 1 : h->shape[0],
        .columns = h->shape[flat ? 0 : 1],
        .row_stride = flat ? 0 : h->strides[0],
        .column_stride = h->strides[flat ? 0 : 1],
    };
}

/* The shown positions are 0 .. shown-1; those behind the middle stand for the last ones. */
static int64_t position(int64_t i, int64_t shown, int64_t all)
{
    return i < (shown + 1) / 2 ? i : all - shown + i;
}

static const unsigned char *element(const struct corner *corner, int64_t row, int64_t column)
{
    return corner->data + row * corner->row_stride + column * corner->column_stride;
}

/* Digits after the point for all of the corner, and the widest text then. */
static void measure(const struct corner *corner, int64_t rows, int64_t columns, int *decimals,
                    int *width)
{
    char text[SHMFI_ELEMENT_TEXT_SIZE];
    *decimals = 0;
    *width = 0;
    for (int64_t i = 0; i < rows * columns && *decimals >= 0; i++) {
        const void *at = element(corner, position(i / columns, rows, corner->rows),
                                 position(i % columns, columns, corner->columns));
        int needed = shmfi_element_decimals(corner->dtype, at, PRECISION);
        *decimals = needed < 0 || needed > *decimals ? needed : *decimals;
    }
    for (int64_t i = 0; i < rows * columns; i++) {
        const void *at = element(corner, position(i / columns, rows, corner->rows),
                                 position(i % columns, columns, corner->columns));
        int length = (int)shmfi_element_text(text, corner->dtype, at, PRECISION, *decimals);
        *width = length > *width ? length : *width;
    }
}

static void print_corner(const struct corner *corner, FILE *out)
{
    char text[SHMFI_ELEMENT_TEXT_SIZE];
    int decimals, width;
    int64_t rows = corner->rows < SHOWN_ROWS ? corner->rows : SHOWN_ROWS;
    int64_t columns = corner->columns < SHOWN_COLUMNS ? corner->columns : SHOWN_COLUMNS;
    measure(corner, rows, columns, &decimals, &width);
    for (int64_t r = 0; r < rows; r++) {
        if (rows < corner->rows && r == (rows + 1) / 2)
            fputs("...\n", out);
        for (int64_t c = 0; c < columns; c++) {
            if (columns < corner->columns && c == (columns + 1) / 2)
                fputs("  ...", out);
            shmfi_element_text(text, corner->dtype,
                               element(corner, position(r, rows, corner->rows),
                                       position(c, columns, corner->columns)),
                               PRECISION, decimals);
            fprintf(out, "%s%*s", c ? "  " : "", width, text);
        }
        fputc('\n', out);
    }
}

int shmf_array_print(const struct shmf_array *array, FILE *out)
{
    if (!array || !out)
        return SHMF_E_INVAL;
    fprintf(out, "array %s [", shmf_dtype_name((enum shmf_dtype)array->header.dtype));
    for (uint32_t d = 0; d < array->header.n_dims; d++)
        fprintf(out, "%s%" PRId64, d ? " x " : "", array->header.shape[d]);
    fputs("]\n", out);
    if (array->size) {
        struct corner corner = corner_of(array);
        print_corner(&corner, out);
    }
    return SHMF_OK;
}

#include "frame/compare.h"

#include "dtype/dtype.h"

#include <shmframe/derive.h>

#include <math.h>
#include <string.h>

/* Two that are not there are equal. */
static bool same_text(struct shmf_text a, struct shmf_text b)
{
    return a.size == b.size && !a.data == !b.data &&
           (a.size == 0 || memcmp(a.data, b.data, (size_t)a.size) == 0);
}

bool shmfi_same_column(const struct shmf_frame *a, const struct shmf_frame *b, int64_t column)
{
    struct shmf_type s = {0}, t = {0};
    shmf_frame_type(a, column, &s);
    shmf_frame_type(b, column, &t);
    return same_text(shmf_frame_column_label(a, column), shmf_frame_column_label(b, column)) &&
           s.dtype == t.dtype && s.unit == t.unit && s.index_dtype == t.index_dtype &&
           s.ordered == t.ordered && s.width == t.width && s.precision == t.precision &&
           s.scale == t.scale && same_text(s.zone, t.zone);
}

bool shmfi_same_categories(const struct shmf_frame *a, const struct shmf_frame *b, int64_t column)
{
    int64_t n = shmf_frame_n_categories(a, column);
    bool same = n == shmf_frame_n_categories(b, column);
    for (int64_t i = 0; i < n && same; i++)
        same = same_text(shmf_frame_category(a, column, i), shmf_frame_category(b, column, i));
    return same;
}

static bool same_row_label(const struct shmf_frame *a, const struct shmf_frame *b, int64_t row)
{
    int64_t s = 0, t = 0;
    if (shmf_frame_row_labels(a) == SHMF_ROWS_UTF8)
        return same_text(shmf_frame_row_text(a, row), shmf_frame_row_text(b, row));
    shmf_frame_row_number(a, row, &s);
    shmf_frame_row_number(b, row, &t);
    return s == t;
}

static bool same_double(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_float(float a, float b)
{
    return same_double((double)a, (double)b);
}

#define SAME_PARTS(type, n, same)                                                                  \
    do {                                                                                           \
        type s_[n], t_[n];                                                                         \
        memcpy(s_, a, sizeof s_);                                                                  \
        memcpy(t_, b, sizeof t_);                                                                  \
        return same(s_[0], t_[0]) && same(s_[(n)-1], t_[(n)-1]);                                   \
    } while (0)

static bool same_element(uint32_t dtype, const void *a, const void *b, size_t width)
{
    double s, t;
    switch (dtype) {
    case SHMF_FLOAT16:
        shmfi_dtype_to_double(dtype, a, &s);
        shmfi_dtype_to_double(dtype, b, &t);
        return same_double(s, t);
    case SHMF_FLOAT32:
        SAME_PARTS(float, 1, same_float);
    case SHMF_FLOAT64:
        SAME_PARTS(double, 1, same_double);
    case SHMF_COMPLEX64:
        SAME_PARTS(float, 2, same_float);
    case SHMF_COMPLEX128:
        SAME_PARTS(double, 2, same_double);
    default:
        return memcmp(a, b, width) == 0;
    }
}

static bool same_cell(const struct shmf_frame *a, const struct shmf_frame *b, int64_t row,
                      int64_t column)
{
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(a, column);
    uint8_t s, t;
    if (shmfi_dtype_is_string(descriptor->dtype) || descriptor->dtype == SHMF_DICTIONARY)
        return shmf_frame_is_null(a, row, column) == shmf_frame_is_null(b, row, column) &&
               same_text(shmf_frame_text(a, row, column), shmf_frame_text(b, row, column));
    const void *of_a = shmfi_frame_element(a, row, column, &s);
    const void *of_b = shmfi_frame_element(b, row, column, &t);
    size_t width = descriptor->dtype == SHMF_BOOL ? 1 : shmfi_format_width(descriptor);
    return of_a && of_b ? same_element(descriptor->dtype, of_a, of_b, width) : !of_a && !of_b;
}

/* Integers and the like, without nulls: all at once. */
static bool may_compare_bytes(const struct shmf_frame *a, const struct shmf_frame *b,
                              int64_t column)
{
    const struct shmf_format_column *s = shmfi_frame_descriptor(a, column);
    uint32_t class = shmfi_dtype_info(s->dtype)->class;
    return (class == SHMFI_CLASS_INTEGER || class == SHMFI_CLASS_TIME ||
            class == SHMFI_CLASS_DECIMAL || class == SHMFI_CLASS_FIXED_BINARY) &&
           !shmfi_frame_validity(a, s) &&
           !shmfi_frame_validity(b, shmfi_frame_descriptor(b, column));
}

static bool same_values(const struct shmf_frame *a, const struct shmf_frame *b, int64_t column)
{
    const struct shmf_format_column *s = shmfi_frame_descriptor(a, column);
    const struct shmf_format_column *t = shmfi_frame_descriptor(b, column);
    if (may_compare_bytes(a, b, column))
        return memcmp(a->base + s->data_offset, b->base + t->data_offset, s->data_size) == 0;
    bool same = true;
    for (int64_t r = 0; r < shmf_frame_rows(a) && same; r++)
        same = same_cell(a, b, r, column);
    return same;
}

int shmf_frame_equal(const struct shmf_frame *a, const struct shmf_frame *b)
{
    if (!a || !b)
        return SHMF_E_INVAL;
    if (shmf_frame_rows(a) != shmf_frame_rows(b) || shmf_frame_columns(a) != shmf_frame_columns(b))
        return 0;
    if ((shmf_frame_row_labels(a) == SHMF_ROWS_UTF8) !=
        (shmf_frame_row_labels(b) == SHMF_ROWS_UTF8))
        return 0;
    for (int64_t c = 0; c < shmf_frame_columns(a); c++)
        if (!shmfi_same_column(a, b, c) || !same_values(a, b, c))
            return 0;
    for (int64_t r = 0; r < shmf_frame_rows(a); r++)
        if (!same_row_label(a, b, r))
            return 0;
    return 1;
}

/* The C side of python_frame.py: a program that publishes frames and arrays that persist, and
 * compares.
 *
 *     numbers NAME ROWS   every dtype of numbers, without nulls ("int8") and with ("int8?"), and
 * text types NAME          the frame of typed_frame.h matrix NAME         1000 x 50 doubles,
 * element (r, c) is r + c / 100 array NAME          int32 [3 x 4 x 5], each element its number
 *     equal NAME OTHER    exit status 0: all columns of OTHER are those of NAME with their
 * labels */
#include "unit/typed_frame.h"

#include <shmframe/shmframe.h>
#include <stdlib.h>

enum { N_NUMBERS = SHMF_COMPLEX128, N_COLUMNS = 2 * (N_NUMBERS + 1) };

static int fail(const struct shmf_error *err)
{
    fprintf(stderr, "%s: %s\n", shmf_status_name(err->code), err->message);
    return 1;
}

static int publish(const struct shmf_frame *frame, const char *name, struct shmf_error *err)
{
    const struct shmf_publish_options options = {.policy = SHMF_PERSISTS};
    struct shmf_share *share = frame ? shmf_frame_publish(frame, name, &options, err) : NULL;
    if (!share)
        return fail(err);
    shmf_share_free(share);
    return 0;
}

/* Row r is r % 100 - 20 (of unsigned dtypes r % 100, of booleans r % 3 == 0); of floating numbers a
 * quarter of it; the imaginary part is r % 7. */
static void put(void *data, enum shmf_dtype dtype, int64_t r)
{
    const int64_t number = r % 100 - 20;
    const double quarter = (double)number / 4;
    switch (dtype) {
    case SHMF_BOOL:
        ((uint8_t *)data)[r / 8] |= (uint8_t)((r % 3 == 0) << (r % 8));
        break;
    case SHMF_INT8:
        ((int8_t *)data)[r] = (int8_t)number;
        break;
    case SHMF_INT16:
        ((int16_t *)data)[r] = (int16_t)number;
        break;
    case SHMF_INT32:
        ((int32_t *)data)[r] = (int32_t)number;
        break;
    case SHMF_INT64:
        ((int64_t *)data)[r] = number;
        break;
    case SHMF_UINT8:
        ((uint8_t *)data)[r] = (uint8_t)(r % 100);
        break;
    case SHMF_UINT16:
        ((uint16_t *)data)[r] = (uint16_t)(r % 100);
        break;
    case SHMF_UINT32:
        ((uint32_t *)data)[r] = (uint32_t)(r % 100);
        break;
    case SHMF_UINT64:
        ((uint64_t *)data)[r] = (uint64_t)(r % 100);
        break;
    case SHMF_FLOAT16:
        ((uint16_t *)data)[r] = (uint16_t)(r % 2 ? 0x3c00 : 0xb800);
        break; /* 1, -0.5 */
    case SHMF_FLOAT32:
        ((float *)data)[r] = (float)quarter;
        break;
    case SHMF_FLOAT64:
        ((double *)data)[r] = quarter;
        break;
    case SHMF_COMPLEX64:
        ((float *)data)[2 * r] = (float)quarter;
        ((float *)data)[2 * r + 1] = (float)(r % 7);
        break;
    default:
        ((double *)data)[2 * r] = quarter;
        ((double *)data)[2 * r + 1] = (double)(r % 7);
    }
}

/* Nulls are the rows r % 5 == 1; text is "textR", or nothing. */
static int numbers(const char *name, int64_t rows)
{
    static char labels[N_COLUMNS][16];
    struct shmf_column_spec columns[N_COLUMNS];
    const void *data[N_COLUMNS];
    const uint8_t *validity[N_COLUMNS];
    struct shmf_error err = {0};
    char(*texts)[32] = calloc((size_t)rows + 1, sizeof *texts);
    const char **row_labels = calloc((size_t)rows + 1, sizeof *row_labels);
    uint8_t *valid = calloc((size_t)rows / 8 + 1, 1);
    for (int64_t r = 0; r < rows; r++) {
        snprintf(texts[r], sizeof texts[r], "text%lld", (long long)r);
        row_labels[r] = texts[r];
        valid[r / 8] |= (uint8_t)((r % 5 != 1) << (r % 8));
    }
    for (int c = 0; c < N_COLUMNS; c++) {
        bool nulls = c > N_NUMBERS;
        enum shmf_dtype dtype = (enum shmf_dtype)(c % (N_NUMBERS + 1) + 1);
        snprintf(labels[c], sizeof labels[c], "%s%s", shmf_dtype_name(dtype), nulls ? "?" : "");
        columns[c] = (struct shmf_column_spec){.label = labels[c], .dtype = dtype};
        void *values = calloc((size_t)rows + 1, 16);
        for (int64_t r = 0; r < rows; r++) {
            if (dtype != SHMF_UTF8)
                put(values, dtype, r);
            else if (!nulls || r % 5 != 1)
                ((struct shmf_text *)values)[r] =
                    (struct shmf_text){texts[r], r % 2 ? 0 : (int64_t)strlen(texts[r])};
        }
        data[c] = values;
        validity[c] = nulls && dtype != SHMF_UTF8 ? valid : NULL;
    }
    const struct shmf_frame_spec spec = {
        .n_rows = rows, .n_columns = N_COLUMNS, .columns = columns, .row_labels = row_labels};
    return publish(shmf_frame_from_columns(&spec, data, validity, &err), name, &err);
}

static int matrix(const char *name)
{
    static double values[1000][50];
    const struct shmf_frame_spec spec = {
        .n_rows = 1000, .n_columns = 50, .dtype = SHMF_FLOAT64, .range_start = 10, .range_step = 2};
    struct shmf_error err = {0};
    for (int r = 0; r < 1000; r++)
        for (int c = 0; c < 50; c++)
            values[r][c] = r + c / 100.0;
    return publish(shmf_frame_from_matrix(&spec, values, sizeof values[0], sizeof(double), &err),
                   name, &err);
}

static int array(const char *name)
{
    int32_t values[60];
    struct shmf_error err = {0};
    for (int i = 0; i < 60; i++)
        values[i] = i;
    const struct shmf_publish_options options = {.policy = SHMF_PERSISTS};
    struct shmf_array *made =
        shmf_array_from_data(SHMF_INT32, 3, (int64_t[]){3, 4, 5}, NULL, values, &err);
    struct shmf_share *share = made ? shmf_array_publish(made, name, &options, &err) : NULL;
    shmf_array_free(made);
    if (!share)
        return fail(&err);
    shmf_share_free(share);
    return 0;
}

static int equal(const char *name, const char *other)
{
    struct shmf_error err = {0};
    struct shmf_frame *a = shmf_frame_attach(name, NULL, &err);
    struct shmf_frame *b = a ? shmf_frame_attach(other, NULL, &err) : NULL;
    if (!b)
        return fail(&err);
    int64_t n = shmf_frame_columns(b), *positions = calloc((size_t)n + 1, sizeof *positions);
    for (int64_t c = 0; c < n; c++) {
        struct shmf_text label = shmf_frame_column_label(b, c);
        char text[32];
        snprintf(text, sizeof text, "%.*s", (int)label.size, label.data);
        positions[c] = shmf_frame_column_loc(a, text);
    }
    struct shmf_frame *same = shmf_frame_select(a, positions, n, &err);
    int rc = !same ? fail(&err) : shmf_frame_equal(same, b) != 1;
    shmf_frame_free(same);
    shmf_frame_free(a);
    shmf_frame_free(b);
    free(positions);
    return rc;
}

int main(int n, char **args)
{
    struct shmf_error err = {0};
    if (n == 4 && strcmp(args[1], "numbers") == 0)
        return numbers(args[2], atoll(args[3]));
    if (n == 3 && strcmp(args[1], "types") == 0)
        return publish(typed_frame(&err), args[2], &err);
    if (n == 3 && strcmp(args[1], "matrix") == 0)
        return matrix(args[2]);
    if (n == 3 && strcmp(args[1], "array") == 0)
        return array(args[2]);
    if (n == 4 && strcmp(args[1], "equal") == 0)
        return equal(args[2], args[3]);
    return 2;
}

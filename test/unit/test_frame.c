/* frame/: making frames in place, from columns and from matrices; reading them again. */
#include "support/test.h"

#include <shmframe/frame.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct shmf_frame *make(int64_t n_rows, int64_t n_columns, enum shmf_dtype dtype)
{
    const struct shmf_frame_spec spec = {.n_rows = n_rows, .n_columns = n_columns, .dtype = dtype};
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    if (!frame)
        fail_msg("%s", err.message);
    return frame;
}

/* ---- making in place ---------------------------------------------------------------------- */

static void test_a_new_frame_has_shape_default_labels_and_aligned_columns(void **state)
{
    (void)state;
    struct shmf_frame *frame = make(10, 3, SHMF_FLOAT32);
    assert_int_equal(shmf_frame_rows(frame), 10);
    assert_int_equal(shmf_frame_columns(frame), 3);
    assert_int_equal(shmf_frame_row_labels(frame), SHMF_ROWS_RANGE);
    for (int64_t c = 0; c < 3; c++) {
        struct shmf_column column;
        assert_int_equal(shmf_frame_column(frame, c, &column), SHMF_OK);
        assert_int_equal(column.dtype, SHMF_FLOAT32);
        assert_int_equal(column.n_rows, 10);
        assert_int_equal(column.null_count, 0);
        assert_null(column.validity);
        assert_int_equal((uintptr_t)column.data % 64, 0);
    }
    assert_int_equal(shmf_frame_column_label(frame, 2).size, 1);
    assert_memory_equal(shmf_frame_column_label(frame, 2).data, "2", 1);
    shmf_frame_free(frame);
}

static void test_columns_are_written_until_the_frame_is_finished(void **state)
{
    (void)state;
    struct shmf_frame *frame = make(4, 2, SHMF_INT64);
    int64_t *data = shmf_frame_data_mut(frame, 1);
    assert_non_null(data);
    assert_null(shmf_frame_data_mut(frame, 2));
    assert_null(shmf_frame_data_mut(frame, -1));
    assert_null(shmf_frame_validity_mut(frame, 1));
    assert_true(shmf_frame_handle(frame).region == 0);
    data[3] = 77;
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    assert_null(shmf_frame_data_mut(frame, 1));
    assert_true(shmf_frame_handle(frame).region != 0);
    const int64_t *read = shmf_frame_data(frame, 1, SHMF_INT64);
    assert_int_equal(read[3], 77);
    assert_null(shmf_frame_data(frame, 1, SHMF_UINT64));
    assert_null(shmf_frame_data(frame, 2, SHMF_INT64));
    shmf_frame_free(frame);
}

static void test_nulls_are_counted_exactly_when_the_frame_is_finished(void **state)
{
    (void)state;
    for (int64_t n_rows = 0; n_rows < 200; n_rows += 13) {
        const struct shmf_column_spec columns[] = {{"a", SHMF_INT8, 1}, {"b", SHMF_BOOL, 1}};
        const struct shmf_frame_spec spec = {.n_rows = n_rows, .n_columns = 2, .columns = columns};
        struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
        assert_non_null(frame);
        uint8_t *validity = shmf_frame_validity_mut(frame, 0);
        int64_t nulls = 0;
        for (int64_t r = 0; r < n_rows; r++) {
            assert_true(validity[r / 8] >> (r % 8) & 1);
            if (r * r % 7 == 1) {
                validity[r / 8] &= (uint8_t) ~(1u << (r % 8));
                nulls++;
            }
        }
        if (n_rows % 8) /* what somebody leaves behind the last row does not count */
            validity[n_rows / 8] |= (uint8_t)(0xFFu << (n_rows % 8));
        assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
        struct shmf_column column;
        assert_int_equal(shmf_frame_column(frame, 0, &column), SHMF_OK);
        assert_int_equal(column.null_count, nulls);
        assert_true((column.validity != NULL) == (nulls > 0));
        if (nulls && n_rows % 8)
            assert_int_equal(column.validity[n_rows / 8] >> (n_rows % 8), 0);
        assert_int_equal(shmf_frame_column(frame, 1, &column), SHMF_OK);
        assert_int_equal(column.null_count, 0);
        assert_null(column.validity);
        shmf_frame_free(frame);
    }
}

static void test_padding_behind_every_buffer_is_zero_when_finished(void **state)
{
    (void)state;
    /* twice, so that the second one finds the old bytes of the first */
    for (int round = 0; round < 2; round++) {
        const struct shmf_column_spec columns[] = {
            {"a", SHMF_INT8, 1}, {"b", SHMF_BOOL, 0}, {"c", SHMF_COMPLEX128, 0}};
        const struct shmf_frame_spec spec = {.n_rows = 5, .n_columns = 3, .columns = columns};
        struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
        assert_non_null(frame);
        for (int64_t c = 0; c < 3; c++)
            memset(shmf_frame_data_mut(frame, c), 0xFF, c == 2 ? 128 : 64);
        uint8_t *validity = shmf_frame_validity_mut(frame, 0);
        memset(validity, 0xFF, 64);
        const uint8_t *bits = shmf_frame_data(frame, 1, SHMF_BOOL);
        const char *a = shmf_frame_data(frame, 0, SHMF_INT8);
        const char *c = shmf_frame_data(frame, 2, SHMF_COMPLEX128);
        assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
        assert_int_equal(validity[0], 0x1F);
        assert_int_equal(test_differs_from(validity + 1, 63, 0), -1);
        assert_int_equal(bits[0], 0x1F);
        assert_int_equal(test_differs_from(bits + 1, 63, 0), -1);
        assert_int_equal(test_differs_from(a, 5, 0xFF), -1);
        assert_int_equal(test_differs_from(a + 5, 59, 0), -1);
        assert_int_equal(test_differs_from(c + 80, 48, 0), -1);
        shmf_frame_free(frame);
    }
}

static void test_frames_without_rows_or_columns_are_fine(void **state)
{
    (void)state;
    const int64_t shapes[][2] = {{0, 0}, {0, 5}, {5, 0}, {0, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        struct shmf_frame *frame = make(shapes[i][0], shapes[i][1], SHMF_FLOAT64);
        assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
        struct shmf_frame *opened = shmf_frame_open(shmf_frame_handle(frame), NULL);
        assert_non_null(opened);
        assert_int_equal(shmf_frame_rows(opened), shapes[i][0]);
        assert_int_equal(shmf_frame_columns(opened), shapes[i][1]);
        struct shmf_matrix matrix;
        assert_int_equal(shmf_frame_matrix(opened, &matrix), SHMF_OK);
        assert_true(matrix.leading_dimension >= 1);
        shmf_frame_free(opened);
        shmf_frame_free(frame);
    }
    const struct shmf_frame_spec nothing = {0};
    struct shmf_frame *frame = shmf_frame_from_columns(&nothing, NULL, NULL, NULL);
    assert_non_null(frame);
    shmf_frame_free(frame);
}

/* ---- from columns ------------------------------------------------------------------------- */

static void test_columns_of_the_caller_are_copied_with_their_nulls(void **state)
{
    (void)state;
    const double prices[] = {1.5, 2.5, 3.5};
    const int32_t counts[] = {10, 20, 30};
    const uint8_t flags[] = {0x05};
    const void *data[] = {prices, counts, flags};
    const uint8_t *validity[] = {(const uint8_t[]){0x03}, (const uint8_t[]){0xFF}, NULL};
    const struct shmf_column_spec columns[] = {
        {"price", SHMF_FLOAT64, 0}, {"count", SHMF_INT32, 0}, {"flag", SHMF_BOOL, 0}};
    const struct shmf_frame_spec spec = {.n_rows = 3, .n_columns = 3, .columns = columns};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, data, validity, NULL);
    assert_non_null(frame);
    struct shmf_column column;
    assert_int_equal(shmf_frame_column(frame, 0, &column), SHMF_OK);
    assert_int_equal(column.null_count, 1);
    assert_non_null(column.validity);
    assert_memory_equal(column.data, prices, sizeof prices);
    assert_int_equal(shmf_frame_column(frame, 1, &column), SHMF_OK);
    assert_int_equal(column.null_count, 0);
    assert_memory_equal(column.data, counts, sizeof counts);
    double row[3];
    assert_int_equal(shmf_frame_row(frame, 2, row), SHMF_OK);
    assert_true(isnan(row[0]) && row[1] == 30 && row[2] == 1);
    assert_int_equal(shmf_frame_row(frame, 1, row), SHMF_OK);
    assert_true(row[0] == 2.5 && row[1] == 20 && row[2] == 0);
    shmf_frame_free(frame);
}

static void test_a_missing_column_is_named(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    const struct shmf_frame_spec spec = {.n_rows = 1, .n_columns = 2, .dtype = SHMF_INT8};
    assert_null(shmf_frame_from_columns(&spec, NULL, NULL, &err));
    assert_string_equal(err.message, "data: NULL");
    assert_null(shmf_frame_from_columns(&spec, (const void *[]){"x", NULL}, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_string_equal(err.message, "data[1]: NULL");
}

/* ---- matrices ----------------------------------------------------------------------------- */

/* All strides of a matrix of `size`-byte elements with n_rows x n_columns, mirrored ones too. */
static void check_from_matrix(enum shmf_dtype dtype, int64_t n_rows, int64_t n_columns)
{
    int64_t size = (int64_t)shmf_dtype_size(dtype), cells = n_rows * n_columns;
    char *matrix = malloc((size_t)(cells * size * 2));
    assert_non_null(matrix);
    test_fill(matrix, (size_t)(cells * size * 2), (uint64_t)cells);
    const int64_t strides[][2] = {
        {n_columns * size, size},   {size, n_rows * size},  {n_columns * size * 2, size * 2},
        {-n_columns * size, -size}, {size, -n_rows * size}, {0, size},
    };
    const struct shmf_frame_spec spec = {.n_rows = n_rows, .n_columns = n_columns, .dtype = dtype};
    for (size_t s = 0; s < sizeof strides / sizeof strides[0]; s++) {
        int64_t down = strides[s][0], right = strides[s][1];
        const char *origin = matrix + (down < 0 ? -down * (n_rows - 1) : 0) +
                             (right < 0 ? -right * (n_columns - 1) : 0);
        struct shmf_frame *frame = shmf_frame_from_matrix(&spec, origin, down, right, NULL);
        assert_non_null(frame);
        for (int64_t c = 0; c < n_columns; c++) {
            const char *column = shmf_frame_data(frame, c, dtype);
            for (int64_t r = 0; r < n_rows; r++)
                assert_memory_equal(column + r * size, origin + r * down + c * right, (size_t)size);
        }
        shmf_frame_free(frame);
    }
    free(matrix);
}

static void test_matrices_of_any_strides_and_width_are_copied_element_by_element(void **state)
{
    (void)state;
    check_from_matrix(SHMF_INT8, 33, 65);
    check_from_matrix(SHMF_FLOAT16, 100, 3);
    check_from_matrix(SHMF_UINT32, 31, 32);
    check_from_matrix(SHMF_FLOAT64, 40, 70);
    check_from_matrix(SHMF_COMPLEX128, 7, 129);
    check_from_matrix(SHMF_FLOAT64, 1, 1);
}

static void test_a_matrix_of_booleans_becomes_bits(void **state)
{
    (void)state;
    uint8_t bytes[11 * 3];
    for (int i = 0; i < 33; i++)
        bytes[i] = (uint8_t)(i % 5 ? i : 0);
    const struct shmf_frame_spec spec = {.n_rows = 11, .n_columns = 3, .dtype = SHMF_BOOL};
    struct shmf_frame *frame = shmf_frame_from_matrix(&spec, bytes, 3, 1, NULL);
    assert_non_null(frame);
    for (int64_t r = 0; r < 11; r++)
        for (int64_t c = 0; c < 3; c++) {
            double value;
            assert_int_equal(shmf_frame_cell(frame, r, c, &value), SHMF_OK);
            assert_true(value == (bytes[r * 3 + c] ? 1 : 0));
        }
    struct shmf_matrix matrix;
    assert_int_equal(shmf_frame_matrix(frame, &matrix), SHMF_E_DTYPE);
    shmf_frame_free(frame);
}

static void test_a_frame_of_one_dtype_is_a_column_major_matrix(void **state)
{
    (void)state;
    const int64_t rows[] = {1, 8, 1000, 512, 1024};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct shmf_frame *frame = make(rows[i], 50, SHMF_FLOAT64);
        for (int64_t c = 0; c < 50; c++)
            for (int64_t r = 0; r < rows[i]; r++)
                ((double *)shmf_frame_data_mut(frame, c))[r] = (double)(r * 100 + c);
        assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
        struct shmf_matrix matrix;
        assert_int_equal(shmf_frame_matrix(frame, &matrix), SHMF_OK);
        assert_int_equal(matrix.n_rows, rows[i]);
        assert_int_equal(matrix.n_columns, 50);
        assert_true(matrix.leading_dimension >= rows[i]);
        assert_true(matrix.leading_dimension * 8 % 4096 != 0); /* see docs/format.md */
        const double *data = matrix.data;
        for (int64_t c = 0; c < 50; c++)
            for (int64_t r = 0; r < rows[i]; r++)
                assert_true(data[c * matrix.leading_dimension + r] == (double)(r * 100 + c));
        shmf_frame_free(frame);
    }
}

static void test_a_frame_of_mixed_dtypes_or_with_nulls_is_no_matrix(void **state)
{
    (void)state;
    struct shmf_matrix matrix;
    const struct shmf_column_spec mixed[] = {{"a", SHMF_INT8, 0}, {"b", SHMF_UINT8, 0}};
    struct shmf_frame_spec spec = {.n_rows = 9, .n_columns = 2, .columns = mixed};
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    assert_int_equal(shmf_frame_matrix(frame, &matrix), SHMF_E_DTYPE);
    shmf_frame_free(frame);
    const struct shmf_column_spec nullable[] = {{"a", SHMF_INT8, 1}, {"b", SHMF_INT8, 1}};
    spec.columns = nullable;
    frame = shmf_frame_new(&spec, NULL);
    assert_int_equal(shmf_frame_matrix(frame, &matrix), SHMF_OK); /* all are valid at first */
    shmf_frame_validity_mut(frame, 1)[0] = 0xFE;
    assert_int_equal(shmf_frame_matrix(frame, &matrix), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    assert_int_equal(shmf_frame_matrix(frame, &matrix), SHMF_E_DTYPE);
    double value;
    assert_int_equal(shmf_frame_cell(frame, 0, 1, &value), SHMF_OK);
    assert_true(isnan(value));
    shmf_frame_free(frame);
}

/* ---- rows --------------------------------------------------------------------------------- */

static void test_rows_are_gathered_from_columns_of_every_dtype(void **state)
{
    (void)state;
    for (int dtype = SHMF_INT8; dtype <= SHMF_FLOAT64; dtype++) {
        size_t size = shmf_dtype_size((enum shmf_dtype)dtype);
        struct shmf_frame *frame = make(6, 9, (enum shmf_dtype)dtype);
        for (int64_t c = 0; c < 9; c++)
            test_fill(shmf_frame_data_mut(frame, c), 6 * size, (uint64_t)c);
        assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
        double row[9], value;
        for (int64_t r = 0; r < 6; r++) {
            assert_int_equal(shmf_frame_row(frame, r, row), SHMF_OK);
            for (int64_t c = 0; c < 9; c++) {
                assert_int_equal(shmf_frame_cell(frame, r, c, &value), SHMF_OK);
                assert_true(row[c] == value || (isnan(row[c]) && isnan(value)));
            }
        }
        shmf_frame_free(frame);
    }
}

static void test_places_outside_the_frame_and_complex_numbers_are_refused(void **state)
{
    (void)state;
    struct shmf_frame *frame = make(2, 2, SHMF_COMPLEX64);
    struct shmf_column column;
    double out[2];
    assert_int_equal(shmf_frame_column(frame, 2, &column), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_column(frame, -1, &column), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_row(frame, 2, out), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_row(frame, -1, out), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_cell(frame, 0, 2, out), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_cell(frame, 2, 0, out), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_row(frame, 0, out), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_cell(frame, 0, 0, out), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_row(frame, 0, NULL), SHMF_E_INVAL);
    shmf_frame_free(frame);
}

static void test_rows_without_columns_may_be_as_many_as_there_are_numbers(void **state)
{
    (void)state;
    const struct shmf_frame_spec spec = {.n_rows = INT64_MAX, .dtype = SHMF_INT16};
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    struct shmf_matrix matrix;
    assert_non_null(frame);
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    assert_int_equal(shmf_frame_row(frame, INT64_MAX - 1, NULL), SHMF_OK);
    assert_int_equal(shmf_frame_loc_number(frame, INT64_MAX - 1), INT64_MAX - 1);
    assert_int_equal(shmf_frame_matrix(frame, &matrix), SHMF_OK);
    assert_true(matrix.leading_dimension == INT64_MAX);
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_frame_has_shape_default_labels_and_aligned_columns),
        cmocka_unit_test(test_columns_are_written_until_the_frame_is_finished),
        cmocka_unit_test(test_nulls_are_counted_exactly_when_the_frame_is_finished),
        cmocka_unit_test(test_padding_behind_every_buffer_is_zero_when_finished),
        cmocka_unit_test(test_frames_without_rows_or_columns_are_fine),
        cmocka_unit_test(test_columns_of_the_caller_are_copied_with_their_nulls),
        cmocka_unit_test(test_a_missing_column_is_named),
        cmocka_unit_test(test_matrices_of_any_strides_and_width_are_copied_element_by_element),
        cmocka_unit_test(test_a_matrix_of_booleans_becomes_bits),
        cmocka_unit_test(test_a_frame_of_one_dtype_is_a_column_major_matrix),
        cmocka_unit_test(test_a_frame_of_mixed_dtypes_or_with_nulls_is_no_matrix),
        cmocka_unit_test(test_rows_are_gathered_from_columns_of_every_dtype),
        cmocka_unit_test(test_places_outside_the_frame_and_complex_numbers_are_refused),
        cmocka_unit_test(test_rows_without_columns_may_be_as_many_as_there_are_numbers),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}

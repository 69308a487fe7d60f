/* frame/: labels of rows and columns, looked up against what a search would find. */
#include "support/test.h"

#include <shmframe/frame.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct shmf_frame *finished(const struct shmf_frame_spec *spec)
{
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_frame_new(spec, &err);
    if (!frame)
        fail_msg("%s", err.message);
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    return frame;
}

static void assert_is(struct shmf_text text, const char *expected)
{
    assert_non_null(text.data);
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, strlen(expected));
}

/* ---- text --------------------------------------------------------------------------------- */

static void test_text_labels_are_found_and_read_back(void **state)
{
    (void)state;
    const char *const rows[] = {"Idx-0", "", "h\xC3\xA4user", "Idx-0", "z"};
    const char *const columns[] = {"lon", "lat", "lon"};
    const struct shmf_frame_spec spec = {.n_rows = 5,
                                         .n_columns = 3,
                                         .dtype = SHMF_FLOAT64,
                                         .row_labels = rows,
                                         .column_labels = columns};
    struct shmf_frame *frame = finished(&spec);
    assert_int_equal(shmf_frame_row_labels(frame), SHMF_ROWS_UTF8);
    assert_int_equal(shmf_frame_loc(frame, "Idx-0"), 0);
    assert_int_equal(shmf_frame_loc(frame, ""), 1);
    assert_int_equal(shmf_frame_loc(frame, "h\xC3\xA4user"), 2);
    assert_int_equal(shmf_frame_loc(frame, "z"), 4);
    assert_int_equal(shmf_frame_loc(frame, "Idx-1"), SHMF_E_NOTFOUND);
    int64_t count = 0;
    assert_int_equal(shmf_frame_loc_text(frame, (struct shmf_text){"Idx-0!", 5}, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(shmf_frame_column_loc(frame, "lon"), 0);
    assert_int_equal(shmf_frame_column_loc(frame, "lat"), 1);
    assert_int_equal(shmf_frame_column_loc(frame, "height"), SHMF_E_NOTFOUND);
    for (int64_t r = 0; r < 5; r++)
        assert_is(shmf_frame_row_text(frame, r), rows[r]);
    for (int64_t c = 0; c < 3; c++)
        assert_is(shmf_frame_column_label(frame, c), columns[c]);
    shmf_frame_free(frame);
}

static void test_labels_given_with_the_columns_count_as_well(void **state)
{
    (void)state;
    const struct shmf_column_spec columns[] = {{"a", SHMF_INT8, 0}, {"b", SHMF_FLOAT32, 1}};
    const struct shmf_frame_spec spec = {.n_rows = 2, .n_columns = 2, .columns = columns};
    struct shmf_frame *frame = finished(&spec);
    assert_int_equal(shmf_frame_column_loc(frame, "b"), 1);
    shmf_frame_free(frame);
}

static void test_columns_without_labels_are_numbered(void **state)
{
    (void)state;
    const struct shmf_frame_spec spec = {.n_rows = 0, .n_columns = 1234, .dtype = SHMF_INT8};
    struct shmf_frame *frame = finished(&spec);
    for (int64_t c = 0; c < 1234; c++) {
        char label[16];
        snprintf(label, sizeof label, "%d", (int)c);
        assert_is(shmf_frame_column_label(frame, c), label);
        assert_int_equal(shmf_frame_column_loc(frame, label), c);
    }
    shmf_frame_free(frame);
}

static void test_labels_outside_the_frame_are_no_text(void **state)
{
    (void)state;
    const char *const rows[] = {"a"};
    const struct shmf_frame_spec spec = {
        .n_rows = 1, .n_columns = 1, .dtype = SHMF_INT8, .row_labels = rows};
    struct shmf_frame *frame = finished(&spec);
    const int64_t outside[] = {-1, 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_null(shmf_frame_row_text(frame, outside[i]).data);
        assert_null(shmf_frame_column_label(frame, outside[i]).data);
    }
    shmf_frame_free(frame);
}

static void test_many_labels_with_duplicates_agree_with_a_search(void **state)
{
    (void)state;
    enum { ROWS = 2000, KINDS = 700 };
    char(*texts)[12] = calloc(ROWS, sizeof *texts);
    const char **rows = calloc(ROWS, sizeof *rows);
    int64_t first[KINDS], count[KINDS] = {0};
    assert_true(texts && rows);
    for (int64_t r = 0; r < ROWS; r++) {
        int64_t kind = r * r % KINDS;
        snprintf(texts[r], sizeof texts[r], "L%d", (int)kind);
        rows[r] = texts[r];
        if (count[kind]++ == 0)
            first[kind] = r;
    }
    const struct shmf_frame_spec spec = {.n_rows = ROWS, .row_labels = rows};
    struct shmf_frame *frame = finished(&spec);
    for (int64_t kind = 0; kind < KINDS; kind++) {
        char label[12];
        int64_t found = 0;
        int size = snprintf(label, sizeof label, "L%d", (int)kind);
        int64_t row = shmf_frame_loc_text(frame, (struct shmf_text){label, size}, &found);
        assert_int_equal(row, count[kind] ? first[kind] : SHMF_E_NOTFOUND);
        assert_int_equal(found, count[kind]);
    }
    shmf_frame_free(frame);
    free(rows);
    free(texts);
}

/* ---- numbers ------------------------------------------------------------------------------ */

static void test_int64_labels_are_found(void **state)
{
    (void)state;
    const int64_t numbers[] = {-90, 45, INT64_MAX, 45, INT64_MIN, 0};
    const struct shmf_frame_spec spec = {
        .n_rows = 6, .n_columns = 1, .dtype = SHMF_INT8, .row_numbers = numbers};
    struct shmf_frame *frame = finished(&spec);
    int64_t number;
    assert_int_equal(shmf_frame_row_labels(frame), SHMF_ROWS_INT64);
    for (int64_t r = 0; r < 6; r++) {
        assert_int_equal(shmf_frame_row_number(frame, r, &number), SHMF_OK);
        assert_int_equal(number, numbers[r]);
        assert_int_equal(shmf_frame_loc_number(frame, numbers[r]), r == 3 ? 1 : r);
    }
    assert_int_equal(shmf_frame_loc_number(frame, 1), SHMF_E_NOTFOUND);
    assert_int_equal(shmf_frame_row_number(frame, 6, &number), SHMF_E_RANGE);
    assert_null(shmf_frame_row_text(frame, 0).data);
    shmf_frame_free(frame);
}

static void check_range(int64_t start, int64_t step, int64_t n_rows)
{
    const struct shmf_frame_spec spec = {
        .n_rows = n_rows, .range_start = start, .range_step = step};
    struct shmf_frame *frame = finished(&spec);
    int64_t number, real_step = step ? step : 1;
    for (int64_t r = 0; r < n_rows; r++) {
        assert_int_equal(shmf_frame_row_number(frame, r, &number), SHMF_OK);
        assert_true(number == (int64_t)(start + (__int128)r * real_step));
        assert_int_equal(shmf_frame_loc_number(frame, number), r);
        if (real_step > 1 && number > INT64_MIN)
            assert_int_equal(shmf_frame_loc_number(frame, number - 1), SHMF_E_NOTFOUND);
    }
    const int64_t outside[] = {INT64_MIN, INT64_MAX};
    for (int i = 0; i < 2; i++) {
        int64_t row = shmf_frame_loc_number(frame, outside[i]);
        assert_true(row == SHMF_E_NOTFOUND || (row >= 0 && row < n_rows));
        if (row >= 0)
            assert_true(start + (__int128)row * real_step == outside[i]);
    }
    shmf_frame_free(frame);
}

static void test_ranges_are_found_by_arithmetic(void **state)
{
    (void)state;
    check_range(0, 0, 10);
    check_range(0, 0, 0);
    check_range(-5, 3, 10);
    check_range(100, -7, 50);
    check_range(INT64_MAX - 9, 1, 10);
    check_range(INT64_MIN, 1LL << 62, 4);
    check_range(INT64_MIN + 1, -1, 2);
}

/* ---- questions that make no sense ----------------------------------------------------------- */

static void test_labels_of_the_other_kind_are_a_wrong_dtype(void **state)
{
    (void)state;
    const char *const rows[] = {"a", "b"};
    const struct shmf_frame_spec range = {.n_rows = 2}, text = {.n_rows = 2, .row_labels = rows};
    struct shmf_frame *frame = finished(&range);
    assert_int_equal(shmf_frame_loc(frame, "0"), SHMF_E_DTYPE);
    shmf_frame_free(frame);
    frame = finished(&text);
    int64_t number;
    assert_int_equal(shmf_frame_loc_number(frame, 0), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_row_number(frame, 0, &number), SHMF_E_DTYPE);
    shmf_frame_free(frame);
}

static void test_null_is_refused_everywhere(void **state)
{
    (void)state;
    struct shmf_text none = {NULL, 0};
    struct shmf_column column;
    struct shmf_matrix matrix;
    double value;
    int64_t number;
    const struct shmf_frame_spec spec = {.n_rows = 1};
    struct shmf_frame *frame = finished(&spec);
    assert_int_equal(shmf_frame_loc(NULL, "a"), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc(frame, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_text(frame, none, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_number(NULL, 0), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_column_loc(NULL, "a"), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_column_loc(frame, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_row_number(NULL, 0, &number), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_row_number(frame, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_column(NULL, 0, &column), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_column(frame, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_matrix(NULL, &matrix), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_row(NULL, 0, &value), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_cell(NULL, 0, 0, &value), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_finish(NULL, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_print(NULL, stdout, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_rows(NULL) + shmf_frame_columns(NULL), 0);
    assert_int_equal(shmf_frame_row_labels(NULL), SHMF_ROWS_RANGE);
    assert_null(shmf_frame_row_text(NULL, 0).data);
    assert_null(shmf_frame_column_label(NULL, 0).data);
    assert_null(shmf_frame_data(NULL, 0, SHMF_INT8));
    assert_null(shmf_frame_data_mut(NULL, 0));
    assert_true(shmf_frame_handle(NULL).region == 0);
    shmf_frame_free(frame);
    shmf_frame_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_labels_are_found_and_read_back),
        cmocka_unit_test(test_labels_given_with_the_columns_count_as_well),
        cmocka_unit_test(test_columns_without_labels_are_numbered),
        cmocka_unit_test(test_labels_outside_the_frame_are_no_text),
        cmocka_unit_test(test_many_labels_with_duplicates_agree_with_a_search),
        cmocka_unit_test(test_int64_labels_are_found),
        cmocka_unit_test(test_ranges_are_found_by_arithmetic),
        cmocka_unit_test(test_labels_of_the_other_kind_are_a_wrong_dtype),
        cmocka_unit_test(test_null_is_refused_everywhere),
    };
    return cmocka_run_group_tests_name("frame labels", tests, NULL, NULL);
}

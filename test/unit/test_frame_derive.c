/* frame/: rows taken, frames put together, compared and described, against naive readings. */
#include "support/test.h"
#include "unit/random_frame.h"

#include <shmframe/derive.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void test_rows_are_taken_in_any_order_as_often_as_named(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        int64_t n = (int64_t)random_below(200) + 1, m = (int64_t)random_below(300);
        struct shmf_frame *frame = random_frame(n, round % 4 ? (unsigned)round : 0, round % 3);
        int64_t rows[300];
        for (int64_t i = 0; i < m; i++)
            rows[i] = (int64_t)random_below((uint64_t)n);
        struct shmf_frame *taken = shmf_frame_take(frame, rows, m, NULL);
        assert_non_null(taken);
        assert_int_equal(shmf_frame_rows(taken), m);
        assert_int_equal(shmf_frame_validate(taken, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
        for (int64_t i = 0; i < m; i++)
            assert_same_row(taken, i, frame, rows[i]);
        shmf_frame_free(taken);
        shmf_frame_free(frame);
    }
}

static void test_frames_are_put_one_below_the_other(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        const struct shmf_frame *parts[4];
        struct shmf_frame *owned[4];
        int64_t n = (int64_t)random_below(4) + 1, total = 0;
        for (int64_t i = 0; i < n; i++) {
            owned[i] = random_frame((int64_t)random_below(100), (unsigned)random_below(9),
                                    round % 3 == 2 ? 2 : (int)random_below(2));
            parts[i] = owned[i];
            total += shmf_frame_rows(owned[i]);
        }
        struct shmf_error err = {0};
        /* frames without a labelled row are ranges */
        bool text = shmf_frame_row_labels(parts[0]) == SHMF_ROWS_UTF8, mixed = false;
        for (int64_t i = 1; i < n; i++)
            mixed |= text != (shmf_frame_row_labels(parts[i]) == SHMF_ROWS_UTF8);
        struct shmf_frame *all = shmf_frame_concat(parts, n, &err);
        if (mixed) {
            assert_null(all);
            assert_int_equal(err.code, SHMF_E_DTYPE);
        } else {
            if (!all)
                fail_msg("%s", err.message);
            assert_int_equal(shmf_frame_rows(all), total);
            assert_int_equal(shmf_frame_validate(all, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
            for (int64_t i = 0, at = 0; i < n; i++)
                for (int64_t r = 0; r < shmf_frame_rows(parts[i]); r++)
                    assert_same_row(all, at++, parts[i], r);
        }
        shmf_frame_free(all);
        for (int64_t i = 0; i < n; i++)
            shmf_frame_free(owned[i]);
    }
}

static void test_ranges_that_continue_each_other_stay_a_range(void **state)
{
    (void)state;
    struct shmf_frame_spec one = {
        .n_rows = 3, .n_columns = 1, .dtype = SHMF_INT8, .range_start = 10, .range_step = -2};
    const int8_t data[] = {1, 2, 3};
    const void *const values[] = {data};
    struct shmf_frame *a = shmf_frame_from_columns(&one, values, NULL, NULL);
    one.range_start = 4;
    struct shmf_frame *b = shmf_frame_from_columns(&one, values, NULL, NULL);
    const struct shmf_frame *const forth[] = {a, b}, *const back[] = {b, a};
    struct shmf_frame *all = shmf_frame_concat(forth, 2, NULL);
    assert_int_equal(shmf_frame_row_labels(all), SHMF_ROWS_RANGE);
    assert_int_equal(shmf_frame_loc_number(all, 0), 5);
    shmf_frame_free(all);
    all = shmf_frame_concat(back, 2, NULL);
    assert_int_equal(shmf_frame_row_labels(all), SHMF_ROWS_INT64);
    assert_int_equal(shmf_frame_loc_number(all, 10), 3);
    shmf_frame_free(all);
    shmf_frame_free(a);
    shmf_frame_free(b);
}

static void test_frames_are_equal_when_all_that_is_read_is(void **state)
{
    (void)state;
    struct shmf_frame *a = random_frame(100, 5, 2);
    int64_t rows[100];
    for (int64_t i = 0; i < 100; i++)
        rows[i] = i;
    struct shmf_frame *b = shmf_frame_take(a, rows, 100, NULL);
    assert_int_equal(shmf_frame_equal(a, a), 1);
    assert_int_equal(shmf_frame_equal(a, b), 1);
    shmf_frame_free(b);
    b = shmf_frame_take(a, rows, 99, NULL);
    assert_int_equal(shmf_frame_equal(a, b), 0);
    shmf_frame_free(b);
    rows[99] = 98;
    b = shmf_frame_take(a, rows, 100, NULL);
    assert_int_equal(shmf_frame_equal(a, b), 0);
    shmf_frame_free(b);
    assert_int_equal(shmf_frame_equal(a, NULL), SHMF_E_INVAL);
    shmf_frame_free(a);
    struct shmf_frame *typed = typed_frame(NULL), *again = typed_frame(NULL);
    assert_int_equal(shmf_frame_equal(typed, again), 1);
    shmf_frame_free(typed);
    shmf_frame_free(again);
}

static struct shmf_frame *doubles(double first, double second)
{
    const struct shmf_frame_spec pair = {.n_rows = 2, .n_columns = 1, .dtype = SHMF_FLOAT64};
    const double values[] = {first, second};
    struct shmf_frame *frame = shmf_frame_from_matrix(&pair, values, 8, 16, NULL);
    assert_non_null(frame);
    return frame;
}

static void assert_equality(double a, double b, int expected)
{
    struct shmf_frame *s = doubles(a, 1), *t = doubles(b, 1);
    assert_int_equal(shmf_frame_equal(s, t), expected);
    shmf_frame_free(s);
    shmf_frame_free(t);
}

static void test_nan_is_equal_to_nan_and_zero_to_minus_zero(void **state)
{
    (void)state;
    assert_equality((double)NAN, -(double)NAN, 1);
    assert_equality(0.0, -0.0, 1);
    assert_equality(1, (double)NAN, 0);
    assert_equality(1, 1.0000000001, 0);
}

static void assert_near(double a, double b)
{
    if (!(isnan(a) && isnan(b)) && !(fabs(a - b) <= 1e-9 * (1 + fabs(b))))
        fail_msg("%.17g is not %.17g", a, b);
}

static void test_summaries_are_those_of_two_naive_passes(void **state)
{
    (void)state;
    for (int round = 0; round < 40; round++) {
        int64_t n = (int64_t)random_below(300);
        struct shmf_frame *frame = random_frame(n, (unsigned)round % 5, 0);
        for (int64_t c = NUMBER; c <= REAL; c++) {
            double sum = 0, squares = 0, least = (double)INFINITY, most = -(double)INFINITY, value;
            int64_t count = 0;
            for (int64_t r = 0; r < n; r++) {
                assert_int_equal(shmf_frame_cell(frame, r, c, &value), SHMF_OK);
                if (isnan(value))
                    continue;
                count++;
                sum += value;
                least = fmin(least, value);
                most = fmax(most, value);
            }
            double mean = count ? sum / (double)count : (double)NAN;
            for (int64_t r = 0; r < n; r++)
                if (shmf_frame_cell(frame, r, c, &value) == SHMF_OK && !isnan(value))
                    squares += (value - mean) * (value - mean);
            struct shmf_summary summary;
            assert_int_equal(shmf_frame_summarize(frame, c, &summary), SHMF_OK);
            assert_int_equal(summary.count, count);
            assert_int_equal(summary.nulls, n - count);
            assert_near(summary.mean, mean);
            assert_near(summary.std, count > 1 ? sqrt(squares / (double)(count - 1)) : (double)NAN);
            assert_near(summary.min, count ? least : (double)NAN);
            assert_near(summary.max, count ? most : (double)NAN);
        }
        shmf_frame_free(frame);
    }
}

/* More rows than are added up at once, and what a plain sum could not hold. */
static void test_summaries_of_many_rows_neither_overflow_nor_lose_what_is_small(void **state)
{
    (void)state;
    enum { ROWS = 1001 };
    const struct shmf_frame_spec spec = {.n_rows = ROWS, .n_columns = 4, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    struct shmf_summary summary;
    assert_non_null(frame);
    double *huge = shmf_frame_data_mut(frame, 0), *small = shmf_frame_data_mut(frame, 1);
    double *holes = shmf_frame_data_mut(frame, 2), *endless = shmf_frame_data_mut(frame, 3);
    for (int i = 0; i < ROWS; i++) {
        huge[i] = 1.7e308;
        small[i] = 1e15 + i % 2;
        holes[i] = i % 256 > 253 ? (double)NAN : i;
        endless[i] = i == 600 ? (double)INFINITY : 1;
    }
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    assert_int_equal(shmf_frame_summarize(frame, 0, &summary), SHMF_OK);
    assert_true(summary.mean == 1.7e308 && summary.std == 0 && summary.count == ROWS);
    assert_int_equal(shmf_frame_summarize(frame, 1, &summary), SHMF_OK);
    assert_true(fabs(summary.std - sqrt(500.0 * 501 / ROWS / 1000)) < 1e-3);
    assert_true(fabs(summary.mean - 1e15 - 500.0 / ROWS) <= 0.25);
    assert_int_equal(shmf_frame_summarize(frame, 2, &summary), SHMF_OK);
    assert_true(summary.nulls == 6 && summary.count == ROWS - 6 && summary.min == 0 &&
                summary.max == ROWS - 1);
    assert_int_equal(shmf_frame_summarize(frame, 3, &summary), SHMF_OK);
    assert_true(!isfinite(summary.mean) && summary.max == (double)INFINITY && summary.min == 1);
    shmf_frame_free(frame);
}

static void test_a_description_has_the_columns_that_can_be_summarized(void **state)
{
    (void)state;
    struct shmf_frame *frame = random_frame(50, 7, 2);
    struct shmf_frame *described = shmf_frame_describe(frame, NULL);
    assert_non_null(described);
    assert_int_equal(shmf_frame_rows(described), 6);
    assert_int_equal(shmf_frame_columns(described), 3);
    struct shmf_summary summary;
    double value;
    assert_int_equal(shmf_frame_summarize(frame, REAL, &summary), SHMF_OK);
    assert_int_equal(shmf_frame_column_loc(described, "real"), 2);
    assert_int_equal(shmf_frame_cell(described, shmf_frame_loc(described, "max"), 2, &value), 0);
    assert_true(value == summary.max);
    assert_int_equal(shmf_frame_cell(described, shmf_frame_loc(described, "nulls"), 2, &value), 0);
    assert_true(value == (double)summary.nulls);
    assert_int_equal(shmf_frame_summarize(frame, WORD, &summary), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_summarize(frame, WAVE, &summary), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_summarize(frame, N_COLUMNS, &summary), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_summarize(frame, 0, NULL), SHMF_E_INVAL);
    assert_null(shmf_frame_describe(NULL, NULL));
    shmf_frame_free(described);
    shmf_frame_free(frame);
}

static void test_batches_of_labels_are_found_as_by_looking_at_every_row(void **state)
{
    (void)state;
    enum { N = 200 };
    struct shmf_frame *texts = random_frame(N, 0, 2), *numbers = random_frame(N, 0, 1);
    char bytes[N][8];
    struct shmf_text labels[N];
    int64_t wanted[N], rows[N], found = 0;
    for (int64_t i = 0; i < N; i++) {
        wanted[i] = (int64_t)random_below(N + 20);
        labels[i] = (struct shmf_text){
            bytes[i], snprintf(bytes[i], sizeof bytes[i], "r%lld", (long long)wanted[i])};
    }
    int64_t n = shmf_frame_loc_texts(texts, labels, N, rows);
    for (int64_t i = 0; i < N; i++) {
        int64_t r = 0;
        for (; r < N; r++) {
            struct shmf_text text = shmf_frame_row_text(texts, r);
            if (text.size == labels[i].size && !memcmp(text.data, bytes[i], (size_t)text.size))
                break;
        }
        assert_int_equal(rows[i], r < N ? r : SHMF_E_NOTFOUND);
        found += r < N;
    }
    assert_int_equal(n, found);
    n = shmf_frame_loc_numbers(numbers, wanted, N, rows);
    found = 0;
    for (int64_t i = 0; i < N; i++) {
        int64_t r = 0, number;
        for (; r < N && shmf_frame_row_number(numbers, r, &number) == 0 && number != wanted[i];)
            r++;
        assert_int_equal(rows[i], r < N ? r : SHMF_E_NOTFOUND);
        found += r < N;
    }
    assert_int_equal(n, found);
    assert_int_equal(shmf_frame_loc_numbers(texts, wanted, N, rows), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_loc_texts(numbers, labels, N, rows), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_loc_texts(texts, NULL, 1, rows), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_numbers(numbers, wanted, -1, rows), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_numbers(numbers, NULL, 0, NULL), 0);
    shmf_frame_free(texts);
    shmf_frame_free(numbers);
}

static void test_what_cannot_be_derived_is_refused(void **state)
{
    (void)state;
    struct shmf_frame *a = random_frame(3, 0, 0), *b = typed_frame(NULL), *c = doubles(1, 2);
    const struct shmf_frame_spec like_c = {.n_rows = 2, .n_columns = 1, .dtype = SHMF_FLOAT32};
    const float cells[] = {1, 2};
    struct shmf_frame *d = shmf_frame_from_matrix(&like_c, cells, 4, 8, NULL);
    const struct shmf_frame *const other_shape[] = {a, b}, *const other_dtype[] = {c, d},
                                   *const none[] = {a, NULL};
    const int64_t rows[] = {0, 3}, negative[] = {-1};
    struct shmf_error err = {0};
    assert_null(shmf_frame_take(a, rows, 2, &err));
    assert_string_equal(err.message, "rows[1]: there is no row 3");
    assert_null(shmf_frame_take(a, negative, 1, &err));
    assert_int_equal(err.code, SHMF_E_RANGE);
    assert_null(shmf_frame_take(NULL, rows, 1, NULL));
    assert_null(shmf_frame_take(a, NULL, 1, NULL));
    assert_null(shmf_frame_take(a, rows, -1, NULL));
    assert_null(shmf_frame_concat(other_shape, 2, &err));
    assert_string_equal(err.message, "frames[1]: 13 columns, the first has 6");
    assert_null(shmf_frame_concat(other_dtype, 2, &err));
    assert_string_equal(err.message, "frames[1]: column 0 differs from that of the first");
    assert_null(shmf_frame_concat(none, 2, &err));
    assert_string_equal(err.message, "frames[1]: NULL");
    assert_null(shmf_frame_concat(none, 0, &err));
    shmf_frame_free(a);
    shmf_frame_free(b);
    shmf_frame_free(c);
    shmf_frame_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_taken_in_any_order_as_often_as_named),
        cmocka_unit_test(test_frames_are_put_one_below_the_other),
        cmocka_unit_test(test_ranges_that_continue_each_other_stay_a_range),
        cmocka_unit_test(test_frames_are_equal_when_all_that_is_read_is),
        cmocka_unit_test(test_nan_is_equal_to_nan_and_zero_to_minus_zero),
        cmocka_unit_test(test_summaries_are_those_of_two_naive_passes),
        cmocka_unit_test(test_summaries_of_many_rows_neither_overflow_nor_lose_what_is_small),
        cmocka_unit_test(test_a_description_has_the_columns_that_can_be_summarized),
        cmocka_unit_test(test_batches_of_labels_are_found_as_by_looking_at_every_row),
        cmocka_unit_test(test_what_cannot_be_derived_is_refused),
    };
    return cmocka_run_group_tests_name("frame derive", tests, NULL, NULL);
}

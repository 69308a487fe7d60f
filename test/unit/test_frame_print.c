/* frame/: what a printed frame looks like. */
#include "support/test.h"

#include <shmframe/frame.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_printed(const struct shmf_frame *frame, const struct shmf_print_options *options,
                           const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(shmf_frame_print(frame, out, options), SHMF_OK);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_small_frames_are_printed_whole_with_labels_dtypes_and_shape(void **state)
{
    (void)state;
    const char *const rows[] = {"ab", "c", "def"};
    const struct shmf_column_spec columns[] = {
        {"price", SHMF_FLOAT64, 0}, {"n", SHMF_INT32, 0}, {"ok", SHMF_BOOL, 0}};
    const struct shmf_frame_spec spec = {
        .n_rows = 3, .n_columns = 3, .columns = columns, .row_labels = rows};
    const double price[] = {1.5, -22.125, 3};
    const int32_t n[] = {7, -100, 12};
    const void *const data[] = {price, n, "\x05"};
    const uint8_t *const validity[] = {NULL, (const uint8_t[]){0x03}, NULL};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, data, validity, NULL);
    assert_non_null(frame);
    assert_printed(frame, NULL,
                   "       price      n     ok\n"
                   "     float64  int32   bool\n"
                   "ab     1.500      7   true\n"
                   "c    -22.125   -100  false\n"
                   "def    3.000   null   true\n"
                   "\n"
                   "[3 rows x 3 columns]\n");
    assert_printed(frame, &(struct shmf_print_options){.no_dtypes = 1, .precision = 3},
                   "     price     n     ok\n"
                   "ab     1.5     7   true\n"
                   "c    -22.1  -100  false\n"
                   "def    3.0  null   true\n"
                   "\n"
                   "[3 rows x 3 columns]\n");
    shmf_frame_free(frame);
}

static struct shmf_frame *numbered(int64_t n_rows, int64_t n_columns)
{
    const struct shmf_frame_spec spec = {
        .n_rows = n_rows, .n_columns = n_columns, .dtype = SHMF_INT16};
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    assert_non_null(frame);
    for (int64_t c = 0; c < n_columns; c++)
        for (int64_t r = 0; r < n_rows; r++)
            ((int16_t *)shmf_frame_data_mut(frame, c))[r] = (int16_t)(r * 10 + c);
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    return frame;
}

static void test_the_middle_of_large_frames_is_elided(void **state)
{
    (void)state;
    struct shmf_frame *frame = numbered(7, 7);
    assert_printed(frame, &(struct shmf_print_options){.max_rows = 4, .max_columns = 3},
                   "         0      1  ...      6\n"
                   "     int16  int16  ...  int16\n"
                   "0        0      1  ...      6\n"
                   "1       10     11  ...     16\n"
                   "...    ...    ...  ...    ...\n"
                   "5       50     51  ...     56\n"
                   "6       60     61  ...     66\n"
                   "\n"
                   "[7 rows x 7 columns]\n");
    shmf_frame_free(frame);
}

static void test_just_as_many_as_may_be_shown_are_not_elided(void **state)
{
    (void)state;
    struct shmf_frame *frame = numbered(2, 2);
    assert_printed(frame, &(struct shmf_print_options){.max_rows = 2, .max_columns = 2},
                   "       0      1\n"
                   "   int16  int16\n"
                   "0      0      1\n"
                   "1     10     11\n"
                   "\n"
                   "[2 rows x 2 columns]\n");
    shmf_frame_free(frame);
}

static void test_frames_without_rows_or_columns_are_printed(void **state)
{
    (void)state;
    struct shmf_frame *frame = numbered(0, 2);
    assert_printed(frame, NULL, "      0      1\n  int16  int16\n\n[0 rows x 2 columns]\n");
    shmf_frame_free(frame);
    frame = numbered(3, 0);
    assert_printed(frame, NULL, "[3 rows x 0 columns]\n");
    shmf_frame_free(frame);
}

static void test_wide_and_combining_characters_keep_the_columns_aligned(void **state)
{
    (void)state;
    const char *const rows[] = {"\xE6\x9D\xB1\xE4\xBA\xAC", "ha\xCC\x88", "x\ty"};
    const char *const columns[] = {"\xC3\xA9t\xC3\xA9"};
    const struct shmf_frame_spec spec = {.n_rows = 3,
                                         .n_columns = 1,
                                         .dtype = SHMF_INT8,
                                         .row_labels = rows,
                                         .column_labels = columns};
    struct shmf_frame *frame =
        shmf_frame_from_columns(&spec, (const void *[]){"\1\2\3"}, NULL, NULL);
    assert_non_null(frame);
    assert_printed(frame, NULL,
                   "       \xC3\xA9t\xC3\xA9\n"
                   "      int8\n"
                   "\xE6\x9D\xB1\xE4\xBA\xAC     1\n"
                   "ha\xCC\x88       2\n"
                   "x\xEF\xBF\xBDy      3\n"
                   "\n"
                   "[3 rows x 1 columns]\n");
    shmf_frame_free(frame);
}

static void test_a_column_with_huge_numbers_uses_exponents(void **state)
{
    (void)state;
    const double values[] = {1e20, 0.5, (double)NAN};
    const struct shmf_frame_spec spec = {.n_rows = 3, .n_columns = 1, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, (const void *[]){values}, NULL, NULL);
    assert_non_null(frame);
    assert_printed(frame, NULL,
                   "         0\n"
                   "   float64\n"
                   "0    1e+20\n"
                   "1      0.5\n"
                   "2      nan\n"
                   "\n"
                   "[3 rows x 1 columns]\n");
    shmf_frame_free(frame);
}

static void test_options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct shmf_frame *frame = numbered(1, 1);
    const struct shmf_print_options bad[] = {
        {.max_rows = -1}, {.max_columns = -1}, {.precision = -1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(shmf_frame_print(frame, stdout, &bad[i]), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_print(frame, NULL, NULL), SHMF_E_INVAL);
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_frames_are_printed_whole_with_labels_dtypes_and_shape),
        cmocka_unit_test(test_the_middle_of_large_frames_is_elided),
        cmocka_unit_test(test_just_as_many_as_may_be_shown_are_not_elided),
        cmocka_unit_test(test_frames_without_rows_or_columns_are_printed),
        cmocka_unit_test(test_wide_and_combining_characters_keep_the_columns_aligned),
        cmocka_unit_test(test_a_column_with_huge_numbers_uses_exponents),
        cmocka_unit_test(test_options_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests_name("frame print", tests, NULL, NULL);
}

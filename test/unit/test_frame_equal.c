/* frame/: frames that differ in one thing are not equal, whatever it is. */
#include "support/test.h"
#include "unit/typed_frame.h"

#include <shmframe/derive.h>

#include <math.h>

static struct shmf_frame *one_column(const struct shmf_column_spec *column,
                                     const struct shmf_column_details *details, int64_t n,
                                     const void *data)
{
    const struct shmf_frame_spec spec = {
        .n_rows = n, .n_columns = 1, .columns = column, .details = details};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, &data, NULL, NULL);
    assert_non_null(frame);
    return frame;
}

static void assert_equality(struct shmf_frame *a, struct shmf_frame *b, int expected)
{
    assert_int_equal(shmf_frame_equal(a, b), expected);
    assert_int_equal(shmf_frame_equal(b, a), expected);
    shmf_frame_free(a);
    shmf_frame_free(b);
}

/* ---- types ----------------------------------------------------------------------------------- */

static const struct {
    enum shmf_dtype dtype, other;
    struct shmf_type a, b;
} types[] = {
    {SHMF_INT32, SHMF_UINT32, {0}, {0}},
    {SHMF_FIXED_BINARY, SHMF_FIXED_BINARY, {.width = 4}, {.width = 5}},
    {SHMF_TIMESTAMP, SHMF_TIMESTAMP, {.unit = SHMF_SECONDS}, {.unit = SHMF_NANOSECONDS}},
    {SHMF_TIMESTAMP,
     SHMF_TIMESTAMP,
     {.unit = SHMF_SECONDS, .zone = TEXT("UTC")},
     {.unit = SHMF_SECONDS}},
    {SHMF_TIMESTAMP,
     SHMF_TIMESTAMP,
     {.unit = SHMF_SECONDS, .zone = TEXT("UTC")},
     {.unit = SHMF_SECONDS, .zone = TEXT("GMT")}},
    {SHMF_DECIMAL128, SHMF_DECIMAL128, {.precision = 5}, {.precision = 6}},
    {SHMF_DECIMAL128, SHMF_DECIMAL128, {.precision = 5, .scale = 1}, {.precision = 5, .scale = -1}},
    {SHMF_DICTIONARY, SHMF_DICTIONARY, {.index_dtype = SHMF_INT8}, {.index_dtype = SHMF_UINT8}},
    {SHMF_DICTIONARY, SHMF_DICTIONARY, {.ordered = 1}, {0}},
};

static struct shmf_frame *without_rows(const char *label, enum shmf_dtype dtype,
                                       const struct shmf_type *type)
{
    const struct shmf_column_spec column = {label, dtype, 0};
    const struct shmf_column_details details = {.type = *type};
    return one_column(&column, &details, 0, NULL);
}

static void test_columns_of_another_type_or_label_are_not_equal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        assert_equality(without_rows("x", types[i].dtype, &types[i].a),
                        without_rows("x", types[i].other, &types[i].b), 0);
        assert_equality(without_rows("x", types[i].dtype, &types[i].a),
                        without_rows("x", types[i].dtype, &types[i].a), 1);
        assert_equality(without_rows("x", types[i].dtype, &types[i].a),
                        without_rows("y", types[i].dtype, &types[i].a), 0);
    }
    const struct shmf_type none = {0};
    assert_equality(without_rows("", SHMF_INT8, &none), without_rows("long", SHMF_INT8, &none), 0);
}

/* ---- values ---------------------------------------------------------------------------------- */

static struct shmf_frame *pair(enum shmf_dtype dtype, const void *data)
{
    const struct shmf_column_spec column = {"x", dtype, 0};
    return one_column(&column, NULL, 2, data);
}

static void test_numbers_are_compared_as_numbers(void **state)
{
    (void)state;
    const double d[] = {1, (double)NAN, 0, 2}, e[] = {1, (double)NAN, -0.0, 2};
    const double f[] = {1, 1, 0, 2}, h[] = {5, 1, 0, 2}, g[] = {1, (double)NAN, 0, 3};
    const float s[] = {1, (float)NAN, 0, 2}, t[] = {1, (float)NAN, -0.0f, 2};
    const float u[] = {1, 1, 0, 2}, w[] = {5, 1, 0, 2}, v[] = {1, (float)NAN, 0, 3};
    const uint16_t half[] = {0x0000, 0x7E00}, minus[] = {0x8000, 0x7E01}, one[] = {0x3C00, 0x7E00};
    const int8_t small[] = {1, 2}, other[] = {1, 3};
    const uint8_t bits[] = {1}, less[] = {3};
    assert_equality(pair(SHMF_FLOAT64, d), pair(SHMF_FLOAT64, e), 1);
    assert_equality(pair(SHMF_FLOAT64, d), pair(SHMF_FLOAT64, f), 0);
    assert_equality(pair(SHMF_COMPLEX128, d), pair(SHMF_COMPLEX128, e), 1);
    assert_equality(pair(SHMF_COMPLEX128, d), pair(SHMF_COMPLEX128, f), 0);
    assert_equality(pair(SHMF_COMPLEX128, d), pair(SHMF_COMPLEX128, g), 0);
    assert_equality(pair(SHMF_COMPLEX128, h), pair(SHMF_COMPLEX128, f), 0);
    assert_equality(pair(SHMF_FLOAT32, s), pair(SHMF_FLOAT32, t), 1);
    assert_equality(pair(SHMF_FLOAT32, s), pair(SHMF_FLOAT32, u), 0);
    assert_equality(pair(SHMF_COMPLEX64, s), pair(SHMF_COMPLEX64, t), 1);
    assert_equality(pair(SHMF_COMPLEX64, s), pair(SHMF_COMPLEX64, u), 0);
    assert_equality(pair(SHMF_COMPLEX64, s), pair(SHMF_COMPLEX64, v), 0);
    assert_equality(pair(SHMF_COMPLEX64, w), pair(SHMF_COMPLEX64, u), 0);
    assert_equality(pair(SHMF_FLOAT16, half), pair(SHMF_FLOAT16, minus), 1);
    assert_equality(pair(SHMF_FLOAT16, half), pair(SHMF_FLOAT16, one), 0);
    assert_equality(pair(SHMF_INT8, small), pair(SHMF_INT8, other), 0);
    assert_equality(pair(SHMF_BOOL, bits), pair(SHMF_BOOL, less), 0);
    assert_equality(pair(SHMF_BOOL, bits), pair(SHMF_BOOL, bits), 1);
}

static struct shmf_frame *with_nulls(enum shmf_dtype dtype, const void *data, uint8_t valid)
{
    const struct shmf_column_spec column = {"x", dtype, 1};
    const struct shmf_frame_spec spec = {.n_rows = 2, .n_columns = 1, .columns = &column};
    const uint8_t *const validity = &valid;
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, &data, &validity, NULL);
    assert_non_null(frame);
    return frame;
}

static void test_nulls_are_equal_to_nulls_only(void **state)
{
    (void)state;
    const int32_t numbers[] = {1, 0}, others[] = {1, 9};
    const struct shmf_text texts[] = {TEXT("a"), TEXT("")}, more[] = {TEXT("a"), TEXT("b")};
    assert_equality(with_nulls(SHMF_INT32, numbers, 1), with_nulls(SHMF_INT32, others, 1), 1);
    assert_equality(with_nulls(SHMF_INT32, numbers, 1), with_nulls(SHMF_INT32, numbers, 3), 0);
    assert_equality(with_nulls(SHMF_INT32, numbers, 1), with_nulls(SHMF_INT32, numbers, 2), 0);
    assert_equality(with_nulls(SHMF_INT32, numbers, 3), with_nulls(SHMF_INT32, others, 3), 0);
    assert_equality(with_nulls(SHMF_UTF8, texts, 1), with_nulls(SHMF_UTF8, texts, 3), 0);
    assert_equality(with_nulls(SHMF_UTF8, texts, 1), with_nulls(SHMF_UTF8, more, 1), 1);
    assert_equality(with_nulls(SHMF_UTF8, texts, 3), with_nulls(SHMF_UTF8, more, 3), 0);
    assert_equality(with_nulls(SHMF_UTF8, more, 3), with_nulls(SHMF_UTF8, more, 3), 1);
}

/* ---- labels and shapes ----------------------------------------------------------------------- */

static struct shmf_frame *labelled(const char *const *texts, const int64_t *numbers, int64_t start,
                                   int64_t n_rows, int64_t n_columns)
{
    const struct shmf_frame_spec spec = {.n_rows = n_rows,
                                         .n_columns = n_columns,
                                         .dtype = SHMF_INT8,
                                         .row_labels = texts,
                                         .row_numbers = numbers,
                                         .range_start = start};
    static const int8_t cells[8];
    struct shmf_frame *frame = shmf_frame_from_matrix(&spec, cells, 1, 0, NULL);
    assert_non_null(frame);
    return frame;
}

static void test_row_labels_are_compared_whatever_holds_them(void **state)
{
    (void)state;
    const char *const a[] = {"a", "b"}, *const b[] = {"a", "c"};
    const int64_t zero[] = {0, 1}, one[] = {0, 2};
    assert_equality(labelled(a, NULL, 0, 2, 1), labelled(a, NULL, 0, 2, 1), 1);
    assert_equality(labelled(a, NULL, 0, 2, 1), labelled(b, NULL, 0, 2, 1), 0);
    assert_equality(labelled(a, NULL, 0, 2, 1), labelled(NULL, zero, 0, 2, 1), 0);
    assert_equality(labelled(NULL, zero, 0, 2, 1), labelled(NULL, NULL, 0, 2, 1), 1);
    assert_equality(labelled(NULL, one, 0, 2, 1), labelled(NULL, NULL, 0, 2, 1), 0);
    assert_equality(labelled(NULL, NULL, 0, 2, 1), labelled(NULL, NULL, 1, 2, 1), 0);
    assert_equality(labelled(NULL, NULL, 0, 2, 1), labelled(NULL, NULL, 0, 3, 1), 0);
    assert_equality(labelled(NULL, NULL, 0, 2, 1), labelled(NULL, NULL, 0, 2, 2), 0);
    struct shmf_frame *frame = labelled(NULL, NULL, 0, 2, 2);
    assert_int_equal(shmf_frame_equal(frame, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_equal(NULL, frame), SHMF_E_INVAL);
    shmf_frame_free(frame);
}

/* ---- frames that do not fit together --------------------------------------------------------- */

static void assert_not_joined(struct shmf_frame *a, struct shmf_frame *b, const char *culprit)
{
    const struct shmf_frame *const both[] = {a, b};
    struct shmf_error err = {0};
    assert_null(shmf_frame_concat(both, 2, &err));
    if (!strstr(err.message, culprit))
        fail_msg("\"%s\" does not say %s", err.message, culprit);
    shmf_frame_free(a);
    shmf_frame_free(b);
}

static void test_frames_of_other_labels_types_or_categories_are_not_joined(void **state)
{
    (void)state;
    const char *const texts[] = {"a", "b"};
    const struct shmf_text some[] = {TEXT("x"), TEXT("y")}, others[] = {TEXT("x"), TEXT("z")};
    const struct shmf_column_spec column = {"k", SHMF_DICTIONARY, 0};
    const struct shmf_column_details of_some = {.values = some, .n_values = 2};
    const struct shmf_column_details of_one = {.values = some, .n_values = 1};
    const struct shmf_column_details of_others = {.values = others, .n_values = 2};
    const int32_t indexes[] = {0};
    struct shmf_error err;
    assert_not_joined(labelled(texts, NULL, 0, 2, 1), labelled(NULL, NULL, 0, 2, 1), "frames[1]");
    assert_not_joined(labelled(NULL, NULL, 0, 2, 1), labelled(NULL, NULL, 2, 2, 2), "frames[1]");
    assert_not_joined(one_column(&column, &of_some, 1, indexes),
                      one_column(&column, &of_others, 1, indexes), "frames[1]");
    assert_not_joined(one_column(&column, &of_some, 1, indexes),
                      one_column(&column, &of_one, 1, indexes), "frames[1]");
    assert_null(shmf_frame_concat(NULL, 1, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    const struct shmf_frame *const none = NULL;
    assert_null(shmf_frame_concat(&none, 0, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_of_another_type_or_label_are_not_equal),
        cmocka_unit_test(test_numbers_are_compared_as_numbers),
        cmocka_unit_test(test_nulls_are_equal_to_nulls_only),
        cmocka_unit_test(test_row_labels_are_compared_whatever_holds_them),
        cmocka_unit_test(test_frames_of_other_labels_types_or_categories_are_not_joined),
    };
    return cmocka_run_group_tests_name("frame equal", tests, NULL, NULL);
}

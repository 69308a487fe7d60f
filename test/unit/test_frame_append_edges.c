/* frame/: builders at the ends of what a column holds, and called as nobody should. */
#include "support/test.h"
#include "unit/typed_frame.h"

#include "base/sys.h"

#include <shmframe/builder.h>
#include <shmframe/column.h>
#include <shmframe/derive.h>

#include <stdlib.h>

static struct shmf_builder *builder_of(const struct shmf_column_spec *columns, int64_t n)
{
    const struct shmf_frame_spec spec = {.n_columns = n, .columns = columns};
    struct shmf_builder *builder = shmf_builder_new(&spec, NULL);
    assert_non_null(builder);
    return builder;
}

static int append_one(enum shmf_dtype dtype, int64_t value, bool after_null)
{
    const struct shmf_column_spec column = {"x", dtype, 0};
    struct shmf_builder *builder = builder_of(&column, 1);
    if (after_null)
        assert_int_equal(shmf_builder_append_null(builder, 0), SHMF_OK);
    int rc = shmf_builder_append_int64(builder, 0, value);
    if (rc == SHMF_OK) {
        struct shmf_frame *frame = shmf_builder_finish(builder, NULL);
        int64_t back = -1;
        assert_non_null(frame);
        assert_int_equal(shmf_frame_cell_int64(frame, after_null, 0, &back), SHMF_OK);
        assert_true(back == value);
        shmf_frame_free(frame);
    }
    shmf_builder_free(builder);
    return rc;
}

static void test_integers_fit_up_to_the_ends_of_their_dtype(void **state)
{
    (void)state;
    const struct {
        enum shmf_dtype dtype;
        int64_t least, most;
    } ranges[] = {
        {SHMF_BOOL, 0, 1},
        {SHMF_INT8, INT8_MIN, INT8_MAX},
        {SHMF_INT16, INT16_MIN, INT16_MAX},
        {SHMF_INT32, INT32_MIN, INT32_MAX},
        {SHMF_DATE32, INT32_MIN, INT32_MAX},
        {SHMF_UINT8, 0, UINT8_MAX},
        {SHMF_UINT16, 0, UINT16_MAX},
        {SHMF_UINT32, 0, UINT32_MAX},
        {SHMF_INT64, INT64_MIN, INT64_MAX},
        {SHMF_DATE64, INT64_MIN, INT64_MAX},
        {SHMF_UINT64, 0, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        for (int after_null = 0; after_null <= 1; after_null++) {
            assert_int_equal(append_one(ranges[i].dtype, ranges[i].least, after_null), SHMF_OK);
            assert_int_equal(append_one(ranges[i].dtype, ranges[i].most, after_null), SHMF_OK);
            if (ranges[i].least > INT64_MIN)
                assert_int_equal(append_one(ranges[i].dtype, ranges[i].least - 1, after_null),
                                 SHMF_E_RANGE);
            if (ranges[i].most < INT64_MAX)
                assert_int_equal(append_one(ranges[i].dtype, ranges[i].most + 1, after_null),
                                 SHMF_E_RANGE);
        }
}

static void test_no_builder_takes_nothing(void **state)
{
    (void)state;
    const struct shmf_cell cell = {SHMF_CELL_NULL, {0}};
    const int64_t value = 1;
    assert_int_equal(shmf_builder_append_int64(NULL, 0, 1), SHMF_E_INVAL);
    assert_int_equal(shmf_builder_append_double(NULL, 0, 1), SHMF_E_INVAL);
    assert_int_equal(shmf_builder_append_text(NULL, 0, "a", 1), SHMF_E_INVAL);
    assert_int_equal(shmf_builder_append_null(NULL, 0), SHMF_E_INVAL);
    assert_int_equal(shmf_builder_append_many(NULL, 0, &value, 1), SHMF_E_INVAL);
    assert_int_equal(shmf_builder_append_row(NULL, &cell), SHMF_E_INVAL);
    assert_int_equal(shmf_builder_label_text(NULL, "a", 1), SHMF_E_INVAL);
    assert_int_equal(shmf_builder_label_number(NULL, 1), SHMF_E_INVAL);
    assert_int_equal(shmf_builder_rows(NULL), 0);
    assert_null(shmf_builder_finish(NULL, NULL));
    shmf_builder_free(NULL);
}

typedef int append_call(struct shmf_builder *builder);

static int int64_behind(struct shmf_builder *b)
{
    return shmf_builder_append_int64(b, 2, 1);
}

static int int64_before(struct shmf_builder *b)
{
    return shmf_builder_append_int64(b, -1, 1);
}

static int double_behind(struct shmf_builder *b)
{
    return shmf_builder_append_double(b, 2, 1);
}

static int text_behind(struct shmf_builder *b)
{
    return shmf_builder_append_text(b, 2, "a", 1);
}

static int null_behind(struct shmf_builder *b)
{
    return shmf_builder_append_null(b, INT64_MAX);
}

static int many_behind(struct shmf_builder *b)
{
    static const int64_t value = 1;
    return shmf_builder_append_many(b, 2, &value, 1);
}

static int text_for_number(struct shmf_builder *b)
{
    return shmf_builder_append_text(b, 0, "a", 1);
}

static int number_for_text(struct shmf_builder *b)
{
    return shmf_builder_append_double(b, 1, 1);
}

static int no_text(struct shmf_builder *b)
{
    return shmf_builder_append_text(b, 1, NULL, 1);
}

static int negative_text(struct shmf_builder *b)
{
    return shmf_builder_append_text(b, 1, "a", -1);
}

static int negative_many(struct shmf_builder *b)
{
    static const int64_t value = 1;
    return shmf_builder_append_many(b, 0, &value, -1);
}

static int missing_many(struct shmf_builder *b)
{
    return shmf_builder_append_many(b, 0, NULL, 1);
}

static int too_many(struct shmf_builder *b)
{
    static const int64_t value = 1;
    return shmf_builder_append_many(b, 0, &value, INT64_MAX);
}

static int many_texts(struct shmf_builder *b)
{
    static const int64_t value = 1;
    return shmf_builder_append_many(b, 1, &value, 1);
}

static int no_cells(struct shmf_builder *b)
{
    return shmf_builder_append_row(b, NULL);
}

static int strange_cell(struct shmf_builder *b)
{
    const struct shmf_cell cells[2] = {{(enum shmf_cell_kind)9, {0}}};
    return shmf_builder_append_row(b, cells);
}

static int no_label(struct shmf_builder *b)
{
    return shmf_builder_label_text(b, NULL, 1);
}

static int negative_label(struct shmf_builder *b)
{
    return shmf_builder_label_text(b, "a", -1);
}

static int label_with_nul(struct shmf_builder *b)
{
    return shmf_builder_label_text(b, "a\0b", 3);
}

static int labels_of_two_kinds(struct shmf_builder *b)
{
    int rc = shmf_builder_label_number(b, 1);
    return rc ? rc : shmf_builder_label_text(b, "a", 1);
}

/* What failed once is remembered: nothing is taken any more, and the end says why. */
static void test_a_call_that_fails_is_remembered(void **state)
{
    (void)state;
    static const struct {
        append_call *call;
        int code;
    } wrong[] = {
        {int64_behind, SHMF_E_RANGE},    {int64_before, SHMF_E_RANGE},
        {double_behind, SHMF_E_RANGE},   {text_behind, SHMF_E_RANGE},
        {null_behind, SHMF_E_RANGE},     {many_behind, SHMF_E_RANGE},
        {text_for_number, SHMF_E_DTYPE}, {number_for_text, SHMF_E_DTYPE},
        {no_text, SHMF_E_INVAL},         {negative_text, SHMF_E_INVAL},
        {negative_many, SHMF_E_INVAL},   {missing_many, SHMF_E_INVAL},
        {too_many, SHMF_E_TOOBIG},       {many_texts, SHMF_E_DTYPE},
        {no_cells, SHMF_E_INVAL},        {strange_cell, SHMF_E_INVAL},
        {no_label, SHMF_E_INVAL},        {negative_label, SHMF_E_INVAL},
        {label_with_nul, SHMF_E_INVAL},  {labels_of_two_kinds, SHMF_E_DTYPE},
    };
    const struct shmf_column_spec columns[] = {{"n", SHMF_INT64, 0}, {"t", SHMF_UTF8, 0}};
    const struct shmf_cell cells[] = {{SHMF_CELL_INT64, {.integer = 1}},
                                      {SHMF_CELL_TEXT, {.text = TEXT("a")}}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct shmf_builder *builder = builder_of(columns, 2);
        struct shmf_error err = {0};
        assert_int_equal(shmf_builder_append_row(builder, cells), SHMF_OK);
        assert_int_equal(wrong[i].call(builder), wrong[i].code);
        assert_int_equal(shmf_builder_append_row(builder, cells), wrong[i].code);
        assert_int_equal(shmf_builder_append_row(builder, NULL), wrong[i].code);
        assert_int_equal(shmf_builder_append_int64(builder, 0, 1), wrong[i].code);
        assert_int_equal(shmf_builder_append_double(builder, 0, 1), wrong[i].code);
        assert_int_equal(shmf_builder_append_text(builder, 1, "a", 1), wrong[i].code);
        assert_int_equal(shmf_builder_append_null(builder, 0), wrong[i].code);
        assert_int_equal(shmf_builder_append_many(builder, 0, "12345678", 1), wrong[i].code);
        assert_int_equal(shmf_builder_label_number(builder, 0), wrong[i].code);
        assert_int_equal(shmf_builder_label_text(builder, "", 0), wrong[i].code);
        assert_null(shmf_builder_finish(builder, i % 2 ? &err : NULL));
        assert_int_equal(err.code, i % 2 ? wrong[i].code : 0);
        shmf_builder_free(builder);
    }
}

static void test_a_row_of_no_columns_is_one(void **state)
{
    (void)state;
    struct shmf_builder *builder = builder_of(NULL, 0);
    assert_int_equal(shmf_builder_append_row(builder, NULL), SHMF_OK);
    assert_int_equal(shmf_builder_label_number(builder, 5), SHMF_OK);
    assert_int_equal(shmf_builder_rows(builder), 1);
    struct shmf_frame *frame = shmf_builder_finish(builder, NULL);
    assert_non_null(frame);
    assert_int_equal(shmf_frame_loc_number(frame, 5), 0);
    shmf_frame_free(frame);
    shmf_builder_free(builder);
}

static void test_row_labels_are_not_the_spec_s(void **state)
{
    (void)state;
    const char *const texts[] = {"a"};
    const int64_t numbers[] = {1};
    struct shmf_frame_spec spec = {.n_rows = 1, .row_labels = texts};
    assert_null(shmf_builder_new(&spec, NULL));
    spec = (struct shmf_frame_spec){.n_rows = 1, .row_numbers = numbers};
    assert_null(shmf_builder_new(&spec, NULL));
}

/* Many values behind a null, in all alignments of its bit. */
static void test_many_values_go_on_where_bits_do(void **state)
{
    (void)state;
    const struct shmf_column_spec column = {"x", SHMF_INT16, 0};
    int16_t values[40];
    for (int i = 0; i < 40; i++)
        values[i] = (int16_t)(i * 3);
    struct shmf_builder *builder = builder_of(&column, 1);
    for (int before = 0; before < 20; before++) {
        assert_int_equal(shmf_builder_append_many(builder, 0, values, before), SHMF_OK);
        assert_int_equal(shmf_builder_append_null(builder, 0), SHMF_OK);
        assert_int_equal(shmf_builder_append_many(builder, 0, values, 40), SHMF_OK);
        assert_int_equal(shmf_builder_append_many(builder, 0, NULL, 0), SHMF_OK);
        struct shmf_frame *frame = shmf_builder_finish(builder, NULL);
        assert_non_null(frame);
        assert_int_equal(shmf_frame_rows(frame), before + 41);
        for (int64_t r = 0; r < before + 41; r++)
            assert_int_equal(shmf_frame_is_null(frame, r, 0), r == before);
        int64_t last = 0;
        assert_int_equal(shmf_frame_cell_int64(frame, before + 40, 0, &last), SHMF_OK);
        assert_int_equal(last, 39 * 3);
        shmf_frame_free(frame);
    }
    shmf_builder_free(builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_fit_up_to_the_ends_of_their_dtype),
        cmocka_unit_test(test_no_builder_takes_nothing),
        cmocka_unit_test(test_a_call_that_fails_is_remembered),
        cmocka_unit_test(test_a_row_of_no_columns_is_one),
        cmocka_unit_test(test_row_labels_are_not_the_spec_s),
        cmocka_unit_test(test_many_values_go_on_where_bits_do),
    };
    return cmocka_run_group_tests_name("frame append edges", tests, NULL, NULL);
}

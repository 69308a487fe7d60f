/* frame/: arguments that are wrong, one at a time, are refused with the code that the headers name.
 */
#include "support/test.h"
#include "unit/typed_frame.h"

#include "frame/frame_internal.h"

#include <shmframe/derive.h>

#include <math.h>
#include <stdlib.h>

static struct shmf_frame *frame; /* of typed_frame.h */

static struct shmf_frame *labelled(const char *const *texts, const int64_t *numbers)
{
    const struct shmf_frame_spec spec = {.n_rows = 3,
                                         .n_columns = 1,
                                         .dtype = SHMF_INT8,
                                         .row_labels = texts,
                                         .row_numbers = numbers};
    static const int8_t cells[3];
    struct shmf_frame *made = shmf_frame_from_matrix(&spec, cells, 1, 3, NULL);
    assert_non_null(made);
    return made;
}

static void test_cells_that_are_not_there(void **state)
{
    (void)state;
    const int64_t wrong[][2] = {{-1, 0}, {3, 0}, {0, -1}, {0, N_TYPED}};
    double number;
    int64_t integer;
    char text[8];
    for (int i = 0; i < 4; i++) {
        int64_t row = wrong[i][0], column = wrong[i][1];
        assert_int_equal(shmf_frame_cell(frame, row, column, &number), SHMF_E_RANGE);
        assert_int_equal(shmf_frame_is_null(frame, row, column), SHMF_E_RANGE);
        assert_int_equal(shmf_frame_cell_int64(frame, row, column, &integer), SHMF_E_RANGE);
        assert_int_equal(shmf_frame_cell_text(frame, row, column, text, 8), SHMF_E_RANGE);
        assert_null(shmf_frame_text(frame, row, column).data);
    }
    assert_int_equal(shmf_frame_cell(NULL, 0, 0, &number), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_cell(frame, 0, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_is_null(NULL, 0, 0), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_cell_int64(NULL, 0, 0, &integer), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_cell_int64(frame, 0, DAY, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_cell_int64(frame, 0, NAME, &integer), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_cell(frame, 0, NAME, &number), SHMF_E_DTYPE);
}

static void test_columns_that_are_not_there(void **state)
{
    (void)state;
    const int64_t wrong[] = {-1, N_TYPED};
    struct shmf_type type;
    struct shmf_column column;
    struct shmf_pair pair;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(shmf_frame_type(frame, wrong[i], &type), SHMF_E_RANGE);
        assert_int_equal(shmf_frame_column(frame, wrong[i], &column), SHMF_E_RANGE);
        assert_int_equal(shmf_frame_categories(frame, wrong[i], &column), SHMF_E_RANGE);
        assert_int_equal(shmf_frame_n_categories(frame, wrong[i]), 0);
        assert_null(shmf_frame_category(frame, wrong[i], 0).data);
        assert_null(shmf_frame_column_label(frame, wrong[i]).data);
        assert_null(shmf_frame_data(frame, wrong[i], SHMF_INT8));
        assert_null(shmf_frame_data_mut(frame, wrong[i]));
        assert_null(shmf_frame_offsets_mut(frame, wrong[i]));
        assert_null(shmf_frame_validity_mut(frame, wrong[i]));
    }
    assert_int_equal(shmf_frame_type(NULL, 0, &type), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_type(frame, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_column(NULL, 0, &column), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_categories(NULL, 0, &column), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_categories(frame, KIND, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_categories(frame, NAME, &column), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_n_categories(frame, NAME), 0);
    assert_null(shmf_frame_category(frame, KIND, 3).data);
    assert_null(shmf_frame_category(frame, KIND, -1).data);
    assert_int_equal(shmf_frame_n_metadata(frame, -2), 0);
    assert_int_equal(shmf_frame_n_metadata(frame, N_TYPED), 0);
    assert_int_equal(shmf_frame_n_metadata(NULL, 0), 0);
    assert_int_equal(shmf_frame_metadata_at(NULL, 0, 0, &pair), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_metadata_at(frame, 0, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_metadata_at(frame, 0, -1, &pair), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_metadata_at(frame, 0, 4, &pair), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_metadata_at(frame, N_TYPED, 0, &pair), SHMF_E_RANGE);
    assert_null(shmf_frame_metadata(frame, 0, NULL).data);
    assert_null(shmf_frame_metadata(frame, N_TYPED, "unit").data);
}

static void test_rows_and_matrices_that_are_not_there(void **state)
{
    (void)state;
    struct shmf_matrix matrix;
    double row[N_TYPED];
    struct shmf_frame *other = labelled(NULL, NULL);
    assert_int_equal(shmf_frame_matrix(NULL, &matrix), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_matrix(other, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_row(NULL, 0, row), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_row(other, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_row(other, -1, row), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_row(other, 3, row), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_row(frame, 0, row), SHMF_E_DTYPE);
    assert_null(shmf_frame_data_mut(other, 0)); /* finished */
    assert_null(shmf_frame_offsets_mut(other, 0));
    assert_null(shmf_frame_validity_mut(other, 0));
    shmf_frame_free(other);
}

static void test_row_labels_that_are_not_there(void **state)
{
    (void)state;
    const char *const texts[] = {"a", "b", "b"};
    const int64_t numbers[] = {7, 8, 8};
    struct shmf_frame *of_text = labelled(texts, NULL), *of_numbers = labelled(NULL, numbers);
    struct shmf_column column;
    int64_t number, first, count;
    assert_int_equal(shmf_frame_row_number(of_numbers, -1, &number), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_row_number(of_numbers, 3, &number), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_row_number(of_numbers, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_row_number(NULL, 0, &number), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_row_number(of_text, 0, &number), SHMF_E_DTYPE);
    assert_null(shmf_frame_row_text(of_text, -1).data);
    assert_null(shmf_frame_row_text(of_text, 3).data);
    assert_null(shmf_frame_row_text(NULL, 0).data);
    assert_int_equal(shmf_frame_row_label_column(NULL, &column), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_row_label_column(of_text, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_row_label_column(frame, &column), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_loc(NULL, "a"), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc(of_text, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc(of_numbers, "a"), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_loc_text(NULL, (struct shmf_text){"a", 1}, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_text(of_text, (struct shmf_text){NULL, 1}, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_text(of_text, (struct shmf_text){"a", -1}, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_number(NULL, 7), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_number(of_text, 7), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_column_loc(NULL, "0"), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_column_loc(of_text, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_between(of_text, NULL, "b", &first, &count), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_between(of_text, "a", NULL, &first, &count), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_between(of_text, "a", "b", NULL, &count), SHMF_E_INVAL);
    shmf_frame_free(of_text);
    shmf_frame_free(of_numbers);
}

static void test_batches_that_are_none(void **state)
{
    (void)state;
    const char *const texts[] = {"a", "b", "b"};
    const int64_t numbers[] = {7, 8, 8};
    const struct shmf_text asked[] = {TEXT("b"), {NULL, 1}, {"a", -1}, TEXT("no")};
    const int64_t expected[] = {1, SHMF_E_INVAL, SHMF_E_INVAL, SHMF_E_NOTFOUND};
    struct shmf_frame *of_text = labelled(texts, NULL), *of_numbers = labelled(NULL, numbers);
    int64_t rows[4];
    assert_int_equal(shmf_frame_loc_texts(of_text, asked, 4, rows), 1);
    assert_memory_equal(rows, expected, sizeof rows);
    assert_int_equal(shmf_frame_loc_texts(NULL, asked, 4, rows), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_texts(of_text, asked, -1, rows), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_texts(of_text, NULL, 1, rows), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_texts(of_text, asked, 1, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_texts(of_text, NULL, 0, NULL), 0);
    assert_int_equal(shmf_frame_loc_texts(of_numbers, asked, 4, rows), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_loc_numbers(NULL, numbers, 3, rows), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_numbers(of_numbers, numbers, -1, rows), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_numbers(of_numbers, NULL, 1, rows), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_numbers(of_numbers, numbers, 1, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_numbers(of_numbers, NULL, 0, NULL), 0);
    assert_int_equal(shmf_frame_loc_numbers(of_text, numbers, 3, rows), SHMF_E_DTYPE);
    shmf_frame_free(of_text);
    shmf_frame_free(of_numbers);
}

static void assert_no_matrix(const struct shmf_frame_spec *spec, const void *data, int code,
                             const char *culprit)
{
    struct shmf_error err = {0};
    assert_null(shmf_frame_from_matrix(spec, data, 1, 3, &err));
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, culprit));
}

static void test_matrices_that_cannot_be_made(void **state)
{
    (void)state;
    static const int8_t cells[16];
    const struct shmf_column_spec mixed[] = {{"a", SHMF_INT8, 0}, {"b", SHMF_UINT8, 0}};
    const struct shmf_column_spec alike[] = {{"a", SHMF_INT8, 0}, {"b", SHMF_INT8, 0}};
    struct shmf_frame_spec spec = {.n_rows = 3, .n_columns = 2, .columns = mixed};
    assert_no_matrix(NULL, cells, SHMF_E_INVAL, "spec: NULL");
    assert_no_matrix(&spec, cells, SHMF_E_DTYPE, "columns[1].dtype");
    spec.columns = alike;
    assert_no_matrix(&spec, NULL, SHMF_E_INVAL, "data: NULL");
    struct shmf_frame *made = shmf_frame_from_matrix(&spec, cells, 1, 3, NULL);
    assert_non_null(made);
    shmf_frame_free(made);
    spec = (struct shmf_frame_spec){.n_rows = 0, .n_columns = 2, .dtype = SHMF_INT8};
    made = shmf_frame_from_matrix(&spec, NULL, 1, 3, NULL);
    assert_non_null(made);
    shmf_frame_free(made);
    spec = (struct shmf_frame_spec){.n_rows = 3, .n_columns = 0};
    made = shmf_frame_from_matrix(&spec, NULL, 1, 3, NULL);
    assert_non_null(made);
    shmf_frame_free(made);
    spec = (struct shmf_frame_spec){.n_rows = 3, .n_columns = 1, .dtype = SHMF_UTF8};
    assert_no_matrix(&spec, cells, SHMF_E_DTYPE, "a matrix of utf8");
    spec = (struct shmf_frame_spec){
        .n_rows = INT64_MAX, .n_columns = 2, .dtype = SHMF_INT8, .range_step = 1};
    assert_no_matrix(&spec, cells, SHMF_E_TOOBIG, "too large");
}

static void assert_no_spec(enum shmf_dtype dtype, const struct shmf_column_details *details,
                           const char *culprit)
{
    const struct shmf_column_spec column = {"x", dtype, 0};
    const struct shmf_frame_spec spec = {.n_columns = 1, .columns = &column, .details = details};
    struct shmf_error err = {0};
    assert_null(shmf_frame_new(&spec, &err));
    if (!strstr(err.message, culprit))
        fail_msg("\"%s\" does not name %s", err.message, culprit);
}

static void test_details_that_no_column_can_have(void **state)
{
    (void)state;
    static const struct shmf_pair broken[] = {
        {{"k", 1}, {NULL, 1}}, {{"k", -1}, {"v", 1}}, {{"k", 1}, {"v", (int64_t)INT32_MAX + 1}}};
    static const struct {
        enum shmf_dtype dtype;
        struct shmf_column_details details;
        const char *culprit;
    } wrong[] = {
        {SHMF_FIXED_BINARY, {.type = {.width = (uint32_t)INT32_MAX + 1}}, "width"},
        {SHMF_INT8, {.type = {.width = 1}}, "width"},
        {SHMF_DECIMAL128, {.type = {.precision = 39}}, "precision"},
        {SHMF_DECIMAL128, {.type = {.precision = 0}}, "precision"},
        {SHMF_INT8, {.type = {.precision = 1}}, "precision"},
        {SHMF_DECIMAL128, {.type = {.precision = 1, .scale = INT16_MAX + 1}}, "scale"},
        {SHMF_DECIMAL128, {.type = {.precision = 1, .scale = INT16_MIN - 1}}, "scale"},
        {SHMF_INT8, {.type = {.scale = 1}}, "scale"},
        {SHMF_INT8, {.type = {.ordered = 1}}, "ordered"},
        {SHMF_INT8, {.type = {.index_dtype = SHMF_INT8}}, "index_dtype"},
        {SHMF_DICTIONARY, {.type = {.index_dtype = SHMF_FLOAT64}}, "index_dtype"},
        {SHMF_TIMESTAMP, {.type = {.unit = SHMF_SECONDS, .zone = {NULL, 3}}}, "zone"},
        {SHMF_TIMESTAMP, {.type = {.unit = SHMF_SECONDS, .zone = {"UTC", 0}}}, "zone"},
        {SHMF_TIMESTAMP, {.type = {.unit = SHMF_SECONDS, .zone = {"UTC", -1}}}, "zone"},
        {SHMF_TIMESTAMP,
         {.type = {.unit = SHMF_SECONDS, .zone = {"UTC", (int64_t)INT32_MAX + 1}}},
         "zone"},
        {SHMF_TIMESTAMP, {.type = {.unit = SHMF_SECONDS, .zone = {"\xFF", 1}}}, "zone"},
        {SHMF_DURATION, {.type = {.unit = SHMF_SECONDS, .zone = {"UTC", 3}}}, "zone"},
        {SHMF_DURATION, {.data_size = 0}, "unit"},
        {SHMF_INT8, {.type = {.unit = SHMF_SECONDS}}, "unit"},
        {SHMF_INT8, {.data_size = 1}, "data_size"},
        {SHMF_UTF8, {.data_size = -1}, "data_size"},
        {SHMF_UTF8, {.data_size = (int64_t)INT32_MAX + 1}, "data_size"},
        {SHMF_DICTIONARY, {.n_values = -1}, "n_values"},
        {SHMF_DICTIONARY, {.n_values = 1}, "n_values"},
        {SHMF_UTF8, {.n_values = 1, .values = typed_kinds}, "n_values"},
        {SHMF_INT8, {.reserved = {0, 1, 0, 0}}, "reserved[1]"},
        {SHMF_INT8, {.n_metadata = -1}, "n_metadata"},
        {SHMF_INT8, {.n_metadata = (int64_t)INT32_MAX + 1, .metadata = broken}, "n_metadata"},
        {SHMF_INT8, {.n_metadata = 1}, "metadata: NULL"},
        {SHMF_INT8, {.n_metadata = 1, .metadata = &broken[0]}, "metadata[0].value"},
        {SHMF_INT8, {.n_metadata = 1, .metadata = &broken[1]}, "metadata[0].key"},
        {SHMF_INT8, {.n_metadata = 1, .metadata = &broken[2]}, "metadata[0].value"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_no_spec(wrong[i].dtype, &wrong[i].details, wrong[i].culprit);
}

static void test_texts_that_are_none(void **state)
{
    (void)state;
    static const struct shmf_text negative[] = {{"a", -1}}, missing[] = {{NULL, 1}};
    const struct shmf_frame_spec spec = {.n_rows = 1, .n_columns = 1, .dtype = SHMF_UTF8};
    const void *data[] = {negative};
    struct shmf_error err = {0};
    assert_null(shmf_frame_from_columns(&spec, data, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    data[0] = missing;
    assert_null(shmf_frame_from_columns(&spec, data, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    data[0] = NULL;
    assert_null(shmf_frame_from_columns(&spec, data, NULL, &err));
    assert_string_equal(err.message, "data[0]: NULL");
    assert_null(shmf_frame_from_columns(&spec, NULL, NULL, &err));
    assert_string_equal(err.message, "data: NULL");
}

static void test_parts_and_summaries_that_are_none(void **state)
{
    (void)state;
    const int64_t wrong[] = {-1, N_TYPED};
    struct shmf_summary summary;
    struct shmfi_moments moments;
    (void)moments;
    assert_null(shmf_frame_select(NULL, wrong, 1, NULL));
    assert_null(shmf_frame_select(frame, NULL, 1, NULL));
    assert_null(shmf_frame_select(frame, wrong, -1, NULL));
    assert_null(shmf_frame_select(frame, wrong, 1, NULL));
    assert_null(shmf_frame_select(frame, wrong + 1, 1, NULL));
    assert_null(shmf_frame_slice(NULL, 0, 1, NULL));
    assert_null(shmf_frame_slice(frame, -1, 1, NULL));
    assert_null(shmf_frame_slice(frame, 0, -1, NULL));
    assert_null(shmf_frame_slice(frame, 1, 3, NULL));
    assert_int_equal(shmf_frame_summarize(NULL, 0, &summary), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_summarize(frame, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_summarize(frame, -1, &summary), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_summarize(frame, N_TYPED, &summary), SHMF_E_RANGE);
    struct shmf_frame *view = shmf_frame_select(frame, NULL, 0, NULL);
    assert_non_null(view);
    assert_int_equal(shmf_frame_handle(view).kind, SHMF_KIND_SELECTION);
    shmf_frame_free(view);
    assert_int_equal(shmf_frame_handle(NULL).region, 0);
}

static int open_typed(void **state)
{
    (void)state;
    frame = typed_frame(NULL);
    return frame ? 0 : 1;
}

static int free_typed(void **state)
{
    (void)state;
    shmf_frame_free(frame);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells_that_are_not_there),
        cmocka_unit_test(test_columns_that_are_not_there),
        cmocka_unit_test(test_rows_and_matrices_that_are_not_there),
        cmocka_unit_test(test_row_labels_that_are_not_there),
        cmocka_unit_test(test_batches_that_are_none),
        cmocka_unit_test(test_matrices_that_cannot_be_made),
        cmocka_unit_test(test_details_that_no_column_can_have),
        cmocka_unit_test(test_texts_that_are_none),
        cmocka_unit_test(test_parts_and_summaries_that_are_none),
    };
    return cmocka_run_group_tests_name("frame arguments", tests, open_typed, free_typed);
}

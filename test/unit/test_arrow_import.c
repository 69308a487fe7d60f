/* arrow/: what was exported comes back bit by bit; arrays that others make become frames, whatever
 * their offsets, bitmaps and dictionaries; what a frame cannot hold is refused with its name. */
#include "unit/every_frame.h"
#include "unit/made_arrow.h"

#include <stdlib.h>

static const char *text_of(const struct shmf_frame *frame, int64_t row, int64_t column)
{
    static char text[128];
    shmf_frame_cell_text(frame, row, column, text, sizeof text);
    return text;
}

/* ---- round trips -------------------------------------------------------------------------- */

static void round_trip(const struct shmf_frame *frame, int64_t batch_rows)
{
    struct ArrowArrayStream stream;
    struct shmf_error err = {0};
    struct shmf_arrow_export_options options = {.batch_rows = batch_rows, .row_labels = "row"};
    if (shmf_frame_row_labels(frame) == SHMF_ROWS_RANGE)
        options.row_labels = NULL;
    assert_int_equal(shmf_arrow_export_stream(frame, &options, &stream, NULL), SHMF_OK);
    struct shmf_frame *back = shmf_arrow_import_stream(&stream, NULL, &err);
    if (!back)
        fail_msg("%s", err.message);
    stream.release(&stream);
    assert_same_frame(frame, back);
    assert_int_equal(shmf_frame_row_labels(frame), shmf_frame_row_labels(back));
    shmf_frame_free(back);
}

static void test_every_dtype_comes_back_bit_by_bit(void **state)
{
    (void)state;
    every_frame_returns(round_trip);
}

static void test_slices_come_back_as_their_rows(void **state)
{
    (void)state;
    every_slice_returns(round_trip);
}

static void test_labels_of_a_range_become_numbers_if_asked_for(void **state)
{
    (void)state;
    const struct shmf_frame_spec spec = {
        .n_rows = 3, .n_columns = 1, .dtype = SHMF_INT8, .range_start = 10, .range_step = -4};
    const void *data[] = {"abc"};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, data, NULL, NULL);
    struct ArrowSchema schema;
    struct ArrowArray array;
    const struct shmf_arrow_export_options options = {.row_labels = "n"};
    assert_int_equal(shmf_arrow_export_schema(frame, &options, &schema, NULL), SHMF_OK);
    assert_int_equal(shmf_arrow_export(frame, &options, &array, NULL), SHMF_OK);
    struct shmf_frame *back = shmf_arrow_import(&schema, &array, NULL, NULL);
    assert_int_equal(shmf_frame_equal(frame, back), 1);
    assert_int_equal(shmf_frame_loc_number(back, 2), 2);
    shmf_frame_free(back);
    /* or a column like any other */
    back = shmf_arrow_import(&schema, &array, &(struct shmf_arrow_import_options){.row_labels = ""},
                             NULL);
    assert_int_equal(shmf_frame_columns(back), 2);
    assert_string_equal(text_of(back, 2, 1), "2");
    shmf_frame_free(back);
    array.release(&array);
    schema.release(&schema);
    shmf_frame_free(frame);
}

/* ---- arrays of others --------------------------------------------------------------------- */

static const uint8_t some_valid[] = {0xB6, 0x0D}; /* 0 1 1 0 1 1 0 1  1 0 1 1 */

static void test_offsets_of_parents_and_children_add_up(void **state)
{
    (void)state;
    const int32_t numbers[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const uint8_t flags[] = {0x5A, 0x0C}; /* 0 1 0 1 1 0 1 0  0 0 1 1 */
    const int64_t ends[] = {0, 1, 3, 3, 6, 7, 9, 10, 12, 14, 15, 15, 16};
    const void *number_buffers[] = {some_valid, numbers}, *flag_buffers[] = {some_valid, flags};
    const void *text_buffers[] = {NULL, ends, "abbcccdeefgghhij"};
    struct ArrowSchema number = made_schema("i", "number"), flag = made_schema("b", "flag");
    struct ArrowSchema text = made_schema("Z", "text");
    struct ArrowSchema *fields[] = {&number, &flag, &text}, root = made_root(fields, 3);
    struct ArrowArray a = made_array(9, 3, 2, number_buffers),
                      b = made_array(10, 2, 2, flag_buffers);
    struct ArrowArray c = made_array(11, 1, 3, text_buffers);
    struct ArrowArray *children[] = {&a, &b, &c};
    const void *none[] = {NULL};
    struct ArrowArray batch = made_array(5, 2, 1, none);
    batch.n_children = 3;
    batch.children = children;
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_arrow_import(&root, &batch, NULL, &err);
    if (!frame)
        fail_msg("%s", err.message);
    const char *expected[5][3] = {{"5", "true", "63 63 63"},
                                  {"null", "false", "64"},
                                  {"7", "null", "65 65"},
                                  {"8", "false", "66"},
                                  {"null", "false", "67 67"}};
    for (int r = 0; r < 5; r++) {
        assert_string_equal(text_of(frame, r, 0), expected[r][0]);
        assert_string_equal(text_of(frame, r, 1), expected[r][1]);
        char hex[16] = "", *at = hex;
        struct shmf_text bytes = shmf_frame_text(frame, r, 2);
        for (int64_t i = 0; i < bytes.size; i++)
            at += sprintf(at, "%s%02x", i ? " " : "", (unsigned char)bytes.data[i]);
        assert_string_equal(hex, expected[r][2]);
    }
    shmf_frame_free(frame);
}

static void test_a_bitmap_without_a_null_is_no_bitmap(void **state)
{
    (void)state;
    const uint8_t all[] = {0xFF};
    const int32_t numbers[] = {3, 4, 5};
    const void *buffers[] = {all, numbers};
    struct ArrowSchema schema = made_schema("i", "number");
    struct ArrowArray array = made_array(3, 0, 2, buffers);
    struct shmf_column column;
    struct shmf_frame *frame = shmf_arrow_import(&schema, &array, NULL, NULL);
    assert_non_null(frame);
    assert_int_equal(shmf_frame_column(frame, 0, &column), SHMF_OK);
    assert_null(column.validity);
    assert_string_equal(text_of(frame, 2, 0), "5");
    shmf_frame_free(frame);
}

static void test_views_of_text_are_gathered(void **state)
{
    (void)state;
    struct {
        int32_t size;
        char text[12];
    } views[4] = {{5, "short"}, {12, ""}, {14, ""}, {0, ""}};
    memcpy(views[1].text, "twelve bytes", 12);
    memcpy(views[2].text, "long\0\0\0\0\2\0\0\0", 12);
    const int64_t sizes[] = {16};
    const void *buffers[] = {NULL, views, "..longer than 12", sizes};
    struct ArrowSchema schema = made_schema("vu", "text");
    struct ArrowArray array = made_array(4, 0, 4, buffers);
    struct shmf_frame *frame = shmf_arrow_import(&schema, &array, NULL, NULL);
    assert_non_null(frame);
    assert_string_equal(text_of(frame, 0, 0), "short");
    assert_string_equal(text_of(frame, 1, 0), "twelve bytes");
    assert_string_equal(text_of(frame, 2, 0), "longer than 12");
    assert_string_equal(text_of(frame, 3, 0), "");
    shmf_frame_free(frame);
    /* one that leads behind the end of its buffer */
    views[2].text[8] = 3;
    struct shmf_error err = {0};
    assert_null(shmf_arrow_import(&schema, &array, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_string_equal(err.message, "field \"text\": batch 0: offsets that lead nowhere");
}

/* ---- dictionaries ------------------------------------------------------------------------- */

struct made_dictionary {
    struct ArrowArray array, values;
    const void *buffers[2], *value_buffers[3];
};

static void make_dictionary(struct made_dictionary *made, int64_t n, const void *indexes,
                            int64_t n_values, const int32_t *ends, const char *bytes,
                            const uint8_t *validity)
{
    made->buffers[0] = NULL;
    made->buffers[1] = indexes;
    made->value_buffers[0] = validity;
    made->value_buffers[1] = ends;
    made->value_buffers[2] = bytes;
    made->array = made_array(n, 0, 2, made->buffers);
    made->values = made_array(n_values, 0, 3, made->value_buffers);
    made->array.dictionary = &made->values;
}

static void test_dictionaries_that_differ_are_merged_and_their_nulls_are_nulls(void **state)
{
    (void)state;
    const int8_t first[] = {0, 1, 1}, second[] = {0, 1, 2}, third[] = {1, 0};
    const int32_t ends[] = {0, 1, 2, 3};
    struct made_dictionary a, b, c;
    struct ArrowSchema values = made_schema("u", NULL), schema = made_schema("c", "kind");
    schema.dictionary = &values;
    make_dictionary(&a, 3, first, 2, ends, "xy", NULL);
    make_dictionary(&b, 3, second, 3, ends, "zyx", (const uint8_t *)"\5"); /* y is null */
    make_dictionary(&c, 2, third, 2, ends, "xy", NULL);
    const struct ArrowArray batches[] = {a.array, b.array, c.array};
    struct made_stream made = {&schema, batches, 3, 0, 0};
    struct ArrowArrayStream stream = made_stream(&made);
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_arrow_import_stream(&stream, NULL, &err);
    if (!frame)
        fail_msg("%s", err.message);
    const char *expected[] = {"x", "y", "y", "z", "null", "x", "y", "x"};
    for (int r = 0; r < 8; r++)
        assert_string_equal(text_of(frame, r, 0), expected[r]);
    assert_int_equal(shmf_frame_n_categories(frame, 0), 3);
    shmf_frame_free(frame);
}

static void test_an_index_dtype_grows_with_the_merged_categories(void **state)
{
    (void)state;
    static uint8_t indexes[200];
    static int32_t ends[201];
    static char bytes[2][400];
    for (int i = 0; i < 200; i++) {
        indexes[i] = (uint8_t)i;
        ends[i + 1] = 2 * (i + 1);
        for (int b = 0; b < 2; b++) {
            bytes[b][2 * i] = (char)('A' + (i + 100 * b) / 26);
            bytes[b][2 * i + 1] = (char)('a' + (i + 100 * b) % 26);
        }
    }
    struct made_dictionary a, b;
    struct ArrowSchema values = made_schema("u", ""), schema = made_schema("C", "kind");
    schema.dictionary = &values;
    make_dictionary(&a, 200, indexes, 200, ends, bytes[0], NULL);
    make_dictionary(&b, 200, indexes, 200, ends, bytes[1], NULL);
    const struct ArrowArray batches[] = {a.array, b.array};
    struct made_stream made = {&schema, batches, 2, 0, 0};
    struct ArrowArrayStream stream = made_stream(&made);
    struct shmf_frame *frame = shmf_arrow_import_stream(&stream, NULL, NULL);
    struct shmf_type type;
    assert_non_null(frame);
    assert_int_equal(shmf_frame_type(frame, 0, &type), SHMF_OK);
    assert_int_equal(type.index_dtype, SHMF_INT32);
    assert_int_equal(shmf_frame_n_categories(frame, 0), 300);
    for (int r = 0; r < 400; r++)
        assert_memory_equal(shmf_frame_text(frame, r, 0).data, bytes[r / 200] + 2 * (r % 200), 2);
    shmf_frame_free(frame);
}

/* ---- refused ------------------------------------------------------------------------------ */

static void test_types_that_a_frame_does_not_have_are_refused_with_the_fields_name(void **state)
{
    (void)state;
    const char *const formats[] = {
        "n",   "+l", "+L", "+s",  "+m",  "+w:2", "+ud:0,1", "+r",     "d:5,2,256", "d:5,2,32",
        "tiM", "q",  "",   "w:0", "w:x", "tsx:", "ts",      "d:39,0", "+vl",       "d:5"};
    struct ArrowSchema field = made_schema("", "Feld"), part = made_schema("f", "item");
    struct ArrowSchema *fields[] = {&field}, *parts[] = {&part}, root = made_root(fields, 1);
    struct ArrowArray array = made_array(0, 0, 0, NULL), *children[] = {&array};
    const void *none[] = {NULL};
    struct ArrowArray batch = made_array(0, 0, 1, none);
    batch.children = children;
    batch.n_children = 1;
    field.n_children = 1;
    field.children = parts;
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct shmf_error err = {0};
        char expected[64];
        field.format = formats[i];
        snprintf(expected, sizeof expected, "field \"Feld\": format \"%s\"", formats[i]);
        assert_null(shmf_arrow_import(&root, &batch, NULL, &err));
        assert_int_equal(err.code, SHMF_E_UNSUPPORTED);
        assert_memory_equal(err.message, expected, strlen(expected));
    }
    struct shmf_error err = {0};
    const char *const no_values[] = {"b", "z", "vz", "+l"};
    for (size_t i = 0; i < sizeof no_values / sizeof no_values[0]; i++) {
        struct ArrowSchema values = made_schema(no_values[i], "");
        field = made_schema("i", "Feld");
        field.dictionary = &values;
        assert_null(shmf_arrow_import(&root, &batch, NULL, &err));
        assert_non_null(strstr(err.message, "field \"Feld\": a dictionary of format"));
        assert_int_equal(err.code, SHMF_E_UNSUPPORTED);
    }
}

static void refused(const char *format, const void *second, const void *third, int64_t n,
                    const char *message)
{
    struct ArrowSchema values = made_schema("u", ""), schema = made_schema(format, "f");
    const void *buffers[] = {NULL, second, third};
    struct ArrowArray array = made_array(n, 0, third ? 3 : 2, buffers);
    struct made_dictionary made;
    struct shmf_error err = {0};
    if (format[0] == 'c') {
        static const int32_t ends[] = {0, 1};
        schema.dictionary = &values;
        make_dictionary(&made, n, second, 1, ends, "x", NULL);
        array = made.array;
    }
    assert_null(shmf_arrow_import(&schema, &array, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_string_equal(err.message, message);
}

static void test_contents_that_are_wrong_are_refused(void **state)
{
    (void)state;
    const int32_t negative[] = {-1, 2}, back[] = {3, 2}, middle[] = {0, 9, 2}, fine[] = {0, 2};
    const int32_t unordered[] = {0, 2, 1, 3};
    const int64_t far[] = {0, INT64_C(1) << 32, 2};
    const int8_t indexes[] = {0, 1, 0};
    refused("u", negative, "abc", 1, "field \"f\": batch 0: offsets that lead nowhere");
    refused("u", back, "abc", 1, "field \"f\": batch 0: offsets that lead nowhere");
    refused("u", middle, "abc", 2, "field \"f\": batch 0: offsets that are not in order");
    refused("U", far, "abc", 2, "field \"f\": batch 0: offsets that are not in order");
    refused("u", unordered, "abc", 3, "field \"f\": column 0: row 1: the offsets are not in order");
    refused("u", fine, "\xC3(", 1, "field \"f\": column 0: row 0: not valid UTF-8");
    refused("c", indexes, NULL, 3, "field \"f\": column 0: row 1: no such category");
    refused("l", NULL, NULL, 3, "field \"f\": batch 0: buffers[1]: NULL");
    refused("l", "", "", 3, "field \"f\": batch 0: number of buffers");
    refused("l", "", NULL, -1, "field \"\": batch 0: length or offset");
}

static void test_the_failure_of_a_stream_is_told(void **state)
{
    (void)state;
    struct ArrowSchema schema = made_schema("c", "x");
    const void *buffers[] = {NULL, "abc"};
    const struct ArrowArray batches[] = {made_array(3, 0, 2, buffers),
                                         made_array(3, 0, 2, buffers)};
    struct made_stream made = {&schema, batches, 2, 0, 1};
    struct ArrowArrayStream stream = made_stream(&made);
    struct shmf_error err = {0};
    assert_null(shmf_arrow_import_stream(&stream, NULL, &err));
    assert_int_equal(err.code, SHMF_E_SYS);
    assert_int_equal(err.sys_errno, EIO);
    assert_string_equal(err.message, "stream: the disk is on fire");
    stream.release(&stream);
    assert_null(shmf_arrow_import_stream(&stream, NULL, &err));
    assert_string_equal(err.message, "stream: NULL or released");
}

static void test_row_labels_come_from_the_field_that_is_named(void **state)
{
    (void)state;
    const int64_t numbers[] = {5, 6};
    const int32_t ends[] = {0, 2, 3};
    const void *number_buffers[] = {NULL, numbers}, *text_buffers[] = {NULL, ends, "aab"};
    const void *null_buffers[] = {"\1", numbers}, *none[] = {NULL};
    struct ArrowSchema n = made_schema("l", "n"), t = made_schema("u", "t"),
                       d = made_schema("g", "d");
    struct ArrowSchema *fields[] = {&n, &t, &d}, root = made_root(fields, 3);
    struct ArrowArray a = made_array(2, 0, 2, number_buffers),
                      b = made_array(2, 0, 3, text_buffers);
    struct ArrowArray c = made_array(2, 0, 2, null_buffers), *children[] = {&a, &b, &c};
    struct ArrowArray batch = made_array(2, 0, 1, none);
    batch.n_children = 3;
    batch.children = children;
    struct shmf_arrow_import_options options = {.row_labels = "n"};
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_arrow_import(&root, &batch, &options, NULL);
    assert_int_equal(shmf_frame_columns(frame), 2);
    assert_int_equal(shmf_frame_loc_number(frame, 6), 1);
    shmf_frame_free(frame);
    options.row_labels = "t";
    frame = shmf_arrow_import(&root, &batch, &options, NULL);
    assert_int_equal(shmf_frame_loc(frame, "b"), 1);
    shmf_frame_free(frame);
    options.row_labels = "x";
    assert_null(shmf_arrow_import(&root, &batch, &options, &err));
    assert_int_equal(err.code, SHMF_E_NOTFOUND);
    options.row_labels = "d";
    assert_null(shmf_arrow_import(&root, &batch, &options, &err));
    assert_string_equal(err.message, "field \"d\": row labels of float64");
    d.format = "l";
    assert_null(shmf_arrow_import(&root, &batch, &options, &err));
    assert_string_equal(err.message, "field \"d\": row labels with nulls");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_dtype_comes_back_bit_by_bit),
        cmocka_unit_test(test_slices_come_back_as_their_rows),
        cmocka_unit_test(test_labels_of_a_range_become_numbers_if_asked_for),
        cmocka_unit_test(test_offsets_of_parents_and_children_add_up),
        cmocka_unit_test(test_a_bitmap_without_a_null_is_no_bitmap),
        cmocka_unit_test(test_views_of_text_are_gathered),
        cmocka_unit_test(test_dictionaries_that_differ_are_merged_and_their_nulls_are_nulls),
        cmocka_unit_test(test_an_index_dtype_grows_with_the_merged_categories),
        cmocka_unit_test(test_types_that_a_frame_does_not_have_are_refused_with_the_fields_name),
        cmocka_unit_test(test_contents_that_are_wrong_are_refused),
        cmocka_unit_test(test_the_failure_of_a_stream_is_told),
        cmocka_unit_test(test_row_labels_come_from_the_field_that_is_named),
    };
    return cmocka_run_group_tests_name("arrow import", tests, NULL, NULL);
}

/* frame/: columns of strings, categories, dates, times and decimals, and metadata. */
#include "support/test.h"
#include "unit/typed_frame.h"

#include <stdio.h>
#include <stdlib.h>

static struct shmf_frame *make(void)
{
    struct shmf_error err = {0};
    struct shmf_frame *frame = typed_frame(&err);
    if (!frame)
        fail_msg("%s", err.message);
    return frame;
}

static void assert_text(struct shmf_text text, const char *expected)
{
    if (!expected) {
        assert_null(text.data);
        return;
    }
    assert_non_null(text.data);
    assert_int_equal(text.size, typed_size(expected));
    assert_memory_equal(text.data, expected, (size_t)text.size);
}

static void assert_cell(const struct shmf_frame *frame, int64_t row, int64_t column,
                        const char *expected)
{
    char text[100];
    int64_t size = shmf_frame_cell_text(frame, row, column, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(size, typed_size(expected));
}

static void test_every_dtype_is_read_as_it_was_written(void **state)
{
    (void)state;
    static const char *const cells[N_TYPED][3] = {
        [NAME] = {"Ann", "null", "\xE5\xBC\xA0\xE4\xBC\x9F"},
        [NOTE] = {"", "b", "tail"},
        [BLOB] = {"00ff", "", "7f"},
        [UUID] = {"616263", "010203", "78797a"},
        [KIND] = {"gr\xC3\xBCn", "red", "null"},
        [DAY] = {"1970-01-01", "2024-02-29", "1969-12-31"},
        [INSTANT] = {"1970-01-01", "1970-01-02", "1970-01-01 00:00:00.001"},
        [ALARM] = {"00:00:00", "23:59:59", "01:01:01"},
        [TICK] = {"00:00:00.000000001", "12:00:00.000000000", "00:00:00.000000000"},
        [WHEN] = {"2024-02-29 12:34:56.789Z", "1969-12-31 23:59:59.999Z",
                  "1970-01-01 00:00:00.000Z"},
        [LOCAL] = {"1970-01-01 00:00:00", "2000-02-29 00:00:00", "0001-01-01 00:00:00"},
        [SPAN] = {"5us", "-7us", "0us"},
        [PRICE] = {"123.45", "-0.05", "0.07"},
    };
    struct shmf_frame *made = make();
    struct shmf_frame *frame = shmf_frame_open(shmf_frame_handle(made), NULL);
    assert_non_null(frame);
    for (int64_t c = 0; c < N_TYPED; c++)
        for (int64_t r = 0; r < 3; r++)
            assert_cell(frame, r, c, cells[c][r]);
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    shmf_frame_free(frame);
    shmf_frame_free(made);
}

static void test_texts_and_categories_are_read_in_place(void **state)
{
    (void)state;
    struct shmf_frame *frame = make();
    assert_text(shmf_frame_text(frame, 0, NAME), "Ann");
    assert_text(shmf_frame_text(frame, 1, NAME), NULL);
    assert_text(shmf_frame_text(frame, 0, NOTE), "");
    assert_int_equal(shmf_frame_text(frame, 0, BLOB).size, 2);
    assert_text(shmf_frame_text(frame, 2, UUID), "xyz");
    assert_text(shmf_frame_text(frame, 0, KIND), "gr\xC3\xBCn");
    assert_text(shmf_frame_text(frame, 2, KIND), NULL);
    assert_text(shmf_frame_text(frame, 0, DAY), NULL);
    assert_text(shmf_frame_text(frame, 3, NAME), NULL);
    assert_text(shmf_frame_text(frame, 0, N_TYPED), NULL);
    assert_int_equal(shmf_frame_n_categories(frame, KIND), 3);
    assert_int_equal(shmf_frame_n_categories(frame, NAME), 0);
    assert_text(shmf_frame_category(frame, KIND, 1), "");
    assert_text(shmf_frame_category(frame, KIND, 3), NULL);
    assert_text(shmf_frame_category(frame, KIND, -1), NULL);
    assert_int_equal(shmf_frame_is_null(frame, 1, NAME), 1);
    assert_int_equal(shmf_frame_is_null(frame, 0, NAME), 0);
    assert_int_equal(shmf_frame_is_null(frame, 3, NAME), SHMF_E_RANGE);
    shmf_frame_free(frame);
}

static void test_types_are_described_in_full(void **state)
{
    (void)state;
    struct shmf_frame *frame = make();
    struct shmf_type type;
    assert_int_equal(shmf_frame_type(frame, WHEN, &type), SHMF_OK);
    assert_int_equal(type.dtype, SHMF_TIMESTAMP);
    assert_int_equal(type.unit, SHMF_MILLISECONDS);
    assert_text(type.zone, "Europe/Berlin");
    assert_int_equal(shmf_frame_type(frame, KIND, &type), SHMF_OK);
    assert_int_equal(type.index_dtype, SHMF_UINT8);
    assert_int_equal(type.ordered, 1);
    assert_int_equal(shmf_frame_type(frame, PRICE, &type), SHMF_OK);
    assert_int_equal(type.precision, 10);
    assert_int_equal(type.scale, 2);
    assert_int_equal(shmf_frame_type(frame, UUID, &type), SHMF_OK);
    assert_int_equal(type.width, 3);
    assert_int_equal(shmf_frame_type(frame, -1, &type), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_type(frame, 0, NULL), SHMF_E_INVAL);
    struct shmf_column column;
    assert_int_equal(shmf_frame_column(frame, NOTE, &column), SHMF_OK);
    const int64_t offsets[] = {0, 0, 1, 5};
    assert_memory_equal(column.offsets, offsets, sizeof offsets);
    assert_int_equal(column.data_size, 5);
    assert_memory_equal(column.data, "btail", 5);
    shmf_frame_free(frame);
}

static void test_cells_are_int64_where_they_are_stored_as_integers(void **state)
{
    (void)state;
    struct shmf_frame *frame = make();
    int64_t value = 0;
    assert_int_equal(shmf_frame_cell_int64(frame, 2, DAY, &value), SHMF_OK);
    assert_int_equal(value, -1);
    assert_int_equal(shmf_frame_cell_int64(frame, 0, WHEN, &value), SHMF_OK);
    assert_int_equal(value, 1709210096789);
    assert_int_equal(shmf_frame_cell_int64(frame, 0, KIND, &value), SHMF_OK);
    assert_int_equal(value, 2);
    assert_int_equal(shmf_frame_cell_int64(frame, 2, KIND, &value), SHMF_E_NOTFOUND);
    assert_int_equal(shmf_frame_cell_int64(frame, 0, NAME, &value), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_cell_int64(frame, 0, PRICE, &value), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_cell_int64(frame, 0, N_TYPED, &value), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_cell_int64(frame, 0, DAY, NULL), SHMF_E_INVAL);
    double number;
    assert_int_equal(shmf_frame_cell(frame, 0, NAME, &number), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_cell(frame, 1, NAME, &number), SHMF_E_DTYPE); /* a null */
    assert_int_equal(shmf_frame_cell(frame, 0, DAY, &number), SHMF_E_DTYPE);
    shmf_frame_free(frame);
}

static void test_metadata_of_frame_and_columns_are_found_by_key_and_position(void **state)
{
    (void)state;
    struct shmf_frame *frame = make();
    struct shmf_pair pair;
    assert_int_equal(shmf_frame_n_metadata(frame, -1), 1);
    assert_text(shmf_frame_metadata(frame, -1, "unit"), "m/s");
    assert_text(shmf_frame_metadata(frame, -1, "long name"), NULL);
    assert_int_equal(shmf_frame_n_metadata(frame, NAME), 4);
    assert_text(shmf_frame_metadata(frame, NAME, "unit"), "m/s");
    assert_text(shmf_frame_metadata(frame, NAME, "long name"), "wind \xE2\x86\x92");
    assert_text(shmf_frame_metadata(frame, NAME, "Unit"), NULL);
    assert_int_equal(shmf_frame_metadata_at(frame, NAME, 2, &pair), SHMF_OK);
    assert_text(pair.key, "unit");
    assert_text(pair.value, "second");
    assert_int_equal(shmf_frame_metadata_at(frame, NAME, 4, &pair), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_metadata_at(frame, N_TYPED, 0, &pair), SHMF_E_RANGE);
    assert_int_equal(shmf_frame_n_metadata(frame, NOTE), 0);
    assert_text(shmf_frame_metadata(frame, NOTE, "unit"), NULL);
    shmf_frame_free(frame);
}

static void test_typed_columns_are_printed_with_their_types(void **state)
{
    (void)state;
    struct shmf_frame *frame = make();
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const struct shmf_print_options all = {.max_columns = 5};
    assert_int_equal(shmf_frame_print(frame, out, &all), SHMF_OK);
    fclose(out);
    assert_string_equal(
        text,
        "   name        note    blob  ...          span             price\n"
        "   utf8  large_utf8  binary  ...  duration[us]  decimal128(10,2)\n"
        "0   Ann                00ff  ...           5us            123.45\n"
        "1  null           b          ...          -7us             -0.05\n"
        "2  \xE5\xBC\xA0\xE4\xBC\x9F        tail      7f  ...           0us              0.07\n"
        "\n"
        "[3 rows x 13 columns]\n");
    free(text);
    shmf_frame_free(frame);
}

static void test_strings_are_written_in_place_and_checked_when_finished(void **state)
{
    (void)state;
    const struct shmf_column_spec columns[] = {{"s", SHMF_UTF8, 1}};
    const struct shmf_column_details details[] = {{.data_size = 8}};
    const struct shmf_frame_spec spec = {
        .n_rows = 3, .n_columns = 1, .columns = columns, .details = details};
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    assert_non_null(frame);
    int32_t *offsets = shmf_frame_offsets_mut(frame, 0);
    char *bytes = shmf_frame_data_mut(frame, 0);
    assert_int_equal(offsets[0], 0);
    memcpy(bytes, "abcd\xC3\xA4zz", 8);
    offsets[1] = 2;
    offsets[2] = 5; /* in the middle of a character */
    offsets[3] = 6;
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_E_INVAL);
    assert_string_equal(err.message, "column 0: row 1: not valid UTF-8");
    shmf_frame_validity_mut(frame, 0)[0] = 0x01; /* a null may be anything */
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    assert_null(shmf_frame_offsets_mut(frame, 0));
    assert_text(shmf_frame_text(frame, 0, 0), "ab");
    shmf_frame_free(frame);
    frame = shmf_frame_new(&spec, &err);
    offsets = shmf_frame_offsets_mut(frame, 0);
    const int32_t wrong[][3] = {{3, 2, 4}, {1, 2, 9}, {-1, 2, 3}, {1, 2, -1}};
    memcpy(shmf_frame_data_mut(frame, 0), "abcdefgh", 8);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memcpy(offsets + 1, wrong[i], sizeof wrong[i]);
        assert_int_equal(shmf_frame_finish(frame, &err), SHMF_E_INVAL);
        assert_non_null(strstr(err.message, "column 0: row"));
    }
    shmf_frame_free(frame);
}

static void test_indexes_must_lead_to_categories(void **state)
{
    (void)state;
    const struct shmf_column_details details[] = {{.values = typed_kinds, .n_values = 3}};
    const struct shmf_frame_spec spec = {
        .n_rows = 2, .n_columns = 1, .dtype = SHMF_DICTIONARY, .details = details};
    struct shmf_error err = {0};
    const int32_t good[] = {0, 2}, high[] = {0, 3}, low[] = {-1, 0};
    const void *data[] = {good};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, data, NULL, &err);
    assert_non_null(frame);
    shmf_frame_free(frame);
    data[0] = high;
    assert_null(shmf_frame_from_columns(&spec, data, NULL, &err));
    assert_string_equal(err.message, "column 0: row 1: no such category");
    data[0] = low;
    assert_null(shmf_frame_from_columns(&spec, data, NULL, &err));
    assert_string_equal(err.message, "column 0: row 0: no such category");
}

static void assert_refused(enum shmf_dtype dtype, struct shmf_column_details details, int code,
                           const char *culprit)
{
    const struct shmf_frame_spec spec = {
        .n_rows = 1, .n_columns = 1, .dtype = dtype, .details = &details};
    struct shmf_error err = {0};
    assert_null(shmf_frame_new(&spec, &err));
    assert_int_equal(err.code, code);
    if (!strstr(err.message, culprit))
        fail_msg("\"%s\" does not name %s", err.message, culprit);
}

#define REFUSED(dtype, code, culprit, ...)                                                         \
    assert_refused(dtype, (struct shmf_column_details){__VA_ARGS__}, code, culprit)

static void test_details_that_make_no_sense_are_refused_by_field(void **state)
{
    (void)state;
    static const struct shmf_text broken[] = {TEXT("\xFF")}, negative[] = {{"a", -1}};
    static const struct shmf_pair no_key[] = {{{NULL, 1}, {"", 0}}};
    REFUSED(SHMF_TIMESTAMP, SHMF_E_INVAL, "details[0].type.unit", .reserved = {0});
    REFUSED(SHMF_TIME32, SHMF_E_INVAL, "type.unit", .type.unit = SHMF_NANOSECONDS);
    REFUSED(SHMF_TIME64, SHMF_E_INVAL, "type.unit", .type.unit = SHMF_SECONDS);
    REFUSED(SHMF_DATE32, SHMF_E_INVAL, "type.unit", .type.unit = SHMF_SECONDS);
    REFUSED(SHMF_FIXED_BINARY, SHMF_E_INVAL, "type.width", .type.width = 0);
    REFUSED(SHMF_INT8, SHMF_E_INVAL, "type.width", .type.width = 1);
    REFUSED(SHMF_DECIMAL128, SHMF_E_INVAL, "type.precision", .type.precision = 39);
    REFUSED(SHMF_DECIMAL128, SHMF_E_INVAL, "type.scale", .type = {.precision = 1, .scale = 40000});
    REFUSED(SHMF_UTF8, SHMF_E_INVAL, "type.ordered", .type.ordered = 1);
    REFUSED(SHMF_DICTIONARY, SHMF_E_INVAL, "type.index_dtype", .type.index_dtype = SHMF_FLOAT32);
    REFUSED(SHMF_DURATION, SHMF_E_INVAL, "type.zone",
            .type = {.unit = SHMF_SECONDS, .zone = TEXT("UTC")});
    REFUSED(SHMF_TIMESTAMP, SHMF_E_INVAL, "type.zone",
            .type = {.unit = SHMF_SECONDS, .zone = TEXT("\xFF")});
    REFUSED(SHMF_INT8, SHMF_E_INVAL, "data_size", .data_size = 1);
    REFUSED(SHMF_UTF8, SHMF_E_INVAL, "data_size", .data_size = -1);
    REFUSED(SHMF_UTF8, SHMF_E_TOOBIG, "data_size", .data_size = 1LL << 31);
    REFUSED(SHMF_DICTIONARY, SHMF_E_INVAL, "n_values", .n_values = 1);
    REFUSED(SHMF_UTF8, SHMF_E_INVAL, "n_values", .values = broken, .n_values = 1);
    REFUSED(SHMF_DICTIONARY, SHMF_E_INVAL, "values[0]", .values = broken, .n_values = 1);
    REFUSED(SHMF_DICTIONARY, SHMF_E_INVAL, "values", .values = negative, .n_values = 1);
    REFUSED(SHMF_INT8, SHMF_E_INVAL, "reserved[3]", .reserved = {0, 0, 0, 1});
    REFUSED(SHMF_INT8, SHMF_E_INVAL, "n_metadata", .n_metadata = -1);
    REFUSED(SHMF_INT8, SHMF_E_INVAL, "metadata: NULL", .n_metadata = 1);
    REFUSED(SHMF_INT8, SHMF_E_INVAL, "metadata[0].key", .metadata = no_key, .n_metadata = 1);
}

static void test_cell_text_is_cut_to_the_room_there_is(void **state)
{
    (void)state;
    struct shmf_frame *frame = make();
    char room[8];
    memset(room, '#', sizeof room);
    assert_int_equal(shmf_frame_cell_text(frame, 0, DAY, room, 5), 10);
    assert_memory_equal(room, "1970\0###", 8);
    memset(room, '#', sizeof room);
    assert_int_equal(shmf_frame_cell_text(frame, 0, UUID, room, 6), 6);
    assert_memory_equal(room, "6162\0###", 8);
    assert_int_equal(shmf_frame_cell_text(frame, 0, UUID, NULL, 0), 6);
    assert_int_equal(shmf_frame_cell_text(frame, 1, NAME, NULL, 0), 4);
    assert_int_equal(shmf_frame_cell_text(frame, 0, UUID, NULL, 1), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_cell_text(frame, 3, UUID, room, 6), SHMF_E_RANGE);
    shmf_frame_free(frame);
}

static void test_typed_frames_without_rows_are_fine(void **state)
{
    (void)state;
    struct shmf_frame_spec spec = typed_spec;
    spec.n_rows = 0;
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, NULL, NULL, NULL);
    assert_non_null(frame);
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    struct shmf_frame *opened = shmf_frame_open(shmf_frame_handle(frame), NULL);
    assert_non_null(opened);
    assert_int_equal(shmf_frame_n_categories(opened, KIND), 3);
    shmf_frame_free(opened);
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_dtype_is_read_as_it_was_written),
        cmocka_unit_test(test_texts_and_categories_are_read_in_place),
        cmocka_unit_test(test_types_are_described_in_full),
        cmocka_unit_test(test_cells_are_int64_where_they_are_stored_as_integers),
        cmocka_unit_test(test_metadata_of_frame_and_columns_are_found_by_key_and_position),
        cmocka_unit_test(test_typed_columns_are_printed_with_their_types),
        cmocka_unit_test(test_strings_are_written_in_place_and_checked_when_finished),
        cmocka_unit_test(test_indexes_must_lead_to_categories),
        cmocka_unit_test(test_details_that_make_no_sense_are_refused_by_field),
        cmocka_unit_test(test_cell_text_is_cut_to_the_room_there_is),
        cmocka_unit_test(test_typed_frames_without_rows_are_fine),
    };
    return cmocka_run_group_tests_name("frame types", tests, NULL, NULL);
}

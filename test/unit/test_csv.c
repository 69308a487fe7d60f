/* Comma-separated values: what is read, what is refused and where, and that reading gives back what
 * was written. Pools are in test/process/test_csv_pool.c. */
#include "support/test.h"

#include <math.h>
#include <shmframe/csv.h>
#include <shmframe/derive.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct shmf_frame *parse_with(const char *text, const struct shmf_csv_options *options)
{
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_csv_parse(text, strlen(text), options, &err);
    if (!frame)
        print_error("%s\n", err.message);
    return frame;
}

static struct shmf_frame *parse(const char *text)
{
    return parse_with(text, NULL);
}

static enum shmf_dtype dtype_of(const struct shmf_frame *frame, int64_t column)
{
    struct shmf_column view;
    assert_int_equal(shmf_frame_column(frame, column, &view), SHMF_OK);
    return view.dtype;
}

static void assert_text(const struct shmf_frame *frame, int64_t row, int64_t column,
                        const char *expected)
{
    char text[200];
    int64_t size = shmf_frame_cell_text(frame, row, column, text, sizeof text);
    assert_in_range(size, 0, sizeof text - 1);
    assert_string_equal(text, expected);
}

static void assert_refused(const char *text, const struct shmf_csv_options *options, int code,
                           const char *message)
{
    struct shmf_error err = {0};
    assert_null(shmf_csv_parse(text, strlen(text), options, &err));
    assert_string_equal(err.message, message);
    assert_int_equal(err.code, code);
}

static void test_types_are_those_that_all_fields_have(void **state)
{
    (void)state;
    struct shmf_frame *frame = parse("a,b,c,d,e,f\n"
                                     "1,1,true,2024-02-29,x,2024-02-29T12:30:00.25Z\n"
                                     "-20,2.5,false,1969-12-31,,2024-02-29T14:30+02:00\n");
    const enum shmf_dtype expected[] = {SHMF_INT64,  SHMF_FLOAT64, SHMF_BOOL,
                                        SHMF_DATE32, SHMF_UTF8,    SHMF_TIMESTAMP};
    assert_non_null(frame);
    assert_int_equal(shmf_frame_rows(frame), 2);
    for (int64_t c = 0; c < 6; c++)
        assert_int_equal(dtype_of(frame, c), expected[c]);
    assert_text(frame, 1, 0, "-20");
    assert_text(frame, 1, 1, "2.5");
    assert_text(frame, 0, 2, "true");
    assert_text(frame, 1, 3, "1969-12-31");
    assert_int_equal(shmf_frame_is_null(frame, 1, 4), 1);
    assert_text(frame, 1, 5, "2024-02-29 12:30:00.000000Z");
    shmf_frame_free(frame);
}

static void test_what_would_lose_something_stays_text(void **state)
{
    (void)state;
    static const char *const texts[] = {"007",  "+49",   "9223372036854775808",
                                        "1,5",  "-0x1",  "2023-02-29",
                                        "0x10", "1e",    "--1",
                                        "- 1",  " 1",    "12:30",
                                        "TrUe", "1_000", "."};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "a\n\"%s\"\n", texts[i]);
        struct shmf_frame *frame = parse(text);
        assert_int_equal(dtype_of(frame, 0), SHMF_UTF8);
        assert_text(frame, 0, 0, texts[i]);
        shmf_frame_free(frame);
        if (strchr(texts[i], ','))
            continue;
        snprintf(text, sizeof text, "a\n%s\n", texts[i]);
        frame = parse(text);
        assert_int_equal(dtype_of(frame, 0), SHMF_UTF8);
        assert_text(frame, 0, 0, texts[i]);
        shmf_frame_free(frame);
    }
}

static void test_numbers_are_the_nearest_doubles(void **state)
{
    (void)state;
    static const char *const texts[] = {"0.1",
                                        "1e22",
                                        "1e23",
                                        "123456789012345678",
                                        "1.7976931348623157e308",
                                        "5e-324",
                                        "2.2250738585072011e-308",
                                        "9007199254740993.0",
                                        "0.000001",
                                        "-0.0",
                                        "3.14159265358979323846264338327950288",
                                        "1e-400",
                                        ".5",
                                        "5."};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[100];
        double value = 0, expected = strtod(texts[i], NULL);
        snprintf(text, sizeof text, "a\n0.5\n%s\n", texts[i]);
        struct shmf_frame *frame = parse(text);
        if (dtype_of(frame, 0) == SHMF_FLOAT64) {
            assert_int_equal(shmf_frame_cell(frame, 1, 0, &value), SHMF_OK);
            assert_memory_equal(&value, &expected, sizeof value);
        } else { /* an integer beyond 2^53 and a half: neither holds both */
            assert_string_equal(texts[i], "123456789012345678");
        }
        shmf_frame_free(frame);
    }
}

static void test_quotes_hold_delimiters_line_ends_and_quotes(void **state)
{
    (void)state;
    struct shmf_frame *frame = parse("\"a \"\"1\"\"\",b\n\"x,y\",\"1\n2\r\n3\"\n\"\",\"\"\"\"\n");
    struct shmf_text label = shmf_frame_column_label(frame, 0);
    assert_int_equal(shmf_frame_rows(frame), 2);
    assert_memory_equal(label.data, "a \"1\"", 5);
    assert_text(frame, 0, 0, "x,y");
    struct shmf_text lines = shmf_frame_text(frame, 0, 1);
    assert_int_equal(lines.size, 6);
    assert_memory_equal(lines.data, "1\n2\r\n3", 6);
    assert_int_equal(shmf_frame_is_null(frame, 1, 0), 0); /* empty text is not null */
    assert_text(frame, 1, 1, "\"");
    shmf_frame_free(frame);
}

static void test_line_ends_byte_order_marks_and_a_last_line_without_end(void **state)
{
    (void)state;
    static const char *const texts[] = {"a,b\n1,2\n3,4\n",
                                        "a,b\r\n1,2\r\n3,4\r\n",
                                        "a,b\n1,2\n3,4",
                                        "a,b\r\n1,2\r\n3,4",
                                        ("\xef\xbb\xbf"
                                         "a,b\n1,2\n3,4\n"),
                                        "a,b\n\n1,2\n\n3,4\n\n"};
    struct shmf_frame *first = parse(texts[0]);
    for (size_t i = 1; i < sizeof texts / sizeof texts[0]; i++) {
        struct shmf_frame *frame = parse(texts[i]);
        assert_int_equal(shmf_frame_equal(first, frame), 1);
        shmf_frame_free(frame);
    }
    shmf_frame_free(first);
}

static void test_options_choose_delimiter_nulls_labels_and_header(void **state)
{
    (void)state;
    static const char *const nulls[] = {"NA", "-"};
    const struct shmf_csv_options options = {
        .delimiter = ';', .nulls = nulls, .n_nulls = 2, .row_labels = "who"};
    struct shmf_frame *frame = parse_with("n;who;x\n1;ann;NA\n-;bob;2,5\n", &options);
    assert_int_equal(shmf_frame_columns(frame), 2);
    assert_int_equal(shmf_frame_loc(frame, "bob"), 1);
    assert_int_equal(shmf_frame_is_null(frame, 1, 0), 1);
    assert_int_equal(shmf_frame_is_null(frame, 0, 1), 1);
    assert_int_equal(dtype_of(frame, 0), SHMF_INT64);
    assert_text(frame, 1, 1, "2,5");
    shmf_frame_free(frame);

    frame = parse_with("1,2\n3,4\n", &(struct shmf_csv_options){.no_header = 1});
    assert_int_equal(shmf_frame_rows(frame), 2);
    assert_int_equal(shmf_frame_column_loc(frame, "1"), 1);
    shmf_frame_free(frame);

    frame = parse_with("id,x\n7,a\n7,b\n9,c\n", &(struct shmf_csv_options){.row_labels = "id"});
    assert_int_equal(shmf_frame_loc_number(frame, 9), 2);
    shmf_frame_free(frame);
}

static void test_given_types_are_taken_and_checked(void **state)
{
    (void)state;
    const struct shmf_column_spec columns[] = {
        {"a", SHMF_INT8, 0}, {"b", SHMF_FLOAT32, 0}, {"c", SHMF_LARGE_UTF8, 0}};
    const struct shmf_csv_options options = {.columns = columns, .n_columns = 3};
    struct shmf_frame *frame = parse_with("a,b,c\n-128,0.25,007\n127,,\n", &options);
    assert_int_equal(dtype_of(frame, 0), SHMF_INT8);
    assert_int_equal(dtype_of(frame, 1), SHMF_FLOAT32);
    assert_int_equal(dtype_of(frame, 2), SHMF_LARGE_UTF8);
    assert_text(frame, 0, 0, "-128");
    assert_text(frame, 0, 2, "007");
    shmf_frame_free(frame);
    assert_refused("a,b,c\n1,1,x\n128,1,y\n", &options, SHMF_E_CORRUPT,
                   "line 3, column 1: \"128\" is no int8");
    assert_refused("a,b,c\n1,one,x\n", &options, SHMF_E_CORRUPT,
                   "line 2, column 2: \"one\" is no float32");
    assert_refused("a,b\n1,2\n", &options, SHMF_E_CORRUPT, "line 1: 2 columns instead of 3");
    assert_refused("a,b,d\n", &options, SHMF_E_CORRUPT,
                   "line 1, column 3: it is labelled \"d\", not \"c\"");
}

static void test_what_is_wrong_is_said_with_line_and_column(void **state)
{
    (void)state;
    assert_refused("", NULL, SHMF_E_CORRUPT, "line 1: there is nothing, not even a header");
    assert_refused("a,b\n1,2\n3\n", NULL, SHMF_E_CORRUPT,
                   "line 3, column 1: the row ends after 1 of 2 fields");
    assert_refused("a,b\n1,2,3\n", NULL, SHMF_E_CORRUPT, "line 2, column 3: more than 2 fields");
    assert_refused("a,b\n1,\"2\n", NULL, SHMF_E_CORRUPT,
                   "line 2, column 2: the text ends within quotes that begin here");
    assert_refused("a,b\n\"1\n\n\",2\"\n", NULL, SHMF_E_CORRUPT,
                   "line 4, column 2: a quote within a field that does not begin with one");
    assert_refused("a,b\n1,\"2\"x\n", NULL, SHMF_E_CORRUPT,
                   "line 2, column 2: text behind the closing quote");
    assert_refused("a,b\n1,2\r\n", NULL, SHMF_E_CORRUPT,
                   "line 2, column 2: the line ends with CR LF, the first line with LF");
    assert_refused("a,b\r\n1,2\n", NULL, SHMF_E_CORRUPT,
                   "line 2, column 2: the line ends with LF, the first line with CR LF");
    assert_refused("a,b\n1\r2,2\n", NULL, SHMF_E_CORRUPT,
                   "line 2, column 1: a carriage return that ends no line");
    assert_refused("a,b\n1,2\n3,\xff\n", NULL, SHMF_E_CORRUPT,
                   "line 3, column 2: byte 1 of the field is not UTF-8");
    assert_refused("a,b\n1,2\nx,ab\xed\xa0\x80\n", NULL, SHMF_E_CORRUPT,
                   "line 3, column 2: byte 3 of the field is not UTF-8");
    assert_refused("a,\xc0\n", NULL, SHMF_E_CORRUPT,
                   "line 1, column 2: a label that is not UTF-8, or with a NUL byte");
}

static void test_options_that_make_no_sense_are_named(void **state)
{
    (void)state;
    static const char *const nulls[] = {NULL};
    const struct shmf_column_spec complex[] = {{"a", SHMF_COMPLEX64, 0}};
    assert_refused("a\n", &(struct shmf_csv_options){.delimiter = '"'}, SHMF_E_INVAL,
                   "options.delimiter: '\"'");
    assert_refused("a\n", &(struct shmf_csv_options){.delimiter = '3'}, SHMF_E_INVAL,
                   "options.delimiter: '3'");
    assert_refused("a\n", &(struct shmf_csv_options){.chunk_bytes = -1}, SHMF_E_INVAL,
                   "options.chunk_bytes: -1");
    assert_refused("a\n", &(struct shmf_csv_options){.reserved = {0, 1}}, SHMF_E_INVAL,
                   "options.reserved[1]: not zero");
    assert_refused("a\n", &(struct shmf_csv_options){.nulls = nulls, .n_nulls = 1}, SHMF_E_INVAL,
                   "options.nulls[0]: NULL, or longer than 255 bytes");
    assert_refused("a\n", &(struct shmf_csv_options){.columns = complex, .n_columns = 1},
                   SHMF_E_DTYPE, "options.columns[0]: complex64 cannot be read");
    assert_refused("a\n1\n", &(struct shmf_csv_options){.row_labels = "b"}, SHMF_E_NOTFOUND,
                   "row_labels: there is no column \"b\"");
    assert_refused("a,b\n,1\n", &(struct shmf_csv_options){.row_labels = "a"}, SHMF_E_CORRUPT,
                   "row_labels: there are nulls among them");
    struct shmf_error err;
    assert_null(shmf_csv_read("/nowhere/at.all", NULL, &err));
    assert_int_equal(err.code, SHMF_E_NOTFOUND);
    assert_null(shmf_csv_read("/", NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_null(shmf_csv_read(NULL, NULL, NULL));
}

/* Whatever the size of the pieces, the frame is the same, and so is the error. */
static void test_pieces_of_any_size_give_the_same(void **state)
{
    (void)state;
    static const char text[] = "a,b,c\n1,\"x\n\"\"y\",2.5\n2,,3\n3,\"1,\n\n2\",4\n\n4,zz,5e3\n\n\n";
    struct shmf_frame *whole = parse(text);
    assert_int_equal(shmf_frame_rows(whole), 4);
    for (int64_t size = 1; size < 60; size++) {
        const struct shmf_csv_options options = {.chunk_bytes = size};
        struct shmf_frame *frame = parse_with(text, &options);
        assert_int_equal(shmf_frame_equal(whole, frame), 1);
        shmf_frame_free(frame);
        assert_refused("a,b\n1,\"x\n\n\"\n2,\"\n3\n", &options, SHMF_E_CORRUPT,
                       "line 5, column 2: the text ends within quotes that begin here");
        assert_refused("a,b\n1,\"x\n\n\"\n2,y\n3\n4,z\n", &options, SHMF_E_CORRUPT,
                       "line 6, column 1: the row ends after 1 of 2 fields");
    }
    shmf_frame_free(whole);
}

/* The guess looks at the beginnings of pieces; what it misses is found. */
static void test_a_type_that_shows_late_is_found(void **state)
{
    (void)state;
    enum { ROWS = 30000 };
    char *text = malloc(ROWS * 16), *to = text;
    to += sprintf(to, "a,b\n");
    for (int i = 0; i < ROWS; i++)
        to += sprintf(to,
                      i == ROWS - 100   ? "%d,late\n"
                      : i == ROWS - 300 ? "%d.5,1\n"
                                        : "%d,1\n",
                      i);
    struct shmf_frame *frame = parse_with(text, &(struct shmf_csv_options){.chunk_bytes = 50000});
    assert_int_equal(shmf_frame_rows(frame), ROWS);
    assert_int_equal(dtype_of(frame, 0), SHMF_FLOAT64);
    assert_int_equal(dtype_of(frame, 1), SHMF_UTF8);
    assert_text(frame, ROWS - 100, 1, "late");
    shmf_frame_free(frame);
    free(text);
}

/* ---- writing ------------------------------------------------------------------------------- */

static struct shmf_frame *written_and_read(const struct shmf_frame *frame,
                                           const struct shmf_csv_write_options *write,
                                           const struct shmf_csv_options *read)
{
    char *text = NULL;
    size_t size = 0;
    struct shmf_error err = {0};
    FILE *out = open_memstream(&text, &size);
    assert_int_equal(shmf_csv_write(frame, out, write, &err), SHMF_OK);
    fclose(out);
    struct shmf_frame *back = shmf_csv_parse(text, size, read, &err);
    if (!back)
        print_error("%s\n%.*s\n", err.message, (int)size, text);
    free(text);
    return back;
}

static void test_what_is_written_is_read_back(void **state)
{
    (void)state;
    const struct shmf_column_spec columns[] = {{"n", SHMF_INT64, 1},   {"x", SHMF_FLOAT64, 1},
                                               {"f", SHMF_FLOAT32, 0}, {"a \"b\",\n", SHMF_UTF8, 1},
                                               {"d", SHMF_DATE32, 1},  {"t", SHMF_TIMESTAMP, 1},
                                               {"yes", SHMF_BOOL, 1}};
    struct shmf_column_details details[7] = {{.type = {0}}};
    details[5].type = (struct shmf_type){.unit = SHMF_NANOSECONDS, .zone = {"UTC", 3}};
    const int64_t n[] = {INT64_MIN, 0, INT64_MAX};
    const double x[] = {0.1, NAN, -1e-310};
    const float f[] = {0.1f, 3e38f, -INFINITY};
    const struct shmf_text text[] = {{"a,\"b\"\r\n", 7}, {"", 0}, {NULL, 0}};
    const int32_t d[] = {0, -719162, 19782};
    const int64_t t[] = {0, 1709210400123456789, -1};
    const uint8_t yes[] = {5};
    const uint8_t valid[] = {5};
    const void *data[] = {n, x, f, text, d, t, yes};
    const uint8_t *validity[] = {valid, NULL, NULL, NULL, valid, NULL, valid};
    const struct shmf_frame_spec spec = {.n_rows = 3,
                                         .n_columns = 7,
                                         .columns = columns,
                                         .details = details,
                                         .row_labels = (const char *[]){"u", "v,w", "x\"y"}};
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, data, validity, &err);
    assert_non_null(frame);
    const struct shmf_csv_write_options write = {.row_labels = "who", .crlf = 1, .null = "NA"};
    static const char *const nulls[] = {"NA"};
    struct shmf_column_spec given[8] = {{"who", SHMF_UTF8, 0}};
    struct shmf_column_details given_details[8] = {{.type = {0}}};
    memcpy(given + 1, columns, sizeof columns);
    memcpy(given_details + 1, details, sizeof details);
    const struct shmf_csv_options read = {.columns = given,
                                          .details = given_details,
                                          .n_columns = 8,
                                          .row_labels = "who",
                                          .nulls = nulls,
                                          .n_nulls = 1};
    struct shmf_frame *back = written_and_read(frame, &write, &read);
    assert_int_equal(shmf_frame_equal(frame, back), 1);
    shmf_frame_free(back);
    shmf_frame_free(frame);
}

static void test_frames_without_rows_are_written_and_read(void **state)
{
    (void)state;
    struct shmf_frame *frame = parse("a,b\n");
    assert_int_equal(shmf_frame_rows(frame), 0);
    struct shmf_frame *back = written_and_read(frame, NULL, NULL);
    assert_int_equal(shmf_frame_equal(frame, back), 1);
    shmf_frame_free(back);
    shmf_frame_free(frame);
}

static void test_a_stream_that_fails_is_an_error(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_frame *frame = parse("a,b\n1,2\n");
    FILE *full = fopen("/dev/full", "w");
    setvbuf(full, NULL, _IONBF, 0);
    assert_int_equal(shmf_csv_write(frame, full, NULL, &err), SHMF_E_SYS);
    fclose(full);
    assert_int_equal(shmf_csv_write(NULL, stdout, NULL, &err), SHMF_E_INVAL);
    assert_string_equal(err.message, "frame: NULL");
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_types_are_those_that_all_fields_have),
        test_case(test_what_would_lose_something_stays_text),
        test_case(test_numbers_are_the_nearest_doubles),
        test_case(test_quotes_hold_delimiters_line_ends_and_quotes),
        test_case(test_line_ends_byte_order_marks_and_a_last_line_without_end),
        test_case(test_options_choose_delimiter_nulls_labels_and_header),
        test_case(test_given_types_are_taken_and_checked),
        test_case(test_what_is_wrong_is_said_with_line_and_column),
        test_case(test_options_that_make_no_sense_are_named),
        test_case(test_pieces_of_any_size_give_the_same),
        test_case(test_a_type_that_shows_late_is_found),
        test_case(test_what_is_written_is_read_back),
        test_case(test_frames_without_rows_are_written_and_read),
        test_case(test_a_stream_that_fails_is_an_error),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

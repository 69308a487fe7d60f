/* Comma-separated values: the ways that are taken for speed give what the slow ones give. */
#include "support/test.h"

#include "csv/loops.h"

#include <shmframe/derive.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t state = 1;

static unsigned choose(unsigned n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

/* The loops that this processor can run: one way, or two. */
static const struct shmfi_csv_loops *ways[3] = {&shmfi_csv_any_loops};

/* ---- where rows begin ----------------------------------------------------------------------- */

static void count_slowly(const char *text, int64_t size, bool one_column,
                         struct shmfi_csv_counts *counts)
{
    *counts = (struct shmfi_csv_counts){.first = {-1, -1}};
    for (int64_t i = 0; i < size; i++) {
        const int in = (int)(counts->quotes & 1);
        counts->quotes += text[i] == '"';
        if (text[i] != '\n')
            continue;
        bool row =
            one_column || !(text[i - 1] == '\n' || (text[i - 1] == '\r' && text[i - 2] == '\n'));
        counts->lines++;
        counts->rows[in] += row;
        if (counts->first[in] < 0) {
            counts->first[in] = i + 1;
            counts->first_rows[in] = row;
            counts->lines_before[in] = counts->lines;
        }
    }
}

static void test_rows_are_counted_as_byte_by_byte(void **unused)
{
    (void)unused;
    for (int round = 0; round < 2000; round++) {
        char text[2 + 300];
        const char *letters[] = {"a\n\r\"", "abcdefghijk,\n", "\n", "\"\n", "ab\r\n"};
        const char *of = letters[choose(5)];
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = of[choose((unsigned)strlen(of))];
        const int64_t size = choose(301);
        struct shmfi_csv_counts fast, slow;
        count_slowly(text + 2, size, round & 1, &slow);
        for (size_t i = 0; ways[i]; i++) {
            ways[i]->count(text + 2, size, 2, round & 1, &fast);
            assert_memory_equal(&fast, &slow, sizeof fast);
        }
    }
}

/* ---- numbers and times ---------------------------------------------------------------------- */

static void test_integers_of_all_lengths_are_exact(void **unused)
{
    (void)unused;
    for (int round = 0; round < 20000; round++) {
        char text[48] = {0}, again[48];
        int64_t value = 0;
        const unsigned size = 1 + choose(20);
        for (unsigned i = 0; i < size; i++)
            text[i] = i == 0 && choose(4) == 0 ? '-' : choose(60) ? (char)('0' + choose(10)) : 'x';
        char *end;
        const bool number = shmfi_csv_int64(text, size, &value);
        const long long expected = strtoll(text, &end, 10);
        snprintf(again, sizeof again, "%lld", expected);
        /* What strtoll reads, and writes back as it was; "-0" is an integer here, too. */
        assert_int_equal(number, strcmp(text, again) == 0 || strcmp(text, "-0") == 0);
        if (number)
            assert_int_equal(value, expected);
    }
}

static void test_every_day_of_ten_millennia_is_one_later(void **unused)
{
    (void)unused;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t days, expected = -719528;
    char text[32] = {0};
    for (int year = 0; year < 10000; year += 1 + (int)choose(3)) {
        bool leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
        expected = 365LL * year + (year + 3) / 4 - (year + 99) / 100 + (year + 399) / 400 - 719528;
        for (int month = 1; month <= 12; month++)
            for (int day = 1; day <= 32; day++) {
                snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
                bool is = day <= lengths[month - 1] + (month == 2 && leap);
                assert_int_equal(shmfi_csv_date(text, 10, &days), is);
                if (is)
                    assert_int_equal(days, expected++);
            }
    }
    assert_true(shmfi_csv_date("1970-01-01", 10, &days) && days == 0);
    assert_true(shmfi_csv_date("2024-02-29", 10, &days) && days == 19782);
    assert_false(shmfi_csv_date("2024-00-29", 10, &days));
    assert_false(shmfi_csv_date("2024-13-29", 10, &days));
    assert_false(shmfi_csv_date("2024x02-29", 10, &days));
    assert_false(shmfi_csv_date("20240-2-29", 10, &days));
}

/* ---- columns ----------------------------------------------------------------------------------
 */

enum { PLAIN_ROWS = 37, PLAIN_SIZE = 4096 };

/* Rows of an integer, a timestamp and a text; about one field in `odd` is something else. */
static size_t make_plain(char *text, bool crlf, unsigned odd)
{
    static const char *const integers[] = {"",
                                           "-",
                                           "-0",
                                           "0",
                                           "007",
                                           "-07",
                                           "12345678",
                                           "-1234567",
                                           "-12345678",
                                           "123456789",
                                           "9223372036854775807",
                                           "9223372036854775808",
                                           "1 2",
                                           "+5",
                                           "5x",
                                           "-x"};
    static const char *const times[] = {"",
                                        "2024-02-30 10:00:00",
                                        "2024-02-29 24:00:00",
                                        "2024-02-29 23:60:00",
                                        "2024-02-29 23:59:60",
                                        "2024-02-29T23:59:59",
                                        "2024-02-29 23-59:59",
                                        "2024-02-00 23:59:59",
                                        "2024-02-29 2x:59:59",
                                        "2024-02-29",
                                        "2024-02-29 3::59:59",
                                        "2024-02-29 23:59:5/"};
    size_t size = 0;
    for (int r = 0; r < PLAIN_ROWS; r++) {
        char integer[32], time[64];
        static const int scales[] = {10, 1000, 100000, 10000000};
        snprintf(integer, sizeof integer, "%d",
                 (int)choose((unsigned)scales[choose(4)]) - (choose(2) ? 500 : 0));
        snprintf(time, sizeof time, "2024-%02u-%02u %02u:%02u:%02u", 2 + choose(2), 1 + choose(29),
                 choose(24), choose(60), choose(60));
        size += (size_t)sprintf(
            text + size, "%s,%s,%.*s%s", choose(odd) ? integer : integers[choose(16)],
            choose(odd) ? time : times[choose(12)], (int)choose(24),
            choose(odd) ? "abcdefghijklmnopqrstuvwxyz" : "\xc3\xa4\xc3\xb6", crlf ? "\r\n" : "\n");
    }
    memset(text + size, 0, 64);
    return size;
}

/* What the loops make of it; NULL values where a column is left to the slow way. */
struct loop_result {
    bool good[4];
    bool ascii;
    int64_t integers[PLAIN_ROWS + 1], times[PLAIN_ROWS + 1], nulls[3], size;
    uint8_t valid[3][PLAIN_ROWS / 8 + 1];
    char texts[PLAIN_SIZE];
};

static void run_loops(const struct shmfi_csv_loops *loops, const struct shmfi_csv_plan *plan,
                      const char *text, size_t size, struct loop_result *result)
{
    uint32_t ends[PLAIN_ROWS * 3 + 1 + 64 + 64], sizes[PLAIN_ROWS + 1];
    int64_t places[PLAIN_ROWS + 1];
    struct shmfi_csv_part part = {.plan = plan, .text = text};
    struct shmfi_csv_plain plain;
    memset(result, 0, sizeof *result);
    struct shmfi_csv_column columns[] = {
        {.width = 8, .values = (void *)result->integers, .validity = result->valid[0]},
        {.width = 8, .values = (void *)result->times, .validity = result->valid[1]},
        {.width = 8, .values = (void *)places, .sizes = sizes, .validity = result->valid[2]}};
    memset(result->valid, 0xff, sizeof result->valid);
    result->good[3] = loops->begin(&plain, &part, size, PLAIN_ROWS, ends);
    result->ascii = part.ascii;
    if (!result->good[3])
        return;
    result->good[0] = loops->int64(&plain, 0, &columns[0]);
    result->good[1] = loops->timestamp(&plain, 1, &columns[1]);
    result->good[2] = loops->text(&plain, 2, &columns[2]);
    for (int c = 0; c < 3; c++)
        result->nulls[c] = result->good[c] ? columns[c].nulls : -1;
    if (!result->good[0]) /* values behind the failure do not count */
        memset(result->integers, 0, sizeof result->integers);
    if (!result->good[1])
        memset(result->times, 0, sizeof result->times);
    for (int c = 0; c < 3; c++)
        if (!result->good[c])
            memset(result->valid[c], 0, sizeof result->valid[c]);
    result->size = result->good[2] ? columns[2].size : 0;
    char *to = result->texts;
    for (int r = 0; result->good[2] && r < PLAIN_ROWS; r++)
        to += shmfi_csv_put_text(&part, &columns[2], r, to);
}

static void test_wide_loops_give_what_the_others_give(void **unused)
{
    (void)unused;
    _Alignas(16) unsigned char
        memory[sizeof(struct shmfi_csv_plan) + 3 * sizeof(struct shmfi_csv_target)] = {0};
    struct shmfi_csv_plan *plan = (void *)memory;
    const struct shmfi_csv_target targets[] = {
        {SHMF_INT64, 0, 0, 0}, {SHMF_TIMESTAMP, SHMF_MICROSECONDS, 0, 0}, {SHMF_UTF8, 0, 0, 0}};
    *plan = (struct shmfi_csv_plan){.n_columns = 3, .labels = -1, .delimiter = ','};
    memcpy(plan->targets, targets, sizeof targets);
    char text[PLAIN_SIZE];
    int good[3] = {0};
    static struct loop_result results[2];
    for (int round = 0; round < 600; round++) {
        static const unsigned odds[] = {20, 200, 100000};
        plan->crlf = (uint8_t)choose(2);
        const size_t size = make_plain(text, plan->crlf, odds[round % 3]);
        run_loops(ways[0], plan, text, size, &results[0]);
        run_loops(ways[1] ? ways[1] : ways[0], plan, text, size, &results[1]);
        assert_true(results[0].good[3]);
        assert_memory_equal(&results[0], &results[1], sizeof results[0]);
        for (int c = 0; c < 3; c++)
            good[c] += results[0].good[c];
    }
    for (int c = 0; c < 3; c++)
        assert_in_range(good[c], 100, 600);
}

/* ---- whole frames -----------------------------------------------------------------------------
 */

struct made {
    char *text;
    size_t size;
};

static void put(struct made *made, const char *what)
{
    memcpy(made->text + made->size, what, strlen(what));
    made->size += strlen(what);
}

/* The same values: as plain as can be, or with text in quotes. Nulls and long texts come late. */
static struct made make(int rows, bool quotes, const char *line_end, bool late)
{
    struct made made = {malloc((size_t)rows * 200 + 100), 0};
    char field[160];
    put(&made, "a,b,c,d,e");
    put(&made, line_end);
    for (int i = 0; i < rows; i++) {
        const bool odd = late && i > rows * 3 / 4;
        snprintf(field, sizeof field, odd && i % 5 == 0 ? "," : "%d,", i * 7919 - 1000000);
        put(&made, field);
        snprintf(field, sizeof field, "2024-%02d-%02d 1%d:30:0%d,", i / 50 % 12 + 1, i % 28 + 1,
                 i % 10, i % 7);
        put(&made, field);
        put(&made, quotes ? "\"" : "");
        snprintf(field, sizeof field, odd ? "a much longer text; number %d" : "text %d", i);
        put(&made, field);
        put(&made, quotes ? "\"," : ",");
        snprintf(field, sizeof field, odd && i % 3 == 0 ? "," : "%s,", i % 2 ? "true" : "false");
        put(&made, field);
        snprintf(field, sizeof field, "%d.25", i);
        if (odd && i % 7 == 0)
            field[0] = 0;
        put(&made, field);
        put(&made, line_end);
    }
    return made;
}

static struct shmf_frame *parse(struct made made, int64_t chunk)
{
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_csv_parse(
        made.text, made.size, &(struct shmf_csv_options){.chunk_bytes = chunk}, &err);
    assert_string_equal(err.message, "");
    assert_non_null(frame);
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, &err), SHMF_OK);
    free(made.text);
    return frame;
}

static void test_plain_text_gives_what_quoted_text_gives(void **unused)
{
    (void)unused;
    enum { ROWS = 900 };
    for (int late = 0; late < 2; late++) {
        struct shmf_frame *whole = parse(make(ROWS, true, "\n", late), 1 << 20);
        assert_int_equal(shmf_frame_rows(whole), ROWS);
        static const int64_t chunks[] = {61, 700, 5000, 1 << 20};
        for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++)
            for (int kind = 0; kind < 4; kind++) {
                struct shmf_frame *frame =
                    parse(make(ROWS, kind & 1, kind & 2 ? "\r\n" : "\n", late), chunks[i]);
                assert_int_equal(shmf_frame_equal(whole, frame), 1);
                shmf_frame_free(frame);
            }
        shmf_frame_free(whole);
    }
}

/* A file is read piece by piece, each piece at the time when it is parsed. */
static void test_files_of_all_sizes_and_ends_are_read_as_memory_is(void **unused)
{
    (void)unused;
    char path[] = "/tmp/shmf-csv-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (int cut = 0; cut < 8; cut++) {
        struct made made = make(300, cut & 1, cut & 2 ? "\r\n" : "\n", true);
        const struct shmf_csv_options options = {.chunk_bytes = cut & 4 ? 1 : 977};
        made.size -= choose(3); /* the last line end, or half of it, is missing */
        struct shmf_error err = {0};
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, made.text, made.size, 0), made.size);
        struct shmf_frame *file = shmf_csv_read(path, &options, &err);
        assert_string_equal(err.message, "");
        struct shmf_frame *memory = parse(made, 0);
        assert_int_equal(shmf_frame_equal(file, memory), 1);
        shmf_frame_free(file);
        shmf_frame_free(memory);
    }
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_rows_are_counted_as_byte_by_byte),
        test_case(test_integers_of_all_lengths_are_exact),
        test_case(test_every_day_of_ten_millennia_is_one_later),
        test_case(test_wide_loops_give_what_the_others_give),
        test_case(test_plain_text_gives_what_quoted_text_gives),
        test_case(test_files_of_all_sizes_and_ends_are_read_as_memory_is),
    };
    test_begin();
    if (shmfi_csv_loops() != &shmfi_csv_any_loops)
        ways[1] = shmfi_csv_loops();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

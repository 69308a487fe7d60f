/* frame/: ranges of rows by labels, against a look at every label. */
#include "support/test.h"

#include <shmframe/derive.h>
#include <shmframe/frame.h>

#include <stdio.h>
#include <string.h>

enum { N = 120 };

static uint64_t random_state = 5;

static int64_t random_below(int64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((random_state >> 33) % (uint64_t)n);
}

/* Labels that are text, and the same as numbers: "0007" is 7. */
static struct shmf_frame *labelled(const int64_t *numbers, int64_t n, bool texts)
{
    static char text[N][8];
    const char *labels[N];
    for (int64_t i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "%04d", (int)numbers[i]);
        labels[i] = text[i];
    }
    const struct shmf_frame_spec spec = {.n_rows = n,
                                         .n_columns = 1,
                                         .dtype = SHMF_INT8,
                                         .row_labels = texts ? labels : NULL,
                                         .row_numbers = texts ? NULL : numbers};
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    assert_non_null(frame);
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    return frame;
}

static int from_to(const struct shmf_frame *frame, bool texts, int64_t from, int64_t to,
                   int64_t *first, int64_t *count)
{
    char a[8], b[8];
    snprintf(a, sizeof a, "%04d", (int)from);
    snprintf(b, sizeof b, "%04d", (int)to);
    return texts ? shmf_frame_loc_from_to(frame, a, b, first, count)
                 : shmf_frame_loc_numbers_from_to(frame, from, to, first, count);
}

static int between(const struct shmf_frame *frame, bool texts, int64_t least, int64_t most,
                   int64_t *first, int64_t *count)
{
    char a[8], b[8];
    snprintf(a, sizeof a, "%04d", (int)least);
    snprintf(b, sizeof b, "%04d", (int)most);
    return texts ? shmf_frame_loc_between(frame, a, b, first, count)
                 : shmf_frame_loc_numbers_between(frame, least, most, first, count);
}

static void assert_from_to(const struct shmf_frame *frame, bool texts, const int64_t *numbers,
                           int64_t n, int64_t from, int64_t to)
{
    int64_t begin = -1, last = -1, first = -7, count = -7;
    for (int64_t i = 0; i < n; i++) {
        begin = begin < 0 && numbers[i] == from ? i : begin;
        last = numbers[i] == to ? i : last;
    }
    int rc = from_to(frame, texts, from, to, &first, &count);
    if (begin < 0 || last < 0) {
        assert_int_equal(rc, SHMF_E_NOTFOUND);
        assert_int_equal(count, -7);
        return;
    }
    assert_int_equal(rc, SHMF_OK);
    assert_int_equal(first, begin);
    assert_int_equal(count, last < begin ? 0 : last - begin + 1);
}

static void assert_between(const struct shmf_frame *frame, bool texts, const int64_t *numbers,
                           int64_t n, int64_t least, int64_t most)
{
    int64_t inside = 0, first, count;
    assert_int_equal(between(frame, texts, least, most, &first, &count), SHMF_OK);
    for (int64_t i = 0; i < n; i++)
        inside += numbers[i] >= least && numbers[i] <= most;
    assert_int_equal(count, inside);
    assert_in_range(first, 0, n - count);
    for (int64_t i = first; i < first + count; i++)
        assert_true(numbers[i] >= least && numbers[i] <= most);
}

/* All pairs of labels, those that are not there included; in the frame and in slices of it. */
static void assert_all(const int64_t *numbers, int64_t n, int64_t most, bool ascending)
{
    for (int texts = 0; texts < 2; texts++) {
        struct shmf_frame *frame = labelled(numbers, n, texts);
        int64_t begin = random_below(n + 1), size = random_below(n - begin + 1);
        struct shmf_frame *slice = shmf_frame_slice(frame, begin, size, NULL);
        assert_non_null(slice);
        for (int64_t a = 0; a <= most; a++)
            for (int64_t b = 0; b <= most; b++) {
                assert_from_to(frame, texts, numbers, n, a, b);
                assert_from_to(slice, texts, numbers + begin, size, a, b);
                if (!ascending)
                    continue;
                assert_between(frame, texts, numbers, n, a, b);
                assert_between(slice, texts, numbers + begin, size, a, b);
            }
        shmf_frame_free(slice);
        shmf_frame_free(frame);
    }
}

static void test_ranges_of_labels_are_those_that_a_look_at_all_finds(void **state)
{
    (void)state;
    int64_t numbers[N];
    for (int round = 0; round < 12; round++) {
        int64_t n = round == 0 ? 1 : 1 + random_below(N);
        bool ascending = round % 2 == 0;
        for (int64_t i = 0; i < n; i++)
            numbers[i] = ascending ? (i ? numbers[i - 1] + random_below(3) / 2 : random_below(3))
                                   : random_below(20);
        assert_all(numbers, n, ascending ? numbers[n - 1] + 1 : 20, ascending);
    }
}

static void test_ranges_are_reckoned_whatever_their_step(void **state)
{
    (void)state;
    const struct {
        int64_t start, step, n;
    } ranges[] = {{0, 1, 10}, {-5, 3, 7}, {9, -2, 6}, {INT64_MAX, -1, 4}, {INT64_MIN, 1, 4}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        int64_t numbers[10], n = ranges[i].n, first, count;
        const struct shmf_frame_spec spec = {.n_rows = n,
                                             .n_columns = 1,
                                             .dtype = SHMF_INT8,
                                             .range_start = ranges[i].start,
                                             .range_step = ranges[i].step};
        struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
        assert_non_null(frame);
        assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
        for (int64_t r = 0; r < n; r++)
            numbers[r] =
                (int64_t)((uint64_t)ranges[i].start + (uint64_t)r * (uint64_t)ranges[i].step);
        for (int64_t a = 0; a < n; a++)
            for (int64_t b = 0; b < n; b++) {
                assert_between(frame, false, numbers, n, numbers[a], numbers[b]);
                assert_from_to(frame, false, numbers, n, numbers[a], numbers[b]);
            }
        assert_between(frame, false, numbers, n, INT64_MIN, INT64_MAX);
        assert_between(frame, false, numbers, n, INT64_MAX, INT64_MIN);
        assert_int_equal(shmf_frame_loc_between(frame, "a", "b", &first, &count), SHMF_E_DTYPE);
        shmf_frame_free(frame);
    }
}

static void test_shorter_text_comes_before_longer_and_bytes_are_unsigned(void **state)
{
    (void)state;
    const char *const labels[] = {"", "a", "aa", "ab", "b", "z", "\xC3\xA4", "\xE5\xBC\xA0"};
    const struct shmf_frame_spec spec = {
        .n_rows = 8, .n_columns = 1, .dtype = SHMF_INT8, .row_labels = labels};
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    assert_non_null(frame);
    int64_t first, count;
    for (int64_t a = 0; a < 8; a++)
        for (int64_t b = a; b < 8; b++) {
            assert_int_equal(shmf_frame_loc_between(frame, labels[a], labels[b], &first, &count),
                             SHMF_OK);
            assert_int_equal(first, a);
            assert_int_equal(count, b - a + 1);
        }
    assert_int_equal(shmf_frame_loc_between(frame, "aaa", "aaz", &first, &count), SHMF_OK);
    assert_int_equal(first, 3);
    assert_int_equal(count, 0);
    shmf_frame_free(frame);
}

static void test_what_cannot_be_asked_is_refused(void **state)
{
    (void)state;
    const int64_t numbers[] = {3, 1, 3};
    int64_t first, count = 0;
    struct shmf_frame *frame = labelled(numbers, 3, true);
    assert_int_equal(shmf_frame_loc_from_to(NULL, "a", "b", &first, &count), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_from_to(frame, NULL, "b", &first, &count), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_from_to(frame, "a", NULL, &first, &count), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_between(frame, "a", "b", NULL, &count), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_between(frame, "a", "b", &first, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_between(frame, NULL, "b", &first, &count), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_loc_numbers_from_to(frame, 1, 3, &first, &count), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_loc_numbers_between(frame, 1, 3, &first, &count), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_loc_number_count(frame, 3, &count), SHMF_E_DTYPE);
    assert_int_equal(shmf_frame_loc_number_count(NULL, 3, &count), SHMF_E_INVAL);
    shmf_frame_free(frame);
    frame = labelled(numbers, 3, false);
    assert_int_equal(shmf_frame_loc_number_count(frame, 3, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(shmf_frame_loc_number_count(frame, 1, NULL), 1);
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges_of_labels_are_those_that_a_look_at_all_finds),
        cmocka_unit_test(test_ranges_are_reckoned_whatever_their_step),
        cmocka_unit_test(test_shorter_text_comes_before_longer_and_bytes_are_unsigned),
        cmocka_unit_test(test_what_cannot_be_asked_is_refused),
    };
    return cmocka_run_group_tests_name("frame between", tests, NULL, NULL);
}

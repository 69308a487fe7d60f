/* frame/: slices and selections against readings of the whole; nothing of it is copied. */
#include "frame/frame_internal.h"
#include "memory/memory.h"
#include "support/test.h"
#include "unit/random_frame.h"

#include <shmframe/derive.h>
#include <shmframe/memory.h>

#include <math.h>

static void test_slices_are_read_as_the_rows_of_the_whole(void **state)
{
    (void)state;
    for (int round = 0; round < 120; round++) {
        int64_t n = (int64_t)random_below(120) + 1;
        int64_t first = (int64_t)random_below((uint64_t)n + 1);
        int64_t count = (int64_t)random_below((uint64_t)(n - first) + 1);
        struct shmf_frame *whole = random_frame(n, (unsigned)round % 7, round % 3);
        struct shmf_frame *slice = shmf_frame_slice(whole, first, count, NULL);
        assert_non_null(slice);
        assert_int_equal(shmf_frame_rows(slice), count);
        assert_int_equal(shmf_frame_validate(slice, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
        for (int64_t c = 0; c < N_COLUMNS; c++) {
            int64_t nulls = 0;
            for (int64_t r = 0; r < count; r++)
                nulls += shmf_frame_is_null(whole, first + r, c);
            struct shmf_column column;
            assert_int_equal(shmf_frame_column(slice, c, &column), SHMF_OK);
            assert_int_equal(column.null_count, nulls);
            assert_true((column.validity != NULL) == (nulls > 0));
            for (int64_t r = 0; r < count && column.validity; r++) {
                int64_t bit = r + column.bit_offset;
                assert_int_equal(column.validity[bit / 8] >> (bit % 8) & 1,
                                 !shmf_frame_is_null(whole, first + r, c));
            }
        }
        /* a slice of the slice, and a copy of it */
        int64_t skip = count / 3, rows[120];
        struct shmf_frame *inner = shmf_frame_slice(slice, skip, count - skip, NULL);
        for (int64_t r = 0; r < count - skip; r++)
            rows[r] = r;
        struct shmf_frame *copy = shmf_frame_take(inner, rows, count - skip, NULL);
        assert_int_equal(shmf_frame_equal(inner, copy), 1);
        shmf_frame_free(slice);
        for (int64_t r = 0; r < count - skip; r++)
            assert_same_row(inner, r, whole, first + skip + r);
        shmf_frame_free(whole);
        assert_int_equal(shmf_frame_equal(inner, copy), 1);
        shmf_frame_free(copy);
        shmf_frame_free(inner);
    }
}

/* The first row of a slice with this label, and how many there are, by looking at each. */
static int64_t naive_loc(const struct shmf_frame *frame, struct shmf_text label, int64_t *count)
{
    int64_t first = SHMF_E_NOTFOUND;
    *count = 0;
    for (int64_t r = 0; r < shmf_frame_rows(frame); r++) {
        struct shmf_text text = shmf_frame_row_text(frame, r);
        if (text.size != label.size || memcmp(text.data, label.data, (size_t)text.size))
            continue;
        first = first < 0 ? r : first;
        ++*count;
    }
    return first;
}

static void test_labels_are_found_in_the_slice_alone(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        int64_t n = (int64_t)random_below(60) + 1;
        int64_t first = (int64_t)random_below((uint64_t)n);
        int64_t size = (int64_t)random_below((uint64_t)(n - first) + 1);
        struct shmf_frame *texts = random_frame(n, 0, 2), *numbers = random_frame(n, 0, 1);
        struct shmf_frame *range = random_frame(n, 0, 0);
        struct shmf_frame *slice = shmf_frame_slice(texts, first, size, NULL);
        struct shmf_frame *numbered = shmf_frame_slice(numbers, first, size, NULL);
        struct shmf_frame *ranged = shmf_frame_slice(range, first, size, NULL);
        for (int64_t wanted = 0; wanted < n + 2; wanted++) {
            char text[24];
            struct shmf_text label = {text,
                                      snprintf(text, sizeof text, "r%lld", (long long)wanted)};
            int64_t count = 0, expected, r = 0, number;
            int64_t row = naive_loc(slice, label, &expected);
            assert_int_equal(shmf_frame_loc_text(slice, label, &count), row);
            if (row >= 0)
                assert_int_equal(count, expected);
            while (r < size && (shmf_frame_row_number(numbered, r, &number) || number != wanted))
                r++;
            assert_int_equal(shmf_frame_loc_number(numbered, wanted),
                             r < size ? r : SHMF_E_NOTFOUND);
            bool inside = wanted >= first && wanted < first + size;
            assert_int_equal(shmf_frame_loc_number(ranged, 100 + wanted),
                             inside ? wanted - first : SHMF_E_NOTFOUND);
        }
        shmf_frame_free(slice);
        shmf_frame_free(numbered);
        shmf_frame_free(ranged);
        shmf_frame_free(texts);
        shmf_frame_free(numbers);
        shmf_frame_free(range);
    }
}

static void test_selections_have_the_columns_that_were_named(void **state)
{
    (void)state;
    struct shmf_frame *whole = random_frame(30, 4, 2);
    const int64_t positions[] = {WORD, NUMBER, WORD, CATEGORY}, again[] = {3, 1};
    struct shmf_frame *some = shmf_frame_select(whole, positions, 4, NULL);
    assert_non_null(some);
    assert_int_equal(shmf_frame_columns(some), 4);
    assert_int_equal(shmf_frame_rows(some), 30);
    for (int64_t c = 0; c < 4; c++) {
        struct shmf_text a = shmf_frame_column_label(some, c);
        struct shmf_text b = shmf_frame_column_label(whole, positions[c]);
        assert_true(a.data == b.data && a.size == b.size);
        for (int64_t r = 0; r < 30; r++) {
            char of_a[64], of_b[64];
            shmf_frame_cell_text(some, r, c, of_a, sizeof of_a);
            shmf_frame_cell_text(whole, r, positions[c], of_b, sizeof of_b);
            assert_string_equal(of_a, of_b);
        }
    }
    assert_int_equal(shmf_frame_column_loc(some, "word"), 0);
    assert_int_equal(shmf_frame_column_loc(some, "kind"), 3);
    assert_int_equal(shmf_frame_column_loc(some, "flag"), SHMF_E_NOTFOUND);
    assert_null(shmf_frame_column_label(some, 4).data);
    struct shmf_frame *sliced = shmf_frame_slice(some, 11, 9, NULL);
    struct shmf_frame *fewer = shmf_frame_select(sliced, again, 2, NULL);
    assert_int_equal(shmf_frame_column_loc(fewer, "kind"), 0);
    assert_int_equal(shmf_frame_column_loc(fewer, "number"), 1);
    assert_int_equal(shmf_frame_n_categories(fewer, 0), 3);
    const struct shmf_frame *const twice[] = {fewer, fewer};
    struct shmf_frame *joined = shmf_frame_concat(twice, 2, NULL);
    assert_int_equal(shmf_frame_rows(joined), 18);
    assert_int_equal(shmf_frame_validate(joined, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    shmf_frame_free(joined);
    shmf_frame_free(fewer);
    shmf_frame_free(sliced);
    shmf_frame_free(some);
    some = shmf_frame_select(whole, NULL, 0, NULL);
    assert_int_equal(shmf_frame_columns(some), 0);
    assert_int_equal(shmf_frame_column_loc(some, "word"), SHMF_E_NOTFOUND);
    shmf_frame_free(some);
    shmf_frame_free(whole);
}

static void test_views_of_a_matrix_are_matrices_where_columns_keep_their_distance(void **state)
{
    (void)state;
    const struct shmf_frame_spec square = {.n_rows = 20, .n_columns = 6, .dtype = SHMF_FLOAT64};
    double cells[20][6], row[3];
    for (int r = 0; r < 20; r++)
        for (int c = 0; c < 6; c++)
            cells[r][c] = r * 10 + c;
    struct shmf_frame *whole = shmf_frame_from_matrix(&square, cells, sizeof cells[0], 8, NULL);
    struct shmf_frame *slice = shmf_frame_slice(whole, 7, 9, NULL);
    struct shmf_matrix all, matrix;
    assert_int_equal(shmf_frame_matrix(whole, &all), SHMF_OK);
    assert_int_equal(shmf_frame_matrix(slice, &matrix), SHMF_OK);
    assert_int_equal(matrix.leading_dimension, all.leading_dimension);
    assert_true(matrix.data == (const double *)all.data + 7);
    const int64_t odd[] = {1, 3, 5}, back[] = {5, 3, 1}, uneven[] = {0, 1, 3}, same[] = {2, 2};
    struct shmf_frame *some = shmf_frame_select(slice, odd, 3, NULL);
    assert_int_equal(shmf_frame_matrix(some, &matrix), SHMF_OK);
    assert_int_equal(matrix.leading_dimension, 2 * all.leading_dimension);
    assert_int_equal(shmf_frame_row(some, 2, row), SHMF_OK);
    assert_true(row[0] == 91 && row[1] == 93 && row[2] == 95);
    shmf_frame_free(some);
    const int64_t *const others[] = {back, uneven, same};
    for (int i = 0; i < 3; i++) {
        some = shmf_frame_select(slice, others[i], i == 2 ? 2 : 3, NULL);
        assert_int_equal(shmf_frame_matrix(some, &matrix), SHMF_E_DTYPE);
        assert_int_equal(shmf_frame_row(some, 0, row), SHMF_OK);
        assert_true(row[1] == 70 + (double)others[i][1]);
        shmf_frame_free(some);
    }
    shmf_frame_free(slice);
    shmf_frame_free(whole);
}

static void test_views_copy_nothing_and_keep_the_whole_alive(void **state)
{
    (void)state;
    struct shmf_memory_stats before, after;
    struct shmf_frame *whole = random_frame(1000, 3, 1);
    shmf_memory_get_stats(&before);
    struct shmf_frame *slice = shmf_frame_slice(whole, 8, 900, NULL);
    struct shmf_column of_whole, of_slice;
    assert_int_equal(shmf_frame_column(whole, REAL, &of_whole), SHMF_OK);
    assert_int_equal(shmf_frame_column(slice, REAL, &of_slice), SHMF_OK);
    assert_true(of_slice.data == (const double *)of_whole.data + 8);
    assert_true(of_slice.validity == of_whole.validity + 1);
    shmf_frame_free(whole);
    shmf_memory_get_stats(&after);
    assert_true(after.used_bytes == before.used_bytes);
    struct shmf_handle handle = shmf_frame_handle(slice);
    assert_true(handle.begin == 8 && handle.end == 8 + shmf_frame_rows(slice));
    assert_null(shmf_frame_data_mut(slice, REAL));
    assert_int_equal(shmf_frame_finish(slice, NULL), SHMF_OK);
    shmf_frame_free(slice);
    shmf_memory_get_stats(&after);
    assert_true(after.used_bytes < before.used_bytes);
}

static void assert_opens_as(struct shmf_handle handle, const struct shmf_frame *expected)
{
    struct shmf_error err = {0};
    struct shmf_frame *opened = shmf_frame_open(handle, &err);
    if (!opened)
        fail_msg("%s", err.message);
    assert_int_equal(shmf_frame_equal(opened, expected), 1);
    shmf_frame_free(opened);
}

static uint64_t used_bytes(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.used_bytes;
}

static void test_the_handle_of_a_selection_names_what_it_shows(void **state)
{
    (void)state;
    static const int64_t positions[] = {WORD, NUMBER, CATEGORY, WORD, FLAG}, again[] = {4, 1, 1, 0};
    uint64_t before = used_bytes();
    for (int round = 0; round < 30; round++) {
        struct shmf_frame *whole = random_frame(90, (unsigned)round % 5, round % 3);
        struct shmf_frame *slice = shmf_frame_slice(whole, 3 * round, 90 - 3 * round, NULL);
        struct shmf_frame *some = shmf_frame_select(slice, positions, 5, NULL);
        struct shmf_frame *fewer = shmf_frame_select(some, again, round % 5, NULL);
        const struct shmf_handle handle = shmf_frame_handle(some), other = shmf_frame_handle(some);
        assert_memory_equal(&handle, &other, sizeof handle);
        assert_int_equal(handle.kind, SHMF_KIND_SELECTION);
        assert_opens_as(handle, some);
        assert_opens_as(shmf_frame_handle(fewer), fewer);
        assert_opens_as(shmf_handle_with(handle, SHMF_COPY_ON_WRITE), some);
        assert_opens_as(shmf_handle_with(handle, SHMF_PRIVATE_COPY), some);
        struct shmf_frame *part = shmf_frame_slice(some, 1, 1, NULL), *opened;
        assert_opens_as(shmf_handle_slice(handle, 1, 2), part);
        assert_opens_as(shmf_frame_handle(part), part);
        shmf_frame_free(part);
        opened = shmf_frame_open(handle, NULL);
        assert_opens_as(shmf_frame_handle(opened), some);
        struct shmf_column column, same;
        assert_int_equal(shmf_frame_column(some, 1, &column), SHMF_OK);
        assert_int_equal(shmf_frame_column(opened, 1, &same), SHMF_OK);
        assert_ptr_equal(column.data, same.data); /* nothing was copied */
        shmf_frame_free(whole);
        shmf_frame_free(slice);
        shmf_frame_free(fewer);
        assert_opens_as(handle, opened);
        shmf_frame_free(some);
        assert_null(shmf_frame_open(handle, NULL));
        shmf_frame_free(opened);
    }
    assert_true(used_bytes() == before);
}

static void test_a_selection_that_says_what_is_not_there_is_refused(void **state)
{
    (void)state;
    static const int64_t wrong[] = {-1, INT64_MAX, INT64_MIN, 1000};
    const int64_t positions[] = {NUMBER, REAL};
    struct shmf_error err;
    struct shmf_frame *whole = random_frame(9, 0, 0);
    struct shmf_frame *some = shmf_frame_select(whole, positions, 2, NULL);
    struct shmf_handle handle = shmf_frame_handle(some);
    /* after header and whole: the first row, how many, how many columns, and these */
    int64_t *words = (int64_t *)((char *)some->named->base + sizeof(struct shmf_format_header) +
                                 sizeof(struct shmf_handle));
    for (int word = 0; word < 5; word++)
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
            int64_t was = words[word];
            words[word] = wrong[i];
            assert_null(shmf_frame_open(handle, &err));
            assert_int_equal(err.code, SHMF_E_CORRUPT);
            assert_non_null(strstr(err.message, "selection: "));
            words[word] = was;
        }
    assert_opens_as(handle, some);
    /* A frame whose segment is shorter than what says a selection. */
    struct shmfi_segment *segment = some->named;
    const uint64_t length = segment->length;
    segment->length = sizeof(struct shmf_format_header) + sizeof(struct shmf_handle);
    const struct shmf_handle shorter = shmfi_segment_handle(segment, SHMF_KIND_SELECTION);
    assert_null(shmf_frame_open(shorter, &err));
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    assert_non_null(strstr(err.message, "selection: a segment of "));
    segment->length = length;
    handle.kind = SHMF_KIND_FRAME;
    assert_null(shmf_frame_open(handle, &err));
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    handle = shmf_frame_handle(whole);
    shmf_frame_free(some);
    shmf_frame_free(whole);
    handle.kind = SHMF_KIND_SELECTION;
    assert_null(shmf_frame_open(handle, &err));
    assert_int_equal(err.code, SHMF_E_STALE);
}

static void test_what_cannot_be_seen_is_refused(void **state)
{
    (void)state;
    struct shmf_frame *whole = random_frame(5, 0, 0);
    const int64_t columns[] = {0, N_COLUMNS};
    struct shmf_error err = {0};
    const int64_t wrong[][2] = {{-1, 1}, {0, 6}, {6, 0}, {5, 1}, {1, -1}, {1, INT64_MAX}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(shmf_frame_slice(whole, wrong[i][0], wrong[i][1], &err));
        assert_int_equal(err.code, SHMF_E_RANGE);
    }
    assert_null(shmf_frame_select(whole, columns, 2, &err));
    assert_string_equal(err.message, "columns[1]: there is no column 6");
    assert_null(shmf_frame_select(whole, NULL, 1, &err));
    assert_null(shmf_frame_select(whole, columns, -1, &err));
    assert_null(shmf_frame_slice(NULL, 0, 0, &err));
    struct shmf_frame *building = shmf_frame_new(&(struct shmf_frame_spec){.n_rows = 3}, NULL);
    assert_null(shmf_frame_slice(building, 0, 1, &err));
    assert_int_equal(err.code, SHMF_E_ACCESS);
    shmf_frame_free(building);
    shmf_frame_free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices_are_read_as_the_rows_of_the_whole),
        cmocka_unit_test(test_labels_are_found_in_the_slice_alone),
        cmocka_unit_test(test_selections_have_the_columns_that_were_named),
        cmocka_unit_test(test_views_of_a_matrix_are_matrices_where_columns_keep_their_distance),
        cmocka_unit_test(test_views_copy_nothing_and_keep_the_whole_alive),
        cmocka_unit_test(test_the_handle_of_a_selection_names_what_it_shows),
        cmocka_unit_test(test_a_selection_that_says_what_is_not_there_is_refused),
        cmocka_unit_test(test_what_cannot_be_seen_is_refused),
    };
    return cmocka_run_group_tests_name("frame view", tests, NULL, NULL);
}

/* frame/: builders that know what is coming: rows are put where the frame will have them. */
#include "base/sys.h"
#include "support/test.h"

#include <shmframe/builder.h>
#include <shmframe/derive.h>
#include <shmframe/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct shmf_column_spec flights[] = {{"delay", SHMF_INT64, 0},
                                                  {"tail", SHMF_UTF8, 0},
                                                  {"late", SHMF_BOOL, 1},
                                                  {"distance", SHMF_FLOAT64, 0},
                                                  {"departure", SHMF_TIMESTAMP, 1}};

enum { DELAY, TAIL, LATE, DISTANCE, DEPARTURE, N_FLIGHTS };

/* Texts of seven bytes each. */
static struct shmf_builder *begin(int64_t expected)
{
    const struct shmf_column_details details[N_FLIGHTS] = {
        [TAIL] = {.data_size = 7 * expected}, [DEPARTURE] = {.type = {.unit = SHMF_SECONDS}}};
    const struct shmf_frame_spec spec = {
        .n_rows = expected, .n_columns = N_FLIGHTS, .columns = flights, .details = details};
    struct shmf_error err = {0};
    struct shmf_builder *builder = shmf_builder_new(&spec, &err);
    if (!builder)
        fail_msg("%s", err.message);
    return builder;
}

/* `nulls`: 0: none, else every so many-th cell, the first of them late. */
static int append(struct shmf_builder *builder, int64_t row, int64_t nulls)
{
    char text[16];
    snprintf(text, sizeof text, "N%06lld", (long long)row % 1000000);
    struct shmf_cell cells[N_FLIGHTS] = {
        {SHMF_CELL_INT64, {.integer = row * 37 % 181 - 20}},
        {SHMF_CELL_TEXT, {.text = {text, 7}}},
        {SHMF_CELL_INT64, {.integer = row % 3 == 0}},
        {SHMF_CELL_DOUBLE, {.number = (double)row / 3}},
        {SHMF_CELL_INT64, {.integer = row * 60}},
    };
    for (int64_t c = 0; c < N_FLIGHTS; c++)
        if (nulls && (row + c + 1) % nulls == 0)
            cells[c].kind = SHMF_CELL_NULL;
    return shmf_builder_append_row(builder, cells);
}

static uint64_t objects(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.recycled + stats.fresh;
}

/* `*copied`: did finishing make another object? */
static struct shmf_frame *build(struct shmf_builder *builder, int64_t n, int64_t nulls,
                                bool *copied)
{
    for (int64_t r = 0; r < n; r++)
        assert_int_equal(append(builder, r, nulls), SHMF_OK);
    assert_int_equal(shmf_builder_rows(builder), n);
    uint64_t before = objects();
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_builder_finish(builder, &err);
    if (!frame)
        fail_msg("%s", err.message);
    *copied = objects() != before;
    return frame;
}

/* The same rows, of a builder that knew nothing. */
static struct shmf_frame *twin(int64_t n, int64_t nulls)
{
    bool copied;
    struct shmf_builder *builder = begin(0);
    struct shmf_frame *frame = build(builder, n, nulls, &copied);
    assert_true(copied);
    shmf_builder_free(builder);
    return frame;
}

static void assert_twins(const struct shmf_frame *frame, int64_t n, int64_t nulls)
{
    struct shmf_error err = {0};
    struct shmf_frame *other = twin(n, nulls);
    if (shmf_frame_validate(frame, SHMF_VALIDATE_FULL, &err))
        fail_msg("%s", err.message);
    assert_int_equal(shmf_frame_equal(frame, other), 1);
    for (int64_t c = 0; c < N_FLIGHTS; c++) {
        struct shmf_column a, b;
        assert_int_equal(shmf_frame_column(frame, c, &a), SHMF_OK);
        assert_int_equal(shmf_frame_column(other, c, &b), SHMF_OK);
        assert_int_equal(a.null_count, b.null_count);
        assert_int_equal(a.data_size, b.data_size);
        assert_int_equal(a.n_rows, n);
    }
    struct shmf_frame *opened = shmf_frame_open(shmf_frame_handle(frame), &err);
    if (!opened)
        fail_msg("%s", err.message);
    assert_int_equal(shmf_frame_equal(opened, other), 1);
    shmf_frame_free(opened);
    shmf_frame_free(other);
}

/* Memory that is used next was full of ones. */
static void soil(void)
{
    const struct shmf_frame_spec spec = {.n_rows = 4 << 20, .n_columns = 1, .dtype = SHMF_UINT8};
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    assert_non_null(frame);
    memset(shmf_frame_data_mut(frame, 0), 0xFF, 4 << 20);
    shmf_frame_free(frame);
}

/* Every byte of the body that no buffer has. */
static void assert_gaps_are_zero(const struct shmf_frame *frame)
{
    const unsigned char *end = NULL;
    for (int64_t c = 0; c < N_FLIGHTS; c++) {
        struct shmf_column column;
        assert_int_equal(shmf_frame_column(frame, c, &column), SHMF_OK);
        if (flights[c].nullable && !column.validity)
            end = NULL; /* there is a bitmap, of which nobody needs to know */
        const struct {
            const unsigned char *at;
            size_t size;
        } buffers[] = {
            {column.validity, (size_t)(column.n_rows + 7) / 8},
            {column.offsets, (size_t)(column.n_rows + 1) * 4},
            {column.data, (size_t)column.data_size},
        };
        for (int i = 0; i < 3; i++) {
            if (!buffers[i].at)
                continue;
            assert_true(!end || end <= buffers[i].at);
            for (; end && end < buffers[i].at; end++)
                assert_int_equal(*end, 0);
            end = buffers[i].at + buffers[i].size;
        }
    }
}

static void test_as_many_rows_as_expected_are_not_copied(void **state)
{
    (void)state;
    const int64_t nulls[] = {0, 2, 1000, 4999};
    for (size_t i = 0; i < 4; i++) {
        bool copied;
        soil();
        struct shmf_builder *builder = begin(5000);
        struct shmf_frame *frame = build(builder, 5000, nulls[i], &copied);
        assert_false(copied);
        assert_twins(frame, 5000, nulls[i]);
        assert_gaps_are_zero(frame);
        shmf_builder_free(builder);
        shmf_frame_free(frame);
    }
}

static void test_gaps_of_an_eighth_stay_and_larger_ones_are_closed(void **state)
{
    (void)state;
    const struct {
        int64_t n;
        bool copied;
    } cases[] = {{20000, false}, {19999, false}, {18500, false}, {17000, true}, {10000, true},
                 {1, true},      {0, true},      {20001, true},  {20008, true}, {50000, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (int64_t nulls = 0; nulls < 14; nulls += 13) {
            bool copied;
            soil();
            struct shmf_builder *builder = begin(20000);
            struct shmf_frame *frame = build(builder, cases[i].n, nulls, &copied);
            assert_int_equal(copied, cases[i].copied);
            assert_twins(frame, cases[i].n, nulls);
            if (cases[i].n > 1)
                assert_gaps_are_zero(frame);
            shmf_builder_free(builder);
            shmf_frame_free(frame);
        }
    }
}

static void test_rows_with_labels_are_put_together(void **state)
{
    (void)state;
    struct shmf_builder *builder = begin(100);
    for (int64_t r = 0; r < 100; r++) {
        assert_int_equal(append(builder, r, 0), SHMF_OK);
        assert_int_equal(shmf_builder_label_number(builder, 7 * r), SHMF_OK);
    }
    struct shmf_frame *frame = shmf_builder_finish(builder, NULL);
    assert_non_null(frame);
    assert_int_equal(shmf_frame_loc_number(frame, 693), 99);
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    shmf_frame_free(frame);
    shmf_builder_free(builder);
}

static void test_a_builder_that_is_used_again_expects_what_it_had(void **state)
{
    (void)state;
    const struct {
        int64_t n;
        bool copied;
    } frames[] = {{8000, true}, {8000, false}, {8300, false},
                  {9500, true}, {9400, false}, {100, true}};
    struct shmf_builder *builder = begin(0);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        bool copied;
        struct shmf_frame *frame = build(builder, frames[i].n, 7, &copied);
        assert_int_equal(copied, frames[i].copied);
        assert_twins(frame, frames[i].n, 7);
        shmf_frame_free(frame);
    }
    shmf_builder_free(builder);
}

static void test_columns_without_nulls_stay_one_matrix(void **state)
{
    (void)state;
    const struct shmf_column_spec columns[] = {
        {"a", SHMF_FLOAT64, 0}, {"b", SHMF_FLOAT64, 0}, {"c", SHMF_FLOAT64, 0}};
    const struct shmf_frame_spec spec = {.n_rows = 1000, .n_columns = 3, .columns = columns};
    struct shmf_builder *builder = shmf_builder_new(&spec, NULL);
    assert_non_null(builder);
    for (int64_t r = 0; r < 990; r++)
        for (int64_t c = 0; c < 3; c++)
            assert_int_equal(shmf_builder_append_double(builder, c, (double)(3 * r + c)), SHMF_OK);
    uint64_t before = objects();
    struct shmf_frame *frame = shmf_builder_finish(builder, NULL);
    assert_non_null(frame);
    assert_true(objects() == before);
    struct shmf_matrix matrix;
    assert_int_equal(shmf_frame_matrix(frame, &matrix), SHMF_OK);
    assert_int_equal(matrix.n_rows, 990);
    assert_true(matrix.leading_dimension >= 1000);
    const double *data = matrix.data;
    for (int64_t r = 0; r < 990; r++)
        for (int64_t c = 0; c < 3; c++)
            assert_true(data[c * matrix.leading_dimension + r] == (double)(3 * r + c));
    shmf_frame_free(frame);
    shmf_builder_free(builder);
}

static int left; /* allocations until one fails, and with `for_good` all that follow */
static bool for_good;

static bool fails(void)
{
    return for_good ? left-- <= 0 : left-- == 0;
}

static void *failing_malloc(size_t size)
{
    return fails() ? NULL : malloc(size);
}

static void *failing_calloc(size_t n, size_t size)
{
    return fails() ? NULL : calloc(n, size);
}

/* Finished, or out of memory. */
static bool survives(const struct shmf_frame *expected)
{
    struct shmf_builder *builder = begin(300);
    struct shmf_error err = {0};
    shmfi_sys.malloc = failing_malloc;
    shmfi_sys.calloc = failing_calloc;
    for (int64_t r = 0; r < 300; r++)
        append(builder, r, 50);
    struct shmf_frame *frame = shmf_builder_finish(builder, &err);
    shmfi_sys.malloc = malloc;
    shmfi_sys.calloc = calloc;
    if (frame)
        assert_int_equal(shmf_frame_equal(frame, expected), 1);
    else
        assert_int_equal(err.code, SHMF_E_NOMEM);
    bool built = frame != NULL;
    shmf_frame_free(frame);
    shmf_builder_free(builder);
    return built;
}

static void test_what_cannot_be_reserved_is_no_failure(void **state)
{
    (void)state;
    struct shmf_frame *expected = twin(300, 50);
    int built = 0;
    for_good = false;
    for (int i = 0; i < 20; i++) {
        left = i;
        assert_true(survives(expected));
    }
    for_good = true;
    for (int i = 0; i < 20; i++) {
        left = i;
        built += survives(expected);
    }
    assert_in_range(built, 1, 19);
    shmf_frame_free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_many_rows_as_expected_are_not_copied),
        cmocka_unit_test(test_gaps_of_an_eighth_stay_and_larger_ones_are_closed),
        cmocka_unit_test(test_rows_with_labels_are_put_together),
        cmocka_unit_test(test_a_builder_that_is_used_again_expects_what_it_had),
        cmocka_unit_test(test_columns_without_nulls_stay_one_matrix),
        cmocka_unit_test(test_what_cannot_be_reserved_is_no_failure),
    };
    return cmocka_run_group_tests_name("frame reserve", tests, NULL, NULL);
}

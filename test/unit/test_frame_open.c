/* frame/: opening by handle with each access; specs and handles that are refused. */
#include "support/test.h"

#include "base/sys.h"
#include "frame/frame_internal.h"
#include "memory/memory.h"

#include <shmframe/derive.h>
#include <shmframe/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns "a" (int64, row number) and "b" (float32, nullable, row 1 null), rows "r0".."r2". */
static struct shmf_frame *sample(void)
{
    const char *const rows[] = {"r0", "r1", "r2"};
    const struct shmf_column_spec columns[] = {{"a", SHMF_INT64, 0}, {"b", SHMF_FLOAT32, 1}};
    const struct shmf_frame_spec spec = {
        .n_rows = 3, .n_columns = 2, .columns = columns, .row_labels = rows};
    const int64_t a[] = {0, 1, 2};
    const float b[] = {0.5f, 1.5f, 2.5f};
    const uint8_t valid[] = {0x05};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, (const void *[]){a, b},
                                                       (const uint8_t *[]){NULL, valid}, NULL);
    assert_non_null(frame);
    return frame;
}

static struct shmf_frame *open_with(const struct shmf_frame *frame, enum shmf_access access)
{
    struct shmf_handle handle = shmf_frame_handle(frame);
    struct shmf_error err = {0};
    handle.access = access;
    struct shmf_frame *opened = shmf_frame_open(handle, &err);
    if (!opened)
        fail_msg("%s", err.message);
    return opened;
}

static void test_opened_read_only_it_is_the_same_memory_not_to_be_written(void **state)
{
    (void)state;
    struct shmf_frame *frame = sample();
    struct shmf_frame *opened = open_with(frame, SHMF_READ_ONLY);
    assert_ptr_equal(shmf_frame_data(opened, 0, SHMF_INT64), shmf_frame_data(frame, 0, SHMF_INT64));
    assert_null(shmf_frame_data_mut(opened, 0));
    assert_null(shmf_frame_validity_mut(opened, 1));
    assert_int_equal(shmf_frame_finish(opened, NULL), SHMF_OK);
    shmf_frame_free(frame);
    assert_int_equal(shmf_frame_loc(opened, "r2"), 2);
    assert_int_equal(shmf_frame_column_loc(opened, "b"), 1);
    struct shmf_column column;
    assert_int_equal(shmf_frame_column(opened, 1, &column), SHMF_OK);
    assert_int_equal(column.null_count, 1);
    shmf_frame_free(opened);
}

static void check_private(enum shmf_access access)
{
    struct shmf_frame *frame = sample();
    struct shmf_frame *opened = open_with(frame, access);
    int64_t *a = shmf_frame_data_mut(opened, 0);
    uint8_t *validity = shmf_frame_validity_mut(opened, 1);
    assert_true(a && validity);
    a[0] = 99;
    validity[0] = 0;
    struct shmf_column column;
    assert_int_equal(shmf_frame_finish(opened, NULL), SHMF_OK);
    assert_int_equal(shmf_frame_column(opened, 1, &column), SHMF_OK);
    assert_int_equal(column.null_count, 3);
    assert_int_equal(shmf_frame_column(frame, 1, &column), SHMF_OK);
    assert_int_equal(column.null_count, 1);
    assert_int_equal(((const int64_t *)shmf_frame_data(frame, 0, SHMF_INT64))[0], 0);
    shmf_frame_free(frame);
    assert_int_equal(((const int64_t *)shmf_frame_data(opened, 0, SHMF_INT64))[0], 99);
    shmf_frame_free(opened);
}

static void test_a_copy_on_write_view_is_written_alone(void **state)
{
    (void)state;
    check_private(SHMF_COPY_ON_WRITE);
}

static void test_a_private_copy_is_written_alone_and_can_be_handed_on(void **state)
{
    (void)state;
    check_private(SHMF_PRIVATE_COPY);
    struct shmf_frame *frame = sample();
    struct shmf_frame *copy = open_with(frame, SHMF_PRIVATE_COPY);
    shmf_frame_validity_mut(copy, 1)[0] = 0x07;
    assert_int_equal(shmf_frame_finish(copy, NULL), SHMF_OK);
    struct shmf_frame *again = open_with(copy, SHMF_READ_ONLY);
    struct shmf_column column;
    assert_int_equal(shmf_frame_column(again, 1, &column), SHMF_OK);
    assert_int_equal(column.null_count, 0);
    assert_true(shmf_frame_handle(again).generation != shmf_frame_handle(frame).generation ||
                shmf_frame_handle(again).offset != shmf_frame_handle(frame).offset);
    shmf_frame_free(again);
    shmf_frame_free(copy);
    shmf_frame_free(frame);
}

static void test_a_trusted_frame_uses_the_column_table_in_place(void **state)
{
    (void)state;
    struct shmf_frame *frame = sample(), *trusted;
    struct shmfi_segment *segment = shmfi_segment_ref(shmfi_frame_segment(frame));
    assert_int_equal(shmfi_frame_from_segment(segment, true, &trusted, NULL), SHMF_OK);
    assert_null(trusted->copied);
    assert_ptr_equal(trusted->columns, frame->columns);
    assert_int_equal(shmf_frame_loc(trusted, "r1"), 1);
    shmf_frame_free(trusted);
    shmf_frame_free(frame);
}

static void test_what_nobody_else_can_write_is_opened_in_place(void **state)
{
    (void)state;
    struct shmf_frame *frame = sample();
    for (uint32_t access = SHMF_READ_ONLY; access <= SHMF_PRIVATE_COPY; access++) {
        struct shmf_handle handle = shmf_frame_handle(frame);
        handle.access = access;
        struct shmf_frame *opened = shmf_frame_open(handle, NULL);
        assert_non_null(opened);
        assert_int_equal(opened->copied == NULL, access == SHMF_READ_ONLY);
        assert_int_equal(shmf_frame_loc(opened, "r1"), 1);
        shmf_frame_free(opened);
    }
    shmf_frame_free(frame);
}

/* ---- long tables of others ------------------------------------------------------------------ */

/* `n` columns; every `apart`-th may be null, and others are, so that runs end there. */
static struct shmf_frame *long_sample(int64_t n, int64_t apart)
{
    static struct shmf_column_spec columns[1000];
    static char labels[1000][8];
    assert_true(n <= 1000);
    for (int64_t c = 0; c < n; c++) {
        snprintf(labels[c], sizeof labels[c], "c%d", (int)c);
        columns[c] = (struct shmf_column_spec){labels[c], SHMF_INT32, c % apart == apart - 1};
    }
    const struct shmf_frame_spec spec = {.n_rows = 11, .n_columns = n, .columns = columns};
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    assert_non_null(frame);
    for (int64_t c = 0; c < n; c++) {
        for (int32_t r = 0; r < 11; r++)
            ((int32_t *)shmf_frame_data_mut(frame, c))[r] = (int32_t)c * 100 + r;
        if (shmf_frame_validity_mut(frame, c))
            shmf_frame_validity_mut(frame, c)[0] = (uint8_t)(0xFF << c % 3);
    }
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    return frame;
}

static void check_same_columns(const struct shmf_frame *frame, const struct shmf_frame *opened)
{
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        const struct shmf_format_column *there = shmfi_frame_descriptor(frame, c);
        assert_memory_equal(shmfi_frame_descriptor(opened, c), there, sizeof *there);
    }
    assert_true(shmf_frame_equal(frame, opened));
}

/* `n_runs` 0: so many that all columns are kept. */
static void check_long(int64_t n, int64_t apart, uint64_t n_runs)
{
    struct shmf_frame *frame = long_sample(n, apart), *opened;
    struct shmfi_segment *segment = shmfi_frame_segment(frame);
    struct shmf_error err;
    assert_int_equal(shmfi_frame_from_memory(segment->base, segment->length, false, &opened, &err),
                     SHMF_OK);
    assert_int_equal(opened->copied == NULL, n_runs > 0);
    assert_int_equal(opened->alike ? opened->n_alike : 0, n_runs);
    check_same_columns(frame, opened);
    struct shmf_frame *slice = shmf_frame_slice(opened, 3, 5, &err);
    struct shmf_frame *same = shmf_frame_slice(frame, 3, 5, &err);
    assert_non_null(slice);
    assert_non_null(same);
    check_same_columns(same, slice);
    shmf_frame_free(same);
    shmf_frame_free(slice);
    shmf_frame_free(opened);
    shmf_frame_free(frame);
}

static void test_of_a_long_table_runs_of_columns_alike_are_kept(void **state)
{
    (void)state;
    check_long(64, 1000, 1);
    check_long(1000, 1001, 1);
    check_long(1000, 100, 20); /* a column behind one that may be null lies farther away */
}

static void test_many_runs_are_kept_as_columns(void **state)
{
    (void)state;
    check_long(63, 1000, 0);
    check_long(1000, 3, 0);
    check_long(1000, 20, 0);
}

/* What is wrong is found in columns that are taken for others' like, too. */
static void test_a_column_in_a_run_that_lies_elsewhere_is_refused(void **state)
{
    (void)state;
    struct shmf_frame *frame = long_sample(200, 1000), *opened;
    struct shmfi_segment *segment = shmfi_frame_segment(frame);
    const struct shmf_format_frame *h = &frame->header;
    const uint64_t moves[] = {
        (uint64_t)-64, 8, UINT64_C(1) << 40, (uint64_t)1 << 63, h->body_offset + h->body_size,
        (uint64_t)-128};
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
        struct shmf_format_column *column =
            (void *)(frame->base + h->columns_offset + 150 * h->column_size);
        struct shmf_error err = {0};
        column->data_offset += moves[i];
        assert_int_equal(
            shmfi_frame_from_memory(segment->base, segment->length, false, &opened, &err),
            SHMF_E_CORRUPT);
        column->data_offset -= moves[i];
        assert_true(strstr(err.message, "column 150") || strstr(err.message, "matrix"));
    }
    assert_int_equal(shmfi_frame_from_memory(segment->base, segment->length, false, &opened, NULL),
                     SHMF_OK);
    shmf_frame_free(opened);
    shmf_frame_free(frame);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void test_handles_of_something_else_or_of_nothing_are_refused(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_frame *frame = sample();
    struct shmf_handle handle = shmf_frame_handle(frame);
    assert_int_equal(handle.kind, SHMF_KIND_FRAME);
    handle.kind = SHMF_KIND_ARRAY;
    assert_null(shmf_frame_open(handle, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    handle.kind = SHMF_KIND_FRAME;
    handle.access = 17;
    assert_null(shmf_frame_open(handle, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    handle.access = SHMF_READ_ONLY;
    shmf_frame_free(frame);
    assert_null(shmf_frame_open(handle, &err));
    assert_int_equal(err.code, SHMF_E_STALE);
}

static void test_an_unfinished_frame_cannot_be_opened(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    const struct shmf_frame_spec spec = {.n_rows = 1, .n_columns = 1, .dtype = SHMF_INT8};
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    assert_non_null(frame);
    struct shmf_handle handle = shmfi_segment_handle(shmfi_frame_segment(frame), SHMF_KIND_FRAME);
    assert_null(shmf_frame_open(handle, &err));
    assert_int_equal(err.code, SHMF_E_ACCESS);
    shmf_frame_free(frame);
}

static void assert_refused(const struct shmf_frame_spec *spec, int code, const char *culprit)
{
    struct shmf_error err = {0};
    struct shmf_memory_stats before, after;
    shmf_memory_get_stats(&before);
    assert_null(shmf_frame_new(spec, &err));
    assert_int_equal(err.code, code);
    if (!strstr(err.message, culprit))
        fail_msg("\"%s\" does not name %s", err.message, culprit);
    shmf_memory_get_stats(&after);
    assert_true(after.used_bytes == before.used_bytes);
}

static void test_specs_that_make_no_sense_are_refused_by_field(void **state)
{
    (void)state;
    const struct shmf_column_spec no_dtype[] = {{"a", SHMF_INT8, 0}, {"b", (enum shmf_dtype)0, 0}};
    const struct shmf_column_spec no_label[] = {{"a", SHMF_INT8, 0}, {NULL, SHMF_INT8, 0}};
    const struct shmf_column_spec no_unit[] = {{"a", SHMF_TIMESTAMP, 0}};
    const char *const broken[] = {"ok", "\xFF"};
    const int64_t numbers[] = {1, 2};
    assert_refused(NULL, SHMF_E_INVAL, "spec");
    assert_refused(&(struct shmf_frame_spec){.n_rows = -1}, SHMF_E_INVAL, "n_rows");
    assert_refused(&(struct shmf_frame_spec){.n_columns = -1}, SHMF_E_INVAL, "n_columns");
    assert_refused(&(struct shmf_frame_spec){.n_columns = 1}, SHMF_E_INVAL, "dtype");
    assert_refused(&(struct shmf_frame_spec){.reserved = {[5] = 1}}, SHMF_E_INVAL, "reserved[5]");
    assert_refused(&(struct shmf_frame_spec){.n_columns = 2, .columns = no_dtype}, SHMF_E_INVAL,
                   "columns[1].dtype");
    assert_refused(&(struct shmf_frame_spec){.n_columns = 2, .columns = no_label}, SHMF_E_INVAL,
                   "columns: label 1 is NULL");
    assert_refused(&(struct shmf_frame_spec){.n_columns = 1, .columns = no_unit}, SHMF_E_INVAL,
                   "details[0].type.unit");
    assert_refused(&(struct shmf_frame_spec){.n_rows = 2, .row_labels = broken}, SHMF_E_INVAL,
                   "row_labels: label 1 is not valid UTF-8");
    assert_refused(
        &(struct shmf_frame_spec){.n_rows = 2, .row_labels = broken, .row_numbers = numbers},
        SHMF_E_INVAL, "row_numbers");
    assert_refused(
        &(struct shmf_frame_spec){.n_columns = 2, .columns = no_label, .column_labels = broken},
        SHMF_E_INVAL, "column_labels");
}

static void test_frames_larger_than_anything_are_too_big(void **state)
{
    (void)state;
    struct shmf_frame_spec spec = {.n_rows = INT64_MAX, .n_columns = 1, .dtype = SHMF_FLOAT64};
    assert_refused(&spec, SHMF_E_TOOBIG, "n_rows");
    spec.n_rows = 1LL << 59;
    spec.n_columns = 16;
    assert_refused(&spec, SHMF_E_TOOBIG, "n_rows");
    assert_refused(&(struct shmf_frame_spec){.n_rows = 3, .range_step = 1LL << 62}, SHMF_E_TOOBIG,
                   "range_step");
    assert_refused(&(struct shmf_frame_spec){.n_rows = 2, .range_start = INT64_MAX}, SHMF_E_TOOBIG,
                   "range_start");
}

/* ---- without memory ------------------------------------------------------------------------- */

static int allocations_left;

static void *failing_calloc(size_t count, size_t size)
{
    return allocations_left-- > 0 ? calloc(count, size) : NULL;
}

static void *failing_malloc(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void test_every_allocation_may_fail_and_nothing_is_lost(void **state)
{
    (void)state;
    struct shmf_frame *frame = sample();
    const struct shmfi_sys real = shmfi_sys;
    const struct shmf_frame_spec spec = {.n_rows = 9, .n_columns = 9, .dtype = SHMF_INT16};
    struct shmf_memory_stats before, after;
    struct shmf_error err;
    shmf_memory_get_stats(&before);
    shmfi_sys.calloc = failing_calloc;
    shmfi_sys.malloc = failing_malloc;
    int failures = 0;
    for (int allowed = 0; allowed < 10; allowed++) {
        allocations_left = allowed;
        struct shmf_frame *opened = shmf_frame_open(shmf_frame_handle(frame), &err);
        assert_true(opened || err.code == SHMF_E_NOMEM);
        failures += !opened;
        shmf_frame_free(opened);
        allocations_left = allowed;
        struct shmf_frame *made = shmf_frame_new(&spec, &err);
        assert_true(made || err.code == SHMF_E_NOMEM);
        failures += !made;
        shmf_frame_free(made);
    }
    shmfi_sys = real;
    shmf_memory_get_stats(&after);
    assert_true(failures >= 3);
    assert_true(after.used_bytes == before.used_bytes);
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opened_read_only_it_is_the_same_memory_not_to_be_written),
        cmocka_unit_test(test_a_copy_on_write_view_is_written_alone),
        cmocka_unit_test(test_a_private_copy_is_written_alone_and_can_be_handed_on),
        cmocka_unit_test(test_a_trusted_frame_uses_the_column_table_in_place),
        cmocka_unit_test(test_what_nobody_else_can_write_is_opened_in_place),
        cmocka_unit_test(test_of_a_long_table_runs_of_columns_alike_are_kept),
        cmocka_unit_test(test_many_runs_are_kept_as_columns),
        cmocka_unit_test(test_a_column_in_a_run_that_lies_elsewhere_is_refused),
        cmocka_unit_test(test_handles_of_something_else_or_of_nothing_are_refused),
        cmocka_unit_test(test_an_unfinished_frame_cannot_be_opened),
        cmocka_unit_test(test_specs_that_make_no_sense_are_refused_by_field),
        cmocka_unit_test(test_frames_larger_than_anything_are_too_big),
        cmocka_unit_test(test_every_allocation_may_fail_and_nothing_is_lost),
    };
    return cmocka_run_group_tests_name("frame open", tests, NULL, NULL);
}

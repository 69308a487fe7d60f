/* frame/: what may be granted for writing, and what is made of a grant where it arrives. */
#include "support/test.h"
#include "unit/typed_frame.h"

#include "base/sys.h"
#include "frame/frame_internal.h"
#include "memory/memory.h"

#include <shmframe/grant.h>

#include <stdlib.h>

static struct shmf_frame *grantable(int64_t n_rows, enum shmf_dtype dtype)
{
    const struct shmf_frame_spec spec = {.n_rows = n_rows, .n_columns = 2, .dtype = dtype};
    struct shmf_frame *frame = shmf_frame_new_grantable(&spec, NULL);
    assert_non_null(frame);
    return frame;
}

static void assert_refused(struct shmf_frame *frame, int64_t begin, int64_t end, int code,
                           const char *culprit)
{
    struct shmf_error err = {0};
    assert_int_equal(shmf_frame_grant(frame, begin, end, &err).region, 0);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, culprit));
}

static void test_frames_with_strings_are_not_made_for_granting(void **state)
{
    (void)state;
    struct shmf_error err;
    assert_null(shmf_frame_new_grantable(&typed_spec, &err));
    assert_int_equal(err.code, SHMF_E_DTYPE);
    assert_string_equal(err.message, "column 0: utf8 cannot be written in slices");
    assert_null(shmf_frame_new_grantable(NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
}

static void test_any_rows_of_plain_columns_are_granted(void **state)
{
    (void)state;
    struct shmf_frame *frame = grantable(100, SHMF_FLOAT64);
    struct shmf_handle handle = shmf_frame_grant(frame, 3, 7, NULL);
    assert_int_equal(handle.access, SHMF_WRITABLE);
    assert_int_equal(handle.begin, 3);
    assert_int_equal(handle.end, 7);
    assert_int_not_equal(shmf_frame_grant(frame, 5, 5, NULL).region, 0);
    assert_int_not_equal(shmf_frame_grant(frame, 0, 100, NULL).region, 0);
    assert_refused(frame, -1, 5, SHMF_E_RANGE, "[-1, 5)");
    assert_refused(frame, 6, 5, SHMF_E_RANGE, "[6, 5)");
    assert_refused(frame, 0, 101, SHMF_E_RANGE, "of a frame of 100");
    assert_refused(NULL, 0, 1, SHMF_E_INVAL, "frame: NULL");
    shmf_frame_free(frame);
}

static void test_rows_that_share_a_byte_of_bits_are_granted_together(void **state)
{
    (void)state;
    const struct shmf_column_spec nullable[] = {{"a", SHMF_INT8, 1}, {"b", SHMF_INT8, 0}};
    const struct shmf_frame_spec spec = {.n_rows = 200, .n_columns = 2, .columns = nullable};
    struct shmf_frame *frames[] = {grantable(200, SHMF_BOOL),
                                   shmf_frame_new_grantable(&spec, NULL)};
    for (int i = 0; i < 2; i++) {
        assert_int_not_equal(shmf_frame_grant(frames[i], 0, 64, NULL).region, 0);
        assert_int_not_equal(shmf_frame_grant(frames[i], 128, 200, NULL).region, 0);
        assert_int_not_equal(shmf_frame_grant(frames[i], 7, 7, NULL).region, 0);
        assert_refused(frames[i], 0, 65, SHMF_E_INVAL, "64");
        assert_refused(frames[i], 1, 64, SHMF_E_INVAL, "64");
        shmf_frame_free(frames[i]);
    }
}

static void test_what_was_not_made_for_it_is_not_granted(void **state)
{
    (void)state;
    const struct shmf_frame_spec spec = {.n_rows = 4, .n_columns = 1, .dtype = SHMF_INT8};
    struct shmf_frame *plain = shmf_frame_new(&spec, NULL), *frame = grantable(64, SHMF_INT8);
    assert_refused(plain, 0, 4, SHMF_E_ACCESS, "shmf_frame_new_grantable");
    struct shmf_frame *part = shmfi_frame_slice(frame, 0, 64, NULL);
    assert_non_null(part);
    assert_refused(part, 0, 64, SHMF_E_ACCESS, "shmf_frame_new_grantable");
    shmf_frame_free(part);
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    assert_refused(frame, 0, 64, SHMF_E_ACCESS, "finished");
    shmf_frame_free(plain);
    shmf_frame_free(frame);
}

/* ---- where it arrives; here in the same process ---------------------------------------------- */

static struct shmf_frame *open_granted(struct shmf_frame *frame)
{
    struct shmf_frame *granted = NULL;
    assert_int_equal(
        shmfi_frame_open_granted(shmfi_segment_ref(shmfi_frame_segment(frame)), &granted, NULL),
        SHMF_OK);
    return granted;
}

static void test_a_granted_slice_writes_into_the_frame(void **state)
{
    (void)state;
    struct shmf_frame *frame = grantable(100, SHMF_INT32), *slice = NULL;
    memset(shmf_frame_data_mut(frame, 1), 0, 400);
    struct shmf_frame *whole = open_granted(frame);
    assert_int_equal(shmfi_frame_granted_slice(whole, 10, 20, &slice, NULL), SHMF_OK);
    assert_int_equal(shmf_frame_rows(slice), 10);
    ((int32_t *)shmf_frame_data_mut(slice, 1))[0] = 7;
    assert_int_equal(((int32_t *)shmf_frame_data_mut(frame, 1))[10], 7);
    assert_int_equal(shmf_frame_finish(slice, NULL), SHMF_E_ACCESS); /* its owner does that */
    shmf_frame_free(slice);
    assert_int_equal(shmfi_frame_granted_slice(whole, 0, 0, &slice, NULL), SHMF_OK);
    assert_int_equal(shmf_frame_rows(slice), 100);
    shmf_frame_free(slice);
    assert_int_equal(shmfi_frame_granted_slice(whole, 101, 101, &slice, NULL), SHMF_OK);
    assert_int_equal(shmf_frame_rows(slice), 0);
    shmf_frame_free(slice);
    assert_int_equal(shmfi_frame_granted_slice(whole, 10, 101, &slice, NULL), SHMF_E_RANGE);
    shmf_frame_free(whole);
    shmf_frame_free(frame);
}

static void *no_memory(size_t n, size_t size)
{
    (void)n;
    (void)size;
    return NULL;
}

static void test_without_memory_a_grant_is_not_opened(void **state)
{
    (void)state;
    struct shmf_frame *frame = grantable(64, SHMF_INT8), *granted = NULL;
    struct shmf_frame *whole = open_granted(frame);
    struct shmf_error err;
    shmfi_sys.calloc = no_memory;
    int rc =
        shmfi_frame_open_granted(shmfi_segment_ref(shmfi_frame_segment(frame)), &granted, NULL);
    int of_slice = shmfi_frame_granted_slice(whole, 0, 64, &granted, &err);
    int unexplained = shmfi_frame_granted_slice(whole, 0, 64, &granted, NULL);
    shmfi_sys.calloc = calloc;
    assert_int_equal(rc, SHMF_E_NOMEM);
    assert_int_equal(of_slice, SHMF_E_NOMEM);
    assert_int_equal(unexplained, SHMF_E_NOMEM);
    shmf_frame_free(whole);
    shmf_frame_free(frame);
}

static void test_a_finished_frame_is_not_opened_for_writing(void **state)
{
    (void)state;
    struct shmf_frame *frame = grantable(64, SHMF_INT8), *granted = NULL;
    struct shmf_frame *whole = open_granted(frame);
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    assert_int_equal(
        shmfi_frame_open_granted(shmfi_segment_ref(shmfi_frame_segment(frame)), &granted, NULL),
        SHMF_E_ACCESS);
    assert_int_equal(shmfi_frame_granted_slice(whole, 0, 64, &granted, NULL), SHMF_E_ACCESS);
    shmf_frame_free(whole);
    shmf_frame_free(frame);
}

/* What its writers make of the header meanwhile is not believed. */
static void test_a_frame_whose_header_was_written_over_is_not_opened(void **state)
{
    (void)state;
    struct shmf_frame *frame = grantable(64, SHMF_INT8), *granted = NULL;
    struct shmf_format_frame *header = (void *)frame->base;
    uint64_t good = header->n_rows;
    header->n_rows = UINT64_MAX;
    assert_int_equal(
        shmfi_frame_open_granted(shmfi_segment_ref(shmfi_frame_segment(frame)), &granted, NULL),
        SHMF_E_CORRUPT);
    header->n_rows = good;
    shmf_frame_free(frame);
}

static void test_rows_that_a_handle_names_are_opened(void **state)
{
    (void)state;
    const int16_t cells[] = {0, 10, 20, 30, 40};
    const struct shmf_frame_spec spec = {.n_rows = 5, .n_columns = 1, .dtype = SHMF_INT16};
    struct shmf_frame *frame = shmf_frame_from_matrix(&spec, cells, 2, 10, NULL);
    struct shmf_error err;
    assert_non_null(frame);
    struct shmf_handle handle = shmf_frame_handle(frame);
    struct shmf_frame *some = shmf_frame_open(shmf_handle_slice(handle, 1, 3), NULL);
    assert_non_null(some);
    assert_int_equal(shmf_frame_rows(some), 2);
    assert_int_equal(((const int16_t *)shmf_frame_data(some, 0, SHMF_INT16))[0], 10);
    shmf_frame_free(some);
    some = shmf_frame_open(shmf_handle_slice(handle, 9, 9), NULL);
    assert_non_null(some);
    assert_int_equal(shmf_frame_rows(some), 0);
    shmf_frame_free(some);
    assert_null(shmf_frame_open(shmf_handle_slice(handle, 3, 6), &err));
    assert_int_equal(err.code, SHMF_E_RANGE);
    assert_string_equal(err.message, "rows [3, 6) of a frame of 5");
    assert_null(shmf_frame_open(shmf_handle_slice(handle, 3, 2), NULL));
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_with_strings_are_not_made_for_granting),
        cmocka_unit_test(test_any_rows_of_plain_columns_are_granted),
        cmocka_unit_test(test_rows_that_share_a_byte_of_bits_are_granted_together),
        cmocka_unit_test(test_what_was_not_made_for_it_is_not_granted),
        cmocka_unit_test(test_a_granted_slice_writes_into_the_frame),
        cmocka_unit_test(test_without_memory_a_grant_is_not_opened),
        cmocka_unit_test(test_a_finished_frame_is_not_opened_for_writing),
        cmocka_unit_test(test_a_frame_whose_header_was_written_over_is_not_opened),
        cmocka_unit_test(test_rows_that_a_handle_names_are_opened),
    };
    return cmocka_run_group_tests_name("frame grant", tests, NULL, NULL);
}

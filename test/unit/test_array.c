/* array/: making, copying, opening and refusing n-dimensional arrays. */
#include "support/test.h"

#include "array/array_internal.h"
#include "memory/memory.h"

#include <shmframe/array.h>
#include <shmframe/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_a_new_array_is_c_contiguous_and_page_aligned(void **state)
{
    (void)state;
    const int64_t shape[] = {3, 4, 5};
    struct shmf_array *array = shmf_array_new(SHMF_FLOAT64, 3, shape, NULL);
    assert_non_null(array);
    assert_int_equal(shmf_array_dtype(array), SHMF_FLOAT64);
    assert_int_equal(shmf_array_ndim(array), 3);
    assert_int_equal(shmf_array_size(array), 60);
    assert_memory_equal(shmf_array_shape(array), shape, sizeof shape);
    const int64_t strides[] = {160, 40, 8};
    assert_memory_equal(shmf_array_strides(array), strides, sizeof strides);
    assert_int_equal((uintptr_t)shmf_array_data(array) % 4096, 0);
    assert_ptr_equal(shmf_array_data_mut(array), shmf_array_data(array));
    shmf_array_free(array);
}

static void test_zero_clears_every_byte(void **state)
{
    (void)state;
    struct shmf_array *array = shmf_array_new(SHMF_INT16, 2, (const int64_t[]){7, 11}, NULL);
    assert_non_null(array);
    memset(shmf_array_data_mut(array), 0x5A, 154);
    assert_int_equal(shmf_array_zero(array), SHMF_OK);
    assert_int_equal(test_differs_from(shmf_array_data(array), 154, 0), -1);
    assert_int_equal(shmf_array_zero(NULL), SHMF_E_INVAL);
    shmf_array_free(array);
}

static void test_dimensions_of_zero_are_fine(void **state)
{
    (void)state;
    struct shmf_array *array =
        shmf_array_from_data(SHMF_INT32, 3, (const int64_t[]){4, 0, 2}, NULL, NULL, NULL);
    assert_non_null(array);
    assert_int_equal(shmf_array_size(array), 0);
    assert_non_null(shmf_array_data(array));
    struct shmf_array *opened = shmf_array_open(shmf_array_handle(array), NULL);
    assert_non_null(opened);
    assert_int_equal(shmf_array_size(opened), 0);
    shmf_array_free(opened);
    shmf_array_free(array);
}

static void assert_refused(enum shmf_dtype dtype, int ndim, const int64_t *shape, int code,
                           const char *culprit)
{
    struct shmf_error err = {0};
    assert_null(shmf_array_new(dtype, ndim, shape, &err));
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, culprit));
}

static void test_senseless_arguments_are_named(void **state)
{
    (void)state;
    const int64_t fine[SHMF_MAX_DIMS + 1] = {1};
    assert_refused(SHMF_FLOAT64, 0, fine, SHMF_E_INVAL, "ndim");
    assert_refused(SHMF_FLOAT64, SHMF_MAX_DIMS + 1, fine, SHMF_E_INVAL, "ndim");
    assert_refused(SHMF_FLOAT64, 1, NULL, SHMF_E_INVAL, "shape");
    assert_refused(SHMF_FLOAT64, 2, (const int64_t[]){3, -1}, SHMF_E_INVAL, "shape[1]");
    assert_refused((enum shmf_dtype)0, 1, fine, SHMF_E_INVAL, "dtype");
    assert_refused((enum shmf_dtype)99, 1, fine, SHMF_E_INVAL, "dtype");
    assert_refused(SHMF_UTF8, 1, fine, SHMF_E_DTYPE, "utf8");
    assert_refused(SHMF_TIMESTAMP, 1, fine, SHMF_E_UNSUPPORTED, "timestamp");
    struct shmf_error err = {0};
    assert_null(shmf_array_from_data(SHMF_INT8, 1, (const int64_t[]){3}, NULL, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "data"));
}

static void test_sizes_that_overflow_are_too_big(void **state)
{
    (void)state;
    assert_refused(SHMF_FLOAT64, 1, (const int64_t[]){INT64_MAX}, SHMF_E_TOOBIG, "shape");
    assert_refused(SHMF_INT8, 1, (const int64_t[]){INT64_MAX}, SHMF_E_TOOBIG, "shape");
    assert_refused(SHMF_INT8, 2, (const int64_t[]){1LL << 32, 1LL << 32}, SHMF_E_TOOBIG, "shape");
    assert_refused(SHMF_INT8, 3, (const int64_t[]){0, 1LL << 40, 1LL << 40}, SHMF_E_TOOBIG,
                   "shape");
}

/* Element (i, j, k) of a block somewhere in a larger one is i * 100 + j * 10 + k. */
static void check_strided(const int64_t strides[3], const int32_t *origin)
{
    const int64_t shape[] = {2, 3, 4};
    struct shmf_array *array = shmf_array_from_data(SHMF_INT32, 3, shape, strides, origin, NULL);
    assert_non_null(array);
    const int32_t *data = shmf_array_data(array);
    for (int64_t i = 0; i < 2; i++)
        for (int64_t j = 0; j < 3; j++)
            for (int64_t k = 0; k < 4; k++)
                assert_int_equal(data[(i * 3 + j) * 4 + k],
                                 *(const int32_t *)((const char *)origin + i * strides[0] +
                                                    j * strides[1] + k * strides[2]));
    shmf_array_free(array);
}

static void test_data_of_any_strides_is_copied_in_order(void **state)
{
    (void)state;
    int32_t block[1000];
    for (int i = 0; i < 1000; i++)
        block[i] = i;
    check_strided((const int64_t[]){400, 40, 4}, block);
    check_strided((const int64_t[]){4, 40, 400}, block);
    check_strided((const int64_t[]){-400, 40, -4}, block + 555);
    check_strided((const int64_t[]){0, 8, 0}, block);
}

#define CHECK_SIZE(dtype, type)                                                                    \
    do {                                                                                           \
        type source_[10];                                                                          \
        test_fill(source_, sizeof source_, dtype);                                                 \
        struct shmf_array *array_ = shmf_array_from_data(                                          \
            dtype, 1, (const int64_t[]){5}, (const int64_t[]){2 * sizeof(type)}, source_, NULL);   \
        assert_non_null(array_);                                                                   \
        for (size_t i_ = 0; i_ < 5; i_++)                                                          \
            assert_memory_equal((const char *)shmf_array_data(array_) + i_ * sizeof(type),         \
                                (const char *)source_ + 2 * i_ * sizeof(type), sizeof(type));      \
        shmf_array_free(array_);                                                                   \
    } while (0)

static void test_strided_copies_work_for_every_width(void **state)
{
    (void)state;
    CHECK_SIZE(SHMF_BOOL, uint8_t);
    CHECK_SIZE(SHMF_FLOAT16, uint16_t);
    CHECK_SIZE(SHMF_FLOAT32, float);
    CHECK_SIZE(SHMF_COMPLEX64, uint64_t);
    struct wide {
        uint64_t parts[2];
    };
    CHECK_SIZE(SHMF_COMPLEX128, struct wide);
}

/* ---- handles ------------------------------------------------------------------------------ */

static struct shmf_array *counting(int64_t n)
{
    struct shmf_array *array = shmf_array_new(SHMF_INT64, 1, &n, NULL);
    assert_non_null(array);
    int64_t *data = shmf_array_data_mut(array);
    for (int64_t i = 0; i < n; i++)
        data[i] = i;
    return array;
}

static void test_opened_read_only_it_is_the_same_memory_not_to_be_written(void **state)
{
    (void)state;
    struct shmf_array *array = counting(1000);
    struct shmf_array *opened = shmf_array_open(shmf_array_handle(array), NULL);
    assert_non_null(opened);
    assert_ptr_equal(shmf_array_data(opened), shmf_array_data(array));
    assert_null(shmf_array_data_mut(opened));
    assert_int_equal(shmf_array_zero(opened), SHMF_E_ACCESS);
    shmf_array_free(array);
    assert_int_equal(((const int64_t *)shmf_array_data(opened))[999], 999);
    shmf_array_free(opened);
}

static void check_private(enum shmf_access access)
{
    struct shmf_array *array = counting(1000);
    struct shmf_handle handle = shmf_array_handle(array);
    handle.access = access;
    struct shmf_array *opened = shmf_array_open(handle, NULL);
    assert_non_null(opened);
    int64_t *data = shmf_array_data_mut(opened);
    assert_non_null(data);
    assert_int_equal(data[7], 7);
    data[7] = -1;
    assert_int_equal(((const int64_t *)shmf_array_data(array))[7], 7);
    ((int64_t *)shmf_array_data_mut(array))[8] = -2;
    if (access == SHMF_PRIVATE_COPY)
        assert_int_equal(data[8], 8);
    shmf_array_free(opened);
    assert_int_equal(((const int64_t *)shmf_array_data(array))[7], 7);
    shmf_array_free(array);
}

static void test_what_is_written_to_a_copy_on_write_view_stays_there(void **state)
{
    (void)state;
    check_private(SHMF_COPY_ON_WRITE);
}

static void test_a_private_copy_shares_nothing(void **state)
{
    (void)state;
    check_private(SHMF_PRIVATE_COPY);
}

static void test_stale_and_foreign_handles_are_refused(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_array *array = counting(10);
    struct shmf_handle handle = shmf_array_handle(array);
    assert_int_equal(handle.kind, SHMF_KIND_ARRAY);
    shmf_array_free(array);
    assert_null(shmf_array_open(handle, &err));
    assert_int_equal(err.code, SHMF_E_STALE);
    handle.kind = SHMF_KIND_FRAME;
    assert_null(shmf_array_open(handle, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_null(shmf_array_open((struct shmf_handle){0}, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
}

static void test_a_segment_that_is_no_array_is_refused_and_let_go(void **state)
{
    (void)state;
    struct shmfi_segment *segment;
    struct shmf_memory_stats before, after;
    struct shmf_error err = {0};
    shmf_memory_get_stats(&before);
    assert_int_equal(shmfi_segment_new(5000, 0, &segment, NULL), SHMF_OK);
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_ARRAY);
    assert_null(shmf_array_open(handle, &err));
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    assert_non_null(strstr(err.message, "magic"));
    shmfi_segment_unref(segment);
    shmf_memory_get_stats(&after);
    assert_true(after.used_bytes == before.used_bytes);
}

static void test_null_is_harmless(void **state)
{
    (void)state;
    shmf_array_free(NULL);
    assert_true(shmf_array_handle(NULL).region == 0);
    assert_int_equal(shmf_array_dtype(NULL), 0);
    assert_int_equal(shmf_array_ndim(NULL), 0);
    assert_int_equal(shmf_array_size(NULL), 0);
    assert_null(shmf_array_shape(NULL));
    assert_null(shmf_array_strides(NULL));
    assert_null(shmf_array_data(NULL));
    assert_null(shmf_array_data_mut(NULL));
    assert_int_equal(shmf_array_print(NULL, stdout), SHMF_E_INVAL);
}

/* ---- printing ----------------------------------------------------------------------------- */

static void assert_printed(const struct shmf_array *array, const char *expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    assert_int_equal(shmf_array_print(array, out), SHMF_OK);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
}

static void test_small_arrays_are_printed_whole(void **state)
{
    (void)state;
    const double values[] = {1, 0.25, -3, 4, 5, 6};
    struct shmf_array *array =
        shmf_array_from_data(SHMF_FLOAT64, 2, (const int64_t[]){2, 3}, NULL, values, NULL);
    assert_printed(array, "array float64 [2 x 3]\n"
                          " 1.00   0.25  -3.00\n"
                          " 4.00   5.00   6.00\n");
    shmf_array_free(array);
    array = shmf_array_from_data(SHMF_BOOL, 1, (const int64_t[]){2}, NULL, "\1\0", NULL);
    assert_printed(array, "array bool [2]\n true  false\n");
    shmf_array_free(array);
    array = shmf_array_new(SHMF_INT8, 2, (const int64_t[]){3, 0}, NULL);
    assert_printed(array, "array int8 [3 x 0]\n");
    shmf_array_free(array);
}

static void test_of_large_arrays_the_corners_are_printed(void **state)
{
    (void)state;
    uint16_t values[100];
    for (uint16_t i = 0; i < 100; i++)
        values[i] = i;
    struct shmf_array *array =
        shmf_array_from_data(SHMF_UINT16, 2, (const int64_t[]){10, 10}, NULL, values, NULL);
    assert_printed(array, "array uint16 [10 x 10]\n"
                          " 0   1   2  ...   7   8   9\n"
                          "10  11  12  ...  17  18  19\n"
                          "20  21  22  ...  27  28  29\n"
                          "...\n"
                          "70  71  72  ...  77  78  79\n"
                          "80  81  82  ...  87  88  89\n"
                          "90  91  92  ...  97  98  99\n");
    shmf_array_free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_array_is_c_contiguous_and_page_aligned),
        cmocka_unit_test(test_zero_clears_every_byte),
        cmocka_unit_test(test_dimensions_of_zero_are_fine),
        cmocka_unit_test(test_senseless_arguments_are_named),
        cmocka_unit_test(test_sizes_that_overflow_are_too_big),
        cmocka_unit_test(test_data_of_any_strides_is_copied_in_order),
        cmocka_unit_test(test_strided_copies_work_for_every_width),
        cmocka_unit_test(test_opened_read_only_it_is_the_same_memory_not_to_be_written),
        cmocka_unit_test(test_what_is_written_to_a_copy_on_write_view_stays_there),
        cmocka_unit_test(test_a_private_copy_shares_nothing),
        cmocka_unit_test(test_stale_and_foreign_handles_are_refused),
        cmocka_unit_test(test_a_segment_that_is_no_array_is_refused_and_let_go),
        cmocka_unit_test(test_null_is_harmless),
        cmocka_unit_test(test_small_arrays_are_printed_whole),
        cmocka_unit_test(test_of_large_arrays_the_corners_are_printed),
    };
    return cmocka_run_group_tests_name("array", tests, NULL, NULL);
}

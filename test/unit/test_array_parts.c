/* array/: parts along the first axis, grants, and what is refused or runs out of memory. */
#include "support/test.h"

#include "array/array_internal.h"
#include "base/sys.h"
#include "memory/memory.h"

#include <shmframe/grant.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct shmf_array *counted(void)
{
    int32_t cells[6 * 2];
    for (int i = 0; i < 12; i++)
        cells[i] = i;
    struct shmf_array *array =
        shmf_array_from_data(SHMF_INT32, 2, (const int64_t[]){6, 2}, NULL, cells, NULL);
    assert_non_null(array);
    return array;
}

static void test_the_rows_that_a_handle_names_are_opened(void **state)
{
    (void)state;
    struct shmf_array *array = counted();
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_array *part = shmf_array_open(shmf_handle_slice(handle, 2, 5), NULL);
    assert_non_null(part);
    assert_int_equal(shmf_array_shape(part)[0], 3);
    assert_int_equal(shmf_array_size(part), 6);
    assert_int_equal(((const int32_t *)shmf_array_data(part))[0], 4);
    assert_null(shmf_array_data_mut(part)); /* opened for reading */
    assert_int_equal(shmf_array_zero(part), SHMF_E_ACCESS);
    struct shmf_handle of_part = shmf_array_handle(part);
    assert_int_equal(of_part.begin, 2);
    assert_int_equal(of_part.end, 5);
    shmf_array_free(part);
    part = shmf_array_open(shmf_handle_slice(handle, 0, 0), NULL);
    assert_non_null(part);
    assert_int_equal(shmf_array_size(part), 0);
    shmf_array_free(part);
    part = shmf_array_open(shmf_handle_slice(handle, 7, 7), NULL);
    assert_non_null(part);
    assert_int_equal(shmf_array_shape(part)[0], 0);
    shmf_array_free(part);
    shmf_array_free(array);
}

static void test_rows_that_are_not_there_are_named(void **state)
{
    (void)state;
    const int64_t wrong[][2] = {{-1, 2}, {3, 2}, {5, 7}};
    struct shmf_array *array = counted(), *part = NULL;
    for (int i = 0; i < 3; i++) {
        struct shmf_error err = {0};
        assert_int_equal(shmfi_array_slice(array, wrong[i][0], wrong[i][1], &part, &err),
                         SHMF_E_RANGE);
        assert_non_null(strstr(err.message, "of an array of 6"));
        assert_null(shmf_array_open(
            shmf_handle_slice(shmf_array_handle(array), wrong[i][0], wrong[i][1]), NULL));
    }
    shmf_array_free(array);
    array = shmf_array_new(SHMF_INT8, 2, (const int64_t[]){0, 3}, NULL);
    assert_int_equal(shmfi_array_slice(array, 0, 0, &part, NULL), SHMF_OK);
    assert_int_equal(shmf_array_size(part), 0);
    shmf_array_free(part);
    shmf_array_free(array);
}

static void test_a_part_of_plain_memory_has_no_handle(void **state)
{
    (void)state;
    struct shmf_array *array = counted(), *plain, *part;
    const struct shmf_format_header *header = (void *)shmfi_array_segment(array)->base;
    size_t size = header->total_size;
    void *copy = aligned_alloc(64, size);
    assert_non_null(copy);
    memcpy(copy, header, size);
    assert_int_equal(shmfi_array_from_memory(copy, size, &plain, NULL), SHMF_OK);
    assert_int_equal(shmfi_array_slice(plain, 1, 2, &part, NULL), SHMF_OK);
    assert_int_equal(((const int32_t *)shmf_array_data(part))[0], 2);
    assert_int_equal(shmf_array_handle(part).region, 0);
    assert_null(shmf_array_data_mut(part));
    struct shmf_error err;
    assert_int_equal(shmf_array_grant(plain, 0, 1, &err).region, 0);
    assert_int_equal(err.code, SHMF_E_ACCESS);
    shmf_array_free(part);
    shmf_array_free(plain);
    shmf_array_free(array);
    free(copy);
}

static void assert_not_granted(const struct shmf_array *array, int64_t begin, int64_t end, int code)
{
    struct shmf_error err = {0};
    assert_int_equal(shmf_array_grant(array, begin, end, &err).region, 0);
    assert_int_equal(err.code, code);
}

static void test_only_rows_of_arrays_made_for_it_are_granted(void **state)
{
    (void)state;
    struct shmf_array *plain = counted(), *part;
    struct shmf_array *array = shmf_array_new_grantable(SHMF_INT32, 1, (const int64_t[]){10}, NULL);
    assert_non_null(array);
    struct shmf_handle handle = shmf_array_grant(array, 2, 4, NULL);
    assert_int_equal(handle.access, SHMF_WRITABLE);
    assert_int_equal(handle.begin, 2);
    assert_int_equal(handle.end, 4);
    assert_int_not_equal(shmf_array_grant(array, 0, 0, NULL).region, 0);
    assert_not_granted(NULL, 0, 1, SHMF_E_INVAL);
    assert_not_granted(array, -1, 1, SHMF_E_RANGE);
    assert_not_granted(array, 2, 1, SHMF_E_RANGE);
    assert_not_granted(array, 2, 11, SHMF_E_RANGE);
    assert_not_granted(plain, 0, 1, SHMF_E_ACCESS);
    assert_int_equal(shmfi_array_slice(array, 0, 5, &part, NULL), SHMF_OK);
    assert_not_granted(part, 0, 1, SHMF_E_ACCESS);
    shmf_array_free(part);
    shmf_array_free(plain);
    shmf_array_free(array);
}

static void *no_memory(size_t n, size_t size)
{
    (void)n;
    (void)size;
    return NULL;
}

static void test_without_memory_nothing_is_made_or_opened(void **state)
{
    (void)state;
    struct shmf_array *array = counted(), *part = NULL;
    struct shmf_error err[3] = {0};
    shmfi_sys.calloc = no_memory;
    struct shmf_array *made = shmf_array_new(SHMF_INT8, 1, (const int64_t[]){5}, &err[0]);
    struct shmf_array *opened = shmf_array_open(shmf_array_handle(array), &err[1]);
    int rc = shmfi_array_slice(array, 0, 1, &part, &err[2]);
    shmfi_sys.calloc = calloc;
    assert_null(made);
    assert_null(opened);
    assert_int_equal(rc, SHMF_E_NOMEM);
    for (int i = 0; i < 3; i++)
        assert_int_equal(err[i].code, SHMF_E_NOMEM);
    shmf_array_free(array);
}

static void test_no_array_has_nothing(void **state)
{
    (void)state;
    struct shmf_array *array = counted();
    const struct shmf_handle none = {0};
    assert_int_equal(shmf_array_dtype(NULL), 0);
    assert_int_equal(shmf_array_ndim(NULL), 0);
    assert_null(shmf_array_shape(NULL));
    assert_null(shmf_array_strides(NULL));
    assert_int_equal(shmf_array_size(NULL), 0);
    assert_null(shmf_array_data(NULL));
    assert_null(shmf_array_data_mut(NULL));
    assert_int_equal(shmf_array_handle(NULL).region, 0);
    assert_int_equal(shmf_array_print(NULL, stdout), SHMF_E_INVAL);
    assert_int_equal(shmf_array_print(array, NULL), SHMF_E_INVAL);
    assert_null(shmf_array_open(none, NULL));
    struct shmf_handle stale = shmf_array_handle(array);
    shmf_array_free(array);
    struct shmf_error err;
    assert_null(shmf_array_open(stale, &err));
    assert_int_equal(err.code, SHMF_E_STALE);
    shmf_array_free(NULL);
}

static void test_booleans_and_empty_dimensions_are_copied(void **state)
{
    (void)state;
    const uint8_t bits[] = {1, 0, 1, 1};
    const int64_t shape[] = {2, 2}, transposed[] = {1, 2};
    struct shmf_array *array = shmf_array_from_data(SHMF_BOOL, 2, shape, transposed, bits, NULL);
    assert_non_null(array);
    const uint8_t expected[] = {1, 1, 0, 1};
    assert_memory_equal(shmf_array_data(array), expected, 4);
    shmf_array_free(array);
    struct shmf_error err;
    assert_null(shmf_array_from_data(SHMF_INT8, 2, shape, NULL, NULL, &err));
    assert_string_equal(err.message, "data: NULL");
    assert_null(shmf_array_from_data(SHMF_INT8, 0, shape, NULL, bits, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_rows_that_a_handle_names_are_opened),
        cmocka_unit_test(test_rows_that_are_not_there_are_named),
        cmocka_unit_test(test_a_part_of_plain_memory_has_no_handle),
        cmocka_unit_test(test_only_rows_of_arrays_made_for_it_are_granted),
        cmocka_unit_test(test_without_memory_nothing_is_made_or_opened),
        cmocka_unit_test(test_no_array_has_nothing),
        cmocka_unit_test(test_booleans_and_empty_dimensions_are_copied),
    };
    return cmocka_run_group_tests_name("array parts", tests, NULL, NULL);
}

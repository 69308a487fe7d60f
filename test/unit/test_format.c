/* format/: segments on plain memory: the common header, arrays, and the layout of parts. */
#include "format/format.h"
#include "support/test.h"
#include "unit/wrong.h"

#include <shmframe/dtype.h>
#include <shmframe/error.h>
#include <shmframe/handle.h>

#include <stdlib.h>
#include <string.h>

/* ---- arrays: 2 x 3 float32 ------------------------------------------------------------------ */

static struct shmf_format_array good_array(void)
{
    struct shmf_format_array array = {
        .header = {.version = 1,
                   .header_size = sizeof array,
                   .kind = SHMF_KIND_ARRAY,
                   .state = SHMF_FORMAT_READY,
                   .total_size = 512},
        .dtype = SHMF_FLOAT32,
        .n_dims = 2,
        .data_offset = 384,
        .data_size = 24,
        .shape = {2, 3},
        .strides = {12, 4},
    };
    memcpy(array.header.magic, SHMF_FORMAT_MAGIC, 8);
    return array;
}

/* From a heap block of exactly `size` bytes, so that a read behind it is seen. */
static int read_array(const struct shmf_format_array *array, size_t size, struct shmf_error *err)
{
    struct shmf_format_array copy;
    unsigned char *segment = malloc(size);
    assert_non_null(segment);
    memset(segment, 0, size);
    memcpy(segment, array, size < sizeof *array ? size : sizeof *array);
    int rc = shmfi_format_read_array(segment, size, &copy, err);
    if (rc == SHMF_OK)
        assert_memory_equal(&copy, array, sizeof copy);
    free(segment);
    return rc;
}

static void test_a_good_array_is_accepted_in_memory_of_its_size_or_more(void **state)
{
    (void)state;
    struct shmf_format_array array = good_array();
    assert_int_equal(read_array(&array, 512, NULL), SHMF_OK);
    assert_int_equal(read_array(&array, 4096, NULL), SHMF_OK);
    assert_int_equal(read_array(&array, 511, NULL), SHMF_E_CORRUPT);
}

static const struct wrong wrong_headers[] = {
    WRONG(shmf_format_header, magic, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, version, 0, SHMF_E_VERSION),
    WRONG(shmf_format_header, version, 2, SHMF_E_VERSION),
    WRONG(shmf_format_header, incompatible, 1, SHMF_E_VERSION),
    WRONG(shmf_format_header, incompatible, 1ull << 63, SHMF_E_VERSION),
    WRONG(shmf_format_header, header_size, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, header_size, 380, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, header_size, 513, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, header_size, UINT32_MAX, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, kind, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, kind, 4, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, state, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, state, SHMF_FORMAT_BUILDING, SHMF_E_ACCESS),
    WRONG(shmf_format_header, state, 3, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, total_size, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, total_size, 513, SHMF_E_CORRUPT),
    WRONG(shmf_format_header, total_size, UINT64_MAX, SHMF_E_CORRUPT),
};

static const struct wrong wrong_arrays[] = {
    WRONG(shmf_format_array, dtype, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, dtype, 27, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, dtype, SHMF_DECIMAL128, SHMF_E_UNSUPPORTED),
    WRONG(shmf_format_array, n_dims, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, n_dims, 17, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, data_offset, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, data_offset, 385, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, data_offset, UINT64_MAX - 63, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, data_size, 129, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, data_size, UINT64_MAX, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, width, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, unit, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, precision, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, scale, -1, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, reserved0, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, reserved1, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_array, reserved2, 1, SHMF_E_CORRUPT),
    ELEMENT(shmf_format_array, shape, 0, -1, SHMF_E_CORRUPT),
    ELEMENT(shmf_format_array, shape, 2, 1, SHMF_E_CORRUPT),
    ELEMENT(shmf_format_array, shape, 1, INT64_MAX, SHMF_E_CORRUPT),
    ELEMENT(shmf_format_array, strides, 0, -12, SHMF_E_CORRUPT),
    ELEMENT(shmf_format_array, strides, 0, 16, SHMF_E_CORRUPT),
    ELEMENT(shmf_format_array, strides, 0, 6, SHMF_E_CORRUPT),
    ELEMENT(shmf_format_array, strides, 1, INT64_MAX - 3, SHMF_E_CORRUPT),
    ELEMENT(shmf_format_array, strides, 15, 4, SHMF_E_CORRUPT),
};

static void test_every_wrong_field_of_an_array_is_named(void **state)
{
    (void)state;
    const struct {
        const struct wrong *table;
        size_t n;
    } tables[] = {{wrong_headers, sizeof wrong_headers / sizeof wrong_headers[0]},
                  {wrong_arrays, sizeof wrong_arrays / sizeof wrong_arrays[0]}};
    for (size_t t = 0; t < 2; t++) {
        for (size_t i = 0; i < tables[t].n; i++) {
            struct shmf_format_array array = good_array();
            struct shmf_error err = {0};
            put_wrong((unsigned char *)&array, &tables[t].table[i]);
            if (read_array(&array, 512, &err) == SHMF_OK)
                fail_msg("%s = %#llx is accepted", tables[t].table[i].culprit,
                         (unsigned long long)tables[t].table[i].value);
            assert_names(&err, &tables[t].table[i]);
        }
    }
}

static void test_bits_and_bytes_that_mean_nothing_yet_are_ignored(void **state)
{
    (void)state;
    struct shmf_format_array array = good_array();
    memset(array.header.foreign, 0xAB, sizeof array.header.foreign);
    array.header.generation = 12345;
    array.header.compatible = UINT64_MAX;
    assert_int_equal(read_array(&array, 512, NULL), SHMF_OK);
}

static void test_an_array_is_not_taken_for_a_frame(void **state)
{
    (void)state;
    struct shmf_format_array array = good_array();
    struct shmf_format_frame frame;
    unsigned char segment[512] = {0};
    struct shmf_error err = {0};
    memcpy(segment, &array, sizeof array);
    assert_int_equal(shmfi_format_read_frame(segment, 512, &frame, &err), SHMF_E_INVAL);
    assert_string_equal(err.message, "the segment holds an array, not a frame");
}

static void test_strides_may_repeat_elements_or_leave_gaps(void **state)
{
    (void)state;
    struct shmf_format_array array = good_array();
    array.strides[0] = 0;
    assert_int_equal(read_array(&array, 512, NULL), SHMF_OK);
    array.strides[0] = 16;
    array.data_size = 28;
    assert_int_equal(read_array(&array, 512, NULL), SHMF_OK);
    array.shape[0] = 0; /* no element, so no stride leads anywhere */
    array.data_size = 0;
    assert_int_equal(read_array(&array, 512, NULL), SHMF_OK);
}

/* ---- layout --------------------------------------------------------------------------------- */

static void test_parts_are_aligned_and_an_overflow_sticks(void **state)
{
    (void)state;
    struct shmfi_layout layout = {.end = 128};
    assert_true(shmfi_layout_put(&layout, 1) == 128);
    assert_true(shmfi_layout_put(&layout, 0) == 192);
    assert_true(shmfi_layout_put(&layout, 64) == 192);
    assert_true(layout.end == 256);
    shmfi_layout_put(&layout, INT64_MAX);
    assert_true(layout.overflow);
    shmfi_layout_put(&layout, 1);
    assert_true(layout.overflow && layout.end == 256);
}

static void test_columns_keep_off_distances_of_whole_pages(void **state)
{
    (void)state;
    struct shmf_format_column a, b, alone;
    struct shmfi_layout layout = {.end = 4096};
    shmfi_layout_column(&layout, SHMF_FLOAT64, false, 1024, true, &a);
    shmfi_layout_column(&layout, SHMF_FLOAT64, false, 1024, true, &b);
    assert_true(b.data_offset - a.data_offset == 8192 + 64);
    layout = (struct shmfi_layout){.end = 4096};
    shmfi_layout_column(&layout, SHMF_FLOAT64, false, 1024, false, &alone);
    assert_true(layout.end == 4096 + 8192);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_array_is_accepted_in_memory_of_its_size_or_more),
        cmocka_unit_test(test_every_wrong_field_of_an_array_is_named),
        cmocka_unit_test(test_bits_and_bytes_that_mean_nothing_yet_are_ignored),
        cmocka_unit_test(test_an_array_is_not_taken_for_a_frame),
        cmocka_unit_test(test_strides_may_repeat_elements_or_leave_gaps),
        cmocka_unit_test(test_parts_are_aligned_and_an_overflow_sticks),
        cmocka_unit_test(test_columns_keep_off_distances_of_whole_pages),
    };
    return cmocka_run_group_tests_name("format", tests, NULL, NULL);
}

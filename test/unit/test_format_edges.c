/* format/: the last value that is accepted and the first that is not. Each test ends a mutant that
 * mutate_source.py found alive. */
#include "format/format.h"
#include "support/test.h"

#include <shmframe/error.h>
#include <shmframe/handle.h>

#include <string.h>

enum { SIZE = 8192, BODY = 512 };

/* One column of n rows, no labels but those of the column; zeroes elsewhere. */
static struct {
    _Alignas(64) unsigned char bytes[SIZE];
    struct shmf_format_frame *header;
    struct shmf_format_column *column;
} segment;

static void make_frame(uint32_t dtype, uint64_t n_rows)
{
    memset(&segment, 0, sizeof segment);
    segment.header = (void *)segment.bytes;
    segment.column = (void *)(segment.bytes + 4096);
    struct shmf_format_frame *h = segment.header;
    memcpy(h->header.magic, SHMF_FORMAT_MAGIC, 8);
    h->header.version = 1;
    h->header.header_size = sizeof *h;
    h->header.kind = SHMF_KIND_FRAME;
    h->header.state = SHMF_FORMAT_READY;
    h->header.total_size = SIZE;
    h->n_rows = n_rows;
    h->n_columns = 1;
    h->body_offset = BODY;
    h->body_size = 1024;
    h->columns_offset = 4096;
    h->column_size = sizeof *segment.column;
    h->range_step = 1;
    h->column_index = (struct shmf_format_index){6144, 3};
    h->column_label.dtype = SHMF_UTF8;
    h->column_label.offsets_offset = 5120;
    h->column_label.data_offset = 5184;
    segment.column->dtype = dtype;
    segment.column->data_offset = BODY;
}

/* The name of the field that is refused, or "". */
static const char *refused(void)
{
    static struct shmf_error err;
    struct shmf_format_frame header;
    struct shmf_format_column column;
    struct shmf_format_dictionary dictionaries[2];
    err = (struct shmf_error){0};
    if (shmfi_format_read_frame(segment.bytes, SIZE, &header, &err) == SHMF_OK &&
        shmfi_format_read_columns(segment.bytes, &header, &column, &err) == SHMF_OK)
        shmfi_format_read_dictionaries(segment.bytes, &header, dictionaries, &err);
    return err.message;
}

static void test_bitmaps_take_a_byte_for_eight_rows_and_one_for_the_rest(void **state)
{
    (void)state;
    const uint32_t dtypes[] = {SHMF_BOOL, SHMF_INT8, SHMF_BINARY};
    for (int i = 0; i < 3; i++)
        for (uint64_t n = 505; n <= 521; n++) {
            make_frame(dtypes[i], n);
            segment.column->validity_offset = BODY;
            segment.column->data_offset = BODY + 64;
            segment.column->data_size = dtypes[i] == SHMF_BOOL ? (n + 7) / 8 : n;
            if (dtypes[i] == SHMF_BINARY) { /* the offsets are next */
                segment.header->body_size = 4096 - BODY;
                segment.column->offsets_offset = BODY + 64;
                segment.column->data_offset = BODY + 64 + 2112;
                segment.column->data_size = 0;
            }
            assert_string_equal(refused(), n <= 512                   ? ""
                                           : dtypes[i] == SHMF_BINARY ? "column 0: offsets_offset"
                                                                      : "column 0: data_offset");
        }
}

static void test_offsets_take_one_more_than_there_are_rows(void **state)
{
    (void)state;
    const struct {
        uint32_t dtype;
        uint64_t most; /* rows, so that the offsets take 64 bytes */
    } cases[] = {{SHMF_UTF8, 15}, {SHMF_BINARY, 15}, {SHMF_LARGE_UTF8, 7}};
    for (int i = 0; i < 3; i++)
        for (uint64_t n = 0; n <= 16; n++) {
            make_frame(cases[i].dtype, n);
            segment.column->offsets_offset = BODY;
            segment.column->data_offset = BODY + 64;
            assert_string_equal(refused(), n <= cases[i].most ? "" : "column 0: data_offset");
        }
}

static void test_the_offsets_of_labels_too(void **state)
{
    (void)state;
    for (uint32_t dtype = SHMF_UTF8; dtype <= SHMF_LARGE_UTF8; dtype++)
        for (uint64_t n = 0; n <= 15; n++) {
            make_frame(SHMF_BOOL, n);
            segment.header->body_size = 192;
            segment.header->row_labels = SHMFI_ROWS_UTF8;
            segment.header->range_step = 0;
            segment.header->row_index = (struct shmf_format_index){6144, 20};
            segment.header->row_label.dtype = dtype;
            segment.header->row_label.offsets_offset = BODY + 64;
            segment.header->row_label.data_offset = BODY + 128;
            segment.column->data_size = (n + 7) / 8;
            bool fits = n <= (dtype == SHMF_UTF8 ? 15 : 7);
            assert_string_equal(refused(), fits ? "" : "frame header: row_label.data_offset");
        }
}

/* (2^61 - 1 + 1) * 8 is 0 in 64 bits. */
static void test_sizes_that_overflow_do_not_become_small(void **state)
{
    (void)state;
    make_frame(SHMF_LARGE_UTF8, (UINT64_C(1) << 61) - 1);
    segment.column->offsets_offset = BODY;
    assert_string_equal(refused(), "column 0: offsets_offset");
    make_frame(SHMF_DECIMAL128, UINT64_C(1) << 60);
    segment.column->precision = 1;
    assert_string_equal(refused(), "column 0: data_size");
    make_frame(SHMF_INT64, UINT64_C(1) << 61);
    assert_string_equal(refused(), "column 0: data_size");
}

static void test_parameters_at_their_limits_are_accepted(void **state)
{
    (void)state;
    make_frame(SHMF_FIXED_BINARY, 0);
    segment.column->width = INT32_MAX;
    assert_string_equal(refused(), "");
    segment.column->width = INT32_MAX + 1u;
    assert_string_equal(refused(), "column 0: width");
    make_frame(SHMF_DECIMAL128, 0);
    segment.column->precision = 38;
    assert_string_equal(refused(), "");
    segment.column->precision = 39;
    assert_string_equal(refused(), "column 0: precision");
}

static void test_of_bytes_that_reach_out_the_size_is_named_where_the_place_is_right(void **state)
{
    (void)state;
    make_frame(SHMF_UTF8, 0);
    segment.column->offsets_offset = BODY;
    segment.column->data_offset = BODY + 1024;
    assert_string_equal(refused(), "");
    segment.column->data_size = 1;
    assert_string_equal(refused(), "column 0: data_size");
    segment.column->data_offset += 64;
    assert_string_equal(refused(), "column 0: data_offset");
}

static void test_numbers_up_to_the_largest_int64_are_taken_for_what_they_are(void **state)
{
    (void)state;
    make_frame(SHMF_INT8, 0);
    segment.header->n_columns = INT64_MAX;
    assert_string_equal(refused(), "frame header: columns_offset");
    segment.header->n_columns = 1;
    segment.header->range_start = INT64_MIN;
    segment.header->n_rows = 1;
    segment.column->data_size = 1;
    assert_string_equal(refused(), "");
    assert_false(shmfi_format_range_fits(0, 0, UINT64_MAX));
    assert_true(shmfi_format_range_fits(INT64_MIN, 1, 1));
    assert_true(shmfi_format_range_fits(INT64_MAX, -1, 1));
}

static void test_a_matrix_may_be_as_dense_as_its_columns_are_long(void **state)
{
    (void)state;
    make_frame(SHMF_INT8, 64);
    segment.column->data_size = 64;
    segment.header->matrix_dtype = SHMF_INT8;
    segment.header->matrix_stride = 64;
    assert_string_equal(refused(), "");
    segment.header->matrix_stride = 0;
    assert_non_null(strstr(refused(), "matrix_stride"));
}

static struct shmf_format_dictionary *make_dictionaries(void)
{
    make_frame(SHMF_DICTIONARY, 0);
    segment.header->body_offset = BODY + 512;
    segment.header->body_size = 64;
    segment.header->n_dictionaries = 2;
    segment.header->dictionaries_offset = 7168;
    segment.header->dictionary_size = sizeof(struct shmf_format_dictionary);
    segment.column->index_dtype = SHMF_INT8;
    segment.column->dictionary = 2;
    segment.column->data_offset = BODY + 512;
    struct shmf_format_dictionary *dictionaries = (void *)(segment.bytes + 7168);
    for (int d = 0; d < 2; d++) {
        uint64_t at = BODY + (uint64_t)d * 128;
        dictionaries[d].values.dtype = SHMF_LARGE_UTF8;
        dictionaries[d].values.offsets_offset = at;
        dictionaries[d].values.data_offset = at + 64;
        dictionaries[d].span_offset = at;
        dictionaries[d].span_size = 128;
    }
    return dictionaries;
}

static void test_every_dictionary_is_looked_at(void **state)
{
    (void)state;
    struct shmf_format_dictionary *dictionaries = make_dictionaries();
    assert_string_equal(refused(), "");
    dictionaries[1].span_offset = BODY;
    assert_string_equal(refused(), "dictionary 1: span_offset");
    dictionaries = make_dictionaries();
    dictionaries[1].n_values = (UINT64_C(1) << 61) - 1;
    assert_string_equal(refused(), "dictionary 1: values.offsets_offset");
    dictionaries[1].n_values = INT64_MAX;
    assert_string_equal(refused(), "dictionary 1: values.offsets_offset");
    dictionaries[1].n_values = 7;
    assert_string_equal(refused(), "");
    dictionaries[1].n_values = 8;
    assert_string_equal(refused(), "dictionary 1: values.data_offset");
}

/* ---- arrays and other kinds ------------------------------------------------------------------ */

static int read_array(struct shmf_format_array *from, uint64_t size, struct shmf_error *err)
{
    struct shmf_format_array header;
    return shmfi_format_read_array(from, size, &header, err);
}

static struct shmf_format_array small_array(void)
{
    struct shmf_format_array h = {
        .header = {.version = 1,
                   .header_size = sizeof h,
                   .kind = SHMF_KIND_ARRAY,
                   .state = SHMF_FORMAT_READY,
                   .total_size = sizeof h},
        .dtype = SHMF_INT8,
        .n_dims = 1,
        .data_offset = sizeof h,
    };
    memcpy(h.header.magic, SHMF_FORMAT_MAGIC, 8);
    return h;
}

static void test_a_segment_may_be_nothing_but_its_header(void **state)
{
    (void)state;
    struct shmf_format_array h = small_array();
    struct shmf_error err;
    assert_int_equal(read_array(&h, sizeof h, NULL), SHMF_OK);
    assert_int_equal(read_array(&h, sizeof h - 1, &err), SHMF_E_CORRUPT);
    assert_string_equal(err.message, "a segment of 383 bytes holds no array");
    make_frame(SHMF_INT8, 0);
    struct shmf_format_frame header;
    assert_int_equal(shmfi_format_read_frame(segment.bytes, 511, &header, &err), SHMF_E_CORRUPT);
    assert_string_equal(err.message, "a segment of 511 bytes holds no frame");
}

static void test_an_array_may_have_as_many_elements_as_an_int64_counts(void **state)
{
    (void)state;
    struct {
        struct shmf_format_array h;
        unsigned char element[64];
    } s = {.h = small_array()};
    s.h.header.total_size = sizeof s;
    s.h.data_size = 1;
    s.h.shape[0] = INT64_MAX;
    assert_int_equal(read_array(&s.h, sizeof s, NULL), SHMF_OK);
    s.h.n_dims = 2;
    s.h.shape[0] = INT64_MAX / 2 + 1;
    s.h.shape[1] = 2;
    assert_int_equal(read_array(&s.h, sizeof s, NULL), SHMF_E_CORRUPT);
}

static void test_what_a_segment_holds_instead_is_said(void **state)
{
    (void)state;
    struct shmf_format_array h = small_array();
    struct shmf_error err;
    h.header.kind = SHMF_KIND_FRAME;
    assert_int_equal(read_array(&h, sizeof h, &err), SHMF_E_INVAL);
    assert_string_equal(err.message, "the segment holds a frame, not an array");
    h.header.kind = SHMF_KIND_BYTES;
    assert_int_equal(read_array(&h, sizeof h, &err), SHMF_E_INVAL);
    assert_string_equal(err.message, "the segment holds bytes, not an array");
    h.header.kind = SHMF_KIND_BYTES + 1;
    assert_int_equal(read_array(&h, sizeof h, &err), SHMF_E_CORRUPT);
}

/* ---- metadata -------------------------------------------------------------------------------- */

static void test_metadata_end_where_their_size_says(void **state)
{
    (void)state;
    const int32_t one_pair[] = {1, 0, 0, 0}, no_pairs[] = {0, 0, 0};
    struct shmfi_metadata metadata;
    struct shmfi_piece key, value;
    for (uint64_t size = 1; size < 12; size++)
        assert_false(shmfi_metadata_begin(&metadata, one_pair, size));
    assert_true(shmfi_metadata_begin(&metadata, one_pair, 12));
    assert_true(shmfi_metadata_next(&metadata, &key, &value));
    assert_false(shmfi_metadata_next(&metadata, &key, &value));
    for (uint64_t size = 4; size <= sizeof no_pairs; size += 4) {
        assert_true(shmfi_metadata_begin(&metadata, no_pairs, size));
        assert_false(shmfi_metadata_next(&metadata, &key, &value));
    }
    assert_true(shmfi_metadata_begin(&metadata, NULL, 0));
    assert_false(shmfi_metadata_next(&metadata, &key, &value));
    const int32_t short_key[] = {1, 5, 0};
    assert_true(shmfi_metadata_begin(&metadata, short_key, sizeof short_key));
    assert_false(shmfi_metadata_next(&metadata, &key, &value));
    assert_int_equal(metadata.pairs, 0);
}

/* ---- laying out ------------------------------------------------------------------------------ */

static void test_layouts_that_overflow_say_so(void **state)
{
    (void)state;
    struct shmf_format_column column;
    struct shmf_format_index index;
    struct shmfi_layout layout = {.end = INT64_MAX - 100};
    shmfi_layout_put(&layout, 200);
    assert_true(layout.overflow);
    layout = (struct shmfi_layout){.end = 64};
    shmfi_layout_put(&layout, UINT64_MAX - 70);
    assert_true(layout.overflow);
    layout = (struct shmfi_layout){.end = 64};
    shmfi_layout_put(&layout, UINT64_MAX - 30);
    assert_true(layout.overflow);
    const uint64_t many[] = {UINT64_MAX, UINT64_MAX / 4, UINT64_MAX / 8};
    for (int i = 0; i < 3; i++) {
        layout = (struct shmfi_layout){.end = 64};
        shmfi_layout_index(&layout, many[i], false, &index);
        assert_true(layout.overflow);
        layout = (struct shmfi_layout){.end = 64};
        shmfi_layout_index(&layout, many[i], true, &index);
        assert_true(layout.overflow);
        layout = (struct shmfi_layout){.end = 64};
        shmfi_layout_strings(&layout, many[i], UINT32_MAX, &column);
        assert_true(layout.overflow);
        layout = (struct shmfi_layout){.end = 64};
        shmfi_layout_column(&layout, SHMF_COMPLEX128, false, many[i], true, &column);
        assert_true(layout.overflow);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bitmaps_take_a_byte_for_eight_rows_and_one_for_the_rest),
        cmocka_unit_test(test_offsets_take_one_more_than_there_are_rows),
        cmocka_unit_test(test_the_offsets_of_labels_too),
        cmocka_unit_test(test_sizes_that_overflow_do_not_become_small),
        cmocka_unit_test(test_parameters_at_their_limits_are_accepted),
        cmocka_unit_test(test_of_bytes_that_reach_out_the_size_is_named_where_the_place_is_right),
        cmocka_unit_test(test_numbers_up_to_the_largest_int64_are_taken_for_what_they_are),
        cmocka_unit_test(test_a_matrix_may_be_as_dense_as_its_columns_are_long),
        cmocka_unit_test(test_every_dictionary_is_looked_at),
        cmocka_unit_test(test_a_segment_may_be_nothing_but_its_header),
        cmocka_unit_test(test_an_array_may_have_as_many_elements_as_an_int64_counts),
        cmocka_unit_test(test_what_a_segment_holds_instead_is_said),
        cmocka_unit_test(test_metadata_end_where_their_size_says),
        cmocka_unit_test(test_layouts_that_overflow_say_so),
    };
    return cmocka_run_group_tests_name("format edges", tests, NULL, NULL);
}

/* format/: frames on plain memory, good ones accepted and bad ones refused by field. */
#include "format/format.h"
#include "support/test.h"
#include "unit/wrong.h"

#include <shmframe/dtype.h>
#include <shmframe/error.h>
#include <shmframe/handle.h>

#include <stdlib.h>
#include <string.h>

/* ---- frames: 3 rows with text labels, columns int64 and float32 with validity ---------------- */

struct frame_sample {
    unsigned char *base;
    size_t size;
    struct shmf_format_frame *header; /* in the segment */
    struct shmf_format_column *columns;
};

static struct frame_sample good_frame_of(uint32_t row_labels, bool tagged)
{
    struct shmf_format_frame h = {
        .header = {.version = 1,
                   .header_size = sizeof h,
                   .kind = SHMF_KIND_FRAME,
                   .state = SHMF_FORMAT_READY,
                   .incompatible = tagged ? SHMF_FORMAT_TAGGED_ROWS : 0},
        .n_rows = 3,
        .n_columns = 2,
        .body_offset = 512,
        .column_size = sizeof(struct shmf_format_column),
        .row_labels = row_labels,
        .range_step = row_labels == SHMFI_ROWS_RANGE,
    };
    struct shmf_format_column columns[2];
    struct shmfi_layout layout = {.end = 512};
    memcpy(h.header.magic, SHMF_FORMAT_MAGIC, 8);
    shmfi_layout_column(&layout, SHMF_INT64, false, 3, true, &columns[0]);
    shmfi_layout_column(&layout, SHMF_FLOAT32, true, 3, true, &columns[1]);
    columns[1].null_count = 1;
    if (row_labels == SHMFI_ROWS_UTF8)
        shmfi_layout_strings(&layout, 3, 6, &h.row_label);
    else if (row_labels == SHMFI_ROWS_INT64)
        shmfi_layout_column(&layout, SHMF_INT64, false, 3, false, &h.row_label);
    h.body_size = layout.end - h.body_offset;
    h.columns_offset = shmfi_layout_put(&layout, sizeof columns);
    shmfi_layout_strings(&layout, 2, 2, &h.column_label);
    shmfi_layout_index(&layout, 2, false, &h.column_index);
    if (row_labels != SHMFI_ROWS_RANGE)
        shmfi_layout_index(&layout, 3, tagged, &h.row_index);
    assert_false(layout.overflow);
    h.header.total_size = layout.end;
    struct frame_sample sample = {.size = layout.end, .base = calloc(1, layout.end)};
    assert_non_null(sample.base);
    memcpy(sample.base, &h, sizeof h);
    memcpy(sample.base + h.columns_offset, columns, sizeof columns);
    sample.header = (void *)sample.base;
    sample.columns = (void *)(sample.base + h.columns_offset);
    return sample;
}

static struct frame_sample good_frame(uint32_t row_labels)
{
    return good_frame_of(row_labels, false);
}

static int read_frame(const struct frame_sample *sample, struct shmf_error *err)
{
    struct shmf_format_frame header;
    struct shmf_format_column columns[2];
    int rc = shmfi_format_read_frame(sample->base, sample->size, &header, err);
    return rc ? rc : shmfi_format_read_columns(sample->base, &header, columns, err);
}

static void test_good_frames_are_accepted(void **state)
{
    (void)state;
    for (uint32_t labels = SHMFI_ROWS_RANGE; labels <= SHMFI_ROWS_UTF8; labels++) {
        for (int tagged = 0; tagged <= 1; tagged++) {
            struct frame_sample sample = good_frame_of(labels, tagged);
            assert_int_equal(read_frame(&sample, NULL), SHMF_OK);
            free(sample.base);
        }
    }
}

static const struct wrong wrong_frames[] = {
    WRONG(shmf_format_frame, n_rows, 1ull << 63, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, n_columns, 1ull << 63, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, body_offset, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, body_offset, 513, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, body_size, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, body_size, UINT64_MAX - 63, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, columns_offset, 4, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, columns_offset, UINT64_MAX - 7, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, column_size, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, column_size, 88, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, column_size, 100, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_labels, 3, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, range_start, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, range_step, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, matrix_dtype, SHMF_BOOL, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, matrix_dtype, SHMF_INT64, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, matrix_stride, 64, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.capacity, 3, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.capacity, 1ull << 60, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.offset, 4, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, column_index.capacity, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, column_index.offset, UINT64_MAX - 7, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_label.dtype, SHMF_INT64, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_label.null_count, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_label.validity_offset, 512, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_label.offsets_offset, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_label.data_offset, 1 << 20, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_label.zone_size, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, column_label.dtype, SHMF_BINARY, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, column_label.offsets_offset, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, column_label.reserved, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, dictionaries_offset, 8, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, dictionary_size, 128, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, metadata_offset, 8, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, metadata_offset, UINT64_MAX, SHMF_E_CORRUPT),
    ELEMENT(shmf_format_frame, reserved, 0, 1, SHMF_E_CORRUPT),
    ELEMENT(shmf_format_frame, reserved, 11, 1ull << 63, SHMF_E_CORRUPT),
};

/* With SHMF_FORMAT_TAGGED_ROWS. */
static const struct wrong wrong_tagged[] = {
    WRONG(shmf_format_frame, row_index.capacity, 3, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.capacity, 7, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.capacity, 9, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.capacity, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.capacity, 16, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.capacity, 1ull << 60, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.capacity, UINT64_MAX - 7, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.offset, 8, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.offset, 32, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, row_index.offset, UINT64_MAX - 63, SHMF_E_CORRUPT),
    WRONG(shmf_format_frame, header.incompatible, 3, SHMF_E_VERSION),
    WRONG(shmf_format_frame, header.incompatible, 2, SHMF_E_VERSION),
};

static const struct wrong wrong_columns[] = {
    /* of the second, a float32 with validity */
    WRONG(shmf_format_column, dtype, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, dtype, 27, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, dtype, UINT32_MAX, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, flags, 2, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, null_count, 4, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, validity_offset, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, validity_offset, 512, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, validity_offset, UINT64_MAX - 63, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, offsets_offset, 64, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, data_offset, 0, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, data_offset, 576, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, data_offset, UINT64_MAX - 63, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, data_size, 11, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, data_size, 13, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, dictionary, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, width, 4, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, index_dtype, 2, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, unit, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, precision, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, scale, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, zone_offset, 512, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, zone_size, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, metadata_offset, 8, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, metadata_offset, UINT64_MAX, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, metadata_size, 1, SHMF_E_CORRUPT),
    WRONG(shmf_format_column, reserved, 1, SHMF_E_CORRUPT),
};

/* "row_label.dtype" may be named as "row_index" or by its last part. */
static void assert_refused(const struct frame_sample *sample, const struct wrong *wrong)
{
    struct shmf_error err = {0};
    struct wrong named = *wrong;
    if (read_frame(sample, &err) == SHMF_OK)
        fail_msg("%s = %#llx is accepted", wrong->culprit, (unsigned long long)wrong->value);
    char *dot = strchr(wrong->culprit, '.');
    char index[32] = "";
    if (dot && strstr(wrong->culprit, "index.")) {
        memcpy(index, wrong->culprit, (size_t)(dot - wrong->culprit));
        named.culprit = index;
    }
    assert_names(&err, &named);
}

static void test_every_wrong_field_of_a_frame_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_frames / sizeof wrong_frames[0]; i++) {
        struct frame_sample sample = good_frame(SHMFI_ROWS_UTF8);
        put_wrong(sample.base, &wrong_frames[i]);
        assert_refused(&sample, &wrong_frames[i]);
        free(sample.base);
    }
    for (size_t i = 0; i < sizeof wrong_tagged / sizeof wrong_tagged[0]; i++) {
        struct frame_sample sample = good_frame_of(SHMFI_ROWS_UTF8, true);
        struct wrong wrong = wrong_tagged[i];
        if (strchr(wrong.culprit, '.') && wrong.code == SHMF_E_VERSION)
            wrong.culprit = "incompatible";
        put_wrong(sample.base, &wrong);
        assert_refused(&sample, &wrong);
        free(sample.base);
    }
}

static void test_every_wrong_field_of_a_column_is_named_with_the_column(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_columns / sizeof wrong_columns[0]; i++) {
        struct frame_sample sample = good_frame(SHMFI_ROWS_UTF8);
        struct shmf_error err = {0};
        put_wrong((unsigned char *)&sample.columns[1], &wrong_columns[i]);
        assert_refused(&sample, &wrong_columns[i]);
        read_frame(&sample, &err);
        assert_non_null(strstr(err.message, "column 1: "));
        free(sample.base);
    }
}

static void test_nulls_need_a_bitmap(void **state)
{
    (void)state;
    struct frame_sample sample = good_frame(SHMFI_ROWS_RANGE);
    struct shmf_error err = {0};
    sample.columns[0].null_count = 1;
    assert_int_equal(read_frame(&sample, &err), SHMF_E_CORRUPT);
    assert_string_equal(err.message, "column 0: null_count");
    sample.columns[0].null_count = 0;
    sample.columns[1].null_count = 0; /* a bitmap without a null is fine */
    assert_int_equal(read_frame(&sample, NULL), SHMF_OK);
    free(sample.base);
}

static void test_row_labels_must_lie_behind_the_columns(void **state)
{
    (void)state;
    struct frame_sample sample = good_frame(SHMFI_ROWS_INT64);
    struct shmf_error err = {0};
    sample.header->row_label.data_offset = sample.columns[1].data_offset;
    assert_int_equal(read_frame(&sample, &err), SHMF_E_CORRUPT);
    assert_non_null(strstr(err.message, "row labels"));
    free(sample.base);
}

static void test_a_range_must_have_a_step_and_end_in_an_int64(void **state)
{
    (void)state;
    struct frame_sample sample = good_frame(SHMFI_ROWS_RANGE);
    struct shmf_error err = {0};
    sample.header->range_step = 0;
    assert_int_equal(read_frame(&sample, &err), SHMF_E_CORRUPT);
    assert_non_null(strstr(err.message, "range_step"));
    sample.header->range_step = 1;
    sample.header->range_start = INT64_MAX - 1;
    assert_int_equal(read_frame(&sample, &err), SHMF_E_CORRUPT);
    assert_non_null(strstr(err.message, "range_start"));
    sample.header->range_start = INT64_MAX - 2;
    assert_int_equal(read_frame(&sample, NULL), SHMF_OK);
    sample.header->row_index.capacity = 4;
    assert_int_equal(read_frame(&sample, &err), SHMF_E_CORRUPT);
    assert_non_null(strstr(err.message, "row_index"));
    free(sample.base);
}

static void test_a_later_writer_may_use_larger_structs(void **state)
{
    (void)state;
    struct frame_sample sample = good_frame(SHMFI_ROWS_RANGE);
    size_t size = sample.size + 2 * 104;
    unsigned char *base = calloc(1, size);
    assert_non_null(base);
    memcpy(base, sample.base, sample.size);
    memcpy(base + sample.size, &sample.columns[0], 96);
    memcpy(base + sample.size + 104, &sample.columns[1], 96);
    memset(base + sample.size + 96, 0xEE, 8);
    struct shmf_format_frame *header = (void *)base;
    header->columns_offset = sample.size;
    header->column_size = 104;
    header->header.total_size = size;
    struct frame_sample later = {.base = base, .size = size};
    assert_int_equal(read_frame(&later, NULL), SHMF_OK);
    header->header.header_size = 576;
    header->body_offset = 512;
    assert_int_equal(read_frame(&later, NULL), SHMF_E_CORRUPT);
    free(base);
    free(sample.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_frames_are_accepted),
        cmocka_unit_test(test_every_wrong_field_of_a_frame_is_named),
        cmocka_unit_test(test_every_wrong_field_of_a_column_is_named_with_the_column),
        cmocka_unit_test(test_nulls_need_a_bitmap),
        cmocka_unit_test(test_row_labels_must_lie_behind_the_columns),
        cmocka_unit_test(test_a_range_must_have_a_step_and_end_in_an_int64),
        cmocka_unit_test(test_a_later_writer_may_use_larger_structs),
    };
    return cmocka_run_group_tests_name("format frame", tests, NULL, NULL);
}

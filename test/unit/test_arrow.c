/* arrow/: frames exported by the C Data interface: nothing is copied, and memory lives as long as
 * somebody holds a piece of it. */
#include "unit/every_frame.h"

#include <shmframe/arrow.h>
#include <shmframe/derive.h>
#include <shmframe/memory.h>

static const int64_t n_buffers[EVERY_N + 1] = {[SHMF_COMPLEX64] = 1,
                                               [SHMF_COMPLEX128] = 1,
                                               [SHMF_UTF8] = 3,
                                               [SHMF_LARGE_UTF8] = 3,
                                               [SHMF_BINARY] = 3};

static uint64_t used_bytes(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.used_bytes;
}

/* Where element 0 of a column of fixed width is, for a consumer. */
static const unsigned char *element(const struct ArrowArray *array, size_t width)
{
    return (const unsigned char *)array->buffers[1] + (size_t)array->offset * width;
}

static void check_exported(const struct shmf_frame *frame, const struct ArrowArray *batch)
{
    assert_int_equal(batch->length, shmf_frame_rows(frame));
    assert_int_equal(batch->offset, 0);
    for (int64_t c = 0; c < EVERY_N; c++) {
        const struct ArrowArray *array = batch->children[c];
        enum shmf_dtype dtype = (enum shmf_dtype)(c + 1);
        struct shmf_column column;
        assert_int_equal(shmf_frame_column(frame, c, &column), SHMF_OK);
        assert_int_equal(array->length, column.n_rows);
        assert_int_equal(array->null_count, column.null_count);
        assert_int_equal(array->n_buffers, n_buffers[dtype] ? n_buffers[dtype] : 2);
        assert_ptr_equal(array->buffers[0], column.validity);
        assert_true(array->offset == 0 || array->offset == column.bit_offset);
        size_t width = dtype == SHMF_FIXED_BINARY ? 3
                       : dtype == SHMF_DICTIONARY ? sizeof(int16_t)
                                                  : shmf_dtype_size(dtype);
        if (column.offsets) {
            assert_ptr_equal(element(array, dtype == SHMF_LARGE_UTF8 ? 8 : 4), column.offsets);
            assert_ptr_equal(array->buffers[2], column.data);
        } else if (dtype == SHMF_COMPLEX64 || dtype == SHMF_COMPLEX128) {
            const struct ArrowArray *parts = array->children[0];
            assert_int_equal(parts->length, 2 * (array->offset + array->length));
            assert_ptr_equal((const char *)parts->buffers[1] + (size_t)array->offset * width,
                             column.data);
        } else if (dtype == SHMF_BOOL) {
            assert_ptr_equal(array->buffers[1], column.data);
            assert_int_equal(array->offset, column.bit_offset);
        } else {
            assert_ptr_equal(element(array, width), column.data);
        }
    }
    const struct ArrowArray *values = batch->children[SHMF_DICTIONARY - 1]->dictionary;
    assert_int_equal(values->length, 4);
    assert_ptr_equal(values->buffers[2], shmf_frame_category(frame, SHMF_DICTIONARY - 1, 0).data);
}

static void test_the_buffers_of_an_export_are_those_of_the_frame(void **state)
{
    (void)state;
    const int64_t cuts[][2] = {{0, 1000}, {0, 0}, {1, 999}, {8, 1}, {13, 700}, {999, 1}, {1000, 0}};
    for (unsigned nulls = 0; nulls < 4; nulls += 3) {
        struct shmf_frame *frame = every_frame(1000, nulls, SHMF_ROWS_RANGE);
        for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
            struct ArrowArray batch;
            struct shmf_frame *slice = shmf_frame_slice(frame, cuts[i][0], cuts[i][1], NULL);
            assert_int_equal(
                shmf_arrow_export_rows(frame, cuts[i][0], cuts[i][1], NULL, &batch, NULL), SHMF_OK);
            check_exported(slice, &batch);
            batch.release(&batch);
            assert_null(batch.release);
            assert_int_equal(shmf_arrow_export(slice, NULL, &batch, NULL), SHMF_OK);
            check_exported(slice, &batch);
            batch.release(&batch);
            shmf_frame_free(slice);
        }
        shmf_frame_free(frame);
    }
}

static void test_a_selection_exports_the_columns_it_has(void **state)
{
    (void)state;
    struct shmf_frame *frame = every_frame(20, 3, SHMF_ROWS_RANGE);
    const int64_t positions[] = {SHMF_UTF8 - 1, SHMF_FLOAT64 - 1, SHMF_UTF8 - 1};
    struct shmf_frame *selection = shmf_frame_select(frame, positions, 3, NULL);
    struct ArrowSchema schema;
    struct ArrowArray batch;
    assert_int_equal(shmf_arrow_export_schema(selection, NULL, &schema, NULL), SHMF_OK);
    assert_int_equal(shmf_arrow_export(selection, NULL, &batch, NULL), SHMF_OK);
    assert_int_equal(batch.n_children, 3);
    assert_int_equal(schema.n_children, 3);
    for (int c = 0; c < 3; c++) {
        struct shmf_column column;
        assert_int_equal(shmf_frame_column(frame, positions[c], &column), SHMF_OK);
        assert_string_equal(schema.children[c]->name, c == 1 ? "float64" : "utf8");
        assert_ptr_equal(batch.children[c]->buffers[0], column.validity);
        assert_ptr_equal(batch.children[c]->buffers[c == 1 ? 1 : 2], column.data);
    }
    schema.release(&schema);
    batch.release(&batch);
    shmf_frame_free(selection);
    shmf_frame_free(frame);
}

static void test_the_schema_says_types_names_and_metadata(void **state)
{
    (void)state;
    static const char *const formats[EVERY_N] = {
        "b",   "c",      "s", "i",   "l",    "C",    "S",   "I",
        "L",   "e",      "f", "g",   "+w:2", "+w:2", "u",   "U",
        "z",   "w:3",    "s", "tdD", "tdm",  "ttm",  "ttn", "tsu:Europe/Berlin",
        "tDs", "d:38,-2"};
    static const char metadata[] = "\2\0\0\0\4\0\0\0unit\3\0\0\0m/s"
                                   "\11\0\0\0long name\10\0\0\0wind \xE2\x86\x92";
    struct shmf_frame *frame = every_frame(3, 0, SHMF_ROWS_UTF8);
    struct ArrowSchema schema;
    assert_int_equal(
        shmf_arrow_export_schema(frame, &(struct shmf_arrow_export_options){.row_labels = "label"},
                                 &schema, NULL),
        SHMF_OK);
    shmf_frame_free(frame);
    assert_string_equal(schema.format, "+s");
    assert_int_equal(schema.n_children, EVERY_N + 1);
    assert_memory_equal(schema.metadata, metadata, sizeof metadata - 1);
    for (int c = 0; c < EVERY_N; c++) {
        const struct ArrowSchema *field = schema.children[c];
        assert_string_equal(field->format, formats[c]);
        assert_string_equal(field->name, shmf_dtype_name((enum shmf_dtype)(c + 1)));
        assert_int_equal(field->flags & ARROW_FLAG_NULLABLE, ARROW_FLAG_NULLABLE);
        assert_int_equal((field->flags & ARROW_FLAG_DICTIONARY_ORDERED) != 0,
                         c == SHMF_DICTIONARY - 1);
        assert_int_equal(field->dictionary != NULL, c == SHMF_DICTIONARY - 1);
    }
    assert_string_equal(schema.children[SHMF_DICTIONARY - 1]->dictionary->format, "u");
    assert_string_equal(schema.children[SHMF_COMPLEX128 - 1]->children[0]->format, "g");
    assert_string_equal(schema.children[EVERY_N]->name, "label");
    assert_string_equal(schema.children[EVERY_N]->format, "u");
    /* a child moved out lives on */
    struct ArrowSchema moved = *schema.children[SHMF_DICTIONARY - 1];
    schema.children[SHMF_DICTIONARY - 1]->release = NULL;
    schema.release(&schema);
    assert_null(schema.release);
    assert_string_equal(moved.name, "dictionary");
    assert_string_equal(moved.dictionary->format, "u");
    moved.release(&moved);
}

static void test_memory_lives_until_the_last_piece_is_released_in_any_order(void **state)
{
    (void)state;
    uint64_t before = used_bytes();
    for (int round = 0; round < 50; round++) {
        struct shmf_frame *frame = every_frame(100, 2, SHMF_ROWS_INT64);
        uint64_t with = used_bytes();
        struct ArrowArray batch, moved[EVERY_N + 1];
        const struct shmf_arrow_export_options options = {.row_labels = "row"};
        assert_int_equal(shmf_arrow_export(frame, &options, &batch, NULL), SHMF_OK);
        shmf_frame_free(frame);
        int order[EVERY_N + 1], n = 0;
        for (int c = 0; c <= EVERY_N; c++) {
            if (every_random(3) == 0)
                continue;
            moved[n] = *batch.children[c];
            batch.children[c]->release = NULL;
            order[n] = n;
            n++;
        }
        assert_int_equal(used_bytes(), with);
        batch.release(&batch);
        for (int i = 0; i < n; i++) {
            int j = i + (int)every_random((uint64_t)(n - i)), next = order[j];
            order[j] = order[i];
            assert_int_equal(used_bytes(), with);
            moved[next].release(&moved[next]);
            assert_null(moved[next].release);
        }
        assert_int_equal(used_bytes(), before);
    }
}

static void test_a_dictionary_moved_out_of_its_array_lives_on(void **state)
{
    (void)state;
    uint64_t before = used_bytes();
    struct shmf_frame *frame = every_frame(5, 0, SHMF_ROWS_RANGE);
    struct ArrowArray batch, values;
    assert_int_equal(shmf_arrow_export(frame, NULL, &batch, NULL), SHMF_OK);
    values = *batch.children[SHMF_DICTIONARY - 1]->dictionary;
    batch.children[SHMF_DICTIONARY - 1]->dictionary->release = NULL;
    batch.release(&batch);
    shmf_frame_free(frame);
    assert_true(used_bytes() > before);
    assert_memory_equal(values.buffers[2], "redgr\xC3\xBCn", 8);
    values.release(&values);
    assert_int_equal(used_bytes(), before);
}

static void test_batches_of_a_stream_outlive_it_and_bitmaps_stay_aligned(void **state)
{
    (void)state;
    uint64_t before = used_bytes();
    struct shmf_frame *frame = every_frame(2000, 3, SHMF_ROWS_UTF8);
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray batches[4], end;
    const struct shmf_arrow_export_options options = {.row_labels = "row", .batch_rows = 512};
    assert_int_equal(shmf_arrow_export_stream(frame, &options, &stream, NULL), SHMF_OK);
    assert_int_equal(stream.get_schema(&stream, &schema), 0);
    for (int b = 0; b < 4; b++) {
        struct shmf_frame *slice = shmf_frame_slice(frame, 512 * b, b < 3 ? 512 : 464, NULL);
        assert_int_equal(stream.get_next(&stream, &batches[b]), 0);
        check_exported(slice, &batches[b]);
        for (int64_t c = 0; c < EVERY_N; c++) {
            assert_int_equal(batches[b].children[c]->offset, 0);
            assert_int_equal((uintptr_t)batches[b].children[c]->buffers[0] % 64, 0);
        }
        shmf_frame_free(slice);
    }
    shmf_frame_free(frame);
    assert_int_equal(stream.get_next(&stream, &end), 0);
    assert_null(end.release);
    assert_null(stream.get_last_error(&stream));
    stream.release(&stream);
    assert_null(stream.release);
    schema.release(&schema);
    for (int b = 0; b < 4; b++) {
        assert_true(used_bytes() > before);
        batches[b].release(&batches[b]);
    }
    assert_int_equal(used_bytes(), before);
}

static void test_a_frame_without_rows_is_a_stream_of_one_batch(void **state)
{
    (void)state;
    struct shmf_frame *frame = every_frame(0, 0, SHMF_ROWS_RANGE);
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    assert_int_equal(shmf_arrow_export_stream(frame, NULL, &stream, NULL), SHMF_OK);
    assert_int_equal(stream.get_next(&stream, &batch), 0);
    assert_non_null(batch.release);
    check_exported(frame, &batch);
    batch.release(&batch);
    assert_int_equal(stream.get_next(&stream, &batch), 0);
    assert_null(batch.release);
    stream.release(&stream);
    shmf_frame_free(frame);
}

static void test_what_cannot_be_exported_is_refused(void **state)
{
    (void)state;
    struct shmf_frame *frame = every_frame(3, 0, SHMF_ROWS_RANGE);
    struct ArrowArray batch = {.length = 77};
    struct ArrowSchema schema;
    struct ArrowArrayStream stream;
    struct shmf_error err = {0};
    assert_int_equal(shmf_arrow_export(NULL, NULL, &batch, &err), SHMF_E_INVAL);
    assert_string_equal(err.message, "frame: NULL");
    assert_int_equal(shmf_arrow_export(frame, NULL, NULL, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_arrow_export_rows(frame, 1, 3, NULL, &batch, &err), SHMF_E_RANGE);
    assert_int_equal(shmf_arrow_export_schema(NULL, NULL, &schema, NULL), SHMF_E_INVAL);
    struct shmf_arrow_export_options options = {.batch_rows = -1};
    assert_int_equal(shmf_arrow_export_stream(frame, &options, &stream, &err), SHMF_E_INVAL);
    assert_string_equal(err.message, "options.batch_rows: -1");
    options = (struct shmf_arrow_export_options){.reserved = {0, 0, 1}};
    assert_int_equal(shmf_arrow_export(frame, &options, &batch, &err), SHMF_E_INVAL);
    assert_string_equal(err.message, "options.reserved[2]: not zero");
    struct shmf_frame *building = shmf_frame_new(&(struct shmf_frame_spec){.n_rows = 3}, NULL);
    assert_int_equal(shmf_arrow_export(building, NULL, &batch, &err), SHMF_E_ACCESS);
    assert_int_equal(shmf_arrow_export_stream(building, NULL, &stream, &err), SHMF_E_ACCESS);
    assert_int_equal(batch.length, 77);
    shmf_frame_free(building);
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_buffers_of_an_export_are_those_of_the_frame),
        cmocka_unit_test(test_a_selection_exports_the_columns_it_has),
        cmocka_unit_test(test_the_schema_says_types_names_and_metadata),
        cmocka_unit_test(test_memory_lives_until_the_last_piece_is_released_in_any_order),
        cmocka_unit_test(test_a_dictionary_moved_out_of_its_array_lives_on),
        cmocka_unit_test(test_batches_of_a_stream_outlive_it_and_bitmaps_stay_aligned),
        cmocka_unit_test(test_a_frame_without_rows_is_a_stream_of_one_batch),
        cmocka_unit_test(test_what_cannot_be_exported_is_refused),
    };
    return cmocka_run_group_tests_name("arrow", tests, NULL, NULL);
}

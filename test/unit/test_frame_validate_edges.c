/* frame/: what full validation must not miss, one case for each mutant that had survived. */
#include "base/sys.h"
#include "frame/frame_internal.h"
#include "memory/memory.h"
#include "support/test.h"
#include "unit/typed_frame.h"

#include <shmframe/derive.h>

#include <stdlib.h>

/* Rows "b", "a", "b", "c"; the caller frees it. */
static unsigned char *labelled_copy(size_t *size)
{
    static const char *const rows[] = {"b", "a", "b", "c"};
    const struct shmf_frame_spec spec = {.n_rows = 4, .row_labels = rows};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, NULL, NULL, NULL);
    assert_non_null(frame);
    const struct shmf_format_frame *header = (void *)shmfi_frame_segment(frame)->base;
    unsigned char *copy = aligned_alloc(64, header->header.total_size);
    assert_non_null(copy);
    *size = header->header.total_size;
    memcpy(copy, header, *size);
    shmf_frame_free(frame);
    return copy;
}

static int validate(unsigned char *bytes, size_t size, struct shmf_error *err)
{
    struct shmf_frame *frame;
    assert_int_equal(shmfi_frame_from_memory(bytes, size, false, &frame, NULL), SHMF_OK);
    int rc = shmf_frame_validate(frame, SHMF_VALIDATE_FULL, err);
    shmf_frame_free(frame);
    return rc;
}

static void test_slices_that_begin_inside_a_byte_of_bits_are_whole(void **state)
{
    (void)state;
    struct shmf_frame *frame = typed_frame(NULL);
    assert_non_null(frame);
    for (int64_t first = 0; first <= 3; first++)
        for (int64_t n = 0; n <= 3 - first; n++) {
            struct shmf_error err = {0};
            struct shmf_frame *slice = shmf_frame_slice(frame, first, n, NULL);
            assert_non_null(slice);
            if (shmf_frame_validate(slice, SHMF_VALIDATE_FULL, &err))
                fail_msg("rows %d to %d: %s", (int)first, (int)(first + n), err.message);
            shmf_frame_free(slice);
        }
    shmf_frame_free(frame);
}

static void test_the_last_label_is_looked_at_too(void **state)
{
    (void)state;
    size_t size;
    struct shmf_error err;
    unsigned char *bytes = labelled_copy(&size);
    const struct shmf_format_frame *header = (void *)bytes;
    bytes[header->row_label.data_offset + 3] = 0xFF;
    assert_int_equal(validate(bytes, size, &err), SHMF_E_CORRUPT);
    assert_string_equal(err.message, "row_label: label 3 is not valid UTF-8");
    free(bytes);
}

static void test_an_entry_must_lead_to_the_first_that_bears_the_label(void **state)
{
    (void)state;
    size_t size;
    struct shmf_error err;
    unsigned char *bytes = labelled_copy(&size);
    const struct shmf_format_frame *header = (void *)bytes;
    struct shmf_format_entry *entry = (void *)(bytes + header->row_index.offset);
    assert_int_equal(validate(bytes, size, NULL), SHMF_OK);
    while (entry->first != 1)
        entry++;
    entry->first = 3; /* "b" as well */
    assert_int_equal(validate(bytes, size, &err), SHMF_E_CORRUPT);
    assert_string_equal(err.message, "row_index: label 0 is not found");
    free(bytes);
}

static void test_the_metadata_of_the_frame_are_told_from_those_of_a_column(void **state)
{
    (void)state;
    struct shmf_frame *frame = typed_frame(NULL);
    struct shmf_error err;
    const int32_t pairs = 1000;
    assert_non_null(frame);
    memcpy(frame->base + frame->header.metadata_offset, &pairs, sizeof pairs);
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_DEFAULT, &err), SHMF_E_CORRUPT);
    assert_string_equal(err.message, "metadata_size: pairs reach behind it");
    shmf_frame_free(frame);
}

static void *no_memory(size_t n, size_t size)
{
    (void)n;
    (void)size;
    return NULL;
}

static void test_without_memory_for_the_counts_it_says_so(void **state)
{
    (void)state;
    struct shmf_frame *frame = typed_frame(NULL);
    assert_non_null(frame);
    shmfi_sys.calloc = no_memory;
    int rc = shmf_frame_validate(frame, SHMF_VALIDATE_FULL, NULL);
    shmfi_sys.calloc = calloc;
    assert_int_equal(rc, SHMF_E_NOMEM);
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slices_that_begin_inside_a_byte_of_bits_are_whole),
        cmocka_unit_test(test_the_last_label_is_looked_at_too),
        cmocka_unit_test(test_an_entry_must_lead_to_the_first_that_bears_the_label),
        cmocka_unit_test(test_the_metadata_of_the_frame_are_told_from_those_of_a_column),
        cmocka_unit_test(test_without_memory_for_the_counts_it_says_so),
    };
    return cmocka_run_group_tests_name("frame validate edges", tests, NULL, NULL);
}

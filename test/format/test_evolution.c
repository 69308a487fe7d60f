/* Segments from the future: a later writer of version 1 may add what this reader can do without
 * (larger structs, compatible bits, unused fields, other places), and says when it may not. */
#include "format/samples.h"
#include "fuzz/oracle.h"
#include "fuzz/use.h"

#include <shmframe/derive.h>

/* What a later writer would write where this one writes nothing. */
enum { UNKNOWN = 0xEE };

static struct shmf_format_header *header_of(const struct segment_copy *copy)
{
    return (void *)copy->base;
}

static struct shmf_frame *open_frame(const struct segment_copy *copy)
{
    struct shmf_frame *frame = NULL;
    struct shmf_error err = {0};
    if (shmfi_frame_from_memory(copy->base, copy->size, false, &frame, &err))
        fail_msg("%s", err.message);
    return frame;
}

/* It opens, passes full validation, and is the frame of that name. */
static void assert_reads_as(const struct segment_copy *later, const char *name)
{
    struct segment_copy golden = read_golden(name);
    struct shmf_frame *expected = open_frame(&golden), *frame = open_frame(later);
    struct shmf_error err = {0};
    if (shmf_frame_validate(frame, SHMF_VALIDATE_FULL, &err))
        fail_msg("%s: %s", name, err.message);
    assert_int_equal(shmf_frame_equal(frame, expected), 1);
    shmf_frame_free(frame);
    shmf_frame_free(expected);
    assert_int_equal(use_segment(later->base, later->size, NULL), SHMF_OK);
    assert_true(oracle_opens(later->base, later->size));
    free(golden.base);
}

static void each_frame(void (*check)(struct segment_copy *, const char *))
{
    for (int i = 0; i < N_GOLDEN; i++) {
        struct segment_copy copy = read_golden(golden_names[i]);
        if (header_of(&copy)->kind == SHMF_KIND_FRAME)
            check(&copy, golden_names[i]);
        free(copy.base);
    }
}

/* ---- bits and versions ----------------------------------------------------------------------- */

static void set_compatible_bits(struct segment_copy *copy, const char *name)
{
    for (int bit = 0; bit < 64; bit++) {
        header_of(copy)->compatible = UINT64_C(1) << bit;
        assert_reads_as(copy, name);
    }
}

static void test_unknown_compatible_bits_are_ignored(void **state)
{
    (void)state;
    each_frame(set_compatible_bits);
}

static void test_unknown_incompatible_bits_and_other_versions_are_refused(void **state)
{
    (void)state;
    const uint32_t versions[] = {0, 2, 3, 0x10001, UINT32_MAX};
    for (int i = 0; i < N_GOLDEN; i++) {
        struct segment_copy copy = read_golden(golden_names[i]);
        struct shmf_error err;
        uint64_t known = header_of(&copy)->incompatible;
        int first = header_of(&copy)->kind == SHMF_KIND_FRAME; /* bit 0 is known to frames */
        for (int bit = first; bit < 64; bit++) {
            header_of(&copy)->incompatible = known | UINT64_C(1) << bit;
            assert_int_equal(use_segment(copy.base, copy.size, &err), SHMF_E_VERSION);
            assert_non_null(strstr(err.message, "incompatible"));
        }
        header_of(&copy)->incompatible = known;
        for (size_t v = 0; v < sizeof versions / sizeof versions[0]; v++) {
            header_of(&copy)->version = versions[v];
            assert_int_equal(use_segment(copy.base, copy.size, &err), SHMF_E_VERSION);
            assert_non_null(strstr(err.message, "version"));
        }
        free(copy.base);
    }
}

/* The version is looked at first: of another one nothing is known, not even what would be corrupt.
 */
static void test_another_version_is_no_corruption_whatever_else_there_is(void **state)
{
    (void)state;
    struct segment_copy copy = read_golden("frame_mixed");
    memset(copy.base + 36, UNKNOWN, copy.size - 36);
    header_of(&copy)->version = 2;
    header_of(&copy)->kind = SHMF_KIND_FRAME;
    assert_int_equal(use_segment(copy.base, copy.size, NULL), SHMF_E_VERSION);
    free(copy.base);
}

/* ---- larger structs -------------------------------------------------------------------------- */

/* The body does not begin before byte 4096, so there is room for a larger header. */
static void enlarge_header(struct segment_copy *copy, const char *name)
{
    const struct shmf_format_frame *h = (void *)copy->base;
    uint64_t first = h->body_offset, known = sizeof *h;
    if (h->n_dictionaries) {
        const struct shmf_format_dictionary *dictionary =
            (void *)(copy->base + h->dictionaries_offset);
        first = dictionary->span_offset;
    }
    assert_true(first > known);
    memset(copy->base + known, UNKNOWN, first - known);
    header_of(copy)->header_size = (uint32_t)known + 8;
    assert_reads_as(copy, name);
    header_of(copy)->header_size = (uint32_t)first;
    assert_reads_as(copy, name);
    header_of(copy)->header_size = (uint32_t)first + 8; /* the first part begins inside it now */
    assert_int_not_equal(use_segment(copy->base, copy->size, NULL), SHMF_OK);
}

static void test_a_larger_header_is_read_as_far_as_it_is_known(void **state)
{
    (void)state;
    each_frame(enlarge_header);
}

/* Puts a copy of a table behind the segment, `more` unknown bytes after each entry. */
static uint64_t move_table(struct segment_copy *later, uint64_t at, uint64_t from, uint64_t n,
                           size_t entry, size_t more)
{
    for (uint64_t i = 0; i < n; i++)
        memcpy(later->base + at + i * (entry + more), later->base + from + i * entry, entry);
    return n * (entry + more);
}

static void enlarge_tables(struct segment_copy *copy, const char *name)
{
    for (size_t more = 8; more <= 256; more *= 2) {
        size_t size = copy->size + 16384;
        struct segment_copy later = {aligned_alloc(64, size), size};
        assert_non_null(later.base);
        memset(later.base, UNKNOWN, size);
        memcpy(later.base, copy->base, copy->size);
        struct shmf_format_frame *h = (void *)later.base;
        uint64_t at = copy->size;
        h->header.total_size = size;
        at += move_table(&later, at, h->columns_offset, h->n_columns, h->column_size, more);
        h->columns_offset = copy->size;
        h->column_size += (uint32_t)more;
        if (h->n_dictionaries) {
            move_table(&later, at, h->dictionaries_offset, h->n_dictionaries, h->dictionary_size,
                       more);
            h->dictionaries_offset = at;
            h->dictionary_size += (uint32_t)more;
        }
        assert_reads_as(&later, name);
        free(later.base);
    }
}

static void test_larger_descriptors_in_another_place_are_read_as_far_as_they_are_known(void **state)
{
    (void)state;
    each_frame(enlarge_tables);
}

/* ---- bytes that belong to nobody --------------------------------------------------------------
 */

static void write_unused(struct segment_copy *copy, const char *name)
{
    struct shmf_format_frame *h = (void *)copy->base;
    memset(h->header.foreign, UNKNOWN, sizeof h->header.foreign);
    h->header.generation = UINT64_MAX;
    h->column_label.metadata_offset = UINT64_MAX; /* of labels: unused */
    h->column_label.metadata_size = UINT32_MAX;
    if (h->row_labels != SHMFI_ROWS_RANGE) {
        h->row_label.metadata_offset = 1;
        h->row_label.metadata_size = 2;
    }
    assert_reads_as(copy, name);
}

static void test_foreign_and_unused_bytes_are_ignored(void **state)
{
    (void)state;
    each_frame(write_unused);
}

/* A dtype that a later version of the library writes. */
static void test_numbers_that_are_not_known_are_told_from_those_that_are_not_supported(void **state)
{
    (void)state;
    struct segment_copy copy = read_golden("array");
    struct shmf_format_array *h = (void *)copy.base;
    h->dtype = SHMF_DECIMAL128;
    assert_int_equal(use_segment(copy.base, copy.size, NULL), SHMF_E_UNSUPPORTED);
    h->dtype = SHMF_DECIMAL128 + 1;
    assert_int_equal(use_segment(copy.base, copy.size, NULL), SHMF_E_CORRUPT);
    free(copy.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_compatible_bits_are_ignored),
        cmocka_unit_test(test_unknown_incompatible_bits_and_other_versions_are_refused),
        cmocka_unit_test(test_another_version_is_no_corruption_whatever_else_there_is),
        cmocka_unit_test(test_a_larger_header_is_read_as_far_as_it_is_known),
        cmocka_unit_test(
            test_larger_descriptors_in_another_place_are_read_as_far_as_they_are_known),
        cmocka_unit_test(test_foreign_and_unused_bytes_are_ignored),
        cmocka_unit_test(
            test_numbers_that_are_not_known_are_told_from_those_that_are_not_supported),
    };
    return cmocka_run_group_tests_name("evolution", tests, NULL, NULL);
}

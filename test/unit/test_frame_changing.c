/* frame/: a segment that its writer changes between two reads of the same bytes. The moments are
 * those at which the library allocates; campaign_flip_shared tries all others. */
#include "base/sys.h"
#include "frame/frame_internal.h"
#include "memory/memory.h"
#include "support/test.h"
#include "unit/typed_frame.h"

#include <shmframe/derive.h>

#include <stdlib.h>

static unsigned char *base;
static void (*change)(void);

/* Changes the segment once, when something was measured and room for it is obtained. */
static void *changing_calloc(size_t n, size_t size)
{
    if (change)
        change();
    change = NULL;
    return calloc(n, size);
}

static struct shmf_format_frame *header(void)
{
    return (void *)base;
}

/* The first label takes all bytes, instead of its four, and the others none. */
static void lengthen_a_label(void)
{
    int32_t *offsets = (void *)(base + header()->column_label.offsets_offset);
    for (uint64_t c = 1; c <= header()->n_columns; c++)
        offsets[c] = (int32_t)header()->column_label.data_size;
}

static void lengthen_all_labels(void)
{
    int32_t *offsets = (void *)(base + header()->column_label.offsets_offset);
    for (uint64_t c = 0; c <= header()->n_columns; c += 2)
        offsets[c] = 0;
    for (uint64_t c = 1; c <= header()->n_columns; c += 2)
        offsets[c] = (int32_t)header()->column_label.data_size;
}

static struct shmf_format_column *first_column(void)
{
    return (void *)(base + header()->columns_offset);
}

/* Four pairs become as many as fit: all without key and value. */
static void multiply_metadata(void)
{
    unsigned char *metadata = base + first_column()->metadata_offset;
    memset(metadata, 0, first_column()->metadata_size);
    int32_t pairs = (int32_t)(first_column()->metadata_size / 8);
    memcpy(metadata, &pairs, sizeof pairs);
}

static void derive_while(void (*meanwhile)(void))
{
    struct shmf_frame *good = typed_frame(NULL), *frame;
    assert_non_null(good);
    const struct shmf_format_frame *h = (void *)shmfi_frame_segment(good)->base;
    size_t size = h->header.total_size;
    base = aligned_alloc(64, size);
    assert_non_null(base);
    memcpy(base, h, size);
    shmf_frame_free(good);
    assert_int_equal(shmfi_frame_from_memory(base, size, false, &frame, NULL), SHMF_OK);
    change = meanwhile;
    shmfi_sys.calloc = changing_calloc;
    struct shmf_frame *taken = shmf_frame_take(frame, (const int64_t[]){2, 0}, 2, NULL);
    shmfi_sys.calloc = calloc;
    assert_null(change);
    if (taken)
        assert_int_equal(shmf_frame_validate(taken, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    shmf_frame_free(taken);
    shmf_frame_free(frame);
    free(base);
}

static void test_labels_that_grow_while_they_are_copied_are_cut(void **state)
{
    (void)state;
    derive_while(lengthen_a_label);
    derive_while(lengthen_all_labels);
}

static void test_metadata_that_multiply_while_they_are_copied_are_cut(void **state)
{
    (void)state;
    derive_while(multiply_metadata);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels_that_grow_while_they_are_copied_are_cut),
        cmocka_unit_test(test_metadata_that_multiply_while_they_are_copied_are_cut),
    };
    return cmocka_run_group_tests_name("frame changing", tests, NULL, NULL);
}

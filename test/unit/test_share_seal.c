/* share/: objects are sealed, where possible without copying, and received as images. */
#include "frame/frame_internal.h"
#include "unit/share_calls.h"

#include <shmframe/derive.h>
#include <shmframe/image.h>
#include <shmframe/memory.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct shmf_error err;

enum { LARGE = 40 << 20 };

static uint64_t fresh_objects(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.fresh;
}

static uint64_t reserved(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.reserved_bytes;
}

/* ---- sealing --------------------------------------------------------------------------------- */

static void test_a_large_array_is_sealed_where_it_is(void **state)
{
    (void)state;
    struct shmf_array *array = patterned(LARGE, 1);
    uint64_t before = reserved(), size = 0;
    assert_null(shmf_array_image(array, &size));
    assert_int_equal(shmf_array_seal(&array, &err), SHMF_OK);
    assert_true(is_pattern(array, LARGE, 1));
    assert_null(shmf_array_data_mut(array));
    assert_non_null(shmf_array_image(array, &size));
    assert_true(size >= LARGE && size <= (uint64_t)LARGE + (4 << 20));
    assert_true(before - reserved() >= LARGE); /* no more this process's */
    const void *data = shmf_array_data(array);
    assert_int_equal(shmf_array_seal(&array, &err), SHMF_OK);
    assert_ptr_equal(shmf_array_data(array), data);
    shmf_array_free(array);
}

static void test_what_lay_behind_an_object_does_not_go_with_it(void **state)
{
    (void)state;
    struct shmf_array *longer = patterned(LARGE + (8 << 20), 7);
    shmf_array_free(longer);
    struct shmf_array *array = patterned(LARGE, 1); /* in the other's region */
    assert_int_equal(shmf_array_seal(&array, &err), SHMF_OK);
    uint64_t size;
    const uint8_t *image = shmf_array_image(array, &size);
    const uint8_t *end = (const uint8_t *)shmf_array_data(array) + LARGE;
    assert_true(size > (uint64_t)LARGE + (8 << 20));
    for (const uint8_t *at = end; at < image + size; at++)
        if (*at)
            fail_msg("byte %td behind the object is %d", at - end, *at);
    assert_true(is_pattern(array, LARGE, 1));
    shmf_array_free(array);
}

static void test_small_and_shared_objects_are_copied(void **state)
{
    (void)state;
    struct shmf_array *array = patterned(5000, 1), *large = patterned(LARGE, 2);
    assert_int_equal(shmf_array_seal(&array, &err), SHMF_OK);
    assert_true(is_pattern(array, 5000, 1));
    struct shmf_array *again = shmf_array_open(shmf_array_handle(large), &err);
    assert_int_equal(shmf_array_seal(&large, &err), SHMF_OK);
    assert_true(is_pattern(large, LARGE, 2));
    assert_true(is_pattern(again, LARGE, 2));
    assert_ptr_not_equal(shmf_array_data(large), shmf_array_data(again));
    shmf_array_free(array);
    shmf_array_free(large);
    shmf_array_free(again);
}

static void test_frames_of_all_types_and_slices_are_sealed(void **state)
{
    (void)state;
    struct shmf_frame *frame = typed_frame(&err), *same = typed_frame(&err);
    struct shmf_frame *slice = shmf_frame_slice(same, 1, 2, &err);
    struct shmf_frame *like = shmf_frame_slice(same, 1, 2, &err);
    assert_int_equal(shmf_frame_seal(&frame, &err), SHMF_OK);
    assert_int_equal(shmf_frame_equal(frame, same), 1);
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, &err), SHMF_OK);
    assert_null(shmf_frame_image(slice, NULL));
    assert_int_equal(shmf_frame_seal(&slice, &err), SHMF_OK);
    assert_int_equal(shmf_frame_equal(slice, like), 1);
    assert_non_null(shmf_frame_image(slice, NULL));
    shmf_frame_free(frame);
    shmf_frame_free(same);
    shmf_frame_free(slice);
    shmf_frame_free(like);
}

static struct shmf_frame *large_frame(void)
{
    struct shmf_frame_spec spec = {.n_rows = 1 << 20, .n_columns = 5, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    for (int64_t c = 0; c < 5; c++)
        for (int64_t r = 0; r < 1 << 20; r++)
            ((double *)shmf_frame_data_mut(frame, c))[r] = (double)(c * r);
    return frame;
}

static void test_a_large_frame_is_sealed_where_it_is(void **state)
{
    (void)state;
    struct shmf_frame *frame = large_frame();
    assert_int_equal(shmf_frame_seal(&frame, &err), SHMF_E_ACCESS); /* not finished */
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    struct shmf_handle old = shmf_frame_handle(frame);
    uint64_t fresh = fresh_objects();
    assert_int_equal(shmf_frame_seal(&frame, &err), SHMF_OK);
    assert_int_equal(fresh_objects(), fresh);
    assert_null(shmf_frame_open(old, &err));
    assert_int_equal(err.code, SHMF_E_STALE);
    struct shmf_frame *again = shmf_frame_open(shmf_frame_handle(frame), &err);
    double value;
    assert_int_equal(shmf_frame_cell(again, (1 << 20) - 1, 4, &value), SHMF_OK);
    assert_true(value == 4.0 * ((1 << 20) - 1));
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, &err), SHMF_OK);
    shmf_frame_free(again);
    shmf_frame_free(frame);
}

static void test_what_was_sealed_is_sent_without_copying(void **state)
{
    (void)state;
    int ends[2];
    struct shmf_array *array = patterned(LARGE, 3);
    assert_int_equal(shmf_array_seal(&array, &err), SHMF_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(shmf_array_send(array, ends[0], -1, &err), SHMF_OK);
    struct shmf_array *got = shmf_array_receive(ends[1], -1, NULL, &err);
    uint64_t sizes[2];
    assert_non_null(shmf_array_image(array, &sizes[0]));
    assert_non_null(shmf_array_image(got, &sizes[1]));
    assert_int_equal(sizes[0], sizes[1]);
    shmf_array_free(array);
    assert_true(is_pattern(got, LARGE, 3));
    shmf_array_free(got);
    close(ends[0]);
    close(ends[1]);
}

static void test_nothing_to_seal_is_refused(void **state)
{
    (void)state;
    struct shmf_frame *frame = NULL;
    struct shmf_array *array = NULL;
    assert_int_equal(shmf_frame_seal(NULL, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_seal(&frame, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_array_seal(NULL, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_array_seal(&array, &err), SHMF_E_INVAL);
    assert_null(shmf_frame_image(NULL, NULL));
    assert_null(shmf_array_image(NULL, NULL));
}

/* ---- images ---------------------------------------------------------------------------------- */

static struct shmf_image *image_of(const void *bytes, uint64_t size)
{
    struct shmf_image *image = shmf_image_new(size, &err);
    if (image)
        memcpy(shmf_image_data(image), bytes, size);
    return image;
}

static void test_an_image_is_the_object(void **state)
{
    (void)state;
    uint64_t size;
    struct shmf_frame *frame = typed_frame(&err);
    assert_int_equal(shmf_frame_seal(&frame, &err), SHMF_OK);
    const void *bytes = shmf_frame_image(frame, &size);
    struct shmf_frame *got = shmf_image_frame(image_of(bytes, size), &err);
    assert_int_equal(shmf_frame_equal(frame, got), 1);
    uint64_t again;
    assert_memory_equal(shmf_frame_image(got, &again), bytes, size);
    assert_int_equal(again, size);
    assert_null(shmf_image_array(image_of(bytes, size), &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    struct shmf_array *array = patterned(5 << 20, 4);
    assert_int_equal(shmf_array_seal(&array, &err), SHMF_OK);
    bytes = shmf_array_image(array, &size);
    struct shmf_array *too = shmf_image_array(image_of(bytes, size), &err);
    assert_true(is_pattern(too, 5 << 20, 4));
    shmf_array_free(too);
    shmf_array_free(array);
    shmf_frame_free(got);
    shmf_frame_free(frame);
}

static void test_images_that_are_none_are_refused(void **state)
{
    (void)state;
    assert_null(shmf_image_new(0, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_null(shmf_image_new(UINT64_MAX, &err));
    assert_int_equal(err.code, SHMF_E_TOOBIG);
    assert_null(shmf_image_frame(NULL, &err));
    assert_null(shmf_image_data(NULL));
    assert_null(shmf_image_frame(shmf_image_new(100000, &err), &err)); /* all zero */
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    assert_null(shmf_image_array(shmf_image_new(10, &err), &err));
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    shmf_image_free(shmf_image_new(100000, &err));
    shmf_image_free(NULL);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_large_array_is_sealed_where_it_is),
        test_case(test_what_lay_behind_an_object_does_not_go_with_it),
        test_case(test_small_and_shared_objects_are_copied),
        test_case(test_frames_of_all_types_and_slices_are_sealed),
        test_case(test_a_large_frame_is_sealed_where_it_is),
        test_case(test_what_was_sealed_is_sent_without_copying),
        test_case(test_nothing_to_seal_is_refused),
        test_case(test_an_image_is_the_object),
        test_case(test_images_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* memory/: handles opened by the owner, regions borrowed from others. The "other process" is this
 * one where only bookkeeping matters: a region of its own, adopted again under another identity. */
/* ctest: LABELS threads */
#include "memory/memory.h"

#include <shmframe/format.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/test.h"

#define PAGE 4096
#define MIB  (UINT64_C(1) << 20)

static struct shmf_error err;

static struct shmfi_segment *make(uint64_t length, unsigned flags)
{
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(length, flags, &segment, &err), 0);
    return segment;
}

static struct shmf_handle handle_for(const struct shmfi_segment *segment, enum shmf_access access)
{
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_ARRAY);
    handle.access = (uint32_t)access;
    return handle;
}

static uint64_t generation_in(const void *base)
{
    return ((const struct shmf_format_header *)base)->generation;
}

static int tidy(void **state)
{
    (void)state;
    struct shmf_memory_stats now;
    shmf_memory_trim(0);
    shmf_memory_get_stats(&now);
    return now.regions || now.used_bytes || now.foreign_regions;
}

/* ---- what the lender heard ------------------------------------------------------------------ */

struct heard {
    int count;
    uint64_t region, offset, length, generation;
};

static void returned(void *context, uint64_t region, uint64_t offset, uint64_t length,
                     uint64_t generation)
{
    struct heard *heard = context;
    *heard = (struct heard){heard->count + 1, region, offset, length, generation};
}

/* The region of `segment` as another process would get it, under identity `id`. */
static struct shmfi_region *borrow(const struct shmfi_segment *segment, uint64_t id,
                                   const struct shmfi_lender *lender)
{
    struct shmfi_region *region = NULL;
    int fd = fcntl(shmfi_region_fd(segment->region, &err), F_DUPFD_CLOEXEC, 0);
    assert_true(fd >= 0);
    int rc = shmfi_region_adopt(id, shmfi_region_size(segment->region), fd, lender, &region, &err);
    assert_int_equal(rc, 0);
    return region;
}

/* ---- own segments ---------------------------------------------------------------------------- */

static void test_opening_shares_the_object_and_pins_it(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(PAGE, 0), *again = NULL;
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_ARRAY);
    assert_int_equal(handle.kind, SHMF_KIND_ARRAY);
    assert_int_equal(handle.access, SHMF_READ_ONLY);
    assert_int_equal(shmfi_segment_open(&handle, &again, &err), 0);
    assert_ptr_equal(again, segment);
    shmfi_segment_unref(segment);
    assert_int_equal(generation_in(again->base), handle.generation);
    shmfi_segment_unref(again);
    assert_int_equal(shmfi_segment_open(&handle, &again, &err), SHMF_E_STALE);
    assert_non_null(strstr(err.message, "released"));
}

static void test_handles_that_name_nothing_are_refused(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(PAGE, 0), *out = NULL;
    struct shmf_handle good = shmfi_segment_handle(segment, SHMF_KIND_FRAME);
    struct shmf_handle bad = good;
    bad.access = SHMF_WRITABLE + 1;
    assert_int_equal(shmfi_segment_open(&bad, &out, &err), SHMF_E_INVAL);
    bad = good;
    bad.region = 0;
    assert_int_equal(shmfi_segment_open(&bad, &out, &err), SHMF_E_INVAL);
    bad = good;
    bad.region ^= 1;
    assert_int_equal(shmfi_segment_open(&bad, &out, &err), SHMF_E_STALE);
    bad = good;
    bad.generation ^= 1;
    assert_int_equal(shmfi_segment_open(&bad, &out, &err), SHMF_E_STALE);
    bad = good;
    bad.offset += PAGE;
    assert_int_equal(shmfi_segment_open(&bad, &out, &err), SHMF_E_STALE);
    bad = good;
    bad.length += PAGE;
    assert_int_equal(shmfi_segment_open(&bad, &out, &err), SHMF_E_INVAL);
    assert_null(out);
    shmfi_segment_unref(segment);
}

static void test_what_is_written_to_a_copy_on_write_view_stays_private(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {3 * PAGE, 5 * MIB, 34 * MIB};
    for (size_t i = 0; i < 3; i++) {
        struct shmfi_segment *segment = make(lengths[i], 0), *view = NULL;
        memset((uint8_t *)segment->base + 64, 5, segment->length - 64);
        struct shmf_handle handle = handle_for(segment, SHMF_COPY_ON_WRITE);
        assert_int_equal(shmfi_segment_open(&handle, &view, &err), 0);
        assert_ptr_not_equal(view->base, segment->base);
        assert_true(view->writable);
        uint8_t *bytes = view->base;
        assert_int_equal(test_differs_from(bytes + 64, view->length - 64, 5), -1);
        bytes[PAGE] = 6;
        assert_int_equal(((uint8_t *)segment->base)[PAGE], 5);

        /* it pins the segment */
        void *where = segment->base;
        shmfi_segment_unref(segment);
        struct shmfi_segment *other = make(lengths[i], 0);
        assert_ptr_not_equal(other->base, where);
        memset(other->base, 9, other->length);
        assert_int_equal(bytes[2 * PAGE], 5);
        shmfi_segment_unref(other);
        shmfi_segment_unref(view);
        handle.access = SHMF_READ_ONLY;
        assert_int_equal(shmfi_segment_open(&handle, &view, &err), SHMF_E_STALE);
    }
}

static void test_a_private_copy_is_a_segment_of_its_own(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(5 * PAGE, 0), *copy = NULL;
    test_fill((uint8_t *)segment->base + 64, segment->length - 64, 3);
    memset(segment->base, 4, 56);
    struct shmf_handle handle = handle_for(segment, SHMF_PRIVATE_COPY);
    assert_int_equal(shmfi_segment_open(&handle, &copy, &err), 0);
    shmfi_segment_unref(segment);
    assert_true(copy->writable);
    assert_int_equal(generation_in(copy->base), copy->generation);
    assert_int_not_equal(copy->generation, handle.generation);
    assert_int_equal(test_differs_from(copy->base, 56, 4), -1);
    assert_int_equal(test_differs((uint8_t *)copy->base + 64, copy->length - 64, 3), -1);
    shmfi_segment_unref(copy);
}

/* ---- regions of others ------------------------------------------------------------------------
 */

static void test_foreign_memory_is_read_only_whatever_one_tries(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(33 * MIB, 0), *seen = NULL;
    memset((uint8_t *)segment->base + 64, 7, segment->length - 64);
    borrow(segment, 77, NULL);
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_FRAME);
    handle.region = 77;
    assert_int_equal(shmfi_segment_open(&handle, &seen, &err), 0);
    assert_ptr_not_equal(seen->base, segment->base);
    assert_false(seen->writable);
    assert_int_equal((uintptr_t)seen->base % (2 * MIB), 0);
    assert_int_equal(test_differs_from((uint8_t *)seen->base + 64, seen->length - 64, 7), -1);
    assert_int_equal(mprotect(seen->base, seen->length, PROT_READ | PROT_WRITE), -1);
    struct shmfi_segment *same = NULL;
    assert_int_equal(shmfi_segment_open(&handle, &same, &err), 0);
    assert_ptr_equal(same, seen);
    shmfi_segment_unref(same);

    struct shmfi_segment *view = NULL;
    handle.access = SHMF_COPY_ON_WRITE;
    assert_int_equal(shmfi_segment_open(&handle, &view, &err), 0);
    ((uint8_t *)view->base)[100] = 8;
    assert_int_equal(((uint8_t *)segment->base)[100], 7);
    shmfi_segment_unref(view);
    shmfi_segment_unref(seen);
    shmfi_segment_unref(segment);
    shmfi_region_drop(77);
    assert_null(shmfi_region_find(77));
}

static void test_without_a_lender_the_header_decides_what_is_alive(void **state)
{
    (void)state;
    struct shmfi_segment *keeper = make(PAGE, 0), *segment = make(PAGE, 0), *seen = NULL;
    borrow(segment, 78, NULL);
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_FRAME);
    handle.region = 78;
    struct shmf_handle bad = handle;
    bad.offset = 1;
    assert_int_equal(shmfi_segment_open(&bad, &seen, &err), SHMF_E_INVAL);
    bad = handle;
    bad.length = UINT64_MAX - PAGE + 1;
    assert_int_equal(shmfi_segment_open(&bad, &seen, &err), SHMF_E_INVAL);
    bad.length = 0;
    assert_int_equal(shmfi_segment_open(&bad, &seen, &err), SHMF_E_INVAL);
    bad.length = handle.length + 1;
    assert_int_equal(shmfi_segment_open(&bad, &seen, &err), SHMF_E_INVAL);
    bad = handle;
    bad.generation = 0;
    assert_int_equal(shmfi_segment_open(&bad, &seen, &err), SHMF_E_STALE);
    assert_int_equal(shmfi_segment_open(&handle, &seen, &err), 0);
    shmfi_segment_unref(segment); /* the owner lets it go, though it is open here */
    struct shmfi_segment *second = NULL;
    assert_int_equal(shmfi_segment_open(&handle, &second, &err), SHMF_E_STALE);
    shmfi_segment_unref(seen);
    shmfi_region_drop(78);
    shmfi_segment_unref(keeper);
}

static void test_a_dropped_region_opens_nothing_but_stays_for_its_objects(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(PAGE, 0), *seen = NULL, *second = NULL;
    memset((uint8_t *)segment->base + 64, 1, 100);
    borrow(segment, 79, NULL);
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_FRAME);
    handle.region = 79;
    assert_int_equal(shmfi_segment_open(&handle, &seen, &err), 0);
    shmfi_region_drop(79);
    shmfi_region_drop(79);
    assert_int_equal(shmfi_segment_open(&handle, &second, &err), SHMF_E_STALE);
    assert_int_equal(test_differs_from((uint8_t *)seen->base + 64, 100, 1), -1);
    shmfi_segment_unref(seen);
    shmfi_segment_unref(segment);
}

static void test_lent_segments_open_when_admitted_and_go_back_when_released(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct shmfi_lender lender = {returned, &heard};
    struct shmfi_segment *segment = make(2 * PAGE, 0), *result = NULL, *view = NULL;
    struct shmfi_region *region = borrow(segment, 80, &lender);
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_ARRAY);
    handle.region = 80;
    assert_int_equal(shmfi_segment_open(&handle, &result, &err), SHMF_E_STALE);
    assert_int_equal(
        shmfi_region_admit(region, handle.offset, handle.length, handle.generation, &result, &err),
        0);
    handle.access = SHMF_COPY_ON_WRITE;
    assert_int_equal(shmfi_segment_open(&handle, &view, &err), 0);
    shmfi_segment_unref(result);
    assert_int_equal(heard.count, 0);
    shmfi_segment_unref(view);
    assert_int_equal(heard.count, 1);
    assert_int_equal(heard.region, 80);
    assert_int_equal(heard.offset, handle.offset);
    assert_int_equal(heard.length, handle.length);
    assert_int_equal(heard.generation, handle.generation);
    shmfi_region_drop(80); /* not for regions with a lender */
    assert_ptr_equal(shmfi_region_find(80), region);
    shmfi_region_retire(region);
    assert_null(shmfi_region_find(80));
    shmfi_segment_unref(segment);
}

static void test_admission_names_what_is_wrong(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct shmfi_lender lender = {returned, &heard};
    struct shmfi_segment *segment = make(4 * PAGE, 0), *result = NULL, *bad = NULL;
    struct shmfi_region *region = borrow(segment, 81, &lender);
    uint64_t size = shmfi_region_size(region), generation = segment->generation;
    const struct {
        uint64_t offset, length, generation;
        const char *named;
    } cases[] = {
        {segment->offset + 1, PAGE, generation, "offset"},
        {segment->offset, PAGE + 1, generation, "length"},
        {segment->offset, 0, generation, "length"},
        {segment->offset, size + PAGE, generation, "end"},
        {size, PAGE, generation, "end"},
        {UINT64_MAX - PAGE + 1, PAGE, generation, "end"},
        {segment->offset, PAGE, generation + 1, "generation"},
        {segment->offset, PAGE, 0, "generation"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(shmfi_region_admit(region, cases[i].offset, cases[i].length,
                                            cases[i].generation, &bad, &err),
                         SHMF_E_CORRUPT);
        assert_non_null(strstr(err.message, cases[i].named));
    }
    assert_int_equal(
        shmfi_region_admit(region, segment->offset, 4 * PAGE, generation, &result, &err), 0);
    assert_int_equal(shmfi_region_admit(region, segment->offset, PAGE, generation, &bad, &err),
                     SHMF_E_CORRUPT);
    assert_non_null(strstr(err.message, "overlaps"));
    assert_null(bad);
    shmfi_segment_unref(result);
    assert_int_equal(shmfi_region_admit(region, segment->offset, PAGE, generation, &result, &err),
                     0);
    assert_int_equal(shmfi_region_admit(segment->region, 0, PAGE, generation, &bad, &err),
                     SHMF_E_INVAL);
    shmfi_segment_unref(result);
    shmfi_region_retire(region);
    shmfi_segment_unref(segment);
}

static void test_results_outlive_the_retirement_of_their_region(void **state)
{
    (void)state;
    struct heard heard = {0};
    struct shmfi_lender lender = {returned, &heard};
    struct shmfi_segment *segment = make(PAGE, 0), *result = NULL, *again = NULL;
    memset((uint8_t *)segment->base + 64, 2, 100);
    struct shmfi_region *region = borrow(segment, 82, &lender);
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_ARRAY);
    handle.region = 82;
    assert_int_equal(
        shmfi_region_admit(region, handle.offset, handle.length, handle.generation, &result, &err),
        0);
    shmfi_region_retire(region);
    assert_int_equal(test_differs_from((uint8_t *)result->base + 64, 100, 2), -1);
    assert_int_equal(shmfi_segment_open(&handle, &again, &err), 0);
    shmfi_segment_unref(again);
    shmfi_segment_unref(result);
    assert_int_equal(heard.count, 0);
    assert_null(shmfi_region_find(82));
    shmfi_segment_unref(segment);
}

static void *release_all(void *results)
{
    struct shmfi_segment **each = results;
    for (; *each; each++)
        shmfi_segment_unref(*each);
    return NULL;
}

static void test_no_lender_is_called_after_its_region_was_retired(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    struct shmfi_segment *segments[COUNT], *results[COUNT + 1] = {0};
    long rounds = test_rounds(100);
    for (int i = 0; i < COUNT; i++)
        segments[i] = make(PAGE, 0);
    for (long round = 0; round < rounds; round++) {
        struct heard *heard = calloc(1, sizeof *heard);
        struct shmfi_lender lender = {returned, heard};
        struct shmfi_region *region = borrow(segments[0], 83, &lender);
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(shmfi_region_admit(region, segments[i]->offset, PAGE,
                                                segments[i]->generation, &results[i], &err),
                             0);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, release_all, results), 0);
        for (long i = 0; i < round * 20; i++)
            __asm__ volatile("");
        shmfi_region_retire(region);
        free(heard);
        pthread_join(thread, NULL);
        assert_null(shmfi_region_find(83));
    }
    for (int i = 0; i < COUNT; i++)
        shmfi_segment_unref(segments[i]);
}

static int fd_of(const char *name, uint64_t size, unsigned flags, int seals)
{
    int fd = memfd_create(name, flags);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    if (seals)
        assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void test_adoption_checks_the_file(void **state)
{
    (void)state;
    struct shmfi_region *region = NULL;
    int both = F_SEAL_SHRINK | F_SEAL_GROW;
    unsigned sealable = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = fd_of("shmf-test", 8192, sealable, both);
    assert_int_equal(shmfi_region_adopt(90, 16384, fd, NULL, &region, &err), SHMF_E_CORRUPT);
    fd = fd_of("shmf-test", 8192, sealable, F_SEAL_GROW);
    assert_int_equal(shmfi_region_adopt(90, 8192, fd, NULL, &region, &err), SHMF_E_UNSEALED);
    fd = fd_of("shmf-test", 100, sealable, both);
    assert_int_equal(shmfi_region_adopt(90, 100, fd, NULL, &region, &err), SHMF_E_CORRUPT);
    fd = fd_of("shmf-test", 0, sealable, both);
    assert_int_equal(shmfi_region_adopt(90, 0, fd, NULL, &region, &err), SHMF_E_CORRUPT);
    fd = fd_of("shmf-test", 4096, sealable, both);
    assert_int_equal(shmfi_region_adopt(0, 4096, fd, NULL, &region, &err), SHMF_E_CORRUPT);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(shmfi_region_adopt(90, 4096, ends[0], NULL, &region, &err), SHMF_E_CORRUPT);
    close(ends[1]);
    assert_int_equal(shmfi_region_adopt(90, 4096, -1, NULL, &region, &err), SHMF_E_SYS);
    assert_null(region);
    fd = fd_of("shmf-test", 4096, MFD_CLOEXEC, 0); /* as tmpfs has it: cannot be sealed */
    assert_int_equal(shmfi_region_adopt(90, 4096, fd, NULL, &region, &err), 0);
    fd = fd_of("shmf-test", 4096, sealable, both);
    assert_int_equal(shmfi_region_adopt(90, 4096, fd, NULL, &region, &err), SHMF_E_EXISTS);
    shmfi_region_drop(90);
}

static void test_the_descriptor_to_send_cannot_write(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(PAGE, 0);
    int fd = shmfi_region_fd(segment->region, &err);
    assert_true(fd >= 0);
    assert_int_equal(shmfi_region_fd(segment->region, &err), fd);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GET_SEALS) & (F_SEAL_SHRINK | F_SEAL_GROW),
                     F_SEAL_SHRINK | F_SEAL_GROW);
    shmfi_segment_unref(segment);
}

static void test_regions_are_numbered_in_their_order(void **state)
{
    (void)state;
    uint64_t before = shmfi_memory_serial();
    struct shmfi_segment *a = make(PAGE, SHMFI_OWN_REGION), *b = make(PAGE, SHMFI_OWN_REGION);
    assert_int_equal(shmfi_region_serial(a->region), before + 1);
    assert_int_equal(shmfi_region_serial(b->region), before + 2);
    assert_int_equal(shmfi_memory_serial(), before + 2);
    shmfi_segment_unref(a);
    shmfi_segment_unref(b);
}

#define open_test(function) cmocka_unit_test_teardown(function, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        open_test(test_opening_shares_the_object_and_pins_it),
        open_test(test_handles_that_name_nothing_are_refused),
        open_test(test_what_is_written_to_a_copy_on_write_view_stays_private),
        open_test(test_a_private_copy_is_a_segment_of_its_own),
        open_test(test_foreign_memory_is_read_only_whatever_one_tries),
        open_test(test_without_a_lender_the_header_decides_what_is_alive),
        open_test(test_a_dropped_region_opens_nothing_but_stays_for_its_objects),
        open_test(test_lent_segments_open_when_admitted_and_go_back_when_released),
        open_test(test_admission_names_what_is_wrong),
        open_test(test_results_outlive_the_retirement_of_their_region),
        open_test(test_no_lender_is_called_after_its_region_was_retired),
        open_test(test_adoption_checks_the_file),
        open_test(test_the_descriptor_to_send_cannot_write),
        open_test(test_regions_are_numbered_in_their_order),
    };
    return cmocka_run_group_tests_name("memory.open", tests, test_account_setup,
                                       test_account_teardown);
}

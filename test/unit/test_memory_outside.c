/* memory/: files of their own, and descriptors of regions: what is refused, interrupted or cut
 * short. */
#include "memory/memory.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/test.h"

#include "memory_calls.h"

#define PAGE 4096
#define MIB  (UINT64_C(1) << 20)

static struct shmf_error err;

static int tidy(void **state)
{
    (void)state;
    struct shmf_memory_stats now;
    calls_restore();
    shmf_memory_trim(0);
    shmf_memory_get_stats(&now);
    bool clean = !now.regions && !now.used_bytes && !now.foreign_regions;
    shmfi_memory_reset();
    return !clean;
}

static struct shmfi_segment *make(uint64_t length)
{
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(length, 0, &segment, &err), 0);
    return segment;
}

static int memfd(void)
{
    int fd = -1;
    assert_int_equal(shmfi_outside_memfd(&fd, &err), 0);
    return fd;
}

/* ---- making -------------------------------------------------------------------------------- */

static int fill(uint64_t size, char mark)
{
    struct shmfi_outside_piece piece = {.offset = size - 1, .data = &mark, .size = 1};
    struct shmfi_outside bytes = {.pieces = &piece, .n_pieces = 1, .size = size};
    int fd = memfd(), rc = shmfi_outside_fill(fd, &bytes, &err);
    char seen = 0;
    if (!rc)
        assert_int_equal(pread(fd, &seen, 1, (off_t)size - 1), 1);
    assert_int_equal(seen, rc ? 0 : mark);
    close(fd);
    return rc;
}

/* Every call fails in turn; none may leave a mapping. */
static void test_whichever_call_of_making_a_file_fails_it_is_an_error_or_not_noticed(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EINTR};
    struct test_account before = test_account_take();
    long bad[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        long made = 1;
        for (long n = 2; n <= made + 1; n++) { /* the first is memfd_create */
            calls_watch();
            calls.fail_at = n;
            calls.error = errors[i];
            int rc = fill(5 * MIB, 'x');
            made = calls.all;
            calls_restore();
            assert_true(rc == 0 || rc == SHMF_E_NOSPC || rc == SHMF_E_SYS);
            bad[i] += rc != 0;
        }
        assert_true(made > 5);
    }
    assert_true(bad[0] > bad[1]); /* what is interrupted is done again */
    assert_int_equal(test_account_settle(&before), 0);
    test_account_free(&before);
}

static void test_without_huge_pages_files_are_made_of_small_ones(void **state)
{
    (void)state;
    shmf_memory_set_options(&(struct shmf_memory_options){.no_huge_pages = 1}, &err);
    assert_int_equal(fill(5 * MIB, 'y'), 0);
    shmf_memory_set_options(NULL, &err);
}

static int no_sysinfo(struct sysinfo *info)
{
    (void)info;
    errno = EFAULT;
    return -1;
}

static void test_where_the_machine_does_not_say_what_it_has_objects_are_made(void **state)
{
    (void)state;
    calls_watch();
    shmfi_sys.sysinfo = no_sysinfo;
    shmfi_segment_unref(make(40 * MIB));
    calls_restore();
}

static int no_open(const char *path, int flags, mode_t mode)
{
    (void)path, (void)flags, (void)mode;
    errno = ENOENT;
    return -1;
}

static void test_without_proc_a_reader_gets_a_copy_of_the_descriptor(void **state)
{
    (void)state;
    int fd = memfd();
    calls_watch();
    shmfi_sys.open = no_open;
    int reader = shmfi_outside_reader(fd, &err);
    assert_true(reader >= 0 && reader != fd);
    close(reader);
    calls.fail_at = calls.all + 1;
    calls.error = EMFILE;
    assert_int_equal(shmfi_outside_reader(fd, &err), SHMF_E_NOFILES);
    int kept = fd;
    assert_int_equal(shmfi_outside_seal(&fd, &err), 0); /* it stays the one that there is */
    assert_int_equal(fd, kept);
    calls_restore();
    close(fd);
}

/* ---- reading ------------------------------------------------------------------------------- */

static long interruptions;

static ssize_t interrupted_pread(int fd, void *to, size_t size, off_t offset)
{
    errno = EINTR;
    return interruptions-- > 0 ? -1 : pread(fd, to, size > 3 ? 3 : size, offset);
}

static void test_reading_goes_on_when_interrupted_and_says_where_a_file_ends(void **state)
{
    (void)state;
    int fd = memfd();
    char seen[16] = "";
    assert_int_equal(write(fd, "0123456789", 10), 10);
    calls_watch();
    shmfi_sys.pread = interrupted_pread;
    interruptions = 2;
    assert_int_equal(shmfi_outside_read(fd, 1, seen, 9, &err), 0);
    assert_string_equal(seen, "123456789");
    assert_int_equal(shmfi_outside_read(fd, 1, seen, 12, &err), SHMF_E_CORRUPT);
    assert_non_null(strstr(err.message, "byte 10"));
    calls_restore();
    close(fd);
}

static void test_sizes_that_no_file_has_are_refused(void **state)
{
    (void)state;
    static const uint64_t sizes[] = {0, UINT64_MAX, UINT64_MAX - PAGE + 1,
                                     (uint64_t)INT64_MAX - PAGE};
    struct shmfi_segment *segment = NULL;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(shmfi_segment_attach(memfd(), sizes[i], 1, SHMF_READ_ONLY, &segment, &err),
                         SHMF_E_CORRUPT);
        assert_null(segment);
        struct shmfi_region *region = NULL;
        assert_int_equal(shmfi_region_adopt(1, sizes[i], memfd(), NULL, &region, &err),
                         SHMF_E_CORRUPT);
        assert_null(region);
    }
}

/* ---- descriptors of regions ---------------------------------------------------------------- */

static void reported(void *context, uint64_t region, uint64_t offset, uint64_t length,
                     uint64_t generation)
{
    (void)context, (void)region, (void)offset, (void)length, (void)generation;
}

/* The region of `segment` under another identity. */
static struct shmfi_region *borrow(struct shmfi_segment *segment, uint64_t id, bool lent)
{
    struct shmfi_lender lender = {reported, NULL};
    struct shmfi_region *region = NULL;
    int fd = fcntl(shmfi_region_fd(segment->region, &err), F_DUPFD_CLOEXEC, 0);
    assert_int_equal(shmfi_region_adopt(id, shmfi_region_size(segment->region), fd,
                                        lent ? &lender : NULL, &region, &err),
                     0);
    return region;
}

static void test_a_region_whose_lender_is_gone_takes_no_more_segments(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(PAGE), *result = NULL, *more = NULL;
    struct shmfi_region *region = borrow(segment, 72, true);
    assert_int_equal(
        shmfi_region_admit(region, segment->offset, PAGE, segment->generation, &result, &err), 0);
    shmfi_region_retire(region);
    shmfi_region_retire(region); /* `result` keeps it */
    assert_int_equal(
        shmfi_region_admit(region, segment->offset, PAGE, segment->generation, &more, &err),
        SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "no lender"));
    shmfi_segment_unref(result);
    shmfi_segment_unref(segment);
}

static void test_without_memory_for_bookkeeping_nothing_is_taken_over(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(PAGE), *result = NULL;
    struct shmfi_lender lender = {reported, NULL};
    for (long n = 1; n <= 2; n++) { /* the region, and which of its pages are in use */
        struct shmfi_region *region = NULL;
        int fd = fcntl(shmfi_region_fd(segment->region, &err), F_DUPFD_CLOEXEC, 0);
        calls_watch();
        calls.fail_at = n;
        calls.error = ENOMEM;
        assert_int_equal(
            shmfi_region_adopt(73, shmfi_region_size(segment->region), fd, &lender, &region, &err),
            SHMF_E_NOMEM);
        calls_restore();
        assert_null(shmfi_region_find(73));
        assert_int_equal(fcntl(fd, F_GETFD), -1);
    }
    struct shmfi_region *region = borrow(segment, 73, true);
    calls_watch();
    calls.fail_at = 1;
    assert_int_equal(
        shmfi_region_admit(region, segment->offset, PAGE, segment->generation, &result, &err),
        SHMF_E_NOMEM);
    calls_restore();
    assert_int_equal(
        shmfi_region_admit(region, segment->offset, PAGE, segment->generation, &result, &err), 0);
    shmfi_segment_unref(result);
    shmfi_region_retire(region);
    shmfi_segment_unref(segment);
}

/* What a forked child does about memory that it inherited; by its exit code. */
static int give_descriptors(void *of_segment)
{
    const struct shmfi_segment *segment = of_segment;
    uint64_t id = shmfi_region_id(segment->region);
    int good = fcntl(shmfi_region_fd(segment->region, &err), F_DUPFD_CLOEXEC, 0), other = -1;
    if (shmfi_memory_disown(&err))
        return 1;
    if (shmfi_region_fd(segment->region, &err) != SHMF_E_ACCESS ||
        shmfi_region_has_fd(segment->region))
        return 2;
    if (shmfi_file_create(shmfi_region_size(segment->region), &other, &err) ||
        shmfi_region_give_fd(id, other, &err) != SHMF_E_CORRUPT)
        return 3;
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_ARRAY);
    struct shmfi_segment *seen = NULL;
    if (shmfi_segment_open(&handle, &seen, &err))
        return 4;
    shmfi_region_drop(id); /* without a descriptor, and with an object that is alive */
    if (*((uint8_t *)seen->base + 100) != 7)
        return 5;
    shmfi_segment_unref(seen);
    if (shmfi_region_give_fd(id, good, &err) != SHMF_E_STALE)
        return 6;
    return 0;
}

static void test_inherited_memory_has_no_descriptor_until_its_own_is_given(void **state)
{
    (void)state;
    struct shmfi_segment *segment = make(PAGE);
    memset((uint8_t *)segment->base + 64, 7, PAGE - 64);
    struct test_outcome outcome = test_in_child(give_descriptors, segment, 20);
    assert_int_equal(outcome.signal, 0);
    assert_int_equal(outcome.exit_code, 0);
    shmfi_segment_unref(segment);
}

#define TEST(name) cmocka_unit_test_teardown(name, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whichever_call_of_making_a_file_fails_it_is_an_error_or_not_noticed),
        TEST(test_without_huge_pages_files_are_made_of_small_ones),
        TEST(test_where_the_machine_does_not_say_what_it_has_objects_are_made),
        TEST(test_without_proc_a_reader_gets_a_copy_of_the_descriptor),
        TEST(test_reading_goes_on_when_interrupted_and_says_where_a_file_ends),
        TEST(test_sizes_that_no_file_has_are_refused),
        TEST(test_a_region_whose_lender_is_gone_takes_no_more_segments),
        TEST(test_without_memory_for_bookkeeping_nothing_is_taken_over),
        TEST(test_inherited_memory_has_no_descriptor_until_its_own_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

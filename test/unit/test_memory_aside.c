/* memory/: a segment leaves its region and keeps its file: which may, and what is refused. */
#include "memory/memory.h"

#include "base/sys.h"

#include <shmframe/format.h>

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

static struct shmfi_segment *make(uint64_t length, unsigned flags)
{
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(length, flags, &segment, &err), 0);
    return segment;
}

static struct shmf_format_header *header_of(const struct shmfi_segment *segment)
{
    return segment->base;
}

static int tidy(void **state)
{
    (void)state;
    struct shmf_memory_stats now;
    calls_restore();
    shmf_memory_trim(0);
    shmf_memory_get_stats(&now);
    return now.regions || now.used_bytes || now.foreign_regions;
}

static void assert_stays(struct shmfi_segment *segment)
{
    struct shmfi_aside aside;
    uint64_t size = header_of(segment)->total_size;
    assert_int_equal(shmfi_aside_begin(segment, &aside, &err), 0);
    assert_int_equal(header_of(segment)->total_size, size);
}

static void test_what_is_not_alone_in_its_file_stays_in_its_region(void **state)
{
    (void)state;
    struct shmfi_segment *shared = make(PAGE, 0), *grantable = make(PAGE, SHMFI_GRANTABLE);
    struct shmfi_segment *alone = make(PAGE, SHMFI_OWN_REGION), *view = NULL;
    assert_stays(shared);
    assert_stays(grantable);
    struct shmf_handle handle = shmfi_segment_handle(alone, SHMF_KIND_ARRAY);
    handle.access = SHMF_COPY_ON_WRITE;
    assert_int_equal(shmfi_segment_open(&handle, &view, &err), 0);
    assert_stays(view);
    assert_stays(alone); /* the view refers to it */
    shmfi_segment_unref(view);
    shmfi_region_taint(shmfi_region_id(alone->region)); /* somebody may write it */
    assert_stays(alone);
    shmfi_segment_unref(alone);
    shmfi_segment_unref(grantable);
    shmfi_segment_unref(shared);
}

static void test_nor_does_what_is_another_processs(void **state)
{
    (void)state;
    struct shmfi_segment *alone = make(PAGE, SHMFI_OWN_REGION), *seen = NULL;
    struct shmfi_region *region = NULL;
    int fd = fcntl(shmfi_region_fd(alone->region, &err), F_DUPFD_CLOEXEC, 0);
    assert_int_equal(
        shmfi_region_adopt(71, shmfi_region_size(alone->region), fd, NULL, &region, &err), 0);
    struct shmf_handle handle = shmfi_segment_handle(alone, SHMF_KIND_ARRAY);
    handle.region = 71;
    assert_int_equal(shmfi_segment_open(&handle, &seen, &err), 0);
    assert_stays(seen);
    shmfi_segment_unref(seen);
    shmfi_region_drop(71);
    shmfi_segment_unref(alone);
}

static void test_undoing_leaves_everything_as_it_was(void **state)
{
    (void)state;
    struct test_account before = test_account_take();
    struct shmfi_segment *segment = make(3 * PAGE, SHMFI_OWN_REGION);
    struct shmfi_aside aside;
    header_of(segment)->total_size = 2 * PAGE + 5;
    calls_watch();
    calls.fail_at = 1;
    calls.error = EMFILE;
    assert_int_equal(shmfi_aside_begin(segment, &aside, &err), SHMF_E_NOFILES);
    calls_restore();
    assert_int_equal(header_of(segment)->total_size, 2 * PAGE + 5);

    assert_int_equal(shmfi_aside_begin(segment, &aside, &err), 1);
    assert_int_equal(header_of(segment)->total_size, shmfi_region_size(segment->region));
    shmfi_aside_undo(&aside);
    assert_int_equal(header_of(segment)->total_size, 2 * PAGE + 5);
    assert_int_equal(header_of(segment)->generation, segment->generation);
    shmfi_segment_unref(segment);
    shmf_memory_trim(0);
    assert_int_equal(test_account_settle(&before), 0);
    test_account_free(&before);
}

/* Its region was a larger object's before: what that left behind the new one is gone. */
static void test_no_byte_of_a_predecessor_goes_with_it(void **state)
{
    (void)state;
    struct shmfi_segment *large = make(40 * MIB, 0);
    struct shmfi_region *region = large->region;
    memset((uint8_t *)large->base + 64, 9, large->length - 64);
    shmfi_segment_unref(large);
    struct shmfi_segment *small = make(33 * MIB + PAGE, 0);
    assert_ptr_equal(small->region, region);
    uint64_t length = small->length, size = shmfi_region_size(region);
    assert_true(length < size);
    struct shmfi_aside aside;
    assert_int_equal(shmfi_aside_begin(small, &aside, &err), 1);
    int fd = fcntl(aside.fd, F_DUPFD_CLOEXEC, 0);
    shmfi_aside_commit(&aside);
    shmfi_segment_unref(small);
    assert_int_equal(shmfi_aside_seal(&aside, &err), 0);
    assert_true(shmfi_outside_is_sealed(fd));
    uint8_t *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    assert_int_equal(test_differs_from(bytes + PAGE, length - PAGE, 9), -1);
    assert_int_equal(test_differs_from(bytes + length, size - length, 0), -1);
    munmap(bytes, size);
    close(fd);
}

static void test_what_cannot_be_sealed_is_an_error_and_its_descriptor_is_closed(void **state)
{
    (void)state;
    struct test_account before = test_account_take();
    static const struct {
        long fail_at; /* mapping the header, its advice, sealing */
        int error, expected;
    } cases[] = {{1, ENOMEM, SHMF_E_NOMEM}, {0, 0, SHMF_E_SYS}};
    for (size_t i = 0; i < 2; i++) {
        struct shmfi_segment *segment = make(PAGE, SHMFI_OWN_REGION);
        struct shmfi_aside aside;
        assert_int_equal(shmfi_aside_begin(segment, &aside, &err), 1);
        void *writer = MAP_FAILED;
        if (!cases[i].fail_at) { /* who maps it for writing */
            writer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, aside.fd, 0);
            assert_ptr_not_equal(writer, MAP_FAILED);
        }
        shmfi_aside_commit(&aside);
        shmfi_segment_unref(segment);
        calls_watch();
        calls.fail_at = cases[i].fail_at;
        calls.error = cases[i].error;
        assert_int_equal(shmfi_aside_seal(&aside, &err), cases[i].expected);
        assert_non_null(strstr(err.message, i ? "sealing" : "header"));
        calls_restore();
        if (writer != MAP_FAILED)
            munmap(writer, PAGE);
    }
    shmf_memory_trim(0);
    assert_int_equal(test_account_settle(&before), 0);
    test_account_free(&before);
}

#define TEST(name) cmocka_unit_test_teardown(name, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_is_not_alone_in_its_file_stays_in_its_region),
        TEST(test_nor_does_what_is_another_processs),
        TEST(test_undoing_leaves_everything_as_it_was),
        TEST(test_no_byte_of_a_predecessor_goes_with_it),
        TEST(test_what_cannot_be_sealed_is_an_error_and_its_descriptor_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* memory/: regions that another process may write, and what is refused on both sides. */
#include "memory/memory.h"

#include "base/sys.h"

#include <shmframe/format.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/test.h"

#define MIB (UINT64_C(1) << 20)

static struct shmf_error err;

static struct shmfi_segment *make(unsigned flags)
{
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(MIB, flags, &segment, &err), 0);
    return segment;
}

static void test_only_what_was_made_for_it_is_granted(void **state)
{
    (void)state;
    struct shmfi_segment *plain = make(SHMFI_OWN_REGION), *grantable = make(SHMFI_GRANTABLE);
    assert_false(shmfi_segment_is_grantable(plain));
    assert_true(shmfi_segment_is_grantable(grantable));
    assert_int_equal(shmfi_region_write_fd(plain->region, &err), SHMF_E_ACCESS);
    assert_true(shmfi_region_write_fd(grantable->region, &err) >= 0);
    assert_false(shmfi_region_is_writable(plain->region));
    assert_true(shmfi_region_is_writable(grantable->region));
    struct shmf_handle handle = shmfi_segment_handle(plain, SHMF_KIND_ARRAY);
    handle.access = SHMF_WRITABLE;
    struct shmfi_segment *open = NULL;
    assert_int_equal(shmfi_segment_open(&handle, &open, &err), SHMF_E_ACCESS);
    shmfi_segment_unref(plain);
    shmfi_segment_unref(grantable);
    shmf_memory_trim(0);
}

/* ---- the other side ------------------------------------------------------------------------ */

static void *no_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    (void)at, (void)size, (void)protection, (void)flags, (void)fd, (void)offset;
    errno = ENOMEM;
    return MAP_FAILED;
}

static void *no_calloc(size_t count, size_t size)
{
    (void)count, (void)size;
    return NULL;
}

struct pair {
    struct shmfi_segment *granted, *other;
    int fd, other_fd, small_fd;
};

static int give(const struct pair *pair, int fd)
{
    return shmfi_region_give_write_fd(shmfi_region_id(pair->granted->region), dup(fd), &err);
}

/* Returns the number of what did not hold. */
static int be_given(void *context)
{
    const struct pair *pair = context;
    struct shmf_handle handle = shmfi_segment_handle(pair->granted, SHMF_KIND_ARRAY);
    struct shmfi_segment *open = NULL;
    handle.access = SHMF_WRITABLE;
    if (shmfi_segment_open(&handle, &open, &err) != SHMF_E_ACCESS)
        return 1;
    if (shmfi_region_give_write_fd(4711, dup(pair->fd), &err) != SHMF_E_STALE)
        return 2;
    if (give(pair, pair->small_fd) != SHMF_E_CORRUPT ||
        give(pair, pair->other_fd) != SHMF_E_CORRUPT)
        return 3;
    struct shmfi_sys real = shmfi_sys;
    shmfi_sys.mmap = no_mmap;
    if (give(pair, pair->fd) != SHMF_E_NOMEM || shmfi_region_is_writable(pair->granted->region))
        return 4;
    shmfi_sys = real;
    if (give(pair, pair->fd) || give(pair, pair->fd) ||
        !shmfi_region_is_writable(pair->granted->region))
        return 5;
    shmfi_sys.calloc = no_calloc;
    if (shmfi_segment_open(&handle, &open, &err) != SHMF_E_NOMEM)
        return 6;
    shmfi_sys = real;
    if (shmfi_segment_open(&handle, &open, &err) || !open->writable)
        return 7;
    memset((char *)open->base + 8192, 7, 100);
    shmfi_segment_unref(open);
    return 0;
}

static void test_a_child_writes_what_it_was_given_and_no_other_descriptor_serves(void **state)
{
    (void)state;
    struct pair pair = {.granted = make(SHMFI_GRANTABLE), .other = make(SHMFI_GRANTABLE)};
    pair.fd = shmfi_region_write_fd(pair.granted->region, &err);
    pair.other_fd = shmfi_region_write_fd(pair.other->region, &err);
    pair.small_fd = memfd_create("small", MFD_CLOEXEC);
    assert_int_equal(shmfi_region_size(pair.granted->region),
                     shmfi_region_size(pair.other->region));
    /* Children close what is the owner's: these stand in for descriptors that were sent. */
    pair.fd = dup(pair.fd);
    pair.other_fd = dup(pair.other_fd);
    assert_true(test_outcome_ok(test_in_child(be_given, &pair, 60)));
    assert_int_equal(test_differs_from((char *)pair.granted->base + 8192, 100, 7), -1);
    close(pair.fd);
    close(pair.other_fd);
    close(pair.small_fd);
    shmfi_segment_unref(pair.granted);
    shmfi_segment_unref(pair.other);
    shmf_memory_trim(0);
}

static void test_a_region_that_a_dead_process_could_write_goes_with_its_object(void **state)
{
    (void)state;
    struct shmf_memory_stats stats;
    struct shmfi_segment *segment = make(SHMFI_GRANTABLE);
    uint64_t id = shmfi_region_id(segment->region);
    shmfi_region_taint(4711); /* nobody's */
    shmfi_region_taint(id);
    assert_ptr_equal(shmfi_region_find(id), segment->region); /* the object lives */
    shmfi_segment_unref(segment);
    assert_null(shmfi_region_find(id));
    segment = make(SHMFI_GRANTABLE);
    id = shmfi_region_id(segment->region);
    shmfi_segment_unref(segment); /* cached now */
    shmfi_region_taint(id);
    assert_null(shmfi_region_find(id));
    shmf_memory_get_stats(&stats);
    assert_int_equal(stats.regions, 0);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_only_what_was_made_for_it_is_granted),
        test_case(test_a_child_writes_what_it_was_given_and_no_other_descriptor_serves),
        test_case(test_a_region_that_a_dead_process_could_write_goes_with_its_object),
    };
    return cmocka_run_group_tests_name("memory: granting", tests, NULL, NULL);
}

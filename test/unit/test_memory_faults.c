/* memory/: what becomes of it when the system refuses. */
#include "memory/memory.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/test.h"

#include "memory_calls.h"

#define PAGE 4096
#define KIB  (UINT64_C(1) << 10)
#define MIB  (UINT64_C(1) << 20)

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return __LINE__ % 255 + 1;                                                             \
    } while (0)

static struct shmf_memory_stats stats(void)
{
    struct shmf_memory_stats now;
    shmf_memory_get_stats(&now);
    return now;
}

static int tidy(void **state)
{
    (void)state;
    calls_restore();
    shmf_memory_trim(0);
    bool clean = !stats().regions && !stats().used_bytes && !stats().foreign_regions;
    shmfi_memory_reset();
    return !clean;
}

/* ---- every call fails once, or from then on
 * -------------------------------------------------------- */

/* A bit of everything; returns the first failure. Whatever was made is released again. */
static int scenario(struct shmf_error *err)
{
    struct shmfi_segment *small = NULL, *large = NULL, *view = NULL, *copy = NULL, *seen = NULL;
    struct shmfi_region *foreign = NULL;
    int rc = shmfi_segment_new(100 * KIB, 0, &small, err);
    if (!rc)
        rc = shmfi_segment_new(33 * MIB, 0, &large, err);
    if (!rc) {
        memset(large->base, 1, 2 * MIB);
        struct shmf_handle handle = shmfi_segment_handle(large, SHMF_KIND_ARRAY);
        handle.access = SHMF_COPY_ON_WRITE;
        rc = shmfi_segment_open(&handle, &view, err);
    }
    if (!rc) {
        struct shmf_handle handle = shmfi_segment_handle(small, SHMF_KIND_ARRAY);
        handle.access = SHMF_PRIVATE_COPY;
        rc = shmfi_segment_open(&handle, &copy, err);
    }
    int fd = rc ? -1 : shmfi_region_fd(small->region, err);
    if (!rc && fd < 0)
        rc = fd;
    if (!rc)
        rc = shmfi_region_adopt(7, shmfi_region_size(small->region), fcntl(fd, F_DUPFD_CLOEXEC, 0),
                                NULL, &foreign, err);
    if (!rc) {
        struct shmf_handle handle = shmfi_segment_handle(small, SHMF_KIND_ARRAY);
        handle.region = 7;
        rc = shmfi_segment_open(&handle, &seen, err);
    }
    shmfi_segment_unref(seen);
    shmfi_segment_unref(view);
    shmfi_segment_unref(copy);
    shmfi_segment_unref(small);
    shmfi_segment_unref(large);
    shmfi_region_drop(7);
    return rc;
}

static bool is_expected(int rc)
{
    return rc == 0 || rc == SHMF_E_NOMEM || rc == SHMF_E_NOSPC || rc == SHMF_E_NOFILES ||
           rc == SHMF_E_SYS || rc == SHMF_E_PERM || rc == SHMF_E_UNSUPPORTED;
}

/* Returns how many calls the scenario makes when none fails. */
static long try_all(int error, bool persistent)
{
    for (long n = 1;; n++) {
        struct shmf_error err = {0};
        calls_watch();
        calls.fail_at = n;
        calls.persistent = persistent;
        calls.error = error;
        int rc = scenario(&err);
        long made = calls.all;
        calls_restore();
        shmf_memory_trim(0);
        struct shmf_memory_stats left = stats();
        if (!is_expected(rc) || rc != err.code || (rc && !err.message[0]) || left.regions ||
            left.used_bytes || left.reserved_bytes || left.foreign_regions)
            fail_msg("call %ld with %s: %d (%d %s), %llu regions left", n, strerror(error), rc,
                     err.code, err.message, (unsigned long long)left.regions);
        shmfi_memory_reset();
        if (made < n)
            return made;
    }
}

static void test_whichever_call_fails_nothing_is_lost(void **state)
{
    struct test_account before = test_account_take();
    static const int errors[] = {ENOMEM, EMFILE, EINTR, EPERM};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        assert_true(try_all(errors[i], false) > 40);
        if (errors[i] != EINTR) /* which would be tried again for ever */
            assert_true(try_all(errors[i], true) > 40);
    }
    assert_int_equal(test_account_settle(&before), 0);
    test_account_free(&before);
    (void)state;
}

/* ---- poorer kernels
 * ---------------------------------------------------------------------------------- */

static void use(uint64_t length)
{
    struct shmf_error err;
    struct shmfi_segment *segment = NULL;
    int rc = shmfi_segment_new(length, 0, &segment, &err);
    if (rc)
        fail_msg("%s", err.message);
    memset((uint8_t *)segment->base + 64, 3, segment->length - 64);
    shmfi_segment_unref(segment);
}

static void test_without_collapse_and_populate_it_works_by_fallocate(void **state)
{
    (void)state;
    static const int errors[] = {EINVAL, ENOSYS, EBUSY, ENOMEM, EAGAIN};
    for (size_t i = 0; i < 5; i++) {
        calls_watch();
        calls.collapse_error = errors[i];
        calls.populate_error = i < 2 ? errors[i] : 0;
        use(40 * MIB);
        assert_int_equal(stats().huge_bytes, 0);
        use(100 * KIB);
        assert_int_equal(test_shared_bytes(), stats().reserved_bytes);
        calls_restore();
        shmf_memory_trim(0);
        shmfi_memory_reset();
    }
}

static void test_a_kernel_that_lacks_collapse_is_asked_once(void **state)
{
    (void)state;
    calls_watch();
    calls.collapse_error = EINVAL;
    use(40 * MIB);
    long first = calls.kernel;
    shmf_memory_trim(0);
    calls.kernel = 0;
    use(40 * MIB);
    assert_true(calls.kernel < first - 15); /* nor is a page of every block obtained for it */
}

static void test_where_memfd_is_denied_a_nameless_file_does(void **state)
{
    (void)state;
    static const int errors[] = {EPERM, ENOSYS, EACCES};
    for (size_t i = 0; i < 3; i++) {
        calls_watch();
        calls.memfd_error = errors[i];
        use(100 * KIB);
        use(33 * MIB);
        struct shmf_error err;
        struct shmfi_segment *segment = NULL;
        struct shmfi_region *region = NULL;
        assert_int_equal(shmfi_segment_new(PAGE, 0, &segment, &err), 0);
        int fd = fcntl(shmfi_region_fd(segment->region, &err), F_DUPFD_CLOEXEC, 0);
        assert_int_equal(
            shmfi_region_adopt(9, shmfi_region_size(segment->region), fd, NULL, &region, &err), 0);
        shmfi_region_drop(9);
        shmfi_segment_unref(segment);
        calls_restore();
        shmf_memory_trim(0);
    }
}

static int no_tmpfile(const char *path, int flags, mode_t mode)
{
    if (!strcmp(path, "/dev/shm") || !strncmp(path, "/proc", 5)) {
        errno = ENOENT;
        return -1;
    }
    return real_sys.open(path, flags, mode);
}

static void test_without_nameless_files_and_proc_a_name_is_used_and_gone_at_once(void **state)
{
    (void)state;
    calls_watch();
    calls.memfd_error = ENOSYS;
    shmfi_sys.open = no_tmpfile;
    struct shmf_error err;
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(PAGE, 0, &segment, &err), 0);
    struct test_account account = test_account_take();
    for (size_t i = 0; i < account.count; i++)
        assert_null(strstr(account.lines[i], "entry"));
    test_account_free(&account);
    int fd = shmfi_region_fd(segment->region, &err); /* no /proc: the only one there is */
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    shmfi_segment_unref(segment);
}

static void test_old_kernels_do_not_know_noexec_seals(void **state)
{
    (void)state;
    calls_watch();
    calls.fail_at = 0;
    calls.memfd_error = EINVAL; /* whatever the flags: even then there is the fallback */
    use(PAGE);
}

/* ---- limits
 * ------------------------------------------------------------------------------------------- */

static int with_little_file_size(void *unused)
{
    struct rlimit limit = {3 * MIB, 3 * MIB};
    struct shmfi_segment *segment = NULL;
    struct shmf_error err = {0};
    (void)unused;
    HOLDS(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    HOLDS(shmfi_segment_new(33 * MIB, 0, &segment, &err) == SHMF_E_NOSPC);
    HOLDS(strstr(err.message, "RLIMIT_FSIZE"));
    for (int i = 0; i < 50; i++) { /* regions do not grow beyond the limit */
        HOLDS(shmfi_segment_new(500 * KIB, 0, &segment, &err) == 0);
        memset((uint8_t *)segment->base + 64, 1, segment->length - 64);
    }
    return 0;
}

static void test_rlimit_fsize_is_an_error_not_a_signal(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(with_little_file_size, NULL, 20)));
}

static int with_few_descriptors(void *unused)
{
    struct rlimit limit = {40, 40};
    struct shmfi_segment *segments[64] = {0};
    struct shmf_error err = {0};
    int made = 0, rc = 0;
    (void)unused;
    HOLDS(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while (!rc && made < 64) {
        rc = shmfi_segment_new(PAGE, SHMFI_OWN_REGION, &segments[made], &err);
        made += rc == 0;
    }
    HOLDS(rc == SHMF_E_NOFILES);
    HOLDS(made > 20);
    HOLDS(shmfi_region_fd(segments[0]->region, &err) == SHMF_E_NOFILES);
    /* free ones of another size are cached: their descriptors are worth more */
    for (int i = 0; i < 3; i++)
        shmfi_segment_unref(segments[i]);
    HOLDS(shmfi_segment_new(64 * PAGE, SHMFI_OWN_REGION, &segments[0], &err) == 0);
    return 0;
}

static void test_descriptors_run_out_with_an_error_and_cached_ones_are_used(void **state)
{
    (void)state;
    if (is_valgrind())
        skip(); /* it keeps this limit from the kernel */
    assert_true(test_outcome_ok(test_in_child(with_few_descriptors, NULL, 20)));
}

static int with_little_address_space(void *unused)
{
    struct shmfi_segment *segment = NULL;
    struct shmf_error err = {0};
    (void)unused;
    HOLDS(shmfi_segment_new(40 * MIB, 0, &segment, &err) == 0);
    shmfi_segment_unref(segment);
    struct rlimit limit = {400 * MIB, 400 * MIB};
    HOLDS(setrlimit(RLIMIT_AS, &limit) == 0);
    HOLDS(shmfi_segment_new(600 * MIB, 0, &segment, &err) == SHMF_E_NOMEM);
    HOLDS(shmfi_segment_new(64 * MIB, 0, &segment, &err) == 0);
    return 0;
}

static void test_address_space_runs_out_with_an_error(void **state)
{
    (void)state;
    if (is_instrumented())
        skip(); /* these tools need terabytes of it */
    assert_true(test_outcome_ok(test_in_child(with_little_address_space, NULL, 20)));
}

/* A /dev/shm of 8 MiB, and no memfd. Needs the right to mount. */
static int on_a_full_file_system(void *unused)
{
    struct shmfi_segment *segments[64];
    struct shmf_error err = {0};
    int made = 0, rc = 0;
    (void)unused;
    calls_watch();
    calls.memfd_error = EPERM;
    HOLDS(shmfi_segment_new(33 * MIB, 0, &segments[0], &err) == SHMF_E_NOSPC);
    HOLDS(stats().reserved_bytes == 0);
    while (!rc && made < 64) {
        rc = shmfi_segment_new(700 * KIB, 0, &segments[made], &err);
        if (!rc)
            memset((uint8_t *)segments[made++]->base + 64, 1, 700 * KIB - 64);
    }
    HOLDS(rc == SHMF_E_NOSPC);
    HOLDS(made >= 7 && made <= 11);
    HOLDS(stats().used_bytes == (uint64_t)made * 700 * KIB);
    while (made)
        shmfi_segment_unref(segments[--made]);
    HOLDS(shmfi_segment_new(6 * MIB, 0, &segments[0], &err) == 0); /* in their place */
    memset((uint8_t *)segments[0]->base + 64, 1, 6 * MIB - 64);
    return 0;
}

static int mount_and_run(void *unused)
{
    if (unshare(CLONE_NEWNS) || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=8m"))
        return 255;
    return on_a_full_file_system(unused);
}

static void test_a_full_file_system_is_an_error_not_a_signal(void **state)
{
    (void)state;
    struct test_outcome outcome = test_in_child(mount_and_run, NULL, 20);
    if (outcome.exit_code == 255)
        skip();
    assert_true(test_outcome_ok(outcome));
}

#define fault_test(function) cmocka_unit_test_teardown(function, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        fault_test(test_whichever_call_fails_nothing_is_lost),
        fault_test(test_without_collapse_and_populate_it_works_by_fallocate),
        fault_test(test_a_kernel_that_lacks_collapse_is_asked_once),
        fault_test(test_where_memfd_is_denied_a_nameless_file_does),
        fault_test(test_without_nameless_files_and_proc_a_name_is_used_and_gone_at_once),
        fault_test(test_old_kernels_do_not_know_noexec_seals),
        fault_test(test_rlimit_fsize_is_an_error_not_a_signal),
        fault_test(test_descriptors_run_out_with_an_error_and_cached_ones_are_used),
        fault_test(test_address_space_runs_out_with_an_error),
        fault_test(test_a_full_file_system_is_an_error_not_a_signal),
    };
    return cmocka_run_group_tests_name("memory.faults", tests, test_account_setup,
                                       test_account_teardown);
}

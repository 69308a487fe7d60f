/* Names where /dev/shm is small, and full. */
#include "unit/share_calls.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct shmf_error err;

static uint64_t free_bytes(void)
{
    struct statvfs status;
    return statvfs("/dev/shm", &status) ? 0 : (uint64_t)status.f_bfree * status.f_frsize;
}

static int count(const struct shmf_name_info *info, void *context)
{
    (void)info;
    ++*(int *)context;
    return 0;
}

static void assert_names(int expected)
{
    int n = 0;
    assert_int_equal(shmf_name_each(count, &n, &err), expected);
    assert_int_equal(n, expected);
}

static void resize(const char *size)
{
    assert_int_equal(mount("none", "/dev/shm", "tmpfs", MS_REMOUNT | MS_NOSUID | MS_NODEV, size),
                     0);
}

static void test_what_does_not_fit_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    static const int64_t sizes[] = {(1 << 20) + 1, 2 << 20, 64 << 20};
    uint64_t before = free_bytes();
    assert_true(before <= 1 << 20);
    for (int i = 0; i < 3; i++) {
        assert_null(publish_pattern("large", sizes[i], 1, NULL, &err));
        assert_int_equal(err.code, SHMF_E_NOSPC);
        assert_int_equal(free_bytes(), before);
        assert_names(0);
    }
    struct shmf_share *share = publish_pattern("fits", 600000, 2, NULL, &err);
    assert_non_null(share);
    assert_null(publish_pattern("second", 600000, 1, NULL, &err));
    assert_int_equal(err.code, SHMF_E_NOSPC);
    struct shmf_array *array = shmf_array_attach("fits", NULL, &err);
    assert_true(is_pattern(array, 600000, 2));
    assert_names(1);
    shmf_share_free(share);
    assert_true(free_bytes() < before); /* somebody is attached */
    shmf_array_free(array);
    assert_int_equal(free_bytes(), before);
    assert_names(0);
}

/* Whole huge pages are tried first, and must not be what makes it fail. */
static void test_the_last_page_can_be_used(void **state)
{
    (void)state;
    resize("size=5m");
    uint64_t before = free_bytes();
    struct shmf_share *share = publish_pattern("all", (5 << 20) - 4096, 1, NULL, &err);
    assert_non_null(share);
    assert_int_equal(free_bytes(), 0);
    struct shmf_array *array = shmf_array_attach("all", NULL, &err);
    assert_true(is_pattern(array, (5 << 20) - 4096, 1));
    shmf_array_free(array);
    shmf_share_free(share);
    assert_int_equal(free_bytes(), before);
    assert_null(publish_pattern("more", 5 << 20, 1, NULL, &err));
    assert_int_equal(err.code, SHMF_E_NOSPC);
    assert_int_equal(free_bytes(), before);
    resize("size=1m");
}

static int publish_and_die(void *context)
{
    (void)context;
    if (!publish_pattern("leftover", 600000, 1, NULL, NULL))
        return 1;
    raise(SIGKILL);
    return 1;
}

static void test_what_killed_owners_left_makes_room(void **state)
{
    (void)state;
    assert_int_equal(test_in_child(publish_and_die, NULL, 10).signal, SIGKILL);
    assert_names(1);
    struct shmf_share *share = publish_pattern("next", 600000, 1, NULL, &err);
    assert_non_null(share);
    assert_names(1);
    shmf_share_free(share);
}

static int publish_with_limit(void *context)
{
    struct rlimit limit = {100000, 100000};
    struct shmf_error why = {0};
    (void)context;
    if (setrlimit(RLIMIT_FSIZE, &limit))
        return 1;
    const int64_t size = 200000;
    struct shmf_array *array = shmf_array_new(SHMF_UINT8, 1, &size, NULL);
    return array || publish_pattern("limited", 200000, 1, NULL, &why) ? 2 : 0;
}

static int publish_beyond_limit(void *context)
{
    struct rlimit limit = {100000, 100000};
    struct shmf_error why = {0};
    struct shmf_array *array = patterned(200000, 1);
    (void)context;
    if (setrlimit(RLIMIT_FSIZE, &limit))
        return 1;
    struct shmf_share *share = shmf_array_publish(array, "limited", NULL, &why);
    shmf_array_free(array);
    return !share && why.code == SHMF_E_NOSPC ? 0 : 2;
}

static void test_a_limit_of_file_sizes_is_an_error_and_no_signal(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(publish_with_limit, NULL, 10)));
    assert_true(test_outcome_ok(test_in_child(publish_beyond_limit, NULL, 10)));
    assert_names(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_what_does_not_fit_is_an_error_and_leaves_nothing),
        test_case(test_the_last_page_can_be_used),
        test_case(test_what_killed_owners_left_makes_room),
        test_case(test_a_limit_of_file_sizes_is_an_error_and_no_signal),
    };
    test_begin();
    if (!test_own_names("size=1m")) {
        print_message("skipped: no small /dev/shm can be mounted here\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The tests' own vocabulary: children, deadlines and processes are seen as they are. */
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static int return_seven(void *context)
{
    (void)context;
    return 7;
}

static int sleep_for_ever(void *name)
{
    if (name)
        prctl(PR_SET_NAME, (unsigned long)(uintptr_t)name, 0UL, 0UL, 0UL);
    while (pause() < 0)
        ;
    return 1;
}

static int fail_an_assertion(void *context)
{
    (void)context;
    fclose(stderr);
    assert_true(false);
    return 0;
}

static void test_a_child_says_how_it_ended(void **state)
{
    (void)state;
    struct test_outcome outcome = test_in_child(return_seven, NULL, 10);
    assert_int_equal(outcome.exit_code, 7);
    assert_int_equal(outcome.signal, 0);
    assert_false(outcome.timed_out);
    assert_false(test_outcome_ok(outcome));
}

static void test_a_child_that_hangs_is_killed_at_its_deadline(void **state)
{
    (void)state;
    struct test_outcome outcome = test_in_child(sleep_for_ever, NULL, 0.05);
    assert_true(outcome.timed_out);
    assert_int_equal(outcome.signal, SIGKILL);
    assert_int_equal(outcome.exit_code, -1);
}

static void test_an_assertion_in_a_child_is_an_abort(void **state)
{
    (void)state;
    assert_int_equal(test_in_child(fail_an_assertion, NULL, 10).signal, SIGABRT);
}

static bool is_named(void *name)
{
    return test_find_named(name) != 0;
}

static void test_processes_are_found_by_name_until_they_are_gone(void **state)
{
    (void)state;
    char name[] = "shmf-w (7)";
    assert_int_equal(test_count_named("shmf-w"), 0);
    pid_t child = test_fork(sleep_for_ever, name);
    assert_true(test_wait_until(10, is_named, name));
    assert_int_equal(test_find_named(name), child);
    assert_int_equal(test_find_named("shmf-w"), 0);
    assert_int_equal(test_count_named("shmf-w"), 1);
    assert_true(test_process_alive(child));
    kill(child, SIGKILL);
    assert_true(test_process_gone(child, 10));
    assert_true(test_none_named("shmf-", 10));
    test_join(child, 10);
}

static int fork_an_orphan(void *name)
{
    test_fork(sleep_for_ever, name);
    return test_wait_until(10, is_named, name) ? 0 : 1;
}

static void test_orphans_in_a_group_of_their_own_are_still_ours(void **state)
{
    (void)state;
    char name[] = "shmf-orphan";
    assert_true(test_outcome_ok(test_in_child(fork_an_orphan, name, 10)));
    pid_t orphan = test_find_named(name);
    assert_int_not_equal(orphan, 0);
    struct test_process process;
    assert_true(test_process_read(orphan, &process));
    assert_int_not_equal(process.parent, getpid());
    kill(orphan, SIGKILL);
    assert_true(test_none_named(name, 10));
}

static void test_touching_pages_counts_as_faults(void **state)
{
    (void)state;
    enum { pages = 64 };
    size_t size = pages * 4096;
    uint64_t before = test_minor_faults();
    char *bytes = aligned_alloc(4096, size);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i += 4096)
        *(volatile char *)(bytes + i) = 1;
    uint64_t after = test_minor_faults();
    free(bytes);
    assert_true(after > before);
    assert_true(test_minor_faults_of_all() >= after);
}

static bool never(void *calls)
{
    ++*(int *)calls;
    return false;
}

static void test_waiting_ends_at_the_deadline(void **state)
{
    (void)state;
    int calls = 0;
    double start = test_now();
    assert_false(test_wait_until(0.02, never, &calls));
    assert_true(test_now() - start >= test_seconds(0.02));
    assert_true(calls > 1);
}

static void test_patterns_show_the_first_wrong_byte(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    test_fill(bytes, sizeof bytes, 42);
    assert_int_equal(test_differs(bytes, sizeof bytes, 42), -1);
    assert_int_not_equal(test_differs(bytes, sizeof bytes, 43), -1);
    bytes[777] ^= 1;
    assert_int_equal(test_differs(bytes, sizeof bytes, 42), 777);
    memset(bytes, 9, sizeof bytes);
    assert_int_equal(test_differs_from(bytes, sizeof bytes, 9), -1);
    bytes[3] = 0;
    assert_int_equal(test_differs_from(bytes, sizeof bytes, 9), 3);
}

/* In a session of its own: what is left of it would not be found by name. */
static int hang_with_a_child(void *shared)
{
    setsid();
    *(pid_t *)shared = test_fork(sleep_for_ever, NULL);
    close(STDERR_FILENO);
    open("/dev/null", O_WRONLY);
    test_deadline(1);
    return sleep_for_ever(NULL);
}

static void test_the_watchdog_ends_a_program_and_its_children(void **state)
{
    (void)state;
    pid_t *grandchild =
        mmap(NULL, sizeof *grandchild, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(grandchild, MAP_FAILED);
    struct test_outcome outcome = test_in_child(hang_with_a_child, grandchild, 60);
    pid_t pid = *grandchild;
    munmap(grandchild, sizeof *grandchild);
    assert_int_equal(outcome.exit_code, 124);
    assert_int_not_equal(pid, 0);
    assert_true(test_process_gone(pid, 10));
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_child_says_how_it_ended),
        test_case(test_a_child_that_hangs_is_killed_at_its_deadline),
        test_case(test_an_assertion_in_a_child_is_an_abort),
        test_case(test_processes_are_found_by_name_until_they_are_gone),
        test_case(test_orphans_in_a_group_of_their_own_are_still_ours),
        test_case(test_touching_pages_counts_as_faults),
        test_case(test_waiting_ends_at_the_deadline),
        test_case(test_patterns_show_the_first_wrong_byte),
        test_case(test_the_watchdog_ends_a_program_and_its_children),
    };
    return cmocka_run_group_tests_name("support: processes", tests, NULL, NULL);
}

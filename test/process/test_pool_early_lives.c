/* Early pools: who lives and dies when, in whatever order. */
#include "early_calls.h"

#include "base/sys.h"

#include <errno.h>

static void test_pools_are_made_freed_and_made_again_side_by_side(void **state)
{
    (void)state;
    start_early();
    struct shmf_pool *stays = early_pool(1);
    for (int i = 0; i < 10; i++) {
        struct shmf_pool *pool = early_pool(2);
        assert_map_squares(pool, 50, 1);
        assert_map_squares(stays, 50, 1);
        shmf_pool_free(pool);
    }
    assert_true(test_wait_named("shmf-", 3, 30));
    shmf_pool_free(stays);
    assert_true(test_wait_named("shmf-", 1, 30));
    assert_int_equal(test_count_named("shmf-early"), 1);
    shmf_early_stop();
    assert_true(test_none_named("shmf-", 30));
}

static void test_workers_that_die_are_replaced_even_after_the_early_process_has_ended(void **state)
{
    (void)state;
    start_early();
    struct shmf_pool *pool = early_pool(2);
    for (int i = 0; i < 6; i++) {
        if (i == 3)
            shmf_early_stop();
        struct shmf_future *future = submit(pool, kill_myself, NULL);
        failure_of(future, SHMF_E_WORKER_DIED);
        shmf_future_free(future);
        assert_map_squares(pool, 50, 1);
    }
    assert_int_equal(stats_of(pool).workers_died, 6);
    assert_int_equal(shmf_pool_resize(pool, 1, NULL), SHMF_OK);
    assert_map_squares(pool, 50, 1);
    shmf_pool_free(pool);
}

static void test_a_killed_early_process_costs_no_pool_that_exists(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_pool_options options = {.workers = 1, .start = SHMF_START_EARLY};
    start_early();
    struct shmf_pool *pool = early_pool(1);
    pid_t early = test_find_named("shmf-early");
    assert_true(early > 0);
    kill(early, SIGKILL);
    assert_true(test_process_gone(early, 30));
    assert_map_squares(pool, 50, 1);
    assert_null(shmf_pool_new(&options, &err));
    assert_int_equal(err.code, SHMF_E_CLOSED);
    assert_non_null(strstr(err.message, "early process"));
    shmf_early_stop();
    start_early();
    struct shmf_pool *next = early_pool(1);
    assert_map_squares(next, 50, 1);
    assert_map_squares(pool, 50, 1);
    shmf_pool_free(next);
    shmf_pool_free(pool);
    shmf_early_stop();
}

/* Killed while it makes a pool: the application hears of it, and waits for nobody. */
static void test_an_early_process_that_is_killed_meanwhile_fails_the_pool_that_is_made(void **state)
{
    (void)state;
    struct shmf_pool_options options = {.workers = 2, .start = SHMF_START_EARLY};
    for (int i = 0; i < 30; i++) {
        start_early();
        pid_t early = test_find_named("shmf-early"), killer = fork();
        if (!killer) {
            usleep((unsigned)(i * 50));
            kill(early, SIGKILL);
            _exit(0);
        }
        struct shmf_error err = {0};
        struct shmf_pool *pool = shmf_pool_new(&options, &err);
        if (pool)
            assert_map_squares(pool, 10, 1);
        else
            assert_true(err.code == SHMF_E_CLOSED || err.code == SHMF_E_POOL_BROKEN);
        assert_true(test_outcome_ok(test_join(killer, 10)));
        shmf_pool_free(pool);
        shmf_early_stop();
    }
    assert_true(test_none_named("shmf-", 30));
}

/* ---- the application's end ---------------------------------------------------------------- */

static int run_for_ever(void *context)
{
    atomic_int *runs = context;
    while (atomic_load(runs) >= 0) {
        start_early();
        struct shmf_array *array = patterned_array(100000, 1);
        struct shmf_pool *pool = early_pool(2);
        assert_map_squares(pool, 20, 1);
        atomic_fetch_add(runs, 1);
        shmf_array_free(array);
        shmf_pool_free(pool);
        shmf_early_stop();
    }
    return 0;
}

static void test_an_application_that_is_killed_at_any_moment_leaves_nothing(void **state)
{
    (void)state;
    atomic_int *runs = shared_memory(sizeof *runs);
    for (int i = 0; i < 60; i++) {
        pid_t application = test_fork(run_for_ever, runs);
        if (i % 3 == 0)
            await_count(runs, atomic_load(runs) + 1);
        usleep((unsigned)(i * 300));
        kill(application, SIGKILL);
        assert_int_equal(test_join(application, 10).signal, SIGKILL);
        assert_true(test_nothing_runs(30));
    }
    munmap(runs, sizeof *runs);
}

/* ---- congestion, and an early process that hangs ------------------------------------------- */

static struct shmfi_sys real;
static atomic_int refused, slept;

/* The first messages of this process find no room. */
static ssize_t late_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (atomic_fetch_add(&refused, 1) >= 2)
        return real.sendmsg(fd, message, flags);
    errno = EAGAIN;
    return -1;
}

static void test_an_order_that_finds_no_room_is_sent_again(void **state)
{
    (void)state;
    start_early();
    real = shmfi_sys;
    atomic_store(&refused, 0);
    shmfi_sys.sendmsg = late_sendmsg;
    struct shmf_pool *pool = early_pool(1);
    shmfi_sys = real;
    assert_true(atomic_load(&refused) > 2);
    assert_map_squares(pool, 20, 1);
    shmf_pool_free(pool);
    shmf_early_stop();
}

/* The time that one waits is over at once, the first time. */
static int impatient_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return atomic_fetch_add(&slept, 1) ? real.poll(fds, count, timeout) : 0;
}

/* This kernel's, and Valgrind's. */
static bool has_pidfds(void)
{
    int fd = shmfi_sys.pidfd_open(getpid(), 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void test_an_early_process_that_does_not_end_is_killed(void **state)
{
    (void)state;
    start_early();
    pid_t early = test_find_named("shmf-early");
    assert_true(early > 0);
    kill(early, SIGSTOP);
    real = shmfi_sys;
    atomic_store(&slept, 0);
    shmfi_sys.poll = impatient_poll;
    shmf_early_stop();
    shmfi_sys = real;
    /* Where it has no pidfd nobody can tell that the number is still its own: it is left to its
     * socket's end, which wakes it. */
    assert_int_equal(atomic_load(&slept), has_pidfds() ? 2 : 1);
    assert_true(test_process_gone(early, 30));
}

static int wait_with_a_pool(void *context)
{
    atomic_int *ready = context;
    start_early();
    struct shmf_pool *pool = early_pool(1);
    atomic_store(ready, pool != NULL);
    pause(); /* until killed */
    return 1;
}

static void test_a_stopped_early_process_ends_with_its_application_too(void **state)
{
    (void)state;
    atomic_int *ready = shared_memory(sizeof *ready);
    pid_t application = test_fork(wait_with_a_pool, ready);
    await_count(ready, 1);
    kill(test_find_named("shmf-early"), SIGSTOP);
    kill(application, SIGKILL);
    assert_int_equal(test_join(application, 10).signal, SIGKILL);
    assert_true(test_none_named("shmf-", 30));
    munmap(ready, sizeof *ready);
}

static int leave_without_a_word(void *context)
{
    (void)context;
    start_early();
    early_pool(1);
    return 0;
}

static void test_an_application_that_exits_without_a_word_leaves_nothing(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(leave_without_a_word, NULL, 20)));
    assert_true(test_nothing_runs(30));
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_pools_are_made_freed_and_made_again_side_by_side),
        test_case(test_workers_that_die_are_replaced_even_after_the_early_process_has_ended),
        test_case(test_a_killed_early_process_costs_no_pool_that_exists),
        test_case(test_an_early_process_that_is_killed_meanwhile_fails_the_pool_that_is_made),
        test_case(test_an_application_that_is_killed_at_any_moment_leaves_nothing),
        test_case(test_an_order_that_finds_no_room_is_sent_again),
        test_case(test_an_early_process_that_does_not_end_is_killed),
        test_case(test_a_stopped_early_process_ends_with_its_application_too),
        test_case(test_an_application_that_exits_without_a_word_leaves_nothing),
    };
    return cmocka_run_group_tests_name("lives of early pools", tests, NULL, NULL);
}

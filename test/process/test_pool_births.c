/* Workers that cannot be had any more: who waits for a result is told so, and does not wait for
 * ever. What is over after a moment does no harm. */
/* Valgrind keeps RLIMIT_NOFILE to itself.
 * ctest: NO_VALGRIND */
#include "pool_calls.h"

#include "base/sys.h"
#include "pool/messages.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

enum { TASKS = 20 };

static struct plan {
    atomic_int forks_that_fail;
    atomic_int unsent[SHMFI_CONTROL_RESIZE + 1]; /* messages of each type that are not taken */
    atomic_bool starts_are_fatal, starts_are_slow;
} * plan;
static pid_t application;
static pid_t (*real_fork)(void);

static pid_t fork_or_fail(void)
{
    if (getpid() == application || atomic_load(&plan->forks_that_fail) == 0)
        return real_fork();
    atomic_fetch_sub(&plan->forks_that_fail, 1);
    errno = EAGAIN;
    return -1;
}

/* As the kernel does where memory is short. */
static int be_killed_or_start(int worker, void *context)
{
    (void)worker;
    (void)context;
    if (atomic_load(&plan->starts_are_fatal))
        raise(SIGKILL);
    if (atomic_load(&plan->starts_are_slow))
        test_sleep(0.1);
    return 0;
}

static int die_or_return(struct shmf_task *task, void *context)
{
    if (shmf_task_index(task) < 2)
        raise(SIGKILL);
    return return_index(task, context);
}

static void all_forks_fail(void)
{
    atomic_store(&plan->forks_that_fail, 1000000);
}

static void some_forks_fail(void)
{
    atomic_store(&plan->forks_that_fail, 8);
}

static void all_starts_are_fatal(void)
{
    atomic_store(&plan->starts_are_fatal, true);
}

/* The workers' sockets cannot be received any more: each is ended, before it takes a task. */
static void there_is_no_room(void)
{
    atomic_store(&plan->starts_are_slow, true);
    struct rlimit limit = {3, 3};
    if (setrlimit(RLIMIT_NOFILE, &limit))
        abort();
}

/* The workers that are there die of the first two tasks; what happens then comes from `hinder`. */
static int lose_all_workers(void *hinder)
{
    application = getpid();
    real_fork = shmfi_sys.fork;
    shmfi_sys.fork = fork_or_fail;
    struct shmf_pool *pool =
        pool_with(&(struct shmf_pool_options){.workers = 2, .initializer = be_killed_or_start});
    ((void (*)(void))hinder)();
    struct shmf_iter *iter = map_count(pool, die_or_return, TASKS);
    struct shmf_result *result;
    struct shmf_error err = {0};
    int rc, good = 0;
    while ((rc = shmf_iter_next(iter, &result, &err)) == 1) {
        good += shmf_result_status(result) == SHMF_OK;
        shmf_result_free(result);
    }
    if (rc)
        fprintf(stderr, "%s: %s\n", shmf_status_name(rc), err.message);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    if (rc)
        return err.message[0] ? -rc : 1;
    return good == TASKS - 2 ? 0 : 2;
}

static void test_an_application_does_not_wait_for_workers_that_cannot_be_had(void **state)
{
    (void)state;
    void (*const hinder[])(void) = {all_forks_fail, all_starts_are_fatal, there_is_no_room};
    enum { WAYS = sizeof hinder / sizeof *hinder };
    pid_t children[WAYS];
    plan = shared_memory(sizeof *plan * WAYS);
    struct plan *first = plan;
    for (int i = 0; i < WAYS; i++, plan++)
        children[i] = test_fork(lose_all_workers, (void *)hinder[i]);
    for (int i = 0; i < WAYS; i++) {
        struct test_outcome outcome = test_join(children[i], 40);
        if (outcome.exit_code != -SHMF_E_POOL_BROKEN)
            fail_msg("way %d: exit code %d, signal %d%s", i, outcome.exit_code, outcome.signal,
                     outcome.timed_out ? ", timed out" : "");
    }
    assert_true(test_none_named("shmf-", 30));
    munmap(first, sizeof *plan * WAYS);
}

static void test_forks_that_fail_for_a_moment_delay_tasks_only(void **state)
{
    (void)state;
    plan = shared_memory(sizeof *plan);
    assert_true(test_outcome_ok(test_in_child(lose_all_workers, (void *)some_forks_fail, 20)));
    assert_int_equal(atomic_load(&plan->forks_that_fail), 0);
    munmap(plan, sizeof *plan);
}

/* ---- what the supervisor cannot say at once ------------------------------------------------ */

static ssize_t send_or_not(int fd, const struct msghdr *message, int flags)
{
    const struct shmfi_control *control = message->msg_iov->iov_base;
    if (getpid() == application || message->msg_iov->iov_len != sizeof *control ||
        atomic_load(&plan->unsent[control->type]) == 0)
        return sendmsg(fd, message, flags);
    atomic_fetch_sub(&plan->unsent[control->type], 1);
    errno = EAGAIN;
    return -1;
}

static pid_t first_pid;

static bool has_another_pid(void *pool)
{
    pid_t pid = (pid_t)shmf_pool_worker_pid(pool, 0);
    return pid && pid != first_pid;
}

static void test_what_the_supervisor_cannot_say_at_once_it_says_later(void **state)
{
    (void)state;
    static const enum shmfi_control_type types[] = {SHMFI_CONTROL_SPAWNING, SHMFI_CONTROL_SPAWNED,
                                                    SHMFI_CONTROL_EXITED};
    struct shmfi_sys sys = shmfi_sys;
    plan = shared_memory(sizeof *plan);
    application = getpid();
    shmfi_sys.sendmsg = send_or_not;
    struct shmf_pool *pool = pool_of(1);
    first_pid = worker_pid(pool, 0);
    for (size_t i = 0; i < 3; i++)
        atomic_store(&plan->unsent[types[i]], 5);
    end_worker(pool, 0);
    assert_true(test_wait_until(30, has_another_pid, pool));
    assert_counts_up(map_count(pool, return_index, 10), 10);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(atomic_load(&plan->unsent[types[i]]), 0);
    shmf_pool_free(pool);
    shmfi_sys = sys;
    munmap(plan, sizeof *plan);
}

/* ---- an older kernel ----------------------------------------------------------------------- */

static int no_pidfd(pid_t pid, unsigned flags)
{
    (void)pid, (void)flags;
    errno = ENOSYS;
    return -1;
}

static int refuse_to_start(int worker, void *context)
{
    (void)worker, (void)context;
    return 1;
}

static void test_workers_that_cannot_start_are_given_up_without_pidfds_too(void **state)
{
    (void)state;
    struct shmfi_sys sys = shmfi_sys;
    struct shmf_error err = {0};
    struct shmf_result *result;
    shmfi_sys.pidfd_open = no_pidfd;
    struct shmf_pool *pool =
        pool_with(&(struct shmf_pool_options){.workers = 1, .initializer = refuse_to_start});
    struct shmf_iter *iter = map_count(pool, return_index, 1);
    assert_int_equal(shmf_iter_next(iter, &result, &err), SHMF_E_POOL_BROKEN);
    assert_non_null(strstr(err.message, "the last by exit status 1"));
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    shmfi_sys = sys;
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_an_application_does_not_wait_for_workers_that_cannot_be_had),
        test_case(test_forks_that_fail_for_a_moment_delay_tasks_only),
        test_case(test_what_the_supervisor_cannot_say_at_once_it_says_later),
        test_case(test_workers_that_cannot_start_are_given_up_without_pidfds_too),
    };
    return cmocka_run_group_tests_name("pool: workers that cannot be had", tests, NULL, NULL);
}

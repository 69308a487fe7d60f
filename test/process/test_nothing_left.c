/* Whatever ends, and however: no process, no descriptor, no shared memory stays behind. */
#include "support/test.h"

#include <shmframe/shmframe.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 2, MEGABYTE = 1 << 20 };

/* A result of a megabyte, of the bytes that belong to the task's index. */
static int patterned(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){MEGABYTE});
    if (!array)
        return SHMF_E_TASK;
    test_fill(shmf_array_data_mut(array), MEGABYTE, (uint64_t)shmf_task_index(task));
    return shmf_task_return_array(task, array);
}

/* The same, but the second task never ends. */
static int patterned_or_endless(struct shmf_task *task, void *context)
{
    while (shmf_task_index(task) == 1)
        pause();
    return patterned(task, context);
}

static struct shmf_pool *new_pool(void)
{
    struct shmf_pool_options options = {.workers = WORKERS};
    struct shmf_error err = {0};
    struct shmf_pool *pool = shmf_pool_new(&options, &err);
    if (!pool)
        fail_msg("%s", err.message);
    return pool;
}

static struct shmf_iter *map(struct shmf_pool *pool, shmf_task_fn fn, int64_t count)
{
    struct shmf_tasks tasks = {.count = count};
    struct shmf_imap_options options = {.unordered = 1};
    struct shmf_error err = {0};
    struct shmf_iter *iter = shmf_pool_imap(pool, fn, &tasks, &options, &err);
    if (!iter)
        fail_msg("%s", err.message);
    return iter;
}

static bool is_right(struct shmf_result *result)
{
    const struct shmf_array *array = shmf_result_array(result);
    return array &&
           test_differs(shmf_array_data(array), MEGABYTE, (uint64_t)shmf_result_index(result)) < 0;
}

/* When shmf_pool_free() returns, processes are gone, not just going. (Under Valgrind, which lacks
 * pidfds, the supervisor may be in its last moment.) */
static bool processes_are_gone(void)
{
    return test_slowness() > 1 ? test_none_named("shmf-", 30) : test_count_named("shmf-") == 0;
}

/* ---- the application ends properly -------------------------------------------------------- */

static void test_a_pool_that_was_used_and_freed_leaves_nothing(void **state)
{
    (void)state;
    struct shmf_pool *pool = new_pool();
    assert_true(test_wait_named("shmf-w", WORKERS, 30));
    assert_true(test_wait_named("shmf-super", 1, 30));
    struct shmf_iter *iter = map(pool, patterned, 20);
    struct shmf_result *result;
    struct shmf_error err = {0};
    int n = 0;
    for (; shmf_iter_next(iter, &result, &err) > 0; n++) {
        assert_true(is_right(result));
        shmf_result_free(result);
    }
    assert_int_equal(n, 20);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    assert_true(processes_are_gone());
}

static void test_a_pool_freed_in_the_middle_leaves_nothing_but_results(void **state)
{
    (void)state;
    struct shmf_pool *pool = new_pool();
    struct shmf_iter *iter = map(pool, patterned_or_endless, 20);
    struct shmf_result *result;
    struct shmf_error err = {0};
    assert_int_equal(shmf_iter_next(iter, &result, &err), 1);
    shmf_pool_free(pool);
    assert_true(processes_are_gone());
    assert_true(is_right(result));
    shmf_result_free(result);
    shmf_iter_free(iter);
}

static int exit_without_free(void *context)
{
    (void)context;
    struct shmf_result *result;
    struct shmf_error err = {0};
    struct shmf_iter *iter = map(new_pool(), patterned_or_endless, 20);
    if (shmf_iter_next(iter, &result, &err) != 1)
        return 1;
    shmf_result_free(result);
    return 0;
}

static void test_an_application_that_exits_without_freeing_leaves_nothing(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(exit_without_free, NULL, 30)));
    assert_true(test_none_named("shmf-", 30));
}

/* ---- somebody is killed ------------------------------------------------------------------- */

/* An application in the middle of its work; says so through the pipe. */
static int work_until_killed(void *pipe_end)
{
    struct shmf_result *result;
    struct shmf_error err = {0};
    struct shmf_iter *iter = map(new_pool(), patterned_or_endless, 1000);
    if (shmf_iter_next(iter, &result, &err) != 1 || write(*(int *)pipe_end, "x", 1) != 1)
        return 1;
    shmf_result_free(result);
    while (shmf_iter_next(iter, &result, &err) > 0)
        shmf_result_free(result);
    for (;;) /* the supervisor was killed first; our turn comes */
        pause();
}

static pid_t start_application(void)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t application = test_fork(work_until_killed, &ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    assert_true(test_wait_named("shmf-super", 1, 30));
    assert_true(test_wait_named("shmf-w", WORKERS, 30));
    assert_true(test_shared_bytes() >= MEGABYTE);
    return application;
}

static void test_after_kill_9_of_the_application_nothing_is_left(void **state)
{
    (void)state;
    pid_t application = start_application();
    kill(application, SIGKILL);
    assert_true(test_none_named("shmf-", 30));
    assert_int_equal(test_shared_bytes(), 0);
    assert_int_equal(test_join(application, 10).signal, SIGKILL);
}

static void test_a_stopped_supervisor_ends_with_its_application_too(void **state)
{
    (void)state;
    pid_t application = start_application();
    kill(test_find_named("shmf-super"), SIGSTOP);
    kill(application, SIGKILL);
    assert_true(test_none_named("shmf-", 30));
    assert_int_equal(test_join(application, 10).signal, SIGKILL);
}

static void test_after_kill_9_of_all_at_once_nothing_is_left(void **state)
{
    (void)state;
    pid_t application = start_application();
    pid_t all[1 + WORKERS] = {test_find_named("shmf-super"), test_find_named("shmf-w0"),
                              test_find_named("shmf-w1")};
    for (size_t i = 0; i < 1 + WORKERS; i++)
        if (all[i] > 0)
            kill(all[i], SIGKILL);
    kill(application, SIGKILL);
    assert_true(test_none_named("shmf-", 30));
    assert_int_equal(test_shared_bytes(), 0);
    assert_int_equal(test_join(application, 10).signal, SIGKILL);
}

static void test_a_killed_supervisor_breaks_the_pool_and_leaves_nothing(void **state)
{
    (void)state;
    struct shmf_pool *pool = new_pool();
    struct shmf_iter *iter = map(pool, patterned_or_endless, 20);
    struct shmf_result *result;
    struct shmf_error err = {0};
    assert_true(test_wait_named("shmf-super", 1, 30));
    kill(test_find_named("shmf-super"), SIGKILL);
    int rc;
    while ((rc = shmf_iter_next(iter, &result, &err)) > 0) {
        assert_true(is_right(result) || shmf_result_status(result) < 0);
        shmf_result_free(result);
    }
    assert_int_equal(rc, SHMF_E_POOL_BROKEN);
    assert_true(test_none_named("shmf-", 30));
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_pool_that_was_used_and_freed_leaves_nothing),
        test_case(test_a_pool_freed_in_the_middle_leaves_nothing_but_results),
        test_case(test_an_application_that_exits_without_freeing_leaves_nothing),
        test_case(test_after_kill_9_of_the_application_nothing_is_left),
        test_case(test_a_stopped_supervisor_ends_with_its_application_too),
        test_case(test_after_kill_9_of_all_at_once_nothing_is_left),
        test_case(test_a_killed_supervisor_breaks_the_pool_and_leaves_nothing),
    };
    return cmocka_run_group_tests_name("nothing is left", tests, NULL, NULL);
}

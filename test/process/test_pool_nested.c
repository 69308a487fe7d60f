/* Pools inside workers, and pools side by side. */
#include "future_calls.h"

#include <shmframe/map.h>

/* ---- pools inside workers ----------------------------------------------------------------- */

enum { DEPTH = 3, WIDTH = 2, SIZE = 10000 };

/* What processes of all depths tell each other. */
struct tree {
    atomic_int leaves;     /* tasks that run at the lowest level */
    atomic_int hold;       /* leaves wait while it is set */
    atomic_int pid[DEPTH]; /* of one worker of each depth */
    int kill_at;           /* a worker of this depth ends itself; 0: none */
    atomic_int killed;
};

struct level {
    struct tree *tree;
    int depth;
};

static int run_level(struct shmf_task *task, void *context);

/* The sum of what the tasks of one more pool return. */
static int run_pool(struct shmf_task *task, struct level *level)
{
    struct shmf_pool_options how = {.workers = WIDTH};
    struct shmf_error err = {0};
    struct shmf_pool *pool = shmf_pool_new(&how, &err);
    if (!pool)
        return shmf_task_fail(task, err.code, "%s", err.message);
    struct shmf_tasks tasks = {.count = 3, .context = level};
    struct shmf_iter *iter = shmf_pool_imap(pool, run_level, &tasks, NULL, &err);
    struct shmf_result *result;
    double sum = 0;
    int rc = 0, status = 0;
    while (iter && (rc = shmf_iter_next(iter, &result, &err)) > 0) {
        const struct shmf_failure *failure = shmf_result_failure(result);
        if (failure && !status)
            status = shmf_task_fail(task, failure->code, "below: %s", failure->message);
        sum += shmf_result_double(result);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    if (!iter || rc)
        return shmf_task_fail(task, err.code, "%s", err.message);
    return status ? status : shmf_task_return_double(task, sum);
}

static int run_level(struct shmf_task *task, void *context)
{
    struct level level = *(struct level *)context;
    struct tree *tree = level.tree;
    atomic_store(&tree->pid[level.depth - 1], getpid());
    if (level.depth == tree->kill_at && shmf_task_index(task) == 1 &&
        !atomic_exchange(&tree->killed, 1))
        raise(SIGKILL);
    if (level.depth < DEPTH) {
        level.depth++;
        return run_pool(task, &level);
    }
    atomic_fetch_add(&tree->leaves, 1);
    while (atomic_load(&tree->hold))
        usleep(500);
    return shmf_task_return_double(task, 1);
}

static void test_pools_inside_workers_three_deep_give_all_results(void **state)
{
    (void)state;
    struct tree *tree = shared_memory(sizeof *tree);
    struct level level = {tree, 1};
    struct shmf_pool *pool = pool_of(WIDTH);
    struct shmf_tasks tasks = {.count = 3, .context = &level};
    struct shmf_iter *iter = map(pool, run_level, &tasks, NULL);
    for (int i = 0; i < 3; i++)
        assert_true(next_double(iter) == 9);
    assert_ends(iter);
    shmf_iter_free(iter);
    assert_int_equal(atomic_load(&tree->leaves), 27);
    shmf_pool_free(pool);
    assert_true(test_none_named("shmf-", 30));
    munmap(tree, sizeof *tree);
}

static void test_a_worker_that_dies_costs_its_own_task_at_whatever_depth(void **state)
{
    (void)state;
    for (int depth = 1; depth <= DEPTH; depth++) {
        struct tree *tree = shared_memory(sizeof *tree);
        tree->kill_at = depth;
        struct level level = {tree, 1};
        struct shmf_pool *pool = pool_of(WIDTH);
        struct shmf_tasks tasks = {.count = 3, .context = &level};
        struct shmf_iter *iter = map(pool, run_level, &tasks, NULL);
        int lost = 0;
        for (int i = 0; i < 3; i++) {
            struct shmf_result *result = next_any(iter);
            lost += shmf_result_status(result) == SHMF_E_WORKER_DIED;
            const struct shmf_failure *failure = shmf_result_failure(result);
            if (failure && failure->code != SHMF_E_WORKER_DIED)
                fail_msg("%s: %s", shmf_status_name(failure->code), failure->message);
            assert_true(failure || shmf_result_double(result) == 9);
            shmf_result_free(result);
        }
        assert_int_equal(lost, 1);
        shmf_iter_free(iter);
        shmf_pool_free(pool);
        assert_true(test_none_named("shmf-", 30));
        munmap(tree, sizeof *tree);
    }
}

static bool none_below(void *context)
{
    struct tree *tree = context;
    return !test_process_alive(atomic_load(&tree->pid[1])) &&
           !test_process_alive(atomic_load(&tree->pid[2]));
}

static void test_killing_a_worker_ends_all_that_its_own_pool_runs(void **state)
{
    (void)state;
    struct tree *tree = shared_memory(sizeof *tree);
    struct level level = {tree, 1};
    struct shmf_pool *pool = pool_of(1);
    atomic_store(&tree->hold, 1);
    struct shmf_future *future = submit(pool, run_level, &level);
    await_count(&tree->leaves, WIDTH * WIDTH);
    kill(atomic_load(&tree->pid[0]), SIGKILL);
    failure_of(future, SHMF_E_WORKER_DIED);
    shmf_future_free(future);
    assert_true(test_wait_until(30, none_below, tree));
    atomic_store(&tree->hold, 0);
    future = submit(pool, run_level, &level); /* the successor does as well */
    assert_true(number_of(future) == 9);
    shmf_pool_free(pool);
    assert_true(test_none_named("shmf-", 30));
    munmap(tree, sizeof *tree);
}

static void test_killing_a_worker_in_the_middle_is_an_error_above_and_an_end_below(void **state)
{
    (void)state;
    struct tree *tree = shared_memory(sizeof *tree);
    struct level level = {tree, 1};
    struct shmf_pool *pool = pool_of(1);
    atomic_store(&tree->hold, 1);
    struct shmf_future *future = submit(pool, run_level, &level);
    await_count(&tree->leaves, WIDTH * WIDTH);
    int top = atomic_load(&tree->pid[0]);
    kill(atomic_load(&tree->pid[1]), SIGKILL);
    test_sleep(0.05);
    atomic_store(&tree->hold, 0);
    const struct shmf_failure *failure = failure_of(future, SHMF_E_WORKER_DIED);
    assert_int_equal(strncmp(failure->message, "below: ", 7), 0);
    assert_int_equal(failure->pid, top); /* it failed, it did not die */
    assert_int_equal(failure->signal, 0);
    assert_int_equal(shmf_pool_worker_pid(pool, 0), top);
    shmf_future_free(future);
    assert_true(number_of(submit(pool, run_level, &level)) == 9);
    shmf_pool_free(pool);
    assert_true(test_none_named("shmf-", 30));
    munmap(tree, sizeof *tree);
}

static void test_freeing_the_outer_pool_ends_the_pools_inside_its_workers(void **state)
{
    (void)state;
    struct tree *tree = shared_memory(sizeof *tree);
    struct level level = {tree, 1};
    struct shmf_pool *pool = pool_of(2);
    atomic_store(&tree->hold, 1);
    struct shmf_future *futures[2] = {submit(pool, run_level, &level),
                                      submit(pool, run_level, &level)};
    await_count(&tree->leaves, 2 * WIDTH * WIDTH);
    shmf_pool_free(pool);
    assert_true(test_none_named("shmf-", 30));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(shmf_future_wait(futures[i], -1, NULL), SHMF_E_CLOSED);
        shmf_future_free(futures[i]);
    }
    munmap(tree, sizeof *tree);
}

/* A worker hands its input on to its own workers, and their results to the application. */
static int check_input(struct shmf_task *task, void *context)
{
    (void)context;
    const struct shmf_array *array = shmf_task_array(task, 0);
    if (!is_patterned(array, SIZE, 5))
        return shmf_task_fail(task, SHMF_E_CORRUPT, "not the input");
    return return_patterned(task, SIZE, (uint64_t)shmf_task_index(task));
}

static int hand_on(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_pool_options how = {.workers = WIDTH};
    struct shmf_error err = {0};
    struct shmf_handle handle = shmf_task_handle(task, 0);
    struct shmf_tasks tasks = {.count = 6, .handles = &handle, .n_handles = 1};
    if (!is_patterned(shmf_task_array(task, 0), SIZE, 5))
        return shmf_task_fail(task, SHMF_E_CORRUPT, "not the input");
    struct shmf_pool *pool = shmf_pool_new(&how, &err);
    struct shmf_iter *iter = pool ? shmf_pool_imap(pool, check_input, &tasks, NULL, &err) : NULL;
    struct shmf_result *result;
    double right = 0;
    while (iter && shmf_iter_next(iter, &result, &err) > 0) {
        right += is_patterned(shmf_result_array(result), SIZE, (uint64_t)shmf_result_index(result));
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    if (err.code)
        return shmf_task_fail(task, err.code, "%s", err.message);
    return shmf_task_return_double(task, right);
}

static void test_a_workers_own_workers_see_its_inputs_and_it_sees_their_results(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    struct shmf_array *array = patterned_array(SIZE, 5); /* newer than the pool's workers */
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_tasks tasks = {.count = 6, .handles = &handle, .n_handles = 1};
    struct shmf_iter *iter = map(pool, hand_on, &tasks, NULL);
    for (int i = 0; i < 6; i++)
        assert_true(next_double(iter) == 6);
    shmf_iter_free(iter);
    shmf_array_free(array);
    shmf_pool_free(pool);
}

static int use_the_outer_pool(struct shmf_task *task, void *context)
{
    struct shmf_error err = {0};
    struct shmf_pool *outer = *(struct shmf_pool **)context;
    struct shmf_future *future = shmf_pool_submit(outer, return_pid, NULL, NULL, &err);
    return shmf_task_return_double(task, future ? 0 : err.code);
}

static void test_a_worker_cannot_use_the_pool_that_it_belongs_to(void **state)
{
    (void)state;
    struct shmf_pool *first = pool_of(1);
    struct shmf_pool **known = shared_memory(sizeof *known);
    struct shmf_pool *pool = pool_of(1); /* its worker has inherited the first */
    *known = first;
    assert_true(number_of(submit(pool, use_the_outer_pool, known)) == SHMF_E_WRONG_PROCESS);
    shmf_pool_free(pool);
    shmf_pool_free(first);
    munmap(known, sizeof *known);
}

/* ---- pools side by side ------------------------------------------------------------------- */

static void test_two_pools_side_by_side_do_not_mix_their_tasks(void **state)
{
    (void)state;
    enum { count = 500 };
    struct shmf_pool *pools[2] = {pool_of(2), pool_of(3)};
    struct shmf_iter *iters[2];
    struct shmf_future *futures[2][20];
    for (int p = 0; p < 2; p++) {
        iters[p] = map_count(pools[p], return_index, count);
        for (int i = 0; i < 20; i++)
            futures[p][i] = submit_number(pools[p], return_number, 100 * p + i, NULL);
    }
    for (int i = 0; i < count; i++)
        for (int p = 0; p < 2; p++)
            assert_true(next_double(iters[p]) == i);
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < 20; i++)
            assert_true(number_of(futures[p][i]) == 100 * p + i);
    for (int p = 0; p < 2; p++) {
        assert_ends(iters[p]);
        shmf_iter_free(iters[p]);
        assert_int_equal(stats_of(pools[p]).tasks_done, count + 20);
    }
    shmf_pool_free(pools[0]);
    assert_counts_up(map_count(pools[1], return_index, 50), 50);
    shmf_pool_free(pools[1]);
}

static int pass_on(struct shmf_task *task, void *context)
{
    (void)context;
    const struct shmf_array *array = shmf_task_array(task, 0);
    if (!is_patterned(array, SIZE, 1))
        return shmf_task_fail(task, SHMF_E_CORRUPT, "not what the other pool made");
    return return_patterned(task, SIZE, 2);
}

static int make_first(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, SIZE, 1);
}

static void test_results_of_one_pool_are_inputs_of_another(void **state)
{
    (void)state;
    struct shmf_pool *first = pool_of(2), *second = pool_of(2);
    for (int round = 0; round < 50; round++) {
        struct shmf_future *made = submit(first, make_first, NULL);
        assert_int_equal(status_of(made), SHMF_OK);
        struct shmf_handle handle = shmf_array_handle(shmf_result_array(shmf_future_result(made)));
        struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
        struct shmf_future *passed = submit_with(second, pass_on, &input, NULL);
        shmf_future_free(made); /* the task keeps it */
        assert_int_equal(status_of(passed), SHMF_OK);
        assert_true(is_patterned(shmf_result_array(shmf_future_result(passed)), SIZE, 2));
        shmf_future_free(passed);
    }
    shmf_pool_free(first);
    shmf_pool_free(second);
}

static void test_a_pool_goes_on_when_its_neighbour_is_killed_or_freed(void **state)
{
    (void)state;
    for (int killed = 0; killed < 2; killed++) {
        struct shmf_pool *neighbour = pool_of(2);
        pid_t supervisor = supervisor_pid(2);
        struct shmf_pool *pool = pool_of(2);
        struct shmf_iter *iter = map_count(pool, return_index, 200);
        for (int i = 0; i < 100; i++)
            assert_true(next_double(iter) == i);
        if (killed)
            kill(supervisor, SIGKILL);
        else
            shmf_pool_free(neighbour);
        for (int i = 100; i < 200; i++)
            assert_true(next_double(iter) == i);
        assert_ends(iter);
        shmf_iter_free(iter);
        if (killed) {
            struct shmf_error err = {0};
            assert_true(test_wait_named("shmf-w", 2, 30)); /* its workers went with it */
            struct shmf_result *result = shmf_pool_apply(neighbour, return_pid, NULL, NULL, &err);
            assert_null(result);
            assert_int_equal(err.code, SHMF_E_POOL_BROKEN);
            shmf_pool_free(neighbour);
        }
        assert_counts_up(map_count(pool, return_index, 50), 50);
        shmf_pool_free(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_pools_inside_workers_three_deep_give_all_results),
        test_case(test_a_worker_that_dies_costs_its_own_task_at_whatever_depth),
        test_case(test_killing_a_worker_ends_all_that_its_own_pool_runs),
        test_case(test_killing_a_worker_in_the_middle_is_an_error_above_and_an_end_below),
        test_case(test_freeing_the_outer_pool_ends_the_pools_inside_its_workers),
        test_case(test_a_workers_own_workers_see_its_inputs_and_it_sees_their_results),
        test_case(test_a_worker_cannot_use_the_pool_that_it_belongs_to),
        test_case(test_two_pools_side_by_side_do_not_mix_their_tasks),
        test_case(test_results_of_one_pool_are_inputs_of_another),
        test_case(test_a_pool_goes_on_when_its_neighbour_is_killed_or_freed),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Single tasks whose future or pool is freed or somebody else's, and calls that make no sense. */
#include "future_calls.h"

/* ---- letting go --------------------------------------------------------------------------- */

static void
test_freeing_a_future_revokes_a_task_that_waits_and_lets_one_that_runs_finish(void **state)
{
    (void)state;
    enum { waiting = 100 };
    struct signals *signals = new_signals();
    struct shmf_pool_options how = {.workers = 1, .window = 10};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *running = submit(pool, wait_for_go, signals);
    await_count(&signals->started, 1);
    struct shmf_future *futures[waiting]; /* on the board, and behind it in the backlog */
    for (int i = 0; i < waiting; i++)
        futures[i] = submit(pool, wait_for_go, signals);
    for (int i = 0; i < waiting; i += 3)
        shmf_future_free(futures[i]);
    for (int i = waiting - 1; i > 0; i--)
        if (i % 3)
            shmf_future_free(futures[i]);
    shmf_future_free(running);
    atomic_store(&signals->go, 1);
    assert_true(number_of(submit(pool, return_pid, NULL)) == (double)worker_pid(pool, 0));
    assert_int_equal(atomic_load(&signals->started), 1);
    assert_int_equal(stats_of(pool).workers_died, 0);
    assert_int_equal(stats_of(pool).tasks_done, 1);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_futures_of_a_freed_pool_say_so_and_keep_their_results(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool_options how = {.workers = 2, .window = 2};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *done = submit_number(pool, return_square, 3, NULL);
    assert_int_equal(status_of(done), SHMF_OK);
    struct shmf_future *futures[5];
    for (int i = 0; i < 5; i++)
        futures[i] = submit(pool, wait_for_go, signals);
    await_count(&signals->started, 2);
    shmf_pool_free(pool);
    for (int i = 0; i < 5; i++) {
        struct shmf_error err = {0};
        assert_int_equal(shmf_future_done(futures[i]), 1);
        assert_int_equal(shmf_future_wait(futures[i], -1, &err), SHMF_E_CLOSED);
        assert_int_equal(err.code, SHMF_E_CLOSED);
        assert_null(shmf_future_result(futures[i]));
        assert_int_equal(shmf_future_cancel(futures[i]), SHMF_E_CLOSED);
        shmf_future_free(futures[i]);
    }
    assert_int_equal(shmf_future_cancel(done), 1);
    assert_true(number_of(done) == 9);
    free_signals(signals);
}

/* ---- wrong calls -------------------------------------------------------------------------- */

static void assert_refused(struct shmf_pool *pool, shmf_task_fn fn,
                           const struct shmf_task_input *input,
                           const struct shmf_submit_options *options, const char *what)
{
    struct shmf_error err = {0};
    assert_null(shmf_pool_submit(pool, fn, input, options, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    if (!strstr(err.message, what))
        fail_msg("'%s' does not name %s", err.message, what);
    assert_null(shmf_pool_submit(pool, fn, input, options, NULL));
}

static void test_wrong_arguments_are_refused_by_name(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_task_input no_arg = {.arg_size = 8}, no_handles = {.n_handles = 1};
    struct shmf_submit_options attempts = {.attempts = -1}, past = {.deadline_seconds = -1},
                               nan = {.deadline_seconds = strtod("nan", NULL)},
                               reserved = {.reserved = {[6] = 1}};
    assert_refused(NULL, return_pid, NULL, NULL, "pool");
    assert_refused(pool, NULL, NULL, NULL, "fn");
    assert_refused(pool, return_pid, &no_arg, NULL, "arg");
    assert_refused(pool, return_pid, &no_handles, NULL, "handles");
    assert_refused(pool, return_pid, NULL, &attempts, "attempts");
    assert_refused(pool, return_pid, NULL, &past, "deadline_seconds");
    assert_refused(pool, return_pid, NULL, &nan, "deadline_seconds");
    assert_refused(pool, return_pid, NULL, &reserved, "reserved");
    assert_int_equal(shmf_future_done(NULL), 0);
    assert_int_equal(shmf_future_wait(NULL, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_future_cancel(NULL), SHMF_E_INVAL);
    assert_null(shmf_future_result(NULL));
    assert_null(shmf_future_take(NULL));
    shmf_future_free(NULL);
    shmf_pool_free(pool);
}

static void test_a_stale_handle_is_refused_when_the_task_is_submitted(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *array = patterned_array(1000, 1);
    struct shmf_handle handle = shmf_array_handle(array);
    shmf_array_free(array);
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    struct shmf_error err = {0};
    assert_null(shmf_pool_submit(pool, return_pid, &input, NULL, &err));
    assert_int_equal(err.code, SHMF_E_STALE);
    assert_non_null(strstr(err.message, "handles[0]"));
    shmf_pool_free(pool);
}

/* Where no slot is free a task waits with a copy of its input: as large as it says, or refused. */
static void test_an_impossible_size_is_refused_when_the_task_would_have_to_wait(void **state)
{
    (void)state;
    struct shmf_pool_options small = {.workers = 1, .window = 1};
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_with(&small);
    struct shmf_future *first = submit(pool, wait_for_go, signals);
    struct shmf_future *second = submit(pool, wait_for_go, signals);
    struct shmf_array *array = patterned_array(10, 1);
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_task_input inputs[] = {
        {.handles = &handle, .n_handles = SIZE_MAX / sizeof handle + 2}, /* the product wraps */
        {.handles = &handle, .n_handles = SIZE_MAX},
        {.arg = &handle, .arg_size = SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct shmf_error err = {0};
        assert_null(shmf_pool_submit(pool, wait_for_go, &inputs[i], NULL, &err));
        assert_int_equal(err.code, SHMF_E_TOOBIG);
        assert_non_null(strstr(err.message, inputs[i].arg_size ? "arg_size" : "n_handles"));
    }
    atomic_store(&signals->go, 1);
    assert_true(number_of(first) == 1 && number_of(second) == 1);
    shmf_array_free(array);
    shmf_pool_free(pool);
    free_signals(signals);
}

struct forked {
    struct shmf_pool *pool;
    struct shmf_future *future;
};

static int use_in_child(void *context)
{
    struct forked *forked = context;
    struct shmf_error err = {0};
    if (shmf_pool_submit(forked->pool, return_pid, NULL, NULL, &err) ||
        err.code != SHMF_E_WRONG_PROCESS)
        return 1;
    if (shmf_future_wait(forked->future, -1, &err) != SHMF_E_WRONG_PROCESS)
        return 2;
    if (shmf_future_done(forked->future) ||
        shmf_future_cancel(forked->future) != SHMF_E_WRONG_PROCESS)
        return 3;
    if (shmf_pool_progress(forked->pool, &err) != SHMF_E_WRONG_PROCESS ||
        shmf_pool_fd(forked->pool) != SHMF_E_WRONG_PROCESS)
        return 4;
    if (shmf_pool_join(forked->pool, -1, &err) != SHMF_E_WRONG_PROCESS ||
        shmf_pool_close(forked->pool) != SHMF_E_WRONG_PROCESS)
        return 5;
    shmf_future_free(forked->future);
    shmf_pool_free(forked->pool);
    return 0;
}

static void test_a_forked_child_cannot_use_the_futures_of_its_parent(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct forked forked = {.pool = pool_of(2)};
    forked.future = submit(forked.pool, wait_for_go, signals);
    assert_true(test_outcome_ok(test_in_child(use_in_child, &forked, 10)));
    atomic_store(&signals->go, 1);
    assert_true(number_of(forked.future) == 1);
    shmf_pool_free(forked.pool);
    free_signals(signals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_freeing_a_future_revokes_a_task_that_waits_and_lets_one_that_runs_finish),
        test_case(test_futures_of_a_freed_pool_say_so_and_keep_their_results),
        test_with_workers(test_wrong_arguments_are_refused_by_name),
        test_inline(test_wrong_arguments_are_refused_by_name),
        test_with_workers(test_a_stale_handle_is_refused_when_the_task_is_submitted),
        test_inline(test_a_stale_handle_is_refused_when_the_task_is_submitted),
        test_case(test_an_impossible_size_is_refused_when_the_task_would_have_to_wait),
        test_case(test_a_forked_child_cannot_use_the_futures_of_its_parent),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Single tasks: submitted now, waited for, looked at, taken, let go of. */
#include "future_calls.h"

/* ---- results ------------------------------------------------------------------------------ */

static void test_a_submitted_task_gives_its_result(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    assert_true(number_of(submit_number(pool, return_square, 7, NULL)) == 49);
    shmf_pool_free(pool);
}

static void test_futures_give_their_own_results_in_whatever_order_they_are_asked(void **state)
{
    enum { count = 200 };
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_future *futures[count];
    for (int i = 0; i < count; i++)
        futures[i] = submit_number(pool, return_square, i, NULL);
    for (int i = count - 1; i >= 0; i -= 2)
        assert_true(number_of(futures[i]) == (double)i * i);
    for (int i = 0; i < count; i += 2)
        assert_true(number_of(futures[i]) == (double)i * i);
    assert_int_equal(stats_of(pool).tasks_done, count);
    shmf_pool_free(pool);
}

static int return_size_of_arg(struct shmf_task *task, void *context)
{
    (void)context;
    size_t size = shmf_task_arg_size(task);
    if (test_differs(shmf_task_arg(task), size, size) >= 0)
        return shmf_task_fail(task, SHMF_E_CORRUPT, "the argument has changed");
    return return_patterned(task, size, size + 1);
}

static void test_arguments_are_copied_when_the_task_is_submitted(void **state)
{
    static const size_t sizes[] = {1, 100, 880, 881, 5000, 3 << 20};
    enum { count = sizeof sizes / sizeof *sizes, rounds = 20 };
    struct shmf_pool_options how = {.workers = *(int *)*state, .window = 4};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *futures[rounds][count];
    uint8_t *bytes = malloc(sizes[count - 1]);
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++) {
            struct shmf_task_input input = {.arg = bytes, .arg_size = sizes[i]};
            test_fill(bytes, sizes[i], sizes[i]);
            futures[round][i] = submit_with(pool, return_size_of_arg, &input, NULL);
            memset(bytes, 0, sizes[i]); /* the caller's again */
        }
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++) {
            assert_int_equal(status_of(futures[round][i]), SHMF_OK);
            struct shmf_result *result = shmf_future_result(futures[round][i]);
            assert_true(is_patterned(shmf_result_array(result), sizes[i], sizes[i] + 1));
            shmf_future_free(futures[round][i]);
        }
    free(bytes);
    shmf_pool_free(pool);
}

static int check_array(struct shmf_task *task, void *context)
{
    const struct shmf_array *array = shmf_task_array(task, 0);
    if (!array)
        return SHMF_E_TASK;
    return shmf_task_return_double(task, is_patterned(array, 100000, *(uint64_t *)context));
}

static void test_an_input_lives_until_the_task_is_done_even_where_it_waits_for_a_slot(void **state)
{
    enum { count = 30 };
    static uint64_t seed = 3;
    struct shmf_pool_options how = {.workers = *(int *)*state, .window = 2};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *futures[count];
    for (int i = 0; i < count; i++) {
        struct shmf_array *array = patterned_array(100000, seed);
        struct shmf_handle handle = shmf_array_handle(array);
        struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
        struct shmf_submit_options options = {.context = &seed};
        futures[i] = submit_with(pool, check_array, &input, &options);
        shmf_array_free(array);
    }
    for (int i = 0; i < count; i++)
        assert_true(number_of(futures[i]) == 1);
    shmf_pool_free(pool);
}

static int fail_thus(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_fail(task, SHMF_E_NOTFOUND, "no tree is called %s", "Ygg");
}

static void test_a_task_that_fails_is_a_result_with_its_reason(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_future *future = submit(pool, fail_thus, NULL);
    const struct shmf_failure *failure = failure_of(future, SHMF_E_NOTFOUND);
    assert_string_equal(failure->message, "no tree is called Ygg");
    assert_true(shmf_result_double(shmf_future_result(future)) !=
                shmf_result_double(shmf_future_result(future))); /* NaN */
    shmf_future_free(future);
    shmf_pool_free(pool);
}

static void test_a_result_that_was_taken_outlives_future_and_pool(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    size_t size = 1 << 20;
    uint8_t *bytes = malloc(size);
    test_fill(bytes, size, size);
    struct shmf_task_input input = {.arg = bytes, .arg_size = size};
    struct shmf_future *future = submit_with(pool, return_size_of_arg, &input, NULL);
    free(bytes);
    assert_int_equal(status_of(future), SHMF_OK);
    struct shmf_result *result = shmf_future_take(future);
    assert_non_null(result);
    assert_null(shmf_future_take(future));
    assert_null(shmf_future_result(future));
    assert_int_equal(shmf_future_done(future), 1);
    assert_int_equal(shmf_future_wait(future, 0, NULL), SHMF_OK);
    shmf_future_free(future);
    shmf_pool_free(pool);
    assert_true(is_patterned(shmf_result_array(result), size, size + 1));
    shmf_result_free(result);
}

static int return_seed_and_context(struct shmf_task *task, void *context)
{
    return shmf_task_return_double(task, (double)shmf_task_seed(task) + *(double *)context +
                                             1000 * shmf_task_attempt(task));
}

static int return_its_number(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_return_double(task, (double)shmf_task_index(task));
}

static void test_a_task_has_the_number_that_it_was_given(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_submit_options options = {.index = 1000000007};
    assert_true(number_of(submit_with(pool, return_its_number, NULL, &options)) == 1000000007);
    shmf_pool_free(pool);
}

static void test_context_and_seed_reach_the_task(void **state)
{
    static double half = 0.5;
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_submit_options options = {.context = &half, .seed = 42};
    assert_true(number_of(submit_with(pool, return_seed_and_context, NULL, &options)) == 1042.5);
    shmf_pool_free(pool);
}

static void test_apply_waits_for_the_result(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_error err = {0};
    for (int i = 0; i < 50; i++) {
        double number = i;
        struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
        struct shmf_result *result = shmf_pool_apply(pool, return_square, &input, NULL, &err);
        assert_non_null(result);
        assert_true(shmf_result_double(result) == number * number);
        shmf_result_free(result);
    }
    struct shmf_result *result = shmf_pool_apply(pool, fail_thus, NULL, NULL, &err);
    assert_non_null(result);
    assert_int_equal(shmf_result_status(result), SHMF_E_NOTFOUND);
    shmf_result_free(result);
    shmf_pool_close(pool);
    assert_null(shmf_pool_apply(pool, fail_thus, NULL, NULL, &err));
    assert_int_equal(err.code, SHMF_E_CLOSED);
    shmf_pool_free(pool);
}

/* ---- waiting and looking ------------------------------------------------------------------ */

static void test_waiting_ends_on_time_and_the_task_goes_on(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(2);
    struct shmf_future *future = submit(pool, wait_for_go, signals);
    struct shmf_error err = {0};
    static const double seconds[] = {0, 0.001, 0.05, 0.2};
    for (int i = 0; i < 4; i++) {
        double start = test_now();
        assert_int_equal(shmf_future_wait(future, seconds[i], &err), SHMF_E_TIMEOUT);
        double waited = test_now() - start;
        assert_int_equal(err.code, SHMF_E_TIMEOUT);
        assert_true(waited >= seconds[i]);
        assert_true(waited < seconds[i] + test_seconds(60));
        assert_int_equal(shmf_future_done(future), 0);
        assert_null(shmf_future_result(future));
        assert_null(shmf_future_take(future));
    }
    atomic_store(&signals->go, 1);
    assert_true(number_of(future) == 1);
    shmf_pool_free(pool);
    free_signals(signals);
}

static bool is_done(void *future)
{
    return shmf_future_done(future);
}

static void test_looking_alone_brings_the_result(void **state)
{
    (void)state;
    enum { count = 100 };
    struct shmf_pool_options how = {.workers = 2, .window = 4};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *futures[count];
    for (int i = 0; i < count; i++)
        futures[i] = submit_number(pool, return_number, i, NULL);
    assert_true(test_wait_until(30, is_done, futures[count - 1]));
    for (int i = 0; i < count; i++)
        assert_true(number_of(futures[i]) == i);
    shmf_pool_free(pool);
}

static void test_looking_alone_notices_that_a_worker_died(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    struct shmf_future *future = submit(pool, kill_myself, NULL);
    assert_true(test_wait_until(30, is_done, future));
    failure_of(future, SHMF_E_WORKER_DIED);
    shmf_future_free(future);
    shmf_pool_free(pool);
}

static void test_progress_alone_brings_results_and_counts_them(void **state)
{
    (void)state;
    enum { count = 100 };
    struct shmf_pool_options how = {.workers = 2, .window = 4};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *futures[count];
    struct shmf_error err = {0};
    for (int i = 0; i < count; i++)
        futures[i] = submit_number(pool, return_number, i, NULL);
    uint64_t before = stats_of(pool).tasks_done, came = 0;
    double end = test_now() + test_seconds(60);
    while (before + came < count && test_now() < end) {
        int rc = shmf_pool_progress(pool, &err);
        assert_true(rc >= 0);
        came += (uint64_t)rc;
    }
    assert_int_equal(before + came, count);
    for (int i = 0; i < count; i++) {
        assert_non_null(shmf_future_result(futures[i]));
        assert_true(number_of(futures[i]) == i);
    }
    shmf_pool_free(pool);
}

/* ---- callbacks ---------------------------------------------------------------------------- */

struct calls {
    struct shmf_future *future;
    int count;
    int status;
    double value;
};

static void note_call(struct shmf_future *future, void *user)
{
    struct calls *calls = user;
    calls->count++;
    calls->future = future;
    struct shmf_result *result = shmf_future_result(future);
    calls->status = shmf_result_status(result);
    calls->value = shmf_result_double(result);
}

static int fail_when_odd(struct shmf_task *task, void *context)
{
    (void)context;
    double number = number_arg(task);
    if ((int)number % 2)
        return SHMF_E_RANGE;
    return shmf_task_return_double(task, number);
}

static void test_done_fn_is_called_once_for_success_and_for_failure(void **state)
{
    enum { count = 100 };
    struct shmf_pool_options how = {.workers = *(int *)*state, .window = 7};
    struct shmf_pool *pool = pool_with(&how);
    struct calls calls[count] = {{0}};
    struct shmf_future *futures[count];
    for (int i = 0; i < count; i++) {
        double number = i;
        struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
        struct shmf_submit_options options = {.done_fn = note_call, .user = &calls[i]};
        futures[i] = submit_with(pool, fail_when_odd, &input, &options);
    }
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    for (int i = 0; i < count; i++) {
        assert_int_equal(calls[i].count, 1);
        assert_ptr_equal(calls[i].future, futures[i]);
        assert_int_equal(calls[i].status, i % 2 ? SHMF_E_RANGE : SHMF_OK);
        if (i % 2 == 0)
            assert_true(calls[i].value == i);
        shmf_future_free(futures[i]);
    }
    shmf_pool_free(pool);
    for (int i = 0; i < count; i++)
        assert_int_equal(calls[i].count, 1);
}

static void take_and_free(struct shmf_future *future, void *user)
{
    struct shmf_result *result = shmf_future_take(future);
    *(double *)user = shmf_result_double(result);
    shmf_result_free(result);
}

static void test_done_fn_may_take_and_free_the_result(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    double value = 0, number = 5;
    struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
    struct shmf_submit_options options = {.done_fn = take_and_free, .user = &value};
    struct shmf_future *future = submit_with(pool, return_square, &input, &options);
    assert_int_equal(shmf_future_wait(future, -1, NULL), SHMF_OK);
    assert_true(value == 25);
    assert_null(shmf_future_result(future));
    shmf_future_free(future);
    shmf_pool_free(pool);
}

static void test_done_fn_is_called_for_a_task_that_lost_its_worker(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    struct calls calls = {0};
    struct shmf_submit_options options = {.done_fn = note_call, .user = &calls};
    struct shmf_future *future = submit_with(pool, kill_myself, NULL, &options);
    failure_of(future, SHMF_E_WORKER_DIED);
    assert_int_equal(calls.count, 1);
    assert_int_equal(calls.status, SHMF_E_WORKER_DIED);
    shmf_future_free(future);
    shmf_pool_free(pool);
}

static void test_done_fn_is_not_called_for_a_future_that_was_freed(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(1);
    struct calls calls = {0};
    struct shmf_submit_options options = {.context = signals, .done_fn = note_call, .user = &calls};
    struct shmf_future *future = submit_with(pool, wait_for_go, NULL, &options);
    await_count(&signals->started, 1);
    shmf_future_free(future);
    atomic_store(&signals->go, 1);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    assert_int_equal(calls.count, 0);
    shmf_pool_free(pool);
    free_signals(signals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_a_submitted_task_gives_its_result),
        test_inline(test_a_submitted_task_gives_its_result),
        test_with_workers(test_futures_give_their_own_results_in_whatever_order_they_are_asked),
        test_inline(test_futures_give_their_own_results_in_whatever_order_they_are_asked),
        test_with_workers(test_arguments_are_copied_when_the_task_is_submitted),
        test_inline(test_arguments_are_copied_when_the_task_is_submitted),
        test_with_workers(
            test_an_input_lives_until_the_task_is_done_even_where_it_waits_for_a_slot),
        test_inline(test_an_input_lives_until_the_task_is_done_even_where_it_waits_for_a_slot),
        test_with_workers(test_a_task_that_fails_is_a_result_with_its_reason),
        test_inline(test_a_task_that_fails_is_a_result_with_its_reason),
        test_with_workers(test_a_result_that_was_taken_outlives_future_and_pool),
        test_inline(test_a_result_that_was_taken_outlives_future_and_pool),
        test_with_workers(test_a_task_has_the_number_that_it_was_given),
        test_inline(test_a_task_has_the_number_that_it_was_given),
        test_with_workers(test_context_and_seed_reach_the_task),
        test_inline(test_context_and_seed_reach_the_task),
        test_with_workers(test_apply_waits_for_the_result),
        test_inline(test_apply_waits_for_the_result),
        test_case(test_waiting_ends_on_time_and_the_task_goes_on),
        test_case(test_looking_alone_brings_the_result),
        test_case(test_looking_alone_notices_that_a_worker_died),
        test_case(test_progress_alone_brings_results_and_counts_them),
        test_with_workers(test_done_fn_is_called_once_for_success_and_for_failure),
        test_inline(test_done_fn_is_called_once_for_success_and_for_failure),
        test_with_workers(test_done_fn_may_take_and_free_the_result),
        test_inline(test_done_fn_may_take_and_free_the_result),
        test_case(test_done_fn_is_called_for_a_task_that_lost_its_worker),
        test_case(test_done_fn_is_not_called_for_a_future_that_was_freed),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tasks that are ended before they are done: cancelled or past their deadline; and tasks that
 * start again. Whatever happens to one, its neighbours go on undisturbed. */
#include "future_calls.h"

static void assert_cancelled(struct shmf_future *future)
{
    const struct shmf_failure *failure = failure_of(future, SHMF_E_CANCELLED);
    assert_non_null(strstr(failure->message, "cancelled"));
    assert_int_equal(shmf_future_cancel(future), 1);
}

/* ---- cancelling --------------------------------------------------------------------------- */

static void count_call(struct shmf_future *future, void *user)
{
    assert_non_null(shmf_future_result(future));
    ++*(int *)user;
}

static void test_a_task_that_waits_is_revoked_at_once_and_never_runs(void **state)
{
    (void)state;
    enum { window = 8, count = 50 }; /* the first on the board, the rest in the backlog */
    struct signals *signals = new_signals();
    struct shmf_pool_options how = {.workers = 1, .window = window};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *running = submit(pool, wait_for_go, signals), *futures[count];
    await_count(&signals->started, 1);
    int calls = 0;
    struct shmf_submit_options options = {
        .context = signals, .done_fn = count_call, .user = &calls};
    for (int i = 0; i < count; i++)
        futures[i] = submit_with(pool, wait_for_go, NULL, &options);
    for (int i = 0; i < count; i++) {
        assert_int_equal(shmf_future_cancel(futures[i]), 0);
        assert_int_equal(calls, i + 1);
        assert_int_equal(shmf_future_done(futures[i]), 1);
        assert_cancelled(futures[i]);
        shmf_future_free(futures[i]);
    }
    atomic_store(&signals->go, 1);
    assert_true(number_of(running) == 1);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    assert_int_equal(atomic_load(&signals->started), 1);
    assert_int_equal(calls, count);
    assert_int_equal(stats_of(pool).workers_died, 0);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_a_cancelled_task_leaves_its_place_in_the_queue_to_the_next(void **state)
{
    (void)state;
    enum { count = 60 };
    struct signals *signals = new_signals();
    struct shmf_pool_options how = {.workers = 1, .window = 6};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *running = submit(pool, wait_for_go, signals), *futures[count];
    for (int i = 0; i < count; i++)
        futures[i] = submit_number(pool, return_square, i, NULL);
    for (int i = count - 1; i >= 0; i -= 2)
        assert_int_equal(shmf_future_cancel(futures[i]), 0);
    atomic_store(&signals->go, 1);
    for (int i = 0; i < count; i += 2)
        assert_true(number_of(futures[i]) == (double)i * i);
    for (int i = 1; i < count; i += 2) {
        assert_cancelled(futures[i]);
        shmf_future_free(futures[i]);
    }
    assert_true(number_of(running) == 1);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_a_task_that_runs_is_ended_with_its_worker_and_no_other_is(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(2);
    long rounds = test_rounds(30);
    for (long round = 0; round < rounds; round++) {
        struct shmf_future *victim = submit(pool, wait_for_go, signals);
        struct shmf_future *neighbour = submit(pool, wait_for_go, signals);
        await_count(&signals->started, 2);
        assert_int_equal(shmf_future_cancel(victim), 0);
        assert_cancelled(victim);
        const struct shmf_failure *failure = shmf_result_failure(shmf_future_result(victim));
        assert_int_equal(failure->signal, SIGKILL);
        assert_true(failure->pid > 0 && failure->worker >= 0);
        shmf_future_free(victim);
        assert_int_equal(shmf_future_done(neighbour), 0);
        atomic_store(&signals->go, 1);
        assert_true(number_of(neighbour) == 1);
        memset(signals, 0, sizeof *signals);
    }
    assert_int_equal(stats_of(pool).workers_died, rounds);
    shmf_pool_free(pool);
    free_signals(signals);
}

/* The task may wait, run or be done when it is cancelled: it is one or the other, and whoever
 * comes after it in the same worker is not hit. */
static void test_cancelling_at_any_moment_hits_that_task_or_nothing(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    long rounds = test_rounds(1500);
    int cancelled = 0, done = 0;
    for (long round = 0; round < rounds; round++) {
        struct shmf_future *futures[6];
        for (int i = 0; i < 6; i++)
            futures[i] = submit_number(pool, return_number, i, NULL);
        for (volatile long spin = round * 7 % 2000; spin > 0; spin--)
            continue;
        shmf_future_cancel(futures[round % 6]);
        for (int i = 0; i < 6; i++) {
            if (status_of(futures[i]) == SHMF_OK) {
                assert_true(shmf_result_double(shmf_future_result(futures[i])) == i);
                done++;
            } else {
                assert_int_equal(i, round % 6);
                assert_int_equal(status_of(futures[i]), SHMF_E_CANCELLED);
                cancelled++;
            }
            shmf_future_free(futures[i]);
        }
    }
    assert_int_equal(cancelled + done, 6 * rounds);
    assert_true(done >= 5 * rounds);
    shmf_pool_free(pool);
}

static void test_all_running_tasks_may_be_cancelled_at_once(void **state)
{
    (void)state;
    enum { workers = 4 };
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(workers);
    struct shmf_future *futures[workers];
    for (int i = 0; i < workers; i++)
        futures[i] = submit(pool, wait_for_go, signals);
    await_count(&signals->started, workers);
    for (int i = 0; i < workers; i++) {
        assert_int_equal(shmf_future_cancel(futures[i]), 0);
        assert_int_equal(shmf_future_cancel(futures[i]), 0); /* twice is once */
    }
    for (int i = 0; i < workers; i++) {
        assert_cancelled(futures[i]);
        shmf_future_free(futures[i]);
    }
    for (int i = 0; i < 20; i++)
        assert_true(number_of(submit_number(pool, return_square, i, NULL)) == (double)i * i);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_a_cancelled_task_does_not_start_again(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(1);
    struct shmf_submit_options options = {.context = signals, .attempts = 5};
    struct shmf_future *future = submit_with(pool, wait_for_go, NULL, &options);
    await_count(&signals->started, 1);
    assert_int_equal(shmf_future_cancel(future), 0);
    assert_cancelled(future);
    shmf_future_free(future);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    assert_int_equal(atomic_load(&signals->started), 1);
    assert_int_equal(stats_of(pool).tasks_retried, 0);
    shmf_pool_free(pool);
    free_signals(signals);
}

static int ignore_signals(struct shmf_task *task, void *context)
{
    for (int number = 1; number < NSIG; number++)
        if (number != SIGSEGV && number != SIGBUS)
            signal(number, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    return wait_for_go(task, context);
}

static void test_a_task_that_ignores_all_signals_is_ended_all_the_same(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(1);
    struct shmf_future *future = submit(pool, ignore_signals, signals);
    await_count(&signals->started, 1);
    kill(worker_pid(pool, 0), SIGTERM);
    test_sleep(0.05);
    assert_int_equal(shmf_future_done(future), 0); /* it does ignore them */
    assert_int_equal(shmf_future_cancel(future), 0);
    assert_cancelled(future);
    shmf_future_free(future);
    struct shmf_submit_options options = {.context = signals, .deadline_seconds = 0.1};
    future = submit_with(pool, ignore_signals, NULL, &options);
    failure_of(future, SHMF_E_TIMEOUT);
    shmf_future_free(future);
    future = submit(pool, ignore_signals, signals);
    shmf_pool_free(pool); /* does not wait for it either */
    shmf_future_free(future);
    free_signals(signals);
}

/* ---- deadlines ---------------------------------------------------------------------------- */

static void test_a_task_past_its_deadline_is_ended_on_time_and_its_neighbours_go_on(void **state)
{
    (void)state;
    enum { neighbours = 3, late = 4 };
    double deadline = test_seconds(0.15);
    struct signals *endless = new_signals(), *signals = new_signals();
    struct shmf_pool *pool = pool_of(neighbours + 1);
    struct shmf_future *futures[neighbours], *victims[late];
    for (int i = 0; i < neighbours; i++)
        futures[i] = submit(pool, wait_for_go, signals);
    await_count(&signals->started, neighbours);
    struct shmf_submit_options options = {.context = endless, .deadline_seconds = deadline};
    double start = test_now();
    for (int i = 0; i < late; i++) /* one after the other in the worker that is left */
        victims[i] = submit_with(pool, wait_for_go, NULL, &options);
    for (int i = 0; i < late; i++) {
        const struct shmf_failure *failure = failure_of(victims[i], SHMF_E_TIMEOUT);
        assert_non_null(strstr(failure->message, "deadline"));
        assert_true(test_now() - start >= (i + 1) * deadline);
        assert_true(test_now() - start < (i + 1) * deadline + test_seconds(60));
        shmf_future_free(victims[i]);
    }
    assert_true(atomic_load(&endless->started) <= late); /* its worker may not have come so far */
    atomic_store(&signals->go, 1);
    for (int i = 0; i < neighbours; i++)
        assert_true(number_of(futures[i]) == 1);
    assert_int_equal(stats_of(pool).workers_died, late);
    shmf_pool_free(pool);
    free_signals(endless);
    free_signals(signals);
}

static void test_tasks_that_keep_their_deadline_are_not_touched(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_submit_options options = {.deadline_seconds = 60};
    for (int i = 0; i < 300; i++) {
        double number = i;
        struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
        assert_true(number_of(submit_with(pool, return_square, &input, &options)) ==
                    number * number);
    }
    assert_int_equal(stats_of(pool).tasks_failed, 0);
    shmf_pool_free(pool);
}

static void test_a_task_past_its_deadline_does_not_start_again(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(1);
    struct shmf_submit_options options = {
        .context = signals, .attempts = 3, .deadline_seconds = test_seconds(0.1)};
    struct shmf_future *future = submit_with(pool, wait_for_go, NULL, &options);
    failure_of(future, SHMF_E_TIMEOUT);
    shmf_future_free(future);
    assert_true(number_of(submit_number(pool, return_square, 3, NULL)) == 9);
    assert_true(atomic_load(&signals->started) <= 1); /* its worker may not have come so far */
    assert_int_equal(stats_of(pool).tasks_retried, 0);
    shmf_pool_free(pool);
    free_signals(signals);
}

/* ---- attempts ----------------------------------------------------------------------------- */

static int die_before_attempt(struct shmf_task *task, void *context)
{
    if (shmf_task_attempt(task) < *(int *)context)
        raise(SIGKILL);
    return shmf_task_return_double(task, 100 * shmf_task_attempt(task) + number_arg(task));
}

static void test_an_idempotent_task_starts_again_until_it_is_done(void **state)
{
    (void)state;
    static int needed = 4;
    struct shmf_pool *pool = pool_of(2);
    double number = 7;
    struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
    struct shmf_submit_options options = {.context = &needed, .attempts = 4};
    assert_true(number_of(submit_with(pool, die_before_attempt, &input, &options)) == 407);
    assert_int_equal(stats_of(pool).tasks_retried, 3);
    options.attempts = 3;
    struct shmf_future *future = submit_with(pool, die_before_attempt, &input, &options);
    assert_int_equal(failure_of(future, SHMF_E_WORKER_DIED)->attempts, 3);
    shmf_future_free(future);
    shmf_pool_free(pool);
}

static int fail_always(struct shmf_task *task, void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
    return shmf_task_fail(task, SHMF_E_TASK, "no");
}

static void test_a_task_that_fails_by_itself_does_not_start_again(void **state)
{
    atomic_int *ran = shared_memory(sizeof *ran);
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_submit_options options = {.context = ran, .attempts = 5};
    struct shmf_future *future = submit_with(pool, fail_always, NULL, &options);
    failure_of(future, SHMF_E_TASK);
    assert_int_equal(atomic_load(ran), 1);
    shmf_future_free(future);
    shmf_pool_free(pool);
    munmap(ran, sizeof *ran);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_a_task_that_waits_is_revoked_at_once_and_never_runs),
        test_case(test_a_cancelled_task_leaves_its_place_in_the_queue_to_the_next),
        test_case(test_a_task_that_runs_is_ended_with_its_worker_and_no_other_is),
        test_case(test_cancelling_at_any_moment_hits_that_task_or_nothing),
        test_case(test_all_running_tasks_may_be_cancelled_at_once),
        test_case(test_a_cancelled_task_does_not_start_again),
        test_case(test_a_task_that_ignores_all_signals_is_ended_all_the_same),
        test_case(test_a_task_past_its_deadline_is_ended_on_time_and_its_neighbours_go_on),
        test_with_workers(test_tasks_that_keep_their_deadline_are_not_touched),
        test_inline(test_tasks_that_keep_their_deadline_are_not_touched),
        test_case(test_a_task_past_its_deadline_does_not_start_again),
        test_case(test_an_idempotent_task_starts_again_until_it_is_done),
        test_with_workers(test_a_task_that_fails_by_itself_does_not_start_again),
        test_inline(test_a_task_that_fails_by_itself_does_not_start_again),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

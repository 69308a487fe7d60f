/* One pool, several threads of the application. */
/* ctest: LABELS threads */
#include "thread_calls.h"

#include <shmframe/map.h>

/* ---- submitting and waiting --------------------------------------------------------------- */

static const char *check_number(struct shmf_future *future, double wanted)
{
    if (shmf_future_wait(future, -1, NULL))
        return "wait failed";
    struct shmf_result *result = shmf_future_result(future);
    if (!result || shmf_result_status(result) || shmf_result_double(result) != wanted)
        return "wrong result";
    shmf_future_free(future);
    return NULL;
}

static struct shmf_future *submit_in_thread(struct shmf_pool *pool, double number,
                                            struct shmf_submit_options *options)
{
    struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
    return shmf_pool_submit(pool, return_square, &input, options, NULL);
}

static const char *submit_and_wait(int thread, void *context)
{
    enum { batch = 20 };
    long rounds = test_rounds(200);
    for (long round = 0; round < rounds; round++) {
        struct shmf_future *futures[batch];
        for (int i = 0; i < batch; i++)
            futures[i] = submit_in_thread(context, 1000 * thread + i, NULL);
        for (int i = 0; i < batch; i++) {
            double number = 1000 * thread + i;
            const char *wrong = futures[i] ? check_number(futures[i], number * number) : "refused";
            if (wrong)
                return wrong;
        }
    }
    return NULL;
}

static void test_threads_submit_and_wait_on_one_pool(void **state)
{
    struct shmf_pool_options how = {.workers = *(int *)*state, .window = 16};
    struct shmf_pool *pool = pool_with(&how);
    run_in_threads(submit_and_wait, pool);
    assert_int_equal(stats_of(pool).tasks_failed, 0);
    assert_int_equal(stats_of(pool).tasks_done, THREADS * 20 * test_rounds(200));
    shmf_pool_free(pool);
}

static void test_threads_on_an_inline_pool_run_their_own_tasks(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(SHMF_INLINE);
    run_in_threads(submit_and_wait, pool);
    shmf_pool_free(pool);
}

/* done_fn may be called in any thread that is inside the pool; it has returned when the waiting
 * thread knows that its task is done. */
static void set_seen(struct shmf_future *future, void *user)
{
    int *seen = user; /* no atomic: the library orders it */
    *seen += shmf_result_double(shmf_future_result(future)) >= 0;
}

static const char *look_and_call(int thread, void *context)
{
    long rounds = test_rounds(1000);
    for (long round = 0; round < rounds; round++) {
        int seen = 0;
        struct shmf_submit_options options = {.done_fn = set_seen, .user = &seen};
        struct shmf_future *future = submit_in_thread(context, thread, &options);
        if (!future)
            return "refused";
        if (round % 2)
            shmf_future_wait(future, -1, NULL);
        while (!shmf_future_done(future))
            sched_yield();
        if (seen != 1)
            return "done before done_fn was called, or called twice";
        shmf_result_free(shmf_future_take(future));
        shmf_future_free(future);
    }
    return NULL;
}

static void test_done_fn_has_returned_when_the_owner_learns_that_its_task_is_done(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    run_in_threads(look_and_call, pool);
    shmf_pool_free(pool);
}

static const char *iterate_or_map(int thread, void *context)
{
    enum { count = 300 };
    struct shmf_pool *pool = context;
    struct shmf_tasks tasks = {.count = count};
    double results[count];
    for (long round = test_rounds(20); round > 0; round--) {
        if (thread % 2) {
            if (shmf_pool_map(pool, return_index, &tasks, NULL, results, 8, NULL, NULL))
                return "map failed";
            for (int i = 0; i < count; i++)
                if (results[i] != i)
                    return "map is wrong";
            continue;
        }
        struct shmf_iter *iter = shmf_pool_imap(pool, return_index, &tasks, NULL, NULL);
        struct shmf_result *result;
        int i = 0;
        while (iter && shmf_iter_next(iter, &result, NULL) == 1) {
            if (shmf_result_double(result) != i++)
                return "imap is wrong";
            shmf_result_free(result);
        }
        if (i != count)
            return "imap ended early";
        shmf_iter_free(iter);
    }
    return NULL;
}

static void test_threads_iterate_and_map_side_by_side(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    run_in_threads(iterate_or_map, pool);
    shmf_pool_free(pool);
}

static int add_range(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    (void)task;
    atomic_fetch_add((atomic_long *)context, (long)(end - begin));
    return 0;
}

struct loop_context {
    struct shmf_pool *pool;
    atomic_long *sum;
};

static const char *loop_in_parallel(int thread, void *context)
{
    const struct loop_context *loop = context;
    struct shmf_for_options options = {.grain = 7, .caller_too = thread % 2};
    for (int round = 0; round < 20; round++)
        if (shmf_pool_for(loop->pool, 0, 1000, add_range, loop->sum, &options, NULL))
            return "the loop failed";
    return NULL;
}

static void test_threads_run_parallel_loops_side_by_side(void **state)
{
    atomic_long *sum = shared_memory(sizeof *sum);
    struct loop_context context = {pool_of_state(state), sum};
    run_in_threads(loop_in_parallel, &context);
    assert_int_equal(atomic_load(sum), THREADS * 20 * 1000);
    shmf_pool_free(context.pool);
    munmap(sum, sizeof *sum);
}

/* ---- some wait while others act ----------------------------------------------------------- */

struct meeting {
    struct shmf_pool *pool;
    struct signals *signals;
    atomic_int waiting;
};

static const char *wait_until_cancelled(int thread, void *context)
{
    struct meeting *meeting = context;
    struct shmf_submit_options options = {.context = meeting->signals};
    struct shmf_future *future = shmf_pool_submit(meeting->pool, wait_for_go, NULL, &options, NULL);
    if (!future)
        return "refused";
    if (thread % 2) { /* waits for a while at a time and then cancels its own */
        if (shmf_future_wait(future, 0.01, NULL) != SHMF_E_TIMEOUT)
            return "no time-out";
        shmf_future_cancel(future);
    }
    int rc = shmf_future_wait(future, -1, NULL);
    atomic_fetch_add(&meeting->waiting, thread % 2);
    int status = rc ? rc : shmf_result_status(shmf_future_result(future));
    shmf_future_free(future);
    return status == (thread % 2 ? SHMF_E_CANCELLED : SHMF_OK) ? NULL : "wrong outcome";
}

static void test_a_thread_cancels_its_task_while_others_wait_for_theirs(void **state)
{
    (void)state;
    struct meeting meeting = {.signals = new_signals()}; /* before the pool, which inherits it */
    meeting.pool = pool_of(THREADS);
    struct runner runners[THREADS];
    start(runners, THREADS, wait_until_cancelled, &meeting);
    await_count(&meeting.waiting, THREADS / 2); /* those that cancelled have it behind them */
    atomic_store(&meeting.signals->go, 1);
    join(runners, THREADS);
    shmf_pool_free(meeting.pool);
    free_signals(meeting.signals);
}

/* What waits is made before the pool is freed; waiting for it may begin at any time. */
struct end {
    struct meeting meeting;
    struct shmf_iter *iter;
    struct shmf_future *futures[THREADS];
};

static const char *wait_for_the_end(int thread, void *context)
{
    struct end *end = context;
    struct shmf_error err = {0};
    int rc = 0;
    if (thread == 0) {
        rc = shmf_pool_join(end->meeting.pool, -1, &err);
    } else if (thread == 1) {
        struct shmf_result *result = NULL;
        rc = shmf_iter_next(end->iter, &result, &err);
        shmf_iter_free(end->iter);
    } else {
        rc = shmf_future_wait(end->futures[thread], thread == 2 ? -1 : 1000, &err);
        shmf_future_free(end->futures[thread]); /* not the pool's any more */
    }
    return rc == SHMF_E_CLOSED && err.code == rc ? NULL : "it did not say that the pool is closed";
}

/* Called by the thread that is inside the pool: the one that joins it. */
static void note_inside(struct shmf_future *future, void *user)
{
    (void)future;
    atomic_fetch_add(&((struct meeting *)user)->waiting, 1);
}

static void test_a_pool_freed_while_threads_wait_tells_them_that_it_is_closed(void **state)
{
    (void)state;
    for (long round = test_rounds(20); round > 0; round--) {
        struct signals *first = new_signals(), *never = new_signals();
        struct end end = {.meeting = {.signals = never, .pool = pool_of(2)}};
        struct shmf_submit_options options = {
            .context = first, .done_fn = note_inside, .user = &end.meeting};
        struct shmf_future *task =
            shmf_pool_submit(end.meeting.pool, wait_for_go, NULL, &options, NULL);
        struct shmf_tasks tasks = {.count = 100, .context = never};
        end.iter = map(end.meeting.pool, wait_for_go, &tasks, NULL);
        for (int i = 0; i < THREADS; i++)
            end.futures[i] = submit(end.meeting.pool, wait_for_go, never);
        struct runner runners[THREADS];
        start(runners, 1, wait_for_the_end, &end);
        atomic_store(&first->go, 1);
        await_count(&end.meeting.waiting, 1);
        start_from(1, runners, THREADS, wait_for_the_end, &end);
        test_sleep(0.01); /* so that some of them wait */
        shmf_pool_free(end.meeting.pool);
        join(runners, THREADS);
        for (int i = 0; i < 2; i++)
            shmf_future_free(end.futures[i]);
        shmf_future_free(task);
        free_signals(never);
        free_signals(first);
    }
}

static const char *close_it(int thread, void *context)
{
    struct shmf_pool *pool = context;
    double end = test_now() + test_seconds(20);
    for (int i = 0; test_now() < end; i++) {
        struct shmf_error err = {0};
        struct shmf_future *future = shmf_pool_submit(pool, return_pid, NULL, NULL, &err);
        if (!future && err.code != SHMF_E_CLOSED)
            return "it was refused for another reason";
        if (!future)
            return NULL;
        if (thread == 0 && i == 20)
            shmf_pool_close(pool);
        if (shmf_future_wait(future, -1, NULL))
            return "what was submitted did not go on";
        shmf_future_free(future);
    }
    return "the pool was never closed";
}

static void test_a_thread_closes_the_pool_while_others_submit(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    run_in_threads(close_it, pool);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    shmf_pool_free(pool);
}

static const char *look_at_it(int thread, void *context)
{
    struct shmf_pool *pool = context;
    struct shmf_pool_stats stats;
    for (long round = test_rounds(300); round > 0; round--) {
        if (shmf_pool_get_stats(pool, &stats) || shmf_pool_progress(pool, NULL) < 0)
            return "no stats or no progress";
        shmf_pool_worker_pid(pool, thread % 2);
        shmf_pool_join(pool, 0.001, NULL);
        const char *wrong = check_number(submit_in_thread(pool, 3, NULL), 9);
        if (wrong)
            return wrong;
    }
    return NULL;
}

static void test_threads_look_at_the_pool_while_others_work(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    run_in_threads(look_at_it, pool);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_threads_submit_and_wait_on_one_pool),
        test_case(test_threads_on_an_inline_pool_run_their_own_tasks),
        test_case(test_done_fn_has_returned_when_the_owner_learns_that_its_task_is_done),
        test_with_workers(test_threads_iterate_and_map_side_by_side),
        test_inline(test_threads_iterate_and_map_side_by_side),
        test_with_workers(test_threads_run_parallel_loops_side_by_side),
        test_inline(test_threads_run_parallel_loops_side_by_side),
        test_case(test_a_thread_cancels_its_task_while_others_wait_for_theirs),
        test_case(test_a_pool_freed_while_threads_wait_tells_them_that_it_is_closed),
        test_with_workers(test_a_thread_closes_the_pool_while_others_submit),
        test_inline(test_a_thread_closes_the_pool_while_others_submit),
        test_case(test_threads_look_at_the_pool_while_others_work),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

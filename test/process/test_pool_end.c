/* How pools and their workers begin and end. */
#include "future_calls.h"

/* ---- with thousands of tasks queued ------------------------------------------------------- */

enum { QUEUED = 10000 };

static int nap_long(struct shmf_task *task, void *context)
{
    (void)context;
    usleep(200000);
    return shmf_task_return_double(task, 1);
}

static void submit_queue(struct shmf_pool *pool, shmf_task_fn fn, struct shmf_future **futures)
{
    for (int i = 0; i < QUEUED; i++)
        futures[i] = submit_number(pool, fn, i, NULL);
}

static void test_a_pool_with_ten_thousand_tasks_queued_is_freed_at_once(void **state)
{
    (void)state;
    static struct shmf_future *futures[QUEUED];
    struct shmf_pool *pool = pool_of(2);
    submit_queue(pool, nap_long, futures);
    struct shmf_tasks tasks = {.count = QUEUED};
    struct shmf_iter *iter = map(pool, nap_long, &tasks, NULL);
    double start = test_now();
    shmf_pool_free(pool);
    assert_true(test_now() - start < test_seconds(60));
    for (int i = 0; i < QUEUED; i++) {
        assert_int_equal(shmf_future_wait(futures[i], -1, NULL), SHMF_E_CLOSED);
        shmf_future_free(futures[i]);
    }
    struct shmf_result *result = NULL;
    assert_int_equal(shmf_iter_next(iter, &result, NULL), SHMF_E_CLOSED);
    shmf_iter_free(iter);
    assert_true(test_now() - start < test_seconds(60));
}

static void test_ten_thousand_waiting_tasks_are_let_go_quickly_in_any_order(void **state)
{
    (void)state;
    static struct shmf_future *futures[QUEUED];
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(1);
    struct shmf_future *running = submit(pool, wait_for_go, signals);
    double start = test_now();
    for (int backwards = 0; backwards < 2; backwards++) {
        submit_queue(pool, nap_long, futures);
        for (int i = 0; i < QUEUED; i++)
            shmf_future_free(futures[backwards ? QUEUED - 1 - i : i]);
    }
    assert_true(test_now() - start < test_seconds(60));
    atomic_store(&signals->go, 1);
    assert_true(number_of(running) == 1);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_a_closed_pool_finishes_what_was_submitted_and_takes_no_more(void **state)
{
    static struct shmf_future *futures[QUEUED];
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_error err = {0};
    submit_queue(pool, return_square, futures);
    struct shmf_iter *iter = map_count(pool, return_index, 1000);
    assert_int_equal(shmf_pool_close(pool), SHMF_OK);
    assert_int_equal(shmf_pool_close(pool), SHMF_OK);
    assert_null(shmf_pool_submit(pool, return_pid, NULL, NULL, &err));
    assert_int_equal(err.code, SHMF_E_CLOSED);
    struct shmf_tasks tasks = {.count = 1};
    assert_null(shmf_pool_imap(pool, return_index, &tasks, NULL, &err));
    assert_int_equal(err.code, SHMF_E_CLOSED);
    assert_counts_up(iter, 1000); /* begun before */
    assert_int_equal(shmf_pool_join(pool, -1, &err), SHMF_OK);
    for (int i = 0; i < QUEUED; i++) {
        assert_int_equal(shmf_future_done(futures[i]), 1);
        assert_true(number_of(futures[i]) == (double)i * i);
    }
    shmf_pool_free(pool);
}

static void test_join_waits_for_all_tasks_or_says_on_time_that_they_are_not_done(void **state)
{
    (void)state;
    enum { count = 100 };
    struct signals *signals = new_signals();
    struct shmf_pool_options how = {.workers = 2, .window = 8};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *futures[count];
    assert_int_equal(shmf_pool_join(pool, 0, NULL), SHMF_OK); /* nothing to do */
    for (int i = 0; i < count; i++)
        futures[i] = submit(pool, wait_for_go, signals);
    static const double seconds[] = {0, 0.01, 0.1};
    for (int i = 0; i < 3; i++) {
        struct shmf_error err = {0};
        double start = test_now();
        assert_int_equal(shmf_pool_join(pool, seconds[i], &err), SHMF_E_TIMEOUT);
        assert_int_equal(err.code, SHMF_E_TIMEOUT);
        assert_true(test_now() - start >= seconds[i]);
        assert_true(test_now() - start < seconds[i] + test_seconds(60));
    }
    atomic_store(&signals->go, 1);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    for (int i = 0; i < count; i++) {
        assert_non_null(shmf_future_result(futures[i]));
        shmf_future_free(futures[i]);
    }
    assert_int_equal(stats_of(pool).tasks_done, count);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_join_waits_for_tasks_whose_future_was_freed(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(1);
    struct shmf_future *future = submit(pool, wait_for_go, signals);
    await_count(&signals->started, 1);
    shmf_future_free(future);
    assert_int_equal(shmf_pool_join(pool, 0.05, NULL), SHMF_E_TIMEOUT);
    atomic_store(&signals->go, 1);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_join_comes_back_when_workers_die(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    struct shmf_future *futures[10];
    for (int i = 0; i < 10; i++)
        futures[i] = submit(pool, i % 2 ? kill_myself : return_pid, NULL);
    shmf_pool_close(pool);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(status_of(futures[i]), i % 2 ? SHMF_E_WORKER_DIED : SHMF_OK);
        shmf_future_free(futures[i]);
    }
    shmf_pool_free(pool);
}

/* ---- initializer and finalizer ------------------------------------------------------------ */

struct lives {
    atomic_int begun[8], ended[8];
    atomic_int refuse; /* initializers fail from now on */
};

static int private_mark;

static int begin(int worker, void *context)
{
    struct lives *lives = context;
    if (atomic_load(&lives->refuse))
        return 1;
    private_mark = 100 + worker;
    atomic_fetch_add(&lives->begun[worker], 1);
    return 0;
}

static void end(int worker, void *context)
{
    struct lives *lives = context;
    if (private_mark == 100 + worker)
        atomic_fetch_add(&lives->ended[worker], 1);
}

static int return_mark(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_return_double(task, private_mark == 100 + shmf_task_worker(task));
}

static int total(atomic_int *counts)
{
    int sum = 0;
    for (int i = 0; i < 8; i++)
        sum += atomic_load(&counts[i]);
    return sum;
}

/* So many workers have begun by now, or will soon. */
static void assert_begun(struct lives *lives, int count)
{
    double limit = test_now() + test_seconds(30);
    while (total(lives->begun) < count && test_now() < limit)
        usleep(1000);
    assert_int_equal(total(lives->begun), count);
}

static void test_the_initializer_runs_in_every_new_worker_before_its_tasks(void **state)
{
    (void)state;
    struct lives *lives = shared_memory(sizeof *lives);
    struct shmf_pool_options how = {
        .workers = 3, .initializer = begin, .initializer_context = lives};
    struct shmf_pool *pool = pool_with(&how);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 50; i++)
            assert_true(number_of(submit(pool, return_mark, NULL)) == 1);
        struct shmf_future *killed = submit(pool, kill_myself, NULL);
        failure_of(killed, SHMF_E_WORKER_DIED);
        shmf_future_free(killed);
    }
    assert_true(private_mark == 0); /* not in the application */
    assert_begun(lives, 3 + 5);
    shmf_pool_free(pool);
    munmap(lives, sizeof *lives);
}

static void test_the_finalizer_runs_in_workers_that_end_by_themselves(void **state)
{
    (void)state;
    enum { tasks = 30, each = 5 };
    struct lives *lives = shared_memory(sizeof *lives);
    struct shmf_pool_options how = {.workers = 1,
                                    .initializer = begin,
                                    .initializer_context = lives,
                                    .finalizer = end,
                                    .tasks_per_worker = each};
    struct shmf_pool *pool = pool_with(&how);
    for (int i = 0; i < tasks; i++)
        assert_true(number_of(submit(pool, return_mark, NULL)) == 1);
    await_count(&lives->begun[0], tasks / each + 1);
    assert_int_equal(atomic_load(&lives->ended[0]), tasks / each);
    struct shmf_future *killed = submit(pool, kill_myself, NULL);
    failure_of(killed, SHMF_E_WORKER_DIED);
    shmf_future_free(killed);
    await_count(&lives->begun[0], tasks / each + 2);
    assert_int_equal(atomic_load(&lives->ended[0]), tasks / each);
    shmf_pool_free(pool); /* it waits for the last one, but not for long */
    assert_in_range(atomic_load(&lives->ended[0]), tasks / each, tasks / each + 1);
    munmap(lives, sizeof *lives);
}

static void end_slowly(int worker, void *context)
{
    usleep(100000); /* it may have something to write */
    end(worker, context);
}

/* How many of the three finalizers had run when the pool was freed; one worker is in the middle of
 * a task and is killed. */
static int free_with_finalizers(void)
{
    struct lives *lives = shared_memory(sizeof *lives);
    struct signals *signals = new_signals();
    struct shmf_pool_options how = {
        .workers = 3, .initializer = begin, .initializer_context = lives, .finalizer = end_slowly};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *running = submit(pool, wait_for_go, signals);
    await_count(&signals->started, 1);
    assert_begun(lives, 3);
    shmf_pool_free(pool);
    int ended = total(lives->ended);
    shmf_future_free(running);
    free_signals(signals);
    munmap(lives, sizeof *lives);
    return ended;
}

/* It waits a second and no longer, in which a busy machine may not run them: then once more. */
static void test_freeing_a_pool_waits_for_the_finalizers_of_idle_workers(void **state)
{
    (void)state;
    int ended = 0;
    for (int attempt = 0; attempt < 30 && ended < 2; attempt++)
        ended = free_with_finalizers();
    assert_int_equal(ended, 2);
}

static void never_end(int worker, void *context)
{
    (void)worker;
    (void)context;
    for (;;)
        pause();
}

static void test_a_finalizer_that_hangs_does_not_keep_the_pool(void **state)
{
    (void)state;
    struct shmf_pool_options how = {.workers = 2, .finalizer = never_end};
    struct shmf_pool *pool = pool_with(&how);
    assert_counts_up(map_count(pool, return_index, 10), 10);
    double start = test_now();
    shmf_pool_free(pool);
    assert_true(test_now() - start < test_seconds(60));
}

static void test_workers_that_cannot_begin_any_more_break_the_pool_closed_or_not(void **state)
{
    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        struct lives *lives = shared_memory(sizeof *lives);
        struct shmf_pool_options how = {
            .workers = 1, .initializer = begin, .initializer_context = lives};
        struct shmf_pool *pool = pool_with(&how);
        assert_true(number_of(submit(pool, return_mark, NULL)) == 1);
        atomic_store(&lives->refuse, 1);
        struct shmf_future *last = submit(pool, kill_myself, NULL);
        struct shmf_future *lost = submit(pool, return_mark, NULL);
        if (closed)
            shmf_pool_close(pool);
        failure_of(last, SHMF_E_WORKER_DIED);
        struct shmf_error err = {0};
        assert_int_equal(shmf_future_wait(lost, -1, &err), SHMF_E_POOL_BROKEN);
        assert_non_null(strstr(err.message, "exit status 1"));
        assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_E_POOL_BROKEN);
        shmf_future_free(last);
        shmf_future_free(lost);
        shmf_pool_free(pool);
        munmap(lives, sizeof *lives);
    }
}

/* ---- workers with a limit ----------------------------------------------------------------- */

/* Its worker's first, second, ... A pid would not tell: it may be given to another process. */
static int return_task_of_worker(struct shmf_task *task, void *context)
{
    static int tasks;
    (void)context;
    return shmf_task_return_double(task, ++tasks);
}

static void test_workers_are_replaced_after_so_many_tasks_and_no_result_is_lost(void **state)
{
    (void)state;
    static const int64_t limits[] = {1, 3, 10};
    for (int l = 0; l < 3; l++) {
        struct shmf_pool_options how = {.workers = 2, .tasks_per_worker = limits[l]};
        struct shmf_pool *pool = pool_with(&how);
        int count = 100;
        struct shmf_iter *iter = map_count(pool, return_task_of_worker, count);
        int different = 0;
        for (int i = 0; i < count; i++) {
            double times = next_double(iter);
            assert_true(times >= 1 && times <= (double)limits[l]);
            different += times == 1;
        }
        assert_true(different >= count / limits[l]);
        assert_ends(iter);
        shmf_iter_free(iter);
        assert_counts_up(map_count(pool, return_index, count), count);
        assert_int_equal(stats_of(pool).tasks_failed, 0);
        assert_int_equal(stats_of(pool).workers_died, 0); /* they ended as they were told */
        shmf_pool_free(pool);
    }
}

static int return_a_megabyte(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, 1 << 20, (uint64_t)shmf_task_index(task));
}

static void test_results_of_workers_that_were_replaced_stay_readable(void **state)
{
    (void)state;
    enum { count = 20 };
    struct shmf_pool_options how = {.workers = 2, .tasks_per_worker = 1};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_iter *iter = map_count(pool, return_a_megabyte, count);
    struct shmf_result *results[count];
    for (int i = 0; i < count; i++)
        results[i] = next_good(iter);
    shmf_iter_free(iter);
    for (int i = 0; i < count; i++) {
        assert_true(is_patterned(shmf_result_array(results[i]), 1 << 20, (uint64_t)i));
        shmf_result_free(results[i]);
    }
    shmf_pool_free(pool);
}

static void test_a_pool_closed_early_finishes_with_workers_of_one_task_each(void **state)
{
    (void)state;
    enum { count = 60 };
    struct shmf_pool_options how = {.workers = 3, .tasks_per_worker = 1};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *futures[count];
    for (int i = 0; i < count; i++)
        futures[i] = submit_number(pool, return_square, i, NULL);
    assert_int_equal(shmf_pool_close(pool), SHMF_OK);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    for (int i = 0; i < count; i++)
        assert_true(number_of(futures[i]) == (double)i * i);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_a_pool_with_ten_thousand_tasks_queued_is_freed_at_once),
        test_case(test_ten_thousand_waiting_tasks_are_let_go_quickly_in_any_order),
        test_with_workers(test_a_closed_pool_finishes_what_was_submitted_and_takes_no_more),
        test_inline(test_a_closed_pool_finishes_what_was_submitted_and_takes_no_more),
        test_case(test_join_waits_for_all_tasks_or_says_on_time_that_they_are_not_done),
        test_case(test_join_waits_for_tasks_whose_future_was_freed),
        test_case(test_join_comes_back_when_workers_die),
        test_case(test_the_initializer_runs_in_every_new_worker_before_its_tasks),
        test_case(test_the_finalizer_runs_in_workers_that_end_by_themselves),
        test_case(test_freeing_a_pool_waits_for_the_finalizers_of_idle_workers),
        test_case(test_a_finalizer_that_hangs_does_not_keep_the_pool),
        test_case(test_workers_that_cannot_begin_any_more_break_the_pool_closed_or_not),
        test_case(test_workers_are_replaced_after_so_many_tasks_and_no_result_is_lost),
        test_case(test_results_of_workers_that_were_replaced_stay_readable),
        test_case(test_a_pool_closed_early_finishes_with_workers_of_one_task_each),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

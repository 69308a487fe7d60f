/* What programmers expect of the life of a pool of processes and of its workers: every behaviour
 * here is one that they rely on elsewhere, in this library's terms. */
#include "future_calls.h"

#include <shmframe/map.h>

#include <errno.h>
#include <sys/resource.h>

/* ---- lifecycle ---------------------------------------------------------------------------- */

static void test_a_pool_has_exactly_as_many_workers_as_asked_and_refuses_nonsense(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    static const int wrong[] = {-2, -100, SHMF_MAX_WORKERS + 1, INT32_MIN, INT32_MAX};
    for (int i = 0; i < 5; i++) {
        struct shmf_pool_options options = {.workers = wrong[i]};
        assert_null(shmf_pool_new(&options, &err));
        assert_int_equal(err.code, SHMF_E_INVAL);
        assert_non_null(strstr(err.message, "workers"));
    }
    for (int workers = 1; workers <= 5; workers += 2) {
        struct shmf_pool *pool = pool_of(workers);
        assert_int_equal(shmf_pool_workers(pool), workers);
        assert_true(test_wait_named("shmf-w", (size_t)workers, 30));
        for (int w = 0; w < workers; w++)
            assert_true(worker_pid(pool, w) > 0);
        assert_int_equal(shmf_pool_worker_pid(pool, workers), 0);
        assert_int_equal(shmf_pool_worker_pid(pool, -1), 0);
        shmf_pool_free(pool);
    }
}

static int sleep_a_little(struct shmf_task *task, void *context)
{
    usleep(300000);
    return return_index(task, context);
}

static void test_with_ten_thousand_sleepers_queued_the_end_is_prompt(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(4);
    struct shmf_tasks tasks = {.count = 10000};
    struct shmf_imap_options options = {.window = 64};
    struct shmf_iter *iter = map(pool, sleep_a_little, &tasks, &options);
    test_sleep(0.1);
    double start = test_now();
    shmf_pool_free(pool);
    assert_true(test_now() - start < test_seconds(60)); /* not the twelve minutes of all tasks */
    assert_true(test_none_named("shmf-w", 30));
    shmf_iter_free(iter);
}

static int do_nothing(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    (void)task;
    (void)context;
    return begin < end ? SHMF_OK : SHMF_E_TASK;
}

static int add_one(struct shmf_task *task, void *accumulator, void *context)
{
    (void)task;
    (void)context;
    *(double *)accumulator += 1;
    return SHMF_OK;
}

static void add_all(void *accumulator, const void *other, void *context)
{
    (void)context;
    *(double *)accumulator += *(const double *)other;
}

static void test_a_pool_that_was_closed_refuses_work_of_every_kind(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = 2};
    struct shmf_error err = {0};
    double out[2];
    assert_map_squares(pool, 10, 0);
    assert_int_equal(shmf_pool_close(pool), SHMF_OK);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    assert_null(shmf_pool_submit(pool, return_pid, NULL, NULL, &err));
    assert_int_equal(err.code, SHMF_E_CLOSED);
    assert_null(shmf_pool_apply(pool, return_pid, NULL, NULL, NULL));
    assert_null(shmf_pool_imap(pool, return_index, &tasks, NULL, NULL));
    assert_int_equal(shmf_pool_map(pool, return_index, &tasks, NULL, out, 8, NULL, NULL),
                     SHMF_E_CLOSED);
    assert_int_equal(shmf_pool_for(pool, 0, 2, do_nothing, NULL, NULL, NULL), SHMF_E_CLOSED);
    assert_int_equal(shmf_pool_reduce(pool, add_one, add_all, &tasks, NULL, out, 8, NULL),
                     SHMF_E_CLOSED);
    assert_int_equal(shmf_pool_resize(pool, 1, NULL), SHMF_E_CLOSED);
    shmf_pool_free(pool);
}

static int leave_pool_open(void *context)
{
    int how = *(int *)context;
    struct shmf_pool *pool = pool_of(4);
    double out[1000];
    struct shmf_tasks tasks = {.count = 1000};
    if (shmf_pool_map(pool, return_index, &tasks, NULL, out, 8, NULL, NULL))
        return 1;
    if (how == 1)
        shmf_pool_close(pool);
    if (how == 2)
        exit(0); /* with exit handlers */
    return 0;
}

static void test_an_application_may_exit_without_closing_its_pool(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        assert_true(test_outcome_ok(test_in_child(leave_pool_open, &how, 20)));
        assert_true(test_none_named("shmf-", 30));
    }
}

static void test_inputs_are_let_go_when_the_task_is_done_and_results_when_freed(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_memory_stats before, during, after;
    shmf_memory_trim(0);
    shmf_memory_get_stats(&before);
    struct shmf_future *futures[10];
    for (int i = 0; i < 10; i++) {
        struct shmf_array *array = patterned_array(1 << 20, 1);
        struct shmf_handle handle = shmf_array_handle(array);
        struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
        futures[i] = submit_with(pool, return_index, &input, NULL);
        shmf_array_free(array);
    }
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    shmf_memory_get_stats(&during);
    assert_int_equal(during.used_bytes, before.used_bytes); /* though the futures are there */
    for (int i = 0; i < 10; i++)
        shmf_future_free(futures[i]);
    shmf_memory_trim(0);
    shmf_memory_get_stats(&after);
    assert_int_equal(after.reserved_bytes, before.reserved_bytes);
    shmf_pool_free(pool);
}

static bool seven_were_replaced(void *pool)
{
    struct shmf_error err;
    return shmf_pool_progress(pool, &err) >= 0 && stats_of(pool).respawns >= 7;
}

static void test_workers_live_for_so_many_tasks(void **state)
{
    (void)state;
    enum { count = 100 };
    struct shmf_pool_options options = {.workers = 3, .tasks_per_worker = 10};
    struct shmf_pool *pool = pool_with(&options);
    assert_counts_up(map_count(pool, return_index, count), count);
    /* Of the ten or more that it took, three were there at the beginning. */
    assert_true(test_wait_until(30, seven_were_replaced, pool));
    assert_int_equal(stats_of(pool).workers_died, 0);
    shmf_pool_free(pool);
}

static void test_workers_of_a_single_task_finish_what_was_queued_before_an_early_close(void **state)
{
    (void)state;
    enum { count = 6 };
    struct shmf_pool_options options = {.workers = 3, .tasks_per_worker = 1};
    struct shmf_pool *pool = pool_with(&options);
    struct shmf_future *futures[count];
    for (int i = 0; i < count; i++)
        futures[i] = submit_number(pool, return_square, i, NULL);
    shmf_pool_close(pool);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    for (int i = 0; i < count; i++)
        assert_true(number_of(futures[i]) == (double)i * i);
    shmf_pool_free(pool);
}

static void test_a_senseless_limit_of_tasks_per_worker_is_refused(void **state)
{
    (void)state;
    static const int64_t wrong[] = {-1, -100, INT64_MIN};
    for (int i = 0; i < 3; i++) {
        struct shmf_error err = {0};
        struct shmf_pool_options options = {.workers = 1, .tasks_per_worker = wrong[i]};
        assert_null(shmf_pool_new(&options, &err));
        assert_int_equal(err.code, SHMF_E_INVAL);
        assert_non_null(strstr(err.message, "tasks_per_worker"));
    }
}

static int private_value = 0;

static int set_private_value(int worker, void *context)
{
    (void)worker;
    private_value = *(int *)context;
    return 0;
}

static int return_private_value(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_return_double(task, private_value);
}

static void test_the_initializer_prepares_every_worker_with_its_context(void **state)
{
    (void)state;
    int value = 17;
    struct shmf_pool_options options = {
        .workers = 3, .initializer = set_private_value, .initializer_context = &value};
    struct shmf_pool *pool = pool_with(&options);
    for (int i = 0; i < 30; i++)
        assert_true(number_of(submit(pool, return_private_value, NULL)) == 17);
    shmf_pool_free(pool);
    assert_int_equal(private_value, 0);
}

/* Fewer processes may exist than the pool wants; root is not bound by that limit. */
static int start_beyond_the_limit(void *context)
{
    (void)context;
    if (setuid(65534))
        return 0;
    struct rlimit limit = {4, 4};
    if (setrlimit(RLIMIT_NPROC, &limit))
        return 1;
    struct shmf_error err = {0};
    struct shmf_pool_options options = {.workers = 16};
    struct shmf_pool *pool = shmf_pool_new(&options, &err);
    if (pool)
        return 2;
    if (err.sys_errno != EAGAIN)
        return 3;
    struct rusage usage;
    return getrusage(RUSAGE_CHILDREN, &usage) ? 4 : 0;
}

static void test_a_pool_that_cannot_have_all_its_workers_lets_the_first_ones_go(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(start_beyond_the_limit, NULL, 30)));
    assert_true(test_none_named("shmf-", 30));
}

static void test_a_pool_may_have_two_hundred_workers(void **state)
{
    (void)state;
    enum { workers = 200 };
    struct shmf_pool *pool = pool_of(workers);
    assert_int_equal(shmf_pool_workers(pool), workers);
    assert_counts_up(map_count(pool, return_index, 1000), 1000);
    shmf_pool_free(pool);
    assert_true(test_none_named("shmf-", 30));
}

static int use_pool_in_child(void *context)
{
    (void)context;
    struct shmf_pool *pool = pool_of(2);
    double out[100];
    struct shmf_tasks tasks = {.count = 100};
    if (shmf_pool_map(pool, return_index, &tasks, NULL, out, 8, NULL, NULL))
        return 1;
    for (int i = 0; i < 100; i++)
        if (out[i] != i)
            return 2;
    shmf_pool_free(pool);
    return test_none_named("shmf-", 30) ? 0 : 3;
}

static void test_a_forked_child_may_have_a_pool_of_its_own(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(use_pool_in_child, NULL, 60)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_a_pool_has_exactly_as_many_workers_as_asked_and_refuses_nonsense),
        test_case(test_with_ten_thousand_sleepers_queued_the_end_is_prompt),
        test_with_workers(test_a_pool_that_was_closed_refuses_work_of_every_kind),
        test_inline(test_a_pool_that_was_closed_refuses_work_of_every_kind),
        test_case(test_an_application_may_exit_without_closing_its_pool),
        test_with_workers(test_inputs_are_let_go_when_the_task_is_done_and_results_when_freed),
        test_inline(test_inputs_are_let_go_when_the_task_is_done_and_results_when_freed),
        test_case(test_workers_live_for_so_many_tasks),
        test_case(test_workers_of_a_single_task_finish_what_was_queued_before_an_early_close),
        test_case(test_a_senseless_limit_of_tasks_per_worker_is_refused),
        test_case(test_the_initializer_prepares_every_worker_with_its_context),
        test_case(test_a_pool_that_cannot_have_all_its_workers_lets_the_first_ones_go),
        test_case(test_a_pool_may_have_two_hundred_workers),
        test_case(test_a_forked_child_may_have_a_pool_of_its_own),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

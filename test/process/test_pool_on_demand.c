/* Pools that begin with few workers: the others are forked when tasks need them, are copies of the
 * same moment, and are as many as ever tasks that wait for each other lack. */
#include "on_demand_calls.h"

#include <shmframe/map.h>
#include <shmframe/reduce.h>

#include <pthread.h>

/* ---- as many as are needed ---------------------------------------------------------------- */

static void test_tasks_that_come_one_by_one_need_one_worker(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_from(1, 4);
    assert_int_equal(shmf_pool_workers(pool), 4);
    do_one_by_one(pool, 20);
    assert_int_equal(processes_of(pool, 4), 1);
    assert_int_equal(stats_of(pool).respawns, 0);
    shmf_pool_free(pool);
}

static void test_there_is_a_worker_for_each_task_in_flight_up_to_what_is_wanted(void **state)
{
    (void)state;
    enum { WORKERS = 4, MORE = 3 };
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_from(1, WORKERS);
    struct shmf_future *futures[WORKERS + MORE];
    for (int i = 0; i < WORKERS + MORE; i++) {
        int started = i < WORKERS ? i + 1 : WORKERS;
        futures[i] = submit(pool, wait_for_go, signals);
        await_count(&signals->started, started);
        assert_int_equal(processes_of(pool, WORKERS), started);
    }
    atomic_store(&signals->go, 1);
    for (int i = 0; i < WORKERS + MORE; i++)
        assert_true(number_of(futures[i]) == 1);
    assert_int_equal(stats_of(pool).workers_died, 0);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_a_pool_may_begin_with_several(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_from(2, 3);
    assert_int_equal(processes_of(pool, 3), 2);
    assert_they_meet(pool, 2);
    assert_int_equal(processes_of(pool, 3), 2);
    assert_they_meet(pool, 3);
    assert_int_equal(processes_of(pool, 3), 3);
    shmf_pool_free(pool);
}

static int meet_in_range(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    return end - begin == 1 ? meet(task, context) : SHMF_E_TASK;
}

static int meet_and_add(struct shmf_task *task, void *accumulator, void *context)
{
    *(double *)accumulator += 1;
    return meet(task, context);
}

static void add(void *accumulator, const void *other, void *context)
{
    (void)context;
    *(double *)accumulator += *(const double *)other;
}

static void test_calls_of_any_kind_get_the_workers_that_they_need(void **state)
{
    (void)state;
    enum { WORKERS = 3 };
    struct shmf_tasks tasks = {.count = WORKERS};
    struct shmf_result *result;
    double sum = 0;
    for (int kind = 0; kind < 4; kind++) {
        struct shmf_pool *pool = pool_from(1, WORKERS);
        struct shmf_map_options one = {.chunk = 1};
        struct shmf_reduce_options alone = {.chunk = 1};
        struct shmf_iter *iter;
        expect_tasks(WORKERS);
        switch (kind) {
        case 0:
            iter = map(pool, meet, &tasks, NULL);
            for (int i = 0; i < WORKERS; i++) {
                result = next_good(iter);
                shmf_result_free(result);
            }
            shmf_iter_free(iter);
            break;
        case 1:
            assert_int_equal(shmf_pool_map(pool, meet, &tasks, &one, NULL, 0, NULL, NULL), 0);
            break;
        case 2:
            assert_int_equal(shmf_pool_for(pool, 0, WORKERS, meet_in_range, NULL, NULL, NULL), 0);
            break;
        default:
            assert_int_equal(
                shmf_pool_reduce(pool, meet_and_add, add, &tasks, &alone, &sum, sizeof sum, NULL),
                0);
            assert_true(sum == WORKERS);
        }
        assert_int_equal(processes_of(pool, WORKERS), WORKERS);
        shmf_pool_free(pool);
    }
}

static int add_fraction(struct shmf_task *task, void *accumulator, void *context)
{
    (void)context;
    *(double *)accumulator += 1.0 / (double)(shmf_task_index(task) + 1);
    return 0;
}

static void test_sums_are_the_same_to_the_bit_however_many_are_there(void **state)
{
    (void)state;
    struct shmf_tasks tasks = {.count = 12345};
    double sums[2] = {0};
    for (int i = 0; i < 2; i++) {
        struct shmf_pool *pool = pool_from(i, 3);
        assert_int_equal(
            shmf_pool_reduce(pool, add_fraction, add, &tasks, NULL, &sums[i], sizeof *sums, NULL),
            0);
        shmf_pool_free(pool);
    }
    assert_memory_equal(&sums[0], &sums[1], sizeof *sums);
}

static void *meet_as_a_thread(void *pool)
{
    struct shmf_result *result = shmf_pool_apply(pool, meet, NULL, NULL, NULL);
    bool good = result && shmf_result_status(result) == 0;
    shmf_result_free(result);
    return good ? pool : NULL;
}

static void test_threads_whose_tasks_wait_for_each_other_need_not_know(void **state)
{
    (void)state;
    enum { THREADS = 3 };
    expect_tasks(THREADS);
    struct shmf_pool *pool = pool_from(1, THREADS);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, meet_as_a_thread, pool), 0);
    for (int i = 0; i < THREADS; i++) {
        void *good;
        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_non_null(good);
    }
    shmf_pool_free(pool);
}

/* ---- what they are ------------------------------------------------------------------------ */

static int moment;

static int look_and_meet(struct shmf_task *task, void *context)
{
    int rc = is_patterned(shmf_task_array(task, 0), 5000, 9) ? meet(task, context) : SHMF_E_TASK;
    return rc ? rc : shmf_task_return_double(task, moment);
}

static void test_who_comes_later_is_a_copy_of_the_same_moment_and_has_younger_inputs(void **state)
{
    (void)state;
    enum { WORKERS = 3 };
    expect_tasks(WORKERS);
    moment = 1;
    struct shmf_pool *pool = pool_from(1, WORKERS);
    moment = 2;
    struct shmf_array *array = patterned_array(5000, 9);
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_tasks tasks = {.count = WORKERS, .handles = &handle, .n_handles = 1};
    struct shmf_iter *iter = map(pool, look_and_meet, &tasks, NULL);
    for (int i = 0; i < WORKERS; i++)
        assert_true(next_double(iter) == 1);
    shmf_iter_free(iter);
    shmf_array_free(array);
    shmf_pool_free(pool);
}

static int count_initialized(int worker, void *context)
{
    (void)context;
    atomic_fetch_add(&meeting->initialized, 1 << 8 * worker);
    return 0;
}

static void test_the_initializer_runs_in_each_when_it_is_forked(void **state)
{
    (void)state;
    struct shmf_pool_options options = {
        .workers = 3, .first_workers = 1, .initializer = count_initialized};
    struct shmf_pool *pool = pool_with(&options);
    do_one_by_one(pool, 3);
    assert_int_equal(atomic_load(&meeting->initialized), 0x1);
    assert_they_meet(pool, 3);
    assert_int_equal(atomic_load(&meeting->initialized), 0x10101);
    shmf_pool_free(pool);
}

static void test_an_early_pool_may_begin_with_one_too(void **state)
{
    (void)state;
    moment = 3;
    start_early();
    moment = 4;
    struct shmf_pool_options options = {
        .workers = 3, .first_workers = 1, .start = SHMF_START_EARLY};
    struct shmf_pool *pool = pool_with(&options);
    do_one_by_one(pool, 3);
    assert_int_equal(processes_of(pool, 3), 1);
    assert_they_meet(pool, 3);
    assert_int_equal(processes_of(pool, 3), 3);
    shmf_pool_free(pool);
    shmf_early_stop();
}

static void test_an_inline_pool_has_no_workers_to_begin_with(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_from(1, SHMF_INLINE);
    assert_int_equal(shmf_pool_workers(pool), 0);
    assert_counts_up(map_count(pool, return_index, 10), 10);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_tasks_that_come_one_by_one_need_one_worker),
        test_case(test_there_is_a_worker_for_each_task_in_flight_up_to_what_is_wanted),
        test_case(test_a_pool_may_begin_with_several),
        test_case(test_calls_of_any_kind_get_the_workers_that_they_need),
        test_case(test_sums_are_the_same_to_the_bit_however_many_are_there),
        test_case(test_threads_whose_tasks_wait_for_each_other_need_not_know),
        test_case(test_who_comes_later_is_a_copy_of_the_same_moment_and_has_younger_inputs),
        test_case(test_the_initializer_runs_in_each_when_it_is_forked),
        test_case(test_an_early_pool_may_begin_with_one_too),
        test_case(test_an_inline_pool_has_no_workers_to_begin_with),
    };
    test_begin();
    begin_meetings();
    return cmocka_run_group_tests_name("pool: workers on demand", tests, NULL, NULL);
}

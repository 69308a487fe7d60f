/* Lazy iteration: which tasks are asked for when, and in which order results come. */
#include "pool_calls.h"

#include <stdatomic.h>
#include <time.h>

/* ---- order -------------------------------------------------------------------------------- */

static void nap(uint64_t most_us)
{
    struct timespec time = {0, (long)most_us * 1000};
    nanosleep(&time, NULL);
}

static int index_after_a_nap(struct shmf_task *task, void *context)
{
    nap(shmf_task_seed(task) % 2000);
    return return_index(task, context);
}

static void test_results_come_in_the_order_of_tasks_however_long_each_takes(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = 200, .seed = 7};
    assert_counts_up(map(pool, index_after_a_nap, &tasks, NULL), 200);
    shmf_pool_free(pool);
}

static void test_unordered_results_come_once_each_with_their_index(void **state)
{
    enum { count = 300 };
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = count, .seed = 8};
    struct shmf_imap_options options = {.unordered = 1, .window = 17};
    struct shmf_iter *iter = map(pool, index_after_a_nap, &tasks, &options);
    int seen[count] = {0};
    for (int i = 0; i < count; i++) {
        struct shmf_result *result = next_good(iter);
        int64_t index = shmf_result_index(result);
        assert_true(index >= 0 && index < count);
        assert_true(shmf_result_double(result) == (double)index);
        seen[index]++;
        shmf_result_free(result);
    }
    assert_ends(iter);
    for (int i = 0; i < count; i++)
        assert_int_equal(seen[i], 1);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

/* The first task waits until it is told. */
static int first_comes_late(struct shmf_task *task, void *context)
{
    while (shmf_task_index(task) == 0 && !atomic_load((atomic_int *)context))
        nap(100);
    return return_index(task, NULL);
}

static void test_an_unordered_iterator_does_not_wait_for_a_slow_first_task(void **state)
{
    (void)state;
    atomic_int *told = shared_memory(sizeof *told);
    struct shmf_pool *pool = pool_of(2);
    struct shmf_tasks tasks = {.count = 6, .context = told};
    struct shmf_imap_options options = {.unordered = 1, .window = 6};
    struct shmf_iter *iter = map(pool, first_comes_late, &tasks, &options);
    for (int i = 0; i < 5; i++)
        assert_true(next_double(iter) > 0);
    atomic_store(told, 1);
    assert_true(next_double(iter) == 0);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    munmap(told, sizeof *told);
}

/* ---- where tasks come from ---------------------------------------------------------------- */

struct producer {
    int64_t count; /* it yields so many */
    int end;       /* then returns this */
    int64_t asked;
    int64_t arg;
};

static int produce(struct shmf_task_input *input, void *user)
{
    struct producer *producer = user;
    if (producer->asked == producer->count)
        return producer->end;
    producer->arg = producer->asked++ * 3;
    input->arg = &producer->arg;
    input->arg_size = sizeof producer->arg;
    return 1;
}

static int third_of_arg(struct shmf_task *task, void *context)
{
    (void)context;
    int64_t arg;
    if (shmf_task_arg_size(task) != sizeof arg)
        return shmf_task_fail(task, SHMF_E_INVAL, "arg_size %zu", shmf_task_arg_size(task));
    memcpy(&arg, shmf_task_arg(task), sizeof arg);
    return shmf_task_return_double(task, (double)arg / 3);
}

static struct shmf_tasks tasks_of(struct producer *producer, int64_t total)
{
    return (struct shmf_tasks){.count = total, .next = produce, .user = producer};
}

static void test_no_tasks_give_no_results(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_index, 0);
    assert_ends(iter);
    assert_ends(iter);
    shmf_iter_free(iter);
    struct producer none = {0};
    struct shmf_tasks tasks = tasks_of(&none, -1);
    iter = map(pool, third_of_arg, &tasks, NULL);
    assert_ends(iter);
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static void test_a_producer_yields_tasks_until_it_says_no_more(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    for (int total = -1; total <= 100; total += 101) {
        struct producer producer = {.count = 100};
        struct shmf_tasks tasks = tasks_of(&producer, total);
        assert_counts_up(map(pool, third_of_arg, &tasks, NULL), 100);
        assert_int_equal(producer.asked, 100);
    }
    shmf_pool_free(pool);
}

static void test_a_producers_error_comes_after_the_results_of_earlier_tasks(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct producer producer = {.count = 7, .end = -77};
    struct shmf_tasks tasks = tasks_of(&producer, -1);
    struct shmf_imap_options options = {.window = 32};
    struct shmf_iter *iter = map(pool, third_of_arg, &tasks, &options);
    for (int i = 0; i < 7; i++)
        assert_true(next_double(iter) == i);
    for (int again = 0; again < 2; again++) {
        struct shmf_result *result = NULL;
        struct shmf_error err = {0};
        assert_int_equal(shmf_iter_next(iter, &result, &err), -77);
        assert_int_equal(err.code, -77);
        assert_non_null(strstr(err.message, "next"));
        assert_null(result);
    }
    shmf_iter_free(iter);
    assert_counts_up(map_count(pool, return_index, 10), 10);
    shmf_pool_free(pool);
}

static void test_a_producer_is_never_asked_beyond_the_window(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    for (int window = 1; window <= 33; window += 8) {
        struct producer producer = {.count = INT64_MAX};
        struct shmf_tasks tasks = tasks_of(&producer, -1);
        struct shmf_imap_options options = {.window = window};
        struct shmf_iter *iter = map(pool, third_of_arg, &tasks, &options);
        for (int taken = 0; taken < 100; taken++) {
            assert_true(producer.asked <= taken + window);
            assert_true(next_double(iter) == taken);
        }
        assert_true(producer.asked <= 100 + window);
        shmf_iter_free(iter);
    }
    shmf_pool_free(pool);
}

/* ---- how many are under way --------------------------------------------------------------- */

struct crowd {
    atomic_int now, most, started;
    atomic_bool meet; /* tasks wait for a second one to be there */
};

static int count_crowd(struct shmf_task *task, void *context)
{
    struct crowd *crowd = context;
    atomic_fetch_add(&crowd->started, 1);
    int now = atomic_fetch_add(&crowd->now, 1) + 1, most = atomic_load(&crowd->most);
    while (now > most && !atomic_compare_exchange_weak(&crowd->most, &most, now))
        continue;
    do
        nap(300);
    while (atomic_load(&crowd->meet) && atomic_load(&crowd->most) < 2);
    atomic_fetch_sub(&crowd->now, 1);
    return return_index(task, NULL);
}

static void test_a_window_of_one_runs_one_task_at_a_time(void **state)
{
    (void)state;
    struct crowd *crowd = shared_memory(sizeof *crowd);
    struct shmf_pool *pool = pool_of(3);
    struct shmf_tasks tasks = {.count = 50, .context = crowd};
    struct shmf_imap_options options = {.window = 1};
    assert_counts_up(map(pool, count_crowd, &tasks, &options), 50);
    assert_int_equal(atomic_load(&crowd->most), 1);
    options.window = 0;
    atomic_store(&crowd->meet, true);
    assert_counts_up(map(pool, count_crowd, &tasks, &options), 50);
    assert_true(atomic_load(&crowd->most) <= 3);
    shmf_pool_free(pool);
    munmap(crowd, sizeof *crowd);
}

static void test_thousands_of_tasks_are_all_right(void **state)
{
    int64_t count = test_rounds(50000);
    struct shmf_pool *pool = pool_of_state(state);
    for (int window = 0; window <= 64; window += 32) {
        struct shmf_tasks tasks = {.count = count};
        struct shmf_imap_options options = {.window = window};
        assert_counts_up(map(pool, return_index, &tasks, &options), count);
    }
    struct shmf_pool_stats stats;
    assert_int_equal(shmf_pool_get_stats(pool, &stats), SHMF_OK);
    assert_int_equal(stats.tasks_done, 3 * count);
    assert_int_equal(stats.tasks_failed, 0);
    assert_int_equal(stats.workers_died, 0);
    shmf_pool_free(pool);
}

/* ---- several at once ---------------------------------------------------------------------- */

static void test_two_iterators_take_turns_on_one_pool(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct producer producer = {.count = 100};
    struct shmf_tasks tasks = tasks_of(&producer, -1);
    struct shmf_iter *one = map_count(pool, return_index, 100);
    struct shmf_iter *two = map(pool, third_of_arg, &tasks, NULL);
    for (int i = 0; i < 100; i++) {
        assert_true(next_double(one) == i);
        if (i % 2)
            continue;
        assert_true(next_double(two) == i);
        assert_true(next_double(two) == i + 1);
    }
    assert_ends(two);
    assert_ends(one);
    shmf_iter_free(one);
    shmf_iter_free(two);
    shmf_pool_free(pool);
}

static void test_iterators_beyond_the_pools_window_share_it(void **state)
{
    (void)state;
    struct shmf_pool_options options = {.workers = 2, .window = 3};
    struct shmf_pool *pool = pool_with(&options);
    enum { iterators = 5 };
    struct shmf_iter *iters[iterators];
    for (int i = 0; i < iterators; i++)
        iters[i] = map_count(pool, return_index, 20);
    for (int round = 0; round < 20; round++)
        for (int i = 0; i < iterators; i++)
            assert_true(next_double(iters[i]) == round);
    for (int i = 0; i < iterators; i++)
        shmf_iter_free(iters[i]);
    shmf_pool_free(pool);
}

static void test_two_pools_work_side_by_side(void **state)
{
    (void)state;
    struct shmf_pool *one = pool_of(2);
    struct shmf_pool *two = pool_of(2);
    struct shmf_iter *first = map_count(one, return_index, 100);
    struct shmf_iter *second = map_count(two, return_index, 100);
    for (int i = 0; i < 100; i++) {
        assert_true(next_double(first) == i);
        assert_true(next_double(second) == i);
    }
    shmf_iter_free(first);
    shmf_pool_free(one);
    assert_ends(second);
    shmf_iter_free(second);
    assert_counts_up(map_count(two, return_index, 100), 100);
    shmf_pool_free(two);
}

/* ---- ending early ------------------------------------------------------------------------- */

static void test_an_iterator_freed_early_revokes_what_did_not_start(void **state)
{
    (void)state;
    struct crowd *crowd = shared_memory(sizeof *crowd);
    struct shmf_pool *pool = pool_of(2);
    for (int round = 0; round < 20; round++) {
        atomic_store(&crowd->started, 0);
        struct shmf_tasks tasks = {.count = 1000, .context = crowd};
        struct shmf_imap_options options = {.window = 40};
        struct shmf_iter *iter = map(pool, count_crowd, &tasks, &options);
        for (int i = 0; i < round % 4; i++)
            assert_true(next_double(iter) == i);
        shmf_iter_free(iter);
        assert_true(atomic_load(&crowd->started) <= 40 + round % 4);
        assert_counts_up(map_count(pool, return_index, 20), 20);
    }
    shmf_pool_free(pool);
    munmap(crowd, sizeof *crowd);
}

static void test_an_iterator_outlives_its_pool_and_says_closed(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_index, 100);
    assert_true(next_double(iter) == 0);
    shmf_pool_free(pool);
    struct shmf_result *result;
    struct shmf_error err = {0};
    int rc;
    while ((rc = shmf_iter_next(iter, &result, &err)) == 1)
        shmf_result_free(result);
    assert_int_equal(rc, SHMF_E_CLOSED);
    assert_non_null(strstr(err.message, "pool"));
    shmf_iter_free(iter);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_with_workers(test_results_come_in_the_order_of_tasks_however_long_each_takes),
        test_inline(test_results_come_in_the_order_of_tasks_however_long_each_takes),
        test_with_workers(test_unordered_results_come_once_each_with_their_index),
        test_inline(test_unordered_results_come_once_each_with_their_index),
        test_case(test_an_unordered_iterator_does_not_wait_for_a_slow_first_task),
        test_with_workers(test_no_tasks_give_no_results),
        test_inline(test_no_tasks_give_no_results),
        test_with_workers(test_a_producer_yields_tasks_until_it_says_no_more),
        test_inline(test_a_producer_yields_tasks_until_it_says_no_more),
        test_with_workers(test_a_producers_error_comes_after_the_results_of_earlier_tasks),
        test_inline(test_a_producers_error_comes_after_the_results_of_earlier_tasks),
        test_with_workers(test_a_producer_is_never_asked_beyond_the_window),
        test_inline(test_a_producer_is_never_asked_beyond_the_window),
        test_case(test_a_window_of_one_runs_one_task_at_a_time),
        test_with_workers(test_thousands_of_tasks_are_all_right),
        test_inline(test_thousands_of_tasks_are_all_right),
        test_with_workers(test_two_iterators_take_turns_on_one_pool),
        test_inline(test_two_iterators_take_turns_on_one_pool),
        test_case(test_iterators_beyond_the_pools_window_share_it),
        test_case(test_two_pools_work_side_by_side),
        test_case(test_an_iterator_freed_early_revokes_what_did_not_start),
        test_with_workers(test_an_iterator_outlives_its_pool_and_says_closed),
        test_inline(test_an_iterator_outlives_its_pool_and_says_closed),
    };
    return cmocka_run_group_tests_name("pool: iteration", tests, NULL, NULL);
}

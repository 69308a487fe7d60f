/* The byte budget: workers keep to it, nobody waits for ever, and who holds too much is told. */
#include "pool_calls.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { MB = 1 << 20 };

static struct shmf_pool *pool_with_budget(int workers, uint64_t bytes)
{
    struct shmf_pool_options options = {.workers = workers, .budget_bytes = bytes};
    return pool_with(&options);
}

/* An array of as many bytes as the argument says, after a while that the seed says. */
static int return_sized(struct shmf_task *task, void *context)
{
    (void)context;
    int64_t size;
    memcpy(&size, shmf_task_arg(task), sizeof size);
    usleep((useconds_t)(shmf_task_seed(task) % 1000));
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, &size);
    if (!array)
        return SHMF_E_TASK;
    uint8_t *bytes = shmf_array_data_mut(array);
    for (int64_t at = 0; at < size; at += 4096)
        bytes[at] = (uint8_t)shmf_task_index(task);
    return shmf_task_return_array(task, array);
}

static struct shmf_iter *map_sizes(struct shmf_pool *pool, const int64_t *sizes, int64_t count,
                                   const struct shmf_imap_options *options)
{
    struct shmf_tasks tasks = {
        .count = count, .args = sizes, .arg_size = sizeof *sizes, .seed = (uint64_t)count};
    return map(pool, return_sized, &tasks, options);
}

static void assert_sized(struct shmf_result *result, const int64_t *sizes)
{
    assert_good(result);
    int64_t index = shmf_result_index(result);
    const struct shmf_array *array = shmf_result_array(result);
    assert_int_equal(shmf_array_size(array), sizes[index]);
    const uint8_t *bytes = shmf_array_data(array);
    for (int64_t at = 0; at < sizes[index]; at += 4096)
        if (bytes[at] != (uint8_t)index)
            fail_msg("task %lld: byte %lld differs", (long long)index, (long long)at);
}

static int64_t *equal_sizes(int64_t count, int64_t size)
{
    int64_t *sizes = malloc((size_t)count * sizeof *sizes);
    for (int64_t i = 0; i < count; i++)
        sizes[i] = size;
    return sizes;
}

static uint64_t held_by(struct shmf_pool *pool)
{
    struct shmf_pool_stats stats;
    assert_int_equal(shmf_pool_get_stats(pool, &stats), SHMF_OK);
    return stats.bytes_held;
}

/* A worker announces what it wants before it knows whether it may have it, so for a moment the sum
 * can be more than what is held. */
static bool stays_within(struct shmf_pool *pool, uint64_t most)
{
    double end = test_now() + test_seconds(30);
    while (held_by(pool) > most && test_now() < end)
        test_sleep(0.001);
    return test_now() < end;
}

/* ---- within the budget -------------------------------------------------------------------- */

/* The task that the consumer waits for may go beyond it, once in each worker. */
static void test_workers_keep_to_the_budget_whatever_the_window_lets_them_do(void **state)
{
    (void)state;
    enum { count = 300, size = 2 * MB - 4096, budget = 24 * MB, most = budget + 4 * 2 * MB };
    int64_t *sizes = equal_sizes(count, size);
    struct shmf_pool *pool = pool_with_budget(4, budget);
    struct shmf_imap_options options = {.window = 60, .unordered = 1};
    struct shmf_iter *iter = map_sizes(pool, sizes, count, &options);
    for (int i = 0; i < count; i++) {
        struct shmf_result *result = next_any(iter);
        assert_sized(result, sizes);
        if (i % 20 == 0)
            test_sleep(0.005);
        assert_true(stays_within(pool, most));
        if (i % 10 == 0)
            assert_true(test_shared_bytes() <= most);
        shmf_result_free(result);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    free(sizes);
}

static void test_a_result_beyond_the_budget_fails_its_task_alone(void **state)
{
    (void)state;
    int64_t sizes[] = {MB, 9 * MB, MB, 40 * MB, MB};
    struct shmf_pool *pool = pool_with_budget(2, 8 * MB);
    struct shmf_iter *iter = map_sizes(pool, sizes, 5, NULL);
    for (int i = 0; i < 5; i++) {
        struct shmf_result *result = next_any(iter);
        if (sizes[i] == MB) {
            assert_sized(result, sizes);
        } else {
            assert_int_equal(shmf_result_status(result), SHMF_E_NOSPC);
            assert_non_null(strstr(shmf_result_failure(result)->message, "budget of 8388608"));
        }
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static void test_what_idle_workers_cache_is_given_up_when_another_needs_it(void **state)
{
    (void)state;
    int64_t sizes[] = {3 * MB, 3 * MB, 3 * MB, 3 * MB, 7 * MB, 500000, 500000, 6 * MB};
    struct shmf_pool *pool = pool_with_budget(2, 8 * MB);
    for (int round = 0; round < 20; round++) {
        struct shmf_imap_options options = {.window = 2};
        double start = test_now();
        struct shmf_iter *iter = map_sizes(pool, sizes, 8, &options);
        for (int i = 0; i < 8; i++) {
            struct shmf_result *result = next_any(iter);
            assert_sized(result, sizes);
            shmf_result_free(result);
        }
        shmf_iter_free(iter);
        assert_true(test_now() - start < test_seconds(60));
    }
    shmf_pool_free(pool);
}

static void test_a_budget_of_window_and_workers_results_is_enough_for_a_steady_stream(void **state)
{
    (void)state;
    enum { workers = 2, window = 4, size = 34 * MB, budget = (workers + window) * size };
    int64_t count = test_rounds(200);
    int64_t *sizes = equal_sizes(count, size);
    struct shmf_pool *pool = pool_with_budget(workers, budget);
    struct shmf_imap_options options = {.window = window};
    struct shmf_iter *iter = map_sizes(pool, sizes, count, &options);
    for (int64_t i = 0; i < count; i++) {
        struct shmf_result *result = next_any(iter);
        assert_sized(result, sizes);
        assert_true(stays_within(pool, budget));
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    free(sizes);
}

/* ---- a caller that holds too much --------------------------------------------------------- */

static void test_a_caller_who_holds_all_is_told_and_goes_on_after_freeing(void **state)
{
    (void)state;
    enum { count = 60 };
    int64_t *sizes = equal_sizes(count, MB);
    struct shmf_pool *pool = pool_with_budget(2, 12 * MB);
    for (int unordered = 0; unordered < 2; unordered++) {
        struct shmf_imap_options options = {.unordered = unordered};
        struct shmf_iter *iter = map_sizes(pool, sizes, count, &options);
        struct shmf_result *held[count];
        int taken = 0, freed = 0, told = 0;
        while (taken < count) {
            struct shmf_error err = {0};
            int rc = shmf_iter_next(iter, &held[taken], &err);
            if (rc == 1) {
                assert_sized(held[taken++], sizes);
                continue;
            }
            assert_int_equal(rc, SHMF_E_NOSPC);
            assert_int_equal(err.code, SHMF_E_NOSPC);
            assert_non_null(strstr(err.message, "caller"));
            if (!unordered) /* other tasks' results may be there, but not the next one's */
                assert_int_equal(shmf_iter_next(iter, &held[taken], NULL), SHMF_E_NOSPC);
            assert_true(taken - freed >= 4);
            told++;
            while (freed < taken - told % 3)
                shmf_result_free(held[freed++]);
        }
        assert_ends(iter);
        assert_true(told >= count / 12 - 1);
        while (freed < taken)
            shmf_result_free(held[freed++]);
        shmf_iter_free(iter);
    }
    shmf_pool_free(pool);
    free(sizes);
}

static void *free_after_a_while(void *context)
{
    struct shmf_result **results = context;
    test_sleep(0.1);
    for (int i = 0; results[i]; i++)
        shmf_result_free(results[i]);
    return NULL;
}

static void test_results_freed_by_another_thread_let_the_iteration_go_on(void **state)
{
    (void)state;
    enum { count = 30 };
    int64_t *sizes = equal_sizes(count, MB);
    struct shmf_pool *pool = pool_with_budget(2, 12 * MB);
    struct shmf_iter *iter = map_sizes(pool, sizes, count, NULL);
    struct shmf_result *held[count + 1] = {NULL};
    struct shmf_result *result;
    int taken = 0;
    while (shmf_iter_next(iter, &result, NULL) == 1)
        held[taken++] = result;
    assert_true(taken < count);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, free_after_a_while, held), 0);
    for (int left = count - taken; left;) {
        int rc = shmf_iter_next(iter, &result, NULL);
        if (rc == SHMF_E_NOSPC)
            continue;
        assert_int_equal(rc, 1);
        shmf_result_free(result);
        left--;
    }
    pthread_join(thread, NULL);
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    free(sizes);
}

/* ---- nobody waits for ever ---------------------------------------------------------------- */

static int64_t *random_sizes(int64_t count, int64_t most, unsigned seed)
{
    int64_t *sizes = malloc((size_t)count * sizeof *sizes);
    for (int64_t i = 0; i < count; i++)
        sizes[i] = rand_r(&seed) % 3 ? 1 + rand_r(&seed) % (most / 8) : 1 + rand_r(&seed) % most;
    return sizes;
}

static void test_ordered_iteration_under_a_tight_budget_always_ends(void **state)
{
    (void)state;
    enum { budget = 8 * MB };
    long rounds = test_rounds(12);
    for (long round = 0; round < rounds; round++) {
        int64_t count = 60;
        int64_t *sizes = random_sizes(count, budget - (1 << 16), (unsigned)round);
        struct shmf_pool *pool = pool_with_budget(1 + (int)round % 4, budget);
        struct shmf_imap_options options = {.window = round % 2 ? 40 : 0};
        struct shmf_iter *iter = map_sizes(pool, sizes, count, &options);
        for (int64_t i = 0; i < count; i++) {
            struct shmf_result *result = next_any(iter);
            assert_sized(result, sizes);
            shmf_result_free(result);
        }
        assert_ends(iter);
        shmf_iter_free(iter);
        shmf_pool_free(pool);
        free(sizes);
    }
}

static void test_iterators_that_take_turns_under_a_tight_budget_always_end(void **state)
{
    (void)state;
    enum { count = 40, iterators = 3 };
    long rounds = test_rounds(6);
    for (long round = 0; round < rounds; round++) {
        struct shmf_pool *pool = pool_with_budget(2, 8 * MB);
        struct shmf_iter *iters[iterators];
        int64_t *sizes = random_sizes(count, 5 * MB, (unsigned)round);
        struct shmf_imap_options options = {.window = 20};
        for (int i = 0; i < iterators; i++)
            iters[i] = map_sizes(pool, sizes, count, &options);
        /* The first is asked once, so that its tasks take all workers and all memory; then the
         * last is emptied before the others. */
        struct shmf_result *first = next_any(iters[0]);
        assert_sized(first, sizes);
        shmf_result_free(first);
        for (int i = iterators - 1; i >= 0; i--) {
            for (int64_t at = i ? 0 : 1; at < count; at++) {
                struct shmf_result *result = next_any(iters[i]);
                assert_int_equal(shmf_result_index(result), at);
                assert_sized(result, sizes);
                shmf_result_free(result);
            }
            assert_ends(iters[i]);
        }
        for (int i = 0; i < iterators; i++)
            shmf_iter_free(iters[i]);
        shmf_pool_free(pool);
        free(sizes);
    }
}

static int return_sized_or_die(struct shmf_task *task, void *context)
{
    if (shmf_task_attempt(task) == 1 && shmf_task_index(task) % 5 == 0)
        raise(SIGKILL);
    return return_sized(task, context);
}

static void test_tasks_that_start_again_under_a_tight_budget_always_end(void **state)
{
    (void)state;
    enum { count = 100 };
    int64_t *sizes = random_sizes(count, 6 * MB, 3);
    for (int workers = 1; workers <= 3; workers++) {
        struct shmf_pool *pool = pool_with_budget(workers, 8 * MB);
        struct shmf_tasks tasks = {.count = count, .args = sizes, .arg_size = sizeof *sizes};
        struct shmf_imap_options options = {.window = 30, .attempts = 2};
        struct shmf_iter *iter = map(pool, return_sized_or_die, &tasks, &options);
        for (int i = 0; i < count; i++) {
            struct shmf_result *result = next_any(iter);
            assert_sized(result, sizes);
            shmf_result_free(result);
        }
        shmf_iter_free(iter);
        shmf_pool_free(pool);
    }
    free(sizes);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_workers_keep_to_the_budget_whatever_the_window_lets_them_do),
        test_case(test_a_result_beyond_the_budget_fails_its_task_alone),
        test_case(test_what_idle_workers_cache_is_given_up_when_another_needs_it),
        test_case(test_a_budget_of_window_and_workers_results_is_enough_for_a_steady_stream),
        test_case(test_a_caller_who_holds_all_is_told_and_goes_on_after_freeing),
        test_case(test_results_freed_by_another_thread_let_the_iteration_go_on),
        test_case(test_ordered_iteration_under_a_tight_budget_always_ends),
        test_case(test_iterators_that_take_turns_under_a_tight_budget_always_end),
        test_case(test_tasks_that_start_again_under_a_tight_budget_always_end),
    };
    return cmocka_run_group_tests_name("pool: budget", tests, NULL, NULL);
}

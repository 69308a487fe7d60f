/* A pool that goes while threads use its iterators and futures, and one that broke: nobody waits
 * for what will not come.
 *
 * ctest: LABELS threads */
#include "pool_calls.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS 3

struct race {
    struct shmf_pool *pool;
    struct shmf_iter *iters[THREADS];
    struct shmf_future *futures[THREADS];
    _Atomic int next, running;
    _Atomic bool wrong;
};

static bool is_expected(int rc)
{
    return rc >= 0 || rc == SHMF_E_CLOSED;
}

/* Takes results until the pool is gone, in one of two ways; then looks once more. */
static void *use_it(void *context)
{
    struct race *race = context;
    int me = atomic_fetch_add(&race->next, 1);
    atomic_fetch_add(&race->running, 1);
    struct shmf_result *result;
    int rc;
    while ((rc = shmf_iter_next(race->iters[me], &result, NULL)) == 1) {
        shmf_result_free(result);
        shmf_future_done(race->futures[me]);
    }
    if (!is_expected(rc) || !is_expected(shmf_future_wait(race->futures[me], -1, NULL)) ||
        shmf_future_done(race->futures[me]) != 1)
        race->wrong = true;
    shmf_iter_free(race->iters[me]);
    shmf_future_free(race->futures[me]);
    return NULL;
}

static void free_while_used(int workers, long delay_us)
{
    struct race race = {.pool = pool_of(workers)};
    struct shmf_tasks tasks = {.count = INT64_C(1) << 40};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        race.iters[i] = map(race.pool, return_index, &tasks, NULL);
        race.futures[i] = shmf_pool_submit(race.pool, return_index, NULL, NULL, NULL);
        assert_non_null(race.futures[i]);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_it, &race), 0);
    while (race.running < THREADS)
        test_sleep(0.0001);
    test_sleep((double)delay_us * 1e-6);
    shmf_pool_free(race.pool);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_false(race.wrong);
}

static void test_iterators_and_futures_outlive_a_pool_that_goes_in_their_midst(void **state)
{
    for (long round = test_rounds(40); round > 0; round--)
        free_while_used(*(int *)*state, round * 37 % 500);
}

/* ---- nothing will come -------------------------------------------------------------------- */

static int never_start(int worker, void *broken)
{
    (void)worker;
    return *(volatile int *)broken;
}

static int break_it(struct shmf_task *task, void *broken)
{
    (void)task;
    *(volatile int *)broken = 1;
    _exit(1);
}

static void test_a_future_of_a_broken_pool_is_done_for_whoever_polls(void **state)
{
    (void)state;
    int *broken = shared_memory(4096);
    struct shmf_pool_options options = {
        .workers = 1, .initializer = never_start, .initializer_context = broken};
    struct shmf_pool *pool = pool_with(&options);
    struct shmf_submit_options how = {.context = broken, .attempts = 2};
    struct shmf_future *future = shmf_pool_submit(pool, break_it, NULL, &how, NULL);
    double end = test_now() + test_seconds(60);
    while (!shmf_future_done(future) && test_now() < end)
        test_sleep(0.001);
    assert_int_equal(shmf_future_done(future), 1);
    assert_int_equal(shmf_future_wait(future, 0, NULL), SHMF_E_POOL_BROKEN);
    assert_null(shmf_future_result(future));
    shmf_future_free(future);
    shmf_pool_free(pool);
    munmap(broken, 4096);
}

#define MIB (1 << 20)

static int return_four_mebibytes(struct shmf_task *task, void *unused)
{
    (void)unused;
    return return_patterned(task, 4 * MIB, 1);
}

static void test_progress_says_when_only_the_callers_results_are_in_the_way(void **state)
{
    (void)state;
    /* Two results fit, with their headers and whole huge pages, a third does not. */
    struct shmf_pool_options options = {.workers = 1, .budget_bytes = 14 * MIB};
    struct shmf_pool *pool = pool_with(&options);
    struct shmf_future *futures[3];
    for (int i = 0; i < 3; i++)
        futures[i] = shmf_pool_submit(pool, return_four_mebibytes, NULL, NULL, NULL);
    struct shmf_error err = {0};
    int rc = 0;
    double end = test_now() + test_seconds(30);
    while ((rc = shmf_pool_progress(pool, &err)) >= 0 && test_now() < end)
        test_sleep(0.001);
    assert_int_equal(rc, SHMF_E_NOSPC);
    shmf_future_free(futures[0]);
    while (!shmf_future_done(futures[2]) && test_now() < end)
        test_sleep(0.001);
    assert_non_null(shmf_future_result(futures[2]));
    assert_good(shmf_future_result(futures[2]));
    for (int i = 1; i < 3; i++)
        shmf_future_free(futures[i]);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_iterators_and_futures_outlive_a_pool_that_goes_in_their_midst),
        test_inline(test_iterators_and_futures_outlive_a_pool_that_goes_in_their_midst),
        test_case(test_a_future_of_a_broken_pool_is_done_for_whoever_polls),
        test_case(test_progress_says_when_only_the_callers_results_are_in_the_way),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

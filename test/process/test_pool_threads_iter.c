/* One iterator, several threads of the application. */
/* ctest: LABELS threads */
#include "thread_calls.h"

enum { SHARED = 200 };

struct shared_iter {
    struct shmf_iter *iter;
    atomic_int *runs;        /* of each task: SHARED */
    atomic_int seen[SHARED]; /* results of each */
    atomic_int ended;        /* threads that were told that there are no more */
};

static int count_run(struct shmf_task *task, void *context)
{
    int64_t index = shmf_task_index(task);
    atomic_fetch_add(&((atomic_int *)context)[index], 1);
    if (index % 16 == 0)
        sched_yield();
    return shmf_task_return_double(task, (double)index);
}

static const char *take_results(int thread, void *context)
{
    (void)thread;
    struct shared_iter *shared = context;
    struct shmf_result *result;
    int64_t last = -1;
    int rc;
    while ((rc = shmf_iter_next(shared->iter, &result, NULL)) == 1) {
        int64_t index = shmf_result_index(result);
        atomic_fetch_add(&shared->seen[index], 1);
        bool right = index > last && shmf_result_double(result) == (double)index;
        shmf_result_free(result);
        if (!right)
            return "a result is wrong, or came before its predecessor";
        last = index;
    }
    return rc == SHMF_OK ? NULL : "the iteration did not end well";
}

static void test_threads_that_share_an_iterator_get_each_result_once(void **state)
{
    struct shared_iter shared = {.runs = shared_memory(SHARED * sizeof(atomic_int))};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = SHARED, .context = shared.runs};
    for (long round = test_rounds(20); round > 0; round--) {
        shared.iter = map(pool, count_run, &tasks, NULL);
        run_in_threads(take_results, &shared);
        shmf_iter_free(shared.iter);
        for (int i = 0; i < SHARED; i++) {
            assert_int_equal(atomic_exchange(&shared.runs[i], 0), 1);
            assert_int_equal(atomic_exchange(&shared.seen[i], 0), 1);
        }
    }
    shmf_pool_free(pool);
    munmap(shared.runs, SHARED * sizeof(atomic_int));
}

static const char *take_until_closed(int thread, void *context)
{
    (void)thread;
    struct shared_iter *shared = context;
    struct shmf_result *result;
    int rc;
    while ((rc = shmf_iter_next(shared->iter, &result, NULL)) == 1) {
        atomic_fetch_add(&shared->seen[shmf_result_index(result)], 1);
        shmf_result_free(result);
    }
    atomic_fetch_add(&shared->ended, rc == SHMF_OK);
    return rc == SHMF_OK || rc == SHMF_E_CLOSED ? NULL : "neither closed nor at its end";
}

static void test_a_pool_freed_while_threads_share_an_iterator_tells_them(void **state)
{
    struct shared_iter shared = {.runs = shared_memory(SHARED * sizeof(atomic_int))};
    struct shmf_tasks tasks = {.count = SHARED, .context = shared.runs};
    for (long round = test_rounds(20); round > 0; round--) {
        struct shmf_pool *pool = pool_of_state(state);
        struct runner runners[THREADS];
        shared.iter = map(pool, count_run, &tasks, NULL);
        start(runners, THREADS, take_until_closed, &shared);
        await_count(&shared.runs[0], 1);
        shmf_pool_free(pool);
        join(runners, THREADS);
        shmf_iter_free(shared.iter);
        bool ended = atomic_exchange(&shared.ended, 0);
        for (int i = 0; i < SHARED; i++) {
            int seen = atomic_exchange(&shared.seen[i], 0);
            assert_true(atomic_exchange(&shared.runs[i], 0) <= 1);
            assert_true(ended ? seen == 1 : seen <= 1);
        }
    }
    munmap(shared.runs, SHARED * sizeof(atomic_int));
}

static struct shmf_iter *own;

static int ask_its_own_iterator(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_result *result;
    return shmf_task_return_double(task, shmf_iter_next(own, &result, NULL));
}

static void test_an_inline_task_that_asks_its_own_iterator_is_refused(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(SHMF_INLINE);
    own = map_count(pool, ask_its_own_iterator, 3);
    for (int i = 0; i < 3; i++)
        assert_true(next_double(own) == SHMF_E_INVAL);
    assert_ends(own);
    shmf_iter_free(own);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_threads_that_share_an_iterator_get_each_result_once),
        test_inline(test_threads_that_share_an_iterator_get_each_result_once),
        test_with_workers(test_a_pool_freed_while_threads_share_an_iterator_tells_them),
        test_inline(test_a_pool_freed_while_threads_share_an_iterator_tells_them),
        test_case(test_an_inline_task_that_asks_its_own_iterator_is_refused),
    };
    test_begin();
    return cmocka_run_group_tests_name("threads that share an iterator", tests, NULL, NULL);
}

/* What the tests of the pool say often. In a forked child a failed assertion aborts the child. */
#ifndef TEST_POOL_CALLS_H
#define TEST_POOL_CALLS_H

#include "support/test.h"

#include <shmframe/shmframe.h>

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static inline struct shmf_pool *pool_with(const struct shmf_pool_options *options)
{
    struct shmf_error err = {0};
    struct shmf_pool *pool = shmf_pool_new(options, &err);
    if (!pool)
        fail_msg("no pool: %s: %s", shmf_status_name(err.code), err.message);
    return pool;
}

static inline struct shmf_pool *pool_of(int workers)
{
    struct shmf_pool_options options = {.workers = workers};
    return pool_with(&options);
}

static inline struct shmf_iter *map(struct shmf_pool *pool, shmf_task_fn fn,
                                    const struct shmf_tasks *tasks,
                                    const struct shmf_imap_options *options)
{
    struct shmf_error err = {0};
    struct shmf_iter *iter = shmf_pool_imap(pool, fn, tasks, options, &err);
    if (!iter)
        fail_msg("no iterator: %s: %s", shmf_status_name(err.code), err.message);
    return iter;
}

static inline struct shmf_iter *map_count(struct shmf_pool *pool, shmf_task_fn fn, int64_t count)
{
    struct shmf_tasks tasks = {.count = count};
    return map(pool, fn, &tasks, NULL);
}

/* The next result, which there must be; it may be a failed task's. */
static inline struct shmf_result *next_any(struct shmf_iter *iter)
{
    struct shmf_error err = {0};
    struct shmf_result *result = NULL;
    int rc = shmf_iter_next(iter, &result, &err);
    if (rc != 1)
        fail_msg("no result: %s: %s", shmf_status_name(rc), err.message);
    return result;
}

static inline void assert_good(const struct shmf_result *result)
{
    assert_non_null(result);
    const struct shmf_failure *failure = shmf_result_failure(result);
    if (failure)
        fail_msg("task %" PRId64 " failed: %s: %s", shmf_result_index(result),
                 shmf_status_name(failure->code), failure->message);
}

/* The next result, of a task that did not fail. */
static inline struct shmf_result *next_good(struct shmf_iter *iter)
{
    struct shmf_result *result = next_any(iter);
    assert_good(result);
    return result;
}

static inline double next_double(struct shmf_iter *iter)
{
    struct shmf_result *result = next_good(iter);
    double value = shmf_result_double(result);
    shmf_result_free(result);
    return value;
}

static inline void assert_ends(struct shmf_iter *iter)
{
    struct shmf_error err = {0};
    struct shmf_result *result = NULL;
    int rc = shmf_iter_next(iter, &result, &err);
    if (rc)
        fail_msg("the iterator does not end: %s: %s", shmf_status_name(rc), err.message);
}

/* Takes the results of all tasks, which must be right and in order, and frees the iterator. */
static inline void assert_counts_up(struct shmf_iter *iter, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        assert_true(next_double(iter) == (double)i);
    assert_ends(iter);
    shmf_iter_free(iter);
}

/* Zeroed memory that this process and all it forks share. */
static inline void *shared_memory(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    return at;
}

/* The task that returns its own index. */
static inline int return_index(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_return_double(task, (double)shmf_task_index(task));
}

/* An array of `size` bytes filled from the seed. */
static inline struct shmf_array *patterned_array(size_t size, uint64_t seed)
{
    struct shmf_error err = {0};
    struct shmf_array *array = shmf_array_new(SHMF_UINT8, 1, (int64_t[]){(int64_t)size}, &err);
    if (!array)
        fail_msg("no array: %s", err.message);
    test_fill(shmf_array_data_mut(array), size, seed);
    return array;
}

static inline int return_patterned(struct shmf_task *task, size_t size, uint64_t seed)
{
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){(int64_t)size});
    if (!array)
        return SHMF_E_TASK;
    test_fill(shmf_array_data_mut(array), size, seed);
    return shmf_task_return_array(task, array);
}

static inline bool is_patterned(const struct shmf_array *array, size_t size, uint64_t seed)
{
    return array && shmf_array_size(array) == (int64_t)size &&
           test_differs(shmf_array_data(array), size, seed) < 0;
}

/* A worker's pid, which the supervisor tells a moment after the worker began. */
static inline pid_t worker_pid(struct shmf_pool *pool, int worker)
{
    double end = test_now() + test_seconds(30);
    pid_t pid;
    while (!(pid = (pid_t)shmf_pool_worker_pid(pool, worker)) && test_now() < end)
        test_sleep(0.001);
    assert_true(pid > 0);
    return pid;
}

/* Kills a worker. When this returns it takes no task any more: a process that runs elsewhere may go
 * on for a moment after kill(). */
static inline void end_worker(struct shmf_pool *pool, int worker)
{
    pid_t pid = worker_pid(pool, worker);
    kill(pid, SIGKILL);
    assert_true(test_process_gone(pid, 30));
}

/* The supervisor of the only pool, which has so many workers: they bear its name until they have
 * their own. */
static inline pid_t supervisor_pid(size_t workers)
{
    assert_true(test_wait_named("shmf-w", workers, 30));
    assert_true(test_wait_named("shmf-super", 1, 30));
    return test_find_named("shmf-super");
}

/* Tests that hold for pools with workers and for inline pools; `*state` points to the number. */
static inline int *two_workers(void)
{
    static int workers = 2;
    return &workers;
}

static inline int *no_workers(void)
{
    static int workers = SHMF_INLINE;
    return &workers;
}

static inline struct shmf_pool *pool_of_state(void **state)
{
    return pool_of(*(int *)*state);
}

#define test_with_workers(function)                                                                \
    {                                                                                              \
#function, function, test_account_setup, test_account_teardown, two_workers()              \
    }
#define test_inline(function)                                                                      \
    {                                                                                              \
#function "_inline", function, test_account_setup, test_account_teardown, no_workers()     \
    }

#endif

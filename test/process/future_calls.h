/* What the tests of single tasks and of whole calls say often. */
#ifndef TEST_FUTURE_CALLS_H
#define TEST_FUTURE_CALLS_H

#include "pool_calls.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

/* ---- submitting --------------------------------------------------------------------------- */

static inline struct shmf_future *submit_with(struct shmf_pool *pool, shmf_task_fn fn,
                                              const struct shmf_task_input *input,
                                              const struct shmf_submit_options *options)
{
    struct shmf_error err = {0};
    struct shmf_future *future = shmf_pool_submit(pool, fn, input, options, &err);
    if (!future)
        fail_msg("no future: %s: %s", shmf_status_name(err.code), err.message);
    return future;
}

static inline struct shmf_future *submit(struct shmf_pool *pool, shmf_task_fn fn, void *context)
{
    struct shmf_submit_options options = {.context = context};
    return submit_with(pool, fn, NULL, &options);
}

/* A task whose argument is this number. */
static inline struct shmf_future *submit_number(struct shmf_pool *pool, shmf_task_fn fn,
                                                double number, void *context)
{
    struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
    struct shmf_submit_options options = {.context = context};
    return submit_with(pool, fn, &input, &options);
}

/* ---- waiting ------------------------------------------------------------------------------ */

/* Waits for the task and returns how it went. */
static inline int status_of(struct shmf_future *future)
{
    struct shmf_error err = {0};
    int rc = shmf_future_wait(future, -1, &err);
    if (rc)
        fail_msg("no result: %s: %s", shmf_status_name(rc), err.message);
    assert_int_equal(shmf_future_done(future), 1);
    return shmf_result_status(shmf_future_result(future));
}

/* Waits for the task, which must go well, returns its number and frees the future. */
static inline double number_of(struct shmf_future *future)
{
    status_of(future);
    struct shmf_result *result = shmf_future_result(future);
    assert_good(result);
    double value = shmf_result_double(result);
    shmf_future_free(future);
    return value;
}

/* Waits for the task, which must fail with this code. The future stays. */
static inline const struct shmf_failure *failure_of(struct shmf_future *future, int code)
{
    assert_int_equal(status_of(future), code);
    const struct shmf_failure *failure = shmf_result_failure(shmf_future_result(future));
    assert_non_null(failure);
    assert_int_equal(failure->code, code);
    return failure;
}

/* ---- tasks -------------------------------------------------------------------------------- */

static inline double number_arg(const struct shmf_task *task)
{
    double number;
    memcpy(&number, shmf_task_arg(task), sizeof number);
    return number;
}

static inline int return_number(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_return_double(task, number_arg(task));
}

static inline int return_square(struct shmf_task *task, void *context)
{
    (void)context;
    double number = number_arg(task);
    return shmf_task_return_double(task, number * number);
}

static inline int return_pid(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_return_double(task, (double)getpid());
}

static inline int kill_myself(struct shmf_task *task, void *context)
{
    (void)task;
    (void)context;
    raise(SIGKILL);
    return SHMF_E_TASK;
}

/* What tasks and tests tell each other; in shared_memory(). */
struct signals {
    atomic_int started; /* tasks that began */
    atomic_int go;      /* they wait for this */
};

static inline struct signals *new_signals(void)
{
    return shared_memory(sizeof(struct signals));
}

static inline void free_signals(struct signals *signals)
{
    munmap(signals, sizeof *signals);
}

/* Begins, and returns 1 when told to go. */
static inline int wait_for_go(struct shmf_task *task, void *context)
{
    struct signals *signals = context;
    atomic_fetch_add(&signals->started, 1);
    while (!atomic_load(&signals->go))
        usleep(200);
    return shmf_task_return_double(task, 1);
}

struct count {
    atomic_int *counter;
    int value;
};

static inline bool has_reached(void *context)
{
    const struct count *count = context;
    return atomic_load(count->counter) >= count->value;
}

/* Waits until the counter has reached the value. */
static inline void await_count(atomic_int *counter, int value)
{
    struct count count = {counter, value};
    assert_true(test_wait_until(30, has_reached, &count));
}

/* What this process has computed so far. */
static inline double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline struct shmf_pool_stats stats_of(struct shmf_pool *pool)
{
    struct shmf_pool_stats stats = {0};
    assert_int_equal(shmf_pool_get_stats(pool, &stats), SHMF_OK);
    return stats;
}

/* A map of return_square over 0 .. count-1. */
static inline void assert_map_squares(struct shmf_pool *pool, int count, int64_t chunk)
{
    double *args = calloc((size_t)count + 1, sizeof *args), *out = calloc((size_t)count + 1, 8);
    for (int i = 0; i < count; i++)
        args[i] = i;
    struct shmf_tasks tasks = {.count = count, .args = args, .arg_size = sizeof *args};
    struct shmf_map_options options = {.chunk = chunk};
    assert_int_equal(shmf_pool_map(pool, return_square, &tasks, &options, out, 8, NULL, NULL), 0);
    for (int i = 0; i < count; i++)
        assert_true(out[i] == (double)i * i);
    free(args);
    free(out);
}

#endif

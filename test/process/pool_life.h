/* What an application does with a pool, for tests that make something around it go wrong: an
 * iterator with inputs of both ages, a task whose worker dies, a future, a map. */
#ifndef TEST_POOL_LIFE_H
#define TEST_POOL_LIFE_H

#include "pool_calls.h"

#include <shmframe/early.h>
#include <shmframe/future.h>
#include <shmframe/map.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>

enum { INPUT = 5000, RESULT = 40000, TASKS = 10, MAPPED = 50, SPILLED = 2000 };

/* Says on stderr what was not right; the exit code of the child. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                        \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

/* 1: all went well so far, 0: something failed, and said how; -1: it did not do as it should. */
static int clear(int rc, const struct shmf_error *err)
{
    HOLDS(rc < 0 && rc >= SHMF_E_SYS);
    HOLDS(err->code == rc && err->message[0]);
    if (rc == SHMF_E_INVAL || rc == SHMF_E_CORRUPT || rc == SHMF_E_WRONG_PROCESS)
        fprintf(stderr, "%s: %s\n", shmf_status_name(rc), err->message);
    HOLDS(rc != SHMF_E_INVAL && rc != SHMF_E_CORRUPT && rc != SHMF_E_WRONG_PROCESS);
    return 0;
}

/* Of every fourth task the first attempt dies; others return much, or little. */
static int work(struct shmf_task *task, void *context)
{
    (void)context;
    int64_t index = shmf_task_index(task);
    for (size_t i = 0; i < 2; i++)
        if (!is_patterned(shmf_task_array(task, i), INPUT, i))
            return shmf_task_fail(task, SHMF_E_TASK, "no input %zu", i);
    if (index == 3 && shmf_task_attempt(task) == 1)
        raise(SIGKILL);
    return index % 2 ? return_patterned(task, RESULT, (uint64_t)index) : return_index(task, NULL);
}

static int return_argument(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_return_bytes(task, shmf_task_arg(task), shmf_task_arg_size(task));
}

static int is_right(struct shmf_result *result)
{
    const struct shmf_failure *failure = shmf_result_failure(result);
    int64_t index = shmf_result_index(result);
    if (failure) {
        HOLDS(failure->code < 0 && failure->message[0]);
        if (failure->code == SHMF_E_CORRUPT || failure->code == SHMF_E_INVAL)
            fprintf(stderr, "%s: %s\n", shmf_status_name(failure->code), failure->message);
        HOLDS(failure->code != SHMF_E_CORRUPT && failure->code != SHMF_E_INVAL);
        return 0;
    }
    if (index % 2 == 0)
        HOLDS(shmf_result_double(result) == (double)index);
    else if (shmf_result_array(result))
        HOLDS(is_patterned(shmf_result_array(result), RESULT, (uint64_t)index));
    else
        return 0;
    return 1;
}

static int iterate(struct shmf_pool *pool, struct shmf_array *const inputs[2])
{
    struct shmf_error err = {0};
    struct shmf_handle handles[] = {shmf_array_handle(inputs[0]), shmf_array_handle(inputs[1])};
    struct shmf_tasks tasks = {.count = TASKS, .handles = handles, .n_handles = 2};
    struct shmf_imap_options options = {.attempts = 3, .window = 4};
    struct shmf_iter *iter = shmf_pool_imap(pool, work, &tasks, &options, &err);
    if (!iter)
        return clear(err.code, &err);
    struct shmf_result *result;
    int well = 1, taken = 0, rc, tries = 0;
    while ((rc = shmf_iter_next(iter, &result, &err)) == 1 || (rc < 0 && tries++ < 3)) {
        if (rc < 0) {
            well = clear(rc, &err);
            if (well < 0)
                break;
            continue; /* what was a matter of the moment goes on; a broken pool stays broken */
        }
        HOLDS(shmf_result_index(result) == taken);
        taken++;
        int right = is_right(result);
        well = right < well ? right : well;
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    if (!rc)
        HOLDS(taken == TASKS);
    return well;
}

static int submit_some(struct shmf_pool *pool)
{
    uint8_t bytes[SPILLED];
    test_fill(bytes, sizeof bytes, 7);
    struct shmf_error err = {0};
    struct shmf_task_input input = {.arg = bytes, .arg_size = sizeof bytes};
    int fd = shmf_pool_fd(pool);
    struct shmf_future *future = shmf_pool_submit(pool, return_argument, &input, NULL, &err);
    if (!future)
        return clear(err.code, &err);
    shmf_pool_progress(pool, &err);
    struct pollfd news = {fd, POLLIN, 0};
    if (fd >= 0)
        poll(&news, 1, 20);
    int rc = shmf_future_wait(future, 20, &err);
    HOLDS(rc != SHMF_E_TIMEOUT);
    int well = rc ? clear(rc, &err) : 1;
    struct shmf_result *result = rc ? NULL : shmf_future_result(future);
    size_t size = 0;
    const void *back = result ? shmf_result_bytes(result, &size) : NULL;
    if (back)
        HOLDS(size == SPILLED && test_differs(back, SPILLED, 7) < 0);
    else
        well = well > 0 ? 0 : well;
    shmf_future_free(future);
    return well;
}

static int map_some(struct shmf_pool *pool)
{
    struct shmf_error err = {0};
    double results[MAPPED];
    int statuses[MAPPED];
    struct shmf_tasks tasks = {.count = MAPPED};
    int rc =
        shmf_pool_map(pool, return_index, &tasks, NULL, results, sizeof *results, statuses, &err);
    for (int i = 0; i < MAPPED; i++)
        HOLDS(statuses[i] || results[i] == i);
    return rc ? clear(rc, &err) : 1;
}

static int least(int one, int other)
{
    return one < other ? one : other;
}

static int live_with(const struct shmf_pool_options *options)
{
    struct shmf_error err = {0};
    int64_t shape[] = {INPUT};
    struct shmf_array *inputs[2] = {NULL, NULL};
    inputs[0] = shmf_array_new(SHMF_UINT8, 1, shape, &err);
    if (!inputs[0])
        return clear(err.code, &err);
    test_fill(shmf_array_data_mut(inputs[0]), INPUT, 0);
    int well = 1;
    struct shmf_pool *pool = shmf_pool_new(options, &err);
    if (!pool)
        well = clear(err.code, &err);
    if (pool && !(inputs[1] = shmf_array_new(SHMF_UINT8, 1, shape, &err)))
        well = clear(err.code, &err);
    if (pool && inputs[1]) {
        test_fill(shmf_array_data_mut(inputs[1]), INPUT, 1);
        well = iterate(pool, inputs);
        well = least(well, submit_some(pool));
        well = least(well, map_some(pool));
    }
    shmf_pool_free(pool);
    shmf_array_free(inputs[1]);
    shmf_array_free(inputs[0]);
    return well;
}

/* An application's life: 1, all went well; 0, something failed, and said how; -1: it did not do as
 * it should. The initializer may be NULL. */
static inline int live(int (*initializer)(int worker, void *context))
{
    struct shmf_pool_options options = {
        .workers = 2, .budget_bytes = 64u << 20, .initializer = initializer};
    return live_with(&options);
}

/* The same of one whose workers stem from its beginning. */
static inline int live_early(void)
{
    struct shmf_error err = {0};
    struct shmf_pool_options options = {
        .workers = 2, .budget_bytes = 64u << 20, .start = SHMF_START_EARLY};
    int rc = shmf_early_start(NULL, &err);
    int well = rc ? clear(rc, &err) : live_with(&options);
    shmf_early_stop();
    return well;
}

/* Its life in a process with something in its way: `impose` puts it there (and says whether it
 * could), `lift` (or NULL) takes it away. */
struct trial {
    bool (*impose)(void *context);
    void (*lift)(void *context);
    void *context;
    int (*initializer)(int worker, void *context);
};

enum verdict {
    WELL = 0,
    FAILED_CLEARLY = 1,
    WRONG = 2,
    LEFT_SOMETHING = 3,
    NOT_WELL_AFTER = 4,
    NOT_POSSIBLE = 5
};

/* A body of test_in_child. */
static inline int endure_trial(void *context)
{
    const struct trial *trial = context;
    struct test_account before = test_account_take();
    if (!trial->impose(trial->context))
        return NOT_POSSIBLE;
    int well = live(trial->initializer);
    if (trial->lift)
        trial->lift(trial->context);
    if (well < 0)
        return WRONG;
    if (test_account_settle(&before))
        return LEFT_SOMETHING;
    if (well != 1 && trial->lift && live(NULL) != 1)
        return NOT_WELL_AFTER;
    return well ? WELL : FAILED_CLEARLY;
}

#endif

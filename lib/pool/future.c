/* Single tasks. A future whose task finds no free slot waits in the application's backlog with a
 * copy of its input; every call on the pool moves the backlog on. */
#include "pool/future_internal.h"

#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"

#include <stdio.h>
#include <string.h>

static void deliver(struct shmfi_sink *sink, struct shmf_result *result)
{
    struct shmf_future *future = (struct shmf_future *)sink;
    future->result = result;
    future->done = true;
    if (future->done_fn)
        future->done_fn(future, future->user);
}

void shmfi_future_fail(struct shmf_future *future, int code, const char *why)
{
    struct shmf_result *result = shmfi_result_new();
    if (result) {
        result->worker = -1;
        result->failure = (struct shmf_failure){.code = code, .exit_status = -1, .worker = -1};
        snprintf(result->failure.message, sizeof result->failure.message, "%s", why);
    }
    deliver(&future->sink, result); /* without memory: done, and no result */
}

/* ---- the backlog -------------------------------------------------------------------------- */

static int copy_input(struct shmf_future *future, struct shmf_error *err)
{
    struct shmf_task_input *input = &future->order.input;
    size_t handles = input->n_handles * sizeof *input->handles;
    void *arg = input->arg_size ? shmfi_sys.malloc(input->arg_size) : NULL;
    void *copies = handles ? shmfi_sys.malloc(handles) : NULL;
    future->pins = handles ? shmfi_sys.calloc(input->n_handles, sizeof *future->pins) : NULL;
    if ((input->arg_size && !arg) || (handles && (!copies || !future->pins))) {
        shmfi_sys.free(arg);
        shmfi_sys.free(copies);
        *input = (struct shmf_task_input){0};
        return shmfi_error(err, SHMF_E_NOMEM, "no memory to keep a task's input");
    }
    if (arg)
        memcpy(arg, input->arg, input->arg_size);
    if (copies)
        memcpy(copies, input->handles, handles);
    input->arg = arg;
    input->handles = copies;
    for (size_t i = 0; i < input->n_handles; i++) {
        int rc = shmfi_pin(&input->handles[i], "input.handles", i, &future->pins[i], err);
        if (rc)
            return rc;
    }
    return shmfi_grants_take(&future->order, &future->order.granted, err);
}

static void free_input(struct shmf_future *future)
{
    struct shmf_task_input *input = &future->order.input;
    for (size_t i = 0; future->pins && i < input->n_handles; i++)
        shmfi_segment_unref(future->pins[i]);
    shmfi_grants_undo(future->order.granted);
    future->order.granted = NULL;
    shmfi_sys.free(future->pins);
    shmfi_sys.free((void *)(uintptr_t)input->arg);
    shmfi_sys.free((void *)(uintptr_t)input->handles);
    future->pins = NULL;
    *input = (struct shmf_task_input){0};
}

static int enter_backlog(struct shmf_future *future, struct shmf_error *err)
{
    struct shmf_pool *pool = future->pool;
    int rc = shmfi_check_sizes(&future->order, err);
    if (rc)
        return rc;
    rc = copy_input(future, err);
    if (rc) {
        free_input(future);
        return rc;
    }
    future->in_backlog = true;
    future->waits_at = pool->backlog_end;
    *pool->backlog_end = future;
    pool->backlog_end = &future->waiting;
    return SHMF_OK;
}

void shmfi_future_leave_backlog(struct shmf_future *future)
{
    struct shmf_pool *pool = future->pool;
    *future->waits_at = future->waiting;
    if (future->waiting)
        future->waiting->waits_at = future->waits_at;
    else
        pool->backlog_end = future->waits_at;
    future->waiting = NULL;
    future->in_backlog = false;
    free_input(future);
}

/* The oldest first; one that cannot be submitted any more (its handle went stale) fails. */
static void empty_backlog(struct shmf_pool *pool)
{
    uint32_t submitted = 0;
    while (pool->backlog && !pool->broken) {
        struct shmf_future *future = pool->backlog;
        struct shmf_error err;
        int rc = shmfi_pool_submit(pool, &future->order, &err);
        if (rc == 0)
            break;
        if (rc == 1)
            future->order.granted = NULL; /* the job's */
        shmfi_future_leave_backlog(future);
        if (rc < 0)
            shmfi_future_fail(future, rc, err.message);
        else
            submitted++;
    }
    if (submitted)
        shmfi_pool_wake(pool, submitted);
}

int shmfi_pool_advance(struct shmf_pool *pool, struct shmf_error *err)
{
    if (pool->coming) /* who is new lacks regions that are younger than the pool */
        shmfi_pool_read_control(pool);
    int harvested = shmfi_pool_harvest(pool, err);
    if (harvested > 0)
        shmfi_pool_wake_parked(pool);
    if (pool->backlog)
        empty_backlog(pool);
    if (pool->orphans_over)
        shmfi_pool_retire_orphans(pool, false);
    if (pool->has_dropped)
        shmfi_pool_send_drops(pool);
    if (pool->told < pool->places)
        shmfi_pool_grow(pool);
    return harvested;
}

/* ---- submitting --------------------------------------------------------------------------- */

int shmfi_future_check(struct shmf_pool *pool, shmf_task_fn fn, const struct shmf_task_input *input,
                       const struct shmf_submit_options *options, struct shmf_error *err)
{
    int rc = shmfi_pool_check(pool, err);
    if (rc)
        return rc;
    rc = shmfi_pool_check_function(pool, (uintptr_t)fn, err);
    if (rc)
        return rc;
    if (input && input->arg_size && !input->arg)
        return shmfi_error(err, SHMF_E_INVAL, "input.arg: NULL, but arg_size is %zu",
                           input->arg_size);
    if (input && input->n_handles && !input->handles)
        return shmfi_error(err, SHMF_E_INVAL, "input.handles: NULL, but n_handles is %zu",
                           input->n_handles);
    if (!options)
        return SHMF_OK;
    if (options->attempts < 0)
        return shmfi_error(err, SHMF_E_INVAL, "options.attempts: %d", options->attempts);
    if (!(options->deadline_seconds >= 0 && options->deadline_seconds <= SHMFI_LONGEST_SECONDS))
        return shmfi_error(err, SHMF_E_INVAL, "options.deadline_seconds: not in 0..%lld",
                           (long long)SHMFI_LONGEST_SECONDS);
    return shmfi_check_reserved(options->reserved, 7, "options", err);
}

void shmfi_future_init(struct shmf_future *future, struct shmf_pool *pool, shmf_task_fn fn,
                       const struct shmf_task_input *input,
                       const struct shmf_submit_options *options)
{
    static const struct shmf_submit_options defaults;
    if (!options)
        options = &defaults;
    /* In parts: compilers clear a large structure in one go, by an instruction that begins slowly.
     */
    future->sink = (struct shmfi_sink){.deliver = deliver,
                                       .attempts = options->attempts ? options->attempts : 1};
    future->pool = pool;
    future->epoch = pool->epoch;
    future->previous = future->next = NULL;
    future->waiting = NULL;
    future->waits_at = NULL;
    future->in_backlog = false;
    future->order.sink = &future->sink;
    future->order.function = fn;
    future->order.context = options->context;
    future->order.index = options->index;
    future->order.seed = options->seed;
    future->order.shared = NULL;
    future->order.deadline = (uint64_t)(options->deadline_seconds * 1e9);
    future->order.call = NULL;
    future->order.begin = future->order.end = 0;
    future->order.granted = NULL;
    future->order.patient = false;
    future->order.input = input ? *input : (struct shmf_task_input){0};
    future->pins = NULL;
    future->done_fn = options->done_fn;
    future->user = options->user;
    atomic_init(&future->done, false);
    future->result = NULL;
}

static int start(struct shmf_future *future, struct shmf_error *err)
{
    struct shmf_pool *pool = future->pool;
    if (pool->is_inline)
        return shmfi_run_inline(pool, &future->order, err);
    if (pool->n_free < pool->board.geometry.slots) /* else nothing can have come */
        shmfi_pool_advance(pool, NULL);
    int rc = pool->backlog ? 0 : shmfi_pool_submit(pool, &future->order, err);
    if (rc == 1) {
        shmfi_pool_wake(pool, 1);
        if (!pool->spare) /* while the worker is busy, so that the next task need not wait for it */
            pool->spare = shmfi_result_new();
    }
    return rc ? rc : enter_backlog(future, err);
}

int shmfi_future_start(struct shmf_future *future, struct shmf_error *err)
{
    struct shmf_pool *pool = future->pool;
    int rc = start(future, err);
    if (rc == 1)
        future->order.input = (struct shmf_task_input){0}; /* the caller's again */
    if (pool->freeing) {
        future->pool = NULL; /* it went while the task ran inline */
    } else if (rc >= 0) {
        future->next = pool->futures;
        if (pool->futures)
            pool->futures->previous = future;
        pool->futures = future;
    }
    return rc < 0 ? rc : SHMF_OK;
}

struct shmf_future *shmf_pool_submit(struct shmf_pool *pool, shmf_task_fn fn,
                                     const struct shmf_task_input *input,
                                     const struct shmf_submit_options *options,
                                     struct shmf_error *err)
{
    if (shmfi_future_check(pool, fn, input, options, err))
        return NULL;
    struct shmf_future *future = shmfi_sys.malloc(sizeof *future);
    if (!future) {
        shmfi_error(err, SHMF_E_NOMEM, "no memory for a future");
        return NULL;
    }
    shmfi_future_init(future, pool, fn, input, options);
    int rc = shmfi_pool_lock(pool, err);
    if (!rc) {
        rc = shmfi_future_start(future, err);
        shmfi_pool_unlock(pool);
    }
    if (rc) {
        shmfi_sys.free(future);
        return NULL;
    }
    return future;
}

/* ---- the end ------------------------------------------------------------------------------ */

static void unlink_future(struct shmf_future *future)
{
    if (future->previous)
        future->previous->next = future->next;
    else
        future->pool->futures = future->next;
    if (future->next)
        future->next->previous = future->previous;
}

void shmfi_future_leave(struct shmf_future *future)
{
    if (future->in_backlog)
        shmfi_future_leave_backlog(future);
    else if (!future->done)
        shmfi_pool_abandon(future->pool, &future->sink);
    unlink_future(future);
}

static void detach(struct shmf_future *future)
{
    shmfi_future_leave(future);
    shmfi_desk_detach(&future->pool);
}

void shmfi_futures_detach(struct shmf_pool *pool)
{
    while (pool->futures)
        detach(pool->futures);
}

void shmf_future_free(struct shmf_future *future)
{
    if (!future || future->epoch != shmfi_process_epoch())
        return;
    struct shmf_pool *pool = shmfi_pool_lock_of(&future->pool);
    if (pool) {
        detach(future);
        shmfi_pool_unlock(pool);
    }
    shmf_result_free(future->result);
    shmfi_sys.free(future);
}

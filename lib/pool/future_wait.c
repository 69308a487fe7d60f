/* Waiting for futures, and ending their tasks. */
#include "pool/call_off.h"
#include "pool/future_internal.h"

#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "handle/fdpass.h"

#include <stdio.h>

#define LONGEST_SLEEP_MS 1000

static int check(const struct shmf_future *future, struct shmf_error *err)
{
    if (!future)
        return shmfi_error(err, SHMF_E_INVAL, "future: NULL");
    if (future->epoch != shmfi_process_epoch())
        return shmfi_error(err, SHMF_E_WRONG_PROCESS,
                           "future: it belongs to the process that this one was forked from");
    return SHMF_OK;
}

struct shmf_result *shmf_future_result(struct shmf_future *future)
{
    return future && future->done ? future->result : NULL;
}

struct shmf_result *shmf_future_take(struct shmf_future *future)
{
    struct shmf_result *result = shmf_future_result(future);
    if (result)
        future->result = NULL;
    return result;
}

int shmf_future_done(struct shmf_future *future)
{
    if (check(future, NULL))
        return 0;
    struct shmf_pool *pool =
        shmfi_pool_lock_of(&future->pool); /* done_fn may be running elsewhere */
    if (!pool)
        return 1; /* what is not there now will not come */
    if (!future->done)
        shmfi_pool_advance(pool, NULL);
    if (!future->done)                 /* so it is not inline */
        shmfi_pool_read_control(pool); /* its worker may have died */
    bool done = future->done || pool->broken;
    shmfi_pool_unlock(pool);
    return done;
}

static uint64_t deadline_in(double seconds)
{
    if (seconds >= 0 && seconds < SHMFI_LONGEST_SECONDS)
        return shmfi_now() + (uint64_t)(seconds * 1e9);
    return UINT64_MAX;
}

/* At most so long, in ms, may one sleep last; 0: the deadline has passed. */
static int ms_until(uint64_t deadline)
{
    if (deadline == UINT64_MAX)
        return LONGEST_SLEEP_MS;
    uint64_t now = shmfi_now();
    if (now >= deadline)
        return 0;
    uint64_t left = (deadline - now) / 1000000 + 1;
    return left < LONGEST_SLEEP_MS ? (int)left : LONGEST_SLEEP_MS;
}

/* `harvested` results, or a negative status, came of the last look. */
static int wait_locked(struct shmf_future *future, int harvested, uint64_t deadline,
                       struct shmf_error *err)
{
    struct shmf_pool *pool = future->pool;
    int wait_ms = SHMFI_FIRST_WAIT_MS;
    while (!future->done) {
        if (pool->broken)
            return shmfi_error(err, pool->broken, "%s", pool->broken_why);
        if (harvested < 0)
            return harvested;
        int left = ms_until(deadline);
        if (!left)
            return shmfi_error(err, SHMF_E_TIMEOUT, "the task is not done yet");
        int this_time = wait_ms < left ? wait_ms : left;
        int rc = harvested ? SHMF_OK : shmfi_pool_await(pool, &future->sink, &this_time, err);
        if (rc)
            return rc;
        if (this_time > wait_ms)
            wait_ms = this_time;
        harvested = shmfi_pool_advance(pool, err);
    }
    return SHMF_OK;
}

int shmf_future_wait(struct shmf_future *future, double seconds, struct shmf_error *err)
{
    int rc = check(future, err);
    if (rc)
        return rc;
    struct shmf_pool *pool =
        shmfi_pool_lock_of(&future->pool); /* done_fn may be running elsewhere */
    if (!pool)
        return future->done ? SHMF_OK
                            : shmfi_error(err, SHMF_E_CLOSED, "future: its pool was freed");
    if (!future->done)
        rc = wait_locked(future, shmfi_pool_advance(pool, err), deadline_in(seconds), err);
    shmfi_pool_unlock(pool);
    return rc;
}

/* The pool may come to its end meanwhile; then the future is none of its any more. */
static int apply_locked(struct shmf_future *future, struct shmf_error *err)
{
    int rc = shmfi_future_start(future, err);
    if (rc)
        return rc;
    if (future->pool) /* else it went while the task ran inline, to its end */
        rc = wait_locked(future, 0, UINT64_MAX, err);
    if (future->pool)
        shmfi_future_leave(future);
    if (!rc && !future->result)
        rc = shmfi_error(err, SHMF_E_NOMEM, "no memory for a task's result");
    return rc;
}

/* Submits and waits in one go: its future is nobody else's, so it lies on the stack and costs no
 * more than one lock. */
struct shmf_result *shmf_pool_apply(struct shmf_pool *pool, shmf_task_fn fn,
                                    const struct shmf_task_input *input,
                                    const struct shmf_submit_options *options,
                                    struct shmf_error *err)
{
    struct shmf_future future;
    if (shmfi_future_check(pool, fn, input, options, err))
        return NULL;
    shmfi_future_init(&future, pool, fn, input, options);
    if (shmfi_pool_lock(pool, err))
        return NULL;
    int rc = apply_locked(&future, err);
    shmfi_pool_unlock(pool);
    if (!rc)
        return future.result;
    shmf_result_free(future.result);
    return NULL;
}

/* ---- all tasks ---------------------------------------------------------------------------- */

static bool is_idle(const struct shmf_pool *pool)
{
    return !pool->backlog && pool->n_free == pool->board.geometry.slots;
}

static int join_locked(struct shmf_pool *pool, uint64_t deadline, struct shmf_error *err)
{
    int wait_ms = SHMFI_FIRST_WAIT_MS;
    for (;;) {
        int harvested = shmfi_pool_advance(pool, err);
        if (pool->is_inline || is_idle(pool))
            return SHMF_OK;
        if (pool->broken)
            return shmfi_error(err, pool->broken, "%s", pool->broken_why);
        if (harvested < 0)
            return harvested;
        if (shmfi_now() >= deadline)
            return shmfi_error(err, SHMF_E_TIMEOUT, "%u tasks are not done yet",
                               pool->board.geometry.slots - pool->n_free);
        int rc = harvested ? SHMF_OK : shmfi_pool_await(pool, NULL, &wait_ms, err);
        if (rc)
            return rc;
    }
}

int shmf_pool_join(struct shmf_pool *pool, double seconds, struct shmf_error *err)
{
    int rc = shmfi_pool_check_usable(pool, err);
    if (rc)
        return rc;
    rc = shmfi_pool_lock(pool, err);
    if (rc)
        return rc;
    rc = join_locked(pool, deadline_in(seconds), err);
    shmfi_pool_unlock(pool);
    return rc;
}

int shmf_pool_close(struct shmf_pool *pool)
{
    int rc = shmfi_pool_check_usable(pool, NULL);
    if (rc == SHMF_OK)
        pool->closed = true;
    return rc;
}

/* ---- cancelling --------------------------------------------------------------------------- */

static void revoked(struct shmf_pool *pool, uint32_t slot)
{
    struct shmf_failure failure = {.code = SHMF_E_CANCELLED, .exit_status = -1, .worker = -1};
    snprintf(failure.message, sizeof failure.message, "the task was cancelled before it started");
    shmfi_pool_fail_job(pool, slot, &failure);
}

static void cancel_locked(struct shmf_future *future)
{
    struct shmf_pool *pool = future->pool;
    if (future->in_backlog) {
        shmfi_future_leave_backlog(future);
        shmfi_future_fail(future, SHMF_E_CANCELLED, "the task was cancelled before it started");
        return;
    }
    uint32_t slot = future->sink.slot; /* it is on the board */
    future->sink.attempts = 1;         /* and it does not start again */
    if (shmfi_board_revoke(&pool->board, slot, pool->jobs[slot].generation)) {
        revoked(pool, slot);
        return;
    }
    shmfi_pool_read_control(pool); /* the claimant may be new to us */
    if (!future->done)
        shmfi_pool_end_task(pool, slot);
}

int shmf_future_cancel(struct shmf_future *future)
{
    int rc = check(future, NULL);
    if (rc)
        return rc;
    struct shmf_pool *pool = shmfi_pool_lock_of(&future->pool);
    if (!pool)
        return future->done ? 1 : SHMF_E_CLOSED;
    shmfi_pool_advance(pool, NULL);
    bool done = future->done;
    if (!done)
        cancel_locked(future);
    shmfi_pool_unlock(pool);
    return done;
}

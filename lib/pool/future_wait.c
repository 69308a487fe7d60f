/* Waiting for futures, and ending their tasks. */
#include "pool/future_internal.h"

#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "handle/fdpass.h"

#include <stdio.h>

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
    if (!future->done && !pool->is_inline)
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

static int wait_locked(struct shmf_future *future, uint64_t deadline, struct shmf_error *err)
{
    struct shmf_pool *pool = future->pool;
    int wait_ms = SHMFI_FIRST_WAIT_MS;
    for (;;) {
        int harvested = shmfi_pool_advance(pool, err);
        if (future->done)
            return SHMF_OK;
        if (pool->broken)
            return shmfi_error(err, pool->broken, "%s", pool->broken_why);
        if (harvested < 0)
            return harvested;
        uint64_t now = shmfi_now();
        if (now >= deadline)
            return shmfi_error(err, SHMF_E_TIMEOUT, "the task is not done yet");
        int left = deadline - now > 1000000000u ? 1000 : (int)((deadline - now) / 1000000) + 1;
        int this_time = wait_ms < left ? wait_ms : left;
        int rc = harvested ? SHMF_OK : shmfi_pool_await(pool, &future->sink, &this_time, err);
        if (rc)
            return rc;
        if (this_time > wait_ms)
            wait_ms = this_time;
    }
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
    rc = future->done ? SHMF_OK : wait_locked(future, deadline_in(seconds), err);
    shmfi_pool_unlock(pool);
    return rc;
}

struct shmf_result *shmf_pool_apply(struct shmf_pool *pool, shmf_task_fn fn,
                                    const struct shmf_task_input *input,
                                    const struct shmf_submit_options *options,
                                    struct shmf_error *err)
{
    struct shmf_future *future = shmf_pool_submit(pool, fn, input, options, err);
    if (!future)
        return NULL;
    struct shmf_result *result = NULL;
    if (!shmf_future_wait(future, -1, err)) {
        result = shmf_future_take(future);
        if (!result)
            shmfi_error(err, SHMF_E_NOMEM, "no memory for a task's result");
    }
    shmf_future_free(future);
    return result;
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

/* The job of the future, which is on the board; UINT32_MAX: none. */
static uint32_t slot_of(const struct shmf_future *future)
{
    const struct shmf_pool *pool = future->pool;
    for (uint32_t slot = 0; slot < pool->board.geometry.slots; slot++)
        if (pool->jobs[slot].busy && pool->jobs[slot].sink == &future->sink)
            return slot;
    return UINT32_MAX;
}

static void revoked(struct shmf_pool *pool, uint32_t slot)
{
    struct shmf_failure failure = {.code = SHMF_E_CANCELLED, .exit_status = -1, .worker = -1};
    snprintf(failure.message, sizeof failure.message, "the task was cancelled before it started");
    shmfi_pool_fail_job(pool, slot, &failure);
}

static void ask_supervisor(struct shmf_pool *pool, uint32_t slot)
{
    uint32_t generation = pool->jobs[slot].generation;
    uint32_t claimant = shmfi_board_claimant(&pool->board, slot, generation);
    for (uint32_t w = 0; w < pool->n_workers; w++) {
        if (!claimant || pool->members[w].incarnation != claimant)
            continue;
        struct shmfi_control order = {.type = SHMFI_CONTROL_CANCEL,
                                      .worker = w,
                                      .incarnation = claimant,
                                      .ticket = shmfi_ticket(slot, generation)};
        shmfi_fdpass_send(pool->control, &order, sizeof order, -1, NULL);
    }
}

static void cancel_locked(struct shmf_future *future)
{
    struct shmf_pool *pool = future->pool;
    if (future->in_backlog) {
        shmfi_future_leave_backlog(future);
        shmfi_future_fail(future, SHMF_E_CANCELLED, "the task was cancelled before it started");
        return;
    }
    uint32_t slot = slot_of(future);
    if (slot == UINT32_MAX)
        return;
    future->sink.attempts = 1; /* and it does not start again */
    if (shmfi_board_revoke(&pool->board, slot, pool->jobs[slot].generation)) {
        revoked(pool, slot);
        return;
    }
    shmfi_pool_read_control(pool); /* the claimant may be new to us */
    if (!future->done)
        ask_supervisor(pool, slot);
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

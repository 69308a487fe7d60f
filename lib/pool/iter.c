/* Lazy iteration: submit as far as the window allows, deliver in order or as results come. */
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "pool/call_off.h"
#include "pool/iter_internal.h"
#include "pool/task_internal.h"

#include <string.h>

/* ---- tasks in ----------------------------------------------------------------------------- */

static int peek(struct shmf_iter *iter, struct shmf_task_input *input, struct shmf_error *err)
{
    const struct shmf_tasks *tasks = &iter->tasks;
    *input = (struct shmf_task_input){0};
    if (iter->ended)
        return 0;
    if (!tasks->next) {
        if (iter->submitted >= tasks->count)
            return 0;
        input->arg = tasks->arg_size
                         ? (const char *)tasks->args + (size_t)iter->submitted * tasks->arg_size
                         : NULL;
        input->arg_size = tasks->arg_size;
        return 1;
    }
    if (!iter->have_input) {
        iter->input = (struct shmf_task_input){0};
        int rc = tasks->next(&iter->input, tasks->user);
        if (rc <= 0) {
            iter->ended = true;
            iter->producer_error = rc;
            return 0;
        }
        if ((iter->input.arg_size && !iter->input.arg) ||
            (iter->input.n_handles && !iter->input.handles))
            return shmfi_error(err, SHMF_E_INVAL, "task %lld: `next` left %s NULL",
                               (long long)iter->submitted,
                               iter->input.arg_size && !iter->input.arg ? "arg" : "handles");
        iter->have_input = true;
    }
    *input = iter->input;
    return 1;
}

static int submit_one(struct shmf_iter *iter, struct shmf_error *err)
{
    if (iter->submitted - iter->taken >= iter->window)
        return 0;
    struct shmfi_order order = {
        .sink = &iter->sink,
        .function = iter->function,
        .context = iter->tasks.context,
        .index = iter->submitted,
        .seed = shmf_task_seed_of(iter->tasks.seed, iter->submitted),
        .shared = iter->shared,
        .call = iter,
        .begin = iter->submitted,
        .end = iter->submitted + 1,
        .deadline = iter->deadline,
    };
    int rc = peek(iter, &order.input, err);
    if (rc == 1)
        rc = iter->pool->is_inline ? shmfi_run_inline(iter->pool, &order, err)
                                   : shmfi_pool_submit(iter->pool, &order, err);
    if (rc == 1) {
        iter->have_input = false;
        iter->submitted++;
    }
    return rc;
}

/* A task that cannot be submitted ends the iteration like an error of the producer: after the
 * results of those before it. */
static void fill(struct shmf_iter *iter)
{
    uint32_t submitted = 0;
    for (;;) {
        int rc = submit_one(iter, &iter->producer_why);
        if (rc < 0) {
            iter->ended = true;
            iter->producer_error = rc;
        }
        if (rc <= 0)
            break;
        submitted++;
    }
    if (submitted)
        shmfi_pool_wake(iter->pool, submitted);
}

/* ---- results out -------------------------------------------------------------------------- */

/* With the pool's lock held, if there still is a pool; else threads share what was ready. */
static void enter_ready(struct shmf_iter *iter)
{
    if (!iter->pool)
        pthread_mutex_lock(&iter->lock);
}

static void leave_ready(struct shmf_iter *iter)
{
    if (!iter->pool)
        pthread_mutex_unlock(&iter->lock);
}

void shmfi_iter_deliver(struct shmfi_sink *sink, struct shmf_result *result)
{
    struct shmf_iter *iter = (struct shmf_iter *)sink;
    enter_ready(iter);
    int64_t place = iter->unordered ? iter->arrived : result->index;
    iter->ready[place % iter->window] = result;
    iter->arrived++;
    leave_ready(iter);
    if (iter->pool && result->segment)
        shmfi_desk_ready(iter->pool, result->segment->length);
    shmfi_progress_count(&iter->progress, result->failure.code != SHMF_OK);
}

static struct shmf_result *take(struct shmf_iter *iter)
{
    enter_ready(iter);
    struct shmf_result **place = &iter->ready[iter->taken % iter->window];
    struct shmf_result *result = *place;
    *place = NULL;
    iter->taken += result != NULL;
    leave_ready(iter);
    if (iter->pool && result && result->segment)
        shmfi_desk_taken(iter->pool, result->segment->length);
    return result;
}

/* ---- the call ----------------------------------------------------------------------------- */

static int finished(struct shmf_iter *iter, struct shmf_error *err)
{
    shmfi_progress_finish(&iter->progress);
    if (!iter->producer_error)
        return 0;
    if (iter->producer_why.code == iter->producer_error && err)
        *err = iter->producer_why;
    else
        shmfi_error(err, iter->producer_error, "the tasks' `next` returned %d",
                    iter->producer_error);
    return iter->producer_error;
}

static bool all_taken(const struct shmf_iter *iter)
{
    return iter->taken == iter->submitted &&
           (iter->ended || (!iter->tasks.next && iter->submitted == iter->tasks.count));
}

static int next_locked(struct shmf_iter *iter, struct shmf_result **result, struct shmf_error *err)
{
    struct shmf_pool *pool = iter->pool;
    int wait_ms = SHMFI_FIRST_WAIT_MS;
    for (;;) {
        int harvested = shmfi_pool_advance(pool, err);
        bool over = shmfi_call_is_over(iter->end);
        if (!over)
            fill(iter);
        *result = take(iter);
        if (*result) {
            if (!over)
                fill(iter); /* its permit has returned: workers go on while the caller computes */
            shmfi_progress_show(&iter->progress);
            return 1;
        }
        if (all_taken(iter))
            return finished(iter, err);
        if (over)
            return shmfi_call_off(pool, &iter->sink, err);
        if (pool->broken)
            return shmfi_error(err, pool->broken, "%s", pool->broken_why);
        if (harvested < 0)
            return harvested;
        shmfi_progress_show(&iter->progress);
        if (harvested)
            continue;
        int rc = shmfi_call_await(pool, &iter->sink, &wait_ms, iter->end, err);
        if (rc)
            return rc;
    }
}

/* The pool's lock is released while the task runs: other threads wait for it to end, so that each
 * task runs once and results come in order. */
static int await_turn(struct shmf_iter *iter, struct shmf_error *err)
{
    struct shmf_pool *pool = iter->pool;
    while (iter->running) {
        if (pthread_equal(iter->runner, pthread_self()))
            return shmfi_error(err, SHMF_E_INVAL, "iter: it was called by one of its own tasks");
        shmfi_pool_follow(pool);
        if (pool->freeing)
            return shmfi_error(err, SHMF_E_CLOSED, "pool: it was freed by another thread");
    }
    return SHMF_OK;
}

static void run_one(struct shmf_iter *iter, struct shmf_pool *pool)
{
    iter->running = true;
    iter->runner = pthread_self();
    int rc = submit_one(iter, &iter->producer_why);
    iter->running = false;
    if (pool->followers)
        pthread_cond_broadcast(&pool->harvested);
    if (rc < 0) {
        iter->ended = true;
        iter->producer_error = rc;
    }
}

static int next_inline(struct shmf_iter *iter, struct shmf_result **result, struct shmf_error *err)
{
    int rc = await_turn(iter, err);
    if (rc)
        return rc;
    if (!all_taken(iter) && shmfi_call_is_over(iter->end))
        return shmfi_call_off(iter->pool, &iter->sink, err);
    run_one(iter, iter->pool);
    *result = take(iter);
    if (!*result && !iter->pool) /* freed meanwhile: another thread may have had what we made */
        return shmfi_error(err, SHMF_E_CLOSED, "iter: its pool was freed");
    if (!*result)
        return finished(iter, err);
    shmfi_progress_show(&iter->progress);
    return 1;
}

int shmf_iter_next(struct shmf_iter *iter, struct shmf_result **result, struct shmf_error *err)
{
    if (!iter)
        return shmfi_error(err, SHMF_E_INVAL, "iter: NULL");
    if (!result)
        return shmfi_error(err, SHMF_E_INVAL, "result: NULL");
    if (iter->epoch != shmfi_process_epoch())
        return shmfi_error(err, SHMF_E_WRONG_PROCESS,
                           "iter: it belongs to the process that this one was forked from");
    struct shmf_pool *pool = shmfi_pool_lock_of(&iter->pool);
    if (!pool) {
        *result = take(iter);
        return *result ? 1 : shmfi_error(err, SHMF_E_CLOSED, "iter: its pool was freed");
    }
    int rc = pool->is_inline ? next_inline(iter, result, err) : next_locked(iter, result, err);
    shmfi_pool_unlock(pool);
    return rc;
}

/* ---- the end ------------------------------------------------------------------------------ */

static void drop_results(struct shmf_iter *iter)
{
    for (uint32_t i = 0; iter->ready && i < iter->window; i++) {
        if (iter->ready[i] && iter->pool && iter->ready[i]->segment)
            shmfi_desk_taken(iter->pool, iter->ready[i]->segment->length);
        shmf_result_free(iter->ready[i]);
    }
}

static void unlink_iter(struct shmf_iter *iter)
{
    if (iter->previous)
        iter->previous->next = iter->next;
    else
        iter->pool->iters = iter->next;
    if (iter->next)
        iter->next->previous = iter->previous;
}

void shmfi_iter_detach(struct shmf_iter *iter)
{
    shmfi_progress_finish(&iter->progress);
    shmfi_pool_abandon(iter->pool, &iter->sink);
    unlink_iter(iter);
    shmfi_desk_detach(&iter->pool);
}

void shmfi_iter_destroy(struct shmf_iter *iter)
{
    shmfi_grants_end(iter);
    drop_results(iter);
    shmfi_shared_unref(iter->shared);
    pthread_mutex_destroy(&iter->lock);
    shmfi_sys.free(iter->ready);
    shmfi_sys.free(iter);
}

void shmf_iter_free(struct shmf_iter *iter)
{
    if (!iter || iter->epoch != shmfi_process_epoch())
        return;
    struct shmf_pool *pool = shmfi_pool_lock_of(&iter->pool);
    if (!pool) {
        shmfi_iter_destroy(iter);
        return;
    }
    shmfi_progress_finish(&iter->progress);
    shmfi_pool_abandon(iter->pool, &iter->sink);
    unlink_iter(iter);
    shmfi_iter_destroy(iter);
    shmfi_pool_unlock(pool);
}

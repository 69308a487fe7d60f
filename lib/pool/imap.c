/* Starting an iteration: everything the caller gave is checked before anything is queued. */
#include "base/checked.h"
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "pool/call_off.h"
#include "pool/iter_internal.h"

#include <string.h>

static int check_tasks(const struct shmf_tasks *tasks, struct shmf_error *err)
{
    if (!tasks)
        return shmfi_error(err, SHMF_E_INVAL, "tasks: NULL");
    if (shmfi_check_reserved(tasks->reserved, 4, "tasks", err))
        return SHMF_E_INVAL;
    if (tasks->count < (tasks->next ? -1 : 0))
        return shmfi_error(err, SHMF_E_INVAL, "tasks.count: %lld", (long long)tasks->count);
    if (tasks->next && tasks->args)
        return shmfi_error(err, SHMF_E_INVAL, "tasks.args: given together with `next`");
    if (!tasks->next && tasks->arg_size && tasks->count && !tasks->args)
        return shmfi_error(err, SHMF_E_INVAL, "tasks.args: NULL, but arg_size is %zu",
                           tasks->arg_size);
    uint64_t bytes;
    if (!tasks->next && tasks->args &&
        (!shmfi_mul((uint64_t)tasks->count, tasks->arg_size, &bytes) || bytes > PTRDIFF_MAX))
        return shmfi_error(err, SHMF_E_TOOBIG, "tasks.args: %lld times %zu bytes exceed all memory",
                           (long long)tasks->count, tasks->arg_size);
    if (tasks->n_handles && !tasks->handles)
        return shmfi_error(err, SHMF_E_INVAL, "tasks.handles: NULL, but n_handles is %zu",
                           tasks->n_handles);
    return SHMF_OK;
}

static int check_options(const struct shmf_pool *pool, const struct shmf_imap_options *options,
                         struct shmf_error *err)
{
    if (shmfi_check_reserved(options->reserved, 7, "options", err))
        return SHMF_E_INVAL;
    if (options->window < 0 || (uint32_t)options->window > pool->window)
        return shmfi_error(err, SHMF_E_INVAL, "options.window: %d is not in 0..%u, the pool's",
                           options->window, pool->window);
    if (!(options->deadline_seconds >= 0 && options->deadline_seconds <= SHMFI_LONGEST_SECONDS))
        return shmfi_error(err, SHMF_E_INVAL, "options.deadline_seconds: not in 0..%lld",
                           (long long)SHMFI_LONGEST_SECONDS);
    if (options->attempts < 0)
        return shmfi_error(err, SHMF_E_INVAL, "options.attempts: %d", options->attempts);
    return shmfi_check_call_seconds(options->call_seconds, err);
}

static uint32_t window_of(const struct shmf_pool *pool, const struct shmf_imap_options *options)
{
    if (options->window)
        return (uint32_t)options->window;
    uint32_t window = pool->wanted ? 2 * pool->wanted : 1;
    return window < pool->window ? window : pool->window;
}

static struct shmf_iter *make(struct shmf_pool *pool, shmf_task_fn function,
                              const struct shmf_tasks *tasks,
                              const struct shmf_imap_options *options, struct shmf_error *err)
{
    struct shmf_iter *iter = shmfi_sys.calloc(1, sizeof *iter);
    if (!iter) {
        shmfi_error(err, SHMF_E_NOMEM, "no memory for an iterator");
        return NULL;
    }
    pthread_mutex_init(&iter->lock, NULL);
    iter->pool = pool;
    iter->epoch = pool->epoch;
    iter->function = function;
    iter->tasks = *tasks;
    iter->sink.deliver = shmfi_iter_deliver;
    iter->sink.attempts = options->attempts ? options->attempts : 1;
    iter->deadline = (uint64_t)(options->deadline_seconds * 1e9);
    iter->end = shmfi_call_end(options->call_seconds);
    iter->unordered = options->unordered != 0;
    iter->window = window_of(pool, options);
    iter->ready = shmfi_sys.calloc(iter->window, sizeof *iter->ready);
    if (!iter->ready)
        shmfi_error(err, SHMF_E_NOMEM, "no memory for a window of %u results", iter->window);
    if (!iter->ready ||
        shmfi_shared_new(tasks->handles, tasks->n_handles, "tasks.handles", &iter->shared, err)) {
        shmfi_iter_destroy(iter);
        return NULL;
    }
    shmfi_progress_start(&iter->progress, options, tasks->count);
    return iter;
}

struct shmf_iter *shmf_pool_imap(struct shmf_pool *pool, shmf_task_fn fn,
                                 const struct shmf_tasks *tasks,
                                 const struct shmf_imap_options *options, struct shmf_error *err)
{
    static const struct shmf_imap_options defaults;
    if (!options)
        options = &defaults;
    if (shmfi_pool_check(pool, err))
        return NULL;
    if (shmfi_pool_check_function(pool, (uintptr_t)fn, err) || check_tasks(tasks, err) ||
        check_options(pool, options, err))
        return NULL;
    if (shmfi_pool_lock(pool, err))
        return NULL;
    struct shmf_iter *iter = make(pool, fn, tasks, options, err);
    if (iter) {
        iter->next = pool->iters;
        if (pool->iters)
            pool->iters->previous = iter;
        pool->iters = iter;
    }
    shmfi_pool_unlock(pool);
    return iter;
}

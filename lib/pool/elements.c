/* What calls over elements have in common: their arguments travel once, in one segment, which every
 * chunk names by its first handle. */
#include "pool/chunk.h"

#include "base/error.h"
#include "base/sys.h"
#include "pool/result.h"

#include <string.h>

/* ---- the application's side --------------------------------------------------------------- */

int shmfi_check_elements(const struct shmf_tasks *tasks, struct shmf_error *err)
{
    if (!tasks)
        return shmfi_error(err, SHMF_E_INVAL, "tasks: NULL");
    if (tasks->next || tasks->count < 0)
        return shmfi_error(err, SHMF_E_INVAL, "tasks.%s",
                           tasks->next ? "next: not for whole calls" : "count: negative");
    if (tasks->arg_size && !tasks->args && tasks->count)
        return shmfi_error(err, SHMF_E_INVAL, "tasks.args: NULL");
    if (tasks->n_handles && !tasks->handles)
        return shmfi_error(err, SHMF_E_INVAL, "tasks.handles: NULL, but n_handles is %zu",
                           tasks->n_handles);
    return shmfi_check_reserved(tasks->reserved, 4, "tasks", err);
}

static int share_args(const struct shmf_tasks *tasks, struct shmfi_segment **segment,
                      struct shmf_error *err)
{
    uint64_t size;
    if (__builtin_mul_overflow((uint64_t)tasks->count, tasks->arg_size, &size) ||
        size > INT64_MAX - SHMFI_BYTES_OFFSET)
        return shmfi_error(err, SHMF_E_TOOBIG, "tasks.count x tasks.arg_size");
    int rc = shmfi_segment_new(size + SHMFI_BYTES_OFFSET, 0, segment, err);
    if (!rc)
        memcpy((char *)(*segment)->base + SHMFI_BYTES_OFFSET, tasks->args, size);
    return rc;
}

int shmfi_share_elements(const struct shmf_tasks *tasks, struct shmfi_segment **args,
                         struct shmf_handle **handles, size_t *n_handles, struct shmf_error *err)
{
    size_t n_args = tasks->arg_size && tasks->count ? 1 : 0;
    int rc = n_args ? share_args(tasks, args, err) : SHMF_OK;
    if (rc)
        return rc;
    *n_handles = tasks->n_handles + n_args;
    *handles = shmfi_sys.calloc(*n_handles + 1, sizeof **handles);
    if (!*handles)
        return shmfi_error(err, SHMF_E_NOMEM, "no memory for a call with %zu handles", *n_handles);
    if (n_args)
        (*handles)[0] = shmfi_segment_handle(*args, SHMF_KIND_BYTES);
    if (tasks->n_handles)
        memcpy(*handles + n_args, tasks->handles, tasks->n_handles * sizeof **handles);
    return SHMF_OK;
}

int shmfi_run_chunks(struct shmf_pool *pool, shmf_task_fn fn, const struct shmf_tasks *chunks,
                     const struct shmf_imap_options *how,
                     void (*take)(void *call, const struct shmf_result *result), void *call,
                     struct shmf_error *err)
{
    struct shmf_iter *iter = shmf_pool_imap(pool, fn, chunks, how, err);
    if (!iter)
        return err->code;
    struct shmf_result *result;
    struct shmf_error why = {0};
    int rc;
    while ((rc = shmf_iter_next(iter, &result, &why)) > 0) {
        take(call, result);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    if (rc < 0)
        *err = why;
    return rc;
}

/* ---- the worker's side -------------------------------------------------------------------- */

struct shmf_task shmfi_element_of(const struct shmf_task *task, uint64_t arg_size)
{
    size_t hidden = arg_size ? 1 : 0; /* the handle of the arguments */
    bool in_shared = task->n_shared > 0;
    return (struct shmf_task){
        .arg_size = arg_size,
        .shared = in_shared ? task->shared + hidden : NULL,
        .n_shared = in_shared ? task->n_shared - hidden : 0,
        .own = in_shared ? task->own : task->own + hidden,
        .n_own = in_shared ? task->n_own : task->n_own - hidden,
        .n_cut = shmf_task_n_handles(task) - hidden,
        .attempt = task->attempt,
        .worker = task->worker,
    };
}

int shmfi_open_args(struct shmf_task *task, uint64_t arg_size, struct shmfi_segment **segment,
                    const uint8_t **args)
{
    struct shmf_error err;
    *segment = NULL;
    *args = NULL;
    if (!arg_size)
        return SHMF_OK;
    struct shmf_handle handle = shmf_task_handle(task, 0);
    if (shmfi_segment_open(&handle, segment, &err))
        return shmfi_task_error(task, &err);
    *args = (const uint8_t *)(*segment)->base + SHMFI_BYTES_OFFSET;
    return SHMF_OK;
}

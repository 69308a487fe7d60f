/* Inline mode: the next task runs in the application when its result is asked for. */
#include "base/error.h"
#include "pool/submit.h"
#include "pool/task_internal.h"

#include "base/sys.h"

#include <string.h>

static int check_handles(const struct shmf_task_input *input, struct shmf_error *err)
{
    for (size_t i = 0; i < input->n_handles; i++) {
        struct shmfi_segment *pin;
        int rc = shmfi_pin(&input->handles[i], "handles", i, &pin, err);
        if (rc)
            return rc;
        shmfi_segment_unref(pin);
    }
    return SHMF_OK;
}

static void settle(const struct shmf_task *task, struct shmf_result *result)
{
    result->index = task->index;
    result->worker = -1;
    result->nanoseconds = task->nanoseconds;
    if (task->error.code) {
        result->failure = (struct shmf_failure){
            .code = task->error.code, .exit_status = -1, .worker = -1, .attempts = 1};
        memcpy(result->failure.message, task->error.message, sizeof result->failure.message);
        return;
    }
    result->kind = task->kind;
    result->segment = task->segment;
    result->size = task->size;
    if (!task->segment)
        memcpy(result->bytes, task->bytes, task->size);
}

int shmfi_run_inline(struct shmf_pool *pool, const struct shmfi_order *order,
                     struct shmf_error *err)
{
    int rc = shmfi_check_sizes(order, err);
    if (!rc)
        rc = check_handles(&order->input, err);
    if (rc)
        return rc;
    struct shmfi_granted *granted = NULL;
    rc = shmfi_grants_take(order, &granted, err);
    if (rc)
        return rc;
    struct shmf_result *result = shmfi_result_new();
    if (!result) {
        shmfi_grants_undo(granted);
        return shmfi_error(err, SHMF_E_NOMEM, "no memory for a task's result");
    }
    struct shmf_task task = {
        .arg = order->input.arg,
        .arg_size = order->input.arg_size,
        .shared = order->shared ? order->shared->handles : NULL,
        .n_shared = order->shared ? order->shared->count : 0,
        .own = order->input.handles,
        .n_own = order->input.n_handles,
        .n_cut = order->shared ? order->shared->count : 0,
        .begin = order->begin,
        .end = order->end,
        .index = order->index,
        .seed = order->seed,
        .attempt = 1,
        .worker = -1,
    };
    shmfi_pool_step_out(pool); /* the task may use the pool */
    shmfi_task_run(&task, order->function, order->context);
    settle(&task, result);
    shmfi_task_clean(&task);
    shmfi_sys.free(task.deferred);
    shmfi_sys.free(task.scratch);
    shmfi_pool_step_in(pool);
    shmfi_grants_over(granted);
    if (result->failure.code)
        result->granted = granted;
    else
        shmfi_sys.free(granted);
    shmfi_pool_deliver(pool, order->sink, result);
    return 1;
}

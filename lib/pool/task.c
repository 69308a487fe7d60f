#include "pool/task_internal.h"

#include "base/error.h"
#include "base/sys.h"
#include "board/wait.h"
#include "pool/grants.h"
#include "pool/result.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- what the task is --------------------------------------------------------------------- */

const void *shmf_task_arg(const struct shmf_task *task)
{
    return task->arg;
}

size_t shmf_task_arg_size(const struct shmf_task *task)
{
    return task->arg_size;
}

int64_t shmf_task_index(const struct shmf_task *task)
{
    return task->index;
}

uint64_t shmf_task_seed(const struct shmf_task *task)
{
    return task->seed;
}

int shmf_task_attempt(const struct shmf_task *task)
{
    return task->attempt;
}

int shmf_task_worker(const struct shmf_task *task)
{
    return task->worker;
}

size_t shmf_task_n_handles(const struct shmf_task *task)
{
    return task->n_shared + task->n_own;
}

struct shmf_handle shmf_task_handle(const struct shmf_task *task, size_t position)
{
    struct shmf_handle handle = {0};
    if (position < task->n_shared)
        handle = task->shared[position];
    else if (position - task->n_shared < task->n_own)
        handle = task->own[position - task->n_shared];
    return position < task->n_cut ? shmfi_cut_handle(&handle, task->begin, task->end) : handle;
}

/* splitmix64 (Steele, Lea, Flood 2014): neighbouring indexes get unrelated seeds. */
uint64_t shmf_task_seed_of(uint64_t seed, int64_t index)
{
    uint64_t z = seed + ((uint64_t)index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- why it fails ------------------------------------------------------------------------- */

int shmf_task_fail(struct shmf_task *task, int code, const char *format, ...)
{
    if (code >= 0 || code < SHMF_E_SYS)
        code = SHMF_E_TASK;
    if (task->error.code)
        return code;
    task->error.code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(task->error.message, sizeof task->error.message, format, args);
    va_end(args);
    return code;
}

int shmfi_task_error(struct shmf_task *task, const struct shmf_error *err)
{
    return shmf_task_fail(task, err->code, "%s", err->message);
}

/* ---- what it returns ---------------------------------------------------------------------- */

static void forget_result(struct shmf_task *task)
{
    shmfi_segment_unref(task->segment);
    task->segment = NULL;
    task->kind = SHMF_KIND_NONE;
    task->size = 0;
}

int shmfi_task_return_segment(struct shmf_task *task, struct shmfi_segment *segment, uint32_t kind)
{
    struct shmfi_segment *ours = shmfi_segment_ref(segment);
    forget_result(task);
    task->segment = ours;
    task->kind = kind;
    return SHMF_OK;
}

static int return_many_bytes(struct shmf_task *task, const void *bytes, size_t size)
{
    struct shmf_error err;
    struct shmfi_segment *segment;
    if (size > UINT64_MAX / 2)
        return shmf_task_fail(task, SHMF_E_TOOBIG, "size: %zu bytes are too many", size);
    if (shmfi_segment_new(size + SHMFI_BYTES_OFFSET, 0, &segment, &err))
        return shmfi_task_error(task, &err);
    struct shmf_format_header *header = segment->base;
    memcpy(header->magic, SHMF_FORMAT_MAGIC, sizeof header->magic);
    header->version = SHMF_FORMAT_VERSION;
    header->header_size = SHMFI_BYTES_OFFSET;
    header->kind = SHMF_KIND_BYTES;
    header->state = SHMF_FORMAT_READY;
    header->total_size = segment->length;
    memcpy((char *)segment->base + SHMFI_BYTES_OFFSET, bytes, size);
    forget_result(task);
    task->segment = segment;
    task->kind = SHMF_KIND_BYTES;
    task->size = size;
    return SHMF_OK;
}

int shmf_task_return_bytes(struct shmf_task *task, const void *bytes, size_t size)
{
    if (size && !bytes)
        return shmf_task_fail(task, SHMF_E_INVAL, "bytes: NULL for %zu bytes", size);
    if (size > SHMF_INLINE_RESULT)
        return return_many_bytes(task, bytes, size);
    forget_result(task);
    if (size)
        memcpy(task->bytes, bytes, size);
    task->size = size;
    return SHMF_OK;
}

int shmf_task_return_double(struct shmf_task *task, double value)
{
    return shmf_task_return_bytes(task, &value, sizeof value);
}

/* ---- its life ----------------------------------------------------------------------------- */

int shmfi_task_defer(struct shmf_task *task, void (*destroy)(void *object), void *object)
{
    if (task->n_deferred == task->deferred_capacity) {
        size_t capacity = task->deferred_capacity ? 2 * task->deferred_capacity : 8;
        void *grown = shmfi_sys.realloc(task->deferred, capacity * sizeof *task->deferred);
        if (!grown)
            return shmf_task_fail(task, SHMF_E_NOMEM, "no memory to remember a task's objects");
        task->deferred = grown;
        task->deferred_capacity = capacity;
    }
    task->deferred[task->n_deferred++] = (struct shmfi_deferred){destroy, object};
    return SHMF_OK;
}

void shmfi_task_clean(struct shmf_task *task)
{
    while (task->n_deferred) {
        struct shmfi_deferred *last = &task->deferred[--task->n_deferred];
        last->destroy(last->object);
    }
}

void shmfi_task_run(struct shmf_task *task, shmf_task_fn function, void *context)
{
    if (!task->began)
        task->began = shmfi_now();
    int rc = function(task, context);
    task->nanoseconds = shmfi_now() - task->began;
    /* A recorded error does not fail a task that says it succeeded: it may have coped. */
    if (rc == 0) {
        task->error.code = SHMF_OK;
        return;
    }
    if (!task->error.code)
        shmf_task_fail(task, rc, "the task function returned %d", rc);
    forget_result(task);
}

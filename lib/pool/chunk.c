/* The worker's side of map. */
#include "pool/chunk.h"

#include "base/sys.h"
#include "pool/result.h"

#include <stdio.h>
#include <string.h>

/* The reply is put together in private memory. */
static uint8_t *room(struct shmf_task *task, uint64_t count, uint64_t result_size)
{
    uint64_t each, size;
    if (__builtin_add_overflow(result_size, sizeof(int32_t), &each) ||
        __builtin_mul_overflow(count, each, &size) ||
        __builtin_add_overflow(size, sizeof(struct shmfi_chunk_reply), &size)) {
        shmf_task_fail(task, SHMF_E_TOOBIG, "a chunk of %llu results of %llu bytes",
                       (unsigned long long)count, (unsigned long long)result_size);
        return NULL;
    }
    if (size > task->scratch_size) {
        void *grown = shmfi_sys.realloc(task->scratch, size);
        if (!grown) {
            shmf_task_fail(task, SHMF_E_NOMEM, "no memory for a chunk's %llu bytes of results",
                           (unsigned long long)size);
            return NULL;
        }
        task->scratch = grown;
        task->scratch_size = size;
    }
    return task->scratch;
}

/* Runs one element; its result goes to `out`. Returns its status. */
static int run_element(struct shmf_task *element, const struct shmfi_chunk *chunk, int64_t index,
                       uint8_t *out)
{
    element->index = element->begin = index;
    element->end = index + 1;
    element->seed = shmf_task_seed_of(chunk->seed, index);
    element->error.code = SHMF_OK;
    element->size = 0;
    int rc = ((shmf_task_fn)(uintptr_t)chunk->function)(element, (void *)(uintptr_t)chunk->context);
    const uint8_t *from = element->bytes;
    if (element->segment && element->kind == SHMF_KIND_BYTES)
        from = (const uint8_t *)element->segment->base + SHMFI_BYTES_OFFSET;
    if (rc) {
        if (!element->error.code)
            shmf_task_fail(element, rc, "the task function returned %d", rc);
    } else if (element->size != chunk->result_size ||
               (element->segment && element->kind != SHMF_KIND_BYTES)) {
        element->error.code = SHMF_OK;
        shmf_task_fail(element, SHMF_E_INVAL, "it returned %llu bytes instead of %llu",
                       (unsigned long long)element->size, (unsigned long long)chunk->result_size);
    } else {
        element->error.code = SHMF_OK;
        memcpy(out, from, chunk->result_size);
    }
    if (element->segment)
        shmfi_segment_unref(element->segment);
    element->segment = NULL;
    element->kind = SHMF_KIND_NONE;
    shmfi_task_clean(element);
    return element->error.code;
}

static void note_failure(struct shmfi_chunk_reply *reply, const struct shmf_task *element)
{
    if (reply->n_failed++)
        return;
    reply->first_failed = element->index;
    snprintf(reply->message, sizeof reply->message, "%.*s", (int)sizeof reply->message - 1,
             element->error.message);
}

static int run_elements(struct shmf_task *task, const struct shmfi_chunk *chunk,
                        const uint8_t *args)
{
    uint8_t *out = room(task, (uint64_t)chunk->count, chunk->result_size);
    if (!out)
        return SHMF_E_NOMEM;
    struct shmfi_chunk_reply reply = {0};
    uint64_t size = (uint64_t)chunk->count * chunk->result_size;
    uint8_t *statuses = out + size;
    struct shmf_task element = shmfi_element_of(task, chunk->arg_size);
    for (int64_t i = 0; i < chunk->count; i++) {
        element.arg = args ? args + (uint64_t)(chunk->first + i) * chunk->arg_size : NULL;
        int32_t status =
            run_element(&element, chunk, chunk->first + i, out + (uint64_t)i * chunk->result_size);
        memcpy(statuses + (uint64_t)i * sizeof status, &status, sizeof status);
        if (status)
            note_failure(&reply, &element);
    }
    shmfi_sys.free(element.deferred);
    if (reply.n_failed) {
        size += (uint64_t)chunk->count * sizeof(int32_t);
        memcpy(out + size, &reply, sizeof reply);
        size += sizeof reply;
    }
    return shmf_task_return_bytes(task, out, size);
}

int shmfi_run_chunk(struct shmf_task *task, void *unused)
{
    (void)unused;
    const struct shmfi_chunk *chunk = shmf_task_arg(task);
    struct shmfi_segment *segment;
    const uint8_t *args;
    int rc = shmfi_open_args(task, chunk->arg_size, &segment, &args);
    if (!rc)
        rc = run_elements(task, chunk, args);
    shmfi_segment_unref(segment);
    return rc;
}

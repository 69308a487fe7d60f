/* The worker's side of reduce. */
#include "pool/chunk.h"

#include "base/sys.h"
#include "pool/result.h"

#include <string.h>

/* The accumulator grows in private memory, aligned as any object. */
static int fold_elements(struct shmf_task *task, const struct shmfi_fold_chunk *chunk,
                         const uint8_t *args, void *accumulator)
{
    shmf_fold_fn fold = (shmf_fold_fn)(uintptr_t)chunk->fold;
    struct shmf_task element = shmfi_element_of(task, chunk->arg_size);
    int rc = 0;
    for (int64_t i = chunk->first; i < chunk->first + chunk->count && !rc; i++) {
        element.index = i;
        element.seed = shmf_task_seed_of(chunk->seed, i);
        element.arg = args ? args + (uint64_t)i * chunk->arg_size : NULL;
        element.error.code = SHMF_OK;
        rc = fold(&element, accumulator, (void *)(uintptr_t)chunk->context);
        shmfi_segment_unref(element.segment); /* what it returned is of no use here */
        element.segment = NULL;
        shmfi_task_clean(&element);
    }
    if (rc && !element.error.code)
        shmf_task_fail(&element, rc, "the fold function returned %d", rc);
    if (rc)
        rc = shmf_task_fail(task, element.error.code, "element %lld: %.200s",
                            (long long)element.index, element.error.message);
    shmfi_sys.free(element.deferred);
    return rc;
}

int shmfi_run_fold(struct shmf_task *task, void *unused)
{
    (void)unused;
    const struct shmfi_fold_chunk *chunk = shmf_task_arg(task);
    size_t size = shmf_task_arg_size(task) - sizeof *chunk;
    struct shmfi_segment *segment = NULL;
    const uint8_t *args = NULL;
    void *accumulator = shmfi_sys.malloc(size);
    if (!accumulator)
        return shmf_task_fail(task, SHMF_E_NOMEM, "no memory for an accumulator of %zu bytes",
                              size);
    memcpy(accumulator, chunk + 1, size);
    int rc = shmfi_open_args(task, chunk->arg_size, &segment, &args);
    if (!rc)
        rc = fold_elements(task, chunk, args, accumulator);
    if (!rc)
        rc = shmf_task_return_bytes(task, accumulator, size);
    shmfi_segment_unref(segment);
    shmfi_sys.free(accumulator);
    return rc;
}

/* Map-reduce: chunks of elements are folded in the workers, and what they come to is combined here,
 * in the order of the elements. */
#include "pool/chunk.h"

#include "base/error.h"
#include "base/sys.h"
#include "pool/pool_internal.h"

#include <shmframe/reduce.h>

#include <string.h>

#define CHUNKS_PER_WORKER 8

struct reduce_call {
    const struct shmf_tasks *tasks;
    const struct shmf_reduce_options *options;
    shmf_combine_fn combine;
    int64_t chunk; /* elements */
    int64_t begin;
    int64_t end;
    int64_t next;   /* first element that no chunk has */
    uint8_t *order; /* a struct shmfi_fold_chunk, then the accumulator as it is at first */
    size_t order_size;
    void *accumulator; /* the caller's */
    size_t size;
    uint8_t *other; /* a chunk's, aligned as any object */
    int status;     /* of the first chunk that failed */
    struct shmf_error *err;
};

static int64_t end_of(const struct reduce_call *call, int64_t first)
{
    return call->end - first < call->chunk ? call->end : first + call->chunk;
}

static int next_chunk(struct shmf_task_input *input, void *user)
{
    struct reduce_call *call = user;
    if (call->next >= call->end)
        return 0;
    struct shmfi_fold_chunk *chunk = (void *)call->order;
    chunk->first = call->next;
    chunk->count = end_of(call, call->next) - call->next;
    call->next += chunk->count;
    input->arg = call->order;
    input->arg_size = call->order_size;
    return 1;
}

/* ---- replies ------------------------------------------------------------------------------ */

static void lose(struct reduce_call *call, int64_t first, const struct shmf_failure *failure)
{
    int64_t end = end_of(call, first);
    if (!call->status)
        call->status = shmfi_error(call->err, failure->code, "elements [%lld, %lld): %s",
                                   (long long)first, (long long)end, failure->message);
    if (call->options->failed_fn)
        call->options->failed_fn(first, end, failure, call->options->failed_user);
}

static void take_reply(void *user, const struct shmf_result *result)
{
    struct reduce_call *call = user;
    int64_t first = call->begin + shmf_result_index(result) * call->chunk;
    const struct shmf_failure *failure = shmf_result_failure(result);
    struct shmf_failure wrong = {.code = SHMF_E_CORRUPT, .exit_status = -1};
    size_t size;
    const void *bytes = shmf_result_bytes(result, &size);
    if (failure) {
        lose(call, first, failure);
    } else if (!bytes || size != call->size) {
        memcpy(wrong.message, "the reply has the wrong size", 29);
        lose(call, first, &wrong);
    } else {
        memcpy(call->other, bytes, size);
        call->combine(call->accumulator, call->other, call->tasks->context);
    }
}

static int iterate(struct shmf_pool *pool, struct reduce_call *call,
                   const struct shmf_tasks *chunks)
{
    struct shmf_imap_options how = {
        .attempts = call->options->attempts,
        .deadline_seconds = call->options->deadline_seconds,
        .call_seconds = call->options->call_seconds,
        .progress = call->options->progress,
    };
    int rc = shmfi_run_chunks(pool, shmfi_run_fold, chunks, &how, take_reply, call, call->err);
    return rc ? rc : call->status;
}

/* ---- the call ----------------------------------------------------------------------------- */

static int check(const struct shmf_tasks *tasks, const struct shmf_reduce_options *options,
                 const void *accumulator, size_t size, struct shmf_error *err)
{
    int rc = shmfi_check_elements(tasks, err);
    if (rc)
        return rc;
    if (shmfi_any_writable(tasks->handles, tasks->n_handles))
        return shmfi_error(err, SHMF_E_INVAL, "tasks.handles: a reduction grants nothing");
    if (!accumulator || !size)
        return shmfi_error(err, SHMF_E_INVAL, "accumulator, size: %s", size ? "NULL" : "no bytes");
    if (size > PTRDIFF_MAX / 2)
        return shmfi_error(err, SHMF_E_TOOBIG, "size: %zu", size);
    if (options->chunk < 0)
        return shmfi_error(err, SHMF_E_INVAL, "options.chunk: %lld", (long long)options->chunk);
    if (options->begin < 0 || options->begin > options->end || options->end > tasks->count)
        return shmfi_error(err, SHMF_E_RANGE, "options.begin, end: [%lld, %lld) of %lld elements",
                           (long long)options->begin, (long long)options->end,
                           (long long)tasks->count);
    return shmfi_check_reserved(options->reserved, 5, "options", err);
}

/* What chunks are sent, and room for what they send back. */
static int prepare(struct reduce_call *call, shmf_fold_fn fold, struct shmf_error *err)
{
    const struct shmf_tasks *tasks = call->tasks;
    call->order_size = sizeof(struct shmfi_fold_chunk) + call->size;
    call->order = shmfi_sys.malloc(call->order_size);
    call->other = shmfi_sys.malloc(call->size);
    if (!call->order || !call->other)
        return shmfi_error(err, SHMF_E_NOMEM, "no memory for accumulators of %zu bytes",
                           call->size);
    struct shmfi_fold_chunk chunk = {.fold = (uint64_t)(uintptr_t)fold,
                                     .context = (uint64_t)(uintptr_t)tasks->context,
                                     .seed = tasks->seed,
                                     .arg_size = tasks->arg_size};
    memcpy(call->order, &chunk, sizeof chunk);
    memcpy(call->order + sizeof chunk, call->accumulator, call->size);
    return SHMF_OK;
}

static int run(struct shmf_pool *pool, struct reduce_call *call, shmf_fold_fn fold)
{
    const struct shmf_tasks *tasks = call->tasks;
    struct shmfi_segment *args = NULL;
    struct shmf_handle *handles = NULL;
    size_t n_handles = 0;
    int rc = prepare(call, fold, call->err);
    if (!rc)
        rc = shmfi_share_elements(tasks, &args, &handles, &n_handles, call->err);
    if (!rc) {
        struct shmf_tasks chunks = {.count = (call->end - call->begin - 1) / call->chunk + 1,
                                    .next = next_chunk,
                                    .user = call,
                                    .handles = handles,
                                    .n_handles = n_handles};
        rc = iterate(pool, call, &chunks);
    }
    shmfi_sys.free(handles);
    shmfi_segment_unref(args);
    shmfi_sys.free(call->order);
    shmfi_sys.free(call->other);
    return rc;
}

int shmf_pool_reduce(struct shmf_pool *pool, shmf_fold_fn fold, shmf_combine_fn combine,
                     const struct shmf_tasks *tasks, const struct shmf_reduce_options *options,
                     void *accumulator, size_t size, struct shmf_error *err)
{
    static const struct shmf_reduce_options defaults;
    struct shmf_error why;
    if (!options)
        options = &defaults;
    if (!err)
        err = &why;
    int rc = shmfi_pool_check(pool, err);
    if (!rc && !combine)
        rc = shmfi_error(err, SHMF_E_INVAL, "combine: NULL");
    if (!rc)
        rc = shmfi_pool_check_function(pool, (uintptr_t)fold, err);
    if (!rc)
        rc = check(tasks, options, accumulator, size, err);
    int64_t end = options->begin || options->end ? options->end : rc ? 0 : tasks->count;
    int64_t count = end - options->begin;
    if (rc || !count)
        return rc;
    int64_t parallel = pool->wanted ? pool->wanted : 1;
    int64_t fair = (count - 1) / (CHUNKS_PER_WORKER * parallel) + 1;
    struct reduce_call call = {
        .tasks = tasks,
        .options = options,
        .combine = combine,
        .chunk = options->chunk ? options->chunk : fair,
        .begin = options->begin,
        .end = end,
        .next = options->begin,
        .accumulator = accumulator,
        .size = size,
        .err = err,
    };
    if (call.chunk > count)
        call.chunk = count;
    return run(pool, &call, fold);
}

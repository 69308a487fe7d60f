/* The application's side of map: an unordered iteration over chunks. */
#include "pool/chunk.h"

#include "base/error.h"
#include "base/sys.h"
#include "pool/pool_internal.h"

#include <shmframe/map.h>
#include <string.h>

#define TARGET_NS 500000 /* of work in a chunk */

struct span {
    int64_t first, count;
};

struct map_call {
    const struct shmf_tasks *tasks;
    size_t result_size;
    int64_t fixed;      /* chunk as the caller wants it; 0: from durations */
    int64_t parallel;   /* workers */
    int64_t next;       /* first element that no chunk has */
    int64_t handed_out; /* chunks */
    double ns_each;     /* measured; 0: not yet */
    uint32_t window;
    struct span *spans; /* of all chunks so far, by number */
    int64_t spans_capacity;
    struct shmfi_chunk chunk;
    struct shmf_handle *handles; /* of every chunk: its arguments, then the tasks' own */
    size_t n_handles;
    bool grants; /* ... some of which it may write, cut for it */
    struct shmf_handle *cut;

    uint8_t *results;
    int *statuses;
    int status; /* of the first element that failed */
    int64_t first_failed;
    struct shmf_error *err;
};

/* Small at first; then as much as takes TARGET_NS, but never so much that workers end up waiting
 * for the last one. */
static int64_t chunk_size(const struct map_call *call)
{
    int64_t left = call->tasks->count - call->next;
    int64_t size = call->fixed;
    if (!size) {
        int64_t fair = left / (2 * call->parallel) + 1;
        size = call->ns_each > 0 ? (int64_t)(TARGET_NS / call->ns_each) + 1 : 1 + left / 4096;
        if (size > fair)
            size = fair;
    }
    return size < left ? size : left;
}

static int next_chunk(struct shmf_task_input *input, void *user)
{
    struct map_call *call = user;
    if (call->next >= call->tasks->count)
        return 0;
    struct span span = {call->next, chunk_size(call)};
    if (call->handed_out == call->spans_capacity) {
        int64_t capacity = call->spans_capacity ? 2 * call->spans_capacity : 64;
        void *grown = shmfi_sys.realloc(call->spans, (size_t)capacity * sizeof *call->spans);
        if (!grown)
            return SHMF_E_NOMEM;
        call->spans = grown;
        call->spans_capacity = capacity;
    }
    call->spans[call->handed_out++] = span;
    call->next += span.count;
    for (size_t i = 0; call->grants && i < call->n_handles; i++)
        call->cut[i] = shmfi_cut_handle(&call->handles[i], span.first, span.first + span.count);
    input->handles = call->grants ? call->cut : NULL;
    input->n_handles = call->grants ? call->n_handles : 0;
    call->chunk.first = span.first;
    call->chunk.count = span.count;
    input->arg = &call->chunk;
    input->arg_size = sizeof call->chunk;
    return 1;
}

/* ---- replies ------------------------------------------------------------------------------ */

static void note_failure(struct map_call *call, int64_t element, int status, const char *why)
{
    if (call->status && call->first_failed < element)
        return;
    call->first_failed = element;
    call->status = shmfi_error(call->err, status, "element %lld: %s", (long long)element, why);
}

static void fail_span(struct map_call *call, const struct span *span, int status, const char *why)
{
    for (int64_t i = 0; call->statuses && i < span->count; i++)
        call->statuses[span->first + i] = status;
    note_failure(call, span->first, status, why);
}

static void copy_results(struct map_call *call, const struct span *span, const uint8_t *results,
                         const uint8_t *statuses)
{
    size_t each = call->result_size;
    uint8_t *to = call->results + (size_t)span->first * each;
    if (!statuses) {
        if (each)
            memcpy(to, results, (size_t)span->count * each);
        for (int64_t i = 0; call->statuses && i < span->count; i++)
            call->statuses[span->first + i] = SHMF_OK;
        return;
    }
    for (int64_t i = 0; i < span->count; i++) {
        int32_t status;
        memcpy(&status, statuses + (size_t)i * sizeof status, sizeof status);
        if (call->statuses)
            call->statuses[span->first + i] = status;
        if (!status && each)
            memcpy(to + (size_t)i * each, results + (size_t)i * each, each);
    }
}

/* The first element of the chunk that failed, as its worker tells. */
static void note_element(struct map_call *call, const struct span *span, const uint8_t *statuses,
                         struct shmfi_chunk_reply *reply)
{
    int32_t code = SHMF_E_TASK;
    reply->message[sizeof reply->message - 1] = '\0';
    if (reply->first_failed >= span->first && reply->first_failed - span->first < span->count)
        memcpy(&code, statuses + (reply->first_failed - span->first) * 4, sizeof code);
    note_failure(call, reply->first_failed, code < 0 ? code : SHMF_E_TASK, reply->message);
}

static void take_reply(void *user, const struct shmf_result *result)
{
    struct map_call *call = user;
    const struct span *span = &call->spans[shmf_result_index(result)];
    const struct shmf_failure *failure = shmf_result_failure(result);
    if (failure) {
        fail_span(call, span, failure->code, failure->message);
        return;
    }
    size_t size, results = (size_t)span->count * call->result_size;
    size_t statuses = (size_t)span->count * sizeof(int32_t);
    const uint8_t *bytes = shmf_result_bytes(result, &size);
    struct shmfi_chunk_reply reply;
    bool failed = size == results + statuses + sizeof reply;
    if (!bytes || (size != results && !failed)) {
        fail_span(call, span, SHMF_E_CORRUPT, "its chunk's reply has the wrong size");
        return;
    }
    copy_results(call, span, bytes, failed ? bytes + results : NULL);
    if (failed) {
        memcpy(&reply, bytes + results + statuses, sizeof reply);
        note_element(call, span, bytes + results, &reply);
    }
    double each = (double)shmf_result_nanoseconds(result) / (double)span->count;
    call->ns_each = call->ns_each > 0 ? (call->ns_each + each) / 2 : each;
}

/* ---- the call ----------------------------------------------------------------------------- */

static int check(const struct shmf_tasks *tasks, const struct shmf_map_options *options,
                 const void *results, size_t result_size, struct shmf_error *err)
{
    int rc = shmfi_check_elements(tasks, err);
    if (rc)
        return rc;
    if (result_size && !results && tasks->count)
        return shmfi_error(err, SHMF_E_INVAL, "results: NULL");
    if (result_size && (uint64_t)tasks->count > PTRDIFF_MAX / result_size)
        return shmfi_error(err, SHMF_E_TOOBIG, "tasks.count x result_size");
    if (options->chunk < 0)
        return shmfi_error(err, SHMF_E_INVAL, "options.chunk: %lld", (long long)options->chunk);
    return shmfi_check_reserved(options->reserved, 7, "options", err);
}

static int iterate(struct shmf_pool *pool, struct map_call *call, const struct shmf_tasks *chunks,
                   const struct shmf_map_options *options)
{
    struct shmf_imap_options how = {
        .unordered = 1,
        .window = (int)call->window,
        .attempts = options->attempts,
        .deadline_seconds = options->deadline_seconds,
        .call_seconds = options->call_seconds,
        .progress = options->progress,
    };
    int rc = shmfi_run_chunks(pool, shmfi_run_chunk, chunks, &how, take_reply, call, call->err);
    return rc ? rc : call->status;
}

/* What every chunk has in common travels with all of them; where chunks write, each has handles of
 * its own. */
static int map_shared(struct shmf_pool *pool, struct map_call *call,
                      const struct shmf_map_options *options)
{
    const struct shmf_tasks *tasks = call->tasks;
    call->grants = shmfi_any_writable(tasks->handles, tasks->n_handles);
    if (call->grants)
        call->cut = shmfi_sys.malloc(call->n_handles * sizeof *call->cut);
    if (call->grants && !call->cut)
        return shmfi_error(call->err, SHMF_E_NOMEM, "no memory for a call with %zu handles",
                           call->n_handles);
    struct shmf_tasks chunks = {
        .count = -1,
        .next = next_chunk,
        .user = call,
        .handles = call->grants ? NULL : call->handles,
        .n_handles = call->grants ? 0 : call->n_handles,
    };
    int rc = iterate(pool, call, &chunks, options);
    shmfi_sys.free(call->cut);
    shmfi_sys.free(call->spans);
    return rc;
}

int shmf_pool_map(struct shmf_pool *pool, shmf_task_fn fn, const struct shmf_tasks *tasks,
                  const struct shmf_map_options *options, void *results, size_t result_size,
                  int *statuses, struct shmf_error *err)
{
    static const struct shmf_map_options defaults;
    if (!options)
        options = &defaults;
    for (int64_t i = 0; statuses && tasks && i < tasks->count; i++)
        statuses[i] = SHMF_E_CANCELLED; /* unless it is run */
    int rc = shmfi_pool_check(pool, err);
    if (!rc)
        rc = shmfi_pool_check_function(pool, (uintptr_t)fn, err);
    if (!rc)
        rc = check(tasks, options, results, result_size, err);
    if (rc)
        return rc;
    shmfi_pool_enter(pool);
    struct shmf_error why = {0};
    struct map_call call = {
        .tasks = tasks,
        .result_size = result_size,
        .fixed = options->chunk,
        .parallel = pool->wanted ? pool->wanted : 1,
        .chunk = {.function = (uint64_t)(uintptr_t)fn,
                  .context = (uint64_t)(uintptr_t)tasks->context,
                  .seed = tasks->seed,
                  .arg_size = tasks->arg_size,
                  .result_size = result_size},
        .results = results,
        .statuses = statuses,
        .err = &why,
    };
    uint32_t window = (uint32_t)(4 * call.parallel);
    call.window = window < pool->window ? window : pool->window;
    struct shmfi_segment *args = NULL;
    rc = shmfi_share_elements(tasks, &args, &call.handles, &call.n_handles, &why);
    if (!rc)
        rc = map_shared(pool, &call, options);
    shmfi_sys.free(call.handles);
    shmfi_segment_unref(args);
    if (rc && err)
        *err = why;
    shmfi_pool_leave(pool);
    return rc;
}

/* A map over slices of a frame: an ordered iteration whose tasks are given rows. */
#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"

#include <shmframe/derive.h>
#include <shmframe/frame_map.h>
#include <shmframe/grant.h>

#include <string.h>

#define SLICES_PER_WORKER 4

struct frame_call {
    const struct shmf_frame_map_options *options;
    int64_t n_rows; /* of the input ... */
    int64_t first;  /* ... whose first one has this place in its segment */
    int64_t rows;   /* of a slice */
    int64_t n_slices, next;
    struct shmf_frame *output;   /* granted to the tasks; NULL: they return frames ... */
    struct shmf_frame **results; /* ... these, n_slices */
    struct shmf_handle *handles; /* of a task: input, output, the options' */
    size_t n_handles;
};

static int64_t begin_of(const struct frame_call *call, int64_t slice)
{
    return slice * call->rows;
}

static int64_t end_of(const struct frame_call *call, int64_t slice)
{
    int64_t begin = begin_of(call, slice);
    return call->n_rows - begin < call->rows ? call->n_rows : begin + call->rows;
}

static int next_slice(struct shmf_task_input *input, void *user)
{
    struct frame_call *call = user;
    if (call->next == call->n_slices)
        return 0;
    int64_t begin = begin_of(call, call->next), end = end_of(call, call->next);
    call->handles[0] = shmf_handle_slice(call->handles[0], call->first + begin, call->first + end);
    if (call->output)
        call->handles[1] = shmf_handle_slice(call->handles[1], begin, end);
    call->next++;
    input->handles = call->handles;
    input->n_handles = call->n_handles;
    return 1;
}

/* ---- results ------------------------------------------------------------------------------ */

static int fail_slice(const struct frame_call *call, const struct shmf_result *result,
                      struct shmf_error *err)
{
    const struct shmf_failure *failure = shmf_result_failure(result);
    int64_t slice = shmf_result_index(result);
    int code = failure ? failure->code : SHMF_E_INVAL;
    return shmfi_error(err, code, "rows [%lld, %lld): %s", (long long)begin_of(call, slice),
                       (long long)end_of(call, slice),
                       failure ? failure->message : "the task returned no frame");
}

static int take_result(struct frame_call *call, struct shmf_result *result, struct shmf_error *err)
{
    int rc = shmf_result_status(result);
    struct shmf_frame **place = call->output ? NULL : &call->results[shmf_result_index(result)];
    if (!rc && place)
        *place = shmf_result_take_frame(result);
    if (rc || (place && !*place))
        rc = fail_slice(call, result, err);
    shmf_result_free(result);
    return rc;
}

static int iterate(struct shmf_pool *pool, shmf_task_fn fn, struct frame_call *call,
                   struct shmf_error *err)
{
    const struct shmf_frame_map_options *options = call->options;
    struct shmf_tasks tasks = {.count = call->n_slices,
                               .next = next_slice,
                               .user = call,
                               .context = options->context,
                               .seed = options->seed};
    struct shmf_imap_options how = {.attempts = options->attempts,
                                    .deadline_seconds = options->deadline_seconds,
                                    .call_seconds = options->call_seconds,
                                    .progress = options->progress};
    struct shmf_iter *iter = shmf_pool_imap(pool, fn, &tasks, &how, err);
    if (!iter)
        return err->code;
    struct shmf_result *result;
    int rc;
    while ((rc = shmf_iter_next(iter, &result, err)) > 0) {
        rc = take_result(call, result, err);
        if (rc)
            break;
    }
    shmf_iter_free(iter);
    return rc;
}

/* ---- the call ----------------------------------------------------------------------------- */

static int check(const struct shmf_frame *frame, const struct shmf_frame_map_options *options,
                 struct shmf_error *err)
{
    if (!frame)
        return shmfi_error(err, SHMF_E_INVAL, "frame: NULL");
    if (!shmf_frame_handle(frame).region)
        return shmfi_error(err, SHMF_E_INVAL, "frame: it is not finished");
    if (options->rows < 0)
        return shmfi_error(err, SHMF_E_INVAL, "options.rows: %lld", (long long)options->rows);
    if (options->n_handles && !options->handles)
        return shmfi_error(err, SHMF_E_INVAL, "options.handles: NULL, but n_handles is %zu",
                           options->n_handles);
    for (size_t i = 0; i < options->n_handles; i++)
        if (options->handles[i].access == SHMF_WRITABLE)
            return shmfi_error(err, SHMF_E_INVAL,
                               "options.handles[%zu]: every slice would write it", i);
    if (options->output && options->output->n_rows &&
        options->output->n_rows != shmf_frame_rows(frame))
        return shmfi_error(err, SHMF_E_INVAL, "options.output: %lld rows for %lld",
                           (long long)options->output->n_rows, (long long)shmf_frame_rows(frame));
    return shmfi_check_reserved(options->reserved, 7, "options", err);
}

static void choose_slices(struct shmf_pool *pool, const struct shmf_frame *frame,
                          struct frame_call *call)
{
    int64_t parallel = shmf_pool_workers(pool) > 0 ? shmf_pool_workers(pool) : 1;
    int64_t n = shmf_frame_rows(frame), rows = call->options->rows;
    if (!rows)
        rows = n / (SLICES_PER_WORKER * parallel) + 1;
    if (rows > n)
        rows = n;
    if (call->options->output)
        rows = (rows + SHMF_SLICE_ROWS - 1) / SHMF_SLICE_ROWS * SHMF_SLICE_ROWS;
    call->n_rows = n;
    call->first = shmf_frame_handle(frame).begin;
    call->rows = rows ? rows : 1;
    call->n_slices = n ? (n - 1) / call->rows + 1 : 1;
}

static int make_output(struct frame_call *call, struct shmf_error *err)
{
    struct shmf_frame_spec spec = *call->options->output;
    spec.n_rows = call->n_rows;
    call->output = shmf_frame_new_grantable(&spec, err);
    if (!call->output)
        return err->code;
    call->handles[1] = shmf_frame_grant(call->output, 0, call->n_rows, err);
    return call->handles[1].region ? SHMF_OK : err->code;
}

static int prepare(const struct shmf_frame *frame, struct frame_call *call, struct shmf_error *err)
{
    const struct shmf_frame_map_options *options = call->options;
    size_t own = options->output ? 2 : 1;
    call->n_handles = own + options->n_handles;
    call->handles = shmfi_sys.calloc(call->n_handles, sizeof *call->handles);
    if (!options->output)
        call->results = shmfi_sys.calloc((size_t)call->n_slices, sizeof *call->results);
    if (!call->handles || (!options->output && !call->results))
        return shmfi_error(err, SHMF_E_NOMEM, "no memory for a map over %lld slices",
                           (long long)call->n_slices);
    call->handles[0] = shmf_frame_handle(frame);
    if (options->n_handles)
        memcpy(call->handles + own, options->handles, options->n_handles * sizeof *call->handles);
    return options->output ? make_output(call, err) : SHMF_OK;
}

/* The whole, or NULL; what it is made from is freed. */
static struct shmf_frame *finish(struct frame_call *call, int rc, struct shmf_error *err)
{
    struct shmf_frame *whole = NULL;
    if (!rc && call->output && !shmf_frame_finish(call->output, err)) {
        whole = call->output;
        call->output = NULL;
    } else if (!rc && call->results && call->n_slices == 1) {
        whole = call->results[0];
        call->results[0] = NULL;
    } else if (!rc && call->results) {
        whole =
            shmf_frame_concat((const struct shmf_frame *const *)call->results, call->n_slices, err);
    }
    for (int64_t i = 0; call->results && i < call->n_slices; i++)
        shmf_frame_free(call->results[i]);
    shmfi_sys.free(call->results);
    shmfi_sys.free(call->handles);
    shmf_frame_free(call->output);
    return whole;
}

struct shmf_frame *shmf_pool_map_frame(struct shmf_pool *pool, shmf_task_fn fn,
                                       const struct shmf_frame *frame,
                                       const struct shmf_frame_map_options *options,
                                       struct shmf_error *err)
{
    static const struct shmf_frame_map_options defaults;
    struct shmf_error why;
    struct frame_call call = {.options = options ? options : &defaults};
    if (!err)
        err = &why;
    if (check(frame, call.options, err))
        return NULL;
    choose_slices(pool, frame, &call);
    int rc = prepare(frame, &call, err);
    if (!rc)
        rc = iterate(pool, fn, &call, err);
    return finish(&call, rc, err);
}

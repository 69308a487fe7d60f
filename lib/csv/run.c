/* Parsing all ranges: a task each, or one after the other; then one frame of their frames. */
#include "reading.h"

#include <shmframe/derive.h>
#include <stdlib.h>
#include <string.h>

/* More memory than that a worker does not keep. */
static const size_t KEPT_MOST = 16 << 20;

struct shmfi_csv_scratch *shmfi_csv_task_scratch(const struct shmf_task *task,
                                                 struct shmfi_csv_scratch *own)
{
    static struct shmfi_csv_scratch kept; /* of a worker, which is one thread */
    if (shmf_task_worker(task) < 0)
        return own;
    if (kept.room > KEPT_MOST) {
        free(kept.memory);
        kept = (struct shmfi_csv_scratch){0};
    }
    return &kept;
}

/* What a task that made no frame says instead: the types of each column's fields. */
static int reply_types(struct shmf_task *task, const struct shmfi_csv_part *part)
{
    const size_t n = (size_t)part->plan->n_columns;
    unsigned *types = malloc(n * sizeof *types);
    if (!types)
        return shmf_task_fail(task, SHMF_E_NOMEM, "private memory is exhausted");
    for (size_t c = 0; c < n; c++)
        types[c] = part->columns[c].types;
    int rc = shmf_task_return_bytes(task, types, n * sizeof *types);
    free(types);
    return rc;
}

static int reply(struct shmf_task *task, const struct shmfi_csv_part *part)
{
    struct shmf_error err = {0};
    if (part->misfit || part->plan->infer)
        return reply_types(task, part);
    struct shmf_frame *frame = shmfi_csv_part_frame(part, task, &err);
    if (!frame && err.code)
        shmf_task_fail(task, err.code, "%s", err.message);
    return frame ? shmf_task_return_frame(task, frame) : SHMF_E_TASK;
}

static int parse_task(struct shmf_task *task, void *context)
{
    const struct shmf_array *origin = shmf_task_array(task, 0), *plan = shmf_task_array(task, 1);
    struct shmfi_csv_scratch own = {0}, *scratch = shmfi_csv_task_scratch(task, &own);
    struct shmfi_csv_source source;
    struct shmfi_csv_part part;
    (void)context;
    if (!origin || !plan)
        return SHMF_E_TASK;
    int rc = shmfi_csv_source_open(&source, shmf_array_data(origin), &part.failure);
    if (!rc)
        rc = shmfi_csv_part_parse(&part, shmf_array_data(plan), &source, shmf_task_arg(task),
                                  scratch);
    rc = rc ? shmf_task_fail(task, rc, "%s", part.failure.message) : reply(task, &part);
    shmfi_csv_source_close(&source);
    free(own.memory);
    return rc;
}

/* ---- one range after the other ------------------------------------------------------------- */

/* Types that were wrong are known after this; 1. */
static int learn(struct shmfi_csv_reading *reading, const unsigned *types)
{
    for (int64_t c = 0; c < reading->n_columns; c++)
        reading->types[c] &= types[c];
    return 1;
}

static int parse_here(struct shmfi_csv_reading *reading, int64_t i, struct shmf_frame **frame)
{
    struct shmfi_csv_part part;
    int rc = shmfi_csv_part_parse(&part, reading->plan, &reading->source, &reading->ranges[i],
                                  &reading->scratch);
    if (rc) {
        shmf_error_set(reading->err, rc, "%s", part.failure.message);
    } else if (part.misfit || reading->plan->infer) {
        for (int64_t c = 0; c < reading->n_columns; c++)
            reading->types[c] &= part.columns[c].types;
        rc = part.misfit;
    } else {
        *frame = shmfi_csv_part_frame(&part, NULL, reading->err);
        rc = *frame ? shmf_frame_finish(*frame, reading->err) : SHMF_E_NOMEM;
        if (!*frame && reading->err->code)
            rc = reading->err->code;
    }
    return rc;
}

/* ---- all at once -------------------------------------------------------------------------- */

static int take(struct shmfi_csv_reading *reading, struct shmf_result *result,
                struct shmf_frame **frame)
{
    const struct shmf_failure *failure = shmf_result_failure(result);
    size_t size;
    int rc = SHMF_OK;
    const void *types = shmf_result_bytes(result, &size);
    if (failure)
        rc = shmf_error_set(reading->err, failure->code, "%s", failure->message);
    else if (types && size == (size_t)reading->n_columns * sizeof(unsigned))
        rc = learn(reading, types) && !reading->plan->infer;
    else
        *frame = shmf_result_take_frame(result);
    shmf_result_free(result);
    return rc || *frame || reading->plan->infer
               ? rc
               : shmf_error_set(reading->err, SHMF_E_POOL_BROKEN, "a task returned no frame");
}

/* What becomes of the ranges' frames: they are put together as they come; but where they have row
 * labels, whose index is made of all at once, or where there is one only, they are kept. */
struct heap {
    struct shmfi_csv_gathered *gathered;
    struct shmf_frame **frames;
};

static int put_on(struct shmfi_csv_reading *reading, struct heap *heap, int64_t i,
                  struct shmf_frame *frame)
{
    if (!frame)
        return SHMF_OK;
    if (heap->frames) {
        heap->frames[i] = frame;
        return SHMF_OK;
    }
    int rc = SHMF_OK;
    if (!heap->gathered && !(heap->gathered = shmfi_csv_gather_begin(reading)))
        rc = reading->err->code;
    if (!rc)
        rc = shmfi_csv_gather_add(heap->gathered, frame);
    shmf_frame_free(frame);
    return rc;
}

static int parse_in_pool(struct shmfi_csv_reading *reading, struct heap *heap)
{
    struct shmf_handle handles[] = {shmf_array_handle(reading->source.array),
                                    shmf_array_handle(reading->plan_array)};
    const struct shmf_tasks tasks = {.count = reading->n_ranges,
                                     .args = reading->ranges,
                                     .arg_size = sizeof *reading->ranges,
                                     .handles = handles,
                                     .n_handles = 2};
    struct shmf_result *result;
    const struct shmf_imap_options options = {.attempts = 3, .progress = reading->options.progress};
    struct shmf_iter *iter =
        shmf_pool_imap(reading->options.pool, parse_task, &tasks, &options, reading->err);
    int rc = iter ? SHMF_OK : SHMF_E_POOL_BROKEN, got = 0;
    if (!iter && reading->err->code)
        rc = reading->err->code;
    for (int64_t i = 0; !rc && (got = shmf_iter_next(iter, &result, reading->err)) > 0; i++) {
        struct shmf_frame *frame = NULL;
        rc = take(reading, result, &frame);
        if (!rc)
            rc = put_on(reading, heap, i, frame);
    }
    shmf_iter_free(iter);
    return rc ? rc : got;
}

static int parse_all(struct shmfi_csv_reading *reading, struct heap *heap)
{
    int rc = SHMF_OK;
    if (reading->options.pool)
        return parse_in_pool(reading, heap);
    for (int64_t i = 0; !rc && i < reading->n_ranges; i++) {
        struct shmf_frame *frame = NULL;
        rc = parse_here(reading, i, &frame);
        if (!rc)
            rc = put_on(reading, heap, i, frame);
        else
            shmf_frame_free(frame);
    }
    return rc;
}

/* After a wrong guess all of the text is looked at, so that the next is none. */
static int learn_all(struct shmfi_csv_reading *reading)
{
    struct heap none = {0};
    int rc = shmfi_csv_make_plan(reading, true);
    if (!rc)
        rc = parse_all(reading, &none);
    reading->learnt = !rc;
    return rc ? rc : 1;
}

/* The frames that were kept, as one. */
static int put_together(struct shmfi_csv_reading *reading, struct shmf_frame **frames,
                        struct shmf_frame **frame)
{
    bool own = reading->n_ranges == 1 && !reading->options.pool;
    *frame = own ? frames[0]
                 : shmf_frame_concat((const struct shmf_frame *const *)frames, reading->n_ranges,
                                     reading->err);
    if (own)
        frames[0] = NULL;
    return *frame ? SHMF_OK : reading->err->code ? reading->err->code : SHMF_E_NOMEM;
}

int shmfi_csv_run(struct shmfi_csv_reading *reading, struct shmf_frame **frame)
{
    const size_t n = (size_t)reading->n_ranges;
    const bool keep = n == 1 || reading->plan->labels >= 0;
    struct heap heap = {.frames = keep ? calloc(n, sizeof *heap.frames) : NULL};
    if (keep && !heap.frames)
        return shmf_error_set(reading->err, SHMF_E_NOMEM, "private memory is exhausted");
    int rc = parse_all(reading, &heap);
    if (!keep) {
        *frame = shmfi_csv_gather_end(heap.gathered, rc != 0);
        if (!rc && !*frame)
            rc = reading->err->code ? reading->err->code : SHMF_E_NOMEM;
    } else if (!rc) {
        rc = put_together(reading, heap.frames, frame);
    }
    for (size_t i = 0; keep && i < n; i++)
        shmf_frame_free(heap.frames[i]);
    free(heap.frames);
    if (!rc && (rc = shmfi_csv_source_check(&reading->source, reading->err))) {
        shmf_frame_free(*frame);
        *frame = NULL;
    }
    return rc == 1 ? learn_all(reading) : rc;
}

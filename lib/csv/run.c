/* Parsing all ranges: a task each, or one after the other; then one frame of their frames. */
#include "reading.h"

#include <shmframe/derive.h>
#include <stdlib.h>
#include <string.h>

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

static int parse_task(struct shmf_task *task, void *context)
{
    const struct shmf_array *text = shmf_task_array(task, 0), *plan = shmf_task_array(task, 1);
    struct shmf_error err = {0};
    struct shmfi_csv_part part;
    (void)context;
    if (!text || !plan)
        return SHMF_E_TASK;
    int rc = shmfi_csv_part_parse(&part, shmf_array_data(plan), shmf_array_data(text),
                                  shmf_task_arg(task));
    if (rc) {
        shmf_task_fail(task, rc, "%s", part.failure.message);
    } else if (part.misfit || part.plan->infer) {
        rc = reply_types(task, &part);
    } else {
        struct shmf_frame *frame = shmfi_csv_part_frame(&part, task, &err);
        if (!frame && err.code)
            shmf_task_fail(task, err.code, "%s", err.message);
        rc = frame ? shmf_task_return_frame(task, frame) : SHMF_E_TASK;
    }
    shmfi_csv_part_free(&part);
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
    int rc = shmfi_csv_part_parse(&part, reading->plan, reading->source.text, &reading->ranges[i]);
    if (rc) {
        shmfi_csv_error(reading->err, rc, "%s", part.failure.message);
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
    shmfi_csv_part_free(&part);
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
        rc = shmfi_csv_error(reading->err, failure->code, "%s", failure->message);
    else if (types && size == (size_t)reading->n_columns * sizeof(unsigned))
        rc = learn(reading, types) && !reading->plan->infer;
    else
        *frame = shmf_result_take_frame(result);
    shmf_result_free(result);
    return rc || *frame || reading->plan->infer
               ? rc
               : shmfi_csv_error(reading->err, SHMF_E_POOL_BROKEN, "a task returned no frame");
}

static int parse_in_pool(struct shmfi_csv_reading *reading, struct shmf_frame **frames)
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
    for (int64_t i = 0; !rc && (got = shmf_iter_next(iter, &result, reading->err)) > 0; i++)
        rc = take(reading, result, &frames[i]);
    shmf_iter_free(iter);
    return rc ? rc : got;
}

static int parse_all(struct shmfi_csv_reading *reading, struct shmf_frame **frames)
{
    int rc = SHMF_OK;
    if (reading->options.pool)
        return parse_in_pool(reading, frames);
    for (int64_t i = 0; !rc && i < reading->n_ranges; i++)
        rc = parse_here(reading, i, &frames[i]);
    return rc;
}

/* After a wrong guess all of the text is looked at, so that the next is none. */
static int learn_all(struct shmfi_csv_reading *reading, struct shmf_frame **none)
{
    int rc = shmfi_csv_make_plan(reading, true);
    if (!rc)
        rc = parse_all(reading, none);
    reading->learnt = !rc;
    return rc ? rc : 1;
}

int shmfi_csv_run(struct shmfi_csv_reading *reading, struct shmf_frame **frame)
{
    struct shmf_frame **frames = calloc((size_t)reading->n_ranges + 1, sizeof *frames);
    if (!frames)
        return shmfi_csv_error(reading->err, SHMF_E_NOMEM, "private memory is exhausted");
    int rc = parse_all(reading, frames);
    if (rc == 0) {
        bool own = reading->n_ranges == 1 && !reading->options.pool;
        *frame = own ? frames[0]
                     : shmf_frame_concat((const struct shmf_frame *const *)frames,
                                         reading->n_ranges, reading->err);
        if (own)
            frames[0] = NULL;
        if (!*frame)
            rc = reading->err->code ? reading->err->code : SHMF_E_NOMEM;
    }
    for (int64_t i = 0; i < reading->n_ranges; i++)
        shmf_frame_free(frames[i]);
    memset(frames, 0, (size_t)reading->n_ranges * sizeof *frames);
    if (rc == 1)
        rc = learn_all(reading, frames);
    free(frames);
    return rc;
}

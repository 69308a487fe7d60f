/* Describing a frame over a pool: parts of columns are summarized where workers see them, and
 * merged here. */
#include "task/objects.h"

#include "base/error.h"
#include "base/sys.h"
#include "frame/frame_internal.h"

#include <shmframe/map.h>

#define ROWS_OF_PART (INT64_C(1) << 18)

struct part {
    int64_t column, first, count;
};

struct description {
    const struct shmf_frame *frame;
    int64_t n_columns; /* that have a summary */
    int64_t *columns;  /* their positions */
    int64_t parts_of_column;
    struct part *parts;            /* column after column */
    struct shmfi_moments *moments; /* of each part, then of each column */
};

static int summarize_part(struct shmf_task *task, void *unused)
{
    (void)unused;
    const struct part *part = shmf_task_arg(task);
    const struct shmf_frame *frame = shmf_task_frame(task, 0);
    struct shmfi_moments moments;
    if (!frame)
        return SHMF_E_INVAL; /* the task says why */
    int rc = shmfi_frame_moments(frame, part->column, part->first, part->count, &moments);
    if (rc)
        return shmf_task_fail(task, rc, "column %lld", (long long)part->column);
    return shmf_task_return_bytes(task, &moments, sizeof moments);
}

static int allocate(struct description *description, struct shmf_error *err)
{
    size_t n = (size_t)shmf_frame_columns(description->frame);
    int64_t rows = shmf_frame_rows(description->frame), parts;
    description->parts_of_column = rows / ROWS_OF_PART + (rows % ROWS_OF_PART != 0 || rows == 0);
    description->columns = shmfi_sys.calloc(n + 1, sizeof *description->columns);
    if (!description->columns)
        return shmfi_error(err, SHMF_E_NOMEM, "description of %zu columns", n);
    description->n_columns = shmfi_frame_summable(description->frame, description->columns);
    if (__builtin_mul_overflow(description->n_columns, description->parts_of_column, &parts))
        return shmfi_error(err, SHMF_E_TOOBIG, "description of %zu columns", n);
    description->parts = shmfi_sys.calloc((size_t)parts + 1, sizeof *description->parts);
    description->moments = shmfi_sys.calloc((size_t)parts + 1, sizeof *description->moments);
    if (!description->parts || !description->moments)
        return shmfi_error(err, SHMF_E_NOMEM, "description of %zu columns", n);
    return SHMF_OK;
}

static void list_parts(struct description *description)
{
    int64_t rows = shmf_frame_rows(description->frame);
    struct part *part = description->parts;
    for (int64_t c = 0; c < description->n_columns; c++)
        for (int64_t i = 0; i < description->parts_of_column; i++, part++) {
            part->column = description->columns[c];
            part->first = i * ROWS_OF_PART;
            part->count = rows - part->first < ROWS_OF_PART ? rows - part->first : ROWS_OF_PART;
        }
}

/* Column c's moments take the place of part c's, which was merged already. */
static void merge(struct description *description)
{
    for (int64_t c = 0; c < description->n_columns; c++) {
        struct shmfi_moments all = {0};
        for (int64_t i = 0; i < description->parts_of_column; i++)
            shmfi_moments_merge(&all, &description->moments[c * description->parts_of_column + i]);
        description->moments[c] = all;
    }
}

static struct shmf_frame *describe(struct shmf_pool *pool, struct description *description,
                                   struct shmf_error *err)
{
    struct shmf_handle handle = shmf_frame_handle(description->frame);
    if (!handle.region) {
        shmfi_error(err, SHMF_E_INVAL, "frame: it has no handle");
        return NULL;
    }
    if (allocate(description, err))
        return NULL;
    list_parts(description);
    const struct shmf_tasks tasks = {
        .count = description->n_columns * description->parts_of_column,
        .args = description->parts,
        .arg_size = sizeof *description->parts,
        .handles = &handle,
        .n_handles = 1,
    };
    if (tasks.count > 0 && shmf_pool_map(pool, summarize_part, &tasks, NULL, description->moments,
                                         sizeof *description->moments, NULL, err))
        return NULL;
    merge(description);
    return shmfi_frame_describe_as(description->frame, description->moments, err);
}

struct shmf_frame *shmf_pool_describe(struct shmf_pool *pool, const struct shmf_frame *frame,
                                      struct shmf_error *err)
{
    struct description description = {.frame = frame};
    if (!pool || !frame) {
        shmfi_error(err, SHMF_E_INVAL, "%s: NULL", pool ? "frame" : "pool");
        return NULL;
    }
    struct shmf_frame *made = describe(pool, &description, err);
    shmfi_sys.free(description.columns);
    shmfi_sys.free(description.parts);
    shmfi_sys.free(description.moments);
    return made;
}

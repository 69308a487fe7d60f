/* libshmframe: inputs in a frame or an array, the row found by its label where there are labels,
 * results built where the consumer looks at them. */
#include "way.h"

#include <shmframe/shmframe.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct shmf_pool *pool;
static struct shmf_frame *frame;
static struct shmf_array *array;
static struct shmf_handle handle;
static char (*labels)[16];
static struct shmf_error err;

static void need(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s/shmframe: %s: %s: %s\n", setting.bench, what, shmf_status_name(err.code),
            err.message);
    exit(1);
}

static void prepare_frame(void)
{
    int64_t n = way_work.rows;
    const char **row_labels = malloc((size_t)n * sizeof *row_labels);
    labels = malloc((size_t)n * sizeof *labels);
    bench_need(row_labels && labels, "memory for labels");
    for (int64_t i = 0; i < n; i++) {
        snprintf(labels[i], sizeof *labels, "Idx-%d", (int)i);
        row_labels[i] = labels[i];
    }
    struct shmf_frame_spec spec = {.n_rows = n,
                                   .n_columns = way_work.columns,
                                   .dtype = SHMF_FLOAT64,
                                   .row_labels = row_labels};
    frame = shmf_frame_new(&spec, &err);
    need(frame != NULL, "the input");
    double *first = shmf_frame_data_mut(frame, 0), *second = shmf_frame_data_mut(frame, 1);
    bench_need(second - first == n, "a leading dimension that is not the number of rows");
    work_fill(&way_work, first);
    need(shmf_frame_finish(frame, &err) == 0, "the input");
    handle = shmf_frame_handle(frame);
    free(row_labels);
}

static void prepare(void)
{
    way_work = work_find(setting.bench, setting.at);
    if (way_work.labelled) {
        prepare_frame();
    } else if (way_work.rows) {
        array = shmf_array_new(SHMF_FLOAT64, 2, (int64_t[]){way_work.rows, way_work.columns}, &err);
        need(array != NULL, "the input");
        work_fill(&way_work, shmf_array_data_mut(array));
        handle = shmf_array_handle(array);
    }
}

static int find_input(struct shmf_task *task, const double **input, int64_t *row)
{
    struct shmf_matrix matrix;
    *input = NULL;
    *row = 0;
    if (frame) {
        const struct shmf_frame *given = shmf_task_frame(task, 0);
        *row = given ? shmf_frame_loc(given, shmf_task_arg(task)) : -1;
        if (*row < 0 || shmf_frame_matrix(given, &matrix))
            return shmf_task_fail(task, SHMF_E_NOTFOUND, "no such row");
        *input = matrix.data;
    } else if (array) {
        const struct shmf_array *given = shmf_task_array(task, 0);
        if (!given)
            return -1;
        *input = shmf_array_data(given);
        *row = work_row(&way_work, shmf_task_index(task));
    }
    return 0;
}

static int compute(struct shmf_task *task, void *unused)
{
    const double *input;
    int64_t row;
    (void)unused;
    if (find_input(task, &input, &row))
        return -1;
    if (way_work.result_bytes <= SHMF_INLINE_RESULT) {
        uint64_t bytes[SHMF_INLINE_RESULT / sizeof(uint64_t)];
        way_work.compute(&way_work, input, row, shmf_task_index(task), bytes);
        return shmf_task_return_bytes(task, bytes, way_work.result_bytes);
    }
    struct shmf_array *result =
        shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){(int64_t)way_work.result_bytes});
    if (!result)
        return -1;
    way_work.compute(&way_work, input, row, shmf_task_index(task), shmf_array_data_mut(result));
    return shmf_task_return_array(task, result);
}

/* Tasks of microseconds need many in flight; results of megabytes want few, and then their memory
 * is few too. */
static int window(void)
{
    if (!strcmp(setting.bench, "window") || !strcmp(setting.bench, "noop_imap"))
        return (int)setting.at;
    if (!strcmp(setting.bench, "task_lengths") && setting.at > 100000)
        return 0;
    return way_work.result_bytes >= 1 << 16 ? setting.workers + 1 : 64;
}

static void open_pool(void)
{
    /* `fresh`: nothing is kept for the next result */
    struct shmf_memory_options keep = {.cache_bytes = !strcmp(setting.bench, "fresh")};
    need(shmf_memory_set_options(&keep, &err) == 0, "options");
    struct shmf_pool_options options = {.workers = setting.workers};
    options.budget_bytes = way_work.result_bytes > 1 << 20
                               ? (uint64_t)(window() + setting.workers + 1) * way_work.result_bytes
                               : 0;
    pool = shmf_pool_new(&options, &err);
    need(pool != NULL, "shmf_pool_new");
}

/* Labels of the tasks' rows, as their arguments. */
static int next(struct shmf_task_input *input, void *user)
{
    int64_t *left = user, task = left[1]++;
    if (task >= left[0])
        return 0;
    const char *label = labels[work_row(&way_work, task)];
    *input = (struct shmf_task_input){.arg = label, .arg_size = strlen(label) + 1};
    return 1;
}

static const void *content(struct shmf_result *result)
{
    if (shmf_result_status(result)) {
        fprintf(stderr, "%s/shmframe: %s\n", setting.bench, shmf_result_failure(result)->message);
        exit(1);
    }
    if (way_work.result_bytes <= SHMF_INLINE_RESULT)
        return shmf_result_bytes(result, NULL);
    return shmf_array_data(shmf_result_array(result));
}

static void run(int64_t n, struct reply *reply)
{
    int64_t left[2] = {n, 0};
    struct shmf_tasks tasks = {.count = n,
                               .next = frame ? next : NULL,
                               .user = left,
                               .handles = &handle,
                               .n_handles = frame || array ? 1 : 0};
    struct shmf_imap_options options = {.window = window(), .unordered = 1};
    struct shmf_result *result;
    uint64_t sum = 0;
    int rc;
    double start = bench_now();
    struct shmf_iter *iter = shmf_pool_imap(pool, compute, &tasks, &options, &err);
    need(iter != NULL, "shmf_pool_imap");
    while ((rc = shmf_iter_next(iter, &result, &err)) > 0) {
        sum += work_consume(&way_work, shmf_result_index(result), content(result));
        shmf_result_free(result);
    }
    need(rc == 0, "shmf_iter_next");
    shmf_iter_free(iter);
    way_reply(reply, n, bench_now() - start, sum);
}

static void close_pool(void)
{
    shmf_pool_free(pool);
    pool = NULL;
}

const struct measure way_shmframe[] = {
    {NULL, "shmframe", prepare, open_pool, run, close_pool},
    {0},
};

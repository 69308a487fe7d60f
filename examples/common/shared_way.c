/* The way with the library: a pool maps the task function over the tasks; results are built in
 * shared memory by the workers and looked at where they are. */
#include "workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* What a result holds, whichever kind it is of. */
static struct view view_of(struct shmf_result *result)
{
    const struct shmf_array *array = shmf_result_array(result);
    const struct shmf_frame *frame = shmf_result_frame(result);
    struct shmf_matrix matrix;
    size_t size = 0;
    if (array) {
        size = shmf_dtype_size(shmf_array_dtype(array)) * (size_t)shmf_array_size(array);
        return (struct view){shmf_array_data(array), size, 1, 0};
    }
    if (frame && shmf_frame_matrix(frame, &matrix) == 0) {
        size = shmf_dtype_size(matrix.dtype);
        return (struct view){matrix.data, size * (size_t)matrix.n_rows, matrix.n_columns,
                             size * (size_t)matrix.leading_dimension};
    }
    const void *bytes = shmf_result_bytes(result, &size);
    return (struct view){bytes, size, 1, 0};
}

static void print_failure(const struct way *way, struct shmf_result *result)
{
    const struct shmf_failure *failure = shmf_result_failure(result);
    fprintf(stderr, "%s: task %" PRId64 " failed: %s: %s (worker %d, pid %" PRId64 ", signal %d)\n",
            way->name, shmf_result_index(result), shmf_status_name(failure->code), failure->message,
            failure->worker, failure->pid, failure->signal);
}

/* Page faults of the application and the workers; -1 while a worker is being replaced. */
static int64_t faults_of_all(const struct shmf_pool *pool)
{
    int64_t sum = minor_faults(0);
    for (int w = 0; w < shmf_pool_workers(pool); w++) {
        int64_t pid = shmf_pool_worker_pid(pool, w);
        int64_t faults = pid ? minor_faults(pid) : -1;
        if (faults < 0)
            return -1;
        sum += faults;
    }
    return sum;
}

static void note_peak(struct shmf_pool *pool, struct way *way)
{
    struct shmf_pool_stats stats;
    if (shmf_pool_get_stats(pool, &stats) == 0 && stats.bytes_held > way->peak_shared_bytes)
        way->peak_shared_bytes = stats.bytes_held;
}

/* One pass over all tasks: either for the clock, or to take checksums. */
struct pass {
    const struct workload *work;
    struct shmf_pool *pool;
    struct way *way;
    bool checking;
    int64_t n_taken;
    int64_t warm_up; /* after so many tasks the steady state begins */
    int64_t faults_then;
};

static void take(struct pass *pass, struct shmf_result *result)
{
    const struct workload *work = pass->work;
    if (shmf_result_status(result)) {
        print_failure(pass->way, result);
        pass->way->n_failed++;
    } else if (pass->checking) {
        struct view view = view_of(result);
        pass->way->sums[shmf_result_index(result)] = checksum(&view);
    } else if (work->consume) {
        struct view view = view_of(result);
        work->consume(work, result, &view);
    }
    if (work->result_bytes >= 1 << 20)
        note_peak(pass->pool, pass->way);
    if (++pass->n_taken == pass->warm_up)
        pass->faults_then = faults_of_all(pass->pool);
}

static int run_pass(struct pass *pass, const char *title)
{
    const struct options *options = pass->work->options;
    struct shmf_imap_options imap = {.window = options->window,
                                     .attempts = options->attempts,
                                     .progress = title,
                                     .progress_always = options->progress};
    struct shmf_result *result;
    struct shmf_error err;
    int rc;
    struct shmf_iter *iter =
        shmf_pool_imap(pass->pool, pass->work->task, &pass->work->tasks, &imap, &err);
    if (!iter)
        return print_error("shmf_pool_imap", &err);
    while ((rc = shmf_iter_next(iter, &result, &err)) > 0) {
        take(pass, result);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    return rc < 0 ? print_error("shmf_iter_next", &err) : 0;
}

/* What was counted while the pass for the clock ran. */
static void sum_up(const struct pass *pass, int64_t faults_before)
{
    struct way *way = pass->way;
    int64_t faults = faults_of_all(pass->pool);
    if (faults >= 0)
        way->faults = (double)(faults - faults_before) / (double)way->n_tasks;
    if (faults >= 0 && pass->faults_then > 0 && way->n_tasks > pass->warm_up)
        way->steady_faults =
            (double)(faults - pass->faults_then) / (double)(way->n_tasks - pass->warm_up);
}

/* Checksums of 200 MB take about as long as the results themselves, so there are two passes over
 * the same tasks: one for the clock, in which results are handed over and given back, and one in
 * which every byte of every result is read. */
int run_shared(const struct workload *work, struct way *way)
{
    const struct options *options = work->options;
    struct shmf_pool_options pool_options = {
        .workers = options->workers, .window = options->window, .budget_bytes = work->budget_bytes};
    struct pass pass = {.work = work, .way = way, .warm_up = 8 * (int64_t)options->workers};
    struct shmf_error err;
    char title[64];
    int64_t faults = minor_faults(0);
    double start = seconds_now();
    pass.pool = shmf_pool_new(&pool_options, &err);
    if (!pass.pool)
        return print_error("shmf_pool_new", &err);
    int rc = run_pass(&pass, work->name);
    way->seconds = seconds_now() - start;
    sum_up(&pass, faults);
    if (rc == 0 && options->check) {
        snprintf(title, sizeof title, "%s (check)", work->name);
        pass.checking = true;
        rc = run_pass(&pass, title);
    }
    shmf_pool_free(pass.pool);
    return rc;
}

/* A whole frame of 1,000 x 5,000 doubles convolved, its edges reflected, with a 20 x 20 kernel
 * that is made of 400 randomly chosen entries of one row: 24 rows, 24 results of the frame's
 * size, each a frame with the same labels.
 *
 *     convolve                     all three ways, with a table at the end
 *     convolve --dump-npy=DIR      also write the input, the kernels and the results for NumPy
 *     convolve --help
 *     convolve --quick --workers=2
 * prints
 *
 *     ...
 *     results: 12 compared bit for bit, all ways agree; ... */
#include "common/convolve.h"
#include "common/npy.h"
#include "common/random.h"
#include "common/workload.h"

#include <stdio.h>
#include <stdlib.h>

enum { KERNEL = 20 };

struct job {
    struct shmf_frame *frame;
    struct shmf_frame_spec spec; /* of the results: shape, dtype and labels of the frame */
    struct grid grid;            /* the frame's numbers */
    int64_t *rows;               /* of each task */
    uint64_t *seeds;             /* of each task */
    const char *dump;
};

/* The kernel: entries of the row, at random. */
static void choose_kernel(const struct shmf_frame *frame, int64_t row, uint64_t seed,
                          double *weights)
{
    for (int i = 0; i < KERNEL * KERNEL; i++)
        shmf_frame_cell(frame, row, random_below(&seed, shmf_frame_columns(frame)), &weights[i]);
}

static int convolve_task(struct shmf_task *task, void *context)
{
    const struct job *job = context; /* inherited from the application, copy-on-write */
    const struct shmf_frame *frame = shmf_task_frame(task, 0);
    const char *label = shmf_task_arg(task);
    int64_t row = frame ? shmf_frame_loc(frame, label) : -1;
    double weights[KERNEL * KERNEL];
    if (row < 0)
        return shmf_task_fail(task, (int)row, "no row is labelled \"%s\"", label);
    choose_kernel(frame, row, shmf_task_seed(task), weights);

    struct shmf_frame *result = shmf_task_new_frame(task, &job->spec);
    double *out = shmf_frame_data_mut(result, 0), *second = shmf_frame_data_mut(result, 1);
    if (!out)
        return -1;
    if (convolve(&job->grid, &(struct kernel){weights, KERNEL, KERNEL}, 0, job->spec.n_columns, out,
                 second ? second - out : job->spec.n_rows))
        return shmf_task_fail(task, SHMF_E_NOMEM, "no memory for the scratch area");
    return shmf_task_return_frame(task, result);
}

/* The same without the library: `input` is the frame's matrix, or the copy that a pipe brought. */
static int compute(const struct workload *work, const void *input, int64_t task, void *result)
{
    const struct job *job = work->context;
    struct grid grid = job->grid;
    double weights[KERNEL * KERNEL];
    grid.data = input;
    choose_kernel(job->frame, job->rows[task], job->seeds[task], weights);
    return convolve(&grid, &(struct kernel){weights, KERNEL, KERNEL}, 0, grid.n_columns, result,
                    grid.n_rows);
}

/* The consumer of --dump-npy. */
static void dump(const struct workload *work, struct shmf_result *result, const struct view *view)
{
    const struct job *job = work->context;
    int64_t task = shmf_result_index(result);
    double weights[KERNEL * KERNEL];
    choose_kernel(job->frame, job->rows[task], job->seeds[task], weights);
    if (npy_write(job->dump, "kernel", task, weights, KERNEL, KERNEL, KERNEL, 1) ||
        npy_write(job->dump, "result", task, view->data, job->grid.n_rows, job->grid.n_columns, 1,
                  (int64_t)(view->stride / sizeof(double))))
        exit(EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    struct options options = {
        .rows = 1000, .columns = 5000, .tasks = 24, .sequential = 6, .pipe = 6};
    const struct options quick = {
        .rows = 200, .columns = 600, .tasks = 24, .sequential = 12, .pipe = 12};
    struct job job = {0};
    const struct text_option texts[] = {
        {"dump-npy", "DIR", "write input, kernels and results as .npy files", &job.dump}, {0}};
    options_parse(&options, &quick, "Convolutions of a whole frame", texts, argc, argv);
    const char *const *rows = make_labels("Idx-", options.rows);
    const char *const *columns = make_labels("Col-", options.columns);
    struct shmf_matrix matrix = {0};
    job.frame = random_frame(&options);
    job.spec = (struct shmf_frame_spec){.n_rows = options.rows,
                                        .n_columns = options.columns,
                                        .dtype = SHMF_FLOAT64,
                                        .row_labels = rows,
                                        .column_labels = columns};
    shmf_frame_matrix(job.frame, &matrix);
    job.grid = (struct grid){.data = matrix.data,
                             .n_rows = matrix.n_rows,
                             .n_columns = matrix.n_columns,
                             .leading_dimension = matrix.leading_dimension};
    if (job.dump && npy_write(job.dump, "input", 0, job.grid.data, job.grid.n_rows,
                              job.grid.n_columns, 1, job.grid.leading_dimension))
        return EXIT_FAILURE;

    char(*labels)[32] = need_memory((size_t)options.tasks * sizeof *labels);
    job.rows = need_memory((size_t)options.tasks * sizeof *job.rows);
    job.seeds = task_seeds(options.seed, options.tasks);
    uint64_t choice = options.seed;
    for (int64_t task = 0; task < options.tasks; task++) {
        job.rows[task] = random_below(&choice, options.rows);
        snprintf(labels[task], sizeof *labels, "Idx-%lld", (long long)job.rows[task]);
    }

    struct shmf_handle handle = shmf_frame_handle(job.frame);
    struct workload work = {
        .name = "convolve",
        .options = &options,
        .context = &job,
        .compute = compute,
        .input = matrix.data,
        .input_bytes = (size_t)(matrix.leading_dimension * options.columns) * sizeof(double),
        .result_bytes = (size_t)(options.rows * options.columns) * sizeof(double),
        .consume = job.dump ? dump : NULL,
        .task = convolve_task,
        .tasks = {.count = options.tasks,
                  .args = labels,
                  .arg_size = sizeof *labels,
                  .handles = &handle,
                  .n_handles = 1,
                  .context = &job,
                  .seed = options.seed}};
    int status = workload_run(&work);
    shmf_frame_free(job.frame);
    free(job.rows);
    free(job.seeds);
    free(labels);
    free_labels(rows);
    free_labels(columns);
    return status;
}

/* For 250 rows of a labelled frame, chosen at random: a random matrix of the frame's size, the
 * means of its columns, and their outer product with that row. Each result is a matrix of
 * 5,000 x 5,000 doubles, 200 MB, which is built in shared memory and handed over where it is.
 *
 *     outer_product                            all three ways, with a table at the end
 *     outer_product --mode=shared --no-check   the library at full speed
 *     outer_product --help
 *     outer_product --quick --workers=2
 * prints
 *
 *     ...
 *     Idx-199  0.615464  0.0987348  0.69837235  ...  0.4884245  0.96203500  0.5546647
 *     [200 rows x 600 columns]
 *     outer_product: results of 2.88 MB, 2 workers
 *       way             tasks    seconds      tasks/s   speed-up  faults/task
 *       sequential         40        ...
 *     ...
 *     results: 40 compared bit for bit, all ways agree */
#include "common/random.h"
#include "common/stream.h"
#include "common/workload.h"

#include <stdio.h>
#include <stdlib.h>

struct outer {
    struct shmf_frame *frame;
    struct shmf_matrix matrix; /* the frame's numbers, column after column */
    int64_t *rows;             /* of each task */
    uint64_t *seeds;           /* of each task */
};

/* The computation as in any C program: result[i][j] = row[i] * mean[j]. */
static int outer_product(const double *row, int64_t n_rows, int64_t n_columns, uint64_t seed,
                         double *result)
{
    double *means = malloc((size_t)n_columns * sizeof *means);
    if (!means || random_column_means(seed, n_rows, n_columns, means)) {
        free(means);
        return -1;
    }
    for (int64_t i = 0; i < n_columns; i++)
        stream_scaled(result + i * n_columns, means, n_columns, row[i]);
    free(means);
    return 0;
}

/* A task: it knows its row by the label. */
static int outer_task(struct shmf_task *task, void *context)
{
    const struct shmf_frame *frame = shmf_task_frame(task, 0); /* shared, read-only, no copy */
    const char *label = shmf_task_arg(task);
    (void)context;
    if (!frame)
        return -1;
    int64_t n = shmf_frame_columns(frame);
    int64_t row = shmf_frame_loc(frame, label);
    if (row < 0)
        return shmf_task_fail(task, (int)row, "no row is labelled \"%s\"", label);
    struct shmf_array *result = shmf_task_new_array(task, SHMF_FLOAT64, 2, (int64_t[]){n, n});
    double *values = malloc((size_t)n * sizeof *values);
    int rc = result && values ? shmf_frame_row(frame, row, values) : -1;
    if (rc == 0)
        rc = outer_product(values, shmf_frame_rows(frame), n, shmf_task_seed(task),
                           shmf_array_data_mut(result));
    free(values);
    return rc ? rc : shmf_task_return_array(task, result);
}

/* The same without the library: `input` is the frame's matrix, or the copy that a pipe brought. */
static int compute(const struct workload *work, const void *input, int64_t task, void *result)
{
    const struct outer *outer = work->context;
    const struct shmf_matrix *matrix = &outer->matrix;
    double *row = malloc((size_t)matrix->n_columns * sizeof *row);
    if (!row)
        return -1;
    for (int64_t c = 0; c < matrix->n_columns; c++)
        row[c] = ((const double *)input)[c * matrix->leading_dimension + outer->rows[task]];
    int rc = outer_product(row, matrix->n_rows, matrix->n_columns, outer->seeds[task], result);
    free(row);
    return rc;
}

int main(int argc, char **argv)
{
    struct options options = {
        .rows = 1000, .columns = 5000, .tasks = 250, .sequential = 25, .pipe = 10};
    const struct options quick = {
        .rows = 200, .columns = 600, .tasks = 40, .sequential = 40, .pipe = 20};
    options_parse(&options, &quick, "Outer products with rows of a labelled frame", NULL, argc,
                  argv);
    struct outer outer = {.frame = random_frame(&options)};
    shmf_frame_print(outer.frame, stdout, &(struct shmf_print_options){.max_columns = 6});
    shmf_frame_matrix(outer.frame, &outer.matrix);

    char(*arguments)[32] = need_memory((size_t)options.tasks * sizeof *arguments);
    uint64_t choice = options.seed;
    outer.rows = need_memory((size_t)options.tasks * sizeof *outer.rows);
    outer.seeds = task_seeds(options.seed, options.tasks);
    for (int64_t task = 0; task < options.tasks; task++) {
        outer.rows[task] = random_below(&choice, options.rows);
        snprintf(arguments[task], sizeof *arguments, "Idx-%lld", (long long)outer.rows[task]);
    }

    struct shmf_handle handle = shmf_frame_handle(outer.frame);
    struct workload work = {
        .name = "outer_product",
        .options = &options,
        .context = &outer,
        .compute = compute,
        .input = outer.matrix.data,
        .input_bytes = (size_t)(outer.matrix.leading_dimension * options.columns) * sizeof(double),
        .result_bytes = (size_t)(options.columns * options.columns) * sizeof(double),
        .task = outer_task,
        .tasks = {.count = options.tasks,
                  .args = arguments,
                  .arg_size = sizeof *arguments,
                  .handles = &handle,
                  .n_handles = 1,
                  .seed = options.seed}};
    work.budget_bytes = shared_budget(&options, work.result_bytes);
    int status = workload_run(&work);
    shmf_frame_free(outer.frame);
    free(outer.rows);
    free(outer.seeds);
    free(arguments);
    return status;
}

/* The convolutions of convolve.c, but only the sum of each result goes back, and the numbers are
 * plain memory of the application: the workers inherit it when the pool is created, copy-on-write,
 * and nothing needs to be wrapped. Task functions find it through their context pointer.
 *
 *     convolve_sum --quick --workers=2
 * prints
 *
 *     ...
 *       shared             24        ...
 *     ...
 *     results: 12 compared bit for bit, all ways agree; ... */
#include "common/convolve.h"
#include "common/random.h"
#include "common/workload.h"

#include <stdlib.h>

enum { KERNEL = 20, STRIP = 16 };

/* The application's own data: malloc, no library. */
struct job {
    struct grid grid;
    int64_t *rows;   /* of each task: where the kernel's entries come from */
    uint64_t *seeds; /* of each task */
};

/* A strip of columns at a time, so that the scratch area stays in the cache. */
static int sum_of_convolution(const struct grid *grid, int64_t row, uint64_t seed, double *sum)
{
    double weights[KERNEL * KERNEL];
    double *strip = malloc((size_t)(STRIP * grid->n_rows) * sizeof *strip);
    int rc = strip ? 0 : -1;
    for (int i = 0; i < KERNEL * KERNEL; i++)
        weights[i] =
            grid->data[random_below(&seed, grid->n_columns) * grid->leading_dimension + row];
    *sum = 0;
    for (int64_t c = 0; rc == 0 && c < grid->n_columns; c += STRIP) {
        int64_t n = grid->n_columns - c < STRIP ? grid->n_columns - c : STRIP;
        rc = convolve(grid, &(struct kernel){weights, KERNEL, KERNEL}, c, n, strip, grid->n_rows);
        for (int64_t i = 0; rc == 0 && i < n * grid->n_rows; i++)
            *sum += strip[i];
    }
    free(strip);
    return rc;
}

static int convolve_sum_task(struct shmf_task *task, void *context)
{
    const struct job *job = context;
    double sum;
    if (sum_of_convolution(&job->grid, job->rows[shmf_task_index(task)], shmf_task_seed(task),
                           &sum))
        return shmf_task_fail(task, SHMF_E_NOMEM, "no memory for a strip of columns");
    return shmf_task_return_double(task, sum);
}

/* The same without the library: `input` are the numbers, or the copy that a pipe brought. */
static int compute(const struct workload *work, const void *input, int64_t task, void *result)
{
    const struct job *job = work->context;
    struct grid grid = job->grid;
    grid.data = input;
    return sum_of_convolution(&grid, job->rows[task], job->seeds[task], result);
}

int main(int argc, char **argv)
{
    struct options options = {
        .rows = 1000, .columns = 5000, .tasks = 24, .sequential = 6, .pipe = 6};
    const struct options quick = {
        .rows = 200, .columns = 600, .tasks = 24, .sequential = 12, .pipe = 12};
    options_parse(&options, &quick, "Convolutions of inherited memory, of which the sum goes back",
                  NULL, argc, argv);
    size_t n = (size_t)(options.rows * options.columns);
    double *numbers = need_memory(n * sizeof *numbers);
    struct job job = {.grid = {.data = numbers,
                               .n_rows = options.rows,
                               .n_columns = options.columns,
                               .leading_dimension = options.rows}};
    struct random random;
    random_seed(&random, options.seed);
    random_fill(&random, numbers, (int64_t)n);
    uint64_t choice = options.seed;
    job.seeds = task_seeds(options.seed, options.tasks);
    job.rows = need_memory((size_t)options.tasks * sizeof *job.rows);
    for (int64_t task = 0; task < options.tasks; task++)
        job.rows[task] = random_below(&choice, options.rows);

    struct workload work = {
        .name = "convolve_sum",
        .options = &options,
        .context = &job,
        .compute = compute,
        .input = numbers,
        .input_bytes = n * sizeof *numbers,
        .result_bytes = sizeof(double),
        .task = convolve_sum_task,
        .tasks = {.count = options.tasks, .context = &job, .seed = options.seed}};
    int status = workload_run(&work);
    free(numbers);
    free(job.rows);
    free(job.seeds);
    return status;
}

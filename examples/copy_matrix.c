/* A task that does nothing but copy a prepared matrix of 5,000 x 5,000 doubles, 200 MB, into its
 * result: what remains of outer_product.c when there is nothing to compute.
 *
 *     copy_matrix --quick --workers=2
 * prints
 *
 *     ...
 *       shared             40        ...
 *     ...
 *     results: 40 compared bit for bit, all ways agree */
#include "common/random.h"
#include "common/stream.h"
#include "common/workload.h"

#include <stdlib.h>

static int copy_task(struct shmf_task *task, void *context)
{
    const struct shmf_array *matrix = shmf_task_array(task, 0); /* shared, read-only, no copy */
    (void)context;
    if (!matrix)
        return -1;
    struct shmf_array *result =
        shmf_task_new_array(task, SHMF_FLOAT64, 2, shmf_array_shape(matrix));
    if (!result)
        return -1;
    stream_copy(shmf_array_data_mut(result), shmf_array_data(matrix), shmf_array_size(matrix));
    return shmf_task_return_array(task, result);
}

/* The same without the library: `input` is the matrix, or the copy that a pipe brought. */
static int compute(const struct workload *work, const void *input, int64_t task, void *result)
{
    (void)task;
    stream_copy(result, input, (int64_t)(work->result_bytes / sizeof(double)));
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {
        .rows = 5000, .columns = 5000, .tasks = 250, .sequential = 25, .pipe = 10};
    const struct options quick = {
        .rows = 600, .columns = 600, .tasks = 40, .sequential = 40, .pipe = 20};
    options_parse(&options, &quick, "Copies of a prepared matrix", NULL, argc, argv);
    struct shmf_error err;
    struct shmf_array *matrix =
        shmf_array_new(SHMF_FLOAT64, 2, (int64_t[]){options.rows, options.columns}, &err);
    if (!matrix) {
        print_error("the matrix", &err);
        return EXIT_FAILURE;
    }
    struct random random;
    random_seed(&random, options.seed);
    random_fill(&random, shmf_array_data_mut(matrix), shmf_array_size(matrix));

    struct shmf_handle handle = shmf_array_handle(matrix);
    size_t bytes = (size_t)shmf_array_size(matrix) * sizeof(double);
    struct workload work = {.name = "copy_matrix",
                            .options = &options,
                            .compute = compute,
                            .input = shmf_array_data(matrix),
                            .input_bytes = bytes,
                            .result_bytes = bytes,
                            .budget_bytes = shared_budget(&options, bytes),
                            .task = copy_task,
                            .tasks = {.count = options.tasks, .handles = &handle, .n_handles = 1}};
    int status = workload_run(&work);
    shmf_array_free(matrix);
    return status;
}

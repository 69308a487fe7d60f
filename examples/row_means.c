/* An object of the application holds a large matrix, here 10,000 x 10,000; each task is a call of
 * one of its functions: the mean of one row. The object keeps its matrix in a shared array, so
 * that the same function works in the application and, through the inherited pointer, in every
 * worker. Tasks this small show what handing over a task costs.
 *
 *     row_means --quick --workers=2
 * prints
 *
 *     ...
 *       shared            500        ...
 *     ...
 *     results: 500 compared bit for bit, all ways agree */
#include "common/random.h"
#include "common/workload.h"

#include <stdlib.h>

struct survey {
    int64_t n_rows;
    int64_t n_columns;
    struct shmf_array *values; /* n_rows x n_columns doubles, row after row */
};

static struct survey *survey_new(const struct options *options)
{
    struct survey *survey = need_memory(sizeof *survey);
    struct shmf_error err;
    struct random random;
    survey->n_rows = options->rows;
    survey->n_columns = options->columns;
    survey->values =
        shmf_array_new(SHMF_FLOAT64, 2, (int64_t[]){options->rows, options->columns}, &err);
    if (!survey->values) {
        print_error("the matrix", &err);
        exit(EXIT_FAILURE);
    }
    random_seed(&random, options->seed);
    random_fill(&random, shmf_array_data_mut(survey->values), options->rows * options->columns);
    return survey;
}

static void survey_free(struct survey *survey)
{
    shmf_array_free(survey->values);
    free(survey);
}

/* Four sums, so that one addition need not wait for the other. */
static double mean(const double *values, int64_t n)
{
    double sum[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            sum[k] += values[i + k];
    for (; i < n; i++)
        sum[0] += values[i];
    return (sum[0] + sum[1] + sum[2] + sum[3]) / (double)n;
}

static double survey_row_mean(const struct survey *survey, int64_t row)
{
    const double *values = shmf_array_data(survey->values);
    return mean(values + row * survey->n_columns, survey->n_columns);
}

/* A task: the object, and which of its rows. */
static int row_mean_task(struct shmf_task *task, void *context)
{
    const struct survey *survey = context;
    int64_t row = shmf_task_index(task) % survey->n_rows;
    return shmf_task_return_double(task, survey_row_mean(survey, row));
}

/* The same without the library: `input` is the matrix, or the copy that a pipe brought. */
static int compute(const struct workload *work, const void *input, int64_t task, void *result)
{
    const struct survey *survey = work->context;
    int64_t row = task % survey->n_rows;
    *(double *)result = mean((const double *)input + row * survey->n_columns, survey->n_columns);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {
        .rows = 10000, .columns = 10000, .tasks = 10000, .pipe = 4, .window = 64};
    const struct options quick = {.rows = 500, .columns = 1000, .tasks = 500, .pipe = 20};
    options_parse(&options, &quick, "Means of the rows of a matrix that an object holds", NULL,
                  argc, argv);
    struct survey *survey = survey_new(&options);
    struct workload work = {.name = "row_means",
                            .options = &options,
                            .context = survey,
                            .compute = compute,
                            .input = shmf_array_data(survey->values),
                            .input_bytes =
                                (size_t)(options.rows * options.columns) * sizeof(double),
                            .result_bytes = sizeof(double),
                            .task = row_mean_task,
                            .tasks = {.count = options.tasks, .context = survey}};
    int status = workload_run(&work);
    survey_free(survey);
    return status;
}

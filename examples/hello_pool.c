/* The third step: worker processes that map a function over tasks.
 *
 *     cc hello_pool.c -o hello_pool $(pkg-config --cflags --libs shmframe)
 * prints
 *
 *     task 0: 1 2 3 4
 *     task 1: 10 20 30 40
 *     task 2 failed: SHMF_E_RANGE: 0 is no factor
 *     task 3: 1000 2000 3000 4000 */
#include <shmframe/shmframe.h>

#include <stdio.h>

/* Runs in a worker: the array times the task's factor, built where the application can see it. */
static int multiply(struct shmf_task *task, void *context)
{
    const struct shmf_array *in = shmf_task_array(task, 0); /* shared, not copied */
    const int factor = *(const int *)shmf_task_arg(task);
    (void)context;
    if (factor == 0)
        return shmf_task_fail(task, SHMF_E_RANGE, "%d is no factor", factor);
    struct shmf_array *out = shmf_task_new_array(task, SHMF_FLOAT64, 1, (int64_t[]){4});
    const double *from = shmf_array_data(in);
    double *to = shmf_array_data_mut(out);
    for (int i = 0; from && to && i < 4; i++)
        to[i] = factor * from[i];
    return shmf_task_return_array(task, out);
}

int main(void)
{
    const int factors[] = {1, 10, 0, 1000};
    const double four[] = {1, 2, 3, 4};
    struct shmf_error err;
    struct shmf_result *result;
    const int64_t shape[] = {4};
    struct shmf_array *in = shmf_array_from_data(SHMF_FLOAT64, 1, shape, NULL, four, &err);
    struct shmf_handle handle = shmf_array_handle(in);
    struct shmf_tasks tasks = {
        .count = 4, .args = factors, .arg_size = sizeof(int), .handles = &handle, .n_handles = 1};
    struct shmf_pool *pool = in ? shmf_pool_new(NULL, &err) : NULL; /* a worker per CPU */
    struct shmf_iter *iter = pool ? shmf_pool_imap(pool, multiply, &tasks, NULL, &err) : NULL;
    int rc = iter ? 0 : -1;
    while (iter && (rc = shmf_iter_next(iter, &result, &err)) > 0) {
        const struct shmf_failure *failure = shmf_result_failure(result);
        const double *out = shmf_array_data(shmf_result_array(result));
        printf("task %d", (int)shmf_result_index(result));
        if (failure)
            printf(" failed: %s: %s\n", shmf_status_name(failure->code), failure->message);
        else
            printf(": %g %g %g %g\n", out[0], out[1], out[2], out[3]);
        shmf_result_free(result); /* the pages go back to work */
    }
    if (rc < 0)
        fprintf(stderr, "%s\n", err.message);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    shmf_array_free(in);
    return rc < 0;
}

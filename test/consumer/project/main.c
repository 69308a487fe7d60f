/* The squares of 0 to 9, each computed by a worker. */
#include <shmframe/shmframe.h>

#include <stdio.h>

static int square(struct shmf_task *task, void *context)
{
    double number = (double)shmf_task_index(task);
    (void)context;
    return shmf_task_return_double(task, number * number);
}

int main(void)
{
    struct shmf_error err = {0};
    struct shmf_pool_options options = {.workers = 2};
    struct shmf_tasks tasks = {.count = 10};
    struct shmf_pool *pool = shmf_pool_new(&options, &err);
    struct shmf_iter *iter = pool ? shmf_pool_imap(pool, square, &tasks, NULL, &err) : NULL;
    struct shmf_result *result;
    double sum = 0;
    int rc = iter ? 1 : err.code;

    while (rc > 0 && (rc = shmf_iter_next(iter, &result, &err)) > 0) {
        sum += shmf_result_double(result);
        shmf_result_free(result);
    }
    if (rc < 0)
        fprintf(stderr, "%s: %s\n", shmf_status_name(rc), err.message);
    else
        printf("sum of squares: %g\n", sum);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    return rc < 0;
}

/* The squares of 0 to 9, by tasks in the pools of all nodes: there may be one rank only. */
#include <shmframe/mpi.h>

#include <stdio.h>

static int square(struct shmf_task *task, void *context)
{
    double number = (double)shmf_task_index(task);
    (void)context;
    return shmf_task_return_double(task, number * number);
}

int main(int argc, char **argv)
{
    struct shmf_error err = {0};
    struct shmf_pool_options options = {.workers = 2, .start = SHMF_START_EARLY};
    struct shmf_tasks tasks = {.count = 10};
    struct shmf_mpi_result *result;
    double sum = 0;
    int rc = shmf_mpi_init(&argc, &argv, MPI_THREAD_FUNNELED, NULL, NULL, &err);
    struct shmf_mpi *mpi = rc ? NULL : shmf_mpi_new(MPI_COMM_WORLD, NULL, &err);
    struct shmf_pool *pool = mpi ? shmf_pool_new(&options, &err) : NULL;
    struct shmf_mpi_iter *iter =
        pool ? shmf_mpi_imap(mpi, 0, pool, square, &tasks, NULL, &err) : NULL;
    while (iter && shmf_mpi_iter_next(iter, &result, &err) == 1) {
        if (!result->failure)
            sum += *(const double *)result->bytes;
        shmf_mpi_result_free(result);
    }
    shmf_mpi_iter_free(iter);
    shmf_pool_free(pool);
    shmf_mpi_free(mpi);
    if (err.code)
        fprintf(stderr, "%s\n", err.message);
    else
        printf("sum of squares: %g\n", sum);
    if (!rc)
        MPI_Finalize();
    return err.code != 0;
}

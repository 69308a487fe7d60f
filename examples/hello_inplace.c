/* One array, filled by all workers where it is: nothing is returned, nothing is copied.
 *
 *     cc hello_inplace.c -o hello_inplace $(pkg-config --cflags --libs shmframe)
 * prints
 *
 *     1000 rows by 4 workers: as computed alone
 *     row 500: SHMF_E_WORKER_DIED; undefined now: rows 500 to 510 */
#include <shmframe/shmframe.h>

#include <signal.h>
#include <stdio.h>

enum { ROWS = 1000, COLUMNS = 64 };

static double value(int64_t row, int64_t column)
{
    return (double)(row * COLUMNS + column) / 3;
}

/* Runs in a worker, which may write the rows of its part and no others. */
static int fill(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    double *out = shmf_array_data_mut(shmf_task_array(task, 0)); /* its first row is `begin` */
    (void)context;
    if (!out)
        return SHMF_E_TASK;
    for (int64_t r = begin; r < end; r++)
        for (int64_t c = 0; c < COLUMNS; c++)
            out[(r - begin) * COLUMNS + c] = value(r, c);
    return 0;
}

static int crash_at_500(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    if (begin <= 500 && 500 < end)
        raise(SIGKILL);
    return fill(task, begin, end, context);
}

/* Called for each part that failed: its rows are neither old nor new. */
static void failed(int64_t begin, int64_t end, const struct shmf_failure *failure, void *user)
{
    (void)user;
    printf("row 500: %s; undefined now: rows %d to %d\n", shmf_status_name(failure->code),
           (int)begin, (int)end);
}

int main(void)
{
    const int64_t shape[] = {ROWS, COLUMNS};
    struct shmf_error err = {0};
    struct shmf_pool *pool = shmf_pool_new(&(struct shmf_pool_options){.workers = 4}, &err);
    struct shmf_array *out = shmf_array_new_grantable(SHMF_FLOAT64, 2, shape, &err);
    struct shmf_handle all = shmf_array_grant(out, 0, ROWS, &err);
    struct shmf_for_options options = {
        .grain = 10, .handles = &all, .n_handles = 1, .failed_fn = failed};
    int wrong = 1;
    if (pool && out && shmf_pool_for(pool, 0, ROWS, fill, NULL, &options, &err) == SHMF_OK) {
        const double *data = shmf_array_data(out);
        wrong = 0;
        for (int64_t i = 0; i < (int64_t)ROWS * COLUMNS; i++)
            wrong += data[i] != value(i / COLUMNS, i % COLUMNS);
        printf("%d rows by 4 workers: %s\n", ROWS, wrong ? "wrong" : "as computed alone");
        shmf_pool_for(pool, 0, ROWS, crash_at_500, NULL, &options, &err);
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    shmf_array_free(out);
    shmf_pool_free(pool);
    return wrong != 0;
}

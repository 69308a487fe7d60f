/* An array as an HDF5 dataset, which each task reads for itself: libhdf5 knows no threads, but
 * processes do not disturb each other.
 *
 *     cc hello_hdf5.c $(pkg-config --cflags --libs shmframe-hdf5) && ./a.out
 *
 * prints
 *
 *     experiment/counts: 4 x 3, int64
 *     sum of row 0: 6
 *     sum of row 1: 15
 *     sum of row 2: 24
 *     sum of row 3: 33
 */
#include <shmframe/hdf5.h>
#include <shmframe/shmframe.h>

#include <stdio.h>
#include <unistd.h>

static const char path[] = "hello_hdf5.h5", dataset[] = "experiment/counts";

/* In a worker: reads the file straight into shared memory of its own, and sums up a row. */
static int sum_row(struct shmf_task *task, void *context)
{
    struct shmf_error err = {0};
    struct shmf_array *array = shmf_hdf5_array(path, dataset, &err);
    double sum = 0;
    (void)context;
    if (!array)
        return shmf_task_fail(task, err.code, "%s", err.message);
    const int64_t *row = (const int64_t *)shmf_array_data(array) + 3 * shmf_task_index(task);
    for (int c = 0; c < 3; c++)
        sum += (double)row[c];
    shmf_array_free(array);
    return shmf_task_return_double(task, sum);
}

static int print_contents(struct shmf_error *err)
{
    struct shmf_frame *contents = shmf_hdf5_contents(path, err);
    if (!contents)
        return err->code;
    const struct shmf_text name = shmf_frame_row_text(contents, 0);
    const struct shmf_text dtype = shmf_frame_text(contents, 0, 0);
    const struct shmf_text shape = shmf_frame_text(contents, 0, 1);
    printf("%.*s: %.*s, %.*s\n", (int)name.size, name.data, (int)shape.size, shape.data,
           (int)dtype.size, dtype.data);
    shmf_frame_free(contents);
    return SHMF_OK;
}

int main(void)
{
    static const int64_t counts[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    struct shmf_error err = {0};
    double sums[4];
    const struct shmf_tasks tasks = {.count = 4};
    struct shmf_array *array =
        shmf_array_from_data(SHMF_INT64, 2, (int64_t[]){4, 3}, NULL, counts, &err);
    struct shmf_pool *pool = NULL;
    int rc = array ? shmf_hdf5_write_array(array, path, dataset, NULL, &err) : err.code;
    if (!rc)
        rc = print_contents(&err);
    if (!rc && !(pool = shmf_pool_new(&(struct shmf_pool_options){.workers = 2}, &err)))
        rc = err.code;
    if (!rc)
        rc = shmf_pool_map(pool, sum_row, &tasks, NULL, sums, sizeof sums[0], NULL, &err);
    for (int i = 0; !rc && i < 4; i++)
        printf("sum of row %d: %g\n", i, sums[i]);
    if (rc)
        fprintf(stderr, "%s\n", err.message);
    shmf_pool_free(pool);
    shmf_array_free(array);
    unlink(path);
    return rc != 0;
}

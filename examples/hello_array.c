/* The first step: an array in shared memory, filled, and read through a handle.
 *
 *     cc hello_array.c -o hello_array $(pkg-config --cflags --libs shmframe)
 *
 * prints
 *
 *     3 x 4 float64, element (1, 2) is 12
 *     the same through its handle: 12
 *     the sum of all: 138 */
#include <shmframe/shmframe.h>

#include <stdio.h>

int main(void)
{
    struct shmf_error err;
    int64_t shape[] = {3, 4};
    struct shmf_array *array = shmf_array_new(SHMF_FLOAT64, 2, shape, &err);
    if (!array) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    double *numbers = shmf_array_data_mut(array); /* not cleared: write every element */
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 4; column++)
            numbers[row * 4 + column] = 10 * row + column;
    printf("%d x %d %s, element (1, 2) is %g\n", (int)shmf_array_shape(array)[0],
           (int)shmf_array_shape(array)[1], shmf_dtype_name(shmf_array_dtype(array)),
           numbers[1 * 4 + 2]);

    /* A handle is a few bytes that name the array; this is what travels to workers. */
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_array *same = shmf_array_open(handle, &err);
    const double *seen = shmf_array_data(same);
    double sum = 0;
    if (!same) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (int64_t i = 0; i < shmf_array_size(same); i++)
        sum += seen[i];
    printf("the same through its handle: %g\nthe sum of all: %g\n", seen[1 * 4 + 2], sum);
    shmf_array_free(same);
    shmf_array_free(array);
    return 0;
}

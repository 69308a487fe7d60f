/* The squares of 0 to 9, written to a file by a component of the library, and read again. */
#include <shmframe/shmframe.h>

#ifdef USE_NETCDF
#include <shmframe/netcdf.h>
#else
#include <shmframe/hdf5.h>
#endif
#include <stdio.h>

#ifdef USE_NETCDF
static int save(const struct shmf_array *array, const char *path, struct shmf_error *err)
{
    return shmf_netcdf_write_array(array, path, "squares", NULL, err);
}

static struct shmf_array *load(const char *path, struct shmf_error *err)
{
    return shmf_netcdf_array(path, "squares", NULL, err);
}
#else
static int save(const struct shmf_array *array, const char *path, struct shmf_error *err)
{
    return shmf_hdf5_write_array(array, path, "squares", NULL, err);
}

static struct shmf_array *load(const char *path, struct shmf_error *err)
{
    return shmf_hdf5_array(path, "squares", err);
}
#endif

int main(int argc, char **argv)
{
    double squares[10], sum = 0;
    struct shmf_error err = {0};
    for (int i = 0; i < 10; i++)
        squares[i] = i * i;
    struct shmf_array *array =
        shmf_array_from_data(SHMF_FLOAT64, 1, (int64_t[]){10}, NULL, squares, &err);
    struct shmf_array *again = NULL;
    if (argc > 1 && array && save(array, argv[1], &err) == SHMF_OK)
        again = load(argv[1], &err);
    for (int i = 0; again && i < 10; i++)
        sum += ((const double *)shmf_array_data(again))[i];
    if (err.code)
        fprintf(stderr, "%s\n", err.message);
    else
        printf("sum of squares: %g\n", sum);
    shmf_array_free(array);
    shmf_array_free(again);
    return err.code != 0;
}

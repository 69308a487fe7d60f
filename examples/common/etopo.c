#include "etopo.h"

#include "workload.h"

#include <math.h>
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>

struct relief {
    size_t n_latitudes, n_longitudes;
    double *latitudes, *longitudes;
    double *metres; /* row after row */
};

/* One variable whole, with its size in `dimensions`; NULL after a message. */
static double *read_variable(int file, const char *name, int n_dimensions, size_t *dimensions)
{
    int variable, ids[NC_MAX_VAR_DIMS], n = 0;
    size_t size = 1;
    double *values = NULL;
    int rc = nc_inq_varid(file, name, &variable);
    if (rc == NC_NOERR)
        rc = nc_inq_var(file, variable, NULL, NULL, &n, ids, NULL);
    if (rc == NC_NOERR && n != n_dimensions)
        rc = NC_EDIMSIZE;
    for (int i = 0; rc == NC_NOERR && i < n; i++) {
        rc = nc_inq_dimlen(file, ids[i], &dimensions[i]);
        size *= dimensions[i];
    }
    if (rc == NC_NOERR) {
        values = need_memory(size * sizeof *values);
        rc = nc_get_var_double(file, variable, values);
    }
    if (rc == NC_NOERR)
        return values;
    fprintf(stderr, "%s: %s\n", name, nc_strerror(rc));
    free(values);
    return NULL;
}

static int read_relief(const char *path, struct relief *relief)
{
    int file, rc = nc_open(path, NC_NOWRITE, &file);
    size_t shape[2] = {0, 0};
    if (rc != NC_NOERR) {
        fprintf(stderr, "%s: %s (Debian: apt-get install ferret-datasets)\n", path,
                nc_strerror(rc));
        return -1;
    }
    relief->latitudes = read_variable(file, "ETOPO05_Y", 1, &relief->n_latitudes);
    relief->longitudes = read_variable(file, "ETOPO05_X", 1, &relief->n_longitudes);
    relief->metres = read_variable(file, "ROSE", 2, shape);
    nc_close(file);
    if (!relief->latitudes || !relief->longitudes || !relief->metres)
        return -1;
    if (shape[0] == relief->n_latitudes && shape[1] == relief->n_longitudes)
        return 0;
    fprintf(stderr, "%s: ROSE is not a matrix of latitudes and longitudes\n", path);
    return -1;
}

/* "27.92N": the file's coordinates, put back on the grid of five minutes that they stand for. */
static const char *const *label_degrees(const double *degrees, int64_t n, int64_t step,
                                        const char *letters)
{
    enum { EACH = 16 };
    char **labels = need_memory((size_t)n * (sizeof *labels + EACH));
    for (int64_t i = 0; i < n; i++) {
        double value = round(degrees[i * step] * 12) / 12;
        if (value > 180)
            value -= 360;
        labels[i] = (char *)(labels + n) + i * EACH;
        snprintf(labels[i], EACH, "%.2f%c", fabs(value), letters[value < 0]);
    }
    return (const char *const *)labels;
}

struct shmf_frame *etopo_read(const char *path, int64_t max_rows)
{
    struct relief relief = {0};
    struct shmf_frame *frame = NULL;
    struct shmf_error err;
    if (read_relief(path, &relief) == 0) {
        int64_t n_latitudes = (int64_t)relief.n_latitudes;
        int64_t n_longitudes = (int64_t)relief.n_longitudes;
        int64_t step = (n_latitudes + max_rows - 1) / max_rows;
        struct shmf_frame_spec spec = {.n_rows = (n_latitudes + step - 1) / step,
                                       .n_columns = (n_longitudes + step - 1) / step,
                                       .dtype = SHMF_FLOAT64};
        spec.row_labels = label_degrees(relief.latitudes, spec.n_rows, step, "NS");
        spec.column_labels = label_degrees(relief.longitudes, spec.n_columns, step, "EW");
        frame = shmf_frame_from_matrix(&spec, relief.metres,
                                       step * n_longitudes * (int64_t)sizeof(double),
                                       step * (int64_t)sizeof(double), &err);
        if (!frame)
            print_error("the relief's frame", &err);
        free_labels(spec.row_labels);
        free_labels(spec.column_labels);
    }
    free(relief.latitudes);
    free(relief.longitudes);
    free(relief.metres);
    return frame;
}

void find_extremes(const double *field, int64_t n_rows, int64_t n_columns, struct extreme *highest,
                   struct extreme *lowest)
{
    int64_t high = 0, low = 0;
    for (int64_t i = 0; i < n_rows * n_columns; i++) {
        high = field[i] > field[high] ? i : high;
        low = field[i] < field[low] ? i : low;
    }
    *highest = (struct extreme){field[high], high % n_rows, high / n_rows};
    *lowest = (struct extreme){field[low], low % n_rows, low / n_rows};
}

void print_extreme(const struct shmf_frame *frame, const struct extreme *extreme)
{
    struct shmf_text north = shmf_frame_row_text(frame, extreme->row);
    struct shmf_text east = shmf_frame_column_label(frame, extreme->column);
    printf("  %8.0f m at %6.*s %7.*s", extreme->metres, (int)north.size, north.data, (int)east.size,
           east.data);
}

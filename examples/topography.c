/* The world's relief, ETOPO5, in a frame with latitudes as row labels and longitudes as column
 * labels, smoothed by a family of 20 x 20 Gaussian kernels in parallel. For each kernel the
 * highest and the lowest smoothed point are printed; one smoothed field is written as an image.
 *
 *     topography --file=etopo5.cdf --image=relief.png
 *     topography --quick --workers=2
 * prints
 *
 *     ...
 *     results: 12 compared bit for bit, all ways agree
 *     Gaussian of     highest smoothed point         lowest smoothed point
 *      0.25 cells      6246 m at 28.67N  85.33E     -9895 m at 11.33N 142.67E
 *     ...
 *      3.00 cells      5118 m at 32.67N  87.33E     -5886 m at 32.00N 165.33E
 *     one of the fields as an image: ... */
#include "common/convolve.h"
#include "common/etopo.h"
#include "common/image.h"
#include "common/workload.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { KERNEL = 20, PICTURE = 11 }; /* the task whose field becomes the image, if there is one */

struct topography {
    struct shmf_frame *frame;
    struct grid grid;
    struct extreme *highest, *lowest; /* of each task */
    struct shmf_array *picture;       /* the field that becomes the image */
};

/* A Gaussian around the kernel's centre, normalised to 1; its width grows from task to task. */
static double make_kernel(int64_t task, double *weights)
{
    double sigma = 0.25 * (double)(task + 1), sum = 0;
    for (int i = 0; i < KERNEL * KERNEL; i++) {
        int y = i / KERNEL - KERNEL / 2, x = i % KERNEL - KERNEL / 2;
        sum += weights[i] = exp(-(x * x + y * y) / (2 * sigma * sigma));
    }
    for (int i = 0; i < KERNEL * KERNEL; i++)
        weights[i] /= sum;
    return sigma;
}

static int smooth(const struct grid *grid, int64_t task, double *out)
{
    double weights[KERNEL * KERNEL];
    make_kernel(task, weights);
    return convolve(grid, &(struct kernel){weights, KERNEL, KERNEL}, 0, grid->n_columns, out,
                    grid->n_rows);
}

/* A task: the smoothed field, column after column as in the frame. */
static int smooth_task(struct shmf_task *task, void *context)
{
    const struct topography *world = context;
    int64_t shape[2] = {world->grid.n_columns, world->grid.n_rows};
    struct shmf_array *field = shmf_task_new_array(task, SHMF_FLOAT64, 2, shape);
    if (!field)
        return -1;
    if (smooth(&world->grid, shmf_task_index(task), shmf_array_data_mut(field)))
        return shmf_task_fail(task, SHMF_E_NOMEM, "no memory for the scratch area");
    return shmf_task_return_array(task, field);
}

/* The same without the library: `input` is the relief, or the copy that a pipe brought. */
static int compute(const struct workload *work, const void *input, int64_t task, void *result)
{
    struct grid grid = ((const struct topography *)work->context)->grid;
    grid.data = input;
    return smooth(&grid, task, result);
}

/* The consumer: finds the extremes where the field lies, and keeps one field for the image. */
static void consume(const struct workload *work, struct shmf_result *result,
                    const struct view *view)
{
    struct topography *world = work->context;
    int64_t task = shmf_result_index(result), n_rows = world->grid.n_rows;
    find_extremes(view->data, n_rows, world->grid.n_columns, &world->highest[task],
                  &world->lowest[task]);
    if (task == PICTURE || (task < PICTURE && task == work->options->tasks - 1))
        world->picture = shmf_result_take_array(result);
}

static void print_extremes(const struct topography *world, int64_t n_tasks)
{
    double weights[KERNEL * KERNEL];
    printf("\nGaussian of     highest smoothed point         lowest smoothed point\n");
    for (int64_t task = 0; task < n_tasks; task++) {
        printf("%5.2f cells", make_kernel(task, weights));
        print_extreme(world->frame, &world->highest[task]);
        print_extreme(world->frame, &world->lowest[task]);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    struct options options = {.rows = 2161, .tasks = 24, .sequential = 4, .pipe = 4};
    const struct options quick = {.rows = 271, .tasks = 12, .sequential = 12, .pipe = 6};
    const char *file = ETOPO_FILE, *image = "topography" IMAGE_SUFFIX;
    const struct text_option texts[] = {{"file", "FILE", "ETOPO5 as netCDF", &file},
                                        {"image", "FILE", "where the image goes", &image},
                                        {0}};
    options_parse(&options, &quick, "The world's relief smoothed", texts, argc, argv);
    struct topography world = {.frame = etopo_read(file, options.rows)};
    struct shmf_matrix matrix;
    if (!world.frame || shmf_frame_matrix(world.frame, &matrix))
        return EXIT_FAILURE;
    shmf_frame_print(world.frame, stdout, NULL);
    world.grid = (struct grid){.data = matrix.data,
                               .n_rows = matrix.n_rows,
                               .n_columns = matrix.n_columns,
                               .leading_dimension = matrix.leading_dimension,
                               .left_right = EDGE_WRAP}; /* the world is round */
    world.highest = need_memory((size_t)options.tasks * sizeof *world.highest);
    world.lowest = need_memory((size_t)options.tasks * sizeof *world.lowest);

    struct workload work = {
        .name = "topography",
        .options = &options,
        .context = &world,
        .compute = compute,
        .input = matrix.data,
        .input_bytes = (size_t)(matrix.leading_dimension * matrix.n_columns) * sizeof(double),
        .result_bytes = (size_t)(matrix.n_rows * matrix.n_columns) * sizeof(double),
        .consume = consume,
        .task = smooth_task,
        .tasks = {.count = options.tasks, .context = &world}};
    int status = workload_run(&work);
    if (world.picture) {
        print_extremes(&world, options.tasks);
        status |= image_write_relief(image, shmf_array_data(world.picture), matrix.n_rows,
                                     matrix.n_columns);
    }
    shmf_frame_free(world.frame);
    free(world.highest);
    free(world.lowest);
    shmf_array_free(world.picture);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}

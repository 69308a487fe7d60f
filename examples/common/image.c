#include "image.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(HAVE_PNG)
#include <png.h>
#endif

/* `light` brightens or darkens: 1 leaves the colour as it is. */
static void elevation_colour(double metres, double light, uint8_t rgb[3])
{
    static const struct {
        double metres;
        double rgb[3];
    } stops[] = {{-11000, {8, 12, 48}},   {-6000, {14, 40, 104}},  {-4000, {26, 72, 150}},
                 {-2000, {52, 116, 188}}, {-200, {124, 184, 224}}, {0, {178, 218, 236}},
                 {0, {74, 130, 70}},      {200, {112, 160, 84}},   {700, {196, 196, 122}},
                 {1500, {190, 154, 98}},  {2500, {150, 108, 74}},  {4000, {190, 178, 170}},
                 {5500, {250, 250, 250}}, {9000, {255, 255, 255}}};
    const int n = (int)(sizeof stops / sizeof *stops);
    int i = 1;
    while (i < n - 1 && metres >= stops[i].metres)
        i++;
    double span = stops[i].metres - stops[i - 1].metres;
    double part = span > 0 ? (metres - stops[i - 1].metres) / span : 1;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    for (int k = 0; k < 3; k++) {
        double level = stops[i - 1].rgb[k] + part * (stops[i].rgb[k] - stops[i - 1].rgb[k]);
        level *= light;
        rgb[k] = (uint8_t)(level > 255 ? 255 : level);
    }
}

static void draw_relief(const double *field, int64_t n_rows, int64_t n_columns, uint8_t *rgb)
{
    for (int64_t y = 0; y < n_rows; y++)
        for (int64_t x = 0; x < n_columns; x++, rgb += 3) {
            int64_t row = n_rows - 1 - y, column = (x + n_columns / 2) % n_columns;
            int64_t south = row ? row - 1 : 0, east = (column + 1) % n_columns;
            double here = field[column * n_rows + row];
            double slope = field[east * n_rows + south] - here;
            elevation_colour(here, 1 - 0.25 * tanh(slope / 250), rgb);
        }
}

/* rgb: height x width pixels of three bytes, from the top left. */
#if defined(HAVE_PNG)
static int write_pixels(const char *path, int width, int height, const uint8_t *rgb)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = PNG_FORMAT_RGB};
    if (png_image_write_to_file(&image, path, 0, rgb, 0, NULL))
        return 0;
    fprintf(stderr, "%s: %s\n", path, image.message);
    return -1;
}
#else
static int write_pixels(const char *path, int width, int height, const uint8_t *rgb)
{
    FILE *file = fopen(path, "wb");
    size_t size = (size_t)width * (size_t)height * 3;
    int rc = file && fprintf(file, "P6\n%d %d\n255\n", width, height) > 0 &&
                     fwrite(rgb, 1, size, file) == size
                 ? 0
                 : -1;
    if (file && fclose(file))
        rc = -1;
    if (rc)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return rc;
}
#endif

int image_write_relief(const char *path, const double *field, int64_t n_rows, int64_t n_columns)
{
    uint8_t *rgb = malloc((size_t)(3 * n_rows * n_columns));
    int rc = -1;
    if (rgb) {
        draw_relief(field, n_rows, n_columns, rgb);
        rc = write_pixels(path, (int)n_columns, (int)n_rows, rgb);
    }
    if (rc == 0)
        printf("one of the fields as an image: %s\n", path);
    free(rgb);
    return rc;
}

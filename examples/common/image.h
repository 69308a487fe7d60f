/* A map as an image: PNG where libpng was found when this was built, else PPM. */
#ifndef EXAMPLES_IMAGE_H
#define EXAMPLES_IMAGE_H

#include <stdint.h>

#if defined(HAVE_PNG)
#define IMAGE_SUFFIX ".png"
#else
#define IMAGE_SUFFIX ".ppm"
#endif

/* The relief of the whole world, elevations in metres at field[column * n_rows + row], rows from
 * south to north, columns eastwards from Greenwich; drawn north up, Greenwich in the middle, lit
 * from the north-west, with blue seas, green plains, brown and white mountains.
 * Says where it is, or why it is not; 0 or -1. */
int image_write_relief(const char *path, const double *field, int64_t n_rows, int64_t n_columns);

#endif

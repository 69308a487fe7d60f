/* The world's relief: ETOPO5, elevations in metres every five minutes of arc, from a netCDF file
 * (Debian package ferret-datasets), as a frame. */
#ifndef EXAMPLES_ETOPO_H
#define EXAMPLES_ETOPO_H

#include <shmframe/frame.h>

#define ETOPO_FILE "/usr/share/ferret-vis/data/etopo5.cdf"

/* Rows are latitudes from south to north, labelled "90.00S" ... "90.00N"; columns are longitudes,
 * "0.00E" ... "0.08W". With at most `max_rows` rows: every n-th point of the file.
 * NULL after a message. The caller frees it. */
struct shmf_frame *etopo_read(const char *path, int64_t max_rows);

/* A point of the relief, by its place in the frame. */
struct extreme {
    double metres;
    int64_t row, column;
};

/* Of a field of the frame's shape, column after column: the first of the highest and the lowest. */
void find_extremes(const double *field, int64_t n_rows, int64_t n_columns, struct extreme *highest,
                   struct extreme *lowest);

/* Its height and its labels, on stdout. */
void print_extreme(const struct shmf_frame *frame, const struct extreme *extreme);

#endif

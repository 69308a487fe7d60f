/* The second step: a frame with labelled rows and columns of several types.
 *
 *     cc hello_frame.c -o hello_frame $(pkg-config --cflags --libs shmframe)
 *
 * prints
 *
 *             people  metres  port
 *            float64   int32  bool
 *     Oslo       0.7      23  true
 *     Lima      10.1     154  true
 *     Osaka      2.8      24  true
 *
 *     [3 rows x 3 columns]
 *     Lima is row 1: 10.1 million people, 154 m */
#include <shmframe/shmframe.h>

#include <stdio.h>

int main(void)
{
    const char *const cities[] = {"Oslo", "Lima", "Osaka"};
    const struct shmf_column_spec columns[] = {{.label = "people", .dtype = SHMF_FLOAT64},
                                               {.label = "metres", .dtype = SHMF_INT32},
                                               {.label = "port", .dtype = SHMF_BOOL}};
    const struct shmf_frame_spec spec = {
        .n_rows = 3, .n_columns = 3, .columns = columns, .row_labels = cities};

    /* Columns as the application has them; booleans are bits, the first row the lowest. */
    const double people[] = {0.7, 10.1, 2.8};
    const int32_t metres[] = {23, 154, 24};
    const uint8_t port[] = {1 << 0 | 1 << 1 | 1 << 2};
    const void *const data[] = {people, metres, port};

    struct shmf_error err;
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, data, NULL, &err);
    if (!frame) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    shmf_frame_print(frame, stdout, NULL);

    int64_t row = shmf_frame_loc(frame, "Lima"); /* a hash lookup in the segment: O(1) */
    double values[3];
    shmf_frame_row(frame, row, values);
    printf("Lima is row %d: %g million people, %g m\n", (int)row, values[0], values[1]);
    shmf_frame_free(frame);
    return 0;
}

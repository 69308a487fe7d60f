/* A table as a netCDF file, and back: columns are variables along one dimension, nulls are what the
 * attribute _FillValue says, attributes are metadata.
 *
 *     cc hello_netcdf.c $(pkg-config --cflags --libs shmframe-netcdf) && ./a.out
 *
 * prints
 *
 *                   dtype  shape  dimensions                        attributes
 *     temperature  double      3        year  units = kelvin; _FillValue = nan
 *     year          int64      3        year
 *
 *     [2 rows x 4 columns]
 *           temperature
 *               float64
 *     1999       287.50
 *     2000         null
 *     2001       288.25
 *
 *     [3 rows x 1 columns]
 *     units: kelvin
 */
#include <shmframe/netcdf.h>
#include <shmframe/shmframe.h>

#include <stdio.h>
#include <unistd.h>

static const char path[] = "hello_netcdf.nc";

static struct shmf_frame *measure(struct shmf_error *err)
{
    static const double values[] = {287.5, 0, 288.25};
    static const uint8_t measured[] = {1 << 0 | 1 << 2}; /* a bit for each year */
    const struct shmf_column_spec column = {"temperature", SHMF_FLOAT64, 1};
    const struct shmf_pair units = {{"units", 5}, {"kelvin", 6}};
    const struct shmf_column_details details = {.metadata = &units, .n_metadata = 1};
    const struct shmf_frame_spec spec = {.n_rows = 3,
                                         .n_columns = 1,
                                         .columns = &column,
                                         .details = &details,
                                         .row_numbers = (const int64_t[]){1999, 2000, 2001}};
    const void *data[] = {values};
    const uint8_t *validity[] = {measured};
    return shmf_frame_from_columns(&spec, data, validity, err);
}

int main(void)
{
    struct shmf_error err = {0};
    const char *rows = "year";
    const struct shmf_netcdf_write_options options = {.dimensions = &rows};
    struct shmf_frame *made = measure(&err), *contents = NULL, *read = NULL;
    if (made && shmf_netcdf_write_frame(made, path, &options, &err) == SHMF_OK) {
        contents = shmf_netcdf_contents(path, &err);
        read = shmf_netcdf_frame(path, NULL, 0, NULL, &err);
    }
    if (contents && read) {
        shmf_frame_print(contents, stdout, &(struct shmf_print_options){.no_dtypes = 1});
        shmf_frame_print(read, stdout, NULL);
        printf("units: %s\n", shmf_frame_metadata(read, 0, "units").data ? "kelvin" : "unknown");
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    shmf_frame_free(made);
    shmf_frame_free(contents);
    shmf_frame_free(read);
    unlink(path);
    return err.code != 0;
}

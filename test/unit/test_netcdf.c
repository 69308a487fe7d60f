/* netCDF files: what is written is read back bit for bit, in every kind of file; what is missing,
 * packed, labelled; real data; and files that are wrong. */
#include "support/folder.h"
#include "support/test.h"

#include <math.h>
#include <netcdf.h>
#include <shmframe/derive.h>
#include <shmframe/netcdf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA "/usr/share/ferret-vis/data/"

static int make_folder(void **state)
{
    (void)state;
    return folder_make("a.nc");
}

/* ---- arrays ------------------------------------------------------------------------------- */

static void assert_array_returns(enum shmf_dtype dtype, uint32_t format)
{
    unsigned char bytes[2 * 3 * 5 * 8];
    struct shmf_error err = {0};
    const size_t width = shmf_dtype_size(dtype);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = dtype == SHMF_BOOL ? i % 2 : (unsigned char)(i * 37 + 11);
    /* The last two dimensions are turned, so that it is not contiguous. */
    const int64_t strides[] = {15 * (int64_t)width, (int64_t)width, 3 * (int64_t)width};
    struct shmf_array *array =
        shmf_array_from_data(dtype, 3, (int64_t[]){2, 3, 5}, strides, bytes, &err);
    const struct shmf_netcdf_write_options options = {.format = format};
    assert_int_equal(shmf_netcdf_write_array(array, path, "values", &options, &err), SHMF_OK);
    struct shmf_array *again = shmf_netcdf_array(path, "values", NULL, &err);
    assert_non_null(again);
    assert_int_equal(shmf_array_dtype(again), dtype == SHMF_BOOL ? SHMF_INT8 : dtype);
    assert_memory_equal(shmf_array_shape(again), shmf_array_shape(array), 3 * sizeof(int64_t));
    assert_memory_equal(shmf_array_data(again), shmf_array_data(array), 30 * width);
    shmf_array_free(again);
    shmf_array_free(array);
}

static void test_arrays_return_bit_for_bit_from_all_formats(void **state)
{
    (void)state;
    static const enum shmf_dtype all[] = {SHMF_BOOL,    SHMF_INT8,    SHMF_INT16, SHMF_INT32,
                                          SHMF_FLOAT32, SHMF_FLOAT64, SHMF_UINT8, SHMF_UINT16,
                                          SHMF_UINT32,  SHMF_UINT64,  SHMF_INT64};
    for (uint32_t format = SHMF_NETCDF4; format <= SHMF_NETCDF_CDF5; format++)
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
            if (i < 6 || format == SHMF_NETCDF4 || format == SHMF_NETCDF_CDF5)
                assert_array_returns(all[i], format);
}

static void test_dtypes_that_a_format_lacks_are_refused_and_no_file_is_made(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct stat status;
    unlink(path);
    struct shmf_array *array = shmf_array_new(SHMF_INT64, 1, (int64_t[]){3}, &err);
    assert_int_equal(shmf_array_zero(array), SHMF_OK);
    const struct shmf_netcdf_write_options classic = {.format = SHMF_NETCDF_CLASSIC};
    assert_int_equal(shmf_netcdf_write_array(array, path, "v", &classic, &err), SHMF_E_DTYPE);
    assert_non_null(strstr(err.message, "v: the format has no int64"));
    assert_int_equal(stat(path, &status), -1);
    const struct shmf_netcdf_write_options wrong = {.format = 9};
    assert_int_equal(shmf_netcdf_write_array(array, path, "v", &wrong, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_netcdf_write_array(array, "/nowhere/x.nc", "v", NULL, &err),
                     SHMF_E_NOTFOUND);
    assert_int_equal(shmf_netcdf_write_array(array, path, "a/b", NULL, &err), SHMF_E_INVAL);
    const struct shmf_pair nameless = {{"", 0}, {"m", 1}};
    const struct shmf_netcdf_write_options some = {.attributes = &nameless, .n_attributes = 1};
    assert_int_equal(shmf_netcdf_write_array(array, path, "v", &some, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, ": an attribute without a name: "));
    assert_int_equal(stat(path, &status), -1);
    shmf_array_free(array);
}

static void test_a_file_is_added_to_and_tells_its_contents(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    const double data[6] = {1, 2, 3, 4, 5, 6};
    struct shmf_array *array =
        shmf_array_from_data(SHMF_FLOAT64, 2, (int64_t[]){2, 3}, NULL, data, &err);
    const struct shmf_pair units = {{"units", 5}, {"kelvin", 6}};
    struct shmf_netcdf_write_options options = {
        .dimensions = (const char *[]){"y", "x"}, .attributes = &units, .n_attributes = 1};
    assert_int_equal(shmf_netcdf_write_array(array, path, "first", &options, &err), SHMF_OK);
    options.append = 1;
    assert_int_equal(shmf_netcdf_write_array(array, path, "second", &options, &err), SHMF_OK);
    assert_int_equal(shmf_netcdf_write_array(array, path, "second", &options, &err), SHMF_E_EXISTS);
    options.dimensions = (const char *[]){"x", "y"};
    assert_int_equal(shmf_netcdf_write_array(array, path, "third", &options, &err), SHMF_E_EXISTS);
    struct shmf_frame *contents = shmf_netcdf_contents(path, &err);
    assert_non_null(contents);
    assert_int_equal(shmf_frame_rows(contents), 2);
    int64_t row = shmf_frame_loc(contents, "second");
    static const char *const cells[] = {"double", "2 x 3", "y, x", "units = kelvin"};
    for (int64_t c = 0; c < 4; c++) {
        const struct shmf_text text = shmf_frame_text(contents, row, c);
        assert_int_equal(text.size, strlen(cells[c]));
        assert_memory_equal(text.data, cells[c], strlen(cells[c]));
    }
    shmf_frame_free(contents);
    shmf_array_free(array);
}

/* ---- frames ------------------------------------------------------------------------------- */

static struct shmf_frame *make_frame(bool nulls, bool strings)
{
    enum { ROWS = 5000 };
    static double numbers[ROWS];
    static float narrow[ROWS];
    static int64_t times[ROWS];
    static int8_t bytes[ROWS];
    static uint8_t bits[ROWS / 8 + 1], valid[ROWS / 8 + 1];
    static struct shmf_text texts[ROWS];
    static const char *const words[] = {"", "Wien", "北京", "a \"quoted\" one", "NA"};
    for (int i = 0; i < ROWS; i++) {
        numbers[i] = i % 3 ? i / 7.0 : (double)NAN;
        narrow[i] = (float)i / 3;
        times[i] = INT64_C(1700000000000000) + i;
        bytes[i] = (int8_t)(i % 250);
        bits[i / 8] = (uint8_t)(i * 5);
        valid[i / 8] = (uint8_t)(i * 11 + 1);
        texts[i].data = nulls && i % 9 == 0 ? NULL : words[i % 5];
        texts[i].size = texts[i].data ? (int64_t)strlen(texts[i].data) : 0;
    }
    const struct shmf_column_spec columns[] = {
        {"number", SHMF_FLOAT64, 0}, {"narrow", SHMF_FLOAT32, 0}, {"byte", SHMF_INT8, 0},
        {"is", SHMF_BOOL, 0},        {"day", SHMF_DATE32, 0},     {"word", SHMF_UTF8, 0},
        {"time", SHMF_TIMESTAMP, 0}};
    const struct shmf_pair units = {{"units", 5}, {"m", 1}}, title = {{"title", 5}, {"x y", 3}};
    const struct shmf_column_details details[7] = {
        {.metadata = &units, .n_metadata = 1},
        [6] = {.type = {.unit = SHMF_MICROSECONDS, .zone = {"UTC", 3}}}};
    const void *data[] = {numbers, narrow, bytes, bits, narrow, texts, times};
    const uint8_t *validity[] = {valid, valid, valid, valid, valid, NULL, valid};
    struct shmf_error err = {0};
    struct shmf_frame_spec spec = {.n_rows = ROWS,
                                   .n_columns = strings ? 7 : 5,
                                   .columns = columns,
                                   .details = details,
                                   .range_start = 10,
                                   .range_step = 2,
                                   .metadata = &title,
                                   .n_metadata = 1};
    static int64_t labels[ROWS];
    for (int64_t i = 0; i < ROWS; i++)
        labels[i] = 10 + 2 * i;
    spec.row_numbers = strings ? labels : NULL;
    spec.range_start = spec.range_step = 0;
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, data, nulls ? validity : NULL, &err);
    assert_string_equal(err.message, "");
    return frame;
}

static void assert_metadata(const struct shmf_frame *frame, int64_t column, const char *key,
                            const char *expected)
{
    const struct shmf_text text = shmf_frame_metadata(frame, column, key);
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, strlen(expected));
}

static void test_frames_return_with_dtypes_nulls_labels_and_metadata(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        const bool nulls = kind & 1, classic = kind & 2;
        struct shmf_error err = {0};
        struct shmf_frame *frame = make_frame(nulls, !classic);
        const struct shmf_netcdf_write_options options = {.format = classic ? SHMF_NETCDF_CLASSIC
                                                                            : SHMF_NETCDF4};
        shmf_netcdf_write_frame(frame, path, &options, &err);
        assert_string_equal(err.message, "");
        struct shmf_frame *again = shmf_netcdf_frame(path, NULL, 0, NULL, &err);
        assert_string_equal(err.message, "");
        assert_int_equal(shmf_frame_equal(frame, again), 1);
        assert_int_equal(shmf_frame_validate(again, SHMF_VALIDATE_FULL, &err), SHMF_OK);
        assert_metadata(again, 0, "units", "m");
        assert_metadata(again, -1, "title", "x y");
        shmf_frame_free(again);
        shmf_frame_free(frame);
    }
}

static void test_text_in_classic_files_is_characters(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    const struct shmf_text words[] = {{"one", 3}, {"", 0}, {"fünf", 5}};
    const struct shmf_column_spec column = {"word", SHMF_UTF8, 0};
    const struct shmf_frame_spec spec = {.n_rows = 3,
                                         .n_columns = 1,
                                         .columns = &column,
                                         .row_labels = (const char *[]){"a", "bc", "d"}};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, (const void *[]){words}, NULL, &err);
    const struct shmf_netcdf_write_options options = {.format = SHMF_NETCDF_CLASSIC};
    assert_int_equal(shmf_netcdf_write_frame(frame, path, &options, &err), SHMF_OK);
    struct shmf_frame *again = shmf_netcdf_frame(path, NULL, 0, NULL, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(shmf_frame_equal(frame, again), 1);
    shmf_frame_free(again);
    shmf_frame_free(frame);
}

static void test_frames_without_rows_return(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    const struct shmf_column_spec columns[] = {{"a", SHMF_FLOAT64, 0}, {"b", SHMF_UTF8, 0}};
    const struct shmf_frame_spec spec = {.n_columns = 2, .columns = columns};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    assert_int_equal(shmf_netcdf_write_frame(frame, path, NULL, &err), SHMF_OK);
    struct shmf_frame *again = shmf_netcdf_frame(path, NULL, 0, NULL, &err);
    assert_string_equal(err.message, "");
    assert_int_equal(shmf_frame_equal(frame, again), 1);
    shmf_frame_free(again);
    shmf_frame_free(frame);
}

/* ---- what is missing, what is packed ----------------------------------------------------------
 */

/* Variables "packed" and "plain" along "t", whose coordinate is of numbers. */
static void make_packed(void)
{
    int file, t, ids[3];
    const short packed[] = {100, -1, 300, 7};
    const float plain[] = {1.5f, 1e20f, NAN, -2};
    const double times[] = {0, 0.5, 1, 1.5};
    assert_int_equal(nc_create(path, NC_CLOBBER, &file), 0);
    assert_int_equal(nc_def_dim(file, "t", 4, &t), 0);
    assert_int_equal(nc_def_var(file, "packed", NC_SHORT, 1, &t, &ids[0]), 0);
    assert_int_equal(nc_def_var(file, "plain", NC_FLOAT, 1, &t, &ids[1]), 0);
    assert_int_equal(nc_def_var(file, "t", NC_DOUBLE, 1, &t, &ids[2]), 0);
    nc_put_att_double(file, ids[0], "scale_factor", NC_DOUBLE, 1, (double[]){0.5});
    nc_put_att_double(file, ids[0], "add_offset", NC_DOUBLE, 1, (double[]){10});
    nc_put_att_short(file, ids[0], "_FillValue", NC_SHORT, 1, (short[]){-1});
    nc_put_att_short(file, ids[0], "missing_value", NC_SHORT, 1, (short[]){7});
    nc_put_att_double(file, ids[1], "missing_value", NC_DOUBLE, 2, (double[]){1e20, 5});
    assert_int_equal(nc_enddef(file), 0);
    assert_int_equal(nc_put_var_short(file, ids[0], packed), 0);
    assert_int_equal(nc_put_var_float(file, ids[1], plain), 0);
    assert_int_equal(nc_put_var_double(file, ids[2], times), 0);
    assert_int_equal(nc_close(file), 0);
}

static void test_missing_values_are_nulls_and_packed_ones_are_unpacked(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    make_packed();
    static const struct shmf_netcdf_options unpack = {.unpack = 1};
    for (int unpacked = 0; unpacked < 2; unpacked++) {
        struct shmf_frame *frame =
            shmf_netcdf_frame(path, NULL, 0, unpacked ? &unpack : NULL, &err);
        assert_string_equal(err.message, "");
        assert_int_equal(shmf_frame_columns(frame), 3);
        static const int nulls[2][4] = {{0, 1, 0, 1}, {0, 1, 0, 0}};
        for (int64_t r = 0; r < 4; r++)
            for (int64_t c = 0; c < 2; c++)
                assert_int_equal(shmf_frame_is_null(frame, r, c), nulls[c][r]);
        double value = 0;
        assert_int_equal(shmf_frame_cell(frame, 2, 0, &value), SHMF_OK);
        assert_true(value == (unpacked ? 160 : 300));
        shmf_frame_free(frame);
    }
    struct shmf_array *array = shmf_netcdf_array(path, "packed", &unpack, &err);
    const double *values = shmf_array_data(array);
    assert_true(values[0] == 60 && isnan(values[1]) && values[2] == 160 && isnan(values[3]));
    shmf_array_free(array);
    array = shmf_netcdf_array(path, "plain", &(struct shmf_netcdf_options){.nan = 1}, &err);
    const float *plain = shmf_array_data(array);
    assert_true(plain[0] == 1.5f && isnan(plain[1]) && isnan(plain[2]) && plain[3] == -2);
    shmf_array_free(array);
    array = shmf_netcdf_array(path, "plain", NULL, &err);
    assert_true(((const float *)shmf_array_data(array))[1] == 1e20f);
    shmf_array_free(array);
}

/* ---- real data ---------------------------------------------------------------------------- */

static void test_relief_of_the_world_becomes_a_labelled_matrix(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    if (access(DATA "etopo60.cdf", R_OK))
        skip();
    struct shmf_frame *frame =
        shmf_netcdf_frame(DATA "etopo60.cdf", (const char *[]){"ROSE"}, 1, NULL, &err);
    assert_string_equal(err.message, "");
    struct shmf_array *array = shmf_netcdf_array(DATA "etopo60.cdf", "ROSE", NULL, &err);
    assert_non_null(array);
    const int64_t rows = shmf_frame_rows(frame), columns = shmf_frame_columns(frame);
    assert_int_equal(rows, shmf_array_shape(array)[0]);
    assert_int_equal(columns, shmf_array_shape(array)[1]);
    const float *values = shmf_array_data(array);
    for (int64_t r = 0; r < rows; r += 7)
        for (int64_t c = 0; c < columns; c += 11) {
            double value = 0;
            assert_int_equal(shmf_frame_cell(frame, r, c, &value), SHMF_OK);
            assert_true(shmf_frame_is_null(frame, r, c) || (float)value == values[r * columns + c]);
        }
    assert_int_equal(shmf_frame_row_labels(frame), SHMF_ROWS_UTF8);
    shmf_array_free(array);
    shmf_frame_free(frame);
    struct shmf_frame *contents = shmf_netcdf_contents(DATA "levitus_climatology.cdf", &err);
    assert_non_null(contents);
    assert_true(shmf_frame_rows(contents) > 1);
    shmf_frame_free(contents);
}

/* ---- what is wrong ------------------------------------------------------------------------ */

static void assert_refused(const char *file, const char *variable, int code, const char *said)
{
    struct shmf_error err = {0};
    assert_null(shmf_netcdf_array(file, variable, NULL, &err));
    if (!strstr(err.message, said))
        fail_msg("%s", err.message);
    assert_int_equal(err.code, code);
    assert_null(shmf_netcdf_frame(file, &variable, 1, NULL, &err));
    assert_int_equal(err.code, code);
}

static void test_bad_files_and_names_are_refused_by_name(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    assert_refused("/nowhere/x.nc", "v", SHMF_E_NOTFOUND, "/nowhere/x.nc");
    assert_refused("/tmp", "v", SHMF_E_INVAL, "not a regular file");
    assert_refused("http://localhost:1/x.nc", "v", SHMF_E_NOTFOUND, "http:");
    make_packed();
    assert_refused(path, "none", SHMF_E_NOTFOUND, "none: ");
    assert_refused(path, "group/none", SHMF_E_NOTFOUND, "none: ");
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    char whole[4096];
    FILE *file = fopen(path, "r");
    assert_int_equal(fread(whole, 1, sizeof whole, file), status.st_size);
    fclose(file);
    /* Whatever is cut off, no value is made up; from the header on it is said how much is there. */
    for (off_t size = status.st_size - 1; size >= 0; size -= 3) {
        assert_int_equal(truncate(path, size), 0);
        struct shmf_array *array = shmf_netcdf_array(path, "t", NULL, &err);
        if (array)
            fail_msg("%lld of %lld bytes were enough", (long long)size, (long long)status.st_size);
        assert_non_null(strstr(err.message, path));
    }
    file = fopen(path, "w");
    fputs("this is no netCDF file at all, but it is long enough to be one\n", file);
    fclose(file);
    assert_refused(path, "v", SHMF_E_CORRUPT, path);
    assert_null(shmf_netcdf_array(NULL, "v", NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_null(shmf_netcdf_array(DATA "etopo60.cdf", NULL, NULL, NULL));
}

static void test_bytes_that_are_flipped_are_read_or_refused(void **state)
{
    (void)state;
    make_packed();
    char whole[4096];
    FILE *file = fopen(path, "r");
    const size_t size = fread(whole, 1, sizeof whole, file);
    fclose(file);
    for (size_t i = 0; i < size; i += 1 + i / 100) {
        struct shmf_error err = {0};
        whole[i] ^= (char)(1 << i % 8);
        file = fopen(path, "w");
        assert_int_equal(fwrite(whole, 1, size, file), size);
        fclose(file);
        whole[i] ^= (char)(1 << i % 8);
        struct shmf_frame *frame = shmf_netcdf_frame(path, NULL, 0, NULL, &err);
        assert_true(frame || err.code);
        shmf_frame_free(frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays_return_bit_for_bit_from_all_formats),
        cmocka_unit_test(test_dtypes_that_a_format_lacks_are_refused_and_no_file_is_made),
        cmocka_unit_test(test_a_file_is_added_to_and_tells_its_contents),
        cmocka_unit_test(test_frames_return_with_dtypes_nulls_labels_and_metadata),
        cmocka_unit_test(test_text_in_classic_files_is_characters),
        cmocka_unit_test(test_frames_without_rows_return),
        cmocka_unit_test(test_missing_values_are_nulls_and_packed_ones_are_unpacked),
        cmocka_unit_test(test_relief_of_the_world_becomes_a_labelled_matrix),
        cmocka_unit_test(test_bad_files_and_names_are_refused_by_name),
        cmocka_unit_test(test_bytes_that_are_flipped_are_read_or_refused),
    };
    test_begin();
    return cmocka_run_group_tests(tests, make_folder, folder_remove);
}

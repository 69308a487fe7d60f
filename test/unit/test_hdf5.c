/* HDF5 files: what is written is read back bit for bit; records, strings and numbers of the other
 * byte order; and files that are wrong. */
#include "support/folder.h"
#include "support/test.h"

#include <hdf5.h>
#include <shmframe/derive.h>
#include <shmframe/hdf5.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_folder(void **state)
{
    (void)state;
    return folder_make("a.h5");
}

/* ---- arrays ------------------------------------------------------------------------------- */

static void test_arrays_of_every_dtype_return_bit_for_bit(void **state)
{
    (void)state;
    for (int dtype = SHMF_BOOL; dtype <= SHMF_COMPLEX128; dtype++)
        for (unsigned deflate = 0; deflate < 2; deflate++) {
            unsigned char bytes[2 * 3 * 5 * 16];
            struct shmf_error err = {0};
            const size_t width = shmf_dtype_size((enum shmf_dtype)dtype);
            for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = dtype == SHMF_BOOL ? i % 2 : (unsigned char)(i * 37 % 120);
            const int64_t strides[] = {15 * (int64_t)width, (int64_t)width, 3 * (int64_t)width};
            struct shmf_array *array = shmf_array_from_data(
                (enum shmf_dtype)dtype, 3, (int64_t[]){2, 3, 5}, strides, bytes, &err);
            const struct shmf_hdf5_write_options options = {.deflate = deflate};
            shmf_hdf5_write_array(array, path, "group/inner/values", &options, &err);
            assert_string_equal(err.message, "");
            struct shmf_array *again = shmf_hdf5_array(path, "/group/inner/values", &err);
            assert_string_equal(err.message, "");
            assert_int_equal(shmf_array_dtype(again), dtype);
            assert_memory_equal(shmf_array_shape(again), shmf_array_shape(array),
                                3 * sizeof(int64_t));
            assert_memory_equal(shmf_array_data(again), shmf_array_data(array), 30 * width);
            shmf_array_free(again);
            shmf_array_free(array);
        }
}

static void test_a_file_is_added_to_and_tells_its_contents(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    const double data[6] = {1, 2, 3, 4, 5, 6};
    struct shmf_array *array =
        shmf_array_from_data(SHMF_FLOAT64, 2, (int64_t[]){2, 3}, NULL, data, &err);
    const struct shmf_pair units = {{"units", 5}, {"kelvin", 6}};
    struct shmf_hdf5_write_options options = {.attributes = &units, .n_attributes = 1};
    assert_int_equal(shmf_hdf5_write_array(array, path, "first", &options, &err), SHMF_OK);
    options.append = 1;
    assert_int_equal(shmf_hdf5_write_array(array, path, "deep/second", &options, &err), SHMF_OK);
    assert_int_equal(shmf_hdf5_write_array(array, path, "first", &options, &err), SHMF_E_EXISTS);
    struct shmf_frame *contents = shmf_hdf5_contents(path, &err);
    assert_non_null(contents);
    assert_int_equal(shmf_frame_rows(contents), 2);
    const int64_t row = shmf_frame_loc(contents, "deep/second");
    static const char *const cells[] = {"float64", "2 x 3", "units = kelvin"};
    for (int64_t c = 0; c < 3; c++) {
        const struct shmf_text text = shmf_frame_text(contents, row, c);
        assert_int_equal(text.size, strlen(cells[c]));
        assert_memory_equal(text.data, cells[c], strlen(cells[c]));
    }
    shmf_frame_free(contents);
    struct shmf_frame *matrix = shmf_hdf5_frame(path, "first", &err);
    double value = 0;
    assert_int_equal(shmf_frame_cell(matrix, 1, 2, &value), SHMF_OK);
    assert_true(value == 6);
    assert_int_equal(shmf_frame_metadata(matrix, -1, "units").size, 6);
    shmf_frame_free(matrix);
    shmf_array_free(array);
}

/* ---- frames ------------------------------------------------------------------------------- */

enum { ROWS = 5000 };

static struct shmf_frame *make_frame(bool nulls, int64_t rows)
{
    static double numbers[ROWS];
    static int64_t times[ROWS];
    static uint8_t bits[ROWS / 8 + 1], valid[ROWS / 8 + 1];
    static struct shmf_text texts[ROWS];
    static char labels[ROWS][12];
    static const char *names[ROWS];
    static const char *const words[] = {"", "Wien", "北京", "a \"quoted\" one", "NA"};
    for (int i = 0; i < ROWS; i++) {
        numbers[i] = i / 7.0;
        times[i] = INT64_C(1700000000000000) + i;
        bits[i / 8] = (uint8_t)(i * 5);
        valid[i / 8] = (uint8_t)(i * 11 + 1);
        texts[i].data = nulls && i % 9 == 0 ? NULL : words[i % 5];
        texts[i].size = texts[i].data ? (int64_t)strlen(texts[i].data) : 0;
        snprintf(labels[i], sizeof labels[i], "row %d", i);
        names[i] = labels[i];
    }
    const struct shmf_column_spec columns[] = {
        {"z", SHMF_FLOAT64, 0}, {"is", SHMF_BOOL, 0},        {"day", SHMF_DATE32, 0},
        {"word", SHMF_UTF8, 0}, {"time", SHMF_TIMESTAMP, 0}, {"c", SHMF_COMPLEX64, 0}};
    const struct shmf_pair units = {{"units", 5}, {"m", 1}}, title = {{"title", 5}, {"x y", 3}};
    const struct shmf_column_details details[6] = {
        {.metadata = &units, .n_metadata = 1},
        [4] = {.type = {.unit = SHMF_MICROSECONDS, .zone = {"UTC", 3}}}};
    const void *data[] = {numbers, bits, numbers, texts, times, numbers};
    const uint8_t *validity[] = {valid, valid, valid, NULL, valid, valid};
    struct shmf_error err = {0};
    const struct shmf_frame_spec spec = {.n_rows = rows,
                                         .n_columns = 6,
                                         .columns = columns,
                                         .details = details,
                                         .row_labels = nulls ? names : NULL,
                                         .metadata = &title,
                                         .n_metadata = 1};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, data, nulls ? validity : NULL, &err);
    assert_string_equal(err.message, "");
    return frame;
}

static void test_frames_return_with_dtypes_nulls_labels_and_metadata(void **state)
{
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        struct shmf_error err = {0};
        struct shmf_frame *frame = make_frame(kind & 1, kind & 4 ? 1 - (kind & 1) : ROWS);
        const struct shmf_hdf5_write_options options = {.deflate = kind & 2 ? 1 : 0};
        shmf_hdf5_write_frame(frame, path, kind & 2 ? "/" : "a/table", &options, &err);
        assert_string_equal(err.message, "");
        struct shmf_frame *again = shmf_hdf5_frame(path, kind & 2 ? "/" : "a/table", &err);
        assert_string_equal(err.message, "");
        assert_int_equal(shmf_frame_equal(frame, again), 1);
        assert_int_equal(shmf_frame_validate(again, SHMF_VALIDATE_FULL, &err), SHMF_OK);
        assert_int_equal(shmf_frame_metadata(again, 0, "units").size, 1);
        assert_int_equal(shmf_frame_metadata(again, -1, "title").size, 3);
        shmf_frame_free(again);
        shmf_frame_free(frame);
    }
}

/* What other programs write: records with numbers of the other byte order, strings of fixed width.
 */
static void make_records(void)
{
    struct {
        int32_t id;
        double x;
        char name[6];
    } records[3] = {{1, 0.5, "one"}, {-2, 1e300, "zwei"}, {3, -0.0, "drei!"}};
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 6);
    hid_t memory = H5Tcreate(H5T_COMPOUND, sizeof records[0]);
    H5Tinsert(memory, "id", (size_t)((char *)&records[0].id - (char *)records), H5T_NATIVE_INT32);
    H5Tinsert(memory, "x", (size_t)((char *)&records[0].x - (char *)records), H5T_NATIVE_DOUBLE);
    H5Tinsert(memory, "name", (size_t)(records[0].name - (char *)records), text);
    hid_t stored = H5Tcreate(H5T_COMPOUND, 18);
    H5Tinsert(stored, "id", 0, H5T_STD_I32BE);
    H5Tinsert(stored, "x", 4, H5T_IEEE_F64BE);
    H5Tinsert(stored, "name", 12, text);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(1, (hsize_t[]){3}, NULL);
    hid_t set = H5Dcreate2(file, "records", stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, records) >= 0);
    H5Dclose(set);
    set = H5Dcreate2(file, "big", H5T_STD_U16BE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, H5T_NATIVE_UINT16, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                         (uint16_t[]){1, 256, 65535}) >= 0);
    H5Dclose(set);
    set = H5Dcreate2(file, "texts", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Dwrite(set, text, H5S_ALL, H5S_ALL, H5P_DEFAULT, "a\0\0\0\0\0bcdef\0ghijkl") >=
                0);
    H5Dclose(set);
    H5Sclose(space);
    H5Tclose(stored);
    H5Tclose(memory);
    H5Tclose(text);
    H5Fclose(file);
}

static void assert_text(const struct shmf_frame *frame, int64_t row, int64_t column,
                        const char *expected)
{
    const struct shmf_text text = shmf_frame_text(frame, row, column);
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.data, expected, strlen(expected));
}

static void test_records_and_big_endian_numbers_of_others_are_read(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    double value = 0;
    int64_t id = 0;
    make_records();
    struct shmf_frame *frame = shmf_hdf5_frame(path, "records", &err);
    assert_string_equal(err.message, "");
    assert_int_equal(shmf_frame_columns(frame), 3);
    assert_int_equal(shmf_frame_cell_int64(frame, 1, 0, &id), SHMF_OK);
    assert_int_equal(id, -2);
    assert_int_equal(shmf_frame_cell(frame, 1, 1, &value), SHMF_OK);
    assert_true(value == 1e300);
    assert_text(frame, 2, 2, "drei!");
    shmf_frame_free(frame);
    frame = shmf_hdf5_frame(path, "/", &err); /* "big" and "texts": records are no column */
    assert_string_equal(err.message, "");
    assert_int_equal(shmf_frame_columns(frame), 2);
    assert_int_equal(shmf_frame_cell_int64(frame, 1, 0, &id), SHMF_OK);
    assert_int_equal(id, 256);
    assert_text(frame, 0, 1, "a");
    assert_text(frame, 2, 1, "ghijkl");
    shmf_frame_free(frame);
}

/* ---- what is wrong ------------------------------------------------------------------------ */

static void assert_refused(const char *file, const char *name, int code, const char *said)
{
    struct shmf_error err = {0};
    assert_null(shmf_hdf5_array(file, name, &err));
    if (!strstr(err.message, said))
        fail_msg("%s", err.message);
    assert_int_equal(err.code, code);
}

static void test_bad_files_and_names_are_refused_by_name(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct stat status;
    assert_refused("/nowhere/x.h5", "v", SHMF_E_NOTFOUND, "/nowhere/x.h5");
    assert_refused("/tmp", "v", SHMF_E_INVAL, "not a regular file");
    make_records();
    assert_refused(path, "none", SHMF_E_NOTFOUND, "none: ");
    assert_refused(path, "big/none", SHMF_E_NOTFOUND, "big/none: ");
    assert_refused(path, "texts", SHMF_E_UNSUPPORTED, "read it as a frame");
    assert_refused(path, "records", SHMF_E_UNSUPPORTED, "records: ");
    assert_null(shmf_hdf5_frame(path, "none", &err));
    assert_int_equal(err.code, SHMF_E_NOTFOUND);
    assert_null(shmf_hdf5_frame(path, "big", &err));
    assert_int_equal(err.code, SHMF_E_DTYPE);
    assert_null(shmf_hdf5_frame(path, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_int_equal(stat(path, &status), 0);
    /* Cut off anywhere: the file knows how long it is. */
    for (off_t size = status.st_size - 1; size >= 0; size -= 1 + status.st_size / 40) {
        assert_int_equal(truncate(path, size), 0);
        assert_refused(path, "big", SHMF_E_CORRUPT, path);
        assert_null(shmf_hdf5_frame(path, "/", &err));
        assert_null(shmf_hdf5_contents(path, &err));
    }
    /* Nothing is left of a file that could not be written. */
    struct shmf_frame *frame = make_frame(false, ROWS);
    unlink(path);
    const struct shmf_hdf5_write_options wrong = {.deflate = 10};
    assert_int_equal(shmf_hdf5_write_frame(frame, path, "/", &wrong, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_hdf5_write_frame(frame, "/nowhere/x.h5", "/", NULL, &err),
                     SHMF_E_NOTFOUND);
    const struct shmf_pair nameless = {{"", 0}, {"m", 1}};
    const struct shmf_hdf5_write_options some = {.attributes = &nameless, .n_attributes = 1};
    assert_int_equal(shmf_hdf5_write_frame(frame, path, "/", &some, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, ": metadata: "));
    struct shmf_array *array = shmf_array_new(SHMF_INT8, 1, (int64_t[]){3}, &err);
    assert_int_equal(shmf_array_zero(array), SHMF_OK);
    assert_int_equal(shmf_hdf5_write_array(array, path, "v", &some, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, ": an attribute without a name: "));
    assert_int_equal(stat(path, &status), -1);
    shmf_array_free(array);
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrays_of_every_dtype_return_bit_for_bit),
        cmocka_unit_test(test_a_file_is_added_to_and_tells_its_contents),
        cmocka_unit_test(test_frames_return_with_dtypes_nulls_labels_and_metadata),
        cmocka_unit_test(test_records_and_big_endian_numbers_of_others_are_read),
        cmocka_unit_test(test_bad_files_and_names_are_refused_by_name),
    };
    test_begin();
    return cmocka_run_group_tests(tests, make_folder, folder_remove);
}

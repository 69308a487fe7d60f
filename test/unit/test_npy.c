/* Arrays and .npy files: what numpy cannot show (it is the partner in test/client/npy.py). */
#include "support/folder.h"
#include "support/test.h"

#include <shmframe/npy.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void write_file(const void *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

static void test_an_array_comes_back_as_it_went(void **state)
{
    const int64_t shape[] = {2, 3};
    const int16_t data[] = {1, -2, 3, 4, 5, 32767};
    struct shmf_error err = {0};
    struct shmf_array *array = shmf_array_from_data(SHMF_INT16, 2, shape, NULL, data, &err), *back;
    (void)state;
    assert_int_equal(shmf_npy_save(array, path, &err), SHMF_OK);
    back = shmf_npy_load(path, &err);
    assert_non_null(back);
    assert_int_equal(shmf_array_dtype(back), SHMF_INT16);
    assert_int_equal(shmf_array_ndim(back), 2);
    assert_memory_equal(shmf_array_shape(back), shape, sizeof shape);
    assert_memory_equal(shmf_array_data(back), data, sizeof data);
    shmf_array_free(array);
    shmf_array_free(back);
}

static void test_a_saved_file_takes_the_place_of_another_with_the_permissions_of_any(void **state)
{
    const int64_t shape[] = {1};
    struct shmf_array *array = shmf_array_from_data(SHMF_UINT8, 1, shape, NULL, "x", NULL);
    struct stat status;
    (void)state;
    write_file("something else", 14);
    mode_t mask = umask(027);
    assert_int_equal(shmf_npy_save(array, path, NULL), SHMF_OK);
    umask(mask);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    assert_int_equal(status.st_size, 128 + 1);
    shmf_array_free(array);
}

static void test_what_cannot_be_saved_leaves_no_file(void **state)
{
    struct shmf_error err = {0};
    struct shmf_array *array = shmf_array_from_data(SHMF_UINT8, 1, (int64_t[]){1}, NULL, "x", NULL);
    (void)state;
    assert_int_equal(shmf_npy_save(NULL, path, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_npy_save(array, NULL, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_npy_save(array, "/nowhere/at/all.npy", &err), SHMF_E_NOTFOUND);
    assert_non_null(strstr(err.message, "/nowhere/at/all.npy"));
    assert_int_equal(shmf_npy_save(array, folder, &err), SHMF_E_SYS);
    char beside[80];
    snprintf(beside, sizeof beside, "ls %s.* 2>/dev/null | grep -q .", folder);
    assert_int_not_equal(system(beside), 0);
    shmf_array_free(array);
}

static void expect_refused(const char *description, int code, const char *word)
{
    char file[256] = "\x93NUMPY\x01\x00";
    struct shmf_error err = {0};
    file[8] = (char)strlen(description);
    strcpy(file + 10, description);
    write_file(file, sizeof file);
    struct shmf_array *array = shmf_npy_load(path, &err);
    assert_null(array);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, word));
    assert_null(shmf_npy_load(path, NULL));
}

static void test_descriptions_that_are_wrong_say_where(void **state)
{
    (void)state;
    expect_refused("", SHMF_E_CORRUPT, "byte 10: '{' expected");
    expect_refused("{}", SHMF_E_CORRUPT, "byte 12: a key that is missing");
    expect_refused("{'descr': '<f8', 'shape': (1,)}", SHMF_E_CORRUPT, "missing");
    expect_refused("{'descr': '<f8', 'descr': '<f8'}", SHMF_E_CORRUPT, "each once");
    expect_refused("{'descr': <f8}", SHMF_E_CORRUPT, "byte 20: a text in quotes");
    expect_refused("{'descr': '<f8", SHMF_E_CORRUPT, "a quote");
    expect_refused("{'descr': 'a very long text that is no type at all'}", SHMF_E_CORRUPT,
                   "shorter");
    expect_refused("{'descr': '', }", SHMF_E_UNSUPPORTED, "type ''");
    expect_refused("{'descr': [('a', '<f8')], }", SHMF_E_UNSUPPORTED, "records");
    expect_refused("{'shape': (1,,), }", SHMF_E_CORRUPT, "a length");
    expect_refused("{'shape': (1 2), }", SHMF_E_CORRUPT, "',' or ')'");
    expect_refused("{'shape': (99999999999999999999,), }", SHMF_E_TOOBIG, "2^63");
    expect_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000, 4000000000)}",
                   SHMF_E_TOOBIG, "bytes");
    expect_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (4000000000, 2)}",
                   SHMF_E_CORRUPT, "byte 256: the file ends too early");
    expect_refused("{'descr': '<f8', 'fortran_order': False, 'shape': (1,)} x", SHMF_E_CORRUPT,
                   "the end");
}

static void test_what_is_no_file_of_an_array_is_refused(void **state)
{
    struct shmf_error err = {0};
    (void)state;
    assert_null(shmf_npy_load(NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_null(shmf_npy_load("/nowhere.npy", &err));
    assert_int_equal(err.code, SHMF_E_NOTFOUND);
    assert_null(shmf_npy_load(folder, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    write_file("\x93NUMPY\x09\x00\x10\x00                    ", 30);
    assert_null(shmf_npy_load(path, &err));
    assert_int_equal(err.code, SHMF_E_UNSUPPORTED);
    write_file("\x93NUMPY\x02\x00\xff\xff\xff\x7f          ", 22);
    assert_null(shmf_npy_load(path, &err));
    assert_int_equal(err.code, SHMF_E_CORRUPT);
}

int main(void)
{
    test_begin();
    if (folder_make("a.npy"))
        return 1;
    const struct CMUnitTest tests[] = {
        test_case(test_an_array_comes_back_as_it_went),
        test_case(test_a_saved_file_takes_the_place_of_another_with_the_permissions_of_any),
        test_case(test_what_cannot_be_saved_leaves_no_file),
        test_case(test_descriptions_that_are_wrong_say_where),
        test_case(test_what_is_no_file_of_an_array_is_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return folder_remove(NULL) ? 1 : failed;
}

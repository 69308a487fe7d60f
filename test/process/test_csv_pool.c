/* Comma-separated values parsed by the workers of a pool: the same frame as without one, and the
 * same errors. */
#include "support/test.h"

#include <shmframe/csv.h>
#include <shmframe/derive.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct shmf_pool *new_pool(void)
{
    struct shmf_pool *pool = shmf_pool_new(&(struct shmf_pool_options){.workers = 2}, NULL);
    assert_non_null(pool);
    return pool;
}

static char *make_text(int rows, size_t *size)
{
    char *text = malloc((size_t)rows * 64 + 100), *to = text;
    to += sprintf(to, "id,name,x,when\n");
    for (int i = 0; i < rows; i++) {
        to += sprintf(to, i % 7 ? "%d,name %d," : "%d,\"line\n\"\"%d\"\",\",", i, i);
        to += sprintf(to, i % 11 ? "%d.%d," : ",", i, i % 10);
        to += sprintf(to, "2024-01-%02d 12:30:%02d\n", i % 28 + 1, i % 60);
    }
    *size = (size_t)(to - text);
    return text;
}

static void test_workers_make_the_same_frame(void **state)
{
    (void)state;
    size_t size;
    char *text = make_text(5000, &size);
    struct shmf_pool *pool = new_pool();
    struct shmf_error err = {0};
    struct shmf_frame *alone = shmf_csv_parse(text, size, NULL, &err);
    assert_non_null(alone);
    assert_int_equal(shmf_frame_rows(alone), 5000);
    static const int64_t pieces[] = {1000, 4096, 77777, 0};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        const struct shmf_csv_options options = {.pool = pool, .chunk_bytes = pieces[i]};
        struct shmf_frame *frame = shmf_csv_parse(text, size, &options, &err);
        assert_non_null(frame);
        assert_int_equal(shmf_frame_equal(alone, frame), 1);
        shmf_frame_free(frame);
    }
    char path[] = "/tmp/shmf-csv-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
    const struct shmf_csv_options options = {.pool = pool, .chunk_bytes = 4096};
    struct shmf_frame *frame = shmf_csv_read(path, &options, &err);
    unlink(path);
    assert_non_null(frame);
    assert_int_equal(shmf_frame_equal(alone, frame), 1);
    shmf_frame_free(frame);
    shmf_frame_free(alone);
    shmf_pool_free(pool);
    free(text);
}

static void test_workers_say_the_first_error_with_file_line_and_column(void **state)
{
    (void)state;
    size_t size;
    char *text = make_text(5000, &size), path[] = "/tmp/shmf-csv-XXXXXX";
    struct shmf_pool *pool = new_pool();
    struct shmf_error err = {0};
    char expected[200], *bad = strstr(text, "4001,name");
    int64_t line = 1;
    for (char *c = text; c < bad; c++)
        line += *c == '\n';
    memcpy(bad, "4001;name", 9);
    memcpy(strstr(text, "4300,name"), "4300;name", 9);
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, size), size);
    close(fd);
    const struct shmf_csv_options options = {.pool = pool, .chunk_bytes = 10000};
    assert_null(shmf_csv_read(path, &options, &err));
    unlink(path);
    snprintf(expected, sizeof expected, "%s: line %d, column 3: the row ends after 3 of 4 fields",
             path, (int)line);
    assert_string_equal(err.message, expected);
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    shmf_pool_free(pool);
    free(text);
}

static void test_a_type_that_shows_late_is_found_by_workers(void **state)
{
    (void)state;
    size_t size;
    char *text = make_text(20000, &size);
    struct shmf_pool *pool = new_pool();
    struct shmf_error err = {0};
    struct shmf_column id;
    memcpy(strstr(text, "19990,name"), "1999x,name", 10);
    const struct shmf_csv_options options = {.pool = pool, .chunk_bytes = 100000};
    struct shmf_frame *frame = shmf_csv_parse(text, size, &options, &err);
    assert_non_null(frame);
    assert_int_equal(shmf_frame_rows(frame), 20000);
    assert_int_equal(shmf_frame_column(frame, 0, &id), SHMF_OK);
    assert_int_equal(id.dtype, SHMF_UTF8);
    shmf_frame_free(frame);
    shmf_pool_free(pool);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_workers_make_the_same_frame),
        test_case(test_workers_say_the_first_error_with_file_line_and_column),
        test_case(test_a_type_that_shows_late_is_found_by_workers),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

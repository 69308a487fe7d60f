/* arrow/: frames written as Arrow IPC, files and streams, come back bit by bit; whatever bytes are
 * read, they are a frame or an error that says where. */
#include "unit/every_frame.h"

#include <shmframe/ipc.h>
#include <shmframe/memory.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was written, in memory of its own; to be freed. */
static unsigned char *written(const struct shmf_frame *frame, enum shmf_ipc_format format,
                              int64_t batch_rows, size_t *size)
{
    struct shmf_ipc_options options = {.format = format, .batch_rows = batch_rows};
    struct shmf_error err = {0};
    struct stat status;
    int fd = memfd_create("ipc", MFD_CLOEXEC);
    if (shmf_frame_row_labels(frame) != SHMF_ROWS_RANGE)
        options.row_labels = "row";
    if (shmf_ipc_write(frame, fd, &options, &err))
        fail_msg("%s", err.message);
    assert_int_equal(fstat(fd, &status), 0);
    *size = (size_t)status.st_size;
    unsigned char *bytes = malloc(*size + 1);
    assert_int_equal(pread(fd, bytes, *size, 0), (ssize_t)*size);
    close(fd);
    return bytes;
}

static void round_trip(const struct shmf_frame *frame, int64_t batch_rows)
{
    for (int format = 0; format < 2; format++) {
        size_t size;
        struct shmf_error err = {0};
        unsigned char *bytes = written(frame, (enum shmf_ipc_format)format, batch_rows, &size);
        struct shmf_frame *back = shmf_ipc_read_memory(bytes, size, NULL, &err);
        if (!back)
            fail_msg("%s", err.message);
        assert_same_frame(frame, back);
        shmf_frame_free(back);
        free(bytes);
    }
}

static void test_every_dtype_comes_back_bit_by_bit(void **state)
{
    (void)state;
    every_frame_returns(round_trip);
}

static void test_slices_are_written_as_their_rows(void **state)
{
    (void)state;
    every_slice_returns(round_trip);
}

static void test_a_frame_without_columns_is_a_file_too(void **state)
{
    (void)state;
    struct shmf_frame *frame = shmf_frame_new(&(struct shmf_frame_spec){.n_rows = 3}, NULL);
    assert_int_equal(shmf_frame_finish(frame, NULL), SHMF_OK);
    round_trip(frame, 0);
    shmf_frame_free(frame);
}

/* Bodies, so that readers may map the file and use what they see. */
static void test_bodies_of_a_file_are_aligned_to_64_bytes(void **state)
{
    (void)state;
    size_t size;
    struct shmf_frame *frame = every_frame(100, 0, SHMF_ROWS_RANGE);
    unsigned char *bytes = written(frame, SHMF_IPC_FILE, 64, &size);
    for (int64_t c = SHMF_INT16 - 1; c < SHMF_FLOAT64; c++) {
        struct shmf_column column;
        assert_int_equal(shmf_frame_column(frame, c, &column), SHMF_OK);
        size_t n = 64 * shmf_dtype_size(column.dtype);
        const unsigned char *found = memmem(bytes, size, column.data, n);
        assert_non_null(found);
        assert_int_equal((size_t)(found - bytes) % 64, 0);
    }
    free(bytes);
    shmf_frame_free(frame);
}

/* ---- files, pipes ------------------------------------------------------------------------- */

static void test_a_saved_file_appears_when_it_is_complete_and_is_loaded(void **state)
{
    (void)state;
    char folder[] = "/tmp/shmf-test-ipc-XXXXXX", path[64], missing[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/frame.arrow", folder);
    snprintf(missing, sizeof missing, "%s/none/frame.arrow", folder);
    struct shmf_frame *frame = every_frame(50, 3, SHMF_ROWS_UTF8);
    const struct shmf_ipc_options options = {.row_labels = "row"};
    struct shmf_error err = {0};
    for (int i = 0; i < 2; i++) /* anew, and in the place of another */
        assert_int_equal(shmf_ipc_save(frame, path, &options, &err), SHMF_OK);
    struct shmf_frame *back = shmf_ipc_load(path, NULL, &err);
    assert_non_null(back);
    assert_same_frame(frame, back);
    shmf_frame_free(back);
    /* a failure leaves what was there, and nothing else */
    const struct shmf_ipc_options wrong = {.format = (enum shmf_ipc_format)7};
    assert_int_equal(shmf_ipc_save(frame, path, &wrong, &err), SHMF_E_INVAL);
    back = shmf_ipc_load(path, NULL, &err);
    assert_same_frame(frame, back);
    shmf_frame_free(back);
    assert_int_equal(shmf_ipc_save(frame, missing, NULL, &err), SHMF_E_NOTFOUND);
    assert_non_null(strstr(err.message, "none/frame.arrow"));
    assert_null(shmf_ipc_load(missing, NULL, &err));
    assert_int_equal(err.code, SHMF_E_NOTFOUND);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); /* it is empty */
    shmf_frame_free(frame);
}

static void test_a_stream_goes_through_a_pipe(void **state)
{
    (void)state;
    int ends[2];
    struct shmf_frame *frame = every_frame(20, 3, SHMF_ROWS_RANGE);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(
        shmf_ipc_write(frame, ends[1], &(struct shmf_ipc_options){.format = SHMF_IPC_STREAM}, NULL),
        SHMF_OK);
    close(ends[1]);
    struct shmf_frame *back = shmf_ipc_read(ends[0], NULL, NULL);
    close(ends[0]);
    assert_non_null(back);
    assert_same_frame(frame, back);
    shmf_frame_free(back);
    shmf_frame_free(frame);
}

static void test_a_write_that_fails_is_told(void **state)
{
    (void)state;
    struct shmf_frame *frame = every_frame(20, 3, SHMF_ROWS_RANGE);
    struct shmf_error err = {0};
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(shmf_ipc_write(frame, full, NULL, &err), SHMF_E_NOSPC);
    assert_string_equal(err.message, "write behind byte 0: No space left on device");
    close(full);
    assert_int_equal(shmf_ipc_write(frame, -1, NULL, &err), SHMF_E_SYS);
    assert_int_equal(shmf_ipc_write(NULL, 1, NULL, &err), SHMF_E_INVAL);
    shmf_frame_free(frame);
}

/* ---- what anybody may have written ---------------------------------------------------------- */

/* A frame, or an error with a message. Returns whether it was a frame. Reading past the end of the
 * copy is the sanitizers' to see. */
static bool survives(const unsigned char *bytes, size_t size, struct shmf_error *err)
{
    void *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    *err = (struct shmf_error){0};
    struct shmf_frame *frame = shmf_ipc_read_memory(copy, size, NULL, err);
    free(copy);
    if (frame)
        assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    else
        assert_true(err->code < 0 && err->message[0]);
    shmf_frame_free(frame);
    return frame != NULL;
}

static void test_what_is_cut_off_says_where(void **state)
{
    (void)state;
    struct shmf_frame *frame = every_frame(9, 3, SHMF_ROWS_UTF8);
    for (int format = 0; format < 2; format++) {
        size_t size;
        struct shmf_error err;
        unsigned char *bytes = written(frame, (enum shmf_ipc_format)format, 5, &size);
        for (size_t cut = 0; cut < size; cut += 1 + every_random(test_slowness() > 1 ? 60 : 6)) {
            bool fine = survives(bytes, cut, &err);
            if (format == SHMF_IPC_FILE)
                assert_false(fine); /* a stream may end between two messages */
            if (!fine) {
                assert_int_equal(err.code, SHMF_E_CORRUPT);
                assert_memory_equal(err.message, "byte ", 5);
            }
        }
        free(bytes);
    }
    shmf_frame_free(frame);
}

static void test_flipped_bits_are_a_frame_or_an_error(void **state)
{
    (void)state;
    struct shmf_frame *frame = every_frame(9, 3, SHMF_ROWS_UTF8);
    for (int format = 0; format < 2; format++) {
        size_t size;
        unsigned frames = 0, errors = 0;
        struct shmf_error err;
        unsigned char *bytes = written(frame, (enum shmf_ipc_format)format, 5, &size);
        for (size_t at = 0; at < size; at += 1 + every_random(test_slowness() > 1 ? 40 : 2)) {
            unsigned char was = bytes[at];
            bytes[at] =
                (unsigned char)(every_random(2) ? was ^ 1u << every_random(8) : every_random(256));
            if (survives(bytes, size, &err))
                frames++;
            else
                errors++;
            bytes[at] = was;
        }
        assert_true(frames > 0 && errors > 0);
        free(bytes);
    }
    shmf_frame_free(frame);
}

static void test_numbers_anywhere_replaced_by_extreme_ones_are_a_frame_or_an_error(void **state)
{
    (void)state;
    static const uint64_t extremes[] = {0,          1,         0x7FFFFFFF,        0x80000000,
                                        0xFFFFFFFF, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX,
                                        0xFFFF,     0x10000};
    struct shmf_frame *frame = every_frame(9, 3, SHMF_ROWS_UTF8);
    for (int format = 0; format < 2; format++) {
        size_t size;
        struct shmf_error err;
        unsigned char *bytes = written(frame, (enum shmf_ipc_format)format, 5, &size);
        size_t step = test_slowness() > 1 ? 52 : 4;
        for (size_t at = 0; at + 8 <= size; at += step) {
            unsigned char was[8];
            size_t width = every_random(2) ? 8 : 4;
            memcpy(was, bytes + at, 8);
            memcpy(bytes + at, &extremes[every_random(10)], width);
            survives(bytes, size, &err);
            memcpy(bytes + at, was, 8);
        }
        free(bytes);
    }
    shmf_frame_free(frame);
}

static void test_bytes_of_another_kind_are_refused(void **state)
{
    (void)state;
    struct shmf_error err;
    assert_false(survives((const unsigned char *)"", 0, &err));
    assert_string_equal(err.message, "byte 0: there is no schema");
    assert_false(survives((const unsigned char *)"a,b\n1,2\n3,4\n", 12, &err));
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    assert_false(survives((const unsigned char *)"ARROW1\0\0ARROW1", 14, &err));
    assert_string_equal(err.message, "byte 14: the file does not end as it must: it is cut off");
    assert_null(shmf_ipc_read_memory((const char *)&err + 1, 8, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_null(shmf_ipc_read_memory(NULL, 8, NULL, &err));
    assert_null(shmf_ipc_load(NULL, NULL, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_dtype_comes_back_bit_by_bit),
        cmocka_unit_test(test_slices_are_written_as_their_rows),
        cmocka_unit_test(test_a_frame_without_columns_is_a_file_too),
        cmocka_unit_test(test_bodies_of_a_file_are_aligned_to_64_bytes),
        cmocka_unit_test(test_a_saved_file_appears_when_it_is_complete_and_is_loaded),
        cmocka_unit_test(test_a_stream_goes_through_a_pipe),
        cmocka_unit_test(test_a_write_that_fails_is_told),
        cmocka_unit_test(test_what_is_cut_off_says_where),
        cmocka_unit_test(test_flipped_bits_are_a_frame_or_an_error),
        cmocka_unit_test(test_numbers_anywhere_replaced_by_extreme_ones_are_a_frame_or_an_error),
        cmocka_unit_test(test_bytes_of_another_kind_are_refused),
    };
    return cmocka_run_group_tests_name("arrow ipc", tests, NULL, NULL);
}

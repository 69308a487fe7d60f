/* dual/: what is published as an Arrow file is a segment like any other, and each of Arrow's two
 * ways through the file, by the footer and front to back, finds the same values. */
#include "unit/every_frame.h"

#include "base/sys.h"
#include "support/names.h"

#include <shmframe/format.h>
#include <shmframe/ipc.h>
#include <shmframe/memory.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WITHOUT = 3 }; /* beside enum shmf_row_labels: Arrow is not given the labels */

static struct shmf_error err;
static char name[256], path[512];

static struct shmf_share *published(const struct shmf_frame *frame, const char *row_labels)
{
    const struct shmf_ipc_options options = {.row_labels = row_labels};
    struct shmf_share *share = shmf_ipc_publish(frame, name, &options, NULL, &err);
    if (!share)
        fail_msg("%s", err.message);
    return share;
}

/* The bytes of the file, in memory of their own; to be freed. */
static unsigned char *bytes_of_file(size_t *size)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    *size = (size_t)status.st_size;
    unsigned char *bytes = malloc(*size + 1);
    assert_int_equal(pread(fd, bytes, *size, 0), (ssize_t)*size);
    close(fd);
    return bytes;
}

static struct shmf_frame *attached(void)
{
    const struct shmf_attach_options options = {.validation = SHMF_VALIDATE_FULL};
    struct shmf_frame *frame = shmf_frame_attach(name, &options, &err);
    if (!frame)
        fail_msg("%s", err.message);
    return frame;
}

static void assert_all_the_same(const struct shmf_frame *frame, struct shmf_frame *back)
{
    if (!back)
        fail_msg("%s", err.message);
    assert_same_frame(frame, back);
    shmf_frame_free(back);
}

/* By its offsets, by the footer, and from message to message. */
static void assert_three_ways(const struct shmf_frame *frame)
{
    bool labels = shmf_frame_row_labels(frame) != SHMF_ROWS_RANGE;
    struct shmf_share *share = published(frame, labels ? "row" : NULL);
    size_t size;
    unsigned char *bytes = bytes_of_file(&size);
    assert_all_the_same(frame, attached());
    assert_all_the_same(frame, shmf_ipc_load(path, NULL, &err));
    assert_all_the_same(frame, shmf_ipc_read_memory(bytes + 8, size - 8, NULL, &err));
    free(bytes);
    shmf_share_free(share);
}

static void test_every_dtype_is_the_same_whichever_way_it_is_read(void **state)
{
    (void)state;
    const int64_t rows[] = {0, 1, 7, 64, 700};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned nulls = 0; nulls < 4; nulls++)
            for (int labels = 0; labels < 3; labels++) {
                struct shmf_frame *frame = every_frame(rows[i], nulls, labels);
                assert_three_ways(frame);
                shmf_frame_free(frame);
            }
}

static void test_slices_and_selections_are_published_as_frames_of_their_own(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) {
        struct shmf_frame *frame = every_frame(300, 1 + (unsigned)round % 4, 1 + round % 2);
        struct shmf_frame *slice = shmf_frame_slice(frame, 3 + round, 200 + round, NULL);
        struct shmf_frame *some = shmf_frame_select(
            slice, (const int64_t[]){SHMF_DICTIONARY - 1, SHMF_UTF8 - 1, SHMF_BOOL - 1}, 3, NULL);
        assert_three_ways(slice);
        assert_three_ways(some);
        shmf_frame_free(some);
        shmf_frame_free(slice);
        shmf_frame_free(frame);
    }
}

static void test_frames_without_columns_or_with_thousands_are_files_too(void **state)
{
    (void)state;
    const int64_t widths[] = {0, 1, 3000};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct shmf_frame_spec spec = {
            .n_rows = 5, .n_columns = widths[i], .dtype = SHMF_INT32, .range_step = 1};
        struct shmf_frame *frame = shmf_frame_new(&spec, &err);
        for (int64_t c = 0; c < widths[i]; c++)
            for (int64_t r = 0; r < 5; r++)
                ((int32_t *)shmf_frame_data_mut(frame, c))[r] = (int32_t)(c * 5 + r);
        assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
        assert_three_ways(frame);
        struct shmf_share *share = published(frame, NULL);
        struct shmf_frame *back = attached();
        struct shmf_matrix before, after;
        assert_int_equal(shmf_frame_matrix(frame, &before), shmf_frame_matrix(back, &after));
        shmf_frame_free(back);
        shmf_share_free(share);
        shmf_frame_free(frame);
    }
}

static void test_labels_of_a_range_are_computed_for_arrow_alone(void **state)
{
    (void)state;
    const struct shmf_frame_spec spec = {
        .n_rows = 9, .n_columns = 2, .dtype = SHMF_FLOAT32, .range_start = 100, .range_step = -7};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    memset(shmf_frame_data_mut(frame, 0), 0, 9 * sizeof(float));
    memset(shmf_frame_data_mut(frame, 1), 0, 9 * sizeof(float));
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    struct shmf_share *share = published(frame, "row");
    struct shmf_frame *own = attached(), *theirs = shmf_ipc_load(path, NULL, &err);
    assert_int_equal(shmf_frame_row_labels(own), SHMF_ROWS_RANGE);
    assert_int_equal(shmf_frame_equal(own, frame), 1);
    assert_int_equal(shmf_frame_row_labels(theirs), SHMF_ROWS_INT64);
    for (int64_t r = 0; r < 9; r++) {
        int64_t label;
        assert_int_equal(shmf_frame_row_number(theirs, r, &label), SHMF_OK);
        assert_int_equal(label, 100 - 7 * r);
    }
    shmf_frame_free(theirs);
    shmf_frame_free(own);
    shmf_share_free(share);
    shmf_frame_free(frame);
}

static void test_labels_that_arrow_is_not_given_are_still_the_frames(void **state)
{
    (void)state;
    for (int labels = 0; labels < WITHOUT; labels++) {
        struct shmf_frame *frame = every_frame(40, 3, labels);
        struct shmf_share *share = published(frame, NULL);
        struct shmf_frame *theirs = shmf_ipc_load(path, NULL, &err);
        assert_non_null(theirs);
        assert_int_equal(shmf_frame_row_labels(theirs), SHMF_ROWS_RANGE);
        assert_all_the_same(frame, attached());
        shmf_frame_free(theirs);
        shmf_share_free(share);
        shmf_frame_free(frame);
    }
}

/* It could have been changed meanwhile, and Arrow's null counts would be wrong. */
static void test_what_is_attached_and_published_again_is_a_plain_segment(void **state)
{
    (void)state;
    static const uint8_t none[24];
    struct shmf_frame *frame = every_frame(50, 3, SHMF_ROWS_UTF8);
    struct shmf_share *share = published(frame, NULL);
    struct shmf_frame *first = attached();
    shmf_share_free(share);
    share = shmf_frame_publish(first, name, NULL, &err);
    assert_non_null(share);
    size_t size;
    unsigned char *bytes = bytes_of_file(&size);
    assert_memory_equal(bytes, none, sizeof none);
    assert_all_the_same(frame, attached());
    shmf_share_free(share);
    share = published(first, "row");
    assert_all_the_same(frame, shmf_ipc_load(path, NULL, &err));
    assert_all_the_same(frame, attached());
    free(bytes);
    shmf_frame_free(first);
    shmf_share_free(share);
    shmf_frame_free(frame);
}

static void test_what_makes_no_such_file_is_refused_and_nothing_is_published(void **state)
{
    (void)state;
    struct shmf_frame *frame = every_frame(10, 0, SHMF_ROWS_RANGE);
    const struct shmf_frame_spec spec = {.n_rows = 1, .n_columns = 1, .dtype = SHMF_INT8};
    struct shmf_frame *building = shmf_frame_new(&spec, &err);
    const struct {
        const struct shmf_frame *frame;
        struct shmf_ipc_options ipc;
        struct shmf_publish_options options;
        int code;
        const char *says;
    } wrong[] = {
        {NULL, {0}, {0}, SHMF_E_INVAL, "frame"},
        {building, {0}, {0}, SHMF_E_ACCESS, "finished"},
        {frame, {.format = SHMF_IPC_STREAM}, {0}, SHMF_E_INVAL, "format"},
        {frame, {.batch_rows = 9}, {0}, SHMF_E_INVAL, "batch_rows"},
        {frame, {.batch_rows = -1}, {0}, SHMF_E_INVAL, "batch_rows"},
        {frame, {.reserved = {1}}, {0}, SHMF_E_INVAL, "reserved"},
        {frame, {0}, {.mode = 0666}, SHMF_E_INVAL, "mode"},
        {frame, {0}, {.reserved = {1}}, SHMF_E_INVAL, "reserved"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_null(shmf_ipc_publish(wrong[i].frame, name, &wrong[i].ipc, &wrong[i].options, &err));
        assert_int_equal(err.code, wrong[i].code);
        if (!strstr(err.message, wrong[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.message, wrong[i].says);
        assert_int_equal(access(path, F_OK), -1);
    }
    shmf_frame_free(building);
    shmf_frame_free(frame);
}

/* ---- memory that runs out ------------------------------------------------------------------ */

static struct shmfi_sys real;
static int countdown;

static void *failing_calloc(size_t n, size_t size)
{
    return --countdown == 0 ? NULL : real.calloc(n, size);
}

static void *failing_realloc(void *old, size_t size)
{
    return --countdown == 0 ? NULL : real.realloc(old, size);
}

static void test_memory_that_runs_out_publishes_nothing(void **state)
{
    (void)state;
    struct shmf_frame *frame = every_frame(20, 3, SHMF_ROWS_RANGE);
    const struct shmf_ipc_options options = {.row_labels = "row"};
    struct shmf_share *share = NULL;
    real = shmfi_sys;
    int at = 0;
    while (!share) {
        countdown = ++at;
        shmfi_sys.calloc = failing_calloc;
        shmfi_sys.realloc = failing_realloc;
        share = shmf_ipc_publish(frame, name, &options, NULL, &err);
        shmfi_sys = real;
        assert_true(share || err.code == SHMF_E_NOMEM);
        assert_int_equal(access(path, F_OK), share ? 0 : -1);
        assert_true(at < 1000);
    }
    assert_true(at > 8);
    shmf_share_free(share);
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_dtype_is_the_same_whichever_way_it_is_read),
        cmocka_unit_test(test_slices_and_selections_are_published_as_frames_of_their_own),
        cmocka_unit_test(test_frames_without_columns_or_with_thousands_are_files_too),
        cmocka_unit_test(test_labels_of_a_range_are_computed_for_arrow_alone),
        cmocka_unit_test(test_labels_that_arrow_is_not_given_are_still_the_frames),
        cmocka_unit_test(test_what_is_attached_and_published_again_is_a_plain_segment),
        cmocka_unit_test(test_what_makes_no_such_file_is_refused_and_nothing_is_published),
        cmocka_unit_test(test_memory_that_runs_out_publishes_nothing),
    };
    test_own_names(NULL);
    snprintf(name, sizeof name, "%s", test_name("dual"));
    snprintf(path, sizeof path, "/dev/shm/shmf.%s", name);
    return cmocka_run_group_tests_name("dual", tests, NULL, NULL);
}

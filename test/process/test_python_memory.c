/* What programmers expect of shared memory: every behaviour here is one that they rely on
 * elsewhere, in terms of arrays, frames and handles without names. */
#include "future_calls.h"

#include <fcntl.h>
#include <sys/wait.h>

/* ---- making and opening ------------------------------------------------------------------- */

static void test_an_object_has_the_size_asked_for_however_it_is_opened(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 511, 4096, 4097, 1 << 20};
    for (int i = 0; i < 5; i++) {
        struct shmf_array *array = patterned_array((size_t)sizes[i], 1);
        struct shmf_handle handle = shmf_array_handle(array);
        assert_true(handle.length >= (uint64_t)sizes[i]);
        for (uint32_t access = SHMF_READ_ONLY; access <= SHMF_PRIVATE_COPY; access++) {
            struct shmf_array *again =
                shmf_array_open(shmf_handle_with(handle, (enum shmf_access)access), NULL);
            assert_true(is_patterned(again, (size_t)sizes[i], 1));
            shmf_array_free(again);
        }
        shmf_array_free(array);
    }
}

static void test_senseless_sizes_are_refused(void **state)
{
    (void)state;
    static const int64_t wrong[][2] = {{-1, 1}, {1, INT64_MIN}, {INT64_MAX, INT64_MAX}};
    static const int codes[] = {SHMF_E_INVAL, SHMF_E_INVAL, SHMF_E_TOOBIG};
    struct shmf_error err;
    for (int i = 0; i < 3; i++) {
        assert_null(shmf_array_new(SHMF_FLOAT64, 2, wrong[i], &err));
        assert_int_equal(err.code, codes[i]);
    }
    assert_null(shmf_array_new(SHMF_FLOAT64, 1, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_null(shmf_array_new(SHMF_FLOAT64, 0, wrong[0], &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
}

static int open_somehow(struct shmf_handle handle, struct shmf_error *err)
{
    struct shmf_array *array = shmf_array_open(handle, err);
    shmf_array_free(array);
    return array ? SHMF_OK : err->code;
}

static void test_what_does_not_exist_or_exists_no_more_cannot_be_opened(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_handle nothing = {0},
                       never = {
                           .region = 7, .length = 4096, .generation = 1, .kind = SHMF_KIND_ARRAY};
    assert_int_not_equal(open_somehow(nothing, &err), SHMF_OK);
    assert_int_equal(open_somehow(never, &err), SHMF_E_STALE);
    struct shmf_array *array = patterned_array(5000, 1);
    struct shmf_handle dead = shmf_array_handle(array);
    shmf_array_free(array);
    assert_int_equal(open_somehow(dead, &err), SHMF_E_STALE);
    array = patterned_array(5000, 2); /* in the same place */
    assert_int_equal(open_somehow(dead, &err), SHMF_E_STALE);
    assert_int_equal(open_somehow(shmf_array_handle(array), &err), SHMF_OK);
    shmf_array_free(array);
}

static void test_a_handle_travels_as_plain_bytes_and_both_views_see_what_is_written(void **state)
{
    (void)state;
    struct shmf_array *array = patterned_array(5000, 1);
    struct shmf_handle handle = shmf_array_handle(array), received;
    uint8_t wire[sizeof handle];
    memcpy(wire, &handle, sizeof wire);
    memcpy(&received, wire, sizeof received);
    struct shmf_array *view = shmf_array_open(received, NULL);
    assert_non_null(view);
    test_fill(shmf_array_data_mut(array), 5000, 2);
    assert_true(is_patterned(view, 5000, 2));
    shmf_array_free(array); /* the view goes on */
    assert_true(is_patterned(view, 5000, 2));
    shmf_array_free(view);
}

static void test_the_size_of_a_handle_does_not_depend_on_what_it_names(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    struct shmf_array *small = patterned_array(10, 1), *large = patterned_array(64 << 20, 2);
    assert_int_equal(sizeof(shmf_array_handle(small)), sizeof(shmf_array_handle(large)));
    assert_true(sizeof(struct shmf_handle) <= 64);
    shmf_array_free(small);
    uint64_t before = test_shared_bytes();
    struct shmf_handle handle = shmf_array_handle(large);
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    for (int i = 0; i < 10; i++)
        shmf_future_free(submit_with(pool, return_index, &input, NULL));
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    assert_true(test_shared_bytes() <= before + (1 << 20)); /* nothing was copied */
    shmf_array_free(large);
    shmf_pool_free(pool);
}

/* ---- several processes -------------------------------------------------------------------- */

static int compare_with_seed(struct shmf_task *task, void *context)
{
    (void)context;
    const struct shmf_array *array = shmf_task_array(task, 0);
    return array ? shmf_task_return_double(task,
                                           is_patterned(array, 5000, (uint64_t)number_arg(task)))
                 : SHMF_E_TASK;
}

static void test_workers_see_what_the_owner_writes_later(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    struct shmf_array *array = patterned_array(5000, 0);
    struct shmf_handle handle = shmf_array_handle(array);
    for (int seed = 1; seed < 50; seed++) {
        test_fill(shmf_array_data_mut(array), 5000, (uint64_t)seed);
        double number = seed;
        struct shmf_task_input input = {&number, sizeof number, &handle, 1};
        assert_true(number_of(submit_with(pool, compare_with_seed, &input, NULL)) == 1);
    }
    shmf_array_free(array);
    shmf_pool_free(pool);
}

struct creator {
    int pipe[2];
    int signal;
};

/* What a process holds when it ends; static, so that tools see that it is still held. */
static struct {
    struct shmf_pool *pool;
    struct shmf_array *array;
    struct shmf_iter *iter;
    struct shmf_result *result;
    struct shmf_future *future;
} held;

/* Makes objects, tells, and waits for its end. */
static int create_and_wait(void *context)
{
    const struct creator *creator = context;
    held.pool = pool_of(2);
    held.array = patterned_array(8 << 20, 1);
    held.iter = map_count(held.pool, return_index, 10);
    held.result = next_good(held.iter);
    if (!held.array || !held.result || write(creator->pipe[1], "!", 1) != 1)
        return 1;
    for (;;)
        pause();
}

static void test_a_creator_that_is_killed_leaks_nothing(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGKILL, SIGINT, SIGHUP, SIGQUIT};
    for (int i = 0; i < 5; i++) {
        struct creator creator;
        char byte;
        assert_int_equal(pipe(creator.pipe), 0);
        pid_t child = test_fork(create_and_wait, &creator);
        assert_int_equal(read(creator.pipe[0], &byte, 1), 1);
        kill(child, signals[i]);
        assert_int_equal(test_join(child, 10).signal, signals[i]);
        assert_true(test_none_named("shmf-", 30));
        assert_int_equal(test_shared_bytes(), 0);
        close(creator.pipe[0]);
        close(creator.pipe[1]);
    }
}

static int open_and_exit(void *context)
{
    struct shmf_handle handle = *(struct shmf_handle *)context;
    held.array = shmf_array_open(handle, NULL);
    return is_patterned(held.array, 5000, 3) ? 0 : 1; /* not freed: it just goes */
}

static void test_somebody_elses_end_takes_nothing_from_the_owner(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    struct shmf_array *array = patterned_array(5000, 3);
    struct shmf_handle handle = shmf_array_handle(array);
    for (int i = 0; i < 5; i++)
        assert_true(test_outcome_ok(test_in_child(open_and_exit, &handle, 10)));
    for (int i = 0; i < 5; i++) {
        struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
        struct shmf_future *future = submit_with(pool, kill_myself, &input, NULL);
        failure_of(future, SHMF_E_WORKER_DIED);
        shmf_future_free(future);
    }
    assert_true(is_patterned(array, 5000, 3));
    double three = 3;
    struct shmf_task_input input = {&three, sizeof three, &handle, 1};
    assert_true(number_of(submit_with(pool, compare_with_seed, &input, NULL)) == 1);
    shmf_pool_free(pool);
    assert_true(is_patterned(array, 5000, 3));
    shmf_array_free(array);
}

static int return_a_lot(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, 1 << 20, (uint64_t)shmf_task_index(task));
}

static void test_the_end_of_a_pool_frees_all_memory_of_its_workers(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct shmf_pool *pool = pool_of(3);
        struct shmf_iter *iter = map_count(pool, return_a_lot, 12);
        struct shmf_result *kept = next_good(iter);
        for (int i = 1; i < 6; i++)
            shmf_result_free(next_good(iter)); /* and some are never asked for */
        assert_true(test_shared_bytes() >= 1 << 20);
        shmf_pool_free(pool);
        shmf_iter_free(iter);
        assert_true(is_patterned(shmf_result_array(kept), 1 << 20, 0));
        shmf_result_free(kept);
        shmf_memory_trim(0);
        assert_int_equal(test_shared_bytes(), 0);
    }
}

/* ---- the process that cleans up ----------------------------------------------------------- */

static void test_signals_of_the_terminal_do_not_end_the_process_that_cleans_up(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE, SIGUSR1};
    struct shmf_pool *pool = pool_of(2);
    pid_t supervisor = supervisor_pid(2);
    struct test_process process;
    assert_true(test_process_read(supervisor, &process));
    assert_int_not_equal(process.group, getpgrp()); /* Ctrl-C does not even reach it */
    for (int round = 0; round < 5; round++)
        for (int i = 0; i < 7; i++)
            kill(supervisor, signals[i]);
    struct shmf_future *future = submit(pool, kill_myself, NULL);
    failure_of(future, SHMF_E_WORKER_DIED); /* it reports and replaces as ever */
    shmf_future_free(future);
    assert_counts_up(map_count(pool, return_index, 100), 100);
    assert_int_equal(supervisor_pid(2), supervisor);
    shmf_pool_free(pool);
    assert_true(test_none_named("shmf-", 30));
}

static int use_everything(void *context)
{
    const char *path = context;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
        return 1;
    close(fd);
    held.pool = pool_of(2);
    held.array = patterned_array(1 << 20, 1);
    held.iter = map_count(held.pool, return_a_lot, 10);
    for (int i = 0; i < 5; i++)
        shmf_result_free(next_good(held.iter));
    held.future = submit(held.pool, kill_myself, NULL);
    return shmf_future_wait(held.future, -1, NULL); /* nothing is freed */
}

static void test_an_application_that_ends_without_freeing_anything_prints_nothing(void **state)
{
    (void)state;
    char path[] = "/tmp/shmf-stderr-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(test_outcome_ok(test_in_child(use_everything, path, 20)));
    assert_true(test_none_named("shmf-", 30));
    char text[200] = {0};
    ssize_t got = read(fd, text, sizeof text - 1);
    unlink(path);
    close(fd);
    if (got && test_slowness() <= 1) /* tools print there too */
        fail_msg("it printed: %s", text);
}

/* ---- bounds ------------------------------------------------------------------------------- */

static struct shmf_frame *three_rows(int64_t rows)
{
    static const char *const labels[] = {"a", "b", "c"};
    struct shmf_frame_spec spec = {
        .n_rows = rows, .n_columns = 2, .dtype = SHMF_FLOAT64, .row_labels = rows ? labels : NULL};
    static const double values[2][3] = {{1, 2, 3}, {4, 5, 6}};
    return shmf_frame_from_columns(&spec, (const void *[]){values[0], values[1]}, NULL, NULL);
}

static void test_positions_and_labels_outside_are_errors(void **state)
{
    (void)state;
    struct shmf_frame *frame = three_rows(3);
    double value = -1;
    struct shmf_column column;
    static const int64_t outside[] = {-1, -3, 3, INT64_MAX, INT64_MIN};
    assert_int_equal(shmf_frame_cell(frame, 2, 1, &value), SHMF_OK);
    assert_true(value == 6);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(shmf_frame_cell(frame, outside[i], 0, &value), SHMF_E_RANGE);
        assert_int_equal(shmf_frame_cell(frame, 0, outside[i], &value), SHMF_E_RANGE);
        assert_int_equal(shmf_frame_column(frame, outside[i], &column), SHMF_E_RANGE);
        assert_null(shmf_frame_data(frame, outside[i], SHMF_FLOAT64));
        assert_null(shmf_frame_row_text(frame, outside[i]).data);
        assert_int_equal(shmf_frame_row(frame, outside[i], &value), SHMF_E_RANGE);
    }
    assert_true(value == 6);
    assert_int_equal(shmf_frame_loc(frame, "d"), SHMF_E_NOTFOUND);
    assert_int_equal(shmf_frame_column_loc(frame, "d"), SHMF_E_NOTFOUND);
    shmf_frame_free(frame);
}

static void test_a_copy_is_independent_of_its_original(void **state)
{
    (void)state;
    struct shmf_frame *frame = three_rows(3);
    struct shmf_handle handle = shmf_frame_handle(frame);
    for (int way = SHMF_COPY_ON_WRITE; way <= SHMF_PRIVATE_COPY; way++) {
        struct shmf_frame *copy =
            shmf_frame_open(shmf_handle_with(handle, (enum shmf_access)way), NULL);
        double *column = shmf_frame_data_mut(copy, 0), value;
        assert_non_null(column);
        column[0] = 99;
        assert_int_equal(shmf_frame_cell(frame, 0, 0, &value), SHMF_OK);
        assert_true(value == 1);
        assert_int_equal(shmf_frame_cell(copy, 0, 0, &value), SHMF_OK);
        assert_true(value == 99);
        assert_int_equal(shmf_frame_loc(copy, "c"), 2);
        shmf_frame_free(copy);
    }
    assert_null(shmf_frame_data_mut(frame, 0));
    shmf_frame_free(frame);
}

static int count_rows(struct shmf_task *task, void *context)
{
    (void)context;
    const struct shmf_frame *frame = shmf_task_frame(task, 0);
    const struct shmf_array *array = shmf_task_array(task, 1);
    if (!frame || !array)
        return SHMF_E_TASK;
    return shmf_task_return_double(task,
                                   (double)(shmf_frame_rows(frame) + 10 * shmf_array_size(array) +
                                            100 * shmf_frame_columns(frame)));
}

static void test_empty_objects_are_valid_and_travel(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_frame *frame = three_rows(0);
    struct shmf_array *array = shmf_array_new(SHMF_FLOAT64, 2, (int64_t[]){0, 5}, NULL);
    assert_true(frame && array);
    struct shmf_handle handles[] = {shmf_frame_handle(frame), shmf_array_handle(array)};
    struct shmf_task_input input = {.handles = handles, .n_handles = 2};
    assert_true(number_of(submit_with(pool, count_rows, &input, NULL)) == 200);
    shmf_frame_free(frame);
    shmf_array_free(array);
    shmf_pool_free(pool);
}

/* ---- the heap ----------------------------------------------------------------------------- */

struct piece {
    struct shmf_array *array;
    size_t size;
    uint64_t seed;
};

static void assert_apart(const struct piece *pieces, int count)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++) {
            const char *a = shmf_array_data(pieces[i].array), *b = shmf_array_data(pieces[j].array);
            assert_true(!a || !b || a + pieces[i].size <= b || b + pieces[j].size <= a);
        }
}

/* Sizes from bytes to megabytes, many small. */
static size_t random_size(uint64_t *random)
{
    *random = *random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return 1 + (size_t)((*random >> 33) % (UINT64_C(1) << (4 + (*random >> 20) % 16)));
}

static void
test_objects_made_and_freed_at_random_never_overlap_and_all_memory_comes_back(void **state)
{
    (void)state;
    enum { most = 100 };
    struct piece pieces[most] = {{NULL, 0, 0}};
    struct shmf_memory_stats stats;
    uint64_t random = 1;
    long rounds = test_rounds(5000);
    for (long round = 0; round < rounds; round++) {
        struct piece *piece = &pieces[random_size(&random) * 7 % most];
        if (piece->array) {
            assert_true(is_patterned(piece->array, piece->size, piece->seed));
            shmf_array_free(piece->array);
        }
        piece->size = random_size(&random);
        piece->seed = random;
        piece->array = round % 3 ? patterned_array(piece->size, piece->seed) : NULL;
        if (!piece->array)
            piece->size = 0;
        if (round % 500 == 0)
            assert_apart(pieces, most);
    }
    assert_apart(pieces, most);
    shmf_memory_get_stats(&stats);
    assert_int_equal(stats.used_bytes + stats.cached_bytes, stats.reserved_bytes);
    for (int i = 0; i < most; i++) {
        assert_true(!pieces[i].array ||
                    is_patterned(pieces[i].array, pieces[i].size, pieces[i].seed));
        shmf_array_free(pieces[i].array);
    }
    shmf_memory_get_stats(&stats);
    assert_int_equal(stats.used_bytes, 0);
    shmf_memory_trim(0);
    shmf_memory_get_stats(&stats);
    assert_int_equal(stats.reserved_bytes, 0);
    assert_int_equal(test_shared_bytes(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_an_object_has_the_size_asked_for_however_it_is_opened),
        test_case(test_senseless_sizes_are_refused),
        test_case(test_what_does_not_exist_or_exists_no_more_cannot_be_opened),
        test_case(test_a_handle_travels_as_plain_bytes_and_both_views_see_what_is_written),
        test_case(test_the_size_of_a_handle_does_not_depend_on_what_it_names),
        test_case(test_workers_see_what_the_owner_writes_later),
        test_case(test_a_creator_that_is_killed_leaks_nothing),
        test_case(test_somebody_elses_end_takes_nothing_from_the_owner),
        test_case(test_the_end_of_a_pool_frees_all_memory_of_its_workers),
        test_case(test_signals_of_the_terminal_do_not_end_the_process_that_cleans_up),
        test_case(test_an_application_that_ends_without_freeing_anything_prints_nothing),
        test_case(test_positions_and_labels_outside_are_errors),
        test_case(test_a_copy_is_independent_of_its_original),
        test_with_workers(test_empty_objects_are_valid_and_travel),
        test_inline(test_empty_objects_are_valid_and_travel),
        test_case(test_objects_made_and_freed_at_random_never_overlap_and_all_memory_comes_back),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

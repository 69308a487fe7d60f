/* Tasks that fail: the code and the text come back, of one task, and the others go on. */
#include "pool_calls.h"

#include <errno.h>
#include <stdio.h>

/* One way to fail: runs in the task; what it leads to. */
struct way {
    int (*run)(struct shmf_task *task);
    int code;
    const char *says;
};

static int with_a_message(struct shmf_task *task)
{
    return shmf_task_fail(task, SHMF_E_NOTFOUND, "no row labelled %s", "Idx-7");
}

static int with_a_positive_code(struct shmf_task *task)
{
    return shmf_task_fail(task, ENOENT, "no file %d", 3);
}

static int the_first_word_counts(struct shmf_task *task)
{
    shmf_task_fail(task, SHMF_E_RANGE, "first");
    return shmf_task_fail(task, SHMF_E_DTYPE, "second");
}

static int with_a_plain_code(struct shmf_task *task)
{
    (void)task;
    return SHMF_E_TIMEOUT;
}

static int with_a_positive_number(struct shmf_task *task)
{
    (void)task;
    return 123456;
}

static int with_an_unknown_code(struct shmf_task *task)
{
    (void)task;
    return -123456;
}

static int after_a_result(struct shmf_task *task)
{
    return_patterned(task, 100000, 0);
    return shmf_task_fail(task, SHMF_E_TASK, "changed its mind");
}

static int without_an_object(struct shmf_task *task)
{
    return shmf_task_return_array(task, NULL);
}

static int without_a_frame(struct shmf_task *task)
{
    return shmf_task_return_frame(task, NULL);
}

static int with_an_array_that_it_did_not_make(struct shmf_task *task)
{
    struct shmf_array *array = patterned_array(100, 0);
    int rc = shmf_task_return_array(task, array);
    shmf_array_free(array);
    return rc;
}

static int with_its_input(struct shmf_task *task)
{
    return shmf_task_return_array(task, shmf_task_array(task, 0));
}

static int without_bytes(struct shmf_task *task)
{
    return shmf_task_return_bytes(task, NULL, 8);
}

static int with_too_many_bytes(struct shmf_task *task)
{
    return shmf_task_return_bytes(task, "x", SIZE_MAX);
}

static int by_a_handle_too_far(struct shmf_task *task)
{
    return shmf_task_array(task, 2) ? 0 : -1;
}

static int by_an_array_that_is_a_frame(struct shmf_task *task)
{
    return shmf_task_frame(task, 0) ? 0 : -1;
}

static int by_an_unknown_label(struct shmf_task *task)
{
    struct shmf_frame *frame = shmf_task_frame(task, 1);
    int64_t row = shmf_frame_loc(frame, "Idx-99");
    return row < 0 ? shmf_task_fail(task, (int)row, "no row labelled %s", "Idx-99") : 0;
}

static int by_a_wrong_dtype(struct shmf_task *task)
{
    struct shmf_frame *frame = shmf_task_frame(task, 1);
    int64_t number = shmf_frame_loc_number(frame, 5);
    if (shmf_frame_data(frame, 0, SHMF_INT32))
        return shmf_task_fail(task, SHMF_E_CORRUPT, "it is not an int32");
    return number < 0 ? shmf_task_fail(task, (int)number, "labels are text") : 0;
}

static int by_a_negative_shape(struct shmf_task *task)
{
    return shmf_task_new_array(task, SHMF_FLOAT64, 2, (int64_t[]){3, -1}) ? 0 : -1;
}

static int by_a_shape_that_overflows(struct shmf_task *task)
{
    int64_t shape[] = {INT64_C(1) << 31, INT64_C(1) << 31, 8};
    return shmf_task_new_array(task, SHMF_FLOAT64, 3, shape) ? 0 : -1;
}

static int by_a_frame_that_overflows(struct shmf_task *task)
{
    struct shmf_frame_spec spec = {
        .n_rows = INT64_MAX / 8, .n_columns = 100, .dtype = SHMF_FLOAT64};
    return shmf_task_new_frame(task, &spec) ? 0 : -1;
}

static const struct way ways[] = {
    {with_a_message, SHMF_E_NOTFOUND, "no row labelled Idx-7"},
    {with_a_positive_code, SHMF_E_TASK, "no file 3"},
    {the_first_word_counts, SHMF_E_RANGE, "first"},
    {with_a_plain_code, SHMF_E_TIMEOUT, "-21"},
    {with_a_positive_number, SHMF_E_TASK, "123456"},
    {with_an_unknown_code, SHMF_E_TASK, "-123456"},
    {after_a_result, SHMF_E_TASK, "changed its mind"},
    {without_an_object, SHMF_E_INVAL, "array: NULL"},
    {without_a_frame, SHMF_E_INVAL, "frame: NULL"},
    {with_an_array_that_it_did_not_make, SHMF_E_INVAL, "not made by this task"},
    {with_its_input, SHMF_E_INVAL, "not made by this task"},
    {without_bytes, SHMF_E_INVAL, "bytes"},
    {with_too_many_bytes, SHMF_E_TOOBIG, "size"},
    {by_a_handle_too_far, SHMF_E_RANGE, "handle 2"},
    {by_an_array_that_is_a_frame, SHMF_E_INVAL, "handle 0"},
    {by_an_unknown_label, SHMF_E_NOTFOUND, "Idx-99"},
    {by_a_wrong_dtype, SHMF_E_DTYPE, "labels are text"},
    {by_a_negative_shape, SHMF_E_INVAL, "-1"},
    {by_a_shape_that_overflows, SHMF_E_TOOBIG, ""},
    {by_a_frame_that_overflows, SHMF_E_TOOBIG, ""},
};
enum { n_ways = sizeof ways / sizeof *ways };

/* Every second task fails. */
static int fail_in_some_way(struct shmf_task *task, void *context)
{
    (void)context;
    int64_t index = shmf_task_index(task);
    return index % 2 ? ways[index / 2].run(task) : return_index(task, NULL);
}

static struct shmf_frame *labelled_frame(void)
{
    static const char *const rows[] = {"Idx-0", "Idx-1"};
    static const double data[] = {1, 2};
    struct shmf_frame_spec spec = {
        .n_rows = 2, .n_columns = 1, .dtype = SHMF_FLOAT64, .row_labels = rows};
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_frame_from_matrix(&spec, data, 8, 8, &err);
    if (!frame)
        fail_msg("no frame: %s", err.message);
    return frame;
}

static void assert_failed(struct shmf_result *result, const struct way *way, bool is_inline)
{
    const struct shmf_failure *failure = shmf_result_failure(result);
    assert_non_null(failure);
    if (failure->code != way->code || !strstr(failure->message, way->says))
        fail_msg("%s: '%s', but expected was %s about '%s'", shmf_status_name(failure->code),
                 failure->message, shmf_status_name(way->code), way->says);
    assert_int_equal(shmf_result_status(result), way->code);
    assert_int_equal(failure->signal, 0);
    assert_int_equal(failure->exit_status, -1);
    assert_int_equal(failure->attempts, 1);
    assert_int_equal(failure->worker >= 0, !is_inline);
    assert_int_equal(failure->pid > 0, !is_inline);
    assert_null(shmf_result_array(result));
    assert_null(shmf_result_frame(result));
    assert_null(shmf_result_bytes(result, NULL));
    assert_null(shmf_result_take_array(result));
}

static void test_every_failure_comes_back_with_its_code_and_its_words(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *array = patterned_array(100, 0);
    struct shmf_frame *frame = labelled_frame();
    struct shmf_handle handles[] = {shmf_array_handle(array), shmf_frame_handle(frame)};
    struct shmf_tasks tasks = {.count = 2 * n_ways, .handles = handles, .n_handles = 2};
    struct shmf_imap_options options = {.attempts = 3};
    struct shmf_iter *iter = map(pool, fail_in_some_way, &tasks, &options);
    for (int i = 0; i < 2 * n_ways; i++) {
        struct shmf_result *result = next_any(iter);
        if (i % 2)
            assert_failed(result, &ways[i / 2], *(int *)*state == SHMF_INLINE);
        else
            assert_true(shmf_result_double(result) == i);
        shmf_result_free(result);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    struct shmf_pool_stats stats;
    shmf_pool_get_stats(pool, &stats);
    assert_int_equal(stats.tasks_failed, n_ways);
    assert_int_equal(stats.workers_died, 0);
    shmf_frame_free(frame);
    shmf_array_free(array);
    shmf_pool_free(pool);
}

static int fail_at_length(struct shmf_task *task, void *context)
{
    (void)context;
    char text[1000];
    memset(text, 'x', sizeof text);
    return shmf_task_fail(task, SHMF_E_TASK, "%.*s", (int)shmf_task_index(task) * 50, text);
}

static void test_a_message_of_a_thousand_characters_is_cut(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, fail_at_length, 21);
    for (size_t i = 0; i < 21; i++) {
        struct shmf_result *result = next_any(iter);
        const struct shmf_failure *failure = shmf_result_failure(result);
        size_t most = SHMF_ERROR_MESSAGE_SIZE - 1;
        assert_int_equal(strlen(failure->message), i * 50 < most ? i * 50 : most);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static int cope(struct shmf_task *task, void *context)
{
    (void)context;
    if (shmf_task_array(task, 5))
        return shmf_task_fail(task, SHMF_E_TASK, "there is no handle 5");
    return return_index(task, NULL);
}

static void test_a_task_that_copes_with_an_error_does_not_fail(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    assert_counts_up(map_count(pool, cope, 10), 10);
    shmf_pool_free(pool);
}

static int return_nothing_much(struct shmf_task *task, void *context)
{
    (void)context;
    if (shmf_task_index(task) % 2) {
        struct shmf_array *array = shmf_task_new_array(task, SHMF_FLOAT64, 2, (int64_t[]){0, 7});
        return array ? shmf_task_return_array(task, array) : SHMF_E_TASK;
    }
    int64_t rows = shmf_task_index(task) % 4 ? 0 : 3, columns = rows ? 0 : 3;
    struct shmf_frame_spec spec = {.n_rows = rows, .n_columns = columns, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame = shmf_task_new_frame(task, &spec);
    return frame ? shmf_task_return_frame(task, frame) : SHMF_E_TASK;
}

static void test_objects_without_rows_or_columns_are_results_like_others(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_nothing_much, 12);
    for (int i = 0; i < 12; i++) {
        struct shmf_result *result = next_good(iter);
        if (i % 2) {
            assert_int_equal(shmf_array_size(shmf_result_array(result)), 0);
            assert_int_equal(shmf_array_shape(shmf_result_array(result))[1], 7);
        } else {
            const struct shmf_frame *frame = shmf_result_frame(result);
            assert_non_null(frame);
            assert_int_equal(shmf_frame_rows(frame), i % 4 ? 0 : 3);
            assert_int_equal(shmf_frame_columns(frame), i % 4 ? 3 : 0);
        }
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_with_workers(test_every_failure_comes_back_with_its_code_and_its_words),
        test_inline(test_every_failure_comes_back_with_its_code_and_its_words),
        test_with_workers(test_a_message_of_a_thousand_characters_is_cut),
        test_inline(test_a_message_of_a_thousand_characters_is_cut),
        test_with_workers(test_a_task_that_copes_with_an_error_does_not_fail),
        test_inline(test_a_task_that_copes_with_an_error_does_not_fail),
        test_with_workers(test_objects_without_rows_or_columns_are_results_like_others),
        test_inline(test_objects_without_rows_or_columns_are_results_like_others),
    };
    return cmocka_run_group_tests_name("pool: tasks that fail", tests, NULL, NULL);
}

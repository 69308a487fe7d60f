/* In-place work: tasks write slices of one array; nobody else's, and nothing is left undefined
 * without being named. */
#include "future_calls.h"

#include <shmframe/map.h>

enum { ROWS = 1000, COLUMNS = 7 };

static struct shmf_array *grantable(int64_t rows)
{
    struct shmf_error err = {0};
    struct shmf_array *array =
        shmf_array_new_grantable(SHMF_INT64, 2, (int64_t[]){rows, COLUMNS}, &err);
    if (!array)
        fail_msg("no array: %s", err.message);
    memset(shmf_array_data_mut(array), 0, (size_t)rows * COLUMNS * sizeof(int64_t));
    return array;
}

static struct shmf_handle grant(struct shmf_array *array, int64_t begin, int64_t end)
{
    struct shmf_error err = {0};
    struct shmf_handle handle = shmf_array_grant(array, begin, end, &err);
    if (!handle.region)
        fail_msg("not granted: %s", err.message);
    return handle;
}

static int64_t at(const struct shmf_array *array, int64_t row, int64_t column)
{
    return ((const int64_t *)shmf_array_data(array))[row * COLUMNS + column];
}

static int64_t value_at(int64_t row, int64_t column)
{
    return 1000 * row + column + 1;
}

/* Fills the slice behind handle 0 as value_at() says. */
static int fill_slice(struct shmf_task *task)
{
    struct shmf_array *slice = shmf_task_array(task, 0);
    int64_t *out = shmf_array_data_mut(slice);
    if (!out)
        return SHMF_E_TASK;
    int64_t first = shmf_task_handle(task, 0).begin;
    for (int64_t r = 0; r < shmf_array_shape(slice)[0]; r++)
        for (int64_t c = 0; c < COLUMNS; c++)
            out[r * COLUMNS + c] = value_at(first + r, c);
    return 0;
}

static void assert_filled(const struct shmf_array *array, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++)
        for (int64_t c = 0; c < COLUMNS; c++)
            assert_true(at(array, r, c) == value_at(r, c));
}

static void assert_zero(const struct shmf_array *array, int64_t begin, int64_t end)
{
    for (int64_t r = begin; r < end; r++)
        for (int64_t c = 0; c < COLUMNS; c++)
            assert_true(at(array, r, c) == 0);
}

/* ---- one output filled by all ------------------------------------------------------------- */

static int fill_part(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    (void)context;
    struct shmf_array *slice = shmf_task_array(task, 0);
    if (!slice)
        return SHMF_E_TASK;
    if (shmf_task_handle(task, 0).begin != begin || shmf_array_shape(slice)[0] != end - begin)
        return shmf_task_fail(task, SHMF_E_INVAL, "not the rows of the part");
    return fill_slice(task);
}

static void fill_by_for(struct shmf_pool *pool, struct shmf_for_options options)
{
    struct shmf_error err = {0};
    struct shmf_array *out = grantable(ROWS);
    struct shmf_handle all = grant(out, 0, ROWS);
    options.handles = &all;
    options.n_handles = 1;
    int rc = shmf_pool_for(pool, 100, ROWS, fill_part, NULL, &options, &err);
    if (rc)
        fail_msg("%s: %s", shmf_status_name(rc), err.message);
    assert_zero(out, 0, 100);
    assert_filled(out, 100, ROWS);
    shmf_array_free(out);
}

static void test_parts_of_a_loop_fill_one_array(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    fill_by_for(pool, (struct shmf_for_options){0});
    fill_by_for(pool, (struct shmf_for_options){.grain = 1});
    fill_by_for(pool, (struct shmf_for_options){.grain = 33, .caller_too = 1});
    fill_by_for(pool, (struct shmf_for_options){.caller_too = 1});
    shmf_pool_free(pool);
}

static void test_eight_workers_fill_one_array(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(8);
    for (int i = 0; i < 10; i++)
        fill_by_for(pool, (struct shmf_for_options){.grain = 1 + 7 * i});
    shmf_pool_free(pool);
}

static int fill_row(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_handle handle = shmf_task_handle(task, 0);
    int64_t index = shmf_task_index(task);
    if (handle.begin != index || handle.end != index + 1)
        return shmf_task_fail(task, SHMF_E_INVAL, "not the task's row");
    return fill_slice(task);
}

static void test_task_i_of_a_call_may_write_row_i(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *out = grantable(ROWS);
    struct shmf_handle all = grant(out, 0, ROWS);
    struct shmf_tasks tasks = {.count = ROWS, .handles = &all, .n_handles = 1};
    struct shmf_iter *iter = map(pool, fill_row, &tasks, NULL);
    for (int i = 0; i < ROWS; i++)
        shmf_result_free(next_good(iter));
    assert_ends(iter);
    shmf_iter_free(iter);
    assert_filled(out, 0, ROWS);
    shmf_array_free(out);
    shmf_pool_free(pool);
}

static int fill_row_with_arg(struct shmf_task *task, void *context)
{
    if (*(const int64_t *)shmf_task_arg(task) != shmf_task_index(task))
        return shmf_task_fail(task, SHMF_E_INVAL, "not the element's argument");
    return fill_row(task, context);
}

static void test_element_i_of_a_map_may_write_row_i(void **state)
{
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *out = grantable(ROWS);
    struct shmf_handle all = grant(out, 0, ROWS);
    int64_t args[ROWS];
    for (int64_t i = 0; i < ROWS; i++)
        args[i] = i;
    struct shmf_tasks tasks = {
        .count = ROWS, .args = args, .arg_size = sizeof *args, .handles = &all, .n_handles = 1};
    int rc = shmf_pool_map(pool, fill_row_with_arg, &tasks, NULL, NULL, 0, NULL, &err);
    if (rc)
        fail_msg("%s: %s", shmf_status_name(rc), err.message);
    assert_filled(out, 0, ROWS);
    shmf_array_free(out);
    shmf_pool_free(pool);
}

/* ---- slices named by the caller ----------------------------------------------------------- */

struct slices {
    struct shmf_handle handle;
    const int64_t (*rows)[2];
    int64_t count, next;
};

static int next_slice(struct shmf_task_input *input, void *user)
{
    struct slices *slices = user;
    if (slices->next == slices->count)
        return 0;
    const int64_t *rows = slices->rows[slices->next++];
    slices->handle = shmf_handle_slice(slices->handle, rows[0], rows[1]);
    input->handles = &slices->handle;
    input->n_handles = 1;
    return 1;
}

static int fill_any(struct shmf_task *task, void *context)
{
    (void)context;
    return fill_slice(task);
}

static struct shmf_iter *fill_slices(struct shmf_pool *pool, struct slices *slices)
{
    struct shmf_tasks tasks = {.count = -1, .next = next_slice, .user = slices};
    return map(pool, fill_any, &tasks, NULL);
}

static void test_tasks_get_the_slices_of_their_handles(void **state)
{
    static const int64_t rows[][2] = {{900, 1000}, {0, 1}, {300, 900}, {5, 5}, {1, 7}, {0, 0}};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *out = grantable(ROWS);
    struct slices slices = {grant(out, 0, ROWS), rows, 6, 0};
    struct shmf_iter *iter = fill_slices(pool, &slices);
    for (int i = 0; i < 6; i++)
        shmf_result_free(next_good(iter));
    assert_ends(iter);
    shmf_iter_free(iter);
    assert_filled(out, 0, 7);
    assert_zero(out, 7, 300);
    assert_filled(out, 300, ROWS);
    shmf_array_free(out);
    shmf_pool_free(pool);
}

/* The iteration goes well for `good` tasks and then fails with a message that has both texts. */
static void assert_refused(struct shmf_iter *iter, int good, int code, const char *one,
                           const char *other)
{
    struct shmf_error err = {0};
    struct shmf_result *result;
    for (int i = 0; i < good; i++)
        shmf_result_free(next_good(iter));
    int rc = shmf_iter_next(iter, &result, &err);
    assert_int_equal(rc, code);
    if (!strstr(err.message, one) || !strstr(err.message, other))
        fail_msg("message: %s", err.message);
    shmf_iter_free(iter);
}

static void test_slices_of_one_call_that_overlap_are_refused_whenever_they_run(void **state)
{
    static const int64_t rows[][2] = {{0, 10}, {20, 30}, {10, 20}, {40, 50}, {29, 31}};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *out = grantable(ROWS);
    for (int64_t run = 0; run < 20; run++) {
        struct slices slices = {grant(out, 0, ROWS), rows, 5, 0};
        assert_refused(fill_slices(pool, &slices), 4, SHMF_E_ACCESS, "rows [29, 31)", "30)");
    }
    struct slices fine = {grant(out, 0, ROWS), rows, 4, 0};
    struct shmf_iter *iter = fill_slices(pool, &fine);
    for (int i = 0; i < 4; i++)
        shmf_result_free(next_good(iter));
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_array_free(out);
    shmf_pool_free(pool);
}

static int wait_for_flag(struct shmf_task *task, void *context)
{
    atomic_int *flag = context;
    while (shmf_task_worker(task) >= 0 && !atomic_load(flag))
        usleep(100);
    return fill_slice(task);
}

static struct shmf_future *submit_slice(struct shmf_pool *pool, shmf_task_fn fn, void *context,
                                        struct shmf_handle handle, struct shmf_error *err)
{
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    struct shmf_submit_options options = {.context = context};
    return shmf_pool_submit(pool, fn, &input, &options, err);
}

static void test_a_slice_that_another_call_has_is_refused_until_that_is_over(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    atomic_int *flag = shared_memory(sizeof *flag);
    struct shmf_pool *pool = pool_of(2), *other = pool_of(1);
    struct shmf_array *out = grantable(ROWS);
    struct shmf_future *first = submit_slice(pool, wait_for_flag, flag, grant(out, 0, 10), &err);
    assert_non_null(first);
    for (int i = 0; i < 2; i++) {
        struct shmf_future *second =
            submit_slice(i ? other : pool, wait_for_flag, flag, grant(out, 9, 12), &err);
        assert_null(second);
        assert_int_equal(err.code, SHMF_E_ACCESS);
        assert_non_null(strstr(err.message, "rows [9, 12) overlap rows [0, 10)"));
    }
    struct shmf_future *third = submit_slice(other, fill_any, NULL, grant(out, 10, 12), &err);
    assert_non_null(third);
    atomic_store(flag, 1);
    assert_int_equal(shmf_future_wait(first, -1, &err), SHMF_OK);
    assert_int_equal(shmf_future_wait(third, -1, &err), SHMF_OK);
    struct shmf_future *again = submit_slice(other, fill_any, NULL, grant(out, 9, 12), &err);
    assert_non_null(again);
    assert_int_equal(shmf_future_wait(again, -1, &err), SHMF_OK);
    assert_int_equal(shmf_result_status(shmf_future_result(again)), SHMF_OK);
    assert_filled(out, 0, 12);
    shmf_future_free(first);
    shmf_future_free(third);
    shmf_future_free(again);
    shmf_array_free(out);
    shmf_pool_free(other);
    shmf_pool_free(pool);
    munmap(flag, sizeof *flag);
}

static void test_futures_that_wait_for_a_slot_have_their_slices(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    enum { MANY = 40 };
    struct shmf_future *futures[MANY];
    atomic_int *flag = shared_memory(sizeof *flag);
    struct shmf_pool *pool = pool_with(&(struct shmf_pool_options){.workers = 1, .window = 4});
    struct shmf_array *out = grantable(ROWS);
    for (int i = 0; i < MANY; i++)
        futures[i] = submit_slice(pool, wait_for_flag, flag, grant(out, i, i + 1), &err);
    assert_null(submit_slice(pool, wait_for_flag, flag, grant(out, MANY - 1, ROWS), &err));
    assert_int_equal(err.code, SHMF_E_ACCESS);
    shmf_future_free(futures[MANY - 1]); /* did not start: its slice is free again */
    futures[MANY - 1] = submit_slice(pool, wait_for_flag, flag, grant(out, MANY - 1, ROWS), &err);
    assert_non_null(futures[MANY - 1]);
    atomic_store(flag, 1);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(shmf_future_wait(futures[i], -1, &err), SHMF_OK);
        assert_int_equal(shmf_result_status(shmf_future_result(futures[i])), SHMF_OK);
        shmf_future_free(futures[i]);
    }
    assert_filled(out, 0, ROWS);
    shmf_array_free(out);
    shmf_pool_free(pool);
    munmap(flag, sizeof *flag);
}

/* ---- what is no grant --------------------------------------------------------------------- */

static void test_what_was_not_made_for_granting_is_refused(void **state)
{
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *plain = shmf_array_new(SHMF_INT64, 2, (int64_t[]){ROWS, COLUMNS}, &err);
    assert_true(shmf_array_grant(plain, 0, 1, &err).region == 0);
    assert_int_equal(err.code, SHMF_E_ACCESS);
    struct shmf_handle forged = shmf_handle_with(shmf_array_handle(plain), SHMF_WRITABLE);
    assert_null(submit_slice(pool, fill_any, NULL, forged, &err));
    assert_int_equal(err.code, SHMF_E_ACCESS);
    assert_non_null(strstr(err.message, "handles[0]"));
    struct shmf_for_options options = {.handles = &forged, .n_handles = 1};
    assert_int_equal(shmf_pool_for(pool, 0, 10, fill_part, NULL, &options, &err), SHMF_E_ACCESS);
    shmf_array_free(plain);
    shmf_pool_free(pool);
}

static void test_rows_beyond_the_grant_and_stale_handles_are_refused(void **state)
{
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *out = grantable(ROWS);
    struct shmf_handle handle = grant(out, 10, 20);
    assert_true(shmf_array_grant(out, 0, ROWS + 1, &err).region == 0);
    assert_int_equal(err.code, SHMF_E_RANGE);
    struct shmf_for_options options = {.handles = &handle, .n_handles = 1};
    assert_int_equal(shmf_pool_for(pool, 9, 20, fill_part, NULL, &options, &err), SHMF_E_RANGE);
    assert_int_equal(shmf_pool_for(pool, 10, 21, fill_part, NULL, &options, &err), SHMF_E_RANGE);
    assert_int_equal(shmf_pool_for(pool, -1, 5, fill_part, NULL, &options, &err), SHMF_E_RANGE);
    struct shmf_handle far = shmf_handle_slice(handle, ROWS, ROWS + 1);
    struct shmf_future *future = submit_slice(pool, fill_any, NULL, far, &err);
    assert_non_null(future);
    assert_int_equal(shmf_future_wait(future, -1, &err), SHMF_OK);
    assert_int_equal(shmf_result_status(shmf_future_result(future)), SHMF_E_RANGE);
    shmf_future_free(future);
    assert_zero(out, 0, ROWS);
    shmf_array_free(out);
    assert_null(submit_slice(pool, fill_any, NULL, handle, &err));
    assert_int_equal(err.code, SHMF_E_STALE);
    shmf_pool_free(pool);
}

/* ---- read-only otherwise ------------------------------------------------------------------ */

static int write_through_the_read_only_handle(struct shmf_task *task, void *context)
{
    (void)context;
    if (!shmf_array_data_mut(shmf_task_array(task, 0)) ||
        shmf_array_data_mut(shmf_task_array(task, 1)))
        return shmf_task_fail(task, SHMF_E_INVAL, "the wrong one is writable");
    *(int64_t *)(uintptr_t)shmf_array_data(shmf_task_array(task, 1)) = 1;
    return 0;
}

static int write_through_the_inherited_pointer(struct shmf_task *task, void *context)
{
    if (!shmf_array_data_mut(shmf_task_array(task, 0)))
        return SHMF_E_TASK;
    *(int64_t *)(uintptr_t)shmf_array_data(context) = 1;
    return 0;
}

static void test_a_worker_writes_only_through_what_was_granted(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_array *out = grantable(ROWS);
    struct shmf_pool *pool = pool_of(1);
    struct shmf_handle both[] = {grant(out, 0, 1), shmf_array_handle(out)};
    struct shmf_task_input input = {.handles = both, .n_handles = 2};
    struct shmf_submit_options options = {.context = out};
    shmf_task_fn tasks[] = {write_through_the_read_only_handle,
                            write_through_the_inherited_pointer};
    for (int i = 0; i < 2; i++) {
        struct shmf_result *result = shmf_pool_apply(pool, tasks[i], &input, &options, &err);
        assert_non_null(result);
        assert_int_equal(shmf_result_failure(result)->signal, SIGSEGV);
        shmf_result_free(result);
    }
    assert_zero(out, 0, ROWS);
    shmf_array_free(out);
    shmf_pool_free(pool);
}

/* The mappings of segments that the worker has, as the task's result; others come and go with
 * allocators and their checkers. */
static int count_mappings(struct shmf_task *task, void *context)
{
    (void)context;
    if (fill_slice(task))
        return SHMF_E_TASK;
    FILE *maps = fopen("/proc/self/maps", "r");
    double segments = 0;
    for (char line[512]; maps && fgets(line, sizeof line, maps);)
        segments += strstr(line, "memfd:shmf") != NULL;
    if (maps)
        fclose(maps);
    return shmf_task_return_double(task, segments);
}

static void test_calls_that_follow_map_nothing_anew(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of(1);
    double first = 0;
    for (int i = 0; i < 20; i++) {
        struct shmf_array *out = grantable(ROWS); /* in the memory of the one before */
        struct shmf_handle handle = grant(out, i, ROWS);
        struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
        struct shmf_result *result = shmf_pool_apply(pool, count_mappings, &input, NULL, &err);
        assert_good(result);
        double segments = shmf_result_double(result);
        shmf_result_free(result);
        assert_filled(out, i, ROWS);
        shmf_array_free(out);
        first = i == 0 ? segments : first;
        assert_true(segments >= 1 && segments <= first);
    }
    shmf_pool_free(pool);
}

static void test_the_object_may_be_freed_while_tasks_write_it(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    atomic_int *flag = shared_memory(sizeof *flag);
    struct shmf_pool *pool = pool_of(1);
    struct shmf_array *out = grantable(ROWS);
    struct shmf_future *future = submit_slice(pool, wait_for_flag, flag, grant(out, 0, ROWS), &err);
    shmf_array_free(out);
    atomic_store(flag, 1);
    assert_int_equal(shmf_future_wait(future, -1, &err), SHMF_OK);
    assert_int_equal(shmf_result_status(shmf_future_result(future)), SHMF_OK);
    shmf_future_free(future);
    shmf_pool_free(pool);
    munmap(flag, sizeof *flag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_parts_of_a_loop_fill_one_array),
        test_inline(test_parts_of_a_loop_fill_one_array),
        test_case(test_eight_workers_fill_one_array),
        test_with_workers(test_task_i_of_a_call_may_write_row_i),
        test_inline(test_task_i_of_a_call_may_write_row_i),
        test_with_workers(test_element_i_of_a_map_may_write_row_i),
        test_inline(test_element_i_of_a_map_may_write_row_i),
        test_with_workers(test_tasks_get_the_slices_of_their_handles),
        test_inline(test_tasks_get_the_slices_of_their_handles),
        test_with_workers(test_slices_of_one_call_that_overlap_are_refused_whenever_they_run),
        test_inline(test_slices_of_one_call_that_overlap_are_refused_whenever_they_run),
        test_case(test_a_slice_that_another_call_has_is_refused_until_that_is_over),
        test_case(test_futures_that_wait_for_a_slot_have_their_slices),
        test_with_workers(test_what_was_not_made_for_granting_is_refused),
        test_inline(test_what_was_not_made_for_granting_is_refused),
        test_with_workers(test_rows_beyond_the_grant_and_stale_handles_are_refused),
        test_inline(test_rows_beyond_the_grant_and_stale_handles_are_refused),
        test_case(test_a_worker_writes_only_through_what_was_granted),
        test_case(test_calls_that_follow_map_nothing_anew),
        test_case(test_the_object_may_be_freed_while_tasks_write_it),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

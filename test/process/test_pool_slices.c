/* Frames in slices: tasks read rows of one, and write rows of one that is being built. */
#include "future_calls.h"

#include <shmframe/map.h>

enum { ROWS = 1000 };

enum { NUMBER, FLAG, MAYBE, N_COLUMNS };

static const struct shmf_column_spec columns[N_COLUMNS] = {
    {"number", SHMF_FLOAT64, 0}, {"flag", SHMF_BOOL, 0}, {"maybe", SHMF_INT32, 1}};

static struct shmf_frame *building(int64_t n_columns)
{
    struct shmf_error err = {0};
    struct shmf_frame_spec spec = {.n_rows = ROWS, .n_columns = n_columns, .columns = columns};
    struct shmf_frame *frame = shmf_frame_new_grantable(&spec, &err);
    if (!frame)
        fail_msg("no frame: %s", err.message);
    return frame;
}

static void set_bit(uint8_t *bits, int64_t i, bool value)
{
    uint8_t mask = (uint8_t)(1u << i % 8);
    bits[i / 8] = (uint8_t)(value ? bits[i / 8] | mask : bits[i / 8] & ~mask);
}

/* Row r: r / 2, r is a multiple of 3, and null where it is one of 5. */
static int fill_rows(struct shmf_task *task, int64_t begin, int64_t end, void *unused)
{
    (void)unused;
    struct shmf_frame *rows = shmf_task_frame(task, 0);
    double *number = shmf_frame_data_mut(rows, NUMBER);
    if (!number || shmf_frame_rows(rows) != end - begin)
        return SHMF_E_TASK;
    uint8_t *flag = shmf_frame_data_mut(rows, FLAG);
    int32_t *maybe = shmf_frame_data_mut(rows, MAYBE);
    uint8_t *valid = shmf_frame_validity_mut(rows, MAYBE);
    for (int64_t r = begin; r < end; r++) {
        number[r - begin] = (double)r / 2;
        if (!flag)
            continue;
        set_bit(flag, r - begin, r % 3 == 0);
        maybe[r - begin] = (int32_t)r;
        set_bit(valid, r - begin, r % 5 != 0);
    }
    return 0;
}

static void assert_rows(const struct shmf_frame *frame)
{
    struct shmf_error err = {0};
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, &err), SHMF_OK);
    for (int64_t r = 0; r < ROWS; r++) {
        double number;
        int64_t flag, maybe;
        assert_int_equal(shmf_frame_cell(frame, r, NUMBER, &number), SHMF_OK);
        assert_true(number == (double)r / 2);
        assert_int_equal(shmf_frame_cell_int64(frame, r, FLAG, &flag), SHMF_OK);
        assert_int_equal(flag, r % 3 == 0);
        assert_int_equal(shmf_frame_is_null(frame, r, MAYBE), r % 5 == 0);
        if (r % 5) {
            assert_int_equal(shmf_frame_cell_int64(frame, r, MAYBE, &maybe), SHMF_OK);
            assert_true(maybe == r);
        }
    }
}

static int fill_frame(struct shmf_pool *pool, struct shmf_frame *frame, int64_t grain,
                      struct shmf_error *err)
{
    struct shmf_handle all = shmf_frame_grant(frame, 0, ROWS, err);
    assert_true(all.region);
    struct shmf_for_options options = {
        .grain = grain, .caller_too = grain == 64, .handles = &all, .n_handles = 1};
    return shmf_pool_for(pool, 0, ROWS, fill_rows, NULL, &options, err);
}

static void test_a_frame_is_filled_by_all_workers(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    for (int64_t grain = 0; grain <= 128; grain += 64) {
        struct shmf_error err = {0};
        struct shmf_frame *frame = building(N_COLUMNS);
        int rc = fill_frame(pool, frame, grain, &err);
        if (rc)
            fail_msg("%s: %s", shmf_status_name(rc), err.message);
        assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
        assert_rows(frame);
        assert_true(shmf_frame_grant(frame, 0, ROWS, &err).region == 0);
        assert_int_equal(err.code, SHMF_E_ACCESS);
        shmf_frame_free(frame);
    }
    shmf_pool_free(pool);
}

static void test_rows_whose_bits_share_bytes_are_not_granted_apart(void **state)
{
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_frame *frame = building(N_COLUMNS), *plain = building(1);
    assert_int_equal(fill_frame(pool, frame, 100, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "multiples of 64"));
    assert_true(shmf_frame_grant(frame, 0, 63, &err).region == 0);
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_int_equal(fill_frame(pool, plain, 7, &err), SHMF_OK);
    shmf_frame_free(frame);
    shmf_frame_free(plain);
    shmf_pool_free(pool);
}

static void test_text_is_not_written_in_slices(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_column_spec text = {"name", SHMF_UTF8, 0};
    struct shmf_frame_spec spec = {.n_rows = 3, .n_columns = 1, .columns = &text};
    assert_null(shmf_frame_new_grantable(&spec, &err));
    assert_int_equal(err.code, SHMF_E_DTYPE);
    assert_non_null(strstr(err.message, "column 0"));
}

static int finish_it(struct shmf_task *task, void *unused)
{
    (void)unused;
    struct shmf_error err = {0};
    struct shmf_frame *rows = shmf_task_frame(task, 0);
    if (!rows)
        return SHMF_E_TASK;
    return shmf_task_fail(task, shmf_frame_finish(rows, &err), "%s", err.message);
}

static int status_with(struct shmf_pool *pool, shmf_task_fn fn, struct shmf_handle handle)
{
    struct shmf_error err = {0};
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    struct shmf_result *result = shmf_pool_apply(pool, fn, &input, NULL, &err);
    if (!result)
        fail_msg("no result: %s", err.message);
    int status = shmf_result_status(result);
    shmf_result_free(result);
    return status;
}

static void test_only_the_owner_finishes_a_frame_and_then_nobody_writes_it(void **state)
{
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_frame *frame = building(N_COLUMNS);
    struct shmf_handle handle = shmf_frame_grant(frame, 0, ROWS, &err);
    assert_int_equal(status_with(pool, finish_it, handle), SHMF_E_ACCESS);
    assert_int_equal(fill_frame(pool, frame, 0, &err), SHMF_OK);
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    assert_int_equal(status_with(pool, finish_it, handle), SHMF_E_ACCESS);
    assert_rows(frame);
    shmf_frame_free(frame);
    shmf_pool_free(pool);
}

/* ---- reading ------------------------------------------------------------------------------ */

static int sum_rows(struct shmf_task *task, void *unused)
{
    (void)unused;
    const struct shmf_frame *rows = shmf_task_frame(task, 0);
    const double *number = shmf_frame_data(rows, NUMBER, SHMF_FLOAT64);
    double sum = 0;
    if (!rows)
        return SHMF_E_TASK;
    for (int64_t r = 0; r < shmf_frame_rows(rows); r++)
        sum += 2 * number[r];
    return shmf_task_return_double(task, sum);
}

static int sum_elements(struct shmf_task *task, void *unused)
{
    (void)unused;
    const struct shmf_array *part = shmf_task_array(task, 0);
    const int64_t *data = shmf_array_data(part);
    int64_t sum = 0;
    for (int64_t i = 0; i < shmf_array_size(part); i++)
        sum += data[i];
    return part ? shmf_task_return_double(task, (double)sum) : SHMF_E_TASK;
}

static double result_with(struct shmf_pool *pool, shmf_task_fn fn, struct shmf_handle handle)
{
    struct shmf_error err = {0};
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    struct shmf_result *result = shmf_pool_apply(pool, fn, &input, NULL, &err);
    assert_non_null(result);
    assert_good(result);
    double value = shmf_result_double(result);
    shmf_result_free(result);
    return value;
}

static double sum_of(int64_t begin, int64_t end)
{
    return (double)((end - begin) * (begin + end - 1) / 2);
}

static void test_a_slice_of_a_frame_is_a_tasks_input(void **state)
{
    static const int64_t rows[][2] = {{0, ROWS}, {0, 1}, {5, 5}, {0, 0}, {17, 900}, {999, 1000}};
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_frame *frame = building(N_COLUMNS);
    assert_int_equal(fill_frame(pool, frame, 0, &err), SHMF_OK);
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    for (int i = 0; i < 6; i++) {
        int64_t begin = rows[i][0], end = rows[i][1];
        struct shmf_frame *slice = shmf_frame_slice(frame, begin, end - begin, &err);
        assert_true(result_with(pool, sum_rows, shmf_frame_handle(slice)) == sum_of(begin, end));
        struct shmf_frame *same = shmf_frame_open(shmf_frame_handle(slice), &err);
        assert_int_equal(shmf_frame_equal(slice, same), 1);
        shmf_frame_free(same);
        shmf_frame_free(slice);
    }
    struct shmf_frame *slice = shmf_frame_slice(frame, 100, 200, &err);
    struct shmf_frame *inner = shmf_frame_slice(slice, 50, 10, &err);
    struct shmf_handle handle = shmf_frame_handle(inner);
    shmf_frame_free(slice);
    shmf_frame_free(frame); /* the inner slice keeps it alive */
    assert_true(result_with(pool, sum_rows, handle) == sum_of(150, 160));
    assert_int_equal(status_with(pool, sum_rows, shmf_handle_slice(handle, 0, ROWS + 1)),
                     SHMF_E_RANGE);
    shmf_frame_free(inner);
    shmf_pool_free(pool);
}

/* Column 1 is the number, the others are no numbers. */
static int sum_selected(struct shmf_task *task, void *unused)
{
    (void)unused;
    const struct shmf_frame *rows = shmf_task_frame(task, 0);
    const double *number = shmf_frame_data(rows, 1, SHMF_FLOAT64);
    double sum = 0;
    if (!number || shmf_frame_columns(rows) != 3)
        return SHMF_E_TASK;
    for (int64_t r = 0; r < shmf_frame_rows(rows); r++)
        sum += 2 * number[r];
    return shmf_task_return_double(task, sum);
}

/* A finished frame of the task's own. */
static int make_numbers(struct shmf_task *task, void *unused)
{
    (void)unused;
    struct shmf_frame_spec spec = {.n_rows = ROWS, .n_columns = N_COLUMNS, .columns = columns};
    struct shmf_frame *made = shmf_task_new_frame(task, &spec);
    double *number = shmf_frame_data_mut(made, NUMBER);
    if (!number)
        return SHMF_E_TASK;
    memset(shmf_frame_data_mut(made, FLAG), 0, (ROWS + 7) / 8);
    memset(shmf_frame_data_mut(made, MAYBE), 0, ROWS * sizeof(int32_t));
    for (int64_t r = 0; r < ROWS; r++)
        number[r] = (double)r / 2;
    return shmf_task_return_frame(task, made);
}

static struct shmf_frame *made_by_task(struct shmf_pool *pool)
{
    struct shmf_error err = {0};
    struct shmf_result *result = shmf_pool_apply(pool, make_numbers, NULL, NULL, &err);
    assert_non_null(result);
    assert_good(result);
    struct shmf_frame *frame = shmf_result_take_frame(result);
    shmf_result_free(result);
    assert_non_null(frame);
    return frame;
}

/* Made by the application, or by a worker, which is given its own memory again. Selection and whole
 * are freed while tasks with the handle are under way. */
static void test_columns_of_a_frame_are_a_tasks_input(void **state)
{
    static const int64_t chosen[] = {MAYBE, NUMBER, FLAG};
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of_state(state);
    for (int round = 0; round < 12; round++) {
        struct shmf_frame *frame = round % 2 ? made_by_task(pool) : building(N_COLUMNS);
        if (round % 2 == 0) {
            assert_int_equal(fill_frame(pool, frame, 0, &err), SHMF_OK);
            assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
        }
        struct shmf_frame *slice = shmf_frame_slice(frame, 100, 200, &err);
        struct shmf_frame *some = shmf_frame_select(round % 3 ? frame : slice, chosen, 3, &err);
        int64_t begin = round % 3 ? 0 : 100, end = round % 3 ? ROWS : 300;
        struct shmf_handle handle = shmf_frame_handle(some);
        assert_true(result_with(pool, sum_selected, handle) == sum_of(begin, end));
        assert_true(result_with(pool, sum_selected, shmf_handle_slice(handle, 7, 9)) ==
                    sum_of(begin + 7, begin + 9));
        assert_true(result_with(pool, sum_selected, shmf_handle_with(handle, SHMF_COPY_ON_WRITE)) ==
                    sum_of(begin, end));
        assert_int_equal(status_with(pool, sum_selected, shmf_handle_slice(handle, 0, ROWS + 1)),
                         SHMF_E_RANGE);
        struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
        struct shmf_future *futures[4];
        for (int i = 0; i < 4; i++)
            futures[i] = submit_with(pool, sum_selected, &input, NULL);
        shmf_frame_free(some);
        shmf_frame_free(slice);
        shmf_frame_free(frame);
        for (int i = 0; i < 4; i++)
            assert_true(number_of(futures[i]) == sum_of(begin, end));
        assert_null(shmf_pool_apply(pool, sum_selected, &input, NULL, &err));
        assert_int_equal(err.code, SHMF_E_STALE);
    }
    struct shmf_frame *frame = made_by_task(pool);
    struct shmf_handle handle = shmf_frame_handle(frame);
    handle.kind = SHMF_KIND_SELECTION;
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    assert_null(shmf_pool_apply(pool, sum_selected, &input, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    shmf_frame_free(frame);
    shmf_pool_free(pool);
}

static void test_a_slice_of_an_array_is_a_tasks_input(void **state)
{
    static const int64_t rows[][2] = {{0, 100}, {0, 1}, {5, 5}, {0, 0}, {17, 90}, {99, 100}};
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of_state(state);
    int64_t data[100][3];
    for (int64_t i = 0; i < 300; i++)
        data[i / 3][i % 3] = i;
    struct shmf_array *array =
        shmf_array_from_data(SHMF_INT64, 2, (int64_t[]){100, 3}, NULL, data, &err);
    for (int i = 0; i < 6; i++) {
        int64_t begin = rows[i][0], end = rows[i][1];
        struct shmf_handle handle = shmf_handle_slice(shmf_array_handle(array), begin, end);
        assert_true(result_with(pool, sum_elements, handle) == sum_of(3 * begin, 3 * end));
        for (int access = SHMF_READ_ONLY; access <= SHMF_PRIVATE_COPY; access++)
            assert_true(result_with(pool, sum_elements,
                                    shmf_handle_with(handle, (enum shmf_access)access)) ==
                        sum_of(3 * begin, 3 * end));
        struct shmf_array *part = shmf_array_open(handle, &err);
        assert_true(shmf_array_shape(part)[0] == end - begin);
        struct shmf_handle again = shmf_array_handle(part);
        assert_memory_equal(&again, &handle, begin < end ? sizeof handle : 40);
        shmf_array_free(part);
    }
    struct shmf_handle far = shmf_handle_slice(shmf_array_handle(array), 99, 101);
    assert_int_equal(status_with(pool, sum_elements, far), SHMF_E_RANGE);
    assert_null(shmf_array_open(far, &err));
    assert_int_equal(err.code, SHMF_E_RANGE);
    shmf_array_free(array);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_a_frame_is_filled_by_all_workers),
        test_inline(test_a_frame_is_filled_by_all_workers),
        test_with_workers(test_rows_whose_bits_share_bytes_are_not_granted_apart),
        test_inline(test_rows_whose_bits_share_bytes_are_not_granted_apart),
        test_case(test_text_is_not_written_in_slices),
        test_with_workers(test_only_the_owner_finishes_a_frame_and_then_nobody_writes_it),
        test_inline(test_only_the_owner_finishes_a_frame_and_then_nobody_writes_it),
        test_with_workers(test_a_slice_of_a_frame_is_a_tasks_input),
        test_inline(test_a_slice_of_a_frame_is_a_tasks_input),
        test_with_workers(test_columns_of_a_frame_are_a_tasks_input),
        test_inline(test_columns_of_a_frame_are_a_tasks_input),
        test_with_workers(test_a_slice_of_an_array_is_a_tasks_input),
        test_inline(test_a_slice_of_an_array_is_a_tasks_input),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

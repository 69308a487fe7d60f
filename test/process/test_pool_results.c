/* What tasks return: every kind, from where to where, and for how long. */
#include "pool_calls.h"

#include <math.h>
#include <stdatomic.h>

/* ---- every kind --------------------------------------------------------------------------- */

static const size_t sizes[] = {0, 1, 7, 8, 127, 128, 129, 3968, 3969, 4096, 100000, 5 << 20};
enum { n_sizes = sizeof sizes / sizeof *sizes };

static int return_bytes(struct shmf_task *task, void *context)
{
    (void)context;
    size_t size = sizes[shmf_task_index(task) % n_sizes];
    void *bytes = malloc(size + 1);
    if (!bytes)
        return SHMF_E_NOMEM;
    test_fill(bytes, size, (uint64_t)shmf_task_index(task));
    int rc = shmf_task_return_bytes(task, size ? bytes : NULL, size);
    free(bytes);
    return rc;
}

static void test_bytes_of_any_number_come_back(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_bytes, 4 * n_sizes);
    for (uint64_t i = 0; i < 4 * n_sizes; i++) {
        struct shmf_result *result = next_good(iter);
        size_t size = 1;
        const void *bytes = shmf_result_bytes(result, &size);
        assert_non_null(bytes);
        assert_int_equal(size, sizes[i % n_sizes]);
        assert_int_equal(test_differs(bytes, size, i), -1);
        assert_int_equal((uintptr_t)bytes % 16, 0);
        assert_null(shmf_result_array(result));
        assert_null(shmf_result_frame(result));
        assert_int_equal(isnan(shmf_result_double(result)) != 0, size != sizeof(double));
        shmf_result_free(result);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static int return_square(struct shmf_task *task, void *context)
{
    (void)context;
    int64_t side = shmf_task_index(task) * 20;
    struct shmf_array *array = shmf_task_new_array(task, SHMF_INT32, 2, (int64_t[]){side, side});
    int32_t *at = shmf_array_data_mut(array);
    for (int64_t i = 0; array && i < side * side; i++)
        at[i] = (int32_t)(i ^ side);
    return array ? shmf_task_return_array(task, array) : SHMF_E_TASK;
}

static void test_arrays_come_back_read_only(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_square, 60);
    for (int64_t index = 0; index < 60; index++) {
        struct shmf_result *result = next_good(iter);
        const struct shmf_array *array = shmf_result_array(result);
        assert_non_null(array);
        assert_ptr_equal(shmf_result_array(result), array);
        assert_int_equal(shmf_array_dtype(array), SHMF_INT32);
        assert_int_equal(shmf_array_shape(array)[1], index * 20);
        const int32_t *at = shmf_array_data(array);
        for (int64_t i = 0; i < shmf_array_size(array); i++)
            assert_int_equal(at[i], (int32_t)(i ^ (index * 20)));
        assert_null(shmf_result_bytes(result, NULL));
        assert_null(shmf_result_frame(result));
        shmf_result_free(result);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

/* It leaves the finishing to the library. */
static int return_frame(struct shmf_task *task, void *context)
{
    (void)context;
    static const char *const columns[] = {"one", "two", "three"};
    int64_t rows = shmf_task_index(task) * 7;
    struct shmf_frame_spec spec = {.n_rows = rows,
                                   .n_columns = 3,
                                   .dtype = SHMF_FLOAT64,
                                   .column_labels = columns,
                                   .range_start = 100};
    struct shmf_frame *frame = shmf_task_new_frame(task, &spec);
    for (int64_t c = 0; frame && c < 3; c++) {
        double *data = shmf_frame_data_mut(frame, c);
        for (int64_t r = 0; r < rows; r++)
            data[r] = (double)(r * 3 + c);
    }
    return frame ? shmf_task_return_frame(task, frame) : SHMF_E_TASK;
}

static void test_frames_come_back_with_their_labels(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_frame, 40);
    for (int64_t index = 0; index < 40; index++) {
        struct shmf_result *result = next_good(iter);
        const struct shmf_frame *frame = shmf_result_frame(result);
        assert_non_null(frame);
        assert_null(shmf_result_array(result));
        assert_int_equal(shmf_frame_rows(frame), index * 7);
        assert_int_equal(shmf_frame_column_loc(frame, "three"), 2);
        assert_int_equal(shmf_frame_loc_number(frame, 103), index ? 3 : SHMF_E_NOTFOUND);
        double value;
        for (int64_t r = 0; r < index * 7; r++) {
            assert_int_equal(shmf_frame_cell(frame, r, 1, &value), 0);
            assert_true(value == (double)(r * 3 + 1));
        }
        shmf_result_free(result);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static int return_twice(struct shmf_task *task, void *context)
{
    (void)context;
    int rc = return_patterned(task, 100000, 1);
    if (!rc)
        rc = shmf_task_return_double(task, 1);
    if (!rc)
        rc = return_patterned(task, 50000, 2);
    if (!rc && shmf_task_index(task) % 2)
        rc = shmf_task_return_double(task, 3);
    return rc;
}

static void test_what_is_returned_last_counts(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_twice, 40);
    for (int i = 0; i < 40; i++) {
        struct shmf_result *result = next_good(iter);
        if (i % 2)
            assert_true(shmf_result_double(result) == 3);
        else
            assert_true(is_patterned(shmf_result_array(result), 50000, 2));
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

/* ---- one task's result, another's input --------------------------------------------------- */

enum { CHAIN = 300000 };

static int start_chain(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, CHAIN, 0);
}

/* Two tasks that wait for each other run in two workers: one owns the input, one does not. */
static int continue_chain(struct shmf_task *task, void *context)
{
    atomic_int *here = context;
    int mine = atomic_fetch_add(here, 1);
    while (atomic_load(here) <= (mine | 1))
        usleep(50);
    int64_t step;
    memcpy(&step, shmf_task_arg(task), sizeof step);
    struct shmf_array *input = shmf_task_array(task, 0);
    if (!is_patterned(input, CHAIN, (uint64_t)step))
        return shmf_task_fail(task, SHMF_E_CORRUPT, "step %d: wrong input", (int)step);
    return return_patterned(task, CHAIN, (uint64_t)step + 1);
}

static void test_a_result_is_the_input_of_tasks_in_its_own_and_in_another_worker(void **state)
{
    (void)state;
    int64_t steps = test_rounds(200);
    atomic_int *here = shared_memory(sizeof *here);
    struct shmf_pool *pool = pool_of(2);
    struct shmf_iter *iter = map_count(pool, start_chain, 1);
    struct shmf_result *last = next_good(iter);
    shmf_iter_free(iter);
    for (int64_t step = 0; step < steps; step++) {
        struct shmf_handle handle = shmf_array_handle(shmf_result_array(last));
        int64_t args[] = {step, step};
        struct shmf_tasks tasks = {.count = 2,
                                   .args = args,
                                   .arg_size = sizeof *args,
                                   .handles = &handle,
                                   .n_handles = 1,
                                   .context = here};
        iter = map(pool, continue_chain, &tasks, NULL);
        shmf_result_free(last); /* the iterator keeps what it was given */
        struct shmf_result *one = next_good(iter), *two = next_good(iter);
        assert_int_not_equal(shmf_result_worker(one), shmf_result_worker(two));
        assert_true(is_patterned(shmf_result_array(one), CHAIN, (uint64_t)step + 1));
        last = two;
        shmf_result_free(one);
        shmf_iter_free(iter);
    }
    shmf_result_free(last);
    shmf_pool_free(pool);
    munmap(here, sizeof *here);
}

static int check_chain_start(struct shmf_task *task, void *context)
{
    (void)context;
    return is_patterned(shmf_task_array(task, 0), CHAIN, 0)
               ? return_index(task, NULL)
               : shmf_task_fail(task, SHMF_E_CORRUPT, "wrong input");
}

static void test_one_pools_result_is_another_pools_input_even_without_the_first(void **state)
{
    (void)state;
    struct shmf_pool *one = pool_of(2), *two = pool_of(2);
    struct shmf_iter *iter = map_count(one, start_chain, 1);
    struct shmf_result *result = next_good(iter);
    struct shmf_pool *three = pool_of(1);
    struct shmf_handle handle = shmf_array_handle(shmf_result_array(result));
    struct shmf_tasks tasks = {.count = 10, .handles = &handle, .n_handles = 1};
    assert_counts_up(map(two, check_chain_start, &tasks, NULL), 10);
    assert_counts_up(map(three, check_chain_start, &tasks, NULL), 10);
    shmf_iter_free(iter);
    shmf_pool_free(one);
    assert_counts_up(map(two, check_chain_start, &tasks, NULL), 10);
    assert_counts_up(map(three, check_chain_start, &tasks, NULL), 10);
    shmf_result_free(result);
    struct shmf_error err = {0};
    assert_null(shmf_pool_imap(two, check_chain_start, &tasks, NULL, &err));
    assert_int_equal(err.code, SHMF_E_STALE);
    shmf_pool_free(two);
    shmf_pool_free(three);
}

/* ---- how long results live ---------------------------------------------------------------- */

static int return_a_quarter_megabyte(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, 1 << 18, (uint64_t)shmf_task_index(task));
}

static void test_results_and_what_was_taken_from_them_outlive_iterator_and_pool(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_a_quarter_megabyte, 6);
    struct shmf_result *results[6];
    for (int i = 0; i < 6; i++)
        results[i] = next_good(iter);
    struct shmf_array *taken = shmf_result_take_array(results[0]);
    shmf_result_free(results[0]);
    shmf_iter_free(iter);
    shmf_result_free(results[1]);
    shmf_pool_free(pool);
    for (uint64_t i = 2; i < 6; i++) {
        assert_true(is_patterned(shmf_result_array(results[i]), 1 << 18, i));
        shmf_result_free(results[i]);
    }
    assert_true(is_patterned(taken, 1 << 18, 0));
    shmf_array_free(taken);
}

static void test_many_results_are_held_and_freed_in_any_order(void **state)
{
    enum { count = 200 };
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_result *results[count];
    for (int round = 0; round < 3; round++) {
        struct shmf_iter *iter = map_count(pool, return_a_quarter_megabyte, count);
        for (int i = 0; i < count; i++)
            results[i] = next_good(iter);
        shmf_iter_free(iter);
        for (int i = 0; i < count; i++) {
            int at = i * 77 % count; /* 77 and 200 have no common divisor */
            assert_true(is_patterned(shmf_result_array(results[at]), 1 << 18, (uint64_t)at));
            shmf_result_free(results[at]);
        }
    }
    shmf_pool_free(pool);
}

/* ---- reproducible whatever the workers ---------------------------------------------------- */

static int return_seed(struct shmf_task *task, void *context)
{
    (void)context;
    uint64_t seed = shmf_task_seed(task);
    return shmf_task_return_bytes(task, &seed, sizeof seed);
}

static void test_seeds_depend_on_the_task_and_not_on_the_workers(void **state)
{
    (void)state;
    enum { count = 500 };
    static const int workers[] = {1, 2, 5, SHMF_INLINE};
    static uint64_t seeds[4][count];
    for (int w = 0; w < 4; w++) {
        struct shmf_pool *pool = pool_of(workers[w]);
        struct shmf_tasks tasks = {.count = count, .seed = 42};
        struct shmf_iter *iter = map(pool, return_seed, &tasks, NULL);
        for (int i = 0; i < count; i++) {
            struct shmf_result *result = next_good(iter);
            memcpy(&seeds[w][i], shmf_result_bytes(result, NULL), sizeof seeds[w][i]);
            shmf_result_free(result);
        }
        shmf_iter_free(iter);
        shmf_pool_free(pool);
        assert_memory_equal(seeds[w], seeds[0], sizeof seeds[0]);
    }
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            assert_true(seeds[0][i] != seeds[0][j]);
}

static void test_a_result_says_where_it_was_made_and_how_long_it_took(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_a_quarter_megabyte, 20);
    for (int i = 0; i < 20; i++) {
        struct shmf_result *result = next_good(iter);
        assert_int_equal(shmf_result_index(result), i);
        assert_int_equal(shmf_result_status(result), SHMF_OK);
        assert_null(shmf_result_failure(result));
        int worker = shmf_result_worker(result);
        assert_true(worker < shmf_pool_workers(pool));
        assert_true(worker >= (shmf_pool_workers(pool) ? 0 : -1));
        assert_true(shmf_result_nanoseconds(result) > 1000);
        assert_true(shmf_result_nanoseconds(result) < 60000000000);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_with_workers(test_bytes_of_any_number_come_back),
        test_inline(test_bytes_of_any_number_come_back),
        test_with_workers(test_arrays_come_back_read_only),
        test_inline(test_arrays_come_back_read_only),
        test_with_workers(test_frames_come_back_with_their_labels),
        test_inline(test_frames_come_back_with_their_labels),
        test_with_workers(test_what_is_returned_last_counts),
        test_inline(test_what_is_returned_last_counts),
        test_case(test_a_result_is_the_input_of_tasks_in_its_own_and_in_another_worker),
        test_case(test_one_pools_result_is_another_pools_input_even_without_the_first),
        test_with_workers(test_results_and_what_was_taken_from_them_outlive_iterator_and_pool),
        test_inline(test_results_and_what_was_taken_from_them_outlive_iterator_and_pool),
        test_with_workers(test_many_results_are_held_and_freed_in_any_order),
        test_inline(test_many_results_are_held_and_freed_in_any_order),
        test_case(test_seeds_depend_on_the_task_and_not_on_the_workers),
        test_with_workers(test_a_result_says_where_it_was_made_and_how_long_it_took),
        test_inline(test_a_result_says_where_it_was_made_and_how_long_it_took),
    };
    return cmocka_run_group_tests_name("pool: results", tests, NULL, NULL);
}

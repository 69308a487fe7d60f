/* What programmers expect of a pool of processes: every behaviour here is one that they rely on
 * elsewhere, in this library's terms. */
#include "future_calls.h"

#include <shmframe/map.h>

/* ---- results ------------------------------------------------------------------------------ */

static void test_one_task_is_applied_and_its_value_returned(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    double number = 5;
    struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
    struct shmf_result *result = shmf_pool_apply(pool, return_square, &input, NULL, NULL);
    assert_non_null(result);
    assert_true(shmf_result_double(result) == 25);
    shmf_result_free(result);
    assert_true(number_of(submit_number(pool, return_square, 6, NULL)) == 36);
    shmf_pool_free(pool);
}

static void test_map_keeps_the_order_of_its_inputs_with_and_without_chunks(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    assert_map_squares(pool, 10, 0);
    assert_map_squares(pool, 100, 20);
    assert_map_squares(pool, 1000, 7);
    shmf_pool_free(pool);
}

static int product_of_two(struct shmf_task *task, void *context)
{
    (void)context;
    double two[2];
    memcpy(two, shmf_task_arg(task), sizeof two);
    return shmf_task_return_double(task, two[0] * two[1]);
}

static void test_an_element_may_have_several_arguments(void **state)
{
    enum { count = 100 };
    struct shmf_pool *pool = pool_of_state(state);
    double args[count][2], out[count];
    for (int i = 0; i < count; i++) {
        args[i][0] = i;
        args[i][1] = count - i;
    }
    struct shmf_tasks tasks = {.count = count, .args = args, .arg_size = sizeof *args};
    assert_int_equal(shmf_pool_map(pool, product_of_two, &tasks, NULL, out, 8, NULL, NULL), 0);
    for (int i = 0; i < count; i++)
        assert_true(out[i] == (double)i * (count - i));
    shmf_pool_free(pool);
}

static int produce_nothing(struct shmf_task_input *input, void *user)
{
    (void)input;
    (void)user;
    return 0;
}

static int fail_on_any_part(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    (void)task;
    (void)context;
    return begin < end ? SHMF_E_TASK : SHMF_E_RANGE; /* it is not called */
}

static int fail_on_any_element(struct shmf_task *task, void *accumulator, void *context)
{
    (void)task;
    (void)accumulator;
    (void)context;
    return SHMF_E_TASK;
}

static void add_numbers(void *accumulator, const void *other, void *context)
{
    (void)context;
    *(double *)accumulator += *(const double *)other;
}

static void test_empty_input_returns_at_once_from_every_entry_point(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    double start = test_now();
    assert_map_squares(pool, 0, 0);
    assert_map_squares(pool, 0, 1);
    struct shmf_tasks none = {.count = 0}, nothing = {.count = -1, .next = produce_nothing};
    for (int unordered = 0; unordered < 2; unordered++) {
        struct shmf_imap_options options = {.unordered = unordered};
        struct shmf_iter *iters[2] = {map(pool, return_index, &none, &options),
                                      map(pool, return_index, &nothing, &options)};
        for (int i = 0; i < 2; i++) {
            assert_ends(iters[i]);
            shmf_iter_free(iters[i]);
        }
    }
    double sum = 17;
    assert_int_equal(shmf_pool_for(pool, 5, 5, fail_on_any_part, NULL, NULL, NULL), SHMF_OK);
    assert_int_equal(shmf_pool_reduce(pool, fail_on_any_element, add_numbers, &none, NULL, &sum,
                                      sizeof sum, NULL),
                     SHMF_OK);
    assert_true(sum == 17);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    assert_true(test_now() - start < test_seconds(60));
    shmf_pool_free(pool);
}

static void test_ordered_iteration_ends_after_the_last_result(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_index, 1000);
    for (int i = 0; i < 1000; i++)
        assert_true(next_double(iter) == i);
    assert_ends(iter);
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static void test_unordered_iteration_gives_every_result_once(void **state)
{
    enum { count = 1000 };
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = count};
    struct shmf_imap_options options = {.unordered = 1};
    struct shmf_iter *iter = map(pool, return_index, &tasks, &options);
    char seen[count] = {0};
    for (int i = 0; i < count; i++)
        seen[(int)next_double(iter)]++;
    assert_ends(iter);
    assert_int_equal(test_differs_from(seen, count, 1), -1);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

struct outcome {
    int good, bad;
};

static void note_outcome(struct shmf_future *future, void *user)
{
    struct outcome *outcome = user;
    if (shmf_result_status(shmf_future_result(future)))
        outcome->bad++;
    else
        outcome->good++;
}

static int fail_at_13(struct shmf_task *task, void *context)
{
    if ((int)number_arg(task) == 13)
        return shmf_task_fail(task, SHMF_E_NOTFOUND, "13 is not there");
    return return_number(task, context);
}

static void test_a_task_calls_back_exactly_once_with_its_value_or_its_error(void **state)
{
    enum { count = 20 };
    struct shmf_pool *pool = pool_of_state(state);
    struct outcome outcomes[count] = {{0, 0}};
    struct shmf_future *futures[count];
    for (int i = 0; i < count; i++) {
        double number = i;
        struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
        struct shmf_submit_options options = {.done_fn = note_outcome, .user = &outcomes[i]};
        futures[i] = submit_with(pool, fail_at_13, &input, &options);
    }
    shmf_pool_close(pool);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    for (int i = 0; i < count; i++) {
        assert_int_equal(outcomes[i].good, i != 13);
        assert_int_equal(outcomes[i].bad, i == 13);
        shmf_future_free(futures[i]);
    }
    shmf_pool_free(pool);
}

static void test_getting_a_result_times_out_on_time_while_the_task_goes_on(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(2);
    struct shmf_future *future = submit(pool, wait_for_go, signals);
    double start = test_now();
    assert_int_equal(shmf_future_wait(future, 0.2, NULL), SHMF_E_TIMEOUT);
    assert_true(test_now() - start >= 0.2 && test_now() - start < 0.2 + test_seconds(60));
    atomic_store(&signals->go, 1);
    assert_true(number_of(future) == 1);
    shmf_pool_free(pool);
    free_signals(signals);
}

/* ---- failure ------------------------------------------------------------------------------ */

struct producer {
    int64_t count, asked;
};

static int produce_then_fail(struct shmf_task_input *input, void *user)
{
    struct producer *producer = user;
    (void)input;
    return producer->asked++ < producer->count ? 1 : -1000;
}

static void test_a_producers_error_comes_where_it_happened_and_the_pool_goes_on(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    static const int64_t counts[] = {0, 1, 5, 50};
    for (int c = 0; c < 4; c++)
        for (int unordered = 0; unordered < 2; unordered++) {
            struct producer producer = {.count = counts[c]};
            struct shmf_tasks tasks = {.count = -1, .next = produce_then_fail, .user = &producer};
            struct shmf_imap_options options = {.unordered = unordered};
            struct shmf_iter *iter = map(pool, return_index, &tasks, &options);
            for (int64_t i = 0; i < counts[c]; i++)
                shmf_result_free(next_good(iter)); /* all of the earlier ones */
            struct shmf_error err = {0};
            struct shmf_result *result = NULL;
            assert_int_equal(shmf_iter_next(iter, &result, &err), -1000);
            assert_null(strstr(err.message, "worker")); /* it happened here */
            shmf_iter_free(iter);
        }
    assert_map_squares(pool, 50, 0);
    shmf_pool_free(pool);
}

static int return_unsendable(struct shmf_task *task, void *context)
{
    struct shmf_array *not_of_the_task = shmf_array_new(SHMF_FLOAT64, 1, (int64_t[]){10}, NULL);
    (void)context;
    int rc = shmf_task_return_array(task, not_of_the_task);
    shmf_array_free(not_of_the_task);
    return rc;
}

static void test_an_input_or_result_that_cannot_travel_is_an_error_and_costs_no_worker(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_handle handle = {.region = 12345, .length = 4096, .kind = SHMF_KIND_ARRAY};
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    struct shmf_tasks tasks = {.count = 3, .handles = &handle, .n_handles = 1};
    double out[3];
    for (int round = 0; round < 20; round++) {
        struct shmf_error err = {0};
        assert_null(shmf_pool_submit(pool, return_index, &input, NULL, &err));
        assert_int_equal(err.code, SHMF_E_STALE);
        assert_int_equal(shmf_pool_map(pool, return_index, &tasks, NULL, out, 8, NULL, &err),
                         SHMF_E_STALE);
        struct shmf_future *future = submit(pool, return_unsendable, NULL);
        assert_int_not_equal(status_of(future), SHMF_OK);
        assert_int_not_equal(status_of(future), SHMF_E_WORKER_DIED);
        shmf_future_free(future);
    }
    assert_map_squares(pool, 50, 0);
    assert_int_equal(stats_of(pool).workers_died, 0);
    shmf_pool_free(pool);
}

static int fail_deeply(struct shmf_task *task, void *context)
{
    (void)context;
    int64_t row = 7;
    int rc = shmf_task_fail(task, SHMF_E_NOTFOUND, "%s: no row %" PRId64, __func__, row);
    return shmf_task_fail(task, SHMF_E_TASK, "the frames above do not hide it") ? rc : rc;
}

static void test_an_error_keeps_its_kind_and_says_where_it_came_from(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_future *future = submit(pool, fail_deeply, NULL);
    const struct shmf_failure *failure = failure_of(future, SHMF_E_NOTFOUND);
    assert_string_equal(failure->message, "fail_deeply: no row 7");
    assert_int_equal(failure->pid != 0, shmf_pool_workers(pool) > 0);
    assert_int_equal(failure->worker >= 0, shmf_pool_workers(pool) > 0);
    shmf_future_free(future);
    struct shmf_tasks tasks = {.count = 3};
    double out[3];
    struct shmf_error err = {0};
    assert_int_equal(shmf_pool_map(pool, fail_deeply, &tasks, NULL, out, 8, NULL, &err),
                     SHMF_E_NOTFOUND);
    assert_string_equal(err.message, "element 0: fail_deeply: no row 7");
    shmf_pool_free(pool);
}

static int count_and_fail_first(struct shmf_task *task, void *context)
{
    atomic_fetch_add((atomic_int *)context, 1);
    usleep(2000);
    return shmf_task_index(task) ? return_index(task, context) : SHMF_E_RANGE;
}

static void test_after_an_error_the_other_tasks_finish_and_joining_does_not_hang(void **state)
{
    enum { count = 30 };
    atomic_int *ran = shared_memory(sizeof *ran);
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = count, .context = ran};
    struct shmf_map_options options = {.chunk = 1};
    double out[count];
    assert_int_equal(
        shmf_pool_map(pool, count_and_fail_first, &tasks, &options, out, 8, NULL, NULL),
        SHMF_E_RANGE);
    assert_int_equal(atomic_load(ran), count);
    shmf_pool_close(pool);
    assert_int_equal(shmf_pool_join(pool, -1, NULL), SHMF_OK);
    shmf_pool_free(pool);
    munmap(ran, sizeof *ran);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_one_task_is_applied_and_its_value_returned),
        test_inline(test_one_task_is_applied_and_its_value_returned),
        test_with_workers(test_map_keeps_the_order_of_its_inputs_with_and_without_chunks),
        test_inline(test_map_keeps_the_order_of_its_inputs_with_and_without_chunks),
        test_with_workers(test_an_element_may_have_several_arguments),
        test_inline(test_an_element_may_have_several_arguments),
        test_with_workers(test_empty_input_returns_at_once_from_every_entry_point),
        test_inline(test_empty_input_returns_at_once_from_every_entry_point),
        test_with_workers(test_ordered_iteration_ends_after_the_last_result),
        test_inline(test_ordered_iteration_ends_after_the_last_result),
        test_with_workers(test_unordered_iteration_gives_every_result_once),
        test_inline(test_unordered_iteration_gives_every_result_once),
        test_with_workers(test_a_task_calls_back_exactly_once_with_its_value_or_its_error),
        test_inline(test_a_task_calls_back_exactly_once_with_its_value_or_its_error),
        test_case(test_getting_a_result_times_out_on_time_while_the_task_goes_on),
        test_with_workers(test_a_producers_error_comes_where_it_happened_and_the_pool_goes_on),
        test_inline(test_a_producers_error_comes_where_it_happened_and_the_pool_goes_on),
        test_with_workers(
            test_an_input_or_result_that_cannot_travel_is_an_error_and_costs_no_worker),
        test_inline(test_an_input_or_result_that_cannot_travel_is_an_error_and_costs_no_worker),
        test_with_workers(test_an_error_keeps_its_kind_and_says_where_it_came_from),
        test_inline(test_an_error_keeps_its_kind_and_says_where_it_came_from),
        test_with_workers(test_after_an_error_the_other_tasks_finish_and_joining_does_not_hang),
        test_inline(test_after_an_error_the_other_tasks_finish_and_joining_does_not_hang),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

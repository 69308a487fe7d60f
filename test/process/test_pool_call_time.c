/* Whole calls whose time is over: what waits is revoked, what runs is ended, and the pool goes on.
 */
#include "future_calls.h"

#include <shmframe/frame_map.h>
#include <shmframe/map.h>
#include <shmframe/reduce.h>

#include <math.h>

enum { COUNT = 40 };

static struct signals *endless;

/* Of every fourth, nothing comes. */
static int hang_at_times(struct shmf_task *task, void *context)
{
    return shmf_task_index(task) % 4 == 3 ? wait_for_go(task, endless)
                                          : return_index(task, context);
}

static bool is_idle_again(void *pool)
{
    struct shmf_error err;
    return shmf_pool_progress(pool, &err) >= 0 && shmf_pool_join(pool, 0, NULL) == SHMF_OK;
}

/* All that ran came to its end, by force, and others do as ever. */
static void assert_goes_on(struct shmf_pool *pool)
{
    assert_true(test_wait_until(30, is_idle_again, pool));
    assert_map_squares(pool, 50, 0);
}

static void test_an_iteration_ends_with_its_time_after_what_is_there(void **state)
{
    (void)state;
    endless = new_signals();
    struct shmf_pool *pool = pool_of(2);
    struct shmf_tasks tasks = {.count = COUNT};
    for (int unordered = 0; unordered < 2; unordered++) {
        struct shmf_imap_options options = {.unordered = unordered, .call_seconds = 0.3};
        double start = test_now();
        struct shmf_iter *iter = map(pool, hang_at_times, &tasks, &options);
        struct shmf_result *result;
        struct shmf_error err = {0};
        int taken = 0, rc;
        while ((rc = shmf_iter_next(iter, &result, &err)) == 1) {
            assert_good(result);
            assert_true(shmf_result_double(result) == (double)shmf_result_index(result));
            assert_true(unordered || shmf_result_index(result) == taken);
            taken++;
            shmf_result_free(result);
        }
        assert_int_equal(rc, SHMF_E_TIMEOUT);
        assert_int_equal(err.code, SHMF_E_TIMEOUT);
        assert_non_null(strstr(err.message, "call_seconds"));
        assert_true(test_now() - start >= 0.3 && test_now() - start < test_seconds(60));
        assert_true(taken <= (unordered ? COUNT - 2 : 3));
        assert_int_equal(shmf_iter_next(iter, &result, NULL), SHMF_E_TIMEOUT);
        assert_goes_on(pool); /* while the iterator is there */
        shmf_iter_free(iter);
    }
    shmf_pool_free(pool);
    free_signals(endless);
}

static int hang_or_not(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    (void)context;
    return begin <= 20 && 20 < end ? wait_for_go(task, endless) : SHMF_OK;
}

static int fold_or_hang(struct shmf_task *task, void *accumulator, void *context)
{
    (void)context;
    *(double *)accumulator += 1;
    return shmf_task_index(task) == 20 ? wait_for_go(task, endless) : SHMF_OK;
}

static void add(void *accumulator, const void *other, void *context)
{
    (void)context;
    *(double *)accumulator += *(const double *)other;
}

static int hang_with_a_slice(struct shmf_task *task, void *context)
{
    (void)context;
    return wait_for_go(task, endless);
}

static void test_whole_calls_end_with_their_time(void **state)
{
    (void)state;
    endless = new_signals();
    struct shmf_pool *pool = pool_of(2);
    struct shmf_error err;
    struct shmf_tasks tasks = {.count = COUNT};
    double results[COUNT], sum = 0;
    int statuses[COUNT], done = 0;
    struct shmf_map_options map_options = {.chunk = 1, .call_seconds = 0.2};
    assert_int_equal(
        shmf_pool_map(pool, hang_at_times, &tasks, &map_options, results, 8, statuses, &err),
        SHMF_E_TIMEOUT);
    for (int i = 0; i < COUNT; i++) {
        assert_true(statuses[i] == SHMF_E_CANCELLED || (!statuses[i] && results[i] == i));
        done += !statuses[i];
    }
    assert_true(done < COUNT);
    assert_goes_on(pool);
    struct shmf_for_options for_options = {.grain = 3, .call_seconds = 0.2};
    assert_int_equal(shmf_pool_for(pool, 0, COUNT, hang_or_not, NULL, &for_options, &err),
                     SHMF_E_TIMEOUT);
    assert_goes_on(pool);
    struct shmf_reduce_options reduce_options = {.chunk = 3, .call_seconds = 0.2};
    assert_int_equal(
        shmf_pool_reduce(pool, fold_or_hang, add, &tasks, &reduce_options, &sum, sizeof sum, &err),
        SHMF_E_TIMEOUT);
    assert_goes_on(pool);
    struct shmf_frame_spec spec = {.n_rows = 100, .n_columns = 1, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    memset(shmf_frame_data_mut(frame, 0), 0, 800);
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    struct shmf_frame_map_options frame_options = {.call_seconds = 0.2};
    assert_null(shmf_pool_map_frame(pool, hang_with_a_slice, frame, &frame_options, &err));
    assert_int_equal(err.code, SHMF_E_TIMEOUT);
    assert_goes_on(pool);
    shmf_frame_free(frame);
    shmf_pool_free(pool);
    free_signals(endless);
}

static int nap(struct shmf_task *task, void *context)
{
    usleep(5000);
    return return_index(task, context);
}

static void test_inline_tasks_come_to_their_end_and_no_other_begins(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(SHMF_INLINE);
    struct shmf_tasks tasks = {.count = 1000000};
    struct shmf_imap_options options = {.call_seconds = 0.1};
    struct shmf_iter *iter = map(pool, nap, &tasks, &options);
    struct shmf_result *result;
    int rc, taken = 0;
    while ((rc = shmf_iter_next(iter, &result, NULL)) == 1) {
        taken++;
        shmf_result_free(result);
    }
    assert_int_equal(rc, SHMF_E_TIMEOUT);
    assert_true(taken < 1000000);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static void test_calls_that_keep_their_time_are_not_touched(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = 300};
    struct shmf_imap_options options = {.call_seconds = 3600};
    double results[300];
    assert_counts_up(map(pool, return_index, &tasks, &options), 300);
    struct shmf_map_options map_options = {.call_seconds = 3600};
    assert_int_equal(
        shmf_pool_map(pool, return_index, &tasks, &map_options, results, 8, NULL, NULL), SHMF_OK);
    assert_int_equal(stats_of(pool).workers_died, 0);
    shmf_pool_free(pool);
}

static void test_a_time_that_makes_no_sense_is_refused_by_name(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = 3};
    static const double wrong[] = {-1, -1e300, 1e300, INFINITY, NAN};
    for (int i = 0; i < 5; i++) {
        struct shmf_imap_options options = {.call_seconds = wrong[i]};
        struct shmf_for_options for_options = {.call_seconds = wrong[i]};
        struct shmf_error err = {0};
        assert_null(shmf_pool_imap(pool, return_index, &tasks, &options, &err));
        assert_int_equal(err.code, SHMF_E_INVAL);
        assert_non_null(strstr(err.message, "options.call_seconds"));
        assert_int_equal(shmf_pool_for(pool, 0, 3, hang_or_not, NULL, &for_options, &err),
                         SHMF_E_INVAL);
        assert_non_null(strstr(err.message, "options.call_seconds"));
    }
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_an_iteration_ends_with_its_time_after_what_is_there),
        test_case(test_whole_calls_end_with_their_time),
        test_case(test_inline_tasks_come_to_their_end_and_no_other_begins),
        test_with_workers(test_calls_that_keep_their_time_are_not_touched),
        test_inline(test_calls_that_keep_their_time_are_not_touched),
        test_with_workers(test_a_time_that_makes_no_sense_is_refused_by_name),
        test_inline(test_a_time_that_makes_no_sense_is_refused_by_name),
    };
    test_begin();
    return cmocka_run_group_tests_name("pool: the time of calls", tests, NULL, NULL);
}

/* A pool that runs: what it says about itself, what it gives back, how many workers it has. */
#include "pool_calls.h"

#include <stdio.h>

#define MIB (1 << 20)

static struct shmf_pool_stats stats_of(struct shmf_pool *pool)
{
    struct shmf_pool_stats stats;
    assert_int_equal(shmf_pool_get_stats(pool, &stats), SHMF_OK);
    return stats;
}

static struct shmf_worker_stats worker_of(struct shmf_pool *pool, int worker)
{
    struct shmf_worker_stats stats;
    assert_int_equal(shmf_pool_get_worker_stats(pool, worker, &stats), SHMF_OK);
    return stats;
}

static int return_mebibyte(struct shmf_task *task, void *unused)
{
    (void)unused;
    return return_patterned(task, 4 * MIB, 1);
}

static int fail_odd(struct shmf_task *task, void *unused)
{
    (void)unused;
    return shmf_task_index(task) % 2 ? SHMF_E_TASK : return_index(task, NULL);
}

static int work_a_moment(struct shmf_task *task, void *unused)
{
    (void)task;
    (void)unused;
    test_sleep(0.02);
    return 0;
}

static int die(struct shmf_task *task, void *unused)
{
    (void)task;
    (void)unused;
    _exit(3);
}

static void take_all(struct shmf_iter *iter)
{
    struct shmf_result *result;
    while (shmf_iter_next(iter, &result, NULL) == 1)
        shmf_result_free(result);
    shmf_iter_free(iter);
}

/* ---- statistics --------------------------------------------------------------------------- */

static void test_the_workers_figures_add_up_to_the_pools(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    take_all(map_count(pool, fail_odd, 100));
    struct shmf_pool_stats all = stats_of(pool);
    struct shmf_worker_stats first = worker_of(pool, 0), second = worker_of(pool, 1);
    assert_int_equal(all.tasks_done, 100);
    assert_int_equal(all.tasks_failed, 50);
    assert_int_equal(first.tasks_done + second.tasks_done, 100);
    assert_int_equal(first.tasks_failed + second.tasks_failed, 50);
    assert_int_equal(first.processes + second.processes, 2);
    assert_int_equal(all.respawns, 0);
    assert_true(first.pid > 0 && first.cpu == -1);
    shmf_pool_free(pool);
}

struct figures {
    struct shmf_pool *pool;
    struct shmf_pool_stats stats;
};

static bool waited_and_worked(void *context)
{
    struct figures *figures = context;
    figures->stats = stats_of(figures->pool);
    return figures->stats.working_ns >= 10 * 20000000u && figures->stats.waiting_ns > 0 &&
           figures->stats.minor_faults > 0;
}

static void test_times_and_faults_are_counted(void **state)
{
    (void)state;
    struct figures figures = {.pool = pool_of(2)};
    take_all(map_count(figures.pool, work_a_moment, 10));
    assert_true(test_wait_until(30, waited_and_worked, &figures));
    shmf_pool_free(figures.pool);
}

static bool counted_recycled(void *context)
{
    struct figures *figures = context;
    figures->stats = stats_of(figures->pool);
    return figures->stats.recycled + figures->stats.fresh == 50;
}

static void test_results_in_recycled_pages_are_told_from_fresh_ones(void **state)
{
    (void)state;
    struct figures figures = {.pool = pool_of(1)};
    take_all(map_count(figures.pool, return_mebibyte, 50));
    assert_true(test_wait_until(30, counted_recycled, &figures));
    assert_true(figures.stats.fresh >= 1 && figures.stats.fresh < 10);
    assert_true(figures.stats.bytes_delivered >= 50u * 4 * MIB);
    assert_true(figures.stats.bytes_cached > 0);
    assert_true(figures.stats.bytes_cached <= figures.stats.bytes_held);
    shmf_pool_free(figures.pool);
}

static bool has_three_processes(void *context)
{
    struct shmf_worker_stats stats = worker_of(context, 0);
    return stats.processes == 3 && stats.pid;
}

static void test_a_successor_goes_on_counting(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    take_all(map_count(pool, return_index, 10));
    take_all(map_count(pool, die, 2));
    take_all(map_count(pool, return_index, 10));
    assert_true(test_wait_until(30, has_three_processes, pool));
    assert_int_equal(worker_of(pool, 0).tasks_done, 20);
    assert_int_equal(stats_of(pool).respawns, 2);
    assert_int_equal(stats_of(pool).workers_died, 2);
    shmf_pool_free(pool);
}

static void test_what_is_asked_wrongly_is_refused(void **state)
{
    (void)state;
    struct shmf_worker_stats stats;
    struct shmf_pool *pool = pool_of(1);
    assert_int_equal(shmf_pool_get_worker_stats(pool, 1, &stats), SHMF_E_RANGE);
    assert_int_equal(shmf_pool_get_worker_stats(pool, -1, &stats), SHMF_E_RANGE);
    assert_int_equal(shmf_pool_get_worker_stats(pool, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_pool_report(pool, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_pool_report(NULL, stdout), SHMF_E_INVAL);
    shmf_pool_free(pool);
}

/* ---- the report --------------------------------------------------------------------------- */

/* The stream keeps the addresses of `text` and `size`: were they on the stack, gcc 12 would take
 * what is returned for one of them. */
static char *report_of(struct shmf_pool *pool)
{
    static char *text;
    static size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    assert_int_equal(shmf_pool_report(pool, stream), SHMF_OK);
    fclose(stream);
    return text;
}

static void test_the_report_has_a_line_for_each_worker_and_one_for_all(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    take_all(map_count(pool, fail_odd, 10));
    char *text = report_of(pool);
    assert_non_null(strstr(text, "tasks    10 done, 5 failed, 0 retried\n"));
    assert_non_null(strstr(text, "workers  2 wanted, 0 died, 0 respawned\n"));
    int lines = 0;
    size_t width = 0;
    for (char *line = strstr(text, "worker  "); line && *line; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, "\n");
        assert_true(!width || length == width);
        width = length;
        lines++;
    }
    assert_int_equal(lines, 1 + 2 + 1);
    free(text);
    shmf_pool_free(pool);
}

static void test_an_inline_pool_reports_its_tasks(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(SHMF_INLINE);
    take_all(map_count(pool, fail_odd, 10));
    char *text = report_of(pool);
    assert_non_null(strstr(text, "tasks    10 done, 5 failed, 0 retried\n"));
    assert_null(strstr(text, "busy"));
    free(text);
    assert_true(shmf_pool_trim(pool, NULL) >= 0);
    assert_int_equal(shmf_pool_resize(pool, 2, NULL), SHMF_E_UNSUPPORTED);
    shmf_pool_free(pool);
}

/* ---- trim --------------------------------------------------------------------------------- */

/* What trimming brings until it is so much: a worker that gets no CPU for a second is not waited
 * for. */
static int64_t trim_until(struct shmf_pool *pool, uint64_t least)
{
    struct shmf_error err = {0};
    int64_t sum = 0, bytes;
    double end = test_now() + test_seconds(30);
    do {
        bytes = shmf_pool_trim(pool, &err);
        assert_true(bytes >= 0);
        sum += bytes;
    } while ((uint64_t)sum < least && test_now() < end);
    return sum;
}

static void test_idle_workers_give_back_what_they_cache(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    take_all(map_count(pool, return_mebibyte, 20));
    uint64_t held = stats_of(pool).bytes_held;
    assert_true(held >= 4 * MIB);
    assert_int_equal(trim_until(pool, held), held);
    assert_int_equal(stats_of(pool).bytes_held, 0);
    assert_int_equal(shmf_pool_trim(pool, NULL), 0);
    take_all(map_count(pool, return_mebibyte, 20));
    assert_true(trim_until(pool, 1) > 0);
    shmf_pool_free(pool);
}

static void test_results_in_the_callers_hands_stay_when_workers_trim(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    struct shmf_iter *iter = map_count(pool, return_mebibyte, 2);
    struct shmf_result *kept = next_good(iter);
    take_all(iter);
    assert_true(trim_until(pool, 1) > 0);
    assert_true(is_patterned(shmf_result_array(kept), 4 * MIB, 1));
    assert_true(stats_of(pool).bytes_held >= 4 * MIB);
    shmf_result_free(kept);
    assert_true(trim_until(pool, 4 * MIB) >= 4 * MIB);
    shmf_pool_free(pool);
}

static int wait_for_go(struct shmf_task *task, void *go)
{
    (void)task;
    while (!*(volatile int *)go)
        test_sleep(0.001);
    return 0;
}

static bool holds_nothing(void *pool)
{
    return stats_of(pool).bytes_held == 0;
}

static bool is_working(void *flags)
{
    return ((volatile int *)flags)[1] != 0;
}

static int say_and_wait(struct shmf_task *task, void *flags)
{
    ((volatile int *)flags)[1] = 1;
    return wait_for_go(task, flags);
}

static void test_a_busy_worker_trims_when_its_task_is_over(void **state)
{
    (void)state;
    int *flags = shared_memory(4096);
    struct shmf_pool *pool = pool_of(1);
    take_all(map_count(pool, return_mebibyte, 3));
    struct shmf_submit_options options = {.context = flags};
    struct shmf_future *future = shmf_pool_submit(pool, say_and_wait, NULL, &options, NULL);
    assert_true(test_wait_until(30, is_working, flags));
    assert_int_equal(shmf_pool_trim(pool, NULL), 0);
    assert_true(stats_of(pool).bytes_held > 0);
    flags[0] = 1;
    assert_true(test_wait_until(30, holds_nothing, pool));
    shmf_future_free(future);
    shmf_pool_free(pool);
    munmap(flags, 4096);
}

/* ---- resize ------------------------------------------------------------------------------- */

static struct shmf_pool *pool_up_to(int workers, int max_workers)
{
    struct shmf_pool_options options = {.workers = workers, .max_workers = max_workers};
    return pool_with(&options);
}

static void resize(struct shmf_pool *pool, int workers)
{
    struct shmf_error err = {0};
    if (shmf_pool_resize(pool, workers, &err))
        fail_msg("no %d workers: %s", workers, err.message);
    assert_int_equal(shmf_pool_workers(pool), workers);
}

static void test_workers_come_and_go_on_request(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_up_to(1, 5);
    int sizes[] = {5, 2, 4, 1, 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        resize(pool, sizes[i]);
        assert_true(test_wait_named("shmf-w", (size_t)sizes[i], 30));
        assert_counts_up(map_count(pool, return_index, 200), 200);
    }
    shmf_pool_free(pool);
}

static void test_a_surplus_worker_finishes_its_task(void **state)
{
    (void)state;
    int *go = shared_memory(4096);
    struct shmf_pool *pool = pool_up_to(3, 3);
    struct shmf_submit_options options = {.context = go};
    struct shmf_future *futures[3];
    for (int i = 0; i < 3; i++)
        futures[i] = shmf_pool_submit(pool, wait_for_go, NULL, &options, NULL);
    for (int i = 0; i < 3; i++)
        assert_true(test_wait_named("shmf-w", 3, 30));
    resize(pool, 1);
    *go = 1;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(shmf_future_wait(futures[i], 20, NULL), SHMF_OK);
        assert_good(shmf_future_result(futures[i]));
        shmf_future_free(futures[i]);
    }
    assert_true(test_wait_named("shmf-w", 1, 30));
    assert_int_equal(stats_of(pool).workers_died, 0);
    shmf_pool_free(pool);
    munmap(go, 4096);
}

static void test_resizing_all_the_time_loses_no_task(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_up_to(2, 6);
    int64_t count = 50 * test_rounds(40);
    struct shmf_iter *iter = map_count(pool, return_index, count);
    for (int64_t i = 0; i < count; i++) {
        if (i % 50 == 0)
            resize(pool, 1 + (int)(i / 50 * 7 % 6));
        assert_true(next_double(iter) == (double)i);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    assert_int_equal(stats_of(pool).workers_died, 0);
    shmf_pool_free(pool);
}

static void test_results_of_workers_that_are_gone_stay(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_up_to(3, 3);
    struct shmf_imap_options options = {.window = 6};
    struct shmf_tasks tasks = {.count = 6};
    struct shmf_iter *iter = map(pool, return_mebibyte, &tasks, &options);
    struct shmf_result *results[6];
    for (int i = 0; i < 6; i++)
        results[i] = next_good(iter);
    resize(pool, 1);
    assert_true(test_wait_named("shmf-w", 1, 30));
    assert_counts_up(map_count(pool, return_index, 10), 10);
    for (int i = 0; i < 6; i++) {
        assert_true(is_patterned(shmf_result_array(results[i]), 4 * MIB, 1));
        shmf_result_free(results[i]);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static void test_no_more_workers_than_were_agreed_on(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_up_to(2, 3);
    assert_int_equal(shmf_pool_resize(pool, 4, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "workers: 4"));
    assert_int_equal(shmf_pool_resize(pool, 0, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_pool_workers(pool), 2);
    shmf_pool_close(pool);
    assert_int_equal(shmf_pool_resize(pool, 1, NULL), SHMF_E_CLOSED);
    shmf_pool_free(pool);
    struct shmf_pool_options options = {.workers = 3, .max_workers = 2};
    assert_null(shmf_pool_new(&options, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    options = (struct shmf_pool_options){.max_workers = -1};
    assert_null(shmf_pool_new(&options, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_the_workers_figures_add_up_to_the_pools),
        test_case(test_times_and_faults_are_counted),
        test_case(test_results_in_recycled_pages_are_told_from_fresh_ones),
        test_case(test_a_successor_goes_on_counting),
        test_case(test_what_is_asked_wrongly_is_refused),
        test_case(test_the_report_has_a_line_for_each_worker_and_one_for_all),
        test_case(test_an_inline_pool_reports_its_tasks),
        test_case(test_idle_workers_give_back_what_they_cache),
        test_case(test_results_in_the_callers_hands_stay_when_workers_trim),
        test_case(test_a_busy_worker_trims_when_its_task_is_over),
        test_case(test_workers_come_and_go_on_request),
        test_case(test_a_surplus_worker_finishes_its_task),
        test_case(test_resizing_all_the_time_loses_no_task),
        test_case(test_results_of_workers_that_are_gone_stay),
        test_case(test_no_more_workers_than_were_agreed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

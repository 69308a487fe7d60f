/* What a caller may get wrong, or ask for at an odd moment: the error names it, and nothing else
 * happens. Beside test_pool_errors.c: calls by the whole, reports, results. */
#include "pool_calls.h"

#include <shmframe/control.h>
#include <shmframe/early.h>
#include <shmframe/future.h>
#include <shmframe/map.h>
#include <shmframe/reduce.h>

#include "pool/pool_internal.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#define assert_refused(call, status, name)                                                         \
    do {                                                                                           \
        struct shmf_error err = {0};                                                               \
        assert_int_equal((call), (status));                                                        \
        if (!strstr(err.message, (name)))                                                          \
            fail_msg("'%s' does not name %s", err.message, (name));                                \
    } while (0)

static int nothing(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    (void)task, (void)begin, (void)end, (void)context;
    return 0;
}

static void test_bad_options_of_a_loop_are_refused_by_name(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    const struct shmf_for_options attempts = {.attempts = -1}, reserved = {.reserved0 = 1};
    assert_refused(shmf_pool_for(pool, 0, 9, nothing, NULL, &attempts, &err), SHMF_E_INVAL,
                   "options.attempts");
    assert_refused(shmf_pool_for(pool, 0, 9, nothing, NULL, &reserved, &err), SHMF_E_INVAL,
                   "options.reserved0");
    assert_int_equal(shmf_pool_for(pool, 9, 0, nothing, NULL, NULL, NULL), SHMF_E_INVAL);
    shmf_pool_free(pool);
}

/* ---- reductions ---------------------------------------------------------------------------- */

static int count_one(struct shmf_task *task, void *accumulator, void *context)
{
    (void)task, (void)context;
    ++*(int64_t *)accumulator;
    return 0;
}

/* Fails in two ways: by its code alone, or with a text. */
static int fail_some(struct shmf_task *task, void *accumulator, void *context)
{
    int64_t index = shmf_task_index(task);
    count_one(task, accumulator, context);
    if (index == 3)
        return SHMF_E_NOTFOUND;
    return index == 13 ? shmf_task_fail(task, SHMF_E_DTYPE, "thirteen") : 0;
}

static void add(void *accumulator, const void *other, void *context)
{
    (void)context;
    *(int64_t *)accumulator += *(const int64_t *)other;
}

static void test_bad_arguments_of_a_reduction_are_refused_by_name(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    const struct shmf_tasks tasks = {.count = 9};
    int64_t sum = 0;
    assert_refused(shmf_pool_reduce(pool, count_one, add, &tasks, NULL, NULL, sizeof sum, &err),
                   SHMF_E_INVAL, "accumulator");
    assert_refused(shmf_pool_reduce(pool, count_one, add, &tasks, NULL, &sum, 0, &err),
                   SHMF_E_INVAL, "size: no bytes");
    assert_refused(shmf_pool_reduce(pool, count_one, add, &tasks, NULL, &sum, PTRDIFF_MAX, &err),
                   SHMF_E_TOOBIG, "size");
    assert_refused(shmf_pool_reduce(pool, count_one, NULL, &tasks, NULL, &sum, sizeof sum, &err),
                   SHMF_E_INVAL, "combine");
    assert_int_equal(shmf_pool_reduce(pool, NULL, add, &tasks, NULL, &sum, sizeof sum, NULL),
                     SHMF_E_INVAL);
    assert_int_equal(sum, 0);
    shmf_pool_free(pool);
}

static void note_failed(int64_t begin, int64_t end, const struct shmf_failure *failure, void *user)
{
    assert_true(failure->code == SHMF_E_NOTFOUND || failure->code == SHMF_E_DTYPE);
    *(int64_t *)user += end - begin;
}

static void test_chunks_that_fail_are_left_out_and_named(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    const struct shmf_tasks tasks = {.count = 20};
    int64_t sum = 0, failed = 0;
    struct shmf_reduce_options options = {
        .chunk = 5, .failed_fn = note_failed, .failed_user = &failed};
    assert_refused(shmf_pool_reduce(pool, fail_some, add, &tasks, &options, &sum, sizeof sum, &err),
                   SHMF_E_NOTFOUND, "elements [0, 5): element 3");
    assert_int_equal(sum, 10);
    assert_int_equal(failed, 10);
    options.failed_fn = NULL;
    sum = 0;
    assert_int_equal(
        shmf_pool_reduce(pool, fail_some, add, &tasks, &options, &sum, sizeof sum, NULL),
        SHMF_E_NOTFOUND);
    assert_int_equal(sum, 10);
    shmf_pool_free(pool);
}

/* ---- elements ------------------------------------------------------------------------------ */

static int return_of_many_kinds(struct shmf_task *task, void *context)
{
    (void)context;
    switch (shmf_task_index(task) % 4) {
    case 0:
        return shmf_task_return_double(task, 1.5);
    case 1:
        return SHMF_E_NOTFOUND; /* without a text */
    case 2:
        return return_patterned(task, 10, 1); /* an array, which is no bytes */
    default:
        return 0; /* nothing */
    }
}

static void test_each_element_of_a_map_has_its_status(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    const struct shmf_tasks tasks = {.count = 40};
    double results[40];
    int statuses[40];
    assert_refused(shmf_pool_map(pool, return_of_many_kinds, &tasks, NULL, results, sizeof *results,
                                 statuses, &err),
                   SHMF_E_NOTFOUND, "element 1");
    for (int i = 0; i < 40; i++) {
        assert_int_equal(statuses[i] == 0, i % 4 == 0);
        assert_true(i % 4 || results[i] == 1.5);
    }
    assert_int_equal(statuses[1], SHMF_E_NOTFOUND);
    assert_int_equal(shmf_pool_map(pool, return_of_many_kinds, &tasks, NULL, results,
                                   sizeof *results, NULL, NULL),
                     SHMF_E_NOTFOUND);
    shmf_pool_free(pool);
}

/* Chunks of one element each; the second fails, and the first not before that was told. */
static int fail_in_reverse(struct shmf_task *task, void *shared)
{
    atomic_bool *later = shared;
    switch (shmf_task_index(task)) {
    case 0:
        while (!atomic_load(later))
            test_sleep(0.001);
        return shmf_task_fail(task, SHMF_E_RANGE, "the first");
    case 1:
        return shmf_task_fail(task, SHMF_E_TASK, "the second");
    default: /* by the worker that is done with the second */
        atomic_store(later, true);
        return 0;
    }
}

static void test_a_map_names_the_first_element_that_fails_whichever_fails_first(void **state)
{
    (void)state;
    atomic_bool *later = shared_memory(sizeof *later);
    struct shmf_pool *pool = pool_of(2);
    const struct shmf_tasks tasks = {.count = 8, .context = later};
    const struct shmf_map_options options = {.chunk = 1};
    for (int i = 0; i < 2; i++) {
        int statuses[8];
        atomic_store(later, false);
        assert_refused(shmf_pool_map(pool, fail_in_reverse, &tasks, &options, NULL, 0,
                                     i ? statuses : NULL, &err),
                       SHMF_E_RANGE, "element 0: the first");
        for (int element = 0; i && element < 8; element++)
            assert_int_equal(statuses[element], element == 0   ? SHMF_E_RANGE
                                                : element == 1 ? SHMF_E_TASK
                                                               : SHMF_OK);
    }
    shmf_pool_free(pool);
    munmap(later, sizeof *later);
}

static int die(struct shmf_task *task, void *context)
{
    (void)task, (void)context;
    raise(SIGKILL);
    return 0;
}

static void test_a_map_whose_statuses_nobody_asked_for_fails_with_its_worker(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    const struct shmf_tasks tasks = {.count = 1};
    int status = 0;
    assert_refused(shmf_pool_map(pool, die, &tasks, NULL, NULL, 0, NULL, &err), SHMF_E_WORKER_DIED,
                   "element 0");
    assert_refused(shmf_pool_map(pool, die, NULL, NULL, NULL, 0, &status, &err), SHMF_E_INVAL,
                   "tasks");
    assert_int_equal(status, 0);
    shmf_pool_free(pool);
}

static void test_deadlines_that_are_no_times_are_refused(void **state)
{
    (void)state;
    static const double bad[] = {-1, NAN, INFINITY, 1e300};
    struct shmf_pool *pool = pool_of(1);
    const struct shmf_tasks tasks = {.count = 1};
    for (size_t i = 0; i < 4; i++) {
        const struct shmf_imap_options options = {.deadline_seconds = bad[i]};
        const struct shmf_submit_options submit = {.deadline_seconds = bad[i]};
        struct shmf_error err = {0};
        assert_null(shmf_pool_imap(pool, return_index, &tasks, &options, &err));
        assert_non_null(strstr(err.message, "deadline_seconds"));
        assert_null(shmf_pool_submit(pool, return_index, NULL, &submit, &err));
        assert_non_null(strstr(err.message, "deadline_seconds"));
    }
    shmf_pool_free(pool);
}

static void test_arguments_of_more_bytes_than_there_are_are_refused(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    const struct shmf_tasks tasks[] = {
        {.count = INT64_MAX, .args = "x", .arg_size = 1 << 20},
        {.count = 3, .args = "x", .arg_size = (size_t)PTRDIFF_MAX / 2}};
    for (size_t i = 0; i < 2; i++) {
        struct shmf_error err = {0};
        assert_null(shmf_pool_imap(pool, return_index, &tasks[i], NULL, &err));
        assert_true(err.code == SHMF_E_TOOBIG || err.code == SHMF_E_INVAL);
        assert_non_null(strstr(err.message, "arg"));
    }
    shmf_pool_free(pool);
}

/* ---- reports and results ------------------------------------------------------------------- */

static void test_no_result_has_no_properties(void **state)
{
    (void)state;
    size_t count = 5;
    assert_int_equal(shmf_result_index(NULL), -1);
    assert_int_equal(shmf_result_worker(NULL), -1);
    assert_int_equal(shmf_result_nanoseconds(NULL), 0);
    assert_int_equal(shmf_result_status(NULL), SHMF_E_INVAL);
    assert_null(shmf_result_failure(NULL));
    assert_null(shmf_result_undefined(NULL, &count));
    assert_int_equal(count, 0);
    assert_int_equal(shmf_failure_print(NULL, stdout), SHMF_E_INVAL);
}

/* A stream that takes nothing, without a buffer that would hide it. */
static FILE *full_stream(void)
{
    FILE *stream = fopen("/dev/full", "we");
    assert_non_null(stream);
    setvbuf(stream, NULL, _IONBF, 0);
    return stream;
}

static void test_a_stream_that_fails_is_an_error_of_reports(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_with(&(struct shmf_pool_options){.workers = 1, .max_workers = 3});
    struct shmf_iter *iter = map_count(pool, die, 2);
    FILE *full = full_stream();
    for (int i = 0; i < 2; i++) { /* of a task, and of its worker */
        struct shmf_result *result = next_any(iter);
        assert_non_null(shmf_result_failure(result));
        assert_int_equal(shmf_failure_print(shmf_result_failure(result), full), SHMF_E_SYS);
        assert_int_equal(shmf_failure_print(shmf_result_failure(result), NULL), SHMF_E_INVAL);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    assert_int_equal(shmf_pool_report(pool, full), SHMF_E_SYS);
    assert_int_equal(shmf_pool_report(pool, NULL), SHMF_E_INVAL);
    fclose(full);
    shmf_pool_free(pool);
    struct shmf_pool_stats stats;
    assert_true(shmf_pool_get_stats(NULL, &stats) < 0);
    assert_true(shmf_pool_trim(NULL, NULL) < 0);
}

static int end_its_thread(struct shmf_task *task, void *context)
{
    if (shmf_task_index(task) == 1)
        pthread_exit(NULL);
    return return_index(task, context);
}

static void test_a_task_that_ends_its_thread_has_ended_its_worker(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    struct shmf_iter *iter = map_count(pool, end_its_thread, 4);
    for (int i = 0; i < 4; i++) {
        struct shmf_result *result = next_any(iter);
        if (i == 1)
            assert_int_equal(shmf_result_status(result), SHMF_E_WORKER_DIED);
        else
            assert_good(result);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

/* ---- threads ------------------------------------------------------------------------------- */

static void *wait_for_it(void *over)
{
    while (!atomic_load((atomic_bool *)over))
        test_sleep(0.001);
    return NULL;
}

static void test_other_threads_are_refused_where_that_was_asked_for(void **state)
{
    (void)state;
    static atomic_bool over;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wait_for_it, &over), 0);
    assert_refused(shmf_early_start(&(struct shmf_early_options){.refuse_threads = 1}, &err),
                   SHMF_E_INVAL, "1 other thread runs");
    struct shmf_error err = {0};
    assert_null(
        shmf_pool_new(&(struct shmf_pool_options){.workers = 1, .refuse_threads = 1}, &err));
    assert_non_null(strstr(err.message, "1 other thread runs"));
    /* no process is forked from here for these */
    struct shmf_pool *pool =
        pool_with(&(struct shmf_pool_options){.workers = SHMF_INLINE, .refuse_threads = 1});
    shmf_pool_free(pool);
    pool = pool_of(1);
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_int_equal(shmf_pool_report(pool, stream), SHMF_OK);
    fclose(stream);
    assert_non_null(strstr(text, "threads  1 others ran"));
    free(text);
    shmf_pool_free(pool);
    atomic_store(&over, true);
    pthread_join(thread, NULL);
}

/* ---- the end, from outside ----------------------------------------------------------------- */

static int stay(struct shmf_task *task, int64_t begin, int64_t end, void *shared)
{
    (void)task, (void)begin, (void)end;
    atomic_store((atomic_bool *)shared, true);
    test_sleep(1000);
    return 0;
}

struct loop {
    struct shmf_pool *pool;
    atomic_bool *running;
    struct shmf_error err;
    int rc;
};

static void *run_loop(void *of_loop)
{
    struct loop *loop = of_loop;
    loop->rc = shmf_pool_for(loop->pool, 0, 100, stay, loop->running, NULL, &loop->err);
    return NULL;
}

static bool is_running(void *running)
{
    return atomic_load((atomic_bool *)running);
}

static void test_a_loop_whose_pool_is_freed_or_breaks_ends_and_says_so(void **state)
{
    (void)state;
    atomic_bool *running =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(running, MAP_FAILED);
    for (int broken = 0; broken < 2; broken++) {
        struct loop loop = {.pool = pool_of(2), .running = running};
        pthread_t thread;
        atomic_store(running, false);
        assert_int_equal(pthread_create(&thread, NULL, run_loop, &loop), 0);
        assert_true(test_wait_until(20, is_running, running));
        if (broken)
            assert_int_equal(kill(test_find_named("shmf-super"), SIGKILL), 0);
        else
            shmf_pool_free(loop.pool);
        pthread_join(thread, NULL);
        assert_int_equal(loop.rc, broken ? SHMF_E_POOL_BROKEN : SHMF_E_CLOSED);
        assert_int_equal(loop.err.code, loop.rc);
        if (broken)
            shmf_pool_free(loop.pool);
    }
    munmap(running, 4096);
}

/* As other threads see it from the moment on when one frees it. */
static void test_calls_on_a_pool_that_goes_are_refused(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    const struct shmf_tasks tasks = {.count = 1};
    struct shmf_pool_stats stats;
    struct shmf_worker_stats worker;
    double result;
    pool->freeing = true;
    assert_refused(shmf_pool_for(pool, 0, 10, nothing, NULL, NULL, &err), SHMF_E_CLOSED, "pool");
    assert_refused(shmf_pool_map(pool, return_index, &tasks, NULL, &result, 8, NULL, &err),
                   SHMF_E_CLOSED, "pool");
    assert_refused(shmf_pool_resize(pool, 1, &err), SHMF_E_CLOSED, "pool");
    assert_refused((int)shmf_pool_trim(pool, &err), SHMF_E_CLOSED, "pool");
    assert_int_equal(shmf_pool_get_stats(pool, &stats), SHMF_E_CLOSED);
    assert_int_equal(shmf_pool_get_worker_stats(pool, 0, &worker), SHMF_E_CLOSED);
    assert_int_equal(shmf_pool_report(pool, stderr), SHMF_E_CLOSED);
    pool->freeing = false;
    assert_int_equal(shmf_pool_for(pool, 0, 10, nothing, NULL, NULL, NULL), SHMF_OK);
    shmf_pool_free(pool);
}

static void *free_pool(void *pool)
{
    shmf_pool_free(pool);
    return NULL;
}

struct freer {
    struct shmf_pool *pool;
    pthread_t thread;
    bool there;
};

/* The caller's first part: another thread begins to free the pool. */
static int have_it_freed(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    (void)begin, (void)end;
    struct freer *freer = context;
    if (shmf_task_worker(task) >= 0 || freer->there)
        return 0;
    if (pthread_create(&freer->thread, NULL, free_pool, freer->pool))
        return SHMF_E_SYS;
    freer->there = true;
    for (bool freeing = false; !freeing; test_sleep(0.001)) {
        pthread_mutex_lock(&freer->pool->lock);
        freeing = freer->pool->freeing;
        pthread_mutex_unlock(&freer->pool->lock);
    }
    return 0;
}

static void test_a_loop_whose_pool_is_freed_while_the_caller_runs_a_part_ends(void **state)
{
    (void)state;
    struct freer freer = {.pool = pool_of(1)};
    const struct shmf_for_options options = {.caller_too = 1, .grain = 1};
    assert_refused(shmf_pool_for(freer.pool, 0, 1000, have_it_freed, &freer, &options, &err),
                   SHMF_E_CLOSED, "freed by another thread");
    assert_true(freer.there);
    assert_int_equal(pthread_join(freer.thread, NULL), 0);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_bad_options_of_a_loop_are_refused_by_name),
        test_case(test_bad_arguments_of_a_reduction_are_refused_by_name),
        test_case(test_chunks_that_fail_are_left_out_and_named),
        test_case(test_each_element_of_a_map_has_its_status),
        test_case(test_a_map_names_the_first_element_that_fails_whichever_fails_first),
        test_case(test_a_map_whose_statuses_nobody_asked_for_fails_with_its_worker),
        test_case(test_deadlines_that_are_no_times_are_refused),
        test_case(test_arguments_of_more_bytes_than_there_are_are_refused),
        test_case(test_no_result_has_no_properties),
        test_case(test_a_stream_that_fails_is_an_error_of_reports),
        test_case(test_a_task_that_ends_its_thread_has_ended_its_worker),
        test_case(test_other_threads_are_refused_where_that_was_asked_for),
        test_case(test_a_loop_whose_pool_is_freed_or_breaks_ends_and_says_so),
        test_case(test_calls_on_a_pool_that_goes_are_refused),
        test_case(test_a_loop_whose_pool_is_freed_while_the_caller_runs_a_part_ends),
    };
    return cmocka_run_group_tests_name("pool: arguments", tests, NULL, NULL);
}

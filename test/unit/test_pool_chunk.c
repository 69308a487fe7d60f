/* pool/: the worker's side of whole calls, called as a worker calls it, and the arguments that all
 * elements share. */
#include "unit/pool_sketch.h"

#include "pool/chunk.h"
#include "pool/result.h"

static struct shmfi_sys real;
static struct shmf_error err;

enum { HUGE_ALLOCATION = 1 << 20 };

static void *no_large_malloc(size_t size)
{
    return size >= HUGE_ALLOCATION ? NULL : real.malloc(size);
}

static void *no_large_realloc(void *old, size_t size)
{
    return size >= HUGE_ALLOCATION ? NULL : real.realloc(old, size);
}

static int run(shmf_task_fn fn, struct shmf_task *task, const void *arg, size_t arg_size)
{
    task->arg = arg;
    task->arg_size = arg_size;
    task->bytes[0] = 0;
    real = shmfi_sys;
    shmfi_sys.malloc = no_large_malloc;
    shmfi_sys.realloc = no_large_realloc;
    shmfi_task_run(task, fn, NULL);
    shmfi_sys = real;
    shmfi_task_clean(task);
    free(task->deferred);
    free(task->scratch);
    shmfi_segment_unref(task->segment);
    return task->error.code;
}

/* ---- map ----------------------------------------------------------------------------------- */

static int return_nothing(struct shmf_task *task, void *context)
{
    (void)task, (void)context;
    return SHMF_OK;
}

static struct shmfi_chunk chunk_of(shmf_task_fn fn, int64_t count)
{
    return (struct shmfi_chunk){.count = count, .function = (uint64_t)(uintptr_t)fn};
}

static void test_a_chunk_whose_results_no_memory_could_hold_is_refused(void **state)
{
    (void)state;
    static const struct {
        int64_t count;
        uint64_t result_size;
        int code;
    } sizes[] = {{1, UINT64_MAX - 1, SHMF_E_TOOBIG},
                 {INT64_MAX, 1 << 10, SHMF_E_TOOBIG},
                 {1, UINT64_MAX - 100, SHMF_E_TOOBIG},
                 {1, HUGE_ALLOCATION, SHMF_E_NOMEM}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct shmf_task task = {0};
        struct shmfi_chunk chunk = chunk_of(return_nothing, sizes[i].count);
        chunk.result_size = sizes[i].result_size;
        assert_int_equal(run(shmfi_run_chunk, &task, &chunk, sizeof chunk), sizes[i].code);
        assert_non_null(strstr(task.error.message, "chunk"));
    }
}

static int return_an_object(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmfi_segment *segment = NULL;
    int rc = shmfi_segment_new(1 << 12, 0, &segment, &err);
    if (!rc)
        rc = shmfi_task_return_segment(task, segment, SHMF_KIND_ARRAY);
    shmfi_segment_unref(segment);
    return rc;
}

static void
test_an_element_that_returns_an_object_failed_though_no_bytes_were_asked_for(void **state)
{
    (void)state;
    struct shmf_task task = {0};
    struct shmfi_chunk chunk = chunk_of(return_an_object, 3);
    assert_int_equal(run(shmfi_run_chunk, &task, &chunk, sizeof chunk), SHMF_OK);
    struct shmfi_chunk_reply reply; /* behind three statuses */
    assert_true(task.size == 3 * sizeof(int32_t) + sizeof reply && !task.segment);
    memcpy(&reply, task.bytes + 3 * sizeof(int32_t), sizeof reply);
    assert_true(reply.n_failed == 3 && reply.first_failed == 0);
    task = (struct shmf_task){0};
    chunk = chunk_of(return_nothing, 3);
    assert_int_equal(run(shmfi_run_chunk, &task, &chunk, sizeof chunk), SHMF_OK);
    assert_true(task.size == 0);
}

static void test_a_chunk_whose_arguments_are_gone_fails_as_their_handle_does(void **state)
{
    (void)state;
    struct shmf_handle nothing = {.region = 4711, .length = 4096, .kind = SHMF_KIND_BYTES};
    struct shmf_task task = {.own = &nothing, .n_own = 1};
    struct shmfi_chunk chunk = chunk_of(return_nothing, 1);
    chunk.arg_size = 8;
    assert_int_equal(run(shmfi_run_chunk, &task, &chunk, sizeof chunk), SHMF_E_STALE);
    struct {
        struct shmfi_fold_chunk chunk;
        double accumulator;
    } fold = {.chunk = {.count = 1, .arg_size = 8}};
    task = (struct shmf_task){.own = &nothing, .n_own = 1};
    assert_int_equal(run(shmfi_run_fold, &task, &fold, sizeof fold), SHMF_E_STALE);
}

/* ---- reduce -------------------------------------------------------------------------------- */

static void test_an_accumulator_for_which_there_is_no_memory_is_an_error(void **state)
{
    (void)state;
    static union {
        struct shmfi_fold_chunk chunk;
        char bytes[sizeof(struct shmfi_fold_chunk) + HUGE_ALLOCATION];
    } large;
    struct shmf_task task = {0};
    assert_int_equal(run(shmfi_run_fold, &task, &large, sizeof large), SHMF_E_NOMEM);
    assert_non_null(strstr(task.error.message, "accumulator"));
}

/* ---- the application's side ---------------------------------------------------------------- */

static void test_arguments_beyond_all_memory_are_refused(void **state)
{
    (void)state;
    static const struct {
        int64_t count;
        size_t arg_size;
    } sizes[] = {{INT64_MAX, 16}, {INT64_MAX / 2, 3}, {INT64_MAX, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct shmf_tasks tasks = {
            .count = sizes[i].count, .arg_size = sizes[i].arg_size, .args = &tasks};
        struct shmfi_segment *args = NULL;
        struct shmf_handle *handles = NULL;
        size_t n_handles = 0;
        assert_int_equal(shmfi_share_elements(&tasks, &args, &handles, &n_handles, &err),
                         SHMF_E_TOOBIG);
        assert_null(args);
        free(handles);
    }
}

/* ---- inline pools -------------------------------------------------------------------------- */

static struct shmf_pool *inline_pool(void)
{
    struct shmf_pool *pool =
        shmf_pool_new(&(struct shmf_pool_options){.workers = SHMF_INLINE}, &err);
    assert_non_null(pool);
    return pool;
}

static int countdown;

static void *failing_malloc(size_t size)
{
    return --countdown == 0 ? NULL : real.malloc(size);
}

static void
test_a_task_for_whose_result_there_is_no_memory_does_not_run_and_frees_its_rows(void **state)
{
    (void)state;
    struct shmf_pool *pool = inline_pool();
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(1 << 16, SHMFI_GRANTABLE, &segment, &err), 0);
    struct shmf_handle handle = shmfi_segment_handle(segment, SHMF_KIND_ARRAY);
    handle.access = SHMF_WRITABLE;
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    real = shmfi_sys;
    shmfi_sys.malloc = failing_malloc;
    countdown = 1;
    struct shmf_result *result = shmf_pool_apply(pool, return_nothing, &input, NULL, &err);
    shmfi_sys = real;
    assert_null(result);
    assert_int_equal(err.code, SHMF_E_NOMEM);
    result = shmf_pool_apply(pool, return_nothing, &input, NULL, &err);
    assert_int_equal(shmf_result_status(result), SHMF_OK);
    shmf_result_free(result);
    shmf_pool_free(pool);
    shmfi_segment_unref(segment);
}

static void test_no_tasks_need_no_arguments(void **state)
{
    (void)state;
    struct shmf_pool *pool = inline_pool();
    struct shmf_tasks tasks = {.count = 0, .arg_size = 8};
    struct shmf_iter *iter = shmf_pool_imap(pool, return_nothing, &tasks, NULL, &err);
    assert_non_null(iter);
    struct shmf_result *result;
    assert_int_equal(shmf_iter_next(iter, &result, &err), 0);
    shmf_iter_free(iter);
    tasks.count = 1;
    assert_null(shmf_pool_imap(pool, return_nothing, &tasks, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    shmf_pool_free(pool);
}

static int leave_handles_out(struct shmf_task_input *input, void *user)
{
    (void)user;
    *input = (struct shmf_task_input){.arg = input, .arg_size = 1, .n_handles = 2};
    return 1;
}

static void
test_a_producer_that_leaves_its_handles_out_ends_the_iteration_with_their_name(void **state)
{
    (void)state;
    struct shmf_pool *pool = inline_pool();
    struct shmf_tasks tasks = {.count = -1, .next = leave_handles_out};
    struct shmf_iter *iter = shmf_pool_imap(pool, return_nothing, &tasks, NULL, &err);
    assert_non_null(iter);
    struct shmf_result *result;
    assert_int_equal(shmf_iter_next(iter, &result, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_iter_next(iter, &result, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "handles NULL"));
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

/* ---- a pool that goes while its task runs -------------------------------------------------- */

static void *free_pool(void *pool)
{
    shmf_pool_free(pool);
    return NULL;
}

static bool is_going(struct shmf_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool going = pool->freeing;
    pthread_mutex_unlock(&pool->lock);
    return going;
}

struct departure {
    struct shmf_pool *pool;
    pthread_t thread;
};

/* Another thread frees the pool, which waits for this task. */
static int see_it_go(struct shmf_task *task, void *context)
{
    struct departure *departure = context;
    if (pthread_create(&departure->thread, NULL, free_pool, departure->pool))
        return SHMF_E_TASK;
    while (!is_going(departure->pool))
        test_sleep(0.001);
    return shmf_task_return_double(task, 5);
}

static void test_a_task_whose_inline_pool_is_freed_meanwhile_comes_to_its_end(void **state)
{
    (void)state;
    struct departure departure = {.pool = inline_pool()};
    struct shmf_submit_options options = {.context = &departure};
    struct shmf_future *future = shmf_pool_submit(departure.pool, see_it_go, NULL, &options, &err);
    pthread_join(departure.thread, NULL);
    assert_non_null(future);
    assert_int_equal(shmf_future_wait(future, -1, &err), SHMF_OK);
    assert_true(shmf_result_double(shmf_future_result(future)) == 5);
    shmf_future_free(future);
    departure.pool = inline_pool();
    struct shmf_result *result = shmf_pool_apply(departure.pool, see_it_go, NULL, &options, &err);
    pthread_join(departure.thread, NULL);
    assert_true(shmf_result_double(result) == 5);
    shmf_result_free(result);
}

/* ---- a pool that cannot be made ------------------------------------------------------------ */

static void *failing_calloc(size_t count, size_t size)
{
    return --countdown == 0 ? NULL : real.calloc(count, size);
}

static void test_a_pool_for_whose_tables_there_is_no_memory_is_not_made(void **state)
{
    (void)state;
    struct shmf_pool_options two = {.workers = 2};
    real = shmfi_sys;
    for (int n = 1; n <= 4; n++) { /* itself, its members, its jobs, its slots */
        countdown = n;
        shmfi_sys.calloc = failing_calloc;
        struct shmf_pool *pool = shmf_pool_new(n == 1 ? NULL : &two, &err);
        shmfi_sys = real;
        assert_null(pool);
        assert_int_equal(err.code, SHMF_E_NOMEM);
    }
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_chunk_whose_results_no_memory_could_hold_is_refused),
        test_case(test_an_element_that_returns_an_object_failed_though_no_bytes_were_asked_for),
        test_case(test_a_chunk_whose_arguments_are_gone_fails_as_their_handle_does),
        test_case(test_an_accumulator_for_which_there_is_no_memory_is_an_error),
        test_case(test_arguments_beyond_all_memory_are_refused),
        test_case(test_a_task_for_whose_result_there_is_no_memory_does_not_run_and_frees_its_rows),
        test_case(test_no_tasks_need_no_arguments),
        test_case(test_a_producer_that_leaves_its_handles_out_ends_the_iteration_with_their_name),
        test_case(test_a_task_whose_inline_pool_is_freed_meanwhile_comes_to_its_end),
        test_case(test_a_pool_for_whose_tables_there_is_no_memory_is_not_made),
    };
    return cmocka_run_group_tests_name("pool: whole calls", tests, NULL, NULL);
}

/* Bad input is a clear error that names the culprit, and nothing is lost. */
#include "pool_calls.h"

#include <stdio.h>

/* The call failed with this code and its message names that. */
#define assert_error(err, status, name) assert_error_at(&(err), status, name, __LINE__)

static void assert_error_at(const struct shmf_error *err, int code, const char *name, int line)
{
    if (err->code != code || !strstr(err->message, name))
        fail_msg("line %d: %s: '%s', but expected was %s about '%s'", line,
                 shmf_status_name(err->code), err->message, shmf_status_name(code), name);
}

/* ---- options and tasks -------------------------------------------------------------------- */

static void refuse_pool(const struct shmf_pool_options *options, const char *field)
{
    struct shmf_error err = {0};
    assert_null(shmf_pool_new(options, &err));
    assert_error(err, SHMF_E_INVAL, field);
    assert_null(shmf_pool_new(options, NULL));
}

static void test_bad_options_of_a_pool_are_refused_by_name(void **state)
{
    (void)state;
    refuse_pool(&(struct shmf_pool_options){.workers = -2}, "options.workers");
    refuse_pool(&(struct shmf_pool_options){.workers = SHMF_MAX_WORKERS + 1}, "options.workers");
    refuse_pool(&(struct shmf_pool_options){.window = -1}, "options.window");
    refuse_pool(&(struct shmf_pool_options){.window = SHMF_MAX_WINDOW + 1}, "options.window");
    refuse_pool(&(struct shmf_pool_options){.n_keep_fds = 1}, "options.keep_fds");
    refuse_pool(&(struct shmf_pool_options){.keep_fds = (int[]){0, 987}, .n_keep_fds = 2},
                "options.keep_fds[1]");
    refuse_pool(&(struct shmf_pool_options){.tasks_per_worker = -1}, "options.tasks_per_worker");
    for (size_t i = 0; i < sizeof((struct shmf_pool_options *)NULL)->reserved / 8; i++) {
        struct shmf_pool_options options = {0};
        options.reserved[i] = 1;
        refuse_pool(&options, "options.reserved");
    }
}

static void refuse_map(struct shmf_pool *pool, const struct shmf_tasks *tasks,
                       const struct shmf_imap_options *options, int code, const char *field)
{
    struct shmf_error err = {0};
    assert_null(shmf_pool_imap(pool, return_index, tasks, options, &err));
    assert_error(err, code, field);
    assert_null(shmf_pool_imap(pool, return_index, tasks, options, NULL));
}

static int no_next(struct shmf_task_input *input, void *user)
{
    (void)input;
    (void)user;
    return 0;
}

static void test_bad_tasks_are_refused_by_name(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_error err = {0};
    refuse_map(NULL, &(struct shmf_tasks){0}, NULL, SHMF_E_INVAL, "pool");
    assert_null(shmf_pool_imap(pool, NULL, &(struct shmf_tasks){0}, NULL, &err));
    assert_error(err, SHMF_E_INVAL, "fn");
    refuse_map(pool, NULL, NULL, SHMF_E_INVAL, "tasks");
    refuse_map(pool, &(struct shmf_tasks){.count = -1}, NULL, SHMF_E_INVAL, "tasks.count");
    refuse_map(pool, &(struct shmf_tasks){.count = -2, .next = no_next}, NULL, SHMF_E_INVAL,
               "tasks.count");
    refuse_map(pool, &(struct shmf_tasks){.count = 1, .arg_size = 8}, NULL, SHMF_E_INVAL,
               "tasks.args");
    refuse_map(pool, &(struct shmf_tasks){.next = no_next, .args = "x"}, NULL, SHMF_E_INVAL,
               "tasks.args");
    refuse_map(pool, &(struct shmf_tasks){.count = INT64_MAX, .args = "x", .arg_size = 8}, NULL,
               SHMF_E_TOOBIG, "tasks.args");
    refuse_map(pool, &(struct shmf_tasks){.count = 1, .n_handles = 2}, NULL, SHMF_E_INVAL,
               "tasks.handles");
    for (int i = 0; i < 4; i++) {
        struct shmf_tasks tasks = {0};
        tasks.reserved[i] = 1;
        refuse_map(pool, &tasks, NULL, SHMF_E_INVAL, "tasks.reserved");
    }
    shmf_pool_free(pool);
}

static void test_bad_options_of_a_map_are_refused_by_name(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = 1};
    refuse_map(pool, &tasks, &(struct shmf_imap_options){.window = -1}, SHMF_E_INVAL,
               "options.window");
    refuse_map(pool, &tasks, &(struct shmf_imap_options){.window = 65}, SHMF_E_INVAL,
               "options.window");
    refuse_map(pool, &tasks, &(struct shmf_imap_options){.attempts = -1}, SHMF_E_INVAL,
               "options.attempts");
    refuse_map(pool, &tasks, &(struct shmf_imap_options){.deadline_seconds = -0.5}, SHMF_E_INVAL,
               "options.deadline_seconds");
    for (size_t i = 0; i < sizeof((struct shmf_imap_options *)NULL)->reserved / 8; i++) {
        struct shmf_imap_options options = {0};
        options.reserved[i] = 1;
        refuse_map(pool, &tasks, &options, SHMF_E_INVAL, "options.reserved");
    }
    shmf_pool_free(pool);
}

static void test_null_where_an_object_belongs_is_refused_or_harmless(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_index, 1);
    struct shmf_error err = {0};
    struct shmf_result *result = NULL;
    assert_int_equal(shmf_iter_next(NULL, &result, &err), SHMF_E_INVAL);
    assert_error(err, SHMF_E_INVAL, "iter");
    assert_int_equal(shmf_iter_next(iter, NULL, &err), SHMF_E_INVAL);
    assert_error(err, SHMF_E_INVAL, "result");
    assert_int_equal(shmf_iter_next(iter, NULL, NULL), SHMF_E_INVAL);
    assert_true(next_double(iter) == 0);
    shmf_iter_free(iter);
    shmf_iter_free(NULL);
    struct shmf_pool_stats stats;
    assert_int_equal(shmf_pool_get_stats(NULL, &stats), SHMF_E_INVAL);
    assert_int_equal(shmf_pool_get_stats(pool, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_pool_workers(NULL), 0);
    assert_int_equal(shmf_pool_worker_pid(NULL, 0), 0);
    assert_int_equal(shmf_pool_worker_pid(pool, -1), 0);
    assert_int_equal(shmf_pool_worker_pid(pool, 99), 0);
    shmf_pool_free(pool);
    shmf_pool_free(NULL);
    shmf_result_free(NULL);
    assert_int_equal(shmf_result_status(NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_result_index(NULL), -1);
    assert_null(shmf_result_failure(NULL));
    assert_null(shmf_result_bytes(NULL, NULL));
    assert_null(shmf_result_array(NULL));
    assert_null(shmf_result_frame(NULL));
    assert_null(shmf_result_take_array(NULL));
}

/* ---- handles ------------------------------------------------------------------------------ */

static void test_handles_that_name_nothing_any_more_are_stale(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *array = patterned_array(100, 0);
    struct shmf_handle handles[2] = {shmf_array_handle(array), shmf_array_handle(array)};
    struct shmf_tasks tasks = {.count = 3, .handles = handles, .n_handles = 2};
    assert_counts_up(map(pool, return_index, &tasks, NULL), 3);
    handles[1].region ^= 1;
    refuse_map(pool, &tasks, NULL, SHMF_E_STALE, "tasks.handles[1]");
    handles[1] = handles[0];
    handles[1].generation ^= 1;
    refuse_map(pool, &tasks, NULL, SHMF_E_STALE, "tasks.handles[1]");
    handles[1] = handles[0];
    handles[1].access = 77;
    refuse_map(pool, &tasks, NULL, SHMF_E_INVAL, "tasks.handles[1].access");
    handles[1] = (struct shmf_handle){0};
    refuse_map(pool, &tasks, NULL, SHMF_E_INVAL, "tasks.handles[1]");
    handles[1] = handles[0];
    handles[1].length += 1 << 20;
    refuse_map(pool, &tasks, NULL, SHMF_E_INVAL, "tasks.handles[1]");
    tasks.n_handles = 1;
    shmf_array_free(array);
    refuse_map(pool, &tasks, NULL, SHMF_E_STALE, "tasks.handles[0]");
    struct shmf_array *next = patterned_array(100, 0); /* in the same place */
    refuse_map(pool, &tasks, NULL, SHMF_E_STALE, "tasks.handles[0]");
    shmf_array_free(next);
    shmf_pool_free(pool);
}

static int return_small_array(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, 100, 0);
}

static void test_the_handle_of_a_freed_result_is_stale(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_small_array, 20);
    for (int i = 0; i < 20; i++) {
        struct shmf_result *result = next_good(iter);
        struct shmf_handle handle = shmf_array_handle(shmf_result_array(result));
        shmf_result_free(result);
        struct shmf_error err = {0};
        assert_null(shmf_array_open(handle, &err));
        assert_int_equal(err.code, SHMF_E_STALE);
        struct shmf_tasks tasks = {.count = 1, .handles = &handle, .n_handles = 1};
        refuse_map(pool, &tasks, NULL, SHMF_E_STALE, "tasks.handles[0]");
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

enum bad_input { NULL_ARG, NULL_HANDLES, STALE_HANDLE, HUGE_ARG, HUGE_HANDLES, BAD_INPUTS };

static int next_is_bad_at_5(struct shmf_task_input *input, void *user)
{
    static const struct shmf_handle stale = {.region = 5, .length = 4096, .generation = 5};
    int *left = user; /* tasks left, and then what is wrong */
    if (left[0]--)
        return 1;
    switch ((enum bad_input)left[1]) {
    case NULL_ARG:
        input->arg_size = 8;
        break;
    case NULL_HANDLES:
        input->n_handles = 8;
        break;
    case STALE_HANDLE:
        input->handles = &stale;
        input->n_handles = 1;
        break;
    case HUGE_ARG:
        input->arg = "";
        input->arg_size = SIZE_MAX;
        break;
    case HUGE_HANDLES:
    case BAD_INPUTS:
        input->handles = &stale;
        input->n_handles = SIZE_MAX;
    }
    return 1;
}

static void test_a_bad_input_ends_the_iteration_after_the_results_before_it(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    static const int codes[] = {SHMF_E_INVAL, SHMF_E_INVAL, SHMF_E_STALE, SHMF_E_TOOBIG,
                                SHMF_E_TOOBIG};
    static const char *const names[] = {"arg", "handles", "handles[0]", "arg_size", "n_handles"};
    for (int what = 0; what < BAD_INPUTS; what++) {
        int user[] = {5, what};
        struct shmf_tasks tasks = {.count = -1, .next = next_is_bad_at_5, .user = user};
        struct shmf_iter *iter = map(pool, return_index, &tasks, NULL);
        for (int i = 0; i < 5; i++)
            assert_true(next_double(iter) == i);
        struct shmf_result *result;
        for (int again = 0; again < 2; again++) {
            struct shmf_error err = {0};
            assert_int_equal(shmf_iter_next(iter, &result, &err), codes[what]);
            assert_error(err, codes[what], names[what]);
        }
        shmf_iter_free(iter);
    }
    assert_counts_up(map_count(pool, return_index, 5), 5);
    shmf_pool_free(pool);
}

/* ---- other processes ---------------------------------------------------------------------- */

struct parents {
    struct shmf_pool *pool;
    struct shmf_iter *iter;
    struct shmf_result *result;
};

/* Returns the line where it went wrong. */
static int use_the_parents_pool(void *context)
{
    struct parents *parents = context;
    struct shmf_error err = {0};
    struct shmf_result *result = NULL;
    struct shmf_pool_stats stats;
    struct shmf_tasks tasks = {.count = 1};
    if (shmf_pool_imap(parents->pool, return_index, &tasks, NULL, &err) ||
        err.code != SHMF_E_WRONG_PROCESS || !strstr(err.message, "pool"))
        return 1;
    if (shmf_iter_next(parents->iter, &result, &err) != SHMF_E_WRONG_PROCESS || result)
        return 2;
    if (shmf_pool_get_stats(parents->pool, &stats) != SHMF_E_WRONG_PROCESS)
        return 3;
    if (shmf_pool_worker_pid(parents->pool, 0))
        return 4;
    if (!is_patterned(shmf_result_array(parents->result), 100, 0))
        return 5;
    shmf_result_free(parents->result);
    shmf_iter_free(parents->iter);
    shmf_pool_free(parents->pool);
    /* It may have one of its own. */
    assert_counts_up(map_count(pool_of(2), return_index, 10), 10);
    return 0;
}

static void test_a_forked_child_is_refused_and_cannot_do_harm(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_iter *iter = map_count(pool, return_small_array, 50);
    for (int i = 0; i < 50; i++) {
        struct parents parents = {pool, iter, next_good(iter)};
        if (i % 10 == 0)
            assert_true(test_outcome_ok(test_in_child(use_the_parents_pool, &parents, 20)));
        assert_true(is_patterned(shmf_result_array(parents.result), 100, 0));
        shmf_result_free(parents.result);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_bad_options_of_a_pool_are_refused_by_name),
        test_with_workers(test_bad_tasks_are_refused_by_name),
        test_inline(test_bad_tasks_are_refused_by_name),
        test_with_workers(test_bad_options_of_a_map_are_refused_by_name),
        test_inline(test_bad_options_of_a_map_are_refused_by_name),
        test_with_workers(test_null_where_an_object_belongs_is_refused_or_harmless),
        test_inline(test_null_where_an_object_belongs_is_refused_or_harmless),
        test_with_workers(test_handles_that_name_nothing_any_more_are_stale),
        test_inline(test_handles_that_name_nothing_any_more_are_stale),
        test_with_workers(test_the_handle_of_a_freed_result_is_stale),
        test_inline(test_the_handle_of_a_freed_result_is_stale),
        test_with_workers(test_a_bad_input_ends_the_iteration_after_the_results_before_it),
        test_inline(test_a_bad_input_ends_the_iteration_after_the_results_before_it),
        test_with_workers(test_a_forked_child_is_refused_and_cannot_do_harm),
        test_inline(test_a_forked_child_is_refused_and_cannot_do_harm),
    };
    return cmocka_run_group_tests_name("pool: errors", tests, NULL, NULL);
}

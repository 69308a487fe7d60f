/* In-place work that goes wrong: what is undefined is named, the rest is as it was. */
#include "future_calls.h"

#include <shmframe/map.h>

enum { ROWS = 640 };

static struct shmf_array *grantable(int64_t rows)
{
    struct shmf_error err = {0};
    struct shmf_array *array = shmf_array_new_grantable(SHMF_INT64, 1, &rows, &err);
    if (!array)
        fail_msg("no array: %s", err.message);
    memset(shmf_array_data_mut(array), 0, (size_t)rows * sizeof(int64_t));
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

/* What parts do and note, in shared memory. */
struct plan {
    int64_t dies_at;     /* the part that holds this number ends its worker ... */
    int64_t fails_at;    /* ... or fails, half-way */
    int dies_in_attempt; /* only then; 0: always */
    atomic_int n_failed;
    int64_t begin, end; /* of the last part that was reported */
    int signal;
};

static struct plan *new_plan(void)
{
    struct plan *plan = shared_memory(sizeof *plan);
    plan->dies_at = plan->fails_at = -1;
    return plan;
}

static int fill(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    const struct plan *plan = context;
    int64_t *out = shmf_array_data_mut(shmf_task_array(task, 0));
    if (!out)
        return SHMF_E_TASK;
    for (int64_t i = begin; i < end; i++) {
        out[i - begin] = i + 1;
        if (i == plan->fails_at)
            return shmf_task_fail(task, SHMF_E_NOTFOUND, "%" PRId64 " is missing", i);
        if (i == plan->dies_at &&
            (!plan->dies_in_attempt || plan->dies_in_attempt == shmf_task_attempt(task)))
            raise(SIGKILL);
    }
    return 0;
}

static void note_failure(int64_t begin, int64_t end, const struct shmf_failure *failure, void *user)
{
    struct plan *plan = user;
    atomic_fetch_add(&plan->n_failed, 1);
    plan->begin = begin;
    plan->end = end;
    plan->signal = failure->signal;
}

static int fill_array(struct shmf_pool *pool, struct shmf_array *out, struct plan *plan,
                      int attempts, struct shmf_error *err)
{
    struct shmf_handle all = grant(out, 0, ROWS);
    struct shmf_for_options options = {.grain = 64,
                                       .attempts = attempts,
                                       .handles = &all,
                                       .n_handles = 1,
                                       .failed_fn = note_failure,
                                       .failed_user = plan};
    return shmf_pool_for(pool, 0, ROWS, fill, plan, &options, err);
}

static void assert_filled(const struct shmf_array *array, int64_t begin, int64_t end)
{
    const int64_t *data = shmf_array_data(array);
    for (int64_t i = begin; i < end; i++)
        assert_true(data[i] == i + 1);
}

static void test_a_loop_names_the_rows_of_the_worker_that_died(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct plan *plan = new_plan();
    struct shmf_pool *pool = pool_of(2);
    struct shmf_array *out = grantable(ROWS);
    plan->dies_at = 200;
    assert_int_equal(fill_array(pool, out, plan, 0, &err), SHMF_E_WORKER_DIED);
    assert_non_null(strstr(err.message, "rows [192, 256) of handle 0 are undefined"));
    assert_int_equal(plan->n_failed, 1);
    assert_true(plan->begin == 192 && plan->end == 256 && plan->signal == SIGKILL);
    assert_filled(out, 0, 201); /* of the rest of these 64 nothing is promised */
    assert_filled(out, 256, ROWS);
    shmf_array_free(out);
    shmf_pool_free(pool);
    munmap(plan, sizeof *plan);
}

static void test_a_part_that_may_start_again_gets_the_same_rows(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct plan *plan = new_plan();
    struct shmf_pool *pool = pool_of(2);
    struct shmf_array *out = grantable(ROWS);
    plan->dies_at = 200;
    plan->dies_in_attempt = 1;
    int rc = fill_array(pool, out, plan, 3, &err);
    if (rc)
        fail_msg("%s: %s", shmf_status_name(rc), err.message);
    assert_int_equal(plan->n_failed, 0);
    assert_filled(out, 0, ROWS);
    shmf_array_free(out);
    shmf_pool_free(pool);
    munmap(plan, sizeof *plan);
}

static void test_a_part_that_fails_is_named_too(void **state)
{
    struct shmf_error err = {0};
    struct plan *plan = new_plan();
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *out = grantable(ROWS);
    plan->fails_at = 639;
    assert_int_equal(fill_array(pool, out, plan, 0, &err), SHMF_E_NOTFOUND);
    assert_int_equal(plan->n_failed, 1);
    assert_true(plan->begin == 576 && plan->end == ROWS && plan->signal == 0);
    assert_filled(out, 0, ROWS);
    shmf_array_free(out);
    shmf_pool_free(pool);
    munmap(plan, sizeof *plan);
}

/* ---- single tasks ------------------------------------------------------------------------- */

static int die(struct shmf_task *task, void *context)
{
    (void)context;
    for (size_t i = 0; i < shmf_task_n_handles(task); i++)
        shmf_task_array(task, i);
    if (shmf_task_arg_size(task))
        return shmf_task_fail(task, SHMF_E_TASK, "no need to die");
    raise(SIGKILL);
    return 0;
}

static void assert_names(const struct shmf_result *result, const struct shmf_handle *handles,
                         size_t count)
{
    size_t n = 99;
    const struct shmf_handle *undefined = shmf_result_undefined(result, &n);
    assert_true(n == count);
    for (size_t i = 0; i < count; i++)
        assert_memory_equal(&undefined[i], &handles[i], sizeof *handles);
}

static void test_a_result_names_all_that_its_task_could_write(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of(1);
    struct shmf_array *out = grantable(ROWS), *more = grantable(ROWS);
    struct shmf_handle handles[] = {shmf_array_handle(out), grant(out, 3, 9), grant(more, 0, ROWS)};
    struct shmf_task_input input = {.handles = handles, .n_handles = 3};
    for (int failing = 0; failing < 2; failing++) {
        input.arg = "x";
        input.arg_size = (size_t)failing;
        struct shmf_result *result = shmf_pool_apply(pool, die, &input, NULL, &err);
        assert_non_null(result);
        assert_names(result, handles + 1, 2);
        const struct shmf_failure *failure = shmf_result_failure(result);
        assert_int_equal(failure->code, failing ? SHMF_E_TASK : SHMF_E_WORKER_DIED);
        if (!failing)
            assert_non_null(strstr(failure->message, "rows [3, 9) of handle 1 are undefined, and"));
        shmf_result_free(result);
    }
    shmf_array_free(out);
    shmf_array_free(more);
    shmf_pool_free(pool);
}

static int fill_all(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_array_zero(shmf_task_array(task, 0));
}

static void test_nothing_is_undefined_where_all_went_well_or_nothing_ran(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of(1);
    struct shmf_array *out = grantable(ROWS);
    struct shmf_handle handle = grant(out, 0, ROWS);
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    struct shmf_result *result = shmf_pool_apply(pool, fill_all, &input, NULL, &err);
    assert_good(result);
    assert_names(result, NULL, 0);
    shmf_result_free(result);
    assert_null(shmf_result_undefined(NULL, NULL));
    shmf_array_free(out);
    shmf_pool_free(pool);
}

/* ---- memory ------------------------------------------------------------------------------- */

static uint64_t cached(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.cached_bytes;
}

static void test_memory_that_a_dead_worker_could_write_is_given_up_with_its_object(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of(2);
    for (int dying = 0; dying < 2; dying++) {
        struct shmf_array *out = grantable(ROWS);
        struct shmf_handle handle = grant(out, 0, ROWS);
        struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
        struct shmf_result *result =
            shmf_pool_apply(pool, dying ? die : fill_all, &input, NULL, &err);
        shmf_result_free(result);
        shmf_memory_trim(0);
        uint64_t before = cached();
        shmf_array_free(out);
        assert_true(dying ? cached() == before : cached() > before);
    }
    shmf_pool_free(pool);
}

static void test_what_was_made_for_granting_is_not_used_for_anything_else(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    int64_t size = 40 << 20;
    struct shmf_array *out = shmf_array_new_grantable(SHMF_UINT8, 1, &size, &err);
    struct shmf_handle handle = shmf_array_handle(out);
    shmf_array_free(out);
    struct shmf_array *other = shmf_array_new(SHMF_UINT8, 1, &size, &err);
    assert_true(shmf_array_handle(other).region != handle.region);
    struct shmf_array *again = shmf_array_new_grantable(SHMF_UINT8, 1, &size, &err);
    assert_true(shmf_array_handle(again).region == handle.region);
    shmf_array_free(again);
    shmf_array_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_a_loop_names_the_rows_of_the_worker_that_died),
        test_case(test_a_part_that_may_start_again_gets_the_same_rows),
        test_with_workers(test_a_part_that_fails_is_named_too),
        test_inline(test_a_part_that_fails_is_named_too),
        test_case(test_a_result_names_all_that_its_task_could_write),
        test_case(test_nothing_is_undefined_where_all_went_well_or_nothing_ran),
        test_case(test_memory_that_a_dead_worker_could_write_is_given_up_with_its_object),
        test_case(test_what_was_made_for_granting_is_not_used_for_anything_else),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lending and pools: results are lent on, tasks get what was borrowed, and no task lends its
 * inputs. */
#include "pool_calls.h"

#include <sys/socket.h>

#define SIZE 100000

static struct shmf_error err;
static int ends[2];

static void connect_ends(void)
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void close_ends(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* ---- results --------------------------------------------------------------------------------- */

static int make(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, SIZE, (uint64_t)shmf_task_index(task));
}

/* The only worker's memory, which it would fill with the next results. */
static void test_a_result_that_is_lent_keeps_its_memory_when_it_and_the_pool_are_gone(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    connect_ends();
    struct shmf_iter *iter = map(pool, make, &(struct shmf_tasks){.count = 10}, NULL);
    struct shmf_result *result = next_good(iter);
    struct shmf_loan *loan = shmf_array_lend(shmf_result_array(result), ends[0], 0, &err);
    assert_non_null(loan);
    shmf_result_free(result);
    struct shmf_array *got = shmf_array_borrow(ends[1], 0, &err);
    for (int i = 1; i < 10; i++)
        shmf_result_free(next_good(iter));
    assert_ends(iter);
    shmf_iter_free(iter);
    assert_true(is_patterned(got, SIZE, 0));
    assert_int_equal(shmf_loan_is_over(loan), 0);
    shmf_pool_free(pool);
    assert_true(is_patterned(got, SIZE, 0));
    assert_int_equal(shmf_loan_is_over(loan), 0);
    shmf_array_free(got);
    assert_int_equal(shmf_loan_is_over(loan), 1);
    shmf_loan_free(loan);
    close_ends();
}

/* ---- inputs ---------------------------------------------------------------------------------- */

static int check_input(struct shmf_task *task, void *context)
{
    const _Atomic bool *go = context;
    while (!*go)
        test_sleep(0.001);
    return shmf_task_return_double(task, is_patterned(shmf_task_array(task, 0), SIZE, 1) ? 1 : 0);
}

struct busy {
    struct shmf_pool *pool;
    struct shmf_loan *loan;
};

/* A worker hears that a region is gone when the application turns to the pool again. */
static bool over_after_a_task(void *context)
{
    const struct busy *busy = context;
    assert_counts_up(map_count(busy->pool, return_index, 4), 4);
    return shmf_loan_is_over(busy->loan) == 1;
}

static void test_a_loan_of_what_tasks_get_lasts_until_they_are_done_and_have_heard(void **state)
{
    _Atomic bool *go = shared_memory(sizeof *go);
    struct shmf_pool *pool = pool_of_state(state); /* before: its workers inherit nothing */
    connect_ends();
    struct shmf_array *array = patterned_array(SIZE, 1);
    struct shmf_loan *loan = shmf_array_lend(array, ends[0], 0, &err);
    assert_non_null(loan);
    shmf_array_free(array);
    struct shmf_array *got = shmf_array_borrow(ends[1], 0, &err);
    struct shmf_handle handle = shmf_array_handle(got);
    struct shmf_tasks tasks = {.count = 8, .handles = &handle, .n_handles = 1, .context = go};
    *go = shmf_pool_workers(pool) == 0;
    struct shmf_iter *iter = map(pool, check_input, &tasks, NULL);
    if (shmf_pool_workers(pool) > 0)
        shmf_array_free(got); /* the tasks hold it */
    assert_int_equal(shmf_loan_is_over(loan), 0);
    *go = true;
    for (int i = 0; i < 8; i++)
        assert_true(next_double(iter) == 1);
    if (shmf_pool_workers(pool) == 0)
        shmf_array_free(got);
    assert_ends(iter);
    shmf_iter_free(iter);
    assert_true(test_wait_until(60, over_after_a_task, &(struct busy){pool, loan}));
    shmf_loan_free(loan);
    shmf_pool_free(pool);
    munmap(go, sizeof *go);
    close_ends();
}

/* ---- in a worker ----------------------------------------------------------------------------- */

/* What the task was given the application may use again when the task is done; what it makes is
 * the worker's. */
static int lend_in_worker(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_error why = {0};
    struct shmf_array *own = shmf_array_new(SHMF_UINT8, 1, (int64_t[]){SIZE}, &why);
    if (!own)
        return shmf_task_fail(task, why.code, "%s", why.message);
    test_fill(shmf_array_data_mut(own), SIZE, 2);
    struct shmf_loan *loan = shmf_array_lend(own, ends[0], 10, &why);
    shmf_array_free(own);
    if (!loan)
        return shmf_task_fail(task, why.code, "own: %s", why.message);
    shmf_loan_free(loan);
    loan = shmf_array_lend(shmf_task_array(task, 0), ends[0], 10, &why);
    shmf_loan_free(loan);
    return shmf_task_return_double(task, loan ? 0 : why.code);
}

static void test_a_task_lends_what_it_made_and_not_what_it_was_given(void **state)
{
    (void)state;
    connect_ends();
    struct shmf_array *array = patterned_array(SIZE, 1);
    struct shmf_pool *pool =
        pool_with(&(struct shmf_pool_options){.workers = 1, .keep_fds = ends, .n_keep_fds = 2});
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_tasks tasks = {.count = 1, .handles = &handle, .n_handles = 1};
    struct shmf_iter *iter = map(pool, lend_in_worker, &tasks, NULL);
    assert_true(next_double(iter) == SHMF_E_UNSUPPORTED);
    assert_ends(iter);
    shmf_iter_free(iter);
    struct shmf_array *got = shmf_array_borrow(ends[1], 60, &err);
    assert_true(is_patterned(got, SIZE, 2));
    assert_null(shmf_array_borrow(ends[1], 0, &err));
    shmf_pool_free(pool); /* its worker has ended, and what it lent is there */
    assert_true(is_patterned(got, SIZE, 2));
    shmf_array_free(got);
    shmf_array_free(array);
    close_ends();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(
            test_a_result_that_is_lent_keeps_its_memory_when_it_and_the_pool_are_gone),
        test_inline(test_a_result_that_is_lent_keeps_its_memory_when_it_and_the_pool_are_gone),
        test_with_workers(test_a_loan_of_what_tasks_get_lasts_until_they_are_done_and_have_heard),
        test_inline(test_a_loan_of_what_tasks_get_lasts_until_they_are_done_and_have_heard),
        test_case(test_a_task_lends_what_it_made_and_not_what_it_was_given),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

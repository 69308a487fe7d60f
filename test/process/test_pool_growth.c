/* Workers whose memory grows from task to task are replaced in time; nothing else grows them. */
#include "future_calls.h"

#include <sys/mman.h>

enum { MIB = 1 << 20, COUNT = 6 };

static void *leaked; /* the last piece; each points to the one before, so tools find them all */

static void leak(size_t size)
{
    void **piece = malloc(size);
    assert_non_null(piece);
    memset(piece, 1, size);
    *piece = leaked;
    leaked = piece;
}

/* Longer than the work after which a worker looks at itself. */
static int leak_and_return_pid(struct shmf_task *task, void *context)
{
    leak(16 * MIB);
    usleep(11000);
    return return_pid(task, context);
}

/* Runs the tasks one after the other; how many processes there were. */
static int processes_of(struct shmf_pool *pool, shmf_task_fn fn)
{
    double pids[COUNT];
    int different = 0;
    for (int i = 0; i < COUNT; i++) {
        pids[i] = number_of(submit(pool, fn, NULL));
        bool is_new = true;
        for (int j = 0; j < i; j++)
            is_new = is_new && pids[j] != pids[i];
        different += is_new;
    }
    return different;
}

static struct shmf_pool *limited_pool(uint64_t bytes, int (*initializer)(int, void *))
{
    struct shmf_pool_options options = {
        .workers = 1, .max_worker_bytes = bytes, .initializer = initializer};
    return pool_with(&options);
}

static void test_a_worker_that_has_grown_is_replaced_between_tasks(void **state)
{
    (void)state;
    struct shmf_pool *pool = limited_pool(8 * MIB, NULL);
    assert_int_equal(processes_of(pool, leak_and_return_pid), COUNT);
    assert_int_equal(stats_of(pool).workers_died, 0);
    assert_int_equal(stats_of(pool).tasks_failed, 0);
    shmf_pool_free(pool);
}

/* A task that is short enough for its worker not to look at itself at once. */
static int leak_quickly_and_return_pid(struct shmf_task *task, void *context)
{
    leak(16 * MIB);
    return return_pid(task, context);
}

static bool has_a_successor(void *pool)
{
    struct shmf_worker_stats worker;
    assert_int_equal(shmf_pool_get_worker_stats(pool, 0, &worker), SHMF_OK);
    return worker.processes == 2;
}

static void test_a_worker_that_has_grown_is_replaced_also_while_it_waits(void **state)
{
    (void)state;
    struct shmf_pool *pool = limited_pool(8 * MIB, NULL);
    double pid = number_of(submit(pool, leak_quickly_and_return_pid, NULL));
    assert_true(test_wait_until(30, has_a_successor, pool));
    assert_true(number_of(submit(pool, return_pid, NULL)) != pid);
    assert_int_equal(stats_of(pool).workers_died, 0);
    shmf_pool_free(pool);
}

static void test_without_a_limit_a_worker_may_grow(void **state)
{
    (void)state;
    struct shmf_pool *pool = limited_pool(0, NULL);
    assert_int_equal(processes_of(pool, leak_and_return_pid), 1);
    shmf_pool_free(pool);
}

static void test_a_few_leaks_below_the_limit_are_borne(void **state)
{
    (void)state;
    struct shmf_pool *pool = limited_pool((uint64_t)1024 * MIB, NULL);
    assert_int_equal(processes_of(pool, leak_and_return_pid), 1);
    shmf_pool_free(pool);
}

/* Much memory, but none that stays. */
static int borrow_and_return_pid(struct shmf_task *task, void *context)
{
    void *at = mmap(NULL, 16 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){16 * MIB});
    if (at == MAP_FAILED || !array)
        return SHMF_E_TASK;
    memset(at, 1, 16 * MIB);
    memset(shmf_array_data_mut(array), 1, 16 * MIB);
    munmap(at, 16 * MIB);
    usleep(11000);
    return return_pid(task, context);
}

static void test_memory_that_was_given_back_or_is_shared_does_not_count(void **state)
{
    (void)state;
    struct shmf_pool *pool = limited_pool(64 * MIB, NULL);
    assert_int_equal(processes_of(pool, borrow_and_return_pid), 1);
    shmf_pool_free(pool);
}

static int leak_at_first(int worker, void *context)
{
    (void)worker;
    (void)context;
    leak(64 * MIB);
    return 0;
}

static int nap_and_return_pid(struct shmf_task *task, void *context)
{
    usleep(11000);
    return return_pid(task, context);
}

static void test_what_a_worker_has_before_its_first_task_is_not_growth(void **state)
{
    (void)state;
    struct shmf_pool *pool = limited_pool(32 * MIB, leak_at_first);
    assert_int_equal(processes_of(pool, nap_and_return_pid), 1);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_a_worker_that_has_grown_is_replaced_between_tasks),
        test_case(test_a_worker_that_has_grown_is_replaced_also_while_it_waits),
        test_case(test_without_a_limit_a_worker_may_grow),
        test_case(test_a_few_leaks_below_the_limit_are_borne),
        test_case(test_memory_that_was_given_back_or_is_shared_does_not_count),
        test_case(test_what_a_worker_has_before_its_first_task_is_not_growth),
    };
    test_begin();
    return cmocka_run_group_tests_name("pool: workers that grow", tests, NULL, NULL);
}

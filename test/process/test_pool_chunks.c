/* How chunks of a whole call travel. */
#include "future_calls.h"

#include <shmframe/map.h>

static int return_index_but_not_3(struct shmf_task *task, void *context)
{
    return shmf_task_index(task) == 3 ? SHMF_E_RANGE : return_index(task, context);
}

static void test_few_results_travel_without_a_segment(void **state)
{
    (void)state;
    enum { count = 96, few = SHMF_INLINE_RESULT / sizeof(double) };
    double results[count];
    struct shmf_pool *pool = pool_of(2);
    struct shmf_tasks tasks = {.count = count};
    struct shmf_map_options options = {.chunk = few};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            shmf_pool_map(pool, return_index, &tasks, &options, results, 8, NULL, NULL), SHMF_OK);
        for (int e = 0; e < count; e++)
            assert_true(results[e] == e);
        assert_int_equal(stats_of(pool).bytes_delivered > 0, i > 0);
        options.chunk = few + 1; /* one too many */
    }
    shmf_pool_free(pool);
    pool = pool_of(2);
    options.chunk = 4;
    results[3] = -1;
    assert_int_equal(
        shmf_pool_map(pool, return_index_but_not_3, &tasks, &options, results, 8, NULL, NULL),
        SHMF_E_RANGE);
    for (int e = 0; e < count; e++)
        assert_true(results[e] == (e == 3 ? -1 : e));
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_few_results_travel_without_a_segment),
    };
    test_begin();
    return cmocka_run_group_tests_name("pool: chunks", tests, NULL, NULL);
}

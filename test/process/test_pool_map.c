/* Whole calls: a function mapped over all elements, in chunks. */
#include "future_calls.h"

#include <shmframe/map.h>

/* ---- elements ----------------------------------------------------------------------------- */

static int return_index_and_seed(struct shmf_task *task, void *context)
{
    (void)context;
    uint64_t both[2] = {(uint64_t)shmf_task_index(task), shmf_task_seed(task)};
    return shmf_task_return_bytes(task, both, sizeof both);
}

static int fail_if_17_divides(struct shmf_task *task, void *context)
{
    int64_t index = shmf_task_index(task);
    if (index % 17 == 3)
        return shmf_task_fail(task, SHMF_E_RANGE, "%" PRId64 " is one of those", index);
    return return_index(task, context);
}

/* Every element counts itself; one ends its worker. */
struct deadly {
    int64_t index;
    atomic_int ran;
};

static int die_at_index(struct shmf_task *task, void *context)
{
    struct deadly *deadly = context;
    atomic_fetch_add(&deadly->ran, 1);
    if (shmf_task_index(task) == deadly->index)
        raise(SIGSEGV);
    return return_index(task, NULL);
}

static int die_at_index_once(struct shmf_task *task, void *context)
{
    struct deadly *deadly = context;
    if (shmf_task_attempt(task) == 1)
        return die_at_index(task, context);
    atomic_fetch_add(&deadly->ran, 1);
    return return_index(task, NULL);
}

/* ---- results ------------------------------------------------------------------------------ */

static void assert_maps(struct shmf_pool *pool, int64_t count, int64_t chunk)
{
    struct shmf_tasks tasks = {.count = count, .seed = 5};
    struct shmf_map_options options = {.chunk = chunk};
    uint64_t(*results)[2] = calloc((size_t)count + 1, sizeof *results);
    int *statuses = malloc(((size_t)count + 1) * sizeof *statuses);
    for (int64_t i = 0; i <= count; i++)
        statuses[i] = 77;
    struct shmf_error err = {.code = 55};
    int rc = shmf_pool_map(pool, return_index_and_seed, &tasks, &options, results, sizeof *results,
                           statuses, &err);
    assert_int_equal(rc, SHMF_OK);
    assert_int_equal(err.code, 55); /* written only on failure */
    for (int64_t i = 0; i < count; i++) {
        assert_int_equal(results[i][0], i);
        assert_int_equal(statuses[i], SHMF_OK);
    }
    assert_int_equal(results[count][0], 0);
    assert_int_equal(statuses[count], 77);
    free(results);
    free(statuses);
}

static void test_every_result_stands_in_its_place_whatever_the_chunks(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    static const int64_t counts[] = {1, 2, 3, 63, 64, 65, 1000}, chunks[] = {0, 1, 2, 7, 64, 5000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (size_t j = 0; j < sizeof chunks / sizeof *chunks; j++)
            assert_maps(pool, counts[i], chunks[j]);
    assert_maps(pool, test_rounds(200000) + 1, 0);
    shmf_pool_free(pool);
}

static void test_seeds_depend_on_the_element_and_not_on_chunks_or_workers(void **state)
{
    (void)state;
    enum { count = 200 };
    uint64_t results[4][count][2];
    struct shmf_tasks tasks = {.count = count, .seed = 99};
    struct shmf_pool *pools[2] = {pool_of(2), pool_of(SHMF_INLINE)};
    for (int way = 0; way < 4; way++) {
        struct shmf_map_options options = {.chunk = way < 2 ? 1 : 50};
        assert_int_equal(shmf_pool_map(pools[way % 2], return_index_and_seed, &tasks, &options,
                                       results[way], sizeof *results[way], NULL, NULL),
                         SHMF_OK);
        assert_memory_equal(results[way], results[0], sizeof *results);
    }
    struct shmf_iter *iter = map(pools[0], return_index_and_seed, &tasks, NULL);
    for (int i = 0; i < count; i++) {
        struct shmf_result *result = next_good(iter);
        assert_memory_equal(shmf_result_bytes(result, NULL), results[0][i], sizeof results[0][i]);
        shmf_result_free(result);
        assert_true(i == 0 || results[0][i][1] != results[0][i - 1][1]);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pools[0]);
    shmf_pool_free(pools[1]);
}

static int sum_arg(struct shmf_task *task, void *context)
{
    (void)context;
    double sum = 0;
    const uint8_t *bytes = shmf_task_arg(task);
    for (size_t i = 0; i < shmf_task_arg_size(task); i++)
        sum += bytes[i];
    return shmf_task_return_double(task, sum);
}

static void assert_sums(struct shmf_pool *pool, int64_t count, size_t size)
{
    uint8_t *args = malloc((size_t)count * size);
    double *results = malloc((size_t)count * sizeof *results);
    test_fill(args, (size_t)count * size, 12);
    struct shmf_tasks tasks = {.count = count, .args = args, .arg_size = size};
    assert_int_equal(
        shmf_pool_map(pool, sum_arg, &tasks, NULL, results, sizeof *results, NULL, NULL), SHMF_OK);
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (size_t b = 0; b < size; b++)
            sum += args[(size_t)i * size + b];
        assert_true(results[i] == sum);
    }
    free(args);
    free(results);
}

static void test_arguments_of_any_size_reach_their_elements(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    assert_sums(pool, 1000, 1);
    assert_sums(pool, 1000, 24);
    assert_sums(pool, 100, 5000);
    assert_sums(pool, 3, 4 << 20);
    shmf_pool_free(pool);
}

static int return_pattern_of_index(struct shmf_task *task, void *context)
{
    size_t size = *(size_t *)context;
    uint8_t *bytes = malloc(size);
    test_fill(bytes, size, (uint64_t)shmf_task_index(task));
    int rc = shmf_task_return_bytes(task, bytes, size);
    free(bytes);
    return rc;
}

static void test_results_of_any_size_come_back(void **state)
{
    static size_t size;
    static const size_t sizes[] = {1, 8, 128, 129, 5000, 1 << 20};
    enum { count = 20 };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size = sizes[s];
        struct shmf_pool *pool = pool_of_state(state); /* it inherits `size` */
        uint8_t *results = malloc(count * size);
        struct shmf_tasks tasks = {.count = count, .context = &size};
        assert_int_equal(
            shmf_pool_map(pool, return_pattern_of_index, &tasks, NULL, results, size, NULL, NULL),
            SHMF_OK);
        for (size_t i = 0; i < count; i++)
            assert_true(test_differs(results + i * size, size, i) < 0);
        free(results);
        shmf_pool_free(pool);
    }
}

static int count_element(struct shmf_task *task, void *context)
{
    (void)task;
    atomic_fetch_add((atomic_int *)context, 1);
    return 0;
}

static void test_elements_may_return_nothing(void **state)
{
    atomic_int *ran = shared_memory(sizeof *ran);
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = 1000, .context = ran};
    int statuses[1000];
    memset(statuses, 1, sizeof statuses);
    assert_int_equal(shmf_pool_map(pool, count_element, &tasks, NULL, NULL, 0, statuses, NULL),
                     SHMF_OK);
    assert_int_equal(atomic_load(ran), 1000);
    assert_int_equal(test_differs_from(statuses, sizeof statuses, 0), -1);
    shmf_pool_free(pool);
    munmap(ran, sizeof *ran);
}

static void test_no_elements_are_done_at_once(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks none = {.count = 0}, with_size = {.count = 0, .arg_size = 100};
    struct shmf_map_options chunk = {.chunk = 10};
    assert_int_equal(shmf_pool_map(pool, return_index, &none, NULL, NULL, 8, NULL, NULL), 0);
    assert_int_equal(shmf_pool_map(pool, return_index, &with_size, &chunk, NULL, 8, NULL, NULL), 0);
    shmf_pool_free(pool);
}

static int first_of_handle(struct shmf_task *task, void *context)
{
    (void)context;
    const struct shmf_array *array = shmf_task_array(task, 0);
    if (!array || shmf_task_n_handles(task) != 1)
        return shmf_task_fail(task, SHMF_E_INVAL, "the handle is not there");
    const uint8_t *bytes = shmf_array_data(array);
    uint8_t arg;
    memcpy(&arg, shmf_task_arg(task), 1);
    return shmf_task_return_double(task, bytes[arg]);
}

static void test_handles_of_the_call_are_each_elements_first(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *array = patterned_array(256, 4);
    struct shmf_handle handle = shmf_array_handle(array);
    uint8_t args[256];
    double results[256];
    for (int i = 0; i < 256; i++)
        args[i] = (uint8_t)(255 - i);
    struct shmf_tasks tasks = {
        .count = 256, .args = args, .arg_size = 1, .handles = &handle, .n_handles = 1};
    assert_int_equal(shmf_pool_map(pool, first_of_handle, &tasks, NULL, results, 8, NULL, NULL), 0);
    const uint8_t *bytes = shmf_array_data(array);
    for (int i = 0; i < 256; i++)
        assert_true(results[i] == bytes[args[i]]);
    shmf_array_free(array);
    shmf_pool_free(pool);
}

/* ---- failures ----------------------------------------------------------------------------- */

static void test_elements_that_fail_have_their_status_and_stop_no_other(void **state)
{
    enum { count = 500 };
    struct shmf_pool *pool = pool_of_state(state);
    for (int64_t chunk = 0; chunk <= 200; chunk += 40) {
        struct shmf_tasks tasks = {.count = count};
        struct shmf_map_options options = {.chunk = chunk};
        double results[count];
        int statuses[count];
        struct shmf_error err = {0};
        for (int i = 0; i < count; i++)
            results[i] = -7;
        assert_int_equal(
            shmf_pool_map(pool, fail_if_17_divides, &tasks, &options, results, 8, statuses, &err),
            SHMF_E_RANGE);
        assert_int_equal(err.code, SHMF_E_RANGE);
        assert_string_equal(err.message, "element 3: 3 is one of those");
        for (int i = 0; i < count; i++) {
            assert_int_equal(statuses[i], i % 17 == 3 ? SHMF_E_RANGE : SHMF_OK);
            assert_true(results[i] == (i % 17 == 3 ? -7 : i)); /* bytes are not touched */
        }
        assert_int_equal(
            shmf_pool_map(pool, fail_if_17_divides, &tasks, &options, results, 8, NULL, NULL),
            SHMF_E_RANGE);
    }
    shmf_pool_free(pool);
}

static void test_a_result_of_another_size_is_a_failure_that_says_so(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = 10};
    uint8_t results[10 * 16];
    int statuses[10];
    struct shmf_error err = {0};
    static const size_t wrong[] = {0, 1, 7, 9, 16};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(
            shmf_pool_map(pool, return_index, &tasks, NULL, results, wrong[i], statuses, &err),
            SHMF_E_INVAL);
        assert_non_null(strstr(err.message, "8 bytes instead of"));
        for (int e = 0; e < 10; e++)
            assert_int_equal(statuses[e], SHMF_E_INVAL);
    }
    shmf_pool_free(pool);
}

static void test_a_worker_that_dies_costs_its_chunk_only(void **state)
{
    (void)state;
    enum { count = 100, chunk = 10 };
    struct deadly *deadly = shared_memory(sizeof *deadly);
    struct shmf_pool *pool = pool_of(2);
    struct shmf_tasks tasks = {.count = count, .context = deadly};
    struct shmf_map_options options = {.chunk = chunk};
    double results[count];
    int statuses[count];
    struct shmf_error err = {0};
    for (int i = 0; i < count; i++)
        results[i] = -7;
    deadly->index = 47;
    assert_int_equal(
        shmf_pool_map(pool, die_at_index, &tasks, &options, results, 8, statuses, &err),
        SHMF_E_WORKER_DIED);
    assert_int_equal(err.code, SHMF_E_WORKER_DIED);
    assert_non_null(strstr(err.message, "element 40: "));
    assert_non_null(strstr(err.message, "signal 11"));
    for (int i = 0; i < count; i++) {
        bool lost = i >= 40 && i < 50;
        assert_int_equal(statuses[i], lost ? SHMF_E_WORKER_DIED : SHMF_OK);
        assert_true(results[i] == (lost ? -7 : i));
    }
    assert_int_equal(atomic_load(&deadly->ran), count - 2); /* 48 and 49 were never run */
    shmf_pool_free(pool);
    munmap(deadly, sizeof *deadly);
}

static void test_an_idempotent_chunk_starts_again_when_its_worker_dies(void **state)
{
    (void)state;
    enum { count = 100 };
    struct deadly *deadly = shared_memory(sizeof *deadly);
    struct shmf_pool *pool = pool_of(2);
    struct shmf_tasks tasks = {.count = count, .context = deadly};
    struct shmf_map_options options = {.chunk = 10, .attempts = 2};
    double results[count];
    deadly->index = 99;
    assert_int_equal(
        shmf_pool_map(pool, die_at_index_once, &tasks, &options, results, 8, NULL, NULL), SHMF_OK);
    for (int i = 0; i < count; i++)
        assert_true(results[i] == i);
    assert_int_equal(stats_of(pool).tasks_retried, 1);
    shmf_pool_free(pool);
    munmap(deadly, sizeof *deadly);
}

static int stick_at_30(struct shmf_task *task, void *context)
{
    while (shmf_task_index(task) == 30)
        pause();
    return return_index(task, context);
}

static void test_a_chunk_that_runs_too_long_is_ended_and_the_others_are_not(void **state)
{
    (void)state;
    enum { count = 60 };
    struct shmf_pool *pool = pool_of(2);
    struct shmf_tasks tasks = {.count = count};
    struct shmf_map_options options = {.chunk = 5, .deadline_seconds = test_seconds(0.2)};
    double results[count];
    int statuses[count];
    assert_int_equal(shmf_pool_map(pool, stick_at_30, &tasks, &options, results, 8, statuses, NULL),
                     SHMF_E_TIMEOUT);
    for (int i = 0; i < count; i++)
        assert_int_equal(statuses[i], i >= 30 && i < 35 ? SHMF_E_TIMEOUT : SHMF_OK);
    shmf_pool_free(pool);
}

/* ---- wrong calls -------------------------------------------------------------------------- */

static void assert_refused(struct shmf_pool *pool, shmf_task_fn fn, const struct shmf_tasks *tasks,
                           const struct shmf_map_options *options, double *results,
                           const char *what)
{
    struct shmf_error err = {0};
    assert_int_equal(shmf_pool_map(pool, fn, tasks, options, results, 8, NULL, &err), SHMF_E_INVAL);
    assert_int_equal(err.code, SHMF_E_INVAL);
    if (!strstr(err.message, what))
        fail_msg("'%s' does not name %s", err.message, what);
    assert_int_equal(shmf_pool_map(pool, fn, tasks, options, results, 8, NULL, NULL), SHMF_E_INVAL);
}

static int no_more(struct shmf_task_input *input, void *user)
{
    (void)input;
    (void)user;
    return 0;
}

static void test_wrong_arguments_are_refused_by_name(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    double results[2];
    struct shmf_tasks two = {.count = 2}, negative = {.count = -1}, no_args = {2, .arg_size = 1},
                      next = {.count = 2, .next = no_more}, no_handles = {2, .n_handles = 1},
                      reserved = {.count = 2, .reserved = {1}};
    struct shmf_map_options chunk = {.chunk = -1}, attempts = {.attempts = -1},
                            deadline = {.deadline_seconds = -1}, more = {.reserved = {[6] = 1}};
    assert_refused(NULL, return_index, &two, NULL, results, "pool");
    assert_refused(pool, NULL, &two, NULL, results, "fn");
    assert_refused(pool, return_index, NULL, NULL, results, "tasks");
    assert_refused(pool, return_index, &negative, NULL, results, "count");
    assert_refused(pool, return_index, &no_args, NULL, results, "args");
    assert_refused(pool, return_index, &next, NULL, results, "next");
    assert_refused(pool, return_index, &no_handles, NULL, results, "handles");
    assert_refused(pool, return_index, &reserved, NULL, results, "reserved");
    assert_refused(pool, return_index, &two, NULL, NULL, "results");
    assert_refused(pool, return_index, &two, &chunk, results, "chunk");
    assert_refused(pool, return_index, &two, &attempts, results, "attempts");
    assert_refused(pool, return_index, &two, &deadline, results, "deadline_seconds");
    assert_refused(pool, return_index, &two, &more, results, "reserved");
    shmf_pool_free(pool);
}

static void test_sizes_beyond_all_memory_are_refused(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_error err = {0};
    double results[2] = {0};
    struct shmf_tasks many = {.count = INT64_MAX};
    assert_int_equal(shmf_pool_map(pool, return_index, &many, NULL, results, 8, NULL, &err),
                     SHMF_E_TOOBIG);
    assert_non_null(strstr(err.message, "result_size"));
    struct shmf_tasks large = {.count = INT64_MAX, .args = results, .arg_size = 8};
    assert_int_equal(shmf_pool_map(pool, return_index, &large, NULL, NULL, 0, NULL, &err),
                     SHMF_E_TOOBIG);
    assert_int_equal(err.code, SHMF_E_TOOBIG);
    assert_non_null(strstr(err.message, "arg_size"));
    shmf_pool_free(pool);
}

static void test_a_closed_pool_maps_nothing(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {.count = 2};
    struct shmf_error err = {0};
    double results[2];
    assert_int_equal(shmf_pool_close(pool), SHMF_OK);
    assert_int_equal(shmf_pool_map(pool, return_index, &tasks, NULL, results, 8, NULL, &err),
                     SHMF_E_CLOSED);
    assert_int_equal(err.code, SHMF_E_CLOSED);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_every_result_stands_in_its_place_whatever_the_chunks),
        test_inline(test_every_result_stands_in_its_place_whatever_the_chunks),
        test_case(test_seeds_depend_on_the_element_and_not_on_chunks_or_workers),
        test_with_workers(test_arguments_of_any_size_reach_their_elements),
        test_inline(test_arguments_of_any_size_reach_their_elements),
        test_with_workers(test_results_of_any_size_come_back),
        test_inline(test_results_of_any_size_come_back),
        test_with_workers(test_elements_may_return_nothing),
        test_inline(test_elements_may_return_nothing),
        test_with_workers(test_no_elements_are_done_at_once),
        test_inline(test_no_elements_are_done_at_once),
        test_with_workers(test_handles_of_the_call_are_each_elements_first),
        test_inline(test_handles_of_the_call_are_each_elements_first),
        test_with_workers(test_elements_that_fail_have_their_status_and_stop_no_other),
        test_inline(test_elements_that_fail_have_their_status_and_stop_no_other),
        test_with_workers(test_a_result_of_another_size_is_a_failure_that_says_so),
        test_inline(test_a_result_of_another_size_is_a_failure_that_says_so),
        test_case(test_a_worker_that_dies_costs_its_chunk_only),
        test_case(test_an_idempotent_chunk_starts_again_when_its_worker_dies),
        test_case(test_a_chunk_that_runs_too_long_is_ended_and_the_others_are_not),
        test_with_workers(test_wrong_arguments_are_refused_by_name),
        test_inline(test_wrong_arguments_are_refused_by_name),
        test_with_workers(test_sizes_beyond_all_memory_are_refused),
        test_inline(test_sizes_beyond_all_memory_are_refused),
        test_with_workers(test_a_closed_pool_maps_nothing),
        test_inline(test_a_closed_pool_maps_nothing),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

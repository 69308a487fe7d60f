/* Map-reduce: elements folded in the workers, their accumulators combined in order. */
#include "future_calls.h"

#include <shmframe/reduce.h>

/* What chunks know of themselves, combined so that order and completeness show. */
struct total {
    int64_t count, first, last; /* elements seen, without a gap between them */
    int64_t gaps;
    double sum; /* depends on the order of additions */
};

static int add_element(struct shmf_task *task, void *accumulator, void *context)
{
    struct total *total = accumulator;
    int64_t index = shmf_task_index(task);
    (void)context;
    total->gaps += total->count && total->last + 1 != index;
    total->first = total->count ? total->first : index;
    total->last = index;
    total->count++;
    total->sum += 1.0 / (double)(1 + shmf_task_seed(task) % 1000);
    return 0;
}

static void add_total(void *accumulator, const void *other, void *context)
{
    struct total *total = accumulator;
    const struct total *more = other;
    (void)context;
    total->gaps += more->gaps + (total->count && total->last + 1 != more->first);
    total->first = total->count ? total->first : more->first;
    total->last = more->last;
    total->count += more->count;
    total->sum += more->sum;
}

static struct total reduce(struct shmf_pool *pool, shmf_fold_fn fold, int64_t count,
                           const struct shmf_reduce_options *options)
{
    struct shmf_error err = {.code = 55};
    struct total total = {0};
    struct shmf_tasks tasks = {.count = count, .seed = 7};
    int rc = shmf_pool_reduce(pool, fold, add_total, &tasks, options, &total, sizeof total, &err);
    if (rc)
        fail_msg("%s: %s", shmf_status_name(rc), err.message);
    assert_int_equal(err.code, 55);
    return total;
}

static void test_all_elements_are_combined_in_their_order(void **state)
{
    static const int64_t counts[] = {0, 1, 2, 100, 5000}, chunks[] = {0, 1, 7, INT64_MAX};
    struct shmf_pool *pool = pool_of_state(state);
    for (int c = 0; c < 5; c++)
        for (int k = 0; k < 4; k++) {
            struct shmf_reduce_options options = {.chunk = chunks[k]};
            struct total total = reduce(pool, add_element, counts[c], &options);
            assert_true(total.count == counts[c]);
            assert_true(total.gaps == 0);
            assert_true(!total.count || (total.first == 0 && total.last == counts[c] - 1));
        }
    shmf_pool_free(pool);
}

static void test_a_part_of_the_elements_keeps_their_numbers_and_seeds(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct total all = reduce(pool, add_element, 1000, &(struct shmf_reduce_options){.chunk = 1});
    struct total sum = {0};
    for (int64_t begin = 0; begin < 1000; begin += 250) {
        struct shmf_reduce_options options = {.chunk = 1, .begin = begin, .end = begin + 250};
        struct total part = reduce(pool, add_element, 1000, &options);
        assert_true(part.first == begin && part.last == begin + 249 && part.gaps == 0);
        sum.count += part.count;
        sum.sum += part.sum;
    }
    assert_true(sum.count == 1000);
    assert_true(sum.sum - all.sum < 1e-9 && all.sum - sum.sum < 1e-9);
    static const int64_t wrong[][2] = {{-1, 5}, {5, 4}, {0, 1001}};
    struct shmf_tasks tasks = {.count = 1000};
    for (int i = 0; i < 3; i++) {
        struct shmf_reduce_options options = {.begin = wrong[i][0], .end = wrong[i][1]};
        assert_int_equal(shmf_pool_reduce(pool, add_element, add_total, &tasks, &options, &sum,
                                          sizeof sum, NULL),
                         SHMF_E_RANGE);
    }
    shmf_pool_free(pool);
}

static void test_the_sum_is_the_same_to_the_bit_for_any_number_of_workers(void **state)
{
    (void)state;
    struct shmf_reduce_options options = {.chunk = 100};
    struct total first = {0};
    for (int workers = 0; workers < 4; workers++) {
        struct shmf_pool *pool = pool_of(workers ? workers : SHMF_INLINE);
        for (int i = 0; i < 5; i++) {
            struct total total = reduce(pool, add_element, 20000, &options);
            first = workers || i ? first : total;
            assert_memory_equal(&total.sum, &first.sum, sizeof total.sum);
        }
        shmf_pool_free(pool);
    }
}

/* ---- arguments and inputs ------------------------------------------------------------------- */

enum { BINS = 1000 };

/* Element i counts the bytes of row `arg` of the array into bins; more than fits into a record. */
static int count_row(struct shmf_task *task, void *accumulator, void *context)
{
    const struct shmf_array *array = shmf_task_array(task, 0);
    int64_t row = *(const int64_t *)shmf_task_arg(task), *bins = accumulator;
    (void)context;
    if (!array)
        return SHMF_E_TASK;
    for (int i = 0; i < 50; i++)
        bins[((const uint16_t *)shmf_array_data(array))[row * 50 + i]]++;
    return 0;
}

static void add_bins(void *accumulator, const void *other, void *context)
{
    (void)context;
    for (int i = 0; i < BINS; i++)
        ((int64_t *)accumulator)[i] += ((const int64_t *)other)[i];
}

static void test_a_histogram_of_rows_is_that_of_one_loop(void **state)
{
    enum { ROWS = 400 };
    static uint16_t data[ROWS][50];
    static int64_t bins[BINS], expected[BINS];
    struct shmf_error err = {0};
    int64_t args[ROWS];
    memset(bins, 0, sizeof bins);
    memset(expected, 0, sizeof expected);
    for (int64_t i = 0; i < ROWS * 50; i++) {
        data[i / 50][i % 50] = (uint16_t)(shmf_task_seed_of(1, i) % BINS);
        expected[data[i / 50][i % 50]]++;
    }
    for (int64_t i = 0; i < ROWS; i++)
        args[i] = ROWS - 1 - i;
    struct shmf_array *array =
        shmf_array_from_data(SHMF_UINT16, 2, (int64_t[]){ROWS, 50}, NULL, data, &err);
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_tasks tasks = {
        .count = ROWS, .args = args, .arg_size = sizeof *args, .handles = &handle, .n_handles = 1};
    int rc = shmf_pool_reduce(pool, count_row, add_bins, &tasks, NULL, bins, sizeof bins, &err);
    if (rc)
        fail_msg("%s: %s", shmf_status_name(rc), err.message);
    assert_memory_equal(bins, expected, sizeof bins);
    shmf_array_free(array);
    shmf_pool_free(pool);
}

/* ---- failures ------------------------------------------------------------------------------- */

struct lost {
    int64_t begin, end;
    int count, code;
};

static void note_lost(int64_t begin, int64_t end, const struct shmf_failure *failure, void *user)
{
    struct lost *lost = user;
    lost->begin = begin;
    lost->end = end;
    lost->code = failure->code;
    lost->count++;
}

static int die_at_250_once(struct shmf_task *task, void *accumulator, void *context)
{
    if (shmf_task_index(task) == 250 && shmf_task_attempt(task) == 1)
        raise(SIGKILL);
    return add_element(task, accumulator, context);
}

static int fail_at_250(struct shmf_task *task, void *accumulator, void *context)
{
    if (shmf_task_index(task) == 250)
        return shmf_task_fail(task, SHMF_E_NOTFOUND, "it is missing");
    return add_element(task, accumulator, context);
}

static void assert_loses(struct shmf_pool *pool, shmf_fold_fn fold, int code)
{
    struct shmf_error err = {0};
    struct lost lost = {0};
    struct total total = {0};
    struct shmf_tasks tasks = {.count = 1000};
    struct shmf_reduce_options options = {
        .chunk = 100, .failed_fn = note_lost, .failed_user = &lost};
    int rc = shmf_pool_reduce(pool, fold, add_total, &tasks, &options, &total, sizeof total, &err);
    assert_int_equal(rc, code);
    assert_int_equal(err.code, code);
    assert_non_null(strstr(err.message, "elements [200, 300)"));
    assert_true(lost.begin == 200 && lost.end == 300 && lost.count == 1 && lost.code == code);
    assert_true(total.count == 900 && total.gaps == 1);
}

static void test_a_worker_that_dies_costs_its_chunk(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    assert_loses(pool, die_at_250_once, SHMF_E_WORKER_DIED);
    struct shmf_reduce_options again = {.chunk = 100, .attempts = 2};
    struct total total = reduce(pool, die_at_250_once, 1000, &again);
    assert_true(total.count == 1000 && total.gaps == 0);
    shmf_pool_free(pool);
}

static void test_an_element_that_fails_costs_its_chunk(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    assert_loses(pool, fail_at_250, SHMF_E_NOTFOUND);
    shmf_pool_free(pool);
}

static void test_wrong_arguments_are_refused_by_name(void **state)
{
    struct shmf_error err = {0};
    struct total total = {0};
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_handle grant = {.region = 1, .access = SHMF_WRITABLE};
    struct shmf_tasks good = {.count = 5},
                      writable = {.count = 5, .handles = &grant, .n_handles = 1},
                      negative = {.count = -1};
    struct shmf_reduce_options chunk = {.chunk = -1}, reserved = {.reserved = {[4] = 1}};
    const struct {
        shmf_fold_fn fold;
        shmf_combine_fn combine;
        const struct shmf_tasks *tasks;
        const struct shmf_reduce_options *options;
        size_t size;
        const char *text;
    } wrong[] = {
        {NULL, add_total, &good, NULL, sizeof total, "fn"},
        {add_element, NULL, &good, NULL, sizeof total, "combine"},
        {add_element, add_total, NULL, NULL, sizeof total, "tasks"},
        {add_element, add_total, &negative, NULL, sizeof total, "tasks.count"},
        {add_element, add_total, &writable, NULL, sizeof total, "tasks.handles"},
        {add_element, add_total, &good, &chunk, sizeof total, "options.chunk"},
        {add_element, add_total, &good, &reserved, sizeof total, "reserved"},
        {add_element, add_total, &good, NULL, 0, "size"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int rc = shmf_pool_reduce(pool, wrong[i].fold, wrong[i].combine, wrong[i].tasks,
                                  wrong[i].options, &total, wrong[i].size, &err);
        assert_int_equal(rc, SHMF_E_INVAL);
        if (!strstr(err.message, wrong[i].text))
            fail_msg("message: %s", err.message);
    }
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_all_elements_are_combined_in_their_order),
        test_inline(test_all_elements_are_combined_in_their_order),
        test_with_workers(test_a_part_of_the_elements_keeps_their_numbers_and_seeds),
        test_inline(test_a_part_of_the_elements_keeps_their_numbers_and_seeds),
        test_case(test_the_sum_is_the_same_to_the_bit_for_any_number_of_workers),
        test_with_workers(test_a_histogram_of_rows_is_that_of_one_loop),
        test_inline(test_a_histogram_of_rows_is_that_of_one_loop),
        test_case(test_a_worker_that_dies_costs_its_chunk),
        test_with_workers(test_an_element_that_fails_costs_its_chunk),
        test_inline(test_an_element_that_fails_costs_its_chunk),
        test_with_workers(test_wrong_arguments_are_refused_by_name),
        test_inline(test_wrong_arguments_are_refused_by_name),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

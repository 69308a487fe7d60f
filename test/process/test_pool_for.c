/* The parallel loop: every number of the range is run once, in parts. */
#include "future_calls.h"

#include "base/sys.h"

#include <poll.h>
#include <shmframe/map.h>

/* What parts note, in shared memory. */
enum { MOST_PARTS = 4096 };

struct ledger {
    atomic_int parts;
    struct {
        int64_t begin, end;
        pid_t pid;
    } part[MOST_PARTS];
    int64_t fails_at; /* the part that holds this number fails; INT64_MAX: none */
    int64_t dies_at;  /* ... ends its worker */
    atomic_int wait;  /* workers wait while it is set */
};

static struct ledger *new_ledger(void)
{
    struct ledger *ledger = shared_memory(sizeof *ledger);
    ledger->fails_at = ledger->dies_at = INT64_MAX;
    return ledger;
}

static void free_ledger(struct ledger *ledger)
{
    munmap(ledger, sizeof *ledger);
}

static int note_part(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    struct ledger *ledger = context;
    int place = atomic_fetch_add(&ledger->parts, 1);
    if (place >= MOST_PARTS || begin >= end)
        return shmf_task_fail(task, SHMF_E_RANGE, "too many parts, or an empty one");
    ledger->part[place].begin = begin;
    ledger->part[place].end = end;
    ledger->part[place].pid = getpid();
    while (shmf_task_worker(task) >= 0 && atomic_load(&ledger->wait))
        usleep(100);
    if (begin <= ledger->dies_at && ledger->dies_at < end)
        raise(SIGKILL);
    if (begin <= ledger->fails_at && ledger->fails_at < end)
        return shmf_task_fail(task, SHMF_E_NOTFOUND, "%" PRId64 " is missing", ledger->fails_at);
    return 0;
}

static int by_begin(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The parts are the range, without gap and without overlap; none is larger than `grain`. */
static void assert_covers(struct ledger *ledger, int64_t begin, int64_t end, int64_t grain)
{
    int parts = atomic_load(&ledger->parts);
    int64_t at = begin;
    qsort(ledger->part, (size_t)parts, sizeof *ledger->part, by_begin);
    for (int i = 0; i < parts; i++) {
        assert_true(ledger->part[i].begin == at);
        at = ledger->part[i].end;
        if (grain)
            assert_true((uint64_t)at - (uint64_t)ledger->part[i].begin <= (uint64_t)grain);
    }
    assert_true(at == end);
    atomic_store(&ledger->parts, 0);
}

static void run(struct shmf_pool *pool, struct ledger *ledger, int64_t begin, int64_t end,
                const struct shmf_for_options *options)
{
    struct shmf_error err = {.code = 55};
    int rc = shmf_pool_for(pool, begin, end, note_part, ledger, options, &err);
    if (rc)
        fail_msg("%s: %s", shmf_status_name(rc), err.message);
    assert_int_equal(err.code, 55); /* written only on failure */
    assert_covers(ledger, begin, end, options ? options->grain : 0);
}

static void test_every_number_is_run_once(void **state)
{
    static const int64_t ranges[][2] = {{0, 1}, {0, 2}, {0, 3}, {5, 100}, {-50, 50}, {-9, -2}};
    static const int64_t grains[] = {0, 1, 7, 1000};
    struct ledger *ledger = new_ledger();
    struct shmf_pool *pool = pool_of_state(state);
    for (int r = 0; r < 6; r++)
        for (int g = 0; g < 4; g++)
            for (int caller = 0; caller < 2; caller++) {
                struct shmf_for_options options = {.grain = grains[g], .caller_too = caller};
                run(pool, ledger, ranges[r][0], ranges[r][1], &options);
            }
    run(pool, ledger, 0, 1000, NULL);
    shmf_pool_free(pool);
    free_ledger(ledger);
}

static void test_ranges_as_wide_as_numbers_are(void **state)
{
    struct ledger *ledger = new_ledger();
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_for_options large = {.grain = INT64_MAX}, parts = {.grain = INT64_MAX / 100},
                            both = {.grain = INT64_MAX / 50, .caller_too = 1};
    run(pool, ledger, INT64_MIN, INT64_MAX, NULL);
    run(pool, ledger, INT64_MIN, INT64_MAX, &large);
    run(pool, ledger, INT64_MIN, INT64_MAX, &parts);
    run(pool, ledger, INT64_MIN, INT64_MAX, &both);
    run(pool, ledger, INT64_MAX - 10, INT64_MAX, &large);
    run(pool, ledger, INT64_MIN, INT64_MIN + 10, &both);
    run(pool, ledger, INT64_MIN, 0, NULL);
    shmf_pool_free(pool);
    free_ledger(ledger);
}

static void test_an_empty_range_runs_nothing(void **state)
{
    struct ledger *ledger = new_ledger();
    struct shmf_pool *pool = pool_of_state(state);
    static const int64_t at[] = {0, 5, INT64_MIN, INT64_MAX};
    for (int i = 0; i < 4; i++)
        assert_int_equal(shmf_pool_for(pool, at[i], at[i], note_part, ledger, NULL, NULL), 0);
    assert_int_equal(atomic_load(&ledger->parts), 0);
    shmf_pool_free(pool);
    free_ledger(ledger);
}

static void test_without_a_grain_each_worker_gets_an_equal_part(void **state)
{
    (void)state;
    struct ledger *ledger = new_ledger();
    struct shmf_pool *pool = pool_of(3);
    for (int caller = 0; caller < 2; caller++) {
        struct shmf_for_options options = {.caller_too = caller};
        int parts = 3 + caller;
        assert_int_equal(shmf_pool_for(pool, 0, 12, note_part, ledger, &options, NULL), 0);
        assert_int_equal(atomic_load(&ledger->parts), parts);
        assert_covers(ledger, 0, 12, 12 / parts);
    }
    shmf_pool_free(pool);
    free_ledger(ledger);
}

static int parts_of_me(const struct ledger *ledger)
{
    int mine = 0;
    for (int i = 0; i < atomic_load(&ledger->parts); i++)
        mine += ledger->part[i].pid == getpid();
    return mine;
}

static void test_the_caller_runs_parts_only_if_it_is_asked_to(void **state)
{
    (void)state;
    struct ledger *ledger = new_ledger();
    struct shmf_pool *pool = pool_of(2);
    for (int caller = 0; caller < 2; caller++) {
        struct shmf_for_options options = {.grain = 1, .caller_too = caller};
        assert_int_equal(shmf_pool_for(pool, 0, 200, note_part, ledger, &options, NULL), 0);
        assert_int_equal(parts_of_me(ledger) > 0, caller);
        assert_covers(ledger, 0, 200, 1);
    }
    shmf_pool_free(pool);
    free_ledger(ledger);
}

static void test_a_part_that_fails_is_reported_and_the_others_run(void **state)
{
    struct ledger *ledger = new_ledger();
    ledger->fails_at = 42;
    struct shmf_pool *pool = pool_of_state(state);
    for (int caller = 0; caller < 2; caller++) {
        struct shmf_for_options options = {.grain = 10, .caller_too = caller};
        struct shmf_error err = {0};
        assert_int_equal(shmf_pool_for(pool, 0, 100, note_part, ledger, &options, &err),
                         SHMF_E_NOTFOUND);
        assert_int_equal(err.code, SHMF_E_NOTFOUND);
        assert_string_equal(err.message, "the part from 40 to 50: 42 is missing");
        assert_covers(ledger, 0, 100, 10);
        assert_int_equal(shmf_pool_for(pool, 0, 100, note_part, ledger, &options, NULL),
                         SHMF_E_NOTFOUND);
        assert_covers(ledger, 0, 100, 10);
    }
    shmf_pool_free(pool);
    free_ledger(ledger);
}

static int fail_with_begin(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    (void)end;
    (void)context;
    if (begin == 0)
        usleep(20000); /* it fails last */
    return shmf_task_fail(task, begin ? SHMF_E_RANGE : SHMF_E_DTYPE, "no");
}

static void test_of_parts_that_fail_the_first_in_the_range_is_reported(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    for (int caller = 0; caller < 2; caller++) {
        struct shmf_for_options options = {.grain = 1, .caller_too = caller};
        assert_int_equal(shmf_pool_for(pool, 0, 8, fail_with_begin, NULL, &options, NULL),
                         SHMF_E_DTYPE);
    }
    shmf_pool_free(pool);
}

static void test_a_part_whose_worker_dies_is_reported_and_the_others_run(void **state)
{
    (void)state;
    struct ledger *ledger = new_ledger();
    ledger->dies_at = 77;
    struct shmf_pool *pool = pool_of(2);
    struct shmf_for_options options = {.grain = 5};
    struct shmf_error err = {0};
    assert_int_equal(shmf_pool_for(pool, 0, 100, note_part, ledger, &options, &err),
                     SHMF_E_WORKER_DIED);
    assert_non_null(strstr(err.message, "signal 9"));
    assert_covers(ledger, 0, 100, 5);
    shmf_pool_free(pool);
    free_ledger(ledger);
}

/* ---- inputs ------------------------------------------------------------------------------- */

struct sums {
    double part[64];
};

static int sum_part(struct shmf_task *task, int64_t begin, int64_t end, void *context)
{
    const struct shmf_array *array = shmf_task_array(task, 0);
    if (!array || shmf_task_n_handles(task) != 1)
        return SHMF_E_TASK;
    const uint8_t *bytes = shmf_array_data(array);
    double sum = 0;
    for (int64_t i = begin; i < end; i++)
        sum += bytes[i];
    ((struct sums *)context)->part[begin / 1000] = sum;
    return 0;
}

static void test_handles_are_inputs_of_every_part(void **state)
{
    struct sums *sums = shared_memory(sizeof *sums);
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_array *array = patterned_array(64000, 2);
    struct shmf_handle handle = shmf_array_handle(array);
    for (int caller = 0; caller < 2; caller++) {
        struct shmf_for_options options = {
            .grain = 1000, .caller_too = caller, .handles = &handle, .n_handles = 1};
        memset(sums, 0, sizeof *sums);
        assert_int_equal(shmf_pool_for(pool, 0, 64000, sum_part, sums, &options, NULL), 0);
        const uint8_t *bytes = shmf_array_data(array);
        for (int p = 0; p < 64; p++) {
            double sum = 0;
            for (int i = 0; i < 1000; i++)
                sum += bytes[1000 * p + i];
            assert_true(sums->part[p] == sum);
        }
    }
    shmf_array_free(array);
    shmf_pool_free(pool);
    munmap(sums, sizeof *sums);
}

/* ---- beside others ------------------------------------------------------------------------ */

static int nap_then_return(struct shmf_task *task, void *context)
{
    (void)context;
    usleep(999999);
    usleep(1);
    return shmf_task_return_double(task, 1);
}

static void test_a_loop_that_finds_all_places_taken_sleeps_until_one_is_free(void **state)
{
    (void)state;
    struct ledger *ledger = new_ledger();
    struct shmf_pool_options how = {.workers = 2, .window = 2};
    struct shmf_pool *pool = pool_with(&how);
    double start = test_now();
    struct shmf_future *futures[2] = {submit(pool, nap_then_return, NULL),
                                      submit(pool, nap_then_return, NULL)};
    double cpu = cpu_seconds();
    run(pool, ledger, 0, 100, NULL);
    assert_true(test_now() - start >= 1);
    assert_true(cpu_seconds() - cpu < test_seconds(0.5));
    assert_true(number_of(futures[0]) == 1 && number_of(futures[1]) == 1);
    shmf_pool_free(pool);
    free_ledger(ledger);
}

static void test_many_small_parts_of_a_loop_are_all_run(void **state)
{
    struct ledger *ledger = new_ledger();
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_for_options options = {.grain = 1};
    long rounds = test_rounds(20);
    for (long round = 0; round < rounds; round++)
        run(pool, ledger, 0, MOST_PARTS, &options);
    shmf_pool_free(pool);
    free_ledger(ledger);
}

static int slept;

static int count_sleep(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    slept += timeout_ms != 0;
    return poll(fds, count, timeout_ms);
}

static int nap(struct shmf_task *task, int64_t begin, int64_t end, void *unused)
{
    (void)task;
    (void)begin;
    (void)end;
    (void)unused;
    return usleep(200);
}

static void test_the_caller_sleeps_through_many_parts(void **state)
{
    (void)state;
    enum { PARTS = 1024 };
    struct shmf_pool *pool = pool_of(2);
    struct shmf_for_options options = {.grain = 1};
    struct shmf_error err;
    slept = 0;
    double start = test_now();
    shmfi_sys.poll = count_sleep;
    int rc = shmf_pool_for(pool, 0, PARTS, nap, NULL, &options, &err);
    shmfi_sys.poll = poll;
    assert_int_equal(rc, SHMF_OK);
    int looks = (int)((test_now() - start) / 0.05); /* it looks by itself, too */
    assert_in_range(slept, 1, PARTS / 4 + looks);
    shmf_pool_free(pool);
}

/* ---- wrong calls -------------------------------------------------------------------------- */

static void assert_refused(struct shmf_pool *pool, int64_t begin, int64_t end, shmf_range_fn fn,
                           const struct shmf_for_options *options, const char *what)
{
    struct shmf_error err = {0};
    assert_int_equal(shmf_pool_for(pool, begin, end, fn, NULL, options, &err), SHMF_E_INVAL);
    assert_int_equal(err.code, SHMF_E_INVAL);
    if (!strstr(err.message, what))
        fail_msg("'%s' does not name %s", err.message, what);
    assert_int_equal(shmf_pool_for(pool, begin, end, fn, NULL, options, NULL), SHMF_E_INVAL);
}

static void test_wrong_arguments_are_refused_by_name(void **state)
{
    struct shmf_pool *pool = pool_of_state(state);
    struct shmf_for_options grain = {.grain = -1}, handles = {.n_handles = 1},
                            reserved = {.reserved = {[3] = 1}};
    assert_refused(NULL, 0, 1, note_part, NULL, "pool");
    assert_refused(pool, 0, 1, NULL, NULL, "fn");
    assert_refused(pool, 1, 0, note_part, NULL, "begin");
    assert_refused(pool, INT64_MAX, INT64_MIN, note_part, NULL, "begin");
    assert_refused(pool, 0, 1, note_part, &grain, "grain");
    assert_refused(pool, 0, 1, note_part, &handles, "handles");
    assert_refused(pool, 0, 1, note_part, &reserved, "reserved");
    struct shmf_error err = {0};
    shmf_pool_close(pool);
    assert_int_equal(shmf_pool_for(pool, 0, 1, note_part, NULL, NULL, &err), SHMF_E_CLOSED);
    assert_int_equal(err.code, SHMF_E_CLOSED);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_with_workers(test_every_number_is_run_once),
        test_inline(test_every_number_is_run_once),
        test_with_workers(test_ranges_as_wide_as_numbers_are),
        test_inline(test_ranges_as_wide_as_numbers_are),
        test_with_workers(test_an_empty_range_runs_nothing),
        test_inline(test_an_empty_range_runs_nothing),
        test_case(test_without_a_grain_each_worker_gets_an_equal_part),
        test_case(test_the_caller_runs_parts_only_if_it_is_asked_to),
        test_with_workers(test_a_part_that_fails_is_reported_and_the_others_run),
        test_inline(test_a_part_that_fails_is_reported_and_the_others_run),
        test_with_workers(test_of_parts_that_fail_the_first_in_the_range_is_reported),
        test_inline(test_of_parts_that_fail_the_first_in_the_range_is_reported),
        test_case(test_a_part_whose_worker_dies_is_reported_and_the_others_run),
        test_with_workers(test_handles_are_inputs_of_every_part),
        test_inline(test_handles_are_inputs_of_every_part),
        test_case(test_a_loop_that_finds_all_places_taken_sleeps_until_one_is_free),
        test_with_workers(test_many_small_parts_of_a_loop_are_all_run),
        test_inline(test_many_small_parts_of_a_loop_are_all_run),
        test_case(test_the_caller_sleeps_through_many_parts),
        test_with_workers(test_wrong_arguments_are_refused_by_name),
        test_inline(test_wrong_arguments_are_refused_by_name),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

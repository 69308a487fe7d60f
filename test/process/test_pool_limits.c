/* Limits of the process, each at many values: the pool works, or says what is missing; nothing
 * stays, and when the limit is gone, all is well. */
/* A sanitizer's or Valgrind's own memory counts as ours. */
/* ctest: TIMEOUT 120 NO_VALGRIND */
#include "pool_life.h"

#include "pool/pool_internal.h"

#include <sys/resource.h>

struct cap {
    int resource;
    rlim_t value;
    struct rlimit before;
};

static bool impose(void *context)
{
    struct cap *cap = context;
    if (getrlimit((__rlimit_resource_t)cap->resource, &cap->before))
        return false;
    struct rlimit now = {cap->value, cap->before.rlim_max};
    return setrlimit((__rlimit_resource_t)cap->resource, &now) == 0;
}

static void lift(void *context)
{
    struct cap *cap = context;
    setrlimit((__rlimit_resource_t)cap->resource, &cap->before);
}

static int well, clearly;

static void assert_endures(int resource, const char *name, rlim_t value)
{
    struct cap cap = {.resource = resource, .value = value};
    struct trial trial = {.impose = impose, .lift = lift, .context = &cap};
    struct test_outcome outcome = test_in_child(endure_trial, &trial, 30);
    if (outcome.signal || (outcome.exit_code != WELL && outcome.exit_code != FAILED_CLEARLY))
        fail_msg("%s %llu: exit code %d, signal %d%s", name, (unsigned long long)value,
                 outcome.exit_code, outcome.signal, outcome.timed_out ? ", timed out" : "");
    well += outcome.exit_code == WELL;
    clearly += outcome.exit_code == FAILED_CLEARLY;
}

/* A sweep that never met the limit, or never got past it, has shown nothing. */
static void report(const char *name)
{
    printf(
        "{\"test\": \"process.pool_limits\", \"limit\": \"%s\", \"values\": %d, \"went_well\": %d, "
        "\"failed_clearly\": %d, \"bad\": 0}\n",
        name, well + clearly, well, clearly);
    assert_true(well > 0);
    assert_true(clearly > 0);
    well = clearly = 0;
}

static void test_any_number_of_descriptors(void **state)
{
    (void)state;
    for (rlim_t value = 0; value <= 32; value++)
        assert_endures(RLIMIT_NOFILE, "RLIMIT_NOFILE", value);
    report("RLIMIT_NOFILE");
}

static rlim_t size_now(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

static void test_any_size_of_the_address_space(void **state)
{
    (void)state;
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    skip();
#endif
    rlim_t now = size_now();
    for (rlim_t more = 0; more <= (rlim_t)1 << 29; more = more ? more + more / 2 : 4096)
        assert_endures(RLIMIT_AS, "RLIMIT_AS", now + more);
    report("RLIMIT_AS");
}

/* Only where there is no limit on it: beyond one, stacks do not grow any more. */
static bool lock_all_that_comes(void *context)
{
    const size_t much = (size_t)1 << 34;
    (void)context;
    if (mlockall(MCL_FUTURE))
        return false;
    void *room = mmap(NULL, much, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        munlockall();
    else
        munmap(room, much);
    return room != MAP_FAILED;
}

static void unlock_all(void *context)
{
    (void)context;
    munlockall();
}

/* The kernel then fills every mapping at once, holes of regions as well. */
static void test_an_application_that_locks_its_memory_has_its_results(void **state)
{
    (void)state;
    struct trial trial = {.impose = lock_all_that_comes, .lift = unlock_all};
    struct test_outcome outcome = test_in_child(endure_trial, &trial, 60);
    assert_int_equal(outcome.signal, 0);
    assert_true(outcome.exit_code == WELL || outcome.exit_code == NOT_POSSIBLE);
}

/* Beyond it a file that grows raises SIGXFSZ, which must not happen. */
static void test_any_size_of_files(void **state)
{
    (void)state;
    assert_endures(RLIMIT_FSIZE, "RLIMIT_FSIZE", 0);
    for (rlim_t value = 1; value <= (rlim_t)1 << 34; value *= 4)
        assert_endures(RLIMIT_FSIZE, "RLIMIT_FSIZE", value);
    report("RLIMIT_FSIZE");
}

/* ---- a worker that came at the wrong moment ----------------------------------------------- */

static int die_or_return_patterned(struct shmf_task *task, void *context)
{
    (void)context;
    if (!shmf_task_arg_size(task))
        raise(SIGKILL);
    return return_patterned(task, RESULT, 5);
}

static bool one_is_done(void *pool)
{
    return atomic_load(&((struct shmf_pool *)pool)->board.lines[0].done) == 1;
}

/* For as long as the worker has not died its result may come, when there is room. */
static int wait_with_room(struct shmf_future *future)
{
    struct shmf_error err = {0};
    double end = test_now() + test_seconds(30);
    int rc;
    while ((rc = shmf_future_wait(future, 30, &err)) == SHMF_E_NOFILES && test_now() < end)
        test_sleep(0.001);
    if (rc)
        fprintf(stderr, "%s: %s\n", shmf_status_name(rc), err.message);
    return rc;
}

/* The successor works before the application hears of it, and then there is no room for its
 * socket. */
static int hear_too_late(void *unused)
{
    (void)unused;
    struct shmf_error err = {0};
    struct shmf_pool *pool = pool_of(1);
    struct shmf_task_input input = {.arg = "x", .arg_size = 1};
    struct shmf_submit_options options = {.attempts = 3};
    struct shmf_future *first = shmf_pool_submit(pool, die_or_return_patterned, NULL, NULL, &err);
    struct shmf_future *second =
        shmf_pool_submit(pool, die_or_return_patterned, &input, &options, &err);
    struct cap cap = {.resource = RLIMIT_NOFILE, .value = 0};
    HOLDS(test_wait_until(30, one_is_done, pool) && impose(&cap));
    shmf_pool_progress(pool, &err);
    lift(&cap);
    HOLDS(!wait_with_room(first) && !wait_with_room(second));
    HOLDS(shmf_result_status(shmf_future_result(first)) == SHMF_E_WORKER_DIED);
    HOLDS(!shmf_result_status(shmf_future_result(second)));
    HOLDS(is_patterned(shmf_result_array(shmf_future_result(second)), RESULT, 5));
    shmf_future_free(first);
    shmf_future_free(second);
    shmf_pool_free(pool);
    return 0;
}

static void test_what_a_worker_did_whose_socket_was_lost_is_done_again(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(hear_too_late, NULL, 60)));
}

/* ---- a worker that has no room ------------------------------------------------------------ */

static int limit_files(struct shmf_task *task, void *context)
{
    struct rlimit limit = *(const struct rlimit *)shmf_task_arg(task);
    (void)context;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

static int see_whether_patterned(struct shmf_task *task, void *context)
{
    const struct shmf_array *array = shmf_task_array(task, 0);
    (void)context;
    return !array ? SHMF_E_TASK : shmf_task_return_double(task, is_patterned(array, RESULT, 5));
}

static struct shmf_result *do_now(struct shmf_pool *pool, shmf_task_fn function,
                                  const struct shmf_task_input *input)
{
    struct shmf_future *future = shmf_pool_submit(pool, function, input, NULL, NULL);
    assert_int_equal(shmf_future_wait(future, test_seconds(30), NULL), SHMF_OK);
    struct shmf_result *result = shmf_future_take(future);
    shmf_future_free(future);
    return result;
}

static void limit_files_of_the_worker(struct shmf_pool *pool, struct rlimit limit)
{
    struct shmf_task_input input = {.arg = &limit, .arg_size = sizeof limit};
    struct shmf_result *result = do_now(pool, limit_files, &input);
    assert_int_equal(shmf_result_status(result), SHMF_OK);
    shmf_result_free(result);
}

static void test_a_task_whose_input_the_worker_has_no_descriptor_for_fails_for_that(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    struct rlimit enough;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &enough), 0);
    for (int room = 0; room <= 1; room++) {
        struct shmf_array *array = patterned_array(RESULT, 5);
        struct shmf_handle handle = shmf_array_handle(array);
        struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
        limit_files_of_the_worker(pool, room ? enough : (struct rlimit){0, enough.rlim_max});
        struct shmf_result *result = do_now(pool, see_whether_patterned, &input);
        assert_int_equal(shmf_result_status(result), room ? SHMF_OK : SHMF_E_NOFILES);
        if (room)
            assert_true(shmf_result_double(result) == 1);
        else
            assert_non_null(strstr(shmf_result_failure(result)->message, "RLIMIT_NOFILE"));
        shmf_result_free(result);
        shmf_array_free(array);
    }
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_any_number_of_descriptors),
        test_case(test_any_size_of_the_address_space),
        test_case(test_an_application_that_locks_its_memory_has_its_results),
        test_case(test_any_size_of_files),
        test_case(test_what_a_worker_did_whose_socket_was_lost_is_done_again),
        test_case(test_a_task_whose_input_the_worker_has_no_descriptor_for_fails_for_that),
    };
    return cmocka_run_group_tests_name("pool: limits of the process", tests, NULL, NULL);
}

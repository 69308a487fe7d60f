/* Limits of the process, each at many values: the pool works, or says what is missing; nothing
 * stays, and when the limit is gone, all is well. */
/* A sanitizer's or Valgrind's own memory counts as ours. */
/* ctest: TIMEOUT 120 NO_VALGRIND */
#include "pool_life.h"

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

/* Beyond it a file that grows raises SIGXFSZ, which must not happen. */
static void test_any_size_of_files(void **state)
{
    (void)state;
    assert_endures(RLIMIT_FSIZE, "RLIMIT_FSIZE", 0);
    for (rlim_t value = 1; value <= (rlim_t)1 << 34; value *= 4)
        assert_endures(RLIMIT_FSIZE, "RLIMIT_FSIZE", value);
    report("RLIMIT_FSIZE");
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_any_number_of_descriptors),
        test_case(test_any_size_of_the_address_space),
        test_case(test_any_size_of_files),
    };
    return cmocka_run_group_tests_name("pool: limits of the process", tests, NULL, NULL);
}

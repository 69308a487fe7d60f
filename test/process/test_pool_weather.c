/* What comes from outside while a pool works: signals a thousand times a second that interrupt
 * system calls, clocks that jump. Nobody may notice. */
/* ctest: TIMEOUT 120 NO_VALGRIND */
#include "pool_life.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/time.h>
#include <time.h>

/* ---- signals ------------------------------------------------------------------------------ */

static volatile sig_atomic_t rung;

static void ring(int number)
{
    (void)number;
    rung++;
}

/* Without SA_RESTART: what waits says EINTR. */
static bool begin_storm(void *context)
{
    (void)context;
    struct sigaction action = {.sa_handler = ring};
    struct itimerval every = {{0, 1000}, {0, 1000}};
    return !sigaction(SIGALRM, &action, NULL) && !setitimer(ITIMER_REAL, &every, NULL);
}

/* In workers too: a timer is nobody's heir. */
static int begin_storm_in_worker(int worker, void *context)
{
    (void)worker;
    return begin_storm(context) ? 0 : 1;
}

static int live_in_storm(void *rounds)
{
    struct trial trial = {.impose = begin_storm, .initializer = begin_storm_in_worker};
    for (long i = 0; i < *(long *)rounds; i++) {
        int verdict = endure_trial(&trial);
        if (verdict)
            return verdict;
    }
    return rung > *(long *)rounds ? 0 : 100;
}

static void test_a_thousand_signals_a_second_are_not_noticed(void **state)
{
    (void)state;
    long rounds = test_rounds(100);
    assert_true(test_outcome_ok(test_in_child(live_in_storm, &rounds, 60)));
}

/* ---- clocks ------------------------------------------------------------------------------- */

/* A time namespace of its own, `jump` seconds away; the caller goes there himself. */
static bool jump_to(long jump)
{
    char text[64];
    double start = test_now();
    if (unshare(CLONE_NEWTIME))
        return false;
    int fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    int length = snprintf(text, sizeof text, "monotonic %ld 0\nboottime %ld 0\n", jump, jump);
    bool set = fd >= 0 && write(fd, text, (size_t)length) == length;
    close(fd);
    fd = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    bool there = set && fd >= 0 && setns(fd, CLONE_NEWTIME) == 0;
    close(fd);
    double gone = test_now() - start - (double)jump;
    return there && gone > -0.5 && gone < 60; /* it did jump */
}

/* Between the application and its workers, and in the middle of an iteration. */
static int live_through_a_jump(void *seconds)
{
    struct test_account before = test_account_take();
    struct shmf_pool *pool = pool_of(2);
    struct shmf_imap_options options = {.window = 4};
    struct shmf_tasks tasks = {.count = 200};
    struct shmf_iter *iter = map(pool, return_index, &tasks, &options);
    for (int i = 0; i < 200; i++) {
        if (i == 100 && !jump_to(*(long *)seconds))
            return NOT_POSSIBLE;
        if (next_double(iter) != i)
            return WRONG;
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    if (live(NULL) != 1) /* wholly there */
        return NOT_WELL_AFTER;
    return test_account_settle(&before) ? LEFT_SOMETHING : WELL;
}

static void test_clocks_that_jump_are_not_noticed(void **state)
{
    (void)state;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long jumps[] = {1, 3600, 1000000000, -1, -(long)now.tv_sec / 2, -(long)now.tv_sec + 1};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        struct test_outcome outcome = test_in_child(live_through_a_jump, &jumps[i], 30);
        if (outcome.exit_code == NOT_POSSIBLE)
            skip(); /* time namespaces are for the privileged, since Linux 5.6 */
        if (!test_outcome_ok(outcome))
            fail_msg("a jump of %ld s", jumps[i]);
    }
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_thousand_signals_a_second_are_not_noticed),
        test_case(test_clocks_that_jump_are_not_noticed),
    };
    return cmocka_run_group_tests_name("pool: signals and clocks", tests, NULL, NULL);
}

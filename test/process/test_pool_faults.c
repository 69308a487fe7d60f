/* Every system call and every allocation of application, early process, supervisor and workers
 * fails in turn, once and for good, with what its manual page says, or the process is killed
 * instead of calling. Each time: results that are right or a clear error, nothing left behind, and
 * the next pool works.
 *
 *     test_process_pool_faults                         a slice: each call site, one errno of its
 * own test_process_pool_faults all [ROLE [CALL]]       every call site with every errno
 *
 * Prints a line of JSON. */
/* Thousands of pools are too many for Valgrind. */
/* ctest: TIMEOUT 240 NO_VALGRIND */
#include "pool_life.h"

#include "support/faults.h"

#include <stdio.h>

/* ---- what the manual pages say ------------------------------------------------------------ */

enum { MOST_ERRORS = 8 };

/* Those that only ask for patience cannot go on for good: a socket that is full for ever is a
 * peer that hangs. */
struct errors {
    enum fault_call call;
    int errors[MOST_ERRORS];
    int once[MOST_ERRORS]; /* happen, but not for good */
};

static const struct errors documented[] = {
    {FAULT_malloc, {ENOMEM}, {0}},
    {FAULT_calloc, {ENOMEM}, {0}},
    {FAULT_realloc, {ENOMEM}, {0}},
    {FAULT_memfd_create, {EMFILE, ENFILE, ENOMEM, EPERM, ENOSYS, EINVAL}, {0}},
    {FAULT_ftruncate, {EINVAL, EFBIG, EPERM, EIO}, {EINTR}},
    {FAULT_fallocate, {ENOSPC, EOPNOTSUPP, ENOSYS, EPERM, EFBIG}, {EINTR}},
    {FAULT_mmap, {ENOMEM, EPERM, ENFILE, EAGAIN, ENODEV}, {0}},
    {FAULT_munmap, {ENOMEM}, {0}},
    {FAULT_mprotect, {ENOMEM, EACCES}, {0}},
    {FAULT_madvise, {EINVAL, ENOMEM, EPERM, ENOSYS, EBUSY, EIO}, {EAGAIN, EINTR}},
    {FAULT_open, {EMFILE, ENFILE, ENOENT, EACCES, ENOMEM}, {EINTR}},
    {FAULT_fcntl, {EINVAL, EMFILE, EPERM, EBUSY}, {0}},
    {FAULT_fstat, {ENOMEM, EOVERFLOW}, {0}},
    {FAULT_getrlimit, {EINVAL, EPERM}, {0}},
    {FAULT_getrandom, {ENOSYS, EPERM}, {EAGAIN, EINTR}},
    {FAULT_sysinfo, {EFAULT}, {0}},
    {FAULT_socketpair, {EMFILE, ENFILE, ENOMEM, EAFNOSUPPORT}, {0}},
    {FAULT_sendmsg, {EPIPE, ECONNRESET, ENOMEM, EPERM}, {EAGAIN, ENOBUFS, ETOOMANYREFS, EINTR}},
    {FAULT_recvmsg, {ENOMEM, ECONNRESET}, {EINTR}}, /* EAGAIN: only where nothing is there */
    {FAULT_futex, {ENOSYS, ETIMEDOUT}, {EAGAIN, EINTR}},
    {FAULT_eventfd, {EMFILE, ENFILE, ENOMEM, ENODEV}, {0}},
    {FAULT_read, {EIO, EAGAIN}, {EINTR}},
    {FAULT_write, {EIO, ENOSPC, EPERM}, {EAGAIN, EINTR}},
    {FAULT_poll, {ENOMEM, EINVAL}, {EINTR}},
    {FAULT_waitpid, {0}, {EINTR}},     /* ECHILD: only where there is none, as at the end */
    {FAULT_waitid, {EINVAL}, {EINTR}}, /* EINVAL: of a pidfd, before Linux 5.4 */
    {FAULT_kill, {ESRCH, EPERM}, {0}},
    {FAULT_pidfd_send_signal, {ESRCH, EPERM, ENOSYS}, {0}},
    {FAULT_pidfd_open, {ENOSYS, EPERM, EMFILE, ENFILE, ENOMEM, ESRCH}, {0}},
    {FAULT_prctl, {EINVAL, EPERM}, {0}},
    {FAULT_close_range, {ENOSYS, EPERM, EMFILE}, {0}},
    {FAULT_signalfd, {EMFILE, ENFILE, ENOMEM, ENODEV}, {0}},
    {FAULT_epoll_create1, {EMFILE, ENFILE, ENOMEM}, {0}},
    {FAULT_epoll_ctl, {ENOMEM, ENOSPC, EPERM}, {0}},
    {FAULT_close, {EIO}, {EINTR}},
    {FAULT_fork, {EAGAIN, ENOMEM, ENOSYS}, {0}},
};

static int endure(void *plan)
{
    struct test_account before = test_account_take();
    faults_watch(plan);
    int well = faults->early ? live_early() : live(NULL);
    faults_restore();
    if (well < 0)
        return WRONG;
    if (test_account_settle(&before))
        return LEFT_SOMETHING;
    if (well != 1 && live(NULL) != 1)
        return NOT_WELL_AFTER;
    return well ? WELL : FAILED_CLEARLY;
}

/* ---- all of them -------------------------------------------------------------------------- */

struct tally {
    long runs, missed, well, clear, died, bad;
};

/* The application dies: everything goes with it. */
static bool died_cleanly(const struct faults *plan, const struct test_outcome *outcome)
{
    return plan->error == FAULT_DIES && plan->role == FAULT_APPLICATION &&
           outcome->signal == SIGKILL && !outcome->timed_out && test_none_named("shmf-", 30);
}

static void judge(struct tally *tally, const struct faults *plan)
{
    struct faults run = *plan;
    double start = test_now();
    struct test_outcome outcome = test_in_child(endure, &run, 60);
    tally->runs++;
    /* How often a process calls may differ from run to run: by what it finds when it looks. */
    tally->missed += !atomic_load(&faults->hits);
    tally->well += outcome.exit_code == WELL;
    tally->clear += outcome.exit_code == FAILED_CLEARLY;
    bool died = died_cleanly(plan, &outcome);
    tally->died += died;
    if (outcome.exit_code == WELL || outcome.exit_code == FAILED_CLEARLY || died)
        return;
    tally->bad++;
    fprintf(stderr, "%s%s, %s number %ld, %s, %s: %s (code %d, signal %d), after %.1f s\n",
            fault_role_names[plan->role], plan->early ? " that starts early" : "",
            fault_call_names[plan->call], plan->at,
            plan->error == FAULT_DIES ? "killed" : strerrorname_np(plan->error),
            plan->persistent ? "for good" : "once",
            outcome.timed_out ? "hangs" : "not as it should", outcome.exit_code, outcome.signal,
            test_now() - start);
}

static void count_calls(bool early, long made[FAULT_ROLES][FAULT_CALLS])
{
    struct faults none = {.early = early};
    assert_int_equal(test_in_child(endure, &none, 60).exit_code, WELL);
    for (int role = 0; role < FAULT_ROLES; role++)
        for (int call = 0; call < FAULT_CALLS; call++)
            made[role][call] = atomic_load(&faults->made[role][call]);
}

/* Of `all` errnos of the call, or one, chosen by the number of the call. */
static void fail_site(struct tally *tally, struct faults plan, const struct errors *errors,
                      bool all)
{
    size_t n = 0, n_once = 0;
    while (n < MOST_ERRORS && errors->errors[n])
        n++;
    while (n_once < MOST_ERRORS && errors->once[n_once])
        n_once++;
    for (size_t i = 0; i < n + n_once; i++) {
        if (!all && (size_t)plan.at % (n + n_once) != i)
            continue;
        plan.error = i < n ? errors->errors[i] : errors->once[i - n];
        plan.persistent = false;
        judge(tally, &plan);
        plan.persistent = true;
        if (i < n)
            judge(tally, &plan);
    }
    plan.error = FAULT_DIES;
    plan.persistent = false;
    judge(tally, &plan);
}

/* Sites beyond the `most`th of a kind are repetitions: the same calls for the next task. */
static void fail_calls(struct tally *tally, const struct errors *errors, struct faults plan,
                       long made, long most, bool all)
{
    long step = test_slowness() > 1 ? 1 + made / 3 : 1;
    plan.call = errors->call;
    for (plan.at = 1; plan.at <= made && plan.at <= most; plan.at += step)
        fail_site(tally, plan, errors, all);
}

static const char *only_role, *only_call;
static bool all_errors;

/* What supervisor and workers do, and the application after its first calls, is the same whichever
 * way they were started. */
static long most_sites(const struct faults *plan)
{
    if (all_errors)
        return 200;
    if (!plan->early)
        return 12;
    return plan->role == FAULT_EARLY ? 8 : plan->role == FAULT_APPLICATION ? 3 : 0;
}

static void fail_everywhere(bool early)
{
    long made[FAULT_ROLES][FAULT_CALLS], sites = 0;
    struct tally tally = {0};
    faults_watch(&(struct faults){.at = 0});
    faults_restore();
    count_calls(early, made);
    assert_int_equal(made[FAULT_EARLY][FAULT_poll] > 0, early);
    assert_true(made[FAULT_SUPERVISOR][FAULT_fork] >= 2 && made[FAULT_WORKER][FAULT_memfd_create]);
    for (int role = 0; role < FAULT_ROLES; role++)
        for (size_t i = 0; i < sizeof documented / sizeof *documented; i++) {
            const struct errors *errors = &documented[i];
            struct faults plan = {.early = early, .role = (enum fault_role)role};
            long calls = made[role][errors->call];
            if ((only_role && strcmp(only_role, fault_role_names[role])) ||
                (only_call && strcmp(only_call, fault_call_names[errors->call])))
                continue;
            sites += calls;
            fail_calls(&tally, errors, plan, calls, most_sites(&plan), all_errors);
        }
    printf("{\"test\": \"process.pool_faults\", \"early\": %s, \"all_errnos\": %s, "
           "\"sites\": %ld, \"runs\": %ld, \"not_reached\": %ld, \"went_well\": %ld, "
           "\"failed_clearly\": %ld, \"application_died\": %ld, \"bad\": %ld}\n",
           early ? "true" : "false", all_errors ? "true" : "false", sites, tally.runs, tally.missed,
           tally.well, tally.clear, tally.died, tally.bad);
    munmap(faults, sizeof *faults);
    faults = NULL;
    assert_int_equal(tally.bad, 0);
}

static void test_whichever_call_fails_the_error_is_clear_and_nothing_stays(void **state)
{
    (void)state;
    fail_everywhere(false);
}

static void test_whichever_call_fails_of_an_application_that_starts_early(void **state)
{
    (void)state;
    fail_everywhere(true);
}

int main(int argc, char **argv)
{
    all_errors = argc > 1 && !strcmp(argv[1], "all");
    only_role = argc > 2 ? argv[2] : NULL;
    only_call = argc > 3 ? argv[3] : NULL;
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_whichever_call_fails_the_error_is_clear_and_nothing_stays),
        test_case(test_whichever_call_fails_of_an_application_that_starts_early),
    };
    return cmocka_run_group_tests_name("pool: calls that fail", tests, NULL, NULL);
}

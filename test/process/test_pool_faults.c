/* Every system call and every allocation of application, supervisor and workers fails in turn, once
 * and for good, with what its manual page says, or the process is killed instead of calling. Each
 * time: results that are right or a clear error, nothing left behind, and the next pool works.
 *
 *     test_process_pool_faults                         a slice: each call site, one errno of its own
 *     test_process_pool_faults all [ROLE [CALL]]       every call site with every errno
 *
 * Prints a line of JSON. */
/* Thousands of pools are too many for Valgrind. */
/* ctest: TIMEOUT 240 NO_VALGRIND */
#include "pool_calls.h"

#include "support/faults.h"

#include <shmframe/future.h>
#include <shmframe/map.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>

enum { INPUT = 5000, RESULT = 40000, TASKS = 10, MAPPED = 50, SPILLED = 2000 };

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
    {FAULT_waitpid, {0}, {EINTR}}, /* ECHILD: only where there is none, as at the end */
    {FAULT_kill, {ESRCH, EPERM}, {0}},
    {FAULT_pidfd_open, {ENOSYS, EPERM, EMFILE, ENFILE, ENOMEM, ESRCH}, {0}},
    {FAULT_prctl, {EINVAL, EPERM}, {0}},
    {FAULT_close_range, {ENOSYS, EPERM, EMFILE}, {0}},
    {FAULT_signalfd, {EMFILE, ENFILE, ENOMEM, ENODEV}, {0}},
    {FAULT_epoll_create1, {EMFILE, ENFILE, ENOMEM}, {0}},
    {FAULT_epoll_ctl, {ENOMEM, ENOSPC, EPERM}, {0}},
    {FAULT_close, {EIO}, {EINTR}},
    {FAULT_fork, {EAGAIN, ENOMEM, ENOSYS}, {0}},
};

/* ---- the application ---------------------------------------------------------------------- */

/* Says on stderr what was not right; the exit code of the child. */
#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                        \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

/* 1: all went well so far, 0: something failed, and said how; -1: it did not do as it should. */
static int clear(int rc, const struct shmf_error *err)
{
    HOLDS(rc < 0 && rc >= SHMF_E_SYS);
    HOLDS(err->code == rc && err->message[0]);
    HOLDS(rc != SHMF_E_INVAL && rc != SHMF_E_CORRUPT && rc != SHMF_E_WRONG_PROCESS);
    return 0;
}

/* Of every fourth task the first attempt dies; others return much, or little. */
static int work(struct shmf_task *task, void *context)
{
    (void)context;
    int64_t index = shmf_task_index(task);
    for (size_t i = 0; i < 2; i++)
        if (!is_patterned(shmf_task_array(task, i), INPUT, i))
            return shmf_task_fail(task, SHMF_E_TASK, "no input %zu", i);
    if (index == 3 && shmf_task_attempt(task) == 1)
        raise(SIGKILL);
    return index % 2 ? return_patterned(task, RESULT, (uint64_t)index) : return_index(task, NULL);
}

static int return_argument(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_return_bytes(task, shmf_task_arg(task), shmf_task_arg_size(task));
}

static int is_right(struct shmf_result *result)
{
    const struct shmf_failure *failure = shmf_result_failure(result);
    int64_t index = shmf_result_index(result);
    if (failure) {
        HOLDS(failure->code < 0 && failure->message[0]);
        HOLDS(failure->code != SHMF_E_CORRUPT && failure->code != SHMF_E_INVAL);
        return 0;
    }
    if (index % 2 == 0)
        HOLDS(shmf_result_double(result) == (double)index);
    else if (shmf_result_array(result))
        HOLDS(is_patterned(shmf_result_array(result), RESULT, (uint64_t)index));
    else
        return 0;
    return 1;
}

static int iterate(struct shmf_pool *pool, struct shmf_array *const inputs[2])
{
    struct shmf_error err = {0};
    struct shmf_handle handles[] = {shmf_array_handle(inputs[0]), shmf_array_handle(inputs[1])};
    struct shmf_tasks tasks = {.count = TASKS, .handles = handles, .n_handles = 2};
    struct shmf_imap_options options = {.attempts = 3, .window = 4};
    struct shmf_iter *iter = shmf_pool_imap(pool, work, &tasks, &options, &err);
    if (!iter)
        return clear(err.code, &err);
    struct shmf_result *result;
    int well = 1, taken = 0, rc, tries = 0;
    while ((rc = shmf_iter_next(iter, &result, &err)) == 1 || (rc < 0 && tries++ < 3)) {
        if (rc < 0) {
            well = clear(rc, &err);
            if (well < 0)
                break;
            continue; /* what was a matter of the moment goes on; a broken pool stays broken */
        }
        HOLDS(shmf_result_index(result) == taken);
        taken++;
        int right = is_right(result);
        well = right < well ? right : well;
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    if (!rc)
        HOLDS(taken == TASKS);
    return well;
}

static int submit_some(struct shmf_pool *pool)
{
    uint8_t bytes[SPILLED];
    test_fill(bytes, sizeof bytes, 7);
    struct shmf_error err = {0};
    struct shmf_task_input input = {.arg = bytes, .arg_size = sizeof bytes};
    int fd = shmf_pool_fd(pool);
    struct shmf_future *future = shmf_pool_submit(pool, return_argument, &input, NULL, &err);
    if (!future)
        return clear(err.code, &err);
    shmf_pool_progress(pool, &err);
    struct pollfd news = {fd, POLLIN, 0};
    if (fd >= 0)
        poll(&news, 1, 20);
    int rc = shmf_future_wait(future, 20, &err);
    HOLDS(rc != SHMF_E_TIMEOUT);
    int well = rc ? clear(rc, &err) : 1;
    struct shmf_result *result = rc ? NULL : shmf_future_result(future);
    size_t size = 0;
    const void *back = result ? shmf_result_bytes(result, &size) : NULL;
    if (back)
        HOLDS(size == SPILLED && test_differs(back, SPILLED, 7) < 0);
    else
        well = well > 0 ? 0 : well;
    shmf_future_free(future);
    return well;
}

static int map_some(struct shmf_pool *pool)
{
    struct shmf_error err = {0};
    double results[MAPPED];
    int statuses[MAPPED];
    struct shmf_tasks tasks = {.count = MAPPED};
    int rc = shmf_pool_map(pool, return_index, &tasks, NULL, results, sizeof *results, statuses,
                           &err);
    for (int i = 0; i < MAPPED; i++)
        HOLDS(statuses[i] || results[i] == i);
    return rc ? clear(rc, &err) : 1;
}

static int least(int one, int other)
{
    return one < other ? one : other;
}

/* An application's life. */
static int live(void)
{
    struct shmf_error err = {0};
    int64_t shape[] = {INPUT};
    struct shmf_array *inputs[2] = {NULL, NULL};
    inputs[0] = shmf_array_new(SHMF_UINT8, 1, shape, &err);
    if (!inputs[0])
        return clear(err.code, &err);
    test_fill(shmf_array_data_mut(inputs[0]), INPUT, 0);
    int well = 1;
    struct shmf_pool_options options = {.workers = 2, .budget_bytes = 64u << 20};
    struct shmf_pool *pool = shmf_pool_new(&options, &err);
    if (!pool)
        well = clear(err.code, &err);
    if (pool && !(inputs[1] = shmf_array_new(SHMF_UINT8, 1, shape, &err)))
        well = clear(err.code, &err);
    if (pool && inputs[1]) {
        test_fill(shmf_array_data_mut(inputs[1]), INPUT, 1);
        well = iterate(pool, inputs);
        well = least(well, submit_some(pool));
        well = least(well, map_some(pool));
    }
    shmf_pool_free(pool);
    shmf_array_free(inputs[1]);
    shmf_array_free(inputs[0]);
    return well;
}

enum verdict { WELL = 0, FAILED_CLEARLY = 1, WRONG = 2, LEFT_SOMETHING = 3, NOT_WELL_AFTER = 4 };

static int endure(void *plan)
{
    struct test_account before = test_account_take();
    faults_watch(plan);
    int well = live();
    faults_restore();
    if (well < 0)
        return WRONG;
    if (test_account_settle(&before))
        return LEFT_SOMETHING;
    if (well != 1 && live() != 1)
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
           outcome->signal == SIGKILL && !outcome->timed_out && test_none_named("shmf-", 5);
}

static void judge(struct tally *tally, const struct faults *plan)
{
    struct faults run = *plan;
    double start = test_now();
    struct test_outcome outcome = test_in_child(endure, &run, 20);
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
    fprintf(stderr, "%s, %s number %ld, %s, %s: %s (code %d, signal %d), after %.1f s\n",
            fault_role_names[plan->role], fault_call_names[plan->call], plan->at,
            plan->error == FAULT_DIES ? "killed" : strerrorname_np(plan->error), plan->persistent ? "for good" : "once",
            outcome.timed_out ? "hangs" : "not as it should", outcome.exit_code, outcome.signal,
            test_now() - start);
}

static void count_calls(long made[FAULT_ROLES][FAULT_CALLS])
{
    struct faults none = {.at = 0};
    assert_int_equal(test_in_child(endure, &none, 20).exit_code, WELL);
    for (int role = 0; role < FAULT_ROLES; role++)
        for (int call = 0; call < FAULT_CALLS; call++)
            made[role][call] = atomic_load(&faults->made[role][call]);
}

/* Of `all` errnos of the call, or one, chosen by the number of the call. */
static void fail_site(struct tally *tally, struct faults plan, const struct errors *errors, bool all)
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
static void fail_calls(struct tally *tally, const struct errors *errors, enum fault_role role,
                       long made, long most, bool all)
{
    long step = test_slowness() > 1 ? 1 + made / 3 : 1;
    for (long at = 1; at <= made && at <= most; at += step)
        fail_site(tally, (struct faults){.role = role, .call = errors->call, .at = at}, errors, all);
}

static const char *only_role, *only_call;
static bool all_errors;

static void test_whichever_call_fails_the_error_is_clear_and_nothing_stays(void **state)
{
    (void)state;
    long made[FAULT_ROLES][FAULT_CALLS], sites = 0;
    struct tally tally = {0};
    faults_watch(&(struct faults){.at = 0});
    faults_restore();
    count_calls(made);
    for (int role = 0; role < FAULT_ROLES; role++)
        for (size_t i = 0; i < sizeof documented / sizeof *documented; i++) {
            const struct errors *errors = &documented[i];
            long calls = made[role][errors->call];
            if ((only_role && strcmp(only_role, fault_role_names[role])) ||
                (only_call && strcmp(only_call, fault_call_names[errors->call])))
                continue;
            sites += calls;
            fail_calls(&tally, errors, (enum fault_role)role, calls, all_errors ? 200 : 12,
                       all_errors);
        }
    printf("{\"test\": \"process.pool_faults\", \"all_errnos\": %s, \"sites\": %ld, \"runs\": %ld, "
           "\"not_reached\": %ld, \"went_well\": %ld, \"failed_clearly\": %ld, \"application_died\": %ld, \"bad\": %ld}\n",
           all_errors ? "true" : "false", sites, tally.runs, tally.missed, tally.well, tally.clear,
           tally.died, tally.bad);
    munmap(faults, sizeof *faults);
    assert_int_equal(tally.bad, 0);
}

int main(int argc, char **argv)
{
    all_errors = argc > 1 && !strcmp(argv[1], "all");
    only_role = argc > 2 ? argv[2] : NULL;
    only_call = argc > 3 ? argv[3] : NULL;
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_whichever_call_fails_the_error_is_clear_and_nothing_stays),
    };
    return cmocka_run_group_tests_name("pool: calls that fail", tests, NULL, NULL);
}

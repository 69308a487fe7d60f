/* The way to a supervisor and to its workers, at its system calls: the process between the
 * application and the supervisor, and the supervisor itself, are killed at the beginning and at the
 * end of each of them, in turn. Each time the application has a pool that works, or is told that it
 * has none, and nothing is left. */
/* Processes are traced, which Valgrind does not pass on.
 * ctest: TIMEOUT 240 NO_VALGRIND SERIAL
 *
 *     test_process_pool_spawn_steps 1      at every stop of the supervisor, not at every seventh */
#include "pool_life.h"

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

enum role { UNKNOWN, APPLICATION, INTERMEDIATE, SUPERVISOR, WORKER, ROLES };

static const char *const role_names[ROLES] = {"nobody", "application", "intermediate", "supervisor",
                                              "worker"};

enum {
    MOST = 256,
    OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
              PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL
};

struct tracee {
    pid_t pid;
    enum role role;
    bool stopped, begun; /* for the first time; since then */
};

struct trial_run {
    enum role victim;
    long at, stops; /* it is killed at this stop; so many there were */
    struct tracee tracees[MOST];
    int count;
    bool struck;
    int status; /* of the application */
};

static int die_first(struct shmf_task *task, void *context)
{
    if (shmf_task_index(task) == 1 && shmf_task_attempt(task) == 1)
        raise(SIGKILL);
    return return_index(task, context);
}

/* A pool whose worker dies once, so that there is a successor. 1: well; 0: failed clearly. */
static int use_a_pool(void)
{
    struct shmf_error err = {0};
    struct shmf_pool_options options = {.workers = 1};
    struct shmf_pool *pool = shmf_pool_new(&options, &err);
    if (!pool)
        return clear(err.code, &err);
    struct shmf_tasks tasks = {.count = 3};
    struct shmf_imap_options how = {.attempts = 2};
    struct shmf_iter *iter = shmf_pool_imap(pool, die_first, &tasks, &how, &err);
    struct shmf_result *result;
    int rc = iter ? 0 : err.code, taken = 0;
    while (iter && (rc = shmf_iter_next(iter, &result, &err)) == 1) {
        if (!shmf_result_status(result))
            HOLDS(shmf_result_double(result) == taken);
        taken++;
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    if (rc)
        return clear(rc, &err);
    HOLDS(taken == 3);
    return 1;
}

/* The application, traced. */
static int be_traced(void *unused)
{
    (void)unused;
    struct test_account before = test_account_take();
    if (ptrace(PTRACE_TRACEME, 0, 0, 0))
        return NOT_POSSIBLE;
    raise(SIGSTOP);
    int well = use_a_pool();
    if (well < 0)
        return WRONG;
    if (test_account_settle(&before))
        return LEFT_SOMETHING;
    if (well != 1 && use_a_pool() != 1)
        return NOT_WELL_AFTER;
    return well ? WELL : FAILED_CLEARLY;
}

/* ---- the tracer ---------------------------------------------------------------------------- */

static struct tracee *find(struct trial_run *run, pid_t pid)
{
    for (int i = 0; i < run->count; i++)
        if (run->tracees[i].pid == pid)
            return &run->tracees[i];
    if (run->count == MOST)
        abort();
    run->tracees[run->count] = (struct tracee){.pid = pid, .role = UNKNOWN};
    return &run->tracees[run->count++];
}

/* Lets it go on to its next stop: those whose turn it is stop at system calls. */
static void resume(const struct trial_run *run, const struct tracee *tracee, int signal)
{
    bool stepped = !run->struck && tracee->role == run->victim;
    ptrace(stepped ? PTRACE_SYSCALL : PTRACE_CONT, tracee->pid, 0, (long)signal);
}

/* Workers run without us. */
static void begin(const struct trial_run *run, struct tracee *tracee)
{
    tracee->begun = true;
    if (tracee->role == WORKER)
        ptrace(PTRACE_DETACH, tracee->pid, 0, 0);
    else
        resume(run, tracee, 0);
}

/* A child is told of by its parent's stop and by its own, in either order. */
static void note_child(struct trial_run *run, pid_t parent)
{
    unsigned long pid = 0;
    if (ptrace(PTRACE_GETEVENTMSG, parent, 0, &pid) || !pid)
        return;
    enum role role = find(run, parent)->role;
    struct tracee *child = find(run, (pid_t)pid);
    child->role = role < WORKER ? role + 1 : WORKER;
    if (child->stopped)
        begin(run, child);
}

static void handle_stop(struct trial_run *run, pid_t pid, int status)
{
    struct tracee *tracee = find(run, pid);
    int signal = WSTOPSIG(status);
    if (!tracee->begun) {
        tracee->stopped = true;
        if (tracee->role != UNKNOWN)
            begin(run, tracee);
        return;
    }
    if (status >> 16) {
        note_child(run, pid);
        signal = 0;
    } else if (signal == (SIGTRAP | 0x80)) {
        signal = 0;
        if (!run->struck && tracee->role == run->victim && ++run->stops == run->at) {
            run->struck = true;
            kill(pid, SIGKILL);
            return;
        }
    }
    resume(run, tracee, signal);
}

/* The application under the tracer's eyes, until nobody is left who is its child or traced. */
static void run_once(struct trial_run *run)
{
    int status;
    pid_t application = test_fork(be_traced, NULL), pid;
    while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
        if (pid <= 0)
            continue;
        if (!WIFSTOPPED(status)) {
            *find(run, pid) = (struct tracee){.role = UNKNOWN}; /* its pid may come again */
            if (pid == application)
                run->status = status;
        } else if (pid == application && !run->count) {
            *find(run, pid) = (struct tracee){pid, APPLICATION, true, true};
            ptrace(PTRACE_SETOPTIONS, pid, 0, (long)OPTIONS);
            ptrace(PTRACE_CONT, pid, 0, 0);
        } else {
            handle_stop(run, pid, status);
        }
    }
}

static long supervisors_stride;

static void kill_at_every_stop_of(enum role victim, long stride)
{
    long at = 1, runs = 0, verdicts[NOT_POSSIBLE + 1] = {0};
    for (bool struck = true; struck; at += stride) {
        struct trial_run run = {.victim = victim, .at = at};
        run_once(&run);
        int verdict = WIFEXITED(run.status) ? WEXITSTATUS(run.status) : WRONG;
        if (verdict == NOT_POSSIBLE)
            skip();
        if (verdict != WELL && verdict != FAILED_CLEARLY)
            fail_msg("%s killed at stop %ld: status %x", role_names[victim], at,
                     (unsigned)run.status);
        if (!test_none_named("shmf-", 30))
            fail_msg("%s killed at stop %ld: somebody is left", role_names[victim], at);
        struck = run.struck;
        verdicts[verdict]++;
        runs += struck;
    }
    printf("{\"test\": \"process.pool_spawn_steps\", \"victim\": \"%s\", \"stride\": %ld, "
           "\"trials\": %ld, \"went_well\": %ld, \"failed_clearly\": %ld, \"bad\": 0}\n",
           role_names[victim], stride, runs, verdicts[WELL], verdicts[FAILED_CLEARLY]);
    assert_true(runs > 0);
}

static void test_an_intermediate_killed_at_any_system_call_leaves_a_pool_or_an_error(void **state)
{
    (void)state;
    kill_at_every_stop_of(INTERMEDIATE, 1);
}

static void test_a_supervisor_killed_at_any_system_call_leaves_a_pool_or_an_error(void **state)
{
    (void)state;
    long few = test_slowness() > 1 ? 7 : 1; /* odd: beginnings and ends of calls */
    kill_at_every_stop_of(SUPERVISOR, supervisors_stride ? supervisors_stride : few);
}

int main(int argc, char **argv)
{
    supervisors_stride = argc > 1 ? atol(argv[1]) : 0;
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_an_intermediate_killed_at_any_system_call_leaves_a_pool_or_an_error),
        test_case(test_a_supervisor_killed_at_any_system_call_leaves_a_pool_or_an_error),
    };
    return cmocka_run_group_tests_name("pool: births, call by call", tests, NULL, NULL);
}

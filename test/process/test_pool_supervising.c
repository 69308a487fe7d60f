/* The supervisor's decisions, one at a time: its process, its workers and its application are
 * played by the test. */
#include "pool_stage.h"

#include "pool/supervisor_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>

struct office {
    struct stage *stage;
    struct shmfi_setup setup;
    struct shmfi_child children[STAGE_WORKERS];
    struct shmfi_supervisor self;
};

static struct office *office_new(void)
{
    struct office *office = calloc(1, sizeof *office);
    assert_non_null(office);
    office->stage = stage_new(STAGE_WORKERS);
    office->setup = (struct shmfi_setup){
        .control = office->stage->control, .app_pidfd = -1, .app_pid = getpid()};
    office->self = (struct shmfi_supervisor){.pool = &office->stage->pool,
                                             .setup = &office->setup,
                                             .children = office->children,
                                             .pid = getpid()};
    for (size_t w = 0; w < STAGE_WORKERS; w++)
        office->children[w].cancel = SHMFI_NO_TICKET;
    return office;
}

static void office_free(struct office *office)
{
    stage_free(office->stage);
    free(office);
}

/* The next message to the application. */
static struct shmfi_control told(struct office *office)
{
    struct shmfi_control message = {0};
    assert_int_equal(stage_hear(office->stage->pool.control, &message, sizeof message), 1);
    return message;
}

static void assert_nothing_told(struct office *office)
{
    struct shmfi_control message;
    assert_int_equal(stage_hear(office->stage->pool.control, &message, sizeof message), 0);
}

/* ---- who lives ---------------------------------------------------------------------------- */

static int kill_errno;

static int kill_fails(pid_t pid, int signal)
{
    (void)pid, (void)signal;
    errno = kill_errno;
    return -1;
}

static void test_an_application_that_may_not_be_signalled_lives(void **state)
{
    (void)state;
    struct shmfi_setup setup = {.app_pidfd = -1, .app_pid = getpid()};
    struct shmfi_sys sys = shmfi_sys;
    assert_false(shmfi_app_is_dead(&setup));
    shmfi_sys.kill = kill_fails;
    kill_errno = EPERM;
    assert_false(shmfi_app_is_dead(&setup));
    kill_errno = ESRCH;
    assert_true(shmfi_app_is_dead(&setup));
    shmfi_sys = sys;
}

/* ---- deaths ------------------------------------------------------------------------------- */

static void test_a_worker_that_fails_when_it_is_told_to_end_may_be_unable_to_start(void **state)
{
    (void)state;
    struct office *office = office_new();
    struct shmfi_child *child = &office->children[0];
    const int statuses[] = {0, 1 << 8};
    for (int i = 0; i < 2; i++) {
        child->pid = 4711;
        child->dismissed = true;
        shmfi_supervisor_note_death(&office->self, 0, statuses[i]);
        assert_int_equal(child->pid, 0);
        assert_int_equal(child->barren, i);
        assert_int_equal(child->delay > 0, i);
        assert_int_equal(told(office).value, statuses[i]);
    }
    office_free(office);
}

static void test_of_a_crash_that_tells_of_too_many_frames_the_first_is_believed(void **state)
{
    (void)state;
    const uint32_t counts[] = {2, SHMFI_CRASH_FRAMES, SHMFI_CRASH_FRAMES + 1, UINT32_MAX};
    const int believed[] = {2, SHMFI_CRASH_FRAMES, 1, 1};
    struct office *office = office_new();
    struct shmfi_crash *crash = &office->stage->pool.board.lines[0].crash;
    crash->frames[0] = 17;
    for (size_t i = 0; i < 4; i++) {
        office->children[0].incarnation = (uint32_t)i + 1;
        atomic_store(&crash->incarnation, (uint32_t)i + 1);
        crash->count = counts[i];
        shmfi_supervisor_note_death(&office->self, 0, SIGSEGV);
        struct shmfi_control message = told(office);
        assert_int_equal(message.backtrace.count, believed[i]);
        assert_int_equal(message.backtrace.frames[0], 17);
    }
    office_free(office);
}

static void test_a_death_that_cannot_be_told_is_told_before_a_successor_comes(void **state)
{
    (void)state;
    struct office *office = office_new();
    struct shmfi_child *child = &office->children[0];
    child->incarnation = 3;
    shmfi_board_restate(&office->stage->pool.board, 1, 0);
    shmfi_sys.sendmsg = stage_mute;
    shmfi_supervisor_note_death(&office->self, 0, SIGKILL);
    assert_false(shmfi_supervisor_wants(&office->self, 0));
    child->next = UINT64_MAX; /* no successor now */
    shmfi_supervisor_spawn(&office->self);
    assert_false(shmfi_supervisor_wants(&office->self, 0));
    shmfi_sys.sendmsg = office->stage->sys.sendmsg;
    assert_nothing_told(office);
    shmfi_supervisor_spawn(&office->self);
    assert_true(shmfi_supervisor_wants(&office->self, 0));
    struct shmfi_control message = told(office);
    assert_int_equal(message.type, SHMFI_CONTROL_EXITED);
    assert_int_equal(message.incarnation, 3);
    assert_nothing_told(office);
    office_free(office);
}

/* ---- what dead workers left behind -------------------------------------------------------- */

static char children_file[100];
static pid_t killed[4];
static size_t n_killed;
static bool has_names;

static int open_made_up(const char *path, int flags, mode_t mode)
{
    if (!strstr(path, "/children")) {
        if (has_names)
            return open(path, flags, mode);
        errno = EMFILE;
        return -1;
    }
    int fd = memfd_create("children", MFD_CLOEXEC);
    assert_int_equal(write(fd, children_file, strlen(children_file)), strlen(children_file));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static int note_kill(pid_t pid, int signal)
{
    assert_int_equal(signal, SIGKILL);
    assert_true(n_killed < 4);
    killed[n_killed++] = pid;
    return 0;
}

static pid_t reap_nobody(pid_t pid, int *status, int options)
{
    (void)pid, (void)options;
    *status = 0;
    return 999999; /* a stray that ended by itself */
}

/* Of these children the supervisor kills those that are nobody's. */
static void kill_strays(struct office *office, const char *children, bool names)
{
    snprintf(children_file, sizeof children_file, "%s", children);
    has_names = names;
    n_killed = 0;
    office->self.strays = true;
    shmfi_sys.open = open_made_up;
    shmfi_sys.kill = note_kill;
    shmfi_sys.waitpid = reap_nobody;
    assert_true(shmfi_supervisor_reap(&office->self, WNOHANG));
    shmfi_sys = office->stage->sys;
}

static void test_only_what_is_a_number_and_no_workers_is_killed_as_a_stray(void **state)
{
    (void)state;
    struct office *office = office_new();
    office->children[1].pid = 1234567;
    for (int names = 0; names < 2;
         names++) { /* who has no name that can be read is no supervisor */
        kill_strays(office, "1234567 0 x \n1234568 1234569 ", names);
        assert_int_equal(n_killed, 2);
        assert_int_equal(killed[0], 1234568);
        assert_int_equal(killed[1], 1234569);
        assert_true(office->self.strays);
    }
    kill_strays(office, "1234567 ", true);
    assert_int_equal(n_killed, 0);
    assert_false(office->self.strays);
    office_free(office);
}

/* ---- tasks that are to be ended ----------------------------------------------------------- */

static int sleep_for_ever(void *unused)
{
    (void)unused;
    while (getpid())
        pause();
    return 0;
}

static int return_at_once(void *unused)
{
    (void)unused;
    return 0;
}

/* Worker 0 is such a process and runs the task. */
static struct office *office_with_worker(test_body body, uint64_t ticket)
{
    struct office *office = office_new();
    office->children[0].pid = test_fork(body, NULL);
    office->children[0].incarnation = 1;
    atomic_store(&office->stage->pool.board.lines[0].current, ticket);
    return office;
}

static void end_worker_of(struct office *office)
{
    pid_t pid = office->children[0].pid;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    office_free(office);
}

/* The state in /proc that the process has in the end. */
static void assert_becomes(pid_t pid, const char *states)
{
    struct test_process process = {0};
    double end = test_now() + test_seconds(30);
    do
        assert_true(test_process_read(pid, &process));
    while (!strchr(states, process.state) && test_now() < end);
    assert_non_null(strchr(states, process.state));
}

/* Looks until the worker has stopped in time to be killed: on a busy machine it may take long. */
static void end_task_of(struct office *office)
{
    double end = test_now() + test_seconds(30);
    do
        shmfi_supervisor_end_tasks(&office->self);
    while (!office->children[0].reason && test_now() < end);
}

static void test_a_worker_that_runs_a_cancelled_task_is_killed(void **state)
{
    (void)state;
    struct office *office = office_with_worker(sleep_for_ever, 5);
    struct shmfi_child *child = &office->children[0];
    int status;
    shmfi_supervisor_cancel(&office->self, 0, 5);
    end_task_of(office);
    assert_int_equal(child->reason, SHMF_E_CANCELLED);
    assert_int_equal(child->struck, 5);
    assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    shmfi_supervisor_cancel(&office->self, 0, 5); /* again: it is on its way */
    shmfi_supervisor_end_tasks(&office->self);
    assert_int_equal(child->cancel, 5);
    office_free(office);
}

static void test_a_worker_that_is_dead_before_it_can_be_stopped_died_of_itself(void **state)
{
    (void)state;
    struct office *office = office_with_worker(return_at_once, 5);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)office->children[0].pid, &info, WEXITED | WNOWAIT), 0);
    shmfi_supervisor_cancel(&office->self, 0, 5);
    shmfi_supervisor_end_tasks(&office->self);
    assert_int_equal(office->children[0].pid, 0);
    struct shmfi_control message = told(office);
    assert_int_equal(message.type, SHMFI_CONTROL_EXITED);
    assert_int_equal(message.value, 0);
    assert_int_equal(message.reason, 0);
    office_free(office);
}

static struct shmfi_line *line_of_worker;
static bool task_changes;

/* The task is over at the last moment before its worker stops. */
static int stop_too_late(pid_t pid, int signal)
{
    if (signal == SIGSTOP && task_changes)
        atomic_store(&line_of_worker->current, 6);
    return kill(pid, signal);
}

/* As of a process in the middle of a system call that cannot be interrupted. */
static pid_t does_not_stop(pid_t pid, int *status, int options)
{
    return options & WUNTRACED ? 0 : waitpid(pid, status, options);
}

static void assert_goes_on(struct office *office)
{
    assert_int_equal(office->children[0].reason, 0);
    assert_becomes(office->children[0].pid, "RS");
    assert_nothing_told(office);
}

static void test_a_worker_that_runs_another_task_when_it_stops_goes_on(void **state)
{
    (void)state;
    struct office *office = office_with_worker(sleep_for_ever, 5);
    line_of_worker = &office->stage->pool.board.lines[0];
    task_changes = true;
    shmfi_sys.kill = stop_too_late;
    shmfi_supervisor_cancel(&office->self, 0, 5);
    shmfi_supervisor_end_tasks(&office->self);
    assert_int_equal(office->children[0].cancel, SHMFI_NO_TICKET); /* that is over */
    assert_goes_on(office);
    end_worker_of(office);
}

static void test_a_worker_that_does_not_stop_is_looked_at_again(void **state)
{
    (void)state;
    struct office *office = office_with_worker(sleep_for_ever, 5);
    shmfi_sys.waitpid = does_not_stop;
    shmfi_supervisor_cancel(&office->self, 0, 5);
    shmfi_supervisor_end_tasks(&office->self);
    assert_int_equal(office->children[0].cancel, 5);
    assert_goes_on(office);
    /* It was stopped and let go on meanwhile, which would be its state at the next look. */
    end_worker_of(office);
}

static void test_a_task_is_looked_for_until_it_is_over_or_has_been_for_long(void **state)
{
    (void)state;
    struct office *office = office_with_worker(sleep_for_ever, SHMFI_NO_TICKET);
    struct shmfi_child *child = &office->children[0];
    struct shmfi_board *board = &office->stage->pool.board;
    shmfi_supervisor_cancel(&office->self, 0, 5); /* claimed, but not in `current` yet */
    int tries = child->tries;
    shmfi_supervisor_end_tasks(&office->self);
    assert_int_equal(child->cancel, 5);
    assert_int_equal(child->tries, tries - 1);
    struct shmfi_claimer worker;
    shmfi_board_join(board, &worker, 0, 1);
    shmfi_board_record(board, &worker)->ticket = 4; /* the last that it did is another */
    shmfi_board_publish(board, &worker);
    shmfi_supervisor_end_tasks(&office->self);
    assert_int_equal(child->cancel, 5);
    shmfi_board_record(board, &worker)->ticket = 5;
    shmfi_board_publish(board, &worker);
    shmfi_supervisor_end_tasks(&office->self);
    assert_int_equal(child->cancel, SHMFI_NO_TICKET);
    shmfi_supervisor_cancel(&office->self, 0, 7);
    child->tries = 1;
    shmfi_supervisor_end_tasks(&office->self);
    assert_int_equal(child->cancel, SHMFI_NO_TICKET);
    assert_goes_on(office);
    end_worker_of(office);
}

static void test_a_task_is_past_its_deadline_only_if_it_has_one_and_has_begun(void **state)
{
    (void)state;
    static const struct {
        uint64_t ticket, deadline;
        uint64_t age; /* 0: it has not begun */
        bool ended;
    } cases[] = {
        {5, 0, 1000, false},
        {5, 1000, 0, false},
        {5, UINT64_C(1) << 60, 1000, false},
        {UINT64_C(1000) << 32, 1, 1000, false}, /* there is no such slot */
        {SHMFI_NO_TICKET, 1, 1000, false},
        {5, 1, 1000, true},
    };
    struct office *office = office_with_worker(sleep_for_ever, 5);
    struct shmfi_board *board = &office->stage->pool.board;
    atomic_store(&board->header->deadlines, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        atomic_store(&board->lines[0].current, cases[i].ticket);
        atomic_store(&board->lines[0].started, cases[i].age ? shmfi_now() - cases[i].age : 0);
        board->slots[0].deadline = cases[i].deadline;
        if (cases[i].ended)
            end_task_of(office);
        else
            shmfi_supervisor_end_tasks(&office->self);
        assert_int_equal(office->children[0].reason, cases[i].ended ? SHMF_E_TIMEOUT : 0);
    }
    end_worker_of(office);
}

/* ---- the process -------------------------------------------------------------------------- */

/* A supervisor without workers. */
static int supervise(void *context)
{
    struct office *office = context;
    shmfi_supervise(&office->stage->pool, &office->setup);
}

static void test_orders_that_concern_nobody_are_passed_over(void **state)
{
    (void)state;
    struct office *office = office_new();
    int fd = stage_file();
    shmfi_board_restate(&office->stage->pool.board, 0, 0);
    struct shmfi_control orders[] = {
        {.type = SHMFI_CONTROL_KILL, .worker = STAGE_WORKERS, .incarnation = 1},
        {.type = SHMFI_CONTROL_CANCEL, .worker = 0, .incarnation = 1},
        {.type = 99},
        {.type = SHMFI_CONTROL_STOP},
        {.type = SHMFI_CONTROL_STOP},
    };
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        assert_int_equal(shmfi_fdpass_send(office->stage->pool.control, &orders[i],
                                           sizeof orders[i], i == 2 ? fd : -1, NULL),
                         1);
    assert_true(test_outcome_ok(test_in_child(supervise, office, 20)));
    assert_int_equal(told(office).type, SHMFI_CONTROL_READY);
    assert_nothing_told(office);
    close(fd);
    office_free(office);
}

static void test_a_supervisor_that_cannot_say_that_it_is_there_ends(void **state)
{
    (void)state;
    struct office *office = office_new();
    stage_fill(office->stage->control);
    struct test_outcome outcome = test_in_child(supervise, office, 20);
    assert_int_equal(outcome.exit_code, 1);
    office_free(office);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_an_application_that_may_not_be_signalled_lives),
        test_case(test_a_worker_that_fails_when_it_is_told_to_end_may_be_unable_to_start),
        test_case(test_of_a_crash_that_tells_of_too_many_frames_the_first_is_believed),
        test_case(test_a_death_that_cannot_be_told_is_told_before_a_successor_comes),
        test_case(test_only_what_is_a_number_and_no_workers_is_killed_as_a_stray),
        test_case(test_a_worker_that_runs_a_cancelled_task_is_killed),
        test_case(test_a_worker_that_is_dead_before_it_can_be_stopped_died_of_itself),
        test_case(test_a_worker_that_runs_another_task_when_it_stops_goes_on),
        test_case(test_a_worker_that_does_not_stop_is_looked_at_again),
        test_case(test_a_task_is_looked_for_until_it_is_over_or_has_been_for_long),
        test_case(test_a_task_is_past_its_deadline_only_if_it_has_one_and_has_begun),
        test_case(test_orders_that_concern_nobody_are_passed_over),
        test_case(test_a_supervisor_that_cannot_say_that_it_is_there_ends),
    };
    return cmocka_run_group_tests_name("pool: the supervisor", tests, NULL, NULL);
}

/* The supervisor's children: how they are made, how their deaths are told. */
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/supervisor_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define FIRST_DELAY_NS 1000000u
#define MANY_KILLS     16          /* in a row, before anything was done: not by chance */
#define LONG_LIFE_NS   1000000000u /* without work: it could start */
#define LAST_DELAY_NS  1000000000u
#define MUTE_NS        500000000u /* so long in a row no message could be sent */

/* ---- messages ----------------------------------------------------------------------------- */

/* An application that has closed its end needs nobody any more. Any other refusal may be of the
 * moment, as want of memory is; one that lasts would leave the application waiting for ever, while
 * our end tells it that the pool is broken. */
static bool is_sent(struct shmfi_supervisor *self, int rc)
{
    if (self->ending)
        return false;
    if (rc == SHMF_E_CLOSED)
        shmfi_supervisor_end(self);
    if (rc >= 0) {
        self->mute_since = 0;
        return rc == 1;
    }
    uint64_t now = shmfi_now();
    if (!self->mute_since)
        self->mute_since = now;
    if (now - self->mute_since > MUTE_NS)
        shmfi_supervisor_end(self);
    return false;
}

bool shmfi_supervisor_tell(struct shmfi_supervisor *self, enum shmfi_control_type type,
                           uint32_t worker, int64_t value, int fd)
{
    const struct shmfi_child *child = &self->children[worker];
    struct shmfi_control message = {.type = (uint32_t)type,
                                    .worker = worker,
                                    .incarnation = child->incarnation,
                                    .value = value,
                                    .ticket = child->struck,
                                    .reason = child->reason};
    if (type == SHMFI_CONTROL_EXITED)
        message.backtrace = child->backtrace;
    return is_sent(self,
                   shmfi_fdpass_send(self->setup->control, &message, sizeof message, fd, NULL));
}

static void report_exit(struct shmfi_supervisor *self, uint32_t worker)
{
    struct shmfi_child *child = &self->children[worker];
    child->exit_unsent =
        !shmfi_supervisor_tell(self, SHMFI_CONTROL_EXITED, worker, child->exit_status, -1);
}

static void report_pid(struct shmfi_supervisor *self, uint32_t worker)
{
    struct shmfi_child *child = &self->children[worker];
    child->pid_unsent = !shmfi_supervisor_tell(self, SHMFI_CONTROL_SPAWNED, worker, child->pid, -1);
}

/* ---- birth -------------------------------------------------------------------------------- */

static uint64_t done_of(const struct shmfi_supervisor *self, uint32_t worker)
{
    return atomic_load_explicit(&self->pool->board.lines[worker].done, memory_order_relaxed);
}

/* It died before it had done anything: perhaps it cannot start. */
static void put_off(struct shmfi_child *child)
{
    child->delay = child->delay ? 2 * child->delay : FIRST_DELAY_NS;
    if (child->delay > LAST_DELAY_NS)
        child->delay = LAST_DELAY_NS;
    child->next = shmfi_now() + child->delay;
}

/* In a new worker. The mask was all-blocked since before the application forked. */
static void restore_signals(const struct shmfi_supervisor *self)
{
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&self->hushed, number) == 1)
            signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &self->setup->mask, NULL);
}

static void spawn(struct shmfi_supervisor *self, uint32_t worker)
{
    struct shmfi_child *child = &self->children[worker];
    int sockets[2];
    struct shmf_error err;
    if (shmfi_fdpass_pair(sockets, &err)) {
        shmfi_supervisor_tell(self, SHMFI_CONTROL_NOT_SPAWNED, worker, err.sys_errno, -1);
        put_off(child);
        return;
    }
    child->incarnation = ++self->incarnations;
    child->reason = 0;
    child->dismissed = false;
    child->cancel = SHMFI_NO_TICKET;
    pid_t pid = -1;
    if (shmfi_supervisor_tell(self, SHMFI_CONTROL_SPAWNING, worker, 0, sockets[0])) {
        pid = shmfi_sys.fork();
        if (pid == 0) {
            shmfi_sys.close(sockets[0]);
            shmfi_sys.close(self->signals);
            restore_signals(self);
            shmfi_work(self->pool, self->setup, worker, child->incarnation, sockets[1], self->pid);
        }
        if (pid < 0) {
            shmfi_supervisor_tell(self, SHMFI_CONTROL_NOT_SPAWNED, worker, errno, -1);
            child->exit_status = 0;
            child->reason = SHMF_E_SYS; /* it never lived */
            report_exit(self, worker);
        }
    }
    shmfi_sys.close(sockets[0]);
    shmfi_sys.close(sockets[1]);
    if (pid < 0) {
        put_off(child);
        return;
    }
    child->pid = pid;
    child->born = shmfi_now();
    child->done = done_of(self, worker);
    report_pid(self, worker);
}

bool shmfi_supervisor_wants(const struct shmfi_supervisor *self, uint32_t worker)
{
    const struct shmfi_child *child = &self->children[worker];
    return !child->pid && !child->exit_unsent && worker < shmfi_board_places(&self->pool->board);
}

void shmfi_supervisor_spawn(struct shmfi_supervisor *self)
{
    for (uint32_t w = 0; w < self->pool->max_workers && !self->stopping; w++) {
        struct shmfi_child *child = &self->children[w];
        if (child->pid_unsent)
            report_pid(self, w);
        if (child->exit_unsent)
            report_exit(self, w);
        if (shmfi_supervisor_wants(self, w) && (!child->next || shmfi_now() >= child->next))
            spawn(self, w);
    }
}

/* ---- death -------------------------------------------------------------------------------- */

/* Of a pool that a worker has: it ends by itself when that worker does. */
static bool is_supervisor(pid_t pid)
{
    char path[64], name[32];
    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    int fd = shmfi_sys.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    ssize_t got = shmfi_sys.read(fd, name, sizeof name - 1);
    shmfi_sys.close(fd);
    name[got > 0 ? got : 0] = '\0';
    return !strcmp(name, SHMFI_SUPERVISOR_NAME "\n");
}

static bool kill_if_stray(const struct shmfi_supervisor *self, pid_t pid)
{
    for (uint32_t w = 0; w < self->pool->max_workers; w++)
        if (self->children[w].pid == pid)
            return false;
    if (is_supervisor(pid))
        return false;
    shmfi_sys.kill(pid, SIGKILL);
    return true;
}

/* Processes that a dead worker left behind are our children now (PR_SET_CHILD_SUBREAPER): they
 * must not go on, because nobody is left who wanted them. True: there were some; their own
 * children become ours when they are reaped. Every number in the file ends in a blank; one that
 * the end of the buffer cuts in two goes on in the next. */
static bool kill_strays(const struct shmfi_supervisor *self)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)self->pid);
    int fd = shmfi_sys.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool found = false;
    pid_t pid = 0;
    ssize_t got;
    while ((got = shmfi_sys.read(fd, text, sizeof text)) > 0)
        for (ssize_t i = 0; i < got; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = 10 * pid + (text[i] - '0');
            } else if (pid) {
                found = kill_if_stray(self, pid) || found;
                pid = 0;
            }
        }
    shmfi_sys.close(fd);
    return found;
}

/* Where it was, if it left word of that. */
static void note_place(struct shmfi_supervisor *self, uint32_t worker)
{
    struct shmfi_child *child = &self->children[worker];
    const struct shmfi_crash *crash = &self->pool->board.lines[worker].crash;
    child->backtrace.count = 0;
    if (atomic_load_explicit(&crash->incarnation, memory_order_acquire) != child->incarnation)
        return;
    child->backtrace.count = crash->count <= SHMFI_CRASH_FRAMES ? (int)crash->count : 1;
    child->backtrace.address = crash->address;
    memcpy(child->backtrace.frames, crash->frames, sizeof crash->frames);
}

void shmfi_supervisor_note_death(struct shmfi_supervisor *self, uint32_t worker, int status)
{
    struct shmfi_child *child = &self->children[worker];
    bool from_outside = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    bool barren = done_of(self, worker) == child->done && !(child->dismissed && status == 0);
    if (from_outside && shmfi_now() - child->born > LONG_LIFE_NS)
        barren = false;
    child->barren = barren ? child->barren + 1 : 0;
    if (child->barren > (from_outside ? MANY_KILLS : 0))
        put_off(child);
    else
        child->delay = child->next = 0;
    /* What it ran when it died, perhaps past a deadline, is not its successor's task; and it may
     * have none. */
    shmfi_board_vacate(&self->pool->board, worker);
    shmfi_wake_some(&self->pool->board, 1); /* LEAVE: it may have been counted on */
    child->pid_unsent = false;
    child->pid = 0;
    child->exit_status = status;
    note_place(self, worker);
    self->strays = true;
    if (!self->stopping) /* the application does not ask any more */
        report_exit(self, worker);
}

bool shmfi_supervisor_reap(struct shmfi_supervisor *self, int options)
{
    int status;
    pid_t pid = shmfi_sys.waitpid(-1, &status, options);
    if (pid <= 0)
        return pid < 0 && errno == EINTR;
    for (uint32_t w = 0; w < self->pool->max_workers; w++)
        if (self->children[w].pid == pid) {
            shmfi_supervisor_note_death(self, w, status);
            break;
        }
    if (self->strays && (!self->stopping || self->ending)) /* or else all at the end */
        self->strays = kill_strays(self);
    return true;
}

static void kill_all(const struct shmfi_supervisor *self)
{
    for (uint32_t w = 0; w < self->pool->max_workers; w++)
        if (self->children[w].pid)
            shmfi_sys.kill(self->children[w].pid, SIGKILL);
}

bool shmfi_supervisor_any_alive(const struct shmfi_supervisor *self)
{
    for (uint32_t w = 0; w < self->pool->max_workers; w++)
        if (self->children[w].pid)
            return true;
    return false;
}

static bool has_no_children(void)
{
    int status;
    return shmfi_sys.waitpid(-1, &status, WNOHANG) < 0 && errno == ECHILD;
}

void shmfi_supervisor_end(struct shmfi_supervisor *self)
{
    self->ending = true;
    kill_all(self);
    if (!has_no_children()) {
        self->strays = kill_strays(self);
        while (shmfi_supervisor_reap(self, 0))
            continue; /* until there is no child of any kind */
    }
    /* The application clears away while we end, if it has another way to see that we did. */
    if (self->setup->app_pidfd >= 0)
        shmfi_sys.close(self->setup->control);
    shmfi_leave(0);
}

/* The supervisor forks, reaps and replaces workers, and ends with the application. It is
 * single-threaded, runs no task and holds no data, so it has nothing to crash of and forks
 * quickly. It answers for three promises:
 *
 * - A worker's death is reported once, after it was reaped, and before its successor is announced.
 * - A worker's successor is announced, with the application's end of its socket, before it exists.
 * - When the application ends, however it ends, so do all workers and the supervisor: it polls a
 *   pidfd of the application (a leaked copy of the socket cannot hide the death), workers get
 *   SIGKILL from the kernel when the supervisor dies, SIGIO-style notification (SIGCONT) wakes
 *   even a stopped supervisor when the socket closes, and idle workers look for themselves. */
#include "pool/supervisor.h"

#include "base/error.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHORT_LIFE_NS   10000000u   /* dying so soon means: it cannot start */
#define FIRST_DELAY_NS  1000000u
#define LAST_DELAY_NS   1000000000u
#define GRACE_NS        20000000u   /* for idle workers, when the pool is freed */
#define POLL_MS         100         /* where there is no pidfd */

struct child {
    pid_t pid;         /* 0: none */
    uint32_t incarnation;
    uint64_t born;
    uint64_t next;     /* not to be forked before that time */
    uint64_t delay;
    bool exit_unsent;  /* its death could not be reported yet: the socket is full */
    int exit_status;
};

struct supervisor {
    struct shmf_pool *pool;
    const struct shmfi_setup *setup;
    struct child *children;
    uint32_t incarnations;
    int signals;       /* signalfd for SIGCHLD */
    sigset_t ignored;  /* what the application ignores: workers do too, as after exec */
    pid_t pid;
    bool stopping;
    uint64_t stop_at;
};

bool shmfi_app_is_dead(const struct shmfi_setup *setup)
{
    if (setup->app_pidfd < 0)
        return shmfi_sys.kill(setup->app_pid, 0) && errno == ESRCH;
    struct pollfd fd = {setup->app_pidfd, POLLIN, 0};
    return shmfi_sys.poll(&fd, 1, 0) > 0;
}

/* Counters of a coverage build are written by an exit handler that must not run here otherwise. */
extern void __gcov_dump(void) __attribute__((weak));

void shmfi_leave(int status)
{
    if (__gcov_dump)
        __gcov_dump();
    _exit(status);
}

/* ---- messages ----------------------------------------------------------------------------- */

static bool tell(const struct supervisor *self, enum shmfi_control_type type, uint32_t worker,
                 int64_t value, int fd)
{
    struct shmfi_control message = {(uint32_t)type, worker, self->children[worker].incarnation,
                                    value};
    return shmfi_fdpass_send(self->setup->control, &message, sizeof message, fd, NULL) != 0;
}

static void report_exit(struct supervisor *self, uint32_t worker)
{
    struct child *child = &self->children[worker];
    child->exit_unsent = !tell(self, SHMFI_CONTROL_EXITED, worker, child->exit_status, -1);
}

/* ---- birth -------------------------------------------------------------------------------- */

static void put_off(struct child *child)
{
    child->delay = child->delay ? 2 * child->delay : FIRST_DELAY_NS;
    if (child->delay > LAST_DELAY_NS)
        child->delay = LAST_DELAY_NS;
    child->next = shmfi_now() + child->delay;
}

/* In a new worker. The mask was all-blocked since before the application forked. */
static void restore_signals(const struct supervisor *self)
{
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&self->ignored, number) == 0)
            signal(number, SIG_DFL);
    sigprocmask(SIG_SETMASK, &self->setup->mask, NULL);
}

static void spawn(struct supervisor *self, uint32_t worker)
{
    struct child *child = &self->children[worker];
    int sockets[2];
    struct shmf_error err;
    if (shmfi_fdpass_pair(sockets, &err)) {
        tell(self, SHMFI_CONTROL_NOT_SPAWNED, worker, err.sys_errno, -1);
        put_off(child);
        return;
    }
    child->incarnation = ++self->incarnations;
    pid_t pid = -1;
    if (tell(self, SHMFI_CONTROL_SPAWNING, worker, 0, sockets[0])) {
        pid = shmfi_sys.fork();
        if (pid == 0) {
            shmfi_sys.close(sockets[0]);
            shmfi_sys.close(self->signals);
            restore_signals(self);
            shmfi_work(self->pool, self->setup, worker, child->incarnation, sockets[1], self->pid);
        }
        if (pid < 0) {
            tell(self, SHMFI_CONTROL_NOT_SPAWNED, worker, errno, -1);
            child->exit_status = 0;
            report_exit(self, worker);
        } else {
            tell(self, SHMFI_CONTROL_SPAWNED, worker, pid, -1);
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
}

static void spawn_missing(struct supervisor *self)
{
    for (uint32_t w = 0; w < self->pool->n_workers && !self->stopping; w++) {
        struct child *child = &self->children[w];
        if (child->exit_unsent)
            report_exit(self, w);
        if (!child->pid && !child->exit_unsent && (!child->next || shmfi_now() >= child->next))
            spawn(self, w);
    }
}

/* ---- death -------------------------------------------------------------------------------- */

/* Processes that a dead worker left behind are our children now (PR_SET_CHILD_SUBREAPER): they
 * must not go on, because nobody is left who wanted them. */
static void kill_strays(const struct supervisor *self)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)self->pid);
    int fd = shmfi_sys.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    ssize_t got = shmfi_sys.read(fd, text, sizeof text - 1);
    shmfi_sys.close(fd);
    text[got > 0 ? got : 0] = '\0';
    for (char *at = text, *end;; at = end) {
        pid_t pid = (pid_t)strtol(at, &end, 10);
        if (end == at)
            return;
        bool known = false;
        for (uint32_t w = 0; w < self->pool->n_workers; w++)
            known = known || self->children[w].pid == pid;
        if (!known)
            shmfi_sys.kill(pid, SIGKILL);
    }
}

static void note_death(struct supervisor *self, uint32_t worker, int status)
{
    struct child *child = &self->children[worker];
    bool from_outside = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!from_outside && shmfi_now() - child->born < SHORT_LIFE_NS)
        put_off(child);
    else
        child->delay = child->next = 0;
    child->pid = 0;
    child->exit_status = status;
    report_exit(self, worker);
}

static bool reap(struct supervisor *self, int options)
{
    int status;
    pid_t pid = shmfi_sys.waitpid(-1, &status, options);
    if (pid <= 0)
        return pid < 0 && errno == EINTR;
    for (uint32_t w = 0; w < self->pool->n_workers; w++)
        if (self->children[w].pid == pid) {
            note_death(self, w, status);
            kill_strays(self);
            break;
        }
    return true;
}

static void kill_all(const struct supervisor *self)
{
    for (uint32_t w = 0; w < self->pool->n_workers; w++)
        if (self->children[w].pid)
            shmfi_sys.kill(self->children[w].pid, SIGKILL);
}

static bool any_alive(const struct supervisor *self)
{
    for (uint32_t w = 0; w < self->pool->n_workers; w++)
        if (self->children[w].pid)
            return true;
    return false;
}

static _Noreturn void end_all(struct supervisor *self)
{
    kill_all(self);
    kill_strays(self);
    while (any_alive(self) && reap(self, 0))
        continue;
    kill_strays(self);
    shmfi_leave(0);
}

/* ---- the loop ----------------------------------------------------------------------------- */

static void obey(struct supervisor *self)
{
    struct shmfi_control order;
    int fd;
    for (;;) {
        int rc = shmfi_fdpass_receive(self->setup->control, &order, sizeof order, &fd, NULL);
        if (rc == 0)
            return;
        if (rc != 1)
            end_all(self); /* the application has closed its end, or talks nonsense */
        if (fd >= 0)
            shmfi_sys.close(fd);
        if (order.type == SHMFI_CONTROL_STOP && !self->stopping) {
            self->stopping = true;
            self->stop_at = shmfi_now() + GRACE_NS;
        }
        if (order.type == SHMFI_CONTROL_KILL && order.worker < self->pool->n_workers &&
            self->children[order.worker].pid &&
            self->children[order.worker].incarnation == order.incarnation)
            shmfi_sys.kill(self->children[order.worker].pid, SIGKILL);
    }
}

static int timeout_ms(const struct supervisor *self)
{
    uint64_t now = shmfi_now(), soonest = UINT64_MAX;
    if (self->stopping)
        soonest = self->stop_at;
    for (uint32_t w = 0; w < self->pool->n_workers && !self->stopping; w++) {
        const struct child *child = &self->children[w];
        if (!child->pid && child->next < soonest)
            soonest = child->next;
        if (child->exit_unsent && now + FIRST_DELAY_NS < soonest)
            soonest = now + FIRST_DELAY_NS;
    }
    int most = self->setup->app_pidfd < 0 ? POLL_MS : -1;
    if (soonest == UINT64_MAX)
        return most;
    if (soonest <= now)
        return 0;
    int wait = (int)((soonest - now) / 1000000) + 1;
    return most >= 0 && wait > most ? most : wait;
}

static void drain(int signals)
{
    char info[8 * 128]; /* struct signalfd_siginfo is 128 bytes */
    while (shmfi_sys.read(signals, info, sizeof info) > 0)
        continue;
}

static _Noreturn void loop(struct supervisor *self)
{
    for (;;) {
        spawn_missing(self);
        struct pollfd fds[] = {{self->signals, POLLIN, 0},
                               {self->setup->control, POLLIN, 0},
                               {self->setup->app_pidfd, POLLIN, 0}};
        shmfi_sys.poll(fds, 3, timeout_ms(self));
        if (shmfi_app_is_dead(self->setup))
            end_all(self);
        if (fds[1].revents)
            obey(self);
        drain(self->signals);
        while (reap(self, WNOHANG))
            continue;
        if (self->stopping && (!any_alive(self) || shmfi_now() >= self->stop_at))
            end_all(self);
    }
}

/* ---- the beginning ------------------------------------------------------------------------ */

/* The application's handlers are its own code and must not run here or in workers. */
static void reset_handlers(struct supervisor *self)
{
    sigemptyset(&self->ignored);
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action))
            continue;
        if (action.sa_handler == SIG_IGN)
            sigaddset(&self->ignored, number);
        else if (action.sa_handler != SIG_DFL)
            signal(number, SIG_DFL);
    }
}

/* Terminal signals and polite requests are meant for the application; it tells us. SIGCONT when
 * the socket changes: a stopped supervisor wakes up to find that the application is gone. */
static void settle_signals(struct supervisor *self)
{
    static const int unwanted[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGPIPE, SIGTSTP, SIGTTIN,
                                  SIGTTOU, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
        signal(unwanted[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGCONT, SIG_DFL);
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    self->signals = shmfi_sys.signalfd(-1, &child, O_NONBLOCK | O_CLOEXEC);
    shmfi_sys.fcntl(self->setup->control, F_SETOWN, self->pid);
    shmfi_sys.fcntl(self->setup->control, F_SETSIG, SIGCONT);
    shmfi_sys.fcntl(self->setup->control, F_SETFL, O_NONBLOCK | O_ASYNC);
}

static void close_what_is_the_applications(const struct supervisor *self)
{
    const struct shmfi_setup *setup = self->setup;
    int *keep = shmfi_sys.malloc((setup->n_keep_fds + 3) * sizeof *keep);
    if (!keep)
        shmfi_leave(1);
    size_t count = 0;
    keep[count++] = setup->control;
    keep[count++] = self->pool->eventfd;
    keep[count++] = setup->app_pidfd;
    for (size_t i = 0; i < setup->n_keep_fds; i++)
        keep[count++] = setup->keep_fds[i];
    shmfi_close_all_but(keep, count);
    shmfi_sys.free(keep);
}

void shmfi_supervise(struct shmf_pool *pool, const struct shmfi_setup *setup)
{
    struct supervisor self = {.pool = pool, .setup = setup, .pid = getpid()};
    setpgid(0, 0);
    shmfi_sys.prctl(PR_SET_NAME, (unsigned long)"shmf-super");
    shmfi_sys.prctl(PR_SET_CHILD_SUBREAPER, 1);
    reset_handlers(&self);
    close_what_is_the_applications(&self);
    shmfi_forget_output();
    self.children = shmfi_sys.calloc(pool->n_workers, sizeof *self.children);
    struct shmf_error err = {0};
    int rc = shmfi_memory_disown(&err);
    if (!self.children || rc) {
        struct shmfi_control failed = {SHMFI_CONTROL_NOT_SPAWNED, 0, 0,
                                       err.sys_errno ? err.sys_errno : ENOMEM};
        shmfi_fdpass_send(setup->control, &failed, sizeof failed, -1, NULL);
        shmfi_leave(1);
    }
    settle_signals(&self);
    if (self.signals < 0 || !tell(&self, SHMFI_CONTROL_READY, 0, self.pid, -1))
        shmfi_leave(1);
    loop(&self);
}

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
#include "pool/supervisor_internal.h"

#include "base/error.h"
#include "base/sys.h"
#include "base/warning.h"
#include "handle/fdpass.h"
#include "pool/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOON_NS      1000000u
#define GRACE_NS     20000000u   /* for idle workers, when the pool is freed */
#define FINALIZER_NS 1000000000u /* more of it, if they have something to finish */
#define POLL_MS      100         /* where there is no pidfd */
#define TICK_NS      5000000u    /* how often deadlines are looked at */
#define FEW          8           /* so many have room on the stack: malloc() would map its code */

bool shmfi_app_is_dead(const struct shmfi_setup *setup)
{
    if (setup->app_pidfd < 0)
        return shmfi_sys.kill(setup->app_pid, 0) && errno == ESRCH;
    struct pollfd fd = {setup->app_pidfd, POLLIN, 0};
    return shmfi_sys.poll(&fd, 1, 0) > 0;
}

/* Counters of a coverage build are written by an exit handler that must not run here otherwise. */
extern void __gcov_dump(void) __attribute__((weak)); /* NOLINT: the name is not ours */

void shmfi_leave(int status)
{
    if (__gcov_dump) /* coverage: unreachable: it is there where coverage is measured */
        __gcov_dump();
    _exit(status);
}

/* ---- the loop ----------------------------------------------------------------------------- */

static void obey(struct shmfi_supervisor *self)
{
    struct shmfi_control order;
    int fd;
    for (;;) {
        int rc = shmfi_fdpass_receive(self->setup->control, &order, sizeof order, &fd, NULL);
        bool deaf = shmfi_deaf(&self->deaf, rc);
        if (rc == 0 || (deaf && !shmfi_deaf_for_good(&self->deaf)))
            return;
        if (rc != 1)
            shmfi_supervisor_end(self); /* the application has closed its end, or talks nonsense */
        if (fd >= 0)
            shmfi_sys.close(fd);
        if (order.type == SHMFI_CONTROL_STOP && !self->stopping) {
            self->stopping = true;
            self->stop_at = shmfi_now() + GRACE_NS;
        }
        if (order.type == SHMFI_CONTROL_RESIZE)
            for (uint32_t w = (uint32_t)order.value; w < self->pool->max_workers; w++)
                self->children[w].dismissed = self->children[w].pid != 0;
        if (order.worker >= self->pool->max_workers)
            continue;
        struct shmfi_child *child = &self->children[order.worker];
        if (!child->pid || child->incarnation != order.incarnation)
            continue;
        if (order.type == SHMFI_CONTROL_KILL)
            shmfi_sys.kill(child->pid, SIGKILL);
        if (order.type == SHMFI_CONTROL_CANCEL)
            shmfi_supervisor_cancel(self, order.worker, order.ticket);
    }
}

static int timeout_ms(const struct shmfi_supervisor *self)
{
    uint64_t now = shmfi_now(), soonest = UINT64_MAX;
    if (self->stopping)
        soonest = now < self->stop_at ? self->stop_at : now + SOON_NS;
    for (uint32_t w = 0; w < self->pool->max_workers && !self->stopping; w++) {
        const struct shmfi_child *child = &self->children[w];
        if (shmfi_supervisor_wants(self, w) && child->next < soonest)
            soonest = child->next;
        bool look_soon = child->exit_unsent || child->pid_unsent ||
                         (child->pid && child->cancel != SHMFI_NO_TICKET);
        if (look_soon && now + SOON_NS < soonest)
            soonest = now + SOON_NS;
    }
    if (shmfi_supervisor_watches(self) && now + TICK_NS < soonest)
        soonest = now + TICK_NS;
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

/* Workers that are idle end by themselves, tasks are killed. */
static void stop(struct shmfi_supervisor *self)
{
    uint64_t now = shmfi_now();
    uint64_t last = self->stop_at + (self->setup->finalizer ? FINALIZER_NS : 0);
    if (!shmfi_supervisor_any_alive(self) || now >= last)
        shmfi_supervisor_end(self);
    if (now >= self->stop_at)
        shmfi_supervisor_kill_busy(self);
}

static _Noreturn void loop(struct shmfi_supervisor *self)
{
    for (;;) {
        shmfi_supervisor_spawn(self);
        struct pollfd fds[] = {{self->signals, POLLIN, 0},
                               shmfi_deaf_poll(&self->deaf, self->setup->control),
                               {self->setup->app_pidfd, POLLIN, 0}};
        shmfi_sys.poll(fds, 3, shmfi_deaf_ms(&self->deaf, timeout_ms(self)));
        if (shmfi_app_is_dead(self->setup))
            shmfi_supervisor_end(self);
        if (fds[1].revents || self->deaf.tries)
            obey(self);
        drain(self->signals);
        while (shmfi_supervisor_reap(self, WNOHANG))
            continue;
        shmfi_supervisor_end_tasks(self);
        if (self->stopping)
            stop(self);
    }
}

/* ---- the beginning ------------------------------------------------------------------------ */

/* Terminal signals and polite requests are meant for the application; it tells us. SIGCONT when
 * the socket changes: a stopped supervisor wakes up to find that the application is gone. */
static void settle_signals(struct shmfi_supervisor *self)
{
    static const int unwanted[] = {SIGINT,  SIGQUIT, SIGTERM, SIGHUP,  SIGPIPE,
                                   SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2};
    sigemptyset(&self->hushed);
    for (size_t i = 0; i < sizeof unwanted / sizeof *unwanted; i++)
        if (signal(unwanted[i], SIG_IGN) == SIG_DFL)
            sigaddset(&self->hushed, unwanted[i]);
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

static void close_what_is_the_applications(const struct shmfi_supervisor *self)
{
    const struct shmfi_setup *setup = self->setup;
    int few[FEW], *keep = few;
    if (setup->n_keep_fds + 3 > FEW)
        keep = shmfi_sys.malloc((setup->n_keep_fds + 3) * sizeof *keep);
    if (!keep)
        shmfi_leave(1);
    size_t count = 0;
    keep[count++] = setup->control;
    keep[count++] = self->pool->eventfd;
    keep[count++] = setup->app_pidfd;
    for (size_t i = 0; i < setup->n_keep_fds; i++)
        keep[count++] = setup->keep_fds[i];
    shmfi_close_all_but(keep, count);
    if (keep != few)
        shmfi_sys.free(keep);
}

void shmfi_supervise(struct shmf_pool *pool, const struct shmfi_setup *setup)
{
    struct shmfi_supervisor self = {.pool = pool, .setup = setup, .pid = getpid()};
    struct shmfi_child few[FEW];
    setpgid(0, 0);
    shmfi_sys.prctl(PR_SET_CHILD_SUBREAPER, 1);
    shmfi_warn_no_more();
    shmfi_forget_output();
    if (pool->max_workers <= FEW)
        self.children = memset(few, 0, sizeof few);
    else
        self.children = shmfi_sys.calloc(pool->max_workers, sizeof *self.children);
    struct shmf_error err = {0};
    int rc = shmfi_memory_disown(&err);
    if (!self.children || rc) {
        struct shmfi_control failed = {.type = SHMFI_CONTROL_NOT_SPAWNED,
                                       .value = err.sys_errno ? err.sys_errno : ENOMEM};
        shmfi_fdpass_send(setup->control, &failed, sizeof failed, -1, NULL);
        shmfi_leave(1);
    }
    close_what_is_the_applications(&self); /* its regions' descriptors were needed till now */
    settle_signals(&self);
    int self_pidfd = shmfi_sys.pidfd_open(self.pid, 0);
    if (self.signals < 0 ||
        !shmfi_supervisor_tell(&self, SHMFI_CONTROL_READY, 0, self.pid, self_pidfd))
        shmfi_leave(1);
    if (self_pidfd >= 0)
        shmfi_sys.close(self_pidfd);
    loop(&self);
}

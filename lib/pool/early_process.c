/* The process of the early moment. It waits, and forks supervisors of what it is: it runs no code
 * of the application's, has one thread, and owns nothing. Like supervisors it outlives nobody: it
 * polls a pidfd of the application, and a change of its socket wakes it even when it is stopped.
 * Its supervisors are orphans at once, as those of other pools are, so it has no children to
 * reap. */
#include "pool/early.h"

#include "base/error.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/descriptors.h"
#include "pool/detach.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define POLL_MS 100 /* where there is no pidfd */

struct process {
    const struct shmfi_early_process *given;
    struct shmfi_setup app; /* only what tells whether it is dead */
    struct shmfi_deaf deaf;
    int fds[SHMFI_EARLY_FDS]; /* that came for the next pool, -1: none */
};

static void drop_fds(struct process *self)
{
    for (int i = 0; i < SHMFI_EARLY_FDS; i++) {
        if (self->fds[i] >= 0)
            shmfi_sys.close(self->fds[i]);
        self->fds[i] = -1;
    }
}

/* ---- a pool ------------------------------------------------------------------------------- */

static int fail(int control, int why)
{
    struct shmfi_control failed = {.type = SHMFI_CONTROL_NOT_SPAWNED, .value = why};
    shmfi_fdpass_send(control, &failed, sizeof failed, -1, NULL);
    return why;
}

/* In the process that is to be the supervisor: its copy of the pool is made here, because the
 * application's did not exist yet. It lives as long as the process. */
static _Noreturn void supervise(const struct process *self, const struct shmfi_early_order *order,
                                const struct shmfi_setup *setup)
{
    struct shmf_pool *pool = shmfi_sys.calloc(1, sizeof *pool);
    if (!pool) {
        fail(setup->control, ENOMEM);
        shmfi_leave(1);
    }
    void *at = shmfi_sys.mmap(NULL, order->board_size, PROT_READ | PROT_WRITE, MAP_SHARED,
                              self->fds[SHMFI_EARLY_BOARD], 0);
    if (at == MAP_FAILED) {
        fail(setup->control, errno);
        shmfi_leave(1);
    }
    shmfi_sys.madvise(at, order->board_size, MADV_DONTDUMP);
    shmfi_board_attach(&pool->board, at, &order->geometry, order->budget);
    pool->board_memory = at;
    pool->board_size = order->board_size;
    pool->max_workers = order->geometry.workers;
    pool->cpus = order->cpus;
    pool->eventfd = self->fds[SHMFI_EARLY_EVENTFD];
    pool->control = pool->epoll = pool->supervisor_pidfd = pool->board_fd = -1;
    shmfi_supervise(pool, setup);
}

static void make_supervisor(struct process *self, const struct shmfi_early_order *order)
{
    struct shmfi_setup setup = order->setup;
    setup.control = self->fds[SHMFI_EARLY_CONTROL];
    setup.app_pidfd = self->given->app_pidfd;
    setup.app_pid = self->given->app_pid;
    setup.keep_fds = self->given->keep_fds;
    setup.n_keep_fds = self->given->n_keep_fds;
    for (int i = 0; i < SHMFI_EARLY_FDS; i++)
        if (self->fds[i] < 0) { /* lost for want of room here; its socket's end tells */
            fail(setup.control, EMFILE);
            return;
        }
    int rc = shmfi_fork_detached(SHMFI_SUPERVISOR_NAME);
    if (rc == 0)
        supervise(self, order, &setup);
    if (rc < 0)
        fail(setup.control, -rc);
}

/* ---- the loop ----------------------------------------------------------------------------- */

static void obey(struct process *self, const struct shmfi_early_order *order, int fd)
{
    if (order->type < SHMFI_EARLY_FDS) {
        if (self->fds[order->type] >= 0)
            shmfi_sys.close(self->fds[order->type]); /* of a pool that came to nothing */
        self->fds[order->type] = fd;
        return;
    }
    if (fd >= 0)
        shmfi_sys.close(fd);
    if (order->type == SHMFI_EARLY_STOP)
        shmfi_leave(0);
    make_supervisor(self, order);
    drop_fds(self);
}

static void read_orders(struct process *self)
{
    struct shmfi_early_order order;
    int fd;
    for (;;) {
        int rc = shmfi_fdpass_receive(self->given->socket, &order, sizeof order, &fd, NULL);
        bool deaf = shmfi_deaf(&self->deaf, rc);
        if (rc == 0 || (deaf && !shmfi_deaf_for_good(&self->deaf)))
            return;
        if (rc != 1 && rc != SHMF_E_NOFILES)
            shmfi_leave(0); /* the application has closed its end, or talks nonsense */
        obey(self, &order, fd);
    }
}

static void close_what_is_the_applications(const struct shmfi_early_process *given)
{
    int *keep = shmfi_sys.malloc((given->n_keep_fds + 2) * sizeof *keep);
    if (!keep)
        shmfi_leave(1);
    size_t count = 0;
    keep[count++] = given->socket;
    keep[count++] = given->app_pidfd;
    for (size_t i = 0; i < given->n_keep_fds; i++)
        keep[count++] = given->keep_fds[i];
    shmfi_close_all_but(keep, count);
    shmfi_sys.free(keep);
}

static void announce(const struct shmfi_early_process *given)
{
    struct shmfi_control ready = {.type = SHMFI_CONTROL_READY, .value = getpid()};
    int pidfd = shmfi_sys.pidfd_open(getpid(), 0);
    if (shmfi_fdpass_send(given->socket, &ready, sizeof ready, pidfd, NULL) != 1)
        shmfi_leave(1);
    if (pidfd >= 0)
        shmfi_sys.close(pidfd);
}

void shmfi_early_serve(const struct shmfi_early_process *given)
{
    struct process self = {
        .given = given,
        .app = {.app_pidfd = given->app_pidfd, .app_pid = given->app_pid},
        .fds = {-1, -1, -1},
    };
    setpgid(0, 0);
    shmfi_forget_output();
    if (shmfi_memory_disown(NULL)) /* needs descriptors that are closed next */
        shmfi_leave(1);
    close_what_is_the_applications(given);
    shmfi_sys.fcntl(given->socket, F_SETOWN, getpid());
    shmfi_sys.fcntl(given->socket, F_SETSIG, SIGCONT);
    shmfi_sys.fcntl(given->socket, F_SETFL, O_NONBLOCK | O_ASYNC);
    announce(given);
    for (;;) {
        struct pollfd fds[] = {shmfi_deaf_poll(&self.deaf, given->socket),
                               {given->app_pidfd, POLLIN, 0}};
        int most = shmfi_deaf_ms(&self.deaf, given->app_pidfd < 0 ? POLL_MS : -1);
        int ready = shmfi_sys.poll(fds, 2, most);
        if (shmfi_app_is_dead(&self.app))
            shmfi_leave(0);
        if (fds[0].revents || ready < 0 ||
            self.deaf.tries) /* which says nothing of the socket: it is asked itself */
            read_orders(&self);
    }
}

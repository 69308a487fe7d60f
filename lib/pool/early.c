/* The application's side of the early process: one per process, under a lock. */
#include "pool/early.h"

#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/crash.h"
#include "pool/descriptors.h"
#include "pool/detach.h"
#include "pool/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define START_MS 60000
#define STOP_MS  10000
#define ROOM_MS  100

static struct {
    uint64_t epoch; /* of the process that has started early; 0: none has */
    int socket;
    int pidfd; /* of the early process, -1: this kernel has none */
    pid_t pid;
    struct shmfi_code code; /* that it has */
    uint64_t serial;        /* of the newest region that it has mapped */
    uint64_t threads;
} early = {.socket = -1, .pidfd = -1};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Forgotten before they are closed: who forks between the two keeps one too many, but closes no
 * stranger's. */
static void close_fds(void)
{
    int socket = early.socket, pidfd = early.pidfd;
    early.socket = early.pidfd = -1;
    if (socket >= 0)
        shmfi_sys.close(socket);
    if (pidfd >= 0)
        shmfi_sys.close(pidfd);
}

/* A child has no use for them, and one that closes what it does not know (a supervisor) must not
 * leave numbers here that mean something else later. */
static void settle_in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    close_fds();
}

static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, settle_in_child);
}

static void enter(void)
{
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
}

/* Ours, or what a forked child inherited. */
static void forget(void)
{
    close_fds();
    shmfi_code_clear(&early.code);
    early.epoch = 0;
}

/* ---- the beginning ------------------------------------------------------------------------ */

static int check_options(const struct shmf_early_options *options, struct shmf_error *err)
{
    int rc = shmfi_check_keep_fds(options->keep_fds, options->n_keep_fds, err);
    if (rc)
        return rc;
    int others = shmfi_machine_threads() - 1;
    if (options->refuse_threads && others > 0)
        return shmfi_error(err, SHMF_E_INVAL, "options.refuse_threads: %d other thread%s run%s",
                           others, others == 1 ? "" : "s", others == 1 ? "s" : "");
    return shmfi_check_reserved(options->reserved, 8, "options", err);
}

/* Every signal is blocked, so that no handler of the application's runs in the processes that stem
 * from here; workers get the mask of the thread that makes their pool. */
static int fork_process(struct shmfi_early_process *given, struct shmf_error *err)
{
    sigset_t all, before;
    sigfillset(&all);
    given->app_pid = getpid();
    given->app_pidfd = shmfi_sys.pidfd_open(given->app_pid, 0);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = shmfi_fork_detached(SHMFI_EARLY_NAME);
    if (rc == 0)
        shmfi_early_serve(given);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (given->app_pidfd >= 0)
        shmfi_sys.close(given->app_pidfd);
    return rc < 0 ? shmfi_error_sys(err, -rc, "forking the early process") : SHMF_OK;
}

static int await_ready(struct shmf_error *err)
{
    struct shmfi_control ready;
    uint64_t deadline = shmfi_now() + START_MS * UINT64_C(1000000);
    int rc;
    while ((rc = shmfi_fdpass_receive(early.socket, &ready, sizeof ready, &early.pidfd, err)) ==
           0) {
        if (shmfi_now() > deadline)
            return shmfi_error(err, SHMF_E_TIMEOUT, "the early process did not start");
        struct pollfd news = {early.socket, POLLIN, 0};
        shmfi_sys.poll(&news, 1, START_MS);
    }
    if (rc < 0)
        return rc;
    early.pid = (pid_t)ready.value;
    return SHMF_OK;
}

static int start_locked(const struct shmf_early_options *options, struct shmf_error *err)
{
    if (early.epoch == shmfi_process_epoch())
        return shmfi_error(err, SHMF_E_EXISTS, "this process has started early already");
    if (early.epoch)
        forget();
    int sockets[2];
    int rc = shmfi_fdpass_pair(sockets, err);
    if (rc)
        return rc;
    struct shmfi_early_process given = {
        .socket = sockets[1], .keep_fds = options->keep_fds, .n_keep_fds = options->n_keep_fds};
    early.epoch = shmfi_process_epoch();
    early.socket = sockets[0];
    early.pidfd = -1;
    early.pid = 0;
    early.threads = (uint64_t)shmfi_machine_threads() - 1;
    early.serial = shmfi_memory_serial();
    shmfi_crash_prepare();
    rc = shmfi_code_take(&early.code, err);
    if (!rc)
        rc = fork_process(&given, err);
    shmfi_sys.close(sockets[1]);
    if (!rc)
        rc = await_ready(err);
    if (rc)
        forget(); /* it ends when its socket does */
    return rc;
}

int shmf_early_start(const struct shmf_early_options *options, struct shmf_error *err)
{
    static const struct shmf_early_options defaults;
    if (!options)
        options = &defaults;
    int rc = check_options(options, err);
    if (rc)
        return rc;
    enter();
    rc = start_locked(options, err);
    pthread_mutex_unlock(&lock);
    return rc;
}

/* ---- the end ------------------------------------------------------------------------------ */

/* Its socket's end tells that it is gone; one that does not end is killed. */
static void stop_locked(void)
{
    struct shmfi_early_order order;
    memset(&order, 0, sizeof order);
    order.type = SHMFI_EARLY_STOP;
    if (shmfi_fdpass_send(early.socket, &order, sizeof order, -1, NULL) == 1) {
        struct pollfd end = {early.pidfd >= 0 ? early.pidfd : early.socket, POLLIN, 0};
        if (shmfi_sys.poll(&end, 1, STOP_MS) == 0 && early.pidfd >= 0) {
            shmfi_detached_kill(early.pid, early.pidfd);
            shmfi_sys.poll(&end, 1, STOP_MS);
        }
    }
    int pidfd = early.pidfd;
    early.pidfd = -1;
    forget(); /* one that hangs and has no pidfd ends with its socket */
    shmfi_detached_bury(early.pid, pidfd);
    if (pidfd >= 0)
        shmfi_sys.close(pidfd);
}

void shmf_early_stop(void)
{
    enter();
    if (early.epoch == shmfi_process_epoch())
        stop_locked();
    pthread_mutex_unlock(&lock);
}

/* ---- pools -------------------------------------------------------------------------------- */

static int check_started(struct shmf_error *err)
{
    if (!early.epoch)
        return shmfi_error(err, SHMF_E_INVAL,
                           "options.start: SHMF_START_EARLY, but shmf_early_start was not called");
    if (early.epoch != shmfi_process_epoch())
        return shmfi_error(err, SHMF_E_WRONG_PROCESS,
                           "options.start: shmf_early_start was called in the process that this "
                           "one was forked from");
    return SHMF_OK;
}

int shmfi_early_join(struct shmf_pool *pool, struct shmf_error *err)
{
    enter();
    int rc = check_started(err);
    if (!rc) {
        pool->stats.threads_at_creation = early.threads;
        pool->regions_at_fork = early.serial;
        rc = shmfi_code_copy(&pool->code, &early.code, err);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

static int send_order(const struct shmfi_early_order *order, int fd, struct shmf_error *err)
{
    int rc;
    while ((rc = shmfi_fdpass_send(early.socket, order, sizeof *order, fd, err)) == 0) {
        struct pollfd room = {early.socket, POLLOUT, 0};
        shmfi_sys.poll(&room, 1, ROOM_MS);
    }
    if (rc == SHMF_E_CLOSED)
        return shmfi_error(err, rc, "the early process (pid %ld) is gone", (long)early.pid);
    return rc < 0 ? rc : SHMF_OK;
}

int shmfi_early_fork(const struct shmf_pool *pool, const struct shmfi_setup *setup,
                     struct shmf_error *err)
{
    const int fds[] = {pool->board_fd, pool->eventfd, setup->control, -1};
    struct shmfi_early_order order;
    memset(&order, 0, sizeof order);
    order.cpus = pool->cpus;
    order.geometry = pool->board.geometry;
    order.budget = pool->budget;
    order.board_size = pool->board_size;
    order.setup = *setup;
    enter();
    int rc = check_started(err);
    for (uint32_t type = SHMFI_EARLY_BOARD; !rc && type <= SHMFI_EARLY_FORK; type++) {
        order.type = type;
        rc = send_order(&order, fds[type], err);
    }
    pthread_mutex_unlock(&lock);
    return rc;
}

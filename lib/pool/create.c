/* The beginning and the end of a pool. */
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/crash.h"
#include "pool/detach.h"
#include "pool/early.h"
#include "pool/iter_internal.h"
#include "pool/options.h"
#include "pool/submit.h"
#include "pool/threads.h"
#include "pool/warn.h"
#include "pool/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define START_MS 60000
#define STOP_MS  10000
#define LOOK_MS  200
#define LEAVE_MS 1

/* ---- parts -------------------------------------------------------------------------------- */

static int make_board(struct shmf_pool *pool, struct shmf_error *err)
{
    struct shmfi_geometry geometry = {.workers = pool->max_workers, .slots = pool->window};
    pool->board_size = shmfi_board_size(&geometry);
    int rc = pool->is_early ? shmfi_file_create(pool->board_size, &pool->board_fd, err) : SHMF_OK;
    if (rc)
        return rc;
    /* Shared and anonymous where every process that needs it is a descendant and inherits the
     * mapping: no descriptor could leak. */
    pool->board_memory =
        shmfi_sys.mmap(NULL, pool->board_size, PROT_READ | PROT_WRITE,
                       MAP_SHARED | (pool->is_early ? 0 : MAP_ANONYMOUS), pool->board_fd, 0);
    if (pool->board_memory == MAP_FAILED) {
        pool->board_memory = NULL;
        return shmfi_error_sys(err, errno, "the board's %zu bytes", pool->board_size);
    }
    shmfi_sys.madvise(pool->board_memory, pool->board_size, MADV_DONTDUMP);
    shmfi_board_format(&pool->board, pool->board_memory, &geometry, pool->budget);
    atomic_store_explicit(&pool->board.header->places, pool->places, memory_order_relaxed);
    return SHMF_OK;
}

static int make_tables(struct shmf_pool *pool, struct shmf_error *err)
{
    uint32_t slots = pool->board.geometry.slots;
    pool->members = shmfi_sys.calloc(pool->max_workers, sizeof *pool->members);
    for (uint32_t w = 0; pool->members && w < pool->max_workers; w++)
        pool->members[w].socket = -1;
    pool->jobs = shmfi_sys.calloc(slots, sizeof *pool->jobs);
    pool->free_slots = shmfi_sys.calloc(slots, sizeof *pool->free_slots);
    if (!pool->members || !pool->jobs || !pool->free_slots)
        return shmfi_error(err, SHMF_E_NOMEM, "no memory for a pool of %u workers, window %u",
                           pool->wanted, pool->window);
    while (pool->n_free < slots) {
        pool->free_slots[pool->n_free] = slots - 1 - pool->n_free;
        pool->n_free++;
    }
    return SHMF_OK;
}

static int make_parts(struct shmf_pool *pool, struct shmf_error *err)
{
    int rc = make_board(pool, err);
    if (!rc)
        rc = make_tables(pool, err);
    if (rc)
        return rc;
    pool->eventfd = shmfi_sys.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return pool->eventfd < 0 ? shmfi_error_sys(err, errno, "eventfd") : SHMF_OK;
}

static void free_job(struct shmfi_job *job)
{
    for (size_t i = 0; i < job->n_pins; i++)
        shmfi_segment_unref(job->pins[i]);
    shmfi_sys.free(job->pins);
    shmfi_grants_over(job->granted);
    shmfi_sys.free(job->granted);
    shmfi_shared_unref(job->shared);
    shmfi_sys.free(job->copy);
    shmf_result_free(job->result);
}

/* Where there are pidfds it closes its socket when it has nothing left to do, and takes as long to
 * end as we do to clear away. */
static void await_supervisor(struct shmf_pool *pool)
{
    struct pollfd end = {pool->supervisor_pidfd, POLLIN, 0};
    if (pool->supervisor_pidfd >= 0)
        shmfi_sys.poll(&end, 1, STOP_MS);
    shmfi_detached_bury(pool->supervisor, pool->supervisor_pidfd);
    if (pool->supervisor_pidfd >= 0)
        shmfi_sys.close(pool->supervisor_pidfd);
}

static void free_parts(struct shmf_pool *pool)
{
    for (uint32_t slot = 0; pool->jobs && slot < pool->board.geometry.slots; slot++)
        free_job(&pool->jobs[slot]);
    for (uint32_t w = 0; pool->members && w < pool->max_workers; w++) {
        shmfi_member_clear(pool, w);
        shmfi_sys.free(pool->members[w].kept);
    }
    shmfi_pool_retire_orphans(pool, true);
    shmfi_desk_close(pool);
    shmfi_ids_clear(&pool->dropped);
    if (pool->eventfd >= 0)
        shmfi_sys.close(pool->eventfd);
    if (pool->control >= 0)
        shmfi_sys.close(pool->control);
    if (pool->epoll >= 0)
        shmfi_sys.close(pool->epoll);
    if (pool->board_memory)
        shmfi_sys.munmap(pool->board_memory, pool->board_size);
    if (pool->board_fd >= 0)
        shmfi_sys.close(pool->board_fd);
    shmf_result_free(pool->spare);
    shmfi_sys.free(pool->free_slots);
    shmfi_sys.free(pool->jobs);
    shmfi_sys.free(pool->members);
    shmfi_code_clear(&pool->code);
    pthread_cond_destroy(&pool->harvested);
    pthread_mutex_destroy(&pool->lock);
    await_supervisor(pool);
    shmfi_sys.free(pool);
}

/* ---- start -------------------------------------------------------------------------------- */

/* Forks the supervisor, with every signal blocked so that no handler of the application's runs in
 * the processes between us and it. */
static int fork_supervisor(struct shmf_pool *pool, struct shmfi_setup *setup,
                           struct shmf_error *err)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &setup->mask);
    int rc = shmfi_fork_detached(SHMFI_SUPERVISOR_NAME);
    if (rc == 0)
        shmfi_supervise(pool, setup);
    pthread_sigmask(SIG_SETMASK, &setup->mask, NULL);
    return rc < 0 ? shmfi_error_sys(err, -rc, "forking the supervisor") : SHMF_OK;
}

/* Early workers must have what they are to call before their first task. */
static int join_early(struct shmf_pool *pool, const struct shmf_pool_options *options,
                      struct shmf_error *err)
{
    int rc = shmfi_early_join(pool, err);
    if (!rc)
        rc = shmfi_pool_check_code(pool, "options.initializer", (uintptr_t)options->initializer,
                                   err);
    if (!rc)
        rc = shmfi_pool_check_code(pool, "options.finalizer", (uintptr_t)options->finalizer, err);
    return rc;
}

/* Has the supervisor made by the early process. */
static int order_supervisor(struct shmf_pool *pool, struct shmfi_setup *setup,
                            struct shmf_error *err)
{
    pthread_sigmask(SIG_SETMASK, NULL, &setup->mask);
    int rc = shmfi_early_fork(pool, setup, err);
    shmfi_sys.close(pool->board_fd);
    pool->board_fd = -1;
    return rc;
}

static int await_workers(struct shmf_pool *pool, struct shmf_error *err)
{
    uint64_t deadline = shmfi_now() + START_MS * UINT64_C(1000000);
    while (pool->spawned < pool->places) {
        if (pool->spawn_errno)
            return shmfi_error_sys(err, pool->spawn_errno, "forking worker %u of %u",
                                   pool->spawned + 1, pool->places);
        if (pool->broken)
            return shmfi_error(err, pool->broken, "%s", pool->broken_why);
        if (shmfi_now() > deadline)
            return shmfi_error(err, SHMF_E_TIMEOUT, "the supervisor did not start %u workers",
                               pool->places);
        struct pollfd fd = shmfi_deaf_poll(&pool->deaf, pool->control);
        shmfi_sys.poll(&fd, 1, shmfi_deaf_ms(&pool->deaf, START_MS));
        shmfi_pool_read_control(pool);
    }
    return SHMF_OK;
}

static int start(struct shmf_pool *pool, const struct shmf_pool_options *options,
                 struct shmf_error *err)
{
    int sockets[2];
    int rc = shmfi_fdpass_pair(sockets, err);
    if (rc)
        return rc;
    pool->control = sockets[0];
    struct shmfi_setup setup = {
        .control = sockets[1],
        .app_pid = getpid(),
        .keep_fds = options->keep_fds,
        .n_keep_fds = options->n_keep_fds,
        .initializer = options->initializer,
        .initializer_context = options->initializer_context,
        .finalizer = options->finalizer,
        .tasks_per_worker = (uint64_t)options->tasks_per_worker,
        .max_worker_bytes = options->max_worker_bytes,
        .backtraces = !options->no_backtraces,
        .spread = options->affinity == SHMF_AFFINITY_SPREAD,
        .threads = options->worker_threads ? options->worker_threads : 1,
    };
    if (setup.backtraces)
        shmfi_crash_prepare();
    if (setup.threads >= 0 && !pool->is_early)
        shmfi_threads_prepare();
    setup.app_pidfd = shmfi_sys.pidfd_open(setup.app_pid, 0);
    if (!pool->is_early)
        pool->regions_at_fork = shmfi_memory_serial();
    shmfi_memory_set_drop_hook(shmfi_region_dropped, shmfi_this_worker());
    shmfi_desk_open(pool);
    rc = pool->is_early ? order_supervisor(pool, &setup, err) : fork_supervisor(pool, &setup, err);
    shmfi_sys.close(sockets[1]);
    if (setup.app_pidfd >= 0)
        shmfi_sys.close(setup.app_pidfd);
    /* Other children of the application have no business with the board. */
    shmfi_sys.madvise(pool->board_memory, pool->board_size, MADV_DONTFORK);
    if (!rc &&
        !pool->is_early) /* while the supervisor forks: the list takes about as long as a fork */
        rc = shmfi_code_take(&pool->code, err);
    return rc ? rc : await_workers(pool, err);
}

/* The supervisor ends when all workers are reaped; its socket's end tells, or its pidfd where
 * somebody else has a copy of the socket. One that does not end is stopped: its workers go with it
 * when it is killed. */
static void await_end(struct shmf_pool *pool)
{
    uint64_t deadline = shmfi_now() + STOP_MS * UINT64_C(1000000);
    bool killed = false;
    while (!pool->supervisor_gone) {
        short readable = pool->deaf.tries ? 0 : POLLIN; /* its end in any case */
        struct pollfd fds[] = {{pool->control, readable, 0}, {pool->supervisor_pidfd, POLLIN, 0}};
        shmfi_sys.poll(fds, 2, shmfi_deaf_ms(&pool->deaf, LOOK_MS));
        shmfi_pool_read_control(pool);
        if (fds[0].revents & POLLHUP)
            pool->supervisor_gone = true; /* even where what it sent cannot be received */
        if (killed || pool->supervisor_gone || shmfi_now() < deadline || pool->supervisor <= 0)
            continue;
        killed = true;
        if (!shmfi_detached_kill(pool->supervisor, pool->supervisor_pidfd))
            return;
    }
}

static void stop(struct shmf_pool *pool)
{
    atomic_store_explicit(&pool->board.header->stopping, 1, memory_order_seq_cst);
    shmfi_wake_some(&pool->board, UINT32_MAX);
    struct shmfi_control order = {.type = SHMFI_CONTROL_STOP};
    if (pool->control >= 0 && shmfi_fdpass_send(pool->control, &order, sizeof order, -1, NULL) >= 0)
        await_end(pool);
}

struct shmf_pool *shmf_pool_new(const struct shmf_pool_options *options, struct shmf_error *err)
{
    static const struct shmf_pool_options defaults;
    if (!options)
        options = &defaults;
    if (shmfi_options_check(options, err))
        return NULL;
    struct shmf_pool *pool = shmfi_sys.calloc(1, sizeof *pool);
    if (!pool) {
        shmfi_error(err, SHMF_E_NOMEM, "no memory for a pool");
        return NULL;
    }
    pool->epoch = shmfi_process_epoch();
    pool->made_at = (uint64_t)(uintptr_t)__builtin_return_address(0);
    pool->control = pool->eventfd = pool->epoll = pool->supervisor_pidfd = pool->board_fd = -1;
    pool->backlog_end = &pool->backlog;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->harvested, NULL);
    shmfi_options_apply(pool, options);
    if (pool->is_inline)
        return pool;
    int rc = pool->is_early ? join_early(pool, options, err) : SHMF_OK;
    if (!rc)
        rc = make_parts(pool, err);
    if (!rc)
        shmfi_pool_warn_of_threads(pool);
    if (!rc)
        rc = start(pool, options, err);
    if (rc) {
        if (pool->board_memory)
            stop(pool);
        free_parts(pool);
        return NULL;
    }
    return pool;
}

void shmf_pool_free(struct shmf_pool *pool)
{
    if (!pool)
        return;
    if (pool->epoch != shmfi_process_epoch()) {
        /* A forked child's copy: nothing that it could tell anybody. */
        pool->board_memory = NULL;
        pool->iters = NULL;
        shmfi_sys.close(pool->control);
        shmfi_sys.close(pool->eventfd);
        if (pool->supervisor_pidfd >= 0)
            shmfi_sys.close(pool->supervisor_pidfd);
        if (pool->epoll >= 0)
            shmfi_sys.close(pool->epoll);
        for (uint32_t w = 0; w < pool->n_workers; w++)
            if (pool->members[w].socket >= 0)
                shmfi_sys.close(pool->members[w].socket);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->closed = pool->freeing = true;
    /* Before threads come back that wait for them: what they do next with their iterators and
     * futures must not lead here any more. */
    while (pool->iters)
        shmfi_iter_detach(pool->iters);
    shmfi_futures_detach(pool);
    shmfi_pool_wake_parked(pool);
    while (pool->away)
        pthread_cond_wait(&pool->harvested, &pool->lock);
    if (!pool->is_inline)
        stop(pool);
    pthread_mutex_unlock(&pool->lock);
    /* Calls that waited for the lock find the pool closed, and leave. */
    while (atomic_load_explicit(&pool->entered, memory_order_acquire))
        shmfi_sys.poll(NULL, 0, LEAVE_MS);
    free_parts(pool);
}

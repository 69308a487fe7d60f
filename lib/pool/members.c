/* The workers as the supervisor reports them. Its EXITED message is a worker's death; nothing else
 * is: no timeout, no silence. */
#include "base/error.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/pool_internal.h"
#include "pool/submit.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

void shmfi_pool_break(struct shmf_pool *pool, const char *format, ...)
{
    if (pool->broken)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(pool->broken_why, sizeof pool->broken_why, format, args);
    va_end(args);
    pool->broken = SHMF_E_POOL_BROKEN;
}

void shmfi_pool_kill_worker(struct shmf_pool *pool, uint32_t worker)
{
    struct shmfi_control kill = {.type = SHMFI_CONTROL_KILL,
                                 .worker = worker,
                                 .incarnation = pool->members[worker].incarnation};
    shmfi_fdpass_send(pool->control, &kill, sizeof kill, -1, NULL);
}

/* ---- birth -------------------------------------------------------------------------------- */

static void welcome(struct shmf_pool *pool, const struct shmfi_control *message, int socket)
{
    struct shmfi_member *member = &pool->members[message->worker];
    if (member->socket >= 0)
        shmfi_sys.close(member->socket);
    member->incarnation = (uint32_t)message->incarnation;
    member->socket = socket;
    member->pid = 0;
    member->mail_read = 0;
    member->tasks = 0;
    member->forgetful = false;
    member->born++;
    pool->coming -= pool->coming > 0;
    if (message->worker >= pool->n_workers) /* it was on its way when fewer were asked for */
        pool->n_workers = message->worker + 1;
    if (socket < 0) {             /* we have no room for a descriptor: this worker is of no use */
        member->forgetful = true; /* what it does until it is killed, we cannot see */
        pool->spawn_errno = EMFILE;
        shmfi_pool_kill_worker(pool, message->worker);
        return;
    }
    shmfi_pool_resend_regions(pool);
}

static void note_pid(struct shmfi_member *member, const struct shmfi_control *message)
{
    if (member->incarnation == message->incarnation)
        member->pid = (pid_t)message->value;
}

/* ---- death -------------------------------------------------------------------------------- */

/* The task that the dead worker had claimed: start it again, or report. */
static void settle(struct shmf_pool *pool, uint32_t slot, const struct shmfi_control *message)
{
    struct shmfi_job *job = &pool->jobs[slot];
    uint32_t worker = message->worker;
    bool wanted = message->reason && message->ticket == shmfi_ticket(slot, job->generation);
    if (!wanted && job->sink && job->attempts < job->sink->attempts) {
        pool->stats.tasks_retried++;
        shmfi_pool_resubmit(pool, slot);
        return;
    }
    struct shmf_failure failure = {.attempts = job->attempts};
    shmfi_failure_of_death(&failure, (int)worker, pool->members[worker].pid, message);
    if (wanted) {
        failure.code = message->reason;
        snprintf(failure.message, sizeof failure.message, "the task was ended with its worker: %s",
                 message->reason == SHMF_E_TIMEOUT ? "it ran longer than its deadline"
                                                   : "it was cancelled");
    }
    shmfi_pool_fail_job(pool, slot, &failure);
}

/* A worker that ends before it takes any task, again and again, has no purpose; one that is killed
 * from outside is nobody's fault. */
static void count_barren(struct shmf_pool *pool, const struct shmfi_member *member, bool had_task,
                         int status)
{
    if (had_task || member->tasks) {
        pool->barren = pool->futile = 0;
        return;
    }
    if (member->dismissed == member->incarnation && !status)
        return;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        shmfi_pool_note_futile(pool);
    if (pool->freeing || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
        return;
    if (++pool->barren < 8 + 4 * pool->places)
        return;
    const char *how = WIFSIGNALED(status) ? "signal" : "exit status";
    shmfi_pool_break(pool, "%u workers in a row ended before they took a task, the last by %s %d",
                     pool->barren, how,
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* BURY: what it published counts, and comes before the search for what it left undone. */
static void bury(struct shmf_pool *pool, const struct shmfi_control *message)
{
    uint32_t worker = message->worker;
    struct shmfi_member *member = &pool->members[worker];
    if (member->incarnation != message->incarnation)
        return;
    int status = (int)message->value;
    shmfi_pool_harvest_last(pool, worker);
    bool had_task = false;
    for (uint32_t slot = 0; slot < pool->board.geometry.slots; slot++) {
        struct shmfi_job *job = &pool->jobs[slot];
        if (!job->busy ||
            shmfi_board_claimant(&pool->board, slot, job->generation) != member->incarnation)
            continue;
        had_task = true;
        settle(pool, slot, message);
    }
    if (message->reason == SHMF_E_SYS) {
        shmfi_member_clear(pool, worker); /* it never lived; the supervisor tries again */
        shmfi_pool_forget_surplus(pool);
        return;
    }
    if (had_task || status)
        pool->stats.workers_died++; /* others ended by themselves, as they were told to */
    count_barren(pool, member, had_task, status);
    shmfi_member_clear(pool, worker);
    shmfi_pool_forget_surplus(pool);
}

void shmfi_pool_forget_surplus(struct shmf_pool *pool)
{
    while (pool->n_workers > pool->places && !pool->members[pool->n_workers - 1].incarnation)
        pool->n_workers--;
}

void shmfi_member_clear(struct shmf_pool *pool, uint32_t worker)
{
    struct shmfi_member *member = &pool->members[worker];
    shmfi_pool_orphan_regions(member);
    shmfi_ids_clear(&member->lost);
    shmfi_ids_clear(&member->sent);
    for (size_t i = 0; i < member->granted.count; i++)
        shmfi_region_taint(member->granted.ids[i]);
    shmfi_ids_clear(&member->granted);
    shmfi_desk_forget_kept(pool, worker);
    if (member->socket >= 0)
        shmfi_sys.close(member->socket);
    member->socket = -1;
    member->incarnation = 0;
    member->pid = 0;
}

/* ---- the supervisor's messages ------------------------------------------------------------ */

static void handle_control(struct shmf_pool *pool, const struct shmfi_control *message, int fd)
{
    switch (message->worker < pool->max_workers ? message->type : 0) {
    case SHMFI_CONTROL_SPAWNING:
        welcome(pool, message, fd);
        return;
    case SHMFI_CONTROL_SPAWNED:
        note_pid(&pool->members[message->worker], message);
        pool->spawned++;
        break;
    case SHMFI_CONTROL_NOT_SPAWNED:
        pool->spawn_errno = (int)message->value;
        shmfi_pool_note_futile(pool);
        break;
    case SHMFI_CONTROL_EXITED:
        bury(pool, message);
        break;
    case SHMFI_CONTROL_READY:
        pool->supervisor = (pid_t)message->value;
        pool->supervisor_pidfd = fd;
        return;
    default:
        shmfi_pool_break(pool, "the supervisor's message makes no sense: type %u about worker %u",
                         message->type, message->worker);
    }
    if (fd >= 0)
        shmfi_sys.close(fd);
}

/* The end of its socket says so too, unless somebody else has a copy of it. */
bool shmfi_pool_supervisor_died(const struct shmf_pool *pool)
{
    struct pollfd fd = {pool->supervisor_pidfd, POLLIN, 0};
    return pool->supervisor_pidfd >= 0 && shmfi_sys.poll(&fd, 1, 0) > 0;
}

void shmfi_pool_read_control(struct shmf_pool *pool)
{
    for (;;) {
        struct shmfi_control message;
        struct shmf_error err;
        int fd = -1;
        int rc = shmfi_fdpass_receive(pool->control, &message, sizeof message, &fd, &err);
        bool deaf = shmfi_deaf(&pool->deaf, rc);
        if (deaf && !shmfi_deaf_for_good(&pool->deaf))
            return;
        if (rc == 0 && !shmfi_pool_supervisor_died(pool)) {
            shmfi_pool_give_up(pool);
            return;
        }
        if (rc == 0 || rc == SHMF_E_CLOSED) {
            pool->supervisor_gone = true;
            shmfi_pool_break(pool, "the supervisor (pid %ld) is gone", (long)pool->supervisor);
            return;
        }
        if (rc != 1 && rc != SHMF_E_NOFILES) {
            shmfi_pool_break(pool, "from the supervisor: %s", err.message);
            return;
        }
        handle_control(pool, &message, fd);
    }
}

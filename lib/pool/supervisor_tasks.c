/* Ending a task that runs, on its deadline or because it was cancelled. */
#include "base/sys.h"
#include "pool/supervisor_internal.h"

#include <sys/wait.h>

#define STOP_NS      100000000u /* a worker that does not stop sits in the kernel: look later */
#define CANCEL_TRIES 10000      /* at a millisecond each */

static uint64_t current_of(const struct shmfi_supervisor *self, uint32_t worker)
{
    return atomic_load_explicit(&self->pool->board.lines[worker].current, memory_order_acquire);
}

/* STRIKE. Stops the worker, looks whether it still runs that task, and only then kills it: so no
 * innocent successor is hit. A worker clears `current` before it publishes, so one that is stopped
 * with the ticket in it has not published that task. */
static bool strike(struct shmfi_supervisor *self, uint32_t worker, uint64_t ticket, int reason)
{
    struct shmfi_child *child = &self->children[worker];
    int status;
    pid_t pid = 0;
    shmfi_sys.kill(child->pid, SIGSTOP);
    uint64_t deadline = shmfi_now() + STOP_NS;
    while ((pid = shmfi_sys.waitpid(child->pid, &status, WUNTRACED | WNOHANG)) == 0 &&
           shmfi_now() < deadline)
        shmfi_sys.sched_yield();
    if (pid == child->pid && !WIFSTOPPED(status)) {
        shmfi_supervisor_note_death(self, worker, status);
        return true;
    }
    bool hit = pid == child->pid && current_of(self, worker) == ticket;
    if (hit) {
        child->struck = ticket;
        child->reason = reason;
        shmfi_sys.kill(child->pid, SIGKILL);
    }
    shmfi_sys.kill(child->pid, SIGCONT);
    return hit;
}

/* The task is over: another one runs, or its record is the worker's last. */
static bool is_over(const struct shmfi_supervisor *self, uint32_t worker, uint64_t ticket)
{
    const struct shmfi_board *board = &self->pool->board;
    uint64_t current = current_of(self, worker);
    uint64_t done = atomic_load_explicit(&board->lines[worker].done, memory_order_acquire);
    if (current != SHMFI_NO_TICKET)
        return current != ticket;
    struct shmfi_record record = {.ticket = SHMFI_NO_TICKET};
    if (done)
        shmfi_board_read(board, worker, done - 1, &record);
    return record.ticket == ticket;
}

/* A task that was claimed a moment ago may not stand in `current` yet, where its worker was
 * preempted between these instructions: hence the tries. */
static void cancel_wanted(struct shmfi_supervisor *self, uint32_t worker)
{
    struct shmfi_child *child = &self->children[worker];
    if (!child->pid || child->cancel == SHMFI_NO_TICKET || child->reason)
        return;
    if ((current_of(self, worker) == child->cancel &&
         strike(self, worker, child->cancel, SHMF_E_CANCELLED)) ||
        is_over(self, worker, child->cancel) || --child->tries <= 0)
        child->cancel = SHMFI_NO_TICKET;
}

static void enforce_deadline(struct shmfi_supervisor *self, uint32_t worker)
{
    const struct shmfi_board *board = &self->pool->board;
    uint64_t ticket = current_of(self, worker);
    uint32_t slot = shmfi_ticket_slot(ticket);
    if (!self->children[worker].pid || self->children[worker].reason || ticket == SHMFI_NO_TICKET ||
        slot >= board->geometry.slots)
        return;
    uint64_t deadline = board->slots[slot].deadline;
    uint64_t started = atomic_load_explicit(&board->lines[worker].started, memory_order_relaxed);
    if (deadline && started && shmfi_now() - started > deadline)
        strike(self, worker, ticket, SHMF_E_TIMEOUT);
}

bool shmfi_supervisor_watches(const struct shmfi_supervisor *self)
{
    return atomic_load_explicit(&self->pool->board.header->deadlines, memory_order_acquire);
}

void shmfi_supervisor_end_tasks(struct shmfi_supervisor *self)
{
    bool deadlines = shmfi_supervisor_watches(self);
    for (uint32_t w = 0; w < self->pool->max_workers; w++) {
        cancel_wanted(self, w);
        if (deadlines)
            enforce_deadline(self, w);
    }
}

void shmfi_supervisor_kill_busy(const struct shmfi_supervisor *self)
{
    for (uint32_t w = 0; w < self->pool->max_workers; w++)
        if (self->children[w].pid && current_of(self, w) != SHMFI_NO_TICKET)
            shmfi_sys.kill(self->children[w].pid, SIGKILL);
}

void shmfi_supervisor_cancel(struct shmfi_supervisor *self, uint32_t worker, uint64_t ticket)
{
    self->children[worker].cancel = ticket;
    self->children[worker].tries = CANCEL_TRIES;
}

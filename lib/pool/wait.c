/* How the application waits: it spins a little, then sleeps in one poll of the eventfd that
 * workers ring and of the supervisor's socket. With several threads, one sleeps for all. */
#include "base/error.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/submit.h"

#include <errno.h>

#define LAST_WAIT_MS 64

/* Looks at shared words and at `got` only, so it needs no lock. */
bool shmfi_pool_has_news(void *context)
{
    const struct shmf_pool *pool = context;
    for (uint32_t w = 0; w < pool->n_workers; w++)
        if (shmfi_board_pending(&pool->board, w,
                                atomic_load_explicit(&pool->members[w].got, memory_order_relaxed)))
            return true;
    return false;
}

static void sleep_in_poll(struct shmf_pool *pool, int timeout_ms)
{
    struct pollfd fds[] = {{pool->eventfd, POLLIN, 0}, {pool->control, POLLIN, 0}};
    if (!shmfi_app_sleeps(&pool->board, shmfi_pool_has_news, pool))
        return;
    shmfi_sys.poll(fds, 2, timeout_ms);
    shmfi_app_awake(&pool->board);
    uint64_t rung;
    if (fds[0].revents & POLLIN)
        while (shmfi_sys.read(pool->eventfd, &rung, sizeof rung) < 0 && errno == EINTR)
            continue;
}

void shmfi_pool_wake_parked(struct shmf_pool *pool)
{
    uint64_t once = 1;
    if (!pool->parked)
        return;
    while (shmfi_sys.write(pool->eventfd, &once, sizeof once) < 0 && errno == EINTR)
        continue;
    pthread_cond_broadcast(&pool->harvested);
}

void shmfi_pool_follow(struct shmf_pool *pool)
{
    pool->away++;
    pool->followers++;
    pthread_cond_wait(&pool->harvested, &pool->lock);
    pool->followers--;
    pool->away--;
    if (pool->freeing)
        pthread_cond_broadcast(&pool->harvested);
}

/* Workers that have tasks, which others leave the cpus to after a moment, and this one. */
static uint32_t busy_processes(const struct shmf_pool *pool)
{
    uint32_t in_flight = pool->board.geometry.slots - pool->n_free;
    return 1 + (in_flight < pool->places ? in_flight : pool->places);
}

/* With pool.lock released meanwhile. True: a worker published soon, before it came to sleeping. */
static bool wait_unlocked(struct shmf_pool *pool, const struct shmfi_sink *sink, int timeout_ms)
{
    if (pool->parked) {
        shmfi_pool_follow(pool);
        return false;
    }
    struct shmfi_watch watch = {0};
    if (pool->n_workers == 1)
        watch = (struct shmfi_watch){&pool->board.lines[0].done, pool->members[0].got};
    pool->parked = true;
    pool->spinner.pause_first = busy_processes(pool) <= pool->cpus;
    pool->spinner.yield_first = pool->woke;
    pool->woke = false;
    bool deaf = pool->deaf.tries; /* what there is to read, and perhaps to harvest, it cannot */
    uint32_t slot = sink ? sink->slot : 0; /* another thread may submit its next one meanwhile */
    shmfi_pool_step_out(pool);
    bool soon = !deaf && shmfi_spin(&pool->spinner, watch, shmfi_pool_has_news, pool);
    /* Its slot was the worker's; harvesting will look at it, and the next task lie there. */
    if (soon && sink)
        shmfi_fetch_to_write(&pool->board.slots[slot]);
    if (deaf)
        shmfi_sys.poll(NULL, 0, SHMFI_DEAF_MS);
    else if (!soon)
        sleep_in_poll(pool, timeout_ms);
    shmfi_pool_step_in(pool);
    pool->parked = false;
    if (pool->followers)
        pthread_cond_broadcast(&pool->harvested);
    return soon;
}

static bool lives(const struct shmf_pool *pool, uint32_t incarnation)
{
    for (uint32_t w = 0; w < pool->n_workers; w++)
        if (pool->members[w].incarnation == incarnation)
            return true;
    return false;
}

/* A task that neither waits nor belongs to a worker that lives will never be done. */
static bool is_lost(const struct shmf_pool *pool, uint32_t slot)
{
    const struct shmfi_job *job = &pool->jobs[slot];
    if (!job->busy || shmfi_board_is_queued(&pool->board, slot, job->generation))
        return false;
    uint32_t claimant = shmfi_board_claimant(&pool->board, slot, job->generation);
    return !claimant || !lives(pool, claimant);
}

/* The worker that took it runs another task, or sleeps, and has no record that we did not read: its
 * `done` was taken back, by itself or by its predecessor, before we looked. A worker that does as
 * it should clears `current` and stores `done` before it goes on; that stores may arrive in another
 * order is why it is believed the second time only. */
static bool went_on(struct shmf_pool *pool, uint32_t slot)
{
    struct shmfi_job *job = &pool->jobs[slot];
    uint32_t claimant = shmfi_board_claimant(&pool->board, slot, job->generation);
    bool on = false;
    for (uint32_t w = 0; job->busy && claimant && w < pool->n_workers; w++) {
        const struct shmfi_line *line = &pool->board.lines[w];
        if (pool->members[w].incarnation != claimant)
            continue;
        uint64_t current = atomic_load_explicit(&line->current, memory_order_acquire);
        bool asleep = atomic_load_explicit(&line->asleep, memory_order_acquire) == SHMFI_ASLEEP;
        on = (current == SHMFI_NO_TICKET ? asleep
                                         : current != shmfi_ticket(slot, job->generation)) &&
             !shmfi_board_pending(&pool->board, w, pool->members[w].got);
    }
    bool again = on && job->suspect;
    job->suspect = on;
    return again;
}

/* Somebody wrote all over the board. The claimant may also be a worker that was announced since
 * messages were last read. */
static void look_for_lost(struct shmf_pool *pool)
{
    for (uint32_t slot = 0; slot < pool->board.geometry.slots; slot++) {
        if (!is_lost(pool, slot) && !went_on(pool, slot))
            continue;
        shmfi_pool_read_control(pool);
        if (pool->deaf.tries)
            return; /* the one that has it may be announced there */
        if (is_lost(pool, slot) || pool->jobs[slot].suspect)
            shmfi_pool_break(pool, "the board was written over: task %lld is in nobody's hands",
                             (long long)pool->jobs[slot].index);
    }
}

/* What we say on the board, said again from our own copies: whoever wrote over it may have told
 * workers to end, their supervisor to replace nobody, or everybody that no memory is left. The
 * supervisor looks only when it is told. */
static void restate(struct shmf_pool *pool)
{
    uint32_t deadlines = 0, empty = 0;
    for (uint32_t slot = 0; slot < pool->board.geometry.slots; slot++)
        deadlines += pool->jobs[slot].has_deadline;
    for (uint32_t w = 0; w < pool->places; w++)
        empty += !pool->members[w].incarnation;
    shmfi_board_restate(&pool->board, pool->places, deadlines);
    shmfi_desk_restate(pool);
    struct shmfi_control order = {.type = SHMFI_CONTROL_RESIZE, .value = pool->places};
    if (empty)
        shmfi_fdpass_send(pool->control, &order, sizeof order, -1, NULL);
}

/* Nothing happened for long. If tasks are queued while workers sleep, a wake-up was lost (its
 * author died or was stopped between two instructions) or the hint on the board is wrong: queue
 * these tasks again and wake. A worker may also wait for a region that its socket had no room
 * for. */
void shmfi_pool_rescan(struct shmf_pool *pool)
{
    restate(pool);
    look_for_lost(pool);
    shmfi_pool_resend_regions(pool);
    bool asleep = false;
    for (uint32_t w = 0; w < pool->n_workers && !asleep; w++)
        asleep = atomic_load_explicit(&pool->board.lines[w].asleep, memory_order_relaxed) ==
                 SHMFI_ASLEEP;
    if (!asleep)
        return;
    uint32_t queued = 0;
    for (uint32_t slot = 0; slot < pool->board.geometry.slots; slot++) {
        const struct shmfi_job *job = &pool->jobs[slot];
        if (job->busy && shmfi_board_is_queued(&pool->board, slot, job->generation)) {
            shmfi_board_queue_again(&pool->board, slot, job->generation);
            queued++;
        }
    }
    shmfi_wake_some(&pool->board, queued);
}

static bool anybody_wants_memory(const struct shmf_pool *pool)
{
    for (uint32_t w = 0; w < pool->n_workers; w++)
        if (atomic_load_explicit(&pool->board.lines[w].wanted, memory_order_relaxed))
            return true;
    return false;
}

static bool all_want_memory(const struct shmf_pool *pool)
{
    for (uint32_t w = 0; w < pool->n_workers; w++)
        if (pool->members[w].incarnation &&
            !atomic_load_explicit(&pool->board.lines[w].wanted, memory_order_relaxed))
            return false;
    return true;
}

/* The oldest task of the sink, or (NULL) of all that workers have claimed. */
static uint64_t oldest_of(const struct shmf_pool *pool, const struct shmfi_sink *sink)
{
    uint64_t oldest = SHMFI_NO_TICKET, serial = UINT64_MAX;
    for (uint32_t slot = 0; slot < pool->board.geometry.slots; slot++) {
        const struct shmfi_job *job = &pool->jobs[slot];
        if (!job->busy || job->serial >= serial)
            continue;
        if (sink ? job->sink == sink
                 : shmfi_board_claimant(&pool->board, slot, job->generation) != 0) {
            serial = job->serial;
            oldest = shmfi_ticket(slot, job->generation);
        }
    }
    return oldest;
}

/* Tells workers which task the consumer waits for: it may exceed the byte budget, because the
 * memory that others hold comes free only after it. Where no worker is free to run it, because all
 * wait for memory (for tasks of another iterator, or of this one while the oldest starts again),
 * the oldest of theirs goes first. SHMFI_NO_TICKET: none is on the board. */
static uint64_t announce_oldest(struct shmf_pool *pool, const struct shmfi_sink *sink)
{
    uint64_t oldest = oldest_of(pool, sink);
    bool waits =
        oldest == SHMFI_NO_TICKET || shmfi_board_is_queued(&pool->board, shmfi_ticket_slot(oldest),
                                                           shmfi_ticket_generation(oldest));
    if (waits && all_want_memory(pool))
        oldest = oldest_of(pool, NULL);
    atomic_store_explicit(&pool->board.header->oldest, oldest, memory_order_relaxed);
    return oldest;
}

/* Does the task that the consumer waits for lack memory that only the caller can give back? */
static bool blocked_by_caller(struct shmf_pool *pool, const struct shmfi_sink *sink)
{
    if (!anybody_wants_memory(pool))
        return false; /* whoever does later rings */
    uint64_t oldest = announce_oldest(pool, sink);
    uint64_t caller = shmfi_desk_caller_bytes(pool);
    bool blocked = false;
    for (uint32_t w = 0; w < pool->n_workers; w++) {
        const struct shmfi_line *line = &pool->board.lines[w];
        uint64_t wanted = atomic_load_explicit(&line->wanted, memory_order_relaxed);
        if (!wanted)
            continue;
        shmfi_wake(&pool->board, w); /* it may be the oldest now */
        if (atomic_load_explicit(&line->current, memory_order_relaxed) == oldest &&
            (caller > pool->board.budget || wanted > pool->board.budget - caller))
            blocked = true;
    }
    return blocked;
}

bool shmfi_pool_share_memory(struct shmf_pool *pool)
{
    return blocked_by_caller(pool, NULL);
}

int shmfi_pool_error_blocked(struct shmf_pool *pool, struct shmf_error *err)
{
    return shmfi_error(err, SHMF_E_NOSPC,
                       "the budget of %llu bytes is held by results that the caller has not freed "
                       "(%llu bytes)",
                       (unsigned long long)pool->board.budget,
                       (unsigned long long)shmfi_desk_caller_bytes(pool));
}

int shmfi_pool_await(struct shmf_pool *pool, const struct shmfi_sink *sink, int *wait_ms,
                     struct shmf_error *err)
{
    bool blocked = blocked_by_caller(pool, sink);
    shmfi_desk_flush(pool);
    bool soon = wait_unlocked(pool, sink, *wait_ms);
    if (pool->freeing)
        return shmfi_error(err, SHMF_E_CLOSED, "pool: it was freed by another thread");
    if (soon && !pool->coming)
        return SHMF_OK;
    shmfi_pool_read_control(pool); /* who is new waits for regions that are younger than the pool */
    if (soon)
        return SHMF_OK;
    if (*wait_ms >= LAST_WAIT_MS)
        shmfi_pool_rescan(pool);
    else
        *wait_ms *= 2;
    if (!blocked || !blocked_by_caller(pool, sink))
        return SHMF_OK;
    return shmfi_pool_error_blocked(pool, err);
}

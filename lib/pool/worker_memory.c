/* The byte budget that a pool's workers share, without a lock and without a counter that a death
 * could spoil. Each worker announces what it holds, the new bytes included, in a word of its own,
 * and then adds up everybody's: two that announce at once both see the sum with both and both step
 * back, so the budget is never exceeded. A dead worker's word is reset by its successor.
 *
 * The task that the consumer waits for (`oldest`) is exempt from what other workers hold: their
 * memory comes free only after it was delivered. It is not exempt from what the caller holds, nor
 * from the budget itself, and uses its right only after the others were asked. What it took beyond
 * the budget its worker gives back when it can. */
#include "base/error.h"
#include "base/sys.h"
#include "pool/worker.h"

#define PATIENCE_MS        5
#define WAITS_PER_CALL     20
#define BYTES_PER_WAIT     (32u << 20)
#define WAITS_OUTSIDE_TASK 200 /* an initializer has no consumer that could free anything */

static uint64_t held_by_all(const struct shmfi_worker *self)
{
    uint64_t sum = atomic_load_explicit(&self->board->header->orphaned, memory_order_relaxed);
    for (uint32_t w = 0; w < self->board->geometry.workers; w++) {
        uint64_t held = atomic_load_explicit(&self->board->lines[w].held, memory_order_seq_cst);
        sum = sum > UINT64_MAX - held ? UINT64_MAX : sum + held;
    }
    return sum;
}

static bool is_oldest(const struct shmfi_worker *self)
{
    uint64_t current = atomic_load_explicit(&self->line->current, memory_order_relaxed);
    return current != SHMFI_NO_TICKET &&
           current == atomic_load_explicit(&self->board->header->oldest, memory_order_relaxed);
}

static bool exempt(const struct shmfi_worker *self, uint64_t bytes)
{
    uint64_t budget = self->board->budget;
    uint64_t caller = atomic_load_explicit(&self->board->header->caller, memory_order_relaxed);
    return is_oldest(self) && caller <= budget && self->task_bytes + bytes <= budget - caller;
}

static bool try_reserve(struct shmfi_worker *self, uint64_t bytes, bool may_be_exempt)
{
    uint64_t mine = atomic_load_explicit(&self->line->held, memory_order_relaxed);
    atomic_store_explicit(&self->line->held, mine + bytes, memory_order_seq_cst);
    bool within = held_by_all(self) <= self->board->budget;
    if (within || (may_be_exempt && exempt(self, bytes))) {
        self->task_bytes += bytes;
        self->beyond += within ? 0 : bytes;
        return true;
    }
    atomic_store_explicit(&self->line->held, mine, memory_order_seq_cst);
    return false;
}

/* Others may cache what we need: let them look. */
static void call_for_memory(struct shmfi_worker *self)
{
    self->pressure_seen =
        1 + atomic_fetch_add_explicit(&self->board->header->pressure, 1, memory_order_relaxed);
    shmfi_wake_some(self->board, UINT32_MAX);
    shmfi_ring_app(self->board, self->eventfd);
}

bool shmfi_worker_has_returns(void *context)
{
    const struct shmfi_worker *self = context;
    return atomic_load_explicit(&self->line->returned, memory_order_acquire) != self->me.taken;
}

static int too_much(const struct shmfi_worker *self, uint64_t bytes, struct shmf_error *err)
{
    return shmfi_error(err, SHMF_E_NOSPC,
                       "%llu bytes, with the task's %llu so far, exceed the pool's budget of %llu",
                       (unsigned long long)bytes, (unsigned long long)self->task_bytes,
                       (unsigned long long)self->board->budget);
}

/* How many waits pass before others are asked to give up what they cache. Memory of our own that
 * comes back is ready at once; what others give up must be obtained anew, and they will want it
 * back: so waiting is worth twice as long as obtaining takes (0.07 ns a byte and more). Not for the
 * task that the consumer waits for: its results come after it. */
static unsigned waits_before_call(const struct shmfi_worker *self, uint64_t bytes)
{
    return is_oldest(self) ? 1 : (unsigned)(bytes / BYTES_PER_WAIT) + 2;
}

/* Waits for a moment for memory to come free. */
static void wait_for_memory(struct shmfi_worker *self, unsigned waits, uint64_t bytes)
{
    unsigned first = waits_before_call(self, bytes);
    if (waits == 0)
        shmfi_ring_app(self->board, self->eventfd); /* it may hold undelivered results */
    else if (waits >= first && (waits - first) % WAITS_PER_CALL == 0)
        call_for_memory(self);
    shmfi_park(self->board, self->me.worker, shmfi_worker_has_returns, self, PATIENCE_MS);
    shmfi_worker_check_app(self);
}

static int reserve_locked(struct shmfi_worker *self, uint64_t bytes, struct shmf_error *err)
{
    bool in_task =
        atomic_load_explicit(&self->line->current, memory_order_relaxed) != SHMFI_NO_TICKET;
    bool trimmed = false;
    for (unsigned waits = 0;;) {
        if (self->task_bytes + bytes > self->board->budget ||
            (!in_task && waits == WAITS_OUTSIDE_TASK))
            return too_much(self, bytes, err);
        if (shmfi_worker_has_returns(self) || shmfi_worker_would_rather_wait(self, bytes)) {
            shmfi_worker_take_returns(self);
            return SHMFI_LOOK_AGAIN;
        }
        if (try_reserve(self, bytes, waits > waits_before_call(self, bytes)))
            return SHMF_OK;
        if (!trimmed) {
            trimmed = true; /* what we cache is of other sizes */
            if (shmf_memory_trim(0))
                continue;
        }
        /* WANT: it sleeps only if nothing came back meanwhile; the fence is park's. */
        atomic_store_explicit(&self->line->wanted, bytes, memory_order_seq_cst);
        wait_for_memory(self, waits++, bytes);
    }
}

/* Memory asks before it obtains pages. Returns SHMF_OK with the bytes reserved, or
 * SHMFI_LOOK_AGAIN with none: something came back that may do instead. */
static int reserve(void *context, uint64_t bytes, struct shmf_error *err)
{
    struct shmfi_worker *self = context;
    pthread_mutex_lock(&self->memory_lock);
    int rc = reserve_locked(self, bytes, err);
    atomic_store_explicit(&self->line->wanted, 0, memory_order_relaxed);
    pthread_mutex_unlock(&self->memory_lock);
    return rc;
}

static void release(void *context, uint64_t bytes)
{
    struct shmfi_worker *self = context;
    pthread_mutex_lock(&self->memory_lock);
    uint64_t mine = atomic_load_explicit(&self->line->held, memory_order_relaxed);
    atomic_store_explicit(&self->line->held, mine > bytes ? mine - bytes : 0, memory_order_seq_cst);
    pthread_mutex_unlock(&self->memory_lock);
}

struct shmfi_budget shmfi_worker_budget(struct shmfi_worker *self)
{
    return (struct shmfi_budget){reserve, release, self, shmfi_worker_look};
}

void shmfi_worker_take_returns(struct shmfi_worker *self)
{
    struct shmfi_return entry;
    pthread_mutex_lock(&self->memory_lock);
    while (shmfi_board_take(self->board, &self->me, &entry)) {
        self->patience.lent--;
        shmfi_segment_reclaim(entry.region, entry.offset, entry.generation);
    }
    pthread_mutex_unlock(&self->memory_lock);
}

/* What others lack; giving up more than that would only have to be obtained again. */
static uint64_t wanted_by_all(const struct shmfi_worker *self)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < self->board->geometry.workers; w++) {
        uint64_t wanted = atomic_load_explicit(&self->board->lines[w].wanted, memory_order_relaxed);
        sum = sum > UINT64_MAX - wanted ? UINT64_MAX : sum + wanted;
    }
    return sum;
}

/* What was granted beyond the budget is given back as soon as it is free again, so that one
 * exemption after the other does not add up. */
static void pay_back(struct shmfi_worker *self)
{
    shmfi_worker_take_returns(self);
    if (held_by_all(self) <= self->board->budget) {
        self->beyond = 0;
        return;
    }
    struct shmf_memory_stats mine;
    shmf_memory_get_stats(&mine);
    if (!mine.cached_bytes)
        return;
    uint64_t back =
        shmf_memory_trim(mine.cached_bytes > self->beyond ? mine.cached_bytes - self->beyond : 0);
    self->beyond -= back < self->beyond ? back : self->beyond;
}

bool shmfi_worker_is_asked_to_trim(const struct shmfi_worker *self)
{
    return atomic_load_explicit(&self->board->header->trims, memory_order_relaxed) !=
           atomic_load_explicit(&self->line->trims, memory_order_relaxed);
}

static void trim(struct shmfi_worker *self)
{
    uint32_t asked = atomic_load_explicit(&self->board->header->trims, memory_order_acquire);
    shmfi_worker_take_returns(self);
    uint64_t back = shmf_memory_trim(0);
    uint64_t before = atomic_load_explicit(&self->line->trimmed, memory_order_relaxed);
    atomic_store_explicit(&self->line->trimmed, before + back, memory_order_relaxed);
    shmfi_worker_count(self);
    atomic_store_explicit(&self->line->trims, asked, memory_order_release);
}

void shmfi_worker_relieve(struct shmfi_worker *self)
{
    if (shmfi_worker_is_asked_to_trim(self))
        trim(self);
    if (self->beyond)
        pay_back(self);
    uint64_t pressure = atomic_load_explicit(&self->board->header->pressure, memory_order_relaxed);
    if (pressure == self->pressure_seen)
        return;
    self->pressure_seen = pressure;
    shmfi_worker_take_returns(self);
    uint64_t wanted = wanted_by_all(self);
    struct shmf_memory_stats mine;
    shmf_memory_get_stats(&mine);
    if (wanted)
        shmf_memory_trim(mine.cached_bytes > wanted ? mine.cached_bytes - wanted : 0);
}

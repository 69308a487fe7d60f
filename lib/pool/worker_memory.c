/* The byte budget that a pool's workers share, without a lock and without a counter that a death
 * could spoil. Each worker announces what it holds, the new bytes included, in a word of its own,
 * and then adds up everybody's: two that announce at once both see the sum with both and both step
 * back, so the budget is never exceeded. A dead worker's word is reset by its successor.
 *
 * The task that the consumer waits for (`oldest`) is exempt from what other workers hold: their
 * memory comes free only after it was delivered. It is not exempt from what the caller holds. */
#include "base/error.h"
#include "base/sys.h"
#include "pool/worker.h"

#define PATIENCE_MS 5

static uint64_t held_by_all(const struct shmfi_worker *self)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < self->board->geometry.workers; w++) {
        uint64_t held = atomic_load_explicit(&self->board->lines[w].held, memory_order_seq_cst);
        sum = sum > UINT64_MAX - held ? UINT64_MAX : sum + held;
    }
    return sum;
}

static bool is_oldest(const struct shmfi_worker *self)
{
    return atomic_load_explicit(&self->board->header->oldest, memory_order_relaxed) ==
           atomic_load_explicit(&self->line->current, memory_order_relaxed);
}

static bool exempt(const struct shmfi_worker *self, uint64_t bytes)
{
    uint64_t caller = atomic_load_explicit(&self->board->header->caller, memory_order_relaxed);
    return is_oldest(self) && caller <= self->board->budget &&
           bytes <= self->board->budget - caller;
}

static bool try_reserve(struct shmfi_worker *self, uint64_t bytes)
{
    uint64_t mine = atomic_load_explicit(&self->line->held, memory_order_relaxed);
    atomic_store_explicit(&self->line->held, mine + bytes, memory_order_seq_cst);
    if (held_by_all(self) <= self->board->budget || exempt(self, bytes))
        return true;
    atomic_store_explicit(&self->line->held, mine, memory_order_seq_cst);
    return false;
}

/* Others may cache what we need: let them look. */
static void call_for_memory(struct shmfi_worker *self)
{
    self->pressure_seen =
        1 + atomic_fetch_add_explicit(&self->board->header->pressure, 1, memory_order_relaxed);
    shmfi_wake_some(self->board, UINT32_MAX);
}

static bool has_returns(void *context)
{
    const struct shmfi_worker *self = context;
    return atomic_load_explicit(&self->line->returned, memory_order_acquire) != self->me.taken;
}

/* Memory asks before it obtains pages. Returns SHMF_OK with the bytes reserved, or
 * SHMFI_LOOK_AGAIN with none: something came back that may do instead. */
static int reserve(void *context, uint64_t bytes, struct shmf_error *err)
{
    struct shmfi_worker *self = context;
    if (bytes > self->board->budget)
        return shmfi_error(err, SHMF_E_NOSPC,
                           "%llu bytes exceed the pool's budget of %llu bytes",
                           (unsigned long long)bytes, (unsigned long long)self->board->budget);
    bool called = false;
    int rc = SHMFI_LOOK_AGAIN;
    for (;;) {
        if (has_returns(self)) {
            shmfi_worker_take_returns(self);
            break;
        }
        if (try_reserve(self, bytes)) {
            rc = SHMF_OK;
            break;
        }
        if (!called && shmf_memory_trim(0)) {
            called = true;
            continue; /* what we cache is of other sizes */
        }
        called = true;
        atomic_store_explicit(&self->line->wanted, bytes, memory_order_seq_cst);
        call_for_memory(self);
        shmfi_ring_app(self->board, self->eventfd); /* it may hold undelivered results */
        shmfi_park(self->board, self->me.worker, has_returns, self, PATIENCE_MS);
        shmfi_worker_check_app(self);
    }
    atomic_store_explicit(&self->line->wanted, 0, memory_order_relaxed);
    return rc;
}

static void release(void *context, uint64_t bytes)
{
    struct shmfi_worker *self = context;
    uint64_t mine = atomic_load_explicit(&self->line->held, memory_order_relaxed);
    atomic_store_explicit(&self->line->held, mine > bytes ? mine - bytes : 0,
                          memory_order_seq_cst);
}

struct shmfi_budget shmfi_worker_budget(struct shmfi_worker *self)
{
    return (struct shmfi_budget){reserve, release, self};
}

void shmfi_worker_take_returns(struct shmfi_worker *self)
{
    struct shmfi_return entry;
    while (shmfi_board_take(self->board, &self->me, &entry))
        shmfi_segment_reclaim(entry.region, entry.offset, entry.generation);
}

void shmfi_worker_relieve(struct shmfi_worker *self)
{
    uint64_t pressure =
        atomic_load_explicit(&self->board->header->pressure, memory_order_relaxed);
    if (pressure == self->pressure_seen)
        return;
    self->pressure_seen = pressure;
    shmfi_worker_take_returns(self);
    shmf_memory_trim(0);
}

/* Results' memory comes back, most often at once: the consumer looks at a result and frees it. What
 * a worker takes instead is dearer: another piece of its own, which is not in the caches, or pages
 * from the kernel, which cost 0.07 ns a byte and more and, where they are huge, a call that waits
 * for every cpu (MADV_COLLAPSE drains their lists of pages, in a kernel thread that has to get its
 * turn there beside busy workers: milliseconds mostly, but also a hundred).
 *
 * So a worker gives way before it takes another piece. Before it obtains pages it waits, all in all
 * for as long as obtaining would take: whatever the consumer does, that is at most twice what the
 * better choice would have cost. Waits that are short beside the tasks are free, or after a
 * thousand tasks there would be more pages after all; and when nothing came of it, waiting is left
 * out, once, three times, seven times, and so on. */
#include "base/sys.h"
#include "pool/worker.h"

#define GIVE_WAY_FROM (UINT64_C(4) << 20) /* two each of smaller ones stay in the caches */
#define WAIT_FROM     (UINT64_C(2) << 20) /* a huge page */
#define BYTES_PER_NS  10                  /* that the kernel hands out */
#define FREE_SHARE    128                 /* of a task's time may be waited each time */
#define MOST_SKIPS    1023

void shmfi_worker_look(void *context, uint64_t length)
{
    struct shmfi_worker *self = context;
    pthread_mutex_lock(&self->memory_lock);
    if (!shmfi_worker_has_returns(self) && length >= GIVE_WAY_FROM && self->patience.lent > 0 &&
        shmfi_board_places(self->board) + 1 > self->cpus)
        shmfi_give_way(&self->spinner);
    if (shmfi_worker_has_returns(self))
        shmfi_worker_take_returns(self);
    pthread_mutex_unlock(&self->memory_lock);
}

static void be_disappointed(struct shmfi_patience *patience)
{
    if (patience->skips < MOST_SKIPS)
        patience->skips = 2 * patience->skips + 1;
    patience->skip = patience->skips;
}

/* Is there anything to wait for, and has waiting helped of late? */
static bool may_wait(struct shmfi_worker *self, uint64_t bytes)
{
    struct shmfi_patience *patience = &self->patience;
    if (bytes < WAIT_FROM || patience->lent <= 0 ||
        atomic_load_explicit(&self->line->current, memory_order_relaxed) == SHMFI_NO_TICKET)
        return false;
    if (patience->skip) {
        patience->skip--;
        return false;
    }
    if (patience->rewarded_at == self->tasks + 1) { /* what came back did not do */
        patience->rewarded_at = 0;
        be_disappointed(patience);
        return false;
    }
    if (patience->rewarded_at)
        patience->skips = 0;
    return true;
}

static bool wait_until(struct shmfi_worker *self, uint64_t end, uint64_t bytes)
{
    struct shmfi_watch watch = {&self->line->returned, self->me.taken};
    shmfi_ring_app(self->board, self->eventfd); /* it may hold undelivered results */
    self->unrung = 0;
    bool back = shmfi_spin(&self->spinner, watch, shmfi_worker_has_returns, self);
    uint64_t now = shmfi_now();
    for (bool first = true; !back && (first || now < end); now = shmfi_now()) {
        /* WANT, as for the budget: the application wakes whoever wants memory that it returns. */
        atomic_store_explicit(&self->line->wanted, bytes, memory_order_seq_cst);
        shmfi_park(self->board, self->me.worker, shmfi_worker_has_returns, self,
                   now < end ? (int)((end - now) / 1000000) + 1 : 1);
        shmfi_worker_check_app(self);
        back = shmfi_worker_has_returns(self);
        first = false;
    }
    atomic_store_explicit(&self->line->wanted, 0, memory_order_relaxed);
    return back;
}

bool shmfi_worker_would_rather_wait(struct shmfi_worker *self, uint64_t bytes)
{
    struct shmfi_patience *patience = &self->patience;
    if (!may_wait(self, bytes))
        return false;
    uint64_t price = bytes / BYTES_PER_NS, start = shmfi_now();
    if (patience->spent >= price) { /* it is worth the pages */
        patience->spent = 0;
        return false;
    }
    bool back = wait_until(self, start + (price - patience->spent), bytes);
    uint64_t waited = shmfi_now() - start, share = patience->last_task / FREE_SHARE;
    patience->rewarded_at = back ? self->tasks + 1 : 0;
    patience->spent = back ? patience->spent + (waited > share ? waited - share : 0) : 0;
    if (!back)
        be_disappointed(patience);
    return back;
}

/* Tasks wait, but no worker can be made to run them: it cannot be forked, or we have no room for
 * its socket, or something kills each one before it takes a task. The supervisor goes on trying,
 * slower and slower; who waits for a result must not wait for ever. */
#include "board/board.h"
#include "pool/pool_internal.h"

#include "base/sys.h"

#include <string.h>

#define FUTILE_NS UINT64_C(5000000000) /* what is a matter of the moment is over by then */

static uint32_t most(const struct shmf_pool *pool)
{
    return 8 + 4 * pool->places; /* as of workers that end before they take a task */
}

static uint32_t living(const struct shmf_pool *pool)
{
    uint32_t count = 0;
    for (uint32_t w = 0; w < pool->n_workers; w++)
        count += pool->members[w].incarnation && pool->members[w].socket >= 0;
    return count;
}

static bool has_claimed(const struct shmf_pool *pool, uint32_t incarnation)
{
    for (uint32_t slot = 0; slot < pool->board.geometry.slots; slot++)
        if (pool->jobs[slot].busy &&
            shmfi_board_claimant(&pool->board, slot, pool->jobs[slot].generation) == incarnation)
            return true;
    return false;
}

/* A worker lives that takes tasks, if perhaps a long one at the moment. */
static bool somebody_works(const struct shmf_pool *pool)
{
    for (uint32_t w = 0; w < pool->n_workers; w++)
        if (pool->members[w].incarnation &&
            (pool->members[w].tasks || has_claimed(pool, pool->members[w].incarnation)))
            return true;
    return false;
}

void shmfi_pool_note_futile(struct shmf_pool *pool)
{
    bool idle = pool->n_free == pool->board.geometry.slots;
    if (idle || pool->freeing || somebody_works(pool)) {
        pool->futile = 0;
        return;
    }
    if (!pool->futile++)
        pool->futile_since = shmfi_now();
}

/* Whoever lives at the end of the messages may be the one that will work; unless so many did
 * not. */
void shmfi_pool_give_up(struct shmf_pool *pool)
{
    if (pool->futile < most(pool) || shmfi_now() - pool->futile_since < FUTILE_NS ||
        (living(pool) && pool->futile < 4 * most(pool)))
        return;
    if (somebody_works(pool)) {
        pool->futile = 0;
        return;
    }
    shmfi_pool_break(pool,
                     "no worker could be had for %llu s: %u in a row were not made or were "
                     "killed before they took a task (the last that was not made: %s)",
                     (unsigned long long)(FUTILE_NS / 1000000000), pool->futile,
                     pool->spawn_errno ? strerror(pool->spawn_errno) : "none");
}

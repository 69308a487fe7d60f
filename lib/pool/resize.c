/* More workers, fewer workers, and what they cache. */
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/pool_internal.h"

#define TRIM_NS     1000000000u
#define PATIENCE_MS 100

/* ---- trim --------------------------------------------------------------------------------- */

static uint64_t trimmed(const struct shmf_pool *pool)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < pool->n_workers; w++)
        sum += atomic_load_explicit(&pool->board.lines[w].trimmed, memory_order_relaxed);
    return sum;
}

/* Is there a worker that lives, has no task and has not met the request? */
static bool anybody_will(const struct shmf_pool *pool, uint32_t request)
{
    for (uint32_t w = 0; w < pool->n_workers; w++) {
        const struct shmfi_line *line = &pool->board.lines[w];
        if (pool->members[w].incarnation &&
            atomic_load_explicit(&line->trims, memory_order_acquire) != request &&
            atomic_load_explicit(&line->current, memory_order_relaxed) == SHMFI_NO_TICKET)
            return true;
    }
    return false;
}

static int64_t trim_locked(struct shmf_pool *pool, struct shmf_error *err)
{
    uint64_t before = trimmed(pool), deadline = shmfi_now() + TRIM_NS;
    shmfi_desk_flush(pool);
    uint32_t request =
        1 + atomic_fetch_add_explicit(&pool->board.header->trims, 1, memory_order_release);
    shmfi_wake_some(&pool->board, UINT32_MAX);
    for (;;) {
        shmfi_pool_read_control(pool);
        if (!anybody_will(pool, request) || pool->broken || shmfi_now() > deadline)
            return (int64_t)(trimmed(pool) - before);
        shmfi_pool_step_out(pool);
        shmfi_sys.poll(NULL, 0, 1);
        shmfi_pool_step_in(pool);
        if (pool->freeing)
            return shmfi_error(err, SHMF_E_CLOSED, "pool: it was freed by another thread");
    }
}

int64_t shmf_pool_trim(struct shmf_pool *pool, struct shmf_error *err)
{
    int rc = shmfi_pool_check_usable(pool, err);
    if (rc)
        return rc;
    if (pool->is_inline)
        return (int64_t)shmf_memory_trim(0);
    rc = shmfi_pool_lock(pool, err);
    if (rc)
        return rc;
    int64_t bytes = trim_locked(pool, err);
    shmfi_pool_unlock(pool);
    return bytes;
}

/* ---- resize ------------------------------------------------------------------------------- */

/* The word on the board says how many; the message wakes the supervisor, and tells it who was
 * dismissed even if they are wanted again before it looks. 1: sent, 0: not now. */
static int tell_supervisor(struct shmf_pool *pool, struct shmf_error *err)
{
    struct shmfi_control order = {.type = SHMFI_CONTROL_RESIZE, .value = pool->places};
    int rc = shmfi_fdpass_send(pool->control, &order, sizeof order, -1, err);
    if (rc == 1)
        pool->told = pool->places;
    return rc;
}

static int tell_in_time(struct shmf_pool *pool, struct shmf_error *err)
{
    int rc;
    while ((rc = tell_supervisor(pool, err)) == 0) {
        struct pollfd room = {pool->control, POLLOUT, 0};
        shmfi_sys.poll(&room, 1, PATIENCE_MS);
        shmfi_pool_read_control(pool); /* it may wait for room itself */
        if (pool->broken)
            return shmfi_error(err, pool->broken, "%s", pool->broken_why);
    }
    return rc < 0 ? rc : SHMF_OK;
}

static void set_places(struct shmf_pool *pool, uint32_t places)
{
    for (uint32_t w = pool->places; w < places; w++)
        pool->coming += !pool->members[w].incarnation;
    if (places < pool->places)
        pool->coming = 0;
    pool->places = places;
    if (pool->n_workers < places)
        pool->n_workers = places;
    atomic_store_explicit(&pool->board.header->places, places, memory_order_seq_cst);
}

/* As many of the workers as there are tasks for, but no fewer than there are. */
static uint32_t places_needed(const struct shmf_pool *pool)
{
    uint32_t in_flight = pool->board.geometry.slots - pool->n_free;
    uint32_t needed = in_flight > pool->places ? in_flight : pool->places;
    return pool->on_demand && needed < pool->wanted ? needed : pool->wanted;
}

void shmfi_pool_grow(struct shmf_pool *pool)
{
    uint32_t places = places_needed(pool);
    if (places > pool->places)
        set_places(pool, places);
    if (pool->told < pool->places)
        tell_supervisor(pool, NULL);
}

static int resize_locked(struct shmf_pool *pool, uint32_t workers, struct shmf_error *err)
{
    pool->wanted = workers;
    uint32_t places = places_needed(pool);
    for (uint32_t w = places; w < pool->n_workers; w++)
        pool->members[w].dismissed = pool->members[w].incarnation;
    set_places(pool, places);
    for (uint32_t w = places; w < pool->n_workers; w++)
        shmfi_wake(&pool->board, w);
    shmfi_pool_forget_surplus(pool);
    if (pool->told > places)
        pool->told =
            places; /* who is wanted again later must be asked for, whatever comes of this */
    return tell_in_time(pool, err);
}

int shmf_pool_resize(struct shmf_pool *pool, int workers, struct shmf_error *err)
{
    int rc = shmfi_pool_check(pool, err);
    if (rc)
        return rc;
    if (pool->is_inline)
        return shmfi_error(err, SHMF_E_UNSUPPORTED, "pool: it is inline and has no workers");
    if (workers < 1 || (uint32_t)workers > pool->max_workers)
        return shmfi_error(err, SHMF_E_INVAL, "workers: %d is not in 1..%u, the pool's max_workers",
                           workers, pool->max_workers);
    rc = shmfi_pool_lock(pool, err);
    if (rc)
        return rc;
    rc = resize_locked(pool, (uint32_t)workers, err);
    shmfi_pool_unlock(pool);
    return rc;
}

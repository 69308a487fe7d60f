/* What a pool is and has done, for people. */
#include "base/process.h"
#include "pool/pool_internal.h"

#include <string.h>

static uint64_t get(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

static int check(const struct shmf_pool *pool, const void *stats)
{
    if (!pool || !stats)
        return SHMF_E_INVAL;
    return pool->epoch == shmfi_process_epoch() ? SHMF_OK : SHMF_E_WRONG_PROCESS;
}

int shmf_pool_workers(const struct shmf_pool *pool)
{
    return pool ? (int)pool->wanted : 0;
}

int64_t shmf_pool_worker_pid(const struct shmf_pool *pool, int worker)
{
    struct shmf_worker_stats stats;
    /* The lock and the reading of messages do not change what the caller can see of the pool. */
    struct shmf_pool *mutable = (struct shmf_pool *)(uintptr_t)pool;
    return shmf_pool_get_worker_stats(mutable, worker, &stats) ? 0 : stats.pid;
}

static void fill_worker(const struct shmf_pool *pool, uint32_t worker,
                        struct shmf_worker_stats *stats)
{
    const struct shmfi_line *line = &pool->board.lines[worker];
    const struct shmfi_member *member = &pool->members[worker];
    memset(stats, 0, sizeof *stats);
    stats->pid = member->pid;
    stats->cpu = atomic_load_explicit(&line->cpu, memory_order_relaxed);
    stats->processes = member->born;
    stats->tasks_done = get(&line->done);
    stats->tasks_failed = get(&line->failed);
    stats->working_ns = get(&line->working);
    stats->waiting_ns = get(&line->waiting);
    stats->minor_faults = get(&line->minor_faults);
    stats->major_faults = get(&line->major_faults);
    stats->recycled = get(&line->recycled);
    stats->fresh = get(&line->fresh);
    stats->bytes_held = get(&line->held);
    stats->bytes_cached = get(&line->cached);
    stats->bytes_huge = get(&line->huge);
}

int shmf_pool_get_worker_stats(struct shmf_pool *pool, int worker, struct shmf_worker_stats *stats)
{
    int rc = check(pool, stats);
    if (rc)
        return rc;
    if (worker < 0 || (uint32_t)worker >= pool->max_workers)
        return SHMF_E_RANGE;
    rc = shmfi_pool_lock(pool, NULL);
    if (rc)
        return rc;
    shmfi_pool_read_control(pool);
    fill_worker(pool, (uint32_t)worker, stats);
    shmfi_pool_unlock(pool);
    return SHMF_OK;
}

int shmf_pool_get_stats(struct shmf_pool *pool, struct shmf_pool_stats *stats)
{
    int rc = check(pool, stats);
    if (rc)
        return rc;
    rc = shmfi_pool_lock(pool, NULL);
    if (rc)
        return rc;
    *stats = pool->stats;
    stats->bytes_budget = pool->budget;
    for (uint32_t w = 0; w < pool->max_workers; w++) {
        struct shmf_worker_stats one;
        fill_worker(pool, w, &one);
        stats->respawns += one.processes ? one.processes - 1 : 0;
        stats->bytes_held += one.bytes_held;
        stats->bytes_cached += one.bytes_cached;
        stats->bytes_huge += one.bytes_huge;
        stats->recycled += one.recycled;
        stats->fresh += one.fresh;
        stats->minor_faults += one.minor_faults;
        stats->major_faults += one.major_faults;
        stats->working_ns += one.working_ns;
        stats->waiting_ns += one.waiting_ns;
    }
    shmfi_pool_unlock(pool);
    return SHMF_OK;
}

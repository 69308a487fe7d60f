/* What a pool's maker asked for. */
#include "pool/options.h"

#include "base/error.h"
#include "pool/descriptors.h"
#include "pool/machine.h"

static int check_threads(const struct shmf_pool_options *options, struct shmf_error *err)
{
    if (!options->refuse_threads || options->workers == SHMF_INLINE ||
        options->start == SHMF_START_EARLY)
        return SHMF_OK;
    int others = shmfi_machine_threads() - 1;
    if (others <= 0)
        return SHMF_OK;
    return shmfi_error(err, SHMF_E_INVAL,
                       "options.refuse_threads: %d other thread%s run%s; workers would lack them, "
                       "and locks that they hold now would stay locked there",
                       others, others == 1 ? "" : "s", others == 1 ? "s" : "");
}

int shmfi_options_check(const struct shmf_pool_options *options, struct shmf_error *err)
{
    if (options->workers < SHMF_INLINE || options->workers > SHMF_MAX_WORKERS)
        return shmfi_error(err, SHMF_E_INVAL, "options.workers: %d is not in %d..%d",
                           options->workers, SHMF_INLINE, SHMF_MAX_WORKERS);
    if (options->max_workers < 0 || options->max_workers > SHMF_MAX_WORKERS)
        return shmfi_error(err, SHMF_E_INVAL, "options.max_workers: %d is not in 0..%d",
                           options->max_workers, SHMF_MAX_WORKERS);
    if (options->max_workers && options->workers > options->max_workers)
        return shmfi_error(err, SHMF_E_INVAL, "options.max_workers: %d, but workers is %d",
                           options->max_workers, options->workers);
    if (options->first_workers < 0 || options->first_workers > SHMF_MAX_WORKERS)
        return shmfi_error(err, SHMF_E_INVAL, "options.first_workers: %d is not in 0..%d",
                           options->first_workers, SHMF_MAX_WORKERS);
    if (options->workers > 0 && options->first_workers > options->workers)
        return shmfi_error(err, SHMF_E_INVAL, "options.first_workers: %d, but workers is %d",
                           options->first_workers, options->workers);
    if (options->window < 0 || options->window > SHMF_MAX_WINDOW)
        return shmfi_error(err, SHMF_E_INVAL, "options.window: %d is not in 0..%d", options->window,
                           SHMF_MAX_WINDOW);
    if (options->affinity != SHMF_AFFINITY_NONE && options->affinity != SHMF_AFFINITY_SPREAD)
        return shmfi_error(err, SHMF_E_INVAL, "options.affinity: %d is none of enum shmf_affinity",
                           options->affinity);
    if (options->start != SHMF_START_NOW && options->start != SHMF_START_EARLY)
        return shmfi_error(err, SHMF_E_INVAL, "options.start: %d is none of enum shmf_start",
                           options->start);
    if (options->start == SHMF_START_EARLY && options->n_keep_fds)
        return shmfi_error(err, SHMF_E_INVAL,
                           "options.keep_fds: of early workers they are given to shmf_early_start");
    if (options->tasks_per_worker < 0)
        return shmfi_error(err, SHMF_E_INVAL, "options.tasks_per_worker: %lld",
                           (long long)options->tasks_per_worker);
    int rc = shmfi_check_keep_fds(options->keep_fds, options->n_keep_fds, err);
    if (rc)
        return rc;
    if (options->reserved0)
        return shmfi_error(err, SHMF_E_INVAL, "options.reserved0: not zero");
    rc = shmfi_check_reserved(options->reserved, 6, "options", err);
    return rc ? rc : check_threads(options, err);
}

void shmfi_options_apply(struct shmf_pool *pool, const struct shmf_pool_options *options)
{
    int cpus;
    uint64_t memory;
    shmfi_machine_limits(&cpus, &memory);
    pool->is_inline = options->workers == SHMF_INLINE;
    if (!pool->is_inline)
        pool->wanted = (uint32_t)(options->workers ? options->workers : cpus);
    pool->on_demand = options->first_workers > 0;
    pool->places = pool->wanted;
    if (pool->on_demand && (uint32_t)options->first_workers < pool->places)
        pool->places = (uint32_t)options->first_workers;
    pool->n_workers = pool->places;
    pool->told = pool->places;
    pool->max_workers = options->max_workers ? (uint32_t)options->max_workers : pool->wanted;
    if (pool->max_workers < pool->wanted)
        pool->max_workers = pool->wanted;
    pool->is_early = !pool->is_inline && options->start == SHMF_START_EARLY;
    pool->cpus = (uint32_t)cpus;
    pool->window = 4 * pool->wanted;
    if (pool->window < 64)
        pool->window = 64;
    if (options->window)
        pool->window = (uint32_t)options->window;
    pool->budget = options->budget_bytes ? options->budget_bytes : memory / 2;
    pool->stats.threads_at_creation = (uint64_t)shmfi_machine_threads() - 1;
}

/* What an application may want to be told of its pools, though all goes well. */
#include "pool/warn.h"

#include "base/process.h"
#include "base/sys.h"
#include "base/warning.h"
#include "pool/future_internal.h"

#include <string.h>

void shmfi_pool_warn_of_threads(const struct shmf_pool *pool)
{
    uint64_t others = pool->stats.threads_at_creation;
    if (others && !pool->is_inline)
        shmfi_warn(
            "a pool's workers are copies of a moment when %llu other thread%s ran: they lack "
            "these, and locks that these held then stay locked there",
            (unsigned long long)others, others == 1 ? "" : "s");
}

static void warn_of(struct shmf_pool *pool, void *unused)
{
    (void)unused;
    if (pool->epoch != shmfi_process_epoch() || pthread_mutex_trylock(&pool->lock))
        return; /* a thread is still at it */
    struct shmf_backtrace place = {.count = 1, .frames = {pool->made_at}};
    char **names = shmfi_names_of(&place, 1);
    const char *name = names ? names[0] : "?", *slash = strrchr(name, '/');
    uint32_t tasks = pool->board.geometry.slots - pool->n_free;
    for (const struct shmf_future *future = pool->backlog; future; future = future->waiting)
        tasks++;
    shmfi_warn("a pool of %u workers, made at %s, was not freed, with %u tasks under way",
               pool->wanted, slash ? slash + 1 : name, tasks);
    shmfi_sys.free(names);
    pthread_mutex_unlock(&pool->lock);
}

/* After all exit handlers and the destructors of objects, which may have freed it; not in a process
 * that ends by _exit(), as workers do, nor in one that dies of a signal. */
static __attribute__((destructor)) void warn_of_the_unfreed(void)
{
    if (shmfi_warns())
        shmfi_desk_try_each(warn_of, NULL);
}

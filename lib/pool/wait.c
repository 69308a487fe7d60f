/* How the application waits: it spins a little, then sleeps in one poll of the eventfd that
 * workers ring and of the supervisor's socket. With several threads, one sleeps for all. */
#include "base/sys.h"
#include "pool/pool_internal.h"

#include <errno.h>

/* Looks at shared words and at `got` only, so it needs no lock. */
static bool has_news(void *context)
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
    if (!shmfi_app_sleeps(&pool->board, has_news, pool))
        return;
    shmfi_sys.poll(fds, 2, timeout_ms);
    shmfi_app_awake(&pool->board);
    uint64_t rung;
    if (fds[0].revents & POLLIN)
        while (shmfi_sys.read(pool->eventfd, &rung, sizeof rung) < 0 && errno == EINTR)
            continue;
}

void shmfi_pool_wait(struct shmf_pool *pool, int timeout_ms)
{
    if (pool->parked) {
        pthread_cond_wait(&pool->harvested, &pool->lock);
        return;
    }
    pool->parked = true;
    pthread_mutex_unlock(&pool->lock);
    if (!shmfi_spin(&pool->spinner, has_news, pool))
        sleep_in_poll(pool, timeout_ms);
    pthread_mutex_lock(&pool->lock);
    pool->parked = false;
    pthread_cond_broadcast(&pool->harvested);
}

/* Nothing happened for long. If tasks are queued while workers sleep, a wake-up was lost (its
 * author died or was stopped between two instructions) or the hint on the board is wrong: queue
 * these tasks again and wake. */
void shmfi_pool_rescan(struct shmf_pool *pool)
{
    bool asleep = false;
    for (uint32_t w = 0; w < pool->n_workers && !asleep; w++)
        asleep = atomic_load_explicit(&pool->board.lines[w].asleep, memory_order_relaxed);
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

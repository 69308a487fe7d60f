/* The pool in somebody else's event loop. */
#include "base/error.h"
#include "base/sys.h"
#include "pool/future_internal.h"

#include <errno.h>
#include <sys/epoll.h>

static void drain(int eventfd)
{
    uint64_t rung;
    while (shmfi_sys.read(eventfd, &rung, sizeof rung) < 0 && errno == EINTR)
        continue;
}

int shmf_pool_progress(struct shmf_pool *pool, struct shmf_error *err)
{
    int rc = shmfi_pool_check_usable(pool, err);
    if (rc || pool->is_inline)
        return rc;
    pthread_mutex_lock(&pool->lock);
    uint64_t done = pool->stats.tasks_done;
    shmfi_app_awake(&pool->board);
    drain(pool->eventfd);
    do {
        shmfi_pool_read_control(pool);
        rc = shmfi_pool_advance(pool, err);
        shmfi_desk_flush(pool);
        shmfi_pool_share_memory(pool);
        /* Workers ring the descriptor from here on, unless there is news already. */
    } while (rc >= 0 && !pool->broken && pool->epoll >= 0 &&
             !shmfi_app_sleeps(&pool->board, shmfi_pool_has_news, pool));
    if (rc >= 0)
        rc = (int)(pool->stats.tasks_done - done);
    if (pool->broken)
        rc = shmfi_error(err, pool->broken, "%s", pool->broken_why);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

int shmf_pool_fd(struct shmf_pool *pool)
{
    int rc = shmfi_pool_check_usable(pool, NULL);
    if (rc)
        return rc;
    if (pool->is_inline)
        return SHMF_E_UNSUPPORTED;
    pthread_mutex_lock(&pool->lock);
    if (pool->epoll < 0) {
        pool->epoll = shmfi_sys.epoll_create1(EPOLL_CLOEXEC);
        if (pool->epoll >= 0 &&
            (shmfi_sys.epoll_ctl(pool->epoll, EPOLL_CTL_ADD, pool->eventfd, EPOLLIN) ||
             shmfi_sys.epoll_ctl(pool->epoll, EPOLL_CTL_ADD, pool->control, EPOLLIN))) {
            shmfi_sys.close(pool->epoll);
            pool->epoll = -1;
        }
    }
    rc = pool->epoll >= 0 ? pool->epoll : shmfi_error_sys(NULL, errno, "epoll");
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

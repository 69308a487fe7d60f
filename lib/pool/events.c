/* The pool in somebody else's event loop. */
#include "base/error.h"
#include "base/sys.h"
#include "pool/future_internal.h"

#include <errno.h>
#include <sys/epoll.h>

#define QUIET_NS   64000000u
#define BLOCKED_NS 2000000u /* it may be a matter of a moment */

static void drain(int eventfd)
{
    uint64_t rung;
    while (shmfi_sys.read(eventfd, &rung, sizeof rung) < 0 && errno == EINTR)
        continue;
}

/* What a waiting call does when nothing comes for long, done here by the clock. */
static int look_around(struct shmf_pool *pool, int results, bool blocked, struct shmf_error *err)
{
    uint64_t now = shmfi_now();
    if (results)
        pool->quiet_since = now;
    if (results || !blocked)
        pool->blocked_since = 0;
    else if (!pool->blocked_since)
        pool->blocked_since = now;
    if (now - pool->quiet_since > QUIET_NS) {
        pool->quiet_since = now;
        shmfi_pool_rescan(pool);
    }
    if (!pool->blocked_since || now - pool->blocked_since < BLOCKED_NS)
        return results;
    return shmfi_pool_error_blocked(pool, err);
}

int shmf_pool_progress(struct shmf_pool *pool, struct shmf_error *err)
{
    int rc = shmfi_pool_check_usable(pool, err);
    if (rc || pool->is_inline)
        return rc;
    rc = shmfi_pool_lock(pool, err);
    if (rc)
        return rc;
    uint64_t done = pool->stats.tasks_done;
    bool blocked;
    shmfi_app_awake(&pool->board);
    drain(pool->eventfd);
    do {
        shmfi_pool_read_control(pool);
        rc = shmfi_pool_advance(pool, err);
        shmfi_desk_flush(pool);
        blocked = shmfi_pool_share_memory(pool);
        /* Workers ring the descriptor from here on, unless there is news already. Who is deaf
         * to news is called again, because the message that it cannot hear stays. */
    } while (rc >= 0 && !pool->broken && !pool->deaf.tries && pool->epoll >= 0 &&
             !shmfi_app_sleeps(&pool->board, shmfi_pool_has_news, pool));
    if (rc >= 0)
        rc = (int)(pool->stats.tasks_done - done);
    if (rc >= 0)
        rc = look_around(pool, rc, blocked, err);
    if (pool->broken)
        rc = shmfi_error(err, pool->broken, "%s", pool->broken_why);
    shmfi_pool_unlock(pool);
    return rc;
}

int shmf_pool_fd(struct shmf_pool *pool)
{
    int rc = shmfi_pool_check_usable(pool, NULL);
    if (rc)
        return rc;
    if (pool->is_inline)
        return SHMF_E_UNSUPPORTED;
    rc = shmfi_pool_lock(pool, NULL);
    if (rc)
        return rc;
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
    shmfi_pool_unlock(pool);
    return rc;
}

#include "base/error.h"
#include "base/process.h"
#include "pool/pool_internal.h"

void shmfi_pool_step_out(struct shmf_pool *pool)
{
    pool->away++;
    pthread_mutex_unlock(&pool->lock);
}

void shmfi_pool_step_in(struct shmf_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->away--;
    if (pool->freeing)
        pthread_cond_broadcast(&pool->harvested);
}

void shmfi_pool_enter(struct shmf_pool *pool)
{
    atomic_fetch_add_explicit(&pool->entered, 1, memory_order_relaxed);
}

/* Release: what was done inside is over for whoever sees the count fall. */
void shmfi_pool_leave(struct shmf_pool *pool)
{
    atomic_fetch_sub_explicit(&pool->entered, 1, memory_order_release);
}

void shmfi_pool_unlock(struct shmf_pool *pool)
{
    pthread_mutex_unlock(&pool->lock);
    shmfi_pool_leave(pool);
}

int shmfi_pool_lock(struct shmf_pool *pool, struct shmf_error *err)
{
    shmfi_pool_enter(pool);
    pthread_mutex_lock(&pool->lock);
    if (!pool->freeing)
        return SHMF_OK;
    shmfi_pool_unlock(pool);
    return shmfi_error(err, SHMF_E_CLOSED, "pool: it was freed by another thread");
}

struct shmf_pool *shmfi_pool_lock_of(struct shmf_pool **word)
{
    struct shmf_pool *pool = shmfi_desk_enter(word);
    if (!pool)
        return NULL;
    pthread_mutex_lock(&pool->lock);
    if (*word)
        return pool;
    shmfi_pool_unlock(pool);
    return NULL;
}

int shmfi_pool_check_usable(const struct shmf_pool *pool, struct shmf_error *err)
{
    if (!pool)
        return shmfi_error(err, SHMF_E_INVAL, "pool: NULL");
    if (pool->epoch != shmfi_process_epoch())
        return shmfi_error(err, SHMF_E_WRONG_PROCESS,
                           "pool: it belongs to the process that this one was forked from");
    if (pool->broken)
        return shmfi_error(err, pool->broken, "%s", pool->broken_why);
    return SHMF_OK;
}

int shmfi_pool_check(const struct shmf_pool *pool, struct shmf_error *err)
{
    int rc = shmfi_pool_check_usable(pool, err);
    if (rc == SHMF_OK && pool->closed)
        return shmfi_error(err, SHMF_E_CLOSED, "pool: it is closed");
    return rc;
}

int shmfi_pool_check_code(struct shmf_pool *pool, const char *what, uintptr_t function,
                          struct shmf_error *err)
{
    if (!function || shmfi_code_has(&pool->code, function))
        return SHMF_OK;
    return shmfi_error(err, SHMF_E_INVAL,
                       "%s: 0x%llx was loaded after %s, so the pool's workers do not have it: load "
                       "libraries first",
                       what, (unsigned long long)function,
                       pool->is_early ? "the early start" : "the pool was made");
}

int shmfi_pool_check_function(struct shmf_pool *pool, uintptr_t fn, struct shmf_error *err)
{
    if (!fn)
        return shmfi_error(err, SHMF_E_INVAL, "fn: NULL");
    return shmfi_pool_check_code(pool, "fn", fn, err);
}

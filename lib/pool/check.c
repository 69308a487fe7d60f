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

int shmfi_pool_check_function(const struct shmf_pool *pool, uintptr_t fn, struct shmf_error *err)
{
    if (!fn)
        return shmfi_error(err, SHMF_E_INVAL, "fn: NULL");
    if (!shmfi_code_has(&pool->code, fn))
        return shmfi_error(err, SHMF_E_INVAL,
                           "fn: 0x%llx was loaded after the pool was made, so its workers do not "
                           "have it: load libraries first",
                           (unsigned long long)fn);
    return SHMF_OK;
}

/* Pools whose workers stem from an early moment. */
#ifndef TEST_EARLY_CALLS_H
#define TEST_EARLY_CALLS_H

#include "future_calls.h"

static inline struct shmf_pool *early_pool(int workers)
{
    struct shmf_pool_options options = {.workers = workers, .start = SHMF_START_EARLY};
    return pool_with(&options);
}

static inline void start_early(void)
{
    struct shmf_error err = {0};
    if (shmf_early_start(NULL, &err))
        fail_msg("no early start: %s: %s", shmf_status_name(err.code), err.message);
}

#endif

/* Ending what runs, and whole calls whose time is over. All with pool.lock held. */
#ifndef SHMFI_POOL_CALL_OFF_H
#define SHMFI_POOL_CALL_OFF_H

#include "pool/submit.h"

/* Has the supervisor end the worker that claimed the slot's task, if it still runs that then. */
void shmfi_pool_end_task(struct shmf_pool *pool, uint32_t slot);

/* SHMF_E_INVAL: options.call_seconds makes no sense. */
int shmfi_check_call_seconds(double seconds, struct shmf_error *err);

/* When a call ends that begins now and has so many seconds; 0: there is no limit. */
uint64_t shmfi_call_end(double seconds);
bool shmfi_call_is_over(uint64_t end);

/* As shmfi_pool_await, but not past that end. */
int shmfi_call_await(struct shmf_pool *pool, const struct shmfi_sink *sink, int *wait_ms,
                     uint64_t end, struct shmf_error *err);

/* Nobody waits for the sink's tasks any more, and none goes on. Returns SHMF_E_TIMEOUT. */
int shmfi_call_off(struct shmf_pool *pool, const struct shmfi_sink *sink, struct shmf_error *err);

#endif

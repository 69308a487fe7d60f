/* From a task to a queued slot, and back to a free one. All with pool.lock held. */
#ifndef SHMFI_POOL_SUBMIT_H
#define SHMFI_POOL_SUBMIT_H

#include "pool/pool_internal.h"

/* Takes a reference to what the handle names; on failure the message says `what`[`position`]. */
int shmfi_pin(const struct shmf_handle *handle, const char *what, size_t position,
              struct shmfi_segment **pin, struct shmf_error *err);

/* 1: queued; 0: not now (no slot, or a worker's socket is full); negative: the task cannot be
 * submitted. Wakes nobody. */
int shmfi_pool_submit(struct shmf_pool *pool, struct shmf_iter *iter, int64_t index,
                      const struct shmf_task_input *input, struct shmf_error *err);

/* Queues the job again, from its copy, for its next attempt. */
void shmfi_pool_resubmit(struct shmf_pool *pool, uint32_t slot);

/* The slot is free again; pins are dropped. */
void shmfi_pool_release_slot(struct shmf_pool *pool, uint32_t slot);

/* Sends to new workers the regions that queued tasks and iterators need. */
void shmfi_pool_resend_regions(struct shmf_pool *pool);

#endif

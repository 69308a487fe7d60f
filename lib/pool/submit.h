/* From a task to a queued slot, and back to a free one. All with pool.lock held. */
#ifndef SHMFI_POOL_SUBMIT_H
#define SHMFI_POOL_SUBMIT_H

#include "pool/pool_internal.h"

/* Deadlines and time-outs, at most: 100 years. */
#define SHMFI_LONGEST_SECONDS 3155760000

/* Takes a reference to what the handle names; on failure the message says `what`[`position`]. */
int shmfi_pin(const struct shmf_handle *handle, const char *what, size_t position,
              struct shmfi_segment **pin, struct shmf_error *err);

/* A task to be queued. What it points to is copied; `shared` gets a reference of the task's. */
struct shmfi_order {
    struct shmfi_sink *sink;
    shmf_task_fn function;
    void *context;
    int64_t index;
    uint64_t seed;                 /* the task's own */
    struct shmfi_shared *shared;   /* handles in front of the task's own; NULL: none */
    uint64_t deadline;             /* ns; 0: none */
    const void *call;              /* whose grants must be disjoint until shmfi_grants_end();
                                      NULL: until the task is over */
    int64_t begin, end;            /* the rows that writable handles in `shared` grant it */
    struct shmfi_granted *granted; /* taken before the submission; or NULL: with it */
    bool patient;                  /* its result may be announced together with others */
    struct shmf_task_input input;
};

/* SHMF_E_TOOBIG where no memory could hold the input, so that sums of its sizes do not overflow. */
int shmfi_check_sizes(const struct shmfi_order *order, struct shmf_error *err);

/* 1: queued; 0: not now (no slot, or a worker's socket is full); negative: the task cannot be
 * submitted. Wakes nobody. */
int shmfi_pool_submit(struct shmf_pool *pool, const struct shmfi_order *order,
                      struct shmf_error *err);

/* Wakes workers for so many tasks that were queued, as far as not enough are awake. */
void shmfi_pool_wake(struct shmf_pool *pool, uint32_t queued);

/* In an inline pool: runs the task here and delivers its result. 1, or negative: it cannot run. */
int shmfi_run_inline(struct shmf_pool *pool, const struct shmfi_order *order,
                     struct shmf_error *err);

/* Nobody waits for the sink's tasks any more: those that did not start are revoked, the others'
 * results will be dropped when they come. */
void shmfi_pool_abandon(struct shmf_pool *pool, const struct shmfi_sink *sink);

/* Queues the job again, from its copy, for its next attempt. */
void shmfi_pool_resubmit(struct shmf_pool *pool, uint32_t slot);

/* The slot is free again; pins are dropped. */
void shmfi_pool_release_slot(struct shmf_pool *pool, uint32_t slot);

/* Sends to new workers the regions that queued tasks and iterators need. */
void shmfi_pool_resend_regions(struct shmf_pool *pool);

#endif

/* What tasks may write: slices of objects, disjoint among all that are granted at one time.
 *
 * A grant is on the books of this process, whichever pool it is for, from the submission of its
 * task until the task is over; those of one call stay, as done, until the call is over, so that
 * slices of two tasks of it never overlap, whenever they run. Thread safe; the lock of the books is
 * taken below pool.lock, and nothing is called under it. */
#ifndef SHMFI_POOL_GRANTS_H
#define SHMFI_POOL_GRANTS_H

#include <shmframe/error.h>
#include <shmframe/handle.h>

#include <stdbool.h>
#include <stddef.h>

struct shmfi_order;
struct shmfi_region;
struct shmf_pool;

/* All that one task may write. */
struct shmfi_granted {
    const void *call;      /* NULL: the task is all of it */
    size_t first_position; /* of handles[0] among the task's handles */
    size_t count;
    struct shmf_handle handles[];
};

/* A handle that all tasks of a call have, for the task with these rows: if it grants, it grants
 * these. */
struct shmf_handle shmfi_cut_handle(const struct shmf_handle *handle, int64_t begin, int64_t end);

bool shmfi_any_writable(const struct shmf_handle *handles, size_t count);

/* SHMF_E_INVAL, SHMF_E_RANGE, SHMF_E_ACCESS naming `what`[position]: its access or slice make no
 * sense. */
int shmfi_check_handle(const struct shmf_handle *handle, const char *what, size_t position,
                       struct shmf_error *err);

/* Enters what the order's handles grant; `*granted` is NULL if they grant nothing. SHMF_E_ACCESS
 * names two slices that overlap. SHMF_E_NOMEM. */
int shmfi_grants_take(const struct shmfi_order *order, struct shmfi_granted **granted,
                      struct shmf_error *err);

/* The task never was submitted: as if they had not been taken. Frees it; NULL is fine. */
void shmfi_grants_undo(struct shmfi_granted *granted);

/* The task is over; `granted` stays the caller's to free. NULL is fine. */
void shmfi_grants_over(const struct shmfi_granted *granted);

/* The call is over, but perhaps not all of its tasks. */
void shmfi_grants_end(const void *call);

/* "; rows [10, 20) of handle 0 are undefined", behind what `message` says, as far as it fits. */
void shmfi_grants_describe(const struct shmfi_granted *granted, char *message, size_t size);

/* Sends the writable descriptor of the region to every living worker that lacks it. As
 * shmfi_pool_send_region, which must have succeeded before. */
int shmfi_pool_send_writable(struct shmf_pool *pool, struct shmfi_region *region,
                             struct shmf_error *err);

#endif

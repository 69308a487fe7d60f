/* The handles that all tasks of one call have, and what keeps their segments alive. The call holds
 * a reference and so does each of its tasks until it is over: a task that runs on after its caller
 * went away still has its inputs. Counted under pool.lock. */
#ifndef SHMFI_POOL_SHARED_H
#define SHMFI_POOL_SHARED_H

#include "memory/memory.h"

struct shmfi_shared {
    size_t refs;
    size_t count;
    struct shmf_handle *handles;
    struct shmfi_segment **pins;
};

/* Copies the handles and pins what they name; `*shared` is NULL for none. On failure the message
 * says `what`[position]. */
int shmfi_shared_new(const struct shmf_handle *handles, size_t count, const char *what,
                     struct shmfi_shared **shared, struct shmf_error *err);

/* NULL is fine. */
struct shmfi_shared *shmfi_shared_ref(struct shmfi_shared *shared);
void shmfi_shared_unref(struct shmfi_shared *shared);

#endif

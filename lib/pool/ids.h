/* A small set of region identities. */
#ifndef SHMFI_POOL_IDS_H
#define SHMFI_POOL_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shmfi_ids {
    uint64_t *ids; /* sorted */
    size_t count, capacity;
};

bool shmfi_ids_has(const struct shmfi_ids *set, uint64_t id);
int shmfi_ids_add(struct shmfi_ids *set, uint64_t id); /* SHMF_OK (also when there), SHMF_E_NOMEM */
void shmfi_ids_remove(struct shmfi_ids *set, uint64_t id);
void shmfi_ids_clear(struct shmfi_ids *set); /* frees its memory too */

#endif

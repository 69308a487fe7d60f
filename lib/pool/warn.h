/* What an application may want to be told of its pools, though all goes well. */
#ifndef SHMFI_POOL_WARN_H
#define SHMFI_POOL_WARN_H

#include "pool/pool_internal.h"

/* When the pool is about to be made. */
void shmfi_pool_warn_of_threads(const struct shmf_pool *pool);

#endif

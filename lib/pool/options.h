/* From struct shmf_pool_options to a pool. */
#ifndef SHMFI_POOL_OPTIONS_H
#define SHMFI_POOL_OPTIONS_H

#include "pool/pool_internal.h"

/* SHMF_E_INVAL, naming the field. */
int shmfi_options_check(const struct shmf_pool_options *options, struct shmf_error *err);

/* Fills in what follows from options that were checked, and from this machine. */
void shmfi_options_apply(struct shmf_pool *pool, const struct shmf_pool_options *options);

#endif

/* What this machine, or the container we are in, lets us have. */
#ifndef SHMFI_POOL_MACHINE_H
#define SHMFI_POOL_MACHINE_H

#include <stdint.h>

/* CPUs that this process may run on, cut down to the cgroup's quota; at least 1. */
int shmfi_machine_cpus(void);

/* Bytes that could be had now: the smaller of MemAvailable and the cgroup's headroom. */
uint64_t shmfi_machine_memory(void);

#endif

/* What this machine, or the container we are in, lets us have. */
#ifndef SHMFI_POOL_MACHINE_H
#define SHMFI_POOL_MACHINE_H

#include <stdint.h>

/* CPUs that this process may run on, cut down to the cgroup's quota, at least 1; bytes that could
 * be had: the smaller of MemAvailable and the cgroup's headroom. Who asks again within a tenth of a
 * second is told the same quota and bytes again. Thread safe. */
void shmfi_machine_limits(int *cpus, uint64_t *memory);

/* They are read anew next time. For tests, which make them up. */
void shmfi_machine_forget(void);

/* Threads of this process, at least 1 (as many as are known where /proc is missing). */
int shmfi_machine_threads(void);

/* Bytes of this process's private memory that are there; 0: not to be known. */
uint64_t shmfi_machine_private_bytes(void);

/* Binds this thread to one of the CPUs that it may run on, the one with this number modulo their
 * count; that CPU, or -1: the system does not want to. */
int shmfi_machine_bind(uint32_t number);

#endif

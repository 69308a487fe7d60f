/* Which process is this? Private state is keyed by it, so that a forked child never acts on what
 * belongs to its parent. */
#ifndef SHMFI_BASE_PROCESS_H
#define SHMFI_BASE_PROCESS_H

#include <pthread.h>
#include <stdint.h>

/* A number that differs between a process and every ancestor and descendant of it; never 0. One
 * load in the common case: the number lies in a page that the kernel wipes at fork
 * (MADV_WIPEONFORK, Linux 4.14); without that page getpid() tells. Thread safe. */
uint64_t shmfi_process_epoch(void);

/* For a module whose data must be whole at every fork(): from now on forks take `lock` before and
 * release it in the parent; in the child `in_child` is called, which makes it anew. The lock of
 * whoever came last is taken first. Call once per module, in a pthread_once(). */
void shmfi_process_watch_forks(pthread_mutex_t *lock, void (*in_child)(void));

/* Somebody who shares our memory, as vfork's child does, was killed in the middle of a fork: what
 * it had locked it had locked in our name. */
void shmfi_process_fork_was_abandoned(void);

#endif

/* Which process is this? Private state is keyed by it, so that a forked child never acts on what
 * belongs to its parent. */
#ifndef SHMFI_BASE_PROCESS_H
#define SHMFI_BASE_PROCESS_H

#include <stdint.h>

/* A number that differs between a process and every ancestor and descendant of it; never 0. One
 * load in the common case: the number lies in a page that the kernel wipes at fork
 * (MADV_WIPEONFORK, Linux 4.14); without that page getpid() tells. Thread safe. */
uint64_t shmfi_process_epoch(void);

#endif

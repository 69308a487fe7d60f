/* Where a worker was when a signal ended it. */
#ifndef SHMFI_POOL_CRASH_H
#define SHMFI_POOL_CRASH_H

#include "board/layout.h"

#include <stdbool.h>

/* In the application, before it forks: loads what unwinding needs, because the handler must not. */
void shmfi_crash_prepare(void);

/* In a worker: notes in `line` where it is when SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT ends it.
 * Each of these that is not at its default is left alone, and all are under Valgrind and
 * sanitizers, which have handlers and reports of their own. The signal then does what it would have
 * done: same status, same core image. */
void shmfi_crash_watch(struct shmfi_crash *line, uint32_t incarnation);

#endif

/* A fork that the application's wait loops and SIGCHLD handlers do not notice. */
#ifndef SHMFI_POOL_DETACH_H
#define SHMFI_POOL_DETACH_H

#include <stdbool.h>
#include <sys/types.h>

/* Returns 0 in the new process, 1 in the caller, or a negative errno. The new process is nobody's
 * child that the caller could meet in wait(): its parent has ended. It bears the name from its
 * first moment: an outer supervisor, whose child it becomes, knows it by that. fork() handlers
 * (pthread_atfork) run as in any fork. */
int shmfi_fork_detached(const char *name);

/* What follows is about a detached process whose number may have gone to another process meanwhile,
 * to a child of the application's even. Its pidfd is proof against that; -1: there is none. */

/* SIGKILL for it. False: it is gone already. */
bool shmfi_detached_kill(pid_t pid, int pidfd);

/* It is about to end, or has: takes its status where that is ours to take. It is our child only
 * where we are the reaper of orphans: as pid 1 of a container. */
void shmfi_detached_bury(pid_t pid, int pidfd);

#endif

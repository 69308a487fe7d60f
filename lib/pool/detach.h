/* A fork that the application's wait loops and SIGCHLD handlers do not notice. */
#ifndef SHMFI_POOL_DETACH_H
#define SHMFI_POOL_DETACH_H

/* Returns 0 in the new process, 1 in the caller, or a negative errno. The new process is nobody's
 * child that the caller could meet in wait(): its parent has ended. It bears the name from its
 * first moment: an outer supervisor, whose child it becomes, knows it by that. fork() handlers
 * (pthread_atfork) run as in any fork. */
int shmfi_fork_detached(const char *name);

#endif

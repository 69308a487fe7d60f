/* The supervisor: the workers' parent, and nothing else. */
#ifndef SHMFI_POOL_SUPERVISOR_H
#define SHMFI_POOL_SUPERVISOR_H

#include "pool/pool_internal.h"

#include <signal.h>

/* What the application prepared before the fork. */
struct shmfi_setup {
    int control;   /* the supervisor's end */
    int app_pidfd; /* of the application, -1: this kernel has none */
    pid_t app_pid;
    sigset_t mask; /* the application's signal mask: workers get it back */
    const int *keep_fds;
    size_t n_keep_fds;
    int (*initializer)(int worker, void *context);
    void *initializer_context;
    void (*finalizer)(int worker, void *context);
    uint64_t tasks_per_worker; /* 0: no limit, ... */
    uint64_t max_worker_bytes; /* ... of private memory that it grows by, neither */
    int threads;               /* cap for OpenMP and BLAS in workers; negative: none */
    bool backtraces;           /* crashing workers say where they were */
    bool spread;               /* each worker is bound to a cpu */
};

#define SHMFI_SUPERVISOR_NAME "shmf-super"

/* Runs in the process that shmfi_fork_detached made, with that name, on its copy of the
 * application's pool. All signals are blocked. */
_Noreturn void shmfi_supervise(struct shmf_pool *pool, const struct shmfi_setup *setup);

/* Is the application dead? Asks once, does not wait. */
bool shmfi_app_is_dead(const struct shmfi_setup *setup);

/* Ends this process: no exit handlers, no flushing of buffers that belong to the application. */
_Noreturn void shmfi_leave(int status);

/* Runs in a new worker. */
_Noreturn void shmfi_work(struct shmf_pool *pool, const struct shmfi_setup *setup, uint32_t worker,
                          uint32_t incarnation, int socket, pid_t supervisor);

#endif

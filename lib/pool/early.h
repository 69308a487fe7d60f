/* The process that keeps the application's early moment: what travels to it, and its two sides. */
#ifndef SHMFI_POOL_EARLY_H
#define SHMFI_POOL_EARLY_H

#include "pool/supervisor.h"

#include <shmframe/early.h>

#define SHMFI_EARLY_NAME "shmf-early"

enum shmfi_early_type {
    SHMFI_EARLY_BOARD = 0, /* here is the board's memfd, */
    SHMFI_EARLY_EVENTFD,   /* the eventfd, */
    SHMFI_EARLY_CONTROL,   /* the supervisor's end of its socket */
    SHMFI_EARLY_FORK,      /* make the pool's supervisor of what came */
    SHMFI_EARLY_STOP       /* end */
};

#define SHMFI_EARLY_FDS SHMFI_EARLY_FORK /* types below come with a descriptor */

/* From the application. Four of them make a pool; what is not a descriptor counts in FORK only. */
struct shmfi_early_order {
    uint32_t type;
    uint32_t cpus;
    struct shmfi_geometry geometry;
    uint64_t budget;
    uint64_t board_size;
    struct shmfi_setup setup; /* its descriptors are those of the other side */
};

/* What the process is given at its fork. */
struct shmfi_early_process {
    int socket;    /* its end */
    int app_pidfd; /* -1: this kernel has none */
    pid_t app_pid;
    const int *keep_fds;
    size_t n_keep_fds;
};

/* ---- early.c: the application ------------------------------------------------------------- */

/* Fills in what a pool of early workers has from that moment: code, mapped regions, threads.
 * SHMF_E_INVAL, SHMF_E_WRONG_PROCESS: there is none; SHMF_E_NOMEM. */
int shmfi_early_join(struct shmf_pool *pool, struct shmf_error *err);

/* Has the pool's supervisor forked. setup.control is sent; it stays the caller's. SHMF_E_CLOSED. */
int shmfi_early_fork(const struct shmf_pool *pool, const struct shmfi_setup *setup,
                     struct shmf_error *err);

/* ---- early_process.c: in that process ----------------------------------------------------- */

/* Runs in the process that shmfi_fork_detached made, all signals blocked. */
_Noreturn void shmfi_early_serve(const struct shmfi_early_process *given);

#endif

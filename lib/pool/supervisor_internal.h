/* The inside of the supervisor process. */
#ifndef SHMFI_POOL_SUPERVISOR_INTERNAL_H
#define SHMFI_POOL_SUPERVISOR_INTERNAL_H

#include "pool/supervisor.h"

struct shmfi_child {
    pid_t pid; /* 0: none */
    uint32_t incarnation;
    uint64_t done; /* records in its ring when it was born */
    uint64_t born; /* ns */
    uint64_t next; /* not to be forked before that time */
    uint64_t delay;
    int barren;       /* times in a row that it died before it had done anything */
    bool dismissed;   /* told to end */
    bool pid_unsent;  /* nor could its pid */
    bool exit_unsent; /* its death could not be reported yet: the socket is full */
    int exit_status;
    struct shmf_backtrace backtrace; /* of its death */
    uint64_t struck;                 /* the task for whose sake it was ended ... */
    int reason;                      /* ... and why; 0: it was not */
    uint64_t cancel;                 /* a running task to be ended, SHMFI_NO_TICKET: none */
    int tries;                       /* left for that */
};

struct shmfi_supervisor {
    struct shmf_pool *pool;
    const struct shmfi_setup *setup;
    struct shmfi_child *children;
    uint32_t incarnations;
    int signals;     /* signalfd for SIGCHLD */
    sigset_t hushed; /* ignored here, but not in workers: what the application ignores stays so
                        there, as after exec */
    pid_t pid;
    bool strays; /* a dead worker may have left processes behind */
    bool stopping;
    bool ending; /* all are killed; only to be reaped */
    uint64_t stop_at;
    struct shmfi_deaf deaf;
    uint64_t mute_since; /* messages cannot be sent since then; 0: they can */
};

/* ---- supervisor_children.c: birth and death ----------------------------------------------- */

/* To the application. False: not now. */
bool shmfi_supervisor_tell(struct shmfi_supervisor *self, enum shmfi_control_type type,
                           uint32_t worker, int64_t value, int fd);

/* Is the place empty, and should not be? */
bool shmfi_supervisor_wants(const struct shmfi_supervisor *self, uint32_t worker);

/* Forks the workers that are missing, where it is time. */
void shmfi_supervisor_spawn(struct shmfi_supervisor *self);

/* The worker was reaped with this wait status. */
void shmfi_supervisor_note_death(struct shmfi_supervisor *self, uint32_t worker, int status);

/* Reaps one child, waiting unless `options` say WNOHANG. False: there is none to reap. */
bool shmfi_supervisor_reap(struct shmfi_supervisor *self, int options);

bool shmfi_supervisor_any_alive(const struct shmfi_supervisor *self);

/* Kills and reaps all workers and whatever they left behind, and ends this process. */
_Noreturn void shmfi_supervisor_end(struct shmfi_supervisor *self);

/* ---- supervisor_tasks.c: ending tasks that run -------------------------------------------- */

/* Kills workers whose task is cancelled or has run longer than its deadline. */
void shmfi_supervisor_end_tasks(struct shmfi_supervisor *self);

/* Kills workers that run a task. */
void shmfi_supervisor_kill_busy(const struct shmfi_supervisor *self);

/* Asked to end that task of the worker: done with the next shmfi_supervisor_end_tasks. */
void shmfi_supervisor_cancel(struct shmfi_supervisor *self, uint32_t worker, uint64_t ticket);

/* Are there tasks with deadlines on the board? */
bool shmfi_supervisor_watches(const struct shmfi_supervisor *self);

#endif

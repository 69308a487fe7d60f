/* A worker: the process in which tasks run. One of these per process, private to it. */
#ifndef SHMFI_POOL_WORKER_H
#define SHMFI_POOL_WORKER_H

#include "pool/supervisor.h"
#include "pool/task_internal.h"

/* Figures of a whole process. */
struct shmfi_counts {
    uint64_t minor_faults, major_faults, recycled, fresh;
};

/* With waiting for memory of our own to come back; see worker_patience.c. */
struct shmfi_patience {
    int64_t lent;         /* results that were delivered and did not come back yet */
    uint64_t spent;       /* ns waited since pages were last obtained instead */
    uint64_t last_task;   /* ns that the last task took */
    uint64_t rewarded_at; /* 1 + number of the task for which waiting last brought something */
    uint32_t skip, skips; /* times not to wait, now and after the next disappointment */
};

struct shmfi_worker {
    struct shmfi_board *board;
    struct shmfi_claimer me;
    struct shmfi_line *line; /* ours on the board */
    const struct shmfi_setup *setup;
    int socket, eventfd;
    pid_t supervisor;
    struct shmfi_spinner spinner;
    struct shmf_task task;
    uint64_t tasks;      /* done so far */
    uint32_t unrung;     /* records published since the application was last woken */
    uint32_t cpus;       /* that the pool may use */
    uint32_t idle_again; /* times that it had nothing to do since it last had a task, or slept */
    uint32_t looks_at_others; /* how often it might have looked who is awake */

    uint64_t news_at;    /* ns: when a task came that it waited for; 0: not known */
    uint64_t idle_since; /* ns: time without a task that is not counted yet; 0: there is none */
    uint64_t uncounted;  /* ns and tasks since the dearer figures were taken */
    uint32_t uncounted_tasks;
    struct shmfi_counts before; /* what predecessors counted, less what we were born with */
    uint64_t private_bytes;     /* before the first task */
    bool outgrown;              /* they have become more than is allowed */

    pthread_mutex_t memory_lock; /* tasks may have threads: budget, returned segments */
    uint64_t task_bytes;         /* granted to the task that runs */
    uint64_t beyond;             /* granted beyond the budget and not given back yet */
    struct shmfi_patience patience;

    uint64_t mail_seen; /* value of line.app_mail when the socket was last emptied */
    uint64_t pressure_seen;
    struct shmfi_deaf deaf;     /* to the application */
    struct shmfi_ids sent;      /* our regions whose descriptor the application has */
    struct shmfi_ids lost;      /* application's regions that could not be mapped here */
    struct shmfi_ids unasked;   /* of these, what tasks needed and it has not been asked for */
    struct shmf_error lost_why; /* the last of them */
    bool lost_any;              /* there was no memory to note one */
    struct shmfi_ids undropped; /* our regions whose end it has not been told of */
    struct shmfi_ids gone; /* application's regions of which lib/task keeps no input any more */
};

/* ---- worker_mail.c ------------------------------------------------------------------------ */

/* Reads the application's messages if it says that there are any. */
void shmfi_worker_read_mail(struct shmfi_worker *self);

/* Makes sure that the handle can be opened here: waits for its region's descriptor. Or why it could
 * not be had; it is asked for again. */
int shmfi_worker_await_region(struct shmfi_worker *self, const struct shmf_handle *handle,
                              struct shmf_error *err);

/* Makes sure that the application has the region's descriptor. */
int shmfi_worker_send_region(struct shmfi_worker *self, struct shmfi_region *region,
                             struct shmf_error *err);

/* Memory's drop hook: the region goes. */
void shmfi_worker_drop_region(void *self, uint64_t id);

/* ---- worker_memory.c ---------------------------------------------------------------------- */

/* The pool's byte budget, as memory asks for it. */
struct shmfi_budget shmfi_worker_budget(struct shmfi_worker *self);

/* Takes back what the application returned. */
void shmfi_worker_take_returns(struct shmfi_worker *self);

/* Has the application returned anything? For park and spin: `self` is a struct shmfi_worker. */
bool shmfi_worker_has_returns(void *self);

/* Gives up what is cached if somebody called for memory. */
void shmfi_worker_relieve(struct shmfi_worker *self);

/* Gives up all that is cached if the application asks for it. */
bool shmfi_worker_is_asked_to_trim(const struct shmfi_worker *self);

/* ---- worker_patience.c -------------------------------------------------------------------- */

/* Memory's hook before a large segment is placed: what has come back, or comes at once, is used
 * again before anything else. */
void shmfi_worker_look(void *self, uint64_t length);

/* Waits, if that promises more than obtaining `bytes`. True: something came back. */
bool shmfi_worker_would_rather_wait(struct shmfi_worker *self, uint64_t bytes);

/* ---- worker_counts.c: our line's figures -------------------------------------------------- */

void shmfi_worker_begin_counting(struct shmfi_worker *self);
void shmfi_worker_count_task(struct shmfi_worker *self); /* it is over, not published yet */
void shmfi_worker_count_waiting(struct shmfi_worker *self, uint64_t now);

/* Takes the figures that cost system calls and locks; sees whether it has outgrown its limit. */
void shmfi_worker_count(struct shmfi_worker *self);

/* From now on what private memory it has more is growth. */
void shmfi_worker_begin_growing(struct shmfi_worker *self);

/* ---- worker.c ----------------------------------------------------------------------------- */

/* The worker that this process is; NULL: none. */
struct shmfi_worker *shmfi_this_worker(void);

/* Ends this process (and the supervisor, which may be stopped) if the application is dead. */
void shmfi_worker_check_app(const struct shmfi_worker *self);

#endif

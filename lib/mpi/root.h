/* What the root knows. */
#ifndef SHMFI_MPI_ROOT_H
#define SHMFI_MPI_ROOT_H

#include "map.h"

/* ---- progress.c --------------------------------------------------------------------------------
 */

struct shmfi_mpi_progress {
    const struct shmf_imap_options *options;
    struct shmf_progress now;
    double started, shown; /* of MPI_Wtime() */
    bool bar;
};

void shmfi_mpi_progress_start(struct shmfi_mpi_progress *progress,
                              const struct shmf_imap_options *options, int64_t total);
void shmfi_mpi_progress_count(struct shmfi_mpi_progress *progress, int64_t done, int64_t failed);
void shmfi_mpi_progress_show(struct shmfi_mpi_progress *progress);
void shmfi_mpi_progress_finish(struct shmfi_mpi_progress *progress);

/* ---- nodes -------------------------------------------------------------------------------------
 */

/* A batch of results that came; its bytes follow. */
struct shmfi_mpi_came {
    struct shmfi_mpi_came *next;
    size_t size;
};

struct shmfi_mpi_node {
    int rank; /* of the leader */
    int workers;
    int64_t held;    /* tasks that it was given, and whose results were not taken */
    int64_t runs;    /* of these, tasks of which nothing came yet */
    int64_t next;    /* of its blocks */
    int64_t mean_ns; /* that its tasks took of late */
    bool idle;       /* there is no task for it any more */
    bool told;       /* to stop */
    bool last;       /* nothing comes from it any more */
    struct shmfi_mpi_buffer orders;
    MPI_Request sending; /* of the orders */

    /* What comes from it. */
    struct shmfi_mpi_came *reports, **last_report;
    size_t at;                 /* in the first of these; 0: it was not begun */
    uint32_t left;             /* results in it */
    struct shmfi_mpi_got *got; /* whose body is under way; NULL: none */
    struct shmfi_mpi_flow flow;
    int socket;    /* for what it lends, or -1 */
    bool blocked;  /* it cannot go on for memory that it has lent */
    uint64_t sink; /* bytes of a body that is thrown away which are still to come */
};

struct shmfi_mpi_root {
    const struct shmf_mpi *mpi;
    const struct shmf_tasks *tasks;
    struct shmf_mpi_imap_options options;
    struct shmfi_mpi_work *own; /* NULL: the root does not lead its node */
    struct shmfi_mpi_node *nodes;
    int n_nodes;
    int workers;  /* of all nodes */
    int busy;     /* nodes from which something is being received */
    int flowing;  /* of these, with a body under way */
    int64_t next; /* to be handed out, where there are no blocks */
    bool ended;   /* tasks->next said so */
    bool late;    /* call_seconds have passed */
    bool broken;  /* a task or a result is lost: what it failed with is no matter of trying again */
    bool stopping; /* what comes is thrown away */
    int64_t out;   /* tasks handed out whose results were not taken */
    struct shmfi_mpi_line line;
    double looked;             /* when it last looked at what else there is to do */
    struct shmf_error blocked; /* with a code: why what comes cannot be held now */
    struct shmfi_mpi_progress progress;
};

/* receive.c: what comes from other nodes; 0, or why the iteration fails. */
int shmfi_mpi_root_receive(struct shmfi_mpi_root *root, int *moved, struct shmf_error *err);
void shmfi_mpi_node_clear(struct shmfi_mpi_node *node);
void shmfi_mpi_node_hang_up(struct shmfi_mpi_node *node); /* borrows no more of it */

/* relieve.c: nothing has moved for `idle` seconds. 1: something was done about it; 0: there is
 * nothing to be done; or what cannot be held now, by whom, which the caller is to be told. */
int shmfi_mpi_root_relieve(struct shmfi_mpi_root *root, double idle, struct shmf_error *err);

/* Of its results, which stay with it. */
void shmfi_mpi_root_count(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node,
                          const struct shmfi_mpi_tally *tally);

/* A result is complete. */
int shmfi_mpi_root_came(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node,
                        struct shmfi_mpi_got *got, struct shmf_error *err);

#endif

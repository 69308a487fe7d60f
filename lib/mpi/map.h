/* Tasks for the pools of all nodes: what the root's side and the nodes' share.
 *
 * The root hands tasks to the leader of each node in batches (TAG_TASKS). The leader has them done
 * by its pool, and sends what came of them as it comes, in batches too (TAG_RESULT): what is small
 * in the message itself, the bytes of larger objects behind it (TAG_BODY), from where the worker
 * put them to where the root has them; on the root's machine these are lent instead. A leader sends
 * no batch before the bodies of the last one are under way, so bodies come in the order in which
 * batches announce them. Where results stay with the nodes, the leader's loop takes them from its
 * line, and batches hold counts only. At the end the root says stop, the leader says that it has,
 * and the root tells all ranks what became of it. */
#ifndef SHMFI_MPI_MAP_H
#define SHMFI_MPI_MAP_H

#include "internal.h"

#include <shmframe/future.h>

/* ---- wait.c: waiting without taking the workers' processors ------------------------------------
 */

/* Zero at first, and again whenever something moved. */
struct shmfi_mpi_patience {
    long microseconds;
    int yields;
};

/* Sleeps a little longer each time, a millisecond at most, or until the pool (may be NULL) has
 * something. With a body under way, `flows`, it does so only when that has not moved for long:
 * MPI copies a little of it with each call. */
void shmfi_mpi_rest(struct shmfi_mpi_patience *patience, struct shmf_pool *pool, bool flows);

/* Has it been a while since `*last`, which then becomes now? With results at hand, what else there
 * is to do is looked at now and then only. */
bool shmfi_mpi_is_time(double *last);

/* MPI_Wait() for long waits. */
int shmfi_mpi_wait(MPI_Request *request, const char *what, struct shmf_error *err);

/* Bytes that grow; zero: none. Start at multiples of 16 bytes. */
struct shmfi_mpi_buffer {
    char *bytes;
    size_t size, room;
};

/* Room for `size` bytes more, which count as there from now on; NULL: no memory. */
void *shmfi_mpi_extend(struct shmfi_mpi_buffer *buffer, size_t size);

/* ---- work.c: tasks in the pool of this rank ----------------------------------------------------
 */

/* What the root says, for all. */
struct shmfi_mpi_terms {
    uint64_t seed;
    double deadline_seconds;
    int attempts;
    int stay, unordered;
    int reserved;
};

struct shmfi_mpi_job;

struct shmfi_mpi_work {
    struct shmf_pool *pool;
    shmf_task_fn fn;
    const struct shmf_tasks *tasks; /* handles and context */
    struct shmfi_mpi_terms terms;
    struct shmfi_mpi_job *running;
    struct shmfi_mpi_job *done, **done_end; /* in the order of completion */
    int64_t given;                          /* tasks so far */
    struct shmf_error blocked; /* with a code: what only results that are held keep from going on */
    double no_files_since;     /* of MPI_Wtime(); 0: there are */
};

void shmfi_mpi_work_start(struct shmfi_mpi_work *work);
int shmfi_mpi_work_submit(struct shmfi_mpi_work *work, int64_t index, const void *arg, size_t size,
                          struct shmf_error *err);

/* Moves the pool on: 0 or more, or why it cannot go on. What is `blocked` (SHMF_E_NOSPC,
 * SHMF_E_NOFILES) is no such reason. */
int shmfi_mpi_work_progress(struct shmfi_mpi_work *work, struct shmf_error *err);

/* 1: the next result, of the `*turn`th task that was given; 0: there is none now; or why there will
 * be none. */
int shmfi_mpi_work_take(struct shmfi_mpi_work *work, struct shmf_result **result, int64_t *turn,
                        struct shmf_error *err);

/* Revokes what did not start; what did is forgotten, or ended with its worker. */
void shmfi_mpi_work_stop(struct shmfi_mpi_work *work, bool ends);

/* ---- flow.c: bodies under way ------------------------------------------------------------------
 */

struct shmfi_mpi_part {
    char *bytes; /* only read where it is sent */
    uint64_t size;
};

enum { SHMFI_MPI_LANES = 4 };

/* The parts of one body, cut into pieces the same way on both sides, a few of them at a time. */
struct shmfi_mpi_flow {
    struct shmfi_mpi_part *parts; /* owned */
    size_t n_parts, part;
    uint64_t at; /* in that part */
    MPI_Request requests[SHMFI_MPI_LANES];
    int rank;
    bool sends;
};

void shmfi_mpi_flow_start(struct shmfi_mpi_flow *flow, int rank, bool sends);

/* 1: all of it went; 0: not yet (`*moved` counts what did); or the failure of MPI. */
int shmfi_mpi_flow_step(const struct shmf_mpi *mpi, struct shmfi_mpi_flow *flow, int *moved,
                        struct shmf_error *err);
void shmfi_mpi_flow_free(struct shmfi_mpi_flow *flow);

/* ---- parcel.c: a result on its way -------------------------------------------------------------
 */

enum shmfi_mpi_what {
    SHMFI_MPI_BYTES,   /* the body is what was returned */
    SHMFI_MPI_ARRAY,   /* described by struct shmfi_mpi_shape; the body is its elements */
    SHMFI_MPI_COLUMNS, /* described by a frame without rows; the body is its columns */
    SHMFI_MPI_IMAGE    /* the body is the image of a frame */
};

enum shmfi_mpi_where {
    SHMFI_MPI_HERE,   /* in the message */
    SHMFI_MPI_BEHIND, /* it comes by itself, TAG_BODY */
    SHMFI_MPI_LENT    /* where the worker put it: lend.c. An array, or the image of a frame */
};

/* Stands before what it announces, each padded to 16 bytes: the description, and the body where it
 * is small. */
struct shmfi_mpi_label {
    int64_t index;
    uint64_t nanoseconds;
    int32_t status; /* not 0: the description is a struct shmf_failure */
    int32_t worker;
    uint32_t what;  /* enum shmfi_mpi_what */
    uint32_t where; /* the body is: enum shmfi_mpi_where */
    uint64_t described;
    uint64_t body;
    int64_t rows, start; /* of a frame of columns */
    int64_t step;
    int64_t reserved;
};

struct shmfi_mpi_shape {
    int32_t dtype, ndim;
    int64_t shape[SHMF_MAX_DIMS];
};

/* What keeps a body in its place until it has gone. */
struct shmfi_mpi_package {
    struct shmf_result *result;
    struct shmf_frame *sealed;
    struct shmfi_mpi_flow flow;
    struct shmfi_mpi_package *next;
};

struct shmfi_mpi_lender;

/* Puts label, description and small body behind what `buffer` holds. `result` is freed, or kept in
 * `*package` where its body is to be sent to `rank`; else that is NULL. */
int shmfi_mpi_pack(struct shmfi_mpi_buffer *buffer, struct shmf_result *result,
                   struct shmfi_mpi_lender *lender, int rank, struct shmfi_mpi_package **package,
                   struct shmf_error *err);

/* Bytes in a frame's columns. */
uint64_t shmfi_mpi_data_bytes(const struct shmf_frame *frame);
void shmfi_mpi_package_free(struct shmfi_mpi_package *package);

/* A result at the root, or where it stays. */
struct shmfi_mpi_got {
    struct shmf_mpi_result result; /* the first, which the caller has */
    struct shmf_failure failure;
    struct shmf_result *own;  /* of this rank's pool */
    struct shmf_image *image; /* while it is received */
    bool is_workers;          /* the object lies in memory of a node's workers */
    int64_t start, step;      /* of the rows' numbers */
    int64_t key;              /* whose turn it is when */
};

/* Of this rank's pool; takes `result`. NULL: no memory, and `result` is freed. */
struct shmfi_mpi_got *shmfi_mpi_own(struct shmf_result *result);

/* What `label` announces, which may have been lent over `socket`, with the places for its body in
 * `*flow` (parts, n_parts). Where the result cannot be held now it is NULL and `*err` says why
 * (SHMF_E_NOSPC, SHMF_E_NOFILES, SHMF_E_NOMEM), to be tried again; where it cannot be at all, it is
 * a failure, without parts. */
struct shmfi_mpi_got *shmfi_mpi_unpack(const struct shmfi_mpi_label *label, int *socket,
                                       struct shmfi_mpi_flow *flow, struct shmf_error *err);

/* The body is there. */
void shmfi_mpi_complete(struct shmfi_mpi_got *got);
void shmfi_mpi_fail(struct shmfi_mpi_got *got, const struct shmf_error *why);

/* ---- lend.c: results that the root reads where they lie -----------------------------------------
 */

/* To the leaders of the other nodes of the root's machine. */
struct shmfi_mpi_offer {
    struct shmfi_mpi_door door;
    int64_t most; /* loans that each may have out */
};

/* The root opens a door if there are such leaders. The socket on which it listens; -1: results are
 * sent, and `offer` says so. */
int shmfi_mpi_lend_open(const struct shmf_mpi *mpi, struct shmfi_mpi_offer *offer);

/* A leader goes in: its socket; -1: it is not meant, or cannot, and sends. */
int shmfi_mpi_lend_go_in(const struct shmf_mpi *mpi, int root, const struct shmfi_mpi_offer *offer);

/* The root lets in the `come` that did, and closes `listening`: their sockets by node, -1 for the
 * others. Whom it does not let in notices, and sends. */
void shmfi_mpi_lend_let_in(const struct shmf_mpi *mpi, const struct shmfi_mpi_offer *offer,
                           int listening, int come, int *sockets);

/* A leader that lends to the root. */
struct shmfi_mpi_lender {
    struct shmf_mpi *mpi;
    const struct shmf_pool *pool;
    int socket;  /* -1: it sends */
    bool let_in; /* the root has said so */
    int64_t loans, most_loans;
    uint64_t bytes, most_bytes; /* of this pool */
    double next_sweep;          /* of MPI_Wtime() */
    struct shmfi_mpi_lent *out; /* what is lent */
};

void shmfi_mpi_lender_start(struct shmfi_mpi_lender *lender, struct shmf_mpi *mpi,
                            struct shmf_pool *pool, int socket, int64_t most_loans);

/* Takes back what the root has freed, when it is time to look again. */
void shmfi_mpi_lender_sweep(struct shmfi_mpi_lender *lender);

/* What is out still counts in the next iteration. */
void shmfi_mpi_lender_free(struct shmfi_mpi_lender *lender);

/* Lends what was delivered, and completes `label`; false: it is to be sent. It is the caller's to
 * free in any case. */
bool shmfi_mpi_lend(struct shmfi_mpi_lender *lender, struct shmf_result *result,
                    struct shmfi_mpi_label *label);

/* The other side: what the label announces, or its failure, in `*got`. SHMF_E_NOFILES,
 * SHMF_E_NOMEM: it cannot be held now, and is still there. */
int shmfi_mpi_borrow(int *socket, const struct shmfi_mpi_label *label, struct shmfi_mpi_got *got,
                     struct shmf_error *err);

/* Copies what lies in a worker's memory (is_workers) into memory of this process, where it can be
 * written. On failure it is still there. */
int shmfi_mpi_take_over(struct shmfi_mpi_got *got, struct shmf_error *err);

/* ---- line.c: results that wait for the caller --------------------------------------------------
 */

/* A heap, whose first has the smallest key. Zero: empty, in the order of keys from 0 on. */
struct shmfi_mpi_line {
    struct shmfi_mpi_got **heap;
    size_t ready, room;
    bool unordered; /* by order of completion, whatever the keys */
    int64_t came, taken;
};

/* Frees `got` where that fails. */
int shmfi_mpi_line_keep(struct shmfi_mpi_line *line, struct shmfi_mpi_got *got,
                        struct shmf_error *err);
bool shmfi_mpi_line_has_next(const struct shmfi_mpi_line *line);
struct shmfi_mpi_got *shmfi_mpi_line_take(struct shmfi_mpi_line *line);
void shmfi_mpi_line_clear(struct shmfi_mpi_line *line);

/* ---- serve.c: the leader of a node that is not the root's ---------------------------------------
 */

/* Tasks of one batch: this, then for each a struct shmfi_mpi_order and its argument, padded. */
struct shmfi_mpi_orders {
    uint32_t count;
    uint32_t stop; /* what goes on is 1: forgotten; 2: ended */
    uint64_t reserved;
};

struct shmfi_mpi_order {
    int64_t index;
    uint64_t size;
};

/* Of results that stay: what was done since the last report, of it failed, and was taken. */
struct shmfi_mpi_tally {
    int64_t done, failed, taken;
    int64_t nanoseconds;
};

/* Results of one batch: this, then labels and what they announce. */
struct shmfi_mpi_report {
    uint32_t count;
    uint32_t last;    /* nothing comes after it */
    uint32_t blocked; /* the node cannot go on for memory that is lent */
    uint32_t reserved;
    struct shmfi_mpi_tally tally;
    struct shmf_error why; /* with a code: the node cannot go on */
    uint64_t padding;
};

_Static_assert(sizeof(struct shmfi_mpi_report) % 16 == 0, "labels start at multiples of 16 bytes");

struct shmfi_mpi_server;

/* Takes over `lender`, on failure too. */
struct shmfi_mpi_server *shmfi_mpi_server_new(const struct shmf_mpi *mpi,
                                              struct shmfi_mpi_work *work, int root,
                                              struct shmfi_mpi_lender *lender,
                                              struct shmf_error *err);

/* Until there is a result that stays: 1; or the root said stop: 0; or results that are held block
 * what comes (SHMF_E_NOSPC, SHMF_E_NOFILES); or what MPI failed with: other failures are the root's
 * to tell. */
int shmfi_mpi_serve(struct shmfi_mpi_server *server, struct shmfi_mpi_got **got,
                    struct shmf_error *err);

/* Nobody takes the results that stay any more: the root ends the iteration. */
void shmfi_mpi_server_leave(struct shmfi_mpi_server *server, const struct shmf_error *why);
void shmfi_mpi_server_free(struct shmfi_mpi_server *server);

/* ---- root.c ------------------------------------------------------------------------------------
 */

struct shmfi_mpi_root;

/* By rank, of each leader. */
struct shmfi_mpi_leader {
    int workers; /* of its pool */
    int near;    /* it has come for lending */
};

/* `own` is NULL where the root does not lead its node. `sockets`, by node, for borrowing: closed
 * with the root, not on failure. */
struct shmfi_mpi_root *shmfi_mpi_root_new(const struct shmf_mpi *mpi,
                                          const struct shmf_tasks *tasks,
                                          const struct shmf_mpi_imap_options *options,
                                          struct shmfi_mpi_work *own,
                                          const struct shmfi_mpi_leader *leaders,
                                          const int *sockets, struct shmf_error *err);

/* As shmf_mpi_iter_next. */
int shmfi_mpi_root_next(struct shmfi_mpi_root *root, struct shmfi_mpi_got **got,
                        struct shmf_error *err);

/* The failure is the end, whatever its code. NULL is fine: it is not. */
bool shmfi_mpi_root_is_broken(const struct shmfi_mpi_root *root);

/* Stops all nodes, throws away what still comes. 0, or the failure of MPI. */
int shmfi_mpi_root_stop(struct shmfi_mpi_root *root, struct shmf_error *err);
void shmfi_mpi_root_free(struct shmfi_mpi_root *root);

#endif

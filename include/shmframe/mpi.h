/* libshmframe: frames beyond one machine: MPI moves bytes between nodes, libshmframe within them.
 *
 * An optional component (shmframe::mpi) with a library of its own, built where there is an MPI. A
 * node is what ranks share memory on. What is broadcast lies on each node once, in sealed shared
 * memory into which it was received, and all ranks of the node read it there; it is an object like
 * any other, which a rank frees when it needs it no longer, and of which nothing is left when the
 * last rank has ended, however it ended.
 * Collective functions are called by all ranks of the communicator, in the same order, and return
 * the same status on all of them: where one fails all fail, and the message says which rank and
 * why. Their object arguments may be of use on some ranks only. docs/mpi.md is the guide.
 * Thread safety: one thread at a time, as MPI_THREAD_SERIALIZED means it. Fork: nothing here may be
 * called in a forked child. */
#ifndef SHMFRAME_MPI_H
#define SHMFRAME_MPI_H

#include <shmframe/array.h>
#include <shmframe/early.h>
#include <shmframe/frame.h>
#include <shmframe/pool.h>
#include <shmframe/reduce.h>

#include <mpi.h>

SHMF_BEGIN_DECLS

/* ---- ranks and nodes ---------------------------------------------------------------------- */

/* A communicator and its nodes. */
struct shmf_mpi;

/* Zero means the default in every field. Must be the same on all ranks. */
struct shmf_mpi_options {
    int ranks_per_node;   /* > 0: ranks of a machine are split into virtual nodes of so many each,
                             for tests; 0: as the environment variable SHMFRAME_MPI_RANKS_PER_NODE
                             says, else one node a machine */
    int apart;            /* nonzero: between nodes of one machine results are sent, as between
                             machines, for tests; 0: as SHMFRAME_MPI_APART says, else they are lent
                             where they lie (lend.h) */
    uint64_t piece_bytes; /* sent with one call of MPI; 0: 8 MiB; at most 2^30 */
    uint64_t reserved[6]; /* must be zero */
};

/* Where a rank is. */
struct shmf_mpi_place {
    int rank, ranks;           /* in the communicator */
    int node, nodes;           /* nodes are numbered by their lowest rank */
    int node_rank, node_ranks; /* among the ranks of its node; 0 leads the node */
};

/* Forks the early process (early.h, with `options`), of which pools with SHMF_START_EARLY fork
 * their workers, and then calls MPI_Init_thread(): workers have nothing of MPI, neither its threads
 * nor its sockets nor memory that it has pinned. To be called at the very beginning of main().
 * SHMF_E_INVAL: it is too late, because MPI is initialised (or finalised) or other threads run
 * already; SHMF_E_SYS: MPI_Init_thread() failed; others as of shmf_early_start(). `provided` may be
 * NULL. */
SHMF_API int shmf_mpi_init(int *argc, char ***argv, int required, int *provided,
                           const struct shmf_early_options *options, struct shmf_error *err);

/* Collective over `comm`, which is duplicated. Finds the nodes, and connects the ranks of each by
 * Unix sockets without names. `options` may be NULL. SHMF_E_INVAL: names the field; MPI is not
 * initialised; SHMF_E_SYS, SHMF_E_NOFILES, SHMF_E_NOMEM. */
SHMF_API struct shmf_mpi *shmf_mpi_new(MPI_Comm comm, const struct shmf_mpi_options *options,
                                       struct shmf_error *err);

/* Collective; before MPI_Finalize(). Objects that came through it stay. NULL is fine. */
SHMF_API void shmf_mpi_free(struct shmf_mpi *mpi);

/* Where `rank` is; negative: this one. Fills `*place`. SHMF_E_RANGE, SHMF_E_INVAL: NULL. Local. */
SHMF_API int shmf_mpi_place(const struct shmf_mpi *mpi, int rank, struct shmf_mpi_place *place);

/* ---- one copy a node ---------------------------------------------------------------------- */

/* Collective. Gives the object that rank `root` has to all ranks, once a node. At the root `*frame`
 * becomes sealed (shmf_frame_seal, image.h: without copying it where it has 32 MiB and more);
 * elsewhere it is set to the frame, which the caller frees; to NULL on failure. Each node but the
 * root's receives the frame's bytes once, straight into the segment. */
SHMF_API int shmf_mpi_bcast(struct shmf_mpi *mpi, int root, struct shmf_frame **frame,
                            struct shmf_error *err);
SHMF_API int shmf_mpi_bcast_array(struct shmf_mpi *mpi, int root, struct shmf_array **array,
                                  struct shmf_error *err);

/* Collective. The ranks of a node show each other frames without copying them (but as sealing may):
 * frames[i], of as many as the node has ranks, is that of the node's rank i, or NULL where it gave
 * none. Each gives its own, frames[node_rank], and frees all. */
SHMF_API int shmf_mpi_exchange(struct shmf_mpi *mpi, struct shmf_frame **frames,
                               struct shmf_error *err);

/* ---- rows in parts ------------------------------------------------------------------------ */

/* The part begin <= i < end of 0 <= i < n that is the rank's: parts follow each other in the order
 * of ranks, and differ by one at most. SHMF_E_RANGE, SHMF_E_INVAL. Local. */
SHMF_API int shmf_mpi_part(const struct shmf_mpi *mpi, int rank, int64_t n, int64_t *begin,
                           int64_t *end);

/* Collective. Each rank gets its rows of the root's frame, with their labels: a frame of its own
 * that it frees; the root's is a slice. Slices and selections go as the frames that they are, here
 * as in all of these calls. The root needs memory for one part beside the frame. SHMF_E_ACCESS: the
 * frame is not finished. */
SHMF_API int shmf_mpi_scatter(struct shmf_mpi *mpi, int root, const struct shmf_frame *frame,
                              struct shmf_frame **part, struct shmf_error *err);

/* Collective. The root gets the rows of all ranks' frames in the order of ranks, as
 * shmf_frame_concat puts them together; elsewhere `*whole` is set to NULL. Columns of numbers
 * without nulls, and rows without text as labels, are received into their place in the frame; other
 * frames are received whole, and copied once. SHMF_E_DTYPE: a rank has other columns. */
SHMF_API int shmf_mpi_gather(struct shmf_mpi *mpi, int root, const struct shmf_frame *part,
                             struct shmf_frame **whole, struct shmf_error *err);

/* Collective. The same for all ranks: once a node, as a broadcast frame. */
SHMF_API int shmf_mpi_allgather(struct shmf_mpi *mpi, const struct shmf_frame *part,
                                struct shmf_frame **whole, struct shmf_error *err);

/* ---- tasks for the pools of all nodes -------------------------------------------------------- */

/* How they go; zero means the default in every field. What the root gives counts. */
struct shmf_mpi_imap_options {
    struct shmf_imap_options imap; /* as of one pool, but that `window` is that of each node: tasks
                                      given to it whose results were not taken; 0: two for each
                                      worker and more of tasks that take less than 1 ms */
    int64_t block;        /* > 0: nodes get blocks of so many tasks in turn, however fast they are;
                             0: each gets a task when it has room for one. In order, a node waits
                             with its window full until the blocks before were taken, unless
                             results stay */
    int stay;             /* nonzero: results are delivered on the node whose pool made them, to the
                             rank that leads it, in the order in which the node has their tasks or of
                             completion; 0: to the root */
    int reserved0;        /* must be zero */
    uint64_t reserved[6]; /* must be zero */
};

/* What a task delivered, or why it did not; as in result.h. The objects are the
 * result's: who wants to keep one sets its field to NULL. `bytes` may be NULL for 0 of them. */
struct shmf_mpi_result {
    int64_t index;
    int status;       /* SHMF_OK, or a code */
    int node, worker; /* that ran it */
    int reserved;
    uint64_t nanoseconds;
    const struct shmf_failure *failure; /* NULL: none. Backtraces are of the
                                           caller's own node only */
    const void *bytes;
    size_t size;
    struct shmf_array *array;
    struct shmf_frame *frame;
};

struct shmf_mpi_iter;

/* Collective. Starts mapping `fn` over the root's `tasks` in the pools of all nodes: each is the
 * rank's that leads the node (node_rank 0), and `pool` is of no use elsewhere. The root's count,
 * args, arg_size, next, user and seed count; `handles` and `context` are those that each leader
 * gives, for the tasks of its node, say of a frame that was broadcast. Those that `next` gives are
 * refused (SHMF_E_UNSUPPORTED). Pools should have the node's processors to themselves: mpirun binds
 * ranks to cores unless told otherwise (--bind-to none), and so their pools.
 * While it goes on no other collective function of `mpi` may be called (SHMF_E_INVAL). The caller
 * frees the iterator. Errors: as of shmf_pool_imap, but that a stale handle shows when the first
 * tasks run. */
SHMF_API struct shmf_mpi_iter *shmf_mpi_imap(struct shmf_mpi *mpi, int root, struct shmf_pool *pool,
                                             shmf_task_fn fn, const struct shmf_tasks *tasks,
                                             const struct shmf_mpi_imap_options *options,
                                             struct shmf_error *err);

/* Collective: all ranks call it until it returns no result. At the root as shmf_iter_next, results
 * of its own node, and from 1 MiB on those of other nodes of its machine, being where the worker
 * made them (read-only, and counted against the budget_bytes of that node's pool until the root
 * frees them; what would be more than half of it is sent), others in memory of the root's; beside
 * SHMF_E_NOSPC, SHMF_E_NOFILES and SHMF_E_NOMEM also mean that what comes cannot be held now, and
 * that it may be called again when some was freed; who holds none had better give up. On the other
 * ranks it does the node's tasks, or sleeps, and returns when the root's iteration ends, what the
 * root's did then: 0 or the failure. Messages of the program move on meanwhile. With options->stay
 * it returns results on each rank that leads a node, those of its node, where the worker made them,
 * and 0 or the failure, the same on all ranks, when those of all nodes were taken. A node whose
 * leader is slow to call it has its window full, and the others go on. In order, results that wait
 * for their turn are held as the caller's are: a window of them must fit into the pool's
 * budget_bytes. */
SHMF_API int shmf_mpi_iter_next(struct shmf_mpi_iter *iter, struct shmf_mpi_result **result,
                                struct shmf_error *err);

/* Collective. At the root, ends what goes on: revokes what did not start, and throws away what did.
 * With options->stay any rank that leads a node, and the root, ends it so for all, whose loops then
 * end with SHMF_E_CANCELLED: there are results that nobody got. NULL is fine. */
SHMF_API void shmf_mpi_iter_free(struct shmf_mpi_iter *iter);

/* Local. NULL is fine. */
SHMF_API void shmf_mpi_result_free(struct shmf_mpi_result *result);

/* Collective: shmf_pool_reduce by the pools of all nodes, in which each folds a share of the
 * elements that goes by its workers; nodes' accumulators, not elements, go to the root, combined on
 * their way in a binary tree. `tasks`, `options` and `size` are the same on all ranks, but for
 * handles and context, and so is `accumulator` at first, the neutral element; in the end the
 * root's is the combination, and others are undefined. Elements are combined in their order, so the
 * result is the same to the bit with the same `chunk` and as many workers on each node.
 * options->failed_fn is called by the leader of the node where it happened. Outside MPI while the
 * node's pool works: messages of the program wait that long. Returns the same on all ranks:
 * SHMF_OK, or how one node failed; the other elements are in the accumulator. */
SHMF_API int shmf_mpi_reduce(struct shmf_mpi *mpi, int root, struct shmf_pool *pool,
                             shmf_fold_fn fold, shmf_combine_fn combine,
                             const struct shmf_tasks *tasks,
                             const struct shmf_reduce_options *options, void *accumulator,
                             size_t size, struct shmf_error *err);

SHMF_END_DECLS

#endif

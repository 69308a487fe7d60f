/* The application's side of a pool: everything that is true about tasks lies here, in private
 * memory; what the board says is checked against it.
 *
 * Locks, in the order in which they are taken: pool.lock (all of struct shmf_pool and its
 * iterators), then the desk lock of desk.c (returned segments), then those of lib/memory. */
#ifndef SHMFI_POOL_INTERNAL_H
#define SHMFI_POOL_INTERNAL_H

#include "board/board.h"
#include "board/wait.h"
#include "memory/memory.h"
#include "pool/code.h"
#include "pool/deaf.h"
#include "pool/grants.h"
#include "pool/ids.h"
#include "pool/messages.h"
#include "pool/result.h"
#include "pool/shared.h"

#include <shmframe/control.h>

#include <pthread.h>
#include <sys/types.h>

/* One worker as the application knows it. */
struct shmfi_member {
    uint32_t incarnation; /* 0: none lives, as far as we know */
    int socket;           /* our end of its socket, -1: none */
    pid_t pid;
    _Atomic uint64_t got; /* records harvested from its ring, all incarnations; read while parked */
    uint64_t mail_read;   /* of the messages that line.mail counts */
    uint64_t tasks;       /* harvested from this incarnation */
    uint32_t dismissed;   /* the incarnation that was told to end; 0: none */
    uint64_t born;        /* incarnations that it has had */
    struct shmfi_ids sent;     /* application's regions that it was sent */
    struct shmfi_ids granted;  /* application's regions that it can write */
    struct shmfi_ids regions;  /* its regions, adopted here */
    struct shmfi_ids lost;     /* its regions whose descriptor must be sent again */
    bool forgetful;            /* some could not be read of, or noted, for want of memory */
    struct shmfi_return *kept; /* given back, but its ring was full; the desk's */
    size_t n_kept, kept_capacity;
};

/* Where results go: an iterator, a future. Embedded in them. */
struct shmfi_sink {
    /* Takes the result over; called once per task, with pool.lock held. */
    void (*deliver)(struct shmfi_sink *sink, struct shmf_result *result);
    int attempts;  /* how often a task may be started */
    uint32_t slot; /* in which the last of its tasks was queued */
};

/* A task in a slot. `sink` is NULL when nobody waits for the result any more. */
struct shmfi_job {
    bool busy;
    bool has_deadline;
    bool suspect;        /* its worker seemed to have gone on without it when we last looked */
    uint32_t generation; /* of the slot's current or next task */
    int attempts;
    int64_t index;
    struct shmfi_sink *sink;
    struct shmfi_shared *shared; /* kept alive until the task is harvested, as are ... */
    struct shmfi_segment **pins; /* ... its own handles' segments */
    size_t n_pins;
    struct shmfi_granted *granted; /* what it may write, or NULL */
    struct shmfi_slot *copy;       /* of the task, where it may have to start again */
    struct shmf_result *result;    /* made beforehand */
    uint64_t serial;               /* order of submission */
};

struct shmf_pool {
    uint64_t epoch;   /* of the process it belongs to */
    uint64_t made_at; /* code: where shmf_pool_new returned to */
    pthread_mutex_t lock;
    pthread_cond_t harvested; /* somebody parked for all and is back */
    bool parked;              /* a thread is in poll for everybody */
    uint32_t followers;       /* threads that wait for it, or for an inline task, to come back */
    uint32_t away;            /* threads that let go of the lock in the middle of a call */
    bool freeing;             /* they are called back: the pool goes */
    _Atomic uint32_t entered; /* threads that are inside a call; the pool goes when there is none */
    bool is_inline;
    bool is_early;       /* its workers stem from shmf_early_start */
    _Atomic bool closed; /* no new work; changed once, read without the lock, as are ... */
    _Atomic int broken;  /* ... 0, or the status that every call reports, set after ... */
    char broken_why[SHMF_ERROR_MESSAGE_SIZE];

    _Atomic uint32_t n_workers; /* those with lower numbers may live, or have left records */
    uint32_t wanted;            /* workers, in the end */
    uint32_t places;            /* of these, that tasks have needed so far; the board says so too */
    uint32_t told;              /* places that the supervisor knows of */
    uint32_t coming;            /* workers that were asked for and are not announced yet, about */
    bool on_demand;             /* places need not be `wanted` */
    uint32_t max_workers;       /* places on the board */
    uint32_t cpus;              /* that we may use */
    uint32_t window;            /* as the caller asked; the board has the next power of two */
    uint64_t budget;
    struct shmfi_board board;
    void *board_memory;
    size_t board_size;
    int board_fd; /* of an early pool, until it is sent; else -1 */
    int control, eventfd;
    struct shmfi_deaf deaf; /* to the supervisor */
    pid_t supervisor;
    int supervisor_pidfd;         /* -1: this kernel has none */
    struct shmfi_code code;       /* that workers have */
    uint64_t regions_at_fork;     /* serial: older regions are mapped in every worker */
    struct shmfi_spinner spinner; /* of the thread that is parked */
    bool woke;                    /* a worker, since it last was */

    struct shmfi_member *members; /* max_workers */
    struct shmfi_job *jobs;       /* board.geometry.slots */
    struct shmf_result *spare;    /* for the next task; or NULL: it is made then */
    uint32_t *free_slots;
    uint32_t n_free;
    uint32_t spawned; /* workers that the supervisor reported as forked */
    int spawn_errno;  /* why the last fork failed, 0: none did */
    bool supervisor_gone;
    uint32_t barren; /* workers in a row that died before they took a task */
    uint32_t futile; /* births in a row that failed, or were killed before they took a task ... */
    uint64_t futile_since; /* ns: ... while tasks waited, the first of them */
    uint64_t serial;

    struct shmf_iter *iters;
    struct shmf_future *futures;                /* all */
    struct shmf_future *backlog, **backlog_end; /* those that wait for a slot, oldest first */
    int epoll;                                  /* of shmf_pool_fd, -1: nobody asked */
    uint64_t quiet_since; /* ns: when shmf_pool_progress last saw a result, or rescanned */
    uint64_t
        blocked_since; /* ns: when it first saw that the caller blocks progress; 0: he does not */
    struct shmf_pool_stats stats; /* what the application counts of it */

    /* the desk's */
    struct shmf_pool *next_open;
    uint64_t orphaned_bytes;  /* of dead workers' regions that results keep alive */
    bool orphans_over;        /* some of them are not needed any more */
    _Atomic bool has_kept;    /* some member has segments in `kept`; read without the lock */
    _Atomic bool has_dropped; /* `dropped` is not empty; the same */
    struct shmfi_ids dropped; /* the application's regions that workers must be told of */
    uint64_t alive_bytes;     /* delivered by workers and not given back */
    uint64_t ready_bytes;     /* of these, in results that wait in iterators */
};

/* ---- check.c: may this call go on? -------------------------------------------------------- */

int shmfi_pool_check(const struct shmf_pool *pool, struct shmf_error *err);
int shmfi_pool_check_usable(const struct shmf_pool *pool, struct shmf_error *err); /* or closed */

/* Can workers call the function, the caller's argument `fn`? SHMF_E_INVAL. */
int shmfi_pool_check_function(struct shmf_pool *pool, uintptr_t fn, struct shmf_error *err);

/* The same of an argument of that name, which may be NULL. */
int shmfi_pool_check_code(struct shmf_pool *pool, const char *what, uintptr_t function,
                          struct shmf_error *err);

/* Every call on a pool holds its lock between these two, and is counted from before it waits for
 * it, so that shmf_pool_free lets it come to its end. SHMF_E_CLOSED, not locked: the pool goes. */
int shmfi_pool_lock(struct shmf_pool *pool, struct shmf_error *err);
void shmfi_pool_unlock(struct shmf_pool *pool);

/* The same by way of an iterator's or a future's word; NULL: it has no pool any more. */
struct shmf_pool *shmfi_pool_lock_of(struct shmf_pool **pool);

/* A call that locks the pool now and then. */
void shmfi_pool_enter(struct shmf_pool *pool);
void shmfi_pool_leave(struct shmf_pool *pool);

/* Lets go of pool.lock in the middle of a call, and takes it again. The pool may have come to its
 * end meanwhile (pool.freeing): the call must end too. */
void shmfi_pool_step_out(struct shmf_pool *pool);
void shmfi_pool_step_in(struct shmf_pool *pool);

/* ---- members.c: the workers come and go --------------------------------------------------- */

/* Reads the supervisor's messages that are there. */
void shmfi_pool_read_control(struct shmf_pool *pool);
bool shmfi_pool_supervisor_died(const struct shmf_pool *pool);
void shmfi_pool_break(struct shmf_pool *pool, const char *format, ...) SHMF_PRINTF(2, 3);
void shmfi_pool_kill_worker(struct shmf_pool *pool, uint32_t worker);

/* Forgets the last workers while these are dead and not wanted. */
void shmfi_pool_forget_surplus(struct shmf_pool *pool);

/* Forgets all that belonged to the worker's incarnation. */
void shmfi_member_clear(struct shmf_pool *pool, uint32_t worker);

/* ---- resize.c ----------------------------------------------------------------------------- */

/* More tasks are in flight than the supervisor knows of places: has it fork the workers that they
 * lack. Never waits: what could not be said is said with the next task, or when somebody waits. */
void shmfi_pool_grow(struct shmf_pool *pool);

static inline void shmfi_pool_grow_if_needed(struct shmf_pool *pool)
{
    if (pool->told < pool->wanted && pool->board.geometry.slots - pool->n_free > pool->told)
        shmfi_pool_grow(pool);
}

/* ---- futile.c: tasks wait, and there is nobody to run them -------------------------------- */

/* A worker could not be forked, or was killed before it took a task. */
void shmfi_pool_note_futile(struct shmf_pool *pool);

/* When all messages are read: breaks the pool where that has gone on for too long. */
void shmfi_pool_give_up(struct shmf_pool *pool);

/* ---- failure.c ---------------------------------------------------------------------------- */

/* "module(function+0x12) [0x5555...]" for each; NULL: not to be had. One block, the caller's. */
char **shmfi_names_of(const struct shmf_backtrace *backtrace, int count);

/* Of the task that the worker ran whose death the message reports. */
void shmfi_failure_of_death(struct shmf_failure *failure, int worker, pid_t pid,
                            const struct shmfi_control *message);

/* ---- mail.c: descriptors of regions ------------------------------------------------------- */

/* Reads what the worker sent about its regions. */
void shmfi_pool_read_mail(struct shmf_pool *pool, uint32_t worker);

/* Asks the worker for the descriptors that were lost. */
void shmfi_pool_ask_again(struct shmf_pool *pool, uint32_t worker);

/* The worker is dead: its regions stay as long as results are alive in them. */
void shmfi_pool_orphan_regions(struct shmfi_member *member);

/* Unmaps dead workers' regions that no result needs any more, or all that the pool lent. */
void shmfi_pool_retire_orphans(struct shmf_pool *pool, bool all);

/* A region of the worker's, or one that it gave up, is not needed any more. */
void shmfi_pool_forget_region(struct shmfi_member *member, uint64_t id);

/* Sends the region to every living worker that lacks it (or, with `need_fd`, lacks its
 * descriptor). 1: all have it; 0: a socket is full, try later; negative: it cannot be sent. */
int shmfi_pool_send_region(struct shmf_pool *pool, struct shmfi_region *region, bool need_fd,
                           struct shmf_error *err);

/* Memory's drop hook, and the telling of workers that follows. A worker that has a pool of its own
 * is both: `worker` is NULL in an application. */
void shmfi_region_dropped(void *worker, uint64_t id);
void shmfi_pool_send_drops(struct shmf_pool *pool);

/* ---- harvest.c ---------------------------------------------------------------------------- */

/* Turns the records that are there into results. Returns how many came, or SHMF_E_NOFILES when a
 * result's memory could not be mapped for want of descriptors (it is kept and asked for again). */
int shmfi_pool_harvest(struct shmf_pool *pool, struct shmf_error *err);

/* The records of the worker's incarnation, for good: it is dead. */
void shmfi_pool_harvest_last(struct shmf_pool *pool, uint32_t worker);

/* Counts the result and hands it over. */
void shmfi_pool_deliver(struct shmf_pool *pool, struct shmfi_sink *sink,
                        struct shmf_result *result);

/* The job's result is this failure. */
void shmfi_pool_fail_job(struct shmf_pool *pool, uint32_t slot, const struct shmf_failure *failure);

/* ---- wait.c ------------------------------------------------------------------------------- */

#define SHMFI_FIRST_WAIT_MS 1

/* Results came in while another thread sleeps for all, or the pool goes: it should look. */
void shmfi_pool_wake_parked(struct shmf_pool *pool);

/* Waits, with pool.lock released meanwhile, for the thread that sleeps for all, or runs an inline
 * task. The pool may be about to be freed afterwards (`freeing`). */
void shmfi_pool_follow(struct shmf_pool *pool);

/* A shmfi_ready_fn: did any worker publish? Needs no lock. */
bool shmfi_pool_has_news(void *pool);

/* Waits, with pool.lock released meanwhile, until something may have happened that matters to the
 * sink, at most *wait_ms, which grows from call to call. SHMF_E_NOSPC: its oldest task waits for
 * memory that only the caller can give back. */
int shmfi_pool_await(struct shmf_pool *pool, const struct shmfi_sink *sink, int *wait_ms,
                     struct shmf_error *err);

/* Where workers wait for memory, lets the one go on whose task is the oldest. True: that one waits
 * for what only the caller can give back. */
bool shmfi_pool_share_memory(struct shmf_pool *pool);

/* The failure that goes with it. */
int shmfi_pool_error_blocked(struct shmf_pool *pool, struct shmf_error *err);

/* Mends what a wake-up that was lost left undone. */
void shmfi_pool_rescan(struct shmf_pool *pool);

/* ---- future.c ----------------------------------------------------------------------------- */

/* Harvests, and queues what waits for a slot. As shmfi_pool_harvest. */
int shmfi_pool_advance(struct shmf_pool *pool, struct shmf_error *err);

/* The pool goes: futures keep the results that they have. */
void shmfi_futures_detach(struct shmf_pool *pool);

/* ---- iter.c ------------------------------------------------------------------------------- */

/* The pool goes: the iterator keeps the results that it has. */
void shmfi_iter_detach(struct shmf_iter *iter);

/* ---- desk.c: segments that go back to their workers --------------------------------------- */

void shmfi_desk_open(struct shmf_pool *pool);
void shmfi_desk_close(struct shmf_pool *pool);

/* The word in which an iterator or a future keeps its pool is read with pool.lock or the desk's
 * held, and written with both: so it can be followed, and the pool entered, while the pool goes. */
struct shmf_pool *shmfi_desk_enter(struct shmf_pool **word);
void shmfi_desk_detach(struct shmf_pool **word);

void shmfi_desk_each(void (*visit)(struct shmf_pool *pool, void *context), void *context);

/* The same, unless another thread is at the desk. */
void shmfi_desk_try_each(void (*visit)(struct shmf_pool *pool, void *context), void *context);

/* Regions of living workers, and the lender under which they are adopted. */
extern const struct shmfi_lender shmfi_desk_lender;
int shmfi_desk_add_region(struct shmf_pool *pool, uint32_t worker, uint64_t id);
void shmfi_desk_remove_region(uint64_t id);

/* The region's worker is dead. True: it is forgotten, and the caller retires it; false: results
 * are alive in it, and it is kept on the books as an orphan until they are given back. */
bool shmfi_desk_orphan_region(uint64_t id);

/* The id of an orphan that is over, or (`all`) of any region of the pool, forgotten now, for the
 * caller to retire; 0: none. */
uint64_t shmfi_desk_take_orphan(struct shmf_pool *pool, bool all);

/* Regions that the application gave up since the last call; the caller's to clear. */
struct shmfi_ids shmfi_desk_take_dropped(struct shmf_pool *pool);

/* A result of so many bytes came in and counts as the caller's, unless it waits in an iterator,
 * until the caller takes it from there; what the caller holds. */
void shmfi_desk_delivered(struct shmf_pool *pool, uint64_t region_id, uint64_t bytes);
void shmfi_desk_ready(struct shmf_pool *pool, uint64_t bytes);
void shmfi_desk_taken(struct shmf_pool *pool, uint64_t bytes);
uint64_t shmfi_desk_caller_bytes(struct shmf_pool *pool);
void shmfi_desk_restate(struct shmf_pool *pool); /* on the board, once more */

/* Returns what had to wait for room in the rings; forgets what a dead worker was owed. */
void shmfi_desk_flush(struct shmf_pool *pool);
void shmfi_desk_forget_kept(struct shmf_pool *pool, uint32_t worker);

#endif

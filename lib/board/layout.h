/* The board: the one piece of memory that application, supervisor and workers all write.
 *
 * It is a memfd of the pool's, formatted by the application before it forks. Every word has one
 * writer, named below, or is a compare-and-swap word whose every state names its owner, so that
 * whoever survives can tell what a dead process was doing. No lock lies here.
 *
 *   header      constants and the application's words
 *   order[]     which slots were queued, in order: the application writes, workers read
 *   lines[]     per worker: its counters, the application's counters for it, its bell
 *   slots[]     the tasks
 *   rings[]     per worker: completion records, written by that worker alone
 *   returns[]   per worker: segments that the application gives back, written by it alone
 *
 * The application believes nothing it reads here that does not agree with its private copies. */
#ifndef SHMFI_BOARD_LAYOUT_H
#define SHMFI_BOARD_LAYOUT_H

#include <shmframe/error.h>
#include <shmframe/handle.h>

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Two cache lines: x86 prefetches pairs, some ARM64 have 128-byte lines. */
#define SHMFI_LINE 128

/* Has the line fetched for writing, so that the store that comes does not ask for it once more.
 * (Compilers for x86-64 take __builtin_prefetch's word for that only where they are told that the
 * processor knows the instruction; those that do not, take it for none.) */
static inline void shmfi_fetch_to_write(const void *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

struct shmfi_geometry {
    uint32_t workers; /* places for them; header.places says how many are in use */
    uint32_t slots;   /* tasks in flight at most; a power of two */
    uint32_t order;   /* entries of order[], 4 x slots */
    uint32_t ring;    /* records per completion ring, >= slots, so that it never fills */
    uint32_t returns; /* entries per return ring; more are kept back by the application */
};

/* A slot's state: phase (3 bits), incarnation of the owner (29), generation of the task (32).
 *   FREE -> QUEUED          application, release: publishes the task
 *   QUEUED -> CLAIMED(me)   worker, CAS: from here the task is that incarnation's
 *   QUEUED -> REVOKED       application, CAS: nobody will run it
 *   CLAIMED, REVOKED -> QUEUED  application, after it has harvested the record or learnt of the
 *                           claimant's confirmed death; nobody else writes in between.
 * A claimant that dies leaves its incarnation in the word: that is how its task is found. */
enum shmfi_phase { SHMFI_FREE = 0, SHMFI_QUEUED = 1, SHMFI_CLAIMED = 2, SHMFI_REVOKED = 3 };

#define SHMFI_MAX_INCARNATION ((1u << 29) - 1)

static inline uint64_t shmfi_state(enum shmfi_phase phase, uint32_t incarnation,
                                   uint32_t generation)
{
    return (uint64_t)phase << 61 | (uint64_t)incarnation << 32 | generation;
}

/* Names one submission: the slot and the generation of the task in it. */
static inline uint64_t shmfi_ticket(uint32_t slot, uint32_t generation)
{
    return (uint64_t)slot << 32 | generation;
}

static inline uint32_t shmfi_ticket_slot(uint64_t ticket)
{
    return (uint32_t)(ticket >> 32);
}

static inline uint32_t shmfi_ticket_generation(uint64_t ticket)
{
    return (uint32_t)ticket;
}

struct shmfi_board_header {
    struct shmfi_geometry geometry; /* constant */
    uint64_t budget;                /* constant: bytes that workers may hold */

    /* application: what changes with every task, and nothing else */
    alignas(SHMFI_LINE) _Atomic uint64_t tail; /* entries appended to order[]; release */

    /* application: what workers look at again and again, so nothing that changes as often as tasks
     * come lies in this line */
    alignas(SHMFI_LINE) _Atomic uint32_t stopping; /* nonzero: workers that find nothing to do
                                                      exit */
    _Atomic uint32_t places; /* workers wanted now: those with this number and above end */
    _Atomic uint32_t trims;  /* requests to give up what is cached; workers look for changes */

    /* application: what is looked at when memory or time is short */
    alignas(SHMFI_LINE) _Atomic uint64_t oldest; /* ticket of the task that the consumer waits for,
                                                    ~0: none */
    _Atomic uint64_t caller;                     /* bytes of results in the caller's hands */
    _Atomic uint64_t orphaned;  /* bytes of dead workers' regions that results keep alive */
    _Atomic uint32_t deadlines; /* tasks on the board that have one; the supervisor watches then */

    /* Application 0 -> 1 before it parks; 1 -> 0 by CAS by whoever will write the eventfd, or by
     * the application when it wakes. A worker that dies between CAS and write loses the wake-up:
     * the supervisor's word of its death wakes the application instead. */
    alignas(SHMFI_LINE) _Atomic uint32_t asleep;

    /* Workers, advice only: no entry of order[] before `hint` is QUEUED, as far as the writer
     * knows. Plain stores by anybody; a wrong value costs time: too low, entries are looked at
     * again; too high, the application's slow rescan queues the skipped task anew. */
    alignas(SHMFI_LINE) _Atomic uint64_t hint;

    /* Workers: counts calls for memory. Others give up what they cache when it has changed.
     * fetch_add; only changes matter, so no death can spoil it. */
    _Atomic uint64_t pressure;
};

/* Where a worker was when a signal ended it: written by the worker as it dies. Its supervisor takes
 * it when it has reaped the worker, and before it forks a successor. */
#define SHMFI_CRASH_FRAMES 30
struct shmfi_crash {
    _Atomic uint32_t incarnation; /* whose it is; stored when `count` is at least 1, release */
    uint32_t count;
    uint64_t address; /* that the fault was about */
    uint64_t frames[SHMFI_CRASH_FRAMES];
};

/* AWAKE: runs a task, or will look whether there is one before it sleeps. AWAY: does neither; it is
 * not there, or not ready yet, or about to end. */
enum shmfi_sleep { SHMFI_AWAKE = 0, SHMFI_ASLEEP = 1, SHMFI_AWAY = 2 };

/* Words of a record in brief. */
#define SHMFI_BRIEF 4

struct shmfi_line {
    /* The worker. The application looks at `done` again and again while it waits: what changes at
     * the beginning of a task lies elsewhere, or each look would take the line away from the worker
     * that is about to write it. And what a short record says lies here once more, so that the
     * application, which waits for `done`, need not wait for the record as well. `begun` is the
     * number of the record that is in `brief`, or on its way there: stored before `brief` changes,
     * as `done` is after it. Equal before and after a look at `brief`, they vouch for it. */
    alignas(SHMFI_LINE) _Atomic uint64_t done; /* records published since the pool began; release:
                                                  this store is the publication */
    _Atomic uint64_t mail;                     /* messages that it sent over its socket */
    _Atomic uint64_t begun;
    _Atomic uint64_t brief[SHMFI_BRIEF]; /* see shmfi_board_publish */

    /* The worker; cleared by the supervisor when it has reaped it. */
    alignas(SHMFI_LINE) _Atomic uint64_t held; /* bytes of its regions, those it is about to obtain
                                                  included */
    _Atomic uint64_t wanted;                   /* bytes that it waits for; 0: it does not */

    /* The worker: what it runs. `current` is cleared by the supervisor, too. */
    alignas(SHMFI_LINE) _Atomic uint64_t current; /* ticket, ~0: none; cleared before `done` grows,
                                                     so that whoever sees it in a stopped worker may
                                                     end that task */
    _Atomic uint64_t started; /* ns, CLOCK_MONOTONIC: when the function of the task in `current`
                                 began, where that has a deadline; 0, stored before `current`:
                                 it did not, say because inputs are on their way */
    _Atomic uint64_t taken;   /* return entries consumed */

    /* The worker: what it counted. A successor goes on from there; the supervisor
     * clears `cached` and `huge` when it has reaped the worker. For people: nothing depends on
     * it. */
    alignas(SHMFI_LINE) _Atomic uint64_t failed; /* tasks; those delivered are counted by `done` */
    _Atomic uint64_t working;                    /* ns in task functions */
    _Atomic uint64_t waiting;                    /* ns without a task */
    _Atomic uint64_t minor_faults, major_faults;
    _Atomic uint64_t recycled, fresh; /* results built in pages already there, and others */
    _Atomic uint64_t cached, huge;    /* bytes of `held`, a moment ago */
    _Atomic uint64_t trimmed; /* bytes given up on the application's request; before `trims` */
    _Atomic uint32_t trims;   /* the request that it has met; release */
    _Atomic int32_t cpu;      /* to which it is bound, -1: none */

    /* the application */
    alignas(SHMFI_LINE) _Atomic uint64_t returned; /* return entries written; release */
    _Atomic uint64_t app_mail; /* messages that it sent over the worker's socket */

    /* enum shmfi_sleep. Worker AWAY -> AWAKE when it begins to look for tasks, -> ASLEEP before it
     * parks, -> AWAY when it is about to end; ASLEEP -> AWAKE by CAS by whoever wakes it
     * (application, supervisor, a worker), or by the worker itself. Also the futex. A worker that
     * dies asleep leaves that word, a wake for nobody; one that dies awake is counted on in vain:
     * until the supervisor has reaped it, stores AWAY and wakes another one for it. */
    alignas(SHMFI_LINE) _Atomic uint32_t asleep;

    alignas(SHMFI_LINE) struct shmfi_crash crash;
};

#define SHMFI_INLINE_PAYLOAD 880

/* The task in a slot: written by the application before it queues the slot, read by the claimant.
 * Arguments first (16-byte aligned), then handles. What does not fit lies in a segment. A task
 * without either is one cache line. */
struct shmfi_slot {
    alignas(SHMFI_LINE) _Atomic uint64_t state;
    uint64_t function; /* addresses in the application, the same in workers */
    uint64_t context;
    int64_t index;
    uint64_t seed;
    uint32_t attempt : 31;
    uint32_t patient : 1; /* nobody waits for this result, but for those of a whole call */
    uint32_t n_handles;
    uint64_t arg_size;
    uint64_t deadline;        /* ns that the task may run; 0: no limit */
    struct shmf_handle spill; /* of the payload, where it does not fit; else not written */
    alignas(16) uint8_t payload[SHMFI_INLINE_PAYLOAD];
};

/* Bytes of a payload: the arguments, padded, and the handles. */
static inline uint64_t shmfi_payload_size(uint64_t arg_size, uint64_t n_handles)
{
    return ((arg_size + 15) & ~(uint64_t)15) + n_handles * sizeof(struct shmf_handle);
}

enum shmfi_result_kind {
    SHMFI_RESULT_NONE = 0,
    SHMFI_RESULT_INLINE = 1,  /* bytes in the record */
    SHMFI_RESULT_SEGMENT = 2, /* `segment` says which and of what kind */
    SHMFI_RESULT_FAILURE = 3  /* text in the record */
};

#define SHMFI_RECORD_DATA 256

struct shmfi_record {
    alignas(SHMFI_LINE) uint64_t ticket;
    uint64_t incarnation;
    uint64_t nanoseconds; /* in the task function */
    int32_t status;       /* SHMF_OK or why the task failed */
    uint32_t kind;        /* enum shmfi_result_kind */
    struct shmf_handle segment;
    uint64_t size; /* of the data that follows, or of bytes in the segment */
    uint8_t data[SHMFI_RECORD_DATA];
};

/* A segment that its consumer does not need any more. */
struct shmfi_return {
    uint64_t region;
    uint64_t offset;
    uint64_t generation;
    uint64_t unused;
};

static_assert(sizeof(struct shmfi_slot) == 1024, "a slot is 1 KiB");
static_assert(offsetof(struct shmfi_slot, spill) == 64, "all that every task has is one line");
static_assert(sizeof(struct shmfi_record) == 384, "a record is three pairs of lines");
static_assert(sizeof(struct shmfi_return) == 32, "two returns a line");

#endif

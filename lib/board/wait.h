/* Waiting and waking: spin a little, then sleep in the kernel; wake only who sleeps. */
#ifndef SHMFI_BOARD_WAIT_H
#define SHMFI_BOARD_WAIT_H

#include "board/board.h"

/* How this process spins; private to it. */
struct shmfi_spinner {
    bool pause_first;        /* every runnable process of the pool has a cpu of its own */
    bool yield_first;        /* but next time not: one was just woken, and may be on this cpu */
    uint64_t looked;         /* ns; not long before the look that found something; 0: not known */
    uint64_t no_yield_until; /* ns; somebody else needs the cpus */
    uint64_t penalty;        /* ns; how long the next such time will be */
};

typedef bool (*shmfi_ready_fn)(void *context);

uint64_t shmfi_now(void); /* CLOCK_MONOTONIC, ns */

/* A word that says, by having another value than `old`, that a call of `ready` would be true:
 * looked at between these, because it is one load. NULL: there is no such word. */
struct shmfi_watch {
    const _Atomic uint64_t *word;
    uint64_t old;
};

/* Waits some 20 us for `ready` without sleeping. True as soon as it is. */
bool shmfi_spin(struct shmfi_spinner *spinner, struct shmfi_watch watch, shmfi_ready_fn ready,
                void *context);

/* Gives way once, to whoever waits for this cpu; not while strangers do. */
void shmfi_give_way(struct shmfi_spinner *spinner);

/* Worker: sleeps until it is woken, `ready`, or `timeout_ms` have passed. */
void shmfi_park(struct shmfi_board *board, uint32_t worker, shmfi_ready_fn ready, void *context,
                int timeout_ms);

/* Worker: it looks for tasks from here on, and does not any more; then one that sleeps is woken in
 * its stead. */
void shmfi_look_for_tasks(struct shmfi_board *board, uint32_t worker);
void shmfi_leave_tasks(struct shmfi_board *board, uint32_t worker);

/* How many are AWAKE; looks no further than `most`. */
uint32_t shmfi_awake(const struct shmfi_board *board, uint32_t most);

/* Wakes the worker if it sleeps; true if it did. Anybody, after a store that it should see. */
bool shmfi_wake(struct shmfi_board *board, uint32_t worker);

/* Wakes up to `count` sleeping workers, lowest numbers first, so that few workers' memory is
 * warm; not those who wait for memory in the middle of a task. Call once after publishing. */
void shmfi_wake_some(struct shmfi_board *board, uint32_t count);

/* Application: the same after it has queued so many tasks, now that so many in all are queued or in
 * workers' hands; only where fewer workers are awake than that. True: it has woken somebody. */
bool shmfi_wake_for(struct shmfi_board *board, uint32_t queued, uint32_t in_flight);

/* Application: says that it is going to sleep in poll. True: nothing is ready, do sleep; the
 * caller says `awake` afterwards. */
bool shmfi_app_sleeps(struct shmfi_board *board, shmfi_ready_fn ready, void *context);
void shmfi_app_awake(struct shmfi_board *board);

/* Worker, after publishing: wakes the application if it sleeps. */
void shmfi_ring_app(struct shmfi_board *board, int eventfd);

#endif

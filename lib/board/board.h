/* The board's verbs, for plain memory: nothing here maps, forks or allocates, so the protocol is
 * tested with threads as well as with processes. test/model/board.pml has it as a model, whose
 * steps are named QUEUE, REVOKE, HARVEST, JOIN, CLAIM, CLAIM NEXT, RUN and PUBLISH. */
#ifndef SHMFI_BOARD_H
#define SHMFI_BOARD_H

#include "board/layout.h"

#include <stdbool.h>
#include <stddef.h>

/* One process's view: pointers into the shared memory, and the geometry as a private copy, so
 * that no scribble can lead outside. */
struct shmfi_board {
    struct shmfi_geometry geometry;
    uint64_t budget;
    uint64_t tail; /* the application's copy of its word, which it never reads back */
    struct shmfi_board_header *header;
    _Atomic uint64_t *order;
    struct shmfi_line *lines;
    struct shmfi_slot *slots;
    struct shmfi_record *rings;
    struct shmfi_return *returns;
};

#define SHMFI_NO_TICKET UINT64_MAX

/* Completes a geometry whose `workers` and `slots` are given (slots is rounded up to a power of
 * two). Returns the bytes needed. */
size_t shmfi_board_size(struct shmfi_geometry *geometry);

/* This process's view of a board that was formatted with these. */
void shmfi_board_attach(struct shmfi_board *board, void *memory,
                        const struct shmfi_geometry *geometry, uint64_t budget);

/* Formats zeroed memory of shmfi_board_size() bytes, SHMFI_LINE-aligned, and attaches to it. */
void shmfi_board_format(struct shmfi_board *board, void *memory,
                        const struct shmfi_geometry *geometry, uint64_t budget);

/* ---- application: tasks ------------------------------------------------------------------- */

/* The slot's task is written: queue it under `generation`. The ticket of an older entry that had
 * to give way and is still queued is queued again behind it. */
void shmfi_board_queue(struct shmfi_board *board, uint32_t slot, uint32_t generation);

/* Writes the application's words in the header once more, in case somebody wrote over them. */
void shmfi_board_restate(struct shmfi_board *board, uint32_t places, uint32_t deadlines);

/* Writes another entry for a task that is queued already, in case the first was passed over. */
void shmfi_board_queue_again(struct shmfi_board *board, uint32_t slot, uint32_t generation);

/* True: nobody ran it and nobody will. False: it was claimed before. */
bool shmfi_board_revoke(struct shmfi_board *board, uint32_t slot, uint32_t generation);

/* Is the slot's task, of this generation, claimed, and by which incarnation? 0: it is not. */
uint32_t shmfi_board_claimant(const struct shmfi_board *board, uint32_t slot, uint32_t generation);

/* Still waiting for a worker? */
bool shmfi_board_is_queued(const struct shmfi_board *board, uint32_t slot, uint32_t generation);

/* Records that worker published beyond `got`; more than the ring holds means it is corrupt. */
uint64_t shmfi_board_pending(const struct shmfi_board *board, uint32_t worker, uint64_t got);

/* Copies record number `got` of the worker's ring; call only for a pending one. */
void shmfi_board_read(const struct shmfi_board *board, uint32_t worker, uint64_t got,
                      struct shmfi_record *record);

/* Gives a segment back to its worker. False: the ring is full, try again later. */
bool shmfi_board_return(struct shmfi_board *board, uint32_t worker,
                        const struct shmfi_return *entry);

/* ---- worker ------------------------------------------------------------------------------- */

struct shmfi_claimer {
    uint32_t worker;
    uint32_t incarnation;
    uint64_t cursor; /* no entry of order[] before it is still queued */
    uint64_t taken;  /* private copy of the line's word */
    uint64_t done;   /* private copy of the line's word */
};

/* A new incarnation continues its predecessor's ring and skips what was returned to it. It is AWAY
 * until it says otherwise (shmfi_look_for_tasks). */
void shmfi_board_join(struct shmfi_board *board, struct shmfi_claimer *me, uint32_t worker,
                      uint32_t incarnation);

/* The supervisor, when it has reaped the worker: its place holds, wants and runs nothing, and is
 * AWAY. */
void shmfi_board_vacate(struct shmfi_board *board, uint32_t worker);

/* How many workers are wanted now; never more than there are places. */
uint32_t shmfi_board_places(const struct shmfi_board *board);

/* Is the worker's place not wanted any more? */
bool shmfi_board_is_surplus(const struct shmfi_board *board, uint32_t worker);

/* Claims the oldest queued task; its ticket, or SHMFI_NO_TICKET. */
uint64_t shmfi_board_claim(struct shmfi_board *board, struct shmfi_claimer *me);

/* The entry that comes next, which changes when a task is queued; to be looked at while there is
 * none, by a worker that has the value that it had before. */
const _Atomic uint64_t *shmfi_board_next(const struct shmfi_board *board,
                                         const struct shmfi_claimer *me);

/* Claims the task of the entry that has come next, `tail` counting it or not yet. As above; no
 * ticket: look at `tail`. */
uint64_t shmfi_board_claim_next(struct shmfi_board *board, struct shmfi_claimer *me);

/* Says on the board which task is in hand, for the supervisor to see; and since when its function
 * runs, where the supervisor is to end it in time. */
void shmfi_board_start(struct shmfi_board *board, const struct shmfi_claimer *me, uint64_t ticket);
void shmfi_board_time(struct shmfi_board *board, const struct shmfi_claimer *me, uint64_t now);

/* Could there be something to claim? For use while waiting: one load. */
bool shmfi_board_has_news(const struct shmfi_board *board, const struct shmfi_claimer *me);

/* While there is nothing to do: has what the next task's record needs fetched. */
void shmfi_board_expect(struct shmfi_board *board, const struct shmfi_claimer *me);

/* The record to fill next, and its publication. */
struct shmfi_record *shmfi_board_record(struct shmfi_board *board, const struct shmfi_claimer *me);
void shmfi_board_publish(struct shmfi_board *board, struct shmfi_claimer *me);

/* The next returned segment; false: none. */
bool shmfi_board_take(struct shmfi_board *board, struct shmfi_claimer *me,
                      struct shmfi_return *entry);

#endif

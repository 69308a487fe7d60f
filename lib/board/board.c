#include "board/board.h"

#include <string.h>

static uint32_t power_of_two(uint32_t at_least)
{
    uint32_t power = 1;
    while (power < at_least)
        power *= 2;
    return power;
}

static size_t lines_up(size_t size)
{
    return (size + SHMFI_LINE - 1) / SHMFI_LINE * SHMFI_LINE;
}

/* Offsets of the parts; the last one is the size of the whole. */
struct parts {
    size_t order, lines, slots, rings, returns, end;
};

static struct parts parts_of(const struct shmfi_geometry *g)
{
    struct parts at;
    at.order = lines_up(sizeof(struct shmfi_board_header));
    at.lines = at.order + lines_up(g->order * sizeof(uint64_t));
    at.slots = at.lines + g->workers * sizeof(struct shmfi_line);
    at.rings = at.slots + g->slots * sizeof(struct shmfi_slot);
    at.returns = at.rings + (size_t)g->workers * g->ring * sizeof(struct shmfi_record);
    at.end = at.returns + (size_t)g->workers * g->returns * sizeof(struct shmfi_return);
    return at;
}

size_t shmfi_board_size(struct shmfi_geometry *geometry)
{
    geometry->slots = power_of_two(geometry->slots);
    geometry->order = 4 * geometry->slots;
    geometry->ring = geometry->slots;
    geometry->returns = 2 * geometry->slots;
    return parts_of(geometry).end;
}

void shmfi_board_attach(struct shmfi_board *board, void *memory,
                        const struct shmfi_geometry *geometry, uint64_t budget)
{
    struct parts at = parts_of(geometry);
    char *base = memory;
    board->geometry = *geometry;
    board->budget = budget;
    board->header = (void *)base;
    board->order = (void *)(base + at.order);
    board->lines = (void *)(base + at.lines);
    board->slots = (void *)(base + at.slots);
    board->rings = (void *)(base + at.rings);
    board->returns = (void *)(base + at.returns);
}

void shmfi_board_format(struct shmfi_board *board, void *memory,
                        const struct shmfi_geometry *geometry, uint64_t budget)
{
    shmfi_board_attach(board, memory, geometry, budget);
    board->header->geometry = *geometry;
    board->header->budget = budget;
    atomic_store_explicit(&board->header->oldest, SHMFI_NO_TICKET, memory_order_relaxed);
    for (uint32_t i = 0; i < geometry->order; i++)
        atomic_store_explicit(&board->order[i], SHMFI_NO_TICKET, memory_order_relaxed);
    atomic_store_explicit(&board->header->places, geometry->workers, memory_order_relaxed);
    for (uint32_t w = 0; w < geometry->workers; w++) {
        atomic_store_explicit(&board->lines[w].current, SHMFI_NO_TICKET, memory_order_relaxed);
        atomic_store_explicit(&board->lines[w].cpu, -1, memory_order_relaxed);
        atomic_store_explicit(&board->lines[w].asleep, SHMFI_AWAY, memory_order_relaxed);
    }
}

/* ---- application -------------------------------------------------------------------------- */

bool shmfi_board_is_queued(const struct shmfi_board *board, uint32_t slot, uint32_t generation)
{
    return atomic_load_explicit(&board->slots[slot].state, memory_order_relaxed) ==
           shmfi_state(SHMFI_QUEUED, 0, generation);
}

/* Writes the entry at `tail` and returns the ticket that lay there. The release store of `tail`
 * publishes the entry; the slot's own state publishes the task. */
static uint64_t append(struct shmfi_board *board, uint64_t ticket)
{
    uint64_t tail = board->tail++;
    _Atomic uint64_t *entry = &board->order[tail & (board->geometry.order - 1)];
    uint64_t before = atomic_load_explicit(entry, memory_order_relaxed);
    atomic_store_explicit(entry, ticket, memory_order_relaxed);
    atomic_store_explicit(&board->header->tail, tail + 1, memory_order_release);
    return before;
}

/* QUEUE: the slot before the tail, or a worker passes the entry and nobody comes back to it. */
void shmfi_board_queue(struct shmfi_board *board, uint32_t slot, uint32_t generation)
{
    atomic_store_explicit(&board->slots[slot].state, shmfi_state(SHMFI_QUEUED, 0, generation),
                          memory_order_release);
    shmfi_board_queue_again(board, slot, generation);
}

void shmfi_board_queue_again(struct shmfi_board *board, uint32_t slot, uint32_t generation)
{
    uint64_t ticket = shmfi_ticket(slot, generation);
    /* An entry is overwritten while its task still waits only after 4 x slots submissions that
     * were revoked. It goes to the end; two entries for one task are harmless, because only one
     * CAS on its slot succeeds. Each round re-queues a different waiting task, and there are
     * fewer of these than entries, so this ends. */
    for (uint32_t i = 0; i < board->geometry.order; i++) {
        ticket = append(board, ticket);
        uint32_t old = shmfi_ticket_slot(ticket);
        if (ticket == SHMFI_NO_TICKET || old >= board->geometry.slots ||
            !shmfi_board_is_queued(board, old, shmfi_ticket_generation(ticket)))
            return;
    }
}

void shmfi_board_restate(struct shmfi_board *board, uint32_t places, uint32_t deadlines)
{
    struct shmfi_board_header *header = board->header;
    atomic_store_explicit(&header->tail, board->tail, memory_order_release);
    atomic_store_explicit(&header->places, places, memory_order_relaxed);
    atomic_store_explicit(&header->deadlines, deadlines, memory_order_relaxed);
    atomic_store_explicit(&header->stopping, 0, memory_order_relaxed);
}

/* REVOKE. */
bool shmfi_board_revoke(struct shmfi_board *board, uint32_t slot, uint32_t generation)
{
    uint64_t queued = shmfi_state(SHMFI_QUEUED, 0, generation);
    return atomic_compare_exchange_strong_explicit(&board->slots[slot].state, &queued,
                                                   shmfi_state(SHMFI_REVOKED, 0, generation),
                                                   memory_order_relaxed, memory_order_relaxed);
}

uint32_t shmfi_board_claimant(const struct shmfi_board *board, uint32_t slot, uint32_t generation)
{
    uint64_t state = atomic_load_explicit(&board->slots[slot].state, memory_order_relaxed);
    if (state >> 61 != SHMFI_CLAIMED || (uint32_t)state != generation)
        return 0;
    return (uint32_t)(state >> 32) & SHMFI_MAX_INCARNATION;
}

uint64_t shmfi_board_pending(const struct shmfi_board *board, uint32_t worker, uint64_t got)
{
    return atomic_load_explicit(&board->lines[worker].done, memory_order_acquire) - got;
}

static struct shmfi_record *record_at(const struct shmfi_board *board, uint32_t worker, uint64_t n)
{
    return &board->rings[(size_t)worker * board->geometry.ring + (n & (board->geometry.ring - 1))];
}

/* The record in brief: its ticket; incarnation, kind and size; nanoseconds; the data. A record that
 * does not fit has 0 in the second place. */
#define BRIEF_DATA sizeof(uint64_t)

static bool fits_brief(const struct shmfi_record *record)
{
    return record->kind == SHMFI_RESULT_INLINE && record->status == SHMF_OK &&
           record->size <= BRIEF_DATA;
}

/* Is the worker's last record `number`, and in brief? Then `record` is that. */
static bool read_brief(const struct shmfi_line *line, uint64_t number, struct shmfi_record *record)
{
    if (atomic_load_explicit(&line->done, memory_order_acquire) != number + 1)
        return false;
    uint64_t ticket = atomic_load_explicit(&line->brief[0], memory_order_relaxed);
    uint64_t what = atomic_load_explicit(&line->brief[1], memory_order_relaxed);
    uint64_t nanoseconds = atomic_load_explicit(&line->brief[2], memory_order_relaxed);
    uint64_t data = atomic_load_explicit(&line->brief[3], memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&line->begun, memory_order_relaxed) != number + 1 || !what)
        return false;
    record->ticket = ticket;
    record->incarnation = what >> 32;
    record->kind = SHMFI_RESULT_INLINE;
    record->status = SHMF_OK;
    record->size = (what & 0xff) <= BRIEF_DATA ? what & 0xff : BRIEF_DATA;
    record->nanoseconds = nanoseconds;
    memcpy(record->data, &data, BRIEF_DATA);
    return true;
}

static void write_brief(struct shmfi_line *line, uint64_t number, const struct shmfi_record *record)
{
    uint64_t what = 0, data = 0;
    if (fits_brief(record)) {
        what = record->incarnation << 32 | SHMFI_RESULT_INLINE << 8 | record->size;
        if (record->size)
            memcpy(&data, record->data, (size_t)record->size);
    }
    atomic_store_explicit(&line->begun, number + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&line->brief[0], record->ticket, memory_order_relaxed);
    atomic_store_explicit(&line->brief[1], what, memory_order_relaxed);
    atomic_store_explicit(&line->brief[2], record->nanoseconds, memory_order_relaxed);
    atomic_store_explicit(&line->brief[3], data, memory_order_relaxed);
}

void shmfi_board_read(const struct shmfi_board *board, uint32_t worker, uint64_t got,
                      struct shmfi_record *record)
{
    if (read_brief(&board->lines[worker], got, record))
        return;
    const struct shmfi_record *from = record_at(board, worker, got);
    memcpy(record, from, offsetof(struct shmfi_record, data));
    /* The copy is what is judged: the compiler must not read the original again. */
    atomic_signal_fence(memory_order_seq_cst);
    size_t used = record->size < sizeof record->data ? (size_t)record->size : sizeof record->data;
    if (record->kind == SHMFI_RESULT_INLINE || record->kind == SHMFI_RESULT_FAILURE)
        memcpy(record->data, from->data, used);
}

static struct shmfi_return *return_at(const struct shmfi_board *board, uint32_t worker, uint64_t n)
{
    uint64_t place = n & (board->geometry.returns - 1);
    return &board->returns[(size_t)worker * board->geometry.returns + place];
}

bool shmfi_board_return(struct shmfi_board *board, uint32_t worker,
                        const struct shmfi_return *entry)
{
    struct shmfi_line *line = &board->lines[worker];
    uint64_t returned = atomic_load_explicit(&line->returned, memory_order_relaxed);
    /* GIVE: acquire, the worker has read the entry that is overwritten now; then the entry, then
     * `returned`. */
    uint64_t taken = atomic_load_explicit(&line->taken, memory_order_acquire);
    if (returned - taken >= board->geometry.returns)
        return false;
    *return_at(board, worker, returned) = *entry;
    atomic_store_explicit(&line->returned, returned + 1, memory_order_release);
    return true;
}

/* ---- worker ------------------------------------------------------------------------------- */

void shmfi_board_join(struct shmfi_board *board, struct shmfi_claimer *me, uint32_t worker,
                      uint32_t incarnation)
{
    struct shmfi_line *line = &board->lines[worker];
    me->worker = worker;
    me->incarnation = incarnation;
    me->cursor = 0;
    me->done = atomic_load_explicit(&line->done, memory_order_relaxed);
    /* JOIN: what was meant for the predecessor is skipped. What comes later of its is passed over
     * by whoever takes it. */
    me->taken = atomic_load_explicit(&line->returned, memory_order_acquire);
    atomic_store_explicit(&line->taken, me->taken, memory_order_release);
    atomic_store_explicit(&line->mail, 0, memory_order_relaxed);
    shmfi_board_vacate(board, worker);
}

void shmfi_board_vacate(struct shmfi_board *board, uint32_t worker)
{
    struct shmfi_line *line = &board->lines[worker];
    atomic_store_explicit(&line->held, 0, memory_order_relaxed);
    atomic_store_explicit(&line->wanted, 0, memory_order_relaxed);
    atomic_store_explicit(&line->cached, 0, memory_order_relaxed);
    atomic_store_explicit(&line->huge, 0, memory_order_relaxed);
    atomic_store_explicit(&line->current, SHMFI_NO_TICKET, memory_order_relaxed);
    atomic_store_explicit(&line->asleep, SHMFI_AWAY, memory_order_relaxed);
}

uint32_t shmfi_board_places(const struct shmfi_board *board)
{
    uint32_t places = atomic_load_explicit(&board->header->places, memory_order_relaxed);
    return places < board->geometry.workers ? places : board->geometry.workers;
}

bool shmfi_board_is_surplus(const struct shmfi_board *board, uint32_t worker)
{
    return worker >= atomic_load_explicit(&board->header->places, memory_order_relaxed);
}

/* The entry that comes next is fetched beside `tail`, so that a worker that has waited for it does
 * not wait twice. */
bool shmfi_board_has_news(const struct shmfi_board *board, const struct shmfi_claimer *me)
{
    __builtin_prefetch(&board->order[me->cursor & (board->geometry.order - 1)]);
    return atomic_load_explicit(&board->header->tail, memory_order_acquire) != me->cursor;
}

static bool try_claim(struct shmfi_board *board, const struct shmfi_claimer *me, uint64_t ticket)
{
    uint32_t slot = shmfi_ticket_slot(ticket), generation = shmfi_ticket_generation(ticket);
    if (slot >= board->geometry.slots)
        return false;
    /* A look before the CAS spares others the loss of the line; where there are no others, it would
     * have the line fetched twice. */
    if (shmfi_board_places(board) > 1 && !shmfi_board_is_queued(board, slot, generation))
        return false;
    uint64_t queued = shmfi_state(SHMFI_QUEUED, 0, generation);
    /* Acquire pairs with the release store in shmfi_board_queue: the task is all there. */
    return atomic_compare_exchange_strong_explicit(
        &board->slots[slot].state, &queued, shmfi_state(SHMFI_CLAIMED, me->incarnation, generation),
        memory_order_acquire, memory_order_relaxed);
}

/* Everybody passes an entry only after seeing that it is not queued (any more), and a task that is
 * queued again gets a new entry; so what lies before anybody's cursor need not be looked at. */
static uint64_t first_entry(struct shmfi_board *board, const struct shmfi_claimer *me,
                            uint64_t tail)
{
    uint64_t first = me->cursor;
    uint64_t hint = atomic_load_explicit(&board->header->hint, memory_order_relaxed);
    if (hint > first && hint <= tail)
        first = hint;
    if (tail - first > board->geometry.order)
        first = tail - board->geometry.order;
    return first;
}

const _Atomic uint64_t *shmfi_board_next(const struct shmfi_board *board,
                                         const struct shmfi_claimer *me)
{
    return &board->order[me->cursor & (board->geometry.order - 1)];
}

static uint64_t claimed(struct shmfi_board *board, struct shmfi_claimer *me, uint64_t at,
                        uint64_t ticket)
{
    me->cursor = at + 1;
    if (at % 8 == 0)
        atomic_store_explicit(&board->header->hint, at + 1, memory_order_relaxed);
    return ticket;
}

/* CLAIM NEXT. It may be seen before the tail that counts it, and before the state
 * that makes its slot one to be claimed: so it is passed only with its task in hand. */
uint64_t shmfi_board_claim_next(struct shmfi_board *board, struct shmfi_claimer *me)
{
    uint64_t ticket = atomic_load_explicit(shmfi_board_next(board, me), memory_order_relaxed);
    return try_claim(board, me, ticket) ? claimed(board, me, me->cursor, ticket) : SHMFI_NO_TICKET;
}

/* CLAIM. */
uint64_t shmfi_board_claim(struct shmfi_board *board, struct shmfi_claimer *me)
{
    uint64_t tail = atomic_load_explicit(&board->header->tail, memory_order_acquire);
    if (tail == me->cursor)
        return SHMFI_NO_TICKET;
    if (tail < me->cursor)
        me->cursor = 0; /* it was written over for a while: all that are there are looked at */
    for (uint64_t at = first_entry(board, me, tail); at < tail; at++) {
        uint64_t ticket = atomic_load_explicit(&board->order[at & (board->geometry.order - 1)],
                                               memory_order_relaxed);
        if (!try_claim(board, me, ticket))
            continue;
        return claimed(board, me, at, ticket);
    }
    me->cursor = tail;
    return SHMFI_NO_TICKET;
}

void shmfi_board_start(struct shmfi_board *board, const struct shmfi_claimer *me, uint64_t ticket)
{
    struct shmfi_line *line = &board->lines[me->worker];
    atomic_store_explicit(&line->started, 0, memory_order_relaxed);
    atomic_store_explicit(&line->current, ticket, memory_order_release);
}

void shmfi_board_time(struct shmfi_board *board, const struct shmfi_claimer *me, uint64_t now)
{
    atomic_store_explicit(&board->lines[me->worker].started, now, memory_order_relaxed);
}

struct shmfi_record *shmfi_board_record(struct shmfi_board *board, const struct shmfi_claimer *me)
{
    return record_at(board, me->worker, me->done);
}

void shmfi_board_expect(struct shmfi_board *board, const struct shmfi_claimer *me)
{
    const struct shmfi_record *record = record_at(board, me->worker, me->done);
    shmfi_fetch_to_write(record);
    shmfi_fetch_to_write((const char *)record + 64);
}

/* PUBLISH: `current` first, or a task that was delivered could be struck. */
void shmfi_board_publish(struct shmfi_board *board, struct shmfi_claimer *me)
{
    struct shmfi_line *line = &board->lines[me->worker];
    atomic_store_explicit(&line->current, SHMFI_NO_TICKET, memory_order_relaxed);
    write_brief(line, me->done, record_at(board, me->worker, me->done));
    me->done++;
    atomic_store_explicit(&line->done, me->done, memory_order_release);
}

bool shmfi_board_take(struct shmfi_board *board, struct shmfi_claimer *me,
                      struct shmfi_return *entry)
{
    struct shmfi_line *line = &board->lines[me->worker];
    uint64_t returned = atomic_load_explicit(&line->returned, memory_order_acquire);
    if (returned - me->taken > board->geometry.returns) {
        /* Written over: no entry can be believed. What was returned so stays unused until we
         * end. */
        me->taken = returned;
        atomic_store_explicit(&line->taken, returned, memory_order_release);
    }
    if (returned == me->taken)
        return false;
    /* TAKE: `taken` after the entry was read, or it may be overwritten meanwhile. */
    *entry = *return_at(board, me->worker, me->taken);
    me->taken++;
    atomic_store_explicit(&line->taken, me->taken, memory_order_release);
    return true;
}

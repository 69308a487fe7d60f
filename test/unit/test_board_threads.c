/* The board's protocol with threads in place of processes, for ThreadSanitizer to look at. */
/* ctest: LABELS threads */
#include "support/test.h"

#include "board/board.h"
#include "board/wait.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A wake-up that is lost would be missed for so long. */
enum { WORKERS = 4, SLOTS = 16, PARK_MS = 600000, SOON_S = 100 };

struct crowd {
    struct shmfi_geometry geometry;
    struct shmfi_board board;
    void *memory;
    int eventfd;
    pthread_t threads[WORKERS];
    /* the application */
    uint64_t got[WORKERS];
    uint64_t expected[SLOTS]; /* what the task in the slot must yield */
    uint32_t generations[SLOTS];
    bool busy[SLOTS];
    _Atomic uint64_t received; /* segments, by all workers */
    _Atomic uint64_t together; /* tasks that wait for others have begun */
};

/* One worker's own. */
struct worker {
    struct crowd *crowd;
    struct shmfi_claimer me;
    struct shmfi_spinner spinner;
    uint64_t next; /* of the segments that come back, in order */
};

static bool worker_has_news(void *context)
{
    const struct worker *self = context;
    return shmfi_board_has_news(&self->crowd->board, &self->me) ||
           atomic_load(&self->crowd->board.header->stopping);
}

/* Segments come back in the order in which they were given. */
static void take_returns(struct worker *self)
{
    struct shmfi_return entry;
    while (shmfi_board_take(&self->crowd->board, &self->me, &entry)) {
        if (entry.region != self->me.worker || entry.offset != self->next ||
            entry.generation != ~self->next)
            abort();
        self->next++;
        atomic_fetch_add(&self->crowd->received, 1);
    }
}

static uint64_t square_of_index(const struct shmfi_slot *slot)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < slot->arg_size; i++)
        sum += slot->payload[i];
    return (uint64_t)slot->index * (uint64_t)slot->index + sum;
}

static void run(struct worker *self, uint64_t ticket)
{
    struct shmfi_board *board = &self->crowd->board;
    const struct shmfi_slot *slot = &board->slots[shmfi_ticket_slot(ticket)];
    shmfi_board_start(board, &self->me, ticket);
    if (slot->context) { /* it ends when so many of its kind have begun */
        atomic_fetch_add(&self->crowd->together, 1);
        while (atomic_load(&self->crowd->together) < slot->context)
            sched_yield();
    }
    struct shmfi_record *record = shmfi_board_record(board, &self->me);
    uint64_t result = square_of_index(slot);
    record->ticket = ticket;
    record->incarnation = self->me.incarnation;
    record->status = 0;
    record->kind = SHMFI_RESULT_INLINE;
    record->size = sizeof result;
    memcpy(record->data, &result, sizeof result);
    shmfi_board_publish(board, &self->me);
    shmfi_ring_app(board, self->crowd->eventfd);
}

static void *work(void *context)
{
    struct worker *self = context;
    struct shmfi_board *board = &self->crowd->board;
    shmfi_look_for_tasks(board, self->me.worker);
    while (!atomic_load(&board->header->stopping)) {
        uint64_t ticket = shmfi_board_claim(board, &self->me);
        take_returns(self);
        if (ticket == SHMFI_NO_TICKET) {
            const _Atomic uint64_t *next = shmfi_board_next(board, &self->me);
            struct shmfi_watch watch = {next, atomic_load(next)};
            self->spinner.pause_first = self->me.worker % 2;
            if (shmfi_spin(&self->spinner, watch, worker_has_news, self))
                ticket = shmfi_board_claim_next(board, &self->me);
            else
                shmfi_park(board, self->me.worker, worker_has_news, self, PARK_MS);
        }
        if (ticket != SHMFI_NO_TICKET)
            run(self, ticket);
    }
    take_returns(self);
    return NULL;
}

static void start(struct crowd *crowd, struct worker *workers)
{
    *crowd = (struct crowd){.geometry = {.workers = WORKERS, .slots = SLOTS}};
    size_t size = shmfi_board_size(&crowd->geometry);
    crowd->memory = aligned_alloc(SHMFI_LINE, (size + SHMFI_LINE - 1) / SHMFI_LINE * SHMFI_LINE);
    assert_non_null(crowd->memory);
    memset(crowd->memory, 0, size);
    shmfi_board_format(&crowd->board, crowd->memory, &crowd->geometry, 0);
    crowd->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(crowd->eventfd >= 0);
    for (uint32_t w = 0; w < WORKERS; w++) {
        workers[w] = (struct worker){.crowd = crowd};
        shmfi_board_join(&crowd->board, &workers[w].me, w, w + 1);
        assert_int_equal(pthread_create(&crowd->threads[w], NULL, work, &workers[w]), 0);
    }
}

static void stop(struct crowd *crowd)
{
    atomic_store(&crowd->board.header->stopping, 1);
    shmfi_wake_some(&crowd->board, UINT32_MAX);
    for (int w = 0; w < WORKERS; w++)
        pthread_join(crowd->threads[w], NULL);
    close(crowd->eventfd);
    free(crowd->memory);
}

/* ---- the application ---------------------------------------------------------------------- */

static void queue(struct crowd *crowd, uint32_t at, int64_t index)
{
    struct shmfi_slot *slot = &crowd->board.slots[at];
    slot->index = index;
    slot->arg_size = (uint64_t)index % SHMFI_INLINE_PAYLOAD;
    memset(slot->payload, (int)(index % 251), slot->arg_size);
    crowd->expected[at] =
        (uint64_t)index * (uint64_t)index + slot->arg_size * ((uint64_t)index % 251);
    crowd->busy[at] = true;
    shmfi_board_queue(&crowd->board, at, ++crowd->generations[at]);
}

/* Each record must be about a task that is out, by the worker that claimed it. */
static int harvest(struct crowd *crowd)
{
    int count = 0;
    for (uint32_t w = 0; w < WORKERS; w++)
        while (shmfi_board_pending(&crowd->board, w, crowd->got[w])) {
            struct shmfi_record record;
            uint64_t result;
            shmfi_board_read(&crowd->board, w, crowd->got[w]++, &record);
            uint32_t slot = shmfi_ticket_slot(record.ticket);
            assert_true(slot < SLOTS && crowd->busy[slot]);
            assert_int_equal(shmfi_ticket_generation(record.ticket), crowd->generations[slot]);
            assert_int_equal(record.incarnation, w + 1);
            assert_int_equal(shmfi_board_claimant(&crowd->board, slot, crowd->generations[slot]),
                             w + 1);
            memcpy(&result, record.data, sizeof result);
            assert_int_equal(result, crowd->expected[slot]);
            crowd->busy[slot] = false;
            count++;
        }
    return count;
}

static bool app_has_news(void *context)
{
    const struct crowd *crowd = context;
    for (uint32_t w = 0; w < WORKERS; w++)
        if (shmfi_board_pending(&crowd->board, w, crowd->got[w]))
            return true;
    return false;
}

static void wait_for_news(struct crowd *crowd)
{
    struct pollfd fd = {crowd->eventfd, POLLIN, 0};
    uint64_t rung;
    if (!shmfi_app_sleeps(&crowd->board, app_has_news, crowd))
        return;
    int got = poll(&fd, 1, PARK_MS);
    shmfi_app_awake(&crowd->board);
    assert_int_equal(got, 1);
    assert_int_equal(read(crowd->eventfd, &rung, sizeof rung), sizeof rung);
}

static void test_every_task_is_done_once_and_no_wake_up_is_lost(void **state)
{
    (void)state;
    static struct crowd crowd;
    static struct worker workers[WORKERS];
    int64_t count = test_rounds(100000), queued = 0, done = 0;
    start(&crowd, workers);
    for (unsigned seed = 1; done < count;) {
        uint32_t batch = 0;
        for (uint32_t slot = 0; slot < SLOTS && queued < count; slot++)
            if (!crowd.busy[slot] && rand_r(&seed) % 4) {
                queue(&crowd, slot, queued++);
                batch++;
            }
        if (batch)
            shmfi_wake_for(&crowd.board, batch, (uint32_t)(queued - done));
        int harvested = harvest(&crowd);
        done += harvested;
        if (!harvested && done < queued)
            wait_for_news(&crowd);
    }
    stop(&crowd);
    assert_int_equal(done, count);
}

static void test_what_is_revoked_is_never_done_and_all_else_is(void **state)
{
    (void)state;
    static struct crowd crowd;
    static struct worker workers[WORKERS];
    int64_t count = test_rounds(50000), queued = 0, done = 0, revoked = 0;
    start(&crowd, workers);
    for (unsigned seed = 2; done + revoked < count || done < 100;) {
        uint32_t batch = 0;
        for (uint32_t slot = 0; slot < SLOTS; slot++) {
            if (!crowd.busy[slot] && (queued < count || done < 100)) {
                queue(&crowd, slot, queued++);
                batch++;
            } else if (crowd.busy[slot] && rand_r(&seed) % 3 == 0 &&
                       shmfi_board_revoke(&crowd.board, slot, crowd.generations[slot])) {
                crowd.busy[slot] = false; /* a record about it would be a lie from now on */
                revoked++;
            }
        }
        shmfi_wake_some(&crowd.board, batch);
        done += harvest(&crowd);
        if (queued >= count)
            sched_yield();
    }
    while (done + revoked < queued)
        done += harvest(&crowd);
    assert_int_equal(harvest(&crowd), 0);
    stop(&crowd);
    assert_int_equal(done + revoked, queued);
}

static void test_segments_are_given_back_while_their_workers_work(void **state)
{
    (void)state;
    static struct crowd crowd;
    static struct worker workers[WORKERS];
    uint64_t given[WORKERS] = {0}, count = (uint64_t)test_rounds(100000);
    start(&crowd, workers);
    for (uint64_t i = 0; i < count;) {
        uint32_t w = (uint32_t)(i % WORKERS);
        struct shmfi_return entry = {w, given[w], ~given[w], 0};
        if (shmfi_board_return(&crowd.board, w, &entry)) {
            given[w]++;
            i++;
        } else {
            queue(&crowd, 0, (int64_t)i); /* somebody wakes up and empties a ring */
            shmfi_wake_some(&crowd.board, WORKERS);
            while (crowd.busy[0])
                if (!harvest(&crowd))
                    wait_for_news(&crowd);
            shmfi_wake(&crowd.board, w);
        }
    }
    stop(&crowd);
    assert_int_equal(atomic_load(&crowd.received), count);
}

/* One at a time, all asleep in between: the way to find a wake-up that is lost. */
static void test_a_worker_that_just_went_to_sleep_is_woken(void **state)
{
    (void)state;
    static struct crowd crowd;
    static struct worker workers[WORKERS];
    long count = test_rounds(5000);
    start(&crowd, workers);
    for (int64_t i = 0; i < count; i++) {
        uint32_t slot = (uint32_t)(i % SLOTS);
        double begun = test_now();
        queue(&crowd, slot, i);
        shmfi_wake_for(&crowd.board, 1, 1);
        while (crowd.busy[slot])
            if (!harvest(&crowd))
                wait_for_news(&crowd);
        assert_true(test_now() - begun < SOON_S);
        if (i % 50 == 0)
            test_sleep(0.0001 * (double)(i % 7));
    }
    stop(&crowd);
}

static void finish_all(struct crowd *crowd, uint32_t tasks)
{
    double begun = test_now();
    for (uint32_t done = 0; done < tasks;) {
        uint32_t harvested = (uint32_t)harvest(crowd);
        done += harvested;
        if (!harvested && done < tasks)
            wait_for_news(crowd);
        assert_true(test_now() - begun < SOON_S);
    }
}

/* Some that are alone, so that most workers fall asleep; then several that wait for each other.
 * Were one of them left to a worker that has another one, none would ever end. */
static void test_tasks_in_flight_together_run_together_whoever_slept(void **state)
{
    (void)state;
    static struct crowd crowd;
    static struct worker workers[WORKERS];
    long count = test_rounds(300);
    uint64_t together = 0;
    unsigned seed = 3;
    start(&crowd, workers);
    for (int64_t i = 0; i < count; i++) {
        for (int alone = rand_r(&seed) % 8; alone > 0; alone--) {
            queue(&crowd, 0, i);
            shmfi_wake_for(&crowd.board, 1, 1);
            finish_all(&crowd, 1);
        }
        uint32_t tasks = 2 + (uint32_t)rand_r(&seed) % (WORKERS - 1);
        together += tasks;
        for (uint32_t slot = 0; slot < tasks; slot++) {
            crowd.board.slots[slot].context = together;
            queue(&crowd, slot, i);
            shmfi_wake_for(&crowd.board, 1, slot + 1);
        }
        finish_all(&crowd, tasks);
        crowd.board.slots[0].context = 0;
    }
    stop(&crowd);
    assert_int_equal(atomic_load(&crowd.together), together);
}

static bool never(void *context)
{
    (void)context;
    return false;
}

static void test_a_park_ends_when_its_time_is_over_and_a_spin_sooner(void **state)
{
    (void)state;
    struct shmfi_geometry geometry = {.workers = 1, .slots = 1};
    size_t size = shmfi_board_size(&geometry);
    void *memory = aligned_alloc(SHMFI_LINE, (size + SHMFI_LINE - 1) / SHMFI_LINE * SHMFI_LINE);
    struct shmfi_board board;
    memset(memory, 0, size);
    shmfi_board_format(&board, memory, &geometry, 0);
    double begun = test_now();
    shmfi_park(&board, 0, never, NULL, 30);
    assert_true(test_now() - begun >= 0.029);
    assert_int_equal(atomic_load(&board.lines[0].asleep), SHMFI_AWAY);
    assert_false(shmfi_wake(&board, 0));
    struct shmfi_spinner spinner = {.pause_first = true};
    begun = test_now();
    assert_false(shmfi_spin(&spinner, (struct shmfi_watch){0}, never, NULL));
    assert_true(test_now() - begun < SOON_S);
    free(memory);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_is_done_once_and_no_wake_up_is_lost),
        cmocka_unit_test(test_what_is_revoked_is_never_done_and_all_else_is),
        cmocka_unit_test(test_segments_are_given_back_while_their_workers_work),
        cmocka_unit_test(test_a_worker_that_just_went_to_sleep_is_woken),
        cmocka_unit_test(test_tasks_in_flight_together_run_together_whoever_slept),
        cmocka_unit_test(test_a_park_ends_when_its_time_is_over_and_a_spin_sooner),
    };
    return cmocka_run_group_tests_name("board: threads", tests, NULL, NULL);
}

/* The board's protocol, one step at a time; test_board_threads.c has it in parallel. */
#include "support/test.h"

#include "board/board.h"

#include <stdlib.h>
#include <string.h>

enum { WORKERS = 3 };

struct fixture {
    struct shmfi_geometry geometry;
    struct shmfi_board board;
    void *memory;
    size_t size;
    struct shmfi_claimer workers[WORKERS];
};

static struct fixture fixture_of(uint32_t slots)
{
    struct fixture f = {.geometry = {.workers = WORKERS, .slots = slots}};
    f.size = shmfi_board_size(&f.geometry);
    f.memory = aligned_alloc(SHMFI_LINE, (f.size + SHMFI_LINE - 1) / SHMFI_LINE * SHMFI_LINE);
    assert_non_null(f.memory);
    memset(f.memory, 0, f.size);
    shmfi_board_format(&f.board, f.memory, &f.geometry, 1000);
    for (uint32_t w = 0; w < WORKERS; w++)
        shmfi_board_join(&f.board, &f.workers[w], w, w + 1);
    return f;
}

static void publish(struct fixture *f, uint32_t worker, uint64_t ticket)
{
    struct shmfi_record *record = shmfi_board_record(&f->board, &f->workers[worker]);
    memset(record, 0, sizeof *record);
    record->ticket = ticket;
    record->incarnation = f->workers[worker].incarnation;
    record->kind = SHMFI_RESULT_INLINE;
    record->size = 5;
    memcpy(record->data, "hello", 5);
    shmfi_board_publish(&f->board, &f->workers[worker]);
}

static void test_the_parts_lie_one_after_the_other_each_on_lines_of_its_own(void **state)
{
    (void)state;
    for (uint32_t slots = 1; slots < 100; slots++) {
        struct fixture f = fixture_of(slots);
        const struct shmfi_board *b = &f.board;
        assert_true(b->geometry.slots >= slots && b->geometry.slots < 2 * slots);
        assert_int_equal(b->geometry.slots & (b->geometry.slots - 1), 0);
        assert_true(b->geometry.ring >= b->geometry.slots);
        uintptr_t order = (uintptr_t)b->order, lines = (uintptr_t)b->lines;
        uintptr_t slots_at = (uintptr_t)b->slots, rings = (uintptr_t)b->rings;
        uintptr_t returns = (uintptr_t)b->returns;
        assert_true(order >= (uintptr_t)f.memory + sizeof *b->header);
        assert_true(lines >= order + b->geometry.order * sizeof *b->order);
        assert_true(slots_at >= lines + WORKERS * sizeof *b->lines);
        assert_true(rings >= slots_at + b->geometry.slots * sizeof *b->slots);
        assert_true(returns >= rings + WORKERS * b->geometry.ring * sizeof *b->rings);
        assert_true(returns + WORKERS * b->geometry.returns * sizeof *b->returns <=
                    (uintptr_t)f.memory + f.size);
        assert_int_equal((uintptr_t)b->lines % SHMFI_LINE, 0);
        assert_int_equal((uintptr_t)b->slots % SHMFI_LINE, 0);
        assert_int_equal((uintptr_t)b->rings % SHMFI_LINE, 0);
        free(f.memory);
    }
}

static void test_tasks_are_claimed_once_each_in_the_order_in_which_they_were_queued(void **state)
{
    (void)state;
    struct fixture f = fixture_of(8);
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), SHMFI_NO_TICKET);
    assert_false(shmfi_board_has_news(&f.board, &f.workers[0]));
    static const uint32_t order[] = {5, 0, 7, 1, 6, 2, 3, 4};
    for (int i = 0; i < 8; i++)
        shmfi_board_queue(&f.board, order[i], 100 + order[i]);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t worker = i % WORKERS;
        assert_true(shmfi_board_has_news(&f.board, &f.workers[worker]));
        uint64_t ticket = shmfi_board_claim(&f.board, &f.workers[worker]);
        assert_int_equal(ticket, shmfi_ticket(order[i], 100 + order[i]));
        assert_int_equal(shmfi_board_claimant(&f.board, order[i], 100 + order[i]), worker + 1);
        assert_int_equal(shmfi_board_claimant(&f.board, order[i], 99 + order[i]), 0);
        assert_false(shmfi_board_is_queued(&f.board, order[i], 100 + order[i]));
    }
    for (int w = 0; w < WORKERS; w++) {
        assert_int_equal(shmfi_board_claim(&f.board, &f.workers[w]), SHMFI_NO_TICKET);
        assert_false(shmfi_board_has_news(&f.board, &f.workers[w]));
    }
    free(f.memory);
}

/* As it is between the application's two stores, or where they arrive in another order. */
static void test_an_entry_is_claimed_before_the_tail_counts_it_and_passed_only_so(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    struct shmfi_claimer *me = &f.workers[0], *other = &f.workers[1];
    const _Atomic uint64_t *next = shmfi_board_next(&f.board, me);
    assert_int_equal(atomic_load(next), SHMFI_NO_TICKET);
    assert_int_equal(shmfi_board_claim_next(&f.board, me), SHMFI_NO_TICKET);
    shmfi_board_queue(&f.board, 2, 7);
    atomic_store(&f.board.header->tail, 0);
    assert_int_equal(atomic_load(next), shmfi_ticket(2, 7));
    assert_int_equal(shmfi_board_claim_next(&f.board, me), shmfi_ticket(2, 7));
    assert_int_equal(shmfi_board_claimant(&f.board, 2, 7), 1);
    assert_int_equal(shmfi_board_claim(&f.board, me), SHMFI_NO_TICKET);
    atomic_store(&f.board.header->tail, 1);
    assert_int_equal(shmfi_board_claim(&f.board, me), SHMFI_NO_TICKET);
    assert_false(shmfi_board_has_news(&f.board, me));
    /* What another has is left to the tail, and what is not queued yet is not lost. */
    shmfi_board_queue(&f.board, 1, 1);
    assert_int_equal(shmfi_board_claim(&f.board, other), shmfi_ticket(1, 1));
    assert_int_equal(shmfi_board_claim_next(&f.board, me), SHMFI_NO_TICKET);
    atomic_store(&f.board.slots[1].state, shmfi_state(SHMFI_CLAIMED, 2, 0));
    assert_int_equal(shmfi_board_claim_next(&f.board, me), SHMFI_NO_TICKET);
    atomic_store(&f.board.slots[1].state, shmfi_state(SHMFI_QUEUED, 0, 1));
    assert_int_equal(shmfi_board_claim_next(&f.board, me), shmfi_ticket(1, 1));
    assert_int_equal(shmfi_board_claim(&f.board, me), SHMFI_NO_TICKET);
    free(f.memory);
}

static void test_a_task_is_either_revoked_or_claimed(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    shmfi_board_queue(&f.board, 0, 1);
    shmfi_board_queue(&f.board, 1, 1);
    assert_false(shmfi_board_revoke(&f.board, 0, 2)); /* another generation */
    assert_true(shmfi_board_revoke(&f.board, 0, 1));
    assert_false(shmfi_board_revoke(&f.board, 0, 1));
    assert_int_equal(shmfi_board_claimant(&f.board, 0, 1), 0);
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), shmfi_ticket(1, 1));
    assert_false(shmfi_board_revoke(&f.board, 1, 1));
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[1]), SHMFI_NO_TICKET);
    shmfi_board_queue(&f.board, 0, 2);
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[1]), shmfi_ticket(0, 2));
    free(f.memory);
}

/* Many more submissions than order[] has entries, most of them revoked, while one waits. */
static void test_a_task_that_waits_long_is_not_forgotten_when_the_order_wraps(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    shmfi_board_queue(&f.board, 0, 7);
    for (uint32_t i = 1; i < 200; i++) {
        shmfi_board_queue(&f.board, 1 + i % 3, i);
        assert_true(shmfi_board_revoke(&f.board, 1 + i % 3, i));
    }
    shmfi_board_queue(&f.board, 2, 1000);
    uint64_t one = shmfi_board_claim(&f.board, &f.workers[0]);
    uint64_t two = shmfi_board_claim(&f.board, &f.workers[1]);
    assert_true((one == shmfi_ticket(0, 7) && two == shmfi_ticket(2, 1000)) ||
                (two == shmfi_ticket(0, 7) && one == shmfi_ticket(2, 1000)));
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[2]), SHMFI_NO_TICKET);
    free(f.memory);
}

static void test_two_entries_for_one_task_start_it_once(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    shmfi_board_queue(&f.board, 3, 9);
    shmfi_board_queue_again(&f.board, 3, 9);
    shmfi_board_queue_again(&f.board, 3, 9);
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), shmfi_ticket(3, 9));
    for (int w = 0; w < WORKERS; w++)
        assert_int_equal(shmfi_board_claim(&f.board, &f.workers[w]), SHMFI_NO_TICKET);
    free(f.memory);
}

static void test_a_hint_that_is_too_low_costs_time_only(void **state)
{
    (void)state;
    struct fixture f = fixture_of(16);
    for (uint32_t round = 1; round < 20; round++) {
        for (uint32_t slot = 0; slot < 16; slot++)
            shmfi_board_queue(&f.board, slot, round);
        for (uint32_t slot = 0; slot < 16; slot++) {
            atomic_store(&f.board.header->hint, ((round - 1) * 16 + slot) / 2);
            assert_int_equal(shmfi_board_claim(&f.board, &f.workers[slot % WORKERS]),
                             shmfi_ticket(slot, round));
        }
    }
    free(f.memory);
}

static void test_a_task_behind_a_wrong_hint_is_found_when_it_is_queued_again(void **state)
{
    (void)state;
    struct fixture f = fixture_of(8);
    shmfi_board_queue(&f.board, 0, 1);
    shmfi_board_queue(&f.board, 1, 1);
    atomic_store(&f.board.header->hint, 1);
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), shmfi_ticket(1, 1));
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), SHMFI_NO_TICKET);
    shmfi_board_queue_again(&f.board, 0, 1);
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), shmfi_ticket(0, 1));
    /* A hint beyond the end is not believed at all. */
    atomic_store(&f.board.header->hint, UINT64_MAX);
    shmfi_board_queue(&f.board, 2, 1);
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[1]), shmfi_ticket(2, 1));
    free(f.memory);
}

static void test_entries_that_make_no_sense_are_passed_over(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    for (uint32_t i = 0; i < 4; i++)
        shmfi_board_queue(&f.board, i, 1);
    atomic_store(&f.board.order[0], shmfi_ticket(4, 1));
    atomic_store(&f.board.order[1], SHMFI_NO_TICKET - 1);
    atomic_store(&f.board.order[2], shmfi_ticket(2, 77));
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), shmfi_ticket(3, 1));
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), SHMFI_NO_TICKET);
    free(f.memory);
}

static void test_records_are_read_in_the_order_in_which_they_were_published(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    struct shmfi_record record;
    for (uint64_t got = 0; got < 50; got++) {
        assert_int_equal(shmfi_board_pending(&f.board, 1, got), 0);
        publish(&f, 1, got);
        publish(&f, 1, got + 1);
        assert_int_equal(shmfi_board_pending(&f.board, 1, got), 2);
        assert_int_equal(shmfi_board_pending(&f.board, 0, 0), 0);
        shmfi_board_read(&f.board, 1, got, &record);
        assert_int_equal(record.ticket, got);
        assert_int_equal(record.incarnation, 2);
        assert_memory_equal(record.data, "hello", 5);
        got++;
        shmfi_board_read(&f.board, 1, got, &record);
        assert_int_equal(record.ticket, got);
    }
    free(f.memory);
}

static void test_a_record_that_claims_too_many_bytes_is_copied_within_bounds(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    struct shmfi_record *record = shmfi_board_record(&f.board, &f.workers[0]);
    memset(record, 0x55, sizeof *record);
    record->kind = SHMFI_RESULT_FAILURE;
    record->size = UINT64_MAX;
    shmfi_board_publish(&f.board, &f.workers[0]);
    struct {
        struct shmfi_record record;
        uint8_t behind[64];
    } copy;
    memset(&copy, 0, sizeof copy);
    shmfi_board_read(&f.board, 0, 0, &copy.record);
    assert_int_equal(copy.record.size, UINT64_MAX);
    assert_int_equal(copy.record.data[SHMFI_RECORD_DATA - 1], 0x55);
    assert_int_equal(test_differs_from(copy.behind, sizeof copy.behind, 0), -1);
    free(f.memory);
}

/* What the ring says of the only record that worker 0 published, and what is read of it. */
static struct shmfi_record reread(struct fixture *f, void (*spoil)(struct shmfi_line *line))
{
    struct shmfi_record record;
    struct shmfi_record *in_ring = shmfi_board_record(&f->board, &f->workers[0]);
    publish(f, 0, 7);
    memcpy(in_ring->data, "other", 5);
    spoil(&f->board.lines[0]);
    shmfi_board_read(&f->board, 0, 0, &record);
    assert_int_equal(record.ticket, 7);
    assert_int_equal(record.incarnation, 1);
    assert_int_equal(record.kind, SHMFI_RESULT_INLINE);
    assert_int_equal(record.size, 5);
    return record;
}

static void leave_it(struct shmfi_line *line)
{
    (void)line;
}

static void begin_another(struct shmfi_line *line)
{
    atomic_fetch_add(&line->begun, 1);
    atomic_store(&line->brief[0], 8);
}

static void publish_another(struct shmfi_line *line)
{
    atomic_fetch_add(&line->done, 1);
}

static void test_a_short_record_is_read_beside_its_number_while_it_is_the_last(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    struct shmfi_record record = reread(&f, leave_it);
    assert_memory_equal(record.data, "hello", 5);
    free(f.memory);
}

static void test_a_record_is_read_in_the_ring_when_its_worker_has_begun_another(void **state)
{
    (void)state;
    void (*const others[])(struct shmfi_line *) = {begin_another, publish_another};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct fixture f = fixture_of(4);
        struct shmfi_record record = reread(&f, others[i]);
        assert_memory_equal(record.data, "other", 5);
        free(f.memory);
    }
}

static void test_a_record_that_is_not_short_is_read_in_the_ring(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    struct shmfi_record record, *filled = shmfi_board_record(&f.board, &f.workers[0]);
    memset(filled, 0, sizeof *filled);
    filled->ticket = 9;
    filled->kind = SHMFI_RESULT_INLINE;
    filled->size = 9;
    memcpy(filled->data, "nine long", 9);
    shmfi_board_publish(&f.board, &f.workers[0]);
    shmfi_board_read(&f.board, 0, 0, &record);
    assert_int_equal(record.size, 9);
    assert_memory_equal(record.data, "nine long", 9);
    free(f.memory);
}

static void test_segments_come_back_to_their_worker_until_its_ring_is_full(void **state)
{
    (void)state;
    struct fixture f = fixture_of(2);
    struct shmfi_return entry = {1, 2, 3, 0}, taken;
    uint64_t n = 0;
    assert_false(shmfi_board_take(&f.board, &f.workers[2], &taken));
    for (int round = 0; round < 10; round++) {
        uint64_t first = n;
        for (entry.region = n; shmfi_board_return(&f.board, 2, &entry); entry.region = ++n)
            continue;
        assert_int_equal(n - first, f.board.geometry.returns);
        assert_false(shmfi_board_take(&f.board, &f.workers[1], &taken));
        for (; first < n; first++) {
            assert_true(shmfi_board_take(&f.board, &f.workers[2], &taken));
            assert_int_equal(taken.region, first);
            assert_int_equal(taken.generation, 3);
        }
        assert_false(shmfi_board_take(&f.board, &f.workers[2], &taken));
    }
    free(f.memory);
}

static void test_a_successor_goes_on_where_its_predecessor_stopped(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    struct shmfi_return entry = {1, 2, 3, 0};
    shmfi_board_queue(&f.board, 0, 1);
    shmfi_board_queue(&f.board, 1, 1);
    shmfi_board_queue(&f.board, 2, 1);
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), shmfi_ticket(0, 1));
    publish(&f, 0, shmfi_ticket(0, 1));
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), shmfi_ticket(1, 1));
    /* It dies with the second task claimed, asleep as it seems, and with a segment on its way. */
    atomic_store(&f.board.lines[0].asleep, SHMFI_ASLEEP);
    atomic_store(&f.board.lines[0].held, 12345);
    assert_true(shmfi_board_return(&f.board, 0, &entry));
    shmfi_board_join(&f.board, &f.workers[0], 0, 17);
    assert_int_equal(shmfi_board_claimant(&f.board, 1, 1), 1);
    assert_int_equal(atomic_load(&f.board.lines[0].asleep), SHMFI_AWAY);
    assert_int_equal(atomic_load(&f.board.lines[0].held), 0);
    assert_int_equal(atomic_load(&f.board.lines[0].current), SHMFI_NO_TICKET);
    assert_false(shmfi_board_take(&f.board, &f.workers[0], &entry));
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), shmfi_ticket(2, 1));
    publish(&f, 0, shmfi_ticket(2, 1));
    struct shmfi_record record;
    assert_int_equal(shmfi_board_pending(&f.board, 0, 0), 2);
    shmfi_board_read(&f.board, 0, 0, &record);
    assert_int_equal(record.incarnation, 1);
    shmfi_board_read(&f.board, 0, 1, &record);
    assert_int_equal(record.incarnation, 17);
    free(f.memory);
}

static void test_the_running_task_is_shown_from_its_start_to_its_publication(void **state)
{
    (void)state;
    struct fixture f = fixture_of(4);
    struct shmfi_line *line = &f.board.lines[0];
    shmfi_board_queue(&f.board, 3, 5);
    uint64_t ticket = shmfi_board_claim(&f.board, &f.workers[0]);
    atomic_store(&line->started, 666);
    shmfi_board_start(&f.board, &f.workers[0], ticket);
    assert_int_equal(atomic_load(&line->current), ticket);
    assert_int_equal(atomic_load(&line->started), 0);
    shmfi_board_time(&f.board, &f.workers[0], 777);
    assert_int_equal(atomic_load(&line->started), 777);
    publish(&f, 0, ticket);
    assert_int_equal(atomic_load(&line->current), SHMFI_NO_TICKET);
    free(f.memory);
}

static void test_an_incarnation_of_29_bits_fits_beside_phase_and_generation(void **state)
{
    (void)state;
    struct fixture f = fixture_of(2);
    shmfi_board_join(&f.board, &f.workers[0], 0, SHMFI_MAX_INCARNATION);
    shmfi_board_queue(&f.board, 1, UINT32_MAX);
    assert_true(shmfi_board_is_queued(&f.board, 1, UINT32_MAX));
    assert_int_equal(shmfi_board_claim(&f.board, &f.workers[0]), shmfi_ticket(1, UINT32_MAX));
    assert_int_equal(shmfi_board_claimant(&f.board, 1, UINT32_MAX), SHMFI_MAX_INCARNATION);
    free(f.memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_parts_lie_one_after_the_other_each_on_lines_of_its_own),
        cmocka_unit_test(test_tasks_are_claimed_once_each_in_the_order_in_which_they_were_queued),
        cmocka_unit_test(test_an_entry_is_claimed_before_the_tail_counts_it_and_passed_only_so),
        cmocka_unit_test(test_a_task_is_either_revoked_or_claimed),
        cmocka_unit_test(test_a_task_that_waits_long_is_not_forgotten_when_the_order_wraps),
        cmocka_unit_test(test_two_entries_for_one_task_start_it_once),
        cmocka_unit_test(test_a_hint_that_is_too_low_costs_time_only),
        cmocka_unit_test(test_a_task_behind_a_wrong_hint_is_found_when_it_is_queued_again),
        cmocka_unit_test(test_entries_that_make_no_sense_are_passed_over),
        cmocka_unit_test(test_records_are_read_in_the_order_in_which_they_were_published),
        cmocka_unit_test(test_a_record_that_claims_too_many_bytes_is_copied_within_bounds),
        cmocka_unit_test(test_a_short_record_is_read_beside_its_number_while_it_is_the_last),
        cmocka_unit_test(test_a_record_is_read_in_the_ring_when_its_worker_has_begun_another),
        cmocka_unit_test(test_a_record_that_is_not_short_is_read_in_the_ring),
        cmocka_unit_test(test_segments_come_back_to_their_worker_until_its_ring_is_full),
        cmocka_unit_test(test_a_successor_goes_on_where_its_predecessor_stopped),
        cmocka_unit_test(test_the_running_task_is_shown_from_its_start_to_its_publication),
        cmocka_unit_test(test_an_incarnation_of_29_bits_fits_beside_phase_and_generation),
    };
    return cmocka_run_group_tests_name("board", tests, NULL, NULL);
}

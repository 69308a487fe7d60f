/* pool/: what the application makes of records as no good worker would write them. */
#include "unit/pool_sketch.h"

#include <shmframe/result.h>

static const struct shmf_failure *last_failure(const struct sketch *sketch)
{
    assert_non_null(sketch->last);
    const struct shmf_failure *failure = shmf_result_failure(sketch->last);
    assert_non_null(failure);
    return failure;
}

static void test_a_failure_has_a_code_of_the_librarys_whatever_the_worker_says(void **state)
{
    (void)state;
    static const int codes[][2] = {{5, SHMF_E_TASK},
                                   {0, SHMF_E_TASK},
                                   {SHMF_E_SYS - 1, SHMF_E_TASK},
                                   {SHMF_E_NOMEM, SHMF_E_NOMEM}};
    struct sketch *sketch = sketch_new();
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct shmfi_record record = {
            .kind = SHMFI_RESULT_FAILURE, .status = codes[i][0], .size = 3, .data = "why"};
        sketch_publish(sketch, 1, sketch_claim(sketch, 1), record);
        assert_int_equal(shmfi_pool_harvest(&sketch->pool, NULL), 1);
        assert_int_equal(last_failure(sketch)->code, codes[i][1]);
        assert_string_equal(last_failure(sketch)->message, "why");
        assert_int_equal(last_failure(sketch)->worker, 1);
    }
    sketch_free(sketch);
}

static void test_the_words_of_a_failure_are_cut_where_they_end_nowhere(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmfi_record record = {
        .kind = SHMFI_RESULT_FAILURE, .status = SHMF_E_TASK, .size = UINT64_MAX};
    memset(record.data, 'w', sizeof record.data);
    sketch_publish(sketch, 0, sketch_claim(sketch, 0), record);
    assert_int_equal(shmfi_pool_harvest(&sketch->pool, NULL), 1);
    assert_int_equal(strlen(last_failure(sketch)->message), SHMF_ERROR_MESSAGE_SIZE - 1);
    sketch_free(sketch);
}

static void assert_nonsense(struct sketch *sketch)
{
    assert_int_equal(sketch->delivered, 0);
    assert_int_equal(sketch->pool.broken, SHMF_E_POOL_BROKEN);
    assert_non_null(strstr(sketch->pool.broken_why, "worker 0 wrote nonsense"));
    sketch_free(sketch);
}

static void test_a_record_of_anothers_task_breaks_the_pool(void **state)
{
    (void)state;
    const struct shmfi_record nothing = {.kind = SHMFI_RESULT_INLINE};
    struct sketch *sketch = sketch_new(); /* whose claimant is another worker */
    sketch_publish(sketch, 0, sketch_claim(sketch, 1), nothing);
    assert_int_equal(shmfi_pool_harvest(&sketch->pool, NULL), 0);
    assert_nonsense(sketch);
    sketch = sketch_new(); /* that was another before */
    struct shmfi_record record = nothing;
    record.ticket = shmfi_ticket(sketch_claim(sketch, 0), 77);
    sketch_publish(sketch, 0, 0, record);
    assert_int_equal(shmfi_pool_harvest(&sketch->pool, NULL), 0);
    assert_nonsense(sketch);
    sketch = sketch_new(); /* in a slot that there is not */
    record.ticket = shmfi_ticket(SLOTS, 1);
    sketch_publish(sketch, 0, sketch_claim(sketch, 0), record);
    assert_int_equal(shmfi_pool_harvest(&sketch->pool, NULL), 0);
    assert_nonsense(sketch);
}

static void test_more_records_than_the_ring_holds_break_the_pool(void **state)
{
    (void)state;
    for (int at_its_death = 0; at_its_death < 2; at_its_death++) {
        struct sketch *sketch = sketch_new();
        atomic_store(&sketch->pool.board.lines[0].done,
                     sketch->pool.board.geometry.ring + UINT64_C(1));
        if (at_its_death)
            shmfi_pool_harvest_last(&sketch->pool, 0);
        else
            assert_int_equal(shmfi_pool_harvest(&sketch->pool, NULL), 0);
        assert_nonsense(sketch);
    }
}

static void test_of_a_dead_workers_records_those_of_its_successor_stay(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmfi_record record = {.kind = SHMFI_RESULT_INLINE, .size = 1};
    sketch_publish(sketch, 0, sketch_claim(sketch, 0), record);
    uint32_t slot = sketch_claim(sketch, 0);
    record.incarnation = 99;
    sketch_publish(sketch, 0, slot, record);
    shmfi_pool_harvest_last(&sketch->pool, 0);
    assert_int_equal(sketch->delivered, 1);
    assert_int_equal(sketch->pool.broken, 0);
    assert_int_equal(shmfi_board_pending(&sketch->pool.board, 0, sketch->members[0].got), 1);
    sketch_free(sketch);
}

static void test_a_dead_workers_record_that_lies_breaks_the_pool(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    sketch_publish(sketch, 0, sketch_claim(sketch, 1),
                   (struct shmfi_record){.kind = SHMFI_RESULT_INLINE});
    shmfi_pool_harvest_last(&sketch->pool, 0);
    assert_nonsense(sketch);
}

/* ---- memory that we do not know ------------------------------------------------------------ */

static void *no_realloc(void *old, size_t size)
{
    (void)old, (void)size;
    return NULL;
}

/* A result in a region of which nothing came, from a worker some of whose mail was lost. */
static struct sketch *sketch_with_unknown_region(uint64_t region)
{
    struct sketch *sketch = sketch_new();
    sketch->members[0].forgetful = true;
    sketch_publish(sketch, 0, sketch_claim(sketch, 0),
                   (struct shmfi_record){.kind = SHMFI_RESULT_SEGMENT,
                                         .segment = {.region = region, .length = 4096}});
    return sketch;
}

static void test_a_result_whose_memory_was_lost_on_the_way_waits_and_is_asked_for(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_with_unknown_region(4711);
    struct shmf_error err = {0};
    assert_int_equal(shmfi_pool_harvest(&sketch->pool, &err), SHMF_E_NOFILES);
    assert_int_equal(sketch->delivered, 0);
    struct shmfi_mail mail;
    int fd;
    assert_int_equal(shmfi_fdpass_receive(sketch->ends[0], &mail, sizeof mail, &fd, NULL), 1);
    assert_int_equal(mail.type, SHMFI_MAIL_RESEND);
    assert_true(mail.id == 4711);
    sketch_free(sketch);
}

static void test_a_lost_result_that_cannot_even_be_noted_fails_and_its_worker_ends(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_with_unknown_region(4711);
    struct shmfi_sys real = shmfi_sys;
    shmfi_sys.realloc = no_realloc;
    int harvested = shmfi_pool_harvest(&sketch->pool, NULL);
    shmfi_sys = real;
    assert_int_equal(harvested, 1);
    assert_int_equal(last_failure(sketch)->code, SHMF_E_NOMEM);
    struct shmfi_control order;
    int fd;
    assert_int_equal(shmfi_fdpass_receive(sketch->control, &order, sizeof order, &fd, NULL), 1);
    assert_int_equal(order.type, SHMFI_CONTROL_KILL);
    assert_true(order.worker == 0 && order.incarnation == 1);
    sketch_free(sketch);
}

/* ---- a task is to end ---------------------------------------------------------------------- */

static int sends, polls, refusals;
static struct shmfi_sys real;

static ssize_t refusing_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (sends++ >= refusals)
        return real.sendmsg(fd, message, flags);
    errno = EAGAIN;
    return -1;
}

static int counting_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    (void)fds, (void)count, (void)timeout;
    polls++;
    return 0;
}

/* Ends the task while the supervisor's socket refuses so many messages: did the order come? */
static bool gets_cancelled(struct sketch *sketch, uint32_t slot, int full)
{
    struct shmfi_control order;
    int fd;
    real = shmfi_sys;
    sends = polls = 0;
    refusals = full;
    shmfi_sys.sendmsg = refusing_sendmsg;
    shmfi_sys.poll = counting_poll;
    shmfi_pool_end_task(&sketch->pool, slot);
    shmfi_sys = real;
    if (shmfi_fdpass_receive(sketch->control, &order, sizeof order, &fd, NULL) != 1)
        return false;
    assert_int_equal(order.type, SHMFI_CONTROL_CANCEL);
    assert_true(order.worker == 2 && order.incarnation == 3);
    assert_true(order.ticket == shmfi_ticket(slot, sketch->jobs[slot].generation));
    return true;
}

static void test_the_order_to_end_a_task_waits_for_room_but_not_for_ever(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    uint32_t slot = sketch_claim(sketch, 2);
    assert_true(gets_cancelled(sketch, slot, 0));
    assert_int_equal(polls, 0);
    assert_true(gets_cancelled(sketch, slot, 3));
    assert_int_equal(polls, 3);
    assert_false(gets_cancelled(sketch, slot, 1000000));
    assert_true(polls >= 10 && polls < 1000);
    sketch_free(sketch);
}

static void test_no_worker_is_ended_for_a_task_that_nobody_has(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    sketch->members[1].incarnation = 0; /* dead: its number is that of no claimant */
    uint32_t slot = sketch_claim(sketch, 2);
    sketch->jobs[slot].generation++;
    assert_false(gets_cancelled(sketch, slot, 0));
    assert_int_equal(sends, 0);
    sketch_free(sketch);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_failure_has_a_code_of_the_librarys_whatever_the_worker_says),
        test_case(test_the_words_of_a_failure_are_cut_where_they_end_nowhere),
        test_case(test_a_record_of_anothers_task_breaks_the_pool),
        test_case(test_more_records_than_the_ring_holds_break_the_pool),
        test_case(test_of_a_dead_workers_records_those_of_its_successor_stay),
        test_case(test_a_dead_workers_record_that_lies_breaks_the_pool),
        test_case(test_a_result_whose_memory_was_lost_on_the_way_waits_and_is_asked_for),
        test_case(test_a_lost_result_that_cannot_even_be_noted_fails_and_its_worker_ends),
        test_case(test_the_order_to_end_a_task_waits_for_room_but_not_for_ever),
        test_case(test_no_worker_is_ended_for_a_task_that_nobody_has),
    };
    return cmocka_run_group_tests_name("pool: harvest", tests, NULL, NULL);
}

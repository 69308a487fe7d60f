/* What an application does that waits while nothing comes: it looks for tasks that are lost and for
 * memory that only its caller can give back; and it waits for nobody who is not there. Supervisor
 * and workers are played by the test. */
#include "pool_stage.h"

#include "base/process.h"

#include <poll.h>

enum { GENERATION = 3, INDEX = 42 };

static void queue_in(struct stage *stage, uint32_t slot)
{
    struct shmfi_job *job = &stage->jobs[slot];
    job->busy = true;
    job->generation = GENERATION;
    job->index = INDEX;
    job->serial = slot;
    stage->pool.n_free--;
    shmfi_board_queue(&stage->pool.board, slot, GENERATION);
}

/* The worker takes the task that is on the board. */
static uint64_t claim(struct stage *stage, uint32_t worker, uint32_t incarnation)
{
    struct shmfi_claimer claimer;
    shmfi_board_join(&stage->pool.board, &claimer, worker, incarnation);
    uint64_t ticket = shmfi_board_claim(&stage->pool.board, &claimer);
    assert_int_not_equal(ticket, SHMFI_NO_TICKET);
    return ticket;
}

static void assert_lost(const struct stage *stage)
{
    assert_int_equal(stage->pool.broken, SHMF_E_POOL_BROKEN);
    assert_non_null(strstr(stage->pool.broken_why, "task 42 is in nobody's hands"));
}

/* ---- tasks that are lost ------------------------------------------------------------------ */

static void test_a_task_that_waits_is_not_lost(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    int socket = stage_announce(stage, 0, 1);
    queue_in(stage, 0);
    for (int i = 0; i < 3; i++)
        shmfi_pool_rescan(&stage->pool);
    assert_int_equal(stage->pool.broken, SHMF_OK);
    assert_true(shmfi_board_is_queued(&stage->pool.board, 0, GENERATION));
    close(socket);
    stage_free(stage);
}

static void test_a_task_that_neither_waits_nor_is_claimed_is_lost(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    queue_in(stage, 0);
    atomic_store(&stage->pool.board.slots[0].state, 0);
    shmfi_pool_rescan(&stage->pool);
    assert_lost(stage);
    stage_free(stage);
}

static void test_a_task_of_a_worker_that_nobody_knows_is_lost(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    int socket = stage_announce(stage, 0, 1);
    queue_in(stage, 0);
    claim(stage, 0, 9);
    shmfi_pool_rescan(&stage->pool);
    assert_lost(stage);
    close(socket);
    stage_free(stage);
}

static void test_a_task_of_a_worker_whose_announcement_was_not_read_yet_is_not(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    queue_in(stage, 0);
    claim(stage, 0, 9);
    int ours, its;
    stage_pair(&ours, &its);
    struct shmfi_control birth = {.type = SHMFI_CONTROL_SPAWNING, .incarnation = 9};
    assert_int_equal(shmfi_fdpass_send(stage->control, &birth, sizeof birth, ours, NULL), 1);
    close(ours);
    for (int i = 0; i < 3; i++)
        shmfi_pool_rescan(&stage->pool);
    assert_int_equal(stage->pool.broken, SHMF_OK);
    assert_int_equal(stage->members[0].incarnation, 9);
    close(its);
    stage_free(stage);
}

/* A worker that goes on without a word of what it had claimed is believed the second time. */
static void test_a_task_that_its_worker_left_undone_is_lost(void **state)
{
    (void)state;
    static const struct {
        bool runs_another, sleeps, has_published, lost;
    } cases[] = {
        {true, false, false, true},
        {false, true, false, true},
        {false, false, false, false}, /* between two instructions */
        {true, false, true, false},   /* it will be harvested */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stage *stage = stage_new(1);
        struct shmfi_line *line = &stage->pool.board.lines[0];
        int socket = stage_announce(stage, 0, 1);
        queue_in(stage, 0);
        claim(stage, 0, 1);
        if (cases[i].runs_another)
            atomic_store(&line->current, shmfi_ticket(1, 1));
        atomic_store(&line->asleep, cases[i].sleeps);
        atomic_store(&line->done, cases[i].has_published);
        shmfi_pool_rescan(&stage->pool);
        assert_int_equal(stage->pool.broken, SHMF_OK);
        atomic_store(&line->asleep, cases[i].sleeps);
        shmfi_pool_rescan(&stage->pool);
        if (cases[i].lost)
            assert_lost(stage);
        else
            assert_int_equal(stage->pool.broken, SHMF_OK);
        close(socket);
        stage_free(stage);
    }
}

static void test_a_worker_that_runs_what_it_claimed_is_left_alone(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    int socket = stage_announce(stage, 0, 1);
    queue_in(stage, 0);
    atomic_store(&stage->pool.board.lines[0].current, claim(stage, 0, 1));
    for (int i = 0; i < 3; i++)
        shmfi_pool_rescan(&stage->pool);
    assert_int_equal(stage->pool.broken, SHMF_OK);
    close(socket);
    stage_free(stage);
}

/* ---- memory ------------------------------------------------------------------------------- */

static void test_a_task_is_blocked_where_the_caller_holds_what_it_lacks(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    struct shmf_pool *pool = &stage->pool;
    struct shmfi_board_header *header = pool->board.header;
    struct shmfi_line *line = &pool->board.lines[0];
    uint64_t budget = pool->board.budget;
    int socket = stage_announce(stage, 0, 1);
    assert_false(shmfi_pool_share_memory(pool));
    atomic_store(&line->wanted, 1000);
    assert_false(shmfi_pool_share_memory(pool)); /* for a task that is nobody's any more */
    assert_int_equal(atomic_load(&header->oldest), SHMFI_NO_TICKET);
    queue_in(stage, 0);
    uint64_t ticket = claim(stage, 0, 1);
    atomic_store(&line->current, ticket);
    atomic_store(&line->wanted, 1000); /* joining the board cleared it */
    assert_false(shmfi_pool_share_memory(pool));
    assert_int_equal(atomic_load(&header->oldest), ticket);
    const uint64_t held[] = {budget - 1000, budget - 999, budget + 1};
    for (int i = 0; i < 3; i++) {
        atomic_store(&header->caller, held[i]);
        assert_int_equal(shmfi_pool_share_memory(pool), i > 0);
    }
    close(socket);
    stage_free(stage);
}

/* ---- waking ------------------------------------------------------------------------------- */

static int writes, write_errno;

static ssize_t write_the_third_time(int fd, const void *bytes, size_t size)
{
    if (++writes < 3) {
        errno = write_errno;
        return -1;
    }
    return write(fd, bytes, size);
}

static void test_the_thread_that_sleeps_for_all_is_woken_although_signals_interrupt(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    eventfd_t rung = 0;
    writes = 0;
    write_errno = EINTR;
    shmfi_sys.write = write_the_third_time;
    shmfi_pool_wake_parked(&stage->pool); /* nobody sleeps */
    assert_int_equal(writes, 0);
    stage->pool.parked = true;
    shmfi_pool_wake_parked(&stage->pool);
    assert_int_equal(writes, 3);
    assert_int_equal(eventfd_read(stage->pool.eventfd, &rung), 0);
    writes = 0;
    write_errno = EAGAIN; /* it has been rung so often that it must be awake */
    shmfi_pool_wake_parked(&stage->pool);
    assert_int_equal(writes, 1);
    stage_free(stage);
}

/* ---- workers that do not answer ----------------------------------------------------------- */

static struct stage *stage_of_this_process(void)
{
    struct stage *stage = stage_new(1);
    stage->pool.epoch = shmfi_process_epoch();
    return stage;
}

static void test_trimming_waits_for_nobody_who_is_not_there_or_busy(void **state)
{
    (void)state;
    struct stage *stage = stage_of_this_process();
    struct shmf_error err;
    assert_int_equal(shmf_pool_trim(&stage->pool, &err), 0);
    int socket = stage_announce(stage, 0, 1);
    atomic_store(&stage->pool.board.lines[0].current, 5);
    assert_int_equal(shmf_pool_trim(&stage->pool, &err), 0);
    assert_int_equal(atomic_load(&stage->pool.board.header->trims), 2);
    close(socket);
    stage_free(stage);
}

static struct stage *during_poll;
static int polls;

static int break_while_it_waits(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (count == 0 && ++polls == 2)
        shmfi_pool_break(&during_poll->pool, "meanwhile");
    return poll(fds, count, timeout_ms);
}

static int free_while_it_waits(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (count == 0 && ++polls == 2)
        during_poll->pool.freeing = true;
    return poll(fds, count, timeout_ms);
}

static void test_trimming_ends_when_the_pool_does_or_a_worker_takes_too_long(void **state)
{
    (void)state;
    int (*const happens[])(struct pollfd *, nfds_t, int) = {break_while_it_waits,
                                                            free_while_it_waits, poll};
    const int64_t ends_with[] = {0, SHMF_E_CLOSED, 0};
    for (int i = 0; i < 3; i++) {
        struct shmf_error err = {0};
        struct stage *stage = during_poll = stage_of_this_process();
        int socket = stage_announce(stage, 0, 1);
        polls = 0;
        shmfi_sys.poll = happens[i];
        assert_int_equal(shmf_pool_trim(&stage->pool, &err), ends_with[i]);
        assert_int_equal(err.code, ends_with[i]);
        stage->pool.freeing = false;
        close(socket);
        stage_free(stage);
    }
}

/* The supervisor's socket is full, and what it sends itself makes no sense. */
static int say_nonsense(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    struct shmfi_control nonsense = {.type = 77};
    if (fds->events == POLLOUT && ++polls == 2)
        shmfi_fdpass_send(during_poll->control, &nonsense, sizeof nonsense, -1, NULL);
    return fds->events == POLLOUT ? 0 : poll(fds, count, timeout_ms);
}

static void test_resizing_ends_when_the_pool_breaks(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct stage *stage = during_poll = stage_of_this_process();
    stage_fill(stage->pool.control);
    polls = 0;
    shmfi_sys.poll = say_nonsense;
    assert_int_equal(shmf_pool_resize(&stage->pool, 2, &err), SHMF_E_POOL_BROKEN);
    assert_non_null(strstr(err.message, "makes no sense"));
    assert_int_equal(polls, 2);
    stage_free(stage);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_task_that_waits_is_not_lost),
        test_case(test_a_task_that_neither_waits_nor_is_claimed_is_lost),
        test_case(test_a_task_of_a_worker_that_nobody_knows_is_lost),
        test_case(test_a_task_of_a_worker_whose_announcement_was_not_read_yet_is_not),
        test_case(test_a_task_that_its_worker_left_undone_is_lost),
        test_case(test_a_worker_that_runs_what_it_claimed_is_left_alone),
        test_case(test_a_task_is_blocked_where_the_caller_holds_what_it_lacks),
        test_case(test_the_thread_that_sleeps_for_all_is_woken_although_signals_interrupt),
        test_case(test_trimming_waits_for_nobody_who_is_not_there_or_busy),
        test_case(test_trimming_ends_when_the_pool_does_or_a_worker_takes_too_long),
        test_case(test_resizing_ends_when_the_pool_breaks),
    };
    return cmocka_run_group_tests_name("pool: waiting", tests, NULL, NULL);
}

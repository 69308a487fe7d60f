/* pool/: futures and iterators of a pool whose workers are the test, so that what they do comes at
 * just the moment that matters. */
#include "unit/pool_sketch.h"

#include "pool/iter_internal.h"

#include <shmframe/control.h>
#include <shmframe/future.h>

#include <fcntl.h>
#include <math.h>
#include <sys/eventfd.h>

static struct shmfi_sys real;
static struct shmf_error err;

static int no_task(struct shmf_task *task, void *context)
{
    (void)task, (void)context;
    return SHMF_OK;
}

static struct shmf_future *submit(struct sketch *sketch, const struct shmf_task_input *input)
{
    err = (struct shmf_error){0};
    struct shmf_future *future = shmf_pool_submit(&sketch->pool, no_task, input, NULL, &err);
    if (!future)
        fail_msg("not submitted: %s", err.message);
    return future;
}

/* Worker 0 takes the task that waits; its slot. */
static uint32_t claimed(struct sketch *sketch)
{
    uint64_t ticket = shmfi_board_claim(&sketch->pool.board, &sketch->claimers[0]);
    assert_true(ticket != SHMFI_NO_TICKET);
    return shmfi_ticket_slot(ticket);
}

static void publish_nothing(struct sketch *sketch, uint32_t slot)
{
    sketch_publish(sketch, 0, slot, (struct shmfi_record){.kind = SHMFI_RESULT_INLINE});
}

/* All slots are taken, by tasks of worker 1. */
static void fill_board(struct sketch *sketch, uint32_t slots[SLOTS])
{
    for (int i = 0; i < SLOTS; i++)
        slots[i] = sketch_claim(sketch, 1);
}

static void end_task(struct sketch *sketch, uint32_t slot)
{
    sketch_publish(sketch, 1, slot, (struct shmfi_record){.kind = SHMFI_RESULT_INLINE});
}

static bool no_memory;

static void *scarce_malloc(size_t size)
{
    return no_memory ? NULL : real.malloc(size);
}

static void *scarce_calloc(size_t count, size_t size)
{
    return no_memory ? NULL : real.calloc(count, size);
}

static void let_memory_be_scarce(void)
{
    real = shmfi_sys;
    shmfi_sys.malloc = scarce_malloc;
    shmfi_sys.calloc = scarce_calloc;
}

static void let_it_be_as_before(void)
{
    shmfi_sys = real;
    no_memory = false;
}

/* ---- waiting ------------------------------------------------------------------------------- */

static void test_a_wait_without_an_end_comes_back_with_the_result(void **state)
{
    (void)state;
    static const double endless[] = {-1, 1e300, INFINITY, NAN};
    struct sketch *sketch = sketch_new();
    for (size_t i = 0; i < 4; i++) {
        struct shmf_future *future = submit(sketch, NULL);
        assert_int_equal(shmf_future_done(future), 0);
        publish_nothing(sketch, claimed(sketch));
        assert_int_equal(shmf_future_wait(future, endless[i], &err), SHMF_OK);
        assert_non_null(shmf_future_result(future));
        shmf_future_free(future);
    }
    sketch_free(sketch);
}

static void test_a_join_says_what_keeps_it_from_its_end(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new(); /* a result whose memory did not come */
    sketch->members[0].forgetful = true;
    sketch_publish(sketch, 0, sketch_claim(sketch, 0),
                   (struct shmfi_record){.kind = SHMFI_RESULT_SEGMENT, .segment = {.region = 1}});
    assert_int_equal(shmf_pool_join(&sketch->pool, -1, &err), SHMF_E_NOFILES);
    sketch_free(sketch);
    sketch = sketch_new(); /* nonsense */
    sketch_publish(sketch, 0, sketch_claim(sketch, 1),
                   (struct shmfi_record){.kind = SHMFI_RESULT_INLINE});
    assert_int_equal(shmf_pool_join(&sketch->pool, -1, &err), SHMF_E_POOL_BROKEN);
    assert_non_null(strstr(err.message, "nonsense"));
    sketch_free(sketch);
}

static void test_who_holds_all_memory_is_told_so_whatever_he_waits_for(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmfi_board *board = &sketch->pool.board;
    struct shmf_future *future = submit(sketch, NULL);
    uint32_t slot = claimed(sketch);
    atomic_store(&board->lines[0].current, shmfi_ticket(slot, sketch->jobs[slot].generation));
    atomic_store(&board->lines[0].wanted, 4096);
    atomic_store(&board->header->caller, sketch->pool.budget);
    assert_int_equal(shmf_future_wait(future, -1, &err), SHMF_E_NOSPC);
    assert_non_null(strstr(err.message, "caller"));
    assert_int_equal(shmf_pool_join(&sketch->pool, -1, &err), SHMF_E_NOSPC);
    atomic_store(&board->lines[0].wanted, 0);
    publish_nothing(sketch, slot);
    assert_int_equal(shmf_pool_join(&sketch->pool, -1, &err), SHMF_OK);
    assert_int_equal(shmf_future_wait(future, -1, &err), SHMF_OK);
    shmf_future_free(future);
    sketch_free(sketch);
}

static ssize_t interrupted_read(int fd, void *to, size_t size)
{
    shmfi_sys.read = real.read; /* once */
    (void)fd, (void)to, (void)size;
    errno = EINTR;
    return -1;
}

static void test_a_loop_of_events_learns_that_the_supervisor_is_gone(void **state)
{
    (void)state;
    for (int has_fd = 0; has_fd < 2; has_fd++) {
        struct sketch *sketch = sketch_new();
        sketch->pool.eventfd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
        if (has_fd)
            assert_true(shmf_pool_fd(&sketch->pool) >= 0);
        real = shmfi_sys;
        shmfi_sys.read = interrupted_read;
        assert_int_equal(shmf_pool_progress(&sketch->pool, &err), 0);
        shmfi_sys = real;
        uint64_t rung;
        assert_true(read(sketch->pool.eventfd, &rung, sizeof rung) < 0); /* it was emptied */
        sketch_close(&sketch->control);
        assert_int_equal(shmf_pool_progress(&sketch->pool, &err), SHMF_E_POOL_BROKEN);
        assert_non_null(strstr(err.message, "supervisor"));
        sketch_close(&sketch->pool.eventfd);
        sketch_close(&sketch->pool.epoll);
        sketch_free(sketch);
    }
}

/* ---- cancelling ---------------------------------------------------------------------------- */

static void test_a_task_whose_workers_death_has_come_is_not_cancelled_any_more(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmf_future *future = submit(sketch, NULL);
    claimed(sketch);
    struct shmfi_control death = {
        .type = SHMFI_CONTROL_EXITED, .worker = 0, .incarnation = 1, .value = 7 << 8};
    assert_int_equal(shmfi_fdpass_send(sketch->control, &death, sizeof death, -1, NULL), 1);
    assert_int_equal(shmf_future_cancel(future), 0);
    assert_int_equal(shmf_future_done(future), 1);
    const struct shmf_failure *failure = shmf_result_failure(shmf_future_result(future));
    assert_int_equal(failure->code, SHMF_E_WORKER_DIED);
    assert_int_equal(failure->exit_status, 7);
    struct shmfi_control order;
    int fd;
    assert_int_equal(shmfi_fdpass_receive(sketch->control, &order, sizeof order, &fd, NULL), 0);
    shmf_future_free(future);
    sketch_free(sketch);
}

static void test_only_the_slot_of_the_task_itself_is_cancelled(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmf_future *first = submit(sketch, NULL), *second = submit(sketch, NULL);
    assert_int_equal(shmf_future_cancel(second), 0);
    assert_int_equal(shmf_future_done(second), 1);
    assert_int_equal(shmf_result_status(shmf_future_result(second)), SHMF_E_CANCELLED);
    assert_int_equal(shmf_future_done(first), 0);
    publish_nothing(sketch, claimed(sketch));
    assert_int_equal(shmf_future_wait(first, -1, &err), SHMF_OK);
    assert_int_equal(shmf_result_status(shmf_future_result(first)), SHMF_OK);
    shmf_future_free(first);
    shmf_future_free(second);
    sketch_free(sketch);
}

/* ---- the backlog --------------------------------------------------------------------------- */

static void
test_a_task_that_fails_where_there_is_no_memory_to_say_so_is_done_all_the_same(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    uint32_t slots[SLOTS];
    fill_board(sketch, slots);
    struct shmf_future *future = submit(sketch, NULL);
    let_memory_be_scarce();
    no_memory = true;
    int rc = shmf_future_cancel(future);
    let_it_be_as_before();
    assert_int_equal(rc, 0);
    assert_int_equal(shmf_future_done(future), 1);
    assert_int_equal(shmf_future_wait(future, -1, &err), SHMF_OK);
    assert_null(shmf_future_result(future));
    shmf_future_free(future);
    sketch_free(sketch);
}

static uint32_t ends_next;

/* In place of sleeping: a slot becomes free, and memory runs out. */
static int poll_meanwhile(struct pollfd *fds, nfds_t count, int timeout)
{
    (void)timeout;
    if (!no_memory)
        end_task(the_sketch, ends_next);
    no_memory = true;
    return real.poll(fds, count, 0);
}

static void test_a_task_that_cannot_be_queued_later_says_so_to_who_waits_for_it(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    uint32_t slots[SLOTS];
    fill_board(sketch, slots);
    ends_next = slots[0];
    let_memory_be_scarce();
    shmfi_sys.poll = poll_meanwhile;
    struct shmf_result *result = shmf_pool_apply(&sketch->pool, no_task, NULL, NULL, &err);
    let_it_be_as_before();
    assert_null(result);
    assert_int_equal(err.code, SHMF_E_NOMEM);
    assert_null(sketch->pool.backlog);
    assert_null(sketch->pool.futures);
    sketch_free(sketch);
}

static void test_a_stale_handle_is_refused_though_its_task_would_have_to_wait(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    uint32_t slots[SLOTS];
    fill_board(sketch, slots);
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(1 << 16, 0, &segment, &err), SHMF_OK);
    struct shmf_handle handles[] = {shmfi_segment_handle(segment, SHMF_KIND_BYTES),
                                    shmfi_segment_handle(segment, SHMF_KIND_BYTES)};
    handles[1].generation++;
    struct shmf_task_input input = {.handles = handles, .n_handles = 2};
    assert_null(shmf_pool_submit(&sketch->pool, no_task, &input, NULL, &err));
    assert_int_equal(err.code, SHMF_E_STALE);
    assert_non_null(strstr(err.message, "input.handles[1]"));
    assert_null(sketch->pool.backlog);
    shmfi_segment_unref(segment);
    sketch_free(sketch);
}

static void test_a_broken_pool_queues_nothing_more_and_says_so_to_who_waits(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    uint32_t slots[SLOTS];
    fill_board(sketch, slots);
    struct shmf_future *future = submit(sketch, NULL);
    end_task(sketch, slots[0]);
    sketch_publish(sketch, 2, slots[1], (struct shmfi_record){.kind = SHMFI_RESULT_INLINE});
    assert_int_equal(shmf_future_wait(future, -1, &err), SHMF_E_POOL_BROKEN);
    assert_ptr_equal(sketch->pool.backlog, future); /* though a slot is free */
    assert_int_equal(sketch->pool.n_free, 1);
    shmf_future_free(future);
    sketch_free(sketch);
}

/* ---- iterators ----------------------------------------------------------------------------- */

static int asked;

static int next_of_three(struct shmf_task_input *input, void *user)
{
    (void)user;
    static const double argument = 5;
    *input = (struct shmf_task_input){.arg = &argument, .arg_size = sizeof argument};
    return asked++ < 3;
}

static void test_an_input_that_finds_no_slot_is_not_asked_for_again(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    uint32_t slots[SLOTS];
    fill_board(sketch, slots);
    sketch->members[2].forgetful = true; /* so that calls come back without a result */
    sketch_publish(sketch, 2, slots[0],
                   (struct shmfi_record){.kind = SHMFI_RESULT_SEGMENT, .segment = {.region = 1}});
    atomic_store(&sketch->pool.board.slots[slots[0]].state,
                 shmfi_state(SHMFI_CLAIMED, 3, sketch->jobs[slots[0]].generation));
    struct shmf_tasks tasks = {.count = -1, .next = next_of_three};
    struct shmf_iter *iter = shmf_pool_imap(&sketch->pool, no_task, &tasks, NULL, &err);
    assert_non_null(iter);
    asked = 0;
    struct shmf_result *result = NULL;
    for (int i = 0; i < 3; i++)
        assert_int_equal(shmf_iter_next(iter, &result, &err), SHMF_E_NOFILES);
    assert_int_equal(asked, 1);
    end_task(sketch, slots[1]);
    while (shmf_iter_next(iter, &result, &err) == SHMF_E_NOFILES && iter->submitted == 0)
        continue;
    assert_int_equal(iter->submitted, 1);
    assert_int_equal(asked, 2); /* the next one waits now */
    uint32_t slot = claimed(sketch);
    assert_true(*(double *)(void *)sketch->pool.board.slots[slot].payload == 5);
    shmf_iter_free(iter);
    sketch_free(sketch);
}

static void
test_when_its_time_is_over_an_iteration_gives_what_is_there_and_begins_nothing(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmf_tasks tasks = {.count = 10};
    struct shmf_imap_options options = {.window = 2, .call_seconds = 1000};
    struct shmf_iter *iter = shmf_pool_imap(&sketch->pool, no_task, &tasks, &options, &err);
    assert_non_null(iter);
    sketch->members[2].forgetful = true;
    sketch_publish(sketch, 2, sketch_claim(sketch, 2),
                   (struct shmfi_record){.kind = SHMFI_RESULT_SEGMENT, .segment = {.region = 1}});
    struct shmf_result *result = NULL;
    assert_int_equal(shmf_iter_next(iter, &result, &err), SHMF_E_NOFILES);
    assert_int_equal(iter->submitted, 2);
    publish_nothing(sketch, claimed(sketch));
    iter->end = 1; /* long ago */
    assert_int_equal(shmf_iter_next(iter, &result, &err), 1);
    assert_int_equal(shmf_result_index(result), 0);
    shmf_result_free(result);
    assert_int_equal(iter->submitted, 2);
    assert_int_equal(shmf_iter_next(iter, &result, &err), SHMF_E_TIMEOUT);
    assert_int_equal(sketch->pool.n_free, SLOTS - 1); /* its other task was revoked */
    shmf_iter_free(iter);
    sketch_free(sketch);
}

/* ---- a forked child ------------------------------------------------------------------------ */

static int free_in_child(void *context)
{
    struct sketch *sketch = context;
    struct shmf_pool *pool = &sketch->pool;
    sketch_close(&sketch->members[1].socket); /* of a worker that is dead */
    int fds[] = {pool->control, pool->eventfd, pool->epoll, sketch->members[0].socket};
    shmf_pool_free(pool);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fcntl(fds[i], F_GETFD) >= 0)
            return 1 + (int)i;
    return 0;
}

static void test_a_forked_child_that_frees_its_copy_of_a_pool_closes_what_it_inherited(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    sketch->pool.eventfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(shmf_pool_fd(&sketch->pool) >= 0);
    assert_true(test_outcome_ok(test_in_child(free_in_child, sketch, 30)));
    sketch_close(&sketch->pool.eventfd);
    sketch_close(&sketch->pool.epoll);
    sketch_free(sketch);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_wait_without_an_end_comes_back_with_the_result),
        test_case(test_a_join_says_what_keeps_it_from_its_end),
        test_case(test_who_holds_all_memory_is_told_so_whatever_he_waits_for),
        test_case(test_a_loop_of_events_learns_that_the_supervisor_is_gone),
        test_case(test_a_task_whose_workers_death_has_come_is_not_cancelled_any_more),
        test_case(test_only_the_slot_of_the_task_itself_is_cancelled),
        test_case(test_a_task_that_fails_where_there_is_no_memory_to_say_so_is_done_all_the_same),
        test_case(test_a_task_that_cannot_be_queued_later_says_so_to_who_waits_for_it),
        test_case(test_a_stale_handle_is_refused_though_its_task_would_have_to_wait),
        test_case(test_a_broken_pool_queues_nothing_more_and_says_so_to_who_waits),
        test_case(test_an_input_that_finds_no_slot_is_not_asked_for_again),
        test_case(test_when_its_time_is_over_an_iteration_gives_what_is_there_and_begins_nothing),
        test_case(test_a_forked_child_that_frees_its_copy_of_a_pool_closes_what_it_inherited),
    };
    return cmocka_run_group_tests_name("pool: futures and iterators", tests, NULL, NULL);
}

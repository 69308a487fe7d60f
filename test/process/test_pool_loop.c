/* The pool in an event loop: its descriptor becomes readable when there is something to do, and
 * only then. */
#include "future_calls.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

/* ---- loops -------------------------------------------------------------------------------- */

/* What a loop saw. */
struct loop {
    int done; /* calls of done_fn */
    int failed;
    long turns;     /* returns of poll */
    bool timed_out; /* nothing came for long */
};

static void count_done(struct shmf_future *future, void *user)
{
    struct loop *loop = user;
    loop->done++;
    loop->failed += shmf_result_status(shmf_future_result(future)) != SHMF_OK;
}

static int progress(struct shmf_pool *pool)
{
    struct shmf_error err = {0};
    int rc = shmf_pool_progress(pool, &err);
    if (rc < 0)
        fail_msg("no progress: %s: %s", shmf_status_name(rc), err.message);
    return rc;
}

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd poller = {fd, POLLIN, 0};
    int rc;
    do
        rc = poll(&poller, 1, timeout_ms);
    while (rc < 0);
    return rc > 0;
}

/* Turns until `wanted` tasks are done. */
static void turn_until(struct shmf_pool *pool, struct loop *loop, int wanted)
{
    int fd = shmf_pool_fd(pool);
    assert_true(fd >= 0);
    progress(pool);
    while (loop->done < wanted && !loop->timed_out) {
        loop->timed_out = !is_readable(fd, (int)(1000 * test_seconds(60)));
        loop->turns++;
        progress(pool);
    }
    assert_false(loop->timed_out);
    assert_int_equal(loop->done, wanted);
}

static void submit_many(struct shmf_pool *pool, shmf_task_fn fn, void *context, struct loop *loop,
                        struct shmf_future **futures, int count)
{
    struct shmf_submit_options options = {.context = context, .done_fn = count_done, .user = loop};
    for (int i = 0; i < count; i++) {
        double number = i;
        struct shmf_task_input input = {.arg = &number, .arg_size = sizeof number};
        futures[i] = submit_with(pool, fn, &input, &options);
    }
}

static void free_all(struct shmf_future **futures, int count)
{
    for (int i = 0; i < count; i++)
        shmf_future_free(futures[i]);
}

/* ---- tests -------------------------------------------------------------------------------- */

static void test_a_loop_of_poll_and_progress_brings_every_result(void **state)
{
    (void)state;
    enum { most = 3000 };
    static struct shmf_future *futures[most];
    int count = (int)test_rounds(most);
    struct shmf_pool_options how = {.workers = 2, .window = 16};
    struct shmf_pool *pool = pool_with(&how);
    for (int round = 0; round < 3; round++) {
        struct loop loop = {0};
        submit_many(pool, return_square, NULL, &loop, futures, count);
        turn_until(pool, &loop, count);
        for (int i = 0; i < count; i++)
            assert_true(number_of(futures[i]) == (double)i * i);
    }
    shmf_pool_free(pool);
}

static void test_one_task_at_a_time_never_loses_its_event(void **state)
{
    (void)state;
    long rounds = test_rounds(5000);
    struct shmf_pool *pool = pool_of(2);
    struct loop loop = {0};
    for (long round = 0; round < rounds; round++) {
        struct shmf_future *future;
        submit_many(pool, return_number, NULL, &loop, &future, 1);
        turn_until(pool, &loop, (int)round + 1);
        shmf_future_free(future);
    }
    shmf_pool_free(pool);
}

static void test_with_nothing_to_do_the_descriptor_is_silent(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(2);
    int fd = shmf_pool_fd(pool);
    assert_int_equal(shmf_pool_fd(pool), fd);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    progress(pool);
    assert_false(is_readable(fd, 100));
    struct loop loop = {0};
    struct shmf_future *future;
    submit_many(pool, wait_for_go, signals, &loop, &future, 1);
    await_count(&signals->started, 1);
    progress(pool);
    double cpu = cpu_seconds();
    assert_false(is_readable(fd, 300)); /* the task runs */
    assert_true(cpu_seconds() - cpu < 0.05);
    atomic_store(&signals->go, 1);
    turn_until(pool, &loop, 1);
    assert_int_equal(progress(pool), 0);
    assert_false(is_readable(fd, 100));
    assert_true(loop.turns <= 3);
    shmf_future_free(future);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_a_descriptor_that_is_readable_stays_so_until_progress(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    int fd = shmf_pool_fd(pool);
    progress(pool);
    struct loop loop = {0};
    struct shmf_future *future;
    submit_many(pool, return_number, NULL, &loop, &future, 1);
    for (int i = 0; i < 5; i++)
        assert_true(is_readable(fd, (int)(1000 * test_seconds(60))));
    assert_int_equal(loop.done, 0);
    assert_int_equal(progress(pool), 1);
    assert_int_equal(loop.done, 1);
    assert_false(is_readable(fd, 50));
    shmf_future_free(future);
    shmf_pool_free(pool);
}

static void test_a_workers_death_is_an_event(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    for (int round = 0; round < 10; round++) {
        struct loop loop = {0};
        struct shmf_future *futures[3];
        submit_many(pool, return_number, NULL, &loop, futures, 1);
        submit_many(pool, kill_myself, NULL, &loop, futures + 1, 1);
        submit_many(pool, return_number, NULL, &loop, futures + 2, 1);
        turn_until(pool, &loop, 3);
        assert_int_equal(loop.failed, 1);
        assert_int_equal(status_of(futures[1]), SHMF_E_WORKER_DIED);
        free_all(futures, 3);
    }
    shmf_pool_free(pool);
}

static void test_a_deadline_and_a_cancelled_task_are_events(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_of(2);
    struct loop loop = {0};
    struct shmf_submit_options options = {.context = signals,
                                          .done_fn = count_done,
                                          .user = &loop,
                                          .deadline_seconds = test_seconds(0.1)};
    struct shmf_future *late = submit_with(pool, wait_for_go, NULL, &options);
    options.deadline_seconds = 0;
    struct shmf_future *unwanted = submit_with(pool, wait_for_go, NULL, &options);
    await_count(&signals->started, 2);
    assert_int_equal(shmf_future_cancel(unwanted), 0);
    turn_until(pool, &loop, 2);
    assert_int_equal(status_of(late), SHMF_E_TIMEOUT);
    assert_int_equal(status_of(unwanted), SHMF_E_CANCELLED);
    shmf_future_free(late);
    shmf_future_free(unwanted);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_a_loop_may_wait_in_between(void **state)
{
    (void)state;
    enum { count = 200 };
    struct shmf_pool_options how = {.workers = 2, .window = 8};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *futures[count];
    struct loop loop = {0};
    submit_many(pool, return_number, NULL, &loop, futures, count);
    int fd = shmf_pool_fd(pool);
    for (int i = 0; i < count; i += 20) {
        assert_int_equal(shmf_future_wait(futures[i], -1, NULL), SHMF_OK);
        progress(pool);
        if (loop.done < count)
            is_readable(fd, 1);
    }
    turn_until(pool, &loop, count);
    free_all(futures, count);
    shmf_pool_free(pool);
}

static void test_a_closed_pool_still_makes_progress(void **state)
{
    (void)state;
    enum { count = 300 };
    struct shmf_pool_options how = {.workers = 2, .window = 8};
    struct shmf_pool *pool = pool_with(&how);
    struct shmf_future *futures[count];
    struct loop loop = {0};
    submit_many(pool, return_number, NULL, &loop, futures, count);
    assert_int_equal(shmf_pool_close(pool), SHMF_OK);
    turn_until(pool, &loop, count);
    free_all(futures, count);
    shmf_pool_free(pool);
}

static void test_one_epoll_serves_several_pools(void **state)
{
    (void)state;
    enum { pools = 3, count = 200 };
    static struct shmf_future *futures[pools][count];
    struct shmf_pool *pool[pools];
    struct loop loops[pools] = {{0}};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint32_t p = 0; p < pools; p++) {
        pool[p] = pool_of(1 + (int)p);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = p};
        assert_int_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, shmf_pool_fd(pool[p]), &event), 0);
        submit_many(pool[p], return_number, NULL, &loops[p], futures[p], count);
        progress(pool[p]);
    }
    while (loops[0].done + loops[1].done + loops[2].done < pools * count) {
        struct epoll_event events[pools];
        int n = epoll_wait(epoll, events, pools, (int)(1000 * test_seconds(60)));
        assert_true(n > 0);
        for (int i = 0; i < n; i++)
            progress(pool[events[i].data.u32]);
    }
    for (int p = 0; p < pools; p++) {
        assert_int_equal(loops[p].done, count);
        free_all(futures[p], count);
        shmf_pool_free(pool[p]);
    }
    close(epoll);
}

static int allocate_twice(struct shmf_task *task, void *context)
{
    size_t half = *(size_t *)context;
    struct shmf_array *first = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){(int64_t)half});
    usleep(20000); /* until the others have their first halves as well */
    struct shmf_array *second =
        first ? shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){(int64_t)half}) : NULL;
    if (!second)
        return SHMF_E_TASK;
    test_fill(shmf_array_data_mut(second), half, 1);
    return shmf_task_return_array(task, second);
}

static void free_result(struct shmf_future *future, void *user)
{
    count_done(future, user);
    shmf_result_free(shmf_future_take(future));
}

static void test_workers_that_all_want_memory_go_on_one_after_the_other(void **state)
{
    (void)state;
    enum { count = 8 };
    static size_t half = 8 << 20;
    struct shmf_pool_options how = {.workers = 2, .budget_bytes = 20 << 20};
    struct shmf_pool *pool = pool_with(&how);
    struct loop loop = {0};
    struct shmf_future *futures[count];
    struct shmf_submit_options options = {.context = &half, .done_fn = free_result, .user = &loop};
    for (int i = 0; i < count; i++)
        futures[i] = submit_with(pool, allocate_twice, NULL, &options);
    turn_until(pool, &loop, count);
    assert_int_equal(loop.failed, 0);
    free_all(futures, count);
    shmf_pool_free(pool);
}

static void test_an_inline_pool_has_no_descriptor(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(SHMF_INLINE);
    assert_int_equal(shmf_pool_fd(pool), SHMF_E_UNSUPPORTED);
    assert_int_equal(shmf_pool_progress(pool, NULL), 0);
    assert_int_equal(shmf_pool_fd(NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_pool_progress(NULL, NULL), SHMF_E_INVAL);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_a_loop_of_poll_and_progress_brings_every_result),
        test_case(test_one_task_at_a_time_never_loses_its_event),
        test_case(test_with_nothing_to_do_the_descriptor_is_silent),
        test_case(test_a_descriptor_that_is_readable_stays_so_until_progress),
        test_case(test_a_workers_death_is_an_event),
        test_case(test_a_deadline_and_a_cancelled_task_are_events),
        test_case(test_a_loop_may_wait_in_between),
        test_case(test_a_closed_pool_still_makes_progress),
        test_case(test_one_epoll_serves_several_pools),
        test_case(test_workers_that_all_want_memory_go_on_one_after_the_other),
        test_case(test_an_inline_pool_has_no_descriptor),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

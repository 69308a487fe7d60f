/* Pools that begin with few workers: sizes that change, processes that die or cannot be made, and
 * messages that cannot be sent, before all are there. */
#include "on_demand_calls.h"

#include "pool/pool_internal.h"
#include "support/faults.h"

/* ---- other numbers ------------------------------------------------------------------------ */

static void resize(struct shmf_pool *pool, int workers)
{
    struct shmf_error err = {0};
    if (shmf_pool_resize(pool, workers, &err))
        fail_msg("no %d workers: %s", workers, err.message);
    assert_int_equal(shmf_pool_workers(pool), workers);
}

static void test_who_is_wanted_by_a_new_size_is_forked_on_demand_too(void **state)
{
    (void)state;
    struct shmf_pool_options options = {.workers = 3, .first_workers = 1, .max_workers = 6};
    struct shmf_pool *pool = pool_with(&options);
    resize(pool, 6);
    do_one_by_one(pool, 3);
    assert_int_equal(processes_of(pool, 6), 1);
    assert_they_meet(pool, 6);
    assert_int_equal(processes_of(pool, 6), 6);
    resize(pool, 2);
    assert_true(test_wait_named("shmf-w", 2, 30));
    assert_they_meet(pool, 2);
    resize(pool, 5);
    do_one_by_one(pool, 3);
    assert_int_equal(processes_of(pool, 6), 6);
    assert_they_meet(pool, 5);
    assert_int_equal(processes_of(pool, 6), 9);
    assert_int_equal(stats_of(pool).workers_died, 0);
    shmf_pool_free(pool);
}

static void test_fewer_than_wanted_may_be_asked_for_before_all_are_there(void **state)
{
    (void)state;
    struct signals *signals = new_signals();
    struct shmf_pool *pool = pool_from(1, 4);
    resize(pool, 2);
    assert_they_meet(pool, 2);
    struct shmf_future *futures[4];
    for (int i = 0; i < 4; i++)
        futures[i] = submit(pool, wait_for_go, signals);
    await_count(&signals->started, 2);
    assert_int_equal(processes_of(pool, 4), 2);
    resize(pool, 3); /* tasks wait for it already */
    await_count(&signals->started, 3);
    atomic_store(&signals->go, 1);
    for (int i = 0; i < 4; i++)
        assert_true(number_of(futures[i]) == 1);
    shmf_pool_free(pool);
    free_signals(signals);
}

static void test_bad_numbers_are_refused_by_name(void **state)
{
    (void)state;
    static const struct shmf_pool_options bad[] = {
        {.first_workers = -1},
        {.first_workers = SHMF_MAX_WORKERS + 1},
        {.workers = 2, .first_workers = 3},
    };
    struct shmf_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(shmf_pool_new(&bad[i], &err));
        assert_int_equal(err.code, SHMF_E_INVAL);
        assert_non_null(strstr(err.message, "options.first_workers: "));
    }
    assert_null(shmf_pool_new(&(struct shmf_pool_options){.reserved0 = 1}, &err));
    assert_non_null(strstr(err.message, "options.reserved0: "));
}

/* ---- what may go wrong -------------------------------------------------------------------- */

static void test_the_first_may_be_killed_before_there_are_others(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_from(1, 3);
    end_worker(pool, 0);
    assert_they_meet(pool, 3);
    end_worker(pool, 2);
    assert_they_meet(pool, 3);
    shmf_pool_free(pool);
}

static int die_at_first(struct shmf_task *task, void *context)
{
    if (shmf_task_attempt(task) == 1)
        raise(SIGKILL);
    return meet(task, context);
}

static void test_tasks_that_start_again_get_their_workers_too(void **state)
{
    (void)state;
    expect_tasks(3);
    struct shmf_pool *pool = pool_from(1, 3);
    struct shmf_tasks tasks = {.count = 3};
    struct shmf_imap_options options = {.attempts = 2};
    struct shmf_iter *iter = map(pool, die_at_first, &tasks, &options);
    for (int i = 0; i < 3; i++) {
        struct shmf_result *result = next_good(iter);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    assert_int_equal(stats_of(pool).tasks_retried, 3);
    shmf_pool_free(pool);
}

static void test_a_pool_may_be_freed_while_others_are_forked(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct shmf_pool *pool = pool_from(1, 4);
        struct shmf_future *futures[4];
        for (int k = 0; k < 4; k++)
            futures[k] = submit_number(pool, return_number, k, NULL);
        if (i % 2)
            usleep((useconds_t)(i * 50));
        shmf_pool_free(pool);
        for (int k = 0; k < 4; k++)
            shmf_future_free(futures[k]);
    }
}

static void test_a_fork_that_fails_later_is_tried_again(void **state)
{
    (void)state;
    struct faults plan = {.role = FAULT_SUPERVISOR, .call = FAULT_fork, .error = EAGAIN, .at = 2};
    faults_watch(&plan);
    struct shmf_pool *pool = pool_from(1, 2);
    assert_they_meet(pool, 2);
    assert_int_equal(atomic_load(&faults->hits), 1);
    shmf_pool_free(pool);
    faults_restore();
}

static int refusal; /* errno of every sendmsg of the application; 0: they go well */

static ssize_t send_or_refuse(int fd, const struct msghdr *message, int flags)
{
    errno = refusal;
    return refusal ? -1 : sendmsg(fd, message, flags);
}

static bool sleeps(void *pid)
{
    struct test_process process;
    return test_process_read(*(pid_t *)pid, &process) && process.state == 'S';
}

/* The supervisor's socket was full, or memory short, when the second task came: whoever waits
 * says it again, and so does whoever makes progress in an event loop. A supervisor that sleeps does
 * not look for itself. */
static void test_a_request_that_could_not_be_sent_is_sent_again(void **state)
{
    (void)state;
    static const int reasons[] = {EAGAIN, ENOBUFS};
    for (int i = 0; i < 4; i++) {
        struct shmfi_sys before = shmfi_sys;
        expect_tasks(2);
        struct shmf_pool *pool = pool_from(1, 2);
        struct shmf_future *futures[2];
        pid_t supervisor = supervisor_pid(1);
        assert_true(test_wait_until(30, sleeps, &supervisor));
        shmfi_sys.sendmsg = send_or_refuse;
        refusal = reasons[i / 2];
        futures[0] = submit(pool, meet, NULL);
        futures[1] = submit(pool, meet, NULL);
        await_count(&meeting->come, 1);
        refusal = 0;
        if (i % 2)
            for (double end = test_now() + test_seconds(30);
                 test_now() < end && atomic_load(&meeting->come) < 2;)
                assert_true(shmf_pool_progress(pool, NULL) >= 0);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(status_of(futures[k]), SHMF_OK);
            shmf_future_free(futures[k]);
        }
        shmf_pool_free(pool);
        shmfi_sys = before;
    }
}

static int meet_with_input(struct shmf_task *task, void *context)
{
    return shmf_task_array(task, 0) ? meet(task, context) : SHMF_E_TASK;
}

static bool has_a_task(void *line)
{
    return atomic_load(&((struct shmfi_line *)line)->current) != SHMFI_NO_TICKET;
}

/* The second worker is new, and the array younger than the pool: nobody sends it before the
 * application is in a call again. That is not the task's time. */
static void test_a_task_that_waits_for_its_input_has_not_begun(void **state)
{
    (void)state;
    expect_tasks(2);
    struct shmf_pool *pool = pool_from(1, 2);
    struct shmf_array *array = patterned_array(100000, 3);
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    struct shmf_submit_options options = {.deadline_seconds = test_seconds(60)};
    struct shmf_future *futures[2];
    for (int i = 0; i < 2; i++)
        futures[i] = submit_with(pool, meet_with_input, &input, &options);
    struct shmfi_line *line = &pool->board.lines[1];
    if (!pool->members[1].incarnation) { /* or it was heard of by then */
        assert_true(test_wait_until(30, has_a_task, line));
        assert_int_equal(atomic_load(&line->started), 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(status_of(futures[i]), SHMF_OK);
        shmf_future_free(futures[i]);
    }
    assert_true(atomic_load(&line->started) != 0);
    shmf_array_free(array);
    shmf_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_who_is_wanted_by_a_new_size_is_forked_on_demand_too),
        test_case(test_fewer_than_wanted_may_be_asked_for_before_all_are_there),
        test_case(test_bad_numbers_are_refused_by_name),
        test_case(test_the_first_may_be_killed_before_there_are_others),
        test_case(test_tasks_that_start_again_get_their_workers_too),
        test_case(test_a_pool_may_be_freed_while_others_are_forked),
        test_case(test_a_fork_that_fails_later_is_tried_again),
        test_case(test_a_request_that_could_not_be_sent_is_sent_again),
        test_case(test_a_task_that_waits_for_its_input_has_not_begun),
    };
    test_begin();
    begin_meetings();
    faults_watch(&(struct faults){0}); /* its memory is not a test's */
    faults_restore();
    return cmocka_run_group_tests_name("pool: workers on demand, trouble", tests, NULL, NULL);
}

/* Workers die, of themselves or killed: one task is lost, or starts again, and nothing else. */
#include "pool_calls.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>

/* ---- tasks that end their worker ---------------------------------------------------------- */

enum death { ABORT, SEGV, KILL, TERM, EXIT, EXIT_AT_ONCE, EXIT_WITH_ZERO, DEATHS };

static const struct {
    int signal, exit_status;
    const char *says;
} ends[DEATHS] = {{SIGABRT, -1, "signal 6"},  {SIGSEGV, -1, "signal 11"}, {SIGKILL, -1, "signal 9"},
                  {SIGTERM, -1, "signal 15"}, {0, 3, "status 3"},         {0, 7, "status 7"},
                  {0, 0, "status 0"}};

static void die(enum death how)
{
    switch (how) {
    case ABORT:
        abort();
    case SEGV:
        raise(SIGSEGV);
        break;
    case KILL:
        raise(SIGKILL);
        break;
    case TERM:
        raise(SIGTERM);
        break;
    case EXIT:
        exit(3);
    case EXIT_AT_ONCE:
        _exit(7);
    case EXIT_WITH_ZERO:
    case DEATHS:
        exit(0);
    }
}

static int tenth_dies(struct shmf_task *task, void *context)
{
    if (shmf_task_index(task) == 10) {
        pid_t *pid = context;
        *pid = getpid();
        die(*(const enum death *)shmf_task_arg(task));
    }
    return return_index(task, NULL);
}

static void assert_died(struct shmf_result *result, enum death how, pid_t pid)
{
    const struct shmf_failure *failure = shmf_result_failure(result);
    assert_non_null(failure);
    assert_int_equal(shmf_result_status(result), SHMF_E_WORKER_DIED);
    assert_int_equal(failure->code, SHMF_E_WORKER_DIED);
    assert_int_equal(failure->signal, ends[how].signal);
    assert_int_equal(failure->exit_status, ends[how].exit_status);
    assert_non_null(strstr(failure->message, ends[how].says));
    assert_int_equal(failure->pid, pid);
    assert_int_equal(failure->attempts, 1);
    assert_true(failure->worker == 0 || failure->worker == 1);
    assert_int_equal(shmf_result_index(result), 10);
    assert_null(shmf_result_bytes(result, NULL));
    assert_null(shmf_result_array(result));
}

static void test_a_task_that_ends_its_worker_is_lost_alone_and_says_how(void **state)
{
    (void)state;
    pid_t *pid = shared_memory(sizeof *pid);
    struct shmf_pool *pool = pool_of(2);
    for (int how = 0; how < DEATHS; how++) {
        enum death args[20];
        for (int i = 0; i < 20; i++)
            args[i] = (enum death)how;
        struct shmf_tasks tasks = {
            .count = 20, .args = args, .arg_size = sizeof *args, .context = pid};
        struct shmf_iter *iter = map(pool, tenth_dies, &tasks, NULL);
        for (int i = 0; i < 20; i++) {
            struct shmf_result *result = next_any(iter);
            if (i == 10) {
                assert_died(result, (enum death)how, *pid);
            } else {
                assert_good(result);
                assert_true(shmf_result_double(result) == i);
            }
            shmf_result_free(result);
        }
        assert_ends(iter);
        shmf_iter_free(iter);
    }
    struct shmf_pool_stats stats;
    assert_int_equal(shmf_pool_get_stats(pool, &stats), SHMF_OK);
    assert_int_equal(stats.workers_died, DEATHS);
    assert_int_equal(stats.tasks_failed, DEATHS);
    shmf_pool_free(pool);
    munmap(pid, sizeof *pid);
}

static atomic_int *ran;

static void leave_a_trace(void)
{
    atomic_fetch_add(ran, 1);
}

static int exit_3(struct shmf_task *task, void *context)
{
    (void)task;
    (void)context;
    exit(3);
}

static int use_a_pool_with_an_exit_handler(void *context)
{
    (void)context;
    atexit(leave_a_trace);
    struct shmf_pool *pool = pool_of(2);
    struct shmf_iter *iter = map_count(pool, exit_3, 3);
    for (int i = 0; i < 3; i++)
        shmf_result_free(next_any(iter));
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    return 0;
}

static void test_a_task_that_calls_exit_does_not_run_the_applications_exit_handlers(void **state)
{
    (void)state;
    ran = shared_memory(sizeof *ran);
    assert_true(test_outcome_ok(test_in_child(use_a_pool_with_an_exit_handler, NULL, 20)));
    assert_int_equal(atomic_load(ran), 0);
    munmap(ran, sizeof *ran);
}

/* ---- starting again ----------------------------------------------------------------------- */

/* Dies on its first attempts, as many as its index says modulo 4. */
static int dies_a_few_times(struct shmf_task *task, void *context)
{
    atomic_int *starts = context;
    atomic_fetch_add(&starts[shmf_task_index(task)], 1);
    if (shmf_task_attempt(task) <= shmf_task_index(task) % 4)
        raise(SIGKILL);
    size_t size = shmf_task_arg_size(task);
    if (test_differs(shmf_task_arg(task), size, (uint64_t)shmf_task_index(task)) >= 0)
        return shmf_task_fail(task, SHMF_E_CORRUPT, "wrong argument");
    return return_patterned(task, 50000, shmf_task_seed(task));
}

static void test_idempotent_tasks_start_again_with_the_same_input_until_they_are_done(void **state)
{
    (void)state;
    enum { count = 40, size = 2000 };
    atomic_int *starts = shared_memory(count * sizeof *starts);
    uint8_t *args = malloc(count * size);
    for (uint64_t i = 0; i < count; i++)
        test_fill(args + i * size, size, i);
    struct shmf_pool *pool = pool_of(2);
    struct shmf_tasks tasks = {
        .count = count, .args = args, .arg_size = size, .context = starts, .seed = 3};
    struct shmf_imap_options options = {.attempts = 5};
    struct shmf_iter *iter = map(pool, dies_a_few_times, &tasks, &options);
    for (int i = 0; i < count; i++) {
        struct shmf_result *result = next_good(iter);
        assert_int_equal(shmf_result_index(result), i);
        assert_int_equal(shmf_array_size(shmf_result_array(result)), 50000);
        assert_int_equal(atomic_load(&starts[i]), i % 4 + 1);
        shmf_result_free(result);
    }
    assert_ends(iter);
    shmf_iter_free(iter);
    struct shmf_pool_stats stats;
    shmf_pool_get_stats(pool, &stats);
    assert_int_equal(stats.tasks_retried, count / 4 * (0 + 1 + 2 + 3));
    shmf_pool_free(pool);
    free(args);
    munmap(starts, count * sizeof *starts);
}

static int fifth_is_poison(struct shmf_task *task, void *context)
{
    if (shmf_task_index(task) != 5)
        return return_index(task, NULL);
    atomic_fetch_add((atomic_int *)context, 1);
    raise(SIGSEGV);
    return 0;
}

static void test_a_task_that_always_kills_its_worker_fails_after_its_attempts(void **state)
{
    (void)state;
    atomic_int *starts = shared_memory(sizeof *starts);
    struct shmf_pool *pool = pool_of(2);
    struct shmf_tasks tasks = {.count = 10, .context = starts};
    struct shmf_imap_options options = {.attempts = 4};
    struct shmf_iter *iter = map(pool, fifth_is_poison, &tasks, &options);
    for (int i = 0; i < 10; i++) {
        struct shmf_result *result = next_any(iter);
        if (i == 5) {
            assert_int_equal(shmf_result_status(result), SHMF_E_WORKER_DIED);
            assert_int_equal(shmf_result_failure(result)->attempts, 4);
            assert_int_equal(shmf_result_failure(result)->signal, SIGSEGV);
        } else {
            assert_true(shmf_result_double(result) == i);
        }
        shmf_result_free(result);
    }
    assert_int_equal(atomic_load(starts), 4);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    munmap(starts, sizeof *starts);
}

/* ---- killed from outside ------------------------------------------------------------------ */

static void test_idle_workers_are_replaced(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    for (int round = 0; round < 10; round++) {
        int64_t pid = worker_pid(pool, round % 2);
        end_worker(pool, round % 2);
        assert_counts_up(map_count(pool, return_index, 20), 20);
        double end = test_now() + test_seconds(30);
        while (shmf_pool_worker_pid(pool, round % 2) == pid ||
               !shmf_pool_worker_pid(pool, round % 2))
            assert_true(test_now() < end);
    }
    shmf_pool_free(pool);
}

static int return_big(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, 1 << 20, (uint64_t)shmf_task_index(task));
}

static void kill_workers(struct shmf_pool *pool)
{
    for (int w = 0; w < shmf_pool_workers(pool); w++) {
        pid_t pid = (pid_t)shmf_pool_worker_pid(pool, w);
        if (pid > 0 && !kill(pid, SIGKILL))
            assert_true(test_process_gone(pid, 30));
    }
}

static void test_what_a_dead_worker_delivered_stays_readable_and_goes_when_freed(void **state)
{
    (void)state;
    enum { count = 20 };
    struct shmf_pool *pool = pool_of(2);
    struct shmf_iter *iter = map_count(pool, return_big, count);
    struct shmf_result *results[count];
    for (int i = 0; i < count; i++)
        results[i] = next_good(iter);
    shmf_iter_free(iter);
    kill_workers(pool);
    assert_counts_up(map_count(pool, return_index, 20), 20);
    /* Others have them as inputs meanwhile. */
    struct shmf_handle handles[count];
    for (int i = 0; i < count; i++)
        handles[i] = shmf_array_handle(shmf_result_array(results[i]));
    struct shmf_tasks tasks = {.count = 20, .handles = handles, .n_handles = count};
    assert_counts_up(map(pool, return_index, &tasks, NULL), 20);
    assert_true(test_shared_bytes() >= (uint64_t)count << 20);
    for (uint64_t i = 0; i < count; i++) {
        assert_true(is_patterned(shmf_result_array(results[i]), 1 << 20, i));
        shmf_result_free(results[i]);
    }
    /* Workers hear of it between tasks, or when they have slept for a second. */
    double end = test_now() + test_seconds(60);
    while (test_shared_bytes() >= 1 << 20) {
        assert_counts_up(map_count(pool, return_index, 20), 20);
        assert_true(test_now() < end);
    }
    shmf_pool_free(pool);
}

struct killer {
    struct shmf_pool *pool;
    atomic_int kills;
};

/* Twenty workers, at random times. */
static void *kill_twenty(void *context)
{
    struct killer *killer = context;
    unsigned seed = 12345;
    while (atomic_load(&killer->kills) < 20) {
        test_sleep(1e-6 * (rand_r(&seed) % 10000) * test_slowness());
        pid_t pid = (pid_t)shmf_pool_worker_pid(killer->pool, rand_r(&seed) % 2);
        if (pid > 0 && !kill(pid, SIGKILL))
            atomic_fetch_add(&killer->kills, 1);
    }
    return NULL;
}

static int big_after_a_while(struct shmf_task *task, void *context)
{
    (void)context;
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){1 << 18});
    if (!array)
        return SHMF_E_TASK;
    for (int i = 0; i < 4; i++) {
        test_fill(shmf_array_data_mut(array), 1 << 18, (uint64_t)shmf_task_index(task));
        usleep(500);
    }
    return shmf_task_return_array(task, array);
}

static void kill_while_it_runs(int attempts)
{
    struct killer killer = {.pool = pool_of(2)};
    struct shmf_tasks tasks = {.count = INT64_MAX};
    struct shmf_imap_options options = {.attempts = attempts, .window = 6};
    struct shmf_iter *iter = map(killer.pool, big_after_a_while, &tasks, &options);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, kill_twenty, &killer), 0);
    int lost = 0;
    for (int64_t i = 0, more = 20; more; i++) {
        struct shmf_result *result = next_any(iter);
        assert_int_equal(shmf_result_index(result), i);
        if (shmf_result_status(result) == SHMF_E_WORKER_DIED) {
            assert_int_equal(shmf_result_failure(result)->signal, SIGKILL);
            lost++;
        } else {
            assert_good(result);
            assert_true(is_patterned(shmf_result_array(result), 1 << 18, (uint64_t)i));
        }
        shmf_result_free(result);
        more -= atomic_load(&killer.kills) == 20;
    }
    pthread_join(thread, NULL);
    shmf_iter_free(iter);
    shmf_pool_free(killer.pool);
    assert_true(lost <= 20);
    assert_true(attempts == 1 || lost == 0);
}

static void test_of_twenty_kills_at_random_times_each_costs_a_task_at_most(void **state)
{
    (void)state;
    kill_while_it_runs(1);
}

static void test_with_attempts_left_twenty_kills_cost_nothing(void **state)
{
    (void)state;
    kill_while_it_runs(21);
}

/* ---- what tasks leave behind -------------------------------------------------------------- */

struct strays {
    pid_t pids[3];
    atomic_int count;
};

static void sleep_as(struct strays *strays, int number)
{
    strays->pids[number] = getpid();
    atomic_fetch_add(&strays->count, 1);
    while (getpid())
        pause();
}

/* A child, its child, and an orphan in a session of its own: all asleep. */
static int leave_processes(struct shmf_task *task, void *context)
{
    struct strays *strays = context;
    if (fork() == 0) {
        if (fork() == 0)
            sleep_as(strays, 0);
        sleep_as(strays, 1);
    }
    if (fork() == 0) {
        if (fork() == 0 && setsid())
            sleep_as(strays, 2);
        _exit(0);
    }
    while (atomic_load(&strays->count) < 3)
        usleep(100);
    if (shmf_task_arg_size(task))
        raise(SIGSEGV);
    return return_index(task, NULL);
}

static void test_processes_that_a_task_left_go_with_its_worker(void **state)
{
    (void)state;
    struct strays *strays = shared_memory(sizeof *strays);
    struct shmf_pool *pool = pool_of(2);
    struct shmf_tasks tasks = {.count = 1, .args = "x", .arg_size = 1, .context = strays};
    struct shmf_iter *iter = map(pool, leave_processes, &tasks, NULL);
    struct shmf_result *result = next_any(iter);
    assert_int_equal(shmf_result_status(result), SHMF_E_WORKER_DIED);
    shmf_result_free(result);
    shmf_iter_free(iter);
    for (int i = 0; i < 3; i++)
        assert_true(test_process_gone(strays->pids[i], 30));
    atomic_store(&strays->count, 0);
    tasks.arg_size = 0;
    iter = map(pool, leave_processes, &tasks, NULL);
    shmf_result_free(next_good(iter));
    for (int i = 0; i < 3; i++)
        assert_true(test_process_alive(strays->pids[i]));
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    for (int i = 0; i < 3; i++)
        assert_true(test_process_gone(strays->pids[i], 30));
    munmap(strays, sizeof *strays);
}

/* ---- workers that cannot start ------------------------------------------------------------ */

static int start_or_not(int worker, void *context)
{
    int *mode = context;
    if (*mode == 1)
        return 42;
    if (*mode == 2)
        abort();
    *mode = 1000 + worker;
    return 0;
}

static int return_mode(struct shmf_task *task, void *context)
{
    return shmf_task_return_double(task, *(int *)context - shmf_task_worker(task));
}

static void test_the_initializer_runs_in_every_worker_and_in_every_successor(void **state)
{
    (void)state;
    int mode = 0;
    struct shmf_pool_options options = {
        .workers = 2, .initializer = start_or_not, .initializer_context = &mode};
    struct shmf_pool *pool = pool_with(&options);
    for (int round = 0; round < 5; round++) {
        struct shmf_tasks tasks = {.count = 20, .context = &mode};
        struct shmf_imap_options imap = {.attempts = 20};
        struct shmf_iter *iter = map(pool, return_mode, &tasks, &imap);
        for (int i = 0; i < 20; i++)
            assert_true(next_double(iter) == 1000);
        shmf_iter_free(iter);
        kill_workers(pool);
    }
    assert_int_equal(mode, 0);
    shmf_pool_free(pool);
}

static void test_a_pool_whose_workers_cannot_start_says_so_instead_of_waiting(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 3; workers++)
        for (int mode = 1; mode <= 2; mode++) {
            struct shmf_pool_options options = {
                .workers = workers, .initializer = start_or_not, .initializer_context = &mode};
            struct shmf_error err = {0};
            struct shmf_result *result;
            struct shmf_pool *pool = shmf_pool_new(&options, &err);
            if (pool) {
                struct shmf_iter *iter = map_count(pool, return_index, 10);
                assert_int_equal(shmf_iter_next(iter, &result, &err), SHMF_E_POOL_BROKEN);
                assert_int_equal(shmf_iter_next(iter, &result, &err), SHMF_E_POOL_BROKEN);
                shmf_iter_free(iter);
                shmf_pool_free(pool);
            }
            assert_int_equal(err.code, SHMF_E_POOL_BROKEN);
            assert_non_null(strstr(err.message, mode == 1 ? "exit status 1" : "signal 6"));
        }
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_task_that_ends_its_worker_is_lost_alone_and_says_how),
        test_case(test_a_task_that_calls_exit_does_not_run_the_applications_exit_handlers),
        test_case(test_idempotent_tasks_start_again_with_the_same_input_until_they_are_done),
        test_case(test_a_task_that_always_kills_its_worker_fails_after_its_attempts),
        test_case(test_idle_workers_are_replaced),
        test_case(test_what_a_dead_worker_delivered_stays_readable_and_goes_when_freed),
        test_case(test_of_twenty_kills_at_random_times_each_costs_a_task_at_most),
        test_case(test_with_attempts_left_twenty_kills_cost_nothing),
        test_case(test_processes_that_a_task_left_go_with_its_worker),
        test_case(test_the_initializer_runs_in_every_worker_and_in_every_successor),
        test_case(test_a_pool_whose_workers_cannot_start_says_so_instead_of_waiting),
    };
    return cmocka_run_group_tests_name("pool: deaths", tests, NULL, NULL);
}

/* The application is killed, at any moment: processes and shared memory are gone with it. (What is
 * left when others end, and how: test_nothing_left.c.) */
#include "pool_calls.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>

static int return_a_megabyte(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, 1 << 20, (uint64_t)shmf_task_index(task));
}

static void use_a_pool(int count)
{
    struct shmf_pool *pool = pool_of(2);
    struct shmf_iter *iter = map_count(pool, return_a_megabyte, count);
    for (int i = 0; i < count; i++)
        shmf_result_free(next_good(iter));
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

/* One pool after the other, each with input of its own. */
static int use_pools_for_ever(void *context)
{
    (void)context;
    for (uint64_t i = 0; getpid(); i++) {
        struct shmf_array *array = patterned_array(1 << 18, i);
        use_a_pool((int)(i % 8));
        shmf_array_free(array);
    }
    return 0;
}

/* No process of the pool, one that has no name yet included, and no memory. */
static void test_an_application_killed_at_any_moment_leaves_nothing(void **state)
{
    (void)state;
    long rounds = test_rounds(150);
    unsigned seed = 7;
    for (long round = 0; round < rounds; round++) {
        pid_t application = test_fork(use_pools_for_ever, NULL);
        test_sleep(1e-6 * (rand_r(&seed) % 30000) * test_slowness());
        kill(application, SIGKILL);
        assert_int_equal(test_join(application, 10).signal, SIGKILL);
        if (!test_nothing_runs(30))
            fail_msg("round %ld: something is left", round);
    }
}

/* ---- descriptors that leaked -------------------------------------------------------------- */

struct pids {
    atomic_int leaker;
    atomic_int idle;
};

static int sleep_with_all_descriptors(void *context)
{
    (void)context;
    while (getpid())
        pause();
    return 0;
}

/* Has another child, which inherits the sockets of the pool, and then does nothing. */
static int leak_sockets(void *context)
{
    struct pids *pids = context;
    struct shmf_pool *pool = pool_of(2);
    assert_counts_up(map_count(pool, return_index, 10), 10);
    atomic_store(&pids->leaker, test_fork(sleep_with_all_descriptors, NULL));
    atomic_store(&pids->idle, 1);
    return sleep_with_all_descriptors(NULL);
}

static bool is_idle(void *pids)
{
    return atomic_load(&((struct pids *)pids)->idle);
}

static void kill_with_leaked_sockets(bool stop_supervisor)
{
    struct pids *pids = shared_memory(sizeof *pids);
    pid_t application = test_fork(leak_sockets, pids);
    assert_true(test_wait_until(30, is_idle, pids));
    if (stop_supervisor)
        kill(supervisor_pid(2), SIGSTOP);
    kill(application, SIGKILL);
    assert_int_equal(test_join(application, 10).signal, SIGKILL);
    /* A stopped supervisor is not woken by a socket that others hold: idle workers look for
     * themselves once a second. */
    assert_true(test_none_named("shmf-", 30));
    assert_int_equal(test_shared_bytes(), 0);
    assert_true(test_process_alive(atomic_load(&pids->leaker)));
    kill(atomic_load(&pids->leaker), SIGKILL);
    assert_true(test_process_gone(atomic_load(&pids->leaker), 30));
    munmap(pids, sizeof *pids);
}

static void test_sockets_that_leaked_into_another_child_keep_nobody_alive(void **state)
{
    (void)state;
    kill_with_leaked_sockets(false);
}

static void test_nor_do_they_keep_a_stopped_supervisors_idle_workers_alive(void **state)
{
    (void)state;
    kill_with_leaked_sockets(true);
}

/* ---- in the application's own hands ------------------------------------------------------- */

static int exec_another_program(void *context)
{
    (void)context;
    assert_counts_up(map_count(pool_of(2), return_index, 10), 10);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    execl("/bin/sleep", "sleep", "1000", (char *)NULL);
    return 1;
}

static void test_an_application_that_becomes_another_program_leaves_nothing(void **state)
{
    (void)state;
    pid_t application = test_fork(exec_another_program, NULL);
    double end = test_now() + test_seconds(30);
    while (test_find_named("sleep") != application)
        assert_true(test_now() < end);
    assert_true(test_none_named("shmf-", 30));
    assert_true(test_process_alive(application));
    kill(application, SIGKILL);
    assert_int_equal(test_join(application, 10).signal, SIGKILL);
}

static void *make_a_pool(void *unused)
{
    (void)unused;
    return pool_of(2);
}

static void test_workers_stay_when_the_thread_that_forked_them_ends(void **state)
{
    (void)state;
    pthread_t thread;
    void *made;
    assert_int_equal(pthread_create(&thread, NULL, make_a_pool, NULL), 0);
    pthread_join(thread, &made);
    struct shmf_pool *pool = made;
    test_sleep(0.05);
    assert_counts_up(map_count(pool, return_index, 100), 100);
    struct shmf_pool_stats stats;
    shmf_pool_get_stats(pool, &stats);
    assert_int_equal(stats.workers_died, 0);
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_an_application_killed_at_any_moment_leaves_nothing),
        test_case(test_sockets_that_leaked_into_another_child_keep_nobody_alive),
        test_case(test_nor_do_they_keep_a_stopped_supervisors_idle_workers_alive),
        test_case(test_an_application_that_becomes_another_program_leaves_nothing),
        test_case(test_workers_stay_when_the_thread_that_forked_them_ends),
    };
    return cmocka_run_group_tests_name("pool: orphans", tests, NULL, NULL);
}

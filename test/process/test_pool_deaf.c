/* Receiving fails for want of memory, for a moment or for good, in each of a pool's processes: what
 * is in the sockets is read later, nothing is lost, and nobody spins meanwhile. */
#include "early_calls.h"

#include "base/sys.h"

#include <errno.h>
#include <shmframe/control.h>

enum {
    A_MOMENT = 10, /* tries; who is deaf for good has made more */
    FOR_GOOD = 1 << 30,
    AT_MOST = 20000 /* tries of who makes one each few ms for a second, and is asked now and then */
};

static struct plan {
    atomic_int pid;  /* who is deaf */
    atomic_int left; /* tries that fail */
    atomic_int made;
} * plan;

static ssize_t deaf_recvmsg(int fd, struct msghdr *message, int flags)
{
    bool is_it = atomic_load(&plan->pid) == (int)getpid();
    if (!is_it || atomic_load(&plan->left) <= 0)
        return recvmsg(fd, message, flags);
    atomic_fetch_sub(&plan->left, 1);
    atomic_fetch_add(&plan->made, 1);
    errno = ENOBUFS;
    return -1;
}

static void set_deaf(pid_t pid, int tries)
{
    assert_true(pid > 0);
    atomic_store(&plan->left, tries);
    atomic_store(&plan->made, 0);
    atomic_store(&plan->pid, (int)pid);
}

static void lift(void)
{
    atomic_store(&plan->pid, 0);
}

static int first_byte(struct shmf_task *task, void *context)
{
    (void)context;
    const struct shmf_array *array = shmf_task_array(task, 0);
    if (!array)
        return SHMF_E_TASK;
    return shmf_task_return_double(task, *(const uint8_t *)shmf_array_data(array));
}

/* Of an array that the workers do not know yet: its descriptor comes by message. */
static int use_new_array(struct shmf_pool *pool)
{
    struct shmf_array *array = patterned_array(100000, 3);
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_task_input input = {.handles = &handle, .n_handles = 1};
    struct shmf_future *future = submit_with(pool, first_byte, &input, NULL);
    assert_int_equal(shmf_future_wait(future, test_seconds(30), NULL), SHMF_OK);
    struct shmf_result *result = shmf_future_take(future);
    int status = shmf_result_status(result);
    if (!status)
        assert_true(shmf_result_double(result) == *(const uint8_t *)shmf_array_data(array));
    shmf_result_free(result);
    shmf_future_free(future);
    shmf_array_free(array);
    return status;
}

static void test_an_application_that_is_deaf_for_a_moment_misses_no_death(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    assert_counts_up(map_count(pool, return_index, 20), 20);
    pid_t pid = worker_pid(pool, 0);
    set_deaf(getpid(), A_MOMENT);
    kill(pid, SIGKILL);
    assert_true(test_process_gone(pid, 30)); /* or it could take one of these with it */
    assert_counts_up(map_count(pool, return_index, 200), 200);
    double end = test_now() + test_seconds(30);
    while (!stats_of(pool).workers_died && test_now() < end) {
        assert_counts_up(map_count(pool, return_index, 20), 20);
        assert_true(shmf_pool_progress(pool, NULL) >= 0);
        test_sleep(0.001);
    }
    assert_int_equal(stats_of(pool).workers_died, 1);
    assert_int_equal(atomic_load(&plan->made), A_MOMENT);
    shmf_pool_free(pool);
    lift();
}

static void test_an_application_that_is_deaf_for_good_says_so(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    struct shmf_result *result;
    struct shmf_pool *pool = pool_of(1);
    struct shmf_iter *iter = map_count(pool, return_index, 20);
    pid_t pid = worker_pid(pool, 0);
    set_deaf(getpid(), FOR_GOOD);
    kill(pid, SIGKILL);
    assert_true(test_process_gone(pid, 30));
    int rc;
    while ((rc = shmf_iter_next(iter, &result, &err)) == 1)
        shmf_result_free(result);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    assert_true(atomic_load(&plan->made) < AT_MOST);
    lift();
    assert_int_equal(rc, SHMF_E_POOL_BROKEN);
    assert_non_null(strstr(err.message, "receiving"));
}

static void test_a_supervisor_that_is_deaf_for_a_moment_does_as_it_is_told(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_with(&(struct shmf_pool_options){.workers = 1, .max_workers = 2});
    set_deaf(supervisor_pid(1), A_MOMENT);
    assert_int_equal(shmf_pool_resize(pool, 2, NULL), SHMF_OK);
    assert_counts_up(map_count(pool, return_index, 20), 20);
    assert_true(test_wait_named("shmf-w", 2, 30));
    shmf_pool_free(pool);
    assert_int_equal(atomic_load(&plan->made), A_MOMENT);
    lift();
}

static void test_a_worker_that_is_deaf_for_a_moment_gets_its_inputs(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    set_deaf(worker_pid(pool, 0), A_MOMENT);
    assert_int_equal(use_new_array(pool), SHMF_OK);
    assert_int_equal(atomic_load(&plan->made), A_MOMENT);
    shmf_pool_free(pool);
    lift();
}

static void test_a_worker_that_is_deaf_for_good_fails_the_tasks_that_need_to_hear(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    set_deaf(worker_pid(pool, 0), FOR_GOOD);
    assert_int_equal(use_new_array(pool), SHMF_E_NOMEM);
    assert_counts_up(map_count(pool, return_index, 20), 20);
    assert_true(atomic_load(&plan->made) < AT_MOST);
    lift();
    assert_int_equal(use_new_array(pool), SHMF_OK);
    shmf_pool_free(pool);
}

static void test_an_early_process_that_is_deaf_for_a_moment_makes_the_pool(void **state)
{
    (void)state;
    start_early();
    set_deaf(test_find_named("shmf-early"), A_MOMENT);
    struct shmf_pool *pool = early_pool(1);
    assert_counts_up(map_count(pool, return_index, 20), 20);
    shmf_pool_free(pool);
    shmf_early_stop();
    assert_int_equal(atomic_load(&plan->made), A_MOMENT);
    lift();
}

int main(void)
{
    test_begin();
    plan = shared_memory(sizeof *plan);
    shmfi_sys.recvmsg = deaf_recvmsg;
    const struct CMUnitTest tests[] = {
        test_case(test_an_application_that_is_deaf_for_a_moment_misses_no_death),
        test_case(test_an_application_that_is_deaf_for_good_says_so),
        test_case(test_a_supervisor_that_is_deaf_for_a_moment_does_as_it_is_told),
        test_case(test_a_worker_that_is_deaf_for_a_moment_gets_its_inputs),
        test_case(test_a_worker_that_is_deaf_for_good_fails_the_tasks_that_need_to_hear),
        test_case(test_an_early_process_that_is_deaf_for_a_moment_makes_the_pool),
    };
    return cmocka_run_group_tests_name("pools that are deaf", tests, NULL, NULL);
}

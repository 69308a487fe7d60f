/* When a worker waits for its own memory instead of taking more; sleeping and yielding are made up,
 * so that no time has to pass. */
#include "support/test.h"

#include "base/sys.h"
#include "pool/worker.h"

#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 2 };

#define MIB  (UINT64_C(1) << 20)
#define LONG (UINT64_C(1) << 42) /* bytes whose price no test lasts */

static struct fixture {
    struct shmfi_board board;
    void *memory;
    struct shmfi_setup setup;
    struct shmfi_worker worker;
    struct shmfi_sys real;
    bool comes_back; /* while it sleeps or has given way */
    uint64_t wanted; /* as it stood on the board when it slept last */
    int sleeps, yields;
} f;

static void give_back(void)
{
    const struct shmfi_return entry = {.region = 1, .generation = 1};
    assert_true(shmfi_board_return(&f.board, 0, &entry));
}

static long made_up_futex(_Atomic uint32_t *word, int operation, uint32_t value,
                          const struct timespec *timeout)
{
    (void)word;
    (void)value;
    (void)timeout;
    assert_int_equal(operation, FUTEX_WAIT);
    f.sleeps++;
    f.wanted = f.worker.line->wanted;
    if (f.comes_back)
        give_back();
    return 0;
}

static int made_up_yield(void)
{
    f.yields++;
    if (f.comes_back)
        give_back();
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    memset(&f, 0, sizeof f);
    struct shmfi_geometry geometry = {.workers = WORKERS, .slots = 4};
    size_t size = shmfi_board_size(&geometry);
    f.memory = aligned_alloc(SHMFI_LINE, (size + SHMFI_LINE - 1) / SHMFI_LINE * SHMFI_LINE);
    assert_non_null(f.memory);
    memset(f.memory, 0, size);
    shmfi_board_format(&f.board, f.memory, &geometry, LONG);
    f.setup = (struct shmfi_setup){.app_pidfd = -1, .app_pid = getpid()};
    struct shmfi_worker *worker = &f.worker;
    worker->board = &f.board;
    worker->setup = &f.setup;
    worker->line = &f.board.lines[0];
    worker->eventfd = -1;
    worker->cpus = WORKERS;
    worker->spinner.no_yield_until = UINT64_MAX;
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_settype(&how, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&worker->memory_lock, &how);
    pthread_mutexattr_destroy(&how);
    shmfi_board_join(&f.board, &worker->me, 0, 1);
    shmfi_board_start(&f.board, &worker->me, shmfi_ticket(0, 1));
    worker->patience.lent = 1;
    f.real = shmfi_sys;
    shmfi_sys.futex = made_up_futex;
    shmfi_sys.sched_yield = made_up_yield;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    shmfi_sys = f.real;
    pthread_mutex_destroy(&f.worker.memory_lock);
    free(f.memory);
    return 0;
}

/* As a task would that needs pages; true: it waited and something came back, which it took. */
static bool task_waits(uint64_t bytes)
{
    f.worker.tasks++;
    bool back = shmfi_worker_would_rather_wait(&f.worker, bytes);
    if (back) {
        shmfi_worker_take_returns(&f.worker);
        f.worker.patience.lent++; /* and delivers it again */
    }
    return back;
}

static void test_a_worker_waits_for_what_it_lent(void **state)
{
    (void)state;
    f.comes_back = true;
    for (int i = 1; i <= 20; i++) {
        assert_true(task_waits(LONG));
        assert_int_equal(f.sleeps, i);
        assert_int_equal(f.wanted, LONG);
        assert_int_equal(f.worker.line->wanted, 0);
        assert_int_equal(f.worker.patience.lent, 1);
    }
}

static void test_nothing_is_waited_for_where_nothing_can_come_or_little_is_asked_for(void **state)
{
    (void)state;
    assert_false(task_waits(MIB));
    f.worker.patience.lent = 0;
    assert_false(task_waits(LONG));
    f.worker.patience.lent = 1;
    shmfi_board_publish(&f.board, &f.worker.me); /* no task runs */
    assert_false(task_waits(LONG));
    assert_int_equal(f.sleeps, 0);
}

static void test_a_consumer_that_keeps_its_results_is_waited_for_less_and_less(void **state)
{
    (void)state;
    int waits = 0;
    for (int i = 1; i <= 63; i++) {
        int before = f.sleeps;
        assert_false(task_waits(2 * MIB));
        waits += f.sleeps > before;
        assert_int_equal(f.sleeps > before, (i & (i + 1)) == 0); /* 1, 3, 7, 15, ... */
    }
    assert_int_equal(waits, 6);
}

static void
test_what_comes_back_and_does_not_do_is_a_disappointment_until_something_does(void **state)
{
    (void)state;
    f.comes_back = true;
    assert_true(task_waits(LONG));
    assert_false(shmfi_worker_would_rather_wait(&f.worker, LONG)); /* the same task asks again */
    assert_false(task_waits(LONG));
    assert_int_equal(f.sleeps, 1);
    assert_true(task_waits(LONG));
    assert_true(task_waits(LONG)); /* this time it did */
    assert_false(shmfi_worker_would_rather_wait(&f.worker, LONG));
    assert_false(task_waits(LONG));
    assert_true(task_waits(LONG));
    assert_int_equal(f.sleeps, 4);
}

static void test_when_as_much_was_waited_as_pages_cost_they_are_obtained(void **state)
{
    (void)state;
    f.comes_back = true;
    f.worker.patience.spent = LONG / 10 + 1;
    assert_false(task_waits(LONG));
    assert_int_equal(f.sleeps, 0);
    assert_true(task_waits(LONG));
}

static void test_waits_that_are_short_beside_the_tasks_are_free(void **state)
{
    (void)state;
    f.comes_back = true;
    f.worker.patience.last_task = UINT64_MAX;
    assert_true(task_waits(LONG));
    assert_int_equal(f.worker.patience.spent, 0);
    f.worker.patience.last_task = 0;
    assert_true(task_waits(LONG));
    assert_int_not_equal(f.worker.patience.spent, 0);
}

static void look(uint64_t length)
{
    f.worker.spinner = (struct shmfi_spinner){0};
    shmfi_worker_look(&f.worker, length);
}

static void test_a_worker_gives_way_before_it_takes_a_piece_that_is_not_in_the_caches(void **state)
{
    (void)state;
    look(4 * MIB);
    assert_int_equal(f.yields, 1);
    f.comes_back = true;
    look(4 * MIB);
    assert_int_equal(f.yields, 2);
    assert_int_equal(f.worker.patience.lent, 0);
    look(4 * MIB); /* nothing is out */
    f.worker.patience.lent = 1;
    look(MIB);
    f.worker.cpus = WORKERS + 1; /* there is a cpu for the application */
    look(4 * MIB);
    assert_int_equal(f.yields, 2);
}

static void test_what_has_come_back_is_taken_without_giving_way(void **state)
{
    (void)state;
    give_back();
    look(4 * MIB);
    assert_false(shmfi_worker_has_returns(&f.worker));
    assert_int_equal(f.worker.patience.lent, 0);
    assert_int_equal(f.yields, 0);
}

static void test_no_way_is_given_while_strangers_need_the_cpus(void **state)
{
    (void)state;
    shmfi_worker_look(&f.worker, 4 * MIB);
    assert_int_equal(f.yields, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_worker_waits_for_what_it_lent),
        TEST(test_nothing_is_waited_for_where_nothing_can_come_or_little_is_asked_for),
        TEST(test_a_consumer_that_keeps_its_results_is_waited_for_less_and_less),
        TEST(test_what_comes_back_and_does_not_do_is_a_disappointment_until_something_does),
        TEST(test_when_as_much_was_waited_as_pages_cost_they_are_obtained),
        TEST(test_waits_that_are_short_beside_the_tasks_are_free),
        TEST(test_a_worker_gives_way_before_it_takes_a_piece_that_is_not_in_the_caches),
        TEST(test_what_has_come_back_is_taken_without_giving_way),
        TEST(test_no_way_is_given_while_strangers_need_the_cpus),
    };
    return cmocka_run_group_tests_name("pool_patience", tests, NULL, NULL);
}

/* A worker that crashes says where it was. Sanitizers and Valgrind say that themselves, so there
 * the library keeps out of their way. */
#include "pool_calls.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "support/watched.h"

static uint8_t *volatile nowhere = (uint8_t *)16;
static void (*volatile end)(void) = abort;

static __attribute__((noinline)) int fault(void)
{
    return *nowhere = 1;
}

static int crash(struct shmf_task *task, void *unused)
{
    (void)unused;
    switch (shmf_task_index(task)) {
    case 0:
        return fault() + 1;
    case 1:
        end();
        return 0;
    case 2:
        return raise(SIGFPE) + 1; /* no tail call */
    case 3:
        return raise(SIGILL) + 1; /* no tail call */
    default:
        return raise(SIGBUS) + 1; /* no tail call */
    }
}

static const int signals[] = {SIGSEGV, SIGABRT, SIGFPE, SIGILL, SIGBUS};

static void no_core_files(void)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
}

static bool lies_in(uint64_t address, uintptr_t function)
{
    return address >= function && address < function + 512;
}

static void test_a_crash_comes_with_the_place_and_its_callers(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    struct shmf_iter *iter = map_count(pool, crash, 5);
    for (int i = 0; i < 5; i++) {
        struct shmf_result *result = next_any(iter);
        const struct shmf_failure *failure = shmf_result_failure(result);
        assert_int_equal(failure->code, SHMF_E_WORKER_DIED);
        assert_int_equal(failure->signal, signals[i]);
        if (test_is_watched()) {
            assert_null(failure->backtrace);
        } else {
            assert_non_null(failure->backtrace);
            assert_true(failure->backtrace->count > 2);
            bool found = false;
            for (int f = 0; f < failure->backtrace->count; f++)
                found = found || lies_in(failure->backtrace->frames[f], (uintptr_t)crash);
            assert_true(found);
        }
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static void test_a_fault_tells_its_instruction_and_its_address(void **state)
{
    (void)state;
    if (test_is_watched())
        skip();
    struct shmf_pool *pool = pool_of(1);
    struct shmf_iter *iter = map_count(pool, crash, 1);
    struct shmf_result *result = next_any(iter);
    const struct shmf_failure *failure = shmf_result_failure(result);
    assert_int_equal(failure->backtrace->address, 16);
    assert_true(lies_in(failure->backtrace->frames[0], (uintptr_t)fault));
    assert_true(lies_in(failure->backtrace->frames[1], (uintptr_t)crash));
    assert_non_null(strstr(failure->message, ", at "));
    shmf_result_free(result);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static void test_the_printed_failure_names_every_frame(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    struct shmf_iter *iter = map_count(pool, crash, 1);
    struct shmf_result *result = next_any(iter);
    const struct shmf_failure *failure = shmf_result_failure(result);
    char *text;
    size_t size, lines = 0;
    FILE *stream = open_memstream(&text, &size);
    assert_int_equal(shmf_failure_print(failure, stream), SHMF_OK);
    fclose(stream);
    assert_ptr_equal(strstr(text, "SHMF_E_WORKER_DIED: worker 0"), text);
    for (const char *at = strstr(text, "  #"); at; at = strstr(at + 1, "  #"))
        lines++;
    assert_int_equal(lines, failure->backtrace ? failure->backtrace->count : 0);
    free(text);
    assert_int_equal(shmf_failure_print(NULL, stdout), SHMF_E_INVAL);
    assert_int_equal(shmf_failure_print(failure, NULL), SHMF_E_INVAL);
    shmf_result_free(result);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

/* More and more of them, while the application does not look. */
static void test_each_of_many_crashes_has_its_own_place(void **state)
{
    (void)state;
    enum { COUNT = 20 };
    struct shmf_pool *pool = pool_of(2);
    struct shmf_imap_options options = {.window = COUNT};
    struct shmf_tasks tasks = {.count = COUNT};
    struct shmf_iter *iter = map(pool, crash, &tasks, &options);
    for (int i = 0; i < COUNT; i++) {
        struct shmf_result *result = next_any(iter);
        const struct shmf_failure *failure = shmf_result_failure(result);
        assert_int_equal(failure->signal, signals[i < 4 ? i : 4]);
        assert_true(test_is_watched() == !failure->backtrace);
        if (!test_is_watched() && i == 0)
            assert_true(lies_in(failure->backtrace->frames[0], (uintptr_t)fault));
        if (!test_is_watched() && i > 0)
            assert_false(lies_in(failure->backtrace->frames[0], (uintptr_t)fault));
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

static __attribute__((noinline)) int recurse(volatile int *depth)
{
    volatile int here[1024] = {*depth + 1};
    if (*depth < 0)
        return 0;
    return recurse(&here[0]) + here[1];
}

static int overflow_the_stack(struct shmf_task *task, void *unused)
{
    (void)task;
    (void)unused;
    int depth = 0;
    return recurse(&depth);
}

static void test_an_exhausted_stack_is_a_crash_with_a_place(void **state)
{
    (void)state;
    if (test_is_watched())
        skip();
    struct shmf_pool *pool = pool_of(1);
    struct shmf_result *result = shmf_pool_apply(pool, overflow_the_stack, NULL, NULL, NULL);
    const struct shmf_failure *failure = shmf_result_failure(result);
    assert_int_equal(failure->signal, SIGSEGV);
    assert_int_equal(failure->backtrace->count, SHMF_BACKTRACE_SIZE);
    assert_true(lies_in(failure->backtrace->frames[0], (uintptr_t)recurse));
    shmf_result_free(result);
    shmf_pool_free(pool);
}

static void give_up(int number)
{
    _exit(40 + (number == SIGSEGV));
}

static int handle_faults(int worker, void *unused)
{
    (void)worker;
    (void)unused;
    signal(SIGSEGV, give_up);
    return 0;
}

static void test_handlers_of_the_initializers_are_not_touched(void **state)
{
    (void)state;
    if (test_is_watched())
        skip();
    struct shmf_pool_options options = {.workers = 1, .initializer = handle_faults};
    struct shmf_pool *pool = pool_with(&options);
    struct shmf_iter *iter = map_count(pool, crash, 1);
    struct shmf_result *result = next_any(iter);
    assert_int_equal(shmf_result_failure(result)->exit_status, 41);
    assert_null(shmf_result_failure(result)->backtrace);
    shmf_result_free(result);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

/* How many of the signals are not at their default? */
static int count_handled(struct shmf_task *task, void *unused)
{
    (void)unused;
    double handled = 0;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction now;
        sigaction(signals[i], NULL, &now);
        handled += now.sa_handler != SIG_DFL;
    }
    return shmf_task_return_double(task, handled);
}

static void test_backtraces_can_be_declined(void **state)
{
    (void)state;
    for (int declined = 0; declined < 2; declined++) {
        struct shmf_pool_options options = {.workers = 1, .no_backtraces = declined};
        struct shmf_pool *pool = pool_with(&options);
        struct shmf_iter *iter = map_count(pool, count_handled, 1);
        assert_true(next_double(iter) == (declined || test_is_watched() ? 0 : 5));
        shmf_iter_free(iter);
        iter = map_count(pool, crash, 1);
        struct shmf_result *result = next_any(iter);
        assert_int_equal(shmf_result_failure(result)->signal, SIGSEGV);
        assert_true(!shmf_result_failure(result)->backtrace == (declined || test_is_watched()));
        shmf_result_free(result);
        shmf_iter_free(iter);
        shmf_pool_free(pool);
    }
}

static int abort_here(void *unused)
{
    (void)unused;
    abort();
}

/* The handler is the worker's; its children have it without the board. */
static int crash_in_a_child(struct shmf_task *task, void *unused)
{
    (void)unused;
    pid_t child = test_fork(abort_here, NULL);
    return shmf_task_return_double(task, test_join(child, 10).signal);
}

static void test_a_crash_of_a_workers_child_is_its_own(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(1);
    struct shmf_iter *iter = map_count(pool, crash_in_a_child, 1);
    assert_true(next_double(iter) == SIGABRT);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
}

int main(void)
{
    test_begin();
    no_core_files();
    const struct CMUnitTest tests[] = {
        test_case(test_a_crash_comes_with_the_place_and_its_callers),
        test_case(test_a_fault_tells_its_instruction_and_its_address),
        test_case(test_the_printed_failure_names_every_frame),
        test_case(test_each_of_many_crashes_has_its_own_place),
        test_case(test_an_exhausted_stack_is_a_crash_with_a_place),
        test_case(test_handlers_of_the_initializers_are_not_touched),
        test_case(test_backtraces_can_be_declined),
        test_case(test_a_crash_of_a_workers_child_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

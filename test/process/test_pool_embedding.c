/* A pool in somebody's program: what that program did before, and does meanwhile, goes on. */
#include "pool_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>

static bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
}

static void use_a_pool(int workers, int count)
{
    struct shmf_pool *pool = pool_of(workers);
    assert_counts_up(map_count(pool, return_index, count), count);
    shmf_pool_free(pool);
}

/* ---- children and signals ----------------------------------------------------------------- */

static atomic_int delivered[NSIG];

static void count_signal(int number)
{
    atomic_fetch_add(&delivered[number], 1);
}

static int wait_around_pools(void *context)
{
    (void)context;
    signal(SIGCHLD, count_signal);
    for (int i = 0; i < 20; i++) {
        struct shmf_pool *pool = pool_of(2);
        if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
            return 1;
        assert_counts_up(map_count(pool, return_index, 10), 10);
        end_worker(pool, 0);
        assert_counts_up(map_count(pool, return_index, 10), 10);
        if (wait(NULL) != -1 || errno != ECHILD)
            return 2;
        shmf_pool_free(pool);
        if (wait(NULL) != -1 || errno != ECHILD)
            return 3;
    }
    return atomic_load(&delivered[SIGCHLD]) ? 4 : 0;
}

static void test_the_applications_wait_meets_no_stranger_and_no_sigchld_comes(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(wait_around_pools, NULL, 20)));
}

static int use_pools_while_another_thread_waits(void *context)
{
    (void)context;
    pid_t own = test_fork(wait_around_pools, NULL);
    struct shmf_pool *pool = pool_of(2);
    int status;
    if (waitpid(-1, &status, 0) != own || !WIFEXITED(status) || WEXITSTATUS(status))
        return 1;
    shmf_pool_free(pool);
    return 0;
}

static void test_the_application_reaps_its_own_children_as_ever(void **state)
{
    (void)state;
    struct test_outcome outcome = test_in_child(use_pools_while_another_thread_waits, NULL, 20);
    assert_true(test_outcome_ok(outcome));
}

static int use_a_pool_with_children_ignored(void *context)
{
    (void)context;
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 10; i++)
        use_a_pool(2, 20);
    return 0;
}

static void test_a_pool_works_where_sigchld_is_ignored(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(use_a_pool_with_children_ignored, NULL, 20)));
}

static int sum_of_signals(struct shmf_task *task, void *context)
{
    (void)context;
    struct sigaction action;
    sigaction(SIGUSR1, NULL, &action);
    int handled = action.sa_handler == SIG_DFL ? 0 : 1;
    sigaction(SIGPIPE, NULL, &action);
    int ignored = action.sa_handler == SIG_IGN ? 10 : 0;
    sigset_t mask;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    int blocked = sigismember(&mask, SIGUSR2) ? 100 : 0;
    int others = sigismember(&mask, SIGINT) || sigismember(&mask, SIGCHLD) ? 1000 : 0;
    return shmf_task_return_double(task, handled + ignored + blocked + others);
}

/* Handlers are reset in workers; what is ignored or blocked stays so, as after exec. */
static int have_handlers(void *context)
{
    (void)context;
    signal(SIGUSR1, count_signal);
    signal(SIGINT, count_signal);
    signal(SIGPIPE, SIG_IGN);
    sigset_t mask, now;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    struct shmf_pool *pool = pool_of(2);
    struct shmf_iter *iter = map_count(pool, sum_of_signals, 10);
    for (int i = 0; i < 10; i++)
        assert_true(next_double(iter) == 110);
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    sigprocmask(SIG_SETMASK, NULL, &now);
    if (!sigismember(&now, SIGUSR2) || sigismember(&now, SIGINT))
        return 1;
    raise(SIGUSR1);
    raise(SIGINT);
    raise(SIGPIPE);
    return atomic_load(&delivered[SIGUSR1]) == 1 && atomic_load(&delivered[SIGINT]) == 1 ? 0 : 2;
}

static void test_the_applications_signal_handlers_and_mask_are_untouched(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(have_handlers, NULL, 20)));
}

static atomic_bool waits;

/* To be cancelled at any instruction: for that a signal is sent. */
static void *wait_for_ever(void *unused)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    atomic_store(&waits, true);
    for (;;)
        pause();
    return unused;
}

static bool cancel_a_thread(void)
{
    pthread_t thread;
    void *how = NULL;
    atomic_store(&waits, false);
    if (pthread_create(&thread, NULL, wait_for_ever, NULL))
        return false;
    while (!atomic_load(&waits))
        sched_yield();
    return !pthread_cancel(thread) && !pthread_join(thread, &how) && how == PTHREAD_CANCELED;
}

static int cancel_in_task(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_return_double(task, cancel_a_thread());
}

/* libc sets the handler for that when it first needs it, and not again. */
static int cancel_before_and_in_a_task(void *context)
{
    (void)context;
    if (!cancel_a_thread())
        return 1;
    struct shmf_pool *pool = pool_of(1);
    struct shmf_iter *iter = map_count(pool, cancel_in_task, 1);
    bool cancelled = next_double(iter) == 1;
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    return cancelled ? 0 : 2;
}

static void test_libcs_own_signals_work_in_workers_as_they_did_in_the_application(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(cancel_before_and_in_a_task, NULL, 20)));
}

/* As Ctrl-C at a terminal does: to everybody in the foreground group. */
static int interrupt_the_group(void *context)
{
    (void)context;
    setpgid(0, 0);
    signal(SIGINT, count_signal);
    signal(SIGTSTP, count_signal);
    struct shmf_pool *pool = pool_of(2);
    for (int i = 0; i < 20; i++) {
        kill(0, SIGINT);
        kill(0, SIGTSTP);
        assert_counts_up(map_count(pool, return_index, 10), 10);
    }
    struct shmf_pool_stats stats;
    shmf_pool_get_stats(pool, &stats);
    shmf_pool_free(pool);
    return stats.workers_died || atomic_load(&delivered[SIGINT]) != 20;
}

static void test_an_interrupt_of_the_foreground_group_does_not_reach_the_pool(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(interrupt_the_group, NULL, 20)));
}

/* ---- descriptors -------------------------------------------------------------------------- */

static void test_pclose_returns_while_a_pool_lives_that_was_made_after_popen(void **state)
{
    (void)state;
    FILE *to = popen("cat >/dev/null", "w");
    assert_non_null(to);
    struct shmf_pool *pool = pool_of(2);
    assert_counts_up(map_count(pool, return_index, 10), 10);
    fputs("hello\n", to);
    assert_int_equal(pclose(to), 0); /* cat ends when nobody holds the pipe's other end */
    assert_counts_up(map_count(pool, return_index, 10), 10);
    shmf_pool_free(pool);
}

static int return_open_descriptors(struct shmf_task *task, void *context)
{
    (void)context;
    uint64_t open_ones = 0;
    for (int fd = 0; fd < 64; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            open_ones |= UINT64_C(1) << fd;
    return shmf_task_return_bytes(task, &open_ones, sizeof open_ones);
}

static void test_workers_inherit_only_the_descriptors_that_were_named(void **state)
{
    (void)state;
    int high[3] = {50, 51, 55};
    for (int i = 0; i < 3; i++)
        assert_int_equal(dup2(1, high[i]), high[i]);
    assert_int_equal(dup2(1, 53), 53);
    struct shmf_pool_options options = {.workers = 2, .keep_fds = high, .n_keep_fds = 3};
    struct shmf_pool *pool = pool_with(&options);
    end_worker(pool, 0);
    struct shmf_iter *iter = map_count(pool, return_open_descriptors, 20);
    for (int i = 0; i < 20; i++) {
        struct shmf_result *result = next_good(iter);
        uint64_t open_ones;
        memcpy(&open_ones, shmf_result_bytes(result, NULL), sizeof open_ones);
        assert_int_equal(open_ones & 7, 7);
        assert_int_equal(open_ones >> 48, 1 << 2 | 1 << 3 | 1 << 7);
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_pool_free(pool);
    for (int i = 0; i < 3; i++)
        close(high[i]);
    close(53);
}

/* ---- output ------------------------------------------------------------------------------- */

static int print_its_index(struct shmf_task *task, void *context)
{
    (void)context;
    char text[20]; /* as one piece: after setvbuf glibc may write each of printf's by itself */
    snprintf(text, sizeof text, "[task %d]", (int)shmf_task_index(task));
    fputs(text, stdout);
    return 0;
}

/* Leaves "[application]" in the buffer of stdout when the pool is made. */
static int print_without_flushing(void *file)
{
    dup2(fileno(file), STDOUT_FILENO);
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    printf("[application]");
    struct shmf_pool *pool = pool_of(2);
    struct shmf_iter *iter = map_count(pool, print_its_index, 20);
    for (int i = 0; i < 20; i++)
        shmf_result_free(next_good(iter));
    shmf_iter_free(iter);
    kill(worker_pid(pool, 0), SIGTERM);
    shmf_pool_free(pool);
    return 0;
}

static int count_in(const char *text, const char *part)
{
    int count = 0;
    while ((text = strstr(text, part))) {
        count++;
        text++;
    }
    return count;
}

static void test_what_was_printed_appears_once_whoever_printed_it(void **state)
{
    (void)state;
    if (under_valgrind())
        skip(); /* it flushes buffers at the end of every process, however that ends */
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(test_outcome_ok(test_in_child(print_without_flushing, file, 20)));
    char text[2000] = "";
    rewind(file);
    size_t size = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    bool right = size == 13 + 10 * 8 + 10 * 9 && count_in(text, "[application]") == 1;
    for (int i = 0; i < 20; i++) {
        char one[20];
        snprintf(one, sizeof one, "[task %d]", i);
        right = right && count_in(text, one) == 1;
    }
    if (!right)
        fail_msg("%zu bytes: %s", size, text);
}

/* ---- threads ------------------------------------------------------------------------------ */

static void *hammer(void *stop)
{
    unsigned seed = 1;
    void *held[64] = {0};
    while (!atomic_load((atomic_int *)stop)) {
        int at = rand_r(&seed) % 64;
        free(held[at]);
        held[at] = malloc((size_t)rand_r(&seed) % 20000 + 1);
        if (held[at])
            memset(held[at], at, 1);
    }
    for (int i = 0; i < 64; i++)
        free(held[i]);
    return NULL;
}

static int allocate(struct shmf_task *task, void *context)
{
    (void)context;
    void *some[50];
    for (int i = 0; i < 50; i++)
        some[i] = malloc(100 * (size_t)i + 1);
    for (int i = 0; i < 50; i++)
        free(some[i]);
    return return_index(task, NULL);
}

static void test_pools_are_made_while_other_threads_are_in_malloc(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip(); /* its allocator, unlike libc's, does not survive a fork with threads in it */
#endif
    if (under_valgrind())
        skip(); /* in a child, what other threads held counts as leaked */
    atomic_int stop = 0;
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &stop), 0);
    long rounds = test_rounds(200);
    for (long round = 0; round < rounds; round++) {
        struct shmf_pool *pool = pool_of(2);
        if (round % 10 == 0)
            assert_counts_up(map_count(pool, allocate, 10), 10);
        shmf_pool_free(pool);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

static void *iterate(void *context)
{
    struct shmf_pool *pool = context;
    for (int round = 0; round < 5; round++) {
        struct shmf_iter *iter = map_count(pool, return_index, 200);
        for (int i = 0; i < 200; i++)
            if (next_double(iter) != i)
                return context;
        shmf_iter_free(iter);
    }
    return NULL;
}

static void test_several_threads_iterate_over_one_pool(void **state)
{
    (void)state;
    struct shmf_pool *pool = pool_of(2);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, iterate, pool), 0);
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    shmf_pool_free(pool);
}

/* ---- many workers ------------------------------------------------------------------------- */

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 4096; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static int return_an_array(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, 20000, (uint64_t)shmf_task_index(task));
}

static void test_a_pool_may_have_many_more_workers_than_the_machine_has_cpus(void **state)
{
    (void)state;
    size_t before = open_descriptors();
    int most = test_slowness() > 5 ? 32 : 256;
    for (int workers = most / 4; workers <= most; workers *= 4) {
        struct shmf_pool *pool = pool_of(workers);
        assert_int_equal(shmf_pool_workers(pool), workers);
        assert_counts_up(map_count(pool, return_index, 4 * workers), 4 * workers);
        struct shmf_iter *iter = map_count(pool, return_an_array, 4 * workers);
        for (uint64_t i = 0; i < 4 * (uint64_t)workers; i++) {
            struct shmf_result *result = next_good(iter);
            assert_true(is_patterned(shmf_result_array(result), 20000, i));
            shmf_result_free(result);
        }
        shmf_iter_free(iter);
        assert_true(open_descriptors() - before <= 3 * (size_t)workers + 8);
        shmf_pool_free(pool);
        assert_true(test_none_named("shmf-", 30));
    }
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_the_applications_wait_meets_no_stranger_and_no_sigchld_comes),
        test_case(test_the_application_reaps_its_own_children_as_ever),
        test_case(test_a_pool_works_where_sigchld_is_ignored),
        test_case(test_the_applications_signal_handlers_and_mask_are_untouched),
        test_case(test_libcs_own_signals_work_in_workers_as_they_did_in_the_application),
        test_case(test_an_interrupt_of_the_foreground_group_does_not_reach_the_pool),
        test_case(test_pclose_returns_while_a_pool_lives_that_was_made_after_popen),
        test_case(test_workers_inherit_only_the_descriptors_that_were_named),
        test_case(test_what_was_printed_appears_once_whoever_printed_it),
        test_case(test_pools_are_made_while_other_threads_are_in_malloc),
        test_case(test_several_threads_iterate_over_one_pool),
        test_case(test_a_pool_may_have_many_more_workers_than_the_machine_has_cpus),
    };
    return cmocka_run_group_tests_name("pool: embedding", tests, NULL, NULL);
}

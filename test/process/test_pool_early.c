/* Pools whose workers stem from the early moment: what they have of the application, and what
 * not. */
#include "early_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

static int refuse_pool(const struct shmf_pool_options *options, const char *what)
{
    struct shmf_error err = {0};
    struct shmf_pool *pool = shmf_pool_new(options, &err);
    if (pool || !strstr(err.message, what))
        fail_msg("'%s' does not say %s", err.message, what);
    return err.code;
}

/* ---- memory ------------------------------------------------------------------------------- */

static int moment;

static int return_moment(struct shmf_task *task, void *context)
{
    (void)context;
    return shmf_task_return_double(task, moment);
}

static void test_workers_have_the_memory_of_the_early_moment_and_nothing_later(void **state)
{
    (void)state;
    moment = 1;
    start_early();
    moment = 2;
    struct shmf_pool *early = early_pool(2), *now = pool_of(2);
    moment = 3;
    assert_true(number_of(submit(early, return_moment, NULL)) == 1);
    assert_true(number_of(submit(now, return_moment, NULL)) == 2);
    assert_counts_up(map_count(early, return_index, 500), 500);
    shmf_pool_free(early);
    shmf_pool_free(now);
    shmf_early_stop();
}

static int sum_of_inputs(struct shmf_task *task, void *context)
{
    (void)context;
    double sum = 0;
    for (size_t i = 0; i < 2; i++) {
        const struct shmf_array *array = shmf_task_array(task, i);
        if (!is_patterned(array, 100000, i))
            return shmf_task_fail(task, SHMF_E_CORRUPT, "input %zu", i);
        sum += (double)i + 1;
    }
    return shmf_task_return_double(task, sum);
}

static int return_large(struct shmf_task *task, void *context)
{
    (void)context;
    return return_patterned(task, 100000, (uint64_t)shmf_task_index(task));
}

static void test_arrays_of_before_and_after_are_inputs_and_results_come_back(void **state)
{
    (void)state;
    struct shmf_array *before = patterned_array(100000, 0);
    start_early();
    struct shmf_array *after = patterned_array(100000, 1);
    struct shmf_pool *pool = early_pool(2);
    struct shmf_handle handles[] = {shmf_array_handle(before), shmf_array_handle(after)};
    struct shmf_task_input input = {.handles = handles, .n_handles = 2};
    for (int i = 0; i < 20; i++)
        assert_true(number_of(submit_with(pool, sum_of_inputs, &input, NULL)) == 3);
    struct shmf_iter *iter = map_count(pool, return_large, 50);
    for (uint64_t i = 0; i < 50; i++) {
        struct shmf_result *result = next_good(iter);
        assert_true(is_patterned(shmf_result_array(result), 100000, i));
        shmf_result_free(result);
    }
    shmf_iter_free(iter);
    shmf_array_free(before);
    shmf_array_free(after);
    shmf_pool_free(pool);
    shmf_early_stop();
}

/* ---- threads ------------------------------------------------------------------------------ */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int holds, may_end;

static void *hold_the_lock(void *unused)
{
    pthread_mutex_lock(&lock);
    atomic_store(&holds, 1);
    while (!atomic_load(&may_end))
        usleep(1000);
    pthread_mutex_unlock(&lock);
    return unused;
}

static int is_lock_free(struct shmf_task *task, void *context)
{
    (void)context;
    int rc = pthread_mutex_trylock(&lock);
    if (!rc)
        pthread_mutex_unlock(&lock);
    return shmf_task_return_double(task, rc == 0);
}

static void test_threads_of_later_hold_no_locks_in_workers(void **state)
{
    (void)state;
    pthread_t thread;
    start_early();
    atomic_store(&may_end, 0);
    pthread_create(&thread, NULL, hold_the_lock, NULL);
    await_count(&holds, 1);
    struct shmf_pool_options options = {
        .workers = 2, .start = SHMF_START_EARLY, .refuse_threads = 1};
    struct shmf_pool *early = pool_with(&options), *now = pool_of(2);
    assert_true(number_of(submit(early, is_lock_free, NULL)) == 1);
    assert_true(number_of(submit(now, is_lock_free, NULL)) == 0);
    assert_int_equal(stats_of(early).threads_at_creation, 0);
    atomic_store(&may_end, 1);
    pthread_join(thread, NULL);
    shmf_pool_free(early);
    shmf_pool_free(now);
    shmf_early_stop();
}

/* ---- code --------------------------------------------------------------------------------- */

static void test_a_function_that_was_loaded_after_the_early_start_is_refused(void **state)
{
    (void)state;
    start_early();
    void *library = dlopen("libresolv.so.2", RTLD_NOW | RTLD_LOCAL);
    void *symbol = library ? dlsym(library, "ns_get16") : NULL;
    shmf_task_fn later;
    int (*initializer)(int, void *);
    void (*finalizer)(int, void *);
    memcpy(&later, &symbol, sizeof later);
    memcpy(&initializer, &symbol, sizeof initializer);
    memcpy(&finalizer, &symbol, sizeof finalizer);
    struct shmf_pool *pool = early_pool(1);
    if (symbol) {
        struct shmf_error err = {0};
        assert_null(shmf_pool_submit(pool, later, NULL, NULL, &err));
        assert_int_equal(err.code, SHMF_E_INVAL);
        assert_non_null(strstr(err.message, "loaded after the early start"));
        struct shmf_pool_options options = {.start = SHMF_START_EARLY, .initializer = initializer};
        assert_int_equal(refuse_pool(&options, "options.initializer"), SHMF_E_INVAL);
        options.initializer = NULL;
        options.finalizer = finalizer;
        assert_int_equal(refuse_pool(&options, "options.finalizer"), SHMF_E_INVAL);
        dlclose(library);
    }
    assert_counts_up(map_count(pool, return_index, 3), 3);
    shmf_pool_free(pool);
    shmf_early_stop();
}

/* ---- options ------------------------------------------------------------------------------ */

static void test_wrong_calls_are_refused_by_name(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    int fd = 0, wrong = 12345;
    struct shmf_pool_options early = {.workers = 1, .start = SHMF_START_EARLY}, none = {.start = 2},
                             keep = {.start = SHMF_START_EARLY, .keep_fds = &fd, .n_keep_fds = 1};
    assert_int_equal(refuse_pool(&early, "was not called"), SHMF_E_INVAL);
    assert_int_equal(refuse_pool(&none, "options.start"), SHMF_E_INVAL);
    struct shmf_early_options bad[] = {
        {.n_keep_fds = 1}, {.keep_fds = &wrong, .n_keep_fds = 1}, {.reserved = {[7] = 1}}};
    static const char *const names[] = {"keep_fds", "keep_fds[0]", "reserved"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(shmf_early_start(&bad[i], &err), SHMF_E_INVAL);
        assert_non_null(strstr(err.message, names[i]));
    }
    shmf_early_stop();
    start_early();
    assert_int_equal(shmf_early_start(NULL, &err), SHMF_E_EXISTS);
    assert_int_equal(refuse_pool(&keep, "options.keep_fds"), SHMF_E_INVAL);
    shmf_early_stop();
    shmf_early_stop();
    assert_int_equal(refuse_pool(&early, "was not called"), SHMF_E_INVAL);
}

static void *wait_for_it(void *over)
{
    while (!atomic_load((atomic_bool *)over))
        test_sleep(0.001);
    return NULL;
}

/* A thread that was joined may be there for another moment. */
static bool starts_without_threads(void *unused)
{
    (void)unused;
    return shmf_early_start(&(struct shmf_early_options){.refuse_threads = 1}, NULL) == SHMF_OK;
}

static void test_other_threads_are_refused_as_long_as_they_run(void **state)
{
    (void)state;
    struct shmf_error err = {0};
    atomic_bool over = false;
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_it, &over), 0);
    assert_int_equal(shmf_early_start(&(struct shmf_early_options){.refuse_threads = 1}, &err),
                     SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "2 other threads run"));
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_true(test_wait_until(30, starts_without_threads, NULL));
    shmf_early_stop();
}

static int write_to(struct shmf_task *task, void *context)
{
    (void)context;
    int fd = (int)number_arg(task);
    return shmf_task_return_double(task, (double)write(fd, "x", 1));
}

static void test_workers_have_the_descriptors_that_the_early_start_was_given(void **state)
{
    (void)state;
    int fds[2], other = dup(1);
    char text[2];
    assert_int_equal(pipe(fds), 0);
    struct shmf_early_options options = {.keep_fds = &fds[1], .n_keep_fds = 1};
    assert_int_equal(shmf_early_start(&options, NULL), SHMF_OK);
    struct shmf_pool *pool = early_pool(1);
    assert_true(number_of(submit_number(pool, write_to, fds[1], NULL)) == 1);
    assert_true(number_of(submit_number(pool, write_to, fds[0], NULL)) == -1);
    assert_int_equal(read(fds[0], text, 2), 1);
    shmf_pool_free(pool);
    shmf_early_stop();
    close(fds[0]);
    close(fds[1]);
    close(other);
}

/* ---- other processes ---------------------------------------------------------------------- */

static int be_a_child(void *context)
{
    struct shmf_pool *of_parent = context;
    struct shmf_error err = {0};
    struct shmf_pool_options options = {.workers = 1, .start = SHMF_START_EARLY};
    if (shmf_pool_new(&options, &err) || err.code != SHMF_E_WRONG_PROCESS)
        return 1;
    if (shmf_pool_submit(of_parent, return_pid, NULL, NULL, &err) ||
        err.code != SHMF_E_WRONG_PROCESS)
        return 2;
    shmf_early_stop(); /* nothing of ours */
    if (shmf_early_start(NULL, &err))
        return 3;
    struct shmf_pool *pool = shmf_pool_new(&options, &err);
    if (!pool || number_of(submit_number(pool, return_square, 3, NULL)) != 9)
        return 4;
    shmf_pool_free(pool);
    shmf_early_stop();
    return 0;
}

static void test_a_forked_child_has_no_part_in_it_and_may_have_its_own(void **state)
{
    (void)state;
    start_early();
    struct shmf_pool *pool = early_pool(1);
    assert_true(test_outcome_ok(test_in_child(be_a_child, pool, 20)));
    assert_counts_up(map_count(pool, return_index, 3), 3);
    shmf_pool_free(pool);
    pool = early_pool(1);
    assert_counts_up(map_count(pool, return_index, 3), 3);
    shmf_pool_free(pool);
    shmf_early_stop();
}

static atomic_int sigchld;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&sigchld, 1);
}

static void test_the_application_meets_no_child_and_no_sigchld(void **state)
{
    (void)state;
    signal(SIGCHLD, count_signal);
    start_early();
    struct shmf_pool *pool = early_pool(2);
    assert_true(wait(NULL) == -1 && errno == ECHILD);
    assert_counts_up(map_count(pool, return_index, 10), 10);
    shmf_pool_free(pool);
    shmf_early_stop();
    assert_true(wait(NULL) == -1 && errno == ECHILD);
    assert_int_equal(atomic_load(&sigchld), 0);
    signal(SIGCHLD, SIG_DFL);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_workers_have_the_memory_of_the_early_moment_and_nothing_later),
        test_case(test_arrays_of_before_and_after_are_inputs_and_results_come_back),
        test_case(test_threads_of_later_hold_no_locks_in_workers),
        test_case(test_a_function_that_was_loaded_after_the_early_start_is_refused),
        test_case(test_wrong_calls_are_refused_by_name),
        test_case(test_other_threads_are_refused_as_long_as_they_run),
        test_case(test_workers_have_the_descriptors_that_the_early_start_was_given),
        test_case(test_a_forked_child_has_no_part_in_it_and_may_have_its_own),
        test_case(test_the_application_meets_no_child_and_no_sigchld),
    };
    return cmocka_run_group_tests_name("early pools", tests, NULL, NULL);
}

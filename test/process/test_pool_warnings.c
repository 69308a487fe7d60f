/* What an application is told of its pools although nothing failed, if it wants to hear it. */
#include "future_calls.h"

#include "pool/pool_internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

/* What a process holds when it ends; static, so that tools see that it is still held. */
static struct {
    struct shmf_pool *pool;
    struct shmf_future *future, *futures[3];
} held;

/* ---- the end of an application ------------------------------------------------------------ */

struct ending {
    const char *environment; /* SHMFRAME_WARNINGS; NULL: not set */
    int (*act)(void);        /* with held.pool; the exit status */
    char path[40];           /* what is on stderr */
};

static int act_and_exit(void *context)
{
    const struct ending *ending = context;
    int fd = open(ending->path, O_WRONLY | O_TRUNC);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
        return 1;
    close(fd);
    if (ending->environment)
        setenv("SHMFRAME_WARNINGS", ending->environment, 1);
    else
        unsetenv("SHMFRAME_WARNINGS");
    exit(ending->act());
}

static bool is_warning(const char *line)
{
    return !strncmp(line, "shmframe: ", 10);
}

/* Has a child end so; how many warnings it printed, the last of them in `text`. */
static int warnings_of(const char *environment, int (*act)(void), char text[600])
{
    struct ending ending = {environment, act, "/tmp/shmf-warnings-XXXXXX"};
    int fd = mkstemp(ending.path), count = 0;
    assert_true(fd >= 0);
    assert_true(test_outcome_ok(test_in_child(act_and_exit, &ending, 20)));
    assert_true(test_none_named("shmf-", 30));
    FILE *stream = fdopen(fd, "r");
    char line[600];
    text[0] = '\0';
    while (fgets(line, sizeof line, stream))
        if (is_warning(line)) { /* sanitizers and Valgrind print there too */
            count++;
            memcpy(text, line, sizeof line);
        }
    fclose(stream);
    unlink(ending.path);
    return count;
}

static int leave_it(void)
{
    held.pool = pool_of(2);
    return number_of(submit(held.pool, return_pid, NULL)) > 0 ? 0 : 1;
}

static int leave_it_with_a_task(void)
{
    struct signals *signals = new_signals();
    held.pool = pool_of(1);
    held.future = submit(held.pool, wait_for_go, signals);
    return 0;
}

static int leave_it_with_more_than_fits(void)
{
    struct signals *signals = new_signals();
    held.pool = pool_with(&(struct shmf_pool_options){.workers = 1, .window = 1});
    for (int i = 0; i < 3; i++)
        held.futures[i] = submit(held.pool, wait_for_go, signals);
    return 0;
}

/* As if another thread were in the middle of a call. */
static int leave_it_in_use(void)
{
    held.pool = pool_of(1);
    pthread_mutex_lock(&held.pool->lock);
    return 0;
}

static int free_it(void)
{
    leave_it();
    shmf_pool_free(held.pool);
    return 0;
}

static void free_held(void)
{
    shmf_pool_free(held.pool);
}

static int free_it_at_exit(void)
{
    return atexit(free_held) || leave_it();
}

static void test_a_pool_that_is_never_freed_is_reported_where_that_is_asked_for(void **state)
{
    (void)state;
    char text[600];
    assert_int_equal(warnings_of("1", leave_it, text), 1);
    assert_non_null(strstr(text, "a pool of 2 workers, made at "));
    assert_non_null(strstr(text, "was not freed, with 0 tasks under way\n"));
    assert_int_equal(warnings_of("1", leave_it_with_a_task, text), 1);
    assert_non_null(strstr(text, "with 1 tasks under way\n"));
    assert_int_equal(warnings_of("1", leave_it_with_more_than_fits, text), 1);
    assert_non_null(strstr(text, "with 3 tasks under way\n"));
    assert_int_equal(warnings_of("1", leave_it_in_use, text), 0);
}

static void test_nobody_hears_of_it_who_did_not_ask(void **state)
{
    (void)state;
    char text[600];
    assert_int_equal(warnings_of(NULL, leave_it, text), 0);
    assert_int_equal(warnings_of("", leave_it, text), 0);
    assert_int_equal(warnings_of("0", leave_it, text), 0);
}

static void test_a_pool_that_is_freed_however_late_is_not_reported(void **state)
{
    (void)state;
    char text[600];
    assert_int_equal(warnings_of("1", free_it, text), 0);
    assert_int_equal(warnings_of("1", free_it_at_exit, text), 0);
}

static int leave_own_pool_and_exit(struct shmf_task *task, void *context)
{
    (void)context;
    held.pool = pool_of(1);
    if (shmf_task_index(task) == 1)
        exit(0);
    return return_index(task, NULL);
}

static int leave_pools_in_workers(void)
{
    held.pool = pool_of(1);
    for (int64_t i = 0; i < 2; i++) {
        struct shmf_submit_options options = {.index = i};
        struct shmf_future *future =
            submit_with(held.pool, leave_own_pool_and_exit, NULL, &options);
        if (shmf_future_wait(future, -1, NULL))
            return 1;
        shmf_future_free(future);
    }
    shmf_pool_free(held.pool);
    return 0;
}

static int just_exit(void *unused)
{
    (void)unused;
    exit(0);
}

static int leave_it_to_a_child(void)
{
    held.pool = pool_of(1);
    int code = test_in_child(just_exit, NULL, 10).exit_code;
    shmf_pool_free(held.pool);
    return code;
}

static void test_workers_and_forked_children_report_nothing(void **state)
{
    (void)state;
    char text[600];
    assert_int_equal(warnings_of("1", leave_pools_in_workers, text), 0);
    assert_int_equal(warnings_of("1", leave_it_to_a_child, text), 0);
}

/* ---- a function that hears them ----------------------------------------------------------- */

struct heard {
    int count;
    char text[600];
};

static struct heard heard;

static void hear(const char *message, void *user)
{
    struct heard *to = user;
    to->count++;
    snprintf(to->text, sizeof to->text, "%s", message);
}

static void repeat_what_was_heard(const char *message, void *user)
{
    (void)user;
    fprintf(stderr, "shmframe: heard: %s\n", message);
}

static int leave_it_to_a_function(void)
{
    shmf_set_warning_fn(repeat_what_was_heard, NULL);
    return leave_it();
}

static void test_a_function_hears_what_else_would_be_printed_or_not(void **state)
{
    (void)state;
    char text[600];
    for (int asked = 0; asked < 2; asked++) {
        assert_int_equal(warnings_of(asked ? "1" : NULL, leave_it_to_a_function, text), 1);
        assert_non_null(strstr(text, "heard: a pool of 2 workers"));
    }
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void *wait_at_gate(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return NULL;
}

static void test_threads_that_run_when_a_pool_is_made_are_warned_of(void **state)
{
    (void)state;
    pthread_t thread;
    shmf_set_warning_fn(hear, &heard);
    shmf_pool_free(pool_of(1));
    int before = heard.count; /* a sanitizer may have threads */
    pthread_mutex_lock(&gate);
    assert_int_equal(pthread_create(&thread, NULL, wait_at_gate, NULL), 0);
    shmf_pool_free(pool_of(1));
    assert_int_equal(heard.count, before + 1);
    assert_non_null(strstr(heard.text, "other thread"));
    assert_non_null(strstr(heard.text, "stay locked"));
    shmf_pool_free(pool_of(SHMF_INLINE));
    assert_int_equal(heard.count, before + 1); /* nothing is forked */
    shmf_set_warning_fn(NULL, NULL);
    shmf_pool_free(pool_of(1));
    assert_int_equal(heard.count, before + 1);
    pthread_mutex_unlock(&gate);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_a_pool_that_is_never_freed_is_reported_where_that_is_asked_for),
        test_case(test_nobody_hears_of_it_who_did_not_ask),
        test_case(test_a_pool_that_is_freed_however_late_is_not_reported),
        test_case(test_workers_and_forked_children_report_nothing),
        test_case(test_a_function_hears_what_else_would_be_printed_or_not),
        test_case(test_threads_that_run_when_a_pool_is_made_are_warned_of),
    };
    test_begin();
    return cmocka_run_group_tests_name("pool: warnings", tests, NULL, NULL);
}

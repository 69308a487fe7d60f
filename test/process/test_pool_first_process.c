/* An application that is the parent of all orphans, as the first process of a container is: what
 * belongs to its pools becomes its children, and it has no loop that buries them. */
#include "early_calls.h"

#include "base/sys.h"
#include "pool/detach.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static struct shmfi_sys real;
static atomic_int by_number;

static bool has_pidfds(void)
{
    int fd = shmfi_sys.pidfd_open(getpid(), 0);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool has_no_children(void)
{
    siginfo_t info = {0};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && errno == ECHILD;
}

/* ---- numbers that somebody else has by now ------------------------------------------------- */

static int end_at_once(void *context)
{
    (void)context;
    return 5;
}

static int wait_for_the_end(void *context)
{
    (void)context;
    pause();
    return 0;
}

static void test_who_has_the_number_of_a_process_that_is_gone_is_left_alone(void **state)
{
    (void)state;
    if (!has_pidfds())
        return; /* where there are none, nobody can tell */
    pid_t gone = test_fork(end_at_once, NULL);
    int pidfd = shmfi_sys.pidfd_open(gone, 0);
    assert_true(pidfd >= 0);
    assert_int_equal(test_join(gone, 30).exit_code, 5);
    pid_t other = test_fork(wait_for_the_end, NULL);
    assert_false(shmfi_detached_kill(other, pidfd));
    assert_true(test_process_alive(other));
    kill(other, SIGTERM);
    siginfo_t info = {0};
    assert_int_equal(waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT), 0);
    shmfi_detached_bury(other, pidfd);
    assert_int_equal(test_join(other, 30).signal, SIGTERM);
    close(pidfd);
}

static int refused_signal(int pidfd, int number)
{
    (void)pidfd, (void)number;
    errno = EPERM;
    return -1;
}

/* As Linux 5.3 does. */
static int no_wait_for_pidfds(int type, int id, siginfo_t *info, int options)
{
    if (type != P_PIDFD)
        return real.waitid(type, id, info, options);
    errno = EINVAL;
    return -1;
}

static void test_where_a_pidfd_is_of_no_use_the_number_is(void **state)
{
    (void)state;
    pid_t child = test_fork(wait_for_the_end, NULL);
    int pidfd = shmfi_sys.pidfd_open(child, 0);
    real = shmfi_sys;
    shmfi_sys.pidfd_send_signal = refused_signal;
    shmfi_sys.waitid = no_wait_for_pidfds;
    bool killed = shmfi_detached_kill(child, pidfd);
    shmfi_detached_bury(child, pidfd);
    shmfi_sys = real;
    assert_true(killed);
    assert_int_equal(waitpid(child, NULL, 0), -1);
    assert_int_equal(errno, ECHILD);
    if (pidfd >= 0)
        close(pidfd);
}

/* ---- pools -------------------------------------------------------------------------------- */

static int counting_waitid(int type, int id, siginfo_t *info, int options)
{
    if (type != P_PIDFD)
        atomic_fetch_add(&by_number, 1);
    return real.waitid(type, id, info, options);
}

static int use_pools(void)
{
    for (int i = 0; i < 6; i++) {
        bool early = i >= 3;
        if (early)
            start_early();
        struct shmf_pool *pool = early ? early_pool(2) : pool_of(2);
        if (i % 3)
            end_worker(pool, 0);
        assert_counts_up(map_count(pool, return_index, 10), 10);
        shmf_pool_free(pool);
        if (early)
            shmf_early_stop();
        if (!has_no_children())
            return 10 + i;
    }
    return 0;
}

static int get_all_orphans(void *context)
{
    (void)context;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL))
        return 1;
    real = shmfi_sys;
    shmfi_sys.waitid = counting_waitid;
    int rc = use_pools();
    shmfi_sys = real;
    return rc ? rc : has_pidfds() && atomic_load(&by_number) ? 2 : 0;
}

static void test_an_application_that_gets_all_orphans_keeps_none_of_a_pool(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(get_all_orphans, NULL, 60)));
}

/* Workers that nobody is left to bury are children like others: whoever looks finds them. */
static int lose_the_supervisor(void *context)
{
    (void)context;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL))
        return 1;
    struct shmf_pool *pool = pool_of(2);
    assert_counts_up(map_count(pool, return_index, 10), 10);
    pid_t supervisor = supervisor_pid(2);
    kill(supervisor, SIGKILL);
    if (!test_process_gone(supervisor, 30))
        return 2;
    shmf_pool_free(pool);
    int workers = 0;
    while (wait(NULL) > 0)
        workers++;
    return workers == 2 ? 0 : 10 + workers;
}

static void test_of_a_pool_whose_supervisor_was_killed_it_gets_the_workers(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(lose_the_supervisor, NULL, 60)));
}

/* ---- the first process, indeed ------------------------------------------------------------- */

enum { NOT_ALLOWED = 99 };

static int be_the_first(void *context)
{
    (void)context;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL);
    if (getpid() != 1 || mount("proc", "/proc", "proc", 0, NULL))
        return NOT_ALLOWED;
    return use_pools();
}

static int enter_a_container(void *context)
{
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS))
        return NOT_ALLOWED;
    if (mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL))
        return NOT_ALLOWED;
    pid_t first = test_fork(be_the_first, context);
    struct test_outcome outcome = test_join(first, 60);
    return test_outcome_ok(outcome) ? 0 : outcome.exit_code == NOT_ALLOWED ? NOT_ALLOWED : 1;
}

static void test_the_first_process_of_a_container_uses_pools(void **state)
{
    (void)state;
    struct test_outcome outcome = test_in_child(enter_a_container, NULL, 90);
    if (outcome.exit_code == NOT_ALLOWED)
        print_message("no container can be made here\n");
    else
        assert_true(test_outcome_ok(outcome));
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_who_has_the_number_of_a_process_that_is_gone_is_left_alone),
        test_case(test_where_a_pidfd_is_of_no_use_the_number_is),
        test_case(test_an_application_that_gets_all_orphans_keeps_none_of_a_pool),
        test_case(test_of_a_pool_whose_supervisor_was_killed_it_gets_the_workers),
        test_case(test_the_first_process_of_a_container_uses_pools),
    };
    return cmocka_run_group_tests_name("pools of a first process", tests, NULL, NULL);
}

/* base/: error records, checked arithmetic, telling processes apart. */
#include "base/checked.h"
#include "base/error.h"
#include "base/process.h"
#include "support/child.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_names_of_codes(void **state)
{
    (void)state;
    assert_string_equal(shmf_status_name(SHMF_OK), "SHMF_OK");
    assert_string_equal(shmf_status_name(SHMF_E_STALE), "SHMF_E_STALE");
    assert_string_equal(shmf_status_name(SHMF_E_SYS), "SHMF_E_SYS");
    assert_string_equal(shmf_status_name(1), "SHMF_E_?");
    assert_string_equal(shmf_status_name(-1000), "SHMF_E_?");
}

static void test_system_errors_become_codes_with_text(void **state)
{
    (void)state;
    struct shmf_error err;
    assert_int_equal(shmfi_error_sys(&err, ENOSPC, "region %d", 7), SHMF_E_NOSPC);
    assert_int_equal(err.code, SHMF_E_NOSPC);
    assert_int_equal(err.sys_errno, ENOSPC);
    assert_non_null(strstr(err.message, "region 7: "));
    assert_int_equal(shmfi_error_sys(NULL, EMFILE, "x"), SHMF_E_NOFILES);
    assert_int_equal(shmfi_error_sys(NULL, EIO, "x"), SHMF_E_SYS);
}

static void test_long_messages_are_cut_not_overrun(void **state)
{
    (void)state;
    struct shmf_error err;
    char text[2 * SHMF_ERROR_MESSAGE_SIZE];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    shmfi_error_sys(&err, EIO, "%s", text);
    assert_int_equal(strlen(err.message), SHMF_ERROR_MESSAGE_SIZE - 1);
}

static void test_arithmetic_says_when_it_overflows(void **state)
{
    (void)state;
    uint64_t out = 0;
    assert_true(shmfi_mul(UINT32_MAX, UINT32_MAX, &out));
    assert_false(shmfi_mul(UINT64_MAX, 2, &out));
    assert_false(shmfi_add(UINT64_MAX, 1, &out));
    assert_true(shmfi_round_up(4097, 4096, &out));
    assert_int_equal(out, 8192);
    assert_false(shmfi_round_up(UINT64_MAX - 5, 4096, &out));
    assert_true(shmfi_inside(10, 0, 10));
    assert_false(shmfi_inside(11, 0, 10));
    assert_false(shmfi_inside(5, UINT64_MAX, 10));
}

static void test_a_child_is_told_from_its_parent_and_grandparent(void **state)
{
    (void)state;
    uint64_t mine = shmfi_process_epoch();
    assert_int_not_equal(mine, 0);
    assert_int_equal(shmfi_process_epoch(), mine);
    pid_t child = fork();
    if (child == 0) {
        uint64_t second = shmfi_process_epoch();
        if (second == mine)
            _exit(1);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            uint64_t third = shmfi_process_epoch();
            _exit(third == mine || third == second);
        }
        int status;
        waitpid(grandchild, &status, 0);
        _exit(status != 0);
    }
    int status;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(shmfi_process_epoch(), mine);
}

static pthread_mutex_t watched = PTHREAD_MUTEX_INITIALIZER;
static int children;

static void in_child(void)
{
    children++;
}

static int is_child_of_whole_data(void *unused)
{
    (void)unused;
    return children == 1 ? 0 : 1;
}

static void test_forks_wait_for_the_locks_of_modules_and_their_children_are_told(void **state)
{
    (void)state;
    shmfi_process_watch_forks(&watched, in_child);
    assert_true(test_outcome_ok(test_in_child(is_child_of_whole_data, NULL, 60)));
    assert_int_equal(children, 0);
    assert_int_equal(pthread_mutex_trylock(&watched), 0); /* it was given back here */
    pthread_mutex_unlock(&watched);
    shmfi_process_fork_was_abandoned(); /* nothing was held: nothing happens */
    assert_int_equal(pthread_mutex_trylock(&watched), 0);
    pthread_mutex_unlock(&watched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_codes),
        cmocka_unit_test(test_system_errors_become_codes_with_text),
        cmocka_unit_test(test_long_messages_are_cut_not_overrun),
        cmocka_unit_test(test_arithmetic_says_when_it_overflows),
        cmocka_unit_test(test_a_child_is_told_from_its_parent_and_grandparent),
        cmocka_unit_test(test_forks_wait_for_the_locks_of_modules_and_their_children_are_told),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}

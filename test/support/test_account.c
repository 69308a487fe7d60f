/* The tests' own vocabulary: whatever is left over is found. */
#include "support/names.h"
#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Is there a line in `after` that is not in `before` and contains `text`? */
static bool finds(struct test_account *before, const char *text)
{
    struct test_account after = test_account_take();
    size_t leaks = test_account_leaks(before, &after, false);
    bool found = false;
    for (size_t i = 0; i < after.count; i++)
        found = found || strstr(after.lines[i], text);
    test_account_free(&after);
    return leaks > 0 && found;
}

/* Nothing is left of what a test did on purpose. */
static void cleaned_up(struct test_account *before)
{
    assert_int_equal(test_account_settle(before), 0);
    test_account_free(before);
}

static void test_nothing_done_nothing_found(void **state)
{
    (void)state;
    struct test_account before = test_account_take();
    assert_true(before.count >= 3); /* at least descriptors 0, 1 and 2 */
    cleaned_up(&before);
}

static void test_a_leaked_descriptor_is_found(void **state)
{
    (void)state;
    struct test_account before = test_account_take();
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    assert_true(finds(&before, "-> /dev/zero"));
    close(fd);
    cleaned_up(&before);
}

static void test_a_leaked_memfd_and_its_mapping_are_found_and_measured(void **state)
{
    (void)state;
    enum { size = 1 << 20 };
    struct test_account before = test_account_take();
    uint64_t bytes = test_shared_bytes();
    int fd = memfd_create("shmf-test", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, size), 0);
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    memset(at, 1, size);
    assert_int_equal(test_shared_bytes() - bytes, size);
    assert_true(finds(&before, "-> /memfd:shmf-test"));
    close(fd);
    assert_true(finds(&before, "mapping of /memfd:shmf-test"));
    assert_int_equal(test_shared_bytes() - bytes, size);
    munmap(at, size);
    assert_int_equal(test_shared_bytes(), bytes);
    cleaned_up(&before);
}

static void test_leaked_shared_memory_without_a_file_is_found(void **state)
{
    (void)state;
    struct test_account before = test_account_take();
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    assert_true(finds(&before, "mapping of /dev/zero"));
    munmap(at, 4096);
    cleaned_up(&before);
}

static int wait_for_a_signal(void *context)
{
    (void)context;
    while (pause() < 0)
        ;
    return 1;
}

static void test_a_child_then_its_zombie_are_found(void **state)
{
    (void)state;
    struct test_account before = test_account_take();
    pid_t child = test_fork(wait_for_a_signal, NULL);
    assert_true(finds(&before, "child "));
    kill(child, SIGKILL);
    assert_true(test_process_gone(child, 10));
    assert_true(finds(&before, "zombie "));
    test_join(child, 10);
    cleaned_up(&before);
}

static int hold_a_memfd(void *done)
{
    int fd = memfd_create("shmf-held", MFD_CLOEXEC);
    if (fd < 0 || write(*(int *)done, "x", 1) != 1)
        return 1;
    return wait_for_a_signal(NULL);
}

static void test_a_memfd_held_by_a_child_is_found(void **state)
{
    (void)state;
    struct test_account before = test_account_take();
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t child = test_fork(hold_a_memfd, &ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_true(finds(&before, "/memfd:shmf-held (deleted) open by process"));
    kill(child, SIGKILL);
    test_join(child, 10);
    close(ends[0]);
    close(ends[1]);
    cleaned_up(&before);
}

static void test_a_name_in_dev_shm_is_found(void **state)
{
    (void)state;
    const char *name = strrchr(test_name_path("found"), '/');
    struct test_account before = test_account_take();
    int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_true(finds(&before, name));
    shm_unlink(name);
    cleaned_up(&before);
}

static void test_a_test_that_leaks_fails_and_says_what(void **state)
{
    (void)state;
    FILE *said = tmpfile();
    assert_non_null(said);
    void *nothing = NULL;
    test_account_setup(&nothing);
    int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    int old = dup(STDERR_FILENO);
    fflush(stderr);
    dup2(fileno(said), STDERR_FILENO);
    test_account_set_patience(0.1);
    int verdict = test_account_teardown(&nothing);
    test_account_set_patience(30);
    dup2(old, STDERR_FILENO);
    close(old);
    close(fd);
    char text[1000] = "";
    rewind(said);
    size_t size = fread(text, 1, sizeof text - 1, said);
    fclose(said);
    assert_int_equal(verdict, -1);
    assert_true(size > 0);
    assert_non_null(strstr(text, "left over: descriptor "));
    assert_non_null(strstr(text, "/dev/zero"));
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_done_nothing_found),
        cmocka_unit_test(test_a_leaked_descriptor_is_found),
        cmocka_unit_test(test_a_leaked_memfd_and_its_mapping_are_found_and_measured),
        cmocka_unit_test(test_leaked_shared_memory_without_a_file_is_found),
        cmocka_unit_test(test_a_child_then_its_zombie_are_found),
        cmocka_unit_test(test_a_memfd_held_by_a_child_is_found),
        cmocka_unit_test(test_a_name_in_dev_shm_is_found),
        cmocka_unit_test(test_a_test_that_leaks_fails_and_says_what),
    };
    return cmocka_run_group_tests_name("support: accounting", tests, NULL, NULL);
}

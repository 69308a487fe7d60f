/* Names, sockets and descriptors between programs that know nothing of each other; what programmers
 * expect of memory with names.
 * ctest: TIMEOUT 120 */
#include "unit/share_calls.h"

#include "support/program.h"

#include <shmframe/shmframe.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM "share_program"

static struct shmf_error err;

static void assert_sum(const char *from, int64_t size, uint64_t seed)
{
    char expected[40];
    unsigned long long sum = 0;
    struct shmf_array *array = patterned(size, seed);
    for (int64_t i = 0; i < size; i++)
        sum += ((const unsigned char *)shmf_array_data(array))[i];
    shmf_array_free(array);
    snprintf(expected, sizeof expected, "%llu", sum);
    struct test_program program = test_program_start(PROGRAM, "sum", from);
    const char *line = test_program_line(&program);
    assert_string_equal(line, expected);
    assert_true(test_outcome_ok(test_program_end(&program)));
}

/* ---- programs -------------------------------------------------------------------------------- */

static void test_another_program_attaches_by_name_by_reference_and_by_descriptor(void **state)
{
    (void)state;
    char text[SHMF_REFERENCE_SIZE];
    struct shmf_share *share = publish_pattern(test_name("sum"), 1000000, 1, NULL, &err);
    assert_sum(test_name("sum"), 1000000, 1);
    assert_int_equal(shmf_share_reference(share, text, &err), SHMF_OK);
    assert_sum(text, 1000000, 1);
    shmf_share_free(share);
    struct shmf_array *array = patterned(1000000, 2);
    int fd = shmf_array_export(array, text, &err);
    shmf_array_free(array);
    assert_sum(text, 1000000, 2);
    assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    struct test_program program = test_program_start(PROGRAM, "sum", text);
    assert_non_null(strstr(test_program_line(&program), "SHMF_E_INVAL: reference: descriptor"));
    assert_int_equal(test_program_end(&program).exit_code, 1);
    close(fd);
}

static void test_the_end_of_whoever_is_attached_takes_nothing_from_the_owner(void **state)
{
    (void)state;
    struct shmf_share *share = publish_pattern(test_name("kept"), 100000, 1, NULL, &err);
    for (int way = 0; way < 3; way++) {
        struct test_program program = test_program_start(PROGRAM, "keep", test_name("kept"));
        assert_string_equal(test_program_line(&program), "attached");
        if (way)
            kill(program.pid, way == 1 ? SIGKILL : SIGTERM);
        test_program_end(&program);
        assert_int_equal(shmf_name_sweep(NULL, NULL, &err), 0);
        assert_sum(test_name("kept"), 100000, 1);
    }
    shmf_share_free(share);
}

static void
test_a_name_goes_with_the_program_that_owns_it_and_stays_with_who_is_attached(void **state)
{
    (void)state;
    struct test_program owner = test_program_start(PROGRAM, "publish", test_name("goes"));
    assert_string_equal(test_program_line(&owner), "published");
    struct test_program reader = test_program_start(PROGRAM, "keep", test_name("goes"));
    assert_string_equal(test_program_line(&reader), "attached");
    struct shmf_array *array = shmf_array_attach(test_name("goes"), NULL, &err);
    assert_int_equal(shmf_name_unlink(test_name("goes"), &err), SHMF_E_ACCESS); /* not ours */
    struct shmf_name_info info;
    assert_int_equal(shmf_name_info(test_name("goes"), &info, &err), SHMF_OK);
    assert_int_equal(info.pid, owner.pid);
    assert_true(test_outcome_ok(test_program_end(&owner))); /* exits without freeing its share */
    assert_int_equal(attach_code(test_name("goes"), NULL), SHMF_E_NOTFOUND);
    assert_true(test_differs_from(shmf_array_data(array), 100000, 1) < 0);
    assert_true(test_outcome_ok(test_program_end(&reader)));
    shmf_array_free(array);
}

static void test_what_persists_stays_when_its_program_ends_or_is_killed(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct test_program owner = test_program_start(PROGRAM, "persist", test_name("stays"));
        assert_string_equal(test_program_line(&owner), "published");
        assert_int_equal(shmf_name_unlink(test_name("stays"), &err), SHMF_E_ACCESS);
        if (way)
            kill(owner.pid, SIGKILL);
        test_program_end(&owner);
        shmf_name_sweep(NULL, NULL, &err);
        assert_int_equal(attach_code(test_name("stays"), NULL), SHMF_OK);
        assert_int_equal(shmf_name_unlink(test_name("stays"), &err), SHMF_OK);
        assert_int_equal(shmf_name_unlink(test_name("stays"), &err), SHMF_E_NOTFOUND);
    }
}

static void visit(const struct shmf_name_info *info, void *context)
{
    struct shmf_name_info *seen = context;
    if (!strcmp(info->name, seen->name))
        *seen = *info;
}

static void test_what_a_terminated_program_leaves_is_told_apart_and_swept(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGKILL, SIGINT, SIGHUP, SIGQUIT};
    for (int i = 0; i < 5; i++) {
        struct test_program owner = test_program_start(PROGRAM, "publish", test_name("killed"));
        assert_string_equal(test_program_line(&owner), "published");
        kill(owner.pid, signals[i]);
        assert_int_equal(test_program_end(&owner).signal, signals[i]);
        struct shmf_name_info info;
        assert_int_equal(shmf_name_info(test_name("killed"), &info, &err), SHMF_OK);
        assert_int_equal(info.state, SHMF_NAME_LEFTOVER);
        assert_int_equal(info.pid, 0);
        if (i % 2) { /* the name is free for whoever wants it */
            struct shmf_share *share = publish_pattern(test_name("killed"), 10, 1, NULL, &err);
            assert_non_null(share);
            shmf_share_free(share);
            continue;
        }
        memset(&info, 0, sizeof info);
        snprintf(info.name, sizeof info.name, "%s", test_name("killed"));
        assert_true(shmf_name_sweep(visit, &info, &err) >= 1);
        assert_int_equal(info.state, SHMF_NAME_LEFTOVER);
        assert_int_equal(info.kind, SHMF_KIND_ARRAY);
        assert_int_equal(info.shape[0], 100000);
        assert_int_equal(attach_code(test_name("killed"), NULL), SHMF_E_NOTFOUND);
    }
}

/* ---- forks
 * ------------------------------------------------------------------------------------ */

static int use_parents_share(void *context)
{
    struct shmf_share *share = context;
    struct shmf_error why;
    if (shmf_share_unlink(share, &why) != SHMF_E_WRONG_PROCESS)
        return 1;
    shmf_share_free(share); /* the child's memory only */
    return attach_code(test_name("parent"), NULL);
}

static int exit_with_handlers(void *context)
{
    (void)context;
    exit(0); /* runs what the library does at the end of a process */
}

static int wait_for_ever(void *context)
{
    (void)context;
    while (pause() < 0)
        continue;
    return 1;
}

static void test_forked_children_neither_end_nor_keep_their_parents_names(void **state)
{
    (void)state;
    struct shmf_share *share = publish_pattern(test_name("parent"), 100, 1, NULL, &err);
    assert_true(test_outcome_ok(test_in_child(use_parents_share, share, 10)));
    if (test_slowness() <= 1) /* tools look for leaks at exit */
        assert_true(test_outcome_ok(test_in_child(exit_with_handlers, NULL, 10)));
    assert_int_equal(attach_code(test_name("parent"), NULL), SHMF_OK);
    shmf_share_free(share);
    assert_int_equal(attach_code(test_name("parent"), NULL), SHMF_E_NOTFOUND);
}

/* Once it runs it holds nothing of its parent's any more. */
static int say_and_wait_for_ever(void *fd)
{
    pid_t self = getpid();
    return write(*(int *)fd, &self, sizeof self) == sizeof self ? wait_for_ever(NULL) : 1;
}

static int own_and_fork(void *fd)
{
    static struct shmf_share *share;
    share = publish_pattern(test_name("grandchild"), 100, 1, NULL, NULL);
    if (!share)
        return 1;
    test_fork(say_and_wait_for_ever, fd);
    return wait_for_ever(NULL);
}

static void test_a_killed_owners_name_is_a_leftover_though_its_child_lives(void **state)
{
    (void)state;
    int fds[2];
    pid_t grandchild;
    struct shmf_name_info info;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t child = test_fork(own_and_fork, &fds[1]);
    assert_int_equal(read(fds[0], &grandchild, sizeof grandchild), sizeof grandchild);
    assert_int_equal(shmf_name_info(test_name("grandchild"), &info, &err), SHMF_OK);
    assert_int_equal(info.state, SHMF_NAME_OWNED);
    kill(child, SIGKILL);
    test_join(child, 10);
    assert_int_equal(shmf_name_info(test_name("grandchild"), &info, &err), SHMF_OK);
    assert_int_equal(info.state, SHMF_NAME_LEFTOVER);
    assert_int_equal(shmf_name_unlink(test_name("grandchild"), &err), SHMF_OK);
    kill(grandchild, SIGKILL);
    close(fds[0]);
    close(fds[1]);
}

/* ---- pools
 * ------------------------------------------------------------------------------------ */

static int sum_in_worker(struct shmf_task *task, void *context)
{
    const struct shmf_array *array = shmf_task_array(task, 0);
    (void)context;
    return shmf_task_return_double(
        task, is_pattern(array, 1000001, (uint64_t) * (const double *)shmf_task_arg(task)));
}

static void assert_workers_see(struct shmf_pool *pool, const struct shmf_array *array, double seed)
{
    for (int access = SHMF_READ_ONLY; access <= SHMF_PRIVATE_COPY; access++) {
        struct shmf_handle handle =
            shmf_handle_with(shmf_array_handle(array), (enum shmf_access)access);
        struct shmf_tasks tasks = {.count = 4, .handles = &handle, .n_handles = 1};
        double seeds[4] = {seed, seed, seed, seed};
        tasks.args = seeds;
        tasks.arg_size = sizeof seed;
        struct shmf_iter *iter = shmf_pool_imap(pool, sum_in_worker, &tasks, NULL, &err);
        struct shmf_result *result;
        int good = 0;
        while (shmf_iter_next(iter, &result, &err) > 0) {
            good += shmf_result_status(result) == SHMF_OK && shmf_result_double(result) == 1;
            shmf_result_free(result);
        }
        assert_int_equal(good, 4);
        shmf_iter_free(iter);
    }
}

/* Attached before the pool: inherited. After: its descriptor is sent. */
static void test_what_is_attached_is_given_to_workers_like_any_object(void **state)
{
    (void)state;
    int ends[2];
    struct shmf_pool_options options = {.workers = 2};
    struct shmf_share *share = publish_pattern(test_name("pool"), 1000001, 1, NULL, &err);
    struct shmf_array *before = shmf_array_attach(test_name("pool"), NULL, &err);
    struct shmf_pool *pool = shmf_pool_new(&options, &err);
    struct shmf_array *after = shmf_array_attach(test_name("pool"), NULL, &err);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    struct shmf_array *array = patterned(1000001, 2);
    assert_int_equal(shmf_array_send(array, ends[0], 1, &err), SHMF_OK);
    struct shmf_array *received = shmf_array_receive(ends[1], 1, NULL, &err);
    assert_workers_see(pool, before, 1);
    assert_workers_see(pool, after, 1);
    assert_workers_see(pool, received, 2);
    shmf_array_free(array);
    shmf_array_free(received);
    shmf_array_free(after);
    shmf_array_free(before);
    for (int i = 0; i < 20; i++) { /* workers let go of what the application freed */
        array = shmf_array_attach(test_name("pool"), NULL, &err);
        assert_workers_see(pool, array, 1);
        shmf_array_free(array);
    }
    shmf_share_free(share);
    shmf_pool_free(pool);
    close(ends[0]);
    close(ends[1]);
}

/* ---- files that are cut off
 * ------------------------------------------------------------------- */

static int *stop; /* written by the test, read by the child */

/* What somebody of the same user might do to the file. */
static int truncate_and_restore(void *context)
{
    int fd = *(int *)context;
    struct stat status;
    if (fstat(fd, &status))
        return 1;
    size_t size = (size_t)status.st_size;
    unsigned char *bytes = malloc(size);
    if (!bytes || pread(fd, bytes, size, 0) != status.st_size)
        return 1;
    uint64_t random = 1;
    while (!__atomic_load_n(stop, __ATOMIC_RELAXED)) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        if (ftruncate(fd, (off_t)(random >> 33) % (off_t)(size + 1)) ||
            pwrite(fd, bytes, size, 0) != status.st_size)
            return 1;
        for (uint64_t i = random >> 50; i > 0; i--)
            __atomic_load_n(stop, __ATOMIC_RELAXED);
    }
    free(bytes);
    return 0;
}

static void test_attaching_a_file_that_is_cut_off_meanwhile_is_an_error_and_no_signal(void **state)
{
    (void)state;
    struct shmf_frame *frame = typed_frame(&err);
    struct shmf_share *share = shmf_frame_publish(frame, test_name("cut"), NULL, &err);
    int fd = open(test_name_path("cut"), O_RDWR | O_CLOEXEC);
    stop = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = test_fork(truncate_and_restore, &fd);
    long good = 0, bad = 0, rounds = test_rounds(20000);
    for (long i = 0; i < rounds || ((!good || !bad) && i < 100 * rounds); i++) {
        struct shmf_attach_options options = {.untrusted = (uint32_t)(i % 2),
                                              .validation = i % 2 ? SHMF_VALIDATE_FULL : 0};
        struct shmf_frame *got = shmf_frame_attach(test_name("cut"), &options, &err);
        if (!got && err.code != SHMF_E_CORRUPT)
            fail_msg("%s: %s", shmf_status_name(err.code), err.message);
        if (got && options.untrusted) /* what was copied is used without danger */
            assert_int_equal(shmf_frame_rows(got), 3);
        got ? good++ : bad++;
        shmf_frame_free(got);
    }
    __atomic_store_n(stop, 1, __ATOMIC_RELAXED);
    assert_true(test_outcome_ok(test_join(child, 10)));
    assert_true(good > 0 && bad > 0);
    munmap(stop, 4096);
    close(fd);
    shmf_share_free(share);
    shmf_frame_free(frame);
}

/* Whatever page of the file has gone, trusted or not: an error, or zeroes where the bytes were. */
static void test_a_file_with_holes_is_an_error_or_zeroes_and_no_signal(void **state)
{
    (void)state;
    enum { page = 4096, size = 50000 };
    unsigned char kept[page];
    long good = 0, bad = 0, most = 0;
    struct shmf_share *share = publish_pattern(test_name("holes"), size, 7, NULL, &err);
    int fd = open(test_name_path("holes"), O_RDWR | O_CLOEXEC);
    struct stat status;
    assert_true(share && fd >= 0 && fstat(fd, &status) == 0);
    for (off_t at = 0; at < status.st_size; at += page) {
        ssize_t length = pread(fd, kept, page, at);
        assert_true(length > 0);
        if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, page))
            break; /* no such file system */
        for (uint32_t untrusted = 0; untrusted < 2; untrusted++) {
            struct shmf_attach_options options = {.untrusted = untrusted,
                                                  .validation = untrusted ? SHMF_VALIDATE_FULL : 0};
            struct shmf_array *array = shmf_array_attach(test_name("holes"), &options, &err);
            if (!array)
                assert_int_equal(err.code, SHMF_E_CORRUPT);
            const unsigned char *bytes = array ? shmf_array_data(array) : NULL;
            long zeroes = 0;
            for (int i = 0; bytes && i < size; i++)
                zeroes += bytes[i] == 0;
            most = zeroes > most ? zeroes : most;
            bytes ? good++ : bad++;
            shmf_array_free(array);
        }
        assert_int_equal(pwrite(fd, kept, (size_t)length, at), length);
    }
    struct shmf_array *array = shmf_array_attach(test_name("holes"), NULL, &err);
    assert_true(is_pattern(array, size, 7));
    shmf_array_free(array);
    assert_true((good && bad && most >= page) || (!good && !bad));
    close(fd);
    shmf_share_free(share);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_another_program_attaches_by_name_by_reference_and_by_descriptor),
        test_case(test_the_end_of_whoever_is_attached_takes_nothing_from_the_owner),
        test_case(test_a_name_goes_with_the_program_that_owns_it_and_stays_with_who_is_attached),
        test_case(test_what_persists_stays_when_its_program_ends_or_is_killed),
        test_case(test_what_a_terminated_program_leaves_is_told_apart_and_swept),
        test_case(test_forked_children_neither_end_nor_keep_their_parents_names),
        test_case(test_a_killed_owners_name_is_a_leftover_though_its_child_lives),
        test_case(test_what_is_attached_is_given_to_workers_like_any_object),
        test_case(test_attaching_a_file_that_is_cut_off_meanwhile_is_an_error_and_no_signal),
        test_case(test_a_file_with_holes_is_an_error_or_zeroes_and_no_signal),
    };
    test_begin();
    test_own_names(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* pool/: what is known of code, what is said of failures, and what a fork takes along. */
#include "unit/pool_sketch.h"

#include "pool/code.h"
#include "pool/descriptors.h"
#include "pool/detach.h"

#include <shmframe/result.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "support/watched.h"

static struct shmfi_sys real;
static struct shmf_error err;

#define HOLDS(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                        \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static void *no_malloc(size_t size)
{
    (void)size;
    return NULL;
}

/* ---- code ---------------------------------------------------------------------------------- */

static const char *maps; /* what the kernel says */

static int open_maps(const char *path, int flags, mode_t mode)
{
    (void)path, (void)flags, (void)mode;
    FILE *file = tmpfile();
    fputs(maps, file);
    fflush(file);
    int fd = dup(fileno(file));
    fclose(file);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static struct shmfi_code code_of(const char *text)
{
    struct shmfi_code code;
    maps = text;
    real = shmfi_sys;
    shmfi_sys.open = open_maps;
    int rc = shmfi_code_take(&code, &err);
    shmfi_sys = real;
    assert_int_equal(rc, SHMF_OK);
    return code;
}

static void test_code_is_what_is_mapped_as_executable_up_to_its_edges(void **state)
{
    (void)state;
    struct shmfi_code code = code_of("1000-2000 r--p 00000000 00:00 0 a\n"
                                     "2000-3000 r-xp 00000000 00:00 0 /lib/x-y 1.so\n"
                                     "3000-4000 rwxp 00000000 00:00 0\n"
                                     "a000-bcdf r-xp 00000000 00:00 0 [vdso]\n");
    assert_int_equal(code.count, 2); /* neighbours are one */
    static const struct {
        uint64_t address;
        bool has;
    } looks[] = {{0, 0},      {0x1fff, 0}, {0x2000, 1}, {0x3fff, 1}, {0x4000, 0},
                 {0xa000, 1}, {0xbcde, 1}, {0xbcdf, 0}, {0x2000, 1}, {UINT64_MAX, 0}};
    for (size_t i = 0; i < sizeof looks / sizeof *looks; i++)
        assert_int_equal(shmfi_code_has(&code, looks[i].address), looks[i].has);
    shmfi_code_clear(&code);
}

static void test_any_number_of_mappings_is_known(void **state)
{
    (void)state;
    enum { MANY = 100, EACH = 40 };
    static char text[MANY * EACH];
    size_t length = 0;
    for (int i = 0; i < MANY; i++)
        length += (size_t)snprintf(text + length, sizeof text - length, "%x-%x r-xp 0 00:00 0\n",
                                   0x2000 * i + 0x1000, 0x2000 * i + 0x2000);
    struct shmfi_code code = code_of(text);
    assert_int_equal(code.count, MANY);
    for (int i = 0; i < MANY; i++) {
        assert_true(shmfi_code_has(&code, (uint64_t)(0x2000 * i + 0x1800)));
        assert_false(shmfi_code_has(&code, (uint64_t)(0x2000 * i + 0x800)));
    }
    shmfi_code_clear(&code);
}

/* ---- failures ------------------------------------------------------------------------------ */

static struct shmfi_control death(uint32_t frames)
{
    struct shmfi_control message = {.value = SIGSEGV};
    message.backtrace.count = (int)frames;
    message.backtrace.frames[0] = 0x10; /* in nothing that has a name */
    return message;
}

static void test_a_place_without_a_name_is_told_as_a_number(void **state)
{
    (void)state;
    struct shmf_failure failure = {0};
    struct shmfi_control message = death(1);
    shmfi_failure_of_death(&failure, 3, 77, &message);
    assert_non_null(strstr(failure.message, ", at [0x10]"));
    assert_non_null(failure.backtrace);
    free((void *)(uintptr_t)failure.backtrace);
}

static void test_a_backtrace_that_makes_no_sense_or_finds_no_memory_is_none(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, SHMF_BACKTRACE_SIZE + 1, UINT32_MAX, 1};
    for (size_t i = 0; i < 4; i++) {
        struct shmf_failure failure = {0};
        struct shmfi_control message = death(counts[i]);
        real = shmfi_sys;
        shmfi_sys.malloc = no_malloc;
        shmfi_failure_of_death(&failure, 3, 77, &message);
        shmfi_sys = real;
        assert_int_equal(failure.signal, SIGSEGV);
        assert_null(failure.backtrace);
        assert_null(strstr(failure.message, ", at "));
    }
}

static void test_a_failure_is_printed_with_its_address_if_it_has_one(void **state)
{
    (void)state;
    struct shmf_backtrace place = {.count = 1, .address = 0xabc, .frames = {0x10}};
    struct shmf_failure failure = {.code = SHMF_E_WORKER_DIED, .backtrace = &place};
    for (int has_address = 1; has_address >= 0; has_address--) {
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);
        place.address = has_address ? 0xabc : 0;
        assert_int_equal(shmf_failure_print(&failure, stream), SHMF_OK);
        fclose(stream);
        assert_int_equal(strstr(text, "about address 0xabc") != NULL, has_address);
        assert_non_null(strstr(text, "#0  0x10 "));
        free(text);
    }
    FILE *closed = fopen("/dev/full", "w");
    setvbuf(closed, NULL, _IONBF, 0);
    assert_int_equal(shmf_failure_print(&failure, closed), SHMF_E_SYS);
    failure.backtrace = NULL;
    assert_int_equal(shmf_failure_print(&failure, closed), SHMF_E_SYS);
    fclose(closed);
    char line[64] = "";
    FILE *open = fmemopen(line, sizeof line, "w");
    assert_int_equal(shmf_failure_print(&failure, open), SHMF_OK);
    fclose(open);
    assert_string_equal(line, "SHMF_E_WORKER_DIED: \n");
}

/* Of libc too, whose calls are not in the table. */
static void use_up_memory(const struct rlimit *before)
{
    struct rlimit none = {1 << 20, before->rlim_max};
    setrlimit(RLIMIT_AS, &none);
    void *volatile piece; /* or compilers may leave out what nobody uses */
    for (size_t size = 1 << 20; size >= 16; size /= 2)
        do
            piece = malloc(size);
        while (piece);
}

/* What the library itself asks for, and no more. */
static void *reserved_malloc(size_t size)
{
    static struct shmf_backtrace reserved;
    return size <= sizeof reserved ? &reserved : NULL;
}

static int print_without_memory(void *unused)
{
    (void)unused;
    static char text[4096];
    struct shmf_backtrace place = {.count = 1, .frames = {0x10}};
    struct shmf_failure failure = {.code = SHMF_E_WORKER_DIED}, dead = {0};
    struct shmfi_control message = death(1);
    struct rlimit before;
    getrlimit(RLIMIT_AS, &before);
    FILE *stream = fmemopen(text, sizeof text, "w");
    setvbuf(stream, NULL, _IONBF, 0);
    failure.backtrace = &place;
    shmfi_names_of(&place, 1); /* loads what it needs */
    real = shmfi_sys;
    shmfi_sys.malloc = reserved_malloc;
    use_up_memory(&before);
    bool has_names = shmfi_names_of(&place, 1) != NULL;
    int rc = shmf_failure_print(&failure, stream);
    shmfi_failure_of_death(&dead, 3, 77, &message);
    setrlimit(RLIMIT_AS, &before);
    HOLDS(!has_names && rc == SHMF_OK);
    HOLDS(strstr(text, "#0  0x10 \n"));
    HOLDS(dead.signal == SIGSEGV && dead.backtrace && strstr(dead.message, ", at "));
    return 0;
}

static void test_without_memory_for_names_the_numbers_are_printed(void **state)
{
    (void)state;
    if (test_is_watched()) /* by somebody who needs memory himself */
        skip();
    assert_true(test_outcome_ok(test_in_child(print_without_memory, NULL, 30)));
}

/* ---- descriptors and output ---------------------------------------------------------------- */

static int no_close_range(unsigned first, unsigned last, int flags)
{
    (void)first, (void)last, (void)flags;
    errno = ENOSYS;
    return -1;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static int close_others(void *how)
{
    int kept = dup(1), other = dup(1), keep[] = {kept, -1, kept, 1};
    if (how)
        shmfi_sys.close_range = no_close_range;
    shmfi_close_all_but(keep, sizeof keep / sizeof *keep);
    HOLDS(is_open(kept) && is_open(1) && is_open(2) && !is_open(other));
    return 0;
}

static void test_what_is_kept_may_be_named_twice_or_be_a_standard_descriptor(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(close_others, NULL, 30)));
    assert_true(test_outcome_ok(test_in_child(close_others, (void *)1, 30)));
}

static int close_without_means(void *unused)
{
    (void)unused;
    int kept = dup(1), other = dup(1);
    struct rlimit before, few;
    getrlimit(RLIMIT_NOFILE, &before);
    few = (struct rlimit){3, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    shmfi_sys.close_range = no_close_range;
    shmfi_close_all_but(&kept, 1);
    setrlimit(RLIMIT_NOFILE, &before);
    HOLDS(is_open(kept) && is_open(other));
    return 0;
}

static void test_where_nothing_can_be_listed_nothing_is_closed(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(close_without_means, NULL, 30)));
}

static int flush_errors(void *context)
{
    const int *fds = context;
    static char buffer[1 << 12];
    dup2(fds[1], 2);
    setvbuf(stderr, buffer, _IOFBF, sizeof buffer);
    fputs("printed", stderr);
    shmfi_flush_output();
    fputs("forgotten", stderr);
    shmfi_forget_output();
    fflush(stderr);
    return 0;
}

static void test_what_a_task_prints_to_a_buffered_stderr_is_flushed(void **state)
{
    (void)state;
    int fds[2];
    char text[64] = "";
    assert_int_equal(pipe(fds), 0);
    assert_true(test_outcome_ok(test_in_child(flush_errors, fds, 30)));
    close(fds[1]);
    assert_int_equal(read(fds[0], text, sizeof text), 7);
    assert_string_equal(text, "printed");
    close(fds[0]);
}

/* ---- a fork that nobody notices ------------------------------------------------------------ */

static pid_t stolen_waitpid(pid_t pid, int *status, int options)
{
    real.waitpid(pid, status, options);
    *status = 0;
    errno = ECHILD; /* somebody else has taken its status */
    return -1;
}

static void test_an_intermediate_that_somebody_else_reaped_has_done_its_work(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    real = shmfi_sys;
    shmfi_sys.waitpid = stolen_waitpid;
    int rc = shmfi_fork_detached("shmf-test");
    if (rc == 0) {
        ssize_t written = write(fds[1], "!", 1);
        _exit(written != 1);
    }
    shmfi_sys = real;
    assert_int_equal(rc, 1);
    close(fds[1]);
    char said[2];
    assert_int_equal(read(fds[0], said, 2), 1);
    close(fds[0]);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_code_is_what_is_mapped_as_executable_up_to_its_edges),
        test_case(test_any_number_of_mappings_is_known),
        test_case(test_a_place_without_a_name_is_told_as_a_number),
        test_case(test_a_backtrace_that_makes_no_sense_or_finds_no_memory_is_none),
        test_case(test_a_failure_is_printed_with_its_address_if_it_has_one),
        test_case(test_without_memory_for_names_the_numbers_are_printed),
        test_case(test_what_is_kept_may_be_named_twice_or_be_a_standard_descriptor),
        test_case(test_where_nothing_can_be_listed_nothing_is_closed),
        test_case(test_what_a_task_prints_to_a_buffered_stderr_is_flushed),
        test_case(test_an_intermediate_that_somebody_else_reaped_has_done_its_work),
    };
    return cmocka_run_group_tests_name("pool: code, words and forks", tests, NULL, NULL);
}

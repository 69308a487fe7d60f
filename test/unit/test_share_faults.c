/* share/: any system call and allocation may fail; then nothing is left, and nothing is lost.
 * What fails is the kernel's, so there is nothing for Valgrind here that the other tests lack.
 * ctest: TIMEOUT 120 NO_VALGRIND */
#include "unit/share_calls.h"

#include "base/sys.h"

#include <shmframe/lend.h>
#include <shmframe/memory.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static struct shmfi_sys real;
static struct shmf_error err;
static int countdown; /* the call that fails; the ones behind it succeed */
static int reason;

static bool failing(void)
{
    if (--countdown != 0)
        return false;
    errno = reason;
    return true;
}

static void *failing_calloc(size_t n, size_t size)
{
    return failing() ? NULL : real.calloc(n, size);
}

static void *failing_malloc(size_t size)
{
    return failing() ? NULL : real.malloc(size);
}

static int failing_open(const char *path, int flags, mode_t mode)
{
    return failing() ? -1 : real.open(path, flags, mode);
}

static int failing_fcntl(int fd, int command, long argument)
{
    return failing() ? -1 : real.fcntl(fd, command, argument);
}

static int failing_fstat(int fd, struct stat *status)
{
    return failing() ? -1 : real.fstat(fd, status);
}

static ssize_t failing_pread(int fd, void *to, size_t size, off_t offset)
{
    return failing() ? -1 : real.pread(fd, to, size, offset);
}

static int failing_linkat(int from, const char *old, int to, const char *path, int flags)
{
    return failing() ? -1 : real.linkat(from, old, to, path, flags);
}

static int failing_fchmod(int fd, mode_t mode)
{
    return failing() ? -1 : real.fchmod(fd, mode);
}

static int failing_ftruncate(int fd, off_t size)
{
    return failing() ? -1 : real.ftruncate(fd, size);
}

static int failing_fallocate(int fd, int mode, off_t offset, off_t length)
{
    return failing() ? -1 : real.fallocate(fd, mode, offset, length);
}

static void *failing_mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
    return failing() ? MAP_FAILED : real.mmap(at, length, protection, flags, fd, offset);
}

static int failing_memfd_create(const char *name, unsigned flags)
{
    return failing() ? -1 : real.memfd_create(name, flags);
}

static ssize_t failing_sendmsg(int fd, const struct msghdr *message, int flags)
{
    return failing() ? -1 : real.sendmsg(fd, message, flags);
}

static ssize_t failing_recvmsg(int fd, struct msghdr *message, int flags)
{
    return failing() ? -1 : real.recvmsg(fd, message, flags);
}

static ssize_t failing_getrandom(void *to, size_t size, unsigned flags)
{
    return failing() ? -1 : real.getrandom(to, size, flags);
}

static int failing_madvise(void *at, size_t length, int advice)
{
    return failing() ? -1 : real.madvise(at, length, advice);
}

static void fail_at(int call, int why)
{
    countdown = call;
    reason = why;
    shmfi_sys.calloc = failing_calloc;
    shmfi_sys.malloc = failing_malloc;
    shmfi_sys.open = failing_open;
    shmfi_sys.fcntl = failing_fcntl;
    shmfi_sys.fstat = failing_fstat;
    shmfi_sys.pread = failing_pread;
    shmfi_sys.linkat = failing_linkat;
    shmfi_sys.fchmod = failing_fchmod;
    shmfi_sys.ftruncate = failing_ftruncate;
    shmfi_sys.fallocate = failing_fallocate;
    shmfi_sys.mmap = failing_mmap;
    shmfi_sys.memfd_create = failing_memfd_create;
    shmfi_sys.sendmsg = failing_sendmsg;
    shmfi_sys.recvmsg = failing_recvmsg;
    shmfi_sys.getrandom = failing_getrandom;
    shmfi_sys.madvise = failing_madvise;
}

static int ends[2];

/* Each of these is done with every of its calls failing once; true: it succeeded all the same. */
static struct shmf_frame *frame;
static struct shmf_share *published;

static bool publish_it(void)
{
    struct shmf_share *share = shmf_frame_publish(frame, test_name("fault"), NULL, &err);
    shmf_share_free(share);
    unlink(test_name_path("fault")); /* should giving it up have met the failure */
    return share != NULL;
}

static bool attach_as(uint32_t access)
{
    struct shmf_attach_options options = {.access = access, .validation = SHMF_VALIDATE_FULL};
    struct shmf_frame *got = shmf_frame_attach(test_name("good"), &options, &err);
    bool fine = got != NULL;
    shmf_frame_free(got);
    return fine;
}

static bool attach_read_only(void)
{
    return attach_as(SHMF_READ_ONLY);
}

static bool attach_copy_on_write(void)
{
    return attach_as(SHMF_COPY_ON_WRITE);
}

static bool attach_private_copy(void)
{
    return attach_as(SHMF_PRIVATE_COPY);
}

static bool send_and_receive(void)
{
    struct shmf_frame *got = NULL;
    if (shmf_frame_send(frame, ends[0], 0, &err) == SHMF_OK)
        got = shmf_frame_receive(ends[1], 0, NULL, &err);
    bool fine = got != NULL;
    shmf_frame_free(got);
    return fine;
}

/* What was lent and not received is over once drain() has closed it. */
static struct shmf_loan *loan;

static bool lend_and_borrow(void)
{
    struct shmf_frame *got = NULL;
    loan = shmf_frame_lend(frame, ends[0], 0, &err);
    if (loan)
        got = shmf_frame_borrow(ends[1], 0, &err);
    bool fine = got && shmf_loan_is_over(loan) == 0;
    shmf_frame_free(got);
    return fine;
}

static bool lend_and_borrow_array(void)
{
    struct shmf_array *array = patterned(5000, 1), *got = NULL;
    if (!array)
        err = (struct shmf_error){.code = SHMF_E_NOMEM, .message = "the test's own array"};
    if (array)
        loan = shmf_array_lend(array, ends[0], 0, &err);
    shmf_array_free(array);
    if (loan)
        got = shmf_array_borrow(ends[1], 0, &err);
    bool fine = is_pattern(got, 5000, 1) && shmf_loan_is_over(loan) == 0;
    shmf_array_free(got);
    return fine;
}

static bool export_it(void)
{
    char text[SHMF_REFERENCE_SIZE];
    int fd = shmf_frame_export(frame, text, &err);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool look_at_it(void)
{
    struct shmf_name_info info;
    return shmf_name_info(test_name("good"), &info, &err) == SHMF_OK;
}

/* What a failed receiving left in the socket. */
static void drain(void)
{
    char bytes[100];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vector = {bytes, sizeof bytes};
    for (;;) {
        struct msghdr message = {.msg_iov = &vector,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};
        if (recvmsg(ends[1], &message, MSG_DONTWAIT) <= 0)
            return;
        int fd;
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        if (part) {
            memcpy(&fd, CMSG_DATA(part), sizeof fd);
            close(fd);
        }
    }
}

static uint64_t used_bytes(void)
{
    struct shmf_memory_stats stats;
    shmf_memory_get_stats(&stats);
    return stats.used_bytes;
}

static void try_with_failures(bool (*does)(void), int why)
{
    for (int call = 1;; call++) {
        memset(&err, 0, sizeof err);
        shmf_memory_trim(0);
        struct test_account before = test_account_take();
        uint64_t used = used_bytes();
        fail_at(call, why);
        bool fine = does();
        bool reached = countdown <= 0;
        shmfi_sys = real;
        drain();
        if (loan && shmf_loan_is_over(loan) != 1)
            fail_msg("call %d, errno %d: the loan is not over", call, why);
        shmf_loan_free(loan);
        loan = NULL;
        if (used_bytes() != used)
            fail_msg("call %d, errno %d: memory is still in use", call, why);
        if (!fine && (err.code >= 0 || !err.message[0]))
            fail_msg("call %d, errno %d: no reason given", call, why);
        if (test_account_settle(&before))
            fail_msg("call %d, errno %d: something is left", call, why);
        test_account_free(&before);
        if (!reached) {
            assert_true(fine);
            return;
        }
    }
}

static void test_whatever_call_fails_nothing_is_left_and_the_reason_is_given(void **state)
{
    (void)state;
    static bool (*const all[])(void) = {
        publish_it,       attach_read_only, attach_copy_on_write,  attach_private_copy,
        send_and_receive, lend_and_borrow,  lend_and_borrow_array, export_it,
        look_at_it};
    static const int reasons[] = {ENOMEM, EMFILE, EPERM, ENOSPC};
    real = shmfi_sys;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    frame = typed_frame(&err);
    published = shmf_frame_publish(frame, test_name("good"), NULL, &err);
    for (int r = 0; r < 4; r++)
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
            try_with_failures(all[i], reasons[r]);
    shmf_share_free(published);
    shmf_frame_free(frame);
    close(ends[0]);
    close(ends[1]);
}

/* ---- other kernels
 * ---------------------------------------------------------------------------- */

static int no_tmpfile(const char *path, int flags, mode_t mode)
{
    if ((flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return real.open(path, flags, mode);
}

static void test_without_files_that_have_no_name_publishing_is_the_same(void **state)
{
    (void)state;
    real = shmfi_sys;
    shmfi_sys.open = no_tmpfile;
    struct shmf_share *share = publish_pattern(test_name("unborn"), 5000, 1, NULL, &err);
    assert_non_null(share);
    assert_null(publish_pattern(test_name("unborn"), 5000, 1, NULL, &err));
    assert_int_equal(err.code, SHMF_E_EXISTS);
    assert_int_equal(attach_code(test_name("unborn"), NULL), SHMF_OK);
    shmf_share_free(share);
    assert_int_equal(attach_code(test_name("unborn"), NULL), SHMF_E_NOTFOUND);
    shmfi_sys = real;
}

static void test_what_was_not_complete_when_its_maker_was_killed_is_swept(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/dev/shm/shmf~%016" PRIx64, test_token());
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_true(shmf_name_sweep(NULL, NULL, &err) >= 1);
    assert_int_equal(access(path, F_OK), -1);
}

static int no_memfd(const char *name, unsigned flags)
{
    (void)name;
    (void)flags;
    errno = ENOSYS;
    return -1;
}

static void test_without_memfds_nothing_is_sealed_and_the_error_says_so(void **state)
{
    (void)state;
    char text[SHMF_REFERENCE_SIZE];
    real = shmfi_sys;
    struct shmf_array *array = patterned(100, 1);
    shmfi_sys.memfd_create = no_memfd;
    assert_int_equal(shmf_array_export(array, text, &err), SHMF_E_UNSUPPORTED);
    shmfi_sys = real;
    shmf_array_free(array);
}

static int no_locks(int fd, int command, long argument)
{
    if (command != F_OFD_SETLK && command != F_OFD_GETLK)
        return real.fcntl(fd, command, argument);
    errno = EINVAL;
    return -1;
}

static int no_proc(const char *path, int flags, mode_t mode)
{
    if (strncmp(path, "/proc/", 6) != 0)
        return real.open(path, flags, mode);
    errno = ENOENT;
    return -1;
}

static void
test_without_locks_of_open_files_or_proc_nothing_is_lent_and_the_error_says_so(void **state)
{
    (void)state;
    real = shmfi_sys;
    struct shmf_array *array = patterned(100, 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    shmfi_sys.fcntl = no_locks;
    assert_null(shmf_array_lend(array, ends[0], 0, &err));
    assert_int_equal(err.code, SHMF_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "locks"));
    shmfi_sys = real;
    shmfi_sys.open = no_proc;
    assert_null(shmf_array_lend(array, ends[0], 0, &err));
    assert_int_equal(err.code, SHMF_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "/proc"));
    shmfi_sys = real;
    loan = shmf_array_lend(array, ends[0], 0, &err);
    drain();
    shmfi_sys.fcntl = no_locks;
    assert_int_equal(shmf_loan_is_over(loan), 0); /* as far as anybody can tell */
    shmfi_sys = real;
    assert_int_equal(shmf_loan_is_over(loan), 1);
    shmf_loan_free(loan);
    loan = NULL;
    shmf_array_free(array);
    close(ends[0]);
    close(ends[1]);
}

static int polls;

static int interrupted_poll(struct pollfd *fds, nfds_t n, int ms)
{
    (void)fds, (void)n, (void)ms;
    errno = polls++ ? EIO : EINTR;
    return -1;
}

static void test_waiting_goes_on_after_a_signal_and_ends_when_it_fails(void **state)
{
    (void)state;
    real = shmfi_sys;
    struct shmf_array *array = patterned(100, 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    shmfi_sys.poll = interrupted_poll;
    assert_null(shmf_array_borrow(ends[1], -1, &err));
    assert_int_equal(err.code, SHMF_E_SYS);
    assert_int_equal(err.sys_errno, EIO);
    assert_int_equal(polls, 2);
    int rc = SHMF_OK;
    for (polls = 0; polls == 0;) /* until the socket is full */
        rc = shmf_array_send(array, ends[0], -1, &err);
    assert_int_equal(rc, SHMF_E_SYS);
    assert_int_equal(polls, 2);
    shmfi_sys = real;
    drain();
    shmf_array_free(array);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_whatever_call_fails_nothing_is_left_and_the_reason_is_given),
        test_case(test_without_files_that_have_no_name_publishing_is_the_same),
        test_case(test_what_was_not_complete_when_its_maker_was_killed_is_swept),
        test_case(test_without_memfds_nothing_is_sealed_and_the_error_says_so),
        test_case(test_without_locks_of_open_files_or_proc_nothing_is_lent_and_the_error_says_so),
        test_case(test_waiting_goes_on_after_a_signal_and_ends_when_it_fails),
    };
    test_begin();
    test_own_names(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* handle/: handles as values; messages and descriptors between processes. */
#include "handle/fdpass.h"

#include "base/sys.h"

#include <shmframe/handle.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/test.h"

struct message {
    uint64_t number;
    char text[24];
};

static const struct message hello = {42, "hello"};
static struct shmf_error err;

static struct message nothing(void)
{
    return (struct message){0};
}

/* A connected pair in `*state` for each test. */
static int ends[2];

static int connect_pair(void **state)
{
    *state = ends;
    return shmfi_fdpass_pair(ends, &err);
}

static int close_pair(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    return 0;
}

static void close_end(int i)
{
    close(ends[i]);
    ends[i] = -1;
}

static bool is_same_file(int a, int b)
{
    struct stat first, second;
    return !fstat(a, &first) && !fstat(b, &second) && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

static void test_a_handle_with_another_access_names_the_same(void **state)
{
    (void)state;
    struct shmf_handle handle = {1, 4096, 8192, 7, SHMF_KIND_FRAME, SHMF_READ_ONLY, 0, 0};
    struct shmf_handle writable = shmf_handle_with(handle, SHMF_COPY_ON_WRITE);
    assert_int_equal(writable.access, SHMF_COPY_ON_WRITE);
    assert_int_equal(handle.access, SHMF_READ_ONLY);
    writable.access = SHMF_READ_ONLY;
    assert_memory_equal(&writable, &handle, sizeof handle);
}

static void test_the_pair_closes_on_exec_and_does_not_block(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(fcntl(ends[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(fcntl(ends[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    }
}

static void test_messages_arrive_whole_and_in_order(void **state)
{
    (void)state;
    struct message got = nothing();
    int fd = 5;
    assert_int_equal(shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, &err), 0);
    assert_int_equal(fd, -1);
    struct message second = {43, "again"};
    assert_int_equal(shmfi_fdpass_send(ends[0], &hello, sizeof hello, -1, &err), 1);
    assert_int_equal(shmfi_fdpass_send(ends[0], &second, sizeof second, -1, &err), 1);
    assert_int_equal(shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, &err), 1);
    assert_memory_equal(&got, &hello, sizeof got);
    assert_int_equal(fd, -1);
    assert_int_equal(shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, &err), 1);
    assert_memory_equal(&got, &second, sizeof got);
    assert_int_equal(shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, &err), 0);
}

static void test_a_descriptor_comes_along_and_closes_on_exec(void **state)
{
    (void)state;
    struct message got = nothing();
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC), fd = -1;
    assert_int_equal(shmfi_fdpass_send(ends[0], &hello, sizeof hello, file, &err), 1);
    assert_int_equal(shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, &err), 1);
    assert_int_equal(got.number, 42);
    assert_true(fd >= 0 && fd != file);
    assert_true(is_same_file(fd, file));
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(fd);
    close(file);
}

static int send_and_leave(void *unused)
{
    (void)unused;
    close(ends[0]);
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return shmfi_fdpass_send(ends[1], &hello, sizeof hello, file, NULL) != 1;
}

static void test_what_a_process_sent_before_it_died_is_received(void **state)
{
    (void)state;
    struct message got = nothing();
    int fd = -1;
    assert_true(test_outcome_ok(test_in_child(send_and_leave, NULL, 10)));
    close_end(1);
    assert_int_equal(shmfi_fdpass_receive(ends[0], &got, sizeof got, &fd, &err), 1);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(shmfi_fdpass_receive(ends[0], &got, sizeof got, &fd, &err), SHMF_E_CLOSED);
    assert_int_equal(fd, -1);
}

static void test_sending_to_nobody_is_an_error_not_a_signal(void **state)
{
    (void)state;
    close_end(1);
    assert_int_equal(shmfi_fdpass_send(ends[0], &hello, sizeof hello, -1, &err), SHMF_E_CLOSED);
    assert_int_equal(shmfi_fdpass_send(ends[0], &hello, sizeof hello, 0, &err), SHMF_E_CLOSED);
}

static void test_a_full_socket_says_try_again(void **state)
{
    (void)state;
    struct message got = nothing();
    int sent = 0, received = 0, fd;
    while (shmfi_fdpass_send(ends[0], &hello, sizeof hello, -1, &err) == 1)
        sent++;
    assert_true(sent > 0);
    assert_int_equal(shmfi_fdpass_send(ends[0], &hello, sizeof hello, -1, &err), 0);
    while (shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, &err) == 1)
        received++;
    assert_int_equal(received, sent);
    assert_int_equal(shmfi_fdpass_send(ends[0], &hello, sizeof hello, -1, &err), 1);
}

static void test_messages_of_another_size_are_refused_with_their_descriptor(void **state)
{
    (void)state;
    struct test_account before = test_account_take();
    struct message got = nothing();
    struct message large[2] = {hello, hello};
    int fd = -1;
    assert_int_equal(shmfi_fdpass_send(ends[0], &hello, 8, 0, &err), 1);
    assert_int_equal(shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, &err), SHMF_E_CORRUPT);
    assert_int_equal(shmfi_fdpass_send(ends[0], large, sizeof large, 0, &err), 1);
    assert_int_equal(shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, &err), SHMF_E_CORRUPT);
    assert_non_null(strstr(err.message, "expected"));
    assert_int_equal(fd, -1);
    assert_int_equal(test_account_settle(&before), 0);
    test_account_free(&before);
}

/* What a hostile peer might send: `count` descriptors at once. */
static void send_many(int count)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(64 * sizeof(int))];
    } control = {0};
    struct message copy = hello;
    struct iovec bytes = {.iov_base = &copy, .iov_len = sizeof copy};
    struct msghdr header = {.msg_iov = &bytes,
                            .msg_iovlen = 1,
                            .msg_control = control.bytes,
                            .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    struct cmsghdr *part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    for (int i = 0, fd = 0; i < count; i++)
        memcpy(CMSG_DATA(part) + (size_t)i * sizeof fd, &fd, sizeof fd);
    assert_int_equal(sendmsg(ends[0], &header, 0), sizeof copy);
}

static void test_more_descriptors_than_one_are_refused_and_closed(void **state)
{
    (void)state;
    struct test_account before = test_account_take();
    struct message got = nothing();
    static const int counts[] = {2, 8, 50};
    for (size_t i = 0; i < 3; i++) {
        int fd = -1;
        send_many(counts[i]);
        assert_int_equal(shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, &err),
                         SHMF_E_CORRUPT);
        assert_int_equal(fd, -1);
    }
    assert_int_equal(test_account_settle(&before), 0);
    test_account_free(&before);
}

static int receive_without_room(void *unused)
{
    struct message got = nothing();
    int fd = -1;
    (void)unused;
    if (shmfi_fdpass_send(ends[0], &hello, sizeof hello, 0, NULL) != 1)
        return 1;
    int lowest = dup(0);
    close(lowest);
    struct rlimit limit = {(rlim_t)lowest, (rlim_t)lowest};
    if (setrlimit(RLIMIT_NOFILE, &limit))
        return 2;
    if (shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, NULL) != SHMF_E_NOFILES)
        return 3;
    return fd != -1 || memcmp(&got, &hello, sizeof got) ? 4 : 0;
}

static void test_a_process_without_room_gets_the_message_but_not_the_descriptor(void **state)
{
    (void)state;
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        skip(); /* Valgrind keeps this limit from the kernel */
    assert_true(test_outcome_ok(test_in_child(receive_without_room, NULL, 10)));
}

/* ---- what sendmsg and recvmsg may say ----------------------------------------------------------
 */

static int said[3];
static int n_said;

static ssize_t failing_sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (said[n_said]) {
        errno = said[n_said++];
        return -1;
    }
    return sendmsg(fd, message, flags);
}

static ssize_t failing_recvmsg(int fd, struct msghdr *message, int flags)
{
    if (said[n_said]) {
        errno = said[n_said++];
        return -1;
    }
    return recvmsg(fd, message, flags);
}

static int send_when(int first, int second)
{
    said[0] = first;
    said[1] = second;
    n_said = 0;
    shmfi_sys.sendmsg = failing_sendmsg;
    int rc = shmfi_fdpass_send(ends[0], &hello, sizeof hello, -1, &err);
    shmfi_sys.sendmsg = sendmsg;
    return rc;
}

static int receive_when(int first, int second)
{
    struct message got = nothing();
    int fd = -1;
    said[0] = first;
    said[1] = second;
    n_said = 0;
    shmfi_sys.recvmsg = failing_recvmsg;
    int rc = shmfi_fdpass_receive(ends[1], &got, sizeof got, &fd, &err);
    shmfi_sys.recvmsg = recvmsg;
    return rc;
}

static void test_errors_of_the_kernel_mean_what_the_header_says(void **state)
{
    (void)state;
    assert_int_equal(send_when(EINTR, EINTR), 1);
    assert_int_equal(send_when(ETOOMANYREFS, 0), 0);
    assert_int_equal(send_when(ENOBUFS, 0), 0);
    assert_int_equal(send_when(EINTR, EAGAIN), 0);
    assert_int_equal(send_when(EPIPE, 0), SHMF_E_CLOSED);
    assert_int_equal(send_when(ECONNRESET, 0), SHMF_E_CLOSED);
    assert_int_equal(send_when(ENOTCONN, 0), SHMF_E_CLOSED);
    assert_int_equal(send_when(ECONNREFUSED, 0), SHMF_E_CLOSED);
    assert_int_equal(send_when(EBADF, 0), SHMF_E_SYS);
    assert_int_equal(err.sys_errno, EBADF);
    assert_int_equal(receive_when(EINTR, EINTR), 1);
    assert_int_equal(receive_when(EINTR, EAGAIN), 0);
    assert_int_equal(receive_when(ECONNRESET, 0), SHMF_E_CLOSED);
    assert_int_equal(receive_when(ENOMEM, 0), SHMF_E_NOMEM);
}

static int no_pair(int domain, int type, int protocol, int fds[2])
{
    (void)domain;
    (void)type;
    (void)protocol;
    (void)fds;
    errno = EMFILE;
    return -1;
}

static void test_a_pair_that_cannot_be_made_is_an_error(void **state)
{
    (void)state;
    int fds[2] = {-1, -1};
    shmfi_sys.socketpair = no_pair;
    int rc = shmfi_fdpass_pair(fds, &err);
    shmfi_sys.socketpair = socketpair;
    assert_int_equal(rc, SHMF_E_NOFILES);
    assert_int_equal(fds[0], -1);
}

static void test_a_handle_of_no_rows_does_not_name_all_of_them(void **state)
{
    (void)state;
    const int64_t slices[][4] = {{0, 0, 1, 1}, {0, 3, 0, 3}, {3, 0, 3, 0}, {2, 5, 2, 5}};
    for (int i = 0; i < 4; i++) {
        struct shmf_handle handle =
            shmf_handle_slice((struct shmf_handle){.region = 1}, slices[i][0], slices[i][1]);
        assert_int_equal(handle.region, 1);
        assert_int_equal(handle.begin, slices[i][2]);
        assert_int_equal(handle.end, slices[i][3]);
    }
}

#define pair_test(function) cmocka_unit_test_setup_teardown(function, connect_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_handle_with_another_access_names_the_same),
        pair_test(test_the_pair_closes_on_exec_and_does_not_block),
        pair_test(test_messages_arrive_whole_and_in_order),
        pair_test(test_a_descriptor_comes_along_and_closes_on_exec),
        pair_test(test_what_a_process_sent_before_it_died_is_received),
        pair_test(test_sending_to_nobody_is_an_error_not_a_signal),
        pair_test(test_a_full_socket_says_try_again),
        pair_test(test_messages_of_another_size_are_refused_with_their_descriptor),
        pair_test(test_more_descriptors_than_one_are_refused_and_closed),
        pair_test(test_a_process_without_room_gets_the_message_but_not_the_descriptor),
        pair_test(test_errors_of_the_kernel_mean_what_the_header_says),
        cmocka_unit_test(test_a_pair_that_cannot_be_made_is_an_error),
        cmocka_unit_test(test_a_handle_of_no_rows_does_not_name_all_of_them),
    };
    return cmocka_run_group_tests_name("handle", tests, test_account_setup, test_account_teardown);
}

/* pool/: the process of the early moment, with a test in the application's place: what it does with
 * orders that come in pieces, twice, without their descriptors or not at all, and where something
 * runs out. */
#include "pool/early.h"

#include "base/sys.h"
#include "handle/fdpass.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support/test.h"

enum { SECONDS = 30 };

static struct shmf_error err;

/* ---- the application's side ---------------------------------------------------------------- */

struct stage {
    int socket; /* our end */
    pid_t process;
    struct shmfi_early_process given;
    void (*prepare)(void); /* in the new process, before it begins */
};

static int serve(void *context)
{
    struct stage *stage = context;
    if (stage->prepare)
        stage->prepare();
    shmfi_early_serve(&stage->given);
}

static struct shmfi_sys real;

static int no_pidfd(pid_t pid, unsigned flags)
{
    (void)pid, (void)flags;
    errno = ENOSYS;
    return -1;
}

static struct stage begin(void (*prepare)(void), const int *keep_fds, size_t n_keep_fds)
{
    int sockets[2];
    real = shmfi_sys;
    assert_int_equal(shmfi_fdpass_pair(sockets, &err), 0);
    struct stage stage = {.socket = sockets[0],
                          .prepare = prepare,
                          .given = {.socket = sockets[1],
                                    .app_pidfd = real.pidfd_open(getpid(), 0),
                                    .app_pid = getpid(),
                                    .keep_fds = keep_fds,
                                    .n_keep_fds = n_keep_fds}};
    stage.process = test_fork(serve, &stage);
    close(sockets[1]);
    if (stage.given.app_pidfd >= 0)
        close(stage.given.app_pidfd);
    return stage;
}

/* Waits for a message; false: the other end was closed. */
static bool receive(int socket, struct shmfi_control *message, int *fd)
{
    struct pollfd news = {socket, POLLIN, 0};
    *fd = -1;
    if (poll(&news, 1, (int)(test_seconds(SECONDS) * 1000)) != 1)
        fail_msg("nothing came");
    int rc = shmfi_fdpass_receive(socket, message, sizeof *message, fd, &err);
    if (rc != 1 && rc != SHMF_E_CLOSED)
        fail_msg("%d: %s", rc, err.message);
    return rc == 1;
}

static bool ends_with(struct stage *stage, int code)
{
    struct test_outcome outcome = test_join(stage->process, SECONDS);
    close(stage->socket);
    if (outcome.exit_code != code)
        test_outcome_ok(outcome);
    return outcome.exit_code == code;
}

static bool is_announced(const struct stage *stage)
{
    struct shmfi_control ready;
    int fd;
    if (!receive(stage->socket, &ready, &fd))
        return false;
    if (fd >= 0)
        close(fd);
    return ready.type == SHMFI_CONTROL_READY && ready.value == stage->process;
}

static struct stage started(void (*prepare)(void))
{
    struct stage stage = begin(prepare, NULL, 0);
    assert_true(is_announced(&stage));
    return stage;
}

static void order(const struct stage *stage, uint32_t type, int fd)
{
    struct shmfi_early_order order;
    memset(&order, 0, sizeof order);
    order.type = type;
    order.geometry = (struct shmfi_geometry){.workers = 1, .slots = 1};
    order.board_size = shmfi_board_size(&order.geometry);
    assert_int_equal(shmfi_fdpass_send(stage->socket, &order, sizeof order, fd, &err), 1);
}

static bool ends_in_order(struct stage *stage)
{
    order(stage, SHMFI_EARLY_STOP, -1);
    return ends_with(stage, 0);
}

/* One end of a pipe, whose other end tells when all copies of it are closed. */
struct probe {
    int watched, end;
};

static struct probe new_probe(void)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    return (struct probe){fds[0], fds[1]};
}

/* We do not hold it any more. */
static void let_go(struct probe *probe)
{
    close(probe->end);
    probe->end = -1;
}

static bool is_closed(const struct probe *probe)
{
    struct pollfd end = {probe->watched, POLLIN, 0};
    return poll(&end, 1, 0) == 1 && end.revents & POLLHUP;
}

static bool gets_closed(const struct probe *probe)
{
    struct pollfd end = {probe->watched, POLLIN, 0};
    return poll(&end, 1, (int)(test_seconds(SECONDS) * 1000)) == 1 && end.revents & POLLHUP;
}

/* What the supervisor-to-be says instead of READY; errno, 0: it says nothing, -1: something else.
 */
static int refusal(int control)
{
    struct shmfi_control message;
    int fd;
    bool came = receive(control, &message, &fd);
    if (fd >= 0)
        close(fd);
    return !came ? 0 : message.type == SHMFI_CONTROL_NOT_SPAWNED ? (int)message.value : -1;
}

/* ---- its beginning ------------------------------------------------------------------------- */

static void without_pidfds(void)
{
    shmfi_sys.pidfd_open = no_pidfd;
}

static void test_it_says_who_it_is_where_there_are_pidfds_and_where_not(void **state)
{
    (void)state;
    struct shmfi_control ready;
    struct stage stage = begin(NULL, NULL, 0);
    int fd;
    assert_true(receive(stage.socket, &ready, &fd));
    assert_true(ready.type == SHMFI_CONTROL_READY && ready.value == stage.process);
    int probe = real.pidfd_open(getpid(), 0);
    assert_int_equal(fd >= 0, probe >= 0);
    if (probe >= 0)
        close(probe);
    if (fd >= 0)
        close(fd);
    assert_true(ends_in_order(&stage));
    stage = begin(without_pidfds, NULL, 0);
    assert_true(receive(stage.socket, &ready, &fd));
    assert_true(ready.value == stage.process && fd < 0);
    assert_true(ends_in_order(&stage));
}

static void test_it_keeps_the_descriptors_that_it_was_told_to_and_no_other(void **state)
{
    (void)state;
    struct probe kept = new_probe(), other = new_probe();
    struct stage stage = begin(NULL, &kept.end, 1);
    assert_true(is_announced(&stage));
    let_go(&kept);
    let_go(&other);
    assert_true(is_closed(&other));
    assert_false(is_closed(&kept));
    assert_true(ends_in_order(&stage));
    assert_true(is_closed(&kept));
    close(kept.watched);
    close(other.watched);
}

static void *no_malloc(size_t size)
{
    (void)size;
    return NULL;
}

static ssize_t no_sendmsg(int fd, const struct msghdr *message, int flags)
{
    (void)fd, (void)message, (void)flags;
    errno = EPERM;
    return -1;
}

static int no_mprotect(void *at, size_t size, int protection)
{
    (void)at, (void)size, (void)protection;
    errno = ENOMEM;
    return -1;
}

static void *no_fixed_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    if (!at)
        return real.mmap(at, size, protection, flags, fd, offset);
    errno = ENOMEM;
    return MAP_FAILED;
}

static void without_memory(void)
{
    shmfi_sys.malloc = no_malloc;
}

static void without_messages(void)
{
    shmfi_sys.sendmsg = no_sendmsg;
}

static void without_mappings(void)
{
    shmfi_sys.mprotect = no_mprotect;
    shmfi_sys.mmap = no_fixed_mmap;
}

static void test_one_that_cannot_begin_ends_and_its_socket_says_so(void **state)
{
    (void)state;
    void (*const causes[])(void) = {without_memory, without_messages, without_mappings};
    struct shmfi_segment *segment = NULL; /* which it would have to map anew */
    assert_int_equal(shmfi_segment_new(1 << 16, 0, &segment, &err), 0);
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        struct stage stage = begin(causes[i], NULL, 0);
        assert_false(is_announced(&stage));
        assert_true(ends_with(&stage, 1));
    }
    shmfi_segment_unref(segment);
}

/* ---- orders -------------------------------------------------------------------------------- */

static void test_a_part_that_comes_again_takes_the_place_of_the_first(void **state)
{
    (void)state;
    struct stage stage = started(NULL);
    struct probe first = new_probe(), second = new_probe();
    order(&stage, SHMFI_EARLY_BOARD, first.end);
    order(&stage, SHMFI_EARLY_BOARD, second.end);
    let_go(&first);
    let_go(&second);
    assert_true(gets_closed(&first));
    assert_false(is_closed(&second));
    assert_true(ends_in_order(&stage));
    assert_true(is_closed(&second));
    close(first.watched);
    close(second.watched);
}

static void test_a_pool_whose_parts_did_not_all_come_is_refused_and_the_rest_closed(void **state)
{
    (void)state;
    struct stage stage = started(NULL);
    for (int with_control = 1; with_control >= 0; with_control--) {
        struct probe board = new_probe(), extra = new_probe();
        int control[2];
        assert_int_equal(shmfi_fdpass_pair(control, &err), 0);
        order(&stage, SHMFI_EARLY_BOARD, board.end);
        if (with_control)
            order(&stage, SHMFI_EARLY_CONTROL, control[1]);
        order(&stage, SHMFI_EARLY_FORK, extra.end);
        close(control[1]);
        let_go(&board);
        let_go(&extra);
        assert_int_equal(refusal(control[0]), with_control ? EMFILE : 0);
        assert_true(gets_closed(&board));
        assert_true(gets_closed(&extra));
        close(control[0]);
        close(board.watched);
        close(extra.watched);
    }
    assert_true(ends_in_order(&stage));
}

static ssize_t losing_recvmsg(int fd, struct msghdr *message, int flags)
{
    message->msg_controllen = 0; /* no room for a descriptor, as where there are too many */
    return real.recvmsg(fd, message, flags);
}

static void with_no_room_for_descriptors(void)
{
    shmfi_sys.recvmsg = losing_recvmsg;
}

static void
test_parts_that_were_lost_for_want_of_room_are_like_parts_that_did_not_come(void **state)
{
    (void)state;
    struct stage stage = started(with_no_room_for_descriptors);
    struct probe probe = new_probe();
    order(&stage, SHMFI_EARLY_BOARD, probe.end);
    order(&stage, SHMFI_EARLY_FORK, -1);
    let_go(&probe);
    assert_true(gets_closed(&probe));
    assert_true(ends_in_order(&stage));
    close(probe.watched);
}

/* All parts of a pool, of which nothing can come: the errno that it says. */
static int why_no_pool(void (*prepare)(void))
{
    struct stage stage = started(prepare);
    struct probe board = new_probe(), bell = new_probe();
    int control[2];
    assert_int_equal(shmfi_fdpass_pair(control, &err), 0);
    order(&stage, SHMFI_EARLY_BOARD, board.end);
    order(&stage, SHMFI_EARLY_EVENTFD, bell.end);
    order(&stage, SHMFI_EARLY_CONTROL, control[1]);
    order(&stage, SHMFI_EARLY_FORK, -1);
    close(control[1]);
    let_go(&board);
    let_go(&bell);
    int why = refusal(control[0]);
    assert_true(gets_closed(&board));
    assert_true(gets_closed(&bell));
    assert_true(ends_in_order(&stage));
    close(control[0]);
    close(board.watched);
    close(bell.watched);
    return why;
}

static pid_t no_fork(void)
{
    errno = EAGAIN;
    return -1;
}

static void without_forks(void)
{
    shmfi_sys.fork = no_fork;
}

static void *no_calloc(size_t count, size_t size)
{
    (void)count, (void)size;
    return NULL;
}

static void without_zeroed_memory(void)
{
    shmfi_sys.calloc = no_calloc;
}

static void test_a_supervisor_that_cannot_be_made_says_why(void **state)
{
    (void)state;
    assert_int_equal(why_no_pool(without_forks), EAGAIN);
    assert_int_equal(why_no_pool(without_zeroed_memory), ENOMEM);
    int why = why_no_pool(NULL); /* a pipe is no board */
    assert_true(why == ENODEV || why == EACCES || why == EPERM);
}

/* ---- its end ------------------------------------------------------------------------------- */

static void test_it_ends_when_its_socket_does_and_when_nonsense_comes(void **state)
{
    (void)state;
    struct stage stage = started(NULL);
    assert_int_equal(shmfi_fdpass_send(stage.socket, "?", 1, -1, &err), 1);
    assert_true(ends_with(&stage, 0));
    stage = started(NULL);
    shutdown(stage.socket, SHUT_RDWR);
    assert_true(ends_with(&stage, 0));
}

static int failing_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    real.poll(fds, count, timeout); /* it sleeps all the same */
    if (timeout) {
        fds[0].revents = 0;
        errno = EINTR;
        return -1;
    }
    return real.poll(fds, count, timeout);
}

static void with_interrupted_polls(void)
{
    shmfi_sys.poll = failing_poll;
}

static void test_a_poll_that_fails_hides_no_order(void **state)
{
    (void)state;
    struct stage stage = started(with_interrupted_polls);
    assert_true(ends_in_order(&stage));
}

struct victim {
    int socket; /* the early process's end */
    bool has_pidfd;
};

/* An application that is about to be killed. */
static int be_an_application(void *context)
{
    const struct victim *victim = context;
    struct stage stage = {
        .given = {.socket = victim->socket,
                  .app_pidfd = victim->has_pidfd ? real.pidfd_open(getpid(), 0) : -1,
                  .app_pid = getpid()}};
    test_fork(serve, &stage);
    close(victim->socket);
    while (pause())
        continue;
    return 0;
}

static void test_it_does_not_outlive_its_application(void **state)
{
    (void)state;
    for (int has_pidfd = 0; has_pidfd < 2; has_pidfd++) {
        int sockets[2], fd;
        real = shmfi_sys;
        assert_int_equal(shmfi_fdpass_pair(sockets, &err), 0);
        struct victim victim = {sockets[1], has_pidfd};
        pid_t application = test_fork(be_an_application, &victim);
        close(sockets[1]);
        struct shmfi_control message;
        assert_true(receive(sockets[0], &message, &fd));
        if (fd >= 0)
            close(fd);
        kill(application, SIGKILL);
        test_join(application, SECONDS);
        assert_false(receive(sockets[0], &message, &fd)); /* we keep our end, and it is gone */
        close(sockets[0]);
    }
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_it_says_who_it_is_where_there_are_pidfds_and_where_not),
        test_case(test_it_keeps_the_descriptors_that_it_was_told_to_and_no_other),
        test_case(test_one_that_cannot_begin_ends_and_its_socket_says_so),
        test_case(test_a_part_that_comes_again_takes_the_place_of_the_first),
        test_case(test_a_pool_whose_parts_did_not_all_come_is_refused_and_the_rest_closed),
        test_case(test_parts_that_were_lost_for_want_of_room_are_like_parts_that_did_not_come),
        test_case(test_a_supervisor_that_cannot_be_made_says_why),
        test_case(test_it_ends_when_its_socket_does_and_when_nonsense_comes),
        test_case(test_a_poll_that_fails_hides_no_order),
        test_case(test_it_does_not_outlive_its_application),
    };
    return cmocka_run_group_tests_name("pool: the early process", tests, NULL, NULL);
}

/* What a worker makes of the application's messages, and what it does when its own are not taken:
 * the application's side is played by the test. */
#include "pool_stage.h"

#include <poll.h>

struct actor {
    struct stage *stage;
    struct shmfi_setup setup;
    struct shmfi_worker self;
    int app; /* the application's end of its socket */
};

/* The worker that this process plays; its application is this process. */
static struct actor *actor_new(void)
{
    struct actor *actor = calloc(1, sizeof *actor);
    assert_non_null(actor);
    actor->stage = stage_new(1);
    actor->setup = (struct shmfi_setup){.app_pidfd = -1, .app_pid = getpid()};
    struct shmfi_worker *self = &actor->self;
    self->board = &actor->stage->pool.board;
    self->line = &self->board->lines[0];
    self->setup = &actor->setup;
    self->eventfd = actor->stage->pool.eventfd;
    stage_pair(&self->socket, &actor->app);
    return actor;
}

static void actor_free(struct actor *actor)
{
    shmfi_ids_clear(&actor->self.sent);
    shmfi_ids_clear(&actor->self.lost);
    shmfi_ids_clear(&actor->self.unasked);
    shmfi_ids_clear(&actor->self.undropped);
    close(actor->self.socket);
    if (actor->app >= 0)
        close(actor->app);
    stage_free(actor->stage);
    free(actor);
}

/* The application says so, and counts it; read when the worker looks. */
static void say(struct actor *actor, struct shmfi_mail mail, int fd)
{
    stage_mail(actor->app, mail, fd);
    atomic_fetch_add(&actor->self.line->app_mail, 1);
}

static struct shmfi_mail region_mail(uint32_t type, uint64_t id)
{
    return (struct shmfi_mail){.type = type, .id = id, .size = stage_file_size()};
}

static struct shmfi_segment *segment_of_our_own(void)
{
    struct shmf_error err;
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(10000, SHMFI_OWN_REGION, &segment, &err), 0);
    return segment;
}

/* ---- to the application ------------------------------------------------------------------- */

static void test_a_region_is_sent_once(void **state)
{
    (void)state;
    struct actor *actor = actor_new();
    struct shmfi_segment *segment = segment_of_our_own();
    struct shmf_error err;
    struct shmfi_mail mail = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(shmfi_worker_send_region(&actor->self, segment->region, &err), SHMF_OK);
    assert_int_equal(stage_hear(actor->app, &mail, sizeof mail), 1);
    assert_int_equal(mail.id, shmfi_region_id(segment->region));
    assert_int_equal(stage_hear(actor->app, &mail, sizeof mail), 0);
    assert_int_equal(atomic_load(&actor->self.line->mail), 1);
    shmfi_segment_unref(segment);
    actor_free(actor);
}

static int socket_to_empty, polls;

/* The application empties the socket when the worker has waited twice. */
static int wait_for_room(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)timeout_ms;
    assert_int_equal(count, 1);
    assert_int_equal(fds->events, POLLOUT);
    if (++polls == 2)
        stage_empty(socket_to_empty);
    return polls == 2;
}

static void test_a_worker_waits_until_its_socket_takes_a_region(void **state)
{
    (void)state;
    struct actor *actor = actor_new();
    struct shmfi_segment *segment = segment_of_our_own();
    struct shmf_error err;
    struct shmfi_mail mail = {0};
    stage_fill(actor->self.socket);
    socket_to_empty = actor->app;
    polls = 0;
    shmfi_sys.poll = wait_for_room;
    assert_int_equal(shmfi_worker_send_region(&actor->self, segment->region, &err), SHMF_OK);
    shmfi_sys.poll = actor->stage->sys.poll;
    assert_int_equal(polls, 2);
    assert_int_equal(stage_hear(actor->app, &mail, sizeof mail), 1);
    assert_int_equal(mail.type, SHMFI_MAIL_REGION);
    assert_int_equal(atomic_load(&actor->self.line->mail), 1);
    shmfi_segment_unref(segment);
    actor_free(actor);
}

static void test_a_region_that_cannot_be_sent_is_sent_the_next_time(void **state)
{
    (void)state;
    struct actor *actor = actor_new();
    struct shmfi_segment *segment = segment_of_our_own();
    struct shmf_error err = {0};
    struct shmfi_mail mail = {0};
    stage_calls_left = 0;
    shmfi_sys.realloc = stage_realloc;
    assert_int_equal(shmfi_worker_send_region(&actor->self, segment->region, &err), SHMF_E_NOMEM);
    assert_true(err.message[0]);
    shmfi_sys.realloc = actor->stage->sys.realloc;
    shmfi_sys.sendmsg = stage_mute;
    assert_int_equal(shmfi_worker_send_region(&actor->self, segment->region, &err), SHMF_E_NOMEM);
    shmfi_sys.sendmsg = actor->stage->sys.sendmsg;
    assert_int_equal(atomic_load(&actor->self.line->mail), 0);
    assert_int_equal(shmfi_worker_send_region(&actor->self, segment->region, &err), SHMF_OK);
    assert_int_equal(stage_hear(actor->app, &mail, sizeof mail), 1);
    shmfi_segment_unref(segment);
    actor_free(actor);
}

static int open_nothing(const char *path, int flags, mode_t mode)
{
    (void)path, (void)flags, (void)mode;
    errno = EMFILE;
    return -1;
}

static void test_a_region_without_a_descriptor_to_send_is_an_error(void **state)
{
    (void)state;
    struct actor *actor = actor_new();
    struct shmfi_segment *segment = segment_of_our_own();
    struct shmf_error err = {0};
    shmfi_sys.open = open_nothing;
    int rc = shmfi_worker_send_region(&actor->self, segment->region, &err);
    shmfi_sys.open = actor->stage->sys.open;
    assert_int_equal(rc, SHMF_E_NOFILES);
    assert_int_equal(actor->self.sent.count, 0);
    shmfi_segment_unref(segment);
    actor_free(actor);
}

static void test_the_end_of_a_region_is_told_when_there_is_room_for_it(void **state)
{
    (void)state;
    struct actor *actor = actor_new();
    struct shmfi_mail mail = {0};
    assert_int_equal(shmfi_ids_add(&actor->self.sent, 5), 0);
    shmfi_worker_drop_region(&actor->self, 6); /* of which the application does not know */
    assert_int_equal(stage_hear(actor->app, &mail, sizeof mail), 0);
    stage_fill(actor->self.socket);
    shmfi_worker_drop_region(&actor->self, 5);
    assert_int_equal(atomic_load(&actor->self.line->mail), 0);
    stage_empty(actor->app);
    shmfi_worker_read_mail(&actor->self);
    assert_int_equal(stage_hear(actor->app, &mail, sizeof mail), 1);
    assert_int_equal(mail.type, SHMFI_MAIL_DROP);
    assert_int_equal(mail.id, 5);
    assert_int_equal(actor->self.undropped.count, 0);
    actor_free(actor);
}

/* ---- from the application ----------------------------------------------------------------- */

static void test_a_region_that_cannot_be_mapped_is_lost_until_its_descriptor_comes(void **state)
{
    (void)state;
    struct actor *actor = actor_new();
    struct shmf_handle handle = {.region = 77};
    struct shmf_error err;
    int fd = stage_file();
    say(actor, region_mail(SHMFI_MAIL_REGION, 77), -1);
    shmfi_worker_read_mail(&actor->self);
    assert_true(shmfi_ids_has(&actor->self.lost, 77));
    assert_int_equal(shmfi_worker_await_region(&actor->self, &handle, &err), SHMF_E_NOFILES);
    assert_non_null(strstr(err.message, "region 000000000000004d is lost"));
    assert_null(shmfi_region_find(77));
    for (int i = 0; i < 2; i++) { /* the second time it is known */
        say(actor, region_mail(SHMFI_MAIL_REGION, 77), fd);
        shmfi_worker_read_mail(&actor->self);
        assert_false(shmfi_ids_has(&actor->self.lost, 77));
        assert_non_null(shmfi_region_find(77));
    }
    handle.access = SHMF_COPY_ON_WRITE;
    assert_int_equal(shmfi_worker_await_region(&actor->self, &handle, &err), SHMF_OK);
    say(actor, (struct shmfi_mail){.type = SHMFI_MAIL_DROP, .id = 77}, -1);
    shmfi_worker_read_mail(&actor->self);
    assert_null(shmfi_region_find(77));
    close(fd);
    actor_free(actor);
}

static void test_without_memory_to_note_what_is_lost_nobody_waits_for_it(void **state)
{
    (void)state;
    struct actor *actor = actor_new();
    struct shmf_handle handle = {.region = 77};
    struct shmf_error err;
    stage_calls_left = 0;
    shmfi_sys.realloc = stage_realloc;
    say(actor, region_mail(SHMFI_MAIL_REGION, 77), -1);
    int rc = shmfi_worker_await_region(&actor->self, &handle, &err);
    shmfi_sys.realloc = actor->stage->sys.realloc;
    assert_int_equal(rc, SHMF_E_NOFILES);
    assert_int_equal(actor->self.lost.count, 0);
    actor_free(actor);
}

static void test_a_region_to_be_written_needs_a_descriptor_that_allows_it(void **state)
{
    (void)state;
    struct actor *actor = actor_new();
    struct shmf_handle handle = {.region = 77, .access = SHMF_WRITABLE};
    struct shmf_error err;
    int fd = stage_file();
    say(actor, region_mail(SHMFI_MAIL_REGION, 77), fd);
    say(actor, region_mail(SHMFI_MAIL_WRITABLE, 77), -1);
    assert_int_equal(shmfi_worker_await_region(&actor->self, &handle, &err), SHMF_E_NOFILES);
    assert_false(shmfi_region_is_writable(shmfi_region_find(77)));
    assert_true(shmfi_ids_has(&actor->self.lost, 77));
    say(actor, region_mail(SHMFI_MAIL_WRITABLE, 77), fd);
    shmfi_worker_read_mail(&actor->self);
    assert_int_equal(shmfi_worker_await_region(&actor->self, &handle, &err), SHMF_OK);
    assert_true(shmfi_region_is_writable(shmfi_region_find(77)));
    assert_false(shmfi_ids_has(&actor->self.lost, 77));
    shmfi_region_drop(77);
    close(fd);
    actor_free(actor);
}

static void test_a_region_is_sent_again_when_it_is_asked_for_and_still_there(void **state)
{
    (void)state;
    struct actor *actor = actor_new();
    struct shmfi_segment *segment = segment_of_our_own();
    uint64_t id = shmfi_region_id(segment->region);
    struct shmf_error err;
    struct shmfi_mail mail = {0};
    assert_int_equal(shmfi_worker_send_region(&actor->self, segment->region, &err), SHMF_OK);
    stage_empty(actor->app);
    say(actor, (struct shmfi_mail){.type = SHMFI_MAIL_RESEND, .id = id + 1}, -1);
    say(actor, (struct shmfi_mail){.type = SHMFI_MAIL_RESEND, .id = id}, -1);
    shmfi_worker_read_mail(&actor->self);
    assert_int_equal(stage_hear(actor->app, &mail, sizeof mail), 1);
    assert_int_equal(mail.type, SHMFI_MAIL_REGION);
    assert_int_equal(mail.id, id);
    assert_int_equal(stage_hear(actor->app, &mail, sizeof mail), 0);
    shmfi_segment_unref(segment);
    actor_free(actor);
}

static void test_messages_of_no_kind_are_passed_over(void **state)
{
    (void)state;
    struct actor *actor = actor_new();
    int fd = stage_file();
    shmfi_worker_read_mail(&actor->self);            /* none */
    say(actor, (struct shmfi_mail){.type = 99}, fd); /* which is closed */
    say(actor, region_mail(SHMFI_MAIL_REGION, 77), fd);
    shmfi_worker_read_mail(&actor->self);
    assert_non_null(shmfi_region_find(77));
    shmfi_region_drop(77);
    close(fd);
    actor_free(actor);
}

static int fd_to_send;
static struct actor *waiting;

/* The application hears of the worker, and sends what its task needs. */
static int wait_for_news(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)timeout_ms;
    assert_int_equal(count, 1);
    assert_int_equal(fds->events, POLLIN);
    if (++polls == 2)
        say(waiting, region_mail(SHMFI_MAIL_REGION, 77), fd_to_send);
    return polls == 2;
}

static void test_a_task_waits_for_the_region_that_it_names(void **state)
{
    (void)state;
    struct shmf_handle handle = {.region = 77};
    waiting = actor_new();
    fd_to_send = stage_file();
    polls = 0;
    shmfi_sys.poll = wait_for_news;
    assert_int_equal(shmfi_worker_await_region(&waiting->self, &handle, NULL), SHMF_OK);
    shmfi_sys.poll = waiting->stage->sys.poll;
    assert_int_equal(polls, 2);
    assert_non_null(shmfi_region_find(77));
    shmfi_region_drop(77);
    close(fd_to_send);
    actor_free(waiting);
}

/* ---- nobody is there any more ------------------------------------------------------------- */

static int read_from_nobody(void *unused)
{
    (void)unused;
    struct actor *actor = actor_new();
    close(actor->app);
    atomic_store(&actor->self.line->app_mail, 1);
    shmfi_worker_read_mail(&actor->self);
    return 1;
}

static void test_a_worker_ends_when_the_other_end_of_its_socket_is_closed(void **state)
{
    (void)state;
    assert_true(test_outcome_ok(test_in_child(read_from_nobody, NULL, 20)));
}

static int return_at_once(void *unused)
{
    (void)unused;
    return 0;
}

/* Of an application whose pid nobody has any more. */
static int wait_for_the_dead(void *pid)
{
    struct actor *actor = actor_new();
    actor->setup.app_pid = *(pid_t *)pid;
    stage_fill(actor->self.socket);
    struct shmfi_segment *segment = segment_of_our_own();
    shmfi_worker_send_region(&actor->self, segment->region, NULL);
    return 1;
}

static void test_a_worker_that_waits_for_room_ends_when_the_application_is_dead(void **state)
{
    (void)state;
    pid_t dead = test_fork(return_at_once, NULL);
    assert_true(test_outcome_ok(test_join(dead, 20)));
    assert_true(test_outcome_ok(test_in_child(wait_for_the_dead, &dead, 20)));
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_region_is_sent_once),
        test_case(test_a_worker_waits_until_its_socket_takes_a_region),
        test_case(test_a_region_that_cannot_be_sent_is_sent_the_next_time),
        test_case(test_a_region_without_a_descriptor_to_send_is_an_error),
        test_case(test_the_end_of_a_region_is_told_when_there_is_room_for_it),
        test_case(test_a_region_that_cannot_be_mapped_is_lost_until_its_descriptor_comes),
        test_case(test_without_memory_to_note_what_is_lost_nobody_waits_for_it),
        test_case(test_a_region_to_be_written_needs_a_descriptor_that_allows_it),
        test_case(test_a_region_is_sent_again_when_it_is_asked_for_and_still_there),
        test_case(test_messages_of_no_kind_are_passed_over),
        test_case(test_a_task_waits_for_the_region_that_it_names),
        test_case(test_a_worker_ends_when_the_other_end_of_its_socket_is_closed),
        test_case(test_a_worker_that_waits_for_room_ends_when_the_application_is_dead),
    };
    return cmocka_run_group_tests_name("pool: a worker's messages", tests, NULL, NULL);
}

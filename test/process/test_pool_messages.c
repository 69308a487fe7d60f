/* What the application makes of the messages of its supervisor and its workers, in whatever order
 * they come and whatever it lacks then: their side is played by the test. */
#include "pool_stage.h"

#include <sys/wait.h>

/* ---- the supervisor ----------------------------------------------------------------------- */

static void test_the_first_reason_for_which_a_pool_is_broken_stays(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    shmfi_pool_break(&stage->pool, "first %d", 1);
    shmfi_pool_break(&stage->pool, "second");
    assert_int_equal(stage->pool.broken, SHMF_E_POOL_BROKEN);
    assert_string_equal(stage->pool.broken_why, "first 1");
    stage_free(stage);
}

static void test_messages_that_make_no_sense_break_the_pool_and_leave_no_descriptor(void **state)
{
    (void)state;
    static const struct {
        struct shmfi_control message;
        const char *why;
    } cases[] = {
        {{.type = 77}, "makes no sense: type 77 about worker 0"},
        {{.type = SHMFI_CONTROL_SPAWNED, .worker = STAGE_WORKERS},
         "makes no sense: type 3 about worker 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct stage *stage = stage_new(1);
        int fd = stage_file();
        stage_say(stage, cases[i].message, fd);
        close(fd);
        assert_int_equal(stage->pool.broken, SHMF_E_POOL_BROKEN);
        assert_non_null(strstr(stage->pool.broken_why, cases[i].why));
        stage_free(stage);
    }
    struct stage *stage = stage_new(1);
    assert_int_equal(send(stage->control, "short", 5, 0), 5);
    shmfi_pool_read_control(&stage->pool);
    assert_int_equal(stage->pool.broken, SHMF_E_POOL_BROKEN);
    assert_non_null(strstr(stage->pool.broken_why, "from the supervisor: "));
    stage_free(stage);
}

static void test_a_supervisor_that_is_gone_breaks_the_pool(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    close(stage->control);
    stage->control = -1;
    shmfi_pool_read_control(&stage->pool);
    assert_true(stage->pool.supervisor_gone);
    assert_int_equal(stage->pool.broken, SHMF_E_POOL_BROKEN);
    stage_free(stage);
    /* Somebody else has its end of the socket; its pidfd tells, as any descriptor that is ready. */
    stage = stage_new(1);
    int pidfd = eventfd(0, EFD_CLOEXEC);
    stage_say(stage, (struct shmfi_control){.type = SHMFI_CONTROL_READY, .value = 4711}, pidfd);
    assert_false(stage->pool.supervisor_gone);
    assert_int_equal(stage->pool.supervisor, 4711);
    assert_int_equal(eventfd_write(pidfd, 1), 0);
    close(pidfd);
    shmfi_pool_read_control(&stage->pool);
    assert_true(stage->pool.supervisor_gone);
    assert_non_null(strstr(stage->pool.broken_why, "(pid 4711) is gone"));
    stage_free(stage);
}

/* ---- births ------------------------------------------------------------------------------- */

static void test_what_is_said_of_a_predecessor_does_not_touch_the_worker(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    struct shmfi_member *member = &stage->members[0];
    close(stage_announce(stage, 0, 5));
    stage_say(
        stage,
        (struct shmfi_control){.type = SHMFI_CONTROL_SPAWNED, .incarnation = 4, .value = 4711}, -1);
    assert_int_equal(member->pid, 0);
    stage_say(stage, (struct shmfi_control){.type = SHMFI_CONTROL_EXITED, .incarnation = 4}, -1);
    assert_int_equal(member->incarnation, 5);
    stage_say(
        stage,
        (struct shmfi_control){.type = SHMFI_CONTROL_SPAWNED, .incarnation = 5, .value = 4712}, -1);
    assert_int_equal(member->pid, 4712);
    stage_free(stage);
}

static void test_the_last_announcement_of_a_worker_counts(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    int first = stage_announce(stage, 0, 1), last = stage_announce(stage, 0, 2);
    struct shmfi_mail mail;
    assert_int_equal(stage->members[0].incarnation, 2);
    assert_int_equal(stage_hear(first, &mail, sizeof mail), SHMF_E_CLOSED);
    assert_int_equal(stage_hear(last, &mail, sizeof mail), 0);
    close(first);
    close(last);
    stage_free(stage);
}

static void
test_a_worker_that_was_on_its_way_when_fewer_were_wanted_is_known_till_it_ends(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    int socket = stage_announce(stage, 2, 1);
    assert_int_equal(stage->pool.n_workers, 3);
    stage_say(stage,
              (struct shmfi_control){.type = SHMFI_CONTROL_EXITED, .worker = 2, .incarnation = 1},
              -1);
    assert_int_equal(stage->pool.n_workers, 1);
    close(socket);
    stage_free(stage);
}

static void test_a_worker_whose_socket_there_is_no_room_for_is_ended(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    struct shmfi_control order = {0};
    stage_say(stage, (struct shmfi_control){.type = SHMFI_CONTROL_SPAWNING, .incarnation = 3}, -1);
    assert_int_equal(stage_hear(stage->control, &order, sizeof order), 1);
    assert_int_equal(order.type, SHMFI_CONTROL_KILL);
    assert_int_equal(order.worker, 0);
    assert_int_equal(order.incarnation, 3);
    assert_int_equal(stage->pool.spawn_errno, EMFILE);
    stage_free(stage);
}

/* ---- deaths ------------------------------------------------------------------------------- */

static void be_born_and_die(struct stage *stage, uint32_t incarnation, int status)
{
    close(stage_announce(stage, 0, incarnation));
    stage_say(stage,
              (struct shmfi_control){
                  .type = SHMFI_CONTROL_EXITED, .incarnation = incarnation, .value = status},
              -1);
}

static void test_workers_that_all_end_before_they_take_a_task_break_the_pool(void **state)
{
    (void)state;
    const int statuses[] = {3 << 8, SIGSEGV};
    const char *const says[] = {"the last by exit status 3", "the last by signal 11"};
    enum { MOST = 8 + 4 };
    for (size_t i = 0; i < 2; i++) {
        struct stage *stage = stage_new(1);
        for (uint32_t n = 1; n <= MOST; n++) {
            assert_int_equal(stage->pool.broken, SHMF_OK);
            be_born_and_die(stage, n, statuses[i]);
        }
        assert_int_equal(stage->pool.broken, SHMF_E_POOL_BROKEN);
        assert_non_null(strstr(stage->pool.broken_why, says[i]));
        assert_int_equal(stage->pool.stats.workers_died, MOST);
        stage_free(stage);
    }
}

static void test_workers_that_are_ended_from_outside_or_with_the_pool_do_not(void **state)
{
    (void)state;
    enum { MANY = 40 };
    struct stage *stage = stage_new(1);
    for (uint32_t n = 1; n <= MANY; n++)
        be_born_and_die(stage, n, SIGKILL);
    assert_int_equal(stage->pool.barren, 0);
    stage->pool.freeing = true;
    for (uint32_t n = MANY + 1; n <= 2 * MANY; n++)
        be_born_and_die(stage, n, 1 << 8);
    assert_int_equal(stage->pool.barren, 0);
    assert_int_equal(stage->pool.broken, SHMF_OK);
    stage_free(stage);
}

static void test_a_worker_that_ends_as_it_was_told_is_not_counted(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    close(stage_announce(stage, 0, 1));
    stage->members[0].dismissed = 1;
    stage_say(stage, (struct shmfi_control){.type = SHMFI_CONTROL_EXITED, .incarnation = 1}, -1);
    assert_int_equal(stage->pool.barren, 0);
    close(stage_announce(stage, 0, 2));
    stage->members[0].dismissed = 2; /* but it fails at its end */
    stage_say(
        stage,
        (struct shmfi_control){.type = SHMFI_CONTROL_EXITED, .incarnation = 2, .value = 1 << 8},
        -1);
    assert_int_equal(stage->pool.barren, 1);
    close(stage_announce(stage, 0, 3));
    stage->members[0].tasks = 1; /* so workers can take tasks */
    stage_say(
        stage,
        (struct shmfi_control){.type = SHMFI_CONTROL_EXITED, .incarnation = 3, .value = 1 << 8},
        -1);
    assert_int_equal(stage->pool.barren, 0);
    stage_free(stage);
}

/* ---- workers' regions --------------------------------------------------------------------- */

static struct shmfi_mail region_mail(uint64_t id)
{
    return (struct shmfi_mail){.type = SHMFI_MAIL_REGION, .id = id, .size = stage_file_size()};
}

static void send_region(struct stage *stage, int socket, uint64_t id, int fd)
{
    stage_mail(socket, region_mail(id), fd);
    shmfi_pool_read_mail(&stage->pool, 0);
}

static void test_a_region_whose_descriptor_was_lost_is_asked_for_until_it_comes(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    struct shmfi_line *line = &stage->pool.board.lines[0];
    int socket = stage_announce(stage, 0, 1), fd = stage_file();
    struct shmfi_mail mail = {0};
    send_region(stage, socket, 7, -1);
    assert_true(shmfi_ids_has(&stage->members[0].lost, 7));
    assert_null(shmfi_region_find(7));
    shmfi_pool_ask_again(&stage->pool, 0);
    assert_int_equal(stage_hear(socket, &mail, sizeof mail), 1);
    assert_int_equal(mail.type, SHMFI_MAIL_RESEND);
    assert_int_equal(mail.id, 7);
    assert_int_equal(atomic_load(&line->app_mail), 1);
    /* The worker is told to look only if something was sent. */
    stage_fill(stage->members[0].socket);
    shmfi_pool_ask_again(&stage->pool, 0);
    assert_int_equal(atomic_load(&line->app_mail), 1);
    stage_empty(socket);
    send_region(stage, socket, 7, fd);
    assert_false(shmfi_ids_has(&stage->members[0].lost, 7));
    assert_non_null(shmfi_region_find(7));
    shmfi_pool_ask_again(&stage->pool, 0);
    assert_int_equal(stage_hear(socket, &mail, sizeof mail), 0);
    assert_int_equal(stage->members[0].mail_read, 2);
    close(fd);
    close(socket);
    stage_free(stage);
    assert_null(shmfi_region_find(7));
}

static void test_a_region_that_a_worker_lost_is_no_longer_taken_for_sent(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    int socket = stage_announce(stage, 0, 1);
    struct shmfi_member *member = &stage->members[0];
    for (uint64_t id = 7; id <= 8; id++) {
        assert_int_equal(shmfi_ids_add(&member->sent, id), 0);
        assert_int_equal(shmfi_ids_add(&member->granted, id), 0);
    }
    stage_mail(socket, (struct shmfi_mail){.type = SHMFI_MAIL_RESEND, .id = 7}, -1);
    shmfi_pool_read_mail(&stage->pool, 0);
    for (uint64_t id = 7; id <= 8; id++) {
        assert_int_equal(shmfi_ids_has(&member->sent, id), id == 8);
        assert_int_equal(shmfi_ids_has(&member->granted, id), id == 8);
    }
    close(socket);
    stage_free(stage);
}

static void test_a_region_that_cannot_be_one_is_not_asked_for(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    int socket = stage_announce(stage, 0, 1), fd = stage_file();
    struct shmfi_mail larger = region_mail(8);
    larger.size *= 2;
    stage_mail(socket, larger, fd);
    send_region(stage, socket, 7, fd);
    send_region(stage, socket, 7, fd); /* known already */
    assert_int_equal(stage->members[0].lost.count, 0);
    assert_false(stage->members[0].forgetful);
    assert_null(shmfi_region_find(8));
    assert_int_equal(stage->members[0].regions.count, 1);
    close(fd);
    close(socket);
    stage_free(stage);
}

/* Of the memory that is needed to note a region each piece in turn cannot be had. */
static void test_a_region_that_cannot_be_noted_is_not_kept(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    struct shmfi_member *member = &stage->members[0];
    int socket = stage_announce(stage, 0, 1), fd = stage_file();
    for (int room = 0; room < 2; room++) { /* for the note that it is lost */
        if (room) {
            assert_int_equal(shmfi_ids_add(&member->lost, 9), SHMF_OK);
            shmfi_ids_remove(&member->lost, 9);
        }
        member->forgetful = false;
        stage_calls_left = 0;
        shmfi_sys.realloc = stage_realloc;
        send_region(stage, socket, 7, fd);
        shmfi_sys.realloc = stage->sys.realloc;
        assert_int_equal(member->forgetful, !room);
        assert_int_equal(shmfi_ids_has(&member->lost, 7), room);
        assert_int_equal(member->regions.count, 0);
        assert_null(shmfi_region_find(7));
    }
    shmfi_sys.calloc = stage_calloc;
    for (int pieces = 0; !shmfi_region_find(7); pieces++) {
        assert_true(pieces < 10);
        stage_calls_left = pieces;
        send_region(stage, socket, 7, fd);
        bool there = shmfi_region_find(7);
        assert_int_equal(member->regions.count, there);
        assert_int_equal(shmfi_ids_has(&member->lost, 7), !there);
    }
    close(fd);
    close(socket);
    stage_free(stage);
}

static void test_messages_that_cannot_be_received_are_remembered(void **state)
{
    (void)state;
    struct stage *stage = stage_new(2);
    int socket = stage_announce(stage, 0, 1), fd = stage_file();
    shmfi_pool_read_mail(&stage->pool, 1); /* there is nobody */
    assert_false(stage->members[1].forgetful);
    assert_int_equal(send(socket, "short", 5, 0), 5);
    shmfi_pool_read_mail(&stage->pool, 0);
    assert_false(stage->members[0].forgetful); /* there is nothing in it to be had */
    shmfi_sys.recvmsg = stage_deaf;
    shmfi_pool_read_mail(&stage->pool, 0);
    assert_true(stage->members[0].forgetful);
    shmfi_sys.recvmsg = stage->sys.recvmsg;
    /* What has no descriptor to bring leaves none behind. */
    stage_mail(socket, (struct shmfi_mail){.type = 99}, fd);
    stage_mail(socket, (struct shmfi_mail){.type = SHMFI_MAIL_DROP, .id = 5}, fd);
    shmfi_pool_read_mail(&stage->pool, 0);
    assert_int_equal(stage->members[0].mail_read, 2);
    assert_int_equal(stage->pool.broken, SHMF_OK);
    close(fd);
    close(socket);
    stage_free(stage);
}

static void test_a_region_that_its_worker_gives_up_is_forgotten(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    int socket = stage_announce(stage, 0, 1), fd = stage_file();
    send_region(stage, socket, 7, fd);
    send_region(stage, socket, 8, fd);
    stage_mail(socket, (struct shmfi_mail){.type = SHMFI_MAIL_DROP, .id = 7}, -1);
    shmfi_pool_read_mail(&stage->pool, 0);
    assert_null(shmfi_region_find(7));
    assert_non_null(shmfi_region_find(8));
    stage_say(
        stage,
        (struct shmfi_control){.type = SHMFI_CONTROL_EXITED, .incarnation = 1, .value = SIGKILL},
        -1);
    assert_null(shmfi_region_find(8));
    close(fd);
    close(socket);
    stage_free(stage);
}

/* ---- the application's regions ------------------------------------------------------------ */

static struct shmfi_segment *segment_of_our_own(void)
{
    struct shmf_error err;
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(10000, SHMFI_OWN_REGION, &segment, &err), 0);
    return segment;
}

static void test_each_worker_that_lives_is_sent_a_region_once(void **state)
{
    (void)state;
    struct stage *stage = stage_new(2); /* the second is not there */
    struct shmfi_segment *segment = segment_of_our_own();
    int socket = stage_announce(stage, 0, 1);
    struct shmf_error err;
    struct shmfi_mail mail = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(shmfi_pool_send_region(&stage->pool, segment->region, true, &err), 1);
    assert_int_equal(stage_hear(socket, &mail, sizeof mail), 1);
    assert_int_equal(mail.type, SHMFI_MAIL_REGION);
    assert_int_equal(mail.id, shmfi_region_id(segment->region));
    assert_int_equal(stage_hear(socket, &mail, sizeof mail), 0);
    assert_int_equal(atomic_load(&stage->pool.board.lines[0].app_mail), 1);
    close(socket);
    shmfi_segment_unref(segment);
    stage_free(stage);
}

static void test_what_a_full_socket_does_not_take_is_sent_later(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    struct shmfi_segment *segment = segment_of_our_own();
    int socket = stage_announce(stage, 0, 1);
    struct shmf_error err;
    struct shmfi_mail mail = {0};
    stage_fill(stage->members[0].socket);
    assert_int_equal(shmfi_pool_send_region(&stage->pool, segment->region, true, &err), 0);
    assert_int_equal(atomic_load(&stage->pool.board.lines[0].app_mail), 0);
    stage_empty(socket);
    assert_int_equal(shmfi_pool_send_region(&stage->pool, segment->region, true, &err), 1);
    assert_int_equal(stage_hear(socket, &mail, sizeof mail), 1);
    assert_int_equal(mail.id, shmfi_region_id(segment->region));
    close(socket);
    shmfi_segment_unref(segment);
    stage_free(stage);
}

static void test_older_regions_are_sent_only_where_their_descriptor_is_needed(void **state)
{
    (void)state;
    struct stage *stage = stage_new(1);
    struct shmfi_segment *segment = segment_of_our_own();
    int socket = stage_announce(stage, 0, 1);
    struct shmf_error err;
    struct shmfi_mail mail;
    stage->pool.regions_at_fork = shmfi_memory_serial();
    assert_int_equal(shmfi_pool_send_region(&stage->pool, segment->region, false, &err), 1);
    assert_int_equal(stage_hear(socket, &mail, sizeof mail), 0);
    assert_int_equal(shmfi_pool_send_region(&stage->pool, segment->region, true, &err), 1);
    assert_int_equal(stage_hear(socket, &mail, sizeof mail), 1);
    close(socket);
    shmfi_segment_unref(segment);
    stage_free(stage);
}

static void test_workers_are_told_of_regions_that_go_if_they_know_them(void **state)
{
    (void)state;
    struct stage *stage = stage_new(3);
    struct shmfi_mail mail = {0};
    int knows = stage_announce(stage, 0, 1), ignores = stage_announce(stage, 1, 2);
    struct shmfi_line *line = &stage->pool.board.lines[0];
    shmfi_pool_send_drops(&stage->pool); /* none */
    assert_int_equal(shmfi_ids_add(&stage->members[0].sent, 5), 0);
    assert_int_equal(shmfi_ids_add(&stage->members[0].granted, 6), 0);
    for (uint64_t id = 4; id <= 6; id++)
        shmfi_region_dropped(NULL, id);
    shmfi_pool_send_drops(&stage->pool);
    for (uint64_t id = 5; id <= 6; id++) {
        assert_int_equal(stage_hear(knows, &mail, sizeof mail), 1);
        assert_int_equal(mail.type, SHMFI_MAIL_DROP);
        assert_int_equal(mail.id, id);
    }
    assert_int_equal(stage_hear(knows, &mail, sizeof mail), 0);
    assert_int_equal(stage_hear(ignores, &mail, sizeof mail), 0);
    assert_int_equal(atomic_load(&line->app_mail), 2);
    /* It can wait, and is worth no effort. */
    assert_int_equal(shmfi_ids_add(&stage->members[0].sent, 7), 0);
    shmfi_region_dropped(NULL, 7);
    stage_fill(stage->members[0].socket);
    shmfi_pool_send_drops(&stage->pool);
    assert_int_equal(atomic_load(&line->app_mail), 2);
    assert_false(shmfi_ids_has(&stage->members[0].sent, 7));
    close(knows);
    close(ignores);
    stage_free(stage);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_the_first_reason_for_which_a_pool_is_broken_stays),
        test_case(test_messages_that_make_no_sense_break_the_pool_and_leave_no_descriptor),
        test_case(test_a_supervisor_that_is_gone_breaks_the_pool),
        test_case(test_what_is_said_of_a_predecessor_does_not_touch_the_worker),
        test_case(test_the_last_announcement_of_a_worker_counts),
        test_case(test_a_worker_that_was_on_its_way_when_fewer_were_wanted_is_known_till_it_ends),
        test_case(test_a_worker_whose_socket_there_is_no_room_for_is_ended),
        test_case(test_workers_that_all_end_before_they_take_a_task_break_the_pool),
        test_case(test_workers_that_are_ended_from_outside_or_with_the_pool_do_not),
        test_case(test_a_worker_that_ends_as_it_was_told_is_not_counted),
        test_case(test_a_region_whose_descriptor_was_lost_is_asked_for_until_it_comes),
        test_case(test_a_region_that_a_worker_lost_is_no_longer_taken_for_sent),
        test_case(test_a_region_that_cannot_be_one_is_not_asked_for),
        test_case(test_a_region_that_cannot_be_noted_is_not_kept),
        test_case(test_messages_that_cannot_be_received_are_remembered),
        test_case(test_a_region_that_its_worker_gives_up_is_forgotten),
        test_case(test_each_worker_that_lives_is_sent_a_region_once),
        test_case(test_what_a_full_socket_does_not_take_is_sent_later),
        test_case(test_older_regions_are_sent_only_where_their_descriptor_is_needed),
        test_case(test_workers_are_told_of_regions_that_go_if_they_know_them),
    };
    return cmocka_run_group_tests_name("pool: messages", tests, NULL, NULL);
}

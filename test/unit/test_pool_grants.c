/* pool/: the books of what tasks may write, without any pool; and how workers get the means. */
#include "unit/pool_sketch.h"

static struct shmf_error err;
static const int one_call, other_call; /* their addresses name them */

static struct shmf_handle slice(uint64_t region, int64_t begin, int64_t end)
{
    return (struct shmf_handle){
        .region = region, .access = SHMF_WRITABLE, .begin = begin, .end = end};
}

static int take_all(const void *call, int64_t task, const struct shmf_handle *handles, size_t n,
                    struct shmfi_granted **granted)
{
    struct shmfi_order order = {
        .call = call, .index = task, .input = {.handles = handles, .n_handles = n}};
    err = (struct shmf_error){0};
    return shmfi_grants_take(&order, granted, &err);
}

static struct shmfi_granted *take(const void *call, int64_t task, int64_t begin, int64_t end)
{
    struct shmf_handle handle = slice(1, begin, end);
    struct shmfi_granted *granted = NULL;
    if (take_all(call, task, &handle, 1, &granted))
        fail_msg("not granted: %s", err.message);
    return granted;
}

static void assert_refused(const void *call, int64_t begin, int64_t end, const char *why)
{
    struct shmf_handle handle = slice(1, begin, end);
    struct shmfi_granted *granted = NULL;
    assert_int_equal(take_all(call, 99, &handle, 1, &granted), SHMF_E_ACCESS);
    assert_null(granted);
    if (!strstr(err.message, why))
        fail_msg("'%s' is not in: %s", why, err.message);
}

static void assert_free(int64_t begin, int64_t end)
{
    shmfi_grants_undo(take(NULL, 0, begin, end));
}

static void end_task(struct shmfi_granted *granted)
{
    shmfi_grants_over(granted);
    free(granted);
}

/* ---- who has what -------------------------------------------------------------------------- */

static void test_a_slice_of_a_single_task_is_free_when_the_task_is_over(void **state)
{
    (void)state;
    struct shmfi_granted *low = take(NULL, 0, 0, 10), *high = take(NULL, 0, 20, 30);
    assert_refused(NULL, 9, 11, "another call");
    assert_refused(&one_call, 15, 21, "another call");
    assert_free(10, 20);
    end_task(low);
    assert_free(0, 20);
    assert_refused(NULL, 0, 0, "all rows");
    end_task(high);
    assert_free(0, 0);
}

static void test_slices_of_one_call_never_overlap_though_their_tasks_are_over(void **state)
{
    (void)state;
    struct shmfi_granted *first = take(&one_call, 4, 20, 30);
    assert_refused(&one_call, 25, 35, "task 4 of this call");
    struct shmfi_granted *second = take(&one_call, 5, 30, 40), *foreign = take(NULL, 0, 40, 50);
    end_task(first);
    assert_refused(&one_call, 25, 26, "task 4 of this call");
    assert_refused(NULL, 25, 26, "another call");
    end_task(second);
    assert_refused(&one_call, 25, 26, "earlier tasks of this call");
    assert_refused(&one_call, 39, 40, "earlier tasks of this call");
    assert_refused(&one_call, 40, 41, "another call");
    shmfi_grants_end(&one_call);
    assert_free(20, 40);
    end_task(foreign);
}

static void test_only_neighbours_of_one_call_are_one_on_the_books(void **state)
{
    (void)state;
    struct shmfi_granted *parts[] = {take(&one_call, 0, 0, 10), take(&other_call, 1, 10, 20),
                                     take(&one_call, 2, 20, 30), take(&one_call, 3, 31, 40),
                                     take(&one_call, 4, 40, 50)};
    end_task(parts[4]);
    end_task(parts[2]);
    end_task(parts[0]);
    end_task(parts[1]);
    assert_refused(&one_call, 10, 11, "another call");
    assert_refused(&one_call, 40, 41, "task 4 of this call"); /* the one before it still runs */
    assert_free(30, 31);
    end_task(parts[3]);
    assert_refused(&one_call, 40, 41, "earlier tasks of this call");
    assert_refused(&one_call, 20, 21, "task 2 of this call");
    shmfi_grants_end(&one_call);
    assert_free(0, 10);
    assert_free(20, 50);
    assert_refused(NULL, 19, 20, "another call");
    shmfi_grants_end(&other_call);
    assert_free(0, 50);
}

static void test_a_task_that_outlives_its_call_keeps_its_slice_until_it_is_over(void **state)
{
    (void)state;
    shmfi_grants_end(&one_call); /* nothing is granted at all */
    struct shmfi_granted *slow = take(&one_call, 0, 0, 10), *quick = take(&one_call, 1, 10, 20);
    end_task(quick);
    shmfi_grants_end(&one_call);
    assert_free(10, 20);
    assert_refused(&one_call, 5, 6, "another call");
    end_task(slow);
    assert_free(0, 20);
}

static void test_what_is_over_twice_takes_nothing_from_the_next_owner(void **state)
{
    (void)state;
    struct shmfi_granted *gone = take(NULL, 0, 0, 10);
    shmfi_grants_over(gone);
    shmfi_grants_over(gone);
    struct shmfi_granted *next = take(NULL, 0, 0, 10);
    shmfi_grants_over(gone);
    assert_refused(NULL, 0, 10, "another call");
    end_task(next);
    next = take(NULL, 0, 20, 30);
    shmfi_grants_over(gone);
    assert_refused(NULL, 20, 30, "another call");
    end_task(gone);
    gone = next;
    shmfi_grants_over(gone);
    next = take(NULL, 0, 0, 10);
    end_task(gone);
    assert_refused(NULL, 0, 10, "another call");
    end_task(next);
    shmfi_grants_over(NULL);
    shmfi_grants_undo(NULL);
}

static void test_a_task_may_have_no_rows_of_something(void **state)
{
    (void)state;
    struct shmfi_granted *nothing = take(NULL, 0, 5, 5);
    assert_int_equal(nothing->count, 0);
    assert_free(0, 10);
    char message[64] = "it failed";
    shmfi_grants_describe(nothing, message, sizeof message);
    assert_string_equal(message, "it failed");
    end_task(nothing);
    struct shmf_handle handle = slice(1, 0, 10);
    handle.access = SHMF_READ_ONLY;
    assert_int_equal(take_all(NULL, 0, &handle, 1, &nothing), SHMF_OK);
    assert_null(nothing);
}

static int in_child(void *unused)
{
    struct shmfi_granted *inherited = unused, *own = NULL;
    struct shmf_handle handle = slice(1, 0, 5);
    shmfi_grants_over(inherited); /* the books are empty */
    if (take_all(NULL, 0, &handle, 1, &own))
        return 1;
    shmfi_grants_over(inherited);
    struct shmfi_granted *other = NULL;
    if (take_all(NULL, 0, &handle, 1, &other) != SHMF_E_ACCESS)
        return 2;
    handle = slice(1, 0, 10);
    end_task(own);
    if (take_all(NULL, 0, &handle, 1, &own))
        return 3;
    end_task(own);
    return 0;
}

static void test_a_forked_child_has_granted_nothing_yet(void **state)
{
    (void)state;
    struct shmfi_granted *granted = take(NULL, 0, 0, 10);
    struct shmf_handle elsewhere = slice(2, 0, 10);
    struct shmfi_granted *other = NULL;
    assert_int_equal(take_all(NULL, 0, &elsewhere, 1, &other), SHMF_OK);
    assert_true(test_outcome_ok(test_in_child(in_child, granted, 20)));
    assert_refused(NULL, 0, 10, "another call");
    end_task(granted);
    end_task(other);
}

/* ---- what is said -------------------------------------------------------------------------- */

static void test_a_failure_names_the_rows_that_are_undefined_as_far_as_it_fits(void **state)
{
    (void)state;
    const struct shmf_handle handles[] = {
        {.region = 3, .access = SHMF_READ_ONLY}, slice(1, 10, 20), slice(2, 0, 0)};
    struct shmfi_granted *granted = NULL;
    assert_int_equal(take_all(NULL, 0, handles, 3, &granted), SHMF_OK);
    char message[128] = "died";
    shmfi_grants_describe(granted, message, sizeof message);
    assert_string_equal(message, "died; rows [10, 20) of handle 1 are undefined, and others");
    char full[4] = {'d', 'i', 'e', 'd'};
    shmfi_grants_describe(granted, full, sizeof full);
    assert_memory_equal(full, "died", 4);
    char narrow[8] = "died";
    shmfi_grants_describe(granted, narrow, sizeof narrow);
    assert_string_equal(narrow, "died; r");
    shmfi_grants_describe(NULL, narrow, sizeof narrow);
    assert_string_equal(narrow, "died; r");
    end_task(granted);
    assert_int_equal(take_all(NULL, 0, &handles[2], 1, &granted), SHMF_OK);
    strcpy(message, "died");
    shmfi_grants_describe(granted, message, sizeof message);
    assert_string_equal(message, "died; all rows of handle 0 are undefined");
    end_task(granted);
}

static void test_handles_that_make_no_sense_are_named(void **state)
{
    (void)state;
    struct shmf_handle handle = slice(1, 0, 10);
    assert_int_equal(shmfi_check_handle(&handle, "handles", 3, &err), SHMF_OK);
    handle.access = SHMF_WRITABLE + 1;
    assert_int_equal(shmfi_check_handle(&handle, "handles", 3, &err), SHMF_E_INVAL);
    assert_non_null(strstr(err.message, "handles[3].access"));
    handle = slice(1, -1, 10);
    assert_int_equal(shmfi_check_handle(&handle, "handles", 3, &err), SHMF_E_RANGE);
    handle = slice(1, 11, 10);
    assert_int_equal(shmfi_check_handle(&handle, "handles", 3, &err), SHMF_E_RANGE);
    assert_non_null(strstr(err.message, "handles[3]: rows [11, 10)"));
}

static void test_a_calls_rows_must_lie_in_what_its_handle_grants(void **state)
{
    (void)state;
    struct shmf_handle handles[] = {slice(1, 10, 20), slice(2, 0, 0)};
    struct shmfi_shared shared = {.count = 2, .handles = handles};
    static const int64_t wrong[][2] = {{9, 15}, {15, 21}};
    struct shmfi_granted *granted = NULL;
    for (size_t i = 0; i < 2; i++) {
        struct shmfi_order order = {.shared = &shared, .begin = wrong[i][0], .end = wrong[i][1]};
        assert_int_equal(shmfi_grants_take(&order, &granted, &err), SHMF_E_RANGE);
        assert_non_null(strstr(err.message, "rows [10, 20) granted"));
        assert_null(granted);
    }
    struct shmfi_order order = {.shared = &shared, .begin = 12, .end = 15};
    assert_int_equal(shmfi_grants_take(&order, &granted, &err), SHMF_OK);
    assert_int_equal(granted->count, 2);
    assert_true(granted->handles[1].begin == 12 && granted->handles[1].end == 15);
    end_task(granted);
}

/* ---- want of memory ------------------------------------------------------------------------ */

static struct shmfi_sys real;
static int countdown; /* the allocation that fails */

static bool fails(void)
{
    return --countdown == 0;
}

static void *failing_calloc(size_t count, size_t size)
{
    return fails() ? NULL : real.calloc(count, size);
}

static void *failing_realloc(void *old, size_t size)
{
    return fails() ? NULL : real.realloc(old, size);
}

static void test_without_memory_for_the_books_nothing_is_granted(void **state)
{
    (void)state;
    const struct shmf_handle handles[] = {slice(1, 0, 10), slice(2, 0, 10)};
    struct shmfi_granted *granted = NULL;
    real = shmfi_sys;
    int failed = 0, rc = SHMF_E_NOMEM;
    for (int n = 1; rc; n++) {
        countdown = n;
        shmfi_sys.calloc = failing_calloc;
        shmfi_sys.realloc = failing_realloc;
        rc = take_all(NULL, 0, handles, 2, &granted);
        shmfi_sys = real;
        failed += rc != 0;
        if (!rc)
            break;
        assert_int_equal(rc, SHMF_E_NOMEM);
        assert_int_equal(err.code, SHMF_E_NOMEM);
        assert_null(granted);
        assert_free(0, 10);
    }
    assert_int_equal(failed, 5); /* the list, and for each object its entry and its table */
    end_task(granted);
}

/* ---- workers that are to write ------------------------------------------------------------- */

/* How many messages the worker was sent; each must come with a descriptor of the region. */
static int received(struct sketch *sketch, int worker, uint64_t region)
{
    struct shmfi_mail mail;
    int fd, count = 0;
    while (shmfi_fdpass_receive(sketch->ends[worker], &mail, sizeof mail, &fd, NULL) == 1) {
        assert_int_equal(mail.type, SHMFI_MAIL_WRITABLE);
        assert_true(mail.id == region && fd >= 0);
        close(fd);
        count++;
    }
    return count;
}

static bool may_write(const struct sketch *sketch, int worker, uint64_t region)
{
    return shmfi_ids_has(&sketch->members[worker].granted, region);
}

static struct shmfi_segment *new_segment(unsigned flags)
{
    struct shmfi_segment *segment = NULL;
    assert_int_equal(shmfi_segment_new(1 << 16, flags, &segment, &err), 0);
    return segment;
}

static ssize_t no_room(int fd, const struct msghdr *message, int flags)
{
    (void)fd, (void)message, (void)flags;
    errno = EAGAIN;
    return -1;
}

static void test_every_living_worker_is_sent_the_means_to_write_once(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    sketch->members[0].incarnation = 0; /* dead, as far as we know */
    close(sketch->members[1].socket);   /* no descriptor was left for it */
    sketch->members[1].socket = -1;
    close(sketch->ends[2]); /* dead, and we do not know it yet: it counts as one that has it */
    sketch->ends[2] = -1;
    struct shmfi_segment *segment = new_segment(SHMFI_GRANTABLE);
    uint64_t id = shmfi_region_id(segment->region);
    for (int i = 0; i < 2; i++)
        assert_int_equal(shmfi_pool_send_writable(&sketch->pool, segment->region, &err), 1);
    assert_int_equal(received(sketch, 0, id), 0);
    assert_int_equal(received(sketch, 3, id), 1);
    assert_false(may_write(sketch, 0, id) || may_write(sketch, 1, id));
    assert_true(may_write(sketch, 2, id) && may_write(sketch, 3, id));
    assert_int_equal(atomic_load(&sketch->pool.board.lines[3].app_mail), 1);
    shmfi_segment_unref(segment);
    sketch_free(sketch);
}

static void test_a_message_that_finds_no_room_wakes_its_reader_and_is_sent_again(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmfi_segment *segment = new_segment(SHMFI_GRANTABLE);
    uint64_t id = shmfi_region_id(segment->region);
    atomic_store(&sketch->pool.board.lines[0].asleep, 1);
    real = shmfi_sys;
    shmfi_sys.sendmsg = no_room;
    assert_int_equal(shmfi_pool_send_writable(&sketch->pool, segment->region, &err), 0);
    shmfi_sys = real;
    assert_int_equal(atomic_load(&sketch->pool.board.lines[0].asleep), 0);
    for (int w = 0; w < WORKERS; w++) {
        assert_false(may_write(sketch, w, id));
        assert_int_equal(atomic_load(&sketch->pool.board.lines[w].app_mail), 0);
    }
    assert_int_equal(shmfi_pool_send_writable(&sketch->pool, segment->region, &err), 1);
    for (int w = 0; w < WORKERS; w++)
        assert_int_equal(received(sketch, w, id), 1);
    shmfi_segment_unref(segment);
    sketch_free(sketch);
}

static void test_nobody_is_sent_what_cannot_be_noted_or_was_not_made_for_it(void **state)
{
    (void)state;
    struct sketch *sketch = sketch_new();
    struct shmfi_segment *segment = new_segment(SHMFI_GRANTABLE),
                         *plain = new_segment(SHMFI_OWN_REGION);
    assert_int_equal(shmfi_pool_send_writable(&sketch->pool, plain->region, &err), SHMF_E_ACCESS);
    real = shmfi_sys;
    shmfi_sys.realloc = failing_realloc;
    countdown = 1;
    assert_int_equal(shmfi_pool_send_writable(&sketch->pool, segment->region, &err), SHMF_E_NOMEM);
    shmfi_sys = real;
    for (int w = 0; w < WORKERS; w++)
        assert_int_equal(received(sketch, w, 0), 0);
    shmfi_segment_unref(plain);
    shmfi_segment_unref(segment);
    sketch_free(sketch);
}

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        test_case(test_a_slice_of_a_single_task_is_free_when_the_task_is_over),
        test_case(test_slices_of_one_call_never_overlap_though_their_tasks_are_over),
        test_case(test_only_neighbours_of_one_call_are_one_on_the_books),
        test_case(test_a_task_that_outlives_its_call_keeps_its_slice_until_it_is_over),
        test_case(test_what_is_over_twice_takes_nothing_from_the_next_owner),
        test_case(test_a_task_may_have_no_rows_of_something),
        test_case(test_a_forked_child_has_granted_nothing_yet),
        test_case(test_a_failure_names_the_rows_that_are_undefined_as_far_as_it_fits),
        test_case(test_handles_that_make_no_sense_are_named),
        test_case(test_a_calls_rows_must_lie_in_what_its_handle_grants),
        test_case(test_without_memory_for_the_books_nothing_is_granted),
        test_case(test_every_living_worker_is_sent_the_means_to_write_once),
        test_case(test_a_message_that_finds_no_room_wakes_its_reader_and_is_sent_again),
        test_case(test_nobody_is_sent_what_cannot_be_noted_or_was_not_made_for_it),
    };
    return cmocka_run_group_tests_name("pool: grants", tests, NULL, NULL);
}

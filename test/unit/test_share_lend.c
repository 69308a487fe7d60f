/* share/: what is lent: where it lies, how long the loan lasts, and what becomes of the memory. */
/* ctest: LABELS threads */
#include "unit/lend_calls.h"

#include <shmframe/derive.h>
#include <shmframe/grant.h>
#include <shmframe/image.h>
#include <shmframe/map.h>

#include <pthread.h>
#include <signal.h>

/* ---- what is borrowed ------------------------------------------------------------------------ */

static void test_what_is_lent_is_read_where_it_lies_over_sockets_of_all_types(void **state)
{
    (void)state;
    static const int types[] = {SOCK_SEQPACKET, SOCK_STREAM, SOCK_DGRAM,
                                SOCK_STREAM | SOCK_NONBLOCK, SOCK_SEQPACKET | SOCK_NONBLOCK};
    static const int64_t sizes[] = {10, 10, MIB, 40 * MIB};
    struct shmf_array *made[4];
    struct shmf_frame *frame = typed_frame(&err);
    for (int i = 0; i < 4; i++)
        made[i] = patterned(sizes[i], (uint64_t)i);
    assert_int_not_equal(shmf_array_handle(made[1]).offset, 0); /* it shares its region */
    assert_int_equal(shmf_array_handle(made[3]).offset, 0);
    uint64_t before = test_shared_bytes(), used = used_bytes();
    for (int t = 0; t < 5; t++) {
        connect_ends(types[t]);
        struct shmf_loan *loans[5] = {shmf_frame_lend(frame, ends[0], -1, &err)};
        struct shmf_array *got[4];
        for (int i = 0; i < 4; i++)
            loans[1 + i] = shmf_array_lend(made[i], ends[0], -1, &err);
        struct shmf_frame *read = shmf_frame_borrow(ends[1], -1, &err);
        assert_int_equal(shmf_frame_equal(frame, read), 1);
        assert_int_equal(shmf_frame_validate(read, SHMF_VALIDATE_FULL, &err), SHMF_OK);
        assert_null(shmf_frame_data_mut(read, DAY));
        for (int i = 0; i < 4; i++) {
            got[i] = shmf_array_borrow(ends[1], -1, &err);
            assert_int_equal(shmf_array_size(got[i]), sizes[i]);
            assert_ptr_not_equal(shmf_array_data(got[i]), shmf_array_data(made[i]));
            assert_int_equal(memcmp(shmf_array_data(got[i]), shmf_array_data(made[i]),
                                    (size_t)(t ? 10 : sizes[i])),
                             0);
            assert_null(shmf_array_data_mut(got[i]));
        }
        assert_int_equal(test_shared_bytes(), before);
        assert_int_equal(used_bytes(), used);
        shmf_frame_free(read);
        for (int i = 0; i < 4; i++)
            shmf_array_free(got[i]);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(shmf_loan_is_over(loans[i]), 1);
            shmf_loan_free(loans[i]);
        }
        close_ends();
    }
    for (int i = 0; i < 4; i++)
        shmf_array_free(made[i]);
    shmf_frame_free(frame);
    assert_int_equal(used_bytes(), 0);
}

static void test_what_has_a_sealed_file_of_its_own_of_any_length_is_lent_as_well(void **state)
{
    (void)state;
    connect_ends(SOCK_SEQPACKET);
    for (int64_t size = 1; size < 20000; size += 2999) {
        struct shmf_array *array = patterned(size, 1);
        assert_int_equal(shmf_array_seal(&array, &err), SHMF_OK);
        struct shmf_loan *loan = lend(array);
        struct shmf_array *got = borrow();
        assert_true(is_pattern(got, size, 1));
        assert_int_equal(shmf_loan_is_over(loan), 0);
        shmf_array_free(got);
        assert_int_equal(shmf_loan_is_over(loan), 1);
        shmf_loan_free(loan);
        shmf_array_free(array);
    }
    close_ends();
}

static void test_what_the_lender_writes_the_borrower_sees(void **state)
{
    (void)state;
    int64_t size = 5000;
    struct shmf_array *plain = patterned(size, 1);
    struct shmf_array *grantable = shmf_array_new_grantable(SHMF_UINT8, 1, &size, &err);
    connect_ends(SOCK_SEQPACKET);
    for (int i = 0; i < 2; i++) {
        struct shmf_array *array = i ? grantable : plain;
        struct shmf_loan *loan = lend(array);
        struct shmf_array *got = borrow();
        test_fill(shmf_array_data_mut(array), (size_t)size, 2);
        assert_true(is_pattern(got, size, 2));
        shmf_array_free(array);
        shmf_array_free(got);
        shmf_loan_free(loan);
    }
    close_ends();
    assert_int_equal(used_bytes(), 0);
}

/* ---- how long a loan lasts ------------------------------------------------------------------- */

static void test_memory_is_not_used_again_until_the_borrower_is_done_and_then_it_is(void **state)
{
    (void)state;
    static const int64_t sizes[] = {10, MIB, 33 * MIB};
    connect_ends(SOCK_SEQPACKET);
    for (int i = 0; i < 3; i++) {
        struct shmf_array *array = patterned(sizes[i], 1), *others[3];
        const void *place = shmf_array_data(array);
        struct shmf_loan *loan = lend(array);
        assert_int_equal(shmf_loan_is_over(loan), 0); /* nor when it was not received yet */
        struct shmf_array *got = borrow();
        shmf_array_free(array);
        shmf_memory_trim(0);
        fill_memory(others, 3, sizes[i]);
        assert_int_equal(shmf_loan_is_over(loan), 0);
        assert_true(is_pattern(got, sizes[i], 1));
        free_all(others, 3);
        shmf_array_free(got);
        assert_int_equal(shmf_loan_is_over(loan), 1);
        assert_int_not_equal(used_bytes(), 0); /* until the loan is freed */
        shmf_loan_free(loan);
        assert_int_equal(used_bytes(), 0);
        array = patterned(sizes[i], 2);
        assert_ptr_equal(shmf_array_data(array), place);
        shmf_array_free(array);
    }
    close_ends();
}

static void test_a_loan_given_up_keeps_the_memory_until_it_is_over_and_another_is_used(void **state)
{
    (void)state;
    connect_ends(SOCK_SEQPACKET);
    struct shmf_array *one = patterned(MIB, 1), *two = patterned(10, 2), *others[3];
    shmf_loan_free(lend(one));
    shmf_loan_free(lend(two));
    struct shmf_array *got[2] = {borrow(), borrow()};
    shmf_array_free(one);
    shmf_array_free(two);
    fill_memory(others, 3, MIB);
    assert_true(is_pattern(got[0], MIB, 1));
    free_all(others, 3);
    uint64_t both = used_bytes();
    assert_true(both > (uint64_t)MIB);
    shmf_array_free(got[0]);
    assert_int_equal(used_bytes(), both); /* nobody looked */
    one = patterned(10, 3);
    struct shmf_loan *loan = lend(one); /* looks */
    assert_true(used_bytes() < (uint64_t)MIB);
    assert_true(is_pattern(got[1], 10, 2));
    shmf_array_free(got[1]);
    shmf_array_free(borrow());
    shmf_array_free(one);
    shmf_loan_free(loan); /* looks, too */
    assert_int_equal(used_bytes(), 0);
    shmf_loan_free(NULL);
    close_ends();
}

static void test_what_nobody_receives_is_over_with_the_socket(void **state)
{
    (void)state;
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
    for (int t = 0; t < 3; t++) {
        struct shmf_array *array = patterned(10, 1);
        connect_ends(types[t]);
        struct shmf_loan *loan = lend(array);
        assert_int_equal(shmf_loan_is_over(loan), 0);
        close_ends();
        assert_true(test_wait_until(60, is_over, loan));
        shmf_loan_free(loan);
        shmf_array_free(array);
    }
    assert_int_equal(used_bytes(), 0);
}

/* A borrower in a process of its own: it says by `done` that it has borrowed, and how. */
struct borrower {
    int socket;
    int done[2];
};

static int borrow_and_stay(void *context)
{
    const struct borrower *borrower = context;
    struct shmf_array *array = shmf_array_borrow(borrower->socket, 60, NULL);
    char good = is_pattern(array, MIB, 1);
    if (write(borrower->done[1], &good, 1) != 1)
        return 1;
    for (;;)
        pause();
}

static void test_a_borrower_that_is_killed_has_ended_the_loan(void **state)
{
    (void)state;
    char good = 0;
    connect_ends(SOCK_SEQPACKET);
    struct borrower borrower = {.socket = ends[1]};
    assert_int_equal(pipe(borrower.done), 0);
    pid_t child = test_fork(borrow_and_stay, &borrower); /* which has nothing of what follows */
    struct shmf_array *array = patterned(MIB, 1);
    struct shmf_loan *loan = lend(array);
    shmf_array_free(array);
    assert_int_equal(read(borrower.done[0], &good, 1), 1);
    assert_true(good);
    assert_int_equal(shmf_loan_is_over(loan), 0);
    kill(child, SIGKILL);
    assert_true(test_wait_until(60, is_over, loan));
    shmf_loan_free(loan);
    assert_int_equal(used_bytes(), 0);
    assert_int_equal(test_join(child, 60).signal, SIGKILL);
    close(borrower.done[0]);
    close(borrower.done[1]);
    close_ends();
}

static void test_loans_of_one_object_are_over_one_by_one(void **state)
{
    (void)state;
    connect_ends(SOCK_SEQPACKET);
    struct shmf_array *array = patterned(MIB, 1), *got[3];
    struct shmf_loan *loans[3];
    for (int i = 0; i < 3; i++)
        loans[i] = lend(array);
    for (int i = 0; i < 3; i++)
        got[i] = borrow();
    shmf_array_free(array);
    static const int order[] = {1, 2, 0};
    for (int i = 0; i < 3; i++) {
        shmf_array_free(got[order[i]]);
        for (int j = i; j < 3; j++)
            assert_int_equal(shmf_loan_is_over(loans[order[j]]), j == i);
        shmf_loan_free(loans[order[i]]);
    }
    assert_int_equal(used_bytes(), 0);
    close_ends();
}

/* ---- children ---------------------------------------------------------------------------------
 */

struct inherited {
    struct shmf_array *array;
    struct shmf_loan *loan, *given_up;
};

/* Nor does it lend what its parent may use again. */
static int end_parents_loans(void *context)
{
    const struct inherited *inherited = context;
    struct shmf_error why;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return 6;
    if (shmf_array_lend(inherited->array, pair[0], 0, &why) || why.code != SHMF_E_UNSUPPORTED)
        return 1;
    if (shmf_loan_is_over(inherited->loan) != SHMF_E_WRONG_PROCESS)
        return 2;
    shmf_loan_free(inherited->loan);
    struct shmf_array *own = patterned(10, 5);
    struct shmf_loan *loan = shmf_array_lend(own, pair[0], 0, &why);
    struct shmf_array *got = shmf_array_borrow(pair[1], 0, &why);
    if (!loan || !is_pattern(got, 10, 5) || shmf_loan_is_over(loan))
        return 3;
    shmf_array_free(got);
    if (shmf_loan_is_over(loan) != 1)
        return 4;
    shmf_loan_free(loan);
    shmf_array_free(own);
    return used_bytes() ? 5 : 0;
}

/* Making a loan looks after those that were given up. */
static bool all_is_given_back(void *unused)
{
    (void)unused;
    struct shmf_array *array = patterned(10, 1);
    struct shmf_loan *loan = lend(array);
    shmf_array_free(array);
    shmf_array_free(borrow());
    shmf_loan_free(loan);
    return used_bytes() == 0;
}

static void test_a_child_ends_no_loan_of_its_parents_and_makes_its_own(void **state)
{
    (void)state;
    connect_ends(SOCK_SEQPACKET);
    struct shmf_array *array = patterned(MIB, 1), *others[3];
    struct inherited inherited = {array, lend(array), lend(array)};
    shmf_loan_free(inherited.given_up);
    pid_t child = test_fork(end_parents_loans, &inherited);
    close_ends(); /* ours: the loans are over when the child is */
    connect_ends(SOCK_SEQPACKET);
    struct shmf_loan *third = lend(array);
    struct shmf_array *got = borrow();
    shmf_array_free(array);
    assert_true(test_outcome_ok(test_join(child, 60)));
    assert_int_equal(shmf_loan_is_over(third), 0);
    fill_memory(others, 3, MIB);
    assert_true(is_pattern(got, MIB, 1));
    free_all(others, 3);
    shmf_array_free(got);
    assert_true(test_wait_until(60, is_over, inherited.loan));
    shmf_loan_free(inherited.loan);
    assert_true(test_wait_until(60, is_over, third));
    shmf_loan_free(third);
    assert_true(test_wait_until(60, all_is_given_back, NULL));
    close_ends();
}

/* ---- threads --------------------------------------------------------------------------------- */

static void *lend_often(void *context)
{
    int pair[2];
    bool *good = context;
    *good = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0;
    for (long i = 0; *good && i < test_rounds(200); i++) {
        struct shmf_array *array = patterned(5000, (uint64_t)i);
        struct shmf_loan *loan = shmf_array_lend(array, pair[0], 60, NULL);
        shmf_array_free(array);
        struct shmf_array *got = shmf_array_borrow(pair[1], 60, NULL);
        *good = is_pattern(got, 5000, (uint64_t)i) && loan && shmf_loan_is_over(loan) == 0;
        if (i % 2)
            shmf_loan_free(loan);
        shmf_array_free(got);
        if (i % 2 == 0)
            shmf_loan_free(loan);
    }
    close(pair[0]);
    close(pair[1]);
    return NULL;
}

static void test_threads_lend_borrow_and_give_up_at_the_same_time(void **state)
{
    (void)state;
    pthread_t threads[4];
    bool good[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, lend_often, &good[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 4; i++)
        assert_true(good[i]);
    connect_ends(SOCK_SEQPACKET);
    assert_true(test_wait_until(60, all_is_given_back, NULL));
    close_ends();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_what_is_lent_is_read_where_it_lies_over_sockets_of_all_types),
        test_case(test_what_has_a_sealed_file_of_its_own_of_any_length_is_lent_as_well),
        test_case(test_what_the_lender_writes_the_borrower_sees),
        test_case(test_memory_is_not_used_again_until_the_borrower_is_done_and_then_it_is),
        test_case(test_a_loan_given_up_keeps_the_memory_until_it_is_over_and_another_is_used),
        test_case(test_what_nobody_receives_is_over_with_the_socket),
        test_case(test_a_borrower_that_is_killed_has_ended_the_loan),
        test_case(test_loans_of_one_object_are_over_one_by_one),
        test_case(test_a_child_ends_no_loan_of_its_parents_and_makes_its_own),
        test_case(test_threads_lend_borrow_and_give_up_at_the_same_time),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

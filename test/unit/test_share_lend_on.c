/* share/: what borrower and lender do with an object meanwhile. */
#include "unit/lend_calls.h"

#include <shmframe/image.h>

/* ---- what the borrower does with it ---------------------------------------------------------- */

static void test_what_was_borrowed_is_lent_on_and_lasts_as_long_as_the_last_has_it(void **state)
{
    (void)state;
    connect_ends(SOCK_SEQPACKET);
    struct shmf_array *array = patterned(MIB, 1);
    struct shmf_loan *first = lend(array);
    shmf_array_free(array);
    struct shmf_array *middle = borrow();
    struct shmf_loan *second = lend(middle);
    struct shmf_array *last = borrow();
    assert_true(is_pattern(last, MIB, 1));
    shmf_array_free(middle);
    assert_int_equal(shmf_loan_is_over(first), 0);
    assert_int_equal(shmf_loan_is_over(second), 0);
    shmf_array_free(last);
    assert_int_equal(shmf_loan_is_over(second), 1);
    assert_int_equal(shmf_loan_is_over(first), 0);
    shmf_loan_free(second);
    assert_int_equal(shmf_loan_is_over(first), 1);
    shmf_loan_free(first);
    assert_int_equal(used_bytes(), 0);
    close_ends();
}

/* Each sees the other's lock on the file. */
static void
test_those_who_lend_on_what_they_have_both_borrowed_do_not_wait_for_each_other(void **state)
{
    (void)state;
    connect_ends(SOCK_SEQPACKET);
    struct shmf_array *array = patterned(MIB, 1), *got[2], *further[2];
    struct shmf_loan *loans[2], *on[2];
    for (int i = 0; i < 2; i++) {
        loans[i] = lend(array);
        got[i] = borrow();
    }
    for (int i = 0; i < 2; i++) {
        on[i] = lend(got[i]);
        further[i] = borrow();
    }
    shmf_array_free(array);
    free_all(got, 2);
    free_all(further, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(shmf_loan_is_over(on[i]), 1);
        shmf_loan_free(on[i]);
        assert_int_equal(shmf_loan_is_over(loans[i]), 1);
        shmf_loan_free(loans[i]);
    }
    assert_int_equal(used_bytes(), 0);
    close_ends();
}

static void test_copies_end_with_the_borrowed_object_and_views_prolong_the_loan(void **state)
{
    (void)state;
    struct shmf_attach_options options = {0};
    connect_ends(SOCK_SEQPACKET);
    struct shmf_array *array = patterned(MIB, 1);
    struct shmf_loan *loan = lend(array);
    struct shmf_array *got = borrow();
    struct shmf_handle handle = shmf_array_handle(got);
    assert_int_equal(shmf_array_send(got, ends[0], 0, &err), SHMF_OK);
    struct shmf_array *sent = shmf_array_receive(ends[1], 0, &options, &err);
    struct shmf_array *copied = shmf_array_open(shmf_handle_with(handle, SHMF_PRIVATE_COPY), &err);
    struct shmf_array *view = shmf_array_open(shmf_handle_with(handle, SHMF_COPY_ON_WRITE), &err);
    struct shmf_array *slice = NULL;
    handle.begin = 5;
    handle.end = 10;
    slice = shmf_array_open(handle, &err);
    shmf_array_free(got);
    memset(shmf_array_data_mut(view), 0, 10);
    assert_int_equal(shmf_loan_is_over(loan), 0);
    assert_int_equal(memcmp(shmf_array_data(slice), (const char *)shmf_array_data(array) + 5, 5),
                     0);
    shmf_array_free(slice);
    assert_int_equal(shmf_loan_is_over(loan), 0);
    shmf_array_free(view);
    assert_int_equal(shmf_loan_is_over(loan), 1);
    assert_true(is_pattern(sent, MIB, 1));
    assert_true(is_pattern(copied, MIB, 1));
    shmf_array_free(sent);
    shmf_array_free(copied);
    shmf_loan_free(loan);
    shmf_array_free(array);
    close_ends();
}

/* ---- what the lender does with it ------------------------------------------------------------ */

static void test_what_is_lent_is_sealed_by_a_copy_and_stays_for_the_borrower(void **state)
{
    (void)state;
    connect_ends(SOCK_SEQPACKET);
    struct shmf_array *array = patterned(33 * MIB, 1);
    struct shmf_loan *loan = lend(array);
    struct shmf_array *got = borrow();
    assert_int_equal(shmf_array_seal(&array, &err), SHMF_OK);
    assert_non_null(shmf_array_image(array, NULL));
    assert_null(shmf_array_image(got, NULL));
    shmf_memory_trim(0);
    assert_int_equal(shmf_loan_is_over(loan), 0);
    assert_true(is_pattern(got, 33 * MIB, 1));
    assert_int_equal(shmf_array_seal(&got, &err), SHMF_OK); /* by a copy, which ends the loan */
    assert_int_equal(shmf_loan_is_over(loan), 1);
    shmf_array_free(got);
    shmf_array_free(array);
    shmf_loan_free(loan);
    assert_int_equal(used_bytes(), 0);
    close_ends();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_what_was_borrowed_is_lent_on_and_lasts_as_long_as_the_last_has_it),
        test_case(test_those_who_lend_on_what_they_have_both_borrowed_do_not_wait_for_each_other),
        test_case(test_copies_end_with_the_borrowed_object_and_views_prolong_the_loan),
        test_case(test_what_is_lent_is_sealed_by_a_copy_and_stays_for_the_borrower),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

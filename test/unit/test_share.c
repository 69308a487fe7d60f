/* share/: publishing, attaching, listing and sweeping names, in one process.
 * ctest: TIMEOUT 60 */
#include "unit/share_calls.h"

#include <shmframe/derive.h>
#include <shmframe/memory.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct shmf_error err;

/* ---- names ----------------------------------------------------------------------------------- */

static void assert_refused(const char *name, const char *because)
{
    struct shmf_array *array = patterned(10, 1);
    struct shmf_name_info info;
    assert_null(shmf_array_publish(array, name, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    if (!strstr(err.message, because))
        fail_msg("\"%s\" does not say \"%s\"", err.message, because);
    assert_null(shmf_array_attach(name, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_int_equal(shmf_name_unlink(name, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_name_info(name, &info, &err), SHMF_E_INVAL);
    shmf_array_free(array);
}

static void test_names_that_make_no_sense_are_refused_and_the_message_says_why(void **state)
{
    (void)state;
    char long_name[SHMF_NAME_MAX + 2];
    memset(long_name, 'x', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    assert_refused(NULL, "NULL");
    assert_refused("", "empty");
    assert_refused(".", "begins with '.'");
    assert_refused("..", "begins with '.'");
    assert_refused(".hidden", "begins with '.'");
    assert_refused("a/b", "'/'");
    assert_refused("/a", "'/'");
    assert_refused("../etc/passwd", "begins with '.'");
    assert_refused("a:b", "':'");
    assert_refused("a b", "control character");
    assert_refused("a\n", "control character");
    assert_refused("\x7f", "control character");
    assert_refused("a\xff", "UTF-8");
    assert_refused(long_name, "too long");
}

static void test_the_longest_name_and_letters_of_all_kinds_are_fine(void **state)
{
    (void)state;
    char name[SHMF_NAME_MAX + 1];
    memset(name, 'x', sizeof name);
    snprintf(name, sizeof name, "%s", test_name("long-"));
    name[strlen(name)] = 'x';
    name[SHMF_NAME_MAX] = '\0';
    const char *fine[] = {name, test_name("gr\xC3\xBC\xC3\x9F"), test_name("a.b-c_d+e@f=g~h")};
    for (int i = 0; i < 3; i++) {
        struct shmf_share *share = publish_pattern(fine[i], 100, 1, NULL, &err);
        assert_non_null(share);
        assert_int_equal(attach_code(fine[i], NULL), SHMF_OK);
        shmf_share_free(share);
        assert_int_equal(attach_code(fine[i], NULL), SHMF_E_NOTFOUND);
    }
}

static void test_a_taken_name_is_refused_and_a_missing_one_not_found(void **state)
{
    (void)state;
    const char *name = test_name("taken");
    struct shmf_name_info info;
    assert_int_equal(attach_code(name, NULL), SHMF_E_NOTFOUND);
    assert_int_equal(shmf_name_info(name, &info, &err), SHMF_E_NOTFOUND);
    assert_int_equal(shmf_name_unlink(name, &err), SHMF_E_NOTFOUND);
    struct shmf_share *share = publish_pattern(name, 5000, 1, NULL, &err);
    assert_null(publish_pattern(name, 5000, 2, NULL, &err));
    assert_int_equal(err.code, SHMF_E_EXISTS);
    struct shmf_array *array = shmf_array_attach(name, NULL, &err);
    assert_true(is_pattern(array, 5000, 1));
    shmf_array_free(array);
    shmf_share_free(share);
}

static void test_a_second_unlink_is_refused(void **state)
{
    (void)state;
    const char *name = test_name("twice");
    struct shmf_share *share = publish_pattern(name, 5000, 1, NULL, &err);
    struct shmf_array *array = shmf_array_attach(name, NULL, &err);
    assert_int_equal(shmf_share_unlink(share, &err), SHMF_OK);
    assert_int_equal(shmf_share_unlink(share, &err), SHMF_E_NOTFOUND);
    assert_int_equal(attach_code(name, NULL), SHMF_E_NOTFOUND);
    assert_true(is_pattern(array, 5000, 1)); /* who is attached stays attached */
    struct shmf_share *other = publish_pattern(name, 5000, 2, NULL, &err);
    assert_non_null(other); /* the name is free */
    assert_int_equal(shmf_share_unlink(share, &err), SHMF_E_NOTFOUND);
    shmf_share_free(share);
    assert_int_equal(attach_code(name, NULL), SHMF_OK); /* and stays the other's */
    shmf_share_free(other);
    shmf_array_free(array);
    assert_int_equal(shmf_share_unlink(NULL, &err), SHMF_E_INVAL);
    shmf_share_free(NULL);
}

/* ---- objects
 * ---------------------------------------------------------------------------------- */

static void test_a_frame_of_all_types_comes_back_equal_with_every_access(void **state)
{
    (void)state;
    const char *name = test_name("typed");
    struct shmf_frame *frame = typed_frame(&err);
    struct shmf_share *share = shmf_frame_publish(frame, name, NULL, &err);
    assert_non_null(share);
    for (uint32_t access = SHMF_READ_ONLY; access <= SHMF_PRIVATE_COPY; access++)
        for (uint32_t untrusted = 0; untrusted < 2; untrusted++) {
            struct shmf_attach_options options = {
                .access = access, .untrusted = untrusted, .validation = SHMF_VALIDATE_FULL};
            struct shmf_frame *again = shmf_frame_attach(name, &options, &err);
            assert_non_null(again);
            assert_int_equal(shmf_frame_equal(frame, again), 1);
            assert_int_equal(shmf_frame_n_metadata(again, NAME), 4);
            assert_true((shmf_frame_data_mut(again, DAY) != NULL) == (access != SHMF_READ_ONLY));
            shmf_frame_free(again);
        }
    assert_int_equal(attach_code(name, NULL), SHMF_E_INVAL); /* it is no array */
    shmf_frame_free(frame);
    shmf_share_free(share);
}

static void test_what_is_written_to_a_private_view_is_seen_by_nobody_else(void **state)
{
    (void)state;
    const char *name = test_name("private");
    struct shmf_share *share = publish_pattern(name, 10000, 1, NULL, &err);
    for (uint32_t access = SHMF_COPY_ON_WRITE; access <= SHMF_PRIVATE_COPY; access++) {
        struct shmf_array *mine =
            shmf_array_attach(name, &(struct shmf_attach_options){.access = access}, &err);
        struct shmf_array *theirs = shmf_array_attach(name, NULL, &err);
        assert_null(shmf_array_data_mut(theirs));
        test_fill(shmf_array_data_mut(mine), 10000, 2);
        assert_true(is_pattern(theirs, 10000, 1));
        assert_true(is_pattern(mine, 10000, 2));
        shmf_array_free(theirs);
        shmf_array_free(mine);
    }
    shmf_share_free(share);
}

static void test_what_is_published_does_not_change_with_its_original(void **state)
{
    (void)state;
    const char *name = test_name("copy");
    struct shmf_array *array = patterned(10000, 1);
    struct shmf_share *share = shmf_array_publish(array, name, NULL, &err);
    test_fill(shmf_array_data_mut(array), 10000, 2);
    shmf_array_free(array);
    array = shmf_array_attach(name, NULL, &err);
    assert_true(is_pattern(array, 10000, 1));
    shmf_share_free(share);
    assert_true(is_pattern(array, 10000, 1)); /* though the name is gone */
    shmf_array_free(array);
}

static void test_slices_and_selections_are_published_alone(void **state)
{
    (void)state;
    const char *name = test_name("slice");
    static const int64_t columns[] = {WHEN, NAME};
    struct shmf_frame *frame = typed_frame(&err), *slice = shmf_frame_slice(frame, 1, 2, &err);
    struct shmf_frame *view = shmf_frame_select(slice, columns, 2, &err);
    struct shmf_share *share = shmf_frame_publish(view, name, NULL, &err);
    struct shmf_frame *again = shmf_frame_attach(name, NULL, &err);
    assert_int_equal(shmf_frame_equal(view, again), 1);
    assert_int_equal(shmf_frame_rows(again), 2);
    shmf_frame_free(again);
    shmf_share_free(share);
    shmf_frame_free(view);
    shmf_frame_free(slice);
    shmf_frame_free(frame);
}

static void test_unfinished_frames_are_not_published(void **state)
{
    (void)state;
    struct shmf_frame_spec spec = {.n_rows = 3, .n_columns = 1, .dtype = SHMF_INT64};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    assert_null(shmf_frame_publish(frame, test_name("unfinished"), NULL, &err));
    assert_int_equal(err.code, SHMF_E_ACCESS);
    shmf_frame_free(frame);
    assert_null(shmf_frame_publish(NULL, test_name("unfinished"), NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_null(shmf_array_publish(NULL, test_name("unfinished"), NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
}

static void test_empty_objects_are_published_too(void **state)
{
    (void)state;
    const char *name = test_name("empty");
    struct shmf_array *array = shmf_array_new(SHMF_FLOAT64, 2, (int64_t[]){0, 5}, &err);
    struct shmf_share *share = shmf_array_publish(array, name, NULL, &err);
    struct shmf_array *again = shmf_array_attach(name, NULL, &err);
    assert_int_equal(shmf_array_shape(again)[1], 5);
    shmf_array_free(again);
    shmf_array_free(array);
    shmf_share_free(share);
}

static void test_an_attached_object_has_a_handle_that_opens_it_again(void **state)
{
    (void)state;
    struct shmf_share *share = publish_pattern(test_name("handle"), 10000, 1, NULL, &err);
    struct shmf_array *array = shmf_array_attach(test_name("handle"), NULL, &err);
    struct shmf_handle handle = shmf_array_handle(array);
    for (int access = SHMF_READ_ONLY; access <= SHMF_PRIVATE_COPY; access++) {
        struct shmf_array *again =
            shmf_array_open(shmf_handle_with(handle, (enum shmf_access)access), &err);
        assert_true(is_pattern(again, 10000, 1));
        shmf_array_free(again);
    }
    shmf_array_free(array);
    assert_null(shmf_array_open(handle, &err));
    assert_int_equal(err.code, SHMF_E_STALE);
    shmf_share_free(share);
}

/* ---- permissions
 * ------------------------------------------------------------------------------ */

static mode_t mode_of(const char *path)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 0777;
}

static void test_only_its_user_may_open_a_name_unless_the_owner_says_otherwise(void **state)
{
    (void)state;
    static const uint32_t modes[] = {0, 0600, 0640, 0604, 0644};
    mode_t before = umask(0); /* permissions do not come from it, */
    for (int i = 0; i < 5; i++) {
        umask(i % 2 ? 0777 : 0); /* nor are they limited by it */
        struct shmf_publish_options options = {.mode = modes[i]};
        struct shmf_share *share = publish_pattern(test_name("mode"), 10, 1, &options, &err);
        assert_non_null(share);
        assert_int_equal(mode_of(test_name_path("mode")), modes[i] ? modes[i] : 0600);
        shmf_share_free(share);
    }
    static const uint32_t wrong[] = {0400, 0200, 0660,  0606,  0622,
                                     0700, 0755, 04600, 01600, 0100600};
    for (int i = 0; i < 10; i++) {
        struct shmf_publish_options options = {.mode = wrong[i]};
        assert_null(publish_pattern(test_name("mode"), 10, 1, &options, &err));
        assert_int_equal(err.code, SHMF_E_INVAL);
    }
    umask(before);
}

static void test_wrong_options_are_refused(void **state)
{
    (void)state;
    struct shmf_share *share = publish_pattern(test_name("options"), 10, 1, NULL, &err);
    struct shmf_publish_options publish[] = {{.policy = 2}, {.reserved = {[5] = 1}}};
    struct shmf_attach_options attach[] = {
        {.access = 3}, {.validation = 4}, {.reserved = {[5] = 1}}};
    for (int i = 0; i < 2; i++) {
        assert_null(publish_pattern(test_name("other"), 10, 1, &publish[i], &err));
        assert_int_equal(err.code, SHMF_E_INVAL);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(attach_code(test_name("options"), &attach[i]), SHMF_E_INVAL);
    shmf_share_free(share);
}

/* ---- looking
 * ---------------------------------------------------------------------------------- */

static int find(const struct shmf_name_info *info, void *context)
{
    struct shmf_name_info *wanted = context;
    if (strcmp(info->name, wanted->name))
        return 0;
    *wanted = *info;
    return 7;
}

static int count(const struct shmf_name_info *info, void *context)
{
    int *n = context;
    *n += info->size > 0;
    return 0;
}

static void test_names_are_listed_with_what_they_hold_and_whose_they_are(void **state)
{
    (void)state;
    struct shmf_frame *frame = typed_frame(&err);
    struct shmf_share *one = shmf_frame_publish(frame, test_name("one"), NULL, &err);
    struct shmf_publish_options persists = {.policy = SHMF_PERSISTS, .mode = 0644};
    struct shmf_share *two = publish_pattern(test_name("two"), 5000, 1, &persists, &err);
    struct shmf_name_info info;
    assert_int_equal(shmf_name_info(test_name("one"), &info, &err), SHMF_OK);
    assert_string_equal(info.name, test_name("one"));
    assert_int_equal(info.state, SHMF_NAME_OWNED);
    assert_int_equal(info.kind, SHMF_KIND_FRAME);
    assert_int_equal(info.n_dims, 2);
    assert_int_equal(info.shape[0], 3);
    assert_int_equal(info.shape[1], N_TYPED);
    assert_int_equal(info.pid, getpid());
    assert_int_equal(info.uid, geteuid());
    assert_int_equal(info.mode, 0600);
    snprintf(info.name, sizeof info.name, "%s", test_name("two"));
    assert_int_equal(shmf_name_each(find, &info, &err), 7);
    assert_int_equal(info.kind, SHMF_KIND_ARRAY);
    assert_int_equal(info.dtype, SHMF_UINT8);
    assert_int_equal(info.shape[0], 5000);
    assert_int_equal(info.state, SHMF_NAME_OWNED);
    assert_int_equal(info.mode, 0644);
    assert_int_equal(shmf_name_unlink(test_name("two"), &err), SHMF_E_ACCESS);
    shmf_share_free(two);
    assert_int_equal(shmf_name_info(test_name("two"), &info, &err), SHMF_OK);
    assert_int_equal(info.state, SHMF_NAME_PERSISTENT);
    assert_int_equal(info.pid, 0);
    assert_null(publish_pattern(test_name("two"), 5000, 1, NULL, &err));
    assert_int_equal(err.code, SHMF_E_EXISTS);
    assert_true(shmf_name_sweep(NULL, NULL, &err) >= 0);
    int n = 0;
    assert_true(shmf_name_each(count, &n, &err) >= 2);
    assert_true(n >= 2);
    assert_int_equal(attach_code(test_name("two"), NULL), SHMF_OK);
    assert_int_equal(shmf_name_unlink(test_name("two"), &err), SHMF_OK);
    assert_int_equal(shmf_name_unlink(test_name("two"), &err), SHMF_E_NOTFOUND);
    shmf_share_free(one);
    shmf_frame_free(frame);
    assert_int_equal(shmf_name_each(NULL, NULL, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_name_info("x", NULL, &err), SHMF_E_INVAL);
}

/* ---- references
 * ------------------------------------------------------------------------------- */

static void test_the_reference_of_a_share_attaches_it(void **state)
{
    (void)state;
    char text[SHMF_REFERENCE_SIZE], expected[SHMF_REFERENCE_SIZE];
    struct shmf_share *share = publish_pattern(test_name("text"), 100, 1, NULL, &err);
    assert_int_equal(shmf_share_reference(share, text, &err), SHMF_OK);
    snprintf(expected, sizeof expected, "shmf:name:%s", test_name("text"));
    assert_string_equal(text, expected);
    assert_int_equal(attach_code(text, NULL), SHMF_OK);
    assert_int_equal(shmf_share_reference(NULL, text, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_share_reference(share, NULL, &err), SHMF_E_INVAL);
    shmf_share_free(share);
}

static void test_references_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"shmf:",
                                        "shmf:name:",
                                        "shmf:name:a/b",
                                        "shmf:name:shmf:name:x",
                                        "shmf:fd:",
                                        "shmf:fd:1",
                                        "shmf:fd:1:",
                                        "shmf:fd::1",
                                        "shmf:fd:-1:1",
                                        "shmf:fd:+1:1",
                                        "shmf:fd: 1:1",
                                        "shmf:fd:1:2x",
                                        "shmf:fd:01:2",
                                        "shmf:fd:99999999999999999999:1",
                                        "shmf:fd:2147483648:1",
                                        "shmf:fd:1:99999999999999999999",
                                        "shmf:fd:1:1:1",
                                        "shmf:fd:4000:1",
                                        "shmf:pid:1",
                                        "SHMF:fd:1:1",
                                        "shmf:fd:0x1:1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        if (attach_code(wrong[i], NULL) != SHMF_E_INVAL)
            fail_msg("%s", wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_names_that_make_no_sense_are_refused_and_the_message_says_why),
        test_case(test_the_longest_name_and_letters_of_all_kinds_are_fine),
        test_case(test_a_taken_name_is_refused_and_a_missing_one_not_found),
        test_case(test_a_second_unlink_is_refused),
        test_case(test_a_frame_of_all_types_comes_back_equal_with_every_access),
        test_case(test_what_is_written_to_a_private_view_is_seen_by_nobody_else),
        test_case(test_what_is_published_does_not_change_with_its_original),
        test_case(test_slices_and_selections_are_published_alone),
        test_case(test_unfinished_frames_are_not_published),
        test_case(test_empty_objects_are_published_too),
        test_case(test_an_attached_object_has_a_handle_that_opens_it_again),
        test_case(test_only_its_user_may_open_a_name_unless_the_owner_says_otherwise),
        test_case(test_wrong_options_are_refused),
        test_case(test_names_are_listed_with_what_they_hold_and_whose_they_are),
        test_case(test_the_reference_of_a_share_attaches_it),
        test_case(test_references_that_make_no_sense_are_refused),
    };
    test_begin();
    test_own_names(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* share/: what others put where our names are. */
#include "unit/share_calls.h"

#include <shmframe/derive.h>
#include <shmframe/format.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct shmf_error err;

/* ---- files
 * ------------------------------------------------------------------------------------ */

static void test_planted_links_and_files_of_other_kinds_are_refused(void **state)
{
    (void)state;
    const char *path = test_name_path("planted");
    char target[300];
    struct shmf_name_info info;
    struct shmf_share *share = publish_pattern(test_name("target"), 100, 1, NULL, &err);
    snprintf(target, sizeof target, "%s", test_name_path("target"));
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(attach_code(test_name("planted"), NULL), SHMF_E_PERM);
    assert_int_equal(shmf_name_unlink(test_name("planted"), &err), SHMF_E_PERM);
    assert_int_equal(shmf_name_info(test_name("planted"), &info, &err), SHMF_E_PERM);
    assert_null(publish_pattern(test_name("planted"), 100, 2, NULL, &err));
    assert_int_equal(err.code, SHMF_E_EXISTS); /* nothing is written through the link */
    assert_int_equal(attach_code(test_name("target"), NULL), SHMF_OK);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(attach_code(test_name("planted"), NULL), SHMF_E_CORRUPT); /* at once */
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(attach_code(test_name("planted"), NULL), SHMF_E_CORRUPT);
    assert_int_equal(shmf_name_unlink(test_name("planted"), &err), SHMF_E_CORRUPT);
    rmdir(path);
    shmf_share_free(share);
}

static void test_files_that_others_may_write_or_that_belong_to_others_are_refused(void **state)
{
    (void)state;
    const char *name = test_name("open"), *path = test_name_path("open");
    struct shmf_attach_options others = {.other_users = 1};
    struct shmf_share *share = publish_pattern(name, 100, 1, NULL, &err);
    assert_int_equal(chmod(path, 0620), 0);
    assert_int_equal(attach_code(name, NULL), SHMF_E_PERM);
    assert_int_equal(chmod(path, 0602), 0);
    assert_int_equal(attach_code(name, &others), SHMF_E_PERM);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(attach_code(name, NULL), SHMF_OK);
    if (geteuid() == 0 && chown(path, 65534, 65534) == 0) {
        assert_int_equal(attach_code(name, NULL), SHMF_E_PERM);
        assert_int_equal(attach_code(name, &others), SHMF_OK);
        shmf_share_free(share);
        return;
    }
    shmf_share_free(share);
}

/* ---- bytes
 * ------------------------------------------------------------------------------------ */

/* Makes a file under a name as another program could. */
static void plant(const char *name, const void *bytes, size_t size)
{
    int fd = open(test_name_path(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

static void test_files_that_hold_no_segment_are_refused_and_not_removed(void **state)
{
    (void)state;
    unsigned char bytes[8192] = {0};
    static const size_t sizes[] = {0, 1, 79, 80, 383, 384, 511, 512, 8192};
    for (int i = 0; i < 9; i++) {
        plant("nothing", bytes, sizes[i]);
        assert_int_equal(attach_code(test_name("nothing"), NULL), SHMF_E_CORRUPT);
        assert_int_equal(
            attach_code(test_name("nothing"), &(struct shmf_attach_options){.untrusted = 1}),
            SHMF_E_CORRUPT);
        struct shmf_name_info info;
        assert_int_equal(shmf_name_info(test_name("nothing"), &info, &err), SHMF_OK);
        assert_int_equal(info.kind, SHMF_KIND_NONE);
        assert_int_equal(info.size, sizes[i]);
        assert_true(shmf_name_sweep(NULL, NULL, &err) >= 0);
        assert_int_equal(shmf_name_unlink(test_name("nothing"), &err), SHMF_E_CORRUPT);
        assert_int_equal(access(test_name_path("nothing"), F_OK), 0);
        unlink(test_name_path("nothing"));
    }
}

/* One wrong byte in the header, or one too many or too few at the end. */
static void test_wrong_bytes_under_a_name_are_refused_by_field(void **state)
{
    (void)state;
    struct shmf_frame *frame = typed_frame(&err);
    struct shmf_share *share = shmf_frame_publish(frame, test_name("good"), NULL, &err);
    struct stat status;
    int fd = open(test_name_path("good"), O_RDWR | O_CLOEXEC);
    assert_int_equal(fstat(fd, &status), 0);
    struct shmf_format_frame header, wrong;
    assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
    assert_int_equal(header.header.total_size, status.st_size);
    assert_int_equal(header.header.generation, 1);
    for (int i = 0; i < 4; i++) {
        wrong = header;
        static const char *const fields[] = {"magic", "total_size", "n_rows", "reserved"};
        *(i == 0   ? (uint64_t *)(void *)wrong.header.magic
          : i == 1 ? &wrong.header.total_size
          : i == 2 ? &wrong.n_rows
                   : &wrong.reserved[0]) ^= UINT64_C(1) << 63;
        assert_int_equal(pwrite(fd, &wrong, sizeof wrong, 0), sizeof wrong);
        for (uint32_t untrusted = 0; untrusted < 2; untrusted++) {
            struct shmf_attach_options options = {.untrusted = untrusted};
            assert_null(shmf_frame_attach(test_name("good"), &options, &err));
            assert_int_equal(err.code, SHMF_E_CORRUPT);
            assert_non_null(strstr(err.message, fields[i]));
        }
    }
    assert_int_equal(pwrite(fd, &header, sizeof header, 0), sizeof header);
    assert_int_equal(ftruncate(fd, status.st_size - 1), 0);
    assert_null(shmf_frame_attach(test_name("good"), NULL, &err));
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    assert_int_equal(ftruncate(fd, status.st_size + 1), 0);
    assert_null(shmf_frame_attach(test_name("good"), NULL, &err));
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    assert_int_equal(ftruncate(fd, status.st_size), 0);
    struct shmf_frame *again = shmf_frame_attach(test_name("good"), NULL, &err);
    assert_int_equal(shmf_frame_equal(frame, again), 1);
    shmf_frame_free(again);
    close(fd);
    shmf_share_free(share);
    shmf_frame_free(frame);
}

static void test_validation_reaches_the_values(void **state)
{
    (void)state;
    struct shmf_frame *frame = typed_frame(&err);
    struct shmf_share *share = shmf_frame_publish(frame, test_name("full"), NULL, &err);
    struct shmf_format_frame header;
    struct shmf_format_column column;
    int fd = open(test_name_path("full"), O_RDWR | O_CLOEXEC);
    assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
    assert_int_equal(pread(fd, &column, sizeof column, (off_t)header.columns_offset),
                     sizeof column);
    assert_int_equal(pwrite(fd, "\xff", 1, (off_t)column.data_offset), 1);
    struct shmf_attach_options options = {.validation = SHMF_VALIDATE_DEFAULT};
    struct shmf_frame *again = shmf_frame_attach(test_name("full"), &options, &err);
    assert_non_null(again);
    shmf_frame_free(again);
    options.validation = SHMF_VALIDATE_FULL;
    assert_null(shmf_frame_attach(test_name("full"), &options, &err));
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    close(fd);
    shmf_share_free(share);
    shmf_frame_free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_planted_links_and_files_of_other_kinds_are_refused),
        test_case(test_files_that_others_may_write_or_that_belong_to_others_are_refused),
        test_case(test_files_that_hold_no_segment_are_refused_and_not_removed),
        test_case(test_wrong_bytes_under_a_name_are_refused_by_field),
        test_case(test_validation_reaches_the_values),
    };
    test_begin();
    test_own_names(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

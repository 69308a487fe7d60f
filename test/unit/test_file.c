/* file/: a file appears whole or not at all. */
#include "base/sys.h"

#include <shmframe/file.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/faults.h"
#include "support/folder.h"
#include "support/test.h"

static struct shmf_error err;

static int make_folder(void **state)
{
    (void)state;
    err = (struct shmf_error){0};
    return folder_make("table.csv");
}

static int files_in_folder(void)
{
    int n = 0;
    DIR *all = opendir(folder);
    while (readdir(all))
        n++;
    closedir(all);
    return n - 2; /* itself and its parent */
}

static void put(const char *where, const char *text)
{
    FILE *out = fopen(where, "w");
    assert_non_null(out);
    fputs(text, out);
    assert_int_equal(fclose(out), 0);
}

static void assert_holds(const char *expected)
{
    char text[64] = "";
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    assert_true(fgets(text, sizeof text, in) || feof(in));
    fclose(in);
    assert_string_equal(text, expected);
}

static struct shmf_file *begin(void)
{
    struct shmf_file *file = NULL;
    assert_int_equal(shmf_file_begin(path, &file, &err), SHMF_OK);
    assert_non_null(file);
    return file;
}

static void test_a_file_appears_when_it_is_finished(void **state)
{
    (void)state;
    struct shmf_file *file = begin();
    put(shmf_file_path(file), "complete");
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(shmf_file_finish(file, &err), SHMF_OK);
    assert_holds("complete");
    assert_int_equal(files_in_folder(), 1);
}

static void test_one_that_was_there_stays_until_then(void **state)
{
    (void)state;
    put(path, "old");
    struct shmf_file *file = begin();
    put(shmf_file_path(file), "new");
    assert_holds("old");
    assert_int_equal(shmf_file_finish(file, &err), SHMF_OK);
    assert_holds("new");
}

static void test_what_is_given_up_leaves_nothing(void **state)
{
    (void)state;
    put(path, "old");
    struct shmf_file *file = begin();
    put(shmf_file_path(file), "half");
    shmf_file_free(file);
    shmf_file_free(NULL);
    assert_holds("old");
    assert_int_equal(files_in_folder(), 1);
}

static void test_two_at_once_do_not_meet(void **state)
{
    (void)state;
    struct shmf_file *first = begin(), *second = begin();
    assert_string_not_equal(shmf_file_path(first), shmf_file_path(second));
    put(shmf_file_path(first), "first");
    put(shmf_file_path(second), "second");
    assert_int_equal(shmf_file_finish(second, &err), SHMF_OK);
    assert_int_equal(shmf_file_finish(first, &err), SHMF_OK);
    assert_holds("first");
    assert_int_equal(files_in_folder(), 1);
}

static void test_what_another_left_behind_is_not_touched(void **state)
{
    (void)state;
    struct shmf_file *file = begin();
    char left[128];
    unsigned number = 0;
    assert_int_equal(sscanf(strrchr(shmf_file_path(file), '.'), ".%u", &number), 1);
    shmf_file_free(file);
    snprintf(left, sizeof left, "%s.%ld.%u", path, (long)getpid(), number + 1);
    put(left, "of a process that had our number");
    file = begin();
    assert_string_not_equal(shmf_file_path(file), left);
    shmf_file_free(file);
    assert_int_equal(unlink(left), 0);
}

static void test_permissions_are_what_the_umask_leaves(void **state)
{
    (void)state;
    struct stat status;
    const mode_t mask = umask(027);
    struct shmf_file *file = begin();
    umask(mask);
    assert_int_equal(shmf_file_finish(file, &err), SHMF_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

static void test_what_is_no_file_is_written_to_and_not_replaced(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(mkfifo(path, 0600), 0);
    struct shmf_file *file = begin();
    assert_string_equal(shmf_file_path(file), path);
    assert_int_equal(shmf_file_finish(file, &err), SHMF_OK);
    shmf_file_free(begin());
    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
}

static void test_what_cannot_be_begun_says_why(void **state)
{
    (void)state;
    char nowhere[128];
    struct shmf_file *file = NULL;
    snprintf(nowhere, sizeof nowhere, "%s/none/table.csv", folder);
    assert_int_equal(shmf_file_begin(nowhere, &file, &err), SHMF_E_NOTFOUND);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_non_null(strstr(err.message, "/none/table.csv: No such file or directory"));
    assert_int_equal(shmf_file_begin(folder, &file, &err), SHMF_E_SYS);
    assert_int_equal(err.sys_errno, EISDIR);
    assert_int_equal(shmf_file_begin(NULL, &file, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_file_begin(path, NULL, NULL), SHMF_E_INVAL);
    assert_int_equal(shmf_file_finish(NULL, &err), SHMF_E_INVAL);
    assert_null(shmf_file_path(NULL));
    assert_null(file);
}

/* A folder has taken the name meanwhile, so the file cannot. */
static void test_what_cannot_take_its_name_is_removed(void **state)
{
    (void)state;
    struct shmf_file *file = begin();
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(shmf_file_finish(file, &err), SHMF_E_SYS);
    assert_int_equal(err.sys_errno, EISDIR);
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(rmdir(path), 0);
}

static void test_every_refusal_of_the_system_is_told(void **state)
{
    (void)state;
    static const struct {
        enum fault_call call;
        int error, at, status;
    } refusals[] = {{FAULT_malloc, ENOMEM, 1, SHMF_E_NOMEM},
                    {FAULT_open, EMFILE, 2, SHMF_E_NOFILES},
                    {FAULT_open, ENOSPC, 2, SHMF_E_NOSPC},
                    {FAULT_open, EROFS, 2, SHMF_E_PERM}};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct shmf_file *file = NULL;
        faults_watch(&(struct faults){
            .call = refusals[i].call, .error = refusals[i].error, .at = refusals[i].at});
        int rc = shmf_file_begin(path, &file, &err);
        faults_restore();
        assert_int_equal(rc, refusals[i].status);
        assert_null(file);
    }
    assert_int_equal(files_in_folder(), 0);
}

#define in_folder(name) cmocka_unit_test_setup_teardown(name, make_folder, folder_remove)

int main(void)
{
    test_begin();
    const struct CMUnitTest tests[] = {
        in_folder(test_a_file_appears_when_it_is_finished),
        in_folder(test_one_that_was_there_stays_until_then),
        in_folder(test_what_is_given_up_leaves_nothing),
        in_folder(test_two_at_once_do_not_meet),
        in_folder(test_what_another_left_behind_is_not_touched),
        in_folder(test_permissions_are_what_the_umask_leaves),
        in_folder(test_what_is_no_file_is_written_to_and_not_replaced),
        in_folder(test_what_cannot_be_begun_says_why),
        in_folder(test_what_cannot_take_its_name_is_removed),
        in_folder(test_every_refusal_of_the_system_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

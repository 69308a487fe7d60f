#include "support/account.h"

#include "support/clock.h"
#include "support/names.h"
#include "support/process.h"
#include "support/shared.h"

#include <shmframe/memory.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 4096

/* Absent where the test program links nothing of the library. */
#pragma weak shmf_memory_trim

static void add_line(struct test_account *account, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_line(struct test_account *account, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char **lines = reallocarray(account->lines, account->count + 1, sizeof *lines);
    if (!lines || vasprintf(&lines[account->count], format, args) < 0)
        abort();
    va_end(args);
    account->lines = lines;
    account->count++;
}

static void add_fd(const struct test_holding *holding, void *account)
{
    add_line(account, "descriptor %d -> %s", holding->fd, holding->target);
}

static void add_mapping(const struct test_holding *holding, void *account)
{
    add_line(account, "mapping of %s, inode %llu", holding->target,
             (unsigned long long)holding->inode);
}

static bool ours(const struct test_holding *holding)
{
    return !strncmp(holding->target, "/memfd:shmf", 11) ||
           !strncmp(holding->target, "/dev/shm/shmf", 13);
}

struct held_by {
    struct test_account *account;
    const struct test_process *process;
};

static void add_held(const struct test_holding *holding, void *context)
{
    const struct held_by *by = context;
    if (ours(holding))
        add_line(by->account, "%s %s by process %d %s", holding->target,
                 holding->fd < 0 ? "mapped" : "open", (int)by->process->pid, by->process->name);
}

/* Zombies of others are not ours to reap: an orphan's belongs to init, which may take its time. */
static const char *kind_of(const struct test_process *process)
{
    bool child = process->parent == getpid();
    if (process->state == 'Z')
        return child ? "zombie" : NULL;
    return child ? "child" : "process";
}

static void add_processes(struct test_account *account)
{
    struct test_process *list = calloc(MOST, sizeof *list);
    if (!list)
        abort();
    size_t count = test_process_list(list, MOST);
    for (size_t i = 0; i < count; i++) {
        const char *what = kind_of(&list[i]);
        if (!what)
            continue;
        add_line(account, "%s %d %s", what, (int)list[i].pid, list[i].name);
        struct held_by by = {account, &list[i]};
        test_each_fd(list[i].pid, add_held, &by);
        test_each_shared_mapping(list[i].pid, add_held, &by);
    }
    free(list);
}

/* Names that other tests publish at the same time are theirs. */
static bool of_another(const char *file)
{
    char own[40];
    snprintf(own, sizeof own, "shmf.t%016" PRIx64 "-", test_token());
    return file[4] != '-' && !test_names_are_own() && strncmp(file, own, strlen(own)) != 0;
}

static void add_dev_shm(struct test_account *account)
{
    DIR *shm = opendir("/dev/shm");
    if (!shm)
        return;
    struct dirent *entry;
    while ((entry = readdir(shm)))
        if (!strncmp(entry->d_name, "shmf", 4) && !of_another(entry->d_name))
            add_line(account, "name /dev/shm/%s", entry->d_name);
    closedir(shm);
}

static int by_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

struct test_account test_account_take(void)
{
    struct test_account account = {0};
    if (shmf_memory_trim)
        shmf_memory_trim(0);
    test_each_fd(getpid(), add_fd, &account);
    test_each_shared_mapping(getpid(), add_mapping, &account);
    add_processes(&account);
    add_dev_shm(&account);
    qsort(account.lines, account.count, sizeof *account.lines, by_text);
    return account;
}

void test_account_free(struct test_account *account)
{
    for (size_t i = 0; i < account->count; i++)
        free(account->lines[i]);
    free(account->lines);
    *account = (struct test_account){0};
}

size_t test_account_leaks(const struct test_account *before, const struct test_account *after,
                          bool print)
{
    size_t leaks = 0;
    size_t old = 0;
    for (size_t i = 0; i < after->count; i++) {
        while (old < before->count && strcmp(before->lines[old], after->lines[i]) < 0)
            old++;
        if (old < before->count && !strcmp(before->lines[old], after->lines[i])) {
            old++;
            continue;
        }
        leaks++;
        if (print)
            fprintf(stderr, "left over: %s\n", after->lines[i]);
    }
    return leaks;
}

static double patience = 30;

void test_account_set_patience(double seconds)
{
    patience = seconds;
}

static bool settled(void *before)
{
    struct test_account now = test_account_take();
    size_t leaks = test_account_leaks(before, &now, false);
    test_account_free(&now);
    return leaks == 0;
}

size_t test_account_settle(const struct test_account *before)
{
    if (test_wait_until(patience, settled, (void *)(uintptr_t)before))
        return 0;
    struct test_account now = test_account_take();
    size_t leaks = test_account_leaks(before, &now, true);
    test_account_free(&now);
    return leaks;
}

/* Of the test that runs; CMocka runs one at a time, and its state belongs to the test. */
static struct test_account current;

int test_account_setup(void **state)
{
    (void)state;
    current = test_account_take();
    return 0;
}

int test_account_teardown(void **state)
{
    (void)state;
    size_t leaks = test_account_settle(&current);
    test_account_free(&current);
    return leaks ? -1 : 0;
}

struct inodes {
    uint64_t seen[MOST];
    size_t count;
    uint64_t bytes;
};

static void add_inode(const struct test_holding *holding, void *context)
{
    struct inodes *inodes = context;
    if (!ours(holding))
        return;
    for (size_t i = 0; i < inodes->count; i++)
        if (inodes->seen[i] == holding->inode)
            return;
    if (inodes->count < MOST)
        inodes->seen[inodes->count++] = holding->inode;
    inodes->bytes += holding->bytes;
}

static void add_inodes_of(struct inodes *inodes, pid_t pid)
{
    test_each_fd(pid, add_inode, inodes);
    test_each_shared_mapping(pid, add_inode, inodes);
}

uint64_t test_shared_bytes(void)
{
    struct inodes *inodes = calloc(1, sizeof *inodes);
    struct test_process *list = calloc(MOST, sizeof *list);
    if (!inodes || !list)
        abort();
    size_t count = test_process_list(list, MOST);
    add_inodes_of(inodes, getpid());
    for (size_t i = 0; i < count; i++)
        add_inodes_of(inodes, list[i].pid);
    uint64_t bytes = inodes->bytes;
    free(list);
    free(inodes);
    return bytes;
}

static bool nothing_runs(void *unused)
{
    struct test_process list[16];
    (void)unused;
    size_t count = test_process_list(list, 16);
    for (size_t i = 0; i < count; i++)
        if (list[i].state != 'Z' && list[i].state != 'X')
            return false;
    return test_shared_bytes() == 0;
}

bool test_nothing_runs(double seconds)
{
    bool nothing = test_wait_until(seconds, nothing_runs, NULL);
    if (!nothing)
        test_process_print();
    return nothing;
}

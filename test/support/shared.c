#include "support/shared.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void visit_fd(pid_t pid, int fd, test_holding_visit visit, void *context)
{
    char path[64];
    char target[512];
    struct test_holding holding = {.target = target, .fd = fd};
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length < 0)
        return;
    target[length] = '\0';
    struct stat status;
    if (!strncmp(target, "/memfd:", 7) && !stat(path, &status)) {
        holding.inode = status.st_ino;
        holding.bytes = (uint64_t)status.st_blocks * 512;
    }
    visit(&holding, context);
}

void test_each_fd(pid_t pid, test_holding_visit visit, void *context)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path);
    if (!fds)
        return;
    struct dirent *entry;
    while ((entry = readdir(fds))) {
        int fd = (int)strtol(entry->d_name, NULL, 10);
        bool own = pid == getpid() && fd == dirfd(fds);
        if (isdigit((unsigned char)entry->d_name[0]) && !own)
            visit_fd(pid, fd, visit, context);
    }
    closedir(fds);
}

/* The pages of the file behind a mapping; the mapping's size for whoever may not look. */
static uint64_t mapped_bytes(pid_t pid, uint64_t start, uint64_t end)
{
    char path[96];
    struct stat status;
    snprintf(path, sizeof path, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, start, end);
    return stat(path, &status) ? end - start : (uint64_t)status.st_blocks * 512;
}

/* "start-end perms offset dev inode   path" */
static void visit_mapping(pid_t pid, char *line, test_holding_visit visit, void *context)
{
    uint64_t start, end;
    struct test_holding holding = {.fd = -1};
    int path_at = 0;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %" SCNu64 " %n", &start, &end,
               &holding.inode, &path_at) < 3)
        return;
    holding.target = line + path_at;
    /* Shared memory without a file is a deleted /dev/zero to /proc. */
    if (strncmp(holding.target, "/memfd:", 7) && strncmp(holding.target, "/dev/shm/", 9) &&
        strncmp(holding.target, "/dev/zero", 9))
        return;
    holding.bytes = mapped_bytes(pid, start, end);
    visit(&holding, context);
}

void test_each_shared_mapping(pid_t pid, test_holding_visit visit, void *context)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return;
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, maps) > 0)
        visit_mapping(pid, line, visit, context);
    free(line);
    fclose(maps);
}

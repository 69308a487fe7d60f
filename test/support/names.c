#include "support/names.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <unistd.h>

#define ROOM 64

static bool own;
static uint64_t token;

/* Before main, so that all children have the same. A process number would not do: what a killed
 * program left is there still when another one, perhaps another user's, gets its number. */
__attribute__((constructor)) static void draw(void)
{
    if (getrandom(&token, sizeof token, 0) != sizeof token)
        abort();
}

uint64_t test_token(void)
{
    return token;
}

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool fine = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return fine;
}

/* In a user namespace of its own a process may mount, too. */
static bool unshare_as_user(void)
{
    char users[40], groups[40];
    snprintf(users, sizeof users, "%u %u 1", geteuid(), geteuid());
    snprintf(groups, sizeof groups, "%u %u 1", getegid(), getegid());
    return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 &&
           write_file("/proc/self/setgroups", "deny") && write_file("/proc/self/uid_map", users) &&
           write_file("/proc/self/gid_map", groups);
}

bool test_own_names(const char *options)
{
    own = (unshare(CLONE_NEWNS) == 0 || unshare_as_user()) &&
          mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
          mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
    if (!own)
        fprintf(stderr, "no /dev/shm of our own: mount namespaces are not permitted here\n");
    return own;
}

bool test_names_are_own(void)
{
    return own;
}

static char *next(void)
{
    static char names[ROOM][300];
    static int used;
    return names[used++ % ROOM];
}

const char *test_name(const char *name)
{
    char *to = next();
    snprintf(to, 300, "t%016" PRIx64 "-%s", token, name);
    return to;
}

const char *test_name_path(const char *name)
{
    char *to = next();
    snprintf(to, 300, "/dev/shm/shmf.t%016" PRIx64 "-%s", token, name);
    return to;
}

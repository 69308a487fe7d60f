#include "support/names.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define ROOM 64

static bool own;

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
    snprintf(to, 300, "t%d-%s", (int)getsid(0), name);
    return to;
}

const char *test_name_path(const char *name)
{
    char *to = next();
    snprintf(to, 300, "/dev/shm/shmf.t%d-%s", (int)getsid(0), name);
    return to;
}

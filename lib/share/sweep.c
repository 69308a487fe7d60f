/* Removing names whose owners were killed. */
#include "share/share_internal.h"

#include "base/error.h"
#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A file that lies where ours lie but holds no segment is left to whoever put it there. What was
 * not complete when its maker was killed cannot be looked at: there the name must do. */
static bool is_ours(const char *path, const struct shmf_name_info *info)
{
    static const char unborn[] = SHMFI_SHARE_FOLDER "/" SHMFI_SHARE_UNBORN;
    if (info->kind != SHMF_KIND_NONE)
        return true;
    return !strncmp(path, unborn, sizeof unborn - 1) &&
           strspn(path + sizeof unborn - 1, "0123456789abcdef") == 16 &&
           strlen(path) == sizeof unborn - 1 + 16;
}

/* With the lock: is it still the file to which the name leads? Then it goes. */
static int remove_locked(const char *path, const struct stat *status, struct shmf_error *err)
{
    if (!shmfi_name_leads_to(path, status))
        return shmfi_error(err, SHMF_E_NOTFOUND, "%s is gone already", path);
    if (shmfi_sys.unlink(path))
        return errno == ENOENT ? shmfi_error(err, SHMF_E_NOTFOUND, "%s is gone already", path)
                               : shmfi_error_sys(err, errno, "%s", path);
    return SHMFI_NAME_REMOVED;
}

/* Who locks for a moment is no owner, and whoever has just let go may have been anybody. */
static int look_who_holds_it(int fd)
{
    int64_t pid;
    return shmfi_lock_look(fd, &pid) && pid ? SHMFI_NAME_KEPT : SHMFI_NAME_BUSY;
}

static int remove_opened(const char *path, int fd, const struct stat *status, bool persistent_too,
                         struct shmf_name_info *seen, struct shmf_error *err)
{
    if (status->st_uid != geteuid())
        return shmfi_error(err, SHMF_E_PERM, "%s belongs to user %u", path, status->st_uid);
    int rc = shmfi_lock_take(fd, 1, err); /* goes with the descriptor */
    if (rc <= 0)
        return rc ? rc : look_who_holds_it(fd);
    shmfi_info_fill(fd, status, seen);
    if (!persistent_too && (status->st_mode & SHMFI_PERSISTENT))
        return SHMFI_NAME_KEPT;
    if (!is_ours(path, seen))
        return shmfi_error(err, SHMF_E_CORRUPT, "%s holds neither frame nor array", path);
    return remove_locked(path, status, err);
}

int shmfi_name_remove(const char *path, bool persistent_too, struct shmf_name_info *seen,
                      struct shmf_error *err)
{
    struct shmf_name_info unseen = {.state = SHMF_NAME_UNKNOWN};
    struct stat status;
    int fd;
    int rc = shmfi_name_open(path, O_RDWR, &fd, &status, err);
    if (rc)
        return rc;
    rc = remove_opened(path, fd, &status, persistent_too, seen ? seen : &unseen, err);
    shmfi_sys.close(fd);
    return rc;
}

int shmfi_name_remove_waiting(const char *path, bool persistent_too, struct shmf_error *err)
{
    int rc = SHMFI_NAME_BUSY;
    for (int ms = 0; rc == SHMFI_NAME_BUSY && ms < 1000; ms++) {
        if (ms)
            shmfi_sys.poll(NULL, 0, 1);
        rc = shmfi_name_remove(path, persistent_too, NULL, err);
    }
    return rc;
}

int shmf_name_unlink(const char *name, struct shmf_error *err)
{
    struct shmfi_path path;
    int rc = shmfi_name_path(name, &path, err);
    if (rc)
        return rc;
    rc = shmfi_name_remove_waiting(path.text, true, err);
    if (rc == SHMFI_NAME_KEPT || rc == SHMFI_NAME_BUSY)
        return shmfi_error(err, SHMF_E_ACCESS, "%s has an owner that is alive", path.text);
    return rc < 0 ? rc : SHMF_OK;
}

struct sweep {
    void (*visit)(const struct shmf_name_info *info, void *context);
    void *context;
    int64_t count;
};

/* `file` is the name of a file; that of a frame or array comes behind the prefix. */
static void sweep_file(const char *file, struct sweep *sweep)
{
    struct shmfi_path path;
    struct shmf_name_info info = {.state = SHMF_NAME_UNKNOWN};
    size_t length = strlen(SHMFI_SHARE_PREFIX);
    bool named = strncmp(file, SHMFI_SHARE_PREFIX, length) == 0;
    if (!named && strncmp(file, SHMFI_SHARE_UNBORN, strlen(SHMFI_SHARE_UNBORN)) != 0)
        return;
    int size = snprintf(path.text, sizeof path.text, "%s/%s", SHMFI_SHARE_FOLDER, file);
    if (size < 0 || (size_t)size >= sizeof path.text ||
        shmfi_name_remove(path.text, false, &info, NULL) != SHMFI_NAME_REMOVED)
        return;
    sweep->count++;
    info.state = SHMF_NAME_LEFTOVER;
    info.pid = 0;
    snprintf(info.name, sizeof info.name, "%s", named ? file + length : file);
    if (sweep->visit)
        sweep->visit(&info, sweep->context);
}

int64_t shmf_name_sweep(void (*visit)(const struct shmf_name_info *info, void *context),
                        void *context, struct shmf_error *err)
{
    struct sweep sweep = {visit, context, 0};
    DIR *folder = opendir(SHMFI_SHARE_FOLDER);
    if (!folder)
        return shmfi_error_sys(err, errno, "%s", SHMFI_SHARE_FOLDER);
    struct dirent *entry;
    while ((entry = readdir(folder)))
        sweep_file(entry->d_name, &sweep);
    closedir(folder);
    return sweep.count;
}

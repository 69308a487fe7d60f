/* Publishing: a file that is complete before it has a name. */
#include "share/publish.h"

#include "base/error.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* A name that goes and comes back between two looks has met this many others. */
#define MOST_TRIES 1000

#define MOST_MODE (S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH)

int shmfi_publish_options(const struct shmf_publish_options *options,
                          struct shmf_publish_options *checked, struct shmf_error *err)
{
    *checked = options ? *options : (struct shmf_publish_options){0};
    if (!checked->mode)
        checked->mode = S_IRUSR | S_IWUSR;
    if (checked->policy > SHMF_PERSISTS)
        return shmfi_error(err, SHMF_E_INVAL, "publish_options.policy: %u is none",
                           checked->policy);
    if ((checked->mode & ~(uint32_t)MOST_MODE) || (checked->mode & S_IRWXU) != (S_IRUSR | S_IWUSR))
        return shmfi_error(err, SHMF_E_INVAL,
                           "publish_options.mode: 0%o is not 0600, 0640, 0604 or 0644",
                           checked->mode);
    return shmfi_check_reserved(checked->reserved,
                                sizeof checked->reserved / sizeof checked->reserved[0],
                                "publish_options", err);
}

/* ---- a file without a name, or with one that is nobody's ------------------------------------- */

/* Whoever sweeps may take the file between its making and its locking: then another is made. */
static int make_unborn(struct shmfi_path *unborn, int *fd, struct shmf_error *err)
{
    for (int tries = 0; tries < MOST_TRIES; tries++) {
        uint64_t number;
        struct stat status;
        int rc = shmfi_random_id(&number, err);
        if (rc)
            return rc;
        snprintf(unborn->text, sizeof unborn->text, "%s/%s%016" PRIx64, SHMFI_SHARE_FOLDER,
                 SHMFI_SHARE_UNBORN, number);
        *fd =
            shmfi_sys.open(unborn->text, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (*fd < 0 && errno == EEXIST)
            continue;
        if (*fd < 0)
            return shmfi_error_sys(err, errno, "a file in %s", SHMFI_SHARE_FOLDER);
        rc = shmfi_lock_take(*fd, shmfi_lock_length_of_owner(), err);
        if (rc > 0 && !shmfi_sys.fstat(*fd, &status) && shmfi_name_leads_to(unborn->text, &status))
            return SHMF_OK;
        shmfi_sys.close(*fd);
        if (rc < 0)
            return rc;
    }
    return shmfi_error(err, SHMF_E_SYS, "files in %s do not stay", SHMFI_SHARE_FOLDER);
}

static int make_nameless(int *fd, struct shmf_error *err)
{
    int rc = shmfi_lock_take(*fd, shmfi_lock_length_of_owner(), err);
    if (rc > 0)
        return SHMF_OK;
    shmfi_sys.close(*fd);
    return rc ? rc : shmfi_error(err, SHMF_E_SYS, "a new file is locked already");
}

/* A locked, empty file; `unborn` is empty where it has no name at all. */
static int make_file(struct shmfi_path *unborn, int *fd, struct shmf_error *err)
{
    unborn->text[0] = '\0';
    *fd = shmfi_sys.open(SHMFI_SHARE_FOLDER, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd >= 0)
        return make_nameless(fd, err);
    if (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)
        return make_unborn(unborn, fd, err);
    return shmfi_error_sys(err, errno, "a file in %s", SHMFI_SHARE_FOLDER);
}

/* ---- the name -------------------------------------------------------------------------------- */

/* 0, or errno. Without /proc a file that has no name cannot get one. */
static int give_name(int fd, const struct shmfi_path *unborn, const char *path)
{
    char link[40];
    if (unborn->text[0])
        return shmfi_sys.renameat2(AT_FDCWD, unborn->text, AT_FDCWD, path, RENAME_NOREPLACE) ? errno
                                                                                             : 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return shmfi_sys.linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW) ? errno : 0;
}

/* Takes the name; from a leftover too. */
static int take_name(int fd, const struct shmfi_path *unborn, const char *path,
                     struct shmf_error *err)
{
    for (int tries = 0; tries < MOST_TRIES; tries++) {
        int why = give_name(fd, unborn, path);
        if (!why)
            return SHMF_OK;
        if (why != EEXIST)
            return shmfi_error_sys(err, why, "%s", path);
        int rc = shmfi_name_remove_waiting(path, false, NULL);
        if (rc != SHMFI_NAME_REMOVED && rc != SHMF_E_NOTFOUND)
            break;
    }
    return shmfi_error(err, SHMF_E_EXISTS, "name: %s is taken", path);
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int fill(int fd, const struct shmfi_outside *bytes,
                const struct shmf_publish_options *options, struct shmf_error *err)
{
    int rc = shmfi_outside_fill(fd, bytes, err);
    if (rc == SHMF_E_NOSPC && shmf_name_sweep(NULL, NULL, NULL) > 0)
        rc = shmfi_outside_fill(fd, bytes, err);
    if (rc)
        return rc;
    mode_t mode = (mode_t)options->mode;
    if (options->policy == SHMF_PERSISTS)
        mode |= SHMFI_PERSISTENT;
    return shmfi_sys.fchmod(fd, mode) ? shmfi_error_sys(err, errno, "permissions of a name")
                                      : SHMF_OK;
}

/* Whoever is killed here leaves nothing: neither file has a name that stays. */
static int make_share(struct shmf_share *share, const struct shmfi_outside *bytes,
                      const struct shmf_publish_options *options, struct shmf_error *err)
{
    struct shmfi_path unborn;
    int fd;
    int rc = make_file(&unborn, &fd, err);
    if (rc)
        return rc;
    rc = fill(fd, bytes, options, err);
    if (!rc && shmfi_sys.fstat(fd, &share->status))
        rc = shmfi_error_sys(err, errno, "file of a name");
    if (!rc)
        rc = shmfi_owner_begin(share, fd, options->policy);
    if (!rc) {
        rc = take_name(fd, &unborn, share->path.text, err);
        if (!rc)
            return SHMF_OK;
        shmfi_owner_end(share);
        fd = -1;
    }
    if (unborn.text[0])
        shmfi_sys.unlink(unborn.text);
    if (fd >= 0)
        shmfi_sys.close(fd);
    return rc;
}

struct shmf_share *shmfi_publish_bytes(const struct shmfi_outside *bytes, const char *name,
                                       const struct shmf_publish_options *options,
                                       struct shmf_error *err)
{
    struct shmf_share *share = shmfi_sys.calloc(1, sizeof *share);
    if (!share) {
        shmfi_error(err, SHMF_E_NOMEM, "share");
        return NULL;
    }
    int rc = shmfi_name_path(name, &share->path, err);
    if (!rc)
        rc = make_share(share, bytes, options, err);
    if (!rc)
        return share;
    shmfi_sys.free(share);
    return NULL;
}

struct shmf_share *shmf_frame_publish(const struct shmf_frame *frame, const char *name,
                                      const struct shmf_publish_options *options,
                                      struct shmf_error *err)
{
    struct shmf_publish_options checked;
    struct shmfi_object_bytes object;
    if (shmfi_publish_options(options, &checked, err) || shmfi_bytes_of_frame(frame, &object, err))
        return NULL;
    struct shmf_share *share = shmfi_publish_bytes(&object.bytes, name, &checked, err);
    shmf_frame_free(object.stand_in);
    return share;
}

struct shmf_share *shmf_array_publish(const struct shmf_array *array, const char *name,
                                      const struct shmf_publish_options *options,
                                      struct shmf_error *err)
{
    struct shmf_publish_options checked;
    struct shmfi_object_bytes object;
    if (shmfi_publish_options(options, &checked, err) || shmfi_bytes_of_array(array, &object, err))
        return NULL;
    return shmfi_publish_bytes(&object.bytes, name, &checked, err);
}

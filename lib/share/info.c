/* What there is to know about a name. */
#include "share/share_internal.h"

#include "base/error.h"
#include "base/sys.h"
#include "format/format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- one ------------------------------------------------------------------------------------- */

static bool describe_frame(const void *start, uint64_t size, struct shmf_name_info *info)
{
    struct shmf_format_frame header;
    if (shmfi_format_read_frame(start, size, &header, NULL))
        return false;
    info->kind = SHMF_KIND_FRAME;
    info->dtype = (enum shmf_dtype)header.matrix_dtype;
    info->n_dims = 2;
    info->shape[0] = (int64_t)header.n_rows;
    info->shape[1] = (int64_t)header.n_columns;
    return true;
}

static void describe_array(const void *start, uint64_t size, struct shmf_name_info *info)
{
    struct shmf_format_array header;
    if (shmfi_format_read_array(start, size, &header, NULL))
        return;
    info->kind = SHMF_KIND_ARRAY;
    info->dtype = (enum shmf_dtype)header.dtype;
    info->n_dims = (int)header.n_dims;
    memcpy(info->shape, header.shape, sizeof info->shape);
}

static enum shmf_name_state state_of(int fd, const struct stat *status, int64_t *pid)
{
    if (shmfi_lock_look(fd, pid) && *pid)
        return SHMF_NAME_OWNED; /* who locks for a moment is about to unlink it */
    return status->st_mode & SHMFI_PERSISTENT ? SHMF_NAME_PERSISTENT : SHMF_NAME_LEFTOVER;
}

static void fill_from_status(const struct stat *status, struct shmf_name_info *info)
{
    info->state = SHMF_NAME_UNKNOWN;
    info->size = (int64_t)status->st_size;
    info->uid = (int64_t)status->st_uid;
    info->mode = (uint32_t)status->st_mode & 0777;
    info->modified = (int64_t)status->st_mtime;
}

void shmfi_info_fill(int fd, const struct stat *status, struct shmf_name_info *info)
{
    struct shmf_format_frame start; /* the larger of the two */
    uint64_t size = (uint64_t)status->st_size;
    uint64_t there = size < sizeof start ? size : sizeof start;
    fill_from_status(status, info);
    info->state = state_of(fd, status, &info->pid);
    memset(&start, 0, sizeof start);
    if (shmfi_outside_read(fd, 0, &start, there, NULL) || start.header.total_size != size)
        return;
    if (!describe_frame(&start, size, info))
        describe_array(&start, size, info);
}

/* What a user may not open can be looked at from outside. */
static int look_once(const struct shmfi_path *path, struct shmf_name_info *info, struct stat *seen,
                     struct shmf_error *err)
{
    struct stat status;
    int fd;
    int rc = shmfi_name_open(path->text, O_RDONLY, &fd, &status, err);
    if (rc == SHMF_E_PERM && !shmfi_name_open(path->text, O_PATH, &fd, &status, NULL)) {
        fill_from_status(&status, info);
        shmfi_sys.close(fd);
        return SHMF_OK;
    }
    if (rc)
        return rc;
    shmfi_info_fill(fd, &status, info);
    shmfi_sys.close(fd);
    *seen = status;
    return SHMF_OK;
}

/* An owner that gave up the name between our opening and our looking at the lock left nothing over:
 * its file has no name, and the name may have another file. */
static int look(const struct shmfi_path *path, struct shmf_name_info *info, struct shmf_error *err)
{
    for (int tries = 0; tries < 1000; tries++) {
        struct stat seen;
        *info = (struct shmf_name_info){.state = SHMF_NAME_UNKNOWN};
        int rc = look_once(path, info, &seen, err);
        if (rc || info->state != SHMF_NAME_LEFTOVER || shmfi_name_leads_to(path->text, &seen))
            return rc;
    }
    return SHMF_OK;
}

int shmf_name_info(const char *name, struct shmf_name_info *info, struct shmf_error *err)
{
    struct shmfi_path path;
    struct shmf_name_info found = {.state = SHMF_NAME_UNKNOWN};
    if (!info)
        return shmfi_error(err, SHMF_E_INVAL, "info: NULL");
    int rc = shmfi_name_path(name, &path, err);
    if (!rc)
        rc = look(&path, &found, err);
    if (rc)
        return rc;
    snprintf(found.name, sizeof found.name, "%s", name);
    *info = found;
    return SHMF_OK;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* What comes and goes meanwhile, and what is none of ours, is passed over. */
int64_t shmf_name_each(int (*visit)(const struct shmf_name_info *info, void *context),
                       void *context, struct shmf_error *err)
{
    if (!visit)
        return shmfi_error(err, SHMF_E_INVAL, "visit: NULL");
    DIR *folder = opendir(SHMFI_SHARE_FOLDER);
    if (!folder)
        return shmfi_error_sys(err, errno, "%s", SHMFI_SHARE_FOLDER);
    struct dirent *entry;
    int64_t count = 0;
    int stop = 0;
    while (!stop && (entry = readdir(folder))) {
        struct shmf_name_info info;
        size_t length = strlen(SHMFI_SHARE_PREFIX);
        if (strncmp(entry->d_name, SHMFI_SHARE_PREFIX, length) != 0 ||
            shmf_name_info(entry->d_name + length, &info, NULL))
            continue;
        count++;
        stop = visit(&info, context);
    }
    closedir(folder);
    return stop ? stop : count;
}

/* From names to files. */
#include "share/share_internal.h"

#include "base/error.h"
#include "base/sys.h"
#include "labels/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Neither control characters, nor what has a meaning in paths, references and shells' words. */
static const char *what_is_wrong(const char *name)
{
    size_t size = strnlen(name, SHMF_NAME_MAX + 1);
    const unsigned char *at = (const unsigned char *)name;
    if (size == 0)
        return "is empty";
    if (size > SHMF_NAME_MAX)
        return "is too long";
    if (*at == '.')
        return "begins with '.'";
    while (size > 0) {
        uint32_t code;
        unsigned length = shmfi_utf8_decode(at, size, &code);
        if (!length)
            return "is no valid UTF-8";
        if (code == '/')
            return "has a '/'";
        if (code == ':')
            return "has a ':'";
        if (code <= ' ' || (code >= 0x7f && code < 0xa0))
            return "has a space or control character";
        at += length;
        size -= length;
    }
    return NULL;
}

int shmfi_name_path(const char *name, struct shmfi_path *path, struct shmf_error *err)
{
    if (!name)
        return shmfi_error(err, SHMF_E_INVAL, "name: NULL");
    const char *wrong = what_is_wrong(name);
    if (wrong)
        return shmfi_error(err, SHMF_E_INVAL, "name: \"%.60s\" %s (1 to %d bytes of text)", name,
                           wrong, SHMF_NAME_MAX);
    snprintf(path->text, sizeof path->text, "%s/%s%s", SHMFI_SHARE_FOLDER, SHMFI_SHARE_PREFIX,
             name);
    return SHMF_OK;
}

static int refuse(int fd, int code)
{
    shmfi_sys.close(fd);
    return code;
}

int shmfi_name_open(const char *path, int flags, int *fd, struct stat *status,
                    struct shmf_error *err)
{
    do
        *fd = shmfi_sys.open(path, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    while (*fd < 0 && errno == EINTR);
    if (*fd < 0 && errno == ENOENT)
        return shmfi_error(err, SHMF_E_NOTFOUND, "there is no %s", path);
    if (*fd < 0 && errno == ELOOP)
        return shmfi_error(err, SHMF_E_PERM, "%s is a symbolic link", path);
    if (*fd < 0 && (errno == EISDIR || errno == ENXIO || errno == ENODEV))
        return shmfi_error(err, SHMF_E_CORRUPT, "%s is no ordinary file", path);
    if (*fd < 0)
        return shmfi_error_sys(err, errno, "%s", path);
    if (shmfi_sys.fstat(*fd, status))
        return refuse(*fd, shmfi_error_sys(err, errno, "%s", path));
    if (S_ISLNK(status->st_mode)) /* O_PATH opens the link itself */
        return refuse(*fd, shmfi_error(err, SHMF_E_PERM, "%s is a symbolic link", path));
    if (!S_ISREG(status->st_mode))
        return refuse(*fd, shmfi_error(err, SHMF_E_CORRUPT, "%s is no ordinary file", path));
    return SHMF_OK;
}

bool shmfi_name_leads_to(const char *path, const struct stat *status)
{
    struct stat now;
    int fd;
    if (shmfi_name_open(path, O_PATH, &fd, &now, NULL))
        return false;
    shmfi_sys.close(fd);
    return now.st_dev == status->st_dev && now.st_ino == status->st_ino;
}

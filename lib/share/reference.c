/* References: handles as text. */
#include "share/share_internal.h"

#include "base/error.h"
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- reading --------------------------------------------------------------------------------- */

/* Digits only, as the library writes them: neither sign nor space nor a zero in front. */
static bool read_number(const char **at, uint64_t most, uint64_t *number)
{
    const char *from = *at;
    *number = 0;
    if (*from < '0' || *from > '9' || (*from == '0' && from[1] >= '0' && from[1] <= '9'))
        return false;
    for (; *from >= '0' && *from <= '9'; from++)
        if (__builtin_mul_overflow(*number, 10, number) ||
            __builtin_add_overflow(*number, (uint64_t)(*from - '0'), number) || *number > most)
            return false;
    *at = from;
    return true;
}

/* The inode tells whether the descriptor is the one that was meant. */
static int open_descriptor(const char *text, int *fd, struct shmf_error *err)
{
    uint64_t number, inode;
    struct stat status;
    const char *at = text;
    if (!read_number(&at, INT_MAX, &number) || *at++ != ':' ||
        !read_number(&at, UINT64_MAX, &inode) || *at)
        return shmfi_error(err, SHMF_E_INVAL,
                           "reference: \"%.60s\" is not NUMBER:INODE of a descriptor", text);
    if (shmfi_sys.fstat((int)number, &status))
        return shmfi_error(err, SHMF_E_INVAL,
                           "reference: descriptor %" PRIu64 " is not open in this process", number);
    if (status.st_ino != inode)
        return shmfi_error(err, SHMF_E_INVAL,
                           "reference: descriptor %" PRIu64 " is not the file that was meant",
                           number);
    *fd = shmfi_sys.fcntl((int)number, F_DUPFD_CLOEXEC, 3);
    return *fd < 0 ? shmfi_error_sys(err, errno, "descriptor %" PRIu64, number) : SHMF_OK;
}

int shmfi_reference_parse(const char *from, const char **name, int *fd, struct shmf_error *err)
{
    static const char names[] = "shmf:name:", descriptors[] = "shmf:fd:";
    if (!from)
        return shmfi_error(err, SHMF_E_INVAL, "from: NULL");
    if (!strncmp(from, descriptors, sizeof descriptors - 1))
        return open_descriptor(from + sizeof descriptors - 1, fd, err);
    if (!strncmp(from, names, sizeof names - 1))
        *name = from + sizeof names - 1;
    else if (!strncmp(from, "shmf:", 5))
        return shmfi_error(err, SHMF_E_INVAL, "reference: \"%.60s\" is neither %s... nor %s...",
                           from, names, descriptors);
    else
        *name = from;
    return SHMF_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* The descriptor that programs inherit has FD_CLOEXEC from nobody. */
static int export(const struct shmfi_object_bytes *object, char to[SHMF_REFERENCE_SIZE],
                  struct shmf_error *err)
{
    struct stat status;
    int fd;
    int rc = shmfi_bytes_sealed(object, &fd, err);
    if (rc)
        return rc;
    if (shmfi_sys.fstat(fd, &status) || shmfi_sys.fcntl(fd, F_SETFD, 0)) {
        rc = shmfi_error_sys(err, errno, "descriptor of a sealed object");
        shmfi_sys.close(fd);
        return rc;
    }
    snprintf(to, SHMF_REFERENCE_SIZE, "shmf:fd:%d:%" PRIu64, fd, (uint64_t)status.st_ino);
    return fd;
}

int shmf_frame_export(const struct shmf_frame *frame, char to[SHMF_REFERENCE_SIZE],
                      struct shmf_error *err)
{
    struct shmfi_object_bytes object;
    if (!to)
        return shmfi_error(err, SHMF_E_INVAL, "to: NULL");
    int rc = shmfi_bytes_of_frame(frame, &object, err);
    if (rc)
        return rc;
    rc = export(&object, to, err);
    shmf_frame_free(object.stand_in);
    return rc;
}

int shmf_array_export(const struct shmf_array *array, char to[SHMF_REFERENCE_SIZE],
                      struct shmf_error *err)
{
    struct shmfi_object_bytes object;
    if (!to)
        return shmfi_error(err, SHMF_E_INVAL, "to: NULL");
    int rc = shmfi_bytes_of_array(array, &object, err);
    return rc ? rc : export(&object, to, err);
}

/* From a file that somebody made to an object. */
#include "share/share_internal.h"

#include "array/array_internal.h"
#include "base/error.h"
#include "base/sys.h"
#include "frame/frame_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int shmfi_attach_options(const struct shmf_attach_options *options,
                         struct shmf_attach_options *checked, struct shmf_error *err)
{
    *checked = options ? *options : (struct shmf_attach_options){0};
    if (checked->access > SHMF_PRIVATE_COPY)
        return shmfi_error(err, SHMF_E_INVAL, "attach_options.access: %u is none", checked->access);
    if (checked->validation > SHMF_VALIDATE_FULL)
        return shmfi_error(err, SHMF_E_INVAL, "attach_options.validation: %u is no level",
                           checked->validation);
    return shmfi_check_reserved(checked->reserved,
                                sizeof checked->reserved / sizeof checked->reserved[0],
                                "attach_options", err);
}

/* ---- segments -------------------------------------------------------------------------------- */

static int refuse(int fd, int code)
{
    shmfi_sys.close(fd);
    return code;
}

/* Of the header only what tells that the file is one segment; the rest is for the object to check,
 * when it reads the header for itself. */
static int check_file(int fd, struct shmf_format_header *header, struct shmf_error *err)
{
    struct stat status;
    if (shmfi_sys.fstat(fd, &status))
        return shmfi_error_sys(err, errno, "descriptor of a segment's file");
    if (!S_ISREG(status.st_mode))
        return shmfi_error(err, SHMF_E_CORRUPT, "descriptor: it is no file that holds a segment");
    if ((uint64_t)status.st_size < sizeof *header)
        return shmfi_error(err, SHMF_E_CORRUPT, "a file of %lld bytes holds no segment",
                           (long long)status.st_size);
    int rc = shmfi_outside_read(fd, 0, header, sizeof *header, err);
    if (rc)
        return rc;
    if (memcmp(header->magic, SHMF_FORMAT_MAGIC, sizeof header->magic) != 0)
        return shmfi_error(err, SHMF_E_CORRUPT, "header: magic is not that of a segment");
    if (header->total_size != (uint64_t)status.st_size)
        return shmfi_error(err, SHMF_E_CORRUPT, "header: total_size is %llu, but the file has %llu",
                           (unsigned long long)header->total_size,
                           (unsigned long long)status.st_size);
    return SHMF_OK;
}

/* All but the generation, which is the copy's own. */
static int copy_file(int fd, uint64_t size, struct shmfi_segment **segment, struct shmf_error *err)
{
    const uint64_t word = offsetof(struct shmf_format_header, generation);
    const uint64_t behind = word + sizeof(uint64_t);
    int rc = shmfi_segment_new(size, 0, segment, err);
    if (rc)
        return rc;
    uint8_t *to = (*segment)->base;
    rc = shmfi_outside_read(fd, 0, to, word, err);
    if (!rc)
        rc = shmfi_outside_read(fd, behind, to + behind, size - behind, err);
    if (rc)
        shmfi_segment_unref(*segment);
    return rc;
}

/* Takes over `fd`. `*copied`: the segment is our own and nobody else can change it. */
static int open_file(int fd, bool may_be_open, const struct shmf_attach_options *options,
                     struct shmfi_segment **segment, bool *copied, struct shmf_error *err)
{
    struct shmf_format_header header;
    bool sealed = shmfi_outside_is_sealed(fd);
    int rc = check_file(fd, &header, err);
    if (rc)
        return refuse(fd, rc);
    *copied = options->access == SHMF_PRIVATE_COPY || (options->untrusted && !sealed);
    if (*copied)
        return refuse(fd, copy_file(fd, header.total_size, segment, err));
    if (!sealed && !may_be_open)
        return refuse(fd,
                      shmfi_error(err, SHMF_E_UNSEALED,
                                  "descriptor: the file lacks seals (SEAL, SHRINK, GROW, WRITE)"));
    return shmfi_segment_attach(fd, header.total_size, header.generation, options->access, segment,
                                err);
}

/* ---- objects --------------------------------------------------------------------------------- */

int shmfi_frame_of_file(int fd, bool may_be_open, const struct shmf_attach_options *options,
                        struct shmf_frame **frame, struct shmf_error *err)
{
    struct shmfi_segment *segment;
    struct shmf_frame *made;
    bool copied;
    int rc = open_file(fd, may_be_open, options, &segment, &copied, err);
    if (rc)
        return rc;
    rc = copied ? shmfi_frame_from_segment(segment, false, &made, err)
                : shmfi_frame_from_attached(segment, &made, err);
    if (rc)
        return rc;
    made->writable = made->writable && options->access != SHMF_READ_ONLY;
    if (options->validation > SHMF_VALIDATE_MINIMAL) /* the rest was done, without touching data */
        rc = shmf_frame_validate(made, (enum shmf_validation)options->validation, err);
    if (rc) {
        shmf_frame_free(made);
        return rc;
    }
    *frame = made;
    return SHMF_OK;
}

int shmfi_array_of_file(int fd, bool may_be_open, const struct shmf_attach_options *options,
                        struct shmf_array **array, struct shmf_error *err)
{
    struct shmfi_segment *segment;
    bool copied;
    int rc = open_file(fd, may_be_open, options, &segment, &copied, err);
    if (rc)
        return rc;
    rc = copied ? shmfi_array_from_segment(segment, false, array, err)
                : shmfi_array_from_attached(segment, array, err);
    if (!rc)
        (*array)->writable = (*array)->writable && options->access != SHMF_READ_ONLY;
    return rc;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* Who may write a file may cut it off under our feet. */
static int check_owner(const char *path, const struct stat *status,
                       struct shmf_attach_options *options, struct shmf_error *err)
{
    if (status->st_mode & (S_IWGRP | S_IWOTH))
        return shmfi_error(err, SHMF_E_PERM, "%s: others may write it (mode 0%o)", path,
                           status->st_mode & 0777);
    if (status->st_uid == geteuid())
        return SHMF_OK;
    if (!options->other_users)
        return shmfi_error(err, SHMF_E_PERM, "%s belongs to user %u", path, status->st_uid);
    options->untrusted = 1;
    return SHMF_OK;
}

static int open_name(const char *name, struct shmf_attach_options *options, int *fd,
                     struct shmf_error *err)
{
    struct shmfi_path path;
    struct stat status;
    int rc = shmfi_name_path(name, &path, err);
    if (!rc)
        rc = shmfi_name_open(path.text, O_RDONLY, fd, &status, err);
    if (rc)
        return rc;
    rc = check_owner(path.text, &status, options, err);
    return rc ? refuse(*fd, rc) : SHMF_OK;
}

/* A name or a reference to either. `*may_be_open`: it was a name. */
static int open_any(const char *from, struct shmf_attach_options *options, int *fd,
                    bool *may_be_open, struct shmf_error *err)
{
    const char *name = NULL;
    int rc = shmfi_reference_parse(from, &name, fd, err);
    if (rc)
        return rc;
    *may_be_open = name != NULL;
    return name ? open_name(name, options, fd, err) : SHMF_OK;
}

struct shmf_frame *shmf_frame_attach(const char *from, const struct shmf_attach_options *options,
                                     struct shmf_error *err)
{
    struct shmf_attach_options checked;
    struct shmf_frame *frame;
    bool may_be_open;
    int fd;
    if (shmfi_attach_options(options, &checked, err) ||
        open_any(from, &checked, &fd, &may_be_open, err) ||
        shmfi_frame_of_file(fd, may_be_open, &checked, &frame, err))
        return NULL;
    return frame;
}

struct shmf_array *shmf_array_attach(const char *from, const struct shmf_attach_options *options,
                                     struct shmf_error *err)
{
    struct shmf_attach_options checked;
    struct shmf_array *array;
    bool may_be_open;
    int fd;
    if (shmfi_attach_options(options, &checked, err) ||
        open_any(from, &checked, &fd, &may_be_open, err) ||
        shmfi_array_of_file(fd, may_be_open, &checked, &array, err))
        return NULL;
    return array;
}

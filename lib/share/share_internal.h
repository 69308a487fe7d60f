/* The inside of share/: names as files, their locks, objects as bytes.
 *
 * Who may do what with a name's file. Its publisher holds an exclusive lock (an OFD lock, which
 * ends with the last descriptor of the file that the publisher opened, so at the latest with the
 * process) from before the name appears. A file that has a name, is not persistent, and is not
 * locked is a leftover. Whoever unlinks a name holds the lock of the file to which it leads, and
 * has compared both after locking; so a name can only come to lead to another file after the lock
 * of the old one was held by whoever removed it. Attaching takes no lock.
 *
 * A publisher locks bytes 0 to its pid, so that lock tells who it is; others who lock for a moment
 * lock byte 0 only. Persistence is the file's sticky bit, set before the name appears. */
#ifndef SHMFI_SHARE_INTERNAL_H
#define SHMFI_SHARE_INTERNAL_H

#include "memory/memory.h"

#include <shmframe/format.h>
#include <shmframe/share.h>

#include <sys/stat.h>

#define SHMFI_SHARE_FOLDER "/dev/shm"
#define SHMFI_SHARE_PREFIX "shmf." /* of the files of names */
#define SHMFI_SHARE_UNBORN                                                                         \
    "shmf~" /* and 16 digits: not complete yet, where O_TMPFILE is missing                         \
             */
#define SHMFI_PERSISTENT S_ISVTX

/* Means nothing in a file, but must not be 0, which is that of released segments. */
#define SHMFI_GENERATION_OF_FILES 1

struct shmfi_path {
    char text[sizeof SHMFI_SHARE_FOLDER "/" SHMFI_SHARE_PREFIX + SHMF_NAME_MAX];
};

/* names.c: SHMF_E_INVAL says what is wrong with the name. */
int shmfi_name_path(const char *name, struct shmfi_path *path, struct shmf_error *err);

/* Opens the file of a name without following a link, waiting or becoming anybody's terminal, and
 * looks at it. SHMF_E_NOTFOUND, SHMF_E_PERM (a link, or no permission), SHMF_E_CORRUPT (no
 * file). */
int shmfi_name_open(const char *path, int flags, int *fd, struct stat *status,
                    struct shmf_error *err);

/* Does the path lead to the file with this status, now? */
bool shmfi_name_leads_to(const char *path, const struct stat *status);

/* lock.c: 1: locked; 0: another holds it; SHMF_E_UNSUPPORTED, ... `length` bytes from 0 on. */
int shmfi_lock_take(int fd, int64_t length, struct shmf_error *err);
int64_t shmfi_lock_length_of_owner(void);

/* A lock on one byte, which the file need not have, for reading; 0, or why not. It ends with the
 * last descriptor and mapping that stem from this `fd`. Is there such a lock, of somebody whose
 * descriptor does not stem from this one? Yes, 1, where that cannot be told. */
int shmfi_lock_share(int fd, uint64_t byte, struct shmf_error *err);
int shmfi_lock_is_shared(int fd, uint64_t byte);

/* Who holds it? 0: nobody; 1: somebody, and `*pid` if that is the owner; 0: for a moment only. */
int shmfi_lock_look(int fd, int64_t *pid);

/* sweep.c: unlinks the name if nobody holds its lock and, unless `persistent_too`, it is not
 * persistent. SHMF_E_NOTFOUND, ... `*seen`, which may be NULL, becomes what was unlinked. */
enum {
    SHMFI_NAME_KEPT = 0, /* it has an owner, or persists */
    SHMFI_NAME_REMOVED = 1,
    SHMFI_NAME_BUSY = 2 /* somebody else is about to unlink it, and holds the lock meanwhile */
};
int shmfi_name_remove(const char *path, bool persistent_too, struct shmf_name_info *seen,
                      struct shmf_error *err);

/* The same, waiting while it is busy, a second at most. */
int shmfi_name_remove_waiting(const char *path, bool persistent_too, struct shmf_error *err);

/* info.c: what the open file (which may be none of ours) and its lock say; all but the name. */
void shmfi_info_fill(int fd, const struct stat *status, struct shmf_name_info *info);

/* objects.c: what a file for others is to hold. `stand_in` is to be freed after use; it is made
 * where the object has no bytes of its own. */
struct shmfi_object_bytes {
    struct shmfi_outside bytes; /* the two pieces: */
    struct shmfi_outside_piece pieces[2];
    const struct shmfi_segment *segment;
    uint32_t kind;
    union {
        struct shmf_format_frame frame;
        struct shmf_format_array array;
    } head;
    struct shmf_frame *stand_in;
};
int shmfi_bytes_of_frame(const struct shmf_frame *frame, struct shmfi_object_bytes *object,
                         struct shmf_error *err);

/* The frame itself, or `*stand_in` for one that has no bytes of its own, which is to be freed after
 * use; NULL, with the reason recorded. */
const struct shmf_frame *shmfi_whole_frame(const struct shmf_frame *frame,
                                           struct shmf_frame **stand_in, struct shmf_error *err);
int shmfi_bytes_of_array(const struct shmf_array *array, struct shmfi_object_bytes *object,
                         struct shmf_error *err);

/* A sealed file that holds the object; a descriptor of it, close-on-exec. */
int shmfi_bytes_sealed(const struct shmfi_object_bytes *object, int *fd, struct shmf_error *err);

/* attach.c: the object in the file; takes over `fd`, on failure too. `may_be_open`: it needs no
 * seals. */
int shmfi_frame_of_file(int fd, bool may_be_open, const struct shmf_attach_options *options,
                        struct shmf_frame **frame, struct shmf_error *err);
int shmfi_array_of_file(int fd, bool may_be_open, const struct shmf_attach_options *options,
                        struct shmf_array **array, struct shmf_error *err);

/* 0, or SHMF_E_INVAL naming the field; `*checked` is all default for NULL. */
int shmfi_attach_options(const struct shmf_attach_options *options,
                         struct shmf_attach_options *checked, struct shmf_error *err);

/* message.c: one message and a descriptor, which stays the sender's; waits as shmf_frame_send()
 * does. What was received without a descriptor has -1. */
int shmfi_message_send(int socket, const void *message, size_t size, int fd, double seconds,
                       struct shmf_error *err);
int shmfi_message_receive(int socket, void *message, size_t size, int *fd, double seconds,
                          struct shmf_error *err);

/* reference.c: is it a reference? Then a descriptor of its own to the file to which it leads, or
 * `*name`. SHMF_E_INVAL. A plain name is returned as it is. */
int shmfi_reference_parse(const char *from, const char **name, int *fd, struct shmf_error *err);

#endif

/* libshmframe: frames and arrays for programs beyond the pool: by name, over a Unix socket, by an
 * inherited descriptor.
 *
 * Three ways to hand an object to a program that shares nothing else with this one. All of them
 * copy it once, into a file of its own; attaching maps that file and copies nothing.
 *
 *   name        any program of the same user, now or later    not sealed: a file of /dev/shm
 *   socket      the process at the other end                  sealed: nobody can change it any more
 *   descriptor  a program that this one executes              sealed
 *
 * What is attached is an object like any other: it is read, sliced, given to tasks of a pool, and
 * freed when it is no longer needed. It is independent of what it was made from, and stays when
 * the name is gone or the sender has ended. What others wrote is checked as hostile (format.md).
 * Attaching never makes anybody an owner: names end with their owner or by shmf_name_unlink().
 * Thread safety: all functions may be called by any thread; one share belongs to one thread at a
 * time. Fork: a share belongs to the process that made it; freeing it in a child frees the
 * child's memory only. */
#ifndef SHMFRAME_SHARE_H
#define SHMFRAME_SHARE_H

#include <shmframe/array.h>
#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

/* ---- publishing by name ------------------------------------------------------------------- */

/* Names have 1 to SHMF_NAME_MAX bytes: printable ASCII or UTF-8 without '/', ':' and spaces, not
 * beginning with '.'. They are the same for all programs of a machine (or of a container, as far
 * as it has a /dev/shm of its own). */
#define SHMF_NAME_MAX 200

/* Room for any reference (below), its NUL included. */
#define SHMF_REFERENCE_SIZE 256

/* The ownership of a name. */
struct shmf_share;

/* What becomes of a name. */
enum shmf_policy {
    SHMF_GOES_WITH_OWNER = 0, /* the name goes when the share is freed or its process exits. Should
                                 the process be killed, the name is a leftover: shmf_name_sweep(),
                                 or the next who wants the name or the room, removes it */
    SHMF_PERSISTS = 1         /* the name stays until it is unlinked, or the machine restarts */
};

/* Zero means the default in every field. */
struct shmf_publish_options {
    uint32_t policy;      /* enum shmf_policy */
    uint32_t mode;        /* permissions of the file; 0: 0600. 0640, 0604, 0644 let others read */
    uint64_t reserved[6]; /* must be zero */
};

/* Copies the object to a file that appears under the name when it is complete, or not at all.
 * `options` may be NULL. SHMF_E_INVAL: the name (the message says what is wrong with it), a mode
 * that lets others write; SHMF_E_EXISTS: the name is taken, and no leftover; SHMF_E_ACCESS: the
 * frame is not finished; SHMF_E_NOSPC: no room (found out before anything is written);
 * SHMF_E_NOMEM; SHMF_E_NOFILES: a share needs one descriptor. The caller owns the share. */
SHMF_API struct shmf_share *shmf_frame_publish(const struct shmf_frame *frame, const char *name,
                                               const struct shmf_publish_options *options,
                                               struct shmf_error *err);
SHMF_API struct shmf_share *shmf_array_publish(const struct shmf_array *array, const char *name,
                                               const struct shmf_publish_options *options,
                                               struct shmf_error *err);

/* Gives up ownership: the name goes, unless it persists. Whoever is attached stays attached. NULL
 * is fine. */
SHMF_API void shmf_share_free(struct shmf_share *share);

/* Removes the name now, whatever the policy. SHMF_E_NOTFOUND: it is gone already.
 * SHMF_E_WRONG_PROCESS: the share is that of the process that this one was forked from. */
SHMF_API int shmf_share_unlink(struct shmf_share *share, struct shmf_error *err);

/* Without the share: removes the name of something that persists, or a leftover. SHMF_E_ACCESS: it
 * has an owner that is alive. SHMF_E_NOTFOUND: there is no such name. SHMF_E_PERM: another user's.
 * SHMF_E_CORRUPT: the file is none of ours. */
SHMF_API int shmf_name_unlink(const char *name, struct shmf_error *err);

/* ---- attaching ---------------------------------------------------------------------------- */

/* Zero means the default in every field. */
struct shmf_attach_options {
    uint32_t access;      /* enum shmf_access. Read-only and copy-on-write map the file */
    uint32_t untrusted;   /* nonzero: what is not sealed is copied whole, so that nobody can change
                             it, or cut it off, while it is used */
    uint32_t validation;  /* enum shmf_validation, of frames; less than MINIMAL means MINIMAL */
    uint32_t other_users; /* nonzero: names of other users too, as untrusted. 0: SHMF_E_PERM */
    uint64_t reserved[6]; /* must be zero */
};

/* The object under a name, or to which a reference (below) leads. `options` may be NULL: read-only,
 * names of this user only. The caller frees the result.
 * The file of a name cannot be sealed. Attaching looks at nothing that is mapped, so that a file
 * that is cut off meanwhile is SHMF_E_CORRUPT; but who then reads what is mapped and gone is sent
 * SIGBUS. Programs of the same user that do such things are not to be trusted: say `untrusted`, or
 * SHMF_PRIVATE_COPY.
 * SHMF_E_NOTFOUND: no such name. SHMF_E_PERM: a symbolic link, another user's file, or one that
 * others may write. SHMF_E_INVAL: the name or reference makes no sense, or it is an object of the
 * other kind. SHMF_E_CORRUPT (names the field), SHMF_E_VERSION. SHMF_E_UNSEALED: a descriptor
 * without all seals. SHMF_E_NOFILES: attached objects keep a descriptor each. SHMF_E_NOMEM,
 * SHMF_E_NOSPC. */
SHMF_API struct shmf_frame *shmf_frame_attach(const char *from,
                                              const struct shmf_attach_options *options,
                                              struct shmf_error *err);
SHMF_API struct shmf_array *shmf_array_attach(const char *from,
                                              const struct shmf_attach_options *options,
                                              struct shmf_error *err);

/* ---- what names there are ----------------------------------------------------------------- */

/* How a name stands with its owner. */
enum shmf_name_state {
    SHMF_NAME_OWNED = 1,      /* its owner lives */
    SHMF_NAME_PERSISTENT = 2, /* it needs no owner */
    SHMF_NAME_LEFTOVER = 3,   /* its owner was killed */
    SHMF_NAME_UNKNOWN = 4     /* a file that this user may not look into */
};

/* What is known about a name; filled by the library. */
struct shmf_name_info {
    char name[SHMF_NAME_MAX + 1];
    enum shmf_name_state state;
    enum shmf_kind kind;          /* SHMF_KIND_NONE: unknown, or no segment that we can read */
    enum shmf_dtype dtype;        /* of an array; of a frame whose columns are a matrix; or 0 */
    int n_dims;                   /* of a frame: 2 */
    int64_t shape[SHMF_MAX_DIMS]; /* of a frame: rows, columns */
    int64_t size;                 /* bytes of the file */
    int64_t uid;                  /* of the user to whom it belongs */
    int64_t pid;                  /* of the owner, if there is one and it is known; else 0 */
    uint32_t mode;                /* permissions */
    uint32_t reserved0;           /* zero */
    int64_t modified;             /* seconds since 1970 */
    uint64_t reserved[4];         /* zero */
};

/* Fills `*info`. SHMF_E_NOTFOUND, SHMF_E_INVAL: the name. */
SHMF_API int shmf_name_info(const char *name, struct shmf_name_info *info, struct shmf_error *err);

/* Calls `visit` for each name, in no order, until it returns something else than 0, which is then
 * returned; else how many there are. */
SHMF_API int64_t shmf_name_each(int (*visit)(const struct shmf_name_info *info, void *context),
                                void *context, struct shmf_error *err);

/* Removes the leftovers of this user's killed processes, telling `visit` (which may be NULL) of
 * each. Names of processes that live, of persistent objects and of other users are not touched.
 * Returns how many were removed, or a negative status. */
SHMF_API int64_t shmf_name_sweep(void (*visit)(const struct shmf_name_info *info, void *context),
                                 void *context, struct shmf_error *err);

/* ---- over a socket ------------------------------------------------------------------------ */

/* Sends a sealed copy over a connected Unix socket of any type: the kernel refuses every later
 * change, by anybody, the sender included. What was received, and is sealed, is passed on without
 * copying it. Waits at most `seconds` until there is room (negative: for ever), whether the socket
 * blocks or not. SHMF_E_TIMEOUT; SHMF_E_CLOSED: the other process is gone; SHMF_E_ACCESS: the frame
 * is not finished; SHMF_E_NOSPC, SHMF_E_NOFILES, SHMF_E_UNSUPPORTED (no memfd). */
SHMF_API int shmf_frame_send(const struct shmf_frame *frame, int socket, double seconds,
                             struct shmf_error *err);
SHMF_API int shmf_array_send(const struct shmf_array *array, int socket, double seconds,
                             struct shmf_error *err);

/* Receives what was sent so; `options` and errors as for attaching, and: SHMF_E_TIMEOUT,
 * SHMF_E_CLOSED; SHMF_E_CORRUPT: the message is no such message (a stream is out of step then);
 * SHMF_E_INVAL: an object of the other kind; SHMF_E_UNSEALED: it is not sealed, and not
 * `untrusted`; SHMF_E_NOFILES: no descriptor is free; the object is lost, and must be sent
 * again. */
SHMF_API struct shmf_frame *shmf_frame_receive(int socket, double seconds,
                                               const struct shmf_attach_options *options,
                                               struct shmf_error *err);
SHMF_API struct shmf_array *shmf_array_receive(int socket, double seconds,
                                               const struct shmf_attach_options *options,
                                               struct shmf_error *err);

/* ---- references: handles as text ---------------------------------------------------------- */

/* The reference to a share: a short text for command lines and environment variables that
 * shmf_frame_attach() and shmf_array_attach() take: "shmf:name:NAME", or "shmf:fd:NUMBER:INODE" for
 * a descriptor that the process inherited. SHMF_E_INVAL: NULL. */
SHMF_API int shmf_share_reference(const struct shmf_share *share, char to[SHMF_REFERENCE_SIZE],
                                  struct shmf_error *err);

/* A sealed copy in a descriptor that programs executed from now on inherit (it is not
 * close-on-exec), and the reference to it. Returns the descriptor, which the caller closes when
 * they are started, or a negative status, as for sending. */
SHMF_API int shmf_frame_export(const struct shmf_frame *frame, char to[SHMF_REFERENCE_SIZE],
                               struct shmf_error *err);
SHMF_API int shmf_array_export(const struct shmf_array *array, char to[SHMF_REFERENCE_SIZE],
                               struct shmf_error *err);

SHMF_END_DECLS

#endif

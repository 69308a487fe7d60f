/* libshmframe: status codes and the error record.
 *
 * Functions that create an object return it, or NULL with the reason in `*err`. All others return
 * 0 (or a count, a row number, ...) on success and one of the negative codes below on failure.
 * Every `struct shmf_error *` argument may be NULL; it is written only on failure.
 * Thread safety: no state is shared; an error record belongs to its caller. */
#ifndef SHMFRAME_ERROR_H
#define SHMFRAME_ERROR_H

#include <shmframe/base.h>

SHMF_BEGIN_DECLS

/* What functions return: zero or a code below it; docs/errors.md says what to do about each. */
enum shmf_status {
    SHMF_OK = 0,
    SHMF_E_INVAL = -1,     /* an argument makes no sense; the message names it */
    SHMF_E_DTYPE = -2,     /* the dtype is not the one that the call needs */
    SHMF_E_RANGE = -3,     /* a position outside the object */
    SHMF_E_NOTFOUND = -4,  /* no such label, column or name */
    SHMF_E_EXISTS = -5,    /* the name is taken */
    SHMF_E_TOOBIG = -6,    /* a size overflows or exceeds a limit of the format */
    SHMF_E_NOMEM = -7,     /* private memory, address space or mappings exhausted */
    SHMF_E_NOSPC = -8,     /* shared memory or the pool's byte budget exhausted */
    SHMF_E_NOFILES = -9,   /* file descriptors exhausted */
    SHMF_E_STALE = -10,    /* the handle's segment was released */
    SHMF_E_CORRUPT = -11,  /* the bytes are not a valid segment; the message names the field */
    SHMF_E_VERSION = -12,  /* a valid segment of a format version that this library cannot read */
    SHMF_E_UNSEALED = -13, /* an untrusted segment without the seals that make it safe */
    SHMF_E_ACCESS = -14,   /* the object was not opened for this (read-only, or unfinished) */
    SHMF_E_PERM = -15,     /* the system refuses (permissions, seccomp) */
    SHMF_E_WRONG_PROCESS = -16, /* the object is that of the process this one was forked from */
    SHMF_E_WORKER_DIED = -17,   /* the worker that ran the task died; see the result's signal */
    SHMF_E_POOL_BROKEN = -18,   /* the pool cannot go on; results already delivered stay valid */
    SHMF_E_CLOSED = -19,        /* the pool or iterator takes no more work */
    SHMF_E_CANCELLED = -20,     /* the task was revoked before it finished */
    SHMF_E_TIMEOUT = -21,       /* a deadline passed */
    SHMF_E_TASK = -22,          /* the task function failed without naming a reason */
    SHMF_E_UNSUPPORTED = -23,   /* this kernel, build or format version lacks the feature */
    SHMF_E_SYS = -24            /* a system call failed; see `sys_errno` */
};

/* Bytes of a message, with its NUL. */
#define SHMF_ERROR_MESSAGE_SIZE 256

/* Why a call failed. */
struct shmf_error {
    int code;                              /* one of enum shmf_status */
    int sys_errno;                         /* errno of the system call behind it, or 0 */
    char message[SHMF_ERROR_MESSAGE_SIZE]; /* English, one line, names the culprit */
};

/* Records a code, a message and, of a failed system call, its errno, whose text is appended, in
 * `*err` (which may be NULL); for functions that report as the library does. Returns the code: for
 * an errno the one that fits it, SHMF_E_SYS if none does. */
SHMF_API int shmf_error_set(struct shmf_error *err, int code, const char *format, ...)
    SHMF_PRINTF(3, 4);
SHMF_API int shmf_error_set_sys(struct shmf_error *err, int sys_errno, const char *format, ...)
    SHMF_PRINTF(3, 4);

/* The code's name, such as "SHMF_E_STALE"; "SHMF_E_?" for a number that is none. Static storage. */
SHMF_API const char *shmf_status_name(int status);

SHMF_END_DECLS

#endif

/* libshmframe: results: what a task delivered, or why it did not.
 *
 * A failed task is a result with a status, not a failure of the iterator. The objects in a result
 * are read-only, lie in the memory in which the worker built them, and live until the result is
 * freed or, if taken, until they are freed themselves. Results may outlive iterator and pool.
 * Thread safety: a result belongs to one thread at a time. */
#ifndef SHMFRAME_RESULT_H
#define SHMFRAME_RESULT_H

#include <shmframe/array.h>
#include <shmframe/frame.h>
#include <stdio.h>

SHMF_BEGIN_DECLS

struct shmf_result;

#define SHMF_BACKTRACE_SIZE 30 /* frames of a backtrace, at most */

/* Where a worker was when SIGSEGV, SIGBUS, SIGILL, SIGFPE or SIGABRT ended it. */
struct shmf_backtrace {
    int count;                            /* of frames, at least 1 */
    uint64_t address;                     /* that the fault was about; 0: none, or not a fault */
    uint64_t frames[SHMF_BACKTRACE_SIZE]; /* code in the worker, innermost first: the same as in the
                                             application, but for libraries that it loaded later */
};

/* Why a task failed. */
struct shmf_failure {
    int code;        /* enum shmf_status */
    int signal;      /* the signal that ended the worker, or 0 */
    int exit_status; /* the worker's exit status where it exited by itself, or -1 */
    int worker;      /* 0 .. workers-1; -1: never ran, or inline */
    int64_t pid;     /* of that worker; 0: unknown */
    int attempts;    /* how often the task was started */
    const struct shmf_backtrace *backtrace; /* lives as long as the result; NULL: none */
    char message[SHMF_ERROR_MESSAGE_SIZE];
};

SHMF_API int64_t shmf_result_index(const struct shmf_result *result); /* of the task, input order */
SHMF_API int shmf_result_status(const struct shmf_result *result);    /* SHMF_OK or a code */
SHMF_API const struct shmf_failure *
shmf_result_failure(const struct shmf_result *result);             /* or NULL */
SHMF_API int shmf_result_worker(const struct shmf_result *result); /* as in struct shmf_failure */
SHMF_API uint64_t
shmf_result_nanoseconds(const struct shmf_result *result); /* in the task function; and, where the
                                                               worker was spinning for a task, some
                                                               50 ns in which it took it */

/* Prints the message, and the backtrace with the names that this process knows: for static
 * functions module and offset, as addr2line takes them. SHMF_E_INVAL; SHMF_E_SYS: the stream
 * failed. */
SHMF_API int shmf_failure_print(const struct shmf_failure *failure, FILE *stream);

/* The slices that a task which failed had been granted (grant.h): what lies there is undefined, but
 * for what the task is known to have written. Borrowed from the result; NULL, and 0 in `*count`
 * (which may be NULL), when there are none or the task did not run. */
SHMF_API const struct shmf_handle *shmf_result_undefined(const struct shmf_result *result,
                                                         size_t *count);

/* What was returned, borrowed from the result; NULL when the task failed or returned something
 * else. `size` may be NULL. A double: NaN then. */
SHMF_API const void *shmf_result_bytes(const struct shmf_result *result, size_t *size);
SHMF_API double shmf_result_double(const struct shmf_result *result);
SHMF_API const struct shmf_array *shmf_result_array(struct shmf_result *result);
SHMF_API const struct shmf_frame *shmf_result_frame(struct shmf_result *result);

/* The same, but now the caller's: it stays when the result is freed. */
SHMF_API struct shmf_array *shmf_result_take_array(struct shmf_result *result);
SHMF_API struct shmf_frame *shmf_result_take_frame(struct shmf_result *result);

/* The pages go back to work. NULL is fine. */
SHMF_API void shmf_result_free(struct shmf_result *result);

SHMF_END_DECLS

#endif

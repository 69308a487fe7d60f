/* libshmframe: lending: an object is read where it lies by another process of the machine, over a
 * Unix socket, without a copy.
 *
 * What is sent (share.h) is a copy of its own, which nobody can change. What is lent is the object
 * itself: the borrower maps its pages, and the lender keeps them as they are until the borrower has
 * freed what it borrowed, or has ended, however: a lock of the kernel's tells, which ends with the
 * last descriptor and the last mapping that stem from the loan. So memory that is used again, as
 * that of tasks' results is, can be shown to others and still be used again.
 * A loan asks for trust: the borrower reads what the lender, and who else may write the object, put
 * there, now and later. Its header is checked as hostile (format.md), and its file cannot become
 * shorter.
 * Thread safety: all functions may be called by any thread; a loan belongs to one thread at a time.
 * Fork: a loan belongs to the process that made it; a child that frees its copy ends nothing. A
 * child of the borrower, as are the workers of a pool that it makes meanwhile, prolongs the loan
 * until it has ended, executes another program, or has freed the object as well; so does a child of
 * the lender that another thread forks while the loan is being made. */
#ifndef SHMFRAME_LEND_H
#define SHMFRAME_LEND_H

#include <shmframe/array.h>
#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

/* An object that somebody else reads. */
struct shmf_loan;

/* Lends the object to the process at the other end of a connected Unix socket of any type. The
 * object may be freed: the loan keeps its memory. Loans of one object are over one by one. Waits as
 * shmf_frame_send() does. NULL: SHMF_E_INVAL (NULL), SHMF_E_ACCESS (the frame is not finished),
 * SHMF_E_TIMEOUT, SHMF_E_CLOSED, SHMF_E_NOFILES (a loan needs a descriptor while it is made),
 * SHMF_E_NOMEM, SHMF_E_SYS; SHMF_E_UNSUPPORTED, for what must be sent instead: a part of an object,
 * a copy-on-write view, what another process may use again (the inputs of a task in its worker,
 * what a parent made), a file that may become shorter (what was attached by its name), and where
 * there is no /proc or no lock of an open file (Linux 3.15). The caller owns the loan. */
SHMF_API struct shmf_loan *shmf_frame_lend(const struct shmf_frame *frame, int socket,
                                           double seconds, struct shmf_error *err);
SHMF_API struct shmf_loan *shmf_array_lend(const struct shmf_array *array, int socket,
                                           double seconds, struct shmf_error *err);

/* 1: the borrower has freed what it borrowed, or ended, or never got it; 0: not yet; SHMF_E_INVAL:
 * NULL; SHMF_E_WRONG_PROCESS: it is the parent's. A loan that was not received yet, and can be, is
 * not over. Costs a system call. */
SHMF_API int shmf_loan_is_over(const struct shmf_loan *loan);

/* Gives up the loan. One that is not over keeps the object's memory nevertheless: it is used again
 * when a loan is made or freed after it was over. NULL is fine, and sees to those given up
 * before. */
SHMF_API void shmf_loan_free(struct shmf_loan *loan);

/* Receives what was lent so: a read-only object, which the caller frees, and should: that ends the
 * loan. It is one like any other: while it is lent on or a view of it is open, the loan lasts; and
 * workers of a pool that were given it let go of it when the pool is used again after it was freed.
 * SHMF_E_TIMEOUT, SHMF_E_CLOSED, SHMF_E_NOFILES (no descriptor is free; the loan is over),
 * SHMF_E_NOMEM, SHMF_E_CORRUPT (names the field), SHMF_E_VERSION, SHMF_E_UNSEALED (the file may
 * become shorter), SHMF_E_INVAL (an object of the other kind), SHMF_E_ACCESS (its header says that
 * it is not finished). */
SHMF_API struct shmf_frame *shmf_frame_borrow(int socket, double seconds, struct shmf_error *err);
SHMF_API struct shmf_array *shmf_array_borrow(int socket, double seconds, struct shmf_error *err);

SHMF_END_DECLS

#endif

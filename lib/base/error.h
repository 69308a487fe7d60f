/* Filling a struct shmf_error; the one place where messages are made. */
#ifndef SHMFI_BASE_ERROR_H
#define SHMFI_BASE_ERROR_H

#include <shmframe/error.h>

/* Records `code` and the message in `*err` (which may be NULL) and returns `code`. */
int shmfi_error(struct shmf_error *err, int code, const char *format, ...) SHMF_PRINTF(3, 4);

/* The same for a failed system call: picks the code from `sys_errno` (ENOMEM -> SHMF_E_NOMEM,
 * ENOSPC/EDQUOT -> SHMF_E_NOSPC, EMFILE/ENFILE -> SHMF_E_NOFILES, EPERM/EACCES -> SHMF_E_PERM,
 * ENOSYS -> SHMF_E_UNSUPPORTED, others SHMF_E_SYS) and appends its text to the message. */
int shmfi_error_sys(struct shmf_error *err, int sys_errno, const char *format, ...)
    SHMF_PRINTF(3, 4);

/* SHMF_E_INVAL unless all of a struct's reserved words are zero; `what` names the struct. */
int shmfi_check_reserved(const uint64_t *words, size_t count, const char *what,
                         struct shmf_error *err);

#endif

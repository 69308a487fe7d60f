/* Filling a struct shmf_error; the one place where messages are made. */
#ifndef SHMFI_BASE_ERROR_H
#define SHMFI_BASE_ERROR_H

#include <shmframe/error.h>

/* The modules' names for what adapters and programs call by its public one. */
#define shmfi_error shmf_error_set

/* Picks the code from the errno: ENOMEM -> SHMF_E_NOMEM, ENOSPC/EDQUOT -> SHMF_E_NOSPC,
 * EMFILE/ENFILE -> SHMF_E_NOFILES, EPERM/EACCES/EROFS -> SHMF_E_PERM, ENOENT -> SHMF_E_NOTFOUND,
 * ENOSYS -> SHMF_E_UNSUPPORTED, others SHMF_E_SYS. */
#define shmfi_error_sys shmf_error_set_sys

/* SHMF_E_INVAL unless all of a struct's reserved words are zero; `what` names the struct. */
int shmfi_check_reserved(const uint64_t *words, size_t count, const char *what,
                         struct shmf_error *err);

#endif

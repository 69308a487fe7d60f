#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {
    "SHMF_OK",
    "SHMF_E_INVAL",
    "SHMF_E_DTYPE",
    "SHMF_E_RANGE",
    "SHMF_E_NOTFOUND",
    "SHMF_E_EXISTS",
    "SHMF_E_TOOBIG",
    "SHMF_E_NOMEM",
    "SHMF_E_NOSPC",
    "SHMF_E_NOFILES",
    "SHMF_E_STALE",
    "SHMF_E_CORRUPT",
    "SHMF_E_VERSION",
    "SHMF_E_UNSEALED",
    "SHMF_E_ACCESS",
    "SHMF_E_PERM",
    "SHMF_E_WRONG_PROCESS",
    "SHMF_E_WORKER_DIED",
    "SHMF_E_POOL_BROKEN",
    "SHMF_E_CLOSED",
    "SHMF_E_CANCELLED",
    "SHMF_E_TIMEOUT",
    "SHMF_E_TASK",
    "SHMF_E_UNSUPPORTED",
    "SHMF_E_SYS",
};

const char *shmf_status_name(int status)
{
    if (status > 0 || status < SHMF_E_SYS)
        return "SHMF_E_?";
    return names[-status];
}

static SHMF_PRINTF(4, 0) void fill(struct shmf_error *err, int code, int sys_errno,
                                   const char *format, va_list args)
{
    err->code = code;
    err->sys_errno = sys_errno;
    int written = vsnprintf(err->message, sizeof err->message, format, args);
    size_t used = written < 0 ? 0 : (size_t)written;
    if (sys_errno && used < sizeof err->message)
        snprintf(err->message + used, sizeof err->message - used, ": %s", strerror(sys_errno));
}

int shmf_error_set(struct shmf_error *err, int code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        fill(err, code, 0, format, args);
        va_end(args);
    }
    return code;
}

static int code_of(int sys_errno)
{
    switch (sys_errno) {
    case ENOMEM:
        return SHMF_E_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return SHMF_E_NOSPC;
    case EMFILE:
    case ENFILE:
        return SHMF_E_NOFILES;
    case EPERM:
    case EACCES:
    case EROFS:
        return SHMF_E_PERM;
    case ENOENT:
        return SHMF_E_NOTFOUND;
    case ENOSYS:
        return SHMF_E_UNSUPPORTED;
    default:
        return SHMF_E_SYS;
    }
}

int shmf_error_set_sys(struct shmf_error *err, int sys_errno, const char *format, ...)
{
    int code = code_of(sys_errno);
    if (err) {
        va_list args;
        va_start(args, format);
        fill(err, code, sys_errno, format, args);
        va_end(args);
    }
    return code;
}

int shmfi_check_reserved(const uint64_t *words, size_t count, const char *what,
                         struct shmf_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (words[i])
            return shmfi_error(err, SHMF_E_INVAL, "%s.reserved: must be zero", what);
    return SHMF_OK;
}

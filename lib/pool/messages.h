/* What travels over the pool's sockets: fixed-size messages, descriptors beside them. */
#ifndef SHMFI_POOL_MESSAGES_H
#define SHMFI_POOL_MESSAGES_H

#include <shmframe/result.h>
#include <stdint.h>

/* Supervisor <-> application. */
enum shmfi_control_type {
    SHMFI_CONTROL_READY = 1,   /* to the application: value = pid of the supervisor, with a pidfd */
    SHMFI_CONTROL_SPAWNING,    /* to it, with its end of the worker's socket, before the fork */
    SHMFI_CONTROL_SPAWNED,     /* to it, after the fork: value = pid */
    SHMFI_CONTROL_NOT_SPAWNED, /* to it: fork failed, value = errno; will be tried again */
    SHMFI_CONTROL_EXITED,      /* to it: the worker is dead and reaped, value = wait status */
    SHMFI_CONTROL_STOP,        /* to the supervisor: end all workers, then itself */
    SHMFI_CONTROL_KILL,        /* to it: SIGKILL that incarnation, if it still runs */
    SHMFI_CONTROL_CANCEL,      /* to it: the same, but only while it runs the task `ticket` */
    SHMFI_CONTROL_WATCH,       /* to it: there are tasks with deadlines on the board */
    SHMFI_CONTROL_RESIZE       /* to it: the number of workers on the board has changed */
};

struct shmfi_control {
    uint32_t type;
    uint32_t worker;
    uint64_t incarnation;
    int64_t value;
    uint64_t ticket; /* EXITED: the task for whose sake the supervisor ended the worker */
    int32_t reason;  /* ... SHMF_E_TIMEOUT or SHMF_E_CANCELLED; 0: it died of itself;
                        SHMF_E_SYS: it could not be forked */
    uint32_t unused;
    struct shmf_backtrace backtrace; /* EXITED: where it was, count 0: not known */
};

/* Worker <-> application, about regions. */
enum shmfi_mail_type {
    SHMFI_MAIL_REGION = 1, /* here is a descriptor of region `id`, `size` bytes */
    SHMFI_MAIL_DROP,       /* the owner gave region `id` up */
    SHMFI_MAIL_WRITABLE,   /* here is a writable descriptor of region `id`, which is known */
    SHMFI_MAIL_RESEND      /* the descriptor of region `id` was lost: send it again */
};

struct shmfi_mail {
    uint32_t type;
    uint32_t unused;
    uint64_t id;
    uint64_t size;
};

#endif

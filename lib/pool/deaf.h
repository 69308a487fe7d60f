/* A message that cannot be received for want of memory stays in its socket and is asked for again,
 * a little later: its reader is deaf meanwhile, and must not be woken by what it cannot read. One
 * that is deaf for good gives up. */
#ifndef SHMFI_POOL_DEAF_H
#define SHMFI_POOL_DEAF_H

#include "board/wait.h"

#include <poll.h>
#include <shmframe/error.h>
#include <stdbool.h>
#include <stdint.h>

#define SHMFI_DEAF_MS   5 /* between two tries */
#define SHMFI_DEAF_MOST 16
#define SHMFI_DEAF_NS   UINT64_C(1000000000)

struct shmfi_deaf {
    uint64_t since;
    uint32_t tries; /* in a row; 0: it hears */
};

/* Receiving said `rc`: is the reader deaf? */
static inline bool shmfi_deaf(struct shmfi_deaf *deaf, int rc)
{
    if (rc != SHMF_E_NOMEM)
        deaf->tries = 0;
    else if (!deaf->tries++)
        deaf->since = shmfi_now();
    return deaf->tries > 0;
}

static inline bool shmfi_deaf_for_good(const struct shmfi_deaf *deaf)
{
    return deaf->tries >= SHMFI_DEAF_MOST && shmfi_now() - deaf->since >= SHMFI_DEAF_NS;
}

/* What to poll its socket for (its end is told in any case), and for how long at most. */
static inline short shmfi_deaf_events(const struct shmfi_deaf *deaf)
{
    return deaf->tries ? 0 : POLLIN;
}

static inline int shmfi_deaf_ms(const struct shmfi_deaf *deaf, int else_ms)
{
    bool less = else_ms < 0 || else_ms > SHMFI_DEAF_MS;
    return deaf->tries && less ? SHMFI_DEAF_MS : else_ms;
}

#endif

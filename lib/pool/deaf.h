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

/* A row of tries ends with one that hears, or when there was none for a second. */
struct shmfi_deaf {
    uint64_t since, last; /* ns: its first and its last try */
    uint32_t tries;       /* 0: it hears */
};

/* Receiving said `rc`: is the reader deaf? */
static inline bool shmfi_deaf(struct shmfi_deaf *deaf, int rc)
{
    if (rc != SHMF_E_NOMEM) {
        deaf->tries = 0;
        return false;
    }
    uint64_t now = shmfi_now();
    if (!deaf->tries || now - deaf->last > SHMFI_DEAF_NS) {
        deaf->since = now;
        deaf->tries = 0;
    }
    deaf->last = now;
    deaf->tries++;
    return true;
}

static inline bool shmfi_deaf_for_good(const struct shmfi_deaf *deaf)
{
    return deaf->tries >= SHMFI_DEAF_MOST && deaf->last - deaf->since >= SHMFI_DEAF_NS;
}

/* What to poll of its socket, and for how long at most. Not even its end while it is deaf, as that
 * may come behind a message; trying again tells. */
static inline struct pollfd shmfi_deaf_poll(const struct shmfi_deaf *deaf, int socket)
{
    return (struct pollfd){deaf->tries ? -1 : socket, POLLIN, 0};
}

static inline int shmfi_deaf_ms(const struct shmfi_deaf *deaf, int else_ms)
{
    bool less = else_ms < 0 || else_ms > SHMFI_DEAF_MS;
    return deaf->tries && less ? SHMFI_DEAF_MS : else_ms;
}

#endif

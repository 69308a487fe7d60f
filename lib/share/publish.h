/* Owning names: what publishing begins and the process's end ends. */
#ifndef SHMFI_SHARE_PUBLISH_H
#define SHMFI_SHARE_PUBLISH_H

#include "share/share_internal.h"

/* Private to the process that published. `fd` holds the lock. */
struct shmf_share {
    struct shmf_share *next, *prev; /* of all shares of this process */
    struct shmfi_path path;
    struct stat status; /* which file it is */
    uint64_t epoch;     /* of the process */
    uint32_t policy;
    int fd;    /* -1: in a forked child */
    bool gone; /* the name, by shmf_share_unlink */
};

/* The share owns `fd`, and its name from when it has one. */
int shmfi_owner_begin(struct shmf_share *share, int fd, uint32_t policy);

/* Without unlinking anything. */
void shmfi_owner_end(struct shmf_share *share);

#endif

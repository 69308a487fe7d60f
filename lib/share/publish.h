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

/* 0, or SHMF_E_INVAL naming the field; `*checked` is all default for NULL. */
int shmfi_publish_options(const struct shmf_publish_options *options,
                          struct shmf_publish_options *checked, struct shmf_error *err);

/* A file of these bytes, which are a segment, under a name; the options were checked. */
struct shmf_share *shmfi_publish_bytes(const struct shmfi_outside *bytes, const char *name,
                                       const struct shmf_publish_options *options,
                                       struct shmf_error *err);

#endif

/* Counting completions and showing them. */
#ifndef SHMFI_POOL_PROGRESS_H
#define SHMFI_POOL_PROGRESS_H

#include <shmframe/pool.h>

#include <stdbool.h>

struct shmfi_progress {
    bool bar; /* draw on stderr */
    shmf_progress_fn fn;
    void *user;
    struct shmf_progress now;
    uint64_t started, shown; /* ns */
};

void shmfi_progress_start(struct shmfi_progress *progress, const struct shmf_imap_options *options,
                          int64_t total);

/* One more task completed. */
void shmfi_progress_count(struct shmfi_progress *progress, bool failed);

/* Show it if a tenth of a second has passed since the last time. */
void shmfi_progress_show(struct shmfi_progress *progress);

/* The last word. */
void shmfi_progress_finish(struct shmfi_progress *progress);

/* Does it want to be shown now and then? */
bool shmfi_progress_on(const struct shmfi_progress *progress);

#endif

/* What a forked process inherits beside memory: descriptors, and output that waits in buffers. */
#ifndef SHMFI_POOL_DESCRIPTORS_H
#define SHMFI_POOL_DESCRIPTORS_H

#include <shmframe/error.h>

#include <stddef.h>

/* Closes every descriptor but 0, 1, 2 and those in `keep` (negative ones are skipped). A pipe end
 * that stayed open here would make the application's pclose() wait for ever. */
void shmfi_close_all_but(int *keep, size_t count);

/* SHMF_E_INVAL unless all of `options.keep_fds` are open descriptors. */
int shmfi_check_keep_fds(const int *keep_fds, size_t n, struct shmf_error *err);

/* Drops what the application has written to stdout and stderr but not flushed: it is its own to
 * flush, once. */
void shmfi_forget_output(void);

/* Flushes what a task printed. */
void shmfi_flush_output(void);

#endif

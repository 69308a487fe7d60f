/* libshmframe: pools whose workers stem from an early moment of the application.
 *
 * A pool's workers are copies of the application as it is when the pool is made, with whatever
 * threads, locks, MPI and CUDA libraries have made of it by then. An application that calls
 * shmf_early_start() at its very beginning, before threads are started and such libraries
 * initialised, keeps a small process from that moment, of which pools with
 * shmf_pool_options.start = SHMF_START_EARLY fork supervisor and workers. These have the
 * application's memory as it was then, copy-on-write, and nothing of what came later: no threads,
 * no locks that threads hold, no libraries' state. */
#ifndef SHMFRAME_EARLY_H
#define SHMFRAME_EARLY_H

#include <shmframe/base.h>
#include <shmframe/error.h>

#include <stddef.h>
#include <stdint.h>

SHMF_BEGIN_DECLS

/* Zero means the default in every field. */
struct shmf_early_options {
    const int *keep_fds; /* descriptors that workers inherit beside 0, 1 and 2 */
    size_t n_keep_fds;
    int refuse_threads;   /* nonzero: SHMF_E_INVAL where there are other threads already */
    uint64_t reserved[8]; /* must be zero */
};

/* Keeps this moment. The process ends when the application does, however that ends, and is no child
 * that the application's wait() could meet; it takes no CPU time, and memory only as the
 * application overwrites what both had. `options` may be NULL. What workers of early pools have:
 *  - functions and libraries that were there by now; others are refused when they are submitted,
 *    and as initializer and finalizer when the pool is made, with SHMF_E_INVAL;
 *  - frames and arrays of any time, by handle;
 *  - this moment's environment, working directory, limits and CPUs; a copy of the calling thread's
 *    stack, with its size. Context pointers of tasks and of the initializer are addresses of this
 *    moment's memory: what was put there later is not seen, and what was mapped later is not there.
 * Thread safety: any thread. Fork: a forked child has no part in it and may start its own.
 * Errors: SHMF_E_EXISTS (this process has started early), SHMF_E_INVAL (names the field),
 * SHMF_E_NOMEM, SHMF_E_NOFILES, SHMF_E_SYS, SHMF_E_CLOSED and SHMF_E_TIMEOUT (that process came to
 * its end, or to nothing). */
SHMF_API int shmf_early_start(const struct shmf_early_options *options, struct shmf_error *err);

/* Ends it, and returns when it is gone. Pools that exist go on, and replace workers that die; no
 * more early ones can be made until the next shmf_early_start. Where there is none, or in a forked
 * child, nothing happens. */
SHMF_API void shmf_early_stop(void);

SHMF_END_DECLS

#endif

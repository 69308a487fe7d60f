/* libshmframe: progress of an iteration, as a callback. */
#ifndef SHMFRAME_PROGRESS_H
#define SHMFRAME_PROGRESS_H

#include <shmframe/base.h>
#include <shmframe/error.h>

SHMF_BEGIN_DECLS

/* How far an iteration is. */
struct shmf_progress {
    const char *title; /* as given, or "" */
    int64_t done;      /* tasks completed, failures included */
    int64_t failed;
    int64_t total; /* -1: unknown */
    double elapsed_seconds;
    double per_second;        /* over the whole time; 0 before the first completion */
    double remaining_seconds; /* estimate; negative: unknown */
    int finished;             /* nonzero in the last call */
};

/* Called in the thread that iterates, while it is inside shmf_iter_next or shmf_iter_free. It must
 * not call functions of the same pool. */
typedef void (*shmf_progress_fn)(const struct shmf_progress *progress, void *user);

/* Draws it on stderr as the bar that iterations have (`progress` of their options), over what stood
 * on the line: for work of other kinds. The line ends with `finished`. Thread safety: none for the
 * line. SHMF_E_INVAL: NULL; SHMF_E_SYS: nobody reads it. */
SHMF_API int shmf_progress_draw(const struct shmf_progress *progress);

SHMF_END_DECLS

#endif

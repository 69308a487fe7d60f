/* libshmframe: warnings: what deserves a word although no call fails.
 *
 *  - a pool of processes that is not freed when the application ends (nothing is left of it all the
 *    same, but its finalizers did not run, and tasks under way are lost);
 *  - a pool made while other threads run, which workers lack, with what that endangers.
 *
 * By default nobody hears of them: with SHMFRAME_WARNINGS=1 in the environment (anything but the
 * empty string and 0) they appear on stderr. Workers and the library's other processes say nothing.
 * Thread safety: any thread may be warned; set the function before other threads use the library.
 */
#ifndef SHMFRAME_WARNING_H
#define SHMFRAME_WARNING_H

#include <shmframe/base.h>

SHMF_BEGIN_DECLS

/* English, one line, without its end. It must not call functions of the library. What concerns the
 * application's end comes after its exit handlers. */
typedef void (*shmf_warning_fn)(const char *message, void *user);

/* From now on warnings go there; NULL: to stderr if the environment says so. A forked child
 * inherits that. */
SHMF_API void shmf_set_warning_fn(shmf_warning_fn fn, void *user);

SHMF_END_DECLS

#endif

/* Does somebody else watch for crashes: a sanitizer, or Valgrind? Then the library does not. */
#ifndef TEST_SUPPORT_WATCHED_H
#define TEST_SUPPORT_WATCHED_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl*): the sanitizers' own names. */
extern void __asan_init(void) __attribute__((weak));
extern void __tsan_init(void) __attribute__((weak));
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl*) */

static inline bool test_is_watched(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return __asan_init || __tsan_init || (preloaded && strstr(preloaded, "vgpreload"));
}

#endif

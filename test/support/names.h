/* Names in /dev/shm that do not meet those of tests that run at the same time, nor those that
 * killed ones left. */
#ifndef TEST_SUPPORT_NAMES_H
#define TEST_SUPPORT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* Call once, at the start of main, before there are threads: gives the program, where the system
 * permits that, a /dev/shm of its own, mounted with `options` ("size=1m"; or NULL). It goes with
 * the program. False: it is everybody's. */
bool test_own_names(const char *options);

/* Was that done? */
bool test_names_are_own(void);

/* A number that no other run of a test program has; the same in all processes of this one. */
uint64_t test_token(void);

/* A name that no other test program uses: valid until it was called many times more. */
const char *test_name(const char *name);

/* What its file is called; the same. */
const char *test_name_path(const char *name);

#endif

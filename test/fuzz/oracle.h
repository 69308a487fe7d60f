/* A second opinion on what opens: docs/format.md, written down again, slowly and in 128 bits,
 * without a line of the library. */
#ifndef TEST_FUZZ_ORACLE_H
#define TEST_FUZZ_ORACLE_H

#include <stdbool.h>
#include <stddef.h>

/* Must the library open these bytes, as an array if they say that they are one, else as a frame? */
bool oracle_opens(const unsigned char *bytes, size_t size);

#endif

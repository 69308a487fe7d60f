#ifndef SHMFI_LABELS_UTF8_H
#define SHMFI_LABELS_UTF8_H

#include <stdint.h>

/* Decodes one character of at most `size` bytes (size > 0) into `*code`. Returns its length, or 0
 * where there is none: RFC 3629, so no overlong forms, surrogates, or codes above 10FFFF. */
unsigned shmfi_utf8_decode(const unsigned char *at, uint64_t size, uint32_t *code);

/* How many columns of a terminal a character takes: 0, 1 or 2. */
unsigned shmfi_character_width(uint32_t code);

#endif

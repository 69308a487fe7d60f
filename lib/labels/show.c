#include "labels/labels.h"
#include "labels/utf8.h"

#include <string.h>

/* One character, made harmless. Returns how many bytes of the source it covers. */
static unsigned next_shown(const unsigned char *at, uint64_t size, char shown[4], unsigned *bytes,
                           unsigned *width)
{
    uint32_t code;
    unsigned length = shmfi_utf8_decode(at, size, &code);
    if (length == 0 || code < 0x20 || (code >= 0x7F && code < 0xA0)) {
        memcpy(shown, "\xEF\xBF\xBD", 3);
        *bytes = 3;
        *width = 1;
        return length ? length : 1;
    }
    memcpy(shown, at, length);
    *bytes = length;
    *width = shmfi_character_width(code);
    return length;
}

unsigned shmfi_text_show(char to[SHMFI_SHOWN_TEXT_SIZE], const char *text, uint64_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    unsigned used = 0, columns = 0;         /* of all that was shown so far */
    unsigned cut_used = 0, cut_columns = 0; /* of as much as leaves room for the dots */
    while (size > 0) {
        char shown[4];
        unsigned bytes, width;
        unsigned length = next_shown(at, size, shown, &bytes, &width);
        if (columns + width > SHMFI_SHOWN_TEXT_WIDTH || used + bytes > SHMFI_SHOWN_TEXT_SIZE - 4) {
            memcpy(to + cut_used, "...", 4);
            return cut_columns + 3;
        }
        memcpy(to + used, shown, bytes);
        used += bytes;
        columns += width;
        if (columns <= SHMFI_SHOWN_TEXT_WIDTH - 3) {
            cut_used = used;
            cut_columns = columns;
        }
        at += length;
        size -= length;
    }
    to[used] = '\0';
    return columns;
}

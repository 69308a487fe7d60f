#include "labels/utf8.h"

#include "labels/labels.h"

#include <string.h>

unsigned shmfi_utf8_decode(const unsigned char *at, uint64_t size, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = at[0];
    if (first < 0x80) {
        *code = first;
        return 1;
    }
    unsigned length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || length > size)
        return 0;
    uint32_t value = first & (0x7Fu >> length);
    for (unsigned i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3Fu);
    }
    if (value < least[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return 0;
    *code = value;
    return length;
}

bool shmfi_utf8_valid(const char *text, uint64_t size)
{
    const unsigned char *at = (const unsigned char *)text;
    while (size > 0) {
        uint64_t word;
        if (size >= sizeof word) { /* eight ASCII characters at a time */
            memcpy(&word, at, sizeof word);
            if (!(word & 0x8080808080808080u)) {
                at += sizeof word;
                size -= sizeof word;
                continue;
            }
        }
        uint32_t code;
        unsigned length = shmfi_utf8_decode(at, size, &code);
        if (length == 0)
            return false;
        at += length;
        size -= length;
    }
    return true;
}

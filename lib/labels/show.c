#include "labels/labels.h"
#include "labels/utf8.h"

#include <string.h>

/* The common ranges of characters that take no column or two; enough to align a table, and unlike
 * wcwidth() the same in every locale. Ascending. */
struct range {
    uint32_t first;
    uint32_t last;
};

static const struct range none[] = {
    {0x0300, 0x036F},   {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
    {0x0900, 0x0902},   {0x093C, 0x093C}, {0x0941, 0x0948}, {0x094D, 0x094D}, {0x0E31, 0x0E31},
    {0x0E34, 0x0E3A},   {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200F},
    {0x202A, 0x202E},   {0x2060, 0x2064}, {0x2066, 0x206F}, {0x20D0, 0x20FF}, {0x302A, 0x302D},
    {0x3099, 0x309A},   {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}, {0xFEFF, 0xFEFF}, {0x1F3FB, 0x1F3FF},
    {0xE0100, 0xE01EF},
};

static const struct range two[] = {
    {0x1100, 0x115F},   {0x231A, 0x231B},   {0x23E9, 0x23EC},   {0x2E80, 0x303E},
    {0x3041, 0x33FF},   {0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},
    {0xA960, 0xA97F},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},   {0xFE30, 0xFE6F},
    {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F}, {0x1F680, 0x1F6FF},
    {0x1F900, 0x1F9FF}, {0x1FA70, 0x1FAFF}, {0x20000, 0x3FFFD},
};

static bool in_ranges(uint32_t code, const struct range *ranges, size_t count)
{
    for (size_t i = 0; i < count && ranges[i].first <= code; i++)
        if (code <= ranges[i].last)
            return true;
    return false;
}

static unsigned width_of(uint32_t code)
{
    if (code < 0x300 || in_ranges(code, none, sizeof none / sizeof none[0]))
        return code < 0x300;
    return in_ranges(code, two, sizeof two / sizeof two[0]) ? 2 : 1;
}

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
    *width = width_of(code);
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

/* Digits, eight at a time, as numbers in the bytes of a word. */
#ifndef SHMFI_CSV_DIGITS_H
#define SHMFI_CSV_DIGITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t shmfi_csv_word(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

/* Are all bytes '0' .. '9'? */
static inline bool shmfi_csv_are_digits(uint64_t word)
{
    const uint64_t high = UINT64_C(0xf0f0f0f0f0f0f0f0);
    return ((word & high) | ((word + UINT64_C(0x0606060606060606)) & high) >> 4) ==
           UINT64_C(0x3333333333333333);
}

/* The first `size` of eight bytes (1 to 8) as a number, two, four and eight digits at a time: the
 * bytes behind them are shifted out, and zeros come in where numbers begin. False: no digits. */
static inline bool shmfi_csv_eight_digits(const char *text, size_t size, uint64_t *value)
{
    const unsigned out = (unsigned)(8 - size) * 8;
    uint64_t word =
        shmfi_csv_word(text) << out | (UINT64_C(0x3030303030303030) & ((UINT64_C(1) << out) - 1));
    const bool good = shmfi_csv_are_digits(word);
    word = (word & UINT64_C(0x0f0f0f0f0f0f0f0f)) * 2561 >> 8;
    word = (word & UINT64_C(0x00ff00ff00ff00ff)) * 6553601 >> 16;
    *value = (word & UINT64_C(0x0000ffff0000ffff)) * UINT64_C(42949672960001) >> 32;
    return good;
}

/* An integer of 1 to 8 digits without a needless zero in front, with or without '-', but no "-0";
 * false: something else, which may be an integer still. Without a branch that depends on what
 * stands there, but for the last. */
static inline bool shmfi_csv_short_integer(const char *text, size_t size, int64_t *value)
{
    const unsigned negative = text[0] == '-';
    const char *first = text + negative;
    uint64_t magnitude;
    size -= negative;
    if (size - 1 > 7)
        return false;
    const bool good = shmfi_csv_eight_digits(first, size, &magnitude);
    *value = (int64_t)((magnitude ^ (0 - (uint64_t)negative)) + negative);
    return good & !((first[0] == '0') & ((size > 1) | negative));
}

#endif

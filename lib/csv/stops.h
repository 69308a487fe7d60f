/* Where something may end, 64 bytes at a time: bits of the bytes that are one of a few characters.
 * SSE2 has an instruction that makes bits of 16 comparisons, AVX2 of 32; elsewhere a multiplication
 * does it for eight. */
#ifndef SHMFI_CSV_STOPS_H
#define SHMFI_CSV_STOPS_H

#include <stdint.h>
#include <string.h>

/* Bytes of text are looked at in blocks: as many behind its end must be readable. */
enum { SHMFI_CSV_BLOCK = 64, SHMFI_CSV_PAD = 64 };

#ifdef __AVX2__
enum { SHMFI_CSV_VECTOR = 32 };
#else
enum { SHMFI_CSV_VECTOR = 16 };
#endif

typedef signed char shmfi_csv_bytes __attribute__((vector_size(SHMFI_CSV_VECTOR)));
typedef char shmfi_csv_chars __attribute__((vector_size(SHMFI_CSV_VECTOR)));

static inline shmfi_csv_bytes shmfi_csv_load(const char *at)
{
    shmfi_csv_bytes bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

/* Bit i is the highest of byte i. */
static inline uint64_t shmfi_csv_bits(shmfi_csv_bytes bytes)
{
#if defined(__AVX2__)
    return (unsigned)__builtin_ia32_pmovmskb256((shmfi_csv_chars)bytes);
#elif defined(__SSE2__)
    return (unsigned)__builtin_ia32_pmovmskb128((shmfi_csv_chars)bytes);
#else
    const uint64_t top = UINT64_C(0x8080808080808080), gather = UINT64_C(0x0002040810204081);
    uint64_t words[2];
    memcpy(words, &bytes, sizeof words);
    return ((words[0] & top) >> 7) * (gather << 7) >> 56 |
           ((words[1] & top) >> 7) * (gather << 7) >> 56 << 8;
#endif
}

/* Bit i: byte i is the delimiter, a quote, or part of a line end. */
static inline uint64_t shmfi_csv_stops(const char *block, char delimiter)
{
    uint64_t bits = 0;
    for (int i = 0; i < SHMFI_CSV_BLOCK; i += SHMFI_CSV_VECTOR) {
        shmfi_csv_bytes bytes = shmfi_csv_load(block + i);
        bits |= shmfi_csv_bits((shmfi_csv_bytes)((bytes == delimiter) | (bytes == '"') |
                                                 (bytes == '\n') | (bytes == '\r')))
                << i;
    }
    return bits;
}

/* How many bits are set; x86-64 as such has no instruction for it. */
static inline int64_t shmfi_csv_ones(uint64_t bits)
{
#ifdef __POPCNT__
    return __builtin_popcountll(bits);
#else
    bits -= bits >> 1 & UINT64_C(0x5555555555555555);
    bits = (bits & UINT64_C(0x3333333333333333)) + (bits >> 2 & UINT64_C(0x3333333333333333));
    bits = (bits + (bits >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (int64_t)(bits * UINT64_C(0x0101010101010101) >> 56);
#endif
}

#endif

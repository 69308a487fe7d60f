/* Integers four at a time and times at once, with AVX2; elsewhere none, and one by one. */
#ifndef SHMFI_CSV_WIDE_H
#define SHMFI_CSV_WIDE_H

#include "digits.h"
#include "field.h"

#if defined(__AVX2__) && defined(__x86_64__)
#define SHMFI_CSV_WIDE
#include <immintrin.h>

/* Eight bytes each from where four fields begin, and the fields' sizes. */
static inline __m256i shmfi_csv_load_fields(const char *text, const uint32_t *end, size_t step,
                                            uint32_t cut, __m256i *sizes)
{
    const uint32_t *e = end - 1, *f = e + step, *g = f + step, *h = g + step;
    *sizes = _mm256_set_epi64x(h[1] - cut - (h[0] + 1), g[1] - cut - (g[0] + 1),
                               f[1] - cut - (f[0] + 1), e[1] - cut - (e[0] + 1));
    return _mm256_set_epi64x((int64_t)shmfi_csv_word(text + (uint32_t)(h[0] + 1)),
                             (int64_t)shmfi_csv_word(text + (uint32_t)(g[0] + 1)),
                             (int64_t)shmfi_csv_word(text + (uint32_t)(f[0] + 1)),
                             (int64_t)shmfi_csv_word(text + (uint32_t)(e[0] + 1)));
}

static inline bool shmfi_csv_wide_integers(const char *text, const uint32_t *end, size_t step,
                                           uint32_t cut, int64_t *values)
{
    const __m256i one = _mm256_set1_epi64x(1), eight = _mm256_set1_epi64x(8),
                  low = _mm256_set1_epi64x(0xff), zeros = _mm256_set1_epi8('0');
    __m256i sizes, bytes = shmfi_csv_load_fields(text, end, step, cut, &sizes);
    const __m256i minus = _mm256_cmpeq_epi64(_mm256_and_si256(bytes, low), _mm256_set1_epi64x('-'));
    bytes = _mm256_xor_si256(bytes, zeros);
    /* The digit in front: behind the minus, which becomes a zero. */
    bytes = _mm256_xor_si256(bytes, _mm256_and_si256(minus, _mm256_set1_epi64x('-' ^ '0')));
    const __m256i first =
        _mm256_and_si256(_mm256_blendv_epi8(bytes, _mm256_srli_epi64(bytes, 8), minus), low);
    /* Odd: no bytes or too many; a zero in front, unless it is alone; a minus alone. */
    __m256i odd = _mm256_or_si256(_mm256_cmpgt_epi64(one, sizes), _mm256_cmpgt_epi64(sizes, eight));
    odd = _mm256_or_si256(odd,
                          _mm256_and_si256(_mm256_cmpeq_epi64(first, _mm256_setzero_si256()),
                                           _mm256_or_si256(minus, _mm256_cmpgt_epi64(sizes, one))));
    odd = _mm256_or_si256(odd, _mm256_and_si256(minus, _mm256_cmpeq_epi64(sizes, one)));
    const __m256i out = _mm256_slli_epi64(_mm256_sub_epi64(eight, sizes), 3);
    const __m256i digits = _mm256_sllv_epi64(bytes, out);
    odd = _mm256_or_si256(odd, _mm256_subs_epu8(digits, _mm256_set1_epi8(9)));
    if (!_mm256_testz_si256(odd, odd))
        return false;
    /* Two, four and eight digits. */
    __m256i sums = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
    sums = _mm256_madd_epi16(sums, _mm256_set1_epi32(0x00010064));
    sums = _mm256_add_epi64(_mm256_mul_epu32(sums, _mm256_set1_epi64x(10000)),
                            _mm256_srli_epi64(sums, 32));
    sums = _mm256_sub_epi64(_mm256_xor_si256(sums, minus), minus);
    _mm256_storeu_si256((void *)values, sums);
    return true;
}

static inline bool shmfi_csv_wide_seconds(const char *text, struct shmfi_csv_month *month,
                                          int64_t *seconds)
{
    const char any = (char)0xff, no = -1; /* the year and the month are those of the last date */
    const __m128i stands =
        _mm_setr_epi8(0, 0, 0, 0, 0, '0', '0', ' ', '0', '0', ':', '0', '0', ':', '0', '0');
    const __m128i most = _mm_setr_epi8(any, any, any, any, any, 3, 9, 0, 2, 9, 0, 5, 9, 0, 5, 9);
    const __m128i places =
        _mm_setr_epi8(5, 6, 8, 9, 11, 12, 14, 15, no, no, no, no, no, no, no, no);
    __m128i bytes;
    memcpy(&bytes, text + 3, sizeof bytes);
    bytes = _mm_xor_si128(bytes, stands);
    const __m128i odd = _mm_subs_epu8(bytes, most);
    if (shmfi_csv_word(text) != month->start || !_mm_testz_si128(odd, odd))
        return shmfi_csv_seconds(text, month, seconds);
    const __m128i pairs =
        _mm_maddubs_epi16(_mm_shuffle_epi8(bytes, places), _mm_set1_epi16(0x010a));
    const uint64_t word = (uint64_t)_mm_cvtsi128_si64(pairs);
    const uint64_t day = (word & 0xffff) - 1, hour = word >> 16 & 0xffff,
                   minute = word >> 32 & 0xffff, second = word >> 48;
    *seconds =
        (month->first + (int64_t)day) * 86400 + (int64_t)(hour * 3600 + minute * 60 + second);
    return day < month->length && hour < 24;
}

#endif

/* Four fields at *end, end[step], ... as integers, if each has 1 to 8 bytes, '-' included, and no
 * needless zero in front. What is false may be integers still. */
static inline bool shmfi_csv_four_integers(const char *text, const uint32_t *end, size_t step,
                                           uint32_t cut, int64_t *values)
{
#ifdef SHMFI_CSV_WIDE
    return shmfi_csv_wide_integers(text, end, step, cut, values);
#else
    (void)text, (void)end, (void)step, (void)cut, (void)values;
    return false;
#endif
}

/* As shmfi_csv_seconds. */
static inline bool shmfi_csv_seconds_at_once(const char *text, struct shmfi_csv_month *month,
                                             int64_t *seconds)
{
#ifdef SHMFI_CSV_WIDE
    return shmfi_csv_wide_seconds(text, month, seconds);
#else
    return shmfi_csv_seconds(text, month, seconds);
#endif
}

#endif

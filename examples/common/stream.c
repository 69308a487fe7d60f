#include "stream.h"

#if defined(__x86_64__)
#include <emmintrin.h>

/* Streaming stores are aligned to 16 bytes; so many elements come before the first of them. */
static int64_t before_first(const double *out, int64_t n)
{
    return n > 0 && ((uintptr_t)out & 15) != 0;
}

void stream_scaled(double *out, const double *values, int64_t n, double factor)
{
    __m128d factors = _mm_set1_pd(factor);
    int64_t i = before_first(out, n);
    if (i)
        out[0] = factor * values[0];
    for (; i + 2 <= n; i += 2)
        _mm_stream_pd(out + i, _mm_mul_pd(factors, _mm_loadu_pd(values + i)));
    if (i < n)
        out[i] = factor * values[i];
    _mm_sfence(); /* streaming stores are not ordered with the store that announces the result */
}

void stream_copy(double *out, const double *values, int64_t n)
{
    int64_t i = before_first(out, n);
    if (i)
        out[0] = values[0];
    for (; i + 2 <= n; i += 2)
        _mm_stream_pd(out + i, _mm_loadu_pd(values + i));
    if (i < n)
        out[i] = values[i];
    _mm_sfence();
}

#else
#include <string.h>

void stream_scaled(double *out, const double *values, int64_t n, double factor)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = factor * values[i];
}

void stream_copy(double *out, const double *values, int64_t n)
{
    memcpy(out, values, (size_t)n * sizeof *out);
}
#endif

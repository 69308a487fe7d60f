#include "stream.h"

#if defined(__x86_64__)
#include <emmintrin.h>

void stream_scaled(double *out, const double *values, int64_t n, double factor)
{
    __m128d factors = _mm_set1_pd(factor);
    int64_t i = 0;
    for (; i < n && ((uintptr_t)(out + i) & 15) != 0; i++) /* streaming stores are aligned */
        out[i] = factor * values[i];
    for (; i + 2 <= n; i += 2)
        _mm_stream_pd(out + i, _mm_mul_pd(factors, _mm_loadu_pd(values + i)));
    for (; i < n; i++)
        out[i] = factor * values[i];
    _mm_sfence(); /* streaming stores are not ordered with the store that announces the result */
}
#else
void stream_scaled(double *out, const double *values, int64_t n, double factor)
{
    for (int64_t i = 0; i < n; i++)
        out[i] = factor * values[i];
}
#endif

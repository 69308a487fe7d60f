/* Wider vectors where the processor has them. A kernel is written once with GCC's vector types,
 * which every target understands, and compiled a second time for AVX2; which of the two runs is
 * decided when it is called, so that the program still starts on any x86-64. */
#ifndef EXAMPLES_SIMD_H
#define EXAMPLES_SIMD_H

#include <stdbool.h>

#define ALWAYS_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__)
#define SIMD_AVX2 __attribute__((target("avx2,fma")))
static inline bool simd_have_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

#endif

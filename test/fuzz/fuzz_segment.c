/* The fuzzers' target: bytes are opened as a segment and, if they open, used to the full. Built
 * with -fsanitize=fuzzer by clang (libFuzzer) or by afl-clang-fast (AFL++, persistent), or with
 * replay.c (a program that takes files). docs/reliability.md says how. */
#include "fuzz/mutate.h"
#include "fuzz/use.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
size_t LLVMFuzzerCustomMutator(unsigned char *data, size_t size, size_t most, unsigned seed);

/* libFuzzer's own mutations of bytes; not there in other builds. */
size_t LLVMFuzzerMutate(unsigned char *data, size_t size, size_t most) __attribute__((weak));

/* From the heap, so that the sanitizer sees the first read behind the end; a segment's place is
 * aligned, here as everywhere. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    void *copy;
    if (posix_memalign(&copy, 64, size ? size : 1))
        return 0;
    if (size > 0)
        memcpy(copy, data, size);
    use_segment(copy, size, NULL);
    free(copy);
    return 0;
}

/* One in four mutations is libFuzzer's, which knows what the code compares with; the others set
 * fields, which it can hardly find. */
size_t LLVMFuzzerCustomMutator(unsigned char *data, size_t size, size_t most, unsigned seed)
{
    uint64_t random = seed;
    if (random_below(&random, 4) == 0 && LLVMFuzzerMutate)
        return LLVMFuzzerMutate(data, size, most);
    struct mutator mutator = make_mutator(data, size, random);
    if (mutator.n_places > 0)
        mutate(&mutator, mutator.n_places);
    free_mutator(&mutator);
    return size;
}

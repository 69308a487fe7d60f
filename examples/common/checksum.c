#include "checksum.h"

#include "simd.h"

#include <string.h>

typedef uint64_t words __attribute__((vector_size(32)));

/* Fletcher's two sums, in four lanes: `sum` of the words, `sums` of the sums, in which a word
 * counts the more the earlier it came. Words that do not fill the lanes wait in `pending`. */
struct state {
    words sum, sums;
    uint64_t pending[4];
    size_t n_pending;
};

ALWAYS_INLINE void add_line(struct state *state, const char *line, size_t n_words)
{
    words sum = state->sum, sums = state->sums, next;
    while (n_words > 0) {
        if (state->n_pending == 0 && n_words >= 4) {
            size_t whole = n_words / 4;
            for (size_t i = 0; i < whole; i++, line += sizeof next) {
                memcpy(&next, line, sizeof next);
                sum += next;
                sums += sum;
            }
            n_words -= whole * 4;
            continue;
        }
        memcpy(&state->pending[state->n_pending++], line, 8);
        line += 8;
        n_words--;
        if (state->n_pending == 4) {
            memcpy(&next, state->pending, sizeof next);
            sum += next;
            sums += sum;
            state->n_pending = 0;
        }
    }
    state->sum = sum;
    state->sums = sums;
}

#if defined(SIMD_AVX2)
SIMD_AVX2 static void add_line_avx2(struct state *state, const char *line, size_t n_words)
{
    add_line(state, line, n_words);
}
#endif

static void add_line_any(struct state *state, const char *line, size_t n_words)
{
#if defined(SIMD_AVX2)
    if (simd_have_avx2()) {
        add_line_avx2(state, line, n_words);
        return;
    }
#endif
    add_line(state, line, n_words);
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

uint64_t checksum(const struct view *view)
{
    struct state state = {.sum = {1, 2, 3, 4}};
    uint64_t hash = (uint64_t)view->n_lines * view->line_bytes, last;
    for (int64_t line = 0; line < view->n_lines; line++) {
        const char *bytes = (const char *)view->data + (size_t)line * view->stride;
        size_t rest = view->line_bytes % 8;
        add_line_any(&state, bytes, view->line_bytes / 8);
        if (rest) {
            last = 0;
            memcpy(&last, bytes + view->line_bytes - rest, rest);
            hash = mix(hash, last);
        }
    }
    for (size_t i = 0; i < state.n_pending; i++)
        hash = mix(hash, state.pending[i]);
    for (int lane = 0; lane < 4; lane++)
        hash = mix(mix(hash, state.sum[lane]), state.sums[lane]);
    return hash ? hash : 1;
}

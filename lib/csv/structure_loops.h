/* Where rows begin, found without reading fields: quotes are counted, since a line end within
 * quotes (behind an odd number of them) ends no row. Pieces of the text are counted at once by
 * several workers, for both cases; which holds is known when the pieces before them are. Compiled
 * as loops.c says. */
#ifndef SHMFI_CSV_STRUCTURE_LOOPS_H
#define SHMFI_CSV_STRUCTURE_LOOPS_H

#include "loops.h"
#include "stops.h"

/* What a block ends with, for the next. */
struct behind {
    uint64_t lines;   /* bits 1, 0: the last byte but one, the last byte is LF */
    uint64_t returns; /* bit 0: the last byte is CR */
    uint64_t inside;  /* all bits: an odd number of quotes so far */
};

/* Bit i: an odd number of quotes up to byte i. */
static uint64_t within(uint64_t quotes)
{
    for (int step = 1; step < SHMFI_CSV_BLOCK; step *= 2)
        quotes ^= quotes << step;
    return quotes;
}

static struct behind look_back(const char *text, int64_t before)
{
    return (struct behind){.lines = (before >= 1 && text[-1] == '\n') |
                                    (before >= 2 && text[-2] == '\n' ? 2u : 0),
                           .returns = before >= 1 && text[-1] == '\r'};
}

/* The first line end of either kind in a block that begins at `at`. */
static void note_first(struct shmfi_csv_counts *counts, int inside, int64_t at, uint64_t lines,
                       uint64_t these, uint64_t empty)
{
    if (counts->first[inside] >= 0 || !these)
        return;
    int bit = __builtin_ctzll(these);
    counts->first[inside] = at + bit + 1;
    counts->lines_before[inside] =
        counts->lines + shmfi_csv_ones(lines & ((UINT64_C(2) << bit) - 1));
    counts->first_rows[inside] = !(empty >> bit & 1);
}

/* What stands in a block. */
struct marks {
    uint64_t lines, returns, quotes;
};

static inline struct marks look_at(const char *block)
{
    struct marks marks = {0, 0, 0};
    for (int i = 0; i < SHMFI_CSV_BLOCK; i += SHMFI_CSV_VECTOR) {
        const shmfi_csv_bytes bytes = shmfi_csv_load(block + i);
        marks.lines |= shmfi_csv_bits((shmfi_csv_bytes)(bytes == '\n')) << i;
        marks.returns |= shmfi_csv_bits((shmfi_csv_bytes)(bytes == '\r')) << i;
        marks.quotes |= shmfi_csv_bits((shmfi_csv_bytes)(bytes == '"')) << i;
    }
    return marks;
}

/* Which line ends of a block end nothing: with only a line end before them. */
static inline uint64_t find_empty(struct marks marks, const struct behind *behind)
{
    const uint64_t before = marks.lines << 1 | (behind->lines & 1);
    const uint64_t before_that = marks.lines << 2 | (behind->lines & 1) << 1 | behind->lines >> 1;
    const uint64_t returned = marks.returns << 1 | behind->returns;
    return marks.lines & (before | (returned & before_that));
}

static inline void leave(struct behind *behind, struct marks marks, uint64_t inside)
{
    *behind = (struct behind){.lines = marks.lines >> 63 | (marks.lines >> 62 & 1) << 1,
                              .returns = marks.returns >> 63,
                              .inside = 0 - (inside >> 63)};
}

/* A block that begins at `at`, whatever it holds. */
static void count_block(struct marks marks, int64_t at, bool one_column, struct behind *behind,
                        struct shmfi_csv_counts *counts)
{
    const uint64_t lines = marks.lines;
    const uint64_t empty = one_column ? 0 : find_empty(marks, behind);
    const uint64_t inside = behind->inside ^ within(marks.quotes);
    note_first(counts, 0, at, lines, lines & ~inside, empty);
    note_first(counts, 1, at, lines, lines & inside, empty);
    counts->rows[0] += shmfi_csv_ones(lines & ~empty & ~inside);
    counts->rows[1] += shmfi_csv_ones(lines & ~empty & inside);
    counts->lines += shmfi_csv_ones(lines);
    counts->quotes += shmfi_csv_ones(marks.quotes);
    leave(behind, marks, inside);
}

/* The same for a block without quotes and empty lines, where the first line end is known. */
static inline bool count_plain(struct marks marks, bool one_column, struct behind *behind,
                               struct shmfi_csv_counts *counts)
{
    const int in = (int)(behind->inside & 1);
    if (marks.quotes || counts->first[in] < 0 || (!one_column && find_empty(marks, behind)))
        return false;
    const int64_t lines = shmfi_csv_ones(marks.lines);
    counts->rows[in] += lines;
    counts->lines += lines;
    leave(behind, marks, behind->inside);
    return true;
}

static void count_rows(const char *text, int64_t size, int64_t before, bool one_column,
                       struct shmfi_csv_counts *counts)
{
    struct behind behind = look_back(text, before);
    struct shmfi_csv_counts here = {.first = {-1, -1}};
    int64_t at = 0;
    for (; at + SHMFI_CSV_BLOCK <= size; at += SHMFI_CSV_BLOCK)
        if (!count_plain(look_at(text + at), one_column, &behind, &here))
            count_block(look_at(text + at), at, one_column, &behind, &here);
    char rest[SHMFI_CSV_BLOCK] = {0};
    memcpy(rest, text + at, (size_t)(size - at));
    count_block(look_at(rest), at, one_column, &behind, &here);
    *counts = here;
}

#endif

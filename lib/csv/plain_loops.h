/* Ranges as most files have them: without quotes, each row with a field for each column. Where
 * fields end is noted first, then one column is read after the other, each by a loop of its own.
 * Whatever is different is left to parse.c, which also says what is wrong. Compiled as loops.c
 * says. */
#ifndef SHMFI_CSV_PLAIN_LOOPS_H
#define SHMFI_CSV_PLAIN_LOOPS_H

#include "digits.h"
#include "loops.h"
#include "reader.h"
#include "wide.h"

#include <string.h>

/* ---- where fields end ----------------------------------------------------------------------- */

/* As many places, eight at a time, whose count is easier to foresee than that of places. */
static inline uint32_t *note(uint32_t *to, uint32_t at, uint64_t ends)
{
    uint32_t *next = to + shmfi_csv_ones(ends);
    for (; ends; to += 8) {
        for (int i = 0; i < 8; i++) {
            to[i] = at + (uint32_t)__builtin_ctzll(ends | UINT64_C(1) << 63);
            ends &= ends - 1;
        }
    }
    return next;
}

/* Counts in each byte. */
static int64_t sum(shmfi_csv_bytes counts)
{
    unsigned char bytes[sizeof counts];
    int64_t all = 0;
    memcpy(bytes, &counts, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        all += bytes[i];
    return all;
}

/* What is found in blocks on the way. */
struct seen {
    shmfi_csv_bytes lines; /* how many ends of them; up to SUM_BLOCKS blocks */
    shmfi_csv_bytes wrong; /* a quote, or a CR where lines do not end with it */
    shmfi_csv_bytes all;   /* all bytes, by OR */
};

enum { SUM_BLOCKS = 127 / (SHMFI_CSV_BLOCK / SHMFI_CSV_VECTOR) }; /* a count fits its byte */

/* Of a block: which bytes are delimiters or line ends. */
static inline uint64_t find(const char *block, char delimiter, char odd, struct seen *seen)
{
    uint64_t ends = 0;
    for (int i = 0; i < SHMFI_CSV_BLOCK; i += SHMFI_CSV_VECTOR) {
        const shmfi_csv_bytes bytes = shmfi_csv_load(block + i);
        const shmfi_csv_bytes line = (shmfi_csv_bytes)(bytes == '\n');
        seen->wrong |= (shmfi_csv_bytes)((bytes == '"') | (bytes == odd));
        seen->lines -= line;
        seen->all |= bytes;
        ends |= shmfi_csv_bits(line | (shmfi_csv_bytes)(bytes == delimiter)) << i;
    }
    return ends;
}

/* Notes where fields end; false: there is something odd, or there are not as many ends, or lines,
 * as there should be. `to` has room for SHMFI_CSV_BLOCK more. */
static bool find_ends(const struct shmfi_csv_plain *plain, const char *text, size_t size,
                      uint32_t *to)
{
    const struct shmfi_csv_plan *plan = plain->part->plan;
    const char delimiter = plan->delimiter, odd = plan->crlf ? '"' : '\r';
    uint32_t *const end = to + (size_t)plain->rows * (size_t)plan->n_columns;
    struct seen seen = {0};
    int64_t n_lines = 0;
    const size_t whole = size / SHMFI_CSV_BLOCK;
    for (size_t i = 0; i < whole && to <= end; i++) {
        to = note(to, (uint32_t)(i * SHMFI_CSV_BLOCK),
                  find(text + i * SHMFI_CSV_BLOCK, delimiter, odd, &seen));
        if (i % SUM_BLOCKS == SUM_BLOCKS - 1) {
            n_lines += sum(seen.lines);
            seen.lines = (shmfi_csv_bytes){0};
        }
    }
    char rest[SHMFI_CSV_BLOCK] = {0};
    memcpy(rest, text + whole * SHMFI_CSV_BLOCK, size % SHMFI_CSV_BLOCK);
    n_lines += sum(seen.lines);
    seen.lines = (shmfi_csv_bytes){0};
    if (to <= end)
        to = note(to, (uint32_t)(whole * SHMFI_CSV_BLOCK), find(rest, delimiter, odd, &seen));
    plain->part->ascii = !shmfi_csv_bits(seen.all);
    return to == end && !shmfi_csv_bits(seen.wrong) && n_lines + sum(seen.lines) == plain->rows;
}

/* Does each row's last field end with the line? Since there are as many lines as rows, no other
 * does then. */
static bool ends_are_in_order(const struct shmfi_csv_plain *plain, const char *text)
{
    const size_t n = (size_t)plain->part->plan->n_columns;
    const bool crlf = plain->part->plan->crlf;
    const uint32_t *last = plain->ends + n - 1;
    bool good = true;
    for (int64_t r = 0; r < plain->rows; r++, last += n)
        good &= text[*last] == '\n' && (!crlf || (*last > 0 && text[*last - 1] == '\r'));
    return good;
}

static bool begin_plain(struct shmfi_csv_plain *plain, struct shmfi_csv_part *part, size_t size,
                        int64_t rows, uint32_t *room)
{
    *plain = (struct shmfi_csv_plain){part, rows, room + 1};
    room[0] = UINT32_MAX; /* so that the first field begins behind it, at 0 */
    return size <= INT32_MAX && find_ends(plain, part->text, size, room + 1) &&
           ends_are_in_order(plain, part->text);
}

/* ---- columns ------------------------------------------------------------------------------ */

/* For each row `r` of column `c`: `text`, `size`. */
#define EACH_FIELD(plain, c)                                                                       \
    const size_t n = (size_t)(plain)->part->plan->n_columns;                                       \
    const uint32_t *end = (plain)->ends + (c);                                                     \
    const uint32_t cut = (plain)->part->plan->crlf && (size_t)(c) + 1 == n;                        \
    for (int64_t r = 0; r < (plain)->rows; r++, end += n)

#define BEGIN() (end[-1] + 1)
#define SIZE()  (end[0] - cut - BEGIN())

static inline bool put_int64(const struct shmfi_csv_plain *plain, const uint32_t *end, uint32_t cut,
                             int64_t r, struct shmfi_csv_column *column)
{
    const char *text = plain->part->text + BEGIN();
    const uint32_t size = SIZE();
    int64_t value = 0;
    if (size == 0)
        shmfi_csv_put_null(column, r);
    else if (!shmfi_csv_short_integer(text, size, &value) &&
             (!shmfi_csv_int64(text, size, &value) || (value == 0 && text[0] == '-')))
        return false;
    ((int64_t *)(void *)column->values)[r] = value;
    return true;
}

static bool put_int64s(const struct shmfi_csv_plain *plain, int64_t c,
                       struct shmfi_csv_column *column)
{
    const size_t n = (size_t)plain->part->plan->n_columns;
    const uint32_t *end = plain->ends + c;
    const uint32_t cut = plain->part->plan->crlf && (size_t)c + 1 == n;
    int64_t *values = (void *)column->values;
    for (int64_t r = 0, next; r < plain->rows; r = next) {
        next = r + 4 < plain->rows ? r + 4 : plain->rows;
        if (next == r + 4 && shmfi_csv_four_integers(plain->part->text, end, n, cut, &values[r])) {
            end += 4 * n;
            continue;
        }
        for (; r < next; r++, end += n)
            if (!put_int64(plain, end, cut, r, column))
                return false;
    }
    return true;
}

static bool put_timestamps(const struct shmfi_csv_plain *plain, int64_t c,
                           struct shmfi_csv_column *column)
{
    static const int64_t scale[] = {1, 1, 1000, 1000000, 1000000000}; /* of enum shmf_unit */
    const struct shmfi_csv_target *target = &plain->part->plan->targets[c];
    const int64_t by = scale[target->unit];
    int64_t *values = (void *)column->values, seconds;
    struct shmfi_csv_month month = {0};
    if (target->utc)
        return false;
    EACH_FIELD(plain, c)
    {
        const char *text = plain->part->text + BEGIN();
        const uint32_t size = SIZE();
        if (size == 0)
            shmfi_csv_put_null(column, r);
        else if (size != 19 || !shmfi_csv_seconds_at_once(text, &month, &seconds) ||
                 __builtin_mul_overflow(seconds, by, &values[r]))
            return false;
    }
    return true;
}

/* They stay where they are. */
static bool note_texts(const struct shmfi_csv_plain *plain, int64_t c,
                       struct shmfi_csv_column *column)
{
    int64_t all = 0;
    EACH_FIELD(plain, c)
    {
        const uint32_t begin = BEGIN(), size = SIZE();
        all += size;
        if (size == 0)
            shmfi_csv_put_null(column, r);
        else if (!plain->part->ascii && shmfi_csv_utf8(plain->part->text + begin, size) < size)
            return false;
    }
    column->size = all;
    column->ends = plain->ends + c;
    column->step = (size_t)plain->part->plan->n_columns;
    column->cut = plain->part->plan->crlf && (size_t)c + 1 == column->step;
    return true;
}

static bool put_others(const struct shmfi_csv_plain *plain, int64_t c,
                       struct shmfi_csv_column *column)
{
    const struct shmfi_csv_target *target = &plain->part->plan->targets[c];
    EACH_FIELD(plain, c)
    {
        const uint32_t size = SIZE();
        if (size == 0)
            shmfi_csv_put_null(column, r);
        else if (!shmfi_csv_put(column->values + (size_t)r * column->width, target,
                                plain->part->text + BEGIN(), size))
            return false;
    }
    return true;
}

#endif

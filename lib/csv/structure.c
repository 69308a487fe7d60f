/* Where rows begin, found without reading fields: quotes are counted, since a line end within
 * quotes (behind an odd number of them) ends no row. Pieces of the text are counted at once by
 * several workers, for both cases; which holds is known when the pieces before them are. */
#include "plan.h"

#include <string.h>

static bool ends_empty_line(const char *end, int64_t before)
{
    return before >= 1 && (end[-1] == '\n' || (before >= 2 && end[-1] == '\r' && end[-2] == '\n'));
}

/* A stretch without quotes, behind an odd number of them or not, if the piece begins outside.
 * `before`: bytes before `from` that may be looked at, or -1: empty lines are rows. */
static void stretch(struct shmfi_csv_counts *counts, const char *text, const char *from,
                    const char *to, int64_t before, int inside)
{
    int64_t lines = 0, empty = 0;
    for (const char *at = from; at < to;) {
        const char *end = memchr(at, '\n', (size_t)(to - at));
        if (!end)
            break;
        if (counts->first[inside] < 0) {
            counts->first[inside] = end + 1 - text;
            counts->lines_before[inside] = counts->lines + lines + 1;
        }
        lines++;
        empty += before >= 0 && ends_empty_line(end, before + (end - from));
        at = end + 1;
    }
    counts->rows[inside] += lines - empty;
    counts->lines += lines;
}

void shmfi_csv_count(const char *text, int64_t size, int64_t before, bool one_column,
                     struct shmfi_csv_counts *counts)
{
    const char *at = text, *end = text + size;
    *counts = (struct shmfi_csv_counts){.first = {-1, -1}};
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        const char *to = quote ? quote : end;
        stretch(counts, text, at, to, one_column ? -1 : before + (at - text),
                (int)(counts->quotes & 1));
        counts->quotes += quote != NULL;
        at = quote ? quote + 1 : end;
    }
}

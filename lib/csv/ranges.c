/* Cutting the text into ranges of whole rows; the pool counts its pieces. */
#include "reading.h"

#include <shmframe/map.h>
#include <stdlib.h>

struct piece {
    int64_t begin, end;
    int64_t one_column;
};

static void count(const char *text, const struct piece *piece, struct shmfi_csv_counts *counts)
{
    shmfi_csv_count(text + piece->begin, piece->end - piece->begin, piece->begin,
                    piece->one_column != 0, counts);
}

static int count_task(struct shmf_task *task, void *context)
{
    const struct shmf_array *text = shmf_task_array(task, 0);
    struct shmfi_csv_counts counts;
    (void)context;
    if (!text)
        return SHMF_E_TASK;
    count(shmf_array_data(text), shmf_task_arg(task), &counts);
    return shmf_task_return_bytes(task, &counts, sizeof counts);
}

static int count_all(struct shmfi_csv_reading *reading, const struct piece *pieces, int64_t n,
                     struct shmfi_csv_counts *counts)
{
    struct shmf_handle handle = shmf_array_handle(reading->source.array);
    const struct shmf_tasks tasks = {
        .count = n, .args = pieces, .arg_size = sizeof *pieces, .handles = &handle, .n_handles = 1};
    if (reading->options.pool)
        return shmf_pool_map(reading->options.pool, count_task, &tasks,
                             &(struct shmf_map_options){.attempts = 3}, counts, sizeof *counts,
                             NULL, reading->err);
    for (int64_t i = 0; i < n; i++)
        count(reading->source.text, &pieces[i], &counts[i]);
    return SHMF_OK;
}

/* Each piece's first row begins behind the first line end in it that is not within quotes; what is
 * before belongs to the range that begins earlier. */
static void cut(struct shmfi_csv_reading *reading, const struct piece *pieces,
                const struct shmfi_csv_counts *counts, int64_t n)
{
    struct shmfi_csv_range *range = reading->ranges;
    int64_t line = reading->data_line, rows = 0;
    int inside = 0;
    *range = (struct shmfi_csv_range){.begin = reading->data, .line = line};
    for (int64_t i = 0; i < n; i++) {
        const struct shmfi_csv_counts *c = &counts[i];
        if (i > 0 && c->first[inside] >= 0) {
            /* The line end that ends the range is in this piece, unless it ended an empty line. */
            const int64_t begin = pieces[i].begin + c->first[inside];
            struct shmfi_csv_counts head;
            shmfi_csv_count(reading->source.text + begin - 1, 1, begin - 1,
                            pieces[i].one_column != 0, &head);
            range->end = begin;
            range->rows = rows + head.rows[0] - range->first;
            range[1] = (struct shmfi_csv_range){.begin = begin,
                                                .line = line + c->lines_before[inside],
                                                .first = rows + head.rows[0]};
            range++;
        }
        rows += c->rows[inside];
        line += c->lines;
        inside ^= (int)(c->quotes & 1);
    }
    range->end = reading->source.size;
    range->rows =
        rows - range->first + 1; /* one that ends within quotes: an error for who parses it */
    reading->n_ranges = range + 1 - reading->ranges;
}

int shmfi_csv_find_ranges(struct shmfi_csv_reading *reading)
{
    const int64_t size = reading->source.size - reading->data, step = reading->options.chunk_bytes;
    const int64_t n = size > 0 ? (size - 1) / step + 1 : 1;
    struct piece *pieces = malloc((size_t)n * sizeof *pieces);
    struct shmfi_csv_counts *counts = malloc((size_t)n * sizeof *counts);
    reading->ranges = malloc((size_t)n * sizeof *reading->ranges);
    int rc = pieces && counts && reading->ranges
                 ? SHMF_OK
                 : shmfi_csv_error(reading->err, SHMF_E_NOMEM, "private memory is exhausted");
    for (int64_t i = 0; !rc && i < n; i++) {
        int64_t begin = reading->data + i * step, left = reading->source.size - begin;
        pieces[i] =
            (struct piece){begin, begin + (left < step ? left : step), reading->n_columns == 1};
    }
    if (!rc)
        rc = count_all(reading, pieces, n, counts);
    if (!rc)
        cut(reading, pieces, counts, n);
    free(pieces);
    free(counts);
    return rc;
}

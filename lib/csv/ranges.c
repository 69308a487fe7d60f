/* Cutting the text into ranges of whole rows; the pool counts its pieces. */
#include "loops.h"
#include "reading.h"

#include <shmframe/map.h>
#include <stdio.h>
#include <stdlib.h>

struct piece {
    int64_t begin, end;
    int64_t one_column;
};

/* With up to two bytes before it. */
static int count(const struct shmfi_csv_source *source, const struct piece *piece,
                 struct shmfi_csv_scratch *scratch, struct shmfi_csv_counts *counts,
                 struct shmfi_csv_failure *failure)
{
    const int64_t before = piece->begin < 2 ? piece->begin : 2, from = piece->begin - before;
    char *room = shmfi_csv_scratch(scratch, (size_t)(piece->end - from) + 2 + SHMFI_CSV_PAD);
    failure->code = SHMF_E_NOMEM;
    snprintf(failure->message, sizeof failure->message, "private memory is exhausted");
    const char *text = room ? shmfi_csv_window(source, from, piece->end, room, failure) : NULL;
    if (!text)
        return failure->code;
    shmfi_csv_loops()->count(text + before, piece->end - piece->begin, before,
                             piece->one_column != 0, counts);
    return SHMF_OK;
}

static int count_task(struct shmf_task *task, void *context)
{
    const struct shmf_array *origin = shmf_task_array(task, 0);
    struct shmfi_csv_scratch own = {0}, *scratch = shmfi_csv_task_scratch(task, &own);
    struct shmfi_csv_failure failure;
    struct shmfi_csv_source source;
    struct shmfi_csv_counts counts;
    (void)context;
    if (!origin)
        return SHMF_E_TASK;
    int rc = shmfi_csv_source_open(&source, shmf_array_data(origin), &failure);
    if (!rc)
        rc = count(&source, shmf_task_arg(task), scratch, &counts, &failure);
    shmfi_csv_source_close(&source);
    free(own.memory);
    return rc ? shmf_task_fail(task, rc, "%s", failure.message)
              : shmf_task_return_bytes(task, &counts, sizeof counts);
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
    struct shmfi_csv_failure failure;
    for (int64_t i = 0; i < n; i++)
        if (count(&reading->source, &pieces[i], &reading->scratch, &counts[i], &failure))
            return shmf_error_set(reading->err, failure.code, "%s", failure.message);
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
            range->end = begin;
            range->rows = rows + c->first_rows[inside] - range->first;
            range[1] = (struct shmfi_csv_range){.begin = begin,
                                                .line = line + c->lines_before[inside],
                                                .first = rows + c->first_rows[inside]};
            range++;
        }
        rows += c->rows[inside];
        line += c->lines;
        inside ^= (int)(c->quotes & 1);
    }
    range->end = reading->source.origin->size;
    reading->n_rows = rows;
    range->rows = rows - range->first + 1;
    range->spare = 1;
    reading->n_ranges = range + 1 - reading->ranges;
}

int shmfi_csv_find_ranges(struct shmfi_csv_reading *reading)
{
    const int64_t size = reading->source.origin->size - reading->data,
                  step = reading->options.chunk_bytes;
    const int64_t n = size > 0 ? (size - 1) / step + 1 : 1;
    struct piece *pieces = calloc((size_t)n, sizeof *pieces);
    struct shmfi_csv_counts *counts = calloc((size_t)n, sizeof *counts);
    reading->ranges = malloc((size_t)n * sizeof *reading->ranges);
    int rc = pieces && counts && reading->ranges
                 ? SHMF_OK
                 : shmf_error_set(reading->err, SHMF_E_NOMEM, "private memory is exhausted");
    for (int64_t i = 0; !rc && i < n; i++) {
        int64_t begin = reading->data + i * step, left = reading->source.origin->size - begin;
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

/* Columns of a part as a frame. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

/* Short texts by 16 bytes at a time, as long as there is room for as many. */
static inline size_t put_short(const struct shmfi_csv_part *part,
                               const struct shmfi_csv_column *column, int64_t row, char *to,
                               const char *end)
{
    enum { SHORT = 16 };
    int64_t place;
    const uint32_t size = shmfi_csv_text_at(column, row, &place);
    if (size > SHORT || end - to < SHORT)
        return shmfi_csv_put_text(part, column, row, to);
    memcpy(to, part->text + place, SHORT);
    return size;
}

/* Of a column whose offsets are of that type.
 * NOLINTBEGIN(bugprone-macro-parentheses): a type has none */
#define COPY_TEXTS(type)                                                                           \
    do {                                                                                           \
        type *offsets = shmf_frame_offsets_mut(frame, to);                                         \
        for (int64_t r = 0; r < part->rows; r++) {                                                 \
            offsets[r] = (type)(at - bytes);                                                       \
            at += put_short(part, &column, r, at, end);                                            \
        }                                                                                          \
        offsets[part->rows] = (type)(at - bytes);                                                  \
    } while (0)
/* NOLINTEND(bugprone-macro-parentheses) */

static void copy_text(struct shmf_frame *frame, int64_t to, const struct shmfi_csv_part *part,
                      const struct shmfi_csv_column *from, bool large)
{
    const struct shmfi_csv_column column = *from; /* which what is written cannot be */
    char *bytes = shmf_frame_data_mut(frame, to), *at = bytes, *end = bytes + column.size;
    if (large)
        COPY_TEXTS(int64_t);
    else
        COPY_TEXTS(int32_t);
}

static void copy_bools(uint8_t *bits, const uint8_t *bytes, int64_t rows)
{
    memset(bits, 0, (size_t)((rows + 7) / 8));
    for (int64_t r = 0; r < rows; r++)
        bits[r / 8] |= (uint8_t)((bytes[r] & 1u) << r % 8);
}

static void copy_column(struct shmf_frame *frame, int64_t to, const struct shmfi_csv_part *part,
                        int64_t from)
{
    const struct shmfi_csv_column *column = &part->columns[from];
    const struct shmfi_csv_target *target = &part->plan->targets[from];
    void *data = shmf_frame_data_mut(frame, to);
    uint8_t *validity = shmf_frame_validity_mut(frame, to);
    size_t width = shmf_dtype_size((enum shmf_dtype)target->dtype);
    if (shmfi_csv_is_text(target))
        copy_text(frame, to, part, column, target->dtype == SHMF_LARGE_UTF8);
    else if (target->dtype == SHMF_BOOL)
        copy_bools(data, column->values, part->rows);
    else if (part->rows)
        memcpy(data, column->values, (size_t)part->rows * width);
    if (validity) {
        memcpy(validity, column->validity, (size_t)(part->rows / 8));
        if (part->rows % 8)
            validity[part->rows / 8] =
                column->validity[part->rows / 8] & (uint8_t)((1u << part->rows % 8) - 1);
    }
}

/* ---- row labels --------------------------------------------------------------------------- */

struct labels {
    const char **texts;
    char *bytes;
    int64_t *numbers;
};

static void free_labels(struct labels *labels)
{
    free(labels->texts);
    free(labels->bytes);
    free(labels->numbers);
}

/* Label texts end with a NUL each. */
static int text_labels(struct labels *labels, const struct shmfi_csv_part *part,
                       const struct shmfi_csv_column *column)
{
    labels->texts = malloc((size_t)(part->rows + 1) * sizeof *labels->texts);
    labels->bytes = malloc((size_t)(column->size + part->rows + 1));
    if (!labels->texts || !labels->bytes)
        return SHMF_E_NOMEM;
    char *to = labels->bytes;
    for (int64_t r = 0; r < part->rows; r++) {
        size_t size = shmfi_csv_put_text(part, column, r, to);
        if (memchr(to, 0, size))
            return SHMF_E_INVAL;
        labels->texts[r] = to;
        to[size] = 0;
        to += size + 1;
    }
    return SHMF_OK;
}

static int number_labels(struct labels *labels, const struct shmfi_csv_column *column,
                         const struct shmfi_csv_target *target, int64_t rows)
{
    labels->numbers = malloc((size_t)(rows + 1) * sizeof *labels->numbers);
    if (!labels->numbers)
        return SHMF_E_NOMEM;
    if (target->dtype != SHMF_INT64)
        return SHMF_E_DTYPE;
    memcpy(labels->numbers, column->values, (size_t)rows * sizeof *labels->numbers);
    return SHMF_OK;
}

static int take_labels(struct labels *labels, const struct shmfi_csv_part *part,
                       struct shmf_frame_spec *spec, struct shmf_error *err)
{
    int64_t c = part->plan->labels;
    if (c < 0)
        return SHMF_OK;
    const struct shmfi_csv_column *column = &part->columns[c];
    const struct shmfi_csv_target *target = &part->plan->targets[c];
    if (column->nulls)
        return shmf_error_set(err, SHMF_E_CORRUPT, "row_labels: there are nulls among them");
    int rc = shmfi_csv_is_text(target) ? text_labels(labels, part, column)
                                       : number_labels(labels, column, target, part->rows);
    spec->row_labels = labels->texts;
    spec->row_numbers = labels->numbers;
    return rc ? shmf_error_set(err, rc, "row_labels: %s",
                               rc == SHMF_E_NOMEM ? "private memory is exhausted"
                               : rc == SHMF_E_DTYPE
                                   ? "the column is neither of integers nor of text"
                                   : "a text with a NUL byte")
              : SHMF_OK;
}

/* ---- the frame ---------------------------------------------------------------------------- */

void shmfi_csv_describe(const struct shmfi_csv_plan *plan, const int64_t *sizes,
                        const bool *nullable, struct shmf_column_spec *columns,
                        struct shmf_column_details *details)
{
    const char *name = shmfi_csv_plan_names(plan);
    for (int64_t from = 0, to = 0; from < plan->n_columns; from++) {
        const char *zone = name + strlen(name) + 1;
        const struct shmfi_csv_target *target = &plan->targets[from];
        if (from != plan->labels) {
            columns[to] =
                (struct shmf_column_spec){name, (enum shmf_dtype)target->dtype, nullable[from]};
            details[to] = (struct shmf_column_details){
                .data_size = sizes[from],
                .type.unit = (enum shmf_unit)target->unit,
                .type.zone = {*zone ? zone : NULL, (int64_t)strlen(zone)}};
            to++;
        }
        name = zone + strlen(zone) + 1;
    }
}

static void describe(const struct shmfi_csv_part *part, int64_t *sizes, bool *nullable,
                     struct shmf_column_spec *columns, struct shmf_column_details *details)
{
    for (int64_t c = 0; c < part->plan->n_columns; c++) {
        sizes[c] = part->columns[c].size;
        nullable[c] = part->columns[c].nulls > 0;
    }
    shmfi_csv_describe(part->plan, sizes, nullable, columns, details);
}

static struct shmf_frame *make(const struct shmfi_csv_part *part, struct shmf_frame_spec *spec,
                               struct shmf_task *task, struct shmf_error *err)
{
    struct labels labels = {0};
    struct shmf_frame *frame = NULL;
    if (!take_labels(&labels, part, spec, err))
        frame = task ? shmf_task_new_frame(task, spec) : shmf_frame_new(spec, err);
    free_labels(&labels);
    for (int64_t from = 0, to = 0; frame && from < part->plan->n_columns; from++)
        if (from != part->plan->labels)
            copy_column(frame, to++, part, from);
    return frame;
}

struct shmf_frame *shmfi_csv_part_frame(const struct shmfi_csv_part *part, struct shmf_task *task,
                                        struct shmf_error *err)
{
    const size_t n = (size_t)part->plan->n_columns;
    struct shmf_column_spec *columns = calloc(n, sizeof *columns);
    struct shmf_column_details *details = calloc(n, sizeof *details);
    struct shmf_frame_spec spec = {.n_rows = part->rows,
                                   .range_start = part->first,
                                   .n_columns = part->plan->n_columns - (part->plan->labels >= 0),
                                   .columns = columns,
                                   .details = details};
    int64_t *sizes = calloc(n, sizeof *sizes);
    bool *nullable = calloc(n, sizeof *nullable);
    struct shmf_frame *frame = NULL;
    if (columns && details && sizes && nullable) {
        describe(part, sizes, nullable, columns, details);
        frame = make(part, &spec, task, err);
    } else {
        shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
    }
    free(columns);
    free(details);
    free(sizes);
    free(nullable);
    return frame;
}

/* How a text of comma-separated values is to be parsed: what the application finds out, and each
 * task is given. */
#ifndef SHMFI_CSV_PLAN_H
#define SHMFI_CSV_PLAN_H

#include "field.h"

#include <shmframe/csv.h>
#include <string.h>

/* What a column's fields become. */
struct shmfi_csv_target {
    uint8_t dtype; /* enum shmf_dtype */
    uint8_t unit;  /* enum shmf_unit, of timestamps */
    uint8_t utc;   /* it has a zone */
    uint8_t open;  /* nothing but nulls was seen so far: whatever comes does not fit */
};

/* One piece of plain memory, in a segment that all tasks share; behind it the targets, then of each
 * column its label and its zone (ended by NUL), then the texts that mean null, each with its length
 * in a byte before it. */
struct shmfi_csv_plan {
    int64_t n_columns;
    int64_t labels; /* column that becomes the row labels, or -1 */
    uint32_t n_nulls;
    char delimiter;
    uint8_t crlf;        /* lines end with CR LF */
    uint8_t infer;       /* find out types, make no frame */
    uint8_t guessed;     /* types are guesses: a field that does not fit is no failure */
    uint32_t names_size; /* bytes of labels and zones */
    uint32_t reserved;
    struct shmfi_csv_target targets[]; /* n_columns */
};

static inline const char *shmfi_csv_plan_names(const struct shmfi_csv_plan *plan)
{
    return (const char *)(plan->targets + plan->n_columns);
}

static inline const uint8_t *shmfi_csv_plan_nulls(const struct shmfi_csv_plan *plan)
{
    return (const uint8_t *)shmfi_csv_plan_names(plan) + plan->names_size;
}

static inline bool shmfi_csv_is_text(const struct shmfi_csv_target *target)
{
    return target->dtype == SHMF_UTF8 || target->dtype == SHMF_LARGE_UTF8;
}

/* Rows of the text that begin in one piece of it. */
struct shmfi_csv_range {
    int64_t begin, end; /* of the first row, and of what follows the last */
    int64_t line;       /* of the first row, from 1 */
    int64_t first;      /* number of the first row, from 0 */
    int64_t rows;
    int64_t spare; /* of these: for a row that the end of the text leaves within quotes */
};

/* Why parsing stopped. */
struct shmfi_csv_failure {
    int code;
    char message[SHMF_ERROR_MESSAGE_SIZE];
};

/* Where rows begin in a piece of the text, without knowing whether it begins within quotes; [1]: if
 * it does. */
struct shmfi_csv_counts {
    int64_t quotes;
    int64_t lines;           /* line ends, those within quotes included */
    int64_t rows[2];         /* line ends that end rows; empty lines are none */
    int64_t first[2];        /* bytes behind the first of these, or -1 */
    int64_t first_rows[2];   /* 1: it ends a row */
    int64_t lines_before[2]; /* line ends up to there */
};

/* ---- parse.c: a range as columns ---------------------------------------------------------- */

struct shmfi_csv_column {
    size_t width;         /* of a value; of text: of the place where it begins */
    uint8_t *values;      /* fixed width; of text: places in the part's text, int64 */
    uint32_t *sizes;      /* of text: bytes there, and SHMFI_CSV_TWICE */
    const uint32_t *ends; /* of text, or NULL: both are here instead: field `r` begins behind
                             ends[r * step - 1] and ends `cut` bytes before ends[r * step] */
    size_t step;
    uint32_t cut;
    uint8_t *validity; /* bits; all set beforehand */
    int64_t nulls;
    int64_t size;   /* of text: bytes that all have together, when quotes are no longer doubled */
    unsigned types; /* that all fields can be, when inferring, and where one did not fit */
};

#define SHMFI_CSV_TWICE (UINT32_C(1) << 31) /* quotes within the text are written twice */

/* Text `row` of a column of them: its size, as in `sizes`, and its place. */
static inline uint32_t shmfi_csv_text_at(const struct shmfi_csv_column *column, int64_t row,
                                         int64_t *place)
{
    if (column->ends) {
        const uint32_t *end = column->ends + (size_t)row * column->step, begin = end[-1] + 1;
        *place = begin;
        return end[0] - column->cut - begin;
    }
    memcpy(place, column->values + (size_t)row * sizeof *place, sizeof *place);
    return column->sizes[row];
}

/* Memory of whoever parses, used for one part after the other. */
struct shmfi_csv_scratch {
    char *memory;
    size_t room;
};

struct shmfi_csv_source;

struct shmfi_csv_part {
    const struct shmfi_csv_plan *plan;
    const char *text; /* of the range */
    struct shmfi_csv_column *columns;
    int64_t first, rows; /* number of the first row */
    bool ascii;          /* the text is nothing else */
    bool misfit; /* a field was not of its column's type: columns[].types say what would fit */
    struct shmfi_csv_failure failure;
};

/* Parses a range. 0, with misfit or without; or the failure's code. The part lies in the scratch
 * memory. */
int shmfi_csv_part_parse(struct shmfi_csv_part *part, const struct shmfi_csv_plan *plan,
                         const struct shmfi_csv_source *source, const struct shmfi_csv_range *range,
                         struct shmfi_csv_scratch *scratch);

/* At least so many bytes, whose contents are lost; NULL: there are none. */
char *shmfi_csv_scratch(struct shmfi_csv_scratch *scratch, size_t size);

/* Text `row` of a column of them, copied to where there is room; returns its size. */
size_t shmfi_csv_put_text(const struct shmfi_csv_part *part, const struct shmfi_csv_column *column,
                          int64_t row, char *to);

/* ---- frame.c: columns as a frame ---------------------------------------------------------- */

/* What the frame's columns are: those of the plan but for the row labels. `sizes` and `nullable` of
 * the plan's columns; `columns` and `details` have room for as many. */
void shmfi_csv_describe(const struct shmfi_csv_plan *plan, const int64_t *sizes,
                        const bool *nullable, struct shmf_column_spec *columns,
                        struct shmf_column_details *details);

/* The frame of a part, not finished, made by `task` or, NULL, in the application. NULL: `*err`, or
 * the task's own error. */
struct shmf_frame *shmfi_csv_part_frame(const struct shmfi_csv_part *part, struct shmf_task *task,
                                        struct shmf_error *err);

#endif

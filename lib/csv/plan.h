/* How a text of comma-separated values is to be parsed: what the application finds out, and each
 * task is given. */
#ifndef SHMFI_CSV_PLAN_H
#define SHMFI_CSV_PLAN_H

#include "field.h"

#include <shmframe/csv.h>

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
};

/* Why parsing stopped. */
struct shmfi_csv_failure {
    int code;
    char message[SHMF_ERROR_MESSAGE_SIZE];
};

/* ---- structure.c: where rows begin -------------------------------------------------------- */

/* Of a piece of the text, without knowing whether it begins within quotes; [1]: if it does. */
struct shmfi_csv_counts {
    int64_t quotes;
    int64_t lines;           /* line ends, those within quotes included */
    int64_t rows[2];         /* line ends that end rows; empty lines are none */
    int64_t first[2];        /* bytes behind the first of these, or -1 */
    int64_t lines_before[2]; /* line ends up to there */
};

/* `before`: bytes before `text` that may be looked at. With one column an empty line is a row. */
void shmfi_csv_count(const char *text, int64_t size, int64_t before, bool one_column,
                     struct shmfi_csv_counts *counts);

/* ---- row.c: one row after the other ------------------------------------------------------- */

struct shmfi_csv_field {
    const char *text;
    size_t size;
    bool quoted;
    bool twice; /* quotes within it are written twice */
    bool last;  /* of its row */
};

struct shmfi_csv_reader {
    const char *at, *end; /* a line end precedes `end` */
    const char *row;      /* where the row begins; NULL before the first */
    int64_t line;         /* of the row */
    int64_t lines_in_row; /* line ends within quotes so far */
    int64_t column;       /* of the field that is next */
    char delimiter;
    bool crlf;
    uint8_t stops[256]; /* bytes at which a field that is not quoted may end */
    struct shmfi_csv_failure *failure;
};

void shmfi_csv_reader_begin(struct shmfi_csv_reader *reader, const char *text, int64_t size,
                            int64_t line, char delimiter, bool crlf,
                            struct shmfi_csv_failure *failure);

/* Goes to the next row that is not an empty line (with one column it is a row); false at the
 * end. */
bool shmfi_csv_next_row(struct shmfi_csv_reader *reader, int64_t n_columns);

/* The next field of the row; false: there is a failure. */
bool shmfi_csv_next_field(struct shmfi_csv_reader *reader, struct shmfi_csv_field *field);

/* Copies a field with quotes written twice; returns its size without them. */
size_t shmfi_csv_unquote(const struct shmfi_csv_field *field, char *to);

/* Fails with "line L, column C: ...", for the field that was read last. Returns false. */
bool shmfi_csv_fail(struct shmfi_csv_reader *reader, int code, const char *format, ...)
    SHMF_PRINTF(3, 4);

/* ---- parse.c: a range as columns ---------------------------------------------------------- */

struct shmfi_csv_column {
    size_t width;      /* of a value; of text: of its end */
    uint8_t *values;   /* fixed width; of text: the offsets, int64 */
    uint8_t *validity; /* bits; all set beforehand */
    int64_t nulls;
    char *bytes; /* of text */
    int64_t size, room;
    unsigned types; /* that all fields can be, when inferring, and where one did not fit */
};

struct shmfi_csv_part {
    const struct shmfi_csv_plan *plan;
    struct shmfi_csv_column *columns;
    int64_t first, rows; /* number of the first row */
    bool misfit; /* a field was not of its column's type: columns[].types say what would fit */
    struct shmfi_csv_failure failure;
};

/* Parses a range. 0, with misfit or without; or the failure's code. The part is to be freed either
 * way. */
int shmfi_csv_part_parse(struct shmfi_csv_part *part, const struct shmfi_csv_plan *plan,
                         const char *text, const struct shmfi_csv_range *range);
void shmfi_csv_part_free(struct shmfi_csv_part *part);

/* ---- frame.c: columns as a frame ---------------------------------------------------------- */

/* The frame of a part, not finished, made by `task` or, NULL, in the application. NULL: `*err`, or
 * the task's own error. */
struct shmf_frame *shmfi_csv_part_frame(const struct shmfi_csv_part *part, struct shmf_task *task,
                                        struct shmf_error *err);

/* Records `code` and the message in `*err` (which may be NULL) and returns `code`. */
int shmfi_csv_error(struct shmf_error *err, int code, const char *format, ...) SHMF_PRINTF(3, 4);

#endif

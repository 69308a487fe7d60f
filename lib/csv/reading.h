/* One call of shmf_csv_read: its steps and what they know. */
#ifndef SHMFI_CSV_READING_H
#define SHMFI_CSV_READING_H

#include "source.h"

struct shmfi_csv_reading {
    struct shmf_csv_options options; /* defaults filled in */
    struct shmfi_csv_source source;
    struct shmf_error *err;
    struct shmfi_csv_scratch scratch; /* for what is parsed in the application */

    /* header.c */
    int64_t n_columns;
    char **labels; /* n_columns, each its own */
    int64_t data;  /* where the first row of values begins */
    int64_t data_line;

    /* ranges.c */
    struct shmfi_csv_range *ranges;
    int64_t n_ranges;
    int64_t n_rows; /* of all */

    /* types.c: what columns are, as far as it is known */
    unsigned *types; /* n_columns; inferred */
    bool learnt;     /* from all of the text */
    struct shmf_array *plan_array;
    struct shmfi_csv_plan *plan;
};

/* The labels of the columns, and where values begin. */
int shmfi_csv_read_header(struct shmfi_csv_reading *reading);

/* Cuts the rows into ranges. */
int shmfi_csv_find_ranges(struct shmfi_csv_reading *reading);

/* A plan for what is known of the columns now; replaces the one before. */
int shmfi_csv_make_plan(struct shmfi_csv_reading *reading, bool infer);

/* A first guess at the types, from some rows here and there. */
int shmfi_csv_guess(struct shmfi_csv_reading *reading);

/* Parses all ranges and puts them together. 1: types were wrong, and are known now; 0 with
 * `*frame`; or a negative status. */
int shmfi_csv_run(struct shmfi_csv_reading *reading, struct shmf_frame **frame);

/* Memory for a task to parse in: a worker keeps it for its next tasks; elsewhere it is `own`, for
 * the caller to free. */
struct shmfi_csv_scratch *shmfi_csv_task_scratch(const struct shmf_task *task,
                                                 struct shmfi_csv_scratch *own);

/* ---- gather.c: frames of ranges, one below the other -------------------------------------- */

struct shmfi_csv_gathered;

/* A frame in the making, of all rows of the reading. NULL: `*reading->err`. */
struct shmfi_csv_gathered *shmfi_csv_gather_begin(struct shmfi_csv_reading *reading);

/* Puts the frame of the next range below those that were put before. */
int shmfi_csv_gather_add(struct shmfi_csv_gathered *gathered, const struct shmf_frame *part);

/* The finished frame, which the caller owns, if all ranges came; frees the rest. `failed`: frees
 * all. */
struct shmf_frame *shmfi_csv_gather_end(struct shmfi_csv_gathered *gathered, bool failed);

#endif

/* Loops over many bytes or rows, which are there twice: as any processor has it, and for those with
 * AVX2; both give the same. */
#ifndef SHMFI_CSV_LOOPS_H
#define SHMFI_CSV_LOOPS_H

#include "plan.h"

/* Where the fields of a range without quotes end. */
struct shmfi_csv_plain {
    struct shmfi_csv_part *part;
    int64_t rows;
    const uint32_t *ends; /* of field c of row r: place r * n_columns + c; one before the first */
};

struct shmfi_csv_loops {
    /* structure_loops.h: `before`: bytes before `text` that may be looked at. With one column an
     * empty line is a row. */
    void (*count)(const char *text, int64_t size, int64_t before, bool one_column,
                  struct shmfi_csv_counts *counts);

    /* plain_loops.h. False: the range is not of that kind. `room` is for rows * n_columns + 1
     * numbers, and a block more. Notes in the part whether its text is ASCII. */
    bool (*begin)(struct shmfi_csv_plain *plain, struct shmfi_csv_part *part, size_t size,
                  int64_t rows, uint32_t *room);

    /* All fields of column `c`; empty ones are null. False: one is no value of the column's type.
     */
    bool (*int64)(const struct shmfi_csv_plain *plain, int64_t c, struct shmfi_csv_column *column);
    bool (*timestamp)(const struct shmfi_csv_plain *plain, int64_t c,
                      struct shmfi_csv_column *column);
    bool (*text)(const struct shmfi_csv_plain *plain, int64_t c, struct shmfi_csv_column *column);
    bool (*other)(const struct shmfi_csv_plain *plain, int64_t c, struct shmfi_csv_column *column);
};

extern const struct shmfi_csv_loops shmfi_csv_any_loops;
/* NULL where the compiler does not make them. */
extern const struct shmfi_csv_loops *const shmfi_csv_wide_loops;

/* Those for this processor. */
const struct shmfi_csv_loops *shmfi_csv_loops(void);

/* ---- parse.c ------------------------------------------------------------------------------ */

void shmfi_csv_put_null(struct shmfi_csv_column *column, int64_t row);

/* A value of fixed width; false: the text is none of that dtype. */
bool shmfi_csv_put(uint8_t *to, const struct shmfi_csv_target *target, const char *text,
                   size_t size);

#endif

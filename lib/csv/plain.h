/* Ranges without quotes, column by column; see plain.c. */
#ifndef SHMFI_CSV_PLAIN_H
#define SHMFI_CSV_PLAIN_H

#include "plan.h"

/* Where the fields of such a range end. */
struct shmfi_csv_plain {
    const struct shmfi_csv_part *part;
    int64_t rows;
    const uint32_t *ends; /* of field c of row r: place r * n_columns + c; one before the first */
};

/* False: the range is not of that kind. `room` is for rows * n_columns + 1 numbers,
 * and a block more. */
bool shmfi_csv_plain_begin(struct shmfi_csv_plain *plain, const struct shmfi_csv_part *part,
                           size_t size, int64_t rows, uint32_t *room);

/* All fields of a column; empty ones are null. False: one is no value of the column's type. */
bool shmfi_csv_plain_int64(const struct shmfi_csv_plain *plain, int64_t c,
                           struct shmfi_csv_column *column);
bool shmfi_csv_plain_timestamp(const struct shmfi_csv_plain *plain, int64_t c,
                               struct shmfi_csv_column *column);
bool shmfi_csv_plain_text(const struct shmfi_csv_plain *plain, int64_t c,
                          struct shmfi_csv_column *column);
bool shmfi_csv_plain_other(const struct shmfi_csv_plain *plain, int64_t c,
                           struct shmfi_csv_column *column);

/* ---- parse.c ------------------------------------------------------------------------------ */

void shmfi_csv_put_null(struct shmfi_csv_column *column, int64_t row);

/* A value of fixed width; false: the text is none of that dtype. */
bool shmfi_csv_put(uint8_t *to, const struct shmfi_csv_target *target, const char *text,
                   size_t size);

#endif

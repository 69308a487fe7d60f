/* Rows and fields of a range, one after the other. */
#ifndef SHMFI_CSV_READER_H
#define SHMFI_CSV_READER_H

#include "plan.h"
#include "stops.h"

struct shmfi_csv_field {
    const char *text;
    size_t size;
    bool quoted;
    bool twice; /* quotes within it are written twice */
    bool last;  /* of its row */
};

struct shmfi_csv_reader {
    const char *at, *end; /* a line end precedes `end`, SHMFI_CSV_PAD bytes follow */
    const char *block;    /* what is looked at; `at` lies in it, or at its end */
    uint64_t stops;       /* bytes of it, from `at` on, at which a field may end */
    const char *row;      /* where the row begins; NULL before the first */
    int64_t line;         /* of the row */
    int64_t lines_in_row; /* line ends within quotes so far */
    int64_t column;       /* of the field that was read last, from 1 */
    char delimiter;
    bool crlf;
    struct shmfi_csv_failure *failure;
};

void shmfi_csv_reader_begin(struct shmfi_csv_reader *reader, const char *text, int64_t size,
                            int64_t line, char delimiter, bool crlf,
                            struct shmfi_csv_failure *failure);

/* Goes to the next row that is not an empty line (with one column it is a row); false at the
 * end. */
bool shmfi_csv_next_row(struct shmfi_csv_reader *reader, int64_t n_columns);

/* A field that begins with a quote, or does not end with a delimiter or LF. */
bool shmfi_csv_other_field(struct shmfi_csv_reader *reader, struct shmfi_csv_field *field);

/* The next field of the row; false: there is a failure. */
static inline bool shmfi_csv_next_field(struct shmfi_csv_reader *reader,
                                        struct shmfi_csv_field *field)
{
    const char *from = reader->at;
    reader->column++;
    *field = (struct shmfi_csv_field){.text = from};
    while (!reader->stops) {
        reader->block += SHMFI_CSV_BLOCK;
        reader->stops = shmfi_csv_stops(reader->block, reader->delimiter);
    }
    const char *stop = reader->block + __builtin_ctzll(reader->stops);
    const bool last = *stop == '\n' && !reader->crlf;
    if (*stop != reader->delimiter && !last)
        return shmfi_csv_other_field(reader, field);
    reader->stops &= reader->stops - 1;
    reader->at = stop + 1;
    field->size = (size_t)(stop - from);
    field->last = last;
    return true;
}

/* Copies a field with quotes written twice; returns its size without them. */
size_t shmfi_csv_unquote(const char *text, size_t size, char *to);

/* Fails with "line L, column C: ...", for the field that was read last. Returns false. */
bool shmfi_csv_fail(struct shmfi_csv_reader *reader, int code, const char *format, ...)
    SHMF_PRINTF(3, 4);

#endif

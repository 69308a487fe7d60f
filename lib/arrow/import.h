/* Importing, within the adapter: all batches are there before the frame is made, so that it is made
 * once, in its final size. */
#ifndef SHMFI_ARROW_IMPORT_H
#define SHMFI_ARROW_IMPORT_H

#include "adapter.h"

/* The categories of a field over all batches. */
struct shmfi_arrow_categories {
    struct shmf_text *values; /* n of them */
    int64_t n;
    int64_t capacity;
    int64_t *slots;  /* hash table of 1 + position in `values`; NULL until batches differ */
    int64_t n_slots; /* a power of two */
    int64_t **maps;  /* of each batch: index -> position in `values`, -1: null; NULL: as it is */
    int64_t *sizes;  /* of each batch: how many categories it has */
};

struct shmfi_arrow_field {
    const struct ArrowSchema *schema;
    struct shmfi_arrow_type type;
    int64_t nulls; /* exact */
    int64_t bytes; /* of strings */
    struct shmfi_arrow_categories categories;
};

struct shmfi_arrow_import {
    const struct ArrowSchema *schema;
    bool is_struct; /* else the array itself is the only field */
    struct shmfi_arrow_field *fields;
    int64_t n_fields;
    int64_t labels; /* the field that becomes the row labels; or -1 */
    const struct ArrowArray *batches;
    int64_t n_batches;
    int64_t n_rows;
};

/* The rows of one field in one batch: elements `first` to first + n - 1 of the array. */
struct shmfi_arrow_piece {
    const struct ArrowArray *array;
    int64_t first, n;
    const uint8_t *validity; /* NULL: no nulls */
};
struct shmfi_arrow_piece shmfi_arrow_piece(const struct shmfi_arrow_import *import, int64_t field,
                                           int64_t batch);

static inline bool shmfi_arrow_is_null(const struct shmfi_arrow_piece *piece, int64_t i)
{
    return piece->validity && !shmfi_arrow_bit(piece->validity, piece->first + i);
}

/* SHMF_E_INVAL names the field of a batch that is not what its schema says. */
int shmfi_arrow_check_batches(const struct shmfi_arrow_import *import, struct shmf_error *err);

/* Counts nulls and bytes of each field, gathers categories. SHMF_E_INVAL, SHMF_E_NOMEM. */
int shmfi_arrow_measure(struct shmfi_arrow_import *import, struct shmf_error *err);

/* The text of element `i` (not a null's); data NULL: its place is impossible. */
struct shmf_text shmfi_arrow_text(const struct ArrowArray *array, enum shmfi_arrow_layout layout,
                                  int64_t i);

/* The index at element `i` of an array of this dtype; -1 for one beyond int64. */
int64_t shmfi_arrow_index(const void *data, enum shmf_dtype dtype, int64_t i);

/* Adds the dictionary of a batch. */
int shmfi_arrow_add_categories(struct shmfi_arrow_import *import, struct shmfi_arrow_field *field,
                               int64_t batch, const struct ArrowArray *dictionary,
                               struct shmf_error *err);
void shmfi_arrow_free_categories(struct shmfi_arrow_categories *categories, int64_t n_batches);

/* Writes all rows of a field into a column of the frame that is being built. */
int shmfi_arrow_fill(const struct shmfi_arrow_import *import, int64_t field,
                     struct shmf_frame *frame, int64_t column, struct shmf_error *err);

/* A frame of batches that have one schema. */
struct shmf_frame *shmfi_arrow_import_batches(const struct ArrowSchema *schema,
                                              const struct ArrowArray *batches, int64_t n,
                                              const struct shmf_arrow_import_options *options,
                                              struct shmf_error *err);

/* ---- bitmaps ------------------------------------------------------------------------------ */

int64_t shmfi_arrow_count_bits(const uint8_t *bitmap, int64_t first, int64_t n);

/* Bits `from` on go to bits `at` on. */
void shmfi_arrow_copy_bits(uint8_t *to, int64_t at, const uint8_t *bitmap, int64_t from, int64_t n);

#endif

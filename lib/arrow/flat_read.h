/* FlatBuffers that anybody may have written: every read is checked against the buffer's size. */
#ifndef SHMFI_ARROW_FLAT_READ_H
#define SHMFI_ARROW_FLAT_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A table inside a buffer; `size` 0: there is none, and all its fields are absent. */
struct shmfi_table {
    const unsigned char *bytes; /* the buffer */
    size_t buffer_size;
    size_t at, size; /* of the table */
    size_t vtable, vtable_size;
};

/* Elements of `each` bytes. */
struct shmfi_vector {
    const unsigned char *bytes; /* the buffer */
    size_t buffer_size;
    size_t at; /* of the first element */
    size_t n;
};

/* All of them return false where the buffer ends too early. */
bool shmfi_table_root(const void *bytes, size_t size, struct shmfi_table *table);

/* A number of `size` bytes, sign-extended; `absent` if the field is not there. */
bool shmfi_table_number(const struct shmfi_table *table, unsigned field, size_t size,
                        int64_t absent, int64_t *value);

/* What an offset leads to; an absent one to nothing: no elements, a table of no fields. */
bool shmfi_table_table(const struct shmfi_table *table, unsigned field, struct shmfi_table *below);
bool shmfi_table_vector(const struct shmfi_table *table, unsigned field, size_t each,
                        struct shmfi_vector *vector);
bool shmfi_vector_table(const struct shmfi_vector *vector, size_t i, struct shmfi_table *table);

/* An absent string is NULL of size 0. */
bool shmfi_table_string(const struct shmfi_table *table, unsigned field, const char **text,
                        size_t *size);

#endif

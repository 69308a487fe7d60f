/* The segment format on plain memory: laying parts out, and checking what somebody else wrote.
 *
 * Checking copies first and looks at the copy only, so that bytes that change meanwhile cannot
 * make a checked number wrong. `segment` must be aligned to 8 bytes; `size` is how many bytes are
 * really there. Nothing here calls the kernel or allocates. */
#ifndef SHMFI_FORMAT_FORMAT_H
#define SHMFI_FORMAT_FORMAT_H

#include "dtype/dtype.h"

#include <shmframe/error.h>
#include <shmframe/format.h>

#include <stdbool.h>
#include <string.h>

/* Values of shmf_format_frame.row_labels; the public enum shmf_row_labels has the same. */
enum { SHMFI_ROWS_RANGE = 0, SHMFI_ROWS_INT64 = 1, SHMFI_ROWS_UTF8 = 2 };

#define SHMFI_BUFFER_ALIGNMENT 64u
#define SHMFI_BODY_OFFSET      4096u /* of the body of frames and the data of arrays made here */

/* ---- checking ----------------------------------------------------------------------------- */

/* memcpy whose source the compiler cannot look at again instead of the copy. */
static inline void shmfi_format_snapshot(void *to, const void *from, size_t size)
{
    memcpy(to, from, size);
    __asm__ volatile("" ::: "memory");
}

/* Copies the header and checks all of it. SHMF_E_CORRUPT names the field; SHMF_E_VERSION;
 * SHMF_E_ACCESS: it is not finished; SHMF_E_INVAL: a segment of another kind. */
int shmfi_format_read_frame(const void *segment, uint64_t size, struct shmf_format_frame *header,
                            struct shmf_error *err);
int shmfi_format_read_array(const void *segment, uint64_t size, struct shmf_format_array *header,
                            struct shmf_error *err);

/* Copies and checks the column table that a checked header describes; `columns` has room for
 * n_columns. */
int shmfi_format_read_columns(const void *segment, const struct shmf_format_frame *header,
                              struct shmf_format_column *columns, struct shmf_error *err);

/* The same for the dictionary table, with room for n_dictionaries. SHMF_E_UNSUPPORTED: the values
 * are no text. */
int shmfi_format_read_dictionaries(const void *segment, const struct shmf_format_frame *header,
                                   struct shmf_format_dictionary *dictionaries,
                                   struct shmf_error *err);

/* The same where the table was read from a file: `table` is what lies at dictionaries_offset. */
int shmfi_format_read_dictionary_table(const void *table, const struct shmf_format_frame *header,
                                       struct shmf_format_dictionary *dictionaries,
                                       struct shmf_error *err);

/* As shmfi_format_read_columns(), column by column, for those who keep less than all of it. */
struct shmfi_column_reader {
    const struct shmf_format_frame *header;  /* checked; outlives the reader */
    uint64_t next;                           /* column */
    uint64_t cursor, end;                    /* where the next buffer may lie */
    uint64_t in_matrix;                      /* where a matrix has the next column's data */
    struct shmf_format_column two[2];        /* the last that was read, and the one before */
    const struct shmf_format_column *column; /* the last */
    bool is_alike;     /* it differs from the one before in nothing but where it lies: */
    uint64_t distance; /* so many bytes behind it */
};
void shmfi_column_reader_begin(struct shmfi_column_reader *reader,
                               const struct shmf_format_frame *header);

/* Copies the next descriptor from `entry`, which is read once, and checks it. */
int shmfi_column_reader_next(struct shmfi_column_reader *reader, const void *entry,
                             struct shmf_error *err);

/* Behind the last column: the row labels. */
int shmfi_column_reader_end(const struct shmfi_column_reader *reader, struct shmf_error *err);

/* Is the index of the row labels one of tags and entries? */
static inline bool shmfi_format_has_tags(const struct shmf_format_frame *header)
{
    return header->header.incompatible & SHMF_FORMAT_TAGGED_ROWS;
}

#define SHMFI_GROUP_SIZE 8u /* entries whose tags lie together */

/* Bytes of an index for each place that it has. */
static inline uint64_t shmfi_format_place_size(bool tagged)
{
    return tagged ? sizeof(struct shmf_format_entry) + 1 : sizeof(struct shmf_format_slot);
}

/* Is this a unit that columns of the dtype can have? */
bool shmfi_format_unit_fits(uint32_t dtype, unsigned unit);

/* Does start + step * (n_rows - 1) fit into an int64? */
bool shmfi_format_range_fits(int64_t start, int64_t step, uint64_t n_rows);

/* Bytes of one value; 0 for booleans and strings. */
static inline uint32_t shmfi_format_width(const struct shmf_format_column *column)
{
    return shmfi_dtype_width(column->dtype, column->width, column->index_dtype);
}

/* ---- metadata ------------------------------------------------------------------------------
 * int32 number of pairs, then of each pair int32 size and bytes of key, the same of value; as in
 * Arrow's C data interface. */

struct shmfi_metadata {
    const unsigned char *at;
    uint64_t left; /* bytes */
    int64_t pairs; /* that were not read yet */
};

/* One piece of it: bytes inside the metadata. */
struct shmfi_piece {
    const char *data;
    int64_t size;
};

/* Begins to read; no pairs where `size` is 0. False: the number of pairs is none, or more than fit.
 */
bool shmfi_metadata_begin(struct shmfi_metadata *metadata, const void *bytes, uint64_t size);

/* The next pair, if `pairs` > 0. False: it reaches behind the end. */
bool shmfi_metadata_next(struct shmfi_metadata *metadata, struct shmfi_piece *key,
                         struct shmfi_piece *value);

/* ---- laying out --------------------------------------------------------------------------- */

/* Parts are put one after the other; after an overflow every further part fails too. */
struct shmfi_layout {
    uint64_t end; /* of the last part */
    bool overflow;
};

/* The offset of a part of `size` bytes, aligned and padded to SHMFI_BUFFER_ALIGNMENT. */
uint64_t shmfi_layout_put(struct shmfi_layout *layout, uint64_t size);

/* Describes a column of a plain dtype and puts its buffers. `among_others`: keeps the distance of
 * neighbouring columns off multiples of 4096 bytes. */
void shmfi_layout_column(struct shmfi_layout *layout, uint32_t dtype, bool nullable,
                         uint64_t n_rows, bool among_others, struct shmf_format_column *column);

/* The same for a column of any dtype, whose dtype and parameters are set already; strings have
 * `bytes` bytes together. */
void shmfi_layout_typed(struct shmfi_layout *layout, bool nullable, uint64_t n_rows, uint64_t bytes,
                        bool among_others, struct shmf_format_column *column);

/* Labels: `n` strings of `bytes` bytes together; int64 offsets if they must be. */
void shmfi_layout_strings(struct shmfi_layout *layout, uint64_t n, uint64_t bytes,
                          struct shmf_format_column *column);

/* A hash index for `n` labels, of slots or of entries with tags. */
void shmfi_layout_index(struct shmfi_layout *layout, uint64_t n, bool tagged,
                        struct shmf_format_index *index);

#endif

/* The inside of a frame, for tasks and tests. */
#ifndef SHMFI_FRAME_INTERNAL_H
#define SHMFI_FRAME_INTERNAL_H

#include "format/format.h"
#include "labels/labels.h"

#include <shmframe/format.h>
#include <shmframe/frame.h>

struct shmfi_segment;

/* Columns that differ in nothing but where they lie, each `stride` bytes behind the one before. */
struct shmfi_alike {
    struct shmf_format_column first;
    uint64_t position; /* of the first */
    uint64_t stride;
};

/* Private to the process. `header` is a checked copy. `columns` is the table in the segment where
 * nobody can change that: the segment is our own, the application's, whom we trust, or sealed. Of
 * any other there is a checked copy, in `copied` or, as a few runs of columns, in `alike`; then
 * `columns` is NULL. All pointers are set by shmfi_frame_resolve(). */
struct shmf_frame {
    struct shmfi_segment *segment; /* our reference; NULL over plain memory, in tests */
    unsigned char *base;
    struct shmf_format_frame header;
    const unsigned char *columns; /* descriptors, `column_size` bytes apart; or NULL */
    uint64_t column_size;
    struct shmf_format_column *copied; /* to be freed; or NULL; dictionaries' copies follow */
    struct shmfi_alike *alike;         /* the same */
    uint64_t n_alike;
    const unsigned char *dictionaries; /* as `columns`, and `dictionary_size` bytes apart */
    uint64_t dictionary_size;
    struct shmfi_labels row_labels;   /* n is 0 for a range */
    struct shmfi_labels indexed_rows; /* those that row_index was made of: the same, but in views */
    struct shmfi_labels column_labels;
    struct shmfi_index row_index;
    struct shmfi_index column_index;
    const int64_t *selected;     /* of a view: the columns' positions in the whole, in `copied`; or
                                    NULL: the same */
    struct shmfi_segment *named; /* of a selection: what its handle names; atomic; NULL: nobody
                                    asked for it yet */
    int64_t first_row;           /* of a view: the first row's position in the whole */
    int64_t
        bit_shift;   /* bit r + this of bitmaps and booleans is row r's; below 8; 0 but in views */
    bool is_view;    /* rows and columns of another frame, the whole, whose segment it shares */
    bool building;   /* not finished yet, and ours */
    bool writable;   /* finished, but opened copy-on-write or as a private copy */
    bool nulls_open; /* validity was handed out for writing since nulls were counted; atomic */
};

/* Makes the column's descriptor of the run that it belongs to. */
const struct shmf_format_column *shmfi_frame_alike(const struct shmf_frame *frame, int64_t column,
                                                   struct shmf_format_column *room);

static inline const struct shmf_format_column *
shmfi_frame_descriptor_in(const struct shmf_frame *frame, int64_t column,
                          struct shmf_format_column *room)
{
    return frame->columns ? (const void *)(frame->columns + (uint64_t)column * frame->column_size)
                          : shmfi_frame_alike(frame, column, room);
}

/* It lives as long as the block in which it is asked for. */
#define shmfi_frame_descriptor(frame, column)                                                      \
    shmfi_frame_descriptor_in(frame, column, &(struct shmf_format_column){0})

/* NULL for a column that has none, or (in a table that is not checked) names none. */
static inline const struct shmf_format_dictionary *
shmfi_frame_dictionary(const struct shmf_frame *frame, const struct shmf_format_column *column)
{
    uint64_t position = column->dictionary - UINT64_C(1);
    if (column->dtype != SHMF_DICTIONARY || position >= frame->header.n_dictionaries)
        return NULL;
    return (const void *)(frame->dictionaries + position * frame->dictionary_size);
}

/* A frame over a segment that somebody opened; takes the reference, on failure too. Trusted: the
 * column table is used in place, so that the cost does not depend on the columns. A frame that is
 * not trusted has its table checked and copied. It may be written if the segment may. */
int shmfi_frame_from_segment(struct shmfi_segment *segment, bool trusted, struct shmf_frame **frame,
                             struct shmf_error *err);

/* The same over plain memory, which must outlive it. */
int shmfi_frame_from_memory(void *memory, uint64_t size, bool trusted, struct shmf_frame **frame,
                            struct shmf_error *err);

/* The same for a segment that shmfi_segment_attach made: everything that is looked at is read from
 * its file, so that a file that becomes shorter meanwhile is an error, not SIGBUS. */
int shmfi_frame_from_attached(struct shmfi_segment *segment, struct shmf_frame **frame,
                              struct shmf_error *err);

/* The same with a header that was read already; the table is used in place. */
int shmfi_frame_from_header(void *memory, uint64_t size, const struct shmf_format_frame *header,
                            struct shmf_frame **frame, struct shmf_error *err);

/* grant.c: a frame that is being built elsewhere, over a segment opened for writing, whose
 * reference is taken; and the rows of it that a task may write. Both zero: all. SHMF_E_ACCESS: it
 * is finished. SHMF_E_RANGE, SHMF_E_INVAL: no such rows, or not for writing. */
int shmfi_frame_open_granted(struct shmfi_segment *segment, struct shmf_frame **frame,
                             struct shmf_error *err);
int shmfi_frame_granted_slice(const struct shmf_frame *whole, int64_t begin, int64_t end,
                              struct shmf_frame **slice, struct shmf_error *err);

/* shmf_frame_slice, of frames that are not finished too. */
struct shmf_frame *shmfi_frame_slice(const struct shmf_frame *frame, int64_t first, int64_t count,
                                     struct shmf_error *err);

/* The rows that a handle names. SHMF_E_RANGE. */
int shmfi_frame_named_slice(const struct shmf_frame *frame, int64_t begin, int64_t end,
                            struct shmf_frame **slice, struct shmf_error *err);

/* What is seen of a frame; `columns` NULL: all of them. */
struct shmfi_frame_part {
    const struct shmf_frame *whole;
    int64_t first, n_rows;
    const int64_t *columns;
    int64_t n_columns;
};

/* A view of a part; its rows and columns are there. */
struct shmf_frame *shmfi_frame_view(const struct shmfi_frame_part *part, struct shmf_error *err);

/* selection.c: the segment that the handle of a selection names, made when it is first asked for;
 * borrowed. NULL: there is no memory for it. And the frame that such a handle names, all its rows.
 * The whole, if it is shared, is `trusted` as for shmfi_frame_from_segment(). */
struct shmfi_segment *shmfi_selection_segment(const struct shmf_frame *frame);
int shmfi_selection_open(const struct shmf_handle *handle, bool trusted, struct shmf_frame **frame,
                         struct shmf_error *err);

/* Borrowed. */
struct shmfi_segment *shmfi_frame_segment(const struct shmf_frame *frame);

/* ---- describing in parts ------------------------------------------------------------------ */

/* What rows of a column hold; plain bytes, so that it can travel. All zero for no rows. */
struct shmfi_moments {
    int64_t count, nulls;
    double mean, squares; /* sum of squared distances from the mean */
    double min, max;
};

/* Of `count` rows from `first` on. SHMF_E_RANGE: no such rows or column. SHMF_E_DTYPE. */
int shmfi_frame_moments(const struct shmf_frame *frame, int64_t column, int64_t first,
                        int64_t count, struct shmfi_moments *moments);
void shmfi_moments_merge(struct shmfi_moments *all, const struct shmfi_moments *more);

/* The positions of the columns that have a summary; there is room for all. Returns how many. */
int64_t shmfi_frame_summable(const struct shmf_frame *frame, int64_t *columns);

/* What shmf_frame_describe() returns, of the moments of these columns. */
struct shmf_frame *shmfi_frame_describe_as(const struct shmf_frame *frame,
                                           const struct shmfi_moments *moments,
                                           struct shmf_error *err);

/* ---- within the module -------------------------------------------------------------------- */

/* Checks what column and dictionary table have, and keeps it; the header was checked, `segment`,
 * `base` and `writable` are set. The column table of a `sealed` segment is used in place. What is
 * not sealed is read from the mapping, or (`by_file`) from the segment's file. */
struct shmfi_table_source {
    bool by_file;
    bool sealed;
};
int shmfi_frame_read_tables(struct shmf_frame *frame, const struct shmfi_table_source *source,
                            struct shmf_error *err);

/* Sets every pointer from `base`, `header` and `columns`. */
void shmfi_frame_resolve(struct shmf_frame *frame);

/* How large a column is, beyond its number of rows. */
struct shmfi_column_size {
    uint64_t bytes; /* of strings */
    bool nullable;
};

/* What a frame is to be made for; all may be NULL. A column is nullable where the spec says so, or
 * where `validity` (as may its entries) has a null, or where one of the struct shmf_text that
 * `data` has for columns of strings is none; these give the columns' sizes too. */
struct shmfi_frame_source {
    const void *const *data;
    const uint8_t *const *validity;
    const struct shmfi_column_size *sizes;       /* n_columns: known already */
    const struct shmfi_label_source *row_labels; /* instead of the spec's */
    bool grantable;                              /* other processes may get it for writing */
};

/* A frame in the building state, after `spec`. The data themselves are not written. */
struct shmf_frame *shmfi_frame_create(const struct shmf_frame_spec *spec,
                                      const struct shmfi_frame_source *source,
                                      struct shmf_error *err);

/* The spec of a frame like another one, but for rows: columns, details and metadata. It points
 * into that frame. */
struct shmfi_spec {
    struct shmf_frame_spec spec;
    struct shmf_column_spec *columns;
    struct shmf_column_details *details;
    char *labels;             /* of the columns, terminated by NULs */
    struct shmf_text *values; /* of dictionaries */
    struct shmf_pair *pairs;
};
int shmfi_spec_of(const struct shmf_frame *frame, struct shmfi_spec *made, struct shmf_error *err);
void shmfi_spec_free(struct shmfi_spec *spec);

/* 0, or SHMF_E_INVAL, SHMF_E_TOOBIG, SHMF_E_UNSUPPORTED naming the field. */
int shmfi_frame_check_spec(const struct shmf_frame_spec *spec, struct shmf_error *err);
enum shmf_dtype shmfi_frame_spec_dtype(const struct shmf_frame_spec *spec, int64_t column);

/* All zero where the spec has none. */
const struct shmf_column_details *shmfi_frame_spec_details(const struct shmf_frame_spec *spec,
                                                           int64_t column);

/* The column's dtype and parameters; nothing that has an offset. */
void shmfi_frame_spec_describe(const struct shmf_frame_spec *spec, int64_t column,
                               struct shmf_format_column *descriptor);

/* Put parts of a checked spec where `layout` says: with `base` NULL only to learn how large they
 * are, else to write them there, and their offsets into header and column table. The dictionaries
 * go below the body, zones and metadata behind everything else. SHMF_E_INVAL, SHMF_E_TOOBIG. */
int shmfi_frame_put_dictionaries(const struct shmf_frame_spec *spec, struct shmfi_layout *layout,
                                 unsigned char *base, struct shmf_format_frame *header,
                                 struct shmf_error *err);
int shmfi_frame_put_notes(const struct shmf_frame_spec *spec, struct shmfi_layout *layout,
                          unsigned char *base, struct shmf_format_frame *header,
                          struct shmf_error *err);

/* ---- texts of the caller; one whose data are NULL is a null --------------------------------- */

/* How many bytes they have together and how many are none. SHMF_E_INVAL, SHMF_E_TOOBIG name `what`
 * with `column` in its place. */
int shmfi_texts_measure(const struct shmf_text *texts, int64_t n, const char *what, int64_t column,
                        uint64_t *bytes, int64_t *absent, struct shmf_error *err);

/* Writes offsets and bytes where the descriptor says, and clears the bits of those that are none
 * in the bitmap, if there is one. False: they are not those that were measured. */
bool shmfi_texts_write(const struct shmf_text *texts, int64_t n, unsigned char *base,
                       const struct shmf_format_column *column);

/* ---- values ------------------------------------------------------------------------------- */

/* Does the column hold what its dtype promises: offsets in order, UTF-8, indexes of categories?
 * `code` and the message say where not. `whole`: looks at every value, not at the ends only. */
int shmfi_frame_check_values(const struct shmf_frame *frame, int64_t column, bool whole, int code,
                             struct shmf_error *err);

/* The strings of a column, of the values of a dictionary. */
struct shmfi_strings shmfi_frame_strings(const struct shmf_frame *frame, int64_t column);
struct shmfi_strings shmfi_dictionary_strings(const struct shmf_frame *frame,
                                              const struct shmf_format_dictionary *dictionary);

/* Strings without nulls, as a column. */
struct shmf_column shmfi_strings_column(const struct shmfi_strings *strings);

/* The cell's element, booleans made a byte; NULL for a null and for strings. */
const void *shmfi_frame_element(const struct shmf_frame *frame, int64_t row, int64_t column,
                                uint8_t *boolean);

/* One cell as text, as it is printed: numbers as shmfi_element_text() writes them; text is cut to
 * SHMFI_SHOWN_TEXT_WIDTH. Returns how many columns of a terminal it takes. */
int shmfi_frame_show_cell(const struct shmf_frame *frame, int64_t row, int64_t column,
                          int precision, int decimals, char to[SHMFI_SHOWN_TEXT_SIZE]);

/* "float64", "timestamp[ns, Europe/Berlin]", ...; the same. */
int shmfi_frame_show_type(const struct shmf_frame *frame, int64_t column,
                          char to[SHMFI_SHOWN_TEXT_SIZE]);

/* Do the columns have one dtype, no nulls, and one distance? Then its bytes, and the dtype. */
bool shmfi_frame_find_matrix(const struct shmf_frame *frame, uint32_t *dtype, uint64_t *stride);

/* Is this frame a matrix now (numbers without nulls)? Then dtype, distance and first element. */
bool shmfi_frame_is_matrix(const struct shmf_frame *frame, uint32_t *dtype, uint64_t *stride,
                           const unsigned char **data);

/* Clears all bytes of the body that belong to no column: memory that was used before holds what it
 * held. Finishing clears no more than padding. */
void shmfi_frame_clear_gaps(struct shmf_frame *frame);

/* The first of a column's buffers. */
static inline uint64_t shmfi_column_begin(const struct shmf_format_column *column)
{
    return column->validity_offset  ? column->validity_offset
           : column->offsets_offset ? column->offsets_offset
                                    : column->data_offset;
}

/* The validity of a column where rows may be null, else NULL. */
const uint8_t *shmfi_frame_validity(const struct shmf_frame *frame,
                                    const struct shmf_format_column *column);

/* What lookups in the whole frame found, as positions in this view of it. `*count` is how many rows
 * bear the label, here, too. SHMF_E_NOTFOUND. */
int64_t shmfi_view_row(const struct shmf_frame *frame, int64_t row, int64_t *count);
int64_t shmfi_view_column(const struct shmf_frame *frame, int64_t column);

/* ---- bitmaps; bit i is bit i % 8 of byte i / 8 ---------------------------------------------- */

static inline bool shmfi_bit(const uint8_t *bitmap, int64_t i)
{
    return bitmap[i / 8] >> (i % 8) & 1;
}

/* The bit of a row in a bitmap of this frame, or in its booleans. */
static inline bool shmfi_row_bit(const struct shmf_frame *frame, const uint8_t *bitmap, int64_t row)
{
    return shmfi_bit(bitmap, row + frame->bit_shift);
}

/* How many of the first n bits are set; reads no byte behind them. */
int64_t shmfi_bitmap_count(const uint8_t *bitmap, int64_t n);

/* Sets the first n bits and clears those behind, up to the next multiple of 64 bytes. */
void shmfi_bitmap_fill(uint8_t *bitmap, int64_t n);

#endif

/* One file that is two things: a segment and an Arrow IPC file.
 *
 *     0      "ARROW1\0\0", then the Schema message: prefix, root offset   | `foreign` of our header
 *     24     our header                                                   | slack of the flatbuffer
 *     512    Schema flatbuffer                                            | skipped
 *            per dictionary: DictionaryBatch, its strings                 | the strings
 *            RecordBatch, body                                            | the body
 *            end of stream                                                | skipped
 *            skipped                                                      | tables, labels, indexes
 *            Footer, its size, "ARROW1"                                   | skipped
 *
 * Arrow's readers go from message to message or by the footer, ours by the header's offsets;
 * neither sees what is the other's alone. The values are there once. */
#ifndef SHMFI_DUAL_H
#define SHMFI_DUAL_H

#include "arrow/ipc_message.h"
#include "memory/memory.h"

#include <shmframe/format.h>

/* What a file is made of, front to back. */
struct shmfi_plan {
    struct shmfi_outside_piece *pieces;
    uint64_t n, room;
    uint64_t end; /* of what was put so far */
    bool failed;  /* no memory: what follows does nothing */
};

/* The offset of `size` bytes put behind all others, at a multiple of `alignment`. They are borrowed
 * until the file is written. */
uint64_t shmfi_plan_put(struct shmfi_plan *plan, const void *data, uint64_t size,
                        uint64_t alignment);

/* One frame as such a file. Everything is private memory but the pieces that point into the frame,
 * which outlives it. */
struct shmfi_dual {
    const struct shmf_frame *frame;
    struct ArrowSchema schema; /* `release` NULL: not there */
    struct shmfi_plan plan;
    struct shmf_format_frame header;             /* of the file; */
    struct shmf_format_column *columns;          /* its column table, */
    struct shmf_format_dictionary *dictionaries; /* and dictionary table */
    int64_t *ids;                                /* of each field's dictionary; -1: none */
    int64_t *labels;                             /* computed, of a range; or NULL */
    int64_t *nodes;                              /* of the record batch */
    uint64_t *buffers;
    size_t n_nodes, n_buffers;
    struct shmfi_flat schema_flat, batch_flat, footer_flat;
    struct shmfi_flat *dictionary_flats;
    struct shmfi_ipc_block *blocks; /* of the dictionaries */
    size_t n_blocks;
    bool with_labels; /* the row labels are the record batch's last column */
};

/* Lays the file out. `row_labels` as in struct shmf_arrow_export_options. SHMF_E_NOMEM,
 * SHMF_E_TOOBIG, SHMF_E_UNSUPPORTED. To be freed in any case. */
int shmfi_dual_make(struct shmfi_dual *dual, const struct shmf_frame *frame, const char *row_labels,
                    struct shmf_error *err);
void shmfi_dual_free(struct shmfi_dual *dual);

/* batch.c: nodes and buffers of the record batch, whose body is the frame's, and behind that the
 * labels that were computed. Returns the size of the body. */
uint64_t shmfi_dual_describe_batch(struct shmfi_dual *dual);

/* tables.c: the parts that Arrow does not know, and their offsets in header and tables. */
void shmfi_dual_put_tables(struct shmfi_dual *dual);

#endif

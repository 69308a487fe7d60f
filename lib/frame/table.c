/* The private copy of tables that somebody else may change. Columns are mostly like their
 * neighbours, and fetching half a megabyte from the kernel costs more than all the rest of opening
 * a frame of 5,000 columns: so long tables are kept as runs of columns that are alike, as long as
 * these are few. */
#include "frame/frame_internal.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
#include "memory/memory.h"

enum { MOST_RUNS = 32, LONG_TABLE = 2 * MOST_RUNS, PIECE = 8192 };

/* ---- runs --------------------------------------------------------------------------------- */

const struct shmf_format_column *shmfi_frame_alike(const struct shmf_frame *frame, int64_t column,
                                                   struct shmf_format_column *room)
{
    const struct shmfi_alike *run = frame->alike;
    for (uint64_t n = frame->n_alike; n > 1;) {
        uint64_t half = n / 2;
        bool behind = run[half].position <= (uint64_t)column;
        run += behind ? half : 0;
        n = behind ? n - half : half;
    }
    uint64_t distance = ((uint64_t)column - run->position) * run->stride;
    *room = run->first;
    room->validity_offset += room->validity_offset ? distance : 0;
    room->offsets_offset += room->offsets_offset ? distance : 0;
    room->data_offset += distance;
    return room;
}

/* Is the column that was read the next of this run? The second one says how far apart they are. */
static bool continues(struct shmfi_alike *run, const struct shmfi_column_reader *reader,
                      uint64_t position)
{
    if (reader->is_alike && position - run->position == 1)
        run->stride = reader->distance;
    return reader->is_alike && reader->distance == run->stride;
}

/* ---- memory ------------------------------------------------------------------------------- */

/* `n` entries, and the dictionaries behind them. */
static void *new_table(struct shmf_frame *frame, uint64_t n, uint64_t each, struct shmf_error *err)
{
    uint64_t columns, dictionaries, size;
    if (!shmfi_mul(n, each, &columns) ||
        !shmfi_mul(frame->header.n_dictionaries, sizeof(struct shmf_format_dictionary),
                   &dictionaries) ||
        !shmfi_add(columns, dictionaries, &size)) {
        shmfi_error(err, SHMF_E_TOOBIG, "column table");
        return NULL;
    }
    unsigned char *table = shmfi_private_new(size);
    if (!table) {
        shmfi_error(err, SHMF_E_NOMEM, "column table of %llu bytes", (unsigned long long)size);
        return NULL;
    }
    frame->dictionaries = table + columns;
    frame->dictionary_size = sizeof(struct shmf_format_dictionary);
    return table;
}

static int keep_runs(struct shmf_frame *frame, uint64_t most, struct shmf_error *err)
{
    frame->alike = new_table(frame, most, sizeof *frame->alike, err);
    return frame->alike ? SHMF_OK : SHMF_E_NOMEM;
}

/* Keeps every column; those before `n` are taken out of the runs. */
static int keep_all(struct shmf_frame *frame, uint64_t n, struct shmf_error *err)
{
    frame->copied = new_table(frame, frame->header.n_columns, sizeof *frame->copied, err);
    if (!frame->copied)
        return SHMF_E_NOMEM;
    for (uint64_t c = 0; c < n; c++)
        shmfi_frame_alike(frame, (int64_t)c, &frame->copied[c]);
    shmfi_private_free(frame->alike);
    frame->alike = NULL;
    frame->columns = (const void *)frame->copied;
    frame->column_size = sizeof *frame->copied;
    return SHMF_OK;
}

static int keep(struct shmf_frame *frame, const struct shmfi_column_reader *reader,
                uint64_t position, struct shmf_error *err)
{
    if (frame->alike && frame->n_alike > 0 &&
        continues(&frame->alike[frame->n_alike - 1], reader, position))
        return SHMF_OK;
    if (frame->alike && frame->n_alike < MOST_RUNS) {
        frame->alike[frame->n_alike++] = (struct shmfi_alike){*reader->column, position, 0};
        return SHMF_OK;
    }
    int rc = frame->alike ? keep_all(frame, position, err) : SHMF_OK;
    if (!rc)
        frame->copied[position] = *reader->column;
    return rc;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* Entries of the column table that are in reach. */
struct piece {
    const unsigned char *at;
    uint64_t left;
    unsigned char buffer[PIECE];
};

/* Of an entry that is larger than the buffer no more is read than what is known. */
static int read_piece(const struct shmf_frame *frame, uint64_t column, struct piece *piece,
                      struct shmf_error *err)
{
    const struct shmf_format_frame *h = &frame->header;
    uint64_t many = PIECE / h->column_size, left = h->n_columns - column;
    uint64_t size =
        many ? (many < left ? many : left) * h->column_size : sizeof(struct shmf_format_column);
    piece->at = piece->buffer;
    piece->left = many ? size / h->column_size : 1;
    return shmfi_segment_read(frame->segment, h->columns_offset + column * h->column_size,
                              piece->buffer, size, err);
}

static int read_columns(struct shmf_frame *frame, const struct shmfi_table_source *source,
                        struct shmf_error *err)
{
    const struct shmf_format_frame *h = &frame->header;
    bool by_file = source->by_file && !source->sealed;
    struct shmfi_column_reader reader;
    struct piece piece;
    int rc = SHMF_OK;
    piece.at = frame->base + h->columns_offset;
    piece.left = by_file ? 0 : h->n_columns;
    shmfi_column_reader_begin(&reader, h);
    for (uint64_t c = 0; c < h->n_columns && !rc; c++) {
        if (piece.left == 0)
            rc = read_piece(frame, c, &piece, err);
        if (!rc)
            rc = shmfi_column_reader_next(&reader, piece.at, err);
        if (!rc && !source->sealed)
            rc = keep(frame, &reader, c, err);
        if (!rc && --piece.left > 0)
            piece.at += h->column_size;
    }
    return rc ? rc : shmfi_column_reader_end(&reader, err);
}

static int read_dictionaries(struct shmf_frame *frame, const struct shmfi_table_source *source,
                             struct shmf_error *err)
{
    const struct shmf_format_frame *h = &frame->header;
    struct shmf_format_dictionary *kept = (void *)(uintptr_t)frame->dictionaries;
    uint64_t size = h->n_dictionaries * h->dictionary_size;
    if (!source->by_file)
        return shmfi_format_read_dictionaries(frame->base, h, kept, err);
    void *table = shmfi_sys.malloc(size ? size : 1);
    if (!table)
        return shmfi_error(err, SHMF_E_NOMEM, "dictionary table of %llu bytes",
                           (unsigned long long)size);
    int rc = shmfi_segment_read(frame->segment, h->dictionaries_offset, table, size, err);
    if (!rc)
        rc = shmfi_format_read_dictionary_table(table, h, kept, err);
    shmfi_sys.free(table);
    return rc;
}

/* A frame that may be written has its null counts set, each of them. */
int shmfi_frame_read_tables(struct shmf_frame *frame, const struct shmfi_table_source *source,
                            struct shmf_error *err)
{
    bool runs = frame->header.n_columns >= LONG_TABLE && !frame->writable;
    int rc = source->sealed ? keep_runs(frame, 0, err)
             : runs         ? keep_runs(frame, MOST_RUNS, err)
                            : keep_all(frame, 0, err);
    if (!rc)
        rc = read_columns(frame, source, err);
    if (!rc)
        rc = read_dictionaries(frame, source, err);
    if (!rc && source->sealed) {
        frame->columns = frame->base + frame->header.columns_offset;
        frame->column_size = frame->header.column_size;
    }
    return rc;
}

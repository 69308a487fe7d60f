/* Frames over files that others may truncate while we look: what has to be believed is read, not
 * mapped. */
#include "frame/frame_internal.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
#include "memory/memory.h"

/* Reads both tables; the checked header says that they lie inside the segment. */
static int read_tables(struct shmf_frame *frame, struct shmf_error *err)
{
    const struct shmf_format_frame *h = &frame->header;
    uint64_t columns = h->n_columns * h->column_size;
    uint64_t dictionaries = h->n_dictionaries * h->dictionary_size, size;
    if (!shmfi_add(columns, dictionaries, &size))
        return shmfi_error(err, SHMF_E_TOOBIG, "column table");
    unsigned char *tables = shmfi_sys.malloc(size ? size : 1);
    if (!tables)
        return shmfi_error(err, SHMF_E_NOMEM, "column table of %llu bytes",
                           (unsigned long long)size);
    int rc = shmfi_segment_read(frame->segment, h->columns_offset, tables, columns, err);
    if (!rc)
        rc = shmfi_segment_read(frame->segment, h->dictionaries_offset, tables + columns,
                                dictionaries, err);
    if (!rc)
        rc = shmfi_frame_copy_tables(frame, tables, tables + columns, err);
    shmfi_sys.free(tables);
    return rc;
}

static int read_frame(struct shmf_frame *frame, struct shmf_error *err)
{
    struct shmf_format_frame header;
    int rc = shmfi_segment_read(frame->segment, 0, &header, sizeof header, err);
    if (!rc)
        rc = shmfi_format_read_frame(&header, frame->segment->length, &frame->header, err);
    if (!rc)
        rc = read_tables(frame, err);
    if (!rc)
        shmfi_frame_resolve(frame);
    return rc;
}

int shmfi_frame_from_attached(struct shmfi_segment *segment, struct shmf_frame **frame,
                              struct shmf_error *err)
{
    struct shmf_frame *made = shmfi_sys.calloc(1, sizeof *made);
    if (!made) {
        shmfi_segment_unref(segment);
        return shmfi_error(err, SHMF_E_NOMEM, "frame object");
    }
    made->segment = segment;
    made->base = segment->base;
    made->writable = segment->writable;
    int rc = read_frame(made, err);
    if (rc) {
        shmf_frame_free(made);
        return rc;
    }
    *frame = made;
    return SHMF_OK;
}

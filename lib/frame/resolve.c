#include "frame/frame_internal.h"

#include "base/checked.h"
#include "base/error.h"
#include "base/sys.h"
#include "format/format.h"
#include "memory/memory.h"

/* The one place where offsets of the segment become pointers. The header was checked, so all parts
 * that it names lie inside; the columns' own offsets become pointers when a column is asked for. */
void shmfi_frame_resolve(struct shmf_frame *frame)
{
    const struct shmf_format_frame *h = &frame->header;
    unsigned char *base = frame->base;
    frame->column_labels.n = h->n_columns;
    frame->column_labels.strings = shmfi_strings_resolve(base, &h->column_label, h->n_columns);
    frame->column_index = shmfi_index_resolve(base, &h->column_index, false);
    if (h->row_labels == SHMF_ROWS_RANGE)
        return;
    frame->row_labels.n = h->n_rows;
    if (h->row_labels == SHMF_ROWS_INT64)
        frame->row_labels.numbers = (const void *)(base + h->row_label.data_offset);
    else
        frame->row_labels.strings = shmfi_strings_resolve(base, &h->row_label, h->n_rows);
    frame->indexed_rows = frame->row_labels;
    frame->row_index = shmfi_index_resolve(base, &h->row_index, shmfi_format_has_tags(h));
}

static void use_in_place(struct shmf_frame *frame)
{
    frame->columns = frame->base + frame->header.columns_offset;
    frame->column_size = frame->header.column_size;
    frame->dictionaries = frame->base + frame->header.dictionaries_offset;
    frame->dictionary_size = frame->header.dictionary_size;
}

int shmfi_frame_from_header(void *memory, uint64_t size, const struct shmf_format_frame *header,
                            struct shmf_frame **frame, struct shmf_error *err)
{
    struct shmf_frame *made = shmfi_sys.calloc(1, sizeof *made);
    if (!made)
        return shmfi_error(err, SHMF_E_NOMEM, "frame object");
    made->base = memory;
    int rc = shmfi_format_read_frame(header, size, &made->header, err);
    if (rc) {
        shmf_frame_free(made);
        return rc;
    }
    use_in_place(made);
    shmfi_frame_resolve(made);
    *frame = made;
    return SHMF_OK;
}

static int open_frame(void *memory, uint64_t size, bool trusted, bool writable,
                      struct shmf_frame **frame, struct shmf_error *err)
{
    static const struct shmfi_table_source mapping;
    struct shmf_frame *made = shmfi_sys.calloc(1, sizeof *made);
    if (!made)
        return shmfi_error(err, SHMF_E_NOMEM, "frame object");
    made->base = memory;
    made->writable = writable;
    int rc = shmfi_format_read_frame(memory, size, &made->header, err);
    if (rc == SHMF_OK && !trusted)
        rc = shmfi_frame_read_tables(made, &mapping, err);
    else if (rc == SHMF_OK)
        use_in_place(made);
    if (rc) {
        shmf_frame_free(made);
        return rc;
    }
    shmfi_frame_resolve(made);
    *frame = made;
    return SHMF_OK;
}

int shmfi_frame_from_memory(void *memory, uint64_t size, bool trusted, struct shmf_frame **frame,
                            struct shmf_error *err)
{
    return open_frame(memory, size, trusted, false, frame, err);
}

int shmfi_frame_from_segment(struct shmfi_segment *segment, bool trusted, struct shmf_frame **frame,
                             struct shmf_error *err)
{
    int rc = open_frame(segment->base, segment->length, trusted, segment->writable, frame, err);
    if (rc) {
        shmfi_segment_unref(segment);
        return rc;
    }
    (*frame)->segment = segment;
    return SHMF_OK;
}

static int open_whole(const struct shmf_handle *handle, struct shmf_frame **frame,
                      struct shmf_error *err)
{
    struct shmfi_segment *segment;
    int rc = shmfi_segment_open(handle, &segment, err);
    if (rc)
        return rc;
    bool trusted = handle->access == SHMF_READ_ONLY && shmfi_segment_is_trusted(segment);
    rc = shmfi_frame_from_segment(segment, trusted, frame, err);
    if (!rc)
        (*frame)->writable = (*frame)->writable && handle->access != SHMF_READ_ONLY;
    return rc;
}

static int not_a_frame(const struct shmf_handle *handle, struct shmf_error *err)
{
    return shmfi_error(err, SHMF_E_INVAL, "handle: does not name a frame (kind %u)", handle->kind);
}

struct shmf_frame *shmf_frame_open(struct shmf_handle handle, struct shmf_error *err)
{
    struct shmf_frame *frame = NULL;
    int rc = handle.kind == SHMF_KIND_FRAME ? open_whole(&handle, &frame, err)
             : handle.kind == SHMF_KIND_SELECTION
                 ? shmfi_selection_open(&handle, false, &frame, err)
                 : not_a_frame(&handle, err);
    if (rc)
        return NULL;
    if (!handle.begin && !handle.end)
        return frame;
    struct shmf_frame *slice = NULL;
    shmfi_frame_named_slice(frame, handle.begin, handle.end, &slice, err);
    shmf_frame_free(frame);
    return slice;
}

void shmf_frame_free(struct shmf_frame *frame)
{
    if (!frame)
        return;
    shmfi_segment_unref(frame->named);
    shmfi_segment_unref(frame->segment);
    shmfi_private_free(frame->copied);
    shmfi_private_free(frame->alike);
    shmfi_sys.free(frame);
}

struct shmfi_segment *shmfi_frame_segment(const struct shmf_frame *frame)
{
    return frame->segment;
}

struct shmf_handle shmf_frame_handle(const struct shmf_frame *frame)
{
    if (!frame || frame->building || !frame->segment)
        return (struct shmf_handle){0};
    if (frame->selected) {
        const struct shmfi_segment *named = shmfi_selection_segment(frame);
        return named ? shmfi_segment_handle(named, SHMF_KIND_SELECTION) : (struct shmf_handle){0};
    }
    struct shmf_handle handle = shmfi_segment_handle(frame->segment, SHMF_KIND_FRAME);
    return frame->is_view ? shmf_handle_slice(handle, frame->first_row,
                                              frame->first_row + (int64_t)frame->header.n_rows)
                          : handle;
}

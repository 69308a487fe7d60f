/* Frames over files that others may truncate while we look: what has to be believed is read, not
 * mapped. */
#include "frame/frame_internal.h"

#include "base/error.h"
#include "base/sys.h"
#include "memory/memory.h"

static int read_frame(struct shmf_frame *frame, struct shmf_error *err)
{
    const struct shmfi_table_source source = {
        .by_file = true,
        .sealed = shmfi_segment_sealed_fd(frame->segment) >= 0,
    };
    struct shmf_format_frame header;
    int rc = shmfi_segment_read(frame->segment, 0, &header, sizeof header, err);
    if (!rc)
        rc = shmfi_format_read_frame(&header, frame->segment->length, &frame->header, err);
    if (!rc)
        rc = shmfi_frame_read_tables(frame, &source, err);
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

/* A frame as a stream of record batches. The stream has a view of the frame, and each batch one of
 * its own: they end in any order. */
#include "export.h"

#include <shmframe/derive.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct source {
    struct shmf_frame *view;
    struct shmf_arrow_export_options options; /* row_labels: the copy behind this */
    int64_t next;                             /* row */
    bool begun;
    struct shmf_error err;
};

static int errno_of(int status)
{
    return status == SHMF_E_NOMEM ? ENOMEM : EINVAL;
}

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *schema)
{
    struct source *source = stream->private_data;
    int rc = shmf_arrow_export_schema(source->view, &source->options, schema, &source->err);
    return rc ? errno_of(rc) : 0;
}

/* The end is an array that is released already. */
static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *array)
{
    struct source *source = stream->private_data;
    int64_t left = shmf_frame_rows(source->view) - source->next, most = source->options.batch_rows;
    int64_t count = most > 0 && most < left ? most : left;
    if (left == 0 && source->begun) {
        *array = (struct ArrowArray){.release = NULL};
        return 0;
    }
    int rc = shmf_arrow_export_rows(source->view, source->next, count, &source->options, array,
                                    &source->err);
    if (rc)
        return errno_of(rc);
    source->next += count;
    source->begun = true;
    return 0;
}

static const char *get_last_error(struct ArrowArrayStream *stream)
{
    const struct source *source = stream->private_data;
    return source->err.code ? source->err.message : NULL;
}

static void release_stream(struct ArrowArrayStream *stream)
{
    struct source *source = stream->private_data;
    shmf_frame_free(source->view);
    free(source);
    stream->release = NULL;
}

int shmf_arrow_export_stream(const struct shmf_frame *frame,
                             const struct shmf_arrow_export_options *options,
                             struct ArrowArrayStream *stream, struct shmf_error *err)
{
    struct shmf_error reason = {.code = SHMF_E_NOMEM};
    int rc = shmfi_arrow_check_export(frame, options, stream, err);
    if (rc)
        return rc;
    const char *labels = options ? options->row_labels : NULL;
    size_t size = labels ? strlen(labels) + 1 : 0;
    struct source *source = calloc(1, sizeof *source + size);
    if (!source)
        return shmfi_arrow_no_memory(err);
    source->view = shmf_frame_slice(frame, 0, shmf_frame_rows(frame), &reason);
    if (!source->view) {
        free(source);
        if (err)
            *err = reason;
        return reason.code;
    }
    if (options)
        source->options = *options;
    if (labels)
        source->options.row_labels = memcpy(source + 1, labels, size);
    *stream =
        (struct ArrowArrayStream){get_schema, get_next, get_last_error, release_stream, source};
    return SHMF_OK;
}

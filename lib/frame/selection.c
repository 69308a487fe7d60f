/* Handles of selections. What a selection is does not fit into a handle, so that it is written into
 * a small segment of its own: the whole's handle, with the rows that are meant, and the columns. It
 * holds a reference to the whole, so that whoever pins it, as pools do for their tasks, pins both.
 * Written by the process that selects before anybody gets the handle, and never again; should it
 * die, its workers end too, and nobody else opens handles. */
#include "frame/frame_internal.h"

#include "base/checked.h"
#include "base/error.h"
#include "handle/selection.h"
#include "memory/memory.h"

#include <string.h>

struct selection {
    struct shmfi_selection_head head;
    int64_t first, n_rows; /* of the whole */
    int64_t n_columns;
    int64_t columns[];
};

/* ---- naming ------------------------------------------------------------------------------- */

static struct shmfi_segment *name(const struct shmf_frame *frame)
{
    uint64_t n = frame->header.n_columns;
    struct shmfi_segment *segment;
    if (shmfi_segment_new(sizeof(struct selection) + n * sizeof(int64_t), 0, &segment, NULL))
        return NULL;
    struct selection *selection = segment->base;
    selection->head.whole = shmfi_segment_handle(frame->segment, SHMF_KIND_FRAME);
    selection->first = frame->first_row;
    selection->n_rows = (int64_t)frame->header.n_rows;
    selection->n_columns = (int64_t)n;
    memcpy(selection->columns, frame->selected, n * sizeof(int64_t));
    shmfi_segment_keep(segment, frame->segment);
    return segment;
}

/* Threads may ask at the same time; the first one's segment is taken. */
struct shmfi_segment *shmfi_selection_segment(const struct shmf_frame *frame)
{
    struct shmfi_segment **place = &((struct shmf_frame *)(uintptr_t)frame)->named;
    struct shmfi_segment *there = __atomic_load_n(place, __ATOMIC_ACQUIRE);
    if (there)
        return there;
    struct shmfi_segment *made = name(frame);
    if (!made ||
        __atomic_compare_exchange_n(place, &there, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return made;
    shmfi_segment_unref(made);
    return there;
}

/* ---- opening ------------------------------------------------------------------------------ */

/* A private copy, which is what is checked and used: shmfi_private_free(). */
static int copy_selection(const struct shmfi_segment *segment, struct selection **result,
                          struct shmf_error *err)
{
    if (segment->length < sizeof **result)
        return shmfi_error(err, SHMF_E_CORRUPT, "selection: a segment of %llu bytes",
                           (unsigned long long)segment->length);
    struct selection *copy = shmfi_private_new(segment->length);
    if (!copy)
        return shmfi_error(err, SHMF_E_NOMEM, "selection of columns: %llu bytes",
                           (unsigned long long)segment->length);
    memcpy(copy, segment->base, segment->length);
    const uint64_t room = (segment->length - sizeof *copy) / sizeof(int64_t);
    if (copy->n_columns < 0 || (uint64_t)copy->n_columns > room) {
        int rc = shmfi_error(err, SHMF_E_CORRUPT, "selection: n_columns: %lld",
                             (long long)copy->n_columns);
        shmfi_private_free(copy);
        return rc;
    }
    *result = copy;
    return SHMF_OK;
}

static int read_selection(const struct shmf_handle *handle, struct selection **result,
                          struct shmf_error *err)
{
    const struct shmf_handle shared = shmf_handle_with(*handle, SHMF_READ_ONLY);
    struct shmfi_segment *segment;
    int rc = shmfi_segment_open(&shared, &segment, err);
    if (rc)
        return rc;
    rc = copy_selection(segment, result, err);
    shmfi_segment_unref(segment);
    return rc;
}

static int check(const struct selection *selection, const struct shmf_frame *whole,
                 struct shmf_error *err)
{
    if (selection->first < 0 || selection->n_rows < 0 ||
        !shmfi_inside((uint64_t)selection->first, (uint64_t)selection->n_rows,
                      whole->header.n_rows))
        return shmfi_error(err, SHMF_E_CORRUPT, "selection: first, n_rows: %lld, %lld",
                           (long long)selection->first, (long long)selection->n_rows);
    for (int64_t c = 0; c < selection->n_columns; c++)
        if (selection->columns[c] < 0 || selection->columns[c] >= shmf_frame_columns(whole))
            return shmfi_error(err, SHMF_E_CORRUPT, "selection: columns[%lld]: %lld", (long long)c,
                               (long long)selection->columns[c]);
    return SHMF_OK;
}

static int select_from(const struct selection *selection, const struct shmf_handle *whole,
                       bool trusted, struct shmf_frame **frame, struct shmf_error *err)
{
    struct shmfi_segment *segment;
    struct shmf_frame *made;
    int rc = shmfi_segment_open(whole, &segment, err);
    if (rc)
        return rc;
    trusted = whole->access == SHMF_READ_ONLY && (trusted || shmfi_segment_is_trusted(segment));
    rc = shmfi_frame_from_segment(segment, trusted, &made, err);
    if (rc)
        return rc;
    rc = check(selection, made, err);
    if (!rc) {
        const struct shmfi_frame_part part = {made, selection->first, selection->n_rows,
                                              selection->columns, selection->n_columns};
        *frame = shmfi_frame_view(&part, err);
        rc = *frame ? SHMF_OK : SHMF_E_NOMEM;
    }
    shmf_frame_free(made);
    return rc;
}

int shmfi_selection_open(const struct shmf_handle *handle, bool trusted, struct shmf_frame **frame,
                         struct shmf_error *err)
{
    struct selection *selection = NULL; /* which compilers do not see written */
    int rc = read_selection(handle, &selection, err);
    if (rc)
        return rc;
    struct shmf_handle whole =
        shmf_handle_with(selection->head.whole, (enum shmf_access)handle->access);
    rc = select_from(selection, &whole, trusted, frame, err);
    shmfi_private_free(selection);
    return rc;
}

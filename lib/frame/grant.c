/* Frames that are written in slices of rows, by several processes at once. */
#include "frame/frame_internal.h"

#include "base/error.h"
#include "dtype/dtype.h"
#include "format/format.h"
#include "memory/memory.h"

#include <shmframe/grant.h>

#include <string.h>

struct shmf_frame *shmf_frame_new_grantable(const struct shmf_frame_spec *spec,
                                            struct shmf_error *err)
{
    const struct shmfi_frame_source source = {.grantable = true};
    struct shmf_frame *frame = shmfi_frame_create(spec, &source, err);
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        uint32_t dtype = shmfi_frame_descriptor(frame, c)->dtype;
        if (!shmfi_dtype_is_string(dtype))
            continue;
        shmfi_error(err, SHMF_E_DTYPE, "column %lld: %s cannot be written in slices", (long long)c,
                    shmfi_dtype_info(dtype)->name);
        shmf_frame_free(frame);
        return NULL;
    }
    return frame;
}

static bool has_bits(const struct shmf_frame *frame)
{
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        const struct shmf_format_column *column = shmfi_frame_descriptor(frame, c);
        if (column->dtype == SHMF_BOOL || column->validity_offset)
            return true;
    }
    return false;
}

/* May these rows be written while others write the rest? */
static int check_rows(const struct shmf_frame *frame, int64_t begin, int64_t end,
                      struct shmf_error *err)
{
    int64_t rows = shmf_frame_rows(frame);
    if (begin < 0 || begin > end || end > rows)
        return shmfi_error(err, SHMF_E_RANGE, "rows [%lld, %lld) of a frame of %lld",
                           (long long)begin, (long long)end, (long long)rows);
    if ((begin % SHMF_SLICE_ROWS == 0 && (end % SHMF_SLICE_ROWS == 0 || end == rows)) ||
        begin == end || !has_bits(frame))
        return SHMF_OK;
    return shmfi_error(err, SHMF_E_INVAL,
                       "rows [%lld, %lld): slices of a frame with booleans or nullable columns "
                       "begin and end at multiples of %d rows",
                       (long long)begin, (long long)end, SHMF_SLICE_ROWS);
}

struct shmf_handle shmf_frame_grant(struct shmf_frame *frame, int64_t begin, int64_t end,
                                    struct shmf_error *err)
{
    struct shmf_handle none = {0};
    int rc =
        frame ? check_rows(frame, begin, end, err) : shmfi_error(err, SHMF_E_INVAL, "frame: NULL");
    if (rc)
        return none;
    if (!frame->building || frame->is_view || !frame->segment ||
        !shmfi_segment_is_grantable(frame->segment)) {
        shmfi_error(err, SHMF_E_ACCESS, "frame: %s",
                    frame->building ? "not made by this process with shmf_frame_new_grantable()"
                                    : "it is finished");
        return none;
    }
    __atomic_store_n(&frame->nulls_open, true, __ATOMIC_RELAXED);
    struct shmf_handle handle = shmfi_segment_handle(frame->segment, SHMF_KIND_FRAME);
    return shmf_handle_slice(shmf_handle_with(handle, SHMF_WRITABLE), begin, end);
}

static bool is_building(const unsigned char *base)
{
    const struct shmf_format_frame *shared = (const void *)base;
    return __atomic_load_n(&shared->header.state, __ATOMIC_ACQUIRE) == SHMF_FORMAT_BUILDING;
}

/* The header is in order but for its state. Its tables are the owner's, whom we trust. */
int shmfi_frame_open_granted(struct shmfi_segment *segment, struct shmf_frame **frame,
                             struct shmf_error *err)
{
    struct shmf_format_frame header;
    int rc = SHMF_OK;
    if (segment->length < sizeof header || !is_building(segment->base))
        rc = shmfi_error(err, SHMF_E_ACCESS, "the frame is finished");
    if (!rc) {
        memcpy(&header, segment->base, sizeof header);
        header.header.state = SHMF_FORMAT_READY;
        rc = shmfi_frame_from_header(segment->base, segment->length, &header, frame, err);
    }
    if (rc) {
        shmfi_segment_unref(segment);
        return rc;
    }
    (*frame)->segment = segment;
    (*frame)->building = true;
    return SHMF_OK;
}

int shmfi_frame_granted_slice(const struct shmf_frame *whole, int64_t begin, int64_t end,
                              struct shmf_frame **slice, struct shmf_error *err)
{
    if (!begin && !end)
        end = shmf_frame_rows(whole);
    else if (begin == end)
        begin = end = 0;
    int rc = is_building(whole->base) ? check_rows(whole, begin, end, err)
                                      : shmfi_error(err, SHMF_E_ACCESS, "the frame is finished");
    if (rc)
        return rc;
    *slice = shmfi_frame_slice(whole, begin, end - begin, err);
    if (!*slice)
        return err ? err->code : SHMF_E_NOMEM;
    (*slice)->nulls_open = true;
    return SHMF_OK;
}

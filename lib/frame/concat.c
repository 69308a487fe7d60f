#include "frame/runs.h"

#include "base/error.h"
#include "frame/compare.h"

#include <shmframe/derive.h>

static struct shmfi_run run_at(const void *context, int64_t i)
{
    const struct shmf_frame *const *frames = context;
    return (struct shmfi_run){frames[i], 0, shmf_frame_rows(frames[i])};
}

static int check_frame(const struct shmf_frame *frame, const struct shmf_frame *first, int64_t i,
                       struct shmf_error *err)
{
    if (!frame)
        return shmfi_error(err, SHMF_E_INVAL, "frames[%lld]: NULL", (long long)i);
    if (shmf_frame_columns(frame) != shmf_frame_columns(first))
        return shmfi_error(err, SHMF_E_DTYPE, "frames[%lld]: %lld columns, the first has %lld",
                           (long long)i, (long long)shmf_frame_columns(frame),
                           (long long)shmf_frame_columns(first));
    if ((shmf_frame_row_labels(frame) == SHMF_ROWS_UTF8) !=
        (shmf_frame_row_labels(first) == SHMF_ROWS_UTF8))
        return shmfi_error(err, SHMF_E_DTYPE, "frames[%lld]: row labels of another kind",
                           (long long)i);
    for (int64_t c = 0; c < shmf_frame_columns(first); c++)
        if (!shmfi_same_column(frame, first, c) || !shmfi_same_categories(frame, first, c))
            return shmfi_error(err, SHMF_E_DTYPE,
                               "frames[%lld]: column %lld differs from that of the first",
                               (long long)i, (long long)c);
    return SHMF_OK;
}

/* Do the frames' ranges continue each other? Frames without rows do not matter. */
static bool find_range(const struct shmf_frame *const *frames, int64_t n, struct shmfi_runs *runs)
{
    __int128 next = 0;
    bool begun = false;
    for (int64_t i = 0; i < n; i++) {
        const struct shmf_format_frame *h = &frames[i]->header;
        if (h->row_labels != SHMF_ROWS_RANGE)
            return false;
        if (h->n_rows == 0)
            continue;
        if (begun && (h->range_start != next || h->range_step != runs->range_step))
            return false;
        if (!begun) {
            runs->range_start = h->range_start;
            runs->range_step = h->range_step;
        }
        begun = true;
        next = h->range_start + (__int128)h->range_step * (__int128)h->n_rows;
    }
    if (!begun) {
        runs->range_start = frames[0]->header.range_start;
        runs->range_step = frames[0]->header.range_step;
    }
    return true;
}

struct shmf_frame *shmf_frame_concat(const struct shmf_frame *const *frames, int64_t n,
                                     struct shmf_error *err)
{
    int64_t rows = 0;
    if (!frames || n < 1) {
        shmfi_error(err, SHMF_E_INVAL, "frames, n: there must be one at least");
        return NULL;
    }
    for (int64_t i = 0; i < n; i++) {
        if (check_frame(frames[i], frames[0], i, err))
            return NULL;
        if (__builtin_add_overflow(rows, shmf_frame_rows(frames[i]), &rows)) {
            shmfi_error(err, SHMF_E_TOOBIG, "frames: too many rows");
            return NULL;
        }
    }
    struct shmfi_runs runs = {.get = run_at, .context = frames, .n = n, .model = frames[0]};
    runs.is_range = find_range(frames, n, &runs);
    return shmfi_frame_from_runs(&runs, err);
}

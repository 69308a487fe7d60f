#include "frame/runs.h"

#include "base/error.h"

#include <shmframe/derive.h>

struct taken {
    const struct shmf_frame *frame;
    const int64_t *rows;
};

static struct shmfi_run run_at(const void *context, int64_t i)
{
    const struct taken *taken = context;
    return (struct shmfi_run){taken->frame, taken->rows[i], 1};
}

struct shmf_frame *shmf_frame_take(const struct shmf_frame *frame, const int64_t *rows, int64_t n,
                                   struct shmf_error *err)
{
    const char *wrong = !frame ? "frame: NULL" : n < 0 ? "n: negative" : "rows: NULL";
    if (!frame || n < 0 || (n > 0 && !rows)) {
        shmfi_error(err, SHMF_E_INVAL, "%s", wrong);
        return NULL;
    }
    for (int64_t i = 0; i < n; i++)
        if (rows[i] < 0 || rows[i] >= shmf_frame_rows(frame)) {
            shmfi_error(err, SHMF_E_RANGE, "rows[%lld]: there is no row %lld", (long long)i,
                        (long long)rows[i]);
            return NULL;
        }
    const struct taken taken = {frame, rows};
    return shmfi_frame_from_runs(
        &(struct shmfi_runs){.get = run_at, .context = &taken, .n = n, .model = frame}, err);
}

#include "frame/frame_internal.h"

#include "base/error.h"
#include "base/sys.h"
#include "dtype/dtype.h"

#include <shmframe/derive.h>

#include <math.h>
#include <string.h>

static bool is_summable(uint32_t dtype)
{
    uint32_t class = shmfi_dtype_info(dtype)->class;
    return class == SHMFI_CLASS_BOOL || class == SHMFI_CLASS_INTEGER || class == SHMFI_CLASS_FLOAT;
}

/* Welford's way: neither the sum nor the sum of squares can overflow or lose what is small. */
static void add(struct shmf_summary *summary, double value)
{
    double before = value - summary->mean;
    summary->count++;
    summary->mean += before / (double)summary->count;
    summary->std += before * (value - summary->mean);
    if (summary->count == 1 || value < summary->min)
        summary->min = value;
    if (summary->count == 1 || value > summary->max)
        summary->max = value;
}

int shmf_frame_summarize(const struct shmf_frame *frame, int64_t column,
                         struct shmf_summary *summary)
{
    if (!frame || !summary)
        return SHMF_E_INVAL;
    if (column < 0 || column >= shmf_frame_columns(frame))
        return SHMF_E_RANGE;
    uint32_t dtype = shmfi_frame_descriptor(frame, column)->dtype;
    if (!is_summable(dtype))
        return SHMF_E_DTYPE;
    struct shmf_summary found = {0};
    for (int64_t r = 0; r < shmf_frame_rows(frame); r++) {
        uint8_t boolean;
        double value;
        const void *element = shmfi_frame_element(frame, r, column, &boolean);
        if (element && shmfi_dtype_to_double(dtype, element, &value) && !isnan(value))
            add(&found, value);
        else
            found.nulls++;
    }
    found.std = found.count > 1 ? sqrt(found.std / (double)(found.count - 1)) : (double)NAN;
    if (found.count == 0)
        found.mean = found.min = found.max = (double)NAN;
    *summary = found;
    return SHMF_OK;
}

enum { COUNT, NULLS, MEAN, STD, MIN, MAX, N_ROWS };

static void fill(struct shmf_frame *made, const struct shmf_frame *frame)
{
    int64_t to = 0;
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        struct shmf_summary summary;
        if (shmf_frame_summarize(frame, c, &summary))
            continue;
        double *cells = shmf_frame_data_mut(made, to++);
        cells[COUNT] = (double)summary.count;
        cells[NULLS] = (double)summary.nulls;
        cells[MEAN] = summary.mean;
        cells[STD] = summary.std;
        cells[MIN] = summary.min;
        cells[MAX] = summary.max;
    }
}

/* The columns that have a summary, at the beginning of the list. */
static int64_t choose_columns(const struct shmf_frame *frame, struct shmf_column_spec *columns)
{
    int64_t n = 0;
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++)
        if (is_summable((uint32_t)columns[c].dtype))
            columns[n++] = (struct shmf_column_spec){columns[c].label, SHMF_FLOAT64, 0};
    return n;
}

struct shmf_frame *shmf_frame_describe(const struct shmf_frame *frame, struct shmf_error *err)
{
    static const char *const rows[] = {[COUNT] = "count", [NULLS] = "nulls", [MEAN] = "mean",
                                       [STD] = "std",     [MIN] = "min",     [MAX] = "max"};
    struct shmfi_spec like;
    if (!frame) {
        shmfi_error(err, SHMF_E_INVAL, "frame: NULL");
        return NULL;
    }
    if (shmfi_spec_of(frame, &like, err))
        return NULL;
    const struct shmf_frame_spec spec = {.n_rows = N_ROWS,
                                         .n_columns = choose_columns(frame, like.columns),
                                         .columns = like.columns,
                                         .row_labels = rows};
    struct shmf_frame *made = shmf_frame_new(&spec, err);
    shmfi_spec_free(&like);
    if (!made)
        return NULL;
    fill(made, frame);
    if (shmf_frame_finish(made, err)) {
        shmf_frame_free(made);
        return NULL;
    }
    return made;
}

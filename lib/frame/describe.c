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
static void add(struct shmfi_moments *moments, double value)
{
    double before = value - moments->mean;
    moments->count++;
    moments->mean += before / (double)moments->count;
    moments->squares += before * (value - moments->mean);
    if (moments->count == 1 || value < moments->min)
        moments->min = value;
    if (moments->count == 1 || value > moments->max)
        moments->max = value;
}

int shmfi_frame_moments(const struct shmf_frame *frame, int64_t column, int64_t first,
                        int64_t count, struct shmfi_moments *moments)
{
    if (column < 0 || column >= shmf_frame_columns(frame) || first < 0 ||
        first > shmf_frame_rows(frame) || count > shmf_frame_rows(frame) - first)
        return SHMF_E_RANGE;
    uint32_t dtype = shmfi_frame_descriptor(frame, column)->dtype;
    if (!is_summable(dtype))
        return SHMF_E_DTYPE;
    *moments = (struct shmfi_moments){0};
    for (int64_t r = first; r < first + count; r++) {
        uint8_t boolean;
        double value;
        const void *element = shmfi_frame_element(frame, r, column, &boolean);
        if (element && shmfi_dtype_to_double(dtype, element, &value) && !isnan(value))
            add(moments, value);
        else
            moments->nulls++;
    }
    return SHMF_OK;
}

/* Chan's way, which is Welford's for more than one value. */
void shmfi_moments_merge(struct shmfi_moments *all, const struct shmfi_moments *more)
{
    all->nulls += more->nulls;
    if (more->count == 0)
        return;
    if (all->count == 0) {
        int64_t nulls = all->nulls;
        *all = *more;
        all->nulls = nulls;
        return;
    }
    double a = (double)all->count, b = (double)more->count, distance = more->mean - all->mean;
    all->count += more->count;
    all->mean += distance * (b / (a + b));
    all->squares += more->squares + distance * distance * (a * (b / (a + b)));
    all->min = more->min < all->min ? more->min : all->min;
    all->max = more->max > all->max ? more->max : all->max;
}

static struct shmf_summary summary_of(const struct shmfi_moments *moments)
{
    const double none = (double)NAN;
    bool any = moments->count > 0;
    return (struct shmf_summary){
        .count = moments->count,
        .nulls = moments->nulls,
        .mean = any ? moments->mean : none,
        .std = moments->count > 1 ? sqrt(moments->squares / (double)(moments->count - 1)) : none,
        .min = any ? moments->min : none,
        .max = any ? moments->max : none,
    };
}

int shmf_frame_summarize(const struct shmf_frame *frame, int64_t column,
                         struct shmf_summary *summary)
{
    struct shmfi_moments moments;
    if (!frame || !summary)
        return SHMF_E_INVAL;
    int rc = shmfi_frame_moments(frame, column, 0, shmf_frame_rows(frame), &moments);
    if (rc == SHMF_OK)
        *summary = summary_of(&moments);
    return rc;
}

int64_t shmfi_frame_summable(const struct shmf_frame *frame, int64_t *columns)
{
    int64_t n = 0;
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++)
        if (is_summable(shmfi_frame_descriptor(frame, c)->dtype))
            columns[n++] = c;
    return n;
}

enum { COUNT, NULLS, MEAN, STD, MIN, MAX, N_ROWS };

static void write_summary(struct shmf_frame *made, int64_t column,
                          const struct shmf_summary *summary)
{
    double *cells = shmf_frame_data_mut(made, column);
    cells[COUNT] = (double)summary->count;
    cells[NULLS] = (double)summary->nulls;
    cells[MEAN] = summary->mean;
    cells[STD] = summary->std;
    cells[MIN] = summary->min;
    cells[MAX] = summary->max;
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

struct shmf_frame *shmfi_frame_describe_as(const struct shmf_frame *frame,
                                           const struct shmfi_moments *moments,
                                           struct shmf_error *err)
{
    static const char *const rows[] = {[COUNT] = "count", [NULLS] = "nulls", [MEAN] = "mean",
                                       [STD] = "std",     [MIN] = "min",     [MAX] = "max"};
    struct shmfi_spec like;
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
    for (int64_t c = 0; c < spec.n_columns; c++) {
        struct shmf_summary summary = summary_of(&moments[c]);
        write_summary(made, c, &summary);
    }
    if (shmf_frame_finish(made, err)) {
        shmf_frame_free(made);
        return NULL;
    }
    return made;
}

struct shmf_frame *shmf_frame_describe(const struct shmf_frame *frame, struct shmf_error *err)
{
    if (!frame) {
        shmfi_error(err, SHMF_E_INVAL, "frame: NULL");
        return NULL;
    }
    size_t most = (size_t)shmf_frame_columns(frame) + 1;
    int64_t *columns = shmfi_sys.calloc(most, sizeof *columns);
    struct shmfi_moments *moments = shmfi_sys.calloc(most, sizeof *moments);
    struct shmf_frame *made = NULL;
    if (columns && moments) {
        int64_t n = shmfi_frame_summable(frame, columns);
        for (int64_t c = 0; c < n; c++)
            shmfi_frame_moments(frame, columns[c], 0, shmf_frame_rows(frame), &moments[c]);
        made = shmfi_frame_describe_as(frame, moments, err);
    } else {
        shmfi_error(err, SHMF_E_NOMEM, "summaries of %zu columns", most - 1);
    }
    shmfi_sys.free(columns);
    shmfi_sys.free(moments);
    return made;
}

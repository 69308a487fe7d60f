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

/* ---- blocks: a division for many values instead of one for each --------------------------------
 */

enum { BLOCK = 256, LANES = 4 };

struct block {
    int n;
    double values[BLOCK];
};

/* Sum of what the values are above `origin`, and of the squares of that. In lanes, so that no
 * addition waits for the one before. */
static double sum_above(const struct block *block, double origin, double *squares)
{
    double sums[LANES] = {0}, squared[LANES] = {0};
    for (int i = 0; i < block->n; i++) {
        double above = block->values[i] - origin;
        sums[i % LANES] += above;
        squared[i % LANES] += above * above;
    }
    *squares = (squared[0] + squared[1]) + (squared[2] + squared[3]);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* About their own mean, which is reckoned first; what is left of its error is taken out again.
 * Where a sum is too large for a double, and Welford's way may still do, that is gone. */
static void add_block(struct shmfi_moments *moments, struct block *block)
{
    const double *values = block->values;
    struct shmfi_moments more = {.count = block->n};
    if (block->n == 0)
        return;
    more.min = more.max = values[0];
    for (int i = 1; i < block->n; i++) {
        more.min = values[i] < more.min ? values[i] : more.min;
        more.max = values[i] > more.max ? values[i] : more.max;
    }
    more.mean = values[0] + sum_above(block, values[0], &more.squares) / block->n;
    double left = sum_above(block, more.mean, &more.squares);
    more.squares -= left * (left / block->n);
    more.squares = more.squares < 0 ? 0 : more.squares;
    if (isfinite(more.mean) && isfinite(more.squares))
        shmfi_moments_merge(moments, &more);
    for (int i = 0; i < block->n && !(isfinite(more.mean) && isfinite(more.squares)); i++)
        add(moments, values[i]);
    block->n = 0;
}

static bool number_at(const struct shmf_frame *frame, int64_t row, int64_t column, uint32_t dtype,
                      double *value)
{
    uint8_t boolean;
    const void *element = shmfi_frame_element(frame, row, column, &boolean);
    return element && shmfi_dtype_to_double(dtype, element, value) && !isnan(*value);
}

/* Without nulls, the most frequent dtype needs no look at each value's. */
static const double *plain_doubles(const struct shmf_frame *frame, int64_t column)
{
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(frame, column);
    bool plain = descriptor->dtype == SHMF_FLOAT64 && !shmfi_frame_validity(frame, descriptor);
    return plain ? (const void *)(frame->base + descriptor->data_offset) : NULL;
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
    const double *doubles = plain_doubles(frame, column);
    struct block block;
    block.n = 0;
    *moments = (struct shmfi_moments){0};
    for (int64_t r = first; r < first + count; r++) {
        double value = doubles ? doubles[r] : 0;
        if (doubles ? !isnan(value) : number_at(frame, r, column, dtype, &value))
            block.values[block.n++] = value;
        else
            moments->nulls++;
        if (block.n == BLOCK)
            add_block(moments, &block);
    }
    add_block(moments, &block);
    return SHMF_OK;
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

/* Specs of frames like others. */
#include "frame/frame_internal.h"

#include "base/error.h"
#include "base/sys.h"

#include <string.h>

/* How much there is of everything that needs an array. */
struct totals {
    size_t label_bytes, values, pairs;
};

static struct totals count(const struct shmf_frame *frame)
{
    struct totals totals = {0};
    totals.pairs = (size_t)shmf_frame_n_metadata(frame, -1);
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        totals.label_bytes += (size_t)shmf_frame_column_label(frame, c).size + 1;
        totals.values += (size_t)shmf_frame_n_categories(frame, c);
        totals.pairs += (size_t)shmf_frame_n_metadata(frame, c);
    }
    return totals;
}

/* How far the arrays are filled. */
struct cursor {
    char *label;
    struct shmf_text *value;
    struct shmf_pair *pair;
};

static int64_t copy_pairs(const struct shmf_frame *frame, int64_t column, struct shmf_pair **to)
{
    int64_t n = shmf_frame_n_metadata(frame, column), i = 0;
    for (; i < n && shmf_frame_metadata_at(frame, column, i, *to) == SHMF_OK; i++)
        ++*to;
    return i;
}

static void describe(const struct shmf_frame *frame, int64_t column, struct shmfi_spec *made,
                     struct cursor *cursor)
{
    struct shmf_column_details *details = &made->details[column];
    struct shmf_text label = shmf_frame_column_label(frame, column);
    shmf_frame_type(frame, column, &details->type);
    made->columns[column] = (struct shmf_column_spec){cursor->label, details->type.dtype, 0};
    if (label.size > 0)
        memcpy(cursor->label, label.data, (size_t)label.size);
    cursor->label += label.size;
    *cursor->label++ = '\0';
    details->values = cursor->value;
    details->n_values = shmf_frame_n_categories(frame, column);
    for (int64_t i = 0; i < details->n_values; i++)
        *cursor->value++ = shmf_frame_category(frame, column, i);
    details->metadata = cursor->pair;
    details->n_metadata = copy_pairs(frame, column, &cursor->pair);
}

/* The frame is our own, or was opened: nobody changes its tables while they are read twice. */
int shmfi_spec_of(const struct shmf_frame *frame, struct shmfi_spec *made, struct shmf_error *err)
{
    struct totals totals = count(frame);
    size_t n = (size_t)shmf_frame_columns(frame);
    *made = (struct shmfi_spec){
        .columns = shmfi_sys.calloc(n + 1, sizeof *made->columns),
        .details = shmfi_sys.calloc(n + 1, sizeof *made->details),
        .labels = shmfi_sys.calloc(totals.label_bytes + 1, 1),
        .values = shmfi_sys.calloc(totals.values + 1, sizeof *made->values),
        .pairs = shmfi_sys.calloc(totals.pairs + 1, sizeof *made->pairs),
    };
    if (!made->columns || !made->details || !made->labels || !made->values || !made->pairs) {
        shmfi_spec_free(made);
        return shmfi_error(err, SHMF_E_NOMEM, "description of %zu columns", n);
    }
    struct cursor cursor = {made->labels, made->values, made->pairs};
    made->spec = (struct shmf_frame_spec){
        .n_columns = (int64_t)n,
        .columns = made->columns,
        .details = made->details,
        .metadata = made->pairs,
    };
    made->spec.n_metadata = copy_pairs(frame, -1, &cursor.pair);
    for (size_t c = 0; c < n; c++)
        describe(frame, (int64_t)c, made, &cursor);
    return SHMF_OK;
}

void shmfi_spec_free(struct shmfi_spec *spec)
{
    shmfi_sys.free(spec->columns);
    shmfi_sys.free(spec->details);
    shmfi_sys.free(spec->labels);
    shmfi_sys.free(spec->values);
    shmfi_sys.free(spec->pairs);
    *spec = (struct shmfi_spec){0};
}

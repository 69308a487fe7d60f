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

/* How far the arrays are filled. Labels and metadata lie in the segment, which others may be
 * writing: they are read twice, so what was counted is the bound, whatever there is now. */
struct cursor {
    char *label;
    const char *labels_end; /* that leaves room for the NULs behind the labels that follow */
    struct shmf_text *value;
    struct shmf_pair *pair;
    const struct shmf_pair *pairs_end;
};

static int64_t copy_pairs(const struct shmf_frame *frame, int64_t column, struct cursor *cursor)
{
    int64_t i = 0;
    while (cursor->pair < cursor->pairs_end &&
           shmf_frame_metadata_at(frame, column, i, cursor->pair) == SHMF_OK) {
        cursor->pair++;
        i++;
    }
    return i;
}

static void copy_label(struct shmf_text label, struct cursor *cursor)
{
    size_t room = (size_t)(cursor->labels_end - cursor->label), size = (size_t)label.size;
    if (size > room)
        size = room;
    if (size > 0)
        memcpy(cursor->label, label.data, size);
    cursor->label += size;
    *cursor->label++ = '\0';
    cursor->labels_end++;
}

static void describe(const struct shmf_frame *frame, int64_t column, struct shmfi_spec *made,
                     struct cursor *cursor)
{
    struct shmf_column_details *details = &made->details[column];
    struct shmf_text label = shmf_frame_column_label(frame, column);
    shmf_frame_type(frame, column, &details->type);
    made->columns[column] = (struct shmf_column_spec){cursor->label, details->type.dtype, 0};
    copy_label(label, cursor);
    details->values = cursor->value;
    details->n_values = shmf_frame_n_categories(frame, column);
    for (int64_t i = 0; i < details->n_values; i++)
        *cursor->value++ = shmf_frame_category(frame, column, i);
    details->metadata = cursor->pair;
    details->n_metadata = copy_pairs(frame, column, cursor);
}

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
    struct cursor cursor = {made->labels, made->labels + totals.label_bytes - n, made->values,
                            made->pairs, made->pairs + totals.pairs};
    made->spec = (struct shmf_frame_spec){
        .n_columns = (int64_t)n,
        .columns = made->columns,
        .details = made->details,
        .metadata = made->pairs,
    };
    made->spec.n_metadata = copy_pairs(frame, -1, &cursor);
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

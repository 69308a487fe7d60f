/* Frames whose columns can be received into their place. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Fixed width, no bitmaps (bits share bytes), no categories. */
static bool is_plain_column(const struct shmf_frame *frame, int64_t position)
{
    struct shmf_column column;
    return shmf_frame_column(frame, position, &column) == SHMF_OK && column.dtype != SHMF_BOOL &&
           column.dtype != SHMF_DICTIONARY && !column.offsets && !column.validity;
}

bool shmfi_mpi_is_plain(const struct shmf_frame *frame)
{
    if (shmf_frame_row_labels(frame) != SHMF_ROWS_RANGE)
        return false;
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++)
        if (!is_plain_column(frame, c))
            return false;
    return true;
}

static void count(const struct shmf_frame *frame, size_t *label_bytes, size_t *pairs)
{
    *label_bytes = 0;
    *pairs = (size_t)shmf_frame_n_metadata(frame, -1);
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        *label_bytes += (size_t)shmf_frame_column_label(frame, c).size + 1;
        *pairs += (size_t)shmf_frame_n_metadata(frame, c);
    }
}

static int64_t add_pairs(const struct shmf_frame *frame, int64_t column, struct shmf_pair **at)
{
    int64_t n = shmf_frame_n_metadata(frame, column);
    for (int64_t i = 0; i < n; i++)
        shmf_frame_metadata_at(frame, column, i, (*at)++);
    return n;
}

static void describe(const struct shmf_frame *frame, struct shmfi_mpi_spec *made,
                     struct shmf_column_spec *columns, struct shmf_column_details *details)
{
    char *label = made->labels;
    struct shmf_pair *pair = made->pairs;
    made->spec.metadata = pair;
    made->spec.n_metadata = add_pairs(frame, -1, &pair);
    for (int64_t c = 0; c < made->spec.n_columns; c++) {
        struct shmf_text text = shmf_frame_column_label(frame, c);
        shmf_frame_type(frame, c, &details[c].type);
        columns[c] = (struct shmf_column_spec){label, details[c].type.dtype, 0};
        if (text.size)
            memcpy(label, text.data, (size_t)text.size);
        label += text.size;
        *label++ = '\0';
        details[c].metadata = pair;
        details[c].n_metadata = add_pairs(frame, c, &pair);
    }
}

int shmfi_mpi_spec_of(const struct shmf_frame *frame, struct shmfi_mpi_spec *made,
                      struct shmf_error *err)
{
    size_t label_bytes, pairs, n = (size_t)shmf_frame_columns(frame);
    count(frame, &label_bytes, &pairs);
    struct shmf_column_spec *columns = calloc(n + 1, sizeof *columns);
    struct shmf_column_details *details = calloc(n + 1, sizeof *details);
    *made = (struct shmfi_mpi_spec){
        .spec = {.n_columns = (int64_t)n, .columns = columns, .details = details},
        .labels = calloc(label_bytes + 1, 1),
        .pairs = calloc(pairs + 1, sizeof *made->pairs),
    };
    if (!columns || !details || !made->labels || !made->pairs) {
        shmfi_mpi_spec_free(made);
        return shmfi_mpi_no_memory(err);
    }
    describe(frame, made, columns, details);
    return SHMF_OK;
}

void shmfi_mpi_spec_free(struct shmfi_mpi_spec *made)
{
    free((void *)(uintptr_t)made->spec.columns);
    free((void *)(uintptr_t)made->spec.details);
    free(made->labels);
    free(made->pairs);
}

/* Labels and their index on the heap. */
#ifndef TEST_UNIT_SAMPLE_LABELS_H
#define TEST_UNIT_SAMPLE_LABELS_H

#include "labels/labels.h"

#include "format/format.h"
#include "support/test.h"

#include <stdlib.h>
#include <string.h>

static inline const char *get_string(const void *context, uint64_t i,
                                     char buffer[SHMFI_NUMBER_SIZE])
{
    (void)buffer;
    return ((const char *const *)context)[i];
}

/* A segment with strings and their index, on the heap, exactly as large as it must be. */
struct sample {
    unsigned char *base;
    uint64_t size;
    struct shmf_format_column column;
    struct shmf_format_index place;
    struct shmfi_labels labels;
    struct shmfi_index index;
};

static inline struct sample sample_of(const char *const *texts, uint64_t n, bool tagged)
{
    struct shmfi_label_source source = {get_string, texts};
    struct sample sample = {.labels = {.n = n}};
    struct shmfi_layout layout = {0};
    uint64_t bytes;
    assert_int_equal(shmfi_labels_measure(&source, n, "labels", &bytes, NULL), 0);
    shmfi_layout_strings(&layout, n, bytes, &sample.column);
    shmfi_layout_index(&layout, n, tagged, &sample.place);
    sample.size = layout.end;
    sample.base = aligned_alloc(64, sample.size);
    assert_non_null(sample.base);
    memset(sample.base, 0xA5, sample.size);
    assert_int_equal(shmfi_labels_write(&source, n, "labels", sample.base, &sample.column, NULL),
                     0);
    sample.labels.strings = shmfi_strings_resolve(sample.base, &sample.column, n);
    shmfi_index_build(sample.base + sample.place.offset, sample.place.capacity, tagged,
                      &sample.labels);
    sample.index = shmfi_index_resolve(sample.base, &sample.place, tagged);
    return sample;
}

#endif

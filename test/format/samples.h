/* The objects whose bytes are kept in golden/, and their copies on the heap. */
#ifndef TEST_FORMAT_SAMPLES_H
#define TEST_FORMAT_SAMPLES_H

#include "format/golden.h"
#include "support/test.h"

#include "array/array_internal.h"
#include "dual/dual.h"
#include "frame/frame_internal.h"
#include "memory/memory.h"
#include "unit/typed_frame.h"

#include <shmframe/format.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As many bytes as the header says, from the heap, so that sanitizers see a read behind them; the
 * generation, which differs from run to run, becomes 1. */
static inline struct segment_copy copy_segment(const struct shmfi_segment *segment)
{
    struct shmf_format_header header;
    memcpy(&header, segment->base, sizeof header);
    struct segment_copy copy = {aligned_alloc(64, header.total_size), header.total_size};
    assert_non_null(copy.base);
    header.generation = 1;
    memcpy(copy.base, segment->base, copy.size);
    memcpy(copy.base, &header, sizeof header);
    return copy;
}

static inline struct segment_copy copy_frame(struct shmf_frame *frame)
{
    assert_non_null(frame);
    struct segment_copy copy = copy_segment(shmfi_frame_segment(frame));
    shmf_frame_free(frame);
    return copy;
}

/* Text labels with a duplicate and an empty one; columns of several dtypes, two with nulls. */
static inline struct segment_copy sample_mixed(void)
{
    static const char *const rows[] = {"Idx-0", "h\xC3\xA4user", "", "Idx-0", "z"};
    static const struct shmf_column_spec columns[] = {
        {"count", SHMF_INT32, 0},  {"price", SHMF_FLOAT64, 1},  {"ok", SHMF_BOOL, 1},
        {"half", SHMF_FLOAT16, 0}, {"wave", SHMF_COMPLEX64, 0}, {"count", SHMF_UINT8, 0},
    };
    static const int32_t count[] = {1, -2, 3, -4, 5};
    static const double price[] = {0.5, 1.25, -2, 1e300, 0};
    static const uint16_t half[] = {0x3C00, 0xC000, 0x7C00, 0x0001, 0x3555};
    static const float wave[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    static const uint8_t bytes[] = {0, 1, 127, 128, 255}, bits[] = {0x15}, some[] = {0x1B};
    const struct shmf_frame_spec spec = {
        .n_rows = 5, .n_columns = 6, .columns = columns, .row_labels = rows};
    const void *const data[] = {count, price, bits, half, wave, bytes};
    const uint8_t *const validity[] = {NULL, some, NULL, NULL, NULL, NULL};
    return copy_frame(shmf_frame_from_columns(&spec, data, validity, NULL));
}

/* A matrix with int64 row labels. */
static inline struct segment_copy sample_matrix(void)
{
    static const int64_t rows[] = {-90, 0, 90};
    static const char *const columns[] = {"west", "", "east", "east"};
    static const double cells[3][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}};
    const struct shmf_frame_spec spec = {.n_rows = 3,
                                         .n_columns = 4,
                                         .dtype = SHMF_FLOAT64,
                                         .row_numbers = rows,
                                         .column_labels = columns};
    return copy_frame(shmf_frame_from_matrix(&spec, cells, 32, 8, NULL));
}

/* Rows 10, 7, 4, ... and no columns but one. */
static inline struct segment_copy sample_range(void)
{
    static const int8_t cells[] = {1, 2, 3, 4, 5, 6, 7};
    const struct shmf_frame_spec spec = {
        .n_rows = 7, .n_columns = 1, .dtype = SHMF_INT8, .range_start = 10, .range_step = -3};
    return copy_frame(shmf_frame_from_matrix(&spec, cells, 1, 7, NULL));
}

static inline struct segment_copy sample_empty(void)
{
    const struct shmf_frame_spec spec = {0};
    return copy_frame(shmf_frame_from_columns(&spec, NULL, NULL, NULL));
}

/* Strings, a dictionary, times, decimals; metadata. */
static inline struct segment_copy sample_types(void)
{
    return copy_frame(typed_frame(NULL));
}

/* The same as a file that Arrow reads too. */
static inline struct segment_copy sample_arrow(void)
{
    struct shmf_frame *frame = typed_frame(NULL);
    struct shmfi_dual dual;
    assert_non_null(frame);
    assert_int_equal(shmfi_dual_make(&dual, frame, "row", NULL), SHMF_OK);
    struct segment_copy copy = {aligned_alloc(64, dual.plan.end), dual.plan.end};
    assert_non_null(copy.base);
    memset(copy.base, 0, copy.size);
    for (uint64_t i = 0; i < dual.plan.n; i++) {
        const struct shmfi_outside_piece *piece = &dual.plan.pieces[i];
        memcpy(copy.base + piece->offset, piece->data, piece->size);
    }
    shmfi_dual_free(&dual);
    shmf_frame_free(frame);
    return copy;
}

static inline struct segment_copy sample_array(void)
{
    int16_t cells[2 * 3 * 4];
    for (int16_t i = 0; i < 24; i++)
        cells[i] = (int16_t)(i * 100);
    struct shmf_array *array =
        shmf_array_from_data(SHMF_INT16, 3, (const int64_t[]){2, 3, 4}, NULL, cells, NULL);
    assert_non_null(array);
    struct segment_copy copy = copy_segment(shmfi_array_segment(array));
    shmf_array_free(array);
    return copy;
}

struct sample {
    const char *name; /* of its file in golden/, without ".hex" */
    struct segment_copy (*make)(void);
    bool frame;
};

static const struct sample samples[] = {
    {"frame_mixed", sample_mixed, true}, {"frame_matrix", sample_matrix, true},
    {"frame_range", sample_range, true}, {"frame_empty", sample_empty, true},
    {"frame_types", sample_types, true}, {"frame_arrow", sample_arrow, true},
    {"array", sample_array, false},
};

enum { N_SAMPLES = sizeof samples / sizeof samples[0] };

#endif

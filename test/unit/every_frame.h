/* Frames with a column of every dtype, of random bytes, and frames compared bit by bit. */
#ifndef TEST_UNIT_EVERY_FRAME_H
#define TEST_UNIT_EVERY_FRAME_H

#include "support/test.h"

#include <shmframe/derive.h>
#include <shmframe/frame.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_N 26

static uint64_t every_state = 7;

/* Set by tests whose readers refuse dates after the end of the world: values have a meaning
 * then. */
static bool every_sensible;

static inline uint64_t every_random(uint64_t n)
{
    every_state = every_state * 6364136223846793005u + 1442695040888963407u;
    return (every_state >> 33) % n;
}

static const struct shmf_text every_colours[] = {
    {"red", 3}, {"", 0}, {"gr\xC3\xBCn", 5}, {"a longer name of a colour", 25}};
static const struct shmf_pair every_notes[] = {
    {{"unit", 4}, {"m/s", 3}}, {{"long name", 9}, {"wind \xE2\x86\x92", 8}}, {{"", 0}, {"", 0}}};
static const struct shmf_column_details every_details[EVERY_N] = {
    [SHMF_INT8 - 1] = {.metadata = every_notes, .n_metadata = 3},
    [SHMF_COMPLEX64 - 1] = {.metadata = every_notes, .n_metadata = 1},
    [SHMF_UTF8 - 1] = {.data_size = 1},
    [SHMF_LARGE_UTF8 - 1] = {.data_size = 1},
    [SHMF_BINARY - 1] = {.data_size = 1},
    [SHMF_FIXED_BINARY - 1] = {.type = {.width = 3}},
    [SHMF_DICTIONARY - 1] = {.type = {.index_dtype = SHMF_INT16, .ordered = 1},
                             .values = every_colours,
                             .n_values = 4},
    [SHMF_TIME32 - 1] = {.type = {.unit = SHMF_MILLISECONDS}},
    [SHMF_TIME64 - 1] = {.type = {.unit = SHMF_NANOSECONDS}},
    [SHMF_TIMESTAMP - 1] = {.type = {.unit = SHMF_MICROSECONDS, .zone = {"Europe/Berlin", 13}}},
    [SHMF_DURATION - 1] = {.type = {.unit = SHMF_SECONDS}},
    [SHMF_DECIMAL128 - 1] = {.type = {.precision = 38, .scale = -2}},
};

static inline void every_make_sense(enum shmf_dtype dtype, void *data, int64_t n)
{
    const int64_t day = 86400000;
    int32_t *narrow = data;
    int64_t *wide = data;
    for (int64_t r = 0; r < n; r++) {
        if (dtype == SHMF_DATE32)
            narrow[r] = (int32_t)every_random(40000) - 20000;
        else if (dtype == SHMF_TIME32)
            narrow[r] = (int32_t)every_random((uint64_t)day);
        else if (dtype == SHMF_DATE64)
            wide[r] = ((int64_t)every_random(40000) - 20000) * day;
        else if (dtype == SHMF_TIME64)
            wide[r] =
                (int64_t)every_random((uint64_t)day) * 1000000 + (int64_t)every_random(999999);
        else if (dtype == SHMF_TIMESTAMP || dtype == SHMF_DURATION)
            wide[r] = ((int64_t)every_random(1u << 30) - (1 << 29)) * 1000;
        else if (dtype == SHMF_DECIMAL128)
            wide[2 * r + 1] = wide[2 * r] >> 63;
    }
}

/* Column c has dtype c + 1. */
static inline void every_write(struct shmf_frame *frame, int64_t c, int64_t n)
{
    static const char letters[] = "etaoin \xC3\xBC";
    unsigned char *data = shmf_frame_data_mut(frame, c);
    enum shmf_dtype dtype = (enum shmf_dtype)(c + 1);
    size_t width = dtype == SHMF_FIXED_BINARY ? 3 : shmf_dtype_size(dtype);
    int64_t size = dtype == SHMF_BOOL ? (n + 7) / 8 : n * (int64_t)width;
    if (dtype == SHMF_DICTIONARY) {
        for (int64_t r = 0; r < n; r++)
            ((int16_t *)(void *)data)[r] = (int16_t)every_random(4);
        return;
    }
    if (dtype != SHMF_UTF8 && dtype != SHMF_LARGE_UTF8 && dtype != SHMF_BINARY) {
        for (int64_t i = 0; i < size; i++)
            data[i] = (unsigned char)every_random(256);
        if (every_sensible)
            every_make_sense(dtype, data, n);
        return;
    }
    int32_t *narrow = shmf_frame_offsets_mut(frame, c);
    int64_t *wide = shmf_frame_offsets_mut(frame, c), at = 0;
    for (int64_t r = 0; r < n; r++) {
        for (uint64_t i = every_random(4) * every_random(8); i > 0 && at + 2 <= 12 * n; i--) {
            uint64_t letter = every_random(8);
            data[at++] = (unsigned char)letters[letter];
            if (letter == 7) /* of two bytes */
                data[at++] = (unsigned char)letters[8];
        }
        if (dtype == SHMF_LARGE_UTF8)
            wide[r + 1] = at;
        else
            narrow[r + 1] = (int32_t)at;
    }
}

/* `nulls`: every so many-th cell on the average is null; 0: none. `labels`: enum
 * shmf_row_labels. */
static inline struct shmf_frame *every_frame(int64_t n, unsigned nulls, int labels)
{
    struct shmf_column_spec columns[EVERY_N];
    struct shmf_column_details details[EVERY_N];
    char(*texts)[24] = calloc((size_t)n + 1, sizeof *texts);
    const char **pointers = calloc((size_t)n + 1, sizeof *pointers);
    int64_t *numbers = calloc((size_t)n + 1, sizeof *numbers);
    for (int64_t r = 0; r < n; r++) {
        numbers[r] = (int64_t)every_random(1000) - 500;
        snprintf(texts[r], sizeof texts[r], "r%lld", (long long)numbers[r]);
        pointers[r] = texts[r];
    }
    for (int c = 0; c < EVERY_N; c++) {
        columns[c] = (struct shmf_column_spec){shmf_dtype_name((enum shmf_dtype)(c + 1)),
                                               (enum shmf_dtype)(c + 1), nulls > 0};
        details[c] = every_details[c];
        details[c].data_size *= 12 * n;
        if (c == SHMF_DECIMAL128 - 1 && every_sensible)
            details[c].type.scale = 2;
    }
    struct shmf_frame_spec spec = {.n_rows = n,
                                   .n_columns = EVERY_N,
                                   .columns = columns,
                                   .details = details,
                                   .metadata = every_notes,
                                   .n_metadata = 2};
    spec.row_numbers = labels == SHMF_ROWS_INT64 ? numbers : NULL;
    spec.row_labels = labels == SHMF_ROWS_UTF8 ? pointers : NULL;
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    assert_non_null(frame);
    for (int64_t c = 0; c < EVERY_N; c++) {
        every_write(frame, c, n);
        uint8_t *validity = shmf_frame_validity_mut(frame, c);
        for (int64_t r = 0; r < n && nulls; r++)
            if (every_random(nulls) == 0)
                validity[r / 8] &= (uint8_t) ~(1u << (r % 8));
    }
    struct shmf_error err = {0};
    if (shmf_frame_finish(frame, &err))
        fail_msg("%s", err.message);
    free(texts);
    free(pointers);
    free(numbers);
    return frame;
}

static inline void assert_same_metadata(const struct shmf_frame *a, const struct shmf_frame *b,
                                        int64_t column)
{
    assert_int_equal(shmf_frame_n_metadata(a, column), shmf_frame_n_metadata(b, column));
    for (int64_t i = 0; i < shmf_frame_n_metadata(a, column); i++) {
        struct shmf_pair p, q;
        assert_int_equal(shmf_frame_metadata_at(a, column, i, &p), SHMF_OK);
        assert_int_equal(shmf_frame_metadata_at(b, column, i, &q), SHMF_OK);
        assert_int_equal(p.key.size, q.key.size);
        assert_int_equal(p.value.size, q.value.size);
        assert_int_equal(memcmp(p.key.data, q.key.data, (size_t)p.key.size), 0);
        assert_int_equal(memcmp(p.value.data, q.value.data, (size_t)p.value.size), 0);
    }
}

/* Elements of fixed width, those under nulls not, byte by byte: NaN by its bits. */
static inline void assert_same_elements(const struct shmf_frame *a, const struct shmf_frame *b,
                                        int64_t c)
{
    struct shmf_column s, t;
    struct shmf_type type;
    assert_int_equal(shmf_frame_column(a, c, &s), SHMF_OK);
    assert_int_equal(shmf_frame_column(b, c, &t), SHMF_OK);
    assert_int_equal(shmf_frame_type(a, c, &type), SHMF_OK);
    assert_int_equal(s.null_count, t.null_count);
    size_t width = type.dtype == SHMF_FIXED_BINARY ? type.width
                   : type.dtype == SHMF_DICTIONARY ? shmf_dtype_size(type.index_dtype)
                                                   : shmf_dtype_size(type.dtype);
    for (int64_t r = 0; r < s.n_rows && width && s.dtype != SHMF_BOOL; r++)
        if (!shmf_frame_is_null(a, r, c))
            assert_memory_equal((const char *)s.data + (size_t)r * width,
                                (const char *)t.data + (size_t)r * width, width);
}

/* Labels, types, values bit by bit, metadata. */
static inline void assert_same_frame(const struct shmf_frame *a, const struct shmf_frame *b)
{
    assert_int_equal(shmf_frame_validate(b, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    assert_int_equal(shmf_frame_equal(a, b), 1);
    assert_int_equal(shmf_frame_columns(a), shmf_frame_columns(b));
    assert_same_metadata(a, b, -1);
    for (int64_t c = 0; c < shmf_frame_columns(a); c++) {
        assert_same_metadata(a, b, c);
        assert_same_elements(a, b, c);
    }
}

/* Frames of every dtype there and back, in batches, with and without nulls and labels. */
static inline void every_frame_returns(void (*round_trip)(const struct shmf_frame *frame,
                                                          int64_t batch_rows))
{
    const int64_t rows[] = {0, 1, 7, 64, 700}, batches[] = {0, 13, 64};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned nulls = 0; nulls < 4; nulls++)
            for (int labels = 0; labels < 3; labels++) {
                struct shmf_frame *frame = every_frame(rows[i], nulls, labels);
                for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++)
                    round_trip(frame, batches[b]);
                shmf_frame_free(frame);
            }
}

/* The rows of slices, labels of a range apart: those begin anew. */
static inline void every_slice_returns(void (*round_trip)(const struct shmf_frame *frame,
                                                          int64_t batch_rows))
{
    for (int round = 0; round < 40; round++) {
        int64_t n = 1 + (int64_t)every_random(300), first = (int64_t)every_random((uint64_t)n);
        int64_t count = (int64_t)every_random((uint64_t)(n - first) + 1);
        struct shmf_frame *frame = every_frame(n, 1 + (unsigned)round % 4, 1 + round % 2);
        struct shmf_frame *slice = shmf_frame_slice(frame, first, count, NULL);
        round_trip(slice, 1 + (int64_t)every_random(100));
        shmf_frame_free(slice);
        shmf_frame_free(frame);
    }
}

#endif

/* Every byte of header, tables, labels and indexes of a good segment is overwritten with other
 * values, and every field with boundary values. Whatever comes of it is either refused with a code
 * and a text, or can be used to the full without a read outside the segment (sanitizers and
 * Valgrind watch; the copy on the heap is exactly as large as the segment). */
#include "format/samples.h"

#include <shmframe/derive.h>
#include <shmframe/error.h>

static FILE *nowhere;

/* ---- using all there is ---------------------------------------------------------------------- */

static uint64_t sum_bytes(const void *bytes, size_t size)
{
    const unsigned char *at = bytes;
    uint64_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum += at[i];
    return sum;
}

static uint64_t use_columns(const struct shmf_frame *frame)
{
    uint64_t sum = 0;
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        struct shmf_column column;
        assert_int_equal(shmf_frame_column(frame, c, &column), SHMF_OK);
        size_t n = (size_t)column.n_rows, bits = n / 8 + (n % 8 != 0);
        bool is_bool = column.dtype == SHMF_BOOL;
        if (!column.offsets)
            sum += sum_bytes(column.data, is_bool ? bits : n * shmf_dtype_size(column.dtype));
        if (column.validity)
            sum += sum_bytes(column.validity, bits);
        struct shmf_text label = shmf_frame_column_label(frame, c);
        if (label.data)
            sum += sum_bytes(label.data, (size_t)label.size);
    }
    return sum;
}

/* Cells as text, in place and shown; types, categories and metadata. */
static uint64_t use_cells(const struct shmf_frame *frame)
{
    uint64_t sum = 0;
    for (int64_t c = -1; c < shmf_frame_columns(frame); c++) {
        char shown[64];
        struct shmf_type type = {0};
        struct shmf_pair pair;
        for (int64_t i = 0; shmf_frame_metadata_at(frame, c, i, &pair) == SHMF_OK; i++)
            sum += sum_bytes(pair.key.data, (size_t)pair.key.size) +
                   sum_bytes(pair.value.data, (size_t)pair.value.size);
        if (shmf_frame_type(frame, c, &type) == SHMF_OK && type.zone.data)
            sum += sum_bytes(type.zone.data, (size_t)type.zone.size);
        for (int64_t r = 0; r < shmf_frame_rows(frame) && r < 16; r++) {
            struct shmf_text text = shmf_frame_text(frame, r, c);
            if (text.data)
                sum += sum_bytes(text.data, (size_t)text.size);
            shmf_frame_cell_text(frame, r, c, shown, sizeof shown);
        }
    }
    for (int level = SHMF_VALIDATE_NONE; level <= SHMF_VALIDATE_FULL; level++)
        sum += shmf_frame_validate(frame, (enum shmf_validation)level, NULL) == SHMF_OK;
    return sum;
}

static uint64_t use_rows(const struct shmf_frame *frame)
{
    uint64_t sum = 0;
    int64_t n_columns = shmf_frame_columns(frame), number;
    double *row = malloc((size_t)n_columns * sizeof *row + 1);
    assert_non_null(row);
    /* a frame without columns may claim any number of rows */
    for (int64_t r = 0; r < shmf_frame_rows(frame) && r < 16; r++) {
        shmf_frame_row(frame, r, row);
        struct shmf_text label = shmf_frame_row_text(frame, r);
        int64_t found = 0, count;
        if (label.data) {
            sum += sum_bytes(label.data, (size_t)label.size);
            found = shmf_frame_loc_text(frame, label, &count);
        } else if (shmf_frame_row_number(frame, r, &number) == SHMF_OK) {
            found = shmf_frame_loc_number(frame, number);
        }
        assert_true(found == SHMF_E_NOTFOUND || found < shmf_frame_rows(frame));
    }
    free(row);
    return sum;
}

/* The same through views: but for the first row and column. */
static uint64_t use_views(const struct shmf_frame *frame)
{
    int64_t positions[] = {1, 0};
    bool has_rows = shmf_frame_rows(frame) > 0, has_columns = shmf_frame_columns(frame) > 1;
    struct shmf_frame *slice =
        shmf_frame_slice(frame, has_rows, shmf_frame_rows(frame) - has_rows, NULL);
    assert_non_null(slice);
    struct shmf_frame *selected = shmf_frame_select(slice, positions, has_columns ? 2 : 0, NULL);
    assert_non_null(selected);
    uint64_t sum = use_cells(slice) + use_rows(slice) + use_cells(selected) + use_rows(selected);
    shmf_frame_free(selected);
    shmf_frame_free(slice);
    return sum;
}

static void use_frame(const struct shmf_frame *frame)
{
    static const char *const labels[] = {"", "Idx-0", "z", "count", "east", "absent", "0"};
    struct shmf_matrix matrix;
    uint64_t sum = use_columns(frame) + use_cells(frame) + use_rows(frame) + use_views(frame);
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        assert_true(shmf_frame_loc(frame, labels[i]) < shmf_frame_rows(frame));
        assert_true(shmf_frame_column_loc(frame, labels[i]) < shmf_frame_columns(frame));
    }
    if (shmf_frame_matrix(frame, &matrix) == SHMF_OK) {
        size_t size = shmf_dtype_size(matrix.dtype);
        for (int64_t c = 0; c < matrix.n_columns; c++)
            sum +=
                sum_bytes((const char *)matrix.data + (size_t)(c * matrix.leading_dimension) * size,
                          (size_t)matrix.n_rows * size);
    }
    shmf_frame_print(frame, nowhere, NULL);
    fprintf(nowhere, "%llu", (unsigned long long)sum);
    rewind(nowhere);
}

/* Every element, by the strides that the array claims, up to a limit: a stride of 0 can make few
 * bytes into endless elements. */
static uint64_t use_elements(const char *at, int ndim, const int64_t *shape, const int64_t *strides,
                             size_t size, int *left)
{
    uint64_t sum = 0;
    if (ndim == 0)
        return --*left, sum_bytes(at, size);
    for (int64_t i = 0; i < shape[0] && *left > 0; i++)
        sum += use_elements(at + i * strides[0], ndim - 1, shape + 1, strides + 1, size, left);
    return sum;
}

static void use_array(const struct shmf_array *array)
{
    int left = 1000, ndim = shmf_array_ndim(array);
    uint64_t sum = 0;
    if (shmf_array_size(array) > 0) {
        const char *last = shmf_array_data(array);
        for (int d = 0; d < ndim; d++)
            last += (shmf_array_shape(array)[d] - 1) * shmf_array_strides(array)[d];
        sum = sum_bytes(last, shmf_dtype_size(shmf_array_dtype(array)));
        sum += use_elements(shmf_array_data(array), ndim, shmf_array_shape(array),
                            shmf_array_strides(array), shmf_dtype_size(shmf_array_dtype(array)),
                            &left);
    }
    shmf_array_print(array, nowhere);
    fprintf(nowhere, "%llu", (unsigned long long)sum);
    rewind(nowhere);
}

/* Returns whether it could be opened. */
static bool try_segment(const struct sample *sample, const struct segment_copy *copy)
{
    struct shmf_error err = {0};
    struct shmf_frame *frame;
    struct shmf_array *array;
    int rc;
    if (sample->frame) {
        rc = shmfi_frame_from_memory(copy->base, copy->size, false, &frame, &err);
        if (rc == SHMF_OK) {
            use_frame(frame);
            shmf_frame_free(frame);
        }
    } else {
        rc = shmfi_array_from_memory(copy->base, copy->size, &array, &err);
        if (rc == SHMF_OK) {
            use_array(array);
            shmf_array_free(array);
        }
    }
    if (rc == SHMF_OK)
        return true;
    assert_int_equal(err.code, rc);
    assert_true(err.message[0] != '\0');
    assert_true(rc == SHMF_E_CORRUPT || rc == SHMF_E_VERSION || rc == SHMF_E_ACCESS ||
                rc == SHMF_E_INVAL || rc == SHMF_E_UNSUPPORTED || rc == SHMF_E_NOMEM ||
                rc == SHMF_E_TOOBIG);
    return false;
}

/* ---- what is overwritten --------------------------------------------------------------------- */

/* Is the byte part of the header, or of something behind the values? */
static bool is_interesting(const struct sample *sample, const struct segment_copy *copy, size_t at)
{
    const struct shmf_format_frame *header = (const void *)copy->base;
    if (!sample->frame)
        return at < sizeof(struct shmf_format_array);
    return at < sizeof *header || at >= header->columns_offset || header->n_dictionaries > 0 ||
           (header->row_label.dtype == SHMF_UTF8 && at >= header->row_label.offsets_offset);
}

/* Every place in a plain build; where programs run slowly, every so-many-th, beginning with another
 * one in each sample. */
static size_t step(void)
{
    return (size_t)test_slowness();
}

static void test_a_segment_with_one_wrong_byte_is_refused_or_harmless(void **state)
{
    (void)state;
    const uint8_t masks[] = {0x01, 0x04, 0x40, 0x80, 0xFF, 0x0F};
    int opened = 0, refused = 0;
    for (size_t s = 0; s < N_SAMPLES; s++) {
        struct segment_copy copy = samples[s].make();
        assert_true(try_segment(&samples[s], &copy));
        for (size_t at = s % step(); at < copy.size; at += step()) {
            if (!is_interesting(&samples[s], &copy, at))
                continue;
            for (size_t m = 0; m < sizeof masks; m++) {
                copy.base[at] ^= masks[m];
                if (try_segment(&samples[s], &copy))
                    opened++;
                else
                    refused++;
                copy.base[at] ^= masks[m];
            }
        }
        assert_true(try_segment(&samples[s], &copy));
        free(copy.base);
    }
    int share = step() == 1 ? 1 : 2 * (int)step();
    assert_true(opened > 1000 / share && refused > 5000 / share);
}

static void put_word(const struct sample *sample, const struct segment_copy *copy, size_t at,
                     size_t size, uint64_t value)
{
    uint64_t old = 0;
    memcpy(&old, copy->base + at, size);
    memcpy(copy->base + at, &value, size);
    try_segment(sample, copy);
    memcpy(copy->base + at, &old, size);
}

static void test_a_segment_with_one_extreme_word_is_refused_or_harmless(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SAMPLES; s++) {
        struct segment_copy copy = samples[s].make();
        const uint64_t values[] = {
            0,
            1,
            7,
            8,
            63,
            64,
            4096,
            copy.size - 64,
            copy.size - 1,
            copy.size,
            copy.size + 64,
            INT32_MAX,
            1ull << 31,
            UINT32_MAX,
            1ull << 32,
            1ull << 60,
            1ull << 61,
            INT64_MAX,
            1ull << 63,
            UINT64_MAX - 63,
            UINT64_MAX,
        };
        for (size_t at = s % step() * 4; at + 8 <= copy.size; at += 4 * step()) {
            if (!is_interesting(&samples[s], &copy, at))
                continue;
            for (size_t v = 0; v < sizeof values / sizeof values[0]; v++) {
                put_word(&samples[s], &copy, at, 4, values[v]);
                if (at % 8 == 0)
                    put_word(&samples[s], &copy, at, 8, values[v]);
            }
        }
        assert_true(try_segment(&samples[s], &copy));
        free(copy.base);
    }
}

static uint64_t random_state = 1;

static uint64_t random_below(uint64_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % n;
}

static void test_a_segment_with_several_wrong_bytes_is_refused_or_harmless(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SAMPLES; s++) {
        struct segment_copy copy = samples[s].make();
        unsigned char *good = malloc(copy.size);
        assert_non_null(good);
        memcpy(good, copy.base, copy.size);
        for (long round = test_rounds(4000); round > 0; round--) {
            for (uint64_t n = 1 + random_below(6); n > 0; n--) {
                size_t at = random_below(copy.size);
                if (is_interesting(&samples[s], &(struct segment_copy){good, copy.size}, at))
                    copy.base[at] = (unsigned char)random_below(256);
            }
            try_segment(&samples[s], &copy);
            memcpy(copy.base, good, copy.size);
        }
        free(good);
        free(copy.base);
    }
}

static void test_a_segment_cut_short_is_refused(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SAMPLES; s++) {
        struct segment_copy copy = samples[s].make();
        for (size_t size = 0; size < copy.size; size += (size < 600 ? 1 : 61) * step()) {
            struct segment_copy cut = {malloc(size + 1), size};
            assert_non_null(cut.base);
            memcpy(cut.base, copy.base, size);
            assert_false(try_segment(&samples[s], &cut));
            free(cut.base);
        }
        free(copy.base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_segment_with_one_wrong_byte_is_refused_or_harmless),
        cmocka_unit_test(test_a_segment_with_one_extreme_word_is_refused_or_harmless),
        cmocka_unit_test(test_a_segment_with_several_wrong_bytes_is_refused_or_harmless),
        cmocka_unit_test(test_a_segment_cut_short_is_refused),
    };
    char buffer[1 << 16];
    nowhere = fmemopen(buffer, sizeof buffer, "w");
    if (!nowhere)
        return 1;
    int failed = cmocka_run_group_tests_name("flips", tests, NULL, NULL);
    fclose(nowhere);
    return failed;
}

#include "fuzz/use.h"

#include "array/array_internal.h"
#include "frame/frame_internal.h"

#include <shmframe/derive.h>
#include <shmframe/format.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEW = 16 }; /* rows looked at: a frame without columns may claim any number */

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);          \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Every byte that was handed out is read into this. */
static volatile uint64_t sink;

static FILE *nowhere(void)
{
    static char buffer[1 << 16];
    static FILE *file;
    if (!file)
        file = fmemopen(buffer, sizeof buffer, "w");
    MUST(file);
    rewind(file);
    return file;
}

static void read_bytes(const void *bytes, uint64_t size)
{
    const unsigned char *at = bytes;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < size; i++)
        sum += at[i];
    sink += sum;
}

static void read_text(struct shmf_text text)
{
    MUST(text.size >= 0 && (text.data || text.size == 0));
    read_bytes(text.data, (uint64_t)text.size);
}

static int64_t few_rows(const struct shmf_frame *frame)
{
    return shmf_frame_rows(frame) < FEW ? shmf_frame_rows(frame) : FEW;
}

/* ---- columns and cells ----------------------------------------------------------------------- */

static void use_column(const struct shmf_frame *frame, int64_t c)
{
    struct shmf_column column;
    struct shmf_type type;
    struct shmf_summary summary;
    MUST(shmf_frame_column(frame, c, &column) == SHMF_OK);
    MUST(shmf_frame_type(frame, c, &type) == SHMF_OK && type.dtype == column.dtype);
    MUST(column.n_rows == shmf_frame_rows(frame));
    MUST(column.null_count >= 0 && column.null_count <= column.n_rows);
    uint64_t bits = ((uint64_t)column.n_rows + (uint64_t)column.bit_offset + 7) / 8;
    if (column.validity)
        read_bytes(column.validity, bits);
    if (column.offsets)
        read_bytes(column.offsets,
                   ((uint64_t)column.n_rows + 1) * (column.dtype == SHMF_LARGE_UTF8 ? 8 : 4));
    read_bytes(column.data, column.dtype == SHMF_BOOL ? bits : (uint64_t)column.data_size);
    read_text(type.zone);
    read_text(shmf_frame_column_label(frame, c));
    shmf_frame_summarize(frame, c, &summary);
    for (int64_t i = -1; i < shmf_frame_n_categories(frame, c) && i < FEW; i++)
        read_text(shmf_frame_category(frame, c, i));
}

static void use_metadata(const struct shmf_frame *frame, int64_t c)
{
    struct shmf_pair pair;
    for (int64_t i = 0; i < FEW && shmf_frame_metadata_at(frame, c, i, &pair) == SHMF_OK; i++) {
        read_text(pair.key);
        read_text(pair.value);
    }
    shmf_frame_metadata_at(frame, c, shmf_frame_n_metadata(frame, c) - 1, &pair);
    read_text(shmf_frame_metadata(frame, c, "unit"));
    read_text(shmf_frame_metadata(frame, c, ""));
}

static void use_cell(const struct shmf_frame *frame, int64_t row, int64_t column)
{
    char shown[64];
    int64_t integer;
    double number;
    MUST(shmf_frame_is_null(frame, row, column) >= 0);
    read_text(shmf_frame_text(frame, row, column));
    shmf_frame_cell_int64(frame, row, column, &integer);
    shmf_frame_cell(frame, row, column, &number);
    MUST(shmf_frame_cell_text(frame, row, column, shown, sizeof shown) >= 0);
    MUST(memchr(shown, '\0', sizeof shown));
}

/* The first rows, and the last one. */
static void use_cells(const struct shmf_frame *frame)
{
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        use_column(frame, c);
        use_metadata(frame, c);
        for (int64_t r = 0; r < few_rows(frame); r++)
            use_cell(frame, r, c);
        if (shmf_frame_rows(frame) > 0)
            use_cell(frame, shmf_frame_rows(frame) - 1, c);
    }
    use_metadata(frame, -1);
}

static void use_matrix(const struct shmf_frame *frame)
{
    struct shmf_matrix matrix;
    if (shmf_frame_matrix(frame, &matrix))
        return;
    uint64_t size = shmf_dtype_size(matrix.dtype);
    MUST(matrix.leading_dimension >= 1 && matrix.leading_dimension >= matrix.n_rows);
    for (int64_t c = 0; c < matrix.n_columns; c++)
        read_bytes((const char *)matrix.data + (uint64_t)(c * matrix.leading_dimension) * size,
                   (uint64_t)matrix.n_rows * size);
}

/* ---- labels ---------------------------------------------------------------------------------- */

static void use_lookups(const struct shmf_frame *frame)
{
    static const char *const labels[] = {"", "Idx-0", "z", "count", "east", "absent", "0", "name"};
    const struct shmf_text texts[] = {{"z", 1}, {"Idx-0", 5}};
    const int64_t numbers[] = {INT64_MIN, -90, 0, 1, 10, INT64_MAX};
    int64_t rows[6], n = shmf_frame_rows(frame);
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        MUST(shmf_frame_loc(frame, labels[i]) < n || n == 0);
        MUST(shmf_frame_column_loc(frame, labels[i]) < shmf_frame_columns(frame) ||
             shmf_frame_columns(frame) == 0);
    }
    shmf_frame_loc_texts(frame, texts, 2, rows);
    if (shmf_frame_loc_numbers(frame, numbers, 6, rows) >= 0)
        for (int i = 0; i < 6; i++)
            MUST(rows[i] < 0 || rows[i] < n);
}

static void use_row(const struct shmf_frame *frame, int64_t row, double *cells)
{
    int64_t number, count, found = SHMF_E_NOTFOUND;
    struct shmf_text label = shmf_frame_row_text(frame, row);
    shmf_frame_row(frame, row, cells);
    read_text(label);
    if (label.data)
        found = shmf_frame_loc_text(frame, label, &count);
    else if (shmf_frame_row_number(frame, row, &number) == SHMF_OK)
        found = shmf_frame_loc_number(frame, number);
    MUST(found == SHMF_E_NOTFOUND || (found >= 0 && found < shmf_frame_rows(frame)));
}

static void use_rows(const struct shmf_frame *frame)
{
    double *cells = malloc((size_t)shmf_frame_columns(frame) * sizeof *cells + 1);
    MUST(cells);
    for (int64_t r = 0; r < few_rows(frame); r++)
        use_row(frame, r, cells);
    if (shmf_frame_rows(frame) > 0)
        use_row(frame, shmf_frame_rows(frame) - 1, cells);
    free(cells);
    use_lookups(frame);
}

/* ---- frames from it -------------------------------------------------------------------------- */

static void look_at(const struct shmf_frame *frame)
{
    use_cells(frame);
    use_rows(frame);
    use_matrix(frame);
}

static void use_views(const struct shmf_frame *frame)
{
    int64_t positions[] = {shmf_frame_columns(frame) - 1, 0};
    int64_t first = shmf_frame_rows(frame) > 0, n = shmf_frame_rows(frame) - first;
    struct shmf_frame *slice = shmf_frame_slice(frame, first, n, NULL);
    MUST(slice);
    struct shmf_frame *selected =
        shmf_frame_select(slice, positions, shmf_frame_columns(frame) > 0 ? 2 : 0, NULL);
    MUST(selected);
    look_at(slice);
    look_at(selected);
    shmf_frame_print(selected, nowhere(), NULL);
    shmf_frame_free(selected);
    shmf_frame_free(slice);
}

/* A frame that the library itself made passes every check. Where the text of names, zones and
 * metadata changes between being checked and being copied it may be no UTF-8, and is as safe to use
 * as any. */
static void use_made(struct shmf_frame *made, bool steady)
{
    if (!made)
        return;
    MUST(shmf_frame_validate(made, steady ? SHMF_VALIDATE_DEFAULT : SHMF_VALIDATE_MINIMAL, NULL) ==
         SHMF_OK);
    use_matrix(made);
    use_rows(made);
    shmf_frame_free(made);
}

static void use_derived(const struct shmf_frame *frame, bool steady)
{
    const struct shmf_frame *both[] = {frame, frame};
    int64_t rows[] = {shmf_frame_rows(frame) - 1, 0, 0};
    use_made(shmf_frame_take(frame, rows, shmf_frame_rows(frame) > 0 ? 3 : 0, NULL), steady);
    use_made(shmf_frame_describe(frame, NULL), steady);
    if (shmf_frame_rows(frame) > FEW)
        return;
    use_made(shmf_frame_concat(both, 2, NULL), steady);
}

void use_frame(const struct shmf_frame *frame, bool steady)
{
    look_at(frame);
    shmf_frame_print(frame, nowhere(), NULL);
    int best = -1;
    for (int level = SHMF_VALIDATE_NONE; level <= SHMF_VALIDATE_FULL; level++)
        if (shmf_frame_validate(frame, (enum shmf_validation)level, NULL) == SHMF_OK)
            best = level;
    MUST(best >= SHMF_VALIDATE_MINIMAL);
    use_views(frame);
    use_derived(frame, steady);
    if (shmf_frame_rows(frame) <= FEW) {
        int equal = shmf_frame_equal(frame, frame);
        MUST(equal == 1 || !steady);
    }
}

/* ---- arrays ---------------------------------------------------------------------------------- */

/* Every element, by the strides that the array claims, up to a limit: a stride of 0 can make few
 * bytes into endless elements. */
static void use_elements(const char *at, int ndim, const int64_t *shape, const int64_t *strides,
                         size_t size, int *left)
{
    if (ndim == 0) {
        --*left;
        read_bytes(at, size);
        return;
    }
    for (int64_t i = 0; i < shape[0] && *left > 0; i++)
        use_elements(at + i * strides[0], ndim - 1, shape + 1, strides + 1, size, left);
}

void use_array(const struct shmf_array *array)
{
    int left = 1000, ndim = shmf_array_ndim(array);
    const int64_t *shape = shmf_array_shape(array), *strides = shmf_array_strides(array);
    size_t size = shmf_dtype_size(shmf_array_dtype(array));
    MUST(ndim >= 1 && ndim <= SHMF_FORMAT_MAX_DIMS && size > 0);
    MUST(shmf_array_size(array) >= 0);
    if (shmf_array_size(array) > 0) {
        const char *last = shmf_array_data(array);
        for (int d = 0; d < ndim; d++)
            last += (shape[d] - 1) * strides[d];
        read_bytes(last, size);
        use_elements(shmf_array_data(array), ndim, shape, strides, size, &left);
    }
    shmf_array_print(array, nowhere());
}

/* ---- segments -------------------------------------------------------------------------------- */

static int use_as_frame(unsigned char *bytes, size_t size, struct shmf_error *err)
{
    struct shmf_frame *frame;
    int rc = shmfi_frame_from_memory(bytes, size, false, &frame, err);
    if (rc == SHMF_OK) {
        use_frame(frame, true);
        shmf_frame_free(frame);
    }
    return rc;
}

static int use_as_array(unsigned char *bytes, size_t size, struct shmf_error *err)
{
    struct shmf_array *array;
    int rc = shmfi_array_from_memory(bytes, size, &array, err);
    if (rc == SHMF_OK) {
        use_array(array);
        shmf_array_free(array);
    }
    return rc;
}

int use_segment(unsigned char *bytes, size_t size, struct shmf_error *err)
{
    struct shmf_format_header header = {0};
    memcpy(&header, bytes, size < sizeof header ? size : sizeof header);
    struct shmf_error unseen, *seen = err ? err : &unseen;
    *seen = (struct shmf_error){0};
    int rc = header.kind == SHMF_KIND_ARRAY ? use_as_array(bytes, size, seen)
                                            : use_as_frame(bytes, size, seen);
    if (rc == SHMF_OK)
        return rc;
    MUST(seen->code == rc && seen->message[0] != '\0');
    MUST(rc == SHMF_E_CORRUPT || rc == SHMF_E_VERSION || rc == SHMF_E_ACCESS ||
         rc == SHMF_E_INVAL || rc == SHMF_E_UNSUPPORTED || rc == SHMF_E_NOMEM ||
         rc == SHMF_E_TOOBIG);
    return rc;
}

/* A range of rows as columns in private memory, small enough to stay in the cache. */
#include "loops.h"
#include "reader.h"
#include "source.h"

#include <stdlib.h>
#include <string.h>

/* One field on its way into a column. */
struct cell {
    struct shmfi_csv_reader *reader;
    const struct shmfi_csv_field *field;
    int64_t row;
};

static bool no_memory(struct shmfi_csv_reader *reader)
{
    return shmfi_csv_fail(reader, SHMF_E_NOMEM, "private memory is exhausted");
}

static bool is_null(const struct shmfi_csv_plan *plan, const struct shmfi_csv_field *field)
{
    if (field->quoted || field->size == 0 || plan->n_nulls == 0)
        return !field->quoted && field->size == 0;
    const uint8_t *null = shmfi_csv_plan_nulls(plan);
    for (uint32_t i = 0; i < plan->n_nulls; i++, null += 1 + null[0])
        if (null[0] == field->size && memcmp(null + 1, field->text, field->size) == 0)
            return true;
    return false;
}

static size_t width_of(const struct shmfi_csv_target *target)
{
    if (target->dtype == SHMF_BOOL)
        return 1;
    return shmfi_csv_is_text(target) ? sizeof(int64_t) /* where it begins */
                                     : shmf_dtype_size((enum shmf_dtype)target->dtype);
}

/* ---- values ------------------------------------------------------------------------------- */

static bool put_signed(uint8_t *to, size_t width, int64_t value)
{
    if (width == sizeof value) {
        memcpy(to, &value, sizeof value);
        return true;
    }
    int64_t limit = (INT64_C(1) << (8 * width - 1)) - 1;
    memcpy(to, &value, width); /* little-endian */
    return value <= limit && value >= -limit - 1;
}

static bool put_unsigned(uint8_t *to, size_t width, uint64_t value)
{
    memcpy(to, &value, width);
    return width == 8 || value >> (8 * width) == 0;
}

static bool put_float(uint8_t *to, enum shmf_dtype dtype, double value)
{
    if (dtype == SHMF_FLOAT64) {
        memcpy(to, &value, sizeof value);
        return true;
    }
    float narrow = (float)value;
    memcpy(to, &narrow, sizeof narrow);
    return true;
}

static bool put_time(uint8_t *to, const struct shmfi_csv_target *target, const char *text,
                     size_t size)
{
    static const int digits[] = {0, 0, 3, 6, 9}; /* of enum shmf_unit */
    struct shmfi_csv_time time;
    int64_t value;
    if (!shmfi_csv_time(text, size, &time) || (time.has_clock && time.has_zone != target->utc) ||
        !shmfi_csv_timestamp(&time, digits[target->unit], &value))
        return false;
    memcpy(to, &value, sizeof value);
    return true;
}

/* A value of fixed width; false: the text is none of that dtype. */
bool shmfi_csv_put(uint8_t *to, const struct shmfi_csv_target *target, const char *text,
                   size_t size)
{
    enum shmf_dtype dtype = (enum shmf_dtype)target->dtype;
    int64_t integer = 0;
    uint64_t natural = 0;
    double number = 0;
    bool truth = false;
    switch (dtype) {
    case SHMF_BOOL:
        to[0] = shmfi_csv_bool(text, size, &truth) ? truth : 2;
        return to[0] < 2;
    case SHMF_INT8:
    case SHMF_INT16:
    case SHMF_INT32:
    case SHMF_INT64:
        return shmfi_csv_int64(text, size, &integer) &&
               put_signed(to, shmf_dtype_size(dtype), integer) && !(integer == 0 && text[0] == '-');
    case SHMF_UINT8:
    case SHMF_UINT16:
    case SHMF_UINT32:
    case SHMF_UINT64:
        return shmfi_csv_uint64(text, size, &natural) &&
               put_unsigned(to, shmf_dtype_size(dtype), natural);
    case SHMF_FLOAT32:
    case SHMF_FLOAT64:
        return shmfi_csv_double(text, size, &number) && put_float(to, dtype, number);
    case SHMF_DATE32:
        return shmfi_csv_date(text, size, &integer) && put_signed(to, 4, integer);
    default:
        return put_time(to, target, text, size);
    }
}

/* ---- text --------------------------------------------------------------------------------- */

static size_t count_quotes(const struct shmfi_csv_field *field)
{
    size_t n = 0;
    for (size_t i = 0; i < field->size; i++)
        n += field->text[i] == '"';
    return n;
}

/* It stays where it is: noted are its place and size. */
static bool note_text(const struct shmfi_csv_part *part, struct shmfi_csv_column *column,
                      const struct cell *cell)
{
    const struct shmfi_csv_field *field = cell->field;
    const int64_t place = field->text - part->text;
    if (field->size > INT32_MAX)
        return shmfi_csv_fail(cell->reader, SHMF_E_TOOBIG, "a field of %zu bytes; at most %d fit",
                              field->size, INT32_MAX);
    size_t good = part->ascii ? field->size : shmfi_csv_utf8(field->text, field->size);
    if (good < field->size)
        return shmfi_csv_fail(cell->reader, SHMF_E_CORRUPT, "byte %zu of the field is not UTF-8",
                              good + 1);
    memcpy(column->values + (size_t)cell->row * sizeof place, &place, sizeof place);
    column->sizes[cell->row] = (uint32_t)field->size | (field->twice ? SHMFI_CSV_TWICE : 0);
    column->size += (int64_t)(field->size - (field->twice ? count_quotes(field) / 2 : 0));
    return true;
}

size_t shmfi_csv_put_text(const struct shmfi_csv_part *part, const struct shmfi_csv_column *column,
                          int64_t row, char *to)
{
    int64_t place;
    const uint32_t noted = shmfi_csv_text_at(column, row, &place), size = noted & ~SHMFI_CSV_TWICE;
    if (noted & SHMFI_CSV_TWICE)
        return shmfi_csv_unquote(part->text + place, size, to);
    if (size)
        memcpy(to, part->text + place, size);
    return size;
}

/* ---- cells -------------------------------------------------------------------------------- */

static bool misfit(struct shmfi_csv_part *part, const struct cell *cell)
{
    static const int shown = 40;
    const struct shmfi_csv_field *field = cell->field;
    const struct shmfi_csv_target *target = &part->plan->targets[cell->reader->column - 1];
    int size = field->size > (size_t)shown ? shown : (int)field->size;
    part->misfit = true;
    return part->plan->guessed ||
           shmfi_csv_fail(cell->reader, SHMF_E_CORRUPT, "\"%.*s%s\" is no %s", size, field->text,
                          field->size > (size_t)shown ? "..." : "",
                          shmf_dtype_name((enum shmf_dtype)target->dtype));
}

static bool infer(const struct shmfi_csv_part *part, struct shmfi_csv_column *column,
                  const struct cell *cell)
{
    const struct shmfi_csv_field *field = cell->field;
    size_t good = part->ascii ? field->size : shmfi_csv_utf8(field->text, field->size);
    if (good < field->size)
        return shmfi_csv_fail(cell->reader, SHMF_E_CORRUPT, "byte %zu of the field is not UTF-8",
                              good + 1);
    column->types &=
        field->quoted ? SHMFI_CSV_BIT(SHMFI_CSV_TEXT) : shmfi_csv_types(field->text, field->size);
    return true;
}

void shmfi_csv_put_null(struct shmfi_csv_column *column, int64_t row)
{
    column->validity[row / 8] &= (uint8_t) ~(1u << row % 8);
    column->nulls++;
    memset(column->values + (size_t)row * column->width, 0, column->width);
    if (column->sizes)
        column->sizes[row] = 0;
}

static inline bool take(struct shmfi_csv_part *part, const struct cell *cell)
{
    const struct shmfi_csv_plan *plan = part->plan;
    const int64_t c = cell->reader->column - 1;
    struct shmfi_csv_column *column = &part->columns[c];
    const struct shmfi_csv_target *target = &plan->targets[c];
    const struct shmfi_csv_field *field = cell->field;
    if (is_null(plan, field)) {
        if (!plan->infer)
            shmfi_csv_put_null(column, cell->row);
        return true;
    }
    if (plan->infer)
        return infer(part, column, cell);
    if (target->open)
        return misfit(part, cell);
    if (column->sizes)
        return note_text(part, column, cell);
    if ((!plan->guessed || !field->quoted) &&
        shmfi_csv_put(column->values + (size_t)cell->row * column->width, target, field->text,
                      field->size))
        return true;
    return misfit(part, cell);
}

/* ---- rows --------------------------------------------------------------------------------- */

static bool row(struct shmfi_csv_part *part, struct shmfi_csv_reader *reader)
{
    const int64_t n = part->plan->n_columns;
    struct shmfi_csv_field field;
    struct cell cell = {reader, &field, part->rows};
    do {
        if (!shmfi_csv_next_field(reader, &field))
            return false;
        if (reader->column > n)
            return shmfi_csv_fail(reader, SHMF_E_CORRUPT, "more than %lld fields", (long long)n);
        if (!take(part, &cell))
            return false;
    } while (!field.last);
    part->rows++;
    return reader->column == n ||
           shmfi_csv_fail(reader, SHMF_E_CORRUPT, "the row ends after %lld of %lld fields",
                          (long long)reader->column, (long long)n);
}

char *shmfi_csv_scratch(struct shmfi_csv_scratch *scratch, size_t size)
{
    if (size > scratch->room) {
        free(scratch->memory);
        scratch->memory = malloc(size);
        scratch->room = scratch->memory ? size : 0;
    }
    return scratch->memory;
}

static size_t rounded(size_t size)
{
    return (size + 63) / 64 * 64;
}

/* Lays columns of `rows` rows out, behind what the text needs; returns how much that is together.
 * Without memory it is only measured. */
static size_t lay_out(const struct shmfi_csv_plan *plan, size_t at, size_t rows, char *memory,
                      struct shmfi_csv_column *columns)
{
    for (int64_t c = 0; c < plan->n_columns; c++) {
        struct shmfi_csv_column column = {.types = SHMFI_CSV_ANY,
                                          .width = width_of(&plan->targets[c])};
        const size_t values = rounded((rows + 1) * column.width), bits = rounded(rows / 8 + 1);
        const size_t sizes =
            shmfi_csv_is_text(&plan->targets[c]) ? rounded((rows + 1) * sizeof *column.sizes) : 0;
        if (memory && !plan->infer) {
            column.values = (uint8_t *)memory + at;
            column.validity = (uint8_t *)memory + at + values;
            column.sizes = sizes ? (void *)(memory + at + values + bits) : NULL;
            memset(column.validity, 0xff, rows / 8 + 1);
        }
        if (memory)
            columns[c] = column;
        at += plan->infer ? 0 : values + bits + sizes;
    }
    return at;
}

/* The columns first, then the values; then places of ends, and the text if it is to be read. */
static bool allocate(struct shmfi_csv_part *part, const struct shmfi_csv_range *range, size_t rows,
                     struct shmfi_csv_scratch *scratch, uint32_t **ends, char **text)
{
    const struct shmfi_csv_plan *plan = part->plan;
    const size_t n = (size_t)plan->n_columns, begin = rounded(n * sizeof *part->columns);
    const size_t values = lay_out(plan, begin, rows, NULL, NULL);
    const size_t end =
        values + rounded((plan->infer ? 0 : rows * n + 1 + SHMFI_CSV_BLOCK) * sizeof **ends);
    char *memory =
        shmfi_csv_scratch(scratch, end + (size_t)(range->end - range->begin) + 2 + SHMFI_CSV_PAD);
    if (!memory)
        return false;
    part->columns = (void *)memory;
    lay_out(plan, begin, rows, memory, part->columns);
    *ends = (void *)(memory + values);
    *text = memory + end;
    return true;
}

/* What it did in vain is undone. */
static bool parse_plain(struct shmfi_csv_part *part, size_t size, int64_t rows, uint32_t *ends)
{
    const struct shmfi_csv_plan *plan = part->plan;
    const struct shmfi_csv_loops *loops = shmfi_csv_loops();
    struct shmfi_csv_plain plain;
    if (plan->infer || plan->n_nulls || !loops->begin(&plain, part, size, rows, ends))
        return false;
    bool good = true;
    for (int64_t c = 0; good && c < plan->n_columns; c++) {
        const struct shmfi_csv_target *target = &plan->targets[c];
        struct shmfi_csv_column *column = &part->columns[c];
        good = target->open                      ? false
               : column->sizes                   ? loops->text(&plain, c, column)
               : target->dtype == SHMF_INT64     ? loops->int64(&plain, c, column)
               : target->dtype == SHMF_TIMESTAMP ? loops->timestamp(&plain, c, column)
                                                 : loops->other(&plain, c, column);
    }
    if (good)
        part->rows = rows;
    return good;
}

static bool is_ascii(const char *text, size_t size)
{
    uint64_t all = 0, word;
    for (; size >= sizeof word; size -= sizeof word, text += sizeof word) {
        memcpy(&word, text, sizeof word);
        all |= word;
    }
    for (; size > 0; size--)
        all |= (unsigned char)*text++;
    return !(all & UINT64_C(0x8080808080808080));
}

int shmfi_csv_part_parse(struct shmfi_csv_part *part, const struct shmfi_csv_plan *plan,
                         const struct shmfi_csv_source *source, const struct shmfi_csv_range *range,
                         struct shmfi_csv_scratch *scratch)
{
    struct shmfi_csv_reader reader = {.line = range->line, .failure = &part->failure};
    *part = (struct shmfi_csv_part){.plan = plan, .first = range->first};
    const size_t size = (size_t)(range->end - range->begin), rows = (size_t)range->rows;
    uint32_t *ends;
    char *room;
    if (!allocate(part, range, rows, scratch, &ends, &room)) {
        no_memory(&reader);
        return SHMF_E_NOMEM;
    }
    part->text = shmfi_csv_window(source, range->begin, range->end, room, &part->failure);
    if (!part->text)
        return part->failure.code;
    if (parse_plain(part, size, range->rows - range->spare, ends))
        return SHMF_OK;
    part->ascii = is_ascii(part->text, size);
    lay_out(plan, rounded((size_t)plan->n_columns * sizeof *part->columns), rows, scratch->memory,
            part->columns);
    shmfi_csv_reader_begin(&reader, part->text, range->end - range->begin, range->line,
                           plan->delimiter, plan->crlf, &part->failure);
    while (shmfi_csv_next_row(&reader, plan->n_columns) && !(part->misfit && plan->guessed)) {
        if (part->rows == range->rows) {
            /* Quotes were counted wrongly before: there is a stray one, which was found there. */
            shmfi_csv_fail(&reader, SHMF_E_CORRUPT,
                           "a row within quotes that do not begin a field");
            break;
        }
        if (!row(part, &reader))
            break;
    }
    return part->failure.code;
}

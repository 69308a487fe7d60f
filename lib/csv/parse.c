/* A range of rows as columns in private memory, small enough to stay in the cache. */
#include "plan.h"

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
    if (field->quoted)
        return false;
    if (field->size == 0)
        return true;
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
    return shmfi_csv_is_text(target) ? sizeof(int64_t) /* where it ends */
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
static bool put(uint8_t *to, const struct shmfi_csv_target *target, const char *text, size_t size)
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

static bool append_text(struct shmfi_csv_column *column, const struct cell *cell)
{
    const struct shmfi_csv_field *field = cell->field;
    if (field->size > INT32_MAX)
        return shmfi_csv_fail(cell->reader, SHMF_E_TOOBIG, "a field of %zu bytes", field->size);
    int64_t needed = column->size + (int64_t)field->size;
    if (needed > column->room) {
        int64_t room = needed + needed / 2 + 4096;
        char *grown = realloc(column->bytes, (size_t)room);
        if (!grown)
            return no_memory(cell->reader);
        column->bytes = grown;
        column->room = room;
    }
    char *to = column->bytes + column->size;
    size_t size = field->size;
    if (field->twice)
        size = shmfi_csv_unquote(field, to);
    else if (size)
        memcpy(to, field->text, size);
    size_t good = shmfi_csv_utf8(to, size);
    if (good < size)
        return shmfi_csv_fail(cell->reader, SHMF_E_CORRUPT, "byte %zu of the field is not UTF-8",
                              good + 1);
    column->size += (int64_t)size;
    return true;
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

static bool infer(struct shmfi_csv_column *column, const struct cell *cell)
{
    const struct shmfi_csv_field *field = cell->field;
    size_t good = shmfi_csv_utf8(field->text, field->size);
    if (good < field->size)
        return shmfi_csv_fail(cell->reader, SHMF_E_CORRUPT, "byte %zu of the field is not UTF-8",
                              good + 1);
    column->types &=
        field->quoted ? SHMFI_CSV_BIT(SHMFI_CSV_TEXT) : shmfi_csv_types(field->text, field->size);
    return true;
}

static bool take(struct shmfi_csv_part *part, const struct cell *cell)
{
    const struct shmfi_csv_plan *plan = part->plan;
    int64_t c = cell->reader->column - 1, row = cell->row;
    struct shmfi_csv_column *column = &part->columns[c];
    const struct shmfi_csv_target *target = &plan->targets[c];
    const struct shmfi_csv_field *field = cell->field;
    bool null = is_null(plan, field), good = true;
    if (plan->infer)
        return null || infer(column, cell);
    const size_t width = column->width;
    uint8_t *to = column->values + (size_t)row * width;
    if (!null && target->open)
        return misfit(part, cell);
    if (null) {
        column->validity[row / 8] &= (uint8_t) ~(1u << row % 8);
        column->nulls++;
        memset(to, 0, width);
    } else if (shmfi_csv_is_text(target)) {
        good = append_text(column, cell);
    } else if ((plan->guessed && field->quoted) || !put(to, target, field->text, field->size)) {
        good = misfit(part, cell);
    }
    if (shmfi_csv_is_text(target))
        memcpy(to, &column->size, sizeof column->size); /* where it ends */
    return good;
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
           shmfi_csv_fail(reader, SHMF_E_CORRUPT, "%lld fields instead of %lld",
                          (long long)reader->column, (long long)n);
}

static bool allocate(struct shmfi_csv_part *part, int64_t rows)
{
    const struct shmfi_csv_plan *plan = part->plan;
    part->columns = calloc((size_t)plan->n_columns, sizeof *part->columns);
    for (int64_t c = 0; part->columns && c < plan->n_columns; c++) {
        struct shmfi_csv_column *column = &part->columns[c];
        column->types = SHMFI_CSV_ANY;
        column->width = width_of(&plan->targets[c]);
        if (plan->infer)
            continue;
        column->values = malloc((size_t)(rows + 1) * column->width);
        column->validity = malloc((size_t)rows / 8 + 1);
        if (!column->values || !column->validity)
            return false;
        memset(column->validity, 0xff, (size_t)rows / 8 + 1);
    }
    return part->columns != NULL;
}

int shmfi_csv_part_parse(struct shmfi_csv_part *part, const struct shmfi_csv_plan *plan,
                         const char *text, const struct shmfi_csv_range *range)
{
    struct shmfi_csv_reader reader;
    *part = (struct shmfi_csv_part){.plan = plan, .first = range->first};
    shmfi_csv_reader_begin(&reader, text + range->begin, range->end - range->begin, range->line,
                           plan->delimiter, plan->crlf, &part->failure);
    if (!allocate(part, range->rows)) {
        no_memory(&reader);
        return SHMF_E_NOMEM;
    }
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

void shmfi_csv_part_free(struct shmfi_csv_part *part)
{
    for (int64_t c = 0; part->columns && c < part->plan->n_columns; c++) {
        free(part->columns[c].values);
        free(part->columns[c].validity);
        free(part->columns[c].bytes);
    }
    free(part->columns);
    part->columns = NULL;
}

/* What columns are, and the plan that says so to tasks. */
#include "reading.h"

#include <stdlib.h>
#include <string.h>

enum { GUESS_PLACES = 32, GUESS_BYTES = 8192 };

/* The first type in the order of preference that all fields have; text where there was none.
 * `known`: all of the text was looked at. */
static struct shmfi_csv_target target_of(unsigned types, bool large, bool known)
{
    static const struct shmfi_csv_target targets[] = {
        [SHMFI_CSV_BOOL] = {SHMF_BOOL, 0, 0, 0},
        [SHMFI_CSV_INT64] = {SHMF_INT64, 0, 0, 0},
        [SHMFI_CSV_FLOAT64] = {SHMF_FLOAT64, 0, 0, 0},
        [SHMFI_CSV_DATE] = {SHMF_DATE32, 0, 0, 0},
        [SHMFI_CSV_MICRO] = {SHMF_TIMESTAMP, SHMF_MICROSECONDS, 0, 0},
        [SHMFI_CSV_NANO] = {SHMF_TIMESTAMP, SHMF_NANOSECONDS, 0, 0},
        [SHMFI_CSV_MICRO_UTC] = {SHMF_TIMESTAMP, SHMF_MICROSECONDS, 1, 0},
        [SHMFI_CSV_NANO_UTC] = {SHMF_TIMESTAMP, SHMF_NANOSECONDS, 1, 0},
    };
    for (int type = 0; types != SHMFI_CSV_ANY && type < SHMFI_CSV_TEXT; type++)
        if (types & SHMFI_CSV_BIT(type))
            return targets[type];
    return (struct shmfi_csv_target){large ? SHMF_LARGE_UTF8 : SHMF_UTF8, 0, 0,
                                     !known && types == SHMFI_CSV_ANY};
}

static struct shmf_text zone_of(const struct shmfi_csv_reading *reading, int64_t c,
                                const struct shmfi_csv_target *target)
{
    if (target->dtype != SHMF_TIMESTAMP || !target->utc)
        return (struct shmf_text){"", 0};
    const struct shmf_column_details *details = reading->options.details;
    return details ? details[c].type.zone : (struct shmf_text){"UTC", 3};
}

static struct shmfi_csv_target target_at(const struct shmfi_csv_reading *reading, int64_t c)
{
    const struct shmf_csv_options *options = &reading->options;
    if (!options->columns)
        return target_of(reading->types[c], reading->source.origin->size > INT32_MAX,
                         reading->learnt);
    const struct shmf_type type =
        options->details ? options->details[c].type : (struct shmf_type){0};
    struct shmfi_csv_target target = {(uint8_t)options->columns[c].dtype, (uint8_t)type.unit,
                                      type.zone.size > 0, 0};
    if (target.dtype == SHMF_TIMESTAMP && !target.unit)
        target.unit = SHMF_MICROSECONDS;
    return target;
}

static char *put_name(char *to, struct shmf_text text)
{
    if (text.size > 0)
        memcpy(to, text.data, (size_t)text.size);
    to[text.size] = 0;
    return to + text.size + 1;
}

static int64_t find_labels(const struct shmfi_csv_reading *reading)
{
    for (int64_t c = 0; reading->options.row_labels && c < reading->n_columns; c++)
        if (strcmp(reading->labels[c], reading->options.row_labels) == 0)
            return c;
    return -1;
}

static size_t plan_size(const struct shmfi_csv_reading *reading)
{
    size_t size = sizeof(struct shmfi_csv_plan);
    for (int64_t c = 0; c < reading->n_columns; c++) {
        struct shmfi_csv_target target = target_at(reading, c);
        size += sizeof target + strlen(reading->labels[c]) + 1 +
                (size_t)zone_of(reading, c, &target).size + 1;
    }
    for (size_t i = 0; i < reading->options.n_nulls; i++)
        size += 1 + strlen(reading->options.nulls[i]);
    return size;
}

static void fill_plan(struct shmfi_csv_reading *reading, bool infer)
{
    const struct shmf_csv_options *options = &reading->options;
    struct shmfi_csv_plan *plan = reading->plan;
    *plan = (struct shmfi_csv_plan){.n_columns = reading->n_columns,
                                    .labels = find_labels(reading),
                                    .n_nulls = (uint32_t)options->n_nulls,
                                    .delimiter = options->delimiter,
                                    .crlf = reading->source.origin->crlf,
                                    .infer = infer,
                                    .guessed = !options->columns};
    char *names = (char *)(plan->targets + plan->n_columns), *to = names;
    for (int64_t c = 0; c < plan->n_columns; c++) {
        const char *label = reading->labels[c];
        plan->targets[c] = target_at(reading, c);
        to = put_name(to, (struct shmf_text){label, (int64_t)strlen(label)});
        to = put_name(to, zone_of(reading, c, &plan->targets[c]));
    }
    plan->names_size = (uint32_t)(to - names);
    for (size_t i = 0; i < options->n_nulls; i++) {
        size_t size = strlen(options->nulls[i]);
        *to++ = (char)size;
        memcpy(to, options->nulls[i], size);
        to += size;
    }
}

int shmfi_csv_make_plan(struct shmfi_csv_reading *reading, bool infer)
{
    const size_t size = plan_size(reading);
    if (size > UINT32_MAX)
        return shmf_error_set(reading->err, SHMF_E_TOOBIG, "line 1: the labels are too long");
    shmf_array_free(reading->plan_array);
    reading->plan_array = shmf_array_new(SHMF_UINT8, 1, (int64_t[]){(int64_t)size}, reading->err);
    if (!reading->plan_array)
        return reading->err->code ? reading->err->code : SHMF_E_NOSPC;
    reading->plan = shmf_array_data_mut(reading->plan_array);
    fill_plan(reading, infer);
    if (reading->options.row_labels && reading->plan->labels < 0)
        return shmf_error_set(reading->err, SHMF_E_NOTFOUND,
                              "row_labels: there is no column \"%s\"", reading->options.row_labels);
    return SHMF_OK;
}

/* Bytes of the rows that end within the first `size` bytes. */
static int64_t whole_rows(const char *text, int64_t size)
{
    int64_t end = 0;
    bool inside = false;
    for (int64_t i = 0; i < size; i++) {
        inside ^= text[i] == '"';
        if (text[i] == '\n' && !inside)
            end = i + 1;
    }
    return end;
}

/* The rows at the beginning of a range. What is wrong with the text is said when all of it is
 * parsed. */
static void look(struct shmfi_csv_reading *reading, const struct shmfi_csv_range *range)
{
    char room[GUESS_BYTES + 2 + SHMFI_CSV_PAD];
    struct shmfi_csv_failure failure;
    struct shmfi_csv_range some = *range;
    struct shmfi_csv_part part;
    if (some.end - some.begin > GUESS_BYTES) {
        const char *text = shmfi_csv_window(&reading->source, some.begin, some.begin + GUESS_BYTES,
                                            room, &failure);
        some.end = some.begin + (text ? whole_rows(text, GUESS_BYTES) : 0);
    }
    shmfi_csv_part_parse(&part, reading->plan, &reading->source, &some, &reading->scratch);
    for (int64_t c = 0; part.columns && c < reading->n_columns; c++)
        reading->types[c] &= part.columns[c].types;
}

int shmfi_csv_guess(struct shmfi_csv_reading *reading)
{
    reading->types = malloc((size_t)reading->n_columns * sizeof *reading->types);
    if (!reading->types)
        return shmf_error_set(reading->err, SHMF_E_NOMEM, "private memory is exhausted");
    for (int64_t c = 0; c < reading->n_columns; c++)
        reading->types[c] = SHMFI_CSV_ANY;
    if (reading->options.columns)
        return SHMF_OK;
    int rc = shmfi_csv_make_plan(reading, true);
    for (int64_t i = 0; !rc && i < GUESS_PLACES && i < reading->n_ranges; i++) {
        int64_t places = reading->n_ranges < GUESS_PLACES ? reading->n_ranges : GUESS_PLACES;
        look(reading, &reading->ranges[i * reading->n_ranges / places]);
    }
    return rc;
}

/* The header: labels of columns. */
#include "reader.h"
#include "reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int no_memory(struct shmfi_csv_reading *reading)
{
    return shmf_error_set(reading->err, SHMF_E_NOMEM, "private memory is exhausted");
}

static int add(struct shmfi_csv_reading *reading, char *label)
{
    char **grown =
        label ? realloc(reading->labels, (size_t)(reading->n_columns + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(label);
        return no_memory(reading);
    }
    reading->labels = grown;
    grown[reading->n_columns++] = label;
    return SHMF_OK;
}

static int add_field(struct shmfi_csv_reading *reading, struct shmfi_csv_reader *reader,
                     const struct shmfi_csv_field *field)
{
    char number[24];
    if (reading->options.no_header) {
        snprintf(number, sizeof number, "%lld", (long long)reading->n_columns);
        return add(reading, strdup(number));
    }
    char *label = malloc(field->size + 1);
    if (!label)
        return no_memory(reading);
    size_t size = field->size;
    if (field->twice)
        size = shmfi_csv_unquote(field->text, field->size, label);
    else if (size)
        memcpy(label, field->text, size);
    label[size] = 0;
    if (strlen(label) != size || shmfi_csv_utf8(label, size) < size) {
        free(label);
        shmfi_csv_fail(reader, SHMF_E_CORRUPT, "a label that is not UTF-8, or with a NUL byte");
        return shmf_error_set(reading->err, reader->failure->code, "%s", reader->failure->message);
    }
    return add(reading, label);
}

/* Given columns must be those of the file. */
static int check_columns(struct shmfi_csv_reading *reading)
{
    const struct shmf_csv_options *options = &reading->options;
    if (!options->columns)
        return SHMF_OK;
    if (options->n_columns != reading->n_columns)
        return shmf_error_set(reading->err, SHMF_E_CORRUPT, "line 1: %lld columns instead of %lld",
                              (long long)reading->n_columns, (long long)options->n_columns);
    for (int64_t c = 0; c < reading->n_columns; c++) {
        const char *label = options->columns[c].label;
        if (options->no_header && label) {
            free(reading->labels[c]);
            reading->labels[c] = strdup(label);
            if (!reading->labels[c])
                return no_memory(reading);
        } else if (label && strcmp(label, reading->labels[c]) != 0) {
            return shmf_error_set(reading->err, SHMF_E_CORRUPT,
                                  "line 1, column %lld: it is labelled \"%.60s\", not \"%.60s\"",
                                  (long long)c + 1, reading->labels[c], label);
        }
    }
    return SHMF_OK;
}

int shmfi_csv_read_header(struct shmfi_csv_reading *reading)
{
    const struct shmfi_csv_source *source = &reading->source;
    const struct shmfi_csv_origin *origin = source->origin;
    const char *text = origin->is_file ? source->head : origin->text;
    const int64_t size = origin->is_file ? source->head_size : origin->size;
    struct shmfi_csv_failure failure;
    struct shmfi_csv_reader reader;
    struct shmfi_csv_field field = {0};
    int64_t mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    shmfi_csv_reader_begin(&reader, text + mark, size - mark, 1, reading->options.delimiter,
                           origin->crlf, &failure);
    if (!shmfi_csv_next_row(&reader, 2))
        return shmf_error_set(reading->err, SHMF_E_CORRUPT,
                              "line 1: there is nothing, not even a header");
    const char *row = reader.at;
    int64_t line = reader.line;
    while (!field.last) {
        if (!shmfi_csv_next_field(&reader, &field))
            return shmf_error_set(reading->err, failure.code, "%s", failure.message);
        int rc = add_field(reading, &reader, &field);
        if (rc)
            return rc;
    }
    reading->data = (reading->options.no_header ? row : reader.at) - text;
    reading->data_line = reading->options.no_header ? line : line + reader.lines_in_row + 1;
    return check_columns(reading);
}

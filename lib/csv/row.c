/* What is wrong with the text is said with line and column, both from 1. */
#include "reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool shmfi_csv_fail(struct shmfi_csv_reader *reader, int code, const char *format, ...)
{
    struct shmfi_csv_failure *failure = reader->failure;
    va_list arguments;
    failure->code = code;
    int used = snprintf(failure->message, sizeof failure->message, "line %lld, column %lld: ",
                        (long long)reader->line + (long long)reader->lines_in_row,
                        (long long)(reader->column > 0 ? reader->column : 1));
    va_start(arguments, format);
    if (used >= 0 && (size_t)used < sizeof failure->message)
        vsnprintf(failure->message + used, sizeof failure->message - (size_t)used, format,
                  arguments);
    va_end(arguments);
    return false;
}

/* After a jump: stops from `at` on. */
static void look(struct shmfi_csv_reader *reader)
{
    reader->block = reader->at;
    reader->stops = shmfi_csv_stops(reader->at, reader->delimiter);
}

void shmfi_csv_reader_begin(struct shmfi_csv_reader *reader, const char *text, int64_t size,
                            int64_t line, char delimiter, bool crlf,
                            struct shmfi_csv_failure *failure)
{
    *reader = (struct shmfi_csv_reader){.at = text,
                                        .end = text + size,
                                        .line = line,
                                        .delimiter = delimiter,
                                        .crlf = crlf,
                                        .failure = failure};
    look(reader);
    failure->code = SHMF_OK;
}

bool shmfi_csv_next_row(struct shmfi_csv_reader *reader, int64_t n_columns)
{
    if (reader->row)
        reader->line += reader->lines_in_row + 1;
    while (n_columns > 1 && reader->at < reader->end) {
        size_t empty = *reader->at == '\n'                              ? 1
                       : reader->at[0] == '\r' && reader->at[1] == '\n' ? 2
                                                                        : 0;
        if (empty == 0)
            break;
        reader->at += empty;
        reader->line++;
        look(reader);
    }
    reader->row = reader->at;
    reader->column = 0;
    reader->lines_in_row = 0;
    return reader->at < reader->end;
}

/* What follows a field: a delimiter, or the end of the line. */
static bool finish(struct shmfi_csv_reader *reader, struct shmfi_csv_field *field)
{
    const char *at = reader->at;
    if (*at == reader->delimiter) {
        reader->at++;
        return true;
    }
    if (*at == '"')
        return shmfi_csv_fail(reader, SHMF_E_CORRUPT,
                              "a quote within a field that does not begin with one");
    if (*at == '\r' && at[1] != '\n')
        return shmfi_csv_fail(reader, SHMF_E_CORRUPT, "a carriage return that ends no line");
    if (*at != '\r' && *at != '\n')
        return shmfi_csv_fail(reader, SHMF_E_CORRUPT, "text behind the closing quote");
    if ((*at == '\r') != reader->crlf)
        return shmfi_csv_fail(reader, SHMF_E_CORRUPT,
                              "the line ends with %s, the first line with %s",
                              *at == '\r' ? "CR LF" : "LF", reader->crlf ? "CR LF" : "LF");
    reader->at += *at == '\r' ? 2 : 1;
    field->last = true;
    return true;
}

static bool quoted(struct shmfi_csv_reader *reader, struct shmfi_csv_field *field)
{
    const char *from = reader->at + 1, *at = from;
    for (;;) {
        const char *quote = at < reader->end ? memchr(at, '"', (size_t)(reader->end - at)) : NULL;
        if (!quote)
            return shmfi_csv_fail(reader, SHMF_E_CORRUPT,
                                  "the text ends within quotes that begin here");
        if (quote + 1 < reader->end && quote[1] == '"') {
            field->twice = true;
            at = quote + 2;
            continue;
        }
        field->text = from;
        field->size = (size_t)(quote - from);
        reader->at = quote + 1;
        break;
    }
    field->quoted = true;
    for (const char *c = memchr(from, '\n', field->size); c;
         c = memchr(c + 1, '\n', field->size - (size_t)(c + 1 - from)))
        reader->lines_in_row++;
    return reader->at < reader->end ? finish(reader, field)
                                    : shmfi_csv_fail(reader, SHMF_E_CORRUPT,
                                                     "the text ends within quotes that begin here");
}

bool shmfi_csv_other_field(struct shmfi_csv_reader *reader, struct shmfi_csv_field *field)
{
    bool good;
    if (*reader->at == '"') {
        good = quoted(reader, field);
    } else {
        const char *stop = reader->block + __builtin_ctzll(reader->stops);
        field->size = (size_t)(stop - reader->at);
        reader->at = stop;
        good = finish(reader, field);
    }
    look(reader);
    return good;
}

size_t shmfi_csv_unquote(const char *text, size_t size, char *to)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        to[n++] = text[i];
        i += text[i] == '"';
    }
    return n;
}

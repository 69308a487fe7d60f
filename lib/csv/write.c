/* Frames as comma-separated values. */
#include "plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    const struct shmf_frame *frame;
    FILE *out;
    struct shmf_csv_write_options options;
    char *text; /* of a cell, grows */
    size_t room;
    struct shmf_error *err;
};

static int put_text(struct writer *w, struct shmf_text text)
{
    const char stops[] = {w->options.delimiter, '"', '\n', '\r'};
    bool quote =
        text.size == 0 || (w->options.null && strlen(w->options.null) == (size_t)text.size &&
                           memcmp(w->options.null, text.data, (size_t)text.size) == 0);
    for (size_t i = 0; i < sizeof stops && !quote; i++)
        quote = memchr(text.data, stops[i], (size_t)text.size) != NULL;
    if (!quote) {
        fwrite_unlocked(text.data, 1, (size_t)text.size, w->out);
        return SHMF_OK;
    }
    putc_unlocked('"', w->out);
    for (int64_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            putc_unlocked('"', w->out);
        putc_unlocked(text.data[i], w->out);
    }
    putc_unlocked('"', w->out);
    return SHMF_OK;
}

/* As few digits as give the same number back. Numbers are written alike in every locale: what the
 * locale's point is, is replaced. */
static void put_float(struct writer *w, double value, bool narrow)
{
    char text[40];
    if (isnan(value) || isinf(value)) {
        fputs_unlocked(isnan(value) ? "nan" : value < 0 ? "-inf" : "inf", w->out);
        return;
    }
    for (int digits = narrow ? 6 : 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        double back = strtod(text, NULL); /* in the same locale */
        if (narrow ? (float)back == (float)value : back == value)
            break;
    }
    bool whole = true;
    for (char *c = text; *c; c++) {
        if (!strchr("0123456789+-e", *c))
            *c = '.';
        whole = whole && *c != '.' && *c != 'e';
    }
    fputs_unlocked(text, w->out);
    if (whole) /* it stays a floating number when it is read */
        fputs_unlocked(".0", w->out);
}

/* Whatever people read is read back. */
static int put_other(struct writer *w, int64_t row, int64_t column)
{
    int64_t size = shmf_frame_cell_text(w->frame, row, column, w->text, w->room);
    if (size >= (int64_t)w->room) {
        char *grown = realloc(w->text, (size_t)size + 1);
        if (!grown)
            return shmf_error_set(w->err, SHMF_E_NOMEM, "private memory is exhausted");
        w->text = grown;
        w->room = (size_t)size + 1;
        size = shmf_frame_cell_text(w->frame, row, column, w->text, w->room);
    }
    if (size < 0)
        return shmf_error_set(w->err, (int)size, "row %lld, column %lld: it has no text",
                              (long long)row, (long long)column);
    return put_text(w, (struct shmf_text){w->text, size});
}

static int put_cell(struct writer *w, int64_t row, int64_t column)
{
    struct shmf_column view;
    double number = 0;
    if (shmf_frame_is_null(w->frame, row, column) == 1) {
        fputs_unlocked(w->options.null ? w->options.null : "", w->out);
        return SHMF_OK;
    }
    int rc = shmf_frame_column(w->frame, column, &view);
    if (rc)
        return rc;
    switch (view.dtype) {
    case SHMF_FLOAT32:
    case SHMF_FLOAT64:
        rc = shmf_frame_cell(w->frame, row, column, &number);
        if (!rc)
            put_float(w, number, view.dtype == SHMF_FLOAT32);
        return rc;
    case SHMF_UTF8:
    case SHMF_LARGE_UTF8:
        return put_text(w, shmf_frame_text(w->frame, row, column));
    default:
        return put_other(w, row, column);
    }
}

static int put_label(struct writer *w, int64_t row)
{
    int64_t number;
    if (shmf_frame_row_labels(w->frame) == SHMF_ROWS_UTF8)
        return put_text(w, shmf_frame_row_text(w->frame, row));
    int rc = shmf_frame_row_number(w->frame, row, &number);
    if (!rc)
        fprintf(w->out, "%lld", (long long)number);
    return rc;
}

static int end_line(struct writer *w)
{
    fputs_unlocked(w->options.crlf ? "\r\n" : "\n", w->out);
    if (!ferror_unlocked(w->out))
        return SHMF_OK;
    int why = errno;
    shmf_error_set(w->err, SHMF_E_SYS, "out: %s", strerror(why));
    if (w->err)
        w->err->sys_errno = why;
    return SHMF_E_SYS;
}

static int put_header(struct writer *w, int64_t columns)
{
    if (w->options.no_header)
        return SHMF_OK;
    if (w->options.row_labels)
        put_text(w,
                 (struct shmf_text){w->options.row_labels, (int64_t)strlen(w->options.row_labels)});
    for (int64_t c = 0; c < columns; c++) {
        if (c > 0 || w->options.row_labels)
            putc_unlocked(w->options.delimiter, w->out);
        put_text(w, shmf_frame_column_label(w->frame, c));
    }
    return end_line(w);
}

static int put_rows(struct writer *w, int64_t rows, int64_t columns)
{
    int rc = put_header(w, columns);
    for (int64_t r = 0; !rc && r < rows; r++) {
        if (w->options.row_labels)
            rc = put_label(w, r);
        for (int64_t c = 0; !rc && c < columns; c++) {
            if (c > 0 || w->options.row_labels)
                putc_unlocked(w->options.delimiter, w->out);
            rc = put_cell(w, r, c);
        }
        if (!rc)
            rc = end_line(w);
    }
    return rc;
}

static int check(const struct writer *w, struct shmf_error *err)
{
    const struct shmf_csv_write_options *options = &w->options;
    if (!w->frame || !w->out)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", w->frame ? "out" : "frame");
    if (strchr("\"\r\n", options->delimiter))
        return shmf_error_set(err, SHMF_E_INVAL, "options.delimiter: '%c'", options->delimiter);
    for (size_t i = 0; i < sizeof options->reserved0; i++)
        if (options->reserved0[i])
            return shmf_error_set(err, SHMF_E_INVAL, "options.reserved0: not zero");
    for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        if (options->reserved[i])
            return shmf_error_set(err, SHMF_E_INVAL, "options.reserved[%zu]: not zero", i);
    return SHMF_OK;
}

int shmf_csv_write(const struct shmf_frame *frame, FILE *out,
                   const struct shmf_csv_write_options *options, struct shmf_error *err)
{
    struct writer w = {.frame = frame, .out = out, .err = err};
    if (options)
        w.options = *options;
    if (!w.options.delimiter)
        w.options.delimiter = ',';
    int rc = check(&w, err);
    if (!rc) {
        flockfile(out);
        rc = put_rows(&w, shmf_frame_rows(frame), shmf_frame_columns(frame));
        funlockfile(out);
    }
    free(w.text);
    return rc;
}

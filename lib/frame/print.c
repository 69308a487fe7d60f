#include "frame/frame_internal.h"

#include "base/sys.h"
#include "dtype/dtype.h"

#include <inttypes.h>
#include <string.h>

enum { ELIDED = -1, CELL_SIZE = SHMFI_SHOWN_TEXT_SIZE };

struct shown_column {
    int64_t position; /* or ELIDED */
    int width;
    int decimals;
};

/* Everything is formatted twice, for its width and to be printed: so nothing but one small entry
 * per shown column is kept. */
struct printer {
    const struct shmf_frame *frame;
    FILE *out;
    int precision;
    bool dtypes;
    int64_t n_shown_rows; /* the elided one included, as for columns */
    int64_t n_shown_columns;
    int64_t max_rows;
    int64_t max_columns;
    int label_width;
    struct shown_column *columns;
};

/* Which of `all` positions is shown in place i: the first half, ELIDED, the last half. */
static int64_t shown_position(int64_t i, int64_t most, int64_t all)
{
    int64_t head = (most + 1) / 2;
    if (all <= most || i < head)
        return i;
    return i == head ? ELIDED : all - most + i - 1;
}

static int64_t count_shown(int64_t most, int64_t all)
{
    return all <= most ? all : most + 1;
}

/* ---- texts; each returns how many columns of the terminal it takes -------------------------- */

static int show_label(char *to, struct shmf_text label)
{
    return (int)shmfi_text_show(to, label.data ? label.data : "", (uint64_t)label.size);
}

static int show_row_label(const struct printer *printer, int64_t row, char *to)
{
    int64_t number = 0;
    if (row == ELIDED)
        return snprintf(to, CELL_SIZE, "...");
    if (printer->frame->header.row_labels == SHMF_ROWS_UTF8)
        return show_label(to, shmf_frame_row_text(printer->frame, row));
    shmf_frame_row_number(printer->frame, row, &number);
    return snprintf(to, CELL_SIZE, "%" PRId64, number);
}

static int show_column_label(const struct printer *printer, int64_t column, char *to)
{
    if (column == ELIDED)
        return snprintf(to, CELL_SIZE, "...");
    return show_label(to, shmf_frame_column_label(printer->frame, column));
}

static int show_dtype(const struct printer *printer, int64_t column, char *to)
{
    if (column == ELIDED)
        return snprintf(to, CELL_SIZE, "...");
    return shmfi_frame_show_type(printer->frame, column, to);
}

static int show_cell(const struct printer *printer, int64_t row, const struct shown_column *column,
                     char *to)
{
    if (row == ELIDED || column->position == ELIDED)
        return snprintf(to, CELL_SIZE, "...");
    return shmfi_frame_show_cell(printer->frame, row, column->position, printer->precision,
                                 column->decimals, to);
}

/* ---- measuring ---------------------------------------------------------------------------- */

static int64_t row_at(const struct printer *printer, int64_t i)
{
    return shown_position(i, printer->max_rows, (int64_t)printer->frame->header.n_rows);
}

/* As many digits after the point as the longest number of the column needs; exponents for all as
 * soon as one needs it. */
static int find_decimals(const struct printer *printer, int64_t position)
{
    uint8_t boolean;
    int decimals = 0;
    uint32_t dtype = shmfi_frame_descriptor(printer->frame, position)->dtype;
    for (int64_t i = 0; i < printer->n_shown_rows && decimals >= 0; i++) {
        int64_t row = row_at(printer, i);
        const void *at =
            row == ELIDED ? NULL : shmfi_frame_element(printer->frame, row, position, &boolean);
        int needed = at ? shmfi_element_decimals(dtype, at, printer->precision) : 0;
        decimals = needed < 0 || needed > decimals ? needed : decimals;
    }
    return decimals;
}

static void widen(int *width, int other)
{
    if (other > *width)
        *width = other;
}

static void measure_column(const struct printer *printer, struct shown_column *column)
{
    char text[CELL_SIZE];
    column->decimals = column->position == ELIDED ? 0 : find_decimals(printer, column->position);
    column->width = show_column_label(printer, column->position, text);
    if (printer->dtypes)
        widen(&column->width, show_dtype(printer, column->position, text));
    for (int64_t i = 0; i < printer->n_shown_rows; i++)
        widen(&column->width, show_cell(printer, row_at(printer, i), column, text));
}

static void measure(struct printer *printer)
{
    char text[CELL_SIZE];
    int64_t n_columns = (int64_t)printer->frame->header.n_columns;
    for (int64_t i = 0; i < printer->n_shown_rows; i++)
        widen(&printer->label_width, show_row_label(printer, row_at(printer, i), text));
    for (int64_t i = 0; i < printer->n_shown_columns; i++) {
        printer->columns[i].position = shown_position(i, printer->max_columns, n_columns);
        measure_column(printer, &printer->columns[i]);
    }
}

/* ---- printing ----------------------------------------------------------------------------- */

static void print_right(FILE *out, const char *text, int width, int room)
{
    fprintf(out, "  %*s%s", room > width ? room - width : 0, "", text);
}

static void print_lines(const struct printer *printer)
{
    char text[CELL_SIZE];
    FILE *out = printer->out;
    fprintf(out, "%*s", printer->label_width, "");
    for (int64_t c = 0; c < printer->n_shown_columns; c++) {
        int width = show_column_label(printer, printer->columns[c].position, text);
        print_right(out, text, width, printer->columns[c].width);
    }
    if (printer->dtypes)
        fprintf(out, "\n%*s", printer->label_width, "");
    for (int64_t c = 0; printer->dtypes && c < printer->n_shown_columns; c++) {
        int width = show_dtype(printer, printer->columns[c].position, text);
        print_right(out, text, width, printer->columns[c].width);
    }
    fputc('\n', out);
    for (int64_t r = 0; r < printer->n_shown_rows; r++) {
        int width = show_row_label(printer, row_at(printer, r), text);
        fprintf(out, "%s%*s", text, printer->label_width - width, "");
        for (int64_t c = 0; c < printer->n_shown_columns; c++) {
            width = show_cell(printer, row_at(printer, r), &printer->columns[c], text);
            print_right(out, text, width, printer->columns[c].width);
        }
        fputc('\n', out);
    }
}

int shmf_frame_print(const struct shmf_frame *frame, FILE *out,
                     const struct shmf_print_options *options)
{
    static const struct shmf_print_options defaults;
    const struct shmf_print_options *chosen = options ? options : &defaults;
    if (!frame || !out || chosen->max_rows < 0 || chosen->max_columns < 0 || chosen->precision < 0)
        return SHMF_E_INVAL;
    struct printer printer = {
        .frame = frame,
        .out = out,
        .precision = chosen->precision ? chosen->precision : 6,
        .dtypes = !chosen->no_dtypes,
        .max_rows = chosen->max_rows ? chosen->max_rows : 10,
        .max_columns = chosen->max_columns ? chosen->max_columns : 8,
    };
    printer.n_shown_rows = count_shown(printer.max_rows, shmf_frame_rows(frame));
    printer.n_shown_columns = count_shown(printer.max_columns, shmf_frame_columns(frame));
    printer.columns =
        shmfi_sys.calloc((size_t)printer.n_shown_columns + 1, sizeof printer.columns[0]);
    if (!printer.columns)
        return SHMF_E_NOMEM;
    if (printer.n_shown_columns > 0) {
        measure(&printer);
        print_lines(&printer);
        fputc('\n', out);
    }
    fprintf(out, "[%" PRId64 " rows x %" PRId64 " columns]\n", shmf_frame_rows(frame),
            shmf_frame_columns(frame));
    shmfi_sys.free(printer.columns);
    return SHMF_OK;
}

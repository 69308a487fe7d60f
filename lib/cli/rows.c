/* The first rows of a frame. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>

int64_t cli_positive(const struct argp_state *state, const char *text)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < 1)
        argp_error(state, "\"%s\" is no number above 0", text);
    return value;
}

int cli_print_rows(const char *name, const struct shmf_frame *frame, int64_t rows, int64_t columns)
{
    struct shmf_error err = {0};
    int64_t all = shmf_frame_rows(frame);
    struct shmf_frame *first = shmf_frame_slice(frame, 0, all < rows ? all : rows, &err);
    if (!first)
        return cli_fail(name, &err);
    shmf_frame_print(first, stdout,
                     &(struct shmf_print_options){.max_rows = rows, .max_columns = columns});
    if (rows < all)
        printf("of %lld rows\n", (long long)all);
    shmf_frame_free(first);
    return CLI_OK;
}

static void json_row(const struct shmf_frame *frame, int64_t row, int64_t columns)
{
    int64_t label;
    cli_json_open('{');
    cli_json_key("label");
    if (shmf_frame_row_number(frame, row, &label) == 0)
        cli_json_int(label);
    else
        cli_json_text(shmf_frame_row_text(frame, row));
    cli_json_key("values");
    cli_json_open('[');
    for (int64_t c = 0; c < columns; c++)
        cli_json_cell(frame, row, c);
    cli_json_close(']');
    cli_json_close('}');
}

void cli_json_rows(const struct shmf_frame *frame, int64_t most, int64_t most_columns)
{
    int64_t rows = shmf_frame_rows(frame), columns = shmf_frame_columns(frame);
    cli_json_open('{');
    cli_json_key("n_rows");
    cli_json_int(rows);
    cli_json_key("n_columns");
    cli_json_int(columns);
    columns = most_columns && most_columns < columns ? most_columns : columns;
    cli_json_key("columns");
    cli_json_open('[');
    for (int64_t c = 0; c < columns; c++)
        cli_json_text(shmf_frame_column_label(frame, c));
    cli_json_close(']');
    cli_json_key("rows");
    cli_json_open('[');
    for (int64_t r = 0; r < rows && r < most; r++)
        json_row(frame, r, columns);
    cli_json_close(']');
    cli_json_close('}');
}

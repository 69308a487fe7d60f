/* Tables of text for people. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

static void *grown(void *memory, size_t size)
{
    void *more = realloc(memory, size);
    if (!more) {
        cli_fail_text("output", "private memory is exhausted");
        exit(CLI_FAILED);
    }
    return more;
}

void cli_cell_text(struct cli_table *table, struct shmf_text text)
{
    if (table->n_cells == table->room) {
        table->room = table->room ? table->room * 2 : 64;
        table->cells = grown(table->cells, table->room * sizeof *table->cells);
    }
    char *copy = grown(NULL, (size_t)text.size + 1);
    for (int64_t i = 0; i < text.size; i++)
        copy[i] = (unsigned char)text.data[i] < ' ' || text.data[i] == 0x7f ? '?' : text.data[i];
    copy[text.size] = 0;
    table->cells[table->n_cells++] = copy;
}

void cli_cell(struct cli_table *table, const char *text)
{
    cli_cell_text(table, (struct shmf_text){text, (int64_t)strlen(text)});
}

void cli_cell_int(struct cli_table *table, int64_t number)
{
    char text[CLI_WORD];
    snprintf(text, sizeof text, "%lld", (long long)number);
    cli_cell(table, text);
}

void cli_cell_double(struct cli_table *table, double number)
{
    char text[CLI_WORD];
    snprintf(text, sizeof text, "%.6g", number);
    cli_cell(table, text);
}

/* Columns of the terminal; where the locale cannot say, one a byte. */
static int width_of(const char *text)
{
    mbstate_t state = {0};
    int width = 0;
    for (size_t left = strlen(text), size; left > 0; text += size, left -= size) {
        wchar_t character;
        size = mbrtowc(&character, text, left, &state);
        if (size == (size_t)-1 || size == (size_t)-2 || size == 0) {
            memset(&state, 0, sizeof state);
            size = 1;
            width++;
        } else {
            int columns = wcwidth(character);
            width += columns > 0 ? columns : 0;
        }
    }
    return width;
}

static bool on_a_terminal(void)
{
    const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) && terminal &&
           strcmp(terminal, "dumb") != 0;
}

static const char *colour_of(const char *state)
{
    return strcmp(state, "leftover") == 0 || strcmp(state, "unknown") == 0 ? "\033[33m"
           : strcmp(state, "alive") == 0                                   ? "\033[32m"
                                                                           : "\033[36m";
}

static void print_cell(const char *text, int room, bool right, bool last, const char *colour)
{
    int space = room - width_of(text);
    if (right)
        printf("%*s", space, "");
    printf("%s%s%s", colour ? colour : "", text, colour ? "\033[0m" : "");
    if (!last)
        printf("%*s  ", right ? 0 : space, "");
}

static void print_line(const struct cli_table *table, const char *const *cells, const int *widths,
                       int state, const char *bold)
{
    for (int c = 0; c < table->n_columns; c++) {
        bool right = table->titles[c][0] == '>';
        const char *text = cells[c] + (right && cells == table->titles);
        print_cell(text, widths[c], right, c + 1 == table->n_columns,
                   c == state ? colour_of(text) : bold);
    }
    putchar('\n');
}

void cli_table_print(struct cli_table *table, int state)
{
    const size_t n = (size_t)table->n_columns;
    int *widths = grown(NULL, n * sizeof *widths);
    bool colours = on_a_terminal();
    for (size_t c = 0; c < n; c++)
        widths[c] = width_of(table->titles[c] + (table->titles[c][0] == '>'));
    for (size_t i = 0; i < table->n_cells; i++) {
        int width = width_of(table->cells[i]);
        widths[i % n] = width > widths[i % n] ? width : widths[i % n];
    }
    print_line(table, table->titles, widths, -1, colours ? "\033[1m" : NULL);
    for (size_t i = 0; i < table->n_cells; i += n)
        print_line(table, (const char *const *)(table->cells + i), widths, colours ? state : -1,
                   NULL);
    for (size_t i = 0; i < table->n_cells; i++)
        free(table->cells[i]);
    free(table->cells);
    free(widths);
    table->cells = NULL;
    table->n_cells = table->room = 0;
}

#include "files.h"

#include <string.h>

static const struct {
    const char *suffix;
    enum cli_format format;
} formats[] = {{"csv", CLI_CSV},        {"tsv", CLI_CSV},     {"txt", CLI_CSV},
               {"arrow", CLI_ARROW},    {"feather", CLI_ARROW}, {"ipc", CLI_ARROW},
               {"arrows", CLI_ARROW_STREAM}};

enum cli_format cli_format_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof formats / sizeof formats[0]; i++) {
        if (strcasecmp(dot + 1, formats[i].suffix) == 0)
            return formats[i].format;
    }
    return CLI_BY_NAME;
}

enum cli_format cli_format_called(const struct argp_state *state, const char *word)
{
    if (strcmp(word, "csv") == 0)
        return CLI_CSV;
    if (strcmp(word, "arrow") == 0)
        return CLI_ARROW;
    if (strcmp(word, "arrows") == 0)
        return CLI_ARROW_STREAM;
    argp_error(state, "there is no format \"%s\": csv, arrow, arrows", word);
    return CLI_BY_NAME;
}

char cli_delimiter(const struct argp_state *state, const char *word)
{
    if (strcmp(word, "tab") == 0 || strcmp(word, "\\t") == 0)
        return '\t';
    if (strlen(word) != 1)
        argp_error(state, "a delimiter is one character, not \"%s\"", word);
    return word[0];
}

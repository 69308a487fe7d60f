/* Files that become frames, and frames that become files: formats by the files' names. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "cli.h"

enum cli_format { CLI_BY_NAME = 0, CLI_CSV, CLI_ARROW, CLI_ARROW_STREAM, CLI_NPY };

/* The format called "csv", "arrow", "arrows" or "npy"; argp's error for others. */
enum cli_format cli_format_called(const struct argp_state *state, const char *word);

/* The format of files with such a name; CLI_BY_NAME: none that we know. */
enum cli_format cli_format_of(const char *path);

/* The one character of a delimiter ("\t" and "tab" too), or argp's error. */
char cli_delimiter(const struct argp_state *state, const char *word);

/* Says what was made, a name or a file (`what`), and its shape. */
void cli_report(bool json, const char *what, const char *name, const struct cli_object *object);

#endif

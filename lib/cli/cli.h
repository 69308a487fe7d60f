/* The command-line tool `shmframe`: what its commands have in common. Public headers only.
 *
 * A command parses its own arguments, prints what it found to stdout (tables for people, or JSON
 * with --json) and errors to stderr, and returns the tool's exit status. */
#ifndef CLI_H
#define CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <shmframe/shmframe.h>

enum cli_exit { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* ---- commands ----------------------------------------------------------------------------- */

int cli_ls(int argc, char **argv);
int cli_info(int argc, char **argv);
int cli_head(int argc, char **argv);
int cli_describe(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_rm(int argc, char **argv);
int cli_sweep(int argc, char **argv);
int cli_sql(int argc, char **argv);

/* ---- arguments ---------------------------------------------------------------------------- */

enum { CLI_KEY_OTHERS = 0x100, CLI_KEY_FIRST }; /* keys without a letter; commands' own follow */

/* What most commands take: these two options, and names. */
struct cli_names {
    char **names; /* point into argv */
    int n_names;
    bool json;
    bool other_users;
};

#define CLI_OPTION_JSON                                                                            \
    {                                                                                              \
        "json", 'j', NULL, 0, "Print JSON", 0                                                      \
    }
#define CLI_OPTION_OTHERS                                                                          \
    {                                                                                              \
        "other-users", CLI_KEY_OTHERS, NULL, 0,                                                    \
            "Read what other users published, too (it is copied)", 0                               \
    }

/* The part of an argp parser that handles the options above; ARGP_ERR_UNKNOWN for other keys. */
error_t cli_option(int key, struct cli_names *names);

/* All that is not an option becomes names; `least` and `most` (-1: any number) of them. */
error_t cli_arguments(int key, const struct argp_state *state, struct cli_names *names, int least,
                      int most);

/* ---- errors ------------------------------------------------------------------------------- */

/* Prints "shmframe: WHAT: reason" to stderr, control characters replaced. Returns CLI_FAILED. */
int cli_fail(const char *what, const struct shmf_error *err);
int cli_fail_text(const char *what, const char *reason);

/* ---- objects ------------------------------------------------------------------------------ */

/* One of them. */
struct cli_object {
    struct shmf_frame *frame;
    struct shmf_array *array;
};

/* Attaches to a name or reference, whichever kind it is. */
int cli_attach(struct cli_object *object, const char *from, bool other_users,
               struct shmf_error *err);
void cli_object_free(struct cli_object *object);

/* Attaches to a frame, or says why not and returns NULL. */
struct shmf_frame *cli_frame(const char *from, bool other_users);

/* A number of an option, or argp's error. */
int64_t cli_positive(const struct argp_state *state, const char *text);

/* Prints the first rows and columns (0: as many as have room; in JSON all). `name` is for errors.
 */
int cli_print_rows(const char *name, const struct shmf_frame *frame, int64_t rows, int64_t columns);
void cli_json_rows(const struct shmf_frame *frame, int64_t rows, int64_t columns);

/* ---- words -------------------------------------------------------------------------------- */

enum { CLI_WORD = 160 }; /* room for each of them, NUL included */

const char *cli_kind(enum shmf_kind kind);
const char *cli_state(enum shmf_name_state state);
const char *cli_row_labels(enum shmf_row_labels labels);
void cli_size(char to[CLI_WORD], int64_t bytes);                /* "1.5 MiB" */
void cli_shape(char to[CLI_WORD], const int64_t *shape, int n); /* "3 x 4" */
void cli_user(char to[CLI_WORD], int64_t uid);
void cli_time(char to[CLI_WORD], int64_t seconds); /* in local time */
void cli_type(char to[CLI_WORD], const struct shmf_frame *frame, int64_t column);

/* ---- tables ------------------------------------------------------------------------------- */

/* Cells of text in columns that are as wide as it takes. Titles whose first character is '>' stand,
 * with their columns, on the right. Memory that runs out ends the program. */
struct cli_table {
    const char *const *titles;
    int n_columns;
    char **cells;
    size_t n_cells;
    size_t room;
};

void cli_cell(struct cli_table *table, const char *text);
void cli_cell_text(struct cli_table *table, struct shmf_text text);
void cli_cell_int(struct cli_table *table, int64_t number);
void cli_cell_double(struct cli_table *table, double number);

/* Prints and empties it. On a terminal the titles are bold, and the cells of column `state` have
 * the colours of states (-1: none). */
void cli_table_print(struct cli_table *table, int state);

/* ---- JSON --------------------------------------------------------------------------------- */

/* Values one after the other, commas and indentation between them by themselves. */
void cli_json_open(char bracket);  /* '{' or '[' */
void cli_json_close(char bracket); /* '}' or ']'; the last one ends the line */
void cli_json_key(const char *key);
void cli_json_text(struct shmf_text text); /* null for none; bytes that are no UTF-8 are replaced */
void cli_json_string(const char *text);
void cli_json_int(int64_t number);
void cli_json_bool(bool value);
void cli_json_null(void);
void cli_json_double(double number); /* as few digits as give it back; "nan", "inf", "-inf" */
void cli_json_literal(const char *number);

/* One cell of a frame: a number, boolean, text or null; other dtypes as people read them. */
void cli_json_cell(const struct shmf_frame *frame, int64_t row, int64_t column);

/* What shmf_name_info found, as the members of an object that is open. */
void cli_json_info(const struct shmf_name_info *info);

#endif

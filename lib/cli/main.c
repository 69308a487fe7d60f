/* shmframe: looks at the frames and arrays that have names, and brings files to names and back. */
#include "cli.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(number)  TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* The C library looks for it by its name: it must be seen from outside. */
SHMF_API const char *argp_program_version = "shmframe " TEXT_OF(SHMF_VERSION_MAJOR) "." TEXT_OF(
    SHMF_VERSION_MINOR) "." TEXT_OF(SHMF_VERSION_PATCH);

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"ls", cli_ls},         {"info", cli_info},     {"head", cli_head},
    {"verify", cli_verify}, {"import", cli_import}, {"describe", cli_describe},
    {"export", cli_export}, {"rm", cli_rm},         {"sweep", cli_sweep},
    {"sql", cli_sql},
};

struct choice {
    const struct command *command;
    int at; /* of the command's name in argv */
};

/* The first word that is no option is the command; what follows is for it to parse. */
static error_t choose(int key, char *argument, struct argp_state *state)
{
    struct choice *choice = state->input;
    if (key == ARGP_KEY_NO_ARGS)
        argp_error(state, "a command is missing");
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, argument) == 0)
            choice->command = &commands[i];
    }
    if (!choice->command)
        argp_error(state, "there is no command \"%s\"", argument);
    choice->at = state->next - 1;
    state->next = state->argc;
    return 0;
}

static const struct argp tool = {
    .parser = choose,
    .args_doc = "COMMAND [ARGUMENT...]",
    .doc = "Looks at frames and arrays in shared memory that have names, and brings files to names "
           "and "
           "back.\v"
           "Commands:\n"
           "  ls        names: kind, shape, size, owner, and whether anything is left over\n"
           "  info      all that is known about one, its columns included\n"
           "  head      the first rows\n"
           "  describe  count, mean, least and greatest of each column\n"
           "  verify    checks every byte that has a meaning\n"
           "  import    a file (CSV, Arrow, NumPy, netCDF, HDF5) becomes a named frame or array\n"
           "  export    a named frame or array becomes a file\n"
           "  sql       runs SQL on named frames, where DuckDB is installed\n"
           "  rm        removes names that have no living owner\n"
           "  sweep     removes what killed processes left over\n\n"
           "`shmframe COMMAND --help' tells more of each. Exit status: 0 done, 1 failed (the "
           "reason is "
           "on stderr), 2 arguments that make no sense.",
};

int main(int argc, char **argv)
{
    struct choice choice = {NULL, 0};
    char name[64];
    setlocale(LC_CTYPE, "");
    argp_err_exit_status = CLI_USAGE;
    argp_parse(&tool, argc, argv, ARGP_IN_ORDER, NULL, &choice);
    snprintf(name, sizeof name, "shmframe %s", choice.command->name);
    argv[choice.at] = name; /* in the messages of the command's own parser */
    int status = choice.command->run(argc - choice.at, argv + choice.at);
    if (fflush(stdout) || ferror(stdout))
        return cli_fail_text("standard output", "cannot be written");
    return status;
}

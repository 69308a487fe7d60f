/* shmframe ls, rm and sweep: names. */
#include "cli.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

/* ---- names that match ---------------------------------------------------------------------- */

struct list {
    const struct cli_names *patterns; /* none: every name */
    bool *matched;                    /* a pattern each */
    struct shmf_name_info *infos;
    size_t n;
    size_t room;
};

static int take(const struct shmf_name_info *info, void *context)
{
    struct list *list = context;
    bool wanted = list->patterns->n_names == 0;
    for (int i = 0; i < list->patterns->n_names; i++) {
        bool match = fnmatch(list->patterns->names[i], info->name, 0) == 0;
        list->matched[i] = list->matched[i] || match;
        wanted = wanted || match;
    }
    if (!wanted)
        return 0;
    if (list->n == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        struct shmf_name_info *more = realloc(list->infos, room * sizeof *more);
        if (!more)
            return SHMF_E_NOMEM;
        list->infos = more;
        list->room = room;
    }
    list->infos[list->n++] = *info;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    const struct shmf_name_info *left = a, *right = b;
    return strcmp(left->name, right->name);
}

/* ---- ls ----------------------------------------------------------------------------------- */

static void print_table(const struct list *list)
{
    static const char *const titles[] = {"NAME",  "KIND",   ">SHAPE", "DTYPE", ">SIZE",
                                         "STATE", ">OWNER", "USER",   "SINCE"};
    struct cli_table table = {.titles = titles, .n_columns = 9};
    char word[CLI_WORD];
    for (size_t i = 0; i < list->n; i++) {
        const struct shmf_name_info *info = &list->infos[i];
        cli_cell(&table, info->name);
        cli_cell(&table, cli_kind(info->kind));
        cli_shape(word, info->shape, info->n_dims);
        cli_cell(&table, word);
        cli_cell(&table, info->dtype ? shmf_dtype_name(info->dtype) : "-");
        cli_size(word, info->size);
        cli_cell(&table, word);
        cli_cell(&table, cli_state(info->state));
        snprintf(word, sizeof word, "%lld", (long long)info->pid);
        cli_cell(&table, info->pid ? word : "-");
        cli_user(word, info->uid);
        cli_cell(&table, word);
        cli_time(word, info->modified);
        cli_cell(&table, word);
    }
    if (list->n > 0)
        cli_table_print(&table, 5);
}

static void print_json(const struct list *list)
{
    cli_json_open('[');
    for (size_t i = 0; i < list->n; i++) {
        cli_json_open('{');
        cli_json_info(&list->infos[i]);
        cli_json_close('}');
    }
    cli_json_close(']');
}

static error_t parse_ls(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    error_t rc = cli_option(key, state->input);
    return rc ? cli_arguments(key, state, state->input, 0, -1) : rc;
}

int cli_ls(int argc, char **argv)
{
    static const struct argp_option options[] = {CLI_OPTION_JSON, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_ls,
        .args_doc = "[PATTERN...]",
        .doc = "Lists named frames and arrays, or those whose names match a shell pattern.\v"
               "STATE is \"alive\" (OWNER, a process, will take the name along), \"persistent\" "
               "(until it "
               "is removed), \"leftover\" (the owner was killed; see `shmframe sweep') or "
               "\"unknown\" (this "
               "user may not look)."};
    struct cli_names names = {0};
    struct shmf_error err = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &names);
    struct list list = {.patterns = &names,
                        .matched = calloc((size_t)names.n_names + 1, sizeof(bool))};
    int64_t rc = list.matched ? shmf_name_each(take, &list, &err) : SHMF_E_NOMEM;
    int status = CLI_OK;
    if (rc < 0) {
        status =
            err.code ? cli_fail("ls", &err) : cli_fail_text("ls", "private memory is exhausted");
    } else {
        if (list.n > 0)
            qsort(list.infos, list.n, sizeof *list.infos, by_name);
        (names.json ? print_json : print_table)(&list);
        for (int i = 0; i < names.n_names; i++) {
            if (!list.matched[i])
                status = cli_fail_text(names.names[i], "no name is like that");
        }
    }
    free(list.infos);
    free(list.matched);
    return status;
}

/* ---- rm ----------------------------------------------------------------------------------- */

struct rm {
    struct cli_names names;
    bool force;
};

static error_t parse_rm(int key, char *argument, struct argp_state *state)
{
    struct rm *rm = state->input;
    (void)argument;
    error_t rc = cli_option(key, &rm->names);
    if (key == 'f')
        rm->force = true;
    else if (rc)
        return cli_arguments(key, state, &rm->names, 1, -1);
    return 0;
}

int cli_rm(int argc, char **argv)
{
    static const struct argp_option options[] = {
        CLI_OPTION_JSON,
        {"force", 'f', NULL, 0, "Names that are not there are no failure", 0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_rm,
        .args_doc = "NAME...",
        .doc = "Removes names of persistent objects and leftovers.\vA name whose owner lives is "
               "refused: "
               "it goes when the owner does. Programs that are attached keep what they have."};
    struct rm rm = {0};
    int status = CLI_OK;
    argp_parse(&argp, argc, argv, 0, NULL, &rm);
    if (rm.names.json) {
        cli_json_open('{');
        cli_json_key("removed");
        cli_json_open('[');
    }
    for (int i = 0; i < rm.names.n_names; i++) {
        struct shmf_error err = {0};
        int rc = shmf_name_unlink(rm.names.names[i], &err);
        if (rc && !(rm.force && rc == SHMF_E_NOTFOUND))
            status = cli_fail(rm.names.names[i], &err);
        else if (!rc && rm.names.json)
            cli_json_string(rm.names.names[i]);
    }
    if (rm.names.json) {
        cli_json_close(']');
        cli_json_close('}');
    }
    return status;
}

/* ---- sweep -------------------------------------------------------------------------------- */

struct sweep {
    struct cli_names names;
    bool dry_run;
};

static void swept(const struct shmf_name_info *info, void *context)
{
    const struct sweep *sweep = context;
    char size[CLI_WORD];
    cli_size(size, info->size);
    if (sweep->names.json)
        cli_json_string(info->name);
    else
        printf("%s (%s)\n", info->name, size);
}

static int would_be_swept(const struct shmf_name_info *info, void *context)
{
    if (info->state == SHMF_NAME_LEFTOVER)
        swept(info, context);
    return 0;
}

static error_t parse_sweep(int key, char *argument, struct argp_state *state)
{
    struct sweep *sweep = state->input;
    (void)argument;
    if (key == 'n')
        sweep->dry_run = true;
    else if (cli_option(key, &sweep->names))
        return cli_arguments(key, state, &sweep->names, 0, 0);
    return 0;
}

int cli_sweep(int argc, char **argv)
{
    static const struct argp_option options[] = {
        CLI_OPTION_JSON,
        {"dry-run", 'n', NULL, 0, "Say what would be removed, and remove nothing", 0},
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_sweep,
        .args_doc = "",
        .doc = "Removes what killed processes of this user left over, and prints the names."};
    struct sweep sweep = {0};
    struct shmf_error err = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &sweep);
    if (sweep.names.json) {
        cli_json_open('{');
        cli_json_key(sweep.dry_run ? "leftovers" : "removed");
        cli_json_open('[');
    }
    int64_t rc = sweep.dry_run ? shmf_name_each(would_be_swept, &sweep, &err)
                               : shmf_name_sweep(swept, &sweep, &err);
    if (sweep.names.json) {
        cli_json_close(']');
        cli_json_close('}');
    }
    return rc < 0 ? cli_fail("sweep", &err) : CLI_OK;
}

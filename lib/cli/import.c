/* shmframe import: a file becomes a named frame, whole or not at all. */
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_WORKERS = CLI_KEY_FIRST, KEY_NO_HEADER, KEY_ARROW, KEY_ARRAY };

/* Files from this size on are parsed by a pool, and from that size on a bar tells how far it is. */
static const int64_t LARGE = 4 << 20, LONG_WORK = 64 << 20;

struct import {
    struct cli_names names; /* file, name */
    enum cli_format format;
    struct shmf_csv_options csv;
    const char *row_labels;
    const char **nulls;
    struct shmf_column_spec *columns;
    uint32_t mode;
    struct cli_variables variables;
    int workers; /* -1: by the size */
    bool arrow;
};

static void *one_more(struct argp_state *state, void *list, size_t n, size_t size)
{
    void *more = realloc(list, (n + 1) * size);
    if (!more)
        argp_failure(state, CLI_FAILED, ENOMEM, "arguments");
    return more;
}

/* LABEL:DTYPE; labels may hold colons. */
static void add_column(struct argp_state *state, struct import *import, char *argument)
{
    char *colon = strrchr(argument, ':');
    struct shmf_column_spec column = {.label = argument};
    if (!colon || colon == argument)
        argp_error(state, "a column is LABEL:DTYPE, not \"%s\"", argument);
    for (int dtype = SHMF_BOOL; dtype <= SHMF_DECIMAL128; dtype++) {
        if (strcmp(shmf_dtype_name((enum shmf_dtype)dtype), colon + 1) == 0)
            column.dtype = (enum shmf_dtype)dtype;
    }
    if (!column.dtype)
        argp_error(state, "there is no dtype \"%s\"", colon + 1);
    *colon = 0;
    import->columns =
        one_more(state, import->columns, (size_t)import->csv.n_columns, sizeof column);
    import->columns[import->csv.n_columns++] = column;
}

static long number(struct argp_state *state, const char *text, int base, long least, long most)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, base);
    if (errno || end == text || *end || value < least || value > most)
        argp_error(state, "\"%s\" is no number from %ld to %ld", text, least, most);
    return value;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct import *import = state->input;
    switch (key) {
    case 'f':
        import->format = cli_format_called(state, argument);
        return 0;
    case 'd':
        import->csv.delimiter = cli_delimiter(state, argument);
        return 0;
    case 'r':
        import->row_labels = argument;
        return 0;
    case 'c':
        add_column(state, import, argument);
        return 0;
    case 'm':
        import->mode = (uint32_t)number(state, argument, 8, 0, 07777);
        return 0;
    case 'v':
        import->variables.names = one_more(state, import->variables.names, import->variables.n,
                                           sizeof *import->variables.names);
        import->variables.names[import->variables.n++] = argument;
        return 0;
    case KEY_ARRAY:
        import->variables.array = true;
        return 0;
    case KEY_NO_HEADER:
        import->csv.no_header = 1;
        return 0;
    case KEY_ARROW:
        import->arrow = true;
        return 0;
    case KEY_WORKERS:
        import->workers = (int)number(state, argument, 10, 0, 1024);
        return 0;
    case 'n':
        import->nulls = one_more(state, import->nulls, import->csv.n_nulls, sizeof *import->nulls);
        import->nulls[import->csv.n_nulls++] = argument;
        return 0;
    default:
        return cli_option(key, &import->names) ? cli_arguments(key, state, &import->names, 2, 2)
                                               : 0;
    }
}

static const struct argp_option options[] = {
    {"format", 'f', "FORMAT", 0, CLI_FORMATS ", if the file's name does not tell", 0},
    {"row-labels", 'r', "COLUMN", 0, "This column's values label the rows", 0},
    {"mode", 'm', "MODE", 0, "Permissions, such as 0644; 0600 unless told", 0},
    {"arrow", KEY_ARROW, NULL, 0,
     "What is under the name, /dev/shm/shmf.NAME, can be opened as an Arrow IPC file, too", 0},
    {"delimiter", 'd', "CHARACTER", 0, "CSV: between fields; a comma unless told (tab for .tsv)",
     1},
    {"no-header", KEY_NO_HEADER, NULL, 0, "CSV: the first line holds values", 1},
    {"null", 'n', "TEXT", 0, "CSV: fields like that are null, as empty ones are; repeat for more",
     1},
    {"column", 'c', "LABEL:DTYPE", 0,
     "CSV: a column and its dtype, each of them in order; otherwise "
     "dtypes are found out",
     1},
    {"workers", KEY_WORKERS, "N", 0,
     "CSV: processes that parse; 0: none; unless told, one a CPU for "
     "files of 4 MiB and more",
     1},
    {"variable", 'v', "NAME", 0,
     "netCDF, HDF5, .npz: what of the file; repeat for more columns (netCDF)", 2},
    {"array", KEY_ARRAY, NULL, 0, "netCDF, HDF5: an array, not a frame", 2},
    CLI_OPTION_JSON,
    {0}};

/* ---- reading ------------------------------------------------------------------------------ */

static struct shmf_frame *read_csv(struct import *import, const char *path, struct shmf_error *err)
{
    struct stat status;
    int64_t size = stat(path, &status) == 0 ? status.st_size : 0;
    struct shmf_pool *pool = NULL;
    int workers = import->workers < 0 ? size >= LARGE : import->workers;
    if (workers > 0) {
        pool = shmf_pool_new(
            &(struct shmf_pool_options){.workers = import->workers < 0 ? 0 : workers}, err);
        if (!pool)
            return NULL;
    }
    const char *dot = strrchr(path, '.');
    if (!import->csv.delimiter && dot && strcasecmp(dot, ".tsv") == 0)
        import->csv.delimiter = '\t';
    import->csv.columns = import->columns;
    import->csv.nulls = import->nulls;
    import->csv.row_labels = import->row_labels;
    import->csv.pool = pool;
    import->csv.progress = size >= LONG_WORK ? "import" : NULL;
    struct shmf_frame *frame = shmf_csv_read(path, &import->csv, err);
    shmf_pool_free(pool);
    return frame;
}

static int read_file(struct import *import, const char *path, struct cli_object *object,
                     struct shmf_error *err)
{
    const struct shmf_arrow_import_options arrow = {.row_labels = import->row_labels};
    if (import->format == CLI_NETCDF_FILE || import->format == CLI_HDF5_FILE)
        cli_read_science(import->format, path, &import->variables, object, err);
    else if (import->format == CLI_NPZ)
        object->array =
            shmf_npz_load(path, import->variables.n ? import->variables.names[0] : NULL, err);
    else if (import->format == CLI_NPY)
        object->array = shmf_npy_load(path, err);
    else if (import->format == CLI_CSV)
        object->frame = read_csv(import, path, err);
    else if (strcmp(path, "-") == 0)
        object->frame = shmf_ipc_read(STDIN_FILENO, &arrow, err);
    else
        object->frame = shmf_ipc_load(path, &arrow, err);
    return object->frame || object->array ? CLI_OK : cli_fail(path, err);
}

/* ---- the command --------------------------------------------------------------------------- */

static int publish(const struct import *import, const struct cli_object *object)
{
    const char *name = import->names.names[1];
    const struct shmf_publish_options persistent = {.policy = SHMF_PERSISTS, .mode = import->mode};
    struct shmf_error err = {0};
    const struct shmf_ipc_options ipc = {.row_labels = import->row_labels};
    struct shmf_share *share = NULL;
    if (object->array && import->arrow)
        return cli_fail_text(name, "it is an array, and Arrow holds frames");
    if (object->array)
        share = shmf_array_publish(object->array, name, &persistent, &err);
    else if (import->arrow)
        share = shmf_ipc_publish(object->frame, name, &ipc, &persistent, &err);
    else
        share = shmf_frame_publish(object->frame, name, &persistent, &err);
    if (!share)
        return cli_fail(name, &err);
    shmf_share_free(share);
    cli_report(import->names.json, "name", name, object);
    return CLI_OK;
}

/* Before anything is read: a name that cannot be given need not be waited for. */
static int check_name(const char *name)
{
    struct shmf_error err = {0};
    struct shmf_name_info info;
    int rc = shmf_name_info(name, &info, &err);
    if (rc == SHMF_E_NOTFOUND || (!rc && info.state == SHMF_NAME_LEFTOVER))
        return CLI_OK;
    return rc ? cli_fail(name, &err) : cli_fail_text(name, "the name is taken; see `shmframe rm'");
}

int cli_import(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "FILE NAME",
        .doc = "Makes a named frame of a CSV file (.csv, .tsv, .txt), an Arrow IPC file (.arrow, "
               ".feather, "
               ".ipc) or stream (.arrows; - is standard input), a named array of a NumPy file "
               "(.npy, .npz), either of a netCDF (.nc) or HDF5 (.h5) file.\vThe name persists "
               "until `shmframe rm NAME' "
               "or a restart. A file that is wrong in any place gives an error that says where, "
               "and no name."};
    struct import import = {.workers = -1};
    struct shmf_error err = {0};
    int status = CLI_FAILED;
    argp_parse(&argp, argc, argv, 0, NULL, &import);
    const char *path = import.names.names[0];
    if (!import.format)
        import.format = cli_format_of(path);
    struct cli_object object = {NULL, NULL};
    bool standard = strcmp(path, "-") == 0;
    if (!import.format)
        status =
            cli_fail_text(path, "its name does not tell the format; say --format=" CLI_FORMATS);
    else if (import.format != CLI_ARROW && import.format != CLI_ARROW_STREAM && standard)
        status = cli_fail_text(path, "standard input is read as Arrow only");
    else if (check_name(import.names.names[1]) == CLI_OK)
        status = read_file(&import, path, &object, &err) ? CLI_FAILED : publish(&import, &object);
    cli_object_free(&object);
    free(import.nulls);
    free(import.columns);
    free(import.variables.names);
    return status;
}

/* shmframe export: a named frame becomes a file, whole or not at all. */
#include "files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_NO_HEADER = CLI_KEY_FIRST, KEY_CRLF };

struct export
{
    struct cli_names names; /* name, file */
    enum cli_format format;
    struct shmf_csv_write_options csv;
    const char *row_labels;
    const char *variable;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct export *export = state->input;
    switch (key) {
    case 'f':
        export->format = cli_format_called(state, argument);
        return 0;
    case 'd':
        export->csv.delimiter = cli_delimiter(state, argument);
        return 0;
    case 'r':
        export->row_labels = argument;
        return 0;
    case 'n':
        export->csv.null = argument;
        return 0;
    case 'v':
        export->variable = argument;
        return 0;
    case KEY_NO_HEADER:
        export->csv.no_header = 1;
        return 0;
    case KEY_CRLF:
        export->csv.crlf = 1;
        return 0;
    default:
        return cli_option(key, &export->names) ? cli_arguments(key, state, &export->names, 2, 2)
                                               : 0;
    }
}

static const struct argp_option options[] = {
    {"format", 'f', "FORMAT", 0, CLI_FORMATS ", if the file's name does not tell", 0},
    {"row-labels", 'r', "COLUMN", 0, "Write the row labels too, as a column of this name", 0},
    {"delimiter", 'd', "CHARACTER", 0, "CSV: between fields; a comma unless told (tab for .tsv)",
     1},
    {"no-header", KEY_NO_HEADER, NULL, 0, "CSV: values only", 1},
    {"null", 'n', "TEXT", 0, "CSV: how a null is written; an empty field unless told", 1},
    {"crlf", KEY_CRLF, NULL, 0, "CSV: lines end with CR LF", 1},
    {"variable", 'v', "NAME", 0, "netCDF, HDF5, .npz: what it is called in the file", 2},
    CLI_OPTION_JSON,
    CLI_OPTION_OTHERS,
    {0}};

/* ---- writing ------------------------------------------------------------------------------ */

static int system_failure(const char *path)
{
    return cli_fail_text(path, strerror(errno));
}

static int write_csv_to(const struct shmf_frame *frame, FILE *out, const struct export *export,
                        const char *path)
{
    struct shmf_error err = {0};
    if (shmf_csv_write(frame, out, &export->csv, &err))
        return cli_fail(path, &err);
    return fflush(out) ? system_failure(path) : CLI_OK;
}

static int write_csv(const struct shmf_frame *frame, const char *path, const struct export *export)
{
    struct shmf_error err = {0};
    struct shmf_file *file = NULL;
    if (shmf_file_begin(path, &file, &err))
        return cli_fail(path, &err);
    FILE *out = fopen(shmf_file_path(file), "we");
    int status = out ? write_csv_to(frame, out, export, path) : system_failure(path);
    if (out && fclose(out) && !status)
        status = system_failure(path);
    if (status) {
        shmf_file_free(file);
        return status;
    }
    return shmf_file_finish(file, &err) ? cli_fail(path, &err) : CLI_OK;
}

static int write_file(const struct shmf_frame *frame, const char *path, struct export *export)
{
    struct shmf_error err = {0};
    const struct shmf_ipc_options ipc = {
        .format = export->format == CLI_ARROW_STREAM ? SHMF_IPC_STREAM : SHMF_IPC_FILE,
        .row_labels = export->row_labels};
    bool standard = strcmp(path, "-") == 0;
    const char *dot = strrchr(path, '.');
    export->csv.row_labels = export->row_labels;
    if (!export->csv.delimiter && dot && strcasecmp(dot, ".tsv") == 0)
        export->csv.delimiter = '\t';
    if (export->format == CLI_CSV)
        return standard ? write_csv_to(frame, stdout, export, "standard output")
                        : write_csv(frame, path, export);
    int rc = standard ? shmf_ipc_write(frame, STDOUT_FILENO, &ipc, &err)
                      : shmf_ipc_save(frame, path, &ipc, &err);
    return rc ? cli_fail(path, &err) : CLI_OK;
}

/* A file takes the place of a file, but not of a device, a pipe or a folder. The path to where a
 * symbolic link leads is the caller's; NULL: the failure is reported. */
static char *find_place(const char *path)
{
    struct stat status;
    char *place = realpath(path, NULL);
    if (place && stat(place, &status) == 0 && !S_ISREG(status.st_mode)) {
        free(place);
        cli_fail_text(path, "not a regular file (for others, write to standard output: -)");
        return NULL;
    }
    if (!place && !(place = strdup(path)))
        cli_fail_text(path, "private memory is exhausted");
    return place;
}

/* Frames go to files of frames, arrays to .npy. */
static int write_object(const struct cli_object *object, const char *path, struct export *export)
{
    struct shmf_error err = {0};
    const char *name = export->names.names[0];
    const bool numpy = export->format == CLI_NPY || export->format == CLI_NPZ;
    const bool science = export->format == CLI_NETCDF_FILE || export->format == CLI_HDF5_FILE;
    if (!object->frame && !numpy && !science)
        return cli_fail_text(name, "it is an array: export it as .npy, .npz, .nc or .h5");
    if (object->frame && numpy)
        return cli_fail_text(name, "it is a frame, and .npy holds arrays");
    if ((numpy || science) && strcmp(path, "-") == 0)
        return cli_fail_text(path, "files of that format are not written to standard output");
    if (science)
        return cli_write_science(export->format, object, path, export->variable, &err)
                   ? cli_fail(path, &err)
                   : CLI_OK;
    if (export->format == CLI_NPZ)
        return shmf_npz_save((const struct shmf_array *[]){object->array},
                             (const char *[]){export->variable ? export->variable : "values"}, 1,
                             path, &err)
                   ? cli_fail(path, &err)
                   : CLI_OK;
    if (object->array)
        return shmf_npy_save(object->array, path, &err) ? cli_fail(path, &err) : CLI_OK;
    /* Whoever reads the file follows its offsets. */
    return shmf_frame_validate(object->frame, SHMF_VALIDATE_FULL, &err)
               ? cli_fail(name, &err)
               : write_file(object->frame, path, export);
}

int cli_export(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NAME FILE",
        .doc = "Writes a named frame as a CSV file (.csv, .tsv, .txt), an Arrow IPC file (.arrow, "
               ".feather, "
               ".ipc) or stream (.arrows), a named array as a NumPy file (.npy, .npz), both as a "
               "netCDF "
               "(.nc) or HDF5 (.h5) file. - is standard output.\vThe file appears when it is "
               "complete, in "
               "place of one that was there."};
    struct export export = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &export);
    const char *path = export.names.names[1];
    if (!export.format)
        export.format = cli_format_of(path);
    if (!export.format)
        return cli_fail_text(path, "its name does not tell the format; say --format=" CLI_FORMATS);
    struct shmf_error err = {0};
    struct cli_object object;
    if (cli_attach(&object, export.names.names[0], export.names.other_users, &err))
        return cli_fail(export.names.names[0], &err);
    const bool standard = strcmp(path, "-") == 0;
    char *place = standard ? strdup(path) : find_place(path);
    int status = place ? write_object(&object, place, &export) : CLI_FAILED;
    if (!status && !standard)
        cli_report(export.names.json, "file", path, &object);
    free(place);
    cli_object_free(&object);
    return status;
}

/* Files that become frames, and frames that become files: formats by the files' names. */
#ifndef CLI_FILES_H
#define CLI_FILES_H

#include "cli.h"

enum cli_format {
    CLI_BY_NAME = 0,
    CLI_CSV,
    CLI_ARROW,
    CLI_ARROW_STREAM,
    CLI_NPY,
    CLI_NPZ,
    CLI_NETCDF_FILE,
    CLI_HDF5_FILE
};

/* What the formats are called, for messages. */
#define CLI_FORMATS "csv, arrow, arrows, npy, npz, netcdf or hdf5"

/* The format called so; argp's error for others. */
enum cli_format cli_format_called(const struct argp_state *state, const char *word);

/* The format of files with such a name; CLI_BY_NAME: none that we know. */
enum cli_format cli_format_of(const char *path);

/* Which variables of a file that has several. */
struct cli_variables {
    const char **names;
    size_t n;
    bool array; /* not as a frame */
};

/* netCDF and HDF5 files; an object of either kind, or one that goes there. Zero or err->code. */
int cli_read_science(enum cli_format format, const char *path,
                     const struct cli_variables *variables, struct cli_object *object,
                     struct shmf_error *err);
int cli_write_science(enum cli_format format, const struct cli_object *object, const char *path,
                      const char *variable, struct shmf_error *err);

/* The one character of a delimiter ("\t" and "tab" too), or argp's error. */
char cli_delimiter(const struct argp_state *state, const char *word);

/* Says what was made, a name or a file (`what`), and its shape. */
void cli_report(bool json, const char *what, const char *name, const struct cli_object *object);

#endif

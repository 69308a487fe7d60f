#include "files.h"

#include <string.h>

static const struct {
    const char *suffix;
    enum cli_format format;
} formats[] = {{"csv", CLI_CSV},
               {"tsv", CLI_CSV},
               {"txt", CLI_CSV},
               {"arrow", CLI_ARROW},
               {"feather", CLI_ARROW},
               {"ipc", CLI_ARROW},
               {"arrows", CLI_ARROW_STREAM},
               {"npy", CLI_NPY},
               {"npz", CLI_NPZ},
               {"nc", CLI_NETCDF_FILE},
               {"cdf", CLI_NETCDF_FILE},
               {"h5", CLI_HDF5_FILE},
               {"hdf5", CLI_HDF5_FILE}};

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
    static const struct {
        const char *word;
        enum cli_format format;
    } words[] = {{"csv", CLI_CSV},       {"arrow", CLI_ARROW}, {"arrows", CLI_ARROW_STREAM},
                 {"npy", CLI_NPY},       {"npz", CLI_NPZ},     {"netcdf", CLI_NETCDF_FILE},
                 {"hdf5", CLI_HDF5_FILE}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i].word) == 0)
            return words[i].format;
    argp_error(state, "there is no format \"%s\": " CLI_FORMATS, word);
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

void cli_report(bool json, const char *what, const char *name, const struct cli_object *object)
{
    char shape[CLI_WORD];
    if (json) {
        cli_json_open('{');
        cli_json_key(what);
        cli_json_string(name);
    }
    if (object->array && json) {
        cli_json_key("shape");
        cli_json_open('[');
        for (int d = 0; d < shmf_array_ndim(object->array); d++)
            cli_json_int(shmf_array_shape(object->array)[d]);
        cli_json_close(']');
    } else if (object->array) {
        cli_shape(shape, shmf_array_shape(object->array), shmf_array_ndim(object->array));
        printf("%s: %s [%s]\n", name, shmf_dtype_name(shmf_array_dtype(object->array)), shape);
    } else if (json) {
        cli_json_key("rows");
        cli_json_int(shmf_frame_rows(object->frame));
        cli_json_key("columns");
        cli_json_int(shmf_frame_columns(object->frame));
    } else {
        printf("%s: %lld rows x %lld columns\n", name, (long long)shmf_frame_rows(object->frame),
               (long long)shmf_frame_columns(object->frame));
    }
    if (json)
        cli_json_close('}');
}

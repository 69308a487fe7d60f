/* shmframe head: the first rows. */
#include "cli.h"

#include <string.h>

struct head {
    struct cli_names names;
    int64_t rows;
    int64_t columns;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct head *head = state->input;
    if (key == 'n')
        head->rows = cli_positive(state, argument);
    else if (key == 'c')
        head->columns = cli_positive(state, argument);
    else if (cli_option(key, &head->names))
        return cli_arguments(key, state, &head->names, 1, 1);
    return 0;
}

/* ---- arrays ------------------------------------------------------------------------------- */

static void json_element(enum shmf_dtype dtype, const char *at)
{
    int64_t whole = 0;
    uint64_t natural = 0;
    char text[24];
    size_t size = shmf_dtype_size(dtype);
    if (dtype == SHMF_BOOL) {
        cli_json_bool(*at != 0);
    } else if (dtype == SHMF_FLOAT32) {
        float value;
        memcpy(&value, at, sizeof value);
        cli_json_double((double)value);
    } else if (dtype == SHMF_FLOAT64) {
        double value;
        memcpy(&value, at, sizeof value);
        cli_json_double(value);
    } else if (dtype == SHMF_COMPLEX64 || dtype == SHMF_COMPLEX128) {
        enum shmf_dtype part = dtype == SHMF_COMPLEX64 ? SHMF_FLOAT32 : SHMF_FLOAT64;
        cli_json_open('[');
        json_element(part, at);
        json_element(part, at + size / 2);
        cli_json_close(']');
    } else if (dtype >= SHMF_UINT8 && dtype <= SHMF_UINT64) {
        memcpy(&natural, at, size);
        snprintf(text, sizeof text, "%llu", (unsigned long long)natural);
        cli_json_literal(text);
    } else if (dtype >= SHMF_INT8 && dtype <= SHMF_INT64) {
        memcpy((char *)&whole, at, size);
        whole = (int64_t)((uint64_t)whole << (64 - 8 * size)) >> (64 - 8 * size);
        cli_json_int(whole);
    } else {
        cli_json_null(); /* float16: C has no name for it everywhere */
    }
}

/* Elements in the order of their indexes, the last dimension first to move. */
static void json_array(const struct head *head, const struct shmf_array *array)
{
    const int64_t *shape = shmf_array_shape(array), *strides = shmf_array_strides(array);
    int64_t index[SHMF_MAX_DIMS] = {0}, n = shmf_array_size(array);
    int n_dims = shmf_array_ndim(array);
    cli_json_open('{');
    cli_json_key("dtype");
    cli_json_string(shmf_dtype_name(shmf_array_dtype(array)));
    cli_json_key("shape");
    cli_json_open('[');
    for (int d = 0; d < n_dims; d++)
        cli_json_int(shape[d]);
    cli_json_close(']');
    cli_json_key("values");
    cli_json_open('[');
    for (int64_t i = 0; i < n && i < head->rows; i++) {
        const char *at = shmf_array_data(array);
        for (int d = 0; d < n_dims; d++)
            at += index[d] * strides[d];
        json_element(shmf_array_dtype(array), at);
        for (int d = n_dims - 1; d >= 0 && ++index[d] == shape[d]; d--)
            index[d] = 0;
    }
    cli_json_close(']');
    cli_json_close('}');
}

int cli_head(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"rows", 'n', "N", 0, "Rows, or elements of an array in JSON; 10 unless told", 0},
        {"columns", 'c', "N", 0, "Columns; 8 unless told (in JSON all)", 0},
        CLI_OPTION_JSON,
        CLI_OPTION_OTHERS,
        {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "NAME",
        .doc = "Prints the first rows of a frame, or the corner of an array."};
    struct head head = {.rows = 10};
    struct shmf_error err = {0};
    struct cli_object object;
    int status = CLI_OK;
    argp_parse(&argp, argc, argv, 0, NULL, &head);
    if (cli_attach(&object, head.names.names[0], head.names.other_users, &err))
        return cli_fail(head.names.names[0], &err);
    if (object.frame && head.names.json)
        cli_json_rows(object.frame, head.rows, head.columns);
    else if (object.frame)
        status = cli_print_rows(head.names.names[0], object.frame, head.rows, head.columns);
    else if (head.names.json)
        json_array(&head, object.array);
    else
        shmf_array_print(object.array, stdout);
    cli_object_free(&object);
    return status;
}

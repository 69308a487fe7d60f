/* Variables with one dimension as the columns of a frame. */
#include "frame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct column {
    struct shmfi_nc_variable variable;
    struct shmfi_nc_missing missing;
    struct shmfi_nc_texts texts; /* of text */
    struct shmfi_nc_pairs pairs;
    struct shmf_type type;
    bool text, unpack;
    char zone[128];
};

struct table {
    struct shmfi_nc *nc;
    const struct shmf_netcdf_options *options;
    struct column *columns;
    size_t n, room;
    bool named; /* the caller said which */
    struct shmfi_nc_labels labels;
};

static void free_table(struct table *table)
{
    for (size_t c = 0; c < table->n; c++) {
        shmfi_nc_free_texts(&table->columns[c].texts);
        shmfi_nc_free_pairs(&table->columns[c].pairs);
    }
    free(table->columns);
    shmfi_nc_free_labels(&table->labels);
}

/* ---- which variables ------------------------------------------------------------------------ */

static bool is_column(const struct shmfi_nc_variable *variable)
{
    return shmfi_nc_is_text(variable) ||
           (variable->n_dims == 1 && variable->dtype && variable->type != NC_CHAR);
}

static int add(struct table *table, const struct shmfi_nc_variable *variable)
{
    const struct shmfi_nc *nc = table->nc;
    if (table->n > 0 && variable->dims[0] != table->columns[0].variable.dims[0])
        return shmf_error_set(nc->err, SHMF_E_DTYPE,
                              "%.100s: %.50s and %.50s have different dimensions%s", nc->path,
                              table->columns[0].variable.name, variable->name,
                              table->named ? "" : ": say which variables");
    if (table->n == table->room) {
        const size_t room = table->room * 2 + 8;
        struct column *grown = realloc(table->columns, room * sizeof *grown);
        if (!grown)
            return shmfi_nc_said(nc, NC_ENOMEM, variable->name);
        table->columns = grown;
        table->room = room;
    }
    table->columns[table->n++] = (struct column){.variable = *variable};
    return SHMF_OK;
}

/* All that can be columns. */
static int add_all(struct table *table)
{
    int n = 0, rc = shmfi_nc_said(table->nc, nc_inq_nvars(table->nc->file, &n), NULL);
    const struct shmfi_nc quiet = {table->nc->file, table->nc->path, NULL};
    for (int id = 0; !rc && id < n; id++) {
        struct shmfi_nc_variable variable;
        if (!shmfi_nc_describe(&quiet, table->nc->file, id, &variable) && is_column(&variable))
            rc = add(table, &variable);
    }
    if (!rc && table->n == 0)
        rc = shmf_error_set(table->nc->err, SHMF_E_NOTFOUND,
                            "%.150s: no variable has one dimension: say which variable",
                            table->nc->path);
    return rc;
}

static int add_named(struct table *table, const char *const *names, size_t n)
{
    int rc = SHMF_OK;
    for (size_t i = 0; !rc && i < n; i++) {
        struct shmfi_nc_variable variable;
        rc = shmfi_nc_find(table->nc, names[i], &variable);
        if (!rc && !is_column(&variable))
            rc = shmf_error_set(table->nc->err, SHMF_E_DTYPE,
                                "%.120s: %.60s: %d dimensions, or a type that frames do not have",
                                table->nc->path, names[i], variable.n_dims);
        if (!rc)
            rc = add(table, &variable);
    }
    return rc;
}

/* The variable that labels the rows is no column, unless it is of floating numbers, or times. */
static int read_labels(struct table *table)
{
    struct shmfi_nc_variable of;
    struct shmf_type type = {0};
    char zone[128];
    const struct shmfi_nc_variable *first = &table->columns[0].variable;
    if (!shmfi_nc_find_labels(table->nc, first->group, first->dims[0], &of))
        return SHMF_OK;
    type.dtype = of.dtype;
    shmfi_nc_restore_type(&of, &type, zone);
    if (of.dtype == SHMF_FLOAT32 || of.dtype == SHMF_FLOAT64 || type.dtype != of.dtype)
        return SHMF_OK;
    for (size_t c = 0; c < table->n; c++)
        if (table->columns[c].variable.id == of.id && table->n > 1) {
            memmove(&table->columns[c], &table->columns[c + 1],
                    (table->n - c - 1) * sizeof *table->columns);
            table->n--;
            return shmfi_nc_read_labels(table->nc, &of, false, &table->labels);
        }
    return first->id == of.id ? SHMF_OK
                              : shmfi_nc_read_labels(table->nc, &of, false, &table->labels);
}

/* ---- columns ------------------------------------------------------------------------------ */

/* What a column is; text is read, since its size must be known. */
static int prepare(struct table *table, struct column *column)
{
    const struct shmfi_nc_variable *variable = &column->variable;
    double factor, offset;
    if (!shmfi_nc_add_attributes(&column->pairs, variable->group, variable->id))
        return shmfi_nc_said(table->nc, NC_ENOMEM, variable->name);
    column->text = shmfi_nc_is_text(variable);
    if (column->text) {
        int rc = shmfi_nc_read_texts(table->nc, variable, &column->texts);
        column->type.dtype = column->texts.size > INT32_MAX ? SHMF_LARGE_UTF8 : SHMF_UTF8;
        return rc;
    }
    column->type.dtype = variable->dtype;
    shmfi_nc_find_missing(variable, &column->missing);
    column->unpack =
        table->options && table->options->unpack && shmfi_nc_scale(variable, &factor, &offset);
    if (column->unpack) {
        column->type.dtype = SHMF_FLOAT64;
        if (column->missing.n)
            column->missing = (struct shmfi_nc_missing){1, {{.number = (double)NAN}}};
    } else {
        shmfi_nc_restore_type(variable, &column->type, column->zone);
    }
    return SHMF_OK;
}

static void fill_texts(struct shmf_frame *frame, int64_t c, const struct column *column)
{
    const struct shmfi_nc_texts *texts = &column->texts;
    char *to = shmf_frame_data_mut(frame, c);
    int64_t *wide = shmf_frame_offsets_mut(frame, c), at = 0;
    int32_t *narrow = (void *)wide;
    uint8_t *validity = shmf_frame_validity_mut(frame, c);
    for (size_t i = 0; i < texts->n; i++) {
        const char *text = texts->begins[i] < 0 ? "" : texts->bytes + texts->begins[i];
        const size_t size = strlen(text);
        memcpy(to + at, text, size);
        if (texts->begins[i] < 0)
            validity[i / 8] &= (uint8_t) ~(1u << i % 8);
        at += (int64_t)size;
        if (column->type.dtype == SHMF_LARGE_UTF8)
            wide[i + 1] = at;
        else
            narrow[i + 1] = (int32_t)at;
    }
}

static int fill(const struct table *table, struct shmf_frame *frame, int64_t c)
{
    static const size_t start[1];
    const struct column *column = &table->columns[c];
    const size_t n = column->variable.shape[0];
    void *data = shmf_frame_data_mut(frame, c);
    if (column->text) {
        fill_texts(frame, c, column);
        return SHMF_OK;
    }
    /* Booleans are bytes in the file, bits in the frame. */
    uint8_t *bytes = column->type.dtype == SHMF_BOOL ? malloc(n + 1) : NULL;
    int rc = column->type.dtype == SHMF_BOOL && !bytes
                 ? shmfi_nc_said(table->nc, NC_ENOMEM, column->variable.name)
                 : shmfi_nc_read(table->nc, &column->variable, start, &n, column->unpack,
                                 bytes ? bytes : data);
    if (!rc && bytes) {
        memset(data, 0, (n + 7) / 8);
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)data)[i / 8] |= (uint8_t)((bytes[i] == 1) << i % 8);
    }
    if (!rc)
        shmfi_nc_set_nulls(frame, c, bytes ? bytes : data, n, &column->missing,
                           column->unpack ? SHMF_FLOAT64 : column->variable.dtype);
    free(bytes);
    return rc;
}

static bool has_missing(const struct column *column)
{
    for (size_t i = 0; i < column->texts.n; i++)
        if (column->texts.begins[i] < 0)
            return true;
    return column->missing.n > 0;
}

static struct shmf_frame *make(struct table *table, const struct shmfi_nc_pairs *pairs)
{
    struct shmf_error err = {0};
    struct shmf_column_spec *columns = calloc(table->n, sizeof *columns);
    struct shmf_column_details *details = calloc(table->n, sizeof *details);
    struct shmf_frame *frame = NULL;
    for (size_t c = 0; columns && details && c < table->n; c++) {
        const struct column *column = &table->columns[c];
        columns[c] = (struct shmf_column_spec){column->variable.name, column->type.dtype,
                                               has_missing(column)};
        details[c] = (struct shmf_column_details){.type = column->type,
                                                  .data_size = (int64_t)column->texts.size,
                                                  .metadata = column->pairs.pairs,
                                                  .n_metadata = column->pairs.n};
    }
    const struct shmf_frame_spec spec = {.n_rows = (int64_t)table->columns[0].variable.shape[0],
                                         .n_columns = (int64_t)table->n,
                                         .columns = columns,
                                         .details = details,
                                         .row_labels = table->labels.pointers,
                                         .row_numbers = table->labels.numbers,
                                         .metadata = pairs->pairs,
                                         .n_metadata = pairs->n};
    if (columns && details)
        frame = shmf_frame_new(&spec, &err);
    if (!frame)
        shmfi_nc_core_said(table->nc, &err);
    free(columns);
    free(details);
    for (size_t c = 0; frame && c < table->n; c++)
        if (fill(table, frame, (int64_t)c)) {
            shmf_frame_free(frame);
            frame = NULL;
        }
    return shmfi_nc_finish(table->nc, frame);
}

static struct shmf_frame *read_table(struct table *table, const char *const *names, size_t n)
{
    struct shmf_frame *frame = NULL;
    struct shmfi_nc_pairs pairs = {0};
    int rc = names ? add_named(table, names, n) : add_all(table);
    if (!rc)
        rc = read_labels(table);
    for (size_t c = 0; !rc && c < table->n; c++)
        rc = prepare(table, &table->columns[c]);
    if (!rc && !shmfi_nc_add_attributes(&pairs, table->nc->file, NC_GLOBAL))
        rc = shmfi_nc_said(table->nc, NC_ENOMEM, NULL);
    if (!rc)
        frame = make(table, &pairs);
    shmfi_nc_free_pairs(&pairs);
    return frame;
}

struct shmf_frame *shmf_netcdf_frame(const char *path, const char *const *variables,
                                     size_t n_variables, const struct shmf_netcdf_options *options,
                                     struct shmf_error *err)
{
    struct shmfi_nc nc;
    struct shmfi_nc_variable first;
    struct shmf_frame *frame = NULL;
    struct table table = {.nc = &nc, .options = options, .named = variables != NULL};
    for (size_t i = 0; options && i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        if (options->reserved[i]) {
            shmf_error_set(err, SHMF_E_INVAL, "options.reserved[%zu]: not zero", i);
            return NULL;
        }
    if (!variables != !n_variables) {
        shmf_error_set(err, SHMF_E_INVAL, "variables, n_variables: one without the other");
        return NULL;
    }
    if (shmfi_nc_open(&nc, path, err))
        return NULL;
    const struct shmfi_nc quiet = {nc.file, path, NULL};
    if (n_variables == 1 && !shmfi_nc_find(&quiet, variables[0], &first) && first.n_dims == 2 &&
        first.dtype && first.type != NC_CHAR)
        frame = shmfi_nc_read_matrix(&nc, &first, options && options->unpack);
    else
        frame = read_table(&table, variables, n_variables);
    free_table(&table);
    shmfi_nc_close(&nc);
    return frame;
}

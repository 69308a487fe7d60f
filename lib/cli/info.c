/* shmframe info, describe and verify: one object, its columns, and whether its bytes are right. */
#include "cli.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = SHMF_NAME_MAX + sizeof "/dev/shm/shmf." };

static error_t parse_one(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    error_t rc = cli_option(key, state->input);
    return rc ? cli_arguments(key, state, state->input, 1, 1) : rc;
}

static error_t parse_many(int key, char *argument, struct argp_state *state)
{
    (void)argument;
    error_t rc = cli_option(key, state->input);
    return rc ? cli_arguments(key, state, state->input, 1, -1) : rc;
}

/* ---- info --------------------------------------------------------------------------------- */

/* Of a name, or of a reference to one; a descriptor has neither owner nor permissions of its
 * own. */
static bool look(const char *from, struct shmf_name_info *info)
{
    const char *prefix = "shmf:name:";
    const char *name = strncmp(from, prefix, strlen(prefix)) == 0 ? from + strlen(prefix) : from;
    return shmf_name_info(name, info, NULL) == 0;
}

static void info_of_object(const struct cli_object *object, const char *from,
                           struct shmf_name_info *info)
{
    *info = (struct shmf_name_info){.kind = object->frame ? SHMF_KIND_FRAME : SHMF_KIND_ARRAY,
                                    .n_dims = 2};
    snprintf(info->name, sizeof info->name, "%s", from);
    info->shape[0] = shmf_frame_rows(object->frame);
    info->shape[1] = shmf_frame_columns(object->frame);
    if (object->array) {
        info->n_dims = shmf_array_ndim(object->array);
        memcpy(info->shape, shmf_array_shape(object->array),
               (size_t)info->n_dims * sizeof(int64_t));
        info->dtype = shmf_array_dtype(object->array);
    }
}

/* Is what lies under the name an Arrow IPC file at once? `path` is where. */
static bool is_arrow(const struct shmf_name_info *info, char path[PATH_SIZE])
{
    static const char magic[8] = "ARROW1"; /* two NULs behind it */
    char start[sizeof magic];
    snprintf(path, PATH_SIZE, "/dev/shm/shmf.%s", info->name);
    int fd = info->state ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    bool is = fd >= 0 && pread(fd, start, sizeof start, 0) == (ssize_t)sizeof start &&
              memcmp(start, magic, sizeof magic) == 0;
    if (fd >= 0)
        close(fd);
    return is;
}

static void print_head(const struct shmf_name_info *info)
{
    char path[PATH_SIZE];
    char word[CLI_WORD];
    printf("name      %s\nkind      %s\n", info->name, cli_kind(info->kind));
    cli_shape(word, info->shape, info->n_dims);
    printf("shape     %s\n", word);
    if (info->dtype)
        printf("dtype     %s\n", shmf_dtype_name(info->dtype));
    if (!info->state)
        return;
    cli_size(word, info->size);
    printf("size      %s (%" PRId64 " bytes)\n", word, info->size);
    printf("state     %s\n", cli_state(info->state));
    if (info->pid)
        printf("owner     process %" PRId64 "\n", info->pid);
    cli_user(word, info->uid);
    printf("user      %s\nmode      %04o\n", word, info->mode & 07777);
    cli_time(word, info->modified);
    printf("since     %s\n", word);
    if (is_arrow(info, path))
        printf("arrow     %s is an Arrow IPC file, too\n", path);
}

static void print_metadata(const struct shmf_frame *frame, int64_t column)
{
    struct shmf_pair pair;
    for (int64_t i = 0; shmf_frame_metadata_at(frame, column, i, &pair) == 0; i++) {
        struct shmf_text label = shmf_frame_column_label(frame, column);
        static const char *const titles[] = {"OF", "METADATA", ""};
        struct cli_table table = {.titles = titles, .n_columns = 3};
        cli_cell_text(&table, column < 0 ? (struct shmf_text){"frame", 5} : label);
        cli_cell_text(&table, pair.key);
        cli_cell_text(&table, pair.value);
        putchar('\n');
        cli_table_print(&table, -1);
    }
}

static void print_columns(const struct shmf_frame *frame)
{
    static const char *const titles[] = {">COLUMN", "LABEL", "TYPE", ">NULLS", ">CATEGORIES"};
    struct cli_table table = {.titles = titles, .n_columns = 5};
    char word[CLI_WORD];
    printf("rows      labelled by %s\n\n", cli_row_labels(shmf_frame_row_labels(frame)));
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        struct shmf_column column;
        shmf_frame_column(frame, c, &column);
        cli_cell_int(&table, c);
        cli_cell_text(&table, shmf_frame_column_label(frame, c));
        cli_type(word, frame, c);
        cli_cell(&table, word);
        cli_cell_int(&table, column.null_count);
        if (column.dtype == SHMF_DICTIONARY)
            cli_cell_int(&table, shmf_frame_n_categories(frame, c));
        else
            cli_cell(&table, "-");
    }
    cli_table_print(&table, -1);
    for (int64_t c = -1; c < shmf_frame_columns(frame); c++)
        print_metadata(frame, c);
}

static void json_metadata(const struct shmf_frame *frame, int64_t column)
{
    struct shmf_pair pair;
    cli_json_key("metadata");
    cli_json_open('[');
    for (int64_t i = 0; shmf_frame_metadata_at(frame, column, i, &pair) == 0; i++) {
        cli_json_open('[');
        cli_json_text(pair.key);
        cli_json_text(pair.value);
        cli_json_close(']');
    }
    cli_json_close(']');
}

/* The file for readers of Arrow, or null. */
static void json_arrow(const struct shmf_name_info *info)
{
    char path[PATH_SIZE];
    cli_json_key("arrow");
    if (is_arrow(info, path))
        cli_json_string(path);
    else
        cli_json_null();
}

static void json_columns(const struct shmf_frame *frame)
{
    char word[CLI_WORD];
    cli_json_key("row_labels");
    cli_json_string(cli_row_labels(shmf_frame_row_labels(frame)));
    json_metadata(frame, -1);
    cli_json_key("columns");
    cli_json_open('[');
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        struct shmf_column column;
        shmf_frame_column(frame, c, &column);
        cli_json_open('{');
        cli_json_key("label");
        cli_json_text(shmf_frame_column_label(frame, c));
        cli_json_key("dtype");
        cli_json_string(shmf_dtype_name(column.dtype));
        cli_json_key("type");
        cli_type(word, frame, c);
        cli_json_string(word);
        cli_json_key("nulls");
        cli_json_int(column.null_count);
        if (column.dtype == SHMF_DICTIONARY) {
            cli_json_key("categories");
            cli_json_int(shmf_frame_n_categories(frame, c));
        }
        json_metadata(frame, c);
        cli_json_close('}');
    }
    cli_json_close(']');
}

int cli_info(int argc, char **argv)
{
    static const struct argp_option options[] = {CLI_OPTION_JSON, CLI_OPTION_OTHERS, {0}};
    static const struct argp argp = {.options = options,
                                     .parser = parse_one,
                                     .args_doc = "NAME",
                                     .doc = "Prints what is known about a named frame or array: "
                                            "shape, size, owner, columns, metadata."};
    struct cli_names names = {0};
    struct shmf_error err = {0};
    struct shmf_name_info info;
    struct cli_object object;
    argp_parse(&argp, argc, argv, 0, NULL, &names);
    if (cli_attach(&object, names.names[0], names.other_users, &err))
        return cli_fail(names.names[0], &err);
    if (!look(names.names[0], &info))
        info_of_object(&object, names.names[0], &info);
    if (names.json) {
        cli_json_open('{');
        cli_json_info(&info);
        json_arrow(&info);
        if (object.frame)
            json_columns(object.frame);
        cli_json_close('}');
    } else {
        print_head(&info);
        if (object.frame)
            print_columns(object.frame);
    }
    cli_object_free(&object);
    return CLI_OK;
}

/* ---- describe ----------------------------------------------------------------------------- */

static void json_summary(const struct shmf_frame *frame, int64_t c,
                         const struct shmf_summary *summary)
{
    struct shmf_column column;
    shmf_frame_column(frame, c, &column);
    cli_json_open('{');
    cli_json_key("label");
    cli_json_text(shmf_frame_column_label(frame, c));
    cli_json_key("dtype");
    cli_json_string(shmf_dtype_name(column.dtype));
    cli_json_key("count");
    cli_json_int(summary ? summary->count : column.n_rows - column.null_count);
    cli_json_key("nulls");
    cli_json_int(summary ? summary->nulls : column.null_count);
    static const char *const keys[] = {"mean", "std", "min", "max"};
    const double numbers[] = {summary ? summary->mean : NAN, summary ? summary->std : NAN,
                              summary ? summary->min : NAN, summary ? summary->max : NAN};
    for (int i = 0; i < 4; i++) {
        cli_json_key(keys[i]);
        if (isnan(numbers[i]))
            cli_json_null();
        else
            cli_json_double(numbers[i]);
    }
    cli_json_close('}');
}

/* Of whole numbers, the least and the greatest with all their digits. */
static void add_extreme(struct cli_table *table, double number)
{
    if (fabs(number) < 0x1p53 && number == trunc(number))
        cli_cell_int(table, (int64_t)number);
    else
        cli_cell_double(table, number);
}

static void add_summary(struct cli_table *table, const struct shmf_frame *frame, int64_t c,
                        const struct shmf_summary *summary)
{
    char word[CLI_WORD];
    struct shmf_column column;
    shmf_frame_column(frame, c, &column);
    cli_cell_text(table, shmf_frame_column_label(frame, c));
    cli_type(word, frame, c);
    cli_cell(table, word);
    cli_cell_int(table, summary ? summary->count : column.n_rows - column.null_count);
    cli_cell_int(table, summary ? summary->nulls : column.null_count);
    const double numbers[] = {summary ? summary->mean : NAN, summary ? summary->std : NAN,
                              summary ? summary->min : NAN, summary ? summary->max : NAN};
    for (int i = 0; i < 4; i++) {
        if (isnan(numbers[i]))
            cli_cell(table, "-");
        else if (i < 2)
            cli_cell_double(table, numbers[i]);
        else
            add_extreme(table, numbers[i]);
    }
}

int cli_describe(int argc, char **argv)
{
    static const struct argp_option options[] = {CLI_OPTION_JSON, CLI_OPTION_OTHERS, {0}};
    static const struct argp argp = {
        .options = options,
        .parser = parse_one,
        .args_doc = "NAME",
        .doc = "Prints of each column of a frame how many values it has, how many nulls (NaN "
               "counts as "
               "one), and of numbers mean, standard deviation, least and greatest."};
    static const char *const titles[] = {"COLUMN", "TYPE", ">COUNT", ">NULLS",
                                         ">MEAN",  ">STD", ">MIN",   ">MAX"};
    struct cli_table table = {.titles = titles, .n_columns = 8};
    struct cli_names names = {0};
    argp_parse(&argp, argc, argv, 0, NULL, &names);
    struct shmf_frame *frame = cli_frame(names.names[0], names.other_users);
    if (!frame)
        return CLI_FAILED;
    if (names.json)
        cli_json_open('[');
    for (int64_t c = 0; c < shmf_frame_columns(frame); c++) {
        struct shmf_summary summary;
        bool numbers = shmf_frame_summarize(frame, c, &summary) == 0;
        if (names.json)
            json_summary(frame, c, numbers ? &summary : NULL);
        else
            add_summary(&table, frame, c, numbers ? &summary : NULL);
    }
    if (names.json)
        cli_json_close(']');
    else
        cli_table_print(&table, -1);
    shmf_frame_free(frame);
    return CLI_OK;
}

/* ---- verify ------------------------------------------------------------------------------- */

static int verify(const struct cli_names *names, const char *name)
{
    struct shmf_error err = {0};
    struct cli_object object;
    char shape[CLI_WORD];
    struct shmf_name_info info;
    int rc = cli_attach(&object, name, names->other_users, &err);
    if (!rc && object.frame)
        rc = shmf_frame_validate(object.frame, SHMF_VALIDATE_FULL, &err);
    if (names->json) {
        cli_json_open('{');
        cli_json_key("name");
        cli_json_string(name);
        cli_json_key("valid");
        cli_json_bool(rc == 0);
        cli_json_key("reason");
        cli_json_text(rc ? (struct shmf_text){err.message, (int64_t)strlen(err.message)}
                         : (struct shmf_text){0});
        cli_json_close('}');
    } else if (!rc) {
        info_of_object(&object, name, &info);
        cli_shape(shape, info.shape, info.n_dims);
        printf("%s: %s of %s, nothing is wrong\n", name, cli_kind(info.kind), shape);
    }
    cli_object_free(&object);
    return rc ? cli_fail(name, &err) : CLI_OK;
}

int cli_verify(int argc, char **argv)
{
    static const struct argp_option options[] = {CLI_OPTION_JSON, CLI_OPTION_OTHERS, {0}};
    static const struct argp argp = {.options = options,
                                     .parser = parse_many,
                                     .args_doc = "NAME...",
                                     .doc = "Checks headers, offsets, texts, categories, null "
                                            "counts, labels and their indexes. What is "
                                            "wrong is named, and the exit status is 1."};
    struct cli_names names = {0};
    int status = CLI_OK;
    argp_parse(&argp, argc, argv, 0, NULL, &names);
    if (names.json)
        cli_json_open('[');
    for (int i = 0; i < names.n_names; i++) {
        int one = verify(&names, names.names[i]);
        status = one ? one : status;
    }
    if (names.json)
        cli_json_close(']');
    return status;
}

/* Frames' types as ArrowSchema. Each node owns one piece of private memory with all that it shows,
 * so that it can be moved and released apart from its parent. */
#include "export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a node is made of. */
struct node {
    const char *format;
    struct shmf_text zone; /* behind the format */
    struct shmf_text name;
    const struct shmf_pair *pairs;
    int64_t n_pairs;
    int64_t flags;
    int64_t n_children;
    bool has_dictionary;
};

/* Its memory: this, and behind it pointers to the children, format, name, metadata. */
struct memory {
    struct ArrowSchema dictionary;
    struct ArrowSchema *children_at;
    struct ArrowSchema children[];
};

static void release_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++)
        if (schema->children[i]->release)
            schema->children[i]->release(schema->children[i]);
    if (schema->dictionary && schema->dictionary->release)
        schema->dictionary->release(schema->dictionary);
    free(schema->private_data);
    schema->release = NULL;
}

static char *put(char **to, struct shmf_text text)
{
    char *at = *to;
    if (text.size > 0)
        memcpy(at, text.data, (size_t)text.size);
    *to += text.size;
    return at;
}

/* The children and the dictionary are there, but released: whoever makes them fills them in. */
static int make_node(const struct node *node, struct ArrowSchema *schema)
{
    size_t n = (size_t)node->n_children, pairs = 0;
    struct shmf_text format = {node->format, (int64_t)strlen(node->format)};
    if (node->n_pairs > 0)
        pairs = shmfi_arrow_pairs_write(node->pairs, node->n_pairs, NULL);
    size_t texts = (size_t)(format.size + node->zone.size + node->name.size) + 2;
    struct memory *memory = calloc(1, sizeof *memory + n * sizeof memory->children[0] +
                                          n * sizeof(struct ArrowSchema *) + texts + pairs);
    if (!memory)
        return SHMF_E_NOMEM;
    struct ArrowSchema **children = (void *)(memory->children + n);
    char *to = (void *)(children + n);
    *schema = (struct ArrowSchema){.flags = node->flags,
                                   .n_children = node->n_children,
                                   .release = release_schema,
                                   .private_data = memory};
    for (size_t i = 0; i < n; i++)
        children[i] = &memory->children[i];
    schema->children = n ? children : NULL;
    schema->dictionary = node->has_dictionary ? &memory->dictionary : NULL;
    schema->format = put(&to, format);
    put(&to, node->zone);
    *to++ = '\0';
    schema->name = put(&to, node->name);
    *to++ = '\0';
    if (pairs) {
        schema->metadata = to;
        shmfi_arrow_pairs_write(node->pairs, node->n_pairs, to);
    }
    return SHMF_OK;
}

/* ---- formats ------------------------------------------------------------------------------ */

static const char *const plain_formats[] = {
    [SHMF_BOOL] = "b",         [SHMF_INT8] = "c",       [SHMF_INT16] = "s",
    [SHMF_INT32] = "i",        [SHMF_INT64] = "l",      [SHMF_UINT8] = "C",
    [SHMF_UINT16] = "S",       [SHMF_UINT32] = "I",     [SHMF_UINT64] = "L",
    [SHMF_FLOAT16] = "e",      [SHMF_FLOAT32] = "f",    [SHMF_FLOAT64] = "g",
    [SHMF_UTF8] = "u",         [SHMF_LARGE_UTF8] = "U", [SHMF_BINARY] = "z",
    [SHMF_DATE32] = "tdD",     [SHMF_DATE64] = "tdm",   [SHMF_COMPLEX64] = "+w:2",
    [SHMF_COMPLEX128] = "+w:2"};

static void format_of(const struct shmf_type *type, char *to, size_t size)
{
    static const char units[] = " smun";
    char unit = units[type->unit <= SHMF_NANOSECONDS ? type->unit : 0];
    switch (type->dtype) {
    case SHMF_FIXED_BINARY:
        snprintf(to, size, "w:%u", type->width);
        break;
    case SHMF_TIME32:
    case SHMF_TIME64:
        snprintf(to, size, "tt%c", unit);
        break;
    case SHMF_TIMESTAMP:
        snprintf(to, size, "ts%c:", unit);
        break;
    case SHMF_DURATION:
        snprintf(to, size, "tD%c", unit);
        break;
    case SHMF_DECIMAL128:
        snprintf(to, size, "d:%d,%d", type->precision, type->scale);
        break;
    case SHMF_DICTIONARY:
        snprintf(to, size, "%s", plain_formats[type->index_dtype]);
        break;
    default:
        snprintf(to, size, "%s", plain_formats[type->dtype]);
        break;
    }
}

/* ---- fields ------------------------------------------------------------------------------- */

/* The pairs of a column (-1: of the frame), and room for one more behind them; to be freed. */
static struct shmf_pair *pairs_of(const struct shmf_frame *frame, int64_t column, int64_t *n)
{
    int64_t all = shmf_frame_n_metadata(frame, column);
    struct shmf_pair *pairs = calloc((size_t)all + 1, sizeof *pairs);
    for (*n = 0; pairs && *n < all; ++*n)
        if (shmf_frame_metadata_at(frame, column, *n, &pairs[*n]))
            break;
    return pairs;
}

static struct shmf_pair pair_of(const char *key, const char *value)
{
    return (struct shmf_pair){{key, (int64_t)strlen(key)}, {value, (int64_t)strlen(value)}};
}

static bool is_complex(enum shmf_dtype dtype)
{
    return dtype == SHMF_COMPLEX64 || dtype == SHMF_COMPLEX128;
}

/* What hangs on a field: the parts of complex numbers, the values of a dictionary. */
static int make_below(const struct shmf_frame *frame, int64_t column, const struct shmf_type *type,
                      struct ArrowSchema *schema)
{
    if (is_complex(type->dtype)) {
        const struct node part = {.format = type->dtype == SHMF_COMPLEX64 ? "f" : "g",
                                  .name = {"item", 4}};
        return make_node(&part, schema->children[0]);
    }
    if (type->dtype == SHMF_DICTIONARY) {
        struct shmf_column values;
        int rc = shmf_frame_categories(frame, column, &values);
        const struct node node = {.format = rc ? "" : plain_formats[values.dtype],
                                  .flags = ARROW_FLAG_NULLABLE};
        return rc ? rc : make_node(&node, schema->dictionary);
    }
    return SHMF_OK;
}

static int make_field(const struct shmf_frame *frame, int64_t column, struct ArrowSchema *schema)
{
    struct shmf_type type;
    char format[48];
    int rc = shmf_frame_type(frame, column, &type);
    if (rc)
        return rc;
    struct node node = {.format = format,
                        .zone = type.zone,
                        .name = shmf_frame_column_label(frame, column),
                        .flags = ARROW_FLAG_NULLABLE,
                        .n_children = is_complex(type.dtype),
                        .has_dictionary = type.dtype == SHMF_DICTIONARY};
    if (node.name.data && memchr(node.name.data, 0, (size_t)node.name.size))
        return SHMF_E_UNSUPPORTED;
    struct shmf_pair *pairs = pairs_of(frame, column, &node.n_pairs);
    if (!pairs)
        return SHMF_E_NOMEM;
    format_of(&type, format, sizeof format);
    if (type.dtype == SHMF_DICTIONARY && type.ordered)
        node.flags |= ARROW_FLAG_DICTIONARY_ORDERED;
    if (is_complex(type.dtype))
        pairs[node.n_pairs++] = pair_of(SHMFI_ARROW_COMPLEX, shmf_dtype_name(type.dtype));
    node.pairs = pairs;
    rc = make_node(&node, schema);
    free(pairs);
    return rc ? rc : make_below(frame, column, &type, schema);
}

/* The mark lets an import find them again. */
static int make_labels(const struct shmf_frame *frame, const char *name, struct ArrowSchema *schema)
{
    const struct shmf_pair mark = pair_of(SHMFI_ARROW_ROW_LABELS, "");
    struct shmf_column labels = {.dtype = SHMF_INT64};
    shmf_frame_row_label_column(frame, &labels);
    const struct node node = {.format = plain_formats[labels.dtype],
                              .name = {name, (int64_t)strlen(name)},
                              .pairs = &mark,
                              .n_pairs = 1};
    return make_node(&node, schema);
}

static int make_schema(const struct shmf_frame *frame, const char *row_labels,
                       struct ArrowSchema *schema)
{
    int64_t n = shmf_frame_columns(frame);
    struct node root = {.format = "+s", .n_children = n + (row_labels != NULL)};
    struct shmf_pair *pairs = pairs_of(frame, -1, &root.n_pairs);
    if (!pairs)
        return SHMF_E_NOMEM;
    root.pairs = pairs;
    int rc = make_node(&root, schema);
    free(pairs);
    if (rc)
        return rc;
    for (int64_t c = 0; c < n && !rc; c++)
        rc = make_field(frame, c, schema->children[c]);
    if (row_labels && !rc)
        rc = make_labels(frame, row_labels, schema->children[n]);
    if (rc)
        release_schema(schema);
    return rc;
}

int shmfi_arrow_check_export(const struct shmf_frame *frame,
                             const struct shmf_arrow_export_options *options, const void *to,
                             struct shmf_error *err)
{
    if (!frame || !to)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", frame ? "to be filled" : "frame");
    if (options && options->batch_rows < 0)
        return shmf_error_set(err, SHMF_E_INVAL, "options.batch_rows: %lld",
                              (long long)options->batch_rows);
    return options ? shmfi_arrow_check_reserved(options->reserved, 4, err) : SHMF_OK;
}

int shmf_arrow_export_schema(const struct shmf_frame *frame,
                             const struct shmf_arrow_export_options *options,
                             struct ArrowSchema *schema, struct shmf_error *err)
{
    struct ArrowSchema made;
    int rc = shmfi_arrow_check_export(frame, options, schema, err);
    if (rc)
        return rc;
    rc = make_schema(frame, options ? options->row_labels : NULL, &made);
    if (rc == SHMF_E_NOMEM)
        return shmfi_arrow_no_memory(err);
    if (rc)
        return shmf_error_set(err, rc, "a column's label has a NUL byte, or its type is broken");
    *schema = made;
    return SHMF_OK;
}

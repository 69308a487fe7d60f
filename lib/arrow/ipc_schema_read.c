/* Schema -> ArrowSchema, and the formats. */
#include "ipc_read.h"

#include <stdio.h>
#include <string.h>

static void release(struct ArrowSchema *schema)
{
    schema->release = NULL; /* all memory is the reader's */
}

static int wrong(struct shmfi_ipc_reader *reader, size_t at)
{
    return shmfi_ipc_corrupt(reader, at, "schema");
}

/* ---- text --------------------------------------------------------------------------------- */

static int read_name(struct shmfi_ipc_reader *reader, const struct shmfi_table *table,
                     unsigned field, size_t at, const char **name)
{
    const char *text;
    size_t size;
    if (!shmfi_table_string(table, field, &text, &size))
        return wrong(reader, at);
    if (size > 0 && memchr(text, 0, size))
        return shmf_error_set(reader->err, SHMF_E_UNSUPPORTED,
                              "byte %zu: a field's name or zone with a NUL byte", at);
    char *copy = shmfi_ipc_allocate(reader, size + 1, 1);
    if (!copy)
        return SHMF_E_NOMEM;
    if (size > 0)
        memcpy(copy, text, size);
    *name = copy;
    return SHMF_OK;
}

static int read_pairs(struct shmfi_ipc_reader *reader, const struct shmfi_table *table,
                      unsigned field, size_t at, const char **metadata)
{
    struct shmfi_vector all;
    if (!shmfi_table_vector(table, field, 4, &all))
        return wrong(reader, at);
    if (all.n == 0)
        return SHMF_OK;
    struct shmf_pair *pairs = shmfi_ipc_allocate(reader, all.n, sizeof *pairs);
    if (!pairs)
        return SHMF_E_NOMEM;
    uint64_t total = 0; /* vectors may lead to the same strings again and again */
    for (size_t i = 0; i < all.n; i++) {
        struct shmfi_table pair;
        size_t key, value;
        if (!shmfi_vector_table(&all, i, &pair) ||
            !shmfi_table_string(&pair, 0, &pairs[i].key.data, &key) ||
            !shmfi_table_string(&pair, 1, &pairs[i].value.data, &value))
            return wrong(reader, at);
        pairs[i].key.size = (int64_t)key;
        pairs[i].value.size = (int64_t)value;
        total += key + value;
        if (total > INT32_MAX)
            return shmfi_ipc_corrupt(reader, at, "schema: metadata of more than 2^31 - 1 bytes");
    }
    char *copy =
        shmfi_ipc_allocate(reader, shmfi_arrow_pairs_write(pairs, (int64_t)all.n, NULL), 1);
    if (!copy)
        return SHMF_E_NOMEM;
    shmfi_arrow_pairs_write(pairs, (int64_t)all.n, copy);
    *metadata = copy;
    return SHMF_OK;
}

/* ---- types -------------------------------------------------------------------------------- */

/* The letter of a number in a list; '?' for others, which no format has. */
static char letter(const char *letters, int64_t number)
{
    return number >= 0 && (size_t)number < strlen(letters) ? letters[number] : '?';
}

static char int_letter(int64_t bits, int64_t is_signed)
{
    static const char letters[2][5] = {"CSIL", "csil"};
    int which = bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : bits == 64 ? 3 : 4;
    return which < 4 ? letters[is_signed != 0][which] : '?';
}

/* Formats that have a number; "" of a type that frames do not have. */
static void format_with(int64_t kind, const int64_t v[3], const char *zone, char *to, size_t size)
{
    static const char units[] = "smun";
    switch (kind) {
    case SHMFI_IPC_INT:
        snprintf(to, size, "%c", int_letter(v[0], v[1]));
        break;
    case SHMFI_IPC_FLOAT:
        snprintf(to, size, "%c", letter("efg", v[0]));
        break;
    case SHMFI_IPC_DECIMAL:
        snprintf(to, size, "d:%lld,%lld,%lld", (long long)v[0], (long long)v[1], (long long)v[2]);
        break;
    case SHMFI_IPC_DATE:
        snprintf(to, size, "td%c", letter("Dm", v[0]));
        break;
    case SHMFI_IPC_TIME:
        snprintf(to, size, "tt%c", (v[0] < 2) == (v[1] == 32) ? letter(units, v[0]) : '?');
        break;
    case SHMFI_IPC_TIMESTAMP:
        snprintf(to, size, "ts%c:%s", letter(units, v[0]), zone);
        break;
    case SHMFI_IPC_DURATION:
        snprintf(to, size, "tD%c", letter(units, v[0]));
        break;
    case SHMFI_IPC_FIXED_BINARY:
        snprintf(to, size, "w:%lld", (long long)v[0]);
        break;
    case SHMFI_IPC_FIXED_LIST:
        snprintf(to, size, "+w:%lld", (long long)v[0]);
        break;
    default:
        break;
    }
}

static const char *plain_format(int64_t kind)
{
    switch (kind) {
    case SHMFI_IPC_NULL:
        return "n";
    case SHMFI_IPC_BINARY:
        return "z";
    case SHMFI_IPC_UTF8:
        return "u";
    case SHMFI_IPC_BOOL:
        return "b";
    case SHMFI_IPC_LARGE_BINARY:
        return "Z";
    case SHMFI_IPC_LARGE_UTF8:
        return "U";
    case SHMFI_IPC_BINARY_VIEW:
        return "vz";
    case SHMFI_IPC_UTF8_VIEW:
        return "vu";
    default:
        return NULL;
    }
}

/* The numbers of a type's table: their sizes and what they are when absent. */
static const struct {
    size_t size;
    int64_t absent;
} numbers_of[][3] = {
    [SHMFI_IPC_INT] = {{4, 0}, {1, 0}},
    [SHMFI_IPC_FLOAT] = {{2, 0}},
    [SHMFI_IPC_DECIMAL] = {{4, 0}, {4, 0}, {4, 128}},
    [SHMFI_IPC_DATE] = {{2, 1}},
    [SHMFI_IPC_TIME] = {{2, 1}, {4, 32}},
    [SHMFI_IPC_TIMESTAMP] = {{2, 0}},
    [SHMFI_IPC_FIXED_BINARY] = {{4, 0}},
    [SHMFI_IPC_FIXED_LIST] = {{4, 0}},
    [SHMFI_IPC_DURATION] = {{2, 1}},
};

static int read_format(struct shmfi_ipc_reader *reader, const struct shmfi_table *type,
                       int64_t kind, size_t at, const char **format)
{
    int64_t v[3] = {0};
    const char *zone = "";
    *format = plain_format(kind);
    if (*format)
        return SHMF_OK;
    if (kind < 0 || (size_t)kind >= sizeof numbers_of / sizeof numbers_of[0] ||
        !numbers_of[kind][0].size) {
        *format = "+"; /* nested, or one that is not known: refused with the field's name */
        return SHMF_OK;
    }
    for (unsigned i = 0; i < 3 && numbers_of[kind][i].size; i++)
        if (!shmfi_table_number(type, i, numbers_of[kind][i].size, numbers_of[kind][i].absent,
                                &v[i]))
            return wrong(reader, at);
    int rc = kind == SHMFI_IPC_TIMESTAMP ? read_name(reader, type, 1, at, &zone) : SHMF_OK;
    size_t size = strlen(zone) + 80;
    char *made = rc ? NULL : shmfi_ipc_allocate(reader, size, 1);
    if (!made)
        return rc ? rc : SHMF_E_NOMEM;
    format_with(kind, v, zone, made, size);
    *format = made;
    return SHMF_OK;
}

/* ---- fields ------------------------------------------------------------------------------- */

/* A node with room for `n` children. */
static int make_node(struct shmfi_ipc_reader *reader, size_t n, struct ArrowSchema *schema)
{
    struct ArrowSchema *children = shmfi_ipc_allocate(reader, n, sizeof *children);
    struct ArrowSchema **pointers = shmfi_ipc_allocate(reader, n, sizeof *pointers);
    if (!children || !pointers)
        return SHMF_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        pointers[i] = &children[i];
    *schema =
        (struct ArrowSchema){.n_children = (int64_t)n, .children = pointers, .release = release};
    return SHMF_OK;
}

/* The format becomes that of the indexes, and what it was that of the dictionary. */
static int read_encoding(struct shmfi_ipc_reader *reader, const struct shmfi_table *encoding,
                         size_t at, struct ArrowSchema *schema, int64_t *id)
{
    struct shmfi_table index;
    int64_t ordered;
    if (!shmfi_table_number(encoding, SHMFI_ENCODING_ID, 8, 0, id) ||
        !shmfi_table_number(encoding, SHMFI_ENCODING_ORDERED, 1, 0, &ordered) ||
        !shmfi_table_table(encoding, SHMFI_ENCODING_INDEX, &index))
        return wrong(reader, at);
    if (*id < 0)
        return shmfi_ipc_corrupt(reader, at, "schema: dictionary with the id %lld", (long long)*id);
    struct ArrowSchema *values = shmfi_ipc_allocate(reader, 1, sizeof *values);
    if (!values)
        return SHMF_E_NOMEM;
    *values = (struct ArrowSchema){.format = schema->format, .name = "", .release = release};
    schema->dictionary = values;
    schema->flags |= ordered ? ARROW_FLAG_DICTIONARY_ORDERED : 0;
    schema->format = "i";
    return index.size ? read_format(reader, &index, SHMFI_IPC_INT, at, &schema->format) : SHMF_OK;
}

/* `depth`: below a list of two there is one level more, and no other has a meaning here. */
static int read_field(struct shmfi_ipc_reader *reader, const struct shmfi_table *field, size_t at,
                      int depth, struct ArrowSchema *schema, int64_t *id)
{
    struct shmfi_table type, encoding;
    struct shmfi_vector children;
    int64_t kind, nullable;
    *id = -1;
    if (!shmfi_table_number(field, SHMFI_FIELD_KIND, 1, 0, &kind) ||
        !shmfi_table_number(field, SHMFI_FIELD_NULLABLE, 1, 0, &nullable) ||
        !shmfi_table_table(field, SHMFI_FIELD_TYPE, &type) ||
        !shmfi_table_table(field, SHMFI_FIELD_DICTIONARY, &encoding) ||
        !shmfi_table_vector(field, SHMFI_FIELD_CHILDREN, 4, &children))
        return wrong(reader, at);
    size_t n = kind == SHMFI_IPC_FIXED_LIST && depth == 0 && children.n == 1;
    int rc = make_node(reader, n, schema);
    if (!rc)
        rc = read_name(reader, field, SHMFI_FIELD_NAME, at, &schema->name);
    if (!rc)
        rc = read_pairs(reader, field, SHMFI_FIELD_METADATA, at, &schema->metadata);
    if (!rc)
        rc = read_format(reader, &type, kind, at, &schema->format);
    schema->flags |= nullable ? ARROW_FLAG_NULLABLE : 0;
    if (!rc && encoding.size)
        rc = read_encoding(reader, &encoding, at, schema, id);
    for (size_t i = 0; i < n && !rc; i++) {
        struct shmfi_table child;
        int64_t unused;
        rc = shmfi_vector_table(&children, i, &child)
                 ? read_field(reader, &child, at, depth + 1, schema->children[i], &unused)
                 : wrong(reader, at);
    }
    return rc;
}

int shmfi_ipc_read_schema(struct shmfi_ipc_reader *reader, const struct shmfi_table *table,
                          size_t at)
{
    struct shmfi_vector fields;
    int64_t endianness;
    if (reader->schema.release)
        return shmfi_ipc_corrupt(reader, at, "a second schema");
    if (!shmfi_table_number(table, SHMFI_SCHEMA_ENDIANNESS, 2, 0, &endianness) ||
        !shmfi_table_vector(table, SHMFI_SCHEMA_FIELDS, 4, &fields))
        return wrong(reader, at);
    if (endianness != 0)
        return shmf_error_set(reader->err, SHMF_E_UNSUPPORTED, "byte %zu: big-endian data", at);
    int rc = make_node(reader, fields.n, &reader->schema);
    if (!rc)
        rc = read_pairs(reader, table, SHMFI_SCHEMA_METADATA, at, &reader->schema.metadata);
    reader->schema.format = "+s";
    reader->fields = shmfi_ipc_allocate(reader, fields.n, sizeof reader->fields[0]);
    if (!reader->fields)
        return SHMF_E_NOMEM;
    for (size_t i = 0; i < fields.n && !rc; i++) {
        struct shmfi_table field;
        struct shmfi_ipc_field *own = &reader->fields[i];
        rc = shmfi_vector_table(&fields, i, &field)
                 ? read_field(reader, &field, at, 0, reader->schema.children[i], &own->id)
                 : wrong(reader, at);
        if (!rc)
            rc = shmfi_arrow_type(reader->schema.children[i], &own->type, reader->err);
    }
    return rc;
}

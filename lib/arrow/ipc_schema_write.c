/* ArrowSchema -> Schema. The formats are those of our own exports. */
#include "flat_write.h"
#include "ipc_format.h"

#include <string.h>

static size_t put_pairs(struct shmfi_flat *flat, const char *metadata)
{
    struct shmfi_arrow_pairs pairs = shmfi_arrow_pairs_begin(metadata);
    struct shmf_pair pair;
    size_t vector = shmfi_flat_vector(flat, (size_t)pairs.left, 4);
    for (size_t i = 0; shmfi_arrow_pairs_next(&pairs, &pair); i++) {
        size_t where[2];
        const struct shmfi_flat_field fields[] = {{4, 0}, {4, 0}};
        size_t table = shmfi_flat_table(flat, fields, 2, where);
        shmfi_flat_point(flat, vector + 4 + 4 * i, table);
        shmfi_flat_point(flat, where[0], shmfi_flat_string(flat, pair.key));
        shmfi_flat_point(flat, where[1], shmfi_flat_string(flat, pair.value));
    }
    return vector;
}

/* A type's table: at most three numbers. `kind` is its number in the union. */
struct type {
    int kind;
    struct shmfi_flat_field fields[3];
    unsigned n;
    struct shmf_text zone;
};

static struct type int_type(enum shmf_dtype dtype)
{
    return (struct type){
        .kind = SHMFI_IPC_INT,
        .fields = {{4, (int64_t)shmf_dtype_size(dtype) * 8}, {1, dtype < SHMF_UINT8}},
        .n = 2};
}

static struct type kind_alone(int kind)
{
    return (struct type){.kind = kind};
}

static struct type kind_and(int kind, unsigned size, int64_t value)
{
    return (struct type){.kind = kind, .fields = {{size, value}}, .n = 1};
}

static struct type type_of(const struct shmf_type *type)
{
    int64_t unit = (int64_t)type->unit - SHMF_SECONDS;
    switch (type->dtype) {
    case SHMF_BOOL:
        return kind_alone(SHMFI_IPC_BOOL);
    case SHMF_FLOAT16:
    case SHMF_FLOAT32:
    case SHMF_FLOAT64:
        return kind_and(SHMFI_IPC_FLOAT, 2, type->dtype - SHMF_FLOAT16);
    case SHMF_COMPLEX64:
    case SHMF_COMPLEX128:
        return kind_and(SHMFI_IPC_FIXED_LIST, 4, 2);
    case SHMF_UTF8:
        return kind_alone(SHMFI_IPC_UTF8);
    case SHMF_LARGE_UTF8:
        return kind_alone(SHMFI_IPC_LARGE_UTF8);
    case SHMF_BINARY:
        return kind_alone(SHMFI_IPC_BINARY);
    case SHMF_FIXED_BINARY:
        return kind_and(SHMFI_IPC_FIXED_BINARY, 4, type->width);
    case SHMF_DATE32:
    case SHMF_DATE64:
        return kind_and(SHMFI_IPC_DATE, 2, type->dtype - SHMF_DATE32);
    case SHMF_TIME32:
    case SHMF_TIME64:
        return (struct type){.kind = SHMFI_IPC_TIME,
                             .fields = {{2, unit}, {4, type->dtype == SHMF_TIME32 ? 32 : 64}},
                             .n = 2};
    case SHMF_TIMESTAMP:
        return (struct type){.kind = SHMFI_IPC_TIMESTAMP,
                             .fields = {{2, unit}, {type->zone.data ? 4 : 0, 0}},
                             .n = 2,
                             .zone = type->zone};
    case SHMF_DURATION:
        return kind_and(SHMFI_IPC_DURATION, 2, unit);
    case SHMF_DECIMAL128:
        return (struct type){.kind = SHMFI_IPC_DECIMAL,
                             .fields = {{4, type->precision}, {4, type->scale}, {4, 128}},
                             .n = 3};
    default:
        return int_type(type->dtype);
    }
}

static size_t put_type(struct shmfi_flat *flat, const struct type *type)
{
    size_t where[3], table = shmfi_flat_table(flat, type->fields, type->n, where);
    if (type->zone.data)
        shmfi_flat_point(flat, where[1], shmfi_flat_string(flat, type->zone));
    return table;
}

static size_t put_encoding(struct shmfi_flat *flat, int64_t id, const struct shmf_type *type)
{
    size_t where[3];
    const struct shmfi_flat_field fields[] = {
        [SHMFI_ENCODING_ID] = {8, id},
        [SHMFI_ENCODING_INDEX] = {4, 0},
        [SHMFI_ENCODING_ORDERED] = {1, type->ordered},
    };
    const struct type index = int_type(type->index_dtype);
    size_t table = shmfi_flat_table(flat, fields, 3, where);
    shmfi_flat_point(flat, where[SHMFI_ENCODING_INDEX], put_type(flat, &index));
    return table;
}

/* The type of a dictionary's field is that of its values. */
static size_t put_field(struct shmfi_flat *flat, const struct ArrowSchema *field, int64_t id)
{
    struct shmfi_arrow_type own, below;
    size_t where[7];
    shmfi_arrow_type(field, &own, NULL); /* made by our own export: it is fine */
    if (field->dictionary)
        shmfi_arrow_type(field->dictionary, &below, NULL);
    const struct type type = type_of(field->dictionary ? &below.type : &own.type);
    const struct shmfi_flat_field fields[] = {
        [SHMFI_FIELD_NAME] = {4, 0},
        [SHMFI_FIELD_NULLABLE] = {1, (field->flags & ARROW_FLAG_NULLABLE) != 0},
        [SHMFI_FIELD_KIND] = {1, type.kind},
        [SHMFI_FIELD_TYPE] = {4, 0},
        [SHMFI_FIELD_DICTIONARY] = {field->dictionary ? 4 : 0, 0},
        [SHMFI_FIELD_CHILDREN] = {4, 0},
        [SHMFI_FIELD_METADATA] = {field->metadata ? 4 : 0, 0},
    };
    size_t table = shmfi_flat_table(flat, fields, 7, where);
    const char *name = shmfi_arrow_name(field);
    shmfi_flat_point(flat, where[SHMFI_FIELD_NAME],
                     shmfi_flat_string(flat, (struct shmf_text){name, (int64_t)strlen(name)}));
    shmfi_flat_point(flat, where[SHMFI_FIELD_TYPE], put_type(flat, &type));
    if (field->dictionary)
        shmfi_flat_point(flat, where[SHMFI_FIELD_DICTIONARY], put_encoding(flat, id, &own.type));
    size_t children = shmfi_flat_vector(flat, (size_t)field->n_children, 4);
    shmfi_flat_point(flat, where[SHMFI_FIELD_CHILDREN], children);
    for (int64_t i = 0; i < field->n_children; i++)
        shmfi_flat_point(flat, children + 4 + 4 * (size_t)i,
                         put_field(flat, field->children[i], -1));
    if (field->metadata)
        shmfi_flat_point(flat, where[SHMFI_FIELD_METADATA], put_pairs(flat, field->metadata));
    return table;
}

size_t shmfi_ipc_put_schema_table(struct shmfi_flat *flat, const struct ArrowSchema *schema,
                                  const int64_t *ids)
{
    size_t where[3];
    int64_t next_id = 0;
    const struct shmfi_flat_field fields[] = {
        [SHMFI_SCHEMA_ENDIANNESS] = {2, 0},
        [SHMFI_SCHEMA_FIELDS] = {4, 0},
        [SHMFI_SCHEMA_METADATA] = {schema->metadata ? 4 : 0, 0},
    };
    size_t table = shmfi_flat_table(flat, fields, 3, where);
    size_t children = shmfi_flat_vector(flat, (size_t)schema->n_children, 4);
    shmfi_flat_point(flat, where[SHMFI_SCHEMA_FIELDS], children);
    for (int64_t i = 0; i < schema->n_children; i++) {
        bool numbered = schema->children[i]->dictionary && !ids;
        int64_t id = ids ? ids[i] : numbered ? next_id++ : -1;
        shmfi_flat_point(flat, children + 4 + 4 * (size_t)i,
                         put_field(flat, schema->children[i], id));
    }
    if (schema->metadata)
        shmfi_flat_point(flat, where[SHMFI_SCHEMA_METADATA], put_pairs(flat, schema->metadata));
    return table;
}

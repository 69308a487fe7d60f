/* Arrow arrays into frames. */
#include "import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the frame's spec points to. */
struct plan {
    struct shmf_column_spec *columns;
    struct shmf_column_details *details;
    int64_t *fields; /* of each column */
    int64_t n;
    struct shmf_pair *pairs; /* of all fields and the schema */
    char *label_bytes;       /* row labels, each terminated */
    const char **labels;
    int64_t *numbers;
    struct shmf_frame_spec spec;
};

/* ---- fields ------------------------------------------------------------------------------- */

static bool is_struct(const struct ArrowSchema *schema)
{
    return strcmp(schema->format, "+s") == 0;
}

static int find_labels(struct shmfi_arrow_import *import, const char *wanted,
                       struct shmf_error *err)
{
    import->labels = -1;
    for (int64_t f = 0; f < import->n_fields && import->labels < 0; f++) {
        const struct ArrowSchema *field = import->fields[f].schema;
        bool found =
            wanted ? *wanted && strcmp(shmfi_arrow_name(field), wanted) == 0
                   : shmfi_arrow_metadata(field->metadata, SHMFI_ARROW_ROW_LABELS).data != NULL;
        if (found)
            import->labels = f;
    }
    if (import->labels < 0)
        return wanted && *wanted ? shmf_error_set(err, SHMF_E_NOTFOUND,
                                                  "row_labels: there is no field \"%s\"", wanted)
                                 : SHMF_OK;
    const struct shmfi_arrow_field *field = &import->fields[import->labels];
    enum shmf_dtype dtype = field->type.type.dtype;
    bool is_plain = field->type.layout != SHMFI_ARROW_LOOKUP;
    if (is_plain && (dtype == SHMF_INT64 || dtype == SHMF_UTF8 || dtype == SHMF_LARGE_UTF8))
        return SHMF_OK;
    if (!is_plain)
        dtype = SHMF_DICTIONARY;
    return shmf_error_set(err, SHMF_E_DTYPE, "field \"%s\": row labels of %s",
                          shmfi_arrow_name(field->schema), shmf_dtype_name(dtype));
}

static int read_schema(struct shmfi_arrow_import *import, const char *labels,
                       struct shmf_error *err)
{
    const struct ArrowSchema *schema = import->schema;
    import->is_struct = is_struct(schema);
    import->n_fields = import->is_struct ? schema->n_children : 1;
    if (import->n_fields < 0 || (import->is_struct && import->n_fields > 0 && !schema->children))
        return shmf_error_set(err, SHMF_E_INVAL, "schema: number of children");
    import->fields = calloc((size_t)import->n_fields + 1, sizeof import->fields[0]);
    if (!import->fields)
        return shmfi_arrow_no_memory(err);
    for (int64_t f = 0; f < import->n_fields; f++) {
        struct shmfi_arrow_field *field = &import->fields[f];
        field->schema = import->is_struct ? schema->children[f] : schema;
        int rc = shmfi_arrow_type(field->schema, &field->type, err);
        if (rc)
            return rc;
    }
    return find_labels(import, labels, err);
}

/* ---- the spec ----------------------------------------------------------------------------- */

/* Pairs that say how something travelled are not the column's own. */
static bool is_own(const struct shmfi_arrow_field *field, const struct shmf_pair *pair)
{
    return !field || field->type.layout != SHMFI_ARROW_PARTS ||
           !shmfi_arrow_text_is(pair->key, SHMFI_ARROW_COMPLEX);
}

static int64_t read_pairs(const char *metadata, const struct shmfi_arrow_field *field,
                          struct shmf_pair *to)
{
    struct shmfi_arrow_pairs pairs = shmfi_arrow_pairs_begin(metadata);
    struct shmf_pair pair;
    int64_t n = 0;
    while (shmfi_arrow_pairs_next(&pairs, &pair))
        if (is_own(field, &pair)) {
            if (to)
                to[n] = pair;
            n++;
        }
    return n;
}

/* An index that all categories fit into. */
static enum shmf_dtype index_dtype(const struct shmfi_arrow_field *field)
{
    static const int64_t most[] = {
        [SHMF_INT8] = INT8_MAX,   [SHMF_INT16] = INT16_MAX,   [SHMF_INT32] = INT32_MAX,
        [SHMF_UINT8] = UINT8_MAX, [SHMF_UINT16] = UINT16_MAX, [SHMF_UINT32] = UINT32_MAX,
    };
    enum shmf_dtype dtype = field->type.type.index_dtype;
    bool fits =
        dtype == SHMF_INT64 || dtype == SHMF_UINT64 || field->categories.n - 1 <= most[dtype];
    return fits ? dtype : field->categories.n - 1 <= INT32_MAX ? SHMF_INT32 : SHMF_INT64;
}

static int plan_column(const struct shmfi_arrow_field *field, struct shmf_column_spec *column,
                       struct shmf_column_details *details, struct shmf_pair **pairs,
                       struct shmf_error *err)
{
    column->label = shmfi_arrow_name(field->schema);
    column->dtype = field->type.type.dtype;
    column->nullable = field->nulls > 0;
    details->type = field->type.type;
    details->data_size = field->bytes;
    details->metadata = *pairs;
    details->n_metadata = read_pairs(field->schema->metadata, field, *pairs);
    *pairs += details->n_metadata;
    if (column->dtype == SHMF_UTF8 && field->bytes > INT32_MAX)
        column->dtype = SHMF_LARGE_UTF8;
    if (column->dtype == SHMF_BINARY && field->bytes > INT32_MAX)
        return shmf_error_set(err, SHMF_E_TOOBIG,
                              "field \"%s\": %lld bytes: binary holds 2^31 - 1 at most",
                              column->label, (long long)field->bytes);
    if (column->dtype == SHMF_DICTIONARY) {
        details->type.index_dtype = index_dtype(field);
        details->values = field->categories.values;
        details->n_values = field->categories.n;
    }
    return SHMF_OK;
}

static int plan_columns(const struct shmfi_arrow_import *import, struct plan *plan,
                        struct shmf_error *err)
{
    size_t n = (size_t)import->n_fields + 1;
    int64_t n_pairs = read_pairs(import->schema->metadata, NULL, NULL);
    for (int64_t f = 0; f < import->n_fields; f++)
        n_pairs += read_pairs(import->fields[f].schema->metadata, NULL, NULL);
    plan->columns = calloc(n, sizeof plan->columns[0]);
    plan->details = calloc(n, sizeof plan->details[0]);
    plan->fields = calloc(n, sizeof plan->fields[0]);
    plan->pairs = calloc((size_t)n_pairs + 1, sizeof plan->pairs[0]);
    if (!plan->columns || !plan->details || !plan->fields || !plan->pairs)
        return shmfi_arrow_no_memory(err);
    struct shmf_pair *pairs = plan->pairs;
    if (import->is_struct) {
        plan->spec.metadata = pairs;
        plan->spec.n_metadata = read_pairs(import->schema->metadata, NULL, pairs);
        pairs += plan->spec.n_metadata;
    }
    for (int64_t f = 0; f < import->n_fields; f++) {
        if (f == import->labels)
            continue;
        int rc = plan_column(&import->fields[f], &plan->columns[plan->n], &plan->details[plan->n],
                             &pairs, err);
        if (rc)
            return rc;
        plan->fields[plan->n++] = f;
    }
    plan->spec.n_rows = import->n_rows;
    plan->spec.n_columns = plan->n;
    plan->spec.columns = plan->columns;
    plan->spec.details = plan->details;
    return SHMF_OK;
}

/* ---- row labels --------------------------------------------------------------------------- */

static int plan_numbers(const struct shmfi_arrow_import *import, struct plan *plan,
                        struct shmf_error *err)
{
    plan->numbers = malloc((size_t)import->n_rows * sizeof(int64_t) + 1);
    if (!plan->numbers)
        return shmfi_arrow_no_memory(err);
    int64_t row = 0;
    for (int64_t b = 0; b < import->n_batches; b++) {
        struct shmfi_arrow_piece piece = shmfi_arrow_piece(import, import->labels, b);
        if (piece.n > 0)
            memcpy(plan->numbers + row, (const int64_t *)piece.array->buffers[1] + piece.first,
                   (size_t)piece.n * sizeof(int64_t));
        row += piece.n;
    }
    plan->spec.row_numbers = plan->numbers;
    return SHMF_OK;
}

/* Frames take labels that are terminated; so each is copied. */
static int plan_texts(const struct shmfi_arrow_import *import, struct plan *plan,
                      struct shmf_error *err)
{
    const struct shmfi_arrow_field *field = &import->fields[import->labels];
    plan->labels = malloc((size_t)import->n_rows * sizeof plan->labels[0] + 1);
    plan->label_bytes = malloc((size_t)field->bytes + (size_t)import->n_rows + 1);
    if (!plan->labels || !plan->label_bytes)
        return shmfi_arrow_no_memory(err);
    char *at = plan->label_bytes, *end = at + field->bytes + import->n_rows;
    int64_t row = 0;
    for (int64_t b = 0; b < import->n_batches; b++) {
        struct shmfi_arrow_piece piece = shmfi_arrow_piece(import, import->labels, b);
        for (int64_t i = 0; i < piece.n; i++, row++) {
            struct shmf_text text =
                shmfi_arrow_text(piece.array, field->type.layout, piece.first + i);
            if (!text.data || text.size >= end - at || memchr(text.data, 0, (size_t)text.size))
                return shmf_error_set(err, SHMF_E_INVAL,
                                      "field \"%s\": row %lld: no text that can be a label",
                                      shmfi_arrow_name(field->schema), (long long)row);
            plan->labels[row] = memcpy(at, text.data, (size_t)text.size);
            at += text.size;
            *at++ = '\0';
        }
    }
    plan->spec.row_labels = plan->labels;
    return SHMF_OK;
}

static int plan_labels(const struct shmfi_arrow_import *import, struct plan *plan,
                       struct shmf_error *err)
{
    if (import->labels < 0)
        return SHMF_OK;
    const struct shmfi_arrow_field *field = &import->fields[import->labels];
    if (field->nulls > 0)
        return shmf_error_set(err, SHMF_E_DTYPE, "field \"%s\": row labels with nulls",
                              shmfi_arrow_name(field->schema));
    return field->type.type.dtype == SHMF_INT64 ? plan_numbers(import, plan, err)
                                                : plan_texts(import, plan, err);
}

static void free_plan(struct plan *plan)
{
    free(plan->columns);
    free(plan->details);
    free(plan->fields);
    free(plan->pairs);
    free(plan->label_bytes);
    free(plan->labels);
    free(plan->numbers);
}

/* ---- making ------------------------------------------------------------------------------- */

/* What finishing finds wrong is named by the column's position: say the field's name too. */
static void name_field(const struct shmfi_arrow_import *import, const struct plan *plan,
                       struct shmf_error *err)
{
    static const char word[] = "column ";
    char message[SHMF_ERROR_MESSAGE_SIZE];
    const char *at = err ? strstr(err->message, word) : NULL;
    if (!at)
        return;
    char *end;
    at += strlen(word);
    long long column = strtoll(at, &end, 10);
    if (end == at || column < 0 || column >= plan->n)
        return;
    memcpy(message, err->message, sizeof message);
    shmf_error_set(err, err->code, "field \"%s\": %s",
                   shmfi_arrow_name(import->fields[plan->fields[column]].schema), message);
}

static struct shmf_frame *make_frame(const struct shmfi_arrow_import *import, struct plan *plan,
                                     struct shmf_error *err)
{
    if (plan_columns(import, plan, err) || plan_labels(import, plan, err))
        return NULL;
    struct shmf_frame *frame = shmf_frame_new(&plan->spec, err);
    int rc = frame ? SHMF_OK : SHMF_E_NOMEM;
    for (int64_t c = 0; c < plan->n && !rc; c++)
        rc = shmfi_arrow_fill(import, plan->fields[c], frame, c, err);
    if (!rc) {
        rc = shmf_frame_finish(frame, err);
        if (rc)
            name_field(import, plan, err);
    }
    if (!rc)
        return frame;
    shmf_frame_free(frame);
    return NULL;
}

struct shmf_frame *shmfi_arrow_import_batches(const struct ArrowSchema *schema,
                                              const struct ArrowArray *batches, int64_t n,
                                              const struct shmf_arrow_import_options *options,
                                              struct shmf_error *err)
{
    struct shmfi_arrow_import all = {.schema = schema, .batches = batches, .n_batches = n};
    struct shmfi_arrow_import *import = &all;
    struct shmf_frame *frame = NULL;
    struct plan plan = {.n = 0};
    if (!read_schema(import, options ? options->row_labels : NULL, err) &&
        !shmfi_arrow_check_batches(import, err) && !shmfi_arrow_measure(import, err))
        frame = make_frame(import, &plan, err);
    free_plan(&plan);
    for (int64_t f = 0; import->fields && f < import->n_fields; f++)
        shmfi_arrow_free_categories(&import->fields[f].categories, import->n_batches);
    free(import->fields);
    return frame;
}

struct shmf_frame *shmf_arrow_import(const struct ArrowSchema *schema,
                                     const struct ArrowArray *array,
                                     const struct shmf_arrow_import_options *options,
                                     struct shmf_error *err)
{
    if (!schema || !schema->release || !array || !array->release) {
        shmf_error_set(err, SHMF_E_INVAL, "%s: NULL or released",
                       schema && schema->release ? "array" : "schema");
        return NULL;
    }
    if (options && shmfi_arrow_check_reserved(options->reserved, 4, err))
        return NULL;
    return shmfi_arrow_import_batches(schema, array, 1, options, err);
}

/* ---- streams ------------------------------------------------------------------------------ */

static int stream_failed(struct ArrowArrayStream *stream, int code, struct shmf_error *err)
{
    const char *reason = stream->get_last_error ? stream->get_last_error(stream) : NULL;
    shmf_error_set(err, SHMF_E_SYS, "stream: %s", reason ? reason : strerror(code));
    if (err)
        err->sys_errno = code;
    return SHMF_E_SYS;
}

/* All batches; those that are there are the caller's to release, on failure too. */
static int read_batches(struct ArrowArrayStream *stream, struct ArrowArray **batches, int64_t *n,
                        struct shmf_error *err)
{
    for (int64_t room = 0;;) {
        if (*n == room) {
            room = room ? 2 * room : 16;
            struct ArrowArray *more = realloc(*batches, (size_t)room * sizeof *more);
            if (!more)
                return shmfi_arrow_no_memory(err);
            *batches = more;
        }
        struct ArrowArray *next = *batches + *n;
        *next = (struct ArrowArray){.release = NULL};
        int code = stream->get_next(stream, next);
        if (code)
            return stream_failed(stream, code, err);
        if (!next->release)
            return SHMF_OK;
        ++*n;
    }
}

struct shmf_frame *shmf_arrow_import_stream(struct ArrowArrayStream *stream,
                                            const struct shmf_arrow_import_options *options,
                                            struct shmf_error *err)
{
    struct ArrowSchema schema = {.release = NULL};
    struct ArrowArray *batches = NULL;
    struct shmf_frame *frame = NULL;
    int64_t n = 0;
    if (!stream || !stream->release) {
        shmf_error_set(err, SHMF_E_INVAL, "stream: NULL or released");
        return NULL;
    }
    if (options && shmfi_arrow_check_reserved(options->reserved, 4, err))
        return NULL;
    int code = stream->get_schema(stream, &schema);
    if (code) {
        stream_failed(stream, code, err);
        return NULL;
    }
    if (read_batches(stream, &batches, &n, err) == SHMF_OK)
        frame = shmfi_arrow_import_batches(&schema, batches, n, options, err);
    for (int64_t b = 0; b < n; b++)
        batches[b].release(&batches[b]);
    free(batches);
    if (schema.release)
        schema.release(&schema);
    return frame;
}

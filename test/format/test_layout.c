/* docs/format.md and <shmframe/format.h> describe the same bytes: every field of every struct is in
 * the document's tables with the compiler's offset and size, in order and without a gap. */
#include "support/test.h"

#include <shmframe/dtype.h>
#include <shmframe/format.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct field {
    const char *structure;
    const char *name;
    size_t offset;
    size_t size;
};

#define FIELD(structure, name)                                                                     \
    {                                                                                              \
#structure, #name, offsetof(struct structure, name),                                       \
            sizeof(((struct structure *)NULL)->name)                                               \
    }

static const struct field fields[] = {
    FIELD(shmf_format_header, foreign),
    FIELD(shmf_format_header, magic),
    FIELD(shmf_format_header, version),
    FIELD(shmf_format_header, header_size),
    FIELD(shmf_format_header, kind),
    FIELD(shmf_format_header, state),
    FIELD(shmf_format_header, total_size),
    FIELD(shmf_format_header, generation),
    FIELD(shmf_format_header, compatible),
    FIELD(shmf_format_header, incompatible),
    FIELD(shmf_format_frame, header),
    FIELD(shmf_format_frame, n_rows),
    FIELD(shmf_format_frame, n_columns),
    FIELD(shmf_format_frame, body_offset),
    FIELD(shmf_format_frame, body_size),
    FIELD(shmf_format_frame, columns_offset),
    FIELD(shmf_format_frame, column_size),
    FIELD(shmf_format_frame, row_labels),
    FIELD(shmf_format_frame, range_start),
    FIELD(shmf_format_frame, range_step),
    FIELD(shmf_format_frame, matrix_dtype),
    FIELD(shmf_format_frame, dictionary_size),
    FIELD(shmf_format_frame, matrix_stride),
    FIELD(shmf_format_frame, dictionaries_offset),
    FIELD(shmf_format_frame, n_dictionaries),
    FIELD(shmf_format_frame, metadata_offset),
    FIELD(shmf_format_frame, metadata_size),
    FIELD(shmf_format_frame, row_index),
    FIELD(shmf_format_frame, column_index),
    FIELD(shmf_format_frame, row_label),
    FIELD(shmf_format_frame, column_label),
    FIELD(shmf_format_frame, reserved),
    FIELD(shmf_format_column, dtype),
    FIELD(shmf_format_column, flags),
    FIELD(shmf_format_column, null_count),
    FIELD(shmf_format_column, validity_offset),
    FIELD(shmf_format_column, offsets_offset),
    FIELD(shmf_format_column, data_offset),
    FIELD(shmf_format_column, data_size),
    FIELD(shmf_format_column, dictionary),
    FIELD(shmf_format_column, width),
    FIELD(shmf_format_column, index_dtype),
    FIELD(shmf_format_column, unit),
    FIELD(shmf_format_column, precision),
    FIELD(shmf_format_column, scale),
    FIELD(shmf_format_column, zone_offset),
    FIELD(shmf_format_column, metadata_offset),
    FIELD(shmf_format_column, zone_size),
    FIELD(shmf_format_column, metadata_size),
    FIELD(shmf_format_column, reserved),
    FIELD(shmf_format_dictionary, values),
    FIELD(shmf_format_dictionary, n_values),
    FIELD(shmf_format_dictionary, span_offset),
    FIELD(shmf_format_dictionary, span_size),
    FIELD(shmf_format_dictionary, reserved),
    FIELD(shmf_format_index, offset),
    FIELD(shmf_format_index, capacity),
    FIELD(shmf_format_slot, tag),
    FIELD(shmf_format_slot, count),
    FIELD(shmf_format_slot, first),
    FIELD(shmf_format_array, header),
    FIELD(shmf_format_array, dtype),
    FIELD(shmf_format_array, n_dims),
    FIELD(shmf_format_array, data_offset),
    FIELD(shmf_format_array, data_size),
    FIELD(shmf_format_array, width),
    FIELD(shmf_format_array, unit),
    FIELD(shmf_format_array, precision),
    FIELD(shmf_format_array, scale),
    FIELD(shmf_format_array, reserved0),
    FIELD(shmf_format_array, reserved1),
    FIELD(shmf_format_array, reserved2),
    FIELD(shmf_format_array, shape),
    FIELD(shmf_format_array, strides),
};

enum { N_FIELDS = sizeof fields / sizeof fields[0] };

static const struct {
    const char *name;
    size_t size;
} structures[] = {
    {"shmf_format_header", sizeof(struct shmf_format_header)},
    {"shmf_format_frame", sizeof(struct shmf_format_frame)},
    {"shmf_format_column", sizeof(struct shmf_format_column)},
    {"shmf_format_dictionary", sizeof(struct shmf_format_dictionary)},
    {"shmf_format_index", sizeof(struct shmf_format_index)},
    {"shmf_format_slot", sizeof(struct shmf_format_slot)},
    {"shmf_format_array", sizeof(struct shmf_format_array)},
};

static FILE *open_document(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", __FILE__);
    char *end = strstr(path, "test/format/");
    assert_non_null(end);
    snprintf(end, sizeof path - (size_t)(end - path), "docs/format.md");
    FILE *document = fopen(path, "r");
    if (!document)
        fail_msg("cannot open %s", path);
    return document;
}

/* The next row "| `name` | offset | size |" under a heading "### `struct X`". */
static bool next_row(FILE *document, char structure[64], char name[64], size_t *offset,
                     size_t *size)
{
    char line[1024];
    while (fgets(line, sizeof line, document)) {
        char heading[64];
        if (sscanf(line, "### `struct %63[a-z0-9_]`", heading) == 1)
            strcpy(structure, heading);
        else if (line[0] == '#')
            structure[0] = '\0';
        else if (structure[0] &&
                 sscanf(line, "| `%63[a-z0-9_]` | %zu | %zu |", name, offset, size) == 3)
            return true;
    }
    return false;
}

static void test_the_document_lists_every_field_with_its_offset_and_size(void **state)
{
    (void)state;
    FILE *document = open_document();
    char structure[64] = "", name[64];
    size_t offset, size, seen = 0;
    bool found[N_FIELDS] = {false};
    while (next_row(document, structure, name, &offset, &size)) {
        size_t i = 0;
        while (i < N_FIELDS &&
               (strcmp(fields[i].structure, structure) || strcmp(fields[i].name, name)))
            i++;
        if (i == N_FIELDS)
            fail_msg("docs/format.md: %s.%s is no field", structure, name);
        if (fields[i].offset != offset || fields[i].size != size)
            fail_msg("docs/format.md: %s.%s is at %zu, %zu bytes; in the header at %zu, %zu bytes",
                     structure, name, offset, size, fields[i].offset, fields[i].size);
        assert_false(found[i]);
        found[i] = true;
        seen++;
    }
    fclose(document);
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!found[i])
            fail_msg("docs/format.md lacks %s.%s", fields[i].structure, fields[i].name);
    assert_int_equal(seen, N_FIELDS);
}

/* So no field can be forgotten in the list above, nor padding slip in. */
static void test_the_fields_fill_their_structs_without_a_gap(void **state)
{
    (void)state;
    for (size_t s = 0; s < sizeof structures / sizeof structures[0]; s++) {
        size_t end = 0;
        for (size_t i = 0; i < N_FIELDS; i++) {
            if (strcmp(fields[i].structure, structures[s].name))
                continue;
            assert_int_equal(fields[i].offset, end);
            end += fields[i].size;
        }
        assert_int_equal(end, structures[s].size);
    }
}

static void test_the_document_numbers_dtypes_as_the_header_does(void **state)
{
    (void)state;
    FILE *document = open_document();
    char line[1024];
    int rows = 0;
    while (fgets(line, sizeof line, document)) {
        char numbers[64], names[256];
        if (sscanf(line, "| %63[0-9, ] | %255[^|] |", numbers, names) != 2)
            continue;
        char *number_state, *number = strtok_r(numbers, ", ", &number_state);
        const char *at = names;
        for (; number; number = strtok_r(NULL, ", ", &number_state)) {
            const char *name = shmf_dtype_name((enum shmf_dtype)atoi(number));
            const char *here = strstr(at, name);
            if (!here)
                fail_msg("docs/format.md: dtype %s is not %s", number, name);
            at = here + strlen(name);
            rows++;
        }
    }
    fclose(document);
    assert_int_equal(rows, SHMF_DECIMAL128);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_document_lists_every_field_with_its_offset_and_size),
        cmocka_unit_test(test_the_fields_fill_their_structs_without_a_gap),
        cmocka_unit_test(test_the_document_numbers_dtypes_as_the_header_does),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}

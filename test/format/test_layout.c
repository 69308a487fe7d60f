/* docs/format.md and <shmframe/format.h> describe the same bytes: every field of every struct is in
 * the document's tables with the compiler's offset and size, in order and without a gap. */
#include "format/fields.h"
#include "support/test.h"

#include <shmframe/dtype.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

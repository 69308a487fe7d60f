/* Every field of the format at every boundary value: a golden segment with one field changed is
 * opened, or refused by the right code with a message that names the field. Which of the two an
 * independent reading of docs/format.md says (fuzz/oracle.c). Failures name field and value. */
#include "format/samples.h"
#include "fuzz/mutate.h"
#include "fuzz/oracle.h"
#include "fuzz/use.h"

#include <inttypes.h>

/* A field that contradicts another one: the message may name that. Fields that are not listed are
 * named themselves. */
static const struct {
    const char *field;
    const char *others[10];
} related[] = {
    /* the parts of an index are named together */
    {"offset", {"_index"}},
    {"capacity", {"_index"}},
    {"incompatible", {"row_index"}},
    /* what is inside until it becomes smaller or moves away */
    {"total_size", {"data_size", "_index", "metadata_offset", "metadata_size"}},
    {"header_size", {"body_offset", "data_offset"}},
    {"body_offset", {"body_size", "data_offset", "data_size", "validity_offset", "offsets_offset"}},
    {"body_size", {"data_offset", "data_size", "validity_offset", "offsets_offset"}},
    {"span_offset", {"span_size", "values.data_", "values.offsets_offset"}},
    {"span_size", {"values.data_", "values.offsets_offset"}},
    /* numbers of something whose table or buffers have another size */
    {"n_rows",
     {"column ", "row_index", "range_start", "row_label.data_size", "row_label.offsets_offset"}},
    {"n_columns", {"columns_offset", "column_index", "column_label.", "column "}},
    {"n_dictionaries", {"dictionaries_offset", "dictionary_size", "dictionary "}},
    {"n_values", {"values.offsets_offset", "values.data_"}},
    {"n_dims", {"shape"}},
    /* other bytes are taken for the table */
    {"columns_offset", {"column "}},
    {"column_size", {"columns_offset", "column ", "matrix_stride"}},
    {"dictionaries_offset", {"dictionary "}},
    {"dictionary_size", {"dictionaries_offset"}},
    /* a descriptor that contradicts itself; the next buffer, which this one runs into */
    {"dtype",
     {"data_size", "offsets_offset", "flags", "precision", "unit", "width", "zone_offset",
      "data_offset", "strides", "values of "}},
    {"index_dtype", {"data_size"}},
    {"width", {"data_size"}},
    {"validity_offset", {"data_offset", "null_count", "offsets_offset", "row_label.dtype"}},
    {"offsets_offset", {"data_offset", "data_size"}},
    {"data_offset", {"validity_offset", "offsets_offset", "data_size", "matrix_stride"}},
    {"data_size", {"data_offset", "offsets_offset", "strides"}},
    {"metadata_offset", {"metadata_size"}},
    {"zone_offset", {"zone_size"}},
    {"row_labels", {"range_start", "range_step", "row_label.dtype"}},
    {"range_step", {"range_start"}},
    {"matrix_dtype", {"matrix_stride"}},
    {"shape", {"strides"}},
    {"kind", {"holds bytes, not", "n_dims", "dtype", "header_size", "incompatible"}},
};

static bool names_another(const char *message, const char *field)
{
    for (size_t i = 0; i < sizeof related / sizeof related[0]; i++)
        for (size_t o = 0; o < 10 && related[i].others[o]; o++)
            if (strcmp(related[i].field, field) == 0 && strstr(message, related[i].others[o]))
                return true;
    return false;
}

/* Of a frame without row labels nothing but "row_label" is said: no part of it may be there. */
static bool names(const char *message, const struct place *place)
{
    const char *field = strncmp(place->field, "reserved", 8) ? place->field : "reserved";
    const char *whole = "frame header: row_label";
    return strstr(message, field) || names_another(message, place->field) ||
           (strncmp(place->name, "row_label.", 10) == 0 && strcmp(message, whole) == 0);
}

static bool may_be_refused_with(const struct place *place, int code)
{
    if (strcmp(place->name, "header.version") == 0)
        return code == SHMF_E_VERSION;
    if (strstr(place->field, "incompatible")) /* the known bit: the index has another size */
        return code == SHMF_E_VERSION || code == SHMF_E_CORRUPT;
    switch (code) {
    case SHMF_E_CORRUPT:
        return true;
    case SHMF_E_ACCESS:
        return strcmp(place->field, "state") == 0;
    case SHMF_E_VERSION: /* arrays do not know the frame's bit */
    case SHMF_E_INVAL:
        return strcmp(place->field, "kind") == 0;
    case SHMF_E_UNSUPPORTED:
        return strcmp(place->field, "dtype") == 0 || strcmp(place->field, "kind") == 0 ||
               strcmp(place->field, "n_dictionaries") == 0;
    default:
        return false;
    }
}

/* In one golden segment; counts what was refused and what opened. */
static void check_place(struct mutator *mutator, const char *segment, size_t p, long counts[2])
{
    const struct place *place = &mutator->places[p];
    for (size_t v = 0; v < mutator->n_values[p]; v++) {
        struct shmf_error err = {0};
        uint64_t value = mutator->values[p][v];
        change_place(mutator, place, value);
        bool opens = oracle_opens(mutator->bytes, mutator->size);
        int rc = use_segment(mutator->bytes, mutator->size, &err);
        undo_changes(mutator);
        counts[rc == SHMF_OK]++;
        if (opens != (rc == SHMF_OK))
            fail_msg("%s: %s = 0x%" PRIx64 " %s", segment, place->name, value,
                     opens ? "is refused" : "opens");
        if (rc && !may_be_refused_with(place, rc))
            fail_msg("%s: %s = 0x%" PRIx64 " is refused with %s", segment, place->name, value,
                     shmf_status_name(rc));
        if (rc && !names(err.message, place))
            fail_msg("%s: %s = 0x%" PRIx64 ": \"%s\"", segment, place->name, value, err.message);
    }
}

static void test_every_field_at_every_boundary_opens_or_is_named(void **state)
{
    (void)state;
    long counts[2] = {0, 0};
    for (size_t s = 0; s < N_GOLDEN; s++) {
        struct segment_copy copy = read_golden(golden_names[s]);
        struct mutator mutator = make_mutator(copy.base, copy.size, 1);
        for (size_t p = 0; p < mutator.n_tables; p++)
            check_place(&mutator, golden_names[s], p, counts);
        free_mutator(&mutator);
        free(copy.base);
    }
    print_message("%ld refused, %ld opened\n", counts[0], counts[1]);
    assert_true(counts[0] > 15000 && counts[1] > 1500);
}

/* ---- what opening does not look at ----------------------------------------------------------- */

static int validate(const struct segment_copy *copy, enum shmf_validation level,
                    struct shmf_error *err)
{
    struct shmf_frame *frame;
    int rc = shmfi_frame_from_memory(copy->base, copy->size, false, &frame, err);
    if (rc == SHMF_OK) {
        rc = shmf_frame_validate(frame, level, err);
        shmf_frame_free(frame);
    }
    return rc;
}

static void test_every_field_of_every_slot_is_found_by_full_validation(void **state)
{
    (void)state;
    long found = 0;
    for (size_t s = 0; s < N_GOLDEN; s++) {
        struct segment_copy copy = read_golden(golden_names[s]);
        struct mutator mutator = make_mutator(copy.base, copy.size, 1);
        for (size_t p = mutator.n_tables; p < mutator.n_places; p++)
            for (size_t v = 0; v < mutator.n_values[p]; v++, found++) {
                struct shmf_error err = {0};
                const struct place *place = &mutator.places[p];
                change_place(&mutator, place, mutator.values[p][v]);
                assert_int_equal(validate(&copy, SHMF_VALIDATE_DEFAULT, NULL), SHMF_OK);
                int rc = validate(&copy, SHMF_VALIDATE_FULL, &err);
                undo_changes(&mutator);
                if (rc != SHMF_E_CORRUPT || !strstr(err.message, "_index"))
                    fail_msg("%s: %s = 0x%" PRIx64 ": %d \"%s\"", golden_names[s], place->name,
                             mutator.values[p][v], rc, err.message);
            }
        free_mutator(&mutator);
        free(copy.base);
    }
    assert_true(found > 1000);
}

/* What list_places() finds is every byte of header, column table, dictionary table and indexes. */
static void test_no_byte_of_header_and_tables_is_without_a_field(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_GOLDEN; s++) {
        struct segment_copy copy = read_golden(golden_names[s]);
        struct shmf_format_frame h;
        size_t n, expected = sizeof(struct shmf_format_array), listed = 0;
        struct place *places = list_places(copy.base, copy.size, &n);
        memcpy(&h, copy.base, sizeof h);
        if (h.header.kind == SHMF_KIND_FRAME)
            expected = sizeof h + h.n_columns * h.column_size +
                       h.n_dictionaries * h.dictionary_size +
                       h.row_index.capacity * (h.header.incompatible ? 33 : 24) +
                       h.column_index.capacity * sizeof(struct shmf_format_slot);
        char *seen = calloc(1, copy.size);
        assert_non_null(seen);
        for (size_t p = 0; p < n; p++)
            for (unsigned i = 0; i < places[p].size; i++) {
                assert_int_equal(seen[places[p].at + i]++, 0);
                listed++;
            }
        assert_int_equal(listed, expected);
        free(seen);
        free(places);
        free(copy.base);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_byte_of_header_and_tables_is_without_a_field),
        cmocka_unit_test(test_every_field_at_every_boundary_opens_or_is_named),
        cmocka_unit_test(test_every_field_of_every_slot_is_found_by_full_validation),
    };
    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}

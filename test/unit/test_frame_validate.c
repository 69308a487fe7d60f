/* frame/: what the levels of validation find, each change on a copy of a good segment. */
#include "support/test.h"
#include "unit/typed_frame.h"

#include "frame/frame_internal.h"
#include "memory/memory.h"

#include <stdlib.h>

struct copy {
    unsigned char *base;
    size_t size;
    struct shmf_format_frame *header;
    struct shmf_format_column *columns;
    struct shmf_format_dictionary *dictionaries;
};

static struct copy copy_of(struct shmf_frame *frame)
{
    assert_non_null(frame);
    const struct shmf_format_frame *header = (void *)shmfi_frame_segment(frame)->base;
    struct copy copy = {.size = header->header.total_size};
    copy.base = aligned_alloc(64, copy.size);
    assert_non_null(copy.base);
    memcpy(copy.base, header, copy.size);
    copy.header = (void *)copy.base;
    copy.columns = (void *)(copy.base + header->columns_offset);
    copy.dictionaries = (void *)(copy.base + header->dictionaries_offset);
    shmf_frame_free(frame);
    return copy;
}

static struct copy typed_copy(void)
{
    return copy_of(typed_frame(NULL));
}

/* Rows and columns "b", "a", "b", "". */
static struct copy labelled_copy(void)
{
    static const char *const rows[] = {"b", "a", "b", ""};
    static const int8_t cells[4];
    const void *const data[] = {cells, cells, cells, cells};
    const struct shmf_frame_spec spec = {
        .n_rows = 4, .n_columns = 4, .dtype = SHMF_INT8, .row_labels = rows, .column_labels = rows};
    return copy_of(shmf_frame_from_columns(&spec, data, NULL, NULL));
}

static int validate(const struct copy *copy, enum shmf_validation level, struct shmf_error *err)
{
    struct shmf_frame *frame;
    int rc = shmfi_frame_from_memory(copy->base, copy->size, false, &frame, err);
    if (rc)
        return rc;
    rc = shmf_frame_validate(frame, level, err);
    shmf_frame_free(frame);
    return rc;
}

/* Frees the copy. */
static void assert_found(struct copy *copy, enum shmf_validation level, const char *culprit)
{
    struct shmf_error err = {0};
    for (int below = SHMF_VALIDATE_NONE; below < (int)level; below++)
        if (level > SHMF_VALIDATE_MINIMAL)
            assert_int_equal(validate(copy, (enum shmf_validation)below, NULL), SHMF_OK);
    assert_int_equal(validate(copy, level, &err), SHMF_E_CORRUPT);
    if (!strstr(err.message, culprit))
        fail_msg("\"%s\" does not name %s", err.message, culprit);
    free(copy->base);
}

static int32_t *offsets_of(struct copy *copy, int column)
{
    return (void *)(copy->base + copy->columns[column].offsets_offset);
}

static unsigned char *data_of(struct copy *copy, int column)
{
    return copy->base + copy->columns[column].data_offset;
}

static void test_good_frames_pass_every_level(void **state)
{
    (void)state;
    struct copy copies[] = {typed_copy(), labelled_copy()};
    for (size_t i = 0; i < 2; i++) {
        for (int level = SHMF_VALIDATE_NONE; level <= SHMF_VALIDATE_FULL; level++)
            assert_int_equal(validate(&copies[i], (enum shmf_validation)level, NULL), SHMF_OK);
        assert_int_equal(validate(&copies[i], (enum shmf_validation)4, NULL), SHMF_E_INVAL);
        assert_int_equal(validate(&copies[i], (enum shmf_validation) - 1, NULL), SHMF_E_INVAL);
        free(copies[i].base);
    }
    assert_int_equal(shmf_frame_validate(NULL, SHMF_VALIDATE_FULL, NULL), SHMF_E_INVAL);
}

static void test_offsets_must_be_in_order_and_inside(void **state)
{
    (void)state;
    struct copy copy = typed_copy();
    offsets_of(&copy, NAME)[1] = 100;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column 0: row 0: the offsets");
    copy = typed_copy();
    offsets_of(&copy, NAME)[3] = 10;
    assert_found(&copy, SHMF_VALIDATE_DEFAULT, "column 0: row 3: the offsets");
    copy = typed_copy();
    offsets_of(&copy, BLOB)[0] = -1;
    assert_found(&copy, SHMF_VALIDATE_DEFAULT, "column 2");
    copy = typed_copy();
    *(int32_t *)(void *)(copy.base + copy.dictionaries[0].values.offsets_offset) = -1;
    assert_found(&copy, SHMF_VALIDATE_DEFAULT, "dictionary of column 4");
}

static void test_text_must_be_utf8_but_binary_need_not(void **state)
{
    (void)state;
    struct copy copy = typed_copy();
    data_of(&copy, NAME)[0] = 0xFF;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column 0: row 0: not valid UTF-8");
    copy = typed_copy();
    data_of(&copy, BLOB)[0] = 0xFF;
    assert_int_equal(validate(&copy, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    copy.base[copy.dictionaries[0].values.data_offset] = 0xFF;
    assert_found(&copy, SHMF_VALIDATE_FULL, "dictionary of column 4: row 0: not valid UTF-8");
    copy = typed_copy();
    copy.base[copy.columns[WHEN].zone_offset] = 0xFF;
    assert_found(&copy, SHMF_VALIDATE_DEFAULT, "zone_offset");
    copy = typed_copy();
    copy.base[copy.header->column_label.data_offset] = 0xFF;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column_label: label 0 is not valid UTF-8");
}

static void test_indexes_must_name_a_category(void **state)
{
    (void)state;
    struct copy copy = typed_copy();
    assert_int_equal(data_of(&copy, KIND)[2], 9); /* that of a null may be anything */
    data_of(&copy, KIND)[1] = 3;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column 4: row 1: no such category");
}

static void test_null_counts_must_be_true(void **state)
{
    (void)state;
    struct copy copy = typed_copy();
    copy.columns[KIND].null_count = 2;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column 4: null_count");
    copy = typed_copy();
    copy.columns[WHEN].null_count = 3;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column 9: null_count");
}

static void test_metadata_must_end_inside(void **state)
{
    (void)state;
    const int32_t wrong[] = {-1, 1000, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        for (unsigned at = 0; at < 8; at += 4) {
            struct copy copy = typed_copy();
            memcpy(copy.base + copy.columns[NAME].metadata_offset + at, &wrong[i], 4);
            assert_found(&copy, SHMF_VALIDATE_DEFAULT, "column 0: metadata_size");
            copy = typed_copy();
            memcpy(copy.base + copy.header->metadata_offset + at, &wrong[i], 4);
            assert_found(&copy, SHMF_VALIDATE_DEFAULT, "metadata_size");
        }
}

static struct shmf_format_slot *taken_slot(struct copy *copy, uint64_t first)
{
    const struct shmf_format_index *index = &copy->header->column_index;
    struct shmf_format_slot *slots = (void *)(copy->base + index->offset);
    for (uint64_t s = 0; s < index->capacity; s++)
        if (slots[s].first == first)
            return &slots[s];
    return NULL;
}

static void test_the_index_of_column_labels_must_agree_with_them(void **state)
{
    (void)state;
    struct copy copy = labelled_copy();
    taken_slot(&copy, 1)->count = 1;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column_index: slot");
    copy = labelled_copy();
    taken_slot(&copy, 1)->first = 3; /* a later one that bears the label too */
    assert_found(&copy, SHMF_VALIDATE_FULL, "column_index: label 0");
    copy = labelled_copy();
    taken_slot(&copy, 2)->tag ^= 1;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column_index: label 1");
    copy = labelled_copy();
    taken_slot(&copy, 2)->first = 9;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column_index: label 1");
    copy = labelled_copy();
    taken_slot(&copy, 2)->begin++;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column_index: label 1");
    copy = labelled_copy();
    taken_slot(&copy, 0)->begin = 1;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column_index: slot");
    copy = labelled_copy(); /* a slot too many, which no probe reaches */
    *taken_slot(&copy, 0) = *taken_slot(&copy, 1);
    assert_found(&copy, SHMF_VALIDATE_FULL, "column_index: ");
    copy = labelled_copy();
    taken_slot(&copy, 0)->count = 1;
    assert_found(&copy, SHMF_VALIDATE_FULL, "column_index: slot");
}

static struct shmf_format_entry *taken_entry(struct copy *copy, uint64_t first)
{
    const struct shmf_format_index *index = &copy->header->row_index;
    struct shmf_format_entry *entries = (void *)(copy->base + index->offset);
    for (uint64_t e = 0; e < index->capacity; e++)
        if (entries[e].first == first)
            return &entries[e];
    return NULL;
}

static uint8_t *tag_of(struct copy *copy, const struct shmf_format_entry *entry)
{
    const struct shmf_format_index *index = &copy->header->row_index;
    struct shmf_format_entry *entries = (void *)(copy->base + index->offset);
    return (uint8_t *)(entries + index->capacity) + (entry - entries);
}

static void test_the_index_of_row_labels_must_agree_with_them(void **state)
{
    (void)state;
    struct copy copy = labelled_copy();
    taken_entry(&copy, 1)->count = 1;
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: entry");
    copy = labelled_copy();
    taken_entry(&copy, 1)->first = 3; /* a later one that bears the label too */
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: label 0");
    copy = labelled_copy();
    *tag_of(&copy, taken_entry(&copy, 2)) ^= 1;
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: label 1");
    copy = labelled_copy();
    taken_entry(&copy, 2)->first = 9;
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: label 1");
    copy = labelled_copy();
    taken_entry(&copy, 2)->size++;
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: label 1");
    copy = labelled_copy();
    taken_entry(&copy, 2)->text[0]++;
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: label 1");
    copy = labelled_copy();
    taken_entry(&copy, 2)->text[18] = 1; /* behind the text */
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: entry");
    copy = labelled_copy();
    taken_entry(&copy, 0)->text[3] = 1;
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: entry");
    copy = labelled_copy(); /* an entry too many, which no probe reaches */
    uint8_t *tag = tag_of(&copy, taken_entry(&copy, 0));
    *tag = *tag_of(&copy, taken_entry(&copy, 2));
    *taken_entry(&copy, 0) = *taken_entry(&copy, 2);
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: ");
    copy = labelled_copy(); /* a tag that belongs to none */
    *tag_of(&copy, taken_entry(&copy, 0)) = 1;
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: entry");
}

/* The text in an entry is believed by lookups; that it is that of its row is looked at here. */
static void test_an_entry_whose_text_is_that_of_another_row_is_found(void **state)
{
    (void)state;
    struct copy copy = labelled_copy();
    struct shmf_format_entry *a = taken_entry(&copy, 2);
    a->first = 1;
    a->count = 2;
    assert_found(&copy, SHMF_VALIDATE_FULL, "row_index: ");
}

static const struct {
    size_t offset;
    uint64_t value;
    size_t size;
    const char *culprit;
} wrong_dictionaries[] = {
#define WRONG_DICTIONARY(field, value)                                                             \
    {                                                                                              \
        offsetof(struct shmf_format_dictionary, field), value,                                     \
            sizeof(((struct shmf_format_dictionary *)NULL)->field), #field                         \
    }
    WRONG_DICTIONARY(n_values, 1ull << 63),
    WRONG_DICTIONARY(span_offset, 1),
    WRONG_DICTIONARY(span_offset, 0),
    WRONG_DICTIONARY(span_size, 1),
    WRONG_DICTIONARY(span_size, 1 << 20),
    WRONG_DICTIONARY(span_size, UINT64_MAX - 63),
    WRONG_DICTIONARY(reserved, 1),
    WRONG_DICTIONARY(values.dtype, 0),
    WRONG_DICTIONARY(values.null_count, 1),
    WRONG_DICTIONARY(values.offsets_offset, 64),
    WRONG_DICTIONARY(values.data_offset, 1 << 20),
    WRONG_DICTIONARY(values.width, 1),
};

static const struct {
    int column;
    size_t offset;
    uint64_t value;
    size_t size;
    const char *culprit;
} wrong_columns[] = {
#define WRONG_COLUMN(column, field, value)                                                         \
    {                                                                                              \
        column, offsetof(struct shmf_format_column, field), (uint64_t)(value),                     \
            sizeof(((struct shmf_format_column *)NULL)->field), #field                             \
    }
    WRONG_COLUMN(NAME, offsets_offset, 0),
    WRONG_COLUMN(NAME, offsets_offset, 1),
    WRONG_COLUMN(NAME, data_offset, 64),
    WRONG_COLUMN(NAME, null_count, 4),
    WRONG_COLUMN(NAME, validity_offset, 8),
    WRONG_COLUMN(NAME, metadata_offset, 1 << 30),
    WRONG_COLUMN(NAME, dictionary, 1),
    WRONG_COLUMN(UUID, width, 0),
    WRONG_COLUMN(UUID, width, UINT32_MAX),
    WRONG_COLUMN(UUID, data_size, 8),
    WRONG_COLUMN(UUID, offsets_offset, 64),
    WRONG_COLUMN(KIND, dictionary, 0),
    WRONG_COLUMN(KIND, dictionary, 2),
    WRONG_COLUMN(KIND, index_dtype, SHMF_FLOAT32),
    WRONG_COLUMN(KIND, flags, 2),
    WRONG_COLUMN(DAY, unit, 1),
    WRONG_COLUMN(ALARM, unit, 3),
    WRONG_COLUMN(TICK, unit, 2),
    WRONG_COLUMN(WHEN, unit, 0),
    WRONG_COLUMN(SPAN, unit, 5),
    WRONG_COLUMN(WHEN, zone_offset, 1 << 30),
    WRONG_COLUMN(WHEN, zone_size, UINT32_MAX),
    WRONG_COLUMN(LOCAL, zone_size, 1),
    WRONG_COLUMN(SPAN, zone_offset, 4096),
    WRONG_COLUMN(PRICE, precision, 0),
    WRONG_COLUMN(PRICE, precision, 39),
    WRONG_COLUMN(PRICE, width, 1),
    WRONG_COLUMN(PRICE, data_size, 47),
};

static void test_wrong_fields_are_refused_when_a_frame_is_opened(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_dictionaries / sizeof wrong_dictionaries[0]; i++) {
        struct copy copy = typed_copy();
        memcpy((char *)copy.dictionaries + wrong_dictionaries[i].offset,
               &wrong_dictionaries[i].value, wrong_dictionaries[i].size);
        assert_found(&copy, SHMF_VALIDATE_MINIMAL, wrong_dictionaries[i].culprit);
    }
    for (size_t i = 0; i < sizeof wrong_columns / sizeof wrong_columns[0]; i++) {
        struct copy copy = typed_copy();
        memcpy((char *)&copy.columns[wrong_columns[i].column] + wrong_columns[i].offset,
               &wrong_columns[i].value, wrong_columns[i].size);
        const char *culprit = wrong_columns[i].culprit;
        assert_found(&copy, SHMF_VALIDATE_MINIMAL,
                     strcmp(culprit, "zone_size") ? culprit : "column");
    }
    struct copy copy = typed_copy();
    struct shmf_error err;
    copy.dictionaries[0].values.dtype = SHMF_INT8;
    assert_int_equal(validate(&copy, SHMF_VALIDATE_MINIMAL, &err), SHMF_E_UNSUPPORTED);
    free(copy.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_frames_pass_every_level),
        cmocka_unit_test(test_offsets_must_be_in_order_and_inside),
        cmocka_unit_test(test_text_must_be_utf8_but_binary_need_not),
        cmocka_unit_test(test_indexes_must_name_a_category),
        cmocka_unit_test(test_null_counts_must_be_true),
        cmocka_unit_test(test_metadata_must_end_inside),
        cmocka_unit_test(test_the_index_of_column_labels_must_agree_with_them),
        cmocka_unit_test(test_the_index_of_row_labels_must_agree_with_them),
        cmocka_unit_test(test_an_entry_whose_text_is_that_of_another_row_is_found),
        cmocka_unit_test(test_wrong_fields_are_refused_when_a_frame_is_opened),
    };
    return cmocka_run_group_tests_name("frame validate", tests, NULL, NULL);
}

/* golden/ keeps the bytes of a few segments, as people can read them in a diff. They must stay
 * readable for ever, and as long as nothing changes on purpose the library writes the same ones.
 * golden/bad.txt says which changes to them must be refused, how, and with what in the message.
 * After a change on purpose: `test_format_golden write` makes the files anew. */
#include "format/samples.h"

static char *hex_of(const struct segment_copy *copy)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    write_golden(out, copy);
    fclose(out);
    return text;
}

static void test_the_library_writes_the_golden_bytes(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SAMPLES; s++) {
        struct segment_copy golden = read_golden(samples[s].name), made = samples[s].make();
        char *expected = hex_of(&golden), *written = hex_of(&made);
        if (strcmp(expected, written))
            fail_msg("%s is written differently now:\n%s", samples[s].name, written);
        free(expected);
        free(written);
        free(golden.base);
        free(made.base);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static struct shmf_frame *open_frame(const struct segment_copy *copy, struct shmf_error *err)
{
    struct shmf_frame *frame = NULL;
    shmfi_frame_from_memory(copy->base, copy->size, false, &frame, err);
    return frame;
}

static void assert_prints(const char *name, const char *expected)
{
    struct segment_copy copy = read_golden(name);
    struct shmf_error err = {0};
    struct shmf_frame *frame = open_frame(&copy, &err);
    if (!frame)
        fail_msg("%s: %s", name, err.message);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    shmf_frame_print(frame, out, NULL);
    fclose(out);
    assert_string_equal(text, expected);
    free(text);
    shmf_frame_free(frame);
    free(copy.base);
}

static void assert_frames_read(const char *mixed, const char *matrix)
{
    assert_prints(mixed, "        count    price     ok         half       wave  count\n"
                         "        int32  float64   bool      float16  complex64  uint8\n"
                         "Idx-0       1      0.5   true            1   1.0+2.0i      0\n"
                         "h\xC3\xA4user     -2     1.25  false           -2   3.0+4.0i      1\n"
                         "            3     null   true          inf   5.0+6.0i    127\n"
                         "Idx-0      -4   1e+300  false  5.96046e-08   7.0+8.0i    128\n"
                         "z           5        0   true     0.333252  9.0+10.0i    255\n"
                         "\n"
                         "[5 rows x 6 columns]\n");
    assert_prints(matrix, "        west              east     east\n"
                          "     float64  float64  float64  float64\n"
                          "-90      1.0      2.0      3.0      4.0\n"
                          "0        5.0      6.0      7.0      8.0\n"
                          "90       9.0     10.0     11.0     12.0\n"
                          "\n"
                          "[3 rows x 4 columns]\n");
}

static void test_golden_frames_are_read_as_what_they_are(void **state)
{
    (void)state;
    assert_frames_read("frame_mixed", "frame_matrix");
    assert_frames_read("frame_mixed_slots", "frame_matrix_slots");
    assert_prints("frame_empty", "[0 rows x 0 columns]\n");
}

static void assert_labels_found(const char *mixed, const char *matrix)
{
    struct segment_copy copy = read_golden(mixed);
    struct shmf_frame *frame = open_frame(&copy, NULL);
    assert_non_null(frame);
    int64_t count = 0;
    assert_int_equal(shmf_frame_loc_text(frame, (struct shmf_text){"Idx-0", 5}, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(shmf_frame_loc(frame, "h\xC3\xA4user"), 1);
    assert_int_equal(shmf_frame_loc(frame, ""), 2);
    assert_int_equal(shmf_frame_column_loc(frame, "wave"), 4);
    shmf_frame_free(frame);
    free(copy.base);
    copy = read_golden(matrix);
    frame = open_frame(&copy, NULL);
    assert_non_null(frame);
    assert_int_equal(shmf_frame_loc_number(frame, 90), 2);
    assert_int_equal(shmf_frame_loc_number(frame, 89), SHMF_E_NOTFOUND);
    assert_int_equal(shmf_frame_validate(frame, SHMF_VALIDATE_FULL, NULL), SHMF_OK);
    shmf_frame_free(frame);
    free(copy.base);
}

static void test_golden_labels_are_found(void **state)
{
    (void)state;
    assert_labels_found("frame_mixed", "frame_matrix");
    assert_labels_found("frame_mixed_slots", "frame_matrix_slots");
    struct segment_copy copy = read_golden("frame_range");
    struct shmf_frame *frame = open_frame(&copy, NULL);
    assert_non_null(frame);
    assert_int_equal(shmf_frame_loc_number(frame, -8), 6);
    assert_int_equal(shmf_frame_loc_number(frame, -7), SHMF_E_NOTFOUND);
    shmf_frame_free(frame);
    free(copy.base);
}

static void test_the_golden_array_is_read_as_what_it_is(void **state)
{
    (void)state;
    struct segment_copy copy = read_golden("array");
    struct shmf_array *array;
    assert_int_equal(shmfi_array_from_memory(copy.base, copy.size, &array, NULL), SHMF_OK);
    assert_int_equal(shmf_array_dtype(array), SHMF_INT16);
    const int64_t shape[] = {2, 3, 4};
    assert_int_equal(shmf_array_ndim(array), 3);
    assert_memory_equal(shmf_array_shape(array), shape, sizeof shape);
    for (int i = 0; i < 24; i++)
        assert_int_equal(((const int16_t *)shmf_array_data(array))[i], i * 100);
    shmf_array_free(array);
    free(copy.base);
}

/* ---- bad ones -------------------------------------------------------------------------------- */

static int open_segment(const struct segment_copy *copy, bool is_frame, struct shmf_error *err)
{
    struct shmf_frame *frame;
    struct shmf_array *array;
    int rc = is_frame ? shmfi_frame_from_memory(copy->base, copy->size, false, &frame, err)
                      : shmfi_array_from_memory(copy->base, copy->size, &array, err);
    if (rc == SHMF_OK && is_frame)
        shmf_frame_free(frame);
    else if (rc == SHMF_OK)
        shmf_array_free(array);
    return rc;
}

static void test_golden_changes_are_refused_as_listed(void **state)
{
    (void)state;
    FILE *list = open_golden("bad.txt", "r");
    char line[256], name[32], code[32], culprit[64];
    size_t offset, size, lines = 0;
    unsigned long long value;
    while (fgets(line, sizeof line, list)) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        assert_int_equal(sscanf(line, "%31s %zu %zu %llx %31s %63[^\n]", name, &offset, &size,
                                &value, code, culprit),
                         6);
        struct segment_copy copy = read_golden(name);
        struct shmf_error err = {0};
        assert_true(size <= 8 && offset + size <= copy.size);
        memcpy(copy.base + offset, &value, size);
        int rc = open_segment(&copy, strncmp(name, "frame", 5) == 0, &err);
        if (strcmp(shmf_status_name(rc), code) || !strstr(err.message, culprit))
            fail_msg("%s is refused with %s, \"%s\"", line, shmf_status_name(rc), err.message);
        free(copy.base);
        lines++;
    }
    fclose(list);
    assert_true(lines >= 20);
}

static int write_all(void)
{
    for (size_t s = 0; s < N_SAMPLES; s++) {
        char name[64];
        snprintf(name, sizeof name, "%s.hex", samples[s].name);
        FILE *out = open_golden(name, "w");
        struct segment_copy copy = samples[s].make();
        write_golden(out, &copy);
        fclose(out);
        free(copy.base);
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_library_writes_the_golden_bytes),
        cmocka_unit_test(test_golden_frames_are_read_as_what_they_are),
        cmocka_unit_test(test_golden_labels_are_found),
        cmocka_unit_test(test_the_golden_array_is_read_as_what_it_is),
        cmocka_unit_test(test_golden_changes_are_refused_as_listed),
    };
    if (argc == 2 && strcmp(argv[1], "write") == 0)
        return write_all();
    return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}

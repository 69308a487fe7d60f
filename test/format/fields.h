/* Every field of every struct of the segment format, in the order of the bytes. test_layout fails
 * where this table leaves a byte out, so nothing that is made of it can forget a field. */
#ifndef TEST_FORMAT_FIELDS_H
#define TEST_FORMAT_FIELDS_H

#include <shmframe/format.h>

struct field {
    const char *structure;
    const char *name;
    size_t offset;
    size_t size;
    size_t element;     /* bytes of one number: `size` but in arrays; 0 of a struct */
    const char *nested; /* the struct that lies here, or NULL */
};

#define FIELD_SIZE(structure, name) sizeof(((struct structure *)NULL)->name)
#define FIELD(structure, name)                                                                     \
    {                                                                                              \
#structure, #name, offsetof(struct structure, name), FIELD_SIZE(structure, name),          \
            FIELD_SIZE(structure, name), NULL                                                      \
    }
#define ELEMENTS(structure, name)                                                                  \
    {                                                                                              \
#structure, #name, offsetof(struct structure, name), FIELD_SIZE(structure, name),          \
            FIELD_SIZE(structure, name[0]), NULL                                                   \
    }
#define NESTED(structure, name, nested)                                                            \
    {                                                                                              \
#structure, #name, offsetof(struct structure, name), FIELD_SIZE(structure, name), 0,       \
            #nested                                                                                \
    }

static const struct field fields[] = {
    ELEMENTS(shmf_format_header, foreign),
    ELEMENTS(shmf_format_header, magic),
    FIELD(shmf_format_header, version),
    FIELD(shmf_format_header, header_size),
    FIELD(shmf_format_header, kind),
    FIELD(shmf_format_header, state),
    FIELD(shmf_format_header, total_size),
    FIELD(shmf_format_header, generation),
    FIELD(shmf_format_header, compatible),
    FIELD(shmf_format_header, incompatible),
    NESTED(shmf_format_frame, header, shmf_format_header),
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
    NESTED(shmf_format_frame, row_index, shmf_format_index),
    NESTED(shmf_format_frame, column_index, shmf_format_index),
    NESTED(shmf_format_frame, row_label, shmf_format_column),
    NESTED(shmf_format_frame, column_label, shmf_format_column),
    ELEMENTS(shmf_format_frame, reserved),
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
    NESTED(shmf_format_dictionary, values, shmf_format_column),
    FIELD(shmf_format_dictionary, n_values),
    FIELD(shmf_format_dictionary, span_offset),
    FIELD(shmf_format_dictionary, span_size),
    FIELD(shmf_format_dictionary, reserved),
    FIELD(shmf_format_index, offset),
    FIELD(shmf_format_index, capacity),
    FIELD(shmf_format_slot, tag),
    FIELD(shmf_format_slot, count),
    FIELD(shmf_format_slot, first),
    FIELD(shmf_format_slot, begin),
    ELEMENTS(shmf_format_entry, text),
    FIELD(shmf_format_entry, size),
    FIELD(shmf_format_entry, count),
    FIELD(shmf_format_entry, first),
    ELEMENTS(shmf_format_group, tag),
    NESTED(shmf_format_array, header, shmf_format_header),
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
    ELEMENTS(shmf_format_array, shape),
    ELEMENTS(shmf_format_array, strides),
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
    {"shmf_format_entry", sizeof(struct shmf_format_entry)},
    {"shmf_format_group", sizeof(struct shmf_format_group)},
    {"shmf_format_array", sizeof(struct shmf_format_array)},
};

#endif

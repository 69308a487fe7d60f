/* libshmframe: the segment format, version 1, in bytes. docs/format.md says what it means.
 *
 * Structs, offsets and static assertions only; little-endian, 64-bit; all offsets count from the
 * first byte of the segment; no pointers. `reserved` fields are zero and refused when not;
 * `unused` bytes are ignored. */
#ifndef SHMFRAME_FORMAT_H
#define SHMFRAME_FORMAT_H

#include <shmframe/base.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "libshmframe segments are little-endian"
#endif

/* What the header begins with behind the foreign bytes, and the version that this file
 * describes. */
#define SHMF_FORMAT_MAGIC   "SHMF\r\n\x1a\n"
#define SHMF_FORMAT_VERSION 1u

/* Bytes 0-79 of every segment. */
struct shmf_format_header {
    uint8_t foreign[24];   /*  0 belongs to other formats; zero in an ordinary segment */
    uint8_t magic[8];      /* 24 SHMF_FORMAT_MAGIC */
    uint32_t version;      /* 32 SHMF_FORMAT_VERSION */
    uint32_t header_size;  /* 36 bytes of header in all, those of the kind included */
    uint32_t kind;         /* 40 enum shmf_kind */
    uint32_t state;        /* 44 SHMF_FORMAT_BUILDING or SHMF_FORMAT_READY */
    uint64_t total_size;   /* 48 bytes of the segment */
    uint64_t generation;   /* 56 nonzero while alive; written by the region's owner alone */
    uint64_t compatible;   /* 64 feature bits that a reader may ignore */
    uint64_t incompatible; /* 72 feature bits that a reader must know */
};

/* Of the field `incompatible`. */
#define SHMF_FORMAT_TAGGED_ROWS 1u /* frames: row_index has tags and entries, not slots */

/* Of the field `state`. */
#define SHMF_FORMAT_BUILDING 1u
#define SHMF_FORMAT_READY    2u

/* ---- columns ------------------------------------------------------------------------------ */

/* A sequence of values laid out as Apache Arrow lays it out; labels are described by it too. Which
 * fields a dtype uses is in docs/format.md; the others are reserved for it: zero. */
struct shmf_format_column {
    uint32_t dtype;           /*  0 enum shmf_dtype; 0 in a descriptor that describes nothing */
    uint32_t flags;           /*  4 SHMF_COLUMN_...; other bits reserved */
    uint64_t null_count;      /*  8 exact */
    uint64_t validity_offset; /* 16 bitmap, bit r set: row r is not null; 0: none, no nulls */
    uint64_t offsets_offset;  /* 24 strings: n + 1 int32 or int64 into the data */
    uint64_t data_offset;     /* 32 values, or the strings' bytes */
    uint64_t data_size;       /* 40 bytes of these, padding not counted */
    uint32_t dictionary;      /* 48 1 + position in the dictionary table */
    uint32_t width;           /* 52 bytes of one value of SHMF_FIXED_BINARY */
    uint16_t index_dtype;     /* 56 dtype of a dictionary's indexes */
    uint16_t unit;            /* 58 SHMF_UNIT_... of times, timestamps and durations */
    uint16_t precision;       /* 60 decimal digits */
    int16_t scale;            /* 62 of these, digits after the point */
    uint64_t zone_offset;     /* 64 name of a timestamp's time zone, UTF-8; 0: none */
    uint64_t metadata_offset; /* 72 pairs of key and value; 0: none. Of labels: unused */
    uint32_t zone_size;       /* 80 bytes */
    uint32_t metadata_size;   /* 84 bytes */
    uint64_t reserved;        /* 88 */
};

#define SHMF_COLUMN_ORDERED 1u /* a dictionary whose values are in order */

/* Of the field `unit`. */
#define SHMF_UNIT_SECOND      1u
#define SHMF_UNIT_MILLISECOND 2u
#define SHMF_UNIT_MICROSECOND 3u
#define SHMF_UNIT_NANOSECOND  4u

/* The values that indexes of SHMF_DICTIONARY columns point to; the spans ascend. */
struct shmf_format_dictionary {
    struct shmf_format_column values; /*   0 */
    uint64_t n_values;                /*  96 */
    uint64_t span_offset;             /* 104 all its buffers lie in this span, below the body */
    uint64_t span_size;               /* 112 */
    uint64_t reserved;                /* 120 */
};

/* ---- hash indexes of labels --------------------------------------------------------------- */

/* An open-addressing table, of one of two kinds: of slots, or (SHMF_FORMAT_TAGGED_ROWS) of entries,
 * `capacity` of them, and behind these their tags in groups of eight. */
struct shmf_format_index {
    uint64_t offset;   /* 0 of the first slot or entry */
    uint64_t capacity; /* 8 slots or entries, more than there are labels */
};

/* One slot; a probe begins at (hash * capacity) >> 64. */
struct shmf_format_slot {
    uint32_t tag;   /* 0 low half of the label's XXH3_64bits, seed 0 */
    uint32_t count; /* 4 how many positions bear the label; 2^32 - 1: that many or more */
    uint64_t first; /* 8 1 + the first of these positions; 0: the slot is empty */
    uint64_t begin; /* 16 of text: the offset of this position, so that it need not be waited for */
};

/* One entry. */
struct shmf_format_entry {
    uint8_t
        text[19];   /*  0 the label, then zeros; of a longer one its begin and hash, uint64 each */
    uint8_t size;   /* 19 bytes of the label; SHMF_FORMAT_LONG: more than fit */
    uint32_t count; /* 20 how many positions bear the label; 2^32 - 1: that many or more */
    uint64_t first; /* 24 1 + the first of these positions; 0: the entry is empty */
};

/* Of the field `size` of an entry: the label is longer than 19 bytes. */
#define SHMF_FORMAT_LONG 255u

/* The tags of eight entries; a probe begins at group (hash * (capacity / 8)) >> 64. */
struct shmf_format_group {
    uint8_t tag[8]; /* 0 low byte of the label's XXH3_64bits, 1 where that is 0; 0: empty */
};

/* ---- the two kinds of segment ------------------------------------------------------------- */

/* SHMF_KIND_FRAME: bytes 0-511. */
struct shmf_format_frame {
    struct shmf_format_header header;       /*   0 */
    uint64_t n_rows;                        /*  80 */
    uint64_t n_columns;                     /*  88 */
    uint64_t body_offset;                   /*  96 span of all buffers of columns and row labels */
    uint64_t body_size;                     /* 104 */
    uint64_t columns_offset;                /* 112 column table: n_columns descriptors */
    uint32_t column_size;                   /* 120 bytes from one descriptor to the next */
    uint32_t row_labels;                    /* 124 enum shmf_row_labels */
    int64_t range_start;                    /* 128 SHMF_ROWS_RANGE: label of the first row */
    int64_t range_step;                     /* 136 and the difference between two rows; not 0 */
    uint32_t matrix_dtype;                  /* 144 of all columns, when they form a matrix; or 0 */
    uint32_t dictionary_size;               /* 148 bytes from one dictionary to the next */
    uint64_t matrix_stride;                 /* 152 bytes from one column of it to the next */
    uint64_t dictionaries_offset;           /* 160 dictionary table */
    uint64_t n_dictionaries;                /* 168 */
    uint64_t metadata_offset;               /* 176 pairs of key and value; 0: none */
    uint64_t metadata_size;                 /* 184 bytes */
    struct shmf_format_index row_index;     /* 192 of row labels; zero for SHMF_ROWS_RANGE */
    struct shmf_format_index column_index;  /* 208 of column labels */
    struct shmf_format_column row_label;    /* 224 in the body, last; zero for SHMF_ROWS_RANGE */
    struct shmf_format_column column_label; /* 320 n_columns strings, outside the body */
    uint64_t reserved[12];                  /* 416 */
};

/* The most dimensions that an array may have. */
#define SHMF_FORMAT_MAX_DIMS 16

/* SHMF_KIND_ARRAY: bytes 0-383. */
struct shmf_format_array {
    struct shmf_format_header header;      /*   0 */
    uint32_t dtype;                        /*  80 enum shmf_dtype */
    uint32_t n_dims;                       /*  84 1 to SHMF_FORMAT_MAX_DIMS */
    uint64_t data_offset;                  /*  88 of the first element */
    uint64_t data_size;                    /*  96 bytes; all elements lie in these */
    uint32_t width;                        /* 104 bytes of one value of SHMF_FIXED_BINARY */
    uint16_t unit;                         /* 108 as in a column */
    uint16_t precision;                    /* 110 as in a column */
    int16_t scale;                         /* 112 as in a column */
    uint16_t reserved0;                    /* 114 */
    uint32_t reserved1;                    /* 116 */
    uint64_t reserved2;                    /* 120 */
    int64_t shape[SHMF_FORMAT_MAX_DIMS];   /* 128 elements; zero beyond n_dims */
    int64_t strides[SHMF_FORMAT_MAX_DIMS]; /* 256 bytes, >= 0; zero beyond n_dims */
};

/* ---- the same again, for the compiler ------------------------------------------------------ */

#ifdef __cplusplus
#define SHMF_FORMAT_ASSERT(condition) static_assert(condition, #condition)
#else
#define SHMF_FORMAT_ASSERT(condition) _Static_assert(condition, #condition)
#endif

SHMF_FORMAT_ASSERT(sizeof(struct shmf_format_header) == 80);
SHMF_FORMAT_ASSERT(offsetof(struct shmf_format_header, generation) == 56);
SHMF_FORMAT_ASSERT(sizeof(struct shmf_format_column) == 96);
SHMF_FORMAT_ASSERT(sizeof(struct shmf_format_dictionary) == 128);
SHMF_FORMAT_ASSERT(sizeof(struct shmf_format_index) == 16);
SHMF_FORMAT_ASSERT(sizeof(struct shmf_format_slot) == 24);
SHMF_FORMAT_ASSERT(sizeof(struct shmf_format_entry) == 32);
SHMF_FORMAT_ASSERT(sizeof(struct shmf_format_group) == 8);
SHMF_FORMAT_ASSERT(offsetof(struct shmf_format_frame, row_index) == 192);
SHMF_FORMAT_ASSERT(offsetof(struct shmf_format_frame, column_label) == 320);
SHMF_FORMAT_ASSERT(sizeof(struct shmf_format_frame) == 512);
SHMF_FORMAT_ASSERT(offsetof(struct shmf_format_array, shape) == 128);
SHMF_FORMAT_ASSERT(sizeof(struct shmf_format_array) == 384);

#endif

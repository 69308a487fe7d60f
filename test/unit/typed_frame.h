/* A frame with a column of every dtype that needs more than its name. */
#ifndef TEST_UNIT_TYPED_FRAME_H
#define TEST_UNIT_TYPED_FRAME_H

#include <shmframe/frame.h>

#include <string.h>

#define TEXT(literal)                                                                              \
    {                                                                                              \
        literal, (int64_t)sizeof(literal) - 1                                                      \
    }
#define NO_TEXT                                                                                    \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

enum typed_column {
    NAME,
    NOTE,
    BLOB,
    UUID,
    KIND,
    DAY,
    INSTANT,
    ALARM,
    TICK,
    WHEN,
    LOCAL,
    SPAN,
    PRICE,
    N_TYPED
};

static const struct shmf_column_spec typed_columns[N_TYPED] = {
    [NAME] = {"name", SHMF_UTF8, 0},         [NOTE] = {"note", SHMF_LARGE_UTF8, 0},
    [BLOB] = {"blob", SHMF_BINARY, 0},       [UUID] = {"uuid", SHMF_FIXED_BINARY, 0},
    [KIND] = {"kind", SHMF_DICTIONARY, 0},   [DAY] = {"day", SHMF_DATE32, 0},
    [INSTANT] = {"instant", SHMF_DATE64, 0}, [ALARM] = {"alarm", SHMF_TIME32, 0},
    [TICK] = {"tick", SHMF_TIME64, 0},       [WHEN] = {"when", SHMF_TIMESTAMP, 1},
    [LOCAL] = {"local", SHMF_TIMESTAMP, 0},  [SPAN] = {"span", SHMF_DURATION, 0},
    [PRICE] = {"price", SHMF_DECIMAL128, 0},
};

static const struct shmf_text typed_kinds[] = {TEXT("red"), TEXT(""), TEXT("gr\xC3\xBCn")};

static const struct shmf_pair typed_notes[] = {{TEXT("unit"), TEXT("m/s")},
                                               {TEXT("long name"), TEXT("wind \xE2\x86\x92")},
                                               {TEXT("unit"), TEXT("second")},
                                               {TEXT(""), TEXT("")}};

static const struct shmf_column_details typed_details[N_TYPED] = {
    [NAME] = {.metadata = typed_notes, .n_metadata = 4},
    [UUID] = {.type = {.width = 3}},
    [KIND] = {.type = {.index_dtype = SHMF_UINT8, .ordered = 1},
              .values = typed_kinds,
              .n_values = 3},
    [ALARM] = {.type = {.unit = SHMF_SECONDS}},
    [TICK] = {.type = {.unit = SHMF_NANOSECONDS}},
    [WHEN] = {.type = {.unit = SHMF_MILLISECONDS, .zone = TEXT("Europe/Berlin")}},
    [LOCAL] = {.type = {.unit = SHMF_SECONDS}},
    [SPAN] = {.type = {.unit = SHMF_MICROSECONDS}},
    [PRICE] = {.type = {.precision = 10, .scale = 2}},
};

static const struct shmf_frame_spec typed_spec = {.n_rows = 3,
                                                  .n_columns = N_TYPED,
                                                  .columns = typed_columns,
                                                  .details = typed_details,
                                                  .metadata = typed_notes,
                                                  .n_metadata = 1};

static inline struct shmf_frame *typed_frame(struct shmf_error *err)
{
    static const struct shmf_text name[] = {TEXT("Ann"), NO_TEXT, TEXT("\xE5\xBC\xA0\xE4\xBC\x9F")};
    static const struct shmf_text note[] = {TEXT(""), TEXT("b"), TEXT("tail")};
    static const struct shmf_text blob[] = {TEXT("\x00\xFF"), TEXT(""), TEXT("\x7F")};
    static const char uuid[] = "abc\x01\x02\x03xyz";
    static const uint8_t kind[] = {2, 0, 9}, some[] = {0x03};
    static const int32_t day[] = {0, 19782, -1}, alarm[] = {0, 86399, 3661};
    static const int64_t instant[] = {0, 86400000, 1}, tick[] = {1, 43200000000000, 0};
    static const int64_t when[] = {1709210096789, -1, 0}, local[] = {0, 951782400, -62135596800};
    static const int64_t span[] = {5, -7, 0};
    static const int64_t price[] = {12345, 0, -5, -1, 7, 0};
    static const void *const data[] = {name,  note, blob, uuid,  kind, day,  instant,
                                       alarm, tick, when, local, span, price};
    static const uint8_t *const validity[N_TYPED] = {[KIND] = some};
    return shmf_frame_from_columns(&typed_spec, data, validity, err);
}

static inline int64_t typed_size(const char *text)
{
    return (int64_t)strlen(text);
}

#endif

/* Does a column hold what its dtype promises? */
#include "frame/frame_internal.h"

#include "base/error.h"
#include "dtype/dtype.h"

#include <inttypes.h>
#include <string.h>

/* What is looked at, and how to complain about it. */
struct subject {
    const char *name; /* "column" or "dictionary" */
    int64_t position;
    int code;
    struct shmf_error *err;
};

static int complain(const struct subject *subject, uint64_t row, const char *problem)
{
    return shmfi_error(subject->err, subject->code, "%s %" PRId64 ": row %" PRIu64 ": %s",
                       subject->name, subject->position, row, problem);
}

/* One load, as everywhere: what is checked is what is used. */
static int64_t offset_at(const struct shmfi_strings *strings, uint64_t position)
{
    if (strings->wide)
        return __atomic_load_n((const int64_t *)strings->offsets + position, __ATOMIC_RELAXED);
    return __atomic_load_n((const int32_t *)strings->offsets + position, __ATOMIC_RELAXED);
}

/* Then every text is UTF-8, wherever it begins and ends. */
static bool is_ascii(const char *bytes, uint64_t size)
{
    uint64_t word, all = 0;
    for (; size >= sizeof word; size -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        all |= word;
    }
    for (; size > 0; size--)
        all |= (unsigned char)*bytes++;
    return !(all & UINT64_C(0x8080808080808080));
}

#define NONE_FALLS(type)                                                                           \
    do {                                                                                           \
        const type *offsets = strings->offsets;                                                    \
        for (uint64_t i = 0; i < strings->n; i++)                                                  \
            falls |= offsets[i] > offsets[i + 1];                                                  \
    } while (0)

/* Then all texts lie between the first offset and the last. Without a way out of the loop, so that
 * it takes several rows at a time. */
static bool in_order(const struct shmfi_strings *strings)
{
    unsigned falls = 0;
    if (strings->wide)
        NONE_FALLS(int64_t);
    else
        NONE_FALLS(int32_t);
    return !falls;
}

/* The offsets of all rows (of the first and the last, if not `whole`), and the text of those that
 * are not null. */
static int check_strings(const struct subject *subject, const struct shmfi_strings *strings,
                         const uint8_t *validity, int64_t shift, bool is_utf8, bool whole)
{
    const char *text;
    uint64_t size;
    int64_t first = offset_at(strings, 0), last = offset_at(strings, strings->n);
    if (first < 0 || last < first || (uint64_t)last > strings->bytes_size)
        return complain(subject, strings->n, "the offsets do not lie inside the data");
    if (whole && is_utf8)
        is_utf8 = !is_ascii(strings->bytes + first, (uint64_t)(last - first));
    if (whole && !is_utf8 && in_order(strings))
        return SHMF_OK;
    for (uint64_t r = 0; whole && r < strings->n; r++) {
        if (!shmfi_strings_at(strings, r, &text, &size))
            return complain(subject, r, "the offsets are not in order");
        bool null = validity && !shmfi_bit(validity, (int64_t)r + shift);
        if (is_utf8 && !null && !shmfi_utf8_valid(text, size))
            return complain(subject, r, "not valid UTF-8");
    }
    return SHMF_OK;
}

static int check_indexes(const struct subject *subject, const struct shmf_frame *frame)
{
    const struct shmf_format_column *column = shmfi_frame_descriptor(frame, subject->position);
    int64_t n = shmf_frame_n_categories(frame, subject->position);
    uint8_t boolean;
    for (int64_t r = 0; r < (int64_t)frame->header.n_rows; r++) {
        int64_t index;
        const void *element = shmfi_frame_element(frame, r, subject->position, &boolean);
        if (element && (!shmfi_dtype_to_int64(column->index_dtype, element, &index) || index < 0 ||
                        index >= n))
            return complain(subject, (uint64_t)r, "no such category");
    }
    return SHMF_OK;
}

static int check_dictionary(const struct shmf_frame *frame, const struct subject *column,
                            const struct shmf_format_column *descriptor, bool whole)
{
    const struct shmf_format_dictionary *dictionary = shmfi_frame_dictionary(frame, descriptor);
    struct subject subject = {"dictionary of column", column->position, column->code, column->err};
    if (!dictionary)
        return shmfi_error(column->err, column->code, "column %" PRId64 ": dictionary",
                           column->position);
    struct shmfi_strings strings = shmfi_dictionary_strings(frame, dictionary);
    int rc = check_strings(&subject, &strings, NULL, 0, true, whole);
    return rc || !whole ? rc : check_indexes(column, frame);
}

int shmfi_frame_check_values(const struct shmf_frame *frame, int64_t column, bool whole, int code,
                             struct shmf_error *err)
{
    const struct shmf_format_column *descriptor = shmfi_frame_descriptor(frame, column);
    struct subject subject = {"column", column, code, err};
    if (descriptor->dtype == SHMF_DICTIONARY)
        return check_dictionary(frame, &subject, descriptor, whole);
    if (!shmfi_dtype_is_string(descriptor->dtype))
        return SHMF_OK;
    struct shmfi_strings strings = shmfi_frame_strings(frame, column);
    return check_strings(&subject, &strings, shmfi_frame_validity(frame, descriptor),
                         frame->bit_shift, descriptor->dtype != SHMF_BINARY, whole);
}

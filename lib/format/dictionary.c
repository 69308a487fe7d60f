#include "format/check.h"

#include "base/checked.h"
#include "base/error.h"
#include "dtype/dtype.h"

#include <inttypes.h>

/* `*end`: of the span before. */
static const char *check_dictionary(const struct shmf_format_dictionary *dictionary,
                                    const struct shmf_format_frame *header, uint64_t *end,
                                    const char **part)
{
    *part = "";
    if (dictionary->n_values > INT64_MAX)
        return "n_values";
    if (dictionary->span_offset % SHMFI_BUFFER_ALIGNMENT != 0 || dictionary->span_offset < *end)
        return "span_offset";
    if (dictionary->span_size % SHMFI_BUFFER_ALIGNMENT != 0 ||
        !shmfi_inside(dictionary->span_offset, dictionary->span_size, header->body_offset))
        return "span_size";
    if (dictionary->reserved)
        return "reserved";
    struct shmfi_span span = {dictionary->span_offset,
                              dictionary->span_offset + dictionary->span_size};
    *end = span.end;
    *part = "values.";
    return shmfi_format_check_strings(&dictionary->values, dictionary->n_values, &span);
}

int shmfi_format_read_dictionaries(const void *segment, const struct shmf_format_frame *header,
                                   struct shmf_format_dictionary *dictionaries,
                                   struct shmf_error *err)
{
    return shmfi_format_read_dictionary_table(
        (const unsigned char *)segment + header->dictionaries_offset, header, dictionaries, err);
}

int shmfi_format_read_dictionary_table(const void *table, const struct shmf_format_frame *header,
                                       struct shmf_format_dictionary *dictionaries,
                                       struct shmf_error *err)
{
    const unsigned char *from = table;
    uint64_t end = header->header.header_size;
    for (uint64_t d = 0; d < header->n_dictionaries; d++, from += header->dictionary_size) {
        const char *part;
        shmfi_format_snapshot(&dictionaries[d], from, sizeof dictionaries[d]);
        uint32_t dtype = dictionaries[d].values.dtype;
        const char *field = check_dictionary(&dictionaries[d], header, &end, &part);
        if (field && shmfi_dtype_info(dtype)->class != SHMFI_CLASS_NONE && dtype != SHMF_UTF8 &&
            dtype != SHMF_LARGE_UTF8)
            return shmfi_error(err, SHMF_E_UNSUPPORTED, "dictionary %" PRIu64 ": values of %s", d,
                               shmfi_dtype_info(dtype)->name);
        if (field)
            return shmfi_error(err, SHMF_E_CORRUPT, "dictionary %" PRIu64 ": %s%s", d, part, field);
    }
    return SHMF_OK;
}

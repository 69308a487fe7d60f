/* Descriptions: Python dictionaries with three keys, as NumPy writes them. */
#include "npy.h"

#include <string.h>

struct reader {
    const char *text;
    size_t size;
    size_t at;
    size_t offset; /* of the text in the file, for messages */
    struct shmf_error *err;
};

static const struct {
    const char *name;
    enum shmf_dtype dtype;
} names[] = {{"b1", SHMF_BOOL},      {"i1", SHMF_INT8},       {"i2", SHMF_INT16},
             {"i4", SHMF_INT32},     {"i8", SHMF_INT64},      {"u1", SHMF_UINT8},
             {"u2", SHMF_UINT16},    {"u4", SHMF_UINT32},     {"u8", SHMF_UINT64},
             {"f2", SHMF_FLOAT16},   {"f4", SHMF_FLOAT32},    {"f8", SHMF_FLOAT64},
             {"c8", SHMF_COMPLEX64}, {"c16", SHMF_COMPLEX128}};

const char *shmfi_npy_name(enum shmf_dtype dtype)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].dtype == dtype)
            return names[i].name;
    }
    return NULL;
}

static int wrong(struct reader *reader, const char *expected)
{
    return shmf_error_set(reader->err, SHMF_E_CORRUPT, "byte %zu: %s expected",
                          reader->offset + reader->at, expected);
}

static void skip_space(struct reader *reader)
{
    while (reader->at < reader->size && strchr(" \t\n", reader->text[reader->at]) &&
           reader->text[reader->at])
        reader->at++;
}

/* Takes a character if it is next. */
static bool take(struct reader *reader, char character)
{
    skip_space(reader);
    if (reader->at == reader->size || reader->text[reader->at] != character)
        return false;
    reader->at++;
    return true;
}

static bool take_word(struct reader *reader, const char *word)
{
    size_t size = strlen(word);
    skip_space(reader);
    if (reader->size - reader->at < size || memcmp(reader->text + reader->at, word, size) != 0)
        return false;
    reader->at += size;
    return true;
}

/* A string in quotes of either kind, without escapes; `to` has room for 32 bytes. */
static int read_string(struct reader *reader, char to[32])
{
    size_t n = 0;
    skip_space(reader);
    char quote = reader->at < reader->size ? reader->text[reader->at] : 0;
    if (quote != '\'' && quote != '"')
        return wrong(reader, "a text in quotes");
    for (reader->at++; reader->at < reader->size && reader->text[reader->at] != quote;
         reader->at++) {
        if (n == 31)
            return wrong(reader, "a shorter text");
        to[n++] = reader->text[reader->at];
    }
    to[n] = 0;
    return take(reader, quote) ? SHMF_OK : wrong(reader, "a quote");
}

static int read_descr(struct reader *reader, struct shmfi_npy_header *header)
{
    char text[32];
    skip_space(reader);
    if (reader->at < reader->size && reader->text[reader->at] == '[')
        return shmf_error_set(reader->err, SHMF_E_UNSUPPORTED,
                              "byte %zu: records are no elements of an array",
                              reader->offset + reader->at);
    int rc = read_string(reader, text);
    if (rc)
        return rc;
    for (size_t i = 0; text[0] && i < sizeof names / sizeof names[0]; i++) {
        if (strchr("<>|=", text[0]) && strcmp(text + 1, names[i].name) == 0)
            header->dtype = names[i].dtype;
    }
    header->swapped = text[0] == '>';
    if (!header->dtype)
        return shmf_error_set(reader->err, SHMF_E_UNSUPPORTED,
                              "byte %zu: arrays have no elements of type '%s'",
                              reader->offset + reader->at, text);
    return SHMF_OK;
}

static int read_length(struct reader *reader, int64_t *length)
{
    size_t digits = 0;
    *length = 0;
    skip_space(reader);
    for (; reader->at < reader->size && reader->text[reader->at] >= '0' &&
           reader->text[reader->at] <= '9';
         digits++) {
        if (__builtin_mul_overflow(*length, 10, length) ||
            __builtin_add_overflow(*length, reader->text[reader->at++] - '0', length))
            return shmf_error_set(reader->err, SHMF_E_TOOBIG, "byte %zu: a length beyond 2^63",
                                  reader->offset + reader->at);
    }
    return digits ? SHMF_OK : wrong(reader, "a length");
}

static int read_shape(struct reader *reader, struct shmfi_npy_header *header)
{
    if (!take(reader, '('))
        return wrong(reader, "'('");
    while (!take(reader, ')')) {
        int64_t length;
        int rc = read_length(reader, &length);
        if (rc)
            return rc;
        if (header->n_dims == SHMF_MAX_DIMS)
            return shmf_error_set(reader->err, SHMF_E_UNSUPPORTED, "more than %d dimensions",
                                  SHMF_MAX_DIMS);
        header->shape[header->n_dims++] = length;
        if (!take(reader, ',') && (reader->at == reader->size || reader->text[reader->at] != ')'))
            return wrong(reader, "',' or ')'");
    }
    if (header->n_dims == 0)
        return shmf_error_set(reader->err, SHMF_E_UNSUPPORTED,
                              "a scalar: an array has a dimension at least");
    return SHMF_OK;
}

/* One pair; `seen` has a bit for each key. */
static int read_pair(struct reader *reader, struct shmfi_npy_header *header, unsigned *seen)
{
    char key[32];
    int rc = read_string(reader, key);
    if (rc)
        return rc;
    unsigned bit = strcmp(key, "descr") == 0           ? 1
                   : strcmp(key, "fortran_order") == 0 ? 2
                   : strcmp(key, "shape") == 0         ? 4
                                                       : 0;
    if (!bit || *seen & bit || !take(reader, ':'))
        return wrong(reader, "'descr', 'fortran_order' and 'shape', each once, with its value");
    *seen |= bit;
    if (bit == 1)
        return read_descr(reader, header);
    if (bit == 4)
        return read_shape(reader, header);
    header->fortran_order = take_word(reader, "True");
    return header->fortran_order || take_word(reader, "False") ? SHMF_OK
                                                               : wrong(reader, "True or False");
}

int shmfi_npy_parse(const char *text, size_t size, size_t offset, struct shmfi_npy_header *header,
                    struct shmf_error *err)
{
    struct reader reader = {text, size, 0, offset, err};
    unsigned seen = 0;
    *header = (struct shmfi_npy_header){0};
    if (!take(&reader, '{'))
        return wrong(&reader, "'{'");
    while (!take(&reader, '}')) {
        int rc = read_pair(&reader, header, &seen);
        if (rc)
            return rc;
        if (!take(&reader, ',') && (reader.at == size || text[reader.at] != '}'))
            return wrong(&reader, "',' or '}'");
    }
    skip_space(&reader);
    if (seen != 7 || reader.at < size)
        return wrong(&reader, seen != 7 ? "a key that is missing" : "the end of the description");
    return SHMF_OK;
}

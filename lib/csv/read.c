/* shmf_csv_read and shmf_csv_parse: options, then one step after the other. */
#include "reading.h"

#include <stdlib.h>
#include <string.h>

static bool is_readable(enum shmf_dtype dtype)
{
    switch (dtype) {
    case SHMF_BOOL:
    case SHMF_INT8:
    case SHMF_INT16:
    case SHMF_INT32:
    case SHMF_INT64:
    case SHMF_UINT8:
    case SHMF_UINT16:
    case SHMF_UINT32:
    case SHMF_UINT64:
    case SHMF_FLOAT32:
    case SHMF_FLOAT64:
    case SHMF_DATE32:
    case SHMF_TIMESTAMP:
    case SHMF_UTF8:
    case SHMF_LARGE_UTF8:
        return true;
    default:
        return false;
    }
}

static int check_columns(const struct shmf_csv_options *options, struct shmf_error *err)
{
    if (!options->columns)
        return options->n_columns || options->details
                   ? shmf_error_set(err, SHMF_E_INVAL,
                                    "options.columns: NULL, but n_columns or details are given")
                   : SHMF_OK;
    if (options->n_columns < 1)
        return shmf_error_set(err, SHMF_E_INVAL, "options.n_columns: %lld",
                              (long long)options->n_columns);
    for (int64_t c = 0; c < options->n_columns; c++)
        if (!is_readable(options->columns[c].dtype))
            return shmf_error_set(err, SHMF_E_DTYPE, "options.columns[%lld]: %s cannot be read",
                                  (long long)c, shmf_dtype_name(options->columns[c].dtype));
    return SHMF_OK;
}

static int check(const struct shmf_csv_options *options, struct shmf_error *err)
{
    if (strchr("\"\r\n.-+ ", options->delimiter) ||
        (options->delimiter >= '0' && options->delimiter <= '9') ||
        (options->delimiter >= 'A' && options->delimiter <= 'Z') ||
        (options->delimiter >= 'a' && options->delimiter <= 'z') || options->delimiter < 0)
        return shmf_error_set(err, SHMF_E_INVAL, "options.delimiter: '%c'", options->delimiter);
    if (options->chunk_bytes < 1)
        return shmf_error_set(err, SHMF_E_INVAL, "options.chunk_bytes: %lld",
                              (long long)options->chunk_bytes);
    for (size_t i = 0; i < options->n_nulls; i++)
        if (!options->nulls || !options->nulls[i] || strlen(options->nulls[i]) > UINT8_MAX)
            return shmf_error_set(err, SHMF_E_INVAL,
                                  "options.nulls[%zu]: NULL, or longer than 255 bytes", i);
    for (size_t i = 0; i < sizeof options->reserved0; i++)
        if (options->reserved0[i])
            return shmf_error_set(err, SHMF_E_INVAL, "options.reserved0: not zero");
    for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        if (options->reserved[i])
            return shmf_error_set(err, SHMF_E_INVAL, "options.reserved[%zu]: not zero", i);
    return check_columns(options, err);
}

static void set_options(struct shmfi_csv_reading *reading, const struct shmf_csv_options *options)
{
    if (options)
        reading->options = *options;
    if (!reading->options.delimiter)
        reading->options.delimiter = ',';
    if (!reading->options.chunk_bytes)
        reading->options.chunk_bytes = 1 << 18;
}

static int parse(struct shmfi_csv_reading *reading, struct shmf_frame **frame)
{
    int rc = shmfi_csv_read_header(reading);
    if (!rc)
        rc = shmfi_csv_find_ranges(reading);
    if (!rc)
        rc = shmfi_csv_guess(reading);
    for (bool again = true; !rc && again;) {
        rc = shmfi_csv_make_plan(reading, false);
        if (!rc)
            rc = shmfi_csv_run(reading, frame);
        again = rc == 1;
        rc = again ? SHMF_OK : rc;
    }
    return rc;
}

/* Everything is let go of but the frame; what is wrong is said in `*err`, with the file's name. */
static struct shmf_frame *finish(struct shmfi_csv_reading *reading, int rc, const char *path,
                                 struct shmf_error *err)
{
    struct shmf_frame *frame = NULL;
    const char *prefix = rc || !path ? "" : path;
    if (!rc)
        rc = parse(reading, &frame);
    if (rc) {
        shmf_error_set(err, rc, "%.100s%s%.150s", prefix, *prefix ? ": " : "",
                       reading->err->message);
        if (err)
            err->sys_errno = reading->err->sys_errno;
    }
    for (int64_t c = 0; c < reading->n_columns; c++)
        free(reading->labels[c]);
    free(reading->labels);
    free(reading->ranges);
    free(reading->types);
    free(reading->scratch.memory);
    shmf_array_free(reading->plan_array);
    shmfi_csv_source_free(&reading->source);
    return frame;
}

struct shmf_frame *shmf_csv_parse(const void *bytes, size_t size,
                                  const struct shmf_csv_options *options, struct shmf_error *err)
{
    struct shmf_error own = {0};
    struct shmfi_csv_reading reading = {.err = &own, .source.fd = -1};
    set_options(&reading, options);
    int rc = check(&reading.options, &own);
    if (!rc && !bytes && size)
        rc = shmf_error_set(&own, SHMF_E_INVAL, "bytes: NULL");
    if (!rc)
        rc = shmfi_csv_source_copy(&reading.source, bytes, size, &own);
    return finish(&reading, rc, NULL, err);
}

struct shmf_frame *shmf_csv_read(const char *path, const struct shmf_csv_options *options,
                                 struct shmf_error *err)
{
    struct shmf_error own = {0};
    struct shmfi_csv_reading reading = {.err = &own, .source.fd = -1};
    set_options(&reading, options);
    int rc = check(&reading.options, &own);
    if (!rc && !path)
        rc = shmf_error_set(&own, SHMF_E_INVAL, "path: NULL");
    if (!rc)
        rc = shmfi_csv_source_read(&reading.source, path, &own);
    return finish(&reading, rc, path, err);
}

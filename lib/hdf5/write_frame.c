/* Frames as groups. */
#include "file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 4096 }; /* texts that are handed over together */

struct job {
    struct shmfi_h5 h5;
    const struct shmf_frame *frame;
    const struct shmf_hdf5_write_options *options;
    hid_t group;
    hsize_t rows;
};

struct source {
    struct shmf_column values;
    struct shmf_type type;
    char *name;
};

static bool is_text(const struct source *source)
{
    return source->type.dtype == SHMF_UTF8 || source->type.dtype == SHMF_LARGE_UTF8;
}

static hid_t properties(const struct job *job)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    const hsize_t chunk = job->rows < 65536 ? job->rows : 65536;
    if (job->options && job->options->deflate && job->rows > 0) {
        H5Pset_chunk(list, 1, &chunk);
        H5Pset_shuffle(list);
        H5Pset_deflate(list, job->options->deflate);
    }
    return list;
}

static hid_t new_set(const struct job *job, const char *name, hid_t type)
{
    hid_t space = H5Screate_simple(1, &job->rows, NULL), how = properties(job);
    hid_t id = H5Dcreate2(job->group, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT);
    H5Pclose(how);
    H5Sclose(space);
    return id;
}

/* ---- values ------------------------------------------------------------------------------- */

static int write_texts(const struct job *job, hid_t id, hid_t type, const struct source *source)
{
    const int64_t *wide = source->values.offsets;
    const int32_t *narrow = source->values.offsets;
    const bool large = source->type.dtype == SHMF_LARGE_UTF8;
    char *texts[BLOCK];
    int rc = SHMF_OK;
    hid_t file = H5Dget_space(id);
    for (hsize_t at = 0, n; !rc && at < job->rows; at += n) {
        size_t made = 0;
        n = job->rows - at < BLOCK ? job->rows - at : BLOCK;
        for (; made < n && !rc; made++) {
            const int64_t begin = large ? wide[at + made] : narrow[at + made];
            const int64_t size = (large ? wide[at + made + 1] : narrow[at + made + 1]) - begin;
            const char *text = (const char *)source->values.data + begin;
            texts[made] = strndup(size ? text : "", (size_t)size);
            if (!texts[made] || strlen(texts[made]) != (size_t)size)
                rc = shmf_error_set(job->h5.err, texts[made] ? SHMF_E_INVAL : SHMF_E_NOMEM,
                                    "%.110s: column %.60s: %s", job->h5.path, source->name,
                                    texts[made] ? "a text with a NUL byte"
                                                : "private memory is exhausted");
        }
        hid_t memory = H5Screate_simple(1, &n, NULL);
        H5Sselect_hyperslab(file, H5S_SELECT_SET, &at, NULL, &n, NULL);
        if (!rc && H5Dwrite(id, type, memory, file, H5P_DEFAULT, texts) < 0)
            rc = shmfi_h5_said(&job->h5, SHMF_E_SYS, source->name);
        H5Sclose(memory);
        while (made > 0)
            free(texts[--made]);
    }
    H5Sclose(file);
    return rc;
}

/* Bits as bytes. */
static int write_bits(const struct job *job, hid_t id, hid_t type, const uint8_t *bits,
                      int64_t offset, const char *name)
{
    uint8_t *bytes = malloc((size_t)job->rows + 1);
    if (!bytes)
        return shmf_error_set(job->h5.err, SHMF_E_NOMEM, "private memory is exhausted");
    for (size_t i = 0; i < job->rows; i++)
        bytes[i] = bits[(i + (size_t)offset) / 8] >> (i + (size_t)offset) % 8 & 1;
    int rc = job->rows > 0 && H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes) < 0
                 ? shmfi_h5_said(&job->h5, SHMF_E_SYS, name)
                 : SHMF_OK;
    free(bytes);
    return rc;
}

static int write_values(const struct job *job, hid_t id, hid_t type, const struct source *source)
{
    if (is_text(source))
        return write_texts(job, id, type, source);
    if (source->type.dtype == SHMF_BOOL)
        return write_bits(job, id, type, source->values.data, source->values.bit_offset,
                          source->name);
    return job->rows > 0 &&
                   H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, source->values.data) < 0
               ? shmfi_h5_said(&job->h5, SHMF_E_SYS, source->name)
               : SHMF_OK;
}

static hid_t string_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

/* ---- what is noted beside ------------------------------------------------------------------- */

static bool put_word(hid_t id, const char *name, const char *word)
{
    return shmfi_h5_put_text(id, name, (struct shmf_text){word, (int64_t)strlen(word)});
}

static bool note_type(hid_t id, const struct source *source, int64_t position)
{
    static const char *const units[] = {"", "s", "ms", "us", "ns"};
    const struct shmf_type *type = &source->type;
    bool fine = position < 0 || shmfi_h5_put_number(id, "shmframe_position", position);
    if (fine && type->dtype >= SHMF_DATE32)
        fine = put_word(id, "shmframe_dtype", shmf_dtype_name(type->dtype));
    if (fine && type->unit)
        fine = put_word(id, "shmframe_unit", units[type->unit]);
    if (fine && type->zone.size > 0)
        fine = shmfi_h5_put_text(id, "shmframe_zone", type->zone);
    return fine;
}

static bool put_pair(hid_t id, const struct shmf_pair *pair)
{
    char *key = strndup(pair->key.data ? pair->key.data : "", (size_t)pair->key.size);
    /* The first with a key counts. */
    const bool fine = key && (H5Aexists(id, key) > 0 || shmfi_h5_put_text(id, key, pair->value));
    free(key);
    return fine;
}

static bool note_metadata(const struct shmf_frame *frame, int64_t column, hid_t id)
{
    bool fine = true;
    for (int64_t i = 0; fine && i < shmf_frame_n_metadata(frame, column); i++) {
        struct shmf_pair pair;
        shmf_frame_metadata_at(frame, column, i, &pair);
        fine = put_pair(id, &pair);
    }
    return fine;
}

static int write_validity(const struct job *job, hid_t of, const struct source *source)
{
    char *name = NULL;
    if (!source->values.null_count)
        return SHMF_OK;
    if (asprintf(&name, "%s validity", source->name) < 0)
        return shmf_error_set(job->h5.err, SHMF_E_NOMEM, "private memory is exhausted");
    hid_t type = shmfi_h5_type(SHMF_BOOL), id = new_set(job, name, type);
    int rc =
        id < 0 || !put_word(id, "shmframe_role", "validity") ||
                !put_word(of, "shmframe_validity", name)
            ? shmfi_h5_said(&job->h5, SHMF_E_INVAL, name)
            : write_bits(job, id, type, source->values.validity, source->values.bit_offset, name);
    if (id >= 0)
        H5Dclose(id);
    H5Tclose(type);
    free(name);
    return rc;
}

/* `position` -1: row labels. */
static int write_column(const struct job *job, const struct source *source, int64_t position)
{
    if (!source->name[0] || strchr(source->name, '/') || strcmp(source->name, ".") == 0)
        return shmf_error_set(job->h5.err, SHMF_E_INVAL,
                              "%.110s: column %.60s: its label is no name in HDF5", job->h5.path,
                              source->name);
    hid_t type = is_text(source) ? string_type() : shmfi_h5_type(source->type.dtype);
    if (type < 0)
        return shmf_error_set(job->h5.err, SHMF_E_DTYPE, "%.110s: column %.60s: HDF5 has no %s",
                              job->h5.path, source->name, shmf_dtype_name(source->type.dtype));
    hid_t id = new_set(job, source->name, type);
    int rc = id < 0 || !note_type(id, source, position) ||
                     (position < 0 && !put_word(id, "shmframe_role", "labels")) ||
                     (position >= 0 && !note_metadata(job->frame, position, id))
                 ? shmfi_h5_said(&job->h5, SHMF_E_INVAL, source->name)
                 : write_values(job, id, type, source);
    if (!rc)
        rc = write_validity(job, id, source);
    if (id >= 0)
        H5Dclose(id);
    H5Tclose(type);
    return rc;
}

/* ---- the frame ---------------------------------------------------------------------------- */

static int write_labels(const struct job *job)
{
    static char name[] = "row labels";
    struct source source = {.name = name};
    int64_t first = 0, second = 1, *numbers = NULL;
    if (shmf_frame_row_label_column(job->frame, &source.values) == SHMF_OK) {
        source.type.dtype = source.values.dtype;
        return write_column(job, &source, -1);
    }
    if (job->rows > 0)
        shmf_frame_row_number(job->frame, 0, &first);
    if (job->rows > 1)
        shmf_frame_row_number(job->frame, 1, &second);
    if (first == 0 && second == 1)
        return SHMF_OK;
    numbers = malloc((size_t)job->rows * sizeof *numbers);
    if (!numbers)
        return shmf_error_set(job->h5.err, SHMF_E_NOMEM, "private memory is exhausted");
    for (int64_t r = 0; r < (int64_t)job->rows; r++)
        shmf_frame_row_number(job->frame, r, &numbers[r]);
    source.type.dtype = SHMF_INT64;
    source.values = (struct shmf_column){.data = numbers};
    int rc = write_column(job, &source, -1);
    free(numbers);
    return rc;
}

static int write_group(const struct job *job)
{
    bool fine = note_metadata(job->frame, -1, job->group);
    for (int64_t i = 0; fine && job->options && i < job->options->n_attributes; i++)
        fine = put_pair(job->group, &job->options->attributes[i]);
    int rc = fine ? write_labels(job) : shmfi_h5_said(&job->h5, SHMF_E_INVAL, "metadata");
    for (int64_t c = 0; !rc && c < shmf_frame_columns(job->frame); c++) {
        const struct shmf_text label = shmf_frame_column_label(job->frame, c);
        struct source source = {.name = strndup(label.data ? label.data : "", (size_t)label.size)};
        shmf_frame_column(job->frame, c, &source.values);
        shmf_frame_type(job->frame, c, &source.type);
        rc = source.name ? write_column(job, &source, c)
                         : shmf_error_set(job->h5.err, SHMF_E_NOMEM, "private memory is exhausted");
        free(source.name);
    }
    return rc;
}

static int open_group(struct job *job, const char *name)
{
    if (strcmp(name, "/") != 0 && shmfi_h5_has(job->h5.file, name))
        return shmf_error_set(job->h5.err, SHMF_E_EXISTS, "%.120s: %.80s: it is there already",
                              job->h5.path, name);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    job->group = strcmp(name, "/") == 0
                     ? H5Gopen2(job->h5.file, "/", H5P_DEFAULT)
                     : H5Gcreate2(job->h5.file, name, links, H5P_DEFAULT, H5P_DEFAULT);
    H5Pclose(links);
    return job->group < 0 ? shmfi_h5_said(&job->h5, SHMF_E_INVAL, name) : SHMF_OK;
}

int shmf_hdf5_write_frame(const struct shmf_frame *frame, const char *path, const char *group,
                          const struct shmf_hdf5_write_options *options, struct shmf_error *err)
{
    struct shmf_error why = {0};
    struct job job = {
        .frame = frame, .options = options, .group = -1, .rows = (hsize_t)shmf_frame_rows(frame)};
    if (!frame || !group)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", frame ? "group" : "frame");
    /* Offsets and bits are followed here, which others may have written. */
    int rc = shmf_frame_validate(frame, SHMF_VALIDATE_FULL, &why);
    if (rc)
        return shmf_error_set(err, rc, "frame: %.200s", why.message);
    rc = shmfi_h5_create(&job.h5, path, options, err);
    if (rc)
        return rc;
    rc = open_group(&job, group);
    if (!rc)
        rc = write_group(&job);
    if (job.group >= 0)
        H5Gclose(job.group);
    return shmfi_h5_close(&job.h5, rc);
}

/* Groups, records and matrices as frames: what the columns are. */
#include "frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables ------------------------------------------------------------------------------- */

struct shmfi_h5_column *shmfi_h5_add_column(struct shmfi_h5_table *table, const char *label)
{
    struct shmfi_h5_column *grown = table->columns;
    if ((table->n & (table->n - 1)) == 0) /* room for as many again */
        grown = realloc(table->columns, (table->n ? table->n * 2 : 1) * sizeof *grown);
    char *copy = strdup(label);
    if (grown)
        table->columns = grown;
    if (!grown || !copy) {
        free(copy);
        shmf_error_set(table->h5->err, SHMF_E_NOMEM, "private memory is exhausted");
        return NULL;
    }
    struct shmfi_h5_column *column = &grown[table->n++];
    *column =
        (struct shmfi_h5_column){.set = {.id = -1, .memory = -1}, .memory = -1, .label = copy};
    return column;
}

void shmfi_h5_free_column(struct shmfi_h5_column *column)
{
    if (column->owned)
        shmfi_h5_set_close(&column->set);
    if (column->memory >= 0)
        H5Tclose(column->memory);
    shmfi_h5_free_pairs(&column->pairs);
    free(column->label);
    free(column->bytes);
    free(column->ends);
    free(column->validity);
}

void shmfi_h5_free_table(struct shmfi_h5_table *table)
{
    for (size_t c = 0; c < table->n; c++)
        shmfi_h5_free_column(&table->columns[c]);
    if (table->labels)
        shmfi_h5_free_column(table->labels);
    free(table->labels);
    free(table->columns);
    shmfi_h5_free_pairs(&table->pairs);
}

/* Sizes of text must be known before the frame is made. */
static int prepare_texts(struct shmfi_h5_table *table, struct shmfi_h5_column *column)
{
    if (column->type.dtype != SHMF_UTF8)
        return SHMF_OK;
    int rc = shmfi_h5_read_texts(table, column);
    if (column->size > INT32_MAX)
        column->type.dtype = SHMF_LARGE_UTF8;
    return rc;
}

/* ---- groups ------------------------------------------------------------------------------- */

/* What the attributes say of a dataset that a frame's column was written as. */
static void restore_type(struct shmfi_h5_column *column)
{
    static const char *const units[] = {"", "s", "ms", "us", "ns"};
    char *name = shmfi_h5_attribute(column->set.id, "shmframe_dtype");
    char *unit = shmfi_h5_attribute(column->set.id, "shmframe_unit");
    char *zone = shmfi_h5_attribute(column->set.id, "shmframe_zone");
    for (int dtype = SHMF_DATE32; name && dtype <= SHMF_DURATION; dtype++)
        if (strcmp(name, shmf_dtype_name((enum shmf_dtype)dtype)) == 0 &&
            shmf_dtype_size((enum shmf_dtype)dtype) == shmf_dtype_size(column->set.dtype))
            column->type.dtype = (enum shmf_dtype)dtype;
    for (int i = SHMF_SECONDS; unit && i <= SHMF_NANOSECONDS; i++)
        if (strcmp(unit, units[i]) == 0)
            column->type.unit = (enum shmf_unit)i;
    if (zone && column->type.dtype == SHMF_TIMESTAMP && strlen(zone) < sizeof column->zone)
        snprintf(column->zone, sizeof column->zone, "%s", zone);
    free(name);
    free(unit);
    free(zone);
}

static herr_t note_name(hid_t group, const char *name, const H5L_info_t *info, void *context)
{
    struct shmfi_h5_table *table = context;
    H5O_info_t object;
    if (info->type == H5L_TYPE_SOFT || info->type == H5L_TYPE_EXTERNAL ||
        H5Oget_info_by_name(group, name, &object, H5P_DEFAULT) < 0 ||
        object.type != H5O_TYPE_DATASET)
        return 0;
    return shmfi_h5_add_column(table, name) ? 0 : -1;
}

static bool is_mark(const struct shmfi_h5_set *set, const char *role)
{
    char *found = shmfi_h5_attribute(set->id, "shmframe_role");
    bool is = found && strcmp(found, role) == 0;
    free(found);
    return is;
}

/* 1: it is no column; the labels are taken over, validity is found by its name. */
static int open_column(struct shmfi_h5_table *table, struct shmfi_h5_column *column)
{
    int rc = shmfi_h5_set_open(table->h5, table->place, column->label, &column->set);
    if (rc)
        return rc;
    column->owned = true;
    if (column->set.n_dims != 1 || !column->set.dtype || is_mark(&column->set, "validity"))
        return 1;
    column->type.dtype = column->set.dtype;
    column->memory = H5Tcopy(column->set.memory);
    restore_type(column);
    column->validity = shmfi_h5_attribute(column->set.id, "shmframe_validity");
    column->order = shmfi_h5_number(column->set.id, "shmframe_position", INT64_MAX);
    if (is_mark(&column->set, "labels") && !table->labels &&
        (column->type.dtype == SHMF_INT64 || column->type.dtype == SHMF_UTF8) &&
        (table->labels = malloc(sizeof *column))) {
        *table->labels = *column;
        *column = (struct shmfi_h5_column){.set = {.id = -1, .memory = -1}, .memory = -1};
        return 1;
    }
    return shmfi_h5_add_attributes(&column->pairs, column->set.id)
               ? SHMF_OK
               : shmf_error_set(table->h5->err, SHMF_E_NOMEM, "private memory is exhausted");
}

static int by_order(const void *a, const void *b)
{
    const struct shmfi_h5_column *x = a, *y = b;
    return x->order != y->order ? (x->order > y->order) - (x->order < y->order)
                                : strcmp(x->label, y->label);
}

static int check_length(struct shmfi_h5_table *table, const struct shmfi_h5_column *column,
                        const char *first)
{
    if ((int64_t)column->set.shape[0] == table->rows)
        return SHMF_OK;
    return shmf_error_set(table->h5->err, SHMF_E_DTYPE, "%.100s: %.50s has %lld values, %.50s %llu",
                          table->h5->path, first, (long long)table->rows, column->label,
                          (unsigned long long)column->set.shape[0]);
}

static int read_group(struct shmfi_h5_table *table, hid_t group)
{
    int rc = SHMF_OK;
    size_t kept = 0;
    table->place = group;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, note_name, table) < 0)
        return shmfi_h5_said(table->h5, SHMF_E_CORRUPT, "group");
    for (size_t c = 0; c < table->n; c++) {
        struct shmfi_h5_column column = table->columns[c];
        int other = rc ? 1 : open_column(table, &column);
        if (other) {
            shmfi_h5_free_column(&column);
            rc = rc ? rc : other == 1 ? SHMF_OK : other;
        } else {
            table->columns[kept++] = column;
        }
    }
    table->n = kept;
    if (!rc && table->n == 0)
        rc = shmf_error_set(table->h5->err, SHMF_E_DTYPE,
                            "%.150s: there is no dataset with one dimension", table->h5->path);
    if (rc)
        return rc;
    qsort(table->columns, table->n, sizeof *table->columns, by_order);
    for (size_t c = 0; c < table->n; c++)
        if (table->columns[c].zone[0])
            table->columns[c].type.zone =
                (struct shmf_text){table->columns[c].zone, (int64_t)strlen(table->columns[c].zone)};
    table->rows = (int64_t)table->columns[0].set.shape[0];
    for (size_t c = 0; !rc && c < table->n; c++)
        rc = check_length(table, &table->columns[c], table->columns[0].label);
    if (!rc && table->labels)
        rc = check_length(table, table->labels, table->columns[0].label);
    if (!rc && table->labels)
        rc = prepare_texts(table, table->labels);
    return rc;
}

/* ---- records ------------------------------------------------------------------------------ */

/* A record of one member: reading it reads that member of all records, and nothing else. */
static int add_member(struct shmfi_h5_table *table, const struct shmfi_h5_set *set, hid_t type,
                      unsigned i)
{
    char *name = H5Tget_member_name(type, i);
    hid_t of = H5Tget_member_type(type, i), memory = -1;
    struct shmfi_h5_column *column = name ? shmfi_h5_add_column(table, name) : NULL;
    int rc = column ? SHMF_OK : SHMF_E_NOMEM;
    if (column) {
        column->set = *set;
        column->type.dtype = shmfi_h5_dtype(of, &memory);
        column->set.memory = memory;
        if (!column->type.dtype)
            rc = shmf_error_set(table->h5->err, SHMF_E_UNSUPPORTED,
                                "%.150s: member %.60s has a type that frames do not have",
                                table->h5->path, name);
    }
    if (!rc) {
        column->memory = H5Tcreate(H5T_COMPOUND, H5Tget_size(memory));
        H5Tinsert(column->memory, name, 0, memory);
    }
    H5free_memory(name);
    H5Tclose(of);
    return rc;
}

static int read_records(struct shmfi_h5_table *table, const struct shmfi_h5_set *set)
{
    hid_t type = H5Dget_type(set->id);
    const int n = H5Tget_nmembers(type);
    int rc = n < 1 ? shmfi_h5_said(table->h5, SHMF_E_CORRUPT, "records") : SHMF_OK;
    for (int i = 0; !rc && i < n; i++)
        rc = add_member(table, set, type, (unsigned)i);
    H5Tclose(type);
    table->rows = (int64_t)set->shape[0];
    return rc;
}

/* The members' types belong to their columns, the dataset does not. */
static void close_members(struct shmfi_h5_table *table)
{
    for (size_t c = 0; c < table->n; c++)
        if (!table->columns[c].owned && table->columns[c].set.memory >= 0)
            H5Tclose(table->columns[c].set.memory);
}

/* ---- matrices ----------------------------------------------------------------------------- */

/* Some rows at a time are read and turned. */
static struct shmf_frame *read_matrix(const struct shmfi_h5 *h5, const char *name,
                                      const struct shmfi_h5_set *set,
                                      const struct shmfi_h5_pairs *pairs)
{
    struct shmf_error err = {0};
    struct shmf_frame_spec spec = {.n_rows = (int64_t)set->shape[0],
                                   .n_columns = (int64_t)set->shape[1],
                                   .dtype = set->dtype,
                                   .metadata = pairs->pairs,
                                   .n_metadata = pairs->n};
    const size_t width = shmf_dtype_size(set->dtype), columns = set->shape[1];
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    size_t most = columns ? (4 << 20) / (columns * width) : 1;
    most = most < 1 ? 1 : most;
    char *block = malloc(most * columns * width + 1);
    hid_t file = H5Dget_space(set->id);
    if (!frame || !block)
        shmfi_h5_core_said(h5, name, &err);
    bool fine = frame && block;
    for (hsize_t at = 0, n; fine && columns && at < set->shape[0]; at += n) {
        n = set->shape[0] - at < most ? set->shape[0] - at : most;
        hid_t memory = H5Screate_simple(2, (hsize_t[]){n, columns}, NULL);
        H5Sselect_hyperslab(file, H5S_SELECT_SET, (hsize_t[]){at, 0}, NULL, (hsize_t[]){n, columns},
                            NULL);
        fine = H5Dread(set->id, set->memory, memory, file, H5P_DEFAULT, block) >= 0;
        if (!fine)
            shmfi_h5_said(h5, SHMF_E_CORRUPT, name);
        H5Sclose(memory);
        for (size_t c = 0; fine && c < columns; c++) {
            char *to = (char *)shmf_frame_data_mut(frame, (int64_t)c) + at * width;
            for (size_t r = 0; r < n; r++)
                memcpy(to + r * width, block + (r * columns + c) * width, width);
        }
    }
    if (fine && shmf_frame_finish(frame, &err))
        fine = shmfi_h5_core_said(h5, name, &err) == SHMF_OK;
    H5Sclose(file);
    free(block);
    if (fine)
        return frame;
    shmf_frame_free(frame);
    return NULL;
}

/* ---- the frame ---------------------------------------------------------------------------- */

static struct shmf_frame *make(struct shmfi_h5_table *table)
{
    int rc = SHMF_OK;
    for (size_t c = 0; !rc && c < table->n; c++)
        rc = prepare_texts(table, &table->columns[c]);
    return rc ? NULL : shmfi_h5_make_frame(table);
}

static struct shmf_frame *read_dataset(struct shmfi_h5_table *table, const char *name)
{
    struct shmfi_h5_set set;
    struct shmf_frame *frame = NULL;
    if (shmfi_h5_set_open(table->h5, table->h5->file, name, &set))
        return NULL;
    if (!shmfi_h5_add_attributes(&table->pairs, set.id))
        shmf_error_set(table->h5->err, SHMF_E_NOMEM, "private memory is exhausted");
    else if (set.records && set.n_dims == 1 && !read_records(table, &set))
        frame = make(table);
    else if (!set.records && set.n_dims == 2 && set.dtype && set.dtype != SHMF_UTF8 &&
             set.dtype != SHMF_BOOL)
        frame = read_matrix(table->h5, name, &set, &table->pairs);
    else if (!set.records || set.n_dims != 1)
        shmf_error_set(table->h5->err, SHMF_E_DTYPE,
                       "%.120s: %.60s: neither records, nor numbers with two dimensions",
                       table->h5->path, name);
    close_members(table);
    shmfi_h5_set_close(&set);
    return frame;
}

struct shmf_frame *shmf_hdf5_frame(const char *path, const char *name, struct shmf_error *err)
{
    struct shmfi_h5 h5;
    struct shmfi_h5_table table = {.h5 = &h5, .place = -1};
    struct shmf_frame *frame = NULL;
    if (shmfi_h5_open(&h5, path, err))
        return NULL;
    const bool there = name && *name && shmfi_h5_has(h5.file, name);
    H5O_info_t object = {.type = H5O_TYPE_GROUP};
    if (!there)
        shmf_error_set(err, name ? SHMF_E_NOTFOUND : SHMF_E_INVAL, "%.120s: %.80s: there is none",
                       path, name ? name : "name");
    else if (strcmp(name, "/") != 0 && H5Oget_info_by_name(h5.file, name, &object, H5P_DEFAULT) < 0)
        shmfi_h5_said(&h5, SHMF_E_CORRUPT, name);
    else if (object.type != H5O_TYPE_GROUP)
        frame = read_dataset(&table, name);
    else {
        hid_t group = H5Gopen2(h5.file, name, H5P_DEFAULT);
        if (group < 0)
            shmfi_h5_said(&h5, SHMF_E_CORRUPT, name);
        else if (!shmfi_h5_add_attributes(&table.pairs, group))
            shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
        else if (!read_group(&table, group))
            frame = make(&table);
        shmfi_h5_free_table(&table);
        if (group >= 0)
            H5Gclose(group);
        shmfi_h5_close(&h5, SHMF_OK);
        return frame;
    }
    shmfi_h5_free_table(&table);
    shmfi_h5_close(&h5, SHMF_OK);
    return frame;
}

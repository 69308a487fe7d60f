/* Frames of variables: what they are made of. */
#ifndef NETCDF_FRAME_H
#define NETCDF_FRAME_H

#include "text.h"

/* Pairs of metadata, their texts allocated. */
struct shmfi_nc_pairs {
    struct shmf_pair *pairs;
    int64_t n;
};

/* Adds the attributes of a variable, or NC_GLOBAL, but for those that say how values are stored.
 * False: no memory. */
bool shmfi_nc_add_attributes(struct shmfi_nc_pairs *pairs, int group, int id);
void shmfi_nc_free_pairs(struct shmfi_nc_pairs *pairs);

/* What the attributes "shmframe_..." say of a variable that a frame's column was written as: the
 * dtype has the width of the variable's type, or nothing is changed. */
void shmfi_nc_restore_type(const struct shmfi_nc_variable *variable, struct shmf_type *type,
                           char zone[128]);

/* Labels of a dimension: the variable with its name. */
struct shmfi_nc_labels {
    struct shmfi_nc_texts texts;
    const char **pointers;
    int64_t *numbers;
};

/* The variable that labels dimension `dim`; false: there is none. */
bool shmfi_nc_find_labels(const struct shmfi_nc *nc, int group, int dim,
                          struct shmfi_nc_variable *variable);

/* Reads it: integers as such unless `texts`. */
int shmfi_nc_read_labels(const struct shmfi_nc *nc, const struct shmfi_nc_variable *variable,
                         bool texts, struct shmfi_nc_labels *labels);
void shmfi_nc_free_labels(struct shmfi_nc_labels *labels);

/* A variable with two dimensions. */
struct shmf_frame *shmfi_nc_read_matrix(const struct shmfi_nc *nc,
                                        const struct shmfi_nc_variable *variable, bool unpack);

/* Gives back the frame, finished, or frees it and says what is wrong with file and name. */
struct shmf_frame *shmfi_nc_finish(const struct shmfi_nc *nc, struct shmf_frame *frame);

/* Says what the core said, with the file's name; returns its code. */
int shmfi_nc_core_said(const struct shmfi_nc *nc, const struct shmf_error *err);

/* Marks the rows of a column that are missing as null. */
void shmfi_nc_set_nulls(struct shmf_frame *frame, int64_t column, const void *data, size_t n,
                        const struct shmfi_nc_missing *missing, enum shmf_dtype dtype);

#endif

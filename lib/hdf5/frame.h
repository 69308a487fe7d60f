/* Frames of datasets: columns, and text on its way. */
#ifndef HDF5_FRAME_H
#define HDF5_FRAME_H

#include "file.h"

/* A column of a frame to be made: a dataset, a member of records, or a column of a matrix. */
struct shmfi_h5_column {
    struct shmfi_h5_set set; /* owned, where `owned` */
    bool owned;
    char *label;
    hid_t memory; /* what is read; of a member: a record of it alone; to be closed */
    struct shmf_type type;
    char zone[128];
    char *bytes; /* of text: all, one behind the other */
    int64_t *ends;
    int64_t size, room;
    char *validity; /* name of the dataset that says which rows hold a value, or NULL */
    int64_t order;
    struct shmfi_h5_pairs pairs;
};

struct shmfi_h5_table {
    const struct shmfi_h5 *h5;
    hid_t place; /* the group; of one dataset: the file */
    struct shmfi_h5_column *columns;
    size_t n;
    int64_t rows;
    struct shmfi_h5_column *labels; /* or NULL; not among the columns */
    struct shmfi_h5_pairs pairs;
};

/* One column more, zeroed; NULL: no memory, which is said. */
struct shmfi_h5_column *shmfi_h5_add_column(struct shmfi_h5_table *table, const char *label);
void shmfi_h5_free_column(struct shmfi_h5_column *column);
void shmfi_h5_free_table(struct shmfi_h5_table *table);

/* Reads all text of a column of it. */
int shmfi_h5_read_texts(const struct shmfi_h5_table *table, struct shmfi_h5_column *column);

/* The finished frame of a table whose columns are known. */
struct shmf_frame *shmfi_h5_make_frame(struct shmfi_h5_table *table);

#endif

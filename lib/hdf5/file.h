/* The adapter's own vocabulary: files, types, attributes. */
#ifndef HDF5_FILE_H
#define HDF5_FILE_H

#include <shmframe/file.h>
#include <shmframe/hdf5.h>

#include <hdf5.h>
#include <stdbool.h>

struct shmfi_h5 {
    hid_t file;
    const char *path;
    struct shmf_file *made; /* a new file; NULL: it is read, or added to */
    struct shmf_error *err;
    H5E_auto2_t printer; /* of libhdf5, silent meanwhile */
    void *printer_data;
};

/* A dataset, or a member of its records. */
struct shmfi_h5_set {
    hid_t id;
    int n_dims;
    hsize_t shape[SHMF_MAX_DIMS];
    hid_t memory;          /* type of values in memory; of text: of strings */
    enum shmf_dtype dtype; /* 0: none of ours; SHMF_UTF8 for text */
    bool records;
};

/* ---- errors ------------------------------------------------------------------------------- */

/* Says what libhdf5 has against `what`, by the innermost of its errors. Returns the code. */
int shmfi_h5_said(const struct shmfi_h5 *h5, int code, const char *what);

/* Says what the core said, with the file's name; returns its code. */
int shmfi_h5_core_said(const struct shmfi_h5 *h5, const char *what, const struct shmf_error *err);

/* ---- files -------------------------------------------------------------------------------- */

int shmfi_h5_open(struct shmfi_h5 *h5, const char *path, struct shmf_error *err);
int shmfi_h5_create(struct shmfi_h5 *h5, const char *path,
                    const struct shmf_hdf5_write_options *options, struct shmf_error *err);

/* Closes it; a new file, unless `rc`, takes its place. Returns `rc`, or what went wrong now. */
int shmfi_h5_close(struct shmfi_h5 *h5, int rc);

/* Is there an object of that path? */
bool shmfi_h5_has(hid_t place, const char *name);

/* ---- datasets ----------------------------------------------------------------------------- */

int shmfi_h5_set_open(const struct shmfi_h5 *h5, hid_t place, const char *name,
                      struct shmfi_h5_set *set);
void shmfi_h5_set_close(struct shmfi_h5_set *set);

/* The dtype of a type, and in `*memory`, for the caller to close, the type of values in memory; 0:
 * it is none of ours. SHMF_UTF8: strings. */
enum shmf_dtype shmfi_h5_dtype(hid_t type, hid_t *memory);

/* A type for a dtype, for the caller to close; negative: there is none. */
hid_t shmfi_h5_type(enum shmf_dtype dtype);

/* ---- attributes --------------------------------------------------------------------------- */

/* One as text, allocated; NULL: there is none, or it is neither text nor numbers. */
char *shmfi_h5_attribute(hid_t object, const char *name);
int64_t shmfi_h5_number(hid_t object, const char *name, int64_t otherwise);

/* Name of attribute `i`, allocated; NULL: there is none. */
char *shmfi_h5_attribute_name(hid_t object, int i);

/* False: it cannot be written. */
bool shmfi_h5_put_text(hid_t object, const char *name, struct shmf_text text);
bool shmfi_h5_put_number(hid_t object, const char *name, int64_t value);

/* Pairs of metadata, their texts allocated: all attributes but those that say how values are
 * stored. */
struct shmfi_h5_pairs {
    struct shmf_pair *pairs;
    int64_t n;
};
bool shmfi_h5_add_attributes(struct shmfi_h5_pairs *pairs, hid_t object);
void shmfi_h5_free_pairs(struct shmfi_h5_pairs *pairs);

#endif

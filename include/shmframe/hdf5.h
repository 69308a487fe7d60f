/* libshmframe: arrays and frames from and to HDF5 files.
 *
 * A component of its own: library libshmframe-hdf5, CMake target shmframe::hdf5, pkg-config
 * shmframe-hdf5; it is there where libhdf5 was when the library was built. Datasets are named by
 * their path, "group/temperature". Values are read by libhdf5 straight into the array's or frame's
 * memory. Thread safety: that of libhdf5, which as a rule has none: one thread at a time may be in
 * it, whoever calls it. Processes do not disturb each other: tasks of a pool may read. */
#ifndef SHMFRAME_HDF5_H
#define SHMFRAME_HDF5_H

#include <shmframe/array.h>
#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

/* A dataset whole, C-contiguous; the caller owns it. Integers and floating numbers of either byte
 * order have the dtype of their width; enumerations of FALSE and TRUE in a byte (h5py's booleans)
 * are bool, pairs "r", "i" of floating numbers (h5py's complex numbers) complex. A scalar has the
 * shape [1]. What was never written is HDF5's fill value. Errors name file and dataset:
 * SHMF_E_NOTFOUND: no such file, or dataset. SHMF_E_CORRUPT: no HDF5 file, or one that is cut off
 * or damaged. SHMF_E_UNSUPPORTED: another type (strings: frames hold them), more than SHMF_MAX_DIMS
 * dimensions. SHMF_E_INVAL: NULL. SHMF_E_PERM, SHMF_E_TOOBIG, SHMF_E_NOSPC, SHMF_E_NOMEM. */
SHMF_API struct shmf_array *shmf_hdf5_array(const char *path, const char *dataset,
                                            struct shmf_error *err);

/* A frame; the caller owns it. `name` is a group ("/": the file's own): its datasets with one
 * dimension, in the order of their names (or in that in which shmf_hdf5_write_frame() wrote them),
 * are the columns, and must have the same length. Or it is a dataset: one with one dimension and
 * records (compound types), whose members are the columns; or with two dimensions, whose second
 * becomes the columns "0", "1", ... Strings of either kind become utf8. Attributes of datasets
 * become metadata of their columns, those of the group, or of the one dataset, metadata of the
 * frame; numbers as text. What shmf_hdf5_write_frame() wrote has its dtypes, nulls and labels
 * again. Errors as above, and SHMF_E_DTYPE: lengths differ, or there is nothing of these kinds. */
SHMF_API struct shmf_frame *shmf_hdf5_frame(const char *path, const char *name,
                                            struct shmf_error *err);

/* What is in a file: a frame with a row for each dataset, labelled with its path, and columns
 * "dtype" (as here, "record", or "other"), "shape" ("12 x 180") and "attributes"
 * ("units = m; ..."). */
SHMF_API struct shmf_frame *shmf_hdf5_contents(const char *path, struct shmf_error *err);

/* Zero means the default in every field. */
struct shmf_hdf5_write_options {
    uint32_t append;  /* nonzero: to a file that is there, which is written in place; otherwise
                         a new file takes the place of an old one when it is complete */
    uint32_t deflate; /* 1 to 9: compress, in chunks; 0: do not. SHMF_E_UNSUPPORTED: libhdf5
                         cannot */
    const struct shmf_pair *attributes; /* n_attributes texts: of the dataset, or the group */
    int64_t n_attributes;
    uint64_t reserved[6]; /* must be zero */
};

/* Writes an array as a dataset; groups on the way are made. float16 is written as such.
 * SHMF_E_EXISTS: there is something of that name. SHMF_E_DTYPE, SHMF_E_INVAL, SHMF_E_NOTFOUND (no
 * such folder), SHMF_E_PERM, SHMF_E_NOMEM, SHMF_E_SYS. */
SHMF_API int shmf_hdf5_write_array(const struct shmf_array *array, const char *path,
                                   const char *dataset,
                                   const struct shmf_hdf5_write_options *options,
                                   struct shmf_error *err);

/* Writes a frame as a group (which must not be there, unless it is "/"), each column a dataset with
 * one dimension. Beside a column with nulls stands one that says which rows hold a value, "LABEL
 * validity", row labels that are no range from 0 as "row labels"; both are marked by attributes
 * that begin with `shmframe_`, as is what HDF5 does not know (dates, times). SHMF_E_DTYPE: a column
 * of binary, decimals or categories. SHMF_E_INVAL: text with a NUL byte, a label that is empty or
 * has a
 * '/', two columns with one label. Otherwise as above. */
SHMF_API int shmf_hdf5_write_frame(const struct shmf_frame *frame, const char *path,
                                   const char *group, const struct shmf_hdf5_write_options *options,
                                   struct shmf_error *err);

SHMF_END_DECLS

#endif

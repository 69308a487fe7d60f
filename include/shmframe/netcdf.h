/* libshmframe: arrays and frames from and to netCDF files, classic and netCDF-4.
 *
 * A component of its own: library libshmframe-netcdf, CMake target shmframe::netcdf, pkg-config
 * shmframe-netcdf; it is there where libnetcdf was when the library was built. Variables are named
 * "temperature", or "group/temperature" in netCDF-4. Values are read by libnetcdf straight into the
 * array's or frame's memory. Thread safety: that of libnetcdf, which has none: one thread at a time
 * may be in it, whoever calls it. Processes do not disturb each other: tasks of a pool may read. */
#ifndef SHMFRAME_NETCDF_H
#define SHMFRAME_NETCDF_H

#include <shmframe/array.h>
#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

/* ---- reading ------------------------------------------------------------------------------ */

/* Zero means the default in every field. */
struct shmf_netcdf_options {
    uint32_t unpack; /* nonzero: values of variables with scale_factor or add_offset become
                        float64, multiplied by the one, the other added, NaN where they are
                        missing. Otherwise they are read as they are stored */
    uint32_t nan;    /* arrays, nonzero: missing floating numbers become NaN. Otherwise they are
                        as they are stored */
    uint64_t reserved[6]; /* must be zero */
};

/* A variable whole, C-contiguous; the caller owns it. Types are those of netCDF of the same width;
 * characters are uint8. A scalar has the shape [1]. Missing is what equals the attribute
 * `_FillValue`, or one of missing_value; without these attributes nothing is. `options` may be
 * NULL. Errors name file and variable: SHMF_E_NOTFOUND: no such file, or variable. SHMF_E_CORRUPT:
 * no netCDF file, or one that is cut off. SHMF_E_UNSUPPORTED: strings (frames hold them), types
 * that the file defines itself, more than SHMF_MAX_DIMS dimensions. SHMF_E_INVAL: NULL, options.
 * SHMF_E_PERM, SHMF_E_TOOBIG, SHMF_E_NOSPC, SHMF_E_NOMEM, SHMF_E_SYS. */
SHMF_API struct shmf_array *shmf_netcdf_array(const char *path, const char *variable,
                                              const struct shmf_netcdf_options *options,
                                              struct shmf_error *err);

/* A frame; the caller owns it. Either of variables with one dimension, the same for all, each of
 * which becomes a column; or of one variable with two, whose second becomes the columns.
 * `variables` NULL: all that have one dimension. Strings become utf8, as do characters with one
 * dimension more (NULs and blanks behind them left out). Missing values are nulls. Attributes of
 * variables become metadata of their columns, those of the file (and of a variable with two
 * dimensions) metadata of the frame; numbers as text. The variable with the name of the dimension
 * of the rows, if there is one, labels them where it holds integers or text; where it holds
 * floating numbers it labels those of a variable with two dimensions, as text, and is a column
 * otherwise. Columns of a variable with two dimensions are labelled likewise, always as text. What
 * shmf_netcdf_write_frame() wrote has its dtypes again. Errors as above, and SHMF_E_DTYPE: the
 * variables have other dimensions than that. */
SHMF_API struct shmf_frame *shmf_netcdf_frame(const char *path, const char *const *variables,
                                              size_t n_variables,
                                              const struct shmf_netcdf_options *options,
                                              struct shmf_error *err);

/* What is in a file: a frame with a row for each variable (those of groups included), labelled with
 * its name, and columns "dtype" (of netCDF), "shape" ("12 x 180"), "dimensions" ("time, lat") and
 * "attributes" ("units = m; ..."); its metadata are the attributes of the file. */
SHMF_API struct shmf_frame *shmf_netcdf_contents(const char *path, struct shmf_error *err);

/* ---- writing ------------------------------------------------------------------------------ */

/* The kinds of file; the classic ones hold neither strings nor, but for CDF5, integers of 64 bits
 * or without sign. */
enum shmf_netcdf_format {
    SHMF_NETCDF4 = 0,
    SHMF_NETCDF_CLASSIC = 1, /* variables below 2 GiB */
    SHMF_NETCDF_64BIT = 2,   /* classic, with offsets of 64 bits */
    SHMF_NETCDF_CDF5 = 3     /* classic, with integers of 64 bits too */
};

/* Zero means the default in every field. */
struct shmf_netcdf_write_options {
    uint32_t format;               /* enum shmf_netcdf_format */
    uint32_t append;               /* nonzero: to a file that is there, which is written in place;
                                      otherwise a new file takes the place of an old one when it
                                      is complete */
    const char *const *dimensions; /* names: of an array's dimensions, one for each; of a frame's
                                      rows, one. NULL: those of an array are
                                        numbered, the rows are "row". One that is there
                                      already is used when it has the length */
    const struct shmf_pair *attributes; /* n_attributes texts: of the array's variable; of the file
                                           that a frame becomes, beside its metadata */
    int64_t n_attributes;
    uint64_t reserved[6]; /* must be zero */
};

/* Writes an array as a variable. Booleans become bytes. SHMF_E_DTYPE: float16, complex numbers, or
 * what the format does not have (names it). SHMF_E_EXISTS: there is such a variable, or a dimension
 * of another length. SHMF_E_INVAL, SHMF_E_NOTFOUND (no such folder), SHMF_E_PERM, SHMF_E_NOMEM,
 * SHMF_E_SYS. */
SHMF_API int shmf_netcdf_write_array(const struct shmf_array *array, const char *path,
                                     const char *variable,
                                     const struct shmf_netcdf_write_options *options,
                                     struct shmf_error *err);

/* Writes a frame, each column a variable along one dimension, row labels that are no range from 0
 * as the variable of the dimension's name; nulls as `_FillValue`, for which a value is taken that
 * the column has not. Text is written as strings, as characters in classic files. What netCDF does
 * not know (dates, times, booleans) is noted in attributes that begin with `shmframe_`, so that
 * reading gives the same frame. SHMF_E_DTYPE: a column of binary, decimals, complex numbers,
 * float16 or categories, or one that the format does not have. Otherwise as above; SHMF_E_INVAL too
 * for text with a NUL byte, and labels that are no names in netCDF. */
SHMF_API int shmf_netcdf_write_frame(const struct shmf_frame *frame, const char *path,
                                     const struct shmf_netcdf_write_options *options,
                                     struct shmf_error *err);

SHMF_END_DECLS

#endif

/* Files and datasets. */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first that is visited upward is the innermost. */
static herr_t take_first(unsigned n, const H5E_error2_t *error, void *to)
{
    if (n == 0)
        snprintf(to, 100, "%s", error->desc ? error->desc : "");
    return 0;
}

int shmfi_h5_said(const struct shmfi_h5 *h5, int code, const char *what)
{
    char why[100] = "";
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, why);
    return shmf_error_set(h5->err, code, "%.100s: %.60s%s%s", h5->path, what, *what ? ": " : "",
                          *why ? why : "libhdf5 gives no reason");
}

int shmfi_h5_core_said(const struct shmfi_h5 *h5, const char *what, const struct shmf_error *err)
{
    return shmf_error_set(h5->err, err->code ? err->code : SHMF_E_NOMEM, "%.80s: %.50s: %.110s",
                          h5->path, what, err->code ? err->message : "private memory is exhausted");
}

static int system_error(const struct shmfi_h5 *h5)
{
    return shmf_error_set_sys(h5->err, errno, "%.150s", h5->path);
}

/* ---- files -------------------------------------------------------------------------------- */

/* Errors are told by codes here, not on stderr. */
static int begin(struct shmfi_h5 *h5, const char *path, struct shmf_error *err)
{
    *h5 = (struct shmfi_h5){.file = -1, .path = path, .err = err};
    H5Eget_auto2(H5E_DEFAULT, &h5->printer, &h5->printer_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return path ? SHMF_OK : shmf_error_set(err, SHMF_E_INVAL, "path: NULL");
}

int shmfi_h5_open(struct shmfi_h5 *h5, const char *path, struct shmf_error *err)
{
    struct stat status;
    int rc = begin(h5, path, err);
    if (!rc && (stat(path, &status) || access(path, R_OK)))
        rc = system_error(h5);
    else if (!rc && !S_ISREG(status.st_mode))
        rc = shmf_error_set(err, SHMF_E_INVAL, "%.200s: not a regular file", path);
    if (!rc && (h5->file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT)) < 0)
        rc = shmfi_h5_said(h5, SHMF_E_CORRUPT, "");
    return rc ? shmfi_h5_close(h5, rc) : SHMF_OK;
}

static int check(const struct shmf_hdf5_write_options *options, struct shmf_error *err)
{
    if (!options)
        return SHMF_OK;
    if (options->deflate > 9)
        return shmf_error_set(err, SHMF_E_INVAL, "options.deflate: %u", options->deflate);
    if (options->deflate && H5Zfilter_avail(H5Z_FILTER_DEFLATE) <= 0)
        return shmf_error_set(err, SHMF_E_UNSUPPORTED, "options.deflate: libhdf5 cannot");
    if (options->n_attributes < 0 || (options->n_attributes > 0 && !options->attributes))
        return shmf_error_set(err, SHMF_E_INVAL, "options.attributes: there are not %lld",
                              (long long)options->n_attributes);
    for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
        if (options->reserved[i])
            return shmf_error_set(err, SHMF_E_INVAL, "options.reserved[%zu]: not zero", i);
    return SHMF_OK;
}

static int create(struct shmfi_h5 *h5)
{
    int rc = shmf_file_begin(h5->path, &h5->made, h5->err);
    if (rc)
        return rc;
    h5->file = H5Fcreate(shmf_file_path(h5->made), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    return h5->file < 0 ? shmfi_h5_said(h5, SHMF_E_SYS, "") : SHMF_OK;
}

int shmfi_h5_create(struct shmfi_h5 *h5, const char *path,
                    const struct shmf_hdf5_write_options *options, struct shmf_error *err)
{
    int rc = begin(h5, path, err);
    if (!rc)
        rc = check(options, err);
    if (!rc && options && options->append) {
        if (access(path, R_OK | W_OK))
            rc = system_error(h5);
        else if ((h5->file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT)) < 0)
            rc = shmfi_h5_said(h5, SHMF_E_CORRUPT, "");
    } else if (!rc) {
        rc = create(h5);
    }
    return rc ? shmfi_h5_close(h5, rc) : SHMF_OK;
}

int shmfi_h5_close(struct shmfi_h5 *h5, int rc)
{
    if (h5->file >= 0 && H5Fclose(h5->file) < 0 && !rc)
        rc = shmfi_h5_said(h5, SHMF_E_SYS, "");
    if (h5->made && !rc)
        rc = shmf_file_finish(h5->made, h5->err);
    else
        shmf_file_free(h5->made);
    H5Eset_auto2(H5E_DEFAULT, h5->printer, h5->printer_data);
    h5->file = -1;
    h5->made = NULL;
    return rc;
}

/* Each part of the path is asked for: asking for what is in nothing is an error of libhdf5. */
bool shmfi_h5_has(hid_t place, const char *name)
{
    char *path = strdup(name);
    bool there = path != NULL;
    for (char *at = path; there && *at;) {
        at += strspn(at, "/");
        at += strcspn(at, "/");
        const char keep = *at;
        *at = 0;
        there = strspn(path, "/") == strlen(path) || H5Lexists(place, path, H5P_DEFAULT) > 0;
        *at = keep;
    }
    free(path);
    return there;
}

/* ---- datasets ----------------------------------------------------------------------------- */

int shmfi_h5_set_open(const struct shmfi_h5 *h5, hid_t place, const char *name,
                      struct shmfi_h5_set *set)
{
    *set = (struct shmfi_h5_set){.id = -1, .memory = -1};
    if (!name)
        return shmf_error_set(h5->err, SHMF_E_INVAL, "%.150s: dataset: NULL", h5->path);
    if (!shmfi_h5_has(place, name))
        return shmf_error_set(h5->err, SHMF_E_NOTFOUND, "%.120s: %.80s: there is none", h5->path,
                              name);
    set->id = H5Dopen2(place, name, H5P_DEFAULT);
    if (set->id < 0)
        return shmfi_h5_said(h5, SHMF_E_CORRUPT, name);
    hid_t space = H5Dget_space(set->id), type = H5Dget_type(set->id);
    set->n_dims = H5Sget_simple_extent_ndims(space);
    int rc = SHMF_OK;
    if (set->n_dims > SHMF_MAX_DIMS)
        rc = shmf_error_set(h5->err, SHMF_E_UNSUPPORTED,
                            "%.120s: %.60s: %d dimensions, more than %d", h5->path, name,
                            set->n_dims, SHMF_MAX_DIMS);
    else if (type < 0 || set->n_dims < 0 || H5Sget_simple_extent_dims(space, set->shape, NULL) < 0)
        rc = shmfi_h5_said(h5, SHMF_E_CORRUPT, name);
    if (!rc) {
        set->dtype = shmfi_h5_dtype(type, &set->memory);
        set->records = !set->dtype && H5Tget_class(type) == H5T_COMPOUND;
    }
    H5Tclose(type);
    H5Sclose(space);
    if (rc)
        shmfi_h5_set_close(set);
    return rc;
}

void shmfi_h5_set_close(struct shmfi_h5_set *set)
{
    if (set->memory >= 0)
        H5Tclose(set->memory);
    if (set->id >= 0)
        H5Dclose(set->id);
    set->memory = set->id = -1;
}

/* Datasets as arrays, and back. */
#include "file.h"

#include <stdlib.h>
#include <string.h>

static struct shmf_array *read_array(const struct shmfi_h5 *h5, const char *name,
                                     const struct shmfi_h5_set *set)
{
    int64_t shape[SHMF_MAX_DIMS] = {1};
    struct shmf_error err = {0};
    for (int d = 0; d < set->n_dims; d++) {
        shape[d] = (int64_t)set->shape[d];
        if (shape[d] < 0) {
            shmf_error_set(h5->err, SHMF_E_TOOBIG, "%.120s: %.60s: a length beyond 2^63", h5->path,
                           name);
            return NULL;
        }
    }
    struct shmf_array *array =
        shmf_array_new(set->dtype, set->n_dims ? set->n_dims : 1, shape, &err);
    if (!array) {
        shmfi_h5_core_said(h5, name, &err);
        return NULL;
    }
    if (shmf_array_size(array) > 0 && H5Dread(set->id, set->memory, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                                              shmf_array_data_mut(array)) < 0) {
        shmfi_h5_said(h5, SHMF_E_CORRUPT, name);
        shmf_array_free(array);
        return NULL;
    }
    return array;
}

struct shmf_array *shmf_hdf5_array(const char *path, const char *dataset, struct shmf_error *err)
{
    struct shmfi_h5 h5;
    struct shmfi_h5_set set;
    struct shmf_array *array = NULL;
    if (shmfi_h5_open(&h5, path, err))
        return NULL;
    if (shmfi_h5_set_open(&h5, h5.file, dataset, &set) == SHMF_OK) {
        if (!set.dtype || set.dtype == SHMF_UTF8)
            shmf_error_set(err, SHMF_E_UNSUPPORTED,
                           "%.120s: %.60s: its type is none that arrays have%s", path, dataset,
                           set.dtype ? " (strings: read it as a frame)" : "");
        else
            array = read_array(&h5, dataset, &set);
        shmfi_h5_set_close(&set);
    }
    shmfi_h5_close(&h5, SHMF_OK);
    return array;
}

/* ---- writing ------------------------------------------------------------------------------ */

/* Chunks of about a megabyte, of whole rows. */
static hid_t properties(const struct shmf_array *array, unsigned deflate)
{
    hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    hsize_t chunk[SHMF_MAX_DIMS];
    const int n = shmf_array_ndim(array);
    const int64_t *shape = shmf_array_shape(array);
    uint64_t bytes = shmf_dtype_size(shmf_array_dtype(array));
    H5Pset_attr_phase_change(list, 8, 6);
    if (!deflate || shmf_array_size(array) == 0)
        return list;
    for (int d = n - 1; d >= 0; d--) {
        const uint64_t most = bytes < 1 << 20 ? (1 << 20) / bytes : 1;
        chunk[d] = (uint64_t)shape[d] < most ? (uint64_t)shape[d] : most;
        bytes *= chunk[d];
    }
    H5Pset_chunk(list, n, chunk);
    H5Pset_shuffle(list);
    H5Pset_deflate(list, deflate);
    return list;
}

/* Elements one stretch after the other, where they do not lie one behind the other. */
static bool is_dense(const struct shmf_array *array)
{
    int64_t stride = (int64_t)shmf_dtype_size(shmf_array_dtype(array));
    for (int d = shmf_array_ndim(array) - 1; d >= 0; d--) {
        if (shmf_array_strides(array)[d] != stride && shmf_array_shape(array)[d] > 1)
            return false;
        stride *= shmf_array_shape(array)[d];
    }
    return true;
}

static struct shmf_array *dense(const struct shmf_array *array, struct shmf_error *err)
{
    return shmf_array_from_data(shmf_array_dtype(array), shmf_array_ndim(array),
                                shmf_array_shape(array), shmf_array_strides(array),
                                shmf_array_data(array), err);
}

static int write_set(const struct shmfi_h5 *h5, const char *name, const struct shmf_array *array,
                     const struct shmf_hdf5_write_options *options)
{
    hsize_t shape[SHMF_MAX_DIMS];
    hid_t type = shmfi_h5_type(shmf_array_dtype(array));
    if (type < 0)
        return shmf_error_set(h5->err, SHMF_E_DTYPE, "%.120s: %.60s: HDF5 has no %s", h5->path,
                              name, shmf_dtype_name(shmf_array_dtype(array)));
    for (int d = 0; d < shmf_array_ndim(array); d++)
        shape[d] = (hsize_t)shmf_array_shape(array)[d];
    hid_t space = H5Screate_simple(shmf_array_ndim(array), shape, NULL);
    hid_t how = properties(array, options ? options->deflate : 0);
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t id = H5Dcreate2(h5->file, name, type, space, links, how, H5P_DEFAULT);
    int rc = id < 0 ? shmfi_h5_said(h5, SHMF_E_INVAL, name) : SHMF_OK;
    if (!rc && shmf_array_size(array) > 0 &&
        H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, shmf_array_data(array)) < 0)
        rc = shmfi_h5_said(h5, SHMF_E_SYS, name);
    for (int64_t i = 0; !rc && options && i < options->n_attributes; i++) {
        const struct shmf_pair *pair = &options->attributes[i];
        char *key = strndup(pair->key.data ? pair->key.data : "", (size_t)pair->key.size);
        if (!key || !shmfi_h5_put_text(id, key, pair->value))
            rc = shmfi_h5_said(h5, SHMF_E_INVAL,
                               !key   ? name
                               : *key ? key
                                      : "an attribute without a name");
        free(key);
    }
    if (id >= 0)
        H5Dclose(id);
    H5Pclose(links);
    H5Pclose(how);
    H5Sclose(space);
    H5Tclose(type);
    return rc;
}

int shmf_hdf5_write_array(const struct shmf_array *array, const char *path, const char *dataset,
                          const struct shmf_hdf5_write_options *options, struct shmf_error *err)
{
    struct shmfi_h5 h5;
    struct shmf_error why = {0};
    struct shmf_array *own = NULL;
    if (!array || !dataset)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", array ? "dataset" : "array");
    int rc = shmfi_h5_create(&h5, path, options, err);
    if (rc)
        return rc;
    if (shmfi_h5_has(h5.file, dataset))
        rc =
            shmf_error_set(err, SHMF_E_EXISTS, "%.120s: %.80s: it is there already", path, dataset);
    else if (!is_dense(array) && !(own = dense(array, &why)))
        rc = shmfi_h5_core_said(&h5, dataset, &why);
    else
        rc = write_set(&h5, dataset, own ? own : array, options);
    shmf_array_free(own);
    return shmfi_h5_close(&h5, rc);
}

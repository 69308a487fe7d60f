/* What is in a file. */
#include "file.h"

#include <shmframe/builder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listing {
    const struct shmfi_h5 *h5;
    struct shmf_builder *builder;
    int rc;
};

static void put_attributes(struct shmf_builder *builder, hid_t object)
{
    char *name, *all = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&all, &size);
    for (int i = 0; out && (name = shmfi_h5_attribute_name(object, i)); i++) {
        char *value = shmfi_h5_attribute(object, name);
        fprintf(out, "%s%s = %s", i ? "; " : "", name, value ? value : "?");
        free(value);
        free(name);
    }
    if (!out || fclose(out))
        size = 0;
    shmf_builder_append_text(builder, 2, all ? all : "", (int64_t)size);
    free(all);
}

static herr_t put_object(hid_t file, const char *name, const H5O_info_t *info, void *context)
{
    struct listing *listing = context;
    struct shmfi_h5_set set;
    char shape[SHMF_MAX_DIMS * 24] = "", *to = shape;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    listing->rc = shmfi_h5_set_open(listing->h5, file, name, &set);
    if (listing->rc)
        return -1;
    const char *dtype = set.records ? "record" : set.dtype ? shmf_dtype_name(set.dtype) : "other";
    for (int d = 0; d < set.n_dims; d++)
        to += sprintf(to, "%s%llu", d ? " x " : "", (unsigned long long)set.shape[d]);
    shmf_builder_label_text(listing->builder, name, (int64_t)strlen(name));
    shmf_builder_append_text(listing->builder, 0, dtype, (int64_t)strlen(dtype));
    shmf_builder_append_text(listing->builder, 1, shape, to - shape);
    put_attributes(listing->builder, set.id);
    shmfi_h5_set_close(&set);
    return 0;
}

struct shmf_frame *shmf_hdf5_contents(const char *path, struct shmf_error *err)
{
    static const struct shmf_column_spec columns[] = {
        {"dtype", SHMF_UTF8, 0}, {"shape", SHMF_UTF8, 0}, {"attributes", SHMF_UTF8, 0}};
    const struct shmf_frame_spec spec = {.n_columns = 3, .columns = columns};
    struct shmf_error why = {0};
    struct shmfi_h5 h5;
    struct shmf_frame *frame = NULL;
    if (shmfi_h5_open(&h5, path, err))
        return NULL;
    struct listing listing = {&h5, shmf_builder_new(&spec, &why), SHMF_OK};
    const bool fine =
        listing.builder && H5Ovisit(h5.file, H5_INDEX_NAME, H5_ITER_INC, put_object, &listing) >= 0;
    if (fine)
        frame = shmf_builder_finish(listing.builder, &why);
    else if (listing.builder && !listing.rc)
        shmfi_h5_said(&h5, SHMF_E_CORRUPT, "");
    if (!frame && (fine || !listing.builder))
        shmfi_h5_core_said(&h5, "contents", &why);
    shmf_builder_free(listing.builder);
    shmfi_h5_close(&h5, SHMF_OK);
    return frame;
}

/* What is in a file. */
#include "frame.h"

#include <shmframe/builder.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *type_name(int group, nc_type type, char to[NC_MAX_NAME + 1])
{
    return nc_inq_type(group, type, to, NULL) ? "?" : to;
}

/* "12 x 180", "time, lat" */
static void put_dimensions(struct shmf_builder *builder, const struct shmfi_nc_variable *variable)
{
    char shape[SHMF_MAX_DIMS * 24] = "", *names = calloc(SHMF_MAX_DIMS, NC_MAX_NAME + 3);
    char name[NC_MAX_NAME + 1], *at = shape, *to = names;
    for (int d = 0; d < variable->n_dims; d++) {
        at += sprintf(at, "%s%zu", d ? " x " : "", variable->shape[d]);
        if (names && !nc_inq_dimname(variable->group, variable->dims[d], name))
            to += sprintf(to, "%s%s", d ? ", " : "", name);
    }
    shmf_builder_append_text(builder, 1, shape, at - shape);
    shmf_builder_append_text(builder, 2, names ? names : "", names ? to - names : 0);
    free(names);
}

static void put_attributes(struct shmf_builder *builder, const struct shmfi_nc_variable *variable)
{
    char name[NC_MAX_NAME + 1], *all = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&all, &size);
    for (int i = 0; out && shmfi_nc_attribute_name(variable->group, variable->id, i, name); i++) {
        char *value = shmfi_nc_attribute(variable->group, variable->id, name);
        fprintf(out, "%s%s = %s", i ? "; " : "", name, value ? value : "?");
        free(value);
    }
    if (!out || fclose(out))
        size = 0;
    shmf_builder_append_text(builder, 3, all ? all : "", (int64_t)size);
    free(all);
}

static int put_variable(const struct shmfi_nc *nc, struct shmf_builder *builder, int group, int id,
                        const char *prefix)
{
    struct shmfi_nc_variable variable;
    char type[NC_MAX_NAME + 1], label[2 * NC_MAX_NAME + 2];
    int rc = shmfi_nc_describe(nc, group, id, &variable);
    if (rc)
        return rc;
    const char *name = type_name(group, variable.type, type);
    int size = snprintf(label, sizeof label, "%s%s%s", prefix, *prefix ? "/" : "", variable.name);
    shmf_builder_label_text(builder, label, size < (int)sizeof label ? size : 0);
    shmf_builder_append_text(builder, 0, name, (int64_t)strlen(name));
    put_dimensions(builder, &variable);
    put_attributes(builder, &variable);
    return SHMF_OK;
}

/* Variables of a group and of those in it; `depth`: files may be hostile. */
static int put_group(const struct shmfi_nc *nc, struct shmf_builder *builder, int group,
                     const char *prefix, int depth)
{
    int n = 0, rc = shmfi_nc_said(nc, nc_inq_nvars(group, &n), NULL);
    for (int id = 0; !rc && id < n; id++)
        rc = put_variable(nc, builder, group, id, prefix);
    int n_groups = 0;
    int *groups = NULL;
    if (!rc && depth < 16 && !nc_inq_grps(group, &n_groups, NULL) && n_groups > 0)
        groups = calloc((size_t)n_groups, sizeof *groups);
    if (groups && nc_inq_grps(group, NULL, groups))
        n_groups = 0;
    for (int i = 0; groups && !rc && i < n_groups; i++) {
        char name[NC_MAX_NAME + 1], *path = NULL;
        if (nc_inq_grpname(groups[i], name))
            continue;
        if (asprintf(&path, "%s%s%s", prefix, *prefix ? "/" : "", name) < 0)
            rc = shmfi_nc_said(nc, NC_ENOMEM, name);
        else
            rc = put_group(nc, builder, groups[i], path, depth + 1);
        free(rc == SHMF_E_NOMEM ? NULL : path);
    }
    free(groups);
    return rc;
}

struct shmf_frame *shmf_netcdf_contents(const char *path, struct shmf_error *err)
{
    static const struct shmf_column_spec columns[] = {{"dtype", SHMF_UTF8, 0},
                                                      {"shape", SHMF_UTF8, 0},
                                                      {"dimensions", SHMF_UTF8, 0},
                                                      {"attributes", SHMF_UTF8, 0}};
    struct shmfi_nc nc;
    struct shmfi_nc_pairs pairs = {0};
    struct shmf_frame *frame = NULL;
    struct shmf_error why = {0};
    if (shmfi_nc_open(&nc, path, err))
        return NULL;
    if (!shmfi_nc_add_attributes(&pairs, nc.file, NC_GLOBAL)) {
        shmfi_nc_said(&nc, NC_ENOMEM, NULL);
    } else {
        const struct shmf_frame_spec spec = {
            .n_columns = 4, .columns = columns, .metadata = pairs.pairs, .n_metadata = pairs.n};
        struct shmf_builder *builder = shmf_builder_new(&spec, &why);
        bool fine = builder && !put_group(&nc, builder, nc.file, "", 0);
        if (fine)
            frame = shmf_builder_finish(builder, &why);
        if (!frame && (fine || !builder))
            shmfi_nc_core_said(&nc, &why);
        shmf_builder_free(builder);
    }
    shmfi_nc_free_pairs(&pairs);
    shmfi_nc_close(&nc);
    return frame;
}

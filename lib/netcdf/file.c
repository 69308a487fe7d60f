/* Files and their variables. */
#include "classic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Above zero they are errnos. */
static int code_of(int status)
{
    switch (status) {
    case ENOENT:
    case NC_ENOTVAR:
    case NC_ENOGRP:
    case NC_ENOTATT:
    case NC_EBADDIM:
        return SHMF_E_NOTFOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return SHMF_E_PERM;
    case EMFILE:
    case ENFILE:
        return SHMF_E_NOFILES;
    case ENOMEM:
    case NC_ENOMEM:
        return SHMF_E_NOMEM;
    case NC_EBADNAME:
    case NC_EMAXNAME:
        return SHMF_E_INVAL;
    case NC_ENAMEINUSE:
        return SHMF_E_EXISTS;
    case NC_ESTRICTNC3:
    case NC_EBADTYPE:
    case NC_EVARSIZE:
        return SHMF_E_DTYPE;
    default:
        return status > 0 || status == NC_EIO ? SHMF_E_SYS : SHMF_E_CORRUPT;
    }
}

int shmfi_nc_said(const struct shmfi_nc *nc, int status, const char *what)
{
    if (status == NC_NOERR)
        return SHMF_OK;
    int code = shmf_error_set(nc->err, code_of(status), "%.120s: %.80s%s%s", nc->path,
                              what ? what : "", what ? ": " : "", nc_strerror(status));
    if (nc->err && status > 0)
        nc->err->sys_errno = status;
    return code;
}

/* ---- opening ------------------------------------------------------------------------------ */

int shmfi_nc_open(struct shmfi_nc *nc, const char *path, struct shmf_error *err)
{
    struct stat status;
    *nc = (struct shmfi_nc){-1, path, err};
    if (!path)
        return shmf_error_set(err, SHMF_E_INVAL, "path: NULL");
    /* What looks like an address libnetcdf would go and fetch. */
    if (stat(path, &status))
        return shmfi_nc_said(nc, errno, NULL);
    if (!S_ISREG(status.st_mode))
        return shmf_error_set(err, SHMF_E_INVAL, "%.200s: not a regular file", path);
    int rc = shmfi_nc_check_classic(nc, (unsigned long long)status.st_size);
    if (!rc && (rc = shmfi_nc_said(nc, nc_open(path, NC_NOWRITE, &nc->file), NULL)))
        nc->file = -1;
    return rc;
}

void shmfi_nc_close(struct shmfi_nc *nc)
{
    if (nc->file >= 0)
        nc_close(nc->file);
    nc->file = -1;
}

/* ---- variables ---------------------------------------------------------------------------- */

enum shmf_dtype shmfi_nc_dtype(nc_type type)
{
    static const enum shmf_dtype dtypes[] = {
        [NC_BYTE] = SHMF_INT8,   [NC_CHAR] = SHMF_UINT8,    [NC_SHORT] = SHMF_INT16,
        [NC_INT] = SHMF_INT32,   [NC_FLOAT] = SHMF_FLOAT32, [NC_DOUBLE] = SHMF_FLOAT64,
        [NC_UBYTE] = SHMF_UINT8, [NC_USHORT] = SHMF_UINT16, [NC_UINT] = SHMF_UINT32,
        [NC_INT64] = SHMF_INT64, [NC_UINT64] = SHMF_UINT64,
    };
    return type > 0 && (size_t)type < sizeof dtypes / sizeof dtypes[0] ? dtypes[type] : 0;
}

int shmfi_nc_describe(const struct shmfi_nc *nc, int group, int id,
                      struct shmfi_nc_variable *variable)
{
    *variable = (struct shmfi_nc_variable){.group = group, .id = id};
    int rc = nc_inq_var(group, id, variable->name, &variable->type, &variable->n_dims, NULL, NULL);
    if (!rc && variable->n_dims > SHMF_MAX_DIMS)
        return shmf_error_set(nc->err, SHMF_E_UNSUPPORTED,
                              "%.120s: %.80s: %d dimensions, more than %d", nc->path,
                              variable->name, variable->n_dims, SHMF_MAX_DIMS);
    if (!rc)
        rc = nc_inq_vardimid(group, id, variable->dims);
    for (int d = 0; !rc && d < variable->n_dims; d++)
        rc = nc_inq_dimlen(group, variable->dims[d], &variable->shape[d]);
    variable->dtype = shmfi_nc_dtype(variable->type);
    return shmfi_nc_said(nc, rc, variable->name);
}

int shmfi_nc_find(const struct shmfi_nc *nc, const char *name, struct shmfi_nc_variable *variable)
{
    if (!name)
        return shmf_error_set(nc->err, SHMF_E_INVAL, "%.200s: variable: NULL", nc->path);
    const char *slash = strrchr(name, '/');
    int group = nc->file, id, rc = NC_NOERR;
    if (slash && slash > name) {
        char *path = strndup(name, (size_t)(slash - name));
        rc = path ? nc_inq_grp_full_ncid(nc->file, path, &group) : NC_ENOMEM;
        free(path);
    }
    if (!rc)
        rc = nc_inq_varid(group, slash ? slash + 1 : name, &id);
    return rc ? shmfi_nc_said(nc, rc, name) : shmfi_nc_describe(nc, group, id, variable);
}

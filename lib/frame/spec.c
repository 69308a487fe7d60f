#include "frame/frame_internal.h"

#include "base/error.h"
#include "dtype/dtype.h"
#include "format/format.h"

/* `column` < 0: the dtype that all share. */
static int check_dtype(enum shmf_dtype dtype, int64_t column, struct shmf_error *err)
{
    const struct shmfi_dtype_info *info = shmfi_dtype_info((uint32_t)dtype);
    char field[48] = "dtype";
    if (shmfi_dtype_is_plain((uint32_t)dtype))
        return SHMF_OK;
    if (column >= 0)
        snprintf(field, sizeof field, "columns[%lld].dtype", (long long)column);
    if (info->class == SHMFI_CLASS_NONE)
        return shmfi_error(err, SHMF_E_INVAL, "%s: %d names no dtype", field, (int)dtype);
    return shmfi_error(err, SHMF_E_UNSUPPORTED, "%s: columns of %s", field, info->name);
}

static int check_columns(const struct shmf_frame_spec *spec, struct shmf_error *err)
{
    if (!spec->columns)
        return spec->n_columns == 0 && !spec->dtype ? SHMF_OK : check_dtype(spec->dtype, -1, err);
    if (spec->column_labels)
        return shmfi_error(err, SHMF_E_INVAL, "column_labels: given together with columns");
    for (int64_t c = 0; c < spec->n_columns; c++) {
        int rc = check_dtype(spec->columns[c].dtype, c, err);
        if (rc)
            return rc;
    }
    return SHMF_OK;
}

static int check_rows(const struct shmf_frame_spec *spec, struct shmf_error *err)
{
    int64_t step = spec->range_step ? spec->range_step : 1;
    if (spec->row_labels && spec->row_numbers)
        return shmfi_error(err, SHMF_E_INVAL, "row_numbers: given together with row_labels");
    if (!spec->row_labels && !spec->row_numbers &&
        !shmfi_format_range_fits(spec->range_start, step, (uint64_t)spec->n_rows))
        return shmfi_error(err, SHMF_E_TOOBIG,
                           "range_start, range_step: the last row's label is no int64");
    return SHMF_OK;
}

int shmfi_frame_check_spec(const struct shmf_frame_spec *spec, struct shmf_error *err)
{
    if (!spec)
        return shmfi_error(err, SHMF_E_INVAL, "spec: NULL");
    if (spec->n_rows < 0)
        return shmfi_error(err, SHMF_E_INVAL, "n_rows: %lld is negative", (long long)spec->n_rows);
    if (spec->n_columns < 0)
        return shmfi_error(err, SHMF_E_INVAL, "n_columns: %lld is negative",
                           (long long)spec->n_columns);
    for (size_t i = 0; i < sizeof spec->reserved / sizeof spec->reserved[0]; i++)
        if (spec->reserved[i])
            return shmfi_error(err, SHMF_E_INVAL, "reserved[%zu]: not zero", i);
    int rc = check_rows(spec, err);
    return rc ? rc : check_columns(spec, err);
}

enum shmf_dtype shmfi_frame_spec_dtype(const struct shmf_frame_spec *spec, int64_t column)
{
    return spec->columns ? spec->columns[column].dtype : spec->dtype;
}

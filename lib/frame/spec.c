#include "frame/frame_internal.h"

#include "base/error.h"
#include "dtype/dtype.h"
#include "format/format.h"

/* What a dtype needs, and what it must not be given; NULL or the name of the wrong field. */
static const char *wrong_parameter(const struct shmf_type *type, uint32_t dtype)
{
    const struct shmfi_dtype_info *info = shmfi_dtype_info(dtype);
    bool has_unit = dtype >= SHMF_TIME32 && dtype <= SHMF_DURATION;
    bool is_decimal = dtype == SHMF_DECIMAL128;
    if (has_unit ? !shmfi_format_unit_fits(dtype, (unsigned)type->unit) : type->unit != 0)
        return "unit";
    if (dtype == SHMF_FIXED_BINARY ? type->width == 0 || type->width > INT32_MAX : type->width > 0)
        return "width";
    if (is_decimal ? type->precision < 1 || type->precision > 38 : type->precision != 0)
        return "precision";
    if (is_decimal ? type->scale < INT16_MIN || type->scale > INT16_MAX : type->scale != 0)
        return "scale";
    if (dtype != SHMF_DICTIONARY && type->ordered)
        return "ordered";
    if (type->index_dtype &&
        (dtype != SHMF_DICTIONARY ||
         shmfi_dtype_info((uint32_t)type->index_dtype)->class != SHMFI_CLASS_INTEGER))
        return "index_dtype";
    if (type->zone.data || type->zone.size) {
        bool fine = type->zone.data && type->zone.size > 0 && type->zone.size <= INT32_MAX &&
                    shmfi_utf8_valid(type->zone.data, (uint64_t)type->zone.size);
        return fine && dtype == SHMF_TIMESTAMP ? NULL : "zone";
    }
    return info->class == SHMFI_CLASS_NONE ? "dtype" : NULL;
}

static int check_pairs(const struct shmf_pair *pairs, int64_t n, struct shmf_error *err,
                       const char *where)
{
    if (n < 0 || n > INT32_MAX)
        return shmfi_error(err, SHMF_E_INVAL, "%sn_metadata: %lld", where, (long long)n);
    if (n > 0 && !pairs)
        return shmfi_error(err, SHMF_E_INVAL, "%smetadata: NULL", where);
    for (int64_t i = 0; i < n; i++) {
        const struct shmf_text *both[] = {&pairs[i].key, &pairs[i].value};
        for (int k = 0; k < 2; k++)
            if (both[k]->size < 0 || both[k]->size > INT32_MAX ||
                (both[k]->size > 0 && !both[k]->data))
                return shmfi_error(err, SHMF_E_INVAL, "%smetadata[%lld].%s: no text of %lld bytes",
                                   where, (long long)i, k ? "value" : "key",
                                   (long long)both[k]->size);
    }
    return SHMF_OK;
}

static int check_details(const struct shmf_frame_spec *spec, int64_t column, struct shmf_error *err)
{
    const struct shmf_column_details *details = shmfi_frame_spec_details(spec, column);
    enum shmf_dtype dtype = shmfi_frame_spec_dtype(spec, column);
    char where[48];
    snprintf(where, sizeof where, "details[%lld].", (long long)column);
    const char *field = wrong_parameter(&details->type, (uint32_t)dtype);
    if (field)
        return shmfi_error(err, SHMF_E_INVAL, "%stype.%s: not one of a column of %s", where, field,
                           shmf_dtype_name(dtype));
    if (details->data_size < 0 ||
        (details->data_size > 0 && !shmfi_dtype_is_string((uint32_t)dtype)))
        return shmfi_error(err, SHMF_E_INVAL, "%sdata_size: %lld for a column of %s", where,
                           (long long)details->data_size, shmf_dtype_name(dtype));
    if (dtype != SHMF_LARGE_UTF8 && details->data_size > INT32_MAX)
        return shmfi_error(err, SHMF_E_TOOBIG,
                           "%sdata_size: only large_utf8 holds more than "
                           "2^31 - 1 bytes",
                           where);
    if (details->n_values < 0 || (details->n_values > 0 && !details->values) ||
        (details->n_values > 0 && dtype != SHMF_DICTIONARY))
        return shmfi_error(err, SHMF_E_INVAL, "%sn_values: %lld for a column of %s", where,
                           (long long)details->n_values, shmf_dtype_name(dtype));
    for (size_t i = 0; i < sizeof details->reserved / sizeof details->reserved[0]; i++)
        if (details->reserved[i])
            return shmfi_error(err, SHMF_E_INVAL, "%sreserved[%zu]: not zero", where, i);
    return check_pairs(details->metadata, details->n_metadata, err, where);
}

/* `column` < 0: the dtype that all share. */
static int check_dtype(enum shmf_dtype dtype, int64_t column, struct shmf_error *err)
{
    if (shmfi_dtype_info((uint32_t)dtype)->class != SHMFI_CLASS_NONE)
        return SHMF_OK;
    if (column < 0)
        return shmfi_error(err, SHMF_E_INVAL, "dtype: %d names no dtype", (int)dtype);
    return shmfi_error(err, SHMF_E_INVAL, "columns[%lld].dtype: %d names no dtype",
                       (long long)column, (int)dtype);
}

static bool needs_details(const struct shmf_frame_spec *spec, int64_t column)
{
    return spec->details || !shmfi_dtype_is_plain((uint32_t)shmfi_frame_spec_dtype(spec, column));
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
    if (!rc)
        rc = check_columns(spec, err);
    for (int64_t c = 0; !rc && c < spec->n_columns; c++) {
        if (needs_details(spec, c))
            rc = check_details(spec, c, err);
        else if (!spec->columns)
            break; /* the others are like it */
    }
    return rc ? rc : check_pairs(spec->metadata, spec->n_metadata, err, "");
}

enum shmf_dtype shmfi_frame_spec_dtype(const struct shmf_frame_spec *spec, int64_t column)
{
    return spec->columns ? spec->columns[column].dtype : spec->dtype;
}

const struct shmf_column_details *shmfi_frame_spec_details(const struct shmf_frame_spec *spec,
                                                           int64_t column)
{
    static const struct shmf_column_details none;
    return spec->details ? &spec->details[column] : &none;
}

void shmfi_frame_spec_describe(const struct shmf_frame_spec *spec, int64_t column,
                               struct shmf_format_column *descriptor)
{
    const struct shmf_type *type = &shmfi_frame_spec_details(spec, column)->type;
    *descriptor = (struct shmf_format_column){
        .dtype = (uint32_t)shmfi_frame_spec_dtype(spec, column),
        .width = type->width,
        .unit = (uint16_t)type->unit,
        .precision = (uint16_t)type->precision,
        .scale = (int16_t)type->scale,
    };
    if (descriptor->dtype == SHMF_DICTIONARY) {
        descriptor->flags = type->ordered ? SHMF_COLUMN_ORDERED : 0;
        descriptor->index_dtype = (uint16_t)(type->index_dtype ? type->index_dtype : SHMF_INT32);
    }
}

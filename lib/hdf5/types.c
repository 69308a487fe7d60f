/* Types: HDF5's and ours. */
#include "file.h"

#include <string.h>

static hid_t pair_of(hid_t part)
{
    const size_t width = H5Tget_size(part);
    hid_t type = H5Tcreate(H5T_COMPOUND, 2 * width);
    H5Tinsert(type, "r", 0, part);
    H5Tinsert(type, "i", width, part);
    return type;
}

/* IEEE 754's, which HDF5 does not have of itself. */
static hid_t half(void)
{
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, 10, 5, 0, 10);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, 15);
    return type;
}

/* A byte that is FALSE or TRUE, as h5py has it. */
static hid_t boolean(void)
{
    hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    H5Tenum_insert(type, "FALSE", &(int8_t){0});
    H5Tenum_insert(type, "TRUE", &(int8_t){1});
    return type;
}

hid_t shmfi_h5_type(enum shmf_dtype dtype)
{
    switch (dtype) {
    case SHMF_BOOL:
        return boolean();
    case SHMF_INT8:
        return H5Tcopy(H5T_STD_I8LE);
    case SHMF_INT16:
        return H5Tcopy(H5T_STD_I16LE);
    case SHMF_INT32:
    case SHMF_DATE32:
    case SHMF_TIME32:
        return H5Tcopy(H5T_STD_I32LE);
    case SHMF_INT64:
    case SHMF_DATE64:
    case SHMF_TIME64:
    case SHMF_TIMESTAMP:
    case SHMF_DURATION:
        return H5Tcopy(H5T_STD_I64LE);
    case SHMF_UINT8:
        return H5Tcopy(H5T_STD_U8LE);
    case SHMF_UINT16:
        return H5Tcopy(H5T_STD_U16LE);
    case SHMF_UINT32:
        return H5Tcopy(H5T_STD_U32LE);
    case SHMF_UINT64:
        return H5Tcopy(H5T_STD_U64LE);
    case SHMF_FLOAT16:
        return half();
    case SHMF_FLOAT32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case SHMF_FLOAT64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case SHMF_COMPLEX64:
        return pair_of(H5T_IEEE_F32LE);
    case SHMF_COMPLEX128:
        return pair_of(H5T_IEEE_F64LE);
    default:
        return -1;
    }
}

static enum shmf_dtype integer(hid_t type)
{
    static const enum shmf_dtype with_sign[] = {0, SHMF_INT8, SHMF_INT16, 0,         SHMF_INT32,
                                                0, 0,         0,          SHMF_INT64};
    static const enum shmf_dtype without[] = {0, SHMF_UINT8, SHMF_UINT16, 0,          SHMF_UINT32,
                                              0, 0,          0,           SHMF_UINT64};
    const size_t width = H5Tget_size(type);
    /* A precision below the width would need more than a change of the byte order. */
    if (width >= sizeof with_sign / sizeof with_sign[0])
        return 0;
    return H5Tget_sign(type) == H5T_SGN_2 ? with_sign[width] : without[width];
}

static enum shmf_dtype floating(hid_t type)
{
    const size_t width = H5Tget_size(type);
    return width == 2 ? SHMF_FLOAT16 : width == 4 ? SHMF_FLOAT32 : width == 8 ? SHMF_FLOAT64 : 0;
}

static bool has_name(hid_t type, unsigned member, const char *expected)
{
    char *name = H5Tget_member_name(type, member);
    bool same = name && strcmp(name, expected) == 0;
    H5free_memory(name);
    return same;
}

static enum shmf_dtype complex_number(hid_t type)
{
    if (H5Tget_nmembers(type) != 2 || !has_name(type, 0, "r") || !has_name(type, 1, "i"))
        return 0;
    hid_t real = H5Tget_member_type(type, 0), other = H5Tget_member_type(type, 1);
    const bool same = H5Tget_class(real) == H5T_FLOAT && H5Tequal(real, other) > 0;
    const enum shmf_dtype of = same ? floating(real) : 0;
    H5Tclose(real);
    H5Tclose(other);
    return of == SHMF_FLOAT32 ? SHMF_COMPLEX64 : of == SHMF_FLOAT64 ? SHMF_COMPLEX128 : 0;
}

static bool is_boolean(hid_t type)
{
    return H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2 && has_name(type, 0, "FALSE") &&
           has_name(type, 1, "TRUE");
}

/* Strings in memory are pointers, or have the width that they have in the file and a NUL more. */
static hid_t string_in_memory(hid_t type)
{
    hid_t memory = H5Tcopy(H5T_C_S1);
    H5Tset_cset(memory, H5Tget_cset(type));
    H5Tset_size(memory, H5Tis_variable_str(type) > 0 ? H5T_VARIABLE : H5Tget_size(type) + 1);
    return memory;
}

enum shmf_dtype shmfi_h5_dtype(hid_t type, hid_t *memory)
{
    enum shmf_dtype dtype = 0;
    *memory = -1;
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        dtype = integer(type);
        break;
    case H5T_FLOAT:
        dtype = floating(type);
        break;
    case H5T_ENUM:
        dtype = is_boolean(type) ? SHMF_BOOL : 0;
        break;
    case H5T_COMPOUND:
        dtype = complex_number(type);
        break;
    case H5T_STRING:
        *memory = string_in_memory(type);
        return SHMF_UTF8;
    default:
        break;
    }
    if (dtype)
        *memory = shmfi_h5_type(dtype);
    return dtype;
}

/* Zip files as NumPy's .npz are: members that are stored, found through the directory at the end.
 */
#ifndef NPY_ZIP_H
#define NPY_ZIP_H

#include "npy.h"

#include <stdio.h>

/* Sizes and marks of PKWARE's APPNOTE.TXT, 4.3. */
enum {
    SHMFI_ZIP_LOCAL = 0x04034b50,
    SHMFI_ZIP_LOCAL_SIZE = 30,
    SHMFI_ZIP_MEMBER = 0x02014b50,
    SHMFI_ZIP_MEMBER_SIZE = 46,
    SHMFI_ZIP_END = 0x06054b50,
    SHMFI_ZIP_END_SIZE = 22,
    SHMFI_ZIP_END64 = 0x06064b50,
    SHMFI_ZIP_END64_SIZE = 56,
    SHMFI_ZIP_LOCATOR = 0x07064b50,
    SHMFI_ZIP_LOCATOR_SIZE = 20,
    SHMFI_ZIP_VERSION = 45 /* that has sizes of 64 bits */
};

struct shmfi_zip_member {
    char name[512]; /* without ".npy" */
    int64_t local;  /* where its header is */
    int64_t size;
    uint32_t crc;
    bool compressed;
};

/* CRC-32 of what came so far and these bytes; 0 at first. */
uint32_t shmfi_crc32(uint32_t crc, const void *bytes, size_t size);

/* Calls `visit` for each member until it returns something else than 0, which is returned; 0 or an
 * error otherwise. */
int shmfi_zip_each(int fd, const char *path, int64_t size,
                   int (*visit)(const struct shmfi_zip_member *member, void *context),
                   void *context, struct shmf_error *err);

/* Where the bytes of a member begin; negative: an error. */
int64_t shmfi_zip_data(int fd, const char *path, int64_t size,
                       const struct shmfi_zip_member *member, struct shmf_error *err);

#endif

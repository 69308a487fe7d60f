/* Does the header of a classic file make sense, and is the file as long as it says? */
#ifndef NETCDF_CLASSIC_H
#define NETCDF_CLASSIC_H

#include "file.h"

/* Before libnetcdf sees a file, which believes what headers say: it takes memory for as many
 * variables as one claims to have, and reads what is cut off as zeros. SHMF_E_CORRUPT; other kinds
 * of files are not looked at. */
int shmfi_nc_check_classic(const struct shmfi_nc *nc, unsigned long long size);

#endif

/* Routes through files, for round_trips.c: each gives the frame that came back, or NULL and `why`.
 */
#ifndef TEST_CAMPAIGN_ROUND_TRIPS_H
#define TEST_CAMPAIGN_ROUND_TRIPS_H

#include <shmframe/shmframe.h>

#include <stdbool.h>

extern struct shmf_error why;

/* A folder of this run's own; its last part serves as a name, too. */
extern char own_folder[];
const char *own_name(void);

/* Can the route hold such a column, of so many rows? */
typedef bool (*holds_fn)(enum shmf_dtype dtype, bool nulls, int64_t rows);

bool in_csv(enum shmf_dtype dtype, bool nulls, int64_t rows);
bool in_numpy(enum shmf_dtype dtype, bool nulls, int64_t rows);
bool in_netcdf(enum shmf_dtype dtype, bool nulls, int64_t rows);
bool in_hdf5(enum shmf_dtype dtype, bool nulls, int64_t rows);
bool in_python(enum shmf_dtype dtype, bool nulls, int64_t rows);

struct shmf_frame *by_csv(const struct shmf_frame *frame);
struct shmf_frame *by_npy(const struct shmf_frame *frame);
struct shmf_frame *by_npz(const struct shmf_frame *frame);
struct shmf_frame *by_netcdf(const struct shmf_frame *frame);
struct shmf_frame *by_hdf5(const struct shmf_frame *frame);
struct shmf_frame *by_python(const struct shmf_frame *frame);

#endif

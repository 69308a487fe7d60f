/* The loops as AVX2 has them; lib/cmake says how they are compiled. See loops.c. */
#include "loops.h"

#if defined(__AVX2__) && defined(__x86_64__)
#include "plain_loops.h"
#include "structure_loops.h"

static const struct shmfi_csv_loops loops = {count_rows,     begin_plain, put_int64s,
                                             put_timestamps, note_texts,  put_others};
const struct shmfi_csv_loops *const shmfi_csv_wide_loops = &loops;
#else
const struct shmfi_csv_loops *const shmfi_csv_wide_loops = NULL;
#endif

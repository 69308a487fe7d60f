/* The loops of plain_loops.h and structure_loops.h are compiled here for any processor of the
 * architecture and in loops_wide.c for those with AVX2, which are asked for when the program runs.
 */
#include "plain_loops.h"
#include "structure_loops.h"

const struct shmfi_csv_loops shmfi_csv_any_loops = {count_rows,     begin_plain, put_int64s,
                                                    put_timestamps, note_texts,  put_others};

const struct shmfi_csv_loops *shmfi_csv_loops(void)
{
#ifdef __x86_64__
    if (shmfi_csv_wide_loops && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))
        return shmfi_csv_wide_loops;
#endif
    return &shmfi_csv_any_loops;
}

#include "pool/threads.h"

#include <stdint.h>

/* Weak: where the application does not use these libraries, they are not there. Setting their
 * environment variables would come too late, and after a fork from a process that has used OpenMP
 * a parallel region of several threads hangs. */
extern void omp_set_num_threads(int) __attribute__((weak));
extern int omp_get_max_threads(void) __attribute__((weak));
extern void openblas_set_num_threads(int) __attribute__((weak));
extern void MKL_Set_Num_Threads(int) __attribute__((weak));
extern void bli_thread_set_num_threads(int64_t) __attribute__((weak));

/* That OpenMP is LLVM's or Intel's, whose first call starts much more than is wanted here, and
 * whose child of a fork begins anew. */
extern void __kmpc_fork_call(void) __attribute__((weak)); /* NOLINT: the name is not ours */

/* GNU's allocates the calling thread's settings when they are first set, and the linker looks up
 * then what that needs: 16 page faults, which each worker would have for itself. */
void shmfi_threads_prepare(void)
{
    if (omp_set_num_threads && omp_get_max_threads && !__kmpc_fork_call)
        omp_set_num_threads(omp_get_max_threads());
}

void shmfi_threads_cap(int most)
{
    if (most < 0)
        return;
    if (omp_set_num_threads)
        omp_set_num_threads(most);
    if (openblas_set_num_threads)
        openblas_set_num_threads(most);
    if (MKL_Set_Num_Threads)
        MKL_Set_Num_Threads(most);
    if (bli_thread_set_num_threads)
        bli_thread_set_num_threads(most);
}

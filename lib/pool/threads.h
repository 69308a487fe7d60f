/* The threads that OpenMP and BLAS would start in a worker. */
#ifndef SHMFI_POOL_THREADS_H
#define SHMFI_POOL_THREADS_H

/* In the application, before it forks: what capping costs once is done here and inherited. Changes
 * nothing that the application could notice. */
void shmfi_threads_prepare(void);

/* In a worker: no library starts more than `most` threads. Negative: leaves them alone. */
void shmfi_threads_cap(int most);

#endif

/* Which code workers have: the executable mappings at the moment of their ancestor's fork. A
 * function that was loaded later (dlopen, a just-in-time compiler) is not there, or something else
 * is, so it is refused when it is submitted. What was unloaded and replaced at the same address
 * cannot be told. */
#ifndef SHMFI_POOL_CODE_H
#define SHMFI_POOL_CODE_H

#include <shmframe/error.h>

#include <stdbool.h>

struct shmfi_span {
    uint64_t start, end;
};

struct shmfi_code {
    struct shmfi_span *spans; /* ascending; none: unknown, everything is believed */
    size_t count, capacity;
    _Atomic size_t last; /* where the last address was found, by any thread */
};

/* Of this process, now. SHMF_E_NOMEM. */
int shmfi_code_take(struct shmfi_code *code, struct shmf_error *err);
bool shmfi_code_has(struct shmfi_code *code, uint64_t address);
int shmfi_code_copy(struct shmfi_code *code, const struct shmfi_code *from, struct shmf_error *err);
void shmfi_code_clear(struct shmfi_code *code);

#endif

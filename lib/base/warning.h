/* Warnings, and who hears of them. */
#ifndef SHMFI_BASE_WARNING_H
#define SHMFI_BASE_WARNING_H

#include <shmframe/warning.h>
#include <stdbool.h>

/* Would anybody hear? */
bool shmfi_warns(void);

void shmfi_warn(const char *format, ...) SHMF_PRINTF(1, 2);

/* This process and all that it forks are the library's own. */
void shmfi_warn_no_more(void);

#endif

/* Exporting, within the adapter. */
#ifndef SHMFI_ARROW_EXPORT_H
#define SHMFI_ARROW_EXPORT_H

#include "adapter.h"

/* Arguments that all exports share. SHMF_E_INVAL names the one that is wrong. */
int shmfi_arrow_check_export(const struct shmf_frame *frame,
                             const struct shmf_arrow_export_options *options, const void *to,
                             struct shmf_error *err);

#endif

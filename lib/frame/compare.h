#ifndef SHMFI_FRAME_COMPARE_H
#define SHMFI_FRAME_COMPARE_H

#include "frame/frame_internal.h"

/* Have the columns in this place the same label and type? */
bool shmfi_same_column(const struct shmf_frame *a, const struct shmf_frame *b, int64_t column);

/* And the same categories in the same order? */
bool shmfi_same_categories(const struct shmf_frame *a, const struct shmf_frame *b, int64_t column);

#endif

/* New frames from runs of rows of others. */
#ifndef SHMFI_FRAME_RUNS_H
#define SHMFI_FRAME_RUNS_H

#include "frame/frame_internal.h"

/* `count` rows of a frame, from row `first` on; all of them are there. */
struct shmfi_run {
    const struct shmf_frame *frame;
    int64_t first, count;
};

/* Runs one below the other; the frames have the same columns, and text as row labels all or none.
 * `get` may be called any number of times. */
struct shmfi_runs {
    struct shmfi_run (*get)(const void *context, int64_t i);
    const void *context;
    int64_t n;
    const struct shmf_frame *model; /* columns and details are its own */
    bool is_range;                  /* the rows' labels are the range: */
    int64_t range_start, range_step;
};

struct shmf_frame *shmfi_frame_from_runs(const struct shmfi_runs *runs, struct shmf_error *err);

/* Texts with a NUL behind each, read one after the other; `end` is behind the last of these and
 * points to a NUL, too: the text of all that are not there. */
struct shmfi_flat_texts {
    const char *begin, *end, *at;
};

/* For a struct shmfi_label_source whose context is the address of a pointer to one. */
const char *shmfi_flat_next(const void *context, uint64_t i, char buffer[SHMFI_NUMBER_SIZE]);

#endif

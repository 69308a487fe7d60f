/* Use of whatever a segment opens as, to the full: every column, cell, label, lookup, view and
 * derived frame, every level of validation. What must hold of any bytes is checked; a broken
 * promise aborts, and a read outside the segment is the sanitizers' matter. */
#ifndef TEST_FUZZ_USE_H
#define TEST_FUZZ_USE_H

#include <shmframe/array.h>
#include <shmframe/error.h>
#include <shmframe/frame.h>

#include <stdbool.h>

/* Takes `bytes`, aligned to 64, as a segment of the kind that its header names (an array if it says
 * so, else a frame). Returns what opening returned. `err` may be NULL. */
int use_segment(unsigned char *bytes, size_t size, struct shmf_error *err);

/* `steady`: nobody writes the segment meanwhile, so what is read twice is the same. */
void use_frame(const struct shmf_frame *frame, bool steady);
void use_array(const struct shmf_array *array);

#endif

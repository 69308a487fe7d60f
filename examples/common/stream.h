/* Writing a large result past the cache. A store normally reads the line first; for hundreds of
 * megabytes that nobody reads soon this is half of the memory traffic. Measured on two cores of a
 * Zen 4 with 200 MB: scaling takes 8 ms against 15 to 20 with ordinary stores, copying 13 ms
 * against 20 to 30 with memcpy. */
#ifndef EXAMPLES_STREAM_H
#define EXAMPLES_STREAM_H

#include <stdint.h>

/* out[i] = factor * values[i] */
void stream_scaled(double *out, const double *values, int64_t n, double factor);

/* out[i] = values[i] */
void stream_copy(double *out, const double *values, int64_t n);

#endif

/* Elements from wherever they lie, packed one after the other. */
#include "dtype/dtype.h"

#include <string.h>

#define COPY_RUN(size)                                                                             \
    case size:                                                                                     \
        for (int64_t i = 0; i < n; i++)                                                            \
            memcpy(to + i * (size), from + i * stride, size);                                      \
        break

/* The constant sizes become single moves. */
void shmfi_dtype_pack(unsigned char *to, const unsigned char *from, int64_t n, int64_t stride,
                      size_t size)
{
    if (stride == (int64_t)size) {
        memcpy(to, from, (size_t)n * size);
        return;
    }
    switch (size) {
        COPY_RUN(1);
        COPY_RUN(2);
        COPY_RUN(4);
        COPY_RUN(8);
        COPY_RUN(16);
    }
}

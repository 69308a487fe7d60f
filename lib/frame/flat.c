#include "frame/runs.h"

#include <string.h>

const char *shmfi_flat_next(const void *context, uint64_t i, char buffer[SHMFI_NUMBER_SIZE])
{
    struct shmfi_flat_texts *texts = *(struct shmfi_flat_texts *const *)context;
    (void)buffer;
    texts->at = i == 0 ? texts->begin : texts->at + strlen(texts->at) + 1;
    if (texts->at > texts->end)
        texts->at = texts->end;
    return texts->at;
}

#include <shmframe/handle.h>

struct shmf_handle shmf_handle_with(struct shmf_handle handle, enum shmf_access access)
{
    handle.access = (uint32_t)access;
    return handle;
}

#include <shmframe/handle.h>

#include <stdbool.h>

struct shmf_handle shmf_handle_with(struct shmf_handle handle, enum shmf_access access)
{
    handle.access = (uint32_t)access;
    return handle;
}

/* No rows at all are named by a place behind the first row: both zero would mean all. */
struct shmf_handle shmf_handle_slice(struct shmf_handle handle, int64_t begin, int64_t end)
{
    bool none_in_front = begin == 0 && end == 0;
    handle.begin = none_in_front ? 1 : begin;
    handle.end = none_in_front ? 1 : end;
    return handle;
}

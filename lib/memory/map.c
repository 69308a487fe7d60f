/* Mapping regions, at addresses that huge pages can serve. */
#include "memory/state.h"

#include "base/sys.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MADV_DONTDUMP
#define MADV_DONTDUMP 16
#endif

/* More address space than needed, of which the aligned middle is replaced and the ends are given
 * back. Only a transient 2 MiB more than the mapping itself. */
static void *map_aligned(uint64_t size, int protection, int flags, int fd, uint64_t offset)
{
    size_t room = size + SHMFI_HUGE;
    void *at =
        shmfi_sys.mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return MAP_FAILED;
    uint8_t *start = at;
    uint8_t *base = start + (SHMFI_HUGE - (uintptr_t)start % SHMFI_HUGE) % SHMFI_HUGE;
    if (shmfi_sys.mmap(base, size, protection, flags | MAP_FIXED, fd, (off_t)offset) ==
        MAP_FAILED) {
        int why = errno;
        shmfi_sys.munmap(start, room);
        errno = why;
        return MAP_FAILED;
    }
    /* The mapping ends at a page, not always at a huge page. */
    uint8_t *end = start + room;
    if (base > start)
        shmfi_sys.munmap(start, (size_t)(base - start));
    if (end > base + size)
        shmfi_sys.munmap(base + size, (size_t)(end - (base + size)));
    return base;
}

void *shmfi_map(uint64_t size, int protection, int flags, int fd, uint64_t offset)
{
    if (size >= SHMFI_HUGE && offset % SHMFI_HUGE == 0)
        return map_aligned(size, protection, flags, fd, offset);
    return shmfi_sys.mmap(NULL, size, protection, flags, fd, (off_t)offset);
}

/* Advice only: a kernel that does not take it loses nothing but its benefit. */
void shmfi_map_advise(void *base, uint64_t size, bool dontfork)
{
    if (!shmfi_memory.options.keep_in_core_dumps)
        shmfi_sys.madvise(base, size, MADV_DONTDUMP);
    if (size < SHMFI_HUGE || shmfi_memory.options.no_huge_pages)
        shmfi_sys.madvise(base, size, MADV_NOHUGEPAGE);
    if (dontfork)
        shmfi_sys.madvise(base, size, MADV_DONTFORK);
}

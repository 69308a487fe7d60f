/* Private memory for the tables of frames that are opened. Fetched from the kernel anew, half a
 * megabyte of it costs more than all the rest of opening a frame of 5,000 columns; so the last
 * piece that was given back is kept for the next. */
#include "memory/state.h"

#include "base/checked.h"
#include "base/sys.h"

/* What is smaller the heap has at hand; more than this is not kept. */
#define KEPT_FROM (UINT64_C(64) << 10)
#define KEPT_MOST (UINT64_C(8) << 20)

struct piece {
    uint64_t size; /* behind it */
    uint64_t unused;
};

static struct piece *kept; /* or NULL; who exchanges it for another has it */

static struct piece *exchange(struct piece *piece)
{
    return __atomic_exchange_n(&kept, piece, __ATOMIC_ACQ_REL);
}

void *shmfi_private_new(uint64_t size)
{
    struct piece *piece = size >= KEPT_FROM ? exchange(NULL) : NULL;
    if (piece && (piece->size < size || piece->size / 2 > size)) {
        shmfi_sys.free(piece);
        piece = NULL;
    }
    uint64_t all;
    if (!piece && shmfi_add(size, sizeof *piece, &all) && (piece = shmfi_sys.malloc(all)))
        piece->size = size;
    return piece ? piece + 1 : NULL;
}

void shmfi_private_free(void *memory)
{
    if (!memory)
        return;
    struct piece *piece = (struct piece *)memory - 1;
    if (piece->size >= KEPT_FROM && piece->size <= KEPT_MOST)
        piece = exchange(piece);
    shmfi_sys.free(piece);
}

void shmfi_private_trim(void)
{
    shmfi_sys.free(exchange(NULL));
}

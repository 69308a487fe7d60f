/* Results that wait for the caller: by order of completion, or of their keys. */
#include "map.h"

#include <stdlib.h>

int shmfi_mpi_line_keep(struct shmfi_mpi_line *line, struct shmfi_mpi_got *got,
                        struct shmf_error *err)
{
    if (line->ready == line->room) {
        size_t room = line->room ? 2 * line->room : 64;
        struct shmfi_mpi_got **heap = realloc(line->heap, room * sizeof(struct shmfi_mpi_got *));
        if (!heap) {
            shmf_mpi_result_free(&got->result);
            return shmfi_mpi_no_memory(err);
        }
        line->heap = heap;
        line->room = room;
    }
    if (line->unordered)
        got->key = line->came;
    line->came++;
    size_t at = line->ready++;
    for (; at && line->heap[(at - 1) / 2]->key > got->key; at = (at - 1) / 2)
        line->heap[at] = line->heap[(at - 1) / 2];
    line->heap[at] = got;
    return SHMF_OK;
}

bool shmfi_mpi_line_has_next(const struct shmfi_mpi_line *line)
{
    return line->ready && (line->unordered || line->heap[0]->key == line->taken);
}

struct shmfi_mpi_got *shmfi_mpi_line_take(struct shmfi_mpi_line *line)
{
    struct shmfi_mpi_got *first = line->heap[0], *last = line->heap[--line->ready];
    size_t at = 0, child;
    while ((child = 2 * at + 1) < line->ready) {
        child += child + 1 < line->ready && line->heap[child + 1]->key < line->heap[child]->key;
        if (line->heap[child]->key >= last->key)
            break;
        line->heap[at] = line->heap[child];
        at = child;
    }
    line->heap[at] = last;
    line->taken++;
    return first;
}

void shmfi_mpi_line_clear(struct shmfi_mpi_line *line)
{
    for (size_t i = 0; i < line->ready; i++)
        shmf_mpi_result_free(&line->heap[i]->result);
    free(line->heap);
    line->heap = NULL;
    line->ready = line->room = 0;
}

/* Frames and arrays alike, and bytes of any number. */
#include "internal.h"

#include <shmframe/image.h>
#include <shmframe/share.h>

int shmfi_mpi_seal(struct shmfi_mpi_object *object, struct shmf_error *err)
{
    return object->array ? shmf_array_seal(&object->array, err)
                         : shmf_frame_seal(&object->frame, err);
}

const void *shmfi_mpi_image(const struct shmfi_mpi_object *object, uint64_t *size)
{
    return object->array ? shmf_array_image(object->array, size)
                         : shmf_frame_image(object->frame, size);
}

/* What the creating functions return and what they say in `*why`. */
static int outcome(const struct shmfi_mpi_object *object, const struct shmf_error *why,
                   struct shmf_error *err)
{
    if (object->frame || object->array)
        return SHMF_OK;
    if (err)
        *err = *why;
    return why->code;
}

int shmfi_mpi_open(struct shmf_image *image, uint32_t kind, struct shmfi_mpi_object *object,
                   struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    *object = (struct shmfi_mpi_object){0};
    if (kind == SHMF_KIND_ARRAY)
        object->array = shmf_image_array(image, &why);
    else
        object->frame = shmf_image_frame(image, &why);
    return outcome(object, &why, err);
}

int shmfi_mpi_show(const struct shmfi_mpi_object *object, int socket, struct shmf_error *err)
{
    return object->array ? shmf_array_send(object->array, socket, -1, err)
                         : shmf_frame_send(object->frame, socket, -1, err);
}

int shmfi_mpi_see(int socket, uint32_t kind, struct shmfi_mpi_object *object,
                  struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    *object = (struct shmfi_mpi_object){0};
    if (kind == SHMF_KIND_ARRAY)
        object->array = shmf_array_receive(socket, -1, NULL, &why);
    else
        object->frame = shmf_frame_receive(socket, -1, NULL, &why);
    return outcome(object, &why, err);
}

void shmfi_mpi_let_go(struct shmfi_mpi_object *object)
{
    shmf_frame_free(object->frame);
    shmf_array_free(object->array);
    *object = (struct shmfi_mpi_object){0};
}

/* ---- bytes; counts of MPI are ints ----------------------------------------------------------- */

static int piece_of(const struct shmf_mpi *mpi, uint64_t left)
{
    return (int)(left < mpi->piece ? left : mpi->piece);
}

int shmfi_mpi_send(const struct shmf_mpi *mpi, const void *bytes, uint64_t size, int to, int tag,
                   MPI_Comm comm, struct shmf_error *err)
{
    for (uint64_t at = 0; at < size;) {
        int piece = piece_of(mpi, size - at);
        int rc = MPI_Send((const char *)bytes + at, piece, MPI_BYTE, to, tag, comm);
        if (rc)
            return shmfi_mpi_done(rc, "MPI_Send", err);
        at += (uint64_t)piece;
    }
    return SHMF_OK;
}

int shmfi_mpi_receive(const struct shmf_mpi *mpi, void *bytes, uint64_t size, int from, int tag,
                      MPI_Comm comm, struct shmf_error *err)
{
    for (uint64_t at = 0; at < size;) {
        int piece = piece_of(mpi, size - at);
        int rc = MPI_Recv((char *)bytes + at, piece, MPI_BYTE, from, tag, comm, MPI_STATUS_IGNORE);
        if (rc)
            return shmfi_mpi_done(rc, "MPI_Recv", err);
        at += (uint64_t)piece;
    }
    return SHMF_OK;
}

/* MPI_Bcast may write what its root sends (MPICH does, the same bytes again), and sealed memory
 * cannot be written. So pieces go down a binary tree, each while the next is on its way: twice the
 * time of one transfer where a node has two below it, plus a piece for each level. */
int shmfi_mpi_spread(const struct shmf_mpi *mpi, void *bytes, uint64_t size, int root,
                     MPI_Comm comm, struct shmf_error *err)
{
    MPI_Status ignored[2]; /* MPI_STATUSES_IGNORE is a pointer that compilers warn of */
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    int rank, ranks, rc = MPI_SUCCESS;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &ranks);
    int place = (rank - root + ranks) % ranks;
    for (uint64_t at = 0; !rc && at < size;) {
        int piece = piece_of(mpi, size - at);
        char *here = (char *)bytes + at;
        if (place)
            rc = MPI_Recv(here, piece, MPI_BYTE, ((place - 1) / 2 + root) % ranks,
                          SHMFI_MPI_TAG_SPREAD, comm, MPI_STATUS_IGNORE);
        if (!rc)
            rc = MPI_Waitall(2, requests, ignored);
        for (int child = 2 * place + 1, i = 0; !rc && i < 2 && child + i < ranks; i++)
            rc = MPI_Isend(here, piece, MPI_BYTE, (child + i + root) % ranks, SHMFI_MPI_TAG_SPREAD,
                           comm, &requests[i]);
        at += (uint64_t)piece;
    }
    int last = MPI_Waitall(2, requests, ignored);
    return shmfi_mpi_done(rc ? rc : last, "a broadcast", err);
}

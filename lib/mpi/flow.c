/* Bodies under way: neither side waits for the other, and there is no buffer in between. */
#include "map.h"

#include <stdlib.h>

void shmfi_mpi_flow_start(struct shmfi_mpi_flow *flow, int rank, bool sends)
{
    flow->rank = rank;
    flow->sends = sends;
    flow->part = 0;
    flow->at = 0;
    for (int i = 0; i < SHMFI_MPI_LANES; i++)
        flow->requests[i] = MPI_REQUEST_NULL;
}

static bool has_more(struct shmfi_mpi_flow *flow)
{
    while (flow->part < flow->n_parts && flow->at == flow->parts[flow->part].size) {
        flow->part++;
        flow->at = 0;
    }
    return flow->part < flow->n_parts;
}

static int post(const struct shmf_mpi *mpi, struct shmfi_mpi_flow *flow, MPI_Request *request)
{
    const struct shmfi_mpi_part *part = &flow->parts[flow->part];
    uint64_t left = part->size - flow->at;
    int piece = (int)(left < mpi->piece ? left : mpi->piece);
    char *bytes = part->bytes + flow->at;
    flow->at += (uint64_t)piece;
    return flow->sends ? MPI_Isend(bytes, piece, MPI_BYTE, flow->rank, SHMFI_MPI_TAG_BODY, mpi->all,
                                   request)
                       : MPI_Irecv(bytes, piece, MPI_BYTE, flow->rank, SHMFI_MPI_TAG_BODY, mpi->all,
                                   request);
}

int shmfi_mpi_flow_step(const struct shmf_mpi *mpi, struct shmfi_mpi_flow *flow, int *moved,
                        struct shmf_error *err)
{
    bool busy = false;
    for (int i = 0; i < SHMFI_MPI_LANES; i++) {
        int there = 1, rc = MPI_SUCCESS;
        if (flow->requests[i] != MPI_REQUEST_NULL) {
            rc = MPI_Test(&flow->requests[i], &there, MPI_STATUS_IGNORE);
            *moved += there;
        }
        if (!rc && there && has_more(flow)) {
            rc = post(mpi, flow, &flow->requests[i]);
            there = 0;
            ++*moved;
        }
        if (rc)
            return shmfi_mpi_done(rc, "a result's bytes", err);
        busy = busy || !there;
    }
    return !busy;
}

void shmfi_mpi_flow_free(struct shmfi_mpi_flow *flow)
{
    free(flow->parts);
    flow->parts = NULL;
    flow->n_parts = 0;
}

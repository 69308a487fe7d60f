/* Sockets between the leader of a node and its other ranks, over which descriptors travel. Nobody
 * waits for a socket: what is to be received was sent before a call of MPI that both sides have
 * made, because a rank that sleeps outside MPI would stop what others wait for. */
#include "internal.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- connecting ------------------------------------------------------------------------------ */

int shmfi_mpi_link(struct shmf_mpi *mpi, struct shmf_error *err)
{
    struct shmfi_mpi_door door = {0};
    struct shmf_error why = {0};
    int listening = -1, rc = SHMF_OK;
    bool leads = mpi->place.node_rank == 0;
    if (mpi->place.node_ranks == 1)
        return SHMF_OK;
    if (leads)
        door.rc = shmfi_mpi_door_open(&door, mpi->place.node_ranks, &listening, &why);
    int mpi_rc = MPI_Bcast(&door, (int)sizeof door, MPI_BYTE, 0, mpi->node);
    if (!mpi_rc && !door.rc && !leads)
        rc = shmfi_mpi_door_go_in(&door, mpi->place.node_rank, &mpi->links[0], &why);
    if (!mpi_rc)
        rc = shmfi_mpi_agree(mpi, mpi->node, rc ? rc : leads ? door.rc : SHMF_OK, &why, err);
    else
        rc = shmfi_mpi_done(mpi_rc, "MPI_Bcast", err);
    if (!rc && leads)
        rc = shmfi_mpi_door_let_in(&door, listening, mpi->place.node_ranks - 1, mpi->links,
                                   mpi->place.node_ranks, err);
    if (listening >= 0)
        close(listening);
    return rc;
}

void shmfi_mpi_unlink(struct shmf_mpi *mpi)
{
    for (int i = 0; mpi->links && i < mpi->place.node_ranks; i++)
        if (mpi->links[i] >= 0)
            close(mpi->links[i]);
    free(mpi->links);
    mpi->links = NULL;
}

/* ---- passing on ------------------------------------------------------------------------------ */

static int show_others(struct shmf_mpi *mpi, int from, const struct shmfi_mpi_object *object,
                       struct shmf_error *err)
{
    int rc = SHMF_OK;
    for (int i = 1; !rc && i < mpi->place.node_ranks; i++)
        if (i != from)
            rc = shmfi_mpi_show(object, mpi->links[i], err);
    return rc;
}

static int tell(struct shmf_mpi *mpi, int from, int *rc, struct shmf_error *err)
{
    return shmfi_mpi_done(MPI_Bcast(rc, 1, MPI_INT, from, mpi->node), "MPI_Bcast", err);
}

int shmfi_mpi_pass(struct shmf_mpi *mpi, int from, uint32_t kind, int rc,
                   struct shmfi_mpi_object *object, struct shmf_error *err)
{
    int mine = mpi->place.node_rank, there, shown;
    if (mpi->place.node_ranks == 1)
        return rc;
    there = rc;
    if (!there && mine == from && from != 0)
        there = rc = shmfi_mpi_show(object, mpi->links[0], err);
    int mpi_rc = tell(mpi, from, &there, err);
    if (mpi_rc || there)
        return mpi_rc ? mpi_rc : rc;
    if (mine == 0 && from != 0)
        rc = shmfi_mpi_see(mpi->links[from], kind, object, err);
    if (mine == 0 && !rc)
        rc = show_others(mpi, from, object, err);
    shown = rc;
    mpi_rc = tell(mpi, 0, &shown, err);
    if (mpi_rc || shown)
        return mpi_rc ? mpi_rc : rc;
    return mine == 0 || mine == from ? rc : shmfi_mpi_see(mpi->links[0], kind, object, err);
}

/* Errors, and agreeing about them. */
#include "internal.h"

#include <stdio.h>
#include <string.h>

int shmfi_mpi_no_memory(struct shmf_error *err)
{
    return shmf_error_set(err, SHMF_E_NOMEM, "private memory is exhausted");
}

int shmfi_mpi_check_reserved(const uint64_t *words, size_t count, struct shmf_error *err)
{
    for (size_t i = 0; i < count; i++)
        if (words[i])
            return shmf_error_set(err, SHMF_E_INVAL, "options.reserved[%zu]: not zero", i);
    return SHMF_OK;
}

int shmfi_mpi_done(int mpi_code, const char *what, struct shmf_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "unknown error";
    int length;
    if (mpi_code == MPI_SUCCESS)
        return SHMF_OK;
    MPI_Error_string(mpi_code, text, &length);
    return shmf_error_set(err, SHMF_E_SYS, "%s: %.180s", what, text);
}

int shmfi_mpi_check_free(const struct shmf_mpi *mpi, struct shmf_error *err)
{
    return mpi->iterating ? shmf_error_set(err, SHMF_E_INVAL, "mpi: an iteration goes on")
                          : SHMF_OK;
}

int shmfi_mpi_check_rank(const struct shmf_mpi *mpi, const char *name, int rank,
                         struct shmf_error *err)
{
    if (rank >= 0 && rank < mpi->place.ranks)
        return shmfi_mpi_check_free(mpi, err);
    return shmf_error_set(err, SHMF_E_RANGE, "%s: %d of %d ranks", name, rank, mpi->place.ranks);
}

int shmfi_mpi_agree(const struct shmf_mpi *mpi, MPI_Comm comm, int rc, const struct shmf_error *why,
                    struct shmf_error *err)
{
    struct {
        int code, rank;
    } mine = {rc, 0}, worst;
    struct shmf_error said = {.code = rc};
    MPI_Comm_rank(comm, &mine.rank);
    int failed = MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MINLOC, comm);
    if (failed)
        return shmfi_mpi_done(failed, "MPI_Allreduce", err);
    if (!worst.code)
        return SHMF_OK;
    if (worst.rank == mine.rank && !strncmp(why->message, "rank ", 5))
        said = *why; /* agreed upon before, in a smaller circle */
    else if (worst.rank == mine.rank)
        snprintf(said.message, sizeof said.message, "rank %d: %.220s", mpi->place.rank,
                 why->message);
    failed = MPI_Bcast(&said, (int)sizeof said, MPI_BYTE, worst.rank, comm);
    if (failed)
        return shmfi_mpi_done(failed, "MPI_Bcast", err);
    if (err)
        *err = said;
    return said.code ? said.code : worst.code;
}

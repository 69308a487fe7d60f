/* Ranks and nodes. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#define PIECE      (UINT64_C(8) << 20)
#define MOST_PIECE (UINT64_C(1) << 30)

/* ---- initialising ---------------------------------------------------------------------------- */

static int check_time(struct shmf_error *err)
{
    int yes = 0;
    MPI_Finalized(&yes);
    if (yes)
        return shmf_error_set(err, SHMF_E_INVAL, "MPI is finalised already");
    MPI_Initialized(&yes);
    if (yes)
        return shmf_error_set(err, SHMF_E_INVAL,
                              "MPI is initialised already: its threads and connections would be "
                              "in what is forked; call shmf_mpi_init() instead of MPI_Init()");
    return SHMF_OK;
}

int shmf_mpi_init(int *argc, char ***argv, int required, int *provided,
                  const struct shmf_early_options *options, struct shmf_error *err)
{
    struct shmf_early_options early = options ? *options : (struct shmf_early_options){0};
    int level = MPI_THREAD_SINGLE;
    early.refuse_threads = 1;
    int rc = check_time(err);
    if (!rc)
        rc = shmf_early_start(&early, err);
    if (rc)
        return rc;
    rc = shmfi_mpi_done(MPI_Init_thread(argc, argv, required, &level), "MPI_Init_thread", err);
    if (rc)
        shmf_early_stop();
    else if (provided)
        *provided = level;
    return rc;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static int check_options(const struct shmf_mpi_options *options, struct shmf_error *err)
{
    int yes = 0;
    MPI_Initialized(&yes);
    if (!yes)
        return shmf_error_set(err, SHMF_E_INVAL, "MPI is not initialised");
    if (options->ranks_per_node < 0)
        return shmf_error_set(err, SHMF_E_INVAL, "options.ranks_per_node: %d",
                              options->ranks_per_node);
    if (options->piece_bytes > MOST_PIECE)
        return shmf_error_set(err, SHMF_E_INVAL, "options.piece_bytes: more than 2^30");
    return shmfi_mpi_check_reserved(options->reserved, 6, err);
}

/* Anything but a number of digits that is above zero counts as not set. */
static int setting(int given, const char *name)
{
    const char *said = getenv(name);
    if (given || !said)
        return given;
    char *end;
    long number = strtol(said, &end, 10);
    return end == said || *end || number < 0 || number > 1000000 ? 0 : (int)number;
}

/* What the ranks of a communicator have in common: the lowest of them. */
static int lowest(const struct shmf_mpi *mpi, MPI_Comm comm, int *rank)
{
    *rank = mpi->place.rank;
    return MPI_Bcast(rank, 1, MPI_INT, 0, comm);
}

static int split(struct shmf_mpi *mpi, const struct shmf_mpi_options *options, int *lender,
                 struct shmf_error *err)
{
    MPI_Comm machine;
    int on_machine, per_node = setting(options->ranks_per_node, "SHMFRAME_MPI_RANKS_PER_NODE");
    int rc = MPI_Comm_split_type(mpi->all, MPI_COMM_TYPE_SHARED, mpi->place.rank, MPI_INFO_NULL,
                                 &machine);
    if (rc)
        return shmfi_mpi_done(rc, "MPI_Comm_split_type", err);
    MPI_Comm_rank(machine, &on_machine);
    rc = MPI_Comm_split(machine, per_node ? on_machine / per_node : 0, on_machine, &mpi->node);
    if (!rc)
        rc = lowest(mpi, machine, lender);
    if (setting(options->apart, "SHMFRAME_MPI_APART"))
        *lender = -1 - mpi->place.rank; /* nobody else's */
    MPI_Comm_free(&machine);
    if (rc)
        return shmfi_mpi_done(rc, "MPI_Comm_split", err);
    MPI_Comm_set_errhandler(mpi->node, MPI_ERRORS_RETURN);
    MPI_Comm_rank(mpi->node, &mpi->place.node_rank);
    MPI_Comm_size(mpi->node, &mpi->place.node_ranks);
    rc = MPI_Comm_split(mpi->all, mpi->place.node_rank == 0 ? 0 : MPI_UNDEFINED, mpi->place.rank,
                        &mpi->leaders);
    if (rc)
        return shmfi_mpi_done(rc, "MPI_Comm_split", err);
    int numbers[2] = {0, 0};
    if (mpi->leaders != MPI_COMM_NULL) {
        MPI_Comm_set_errhandler(mpi->leaders, MPI_ERRORS_RETURN);
        MPI_Comm_rank(mpi->leaders, &numbers[0]);
        MPI_Comm_size(mpi->leaders, &numbers[1]);
    }
    rc = MPI_Bcast(numbers, 2, MPI_INT, 0, mpi->node);
    mpi->place.node = numbers[0];
    mpi->place.nodes = numbers[1];
    return shmfi_mpi_done(rc, "MPI_Bcast", err);
}

static int introduce(struct shmf_mpi *mpi, int lender, struct shmf_error *err)
{
    int rc = MPI_Allgather(&mpi->place, (int)sizeof mpi->place, MPI_BYTE, mpi->places,
                           (int)sizeof mpi->place, MPI_BYTE, mpi->all);
    if (!rc)
        rc = MPI_Allgather(&lender, 1, MPI_INT, mpi->machine, 1, MPI_INT, mpi->all);
    for (int rank = 0; !rc && rank < mpi->place.ranks; rank++)
        if (mpi->places[rank].node_rank == 0)
            mpi->leader[mpi->places[rank].node] = rank;
    return shmfi_mpi_done(rc, "MPI_Allgather", err);
}

static int obtain(struct shmf_mpi *mpi, struct shmf_error *err)
{
    mpi->places = calloc((size_t)mpi->place.ranks, sizeof *mpi->places);
    mpi->leader = calloc((size_t)mpi->place.nodes, sizeof *mpi->leader);
    mpi->machine = calloc((size_t)mpi->place.ranks, sizeof *mpi->machine);
    mpi->links = malloc((size_t)mpi->place.node_ranks * sizeof *mpi->links);
    for (int i = 0; mpi->links && i < mpi->place.node_ranks; i++)
        mpi->links[i] = -1;
    return mpi->places && mpi->leader && mpi->machine && mpi->links ? SHMF_OK
                                                                    : shmfi_mpi_no_memory(err);
}

static int set_up(struct shmf_mpi *mpi, const struct shmf_mpi_options *options,
                  struct shmf_error *err)
{
    struct shmf_error why = {0};
    mpi->piece = options->piece_bytes ? options->piece_bytes : PIECE;
    int lender, rc = split(mpi, options, &lender, err);
    if (rc)
        return rc;
    rc = shmfi_mpi_agree(mpi, mpi->all, obtain(mpi, &why), &why, err);
    if (!rc)
        rc = introduce(mpi, lender, err);
    if (rc)
        return rc;
    rc = shmfi_mpi_link(mpi, &why);
    return shmfi_mpi_agree(mpi, mpi->all, rc, &why, err);
}

struct shmf_mpi *shmf_mpi_new(MPI_Comm comm, const struct shmf_mpi_options *options,
                              struct shmf_error *err)
{
    static const struct shmf_mpi_options defaults;
    if (!options)
        options = &defaults;
    if (check_options(options, err))
        return NULL;
    struct shmf_mpi *mpi = calloc(1, sizeof *mpi);
    if (!mpi) {
        shmfi_mpi_no_memory(err);
        return NULL;
    }
    mpi->all = mpi->node = mpi->leaders = MPI_COMM_NULL;
    int rc = MPI_Comm_dup(comm, &mpi->all);
    if (rc) {
        shmfi_mpi_done(rc, "MPI_Comm_dup", err);
        free(mpi);
        return NULL;
    }
    MPI_Comm_set_errhandler(mpi->all, MPI_ERRORS_RETURN);
    MPI_Comm_rank(mpi->all, &mpi->place.rank);
    MPI_Comm_size(mpi->all, &mpi->place.ranks);
    if (set_up(mpi, options, err)) {
        shmf_mpi_free(mpi);
        return NULL;
    }
    return mpi;
}

static void free_comm(MPI_Comm *comm)
{
    if (*comm != MPI_COMM_NULL)
        MPI_Comm_free(comm);
}

void shmf_mpi_free(struct shmf_mpi *mpi)
{
    if (!mpi)
        return;
    shmfi_mpi_unlink(mpi);
    shmfi_mpi_lend_forget(mpi);
    free_comm(&mpi->leaders);
    free_comm(&mpi->node);
    free_comm(&mpi->all);
    free(mpi->places);
    free(mpi->leader);
    free(mpi->machine);
    free(mpi);
}

int shmf_mpi_place(const struct shmf_mpi *mpi, int rank, struct shmf_mpi_place *place)
{
    if (!mpi || !place)
        return SHMF_E_INVAL;
    if (rank >= mpi->place.ranks)
        return SHMF_E_RANGE;
    *place = rank < 0 ? mpi->place : mpi->places[rank];
    return SHMF_OK;
}

int shmf_mpi_part(const struct shmf_mpi *mpi, int rank, int64_t n, int64_t *begin, int64_t *end)
{
    if (!mpi || !begin || !end || n < 0)
        return SHMF_E_INVAL;
    if (rank >= mpi->place.ranks)
        return SHMF_E_RANGE;
    int64_t at = rank < 0 ? mpi->place.rank : rank, ranks = mpi->place.ranks;
    int64_t each = n / ranks, more = n % ranks;
    *begin = at * each + (at < more ? at : more);
    *end = *begin + each + (at < more);
    return SHMF_OK;
}

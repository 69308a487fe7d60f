/* Rows of all ranks' frames into one. */
#include "internal.h"

#include <shmframe/derive.h>

#include <stdlib.h>

/* What the root knows of a rank's part. */
struct piece {
    int64_t rows;
    int64_t start, step; /* of a range of labels */
    int64_t plain;       /* can be received into its place */
};

static struct piece look_at(const struct shmf_frame *part)
{
    struct piece piece = {.rows = shmf_frame_rows(part), .plain = shmfi_mpi_is_plain(part)};
    int64_t second = 1;
    piece.step = 1;
    if (piece.rows > 0)
        shmf_frame_row_number(part, 0, &piece.start);
    if (piece.rows > 1 && shmf_frame_row_number(part, 1, &second) == SHMF_OK)
        piece.step = second - piece.start;
    return piece;
}

/* ---- do the columns agree? ------------------------------------------------------------------- */

/* All ranks compare theirs with the root's, which travel as a frame without rows. */
static int compare_columns(struct shmf_mpi *mpi, int root, const struct shmf_frame *part,
                           struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    struct shmfi_mpi_object roots = {0};
    struct shmf_frame *mine = shmf_frame_slice(part, 0, 0, &why);
    int rc = shmfi_mpi_agree(mpi, mpi->all, mine ? SHMF_OK : why.code, &why, err);
    if (!rc && mpi->place.rank == root)
        roots.frame = shmf_frame_slice(part, 0, 0, NULL);
    if (!rc)
        rc = shmfi_mpi_bcast(mpi, root, SHMF_KIND_FRAME, &roots, err);
    if (!rc) {
        bool same = shmf_frame_equal(mine, roots.frame) == 1;
        if (!same)
            rc = shmf_error_set(&why, SHMF_E_DTYPE,
                                "part: its columns or labels are not those of rank %d", root);
        rc = shmfi_mpi_agree(mpi, mpi->all, rc, &why, err);
    }
    shmfi_mpi_let_go(&roots);
    shmf_frame_free(mine);
    return rc;
}

/* ---- into their place ------------------------------------------------------------------------ */

static bool continues(const struct piece *pieces, int n)
{
    int64_t next = 0, step = 0;
    for (int i = 0; i < n; i++) {
        if (!pieces[i].rows)
            continue;
        if (step && (pieces[i].start != next || (pieces[i].rows > 1 && pieces[i].step != step)))
            return false;
        step = step && pieces[i].rows == 1 ? step : pieces[i].step;
        if (__builtin_mul_overflow(pieces[i].rows, step, &next) ||
            __builtin_add_overflow(next, pieces[i].start, &next))
            return false;
    }
    return true;
}

static int send_columns(struct shmf_mpi *mpi, int root, const struct shmf_frame *part,
                        struct shmf_error *err)
{
    struct shmf_column column;
    int rc = SHMF_OK;
    for (int64_t c = 0; !rc && c < shmf_frame_columns(part); c++) {
        shmf_frame_column(part, c, &column);
        rc = shmfi_mpi_send(mpi, column.data, (uint64_t)column.data_size, root, SHMFI_MPI_TAG_PART,
                            mpi->all, err);
    }
    return rc;
}

/* Ranges that do not continue each other become numbers. */
static int64_t *number_rows(const struct piece *pieces, int n, int64_t rows)
{
    int64_t *numbers = malloc((size_t)rows * sizeof *numbers), *at = numbers;
    for (int rank = 0; numbers && rank < n; rank++)
        for (int64_t i = 0; i < pieces[rank].rows; i++)
            *at++ = pieces[rank].start + i * pieces[rank].step;
    return numbers;
}

static int receive_columns(struct shmf_mpi *mpi, const struct piece *pieces,
                           const struct shmf_frame *part, struct shmf_frame *whole,
                           struct shmf_error *err)
{
    int64_t first = 0, columns = shmf_frame_columns(whole), rows = shmf_frame_rows(whole);
    int rc = SHMF_OK;
    for (int rank = 0; !rc && rank < mpi->place.ranks; first += pieces[rank++].rows)
        for (int64_t c = 0; !rc && c < columns && pieces[rank].rows; c++) {
            struct shmf_column column, from;
            shmf_frame_column(whole, c, &column);
            uint64_t width = (uint64_t)(column.data_size / rows);
            char *to = (char *)shmf_frame_data_mut(whole, c) + (uint64_t)first * width;
            uint64_t size = (uint64_t)pieces[rank].rows * width;
            if (rank != mpi->place.rank)
                rc = shmfi_mpi_receive(mpi, to, size, rank, SHMFI_MPI_TAG_PART, mpi->all, err);
            else if (shmf_frame_column(part, c, &from) == SHMF_OK)
                __builtin_memcpy(to, from.data, size);
        }
    return rc;
}

/* The frame that is to take all rows, labelled already; NULL and `*err`. */
static struct shmf_frame *make_whole(struct shmf_mpi *mpi, const struct piece *pieces,
                                     const struct shmf_frame *part, struct shmf_error *err)
{
    struct shmfi_mpi_spec made;
    struct shmf_frame *whole = NULL;
    int64_t rows = 0, *numbers = NULL;
    int first = -1, ranks = mpi->place.ranks;
    for (int rank = 0; rank < ranks; rank++) {
        rows += pieces[rank].rows;
        first = first < 0 && pieces[rank].rows ? rank : first;
    }
    if (shmfi_mpi_spec_of(part, &made, err))
        return NULL;
    bool range = continues(pieces, ranks);
    made.spec.n_rows = rows;
    made.spec.range_start = range && first >= 0 ? pieces[first].start : 0;
    made.spec.range_step = range && first >= 0 ? pieces[first].step : 1;
    if (!range)
        made.spec.row_numbers = numbers = number_rows(pieces, ranks, rows);
    if (range || numbers)
        whole = shmf_frame_new(&made.spec, err);
    else
        shmfi_mpi_no_memory(err);
    free(numbers);
    shmfi_mpi_spec_free(&made);
    return whole;
}

/* The root is ready before anybody sends. */
static int gather_in_place(struct shmf_mpi *mpi, int root, const struct piece *pieces,
                           const struct shmf_frame *part, struct shmf_frame **whole,
                           struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    bool is_root = mpi->place.rank == root;
    if (is_root)
        *whole = make_whole(mpi, pieces, part, &why);
    int rc = shmfi_mpi_agree(mpi, mpi->all, is_root && !*whole ? why.code : SHMF_OK, &why, err);
    if (rc)
        return rc;
    if (!is_root)
        return send_columns(mpi, root, part, err);
    rc = receive_columns(mpi, pieces, part, *whole, err);
    return rc ? rc : shmf_frame_finish(*whole, err);
}

/* ---- whole parts ----------------------------------------------------------------------------- */

/* All of them come, whatever becomes of the first. */
static int receive_all(struct shmf_mpi *mpi, struct shmf_frame **frames, struct shmf_error *err)
{
    int rc = SHMF_OK;
    for (int rank = 0; rank < mpi->place.ranks; rank++) {
        int got = rank == mpi->place.rank
                      ? SHMF_OK
                      : shmfi_mpi_receive_frame(mpi, rank, &frames[rank], rc ? NULL : err);
        rc = rc ? rc : got;
    }
    return rc;
}

static bool are_there(struct shmf_mpi *mpi, struct shmf_frame *const *frames)
{
    for (int rank = 0; rank < mpi->place.ranks; rank++)
        if (rank != mpi->place.rank && !frames[rank])
            return false;
    return true;
}

static int gather_whole(struct shmf_mpi *mpi, int root, const struct shmf_frame *part,
                        struct shmf_frame **whole, struct shmf_error *err)
{
    struct shmf_error why = {0};
    bool is_root = mpi->place.rank == root;
    int ranks = mpi->place.ranks;
    struct shmf_frame **frames = is_root ? calloc((size_t)ranks, sizeof *frames) : NULL;
    int rc = is_root && !frames ? shmfi_mpi_no_memory(&why) : SHMF_OK;
    rc = shmfi_mpi_agree(mpi, mpi->all, rc, &why, err);
    if (rc || !is_root) {
        free(frames);
        return rc ? rc : shmfi_mpi_send_frame(mpi, root, part, 0, shmf_frame_rows(part), err);
    }
    rc = receive_all(mpi, frames, err);
    if (!rc && are_there(mpi, frames)) {
        frames[root] = (struct shmf_frame *)(uintptr_t)part; /* read, and not freed below */
        *whole = shmf_frame_concat((const struct shmf_frame *const *)frames, ranks, err);
        frames[root] = NULL;
        rc = *whole ? SHMF_OK : err->code;
    }
    for (int rank = 0; rank < ranks; rank++)
        shmf_frame_free(frames[rank]);
    free(frames);
    return rc;
}

/* ---- the calls ------------------------------------------------------------------------------- */

static int gather(struct shmf_mpi *mpi, int root, const struct shmf_frame *part,
                  struct shmf_frame **whole, struct shmf_error *err)
{
    struct piece mine = look_at(part);
    bool plain = true;
    struct piece *pieces = calloc((size_t)mpi->place.ranks, sizeof *pieces);
    struct shmf_error why = {0};
    int rc =
        shmfi_mpi_agree(mpi, mpi->all, pieces ? SHMF_OK : shmfi_mpi_no_memory(&why), &why, err);
    if (!rc)
        rc = shmfi_mpi_done(MPI_Allgather(&mine, (int)sizeof mine, MPI_BYTE, pieces,
                                          (int)sizeof mine, MPI_BYTE, mpi->all),
                            "MPI_Allgather", err);
    for (int rank = 0; !rc && rank < mpi->place.ranks; rank++)
        plain = plain && pieces[rank].plain;
    if (!rc)
        rc = plain ? gather_in_place(mpi, root, pieces, part, whole, &why)
                   : gather_whole(mpi, root, part, whole, &why);
    free(pieces);
    return shmfi_mpi_agree(mpi, mpi->all, rc, &why, err);
}

int shmf_mpi_gather(struct shmf_mpi *mpi, int root, const struct shmf_frame *part,
                    struct shmf_frame **whole, struct shmf_error *err)
{
    struct shmf_error why = {0};
    int rc = SHMF_OK;
    if (!mpi || !whole)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", mpi ? "whole" : "mpi");
    rc = shmfi_mpi_check_rank(mpi, "root", root, err);
    if (rc)
        return rc;
    *whole = NULL;
    if (!part)
        rc = shmf_error_set(&why, SHMF_E_INVAL, "part: NULL");
    rc = shmfi_mpi_agree(mpi, mpi->all, rc, &why, err);
    if (!rc)
        rc = compare_columns(mpi, root, part, err);
    if (!rc)
        rc = gather(mpi, root, part, whole, err);
    if (rc) {
        shmf_frame_free(*whole);
        *whole = NULL;
    }
    return rc;
}

int shmf_mpi_allgather(struct shmf_mpi *mpi, const struct shmf_frame *part,
                       struct shmf_frame **whole, struct shmf_error *err)
{
    int rc = shmf_mpi_gather(mpi, 0, part, whole, err);
    if (rc)
        return rc;
    struct shmfi_mpi_object object = {.frame = *whole};
    rc = shmfi_mpi_bcast(mpi, 0, SHMF_KIND_FRAME, &object, err);
    if (rc)
        shmfi_mpi_let_go(&object);
    *whole = object.frame;
    return rc;
}

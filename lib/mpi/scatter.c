/* Rows of one frame to all ranks. */
#include "internal.h"

#include <shmframe/derive.h>
#include <shmframe/image.h>

/* Rows go as the image of a copy that lives meanwhile. Size 0: there is none. */
int shmfi_mpi_send_frame(struct shmf_mpi *mpi, int to, const struct shmf_frame *frame,
                         int64_t first, int64_t count, struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    uint64_t size = 0;
    struct shmf_frame *part = shmf_frame_slice(frame, first, count, &why);
    int rc = part ? shmf_frame_seal(&part, &why) : why.code;
    const void *image = rc ? NULL : shmf_frame_image(part, &size);
    int sent = shmfi_mpi_send(mpi, &size, sizeof size, to, SHMFI_MPI_TAG_PART, mpi->all, err);
    if (!sent && image)
        sent = shmfi_mpi_send(mpi, image, size, to, SHMFI_MPI_TAG_PART, mpi->all, err);
    shmf_frame_free(part);
    if (rc && err)
        *err = why;
    return rc ? rc : sent;
}

/* What cannot be kept must be received all the same, or the next message would be taken for it. */
static int drain(struct shmf_mpi *mpi, uint64_t size, int from, struct shmf_error *err)
{
    char piece[4096];
    for (uint64_t at = 0; at < size;) {
        uint64_t all = size - at < mpi->piece ? size - at : mpi->piece;
        MPI_Status status;
        int rc = MPI_Probe(from, SHMFI_MPI_TAG_PART, mpi->all, &status);
        if (!rc)
            rc = MPI_Recv(piece, (int)sizeof piece, MPI_BYTE, from, SHMFI_MPI_TAG_PART, mpi->all,
                          MPI_STATUS_IGNORE);
        int class = MPI_SUCCESS;
        if (rc)
            MPI_Error_class(rc, &class);
        if (rc && class != MPI_ERR_TRUNCATE)
            return shmfi_mpi_done(rc, "MPI_Recv", err);
        at += all;
    }
    return SHMF_OK;
}

int shmfi_mpi_receive_frame(struct shmf_mpi *mpi, int from, struct shmf_frame **frame,
                            struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    uint64_t size;
    *frame = NULL;
    int rc = shmfi_mpi_receive(mpi, &size, sizeof size, from, SHMFI_MPI_TAG_PART, mpi->all, err);
    if (rc || !size)
        return rc; /* the sender says why it sent none */
    struct shmf_image *image = shmf_image_new(size, &why);
    if (!image) {
        drain(mpi, size, from, NULL);
    } else {
        rc = shmfi_mpi_receive(mpi, shmf_image_data(image), size, from, SHMFI_MPI_TAG_PART,
                               mpi->all, err);
        if (rc) {
            shmf_image_free(image);
            return rc;
        }
        *frame = shmf_image_frame(image, &why);
    }
    if (!*frame && err)
        *err = why;
    return *frame ? SHMF_OK : why.code;
}

/* Before the others wait for parts: frames, slices and selections that are finished. */
static int check_frame(const struct shmf_frame *frame, struct shmf_error *why)
{
    if (!frame)
        return shmf_error_set(why, SHMF_E_INVAL, "frame: NULL");
    struct shmf_frame *no_rows = shmf_frame_slice(frame, 0, 0, why);
    shmf_frame_free(no_rows);
    return no_rows ? SHMF_OK : why->code;
}

static int scatter(struct shmf_mpi *mpi, const struct shmf_frame *frame, struct shmf_frame **part,
                   struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    int64_t begin, end;
    int rc = SHMF_OK;
    for (int rank = 0; rank < mpi->place.ranks; rank++) {
        shmf_mpi_part(mpi, rank, shmf_frame_rows(frame), &begin, &end);
        int sent = rank == mpi->place.rank ? SHMF_OK
                                           : shmfi_mpi_send_frame(mpi, rank, frame, begin,
                                                                  end - begin, rc ? NULL : err);
        rc = rc ? rc : sent;
    }
    if (rc)
        return rc;
    shmf_mpi_part(mpi, -1, shmf_frame_rows(frame), &begin, &end);
    *part = shmf_frame_slice(frame, begin, end - begin, &why);
    if (!*part && err)
        *err = why;
    return *part ? SHMF_OK : why.code;
}

int shmf_mpi_scatter(struct shmf_mpi *mpi, int root, const struct shmf_frame *frame,
                     struct shmf_frame **part, struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    int rc = SHMF_OK;
    if (!mpi || !part)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", mpi ? "part" : "mpi");
    rc = shmfi_mpi_check_rank(mpi, "root", root, err);
    if (rc)
        return rc;
    *part = NULL;
    bool is_root = mpi->place.rank == root;
    if (is_root)
        rc = check_frame(frame, &why);
    rc = shmfi_mpi_agree(mpi, mpi->all, rc, &why, err);
    if (rc)
        return rc;
    rc = is_root ? scatter(mpi, frame, part, &why) : shmfi_mpi_receive_frame(mpi, root, part, &why);
    rc = shmfi_mpi_agree(mpi, mpi->all, rc, &why, err);
    if (rc) {
        shmf_frame_free(*part);
        *part = NULL;
    }
    return rc;
}

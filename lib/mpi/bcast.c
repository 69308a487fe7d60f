/* One copy a node. */
#include "internal.h"

#include <shmframe/image.h>

#include <stddef.h>

/* What all need to know before bytes move. */
struct head {
    int rc;
    int reserved;
    uint64_t size;
};

/* The root's node has the object in its memory already: its leader needs it to pass it on. */
static int bytes_to_leader(struct shmf_mpi *mpi, const struct shmf_mpi_place *root, uint64_t size,
                           const struct shmfi_mpi_object *object, struct shmf_image **image,
                           struct shmf_error *err)
{
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    int rc = SHMF_OK;
    if (mpi->place.node != root->node) {
        *image = shmf_image_new(size, &why);
        rc = *image ? SHMF_OK : why.code;
    }
    rc = shmfi_mpi_agree(mpi, mpi->leaders, rc, &why, err);
    if (rc)
        return rc;
    void *bytes =
        *image ? shmf_image_data(*image) : (void *)(uintptr_t)shmfi_mpi_image(object, NULL);
    return shmfi_mpi_spread(mpi, bytes, size, root->node, mpi->leaders, err);
}

/* Among leaders, those of other nodes than the root's receive. */
static int between_nodes(struct shmf_mpi *mpi, const struct shmf_mpi_place *root, uint64_t size,
                         uint32_t kind, struct shmfi_mpi_object *object, struct shmf_error *err)
{
    struct shmf_image *image = NULL;
    int rc = bytes_to_leader(mpi, root, size, object, &image, err);
    if (rc)
        shmf_image_free(image);
    else if (image)
        rc = shmfi_mpi_open(image, kind, object, err);
    return rc;
}

/* Returns what happened here. On the root's node descriptors come first, as its leader cannot send
 * before it has one; on others the bytes do. */
static int distribute(struct shmf_mpi *mpi, int root, uint32_t kind, uint64_t size,
                      struct shmfi_mpi_object *object, struct shmf_error *err)
{
    const struct shmf_mpi_place *from = &mpi->places[root];
    bool here = mpi->place.node == from->node, leads = mpi->place.node_rank == 0;
    struct shmf_error first = {0}, second = {0};
    int rc = here ? shmfi_mpi_pass(mpi, from->node_rank, kind, 0, object, &first) : SHMF_OK;
    if (leads && mpi->place.nodes > 1) {
        /* A leader without the object cannot send it: all leaders hear of it first. */
        int ready = shmfi_mpi_agree(mpi, mpi->leaders, rc, &first, &second);
        rc = ready ? ready : between_nodes(mpi, from, size, kind, object, &second);
        first = rc ? second : first;
    }
    if (!here) {
        int passed = shmfi_mpi_pass(mpi, 0, kind, rc, object, &second);
        first = passed && !rc ? second : first;
        rc = rc ? rc : passed;
    }
    if (rc && err)
        *err = first;
    return rc;
}

/* A rank that was passed nothing does not know why, and need not: who failed says so. */
static bool lacks(const struct shmfi_mpi_object *object)
{
    return !object->frame && !object->array;
}

int shmfi_mpi_bcast(struct shmf_mpi *mpi, int root, uint32_t kind, struct shmfi_mpi_object *object,
                    struct shmf_error *err)
{
    struct shmf_error why = {0};
    struct head head = {0};
    bool is_root = mpi->place.rank == root;
    if (is_root) {
        head.rc = shmfi_mpi_seal(object, &why);
        if (!head.rc)
            shmfi_mpi_image(object, &head.size);
    } else {
        *object = (struct shmfi_mpi_object){0};
    }
    int rc = shmfi_mpi_done(MPI_Bcast(&head, (int)sizeof head, MPI_BYTE, root, mpi->all),
                            "MPI_Bcast", err);
    if (rc)
        return rc;
    rc = head.rc;
    if (!rc)
        rc = distribute(mpi, root, kind, head.size, object, &why);
    rc = shmfi_mpi_agree(mpi, mpi->all, is_root || !head.rc ? rc : SHMF_OK, &why, err);
    if (!rc && lacks(object)) /* its node's leader failed after it had said so: cannot be */
        rc = shmf_error_set(err, SHMF_E_SYS, "the object did not come");
    if (rc && !is_root)
        shmfi_mpi_let_go(object);
    return rc;
}

int shmf_mpi_bcast(struct shmf_mpi *mpi, int root, struct shmf_frame **frame,
                   struct shmf_error *err)
{
    if (!mpi || !frame)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", mpi ? "frame" : "mpi");
    int rc = shmfi_mpi_check_rank(mpi, "root", root, err);
    if (rc)
        return rc;
    struct shmfi_mpi_object object = {.frame = mpi->place.rank == root ? *frame : NULL};
    rc = shmfi_mpi_bcast(mpi, root, SHMF_KIND_FRAME, &object, err);
    *frame = object.frame;
    return rc;
}

int shmf_mpi_bcast_array(struct shmf_mpi *mpi, int root, struct shmf_array **array,
                         struct shmf_error *err)
{
    if (!mpi || !array)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", mpi ? "array" : "mpi");
    int rc = shmfi_mpi_check_rank(mpi, "root", root, err);
    if (rc)
        return rc;
    struct shmfi_mpi_object object = {.array = mpi->place.rank == root ? *array : NULL};
    rc = shmfi_mpi_bcast(mpi, root, SHMF_KIND_ARRAY, &object, err);
    *array = object.array;
    return rc;
}

int shmf_mpi_exchange(struct shmf_mpi *mpi, struct shmf_frame **frames, struct shmf_error *err)
{
    if (!mpi || !frames)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", mpi ? "frames" : "mpi");
    if (shmfi_mpi_check_free(mpi, err))
        return SHMF_E_INVAL;
    struct shmf_error why = {0};
    int mine = mpi->place.node_rank, ranks = mpi->place.node_ranks;
    int given = frames[mine] != NULL;
    int rc = given ? shmf_frame_seal(&frames[mine], &why) : SHMF_OK;
    int failed = rc;
    for (int i = 0; i < ranks; i++) {
        struct shmfi_mpi_object object = {.frame = i == mine ? frames[i] : NULL};
        struct shmf_error now = {0};
        /* Not a failure, but nothing to pass on: a code that is none of ours. */
        int nothing = i == mine && (rc || !given) ? 1 : 0;
        int passed = shmfi_mpi_pass(mpi, i, SHMF_KIND_FRAME, nothing, &object, &now);
        if (passed < 0 && !failed)
            why = now;
        failed = passed < 0 && !failed ? passed : failed;
        if (i != mine)
            frames[i] = object.frame;
    }
    rc = shmfi_mpi_agree(mpi, mpi->all, failed, &why, err);
    for (int i = 0; rc && i < ranks; i++)
        if (i != mine) {
            shmf_frame_free(frames[i]);
            frames[i] = NULL;
        }
    return rc;
}

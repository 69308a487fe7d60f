/* Where memory or descriptors are lacking at the root or a node, and what waits at the root for its
 * turn has them: it is copied. What the caller has is the caller's to free. */
#include "root.h"

/* Seconds in which a node goes on that lacked memory, when the caller has freed some. */
#define A_MOMENT 1.0

/* What waits here for its turn, and is memory that the workers of a node lack, is copied: 1; there
 * was none: 0; or why it could not be. */
static int take_over(struct shmfi_mpi_root *root, const struct shmfi_mpi_node *node,
                     struct shmf_error *err)
{
    int found = 0;
    for (size_t i = 0; i < root->line.ready; i++) {
        struct shmfi_mpi_got *got = root->line.heap[i];
        if (!got->is_workers || (node && got->result.node != (int)(node - root->nodes)))
            continue;
        int rc = shmfi_mpi_take_over(got, err);
        if (rc)
            return rc;
        found = 1;
    }
    return found;
}

/* For each that is lent there is a descriptor and a mapping. */
static int relieve_root(struct shmfi_mpi_root *root, struct shmf_error *err)
{
    int rc = take_over(root, NULL, err);
    if (rc == 1)
        return 1;
    *err = root->blocked;
    return err->code;
}

/* Its workers notice after a moment. */
static int relieve_own_pool(struct shmfi_mpi_root *root, double idle, struct shmf_error *err)
{
    bool waits = root->own->blocked.code == SHMF_E_NOSPC && root->line.ready && !root->options.stay;
    int rc = waits ? take_over(root, &root->nodes[root->mpi->place.node], err) : 0;
    if (rc || (waits && idle <= A_MOMENT))
        return rc;
    *err = root->own->blocked;
    return err->code;
}

static int relieve_node(struct shmfi_mpi_root *root, int node, double idle, struct shmf_error *err)
{
    int rc = take_over(root, &root->nodes[node], err);
    if (rc || idle <= A_MOMENT)
        return rc;
    return shmf_error_set(err, SHMF_E_NOSPC,
                          "node %d waits for memory of results that the caller holds", node);
}

int shmfi_mpi_root_relieve(struct shmfi_mpi_root *root, double idle, struct shmf_error *err)
{
    int rc = SHMF_OK;
    if (root->blocked.code)
        return relieve_root(root, err);
    if (root->own && root->own->blocked.code)
        rc = relieve_own_pool(root, idle, err);
    for (int i = 0; !rc && i < root->n_nodes; i++)
        if (root->nodes[i].blocked)
            rc = relieve_node(root, i, idle, err);
    return rc;
}

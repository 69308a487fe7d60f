/* What comes to the root from the leaders of other nodes. */
#include "root.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_MESSAGES = 64 };

static const char *bytes_of(const struct shmfi_mpi_came *report)
{
    return (const char *)(report + 1);
}

static void drop_report(struct shmfi_mpi_node *node)
{
    struct shmfi_mpi_came *first = node->reports;
    node->reports = first->next;
    if (!node->reports)
        node->last_report = &node->reports;
    node->at = 0;
    free(first);
}

void shmfi_mpi_node_hang_up(struct shmfi_mpi_node *node)
{
    if (node->socket >= 0)
        close(node->socket);
    node->socket = -1;
}

void shmfi_mpi_node_clear(struct shmfi_mpi_node *node)
{
    while (node->reports)
        drop_report(node);
    if (node->got)
        shmf_mpi_result_free(&node->got->result);
    shmfi_mpi_flow_free(&node->flow);
    shmfi_mpi_node_hang_up(node);
    free(node->orders.bytes);
}

/* ---- one result after the other ----------------------------------------------------------------
 */

/* What of it is in the message. */
static size_t length(const struct shmfi_mpi_label *label)
{
    uint64_t here = label->where == SHMFI_MPI_HERE ? label->body : 0;
    return sizeof *label + (((size_t)label->described + 15) & ~(size_t)15) +
           (((size_t)here + 15) & ~(size_t)15);
}

/* Starts with the next result of the first report: 1; 0: it cannot be held now. */
static int begin(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node, struct shmf_error *err)
{
    const struct shmfi_mpi_label *label =
        (const struct shmfi_mpi_label *)(const void *)(bytes_of(node->reports) + node->at);
    struct shmfi_mpi_got *got = NULL;
    if (!root->stopping) {
        got = shmfi_mpi_unpack(label, &node->socket, &node->flow, &root->blocked);
        if (!got)
            return 0;
        root->blocked.code = SHMF_OK;
    }
    node->at += length(label);
    node->left--;
    if (label->where == SHMFI_MPI_BEHIND && node->flow.parts) {
        node->got = got;
        root->flowing++;
        shmfi_mpi_flow_start(&node->flow, node->rank, false);
        return 1;
    }
    node->sink = label->where == SHMFI_MPI_BEHIND ? label->body : 0;
    int rc = got ? shmfi_mpi_root_came(root, node, got, err) : SHMF_OK;
    return rc ? rc : 1;
}

/* A body that nobody wants, piece by piece as it was sent: 1 when all of it came. */
static int throw_away(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node, int *moved,
                      struct shmf_error *err)
{
    MPI_Comm all = root->mpi->all;
    while (node->sink) {
        MPI_Status status;
        int there = 0, size = 0;
        int rc = MPI_Iprobe(node->rank, SHMFI_MPI_TAG_BODY, all, &there, &status);
        if (rc || !there)
            return shmfi_mpi_done(rc, "MPI_Iprobe", err);
        MPI_Get_count(&status, MPI_BYTE, &size);
        char *bytes = malloc((size_t)size + 1);
        if (!bytes)
            return 0;
        rc =
            MPI_Recv(bytes, size, MPI_BYTE, node->rank, SHMFI_MPI_TAG_BODY, all, MPI_STATUS_IGNORE);
        free(bytes);
        if (rc)
            return shmfi_mpi_done(rc, "MPI_Recv", err);
        node->sink -= (uint64_t)size < node->sink ? (uint64_t)size : node->sink;
        ++*moved;
    }
    return 1;
}

/* 1: no body is under way. */
static int move_body(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node, int *moved,
                     struct shmf_error *err)
{
    if (!node->got)
        return throw_away(root, node, moved, err);
    int done = shmfi_mpi_flow_step(root->mpi, &node->flow, moved, err);
    if (done != 1)
        return done;
    struct shmfi_mpi_got *got = node->got;
    node->got = NULL;
    root->flowing--;
    shmfi_mpi_flow_free(&node->flow);
    shmfi_mpi_complete(got);
    int rc = shmfi_mpi_root_came(root, node, got, err);
    return rc ? rc : 1;
}

static int open_report(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node,
                       struct shmf_error *err)
{
    struct shmfi_mpi_report head;
    memcpy(&head, bytes_of(node->reports), sizeof head);
    node->at = sizeof head;
    node->left = head.count;
    node->last = head.last;
    node->blocked = head.blocked;
    shmfi_mpi_root_count(root, node, &head.tally);
    if (!head.why.code || root->stopping)
        return SHMF_OK;
    root->broken = true; /* whatever the code: the node does not try again */
    return shmf_error_set(err, head.why.code, "rank %d: %.220s", node->rank, head.why.message);
}

/* As far as it goes now. 0, or why the iteration fails. */
static int read_reports(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node, int *moved,
                        struct shmf_error *err)
{
    while (node->reports) {
        int rc = node->at ? SHMF_OK : open_report(root, node, err);
        if (rc)
            return rc;
        rc = move_body(root, node, moved, err);
        if (rc == 1 && node->left) {
            rc = begin(root, node, err);
            *moved += rc == 1;
        } else if (rc == 1) {
            drop_report(node);
            root->busy -= node->reports == NULL;
        }
        if (rc != 1)
            return rc;
    }
    return SHMF_OK;
}

/* ---- messages ----------------------------------------------------------------------------------
 */

static struct shmfi_mpi_node *node_of(struct shmfi_mpi_root *root, int rank)
{
    return &root->nodes[root->mpi->places[rank].node];
}

/* 1: a message was received; 0: there is none. */
static int receive_report(struct shmfi_mpi_root *root, struct shmfi_mpi_node **from,
                          struct shmf_error *err)
{
    MPI_Status status;
    int there = 0, size = 0;
    int rc = MPI_Iprobe(MPI_ANY_SOURCE, SHMFI_MPI_TAG_RESULT, root->mpi->all, &there, &status);
    if (rc || !there)
        return shmfi_mpi_done(rc, "MPI_Iprobe", err);
    MPI_Get_count(&status, MPI_BYTE, &size);
    struct shmfi_mpi_came *came = malloc(sizeof *came + (size_t)size);
    if (!came)
        return shmfi_mpi_no_memory(err);
    *came = (struct shmfi_mpi_came){.size = (size_t)size};
    rc = MPI_Recv(came + 1, size, MPI_BYTE, status.MPI_SOURCE, SHMFI_MPI_TAG_RESULT, root->mpi->all,
                  MPI_STATUS_IGNORE);
    *from = node_of(root, status.MPI_SOURCE);
    root->busy += (*from)->reports == NULL;
    *(*from)->last_report = came;
    (*from)->last_report = &came->next;
    return rc ? shmfi_mpi_done(rc, "MPI_Recv", err) : 1;
}

int shmfi_mpi_root_receive(struct shmfi_mpi_root *root, int *moved, struct shmf_error *err)
{
    int rc = 1;
    for (int i = 0; rc == 1 && i < MOST_MESSAGES; i++) {
        struct shmfi_mpi_node *from = NULL;
        rc = receive_report(root, &from, err);
        if (rc != 1)
            break;
        ++*moved;
        rc = read_reports(root, from, moved, err);
        rc = rc ? rc : 1;
    }
    if (rc < 0)
        return rc;
    rc = SHMF_OK;
    for (int i = 0; !rc && root->busy && i < root->n_nodes; i++)
        if (root->nodes[i].reports)
            rc = read_reports(root, &root->nodes[i], moved, err);
    return rc;
}

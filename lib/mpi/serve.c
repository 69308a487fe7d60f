/* The leader of a node: tasks come from the root, results go there. */
#include "map.h"

#include <stdlib.h>
#include <string.h>

/* Results of one message; one whose body has this many bytes is the last of its message. */
enum { MOST_RESULTS = 4096, MOST_BYTES = 1 << 20, MOST_APART = 64 << 20 };

struct server {
    const struct shmf_mpi *mpi;
    struct shmfi_mpi_work *work;
    int root;
    bool stopped, ends,
        told;              /* by the root, which ends what runs; it, that this node cannot go on */
    struct shmf_error why; /* with a code: it cannot */
    struct shmfi_mpi_buffer orders, report;
    MPI_Request sending;                                /* of the report */
    struct shmfi_mpi_package *packages, **packages_end; /* the first is under way */
};

/* ---- orders ------------------------------------------------------------------------------------
 */

static void obey(struct server *server)
{
    const char *at = server->orders.bytes;
    struct shmfi_mpi_orders head;
    struct shmfi_mpi_order order;
    memcpy(&head, at, sizeof head);
    at += sizeof head;
    for (uint32_t i = 0; i < head.count && !server->why.code; i++) {
        memcpy(&order, at, sizeof order);
        at += sizeof order;
        shmfi_mpi_work_submit(server->work, order.index, at, order.size, &server->why);
        at += (order.size + 15) & ~UINT64_C(15);
    }
    server->stopped = head.stop;
    server->ends = head.stop == 2;
}

static int receive_orders(struct server *server, int *moved, struct shmf_error *err)
{
    MPI_Status status;
    MPI_Comm all = server->mpi->all;
    int there = 0, size = 0;
    int rc = MPI_Iprobe(server->root, SHMFI_MPI_TAG_TASKS, all, &there, &status);
    if (rc || !there)
        return shmfi_mpi_done(rc, "MPI_Iprobe", err);
    MPI_Get_count(&status, MPI_BYTE, &size);
    server->orders.size = 0;
    if (!shmfi_mpi_extend(&server->orders, (size_t)size))
        return shmfi_mpi_no_memory(err);
    rc = MPI_Recv(server->orders.bytes, size, MPI_BYTE, server->root, SHMFI_MPI_TAG_TASKS, all,
                  MPI_STATUS_IGNORE);
    if (!rc)
        obey(server);
    ++*moved;
    return shmfi_mpi_done(rc, "MPI_Recv", err);
}

/* ---- results -----------------------------------------------------------------------------------
 */

static void note(struct server *server, const struct shmf_error *why)
{
    if (!server->why.code)
        server->why = *why;
}

/* What is done, as far as it fits; how many there are. */
static uint32_t pack_results(struct server *server)
{
    struct shmf_error why = {0};
    struct shmf_result *result;
    struct shmfi_mpi_package *package;
    uint64_t apart = 0;
    uint32_t count = 0;
    while (count < MOST_RESULTS && server->report.size < MOST_BYTES && apart < MOST_APART) {
        int got = shmfi_mpi_work_take(server->work, &result, &why);
        if (got < 0)
            note(server, &why);
        if (got <= 0)
            break;
        if (shmfi_mpi_pack(&server->report, result, server->root, &package, &why)) {
            note(server, &why);
            break;
        }
        count++;
        if (!package)
            continue;
        *server->packages_end = package;
        server->packages_end = &package->next;
        for (size_t i = 0; i < package->flow.n_parts; i++)
            apart += package->flow.parts[i].size;
    }
    return count;
}

static int send_report(struct server *server, bool last, int *moved, struct shmf_error *err)
{
    struct shmfi_mpi_report head = {.last = last};
    server->report.size = 0;
    if (!shmfi_mpi_extend(&server->report, sizeof head))
        return shmfi_mpi_no_memory(err);
    head.count = last ? 0 : pack_results(server);
    bool tells = server->why.code && !server->told;
    if (!head.count && !last && !tells)
        return SHMF_OK;
    if (tells)
        head.why = server->why;
    server->told = server->told || tells;
    memcpy(server->report.bytes, &head, sizeof head);
    ++*moved;
    return shmfi_mpi_done(MPI_Isend(server->report.bytes, (int)server->report.size, MPI_BYTE,
                                    server->root, SHMFI_MPI_TAG_RESULT, server->mpi->all,
                                    &server->sending),
                          "MPI_Isend", err);
}

/* 1: nothing is under way. */
static int move_bodies(struct server *server, int *moved, struct shmf_error *err)
{
    int there = 1, rc = MPI_SUCCESS;
    if (server->sending != MPI_REQUEST_NULL)
        rc = MPI_Test(&server->sending, &there, MPI_STATUS_IGNORE);
    if (rc)
        return shmfi_mpi_done(rc, "a report", err);
    while (server->packages) {
        struct shmfi_mpi_package *package = server->packages;
        int done = shmfi_mpi_flow_step(server->mpi, &package->flow, moved, err);
        if (done <= 0)
            return done;
        server->packages = package->next;
        if (!server->packages)
            server->packages_end = &server->packages;
        shmfi_mpi_package_free(package);
    }
    return there;
}

/* ---- until the root says stop ------------------------------------------------------------------
 */

static int step(struct server *server, int *moved, struct shmf_error *err)
{
    struct shmf_error why;
    int rc = receive_orders(server, moved, err);
    if (rc)
        return rc;
    int came = server->why.code ? 0 : shmfi_mpi_work_progress(server->work, &why);
    if (came < 0)
        note(server, &why);
    else
        *moved += came;
    rc = move_bodies(server, moved, err);
    return rc == 1 ? send_report(server, false, moved, err) : rc;
}

/* What was announced goes to its end, then the word that nothing follows. */
static int finish(struct server *server, struct shmf_error *err)
{
    struct shmfi_mpi_patience patience = {0};
    int rc = 0, moved;
    shmfi_mpi_work_stop(server->work, server->ends);
    for (int turn = 0; rc >= 0 && turn < 2; turn++) {
        rc = 0;
        while (!rc) {
            moved = 0;
            rc = move_bodies(server, &moved, err);
            if (moved)
                patience = (struct shmfi_mpi_patience){0};
            else if (!rc)
                shmfi_mpi_rest(&patience, NULL, server->packages != NULL);
        }
        if (rc > 0 && turn == 0)
            rc = send_report(server, true, &moved, err);
    }
    return rc < 0 ? rc : SHMF_OK;
}

int shmfi_mpi_serve(const struct shmf_mpi *mpi, struct shmfi_mpi_work *work, int root,
                    struct shmf_error *err)
{
    struct server server = {.mpi = mpi, .work = work, .root = root, .sending = MPI_REQUEST_NULL};
    struct shmfi_mpi_patience patience = {0};
    int rc = SHMF_OK;
    server.packages_end = &server.packages;
    while (!rc && !server.stopped) {
        int moved = 0;
        rc = step(&server, &moved, err);
        if (moved)
            patience = (struct shmfi_mpi_patience){0};
        else if (!rc)
            shmfi_mpi_rest(&patience, server.why.code ? NULL : work->pool, server.packages != NULL);
    }
    if (!rc)
        rc = finish(&server, err);
    else
        shmfi_mpi_work_stop(work, false);
    while (server.packages) { /* MPI failed: what it had of them is with it */
        struct shmfi_mpi_package *next = server.packages->next;
        shmfi_mpi_package_free(server.packages);
        server.packages = next;
    }
    free(server.orders.bytes);
    free(server.report.bytes);
    return rc;
}

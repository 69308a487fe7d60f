/* The leader of a node: tasks come from the root, and results go there, or stay and are counted. */
#include "map.h"

#include <stdlib.h>
#include <string.h>

/* Results of one message; one whose body has this many bytes is the last of its message. */
enum { MOST_RESULTS = 4096, MOST_BYTES = 1 << 20, MOST_APART = 64 << 20 };

struct shmfi_mpi_server {
    const struct shmf_mpi *mpi;
    struct shmfi_mpi_work *work;
    int root;
    bool stopped, ends,
        told;              /* by the root, which ends what runs; it, that this node cannot go on */
    bool blocked;          /* it was told that what is lent keeps the node from going on */
    struct shmf_error why; /* with a code: it cannot */
    double looked;         /* when it last looked at what else there is to do */
    struct shmfi_mpi_line line; /* of results that stay */
    struct shmfi_mpi_lender lender;
    struct shmfi_mpi_tally tally;
    struct shmfi_mpi_buffer orders, report;
    MPI_Request sending;                                /* of the report */
    struct shmfi_mpi_package *packages, **packages_end; /* the first is under way */
};

static void note(struct shmfi_mpi_server *server, const struct shmf_error *why)
{
    if (!server->why.code)
        server->why = *why;
}

/* ---- results that stay -------------------------------------------------------------------------
 */

/* What is done, in its place; how many there were. */
static int take_results(struct shmfi_mpi_server *server)
{
    struct shmf_error why;
    struct shmf_result *result;
    int64_t turn;
    int count = 0, rc = SHMF_OK;
    while (server->work->terms.stay && !server->why.code &&
           (rc = shmfi_mpi_work_take(server->work, &result, &turn, &why)) == 1) {
        struct shmfi_mpi_got *got = shmfi_mpi_own(result);
        if (!got) {
            rc = shmfi_mpi_no_memory(&why);
            break;
        }
        got->key = turn;
        got->result.node = server->mpi->place.node;
        server->tally.done++;
        server->tally.failed += got->result.status != SHMF_OK;
        server->tally.nanoseconds += (int64_t)got->result.nanoseconds;
        count++;
        rc = shmfi_mpi_line_keep(&server->line, got, &why);
        if (rc)
            break;
    }
    if (rc < 0)
        note(server, &why);
    return count;
}

static struct shmfi_mpi_got *hand_over(struct shmfi_mpi_server *server)
{
    server->tally.taken++;
    return shmfi_mpi_line_take(&server->line);
}

/* ---- orders ------------------------------------------------------------------------------------
 */

/* What the time of the call leaves to be taken is what was done by now. */
static void stop(struct shmfi_mpi_server *server, uint32_t how)
{
    server->stopped = true;
    server->ends = how == 2;
    if (server->ends)
        take_results(server);
    else
        shmfi_mpi_line_clear(&server->line);
    shmfi_mpi_work_stop(server->work, server->ends);
}

static void obey(struct shmfi_mpi_server *server)
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
    if (head.stop)
        stop(server, head.stop);
}

static int receive_orders(struct shmfi_mpi_server *server, int *moved, struct shmf_error *err)
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

/* What is done, as far as it fits; how many there are. */
static uint32_t pack_results(struct shmfi_mpi_server *server)
{
    struct shmf_error why = {0};
    struct shmf_result *result;
    int64_t turn;
    struct shmfi_mpi_package *package;
    uint64_t apart = 0;
    uint32_t count = 0;
    while (count < MOST_RESULTS && server->report.size < MOST_BYTES && apart < MOST_APART) {
        int got = shmfi_mpi_work_take(server->work, &result, &turn, &why);
        if (got < 0)
            note(server, &why);
        if (got <= 0)
            break;
        if (shmfi_mpi_pack(&server->report, result, &server->lender, server->root, &package,
                           &why)) {
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

static int send_report(struct shmfi_mpi_server *server, bool last, int *moved,
                       struct shmf_error *err)
{
    struct shmfi_mpi_report head = {.last = last};
    server->report.size = 0;
    if (!shmfi_mpi_extend(&server->report, sizeof head))
        return shmfi_mpi_no_memory(err);
    head.count = last || server->work->terms.stay ? 0 : pack_results(server);
    head.tally = server->tally;
    bool tells = server->why.code && !server->told;
    head.blocked = server->lender.out && server->work->blocked.code == SHMF_E_NOSPC;
    bool news = tells || head.blocked != server->blocked || head.tally.done || head.tally.taken;
    if (!head.count && !last && !news)
        return SHMF_OK;
    server->blocked = head.blocked;
    server->tally = (struct shmfi_mpi_tally){0};
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
static int move_bodies(struct shmfi_mpi_server *server, int *moved, struct shmf_error *err)
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

/* There is no file for what comes, and nothing on its way that would give one back. Where results
 * stay, the caller has them, and is told. */
static bool is_stuck(const struct shmfi_mpi_server *server)
{
    const struct shmfi_mpi_work *work = server->work;
    return work->blocked.code == SHMF_E_NOFILES && !work->terms.stay && !work->done &&
           !server->packages;
}

/* What came from the root, and from the pool. */
static int look(struct shmfi_mpi_server *server, int *moved, struct shmf_error *err)
{
    struct shmf_error why;
    int rc = server->stopped ? SHMF_OK : receive_orders(server, moved, err);
    shmfi_mpi_lender_sweep(&server->lender);
    if (rc || server->stopped || server->why.code)
        return rc;
    int came = shmfi_mpi_work_progress(server->work, &why);
    if (came < 0)
        note(server, &why);
    else if (is_stuck(server))
        note(server, &server->work->blocked);
    else
        *moved += came + take_results(server);
    return SHMF_OK;
}

/* What goes to the root. */
static int tell(struct shmfi_mpi_server *server, int *moved, struct shmf_error *err)
{
    int rc = move_bodies(server, moved, err);
    return rc == 1 ? send_report(server, false, moved, err) : rc;
}

/* What was announced goes to its end, then the word that nothing follows. */
static int finish(struct shmfi_mpi_server *server, struct shmf_error *err)
{
    struct shmfi_mpi_patience patience = {0};
    int rc = 0, moved;
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

/* Results that are held block what comes, and the caller has them. */
static bool is_blocked(const struct shmfi_mpi_server *server)
{
    return server->work->terms.stay && !server->stopped && !server->why.code &&
           server->work->blocked.code;
}

int shmfi_mpi_serve(struct shmfi_mpi_server *server, struct shmfi_mpi_got **got,
                    struct shmf_error *err)
{
    struct shmfi_mpi_patience patience = {0};
    *got = NULL;
    if (shmfi_mpi_line_has_next(&server->line) && !shmfi_mpi_is_time(&server->looked)) {
        *got = hand_over(server);
        return 1;
    }
    while (true) {
        int moved = 0, rc = look(server, &moved, err);
        /* Before the root is told: there is room for another task while the caller looks at this.
         */
        if (!rc && shmfi_mpi_line_has_next(&server->line))
            *got = hand_over(server);
        if (!rc)
            rc = tell(server, &moved, err);
        if (rc && *got)
            shmf_mpi_result_free(&(*got)->result);
        if (rc || *got)
            return rc ? rc : 1;
        if (server->stopped)
            return finish(server, err);
        if (is_blocked(server) && !moved) {
            *err = server->work->blocked;
            return err->code;
        }
        if (moved)
            patience = (struct shmfi_mpi_patience){0};
        else
            shmfi_mpi_rest(&patience, server->why.code ? NULL : server->work->pool,
                           server->packages != NULL);
    }
}

void shmfi_mpi_server_leave(struct shmfi_mpi_server *server, const struct shmf_error *why)
{
    note(server, why);
    shmfi_mpi_line_clear(&server->line);
}

/* ---- making ------------------------------------------------------------------------------------
 */

struct shmfi_mpi_server *shmfi_mpi_server_new(const struct shmf_mpi *mpi,
                                              struct shmfi_mpi_work *work, int root,
                                              struct shmfi_mpi_lender *lender,
                                              struct shmf_error *err)
{
    struct shmfi_mpi_server *server = calloc(1, sizeof *server);
    if (!server) {
        shmfi_mpi_lender_free(lender);
        shmfi_mpi_no_memory(err);
        return NULL;
    }
    *server = (struct shmfi_mpi_server){.mpi = mpi,
                                        .work = work,
                                        .root = root,
                                        .sending = MPI_REQUEST_NULL,
                                        .packages_end = &server->packages,
                                        .lender = *lender,
                                        .line = {.unordered = work->terms.unordered}};
    /* From here on there is room for a report, if for no results in it. */
    if (!shmfi_mpi_extend(&server->report, sizeof(struct shmfi_mpi_report))) {
        shmfi_mpi_lender_free(lender);
        free(server);
        shmfi_mpi_no_memory(err);
        return NULL;
    }
    return server;
}

void shmfi_mpi_server_free(struct shmfi_mpi_server *server)
{
    if (!server)
        return;
    while (server->packages) { /* MPI failed: what it had of them is with it */
        struct shmfi_mpi_package *next = server->packages->next;
        shmfi_mpi_package_free(server->packages);
        server->packages = next;
    }
    shmfi_mpi_line_clear(&server->line);
    shmfi_mpi_lender_free(&server->lender);
    free(server->orders.bytes);
    free(server->report.bytes);
    free(server);
}

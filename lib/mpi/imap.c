/* The map over the pools of all nodes, as all ranks call it. */
#include "map.h"

#include <shmframe/pool.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct shmf_mpi_iter {
    struct shmf_mpi *mpi;
    int root;
    struct shmf_tasks tasks;
    struct shmfi_mpi_work work;
    struct shmfi_mpi_root *hands_out; /* NULL: not the root */
    struct shmfi_mpi_server *serves;  /* NULL: the root, or no leader */
    bool over;
    struct shmf_error end; /* how, when it is */
};

/* ---- starting ----------------------------------------------------------------------------------
 */

static int check_options(const struct shmf_mpi_imap_options *options, struct shmf_error *err)
{
    const struct shmf_imap_options *imap = &options->imap;
    if (imap->window < 0 || imap->window > SHMF_MAX_WINDOW)
        return shmf_error_set(err, SHMF_E_INVAL, "options.imap.window: %d", imap->window);
    if (imap->attempts < 0)
        return shmf_error_set(err, SHMF_E_INVAL, "options.imap.attempts: %d", imap->attempts);
    if (!(imap->deadline_seconds >= 0))
        return shmf_error_set(err, SHMF_E_INVAL, "options.imap.deadline_seconds: %g",
                              imap->deadline_seconds);
    if (!(imap->call_seconds >= 0))
        return shmf_error_set(err, SHMF_E_INVAL, "options.imap.call_seconds: %g",
                              imap->call_seconds);
    if (options->block < 0)
        return shmf_error_set(err, SHMF_E_INVAL, "options.block: %lld", (long long)options->block);
    if (options->reserved0)
        return shmf_error_set(err, SHMF_E_INVAL, "options.reserved0: not zero");
    int rc = shmfi_mpi_check_reserved(imap->reserved, COUNT(imap->reserved), err);
    return rc ? rc : shmfi_mpi_check_reserved(options->reserved, COUNT(options->reserved), err);
}

static int check_tasks(const struct shmf_tasks *tasks, const struct shmf_mpi_imap_options *options,
                       struct shmf_error *err)
{
    if (tasks->count < (tasks->next ? -1 : 0))
        return shmf_error_set(err, SHMF_E_INVAL, "tasks.count: %lld", (long long)tasks->count);
    if (!tasks->next && tasks->count && tasks->arg_size && !tasks->args)
        return shmf_error_set(err, SHMF_E_INVAL, "tasks.args: NULL");
    if (tasks->next && options->block)
        return shmf_error_set(err, SHMF_E_INVAL,
                              "options.block: blocks are of a number that is known (tasks.next)");
    return SHMF_OK;
}

/* Of this rank; the leaders' pools are needed, and what the root says. */
static int check(const struct shmf_mpi *mpi, bool is_root, struct shmf_pool *pool, shmf_task_fn fn,
                 const struct shmf_tasks *tasks, const struct shmf_mpi_imap_options *options,
                 struct shmf_error *err)
{
    if (!tasks)
        return shmf_error_set(err, SHMF_E_INVAL, "tasks: NULL");
    if (!fn)
        return shmf_error_set(err, SHMF_E_INVAL, "fn: NULL");
    if (mpi->place.node_rank == 0 && !pool)
        return shmf_error_set(err, SHMF_E_INVAL, "pool: NULL, and this rank leads its node");
    int rc = shmfi_mpi_check_reserved(tasks->reserved, COUNT(tasks->reserved), err);
    if (!rc && is_root)
        rc = check_options(options, err);
    if (!rc && is_root)
        rc = check_tasks(tasks, options, err);
    return rc;
}

static int workers_of(const struct shmf_mpi *mpi, const struct shmf_pool *pool)
{
    if (mpi->place.node_rank)
        return 0;
    int workers = shmf_pool_workers(pool);
    return workers > 0 ? workers : 1;
}

/* What the root says, and hears. `listening` is its own. */
struct opening {
    struct shmfi_mpi_offer offer;
    struct shmfi_mpi_leader *leaders; /* by rank */
    int *sockets;                     /* by node; of so many nodes they are to be closed */
    int n_sockets, listening;
};

static void close_opening(struct opening *opening)
{
    for (int i = 0; opening->sockets && i < opening->n_sockets; i++)
        if (opening->sockets[i] >= 0)
            close(opening->sockets[i]);
    free(opening->leaders);
    free(opening->sockets);
    if (opening->listening >= 0)
        close(opening->listening);
}

/* At the root. */
static int open_up(struct shmf_mpi_iter *iter, struct opening *opening, struct shmf_error *err)
{
    const struct shmf_mpi *mpi = iter->mpi;
    opening->leaders = calloc((size_t)mpi->place.ranks, sizeof *opening->leaders);
    opening->sockets = calloc((size_t)mpi->place.nodes, sizeof *opening->sockets);
    if (!opening->leaders || !opening->sockets)
        return shmfi_mpi_no_memory(err);
    if (iter->work.terms.stay)
        opening->offer.door.rc = SHMF_E_UNSUPPORTED;
    else
        opening->listening = shmfi_mpi_lend_open(mpi, &opening->offer);
    return SHMF_OK;
}

static int exchange(struct shmf_mpi_iter *iter, struct opening *opening, int *socket,
                    struct shmf_error *err)
{
    const struct shmf_mpi *mpi = iter->mpi;
    int root = iter->root;
    int rc = MPI_Bcast(&iter->work.terms, (int)sizeof iter->work.terms, MPI_BYTE, root, mpi->all);
    if (!rc)
        rc = MPI_Bcast(&opening->offer, (int)sizeof opening->offer, MPI_BYTE, root, mpi->all);
    if (rc)
        return shmfi_mpi_done(rc, "MPI_Bcast", err);
    *socket = shmfi_mpi_lend_go_in(mpi, root, &opening->offer);
    const struct shmfi_mpi_leader mine = {workers_of(mpi, iter->work.pool), *socket >= 0};
    rc = MPI_Gather(&mine, (int)sizeof mine, MPI_BYTE, opening->leaders, (int)sizeof mine, MPI_BYTE,
                    root, mpi->all);
    return shmfi_mpi_done(rc, "MPI_Gather", err);
}

/* What this rank needs. `socket` goes to it. */
static int take_part(struct shmf_mpi_iter *iter, const struct shmf_mpi_imap_options *options,
                     struct opening *opening, int socket, struct shmf_error *err)
{
    const struct shmf_mpi *mpi = iter->mpi;
    bool is_root = mpi->place.rank == iter->root, leads = mpi->place.node_rank == 0;
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    if (is_root) {
        int come = 0;
        for (int rank = 0; rank < mpi->place.ranks; rank++)
            come += opening->leaders[rank].near;
        shmfi_mpi_lend_let_in(mpi, &opening->offer, opening->listening, come, opening->sockets);
        opening->listening = -1;
        opening->n_sockets = mpi->place.nodes;
        iter->hands_out = shmfi_mpi_root_new(mpi, &iter->tasks, options, leads ? &iter->work : NULL,
                                             opening->leaders, opening->sockets, &why);
        if (iter->hands_out)
            opening->n_sockets = 0; /* they are its own */
    } else if (leads) {
        struct shmfi_mpi_lender lender;
        shmfi_mpi_lender_start(&lender, iter->mpi, iter->work.pool, socket, opening->offer.most);
        iter->serves = shmfi_mpi_server_new(mpi, &iter->work, iter->root, &lender, &why);
    }
    if (is_root ? iter->hands_out != NULL : !leads || iter->serves)
        return SHMF_OK;
    if (err)
        *err = why;
    return why.code;
}

/* Terms, numbers of workers, and sockets; the root makes what it needs. */
static int arrange(struct shmf_mpi_iter *iter, const struct shmf_mpi_imap_options *options,
                   struct shmf_error *err)
{
    const struct shmf_mpi *mpi = iter->mpi;
    struct opening opening = {.listening = -1};
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    int socket = -1;
    int rc = mpi->place.rank == iter->root ? open_up(iter, &opening, &why) : SHMF_OK;
    rc = shmfi_mpi_agree(mpi, mpi->all, rc, &why, err);
    if (!rc)
        rc = exchange(iter, &opening, &socket, err);
    if (rc && socket >= 0)
        close(socket);
    if (!rc) {
        rc = take_part(iter, options, &opening, socket, &why);
        rc = shmfi_mpi_agree(mpi, mpi->all, rc, &why, err);
    }
    close_opening(&opening);
    return rc;
}

struct shmf_mpi_iter *shmf_mpi_imap(struct shmf_mpi *mpi, int root, struct shmf_pool *pool,
                                    shmf_task_fn fn, const struct shmf_tasks *tasks,
                                    const struct shmf_mpi_imap_options *options,
                                    struct shmf_error *err)
{
    static const struct shmf_mpi_imap_options defaults;
    struct shmf_error why = {0};
    if (!options)
        options = &defaults;
    if (!mpi) {
        shmf_error_set(err, SHMF_E_INVAL, "mpi: NULL");
        return NULL;
    }
    if (shmfi_mpi_check_rank(mpi, "root", root, err))
        return NULL;
    bool is_root = mpi->place.rank == root;
    int rc = check(mpi, is_root, pool, fn, tasks, options, &why);
    struct shmf_mpi_iter *iter = rc ? NULL : calloc(1, sizeof *iter);
    if (!rc && !iter)
        rc = shmfi_mpi_no_memory(&why);
    if (shmfi_mpi_agree(mpi, mpi->all, rc, &why, err)) {
        free(iter);
        return NULL;
    }
    iter->mpi = mpi;
    iter->root = root;
    iter->tasks = *tasks;
    iter->work =
        (struct shmfi_mpi_work){.pool = pool,
                                .fn = fn,
                                .tasks = &iter->tasks,
                                .terms = {.seed = tasks->seed,
                                          .deadline_seconds = options->imap.deadline_seconds,
                                          .attempts = options->imap.attempts,
                                          .stay = options->stay,
                                          .unordered = options->imap.unordered}};
    shmfi_mpi_work_start(&iter->work);
    if (arrange(iter, options, err)) {
        shmfi_mpi_root_free(iter->hands_out);
        shmfi_mpi_server_free(iter->serves);
        free(iter);
        return NULL;
    }
    mpi->iterating = true;
    return iter;
}

/* ---- iterating ---------------------------------------------------------------------------------
 */

/* The last word, which all ranks wait for, is the root's. */
static void end(struct shmf_mpi_iter *iter)
{
    struct shmf_error why;
    MPI_Request request;
    int rc = MPI_Ibcast(&iter->end, (int)sizeof iter->end, MPI_BYTE, iter->root, iter->mpi->all,
                        &request);
    rc = rc ? shmfi_mpi_done(rc, "MPI_Ibcast", &why) : shmfi_mpi_wait(&request, "MPI_Ibcast", &why);
    if (rc)
        iter->end = why;
}

/* Whatever failed at the root, here it ends. Where MPI failed there is nobody to tell. */
static void end_root(struct shmf_mpi_iter *iter)
{
    struct shmf_error why;
    if (shmfi_mpi_root_stop(iter->hands_out, &why))
        iter->end = why;
    else
        end(iter);
    iter->over = true;
    iter->mpi->iterating = false;
}

/* What came of it elsewhere than at the root; the first failure is MPI's. */
static void end_here(struct shmf_mpi_iter *iter, int rc, const struct shmf_error *why)
{
    if (rc)
        iter->end = *why;
    else
        end(iter);
    iter->over = true;
    iter->mpi->iterating = false;
}

static bool may_pass(int code)
{
    return code == SHMF_E_NOSPC || code == SHMF_E_NOFILES || code == SHMF_E_NOMEM;
}

/* 1 and a result; 0: it is over; or what results that are held block. */
static int next(struct shmf_mpi_iter *iter, struct shmfi_mpi_got **got, struct shmf_error *err)
{
    int rc = 0;
    if (iter->hands_out)
        rc = shmfi_mpi_root_next(iter->hands_out, got, err);
    else if (iter->serves)
        rc = shmfi_mpi_serve(iter->serves, got, err);
    if (rc == 1 || (may_pass(rc) && !shmfi_mpi_root_is_broken(iter->hands_out)))
        return rc;
    if (!iter->hands_out) {
        end_here(iter, rc, err);
        return 0;
    }
    iter->end = rc ? *err : (struct shmf_error){0};
    end_root(iter);
    return 0;
}

int shmf_mpi_iter_next(struct shmf_mpi_iter *iter, struct shmf_mpi_result **result,
                       struct shmf_error *err)
{
    struct shmf_error why = {0};
    struct shmfi_mpi_got *got = NULL;
    if (!iter || !result)
        return shmf_error_set(err, SHMF_E_INVAL, "%s: NULL", iter ? "result" : "iter");
    *result = NULL;
    int rc = iter->over ? 0 : next(iter, &got, &why);
    if (rc == 1)
        *result = &got->result;
    if (rc == 0 && iter->end.code) {
        why = iter->end;
        rc = why.code;
    }
    if (rc < 0 && err)
        *err = why;
    return rc;
}

/* Where results stay, nobody is left in doubt about whether they are all: the others' loops end
 * with a failure. */
static void leave(struct shmf_mpi_iter *iter)
{
    struct shmf_error why = {0};
    struct shmfi_mpi_got *got = NULL;
    if (iter->work.terms.stay)
        shmf_error_set(&why, SHMF_E_CANCELLED, "the iteration was freed before its end");
    if (iter->hands_out) {
        if (why.code)
            snprintf(iter->end.message, sizeof iter->end.message, "rank %d: %.220s",
                     iter->mpi->place.rank, why.message);
        iter->end.code = why.code;
        end_root(iter);
        return;
    }
    if (iter->serves && why.code)
        shmfi_mpi_server_leave(iter->serves, &why);
    while (next(iter, &got, &why))
        if (got)
            shmf_mpi_result_free(&got->result);
}

void shmf_mpi_iter_free(struct shmf_mpi_iter *iter)
{
    if (!iter)
        return;
    if (!iter->over)
        leave(iter);
    shmfi_mpi_work_stop(&iter->work, false);
    shmfi_mpi_root_free(iter->hands_out);
    shmfi_mpi_server_free(iter->serves);
    free(iter);
}

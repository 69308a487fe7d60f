/* The root: hands tasks to nodes, takes what comes of them, and puts it in order. */
#include "root.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* What a node is given ahead, where the caller does not say: two tasks for each worker, and of
 * short ones as many as take it this long, but no more than so many. */
#define AHEAD_NS  1000000
#define MOST_EACH 64

enum { MOST_BYTES = 1 << 20 };

/* ---- which task is next ------------------------------------------------------------------------
 */

static bool counted(const struct shmfi_mpi_root *root)
{
    return !root->tasks->next;
}

/* Blocks go to the nodes in turn: behind the end of one, the node's next is a round further. */
static int64_t after(const struct shmfi_mpi_root *root, int64_t index)
{
    int64_t block = root->options.block;
    index++;
    if (block && index % block == 0 &&
        __builtin_add_overflow(index, block * (root->n_nodes - 1), &index))
        index = INT64_MAX;
    return index;
}

/* 1, and the task that the node gets; 0: there is none; < 0: what `next` said. */
static int next_task(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node,
                     struct shmf_task_input *input, int64_t *index, struct shmf_error *err)
{
    int64_t *at = root->options.block ? &node->next : &root->next;
    *input = (struct shmf_task_input){0};
    if (counted(root)) {
        if (*at >= root->tasks->count)
            return 0;
        input->arg_size = root->tasks->arg_size;
        input->arg = input->arg_size
                         ? (const char *)root->tasks->args + (size_t)*at * root->tasks->arg_size
                         : NULL;
    } else if (root->ended) {
        return 0;
    } else {
        int rc = root->tasks->next(input, root->tasks->user);
        root->ended = rc <= 0;
        if (rc < 0)
            return shmf_error_set(err, rc, "tasks.next returned %d", rc);
        if (!rc)
            return 0;
        if (input->n_handles)
            return shmf_error_set(err, SHMF_E_UNSUPPORTED,
                                  "tasks.next gave handles, which mean nothing on other nodes");
    }
    *index = *at;
    *at = after(root, *at);
    return 1;
}

/* ---- handing out -------------------------------------------------------------------------------
 */

static int64_t window_of(const struct shmfi_mpi_root *root, const struct shmfi_mpi_node *node)
{
    if (root->options.imap.window)
        return root->options.imap.window;
    int64_t each = node->mean_ns > 0 ? (int64_t)(AHEAD_NS / (node->mean_ns + 1)) : 0;
    return node->workers * (2 + (each < MOST_EACH ? each : MOST_EACH));
}

/* How many tasks it gets now. The last ones are shared out: no node has two when another has none.
 */
static int64_t room_of(const struct shmfi_mpi_root *root, const struct shmfi_mpi_node *node)
{
    int64_t window = window_of(root, node), room = window - node->held;
    /* Few large messages rather than many small ones, while the node has enough to do. */
    if (room * 4 < window && node->runs * 2 >= window)
        return 0;
    if (root->options.block)
        return room;
    int64_t share = node->workers > window / 4 ? node->workers : window / 4;
    if (counted(root)) {
        double part = (double)node->workers / (double)root->workers;
        share = 1 + (int64_t)((double)(root->tasks->count - root->next) * part);
    }
    return room < share ? room : share;
}

static int put_order(struct shmfi_mpi_buffer *buffer, const struct shmf_task_input *input,
                     int64_t index, struct shmf_error *err)
{
    struct shmfi_mpi_order order = {index, input->arg_size};
    if (input->arg_size > INT_MAX / 4)
        return shmf_error_set(err, SHMF_E_TOOBIG, "task %lld: an argument of %zu bytes",
                              (long long)index, input->arg_size);
    char *at = shmfi_mpi_extend(buffer, sizeof order + input->arg_size);
    if (!at)
        return shmfi_mpi_no_memory(err);
    memcpy(at, &order, sizeof order);
    if (input->arg_size)
        memcpy(at + sizeof order, input->arg, input->arg_size);
    return SHMF_OK;
}

static int send_orders(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node,
                       struct shmfi_mpi_orders head, struct shmf_error *err)
{
    memcpy(node->orders.bytes, &head, sizeof head);
    return shmfi_mpi_done(MPI_Isend(node->orders.bytes, (int)node->orders.size, MPI_BYTE,
                                    node->rank, SHMFI_MPI_TAG_TASKS, root->mpi->all,
                                    &node->sending),
                          "MPI_Isend", err);
}

/* What was sent last has left the buffer: 1, or 0. */
static int has_sent(struct shmfi_mpi_node *node, struct shmf_error *err)
{
    int there = 1, rc = MPI_SUCCESS;
    if (node->sending != MPI_REQUEST_NULL)
        rc = MPI_Test(&node->sending, &there, MPI_STATUS_IGNORE);
    return rc ? shmfi_mpi_done(rc, "tasks on their way", err) : there;
}

/* One task: into the own pool, or the message. */
static int give(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node,
                const struct shmf_task_input *input, int64_t index, struct shmf_error *err)
{
    if (node->rank == root->mpi->place.rank)
        return shmfi_mpi_work_submit(root->own, index, input->arg, input->arg_size, err);
    return put_order(&node->orders, input, index, err);
}

static int hand_to(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node, int *moved,
                   struct shmf_error *err)
{
    int64_t room = room_of(root, node), index = 0;
    bool own = node->rank == root->mpi->place.rank;
    struct shmf_task_input input;
    if (room <= 0 || node->idle)
        return SHMF_OK;
    int rc = own ? 1 : has_sent(node, err);
    if (rc != 1)
        return rc;
    node->orders.size = 0;
    if (!shmfi_mpi_extend(&node->orders, sizeof(struct shmfi_mpi_orders)))
        return shmfi_mpi_no_memory(err);
    uint32_t count = 0;
    while (room-- > 0 && node->orders.size < MOST_BYTES) {
        rc = next_task(root, node, &input, &index, err);
        node->idle = rc == 0;
        if (rc == 1)
            rc = give(root, node, &input, index, err);
        else if (rc == 0)
            break;
        if (rc) {
            root->broken = true;
            return rc;
        }
        node->held++;
        node->runs++;
        root->out++;
        count++;
    }
    *moved += (int)count;
    return own || !count ? SHMF_OK
                         : send_orders(root, node, (struct shmfi_mpi_orders){.count = count}, err);
}

static int hand_out(struct shmfi_mpi_root *root, int *moved, struct shmf_error *err)
{
    int rc = SHMF_OK;
    for (int i = 0; !rc && i < root->n_nodes; i++)
        rc = hand_to(root, &root->nodes[i], moved, err);
    return rc;
}

/* ---- what came ---------------------------------------------------------------------------------
 */

void shmfi_mpi_root_count(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node,
                          const struct shmfi_mpi_tally *tally)
{
    node->runs -= tally->done;
    node->held -= tally->taken;
    root->out -= tally->taken;
    if (tally->done)
        node->mean_ns += (tally->nanoseconds / tally->done - node->mean_ns) / 8;
    shmfi_mpi_progress_count(&root->progress, tally->done, tally->failed);
}

int shmfi_mpi_root_came(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node,
                        struct shmfi_mpi_got *got, struct shmf_error *err)
{
    int64_t ns = (int64_t)got->result.nanoseconds;
    const struct shmfi_mpi_tally one = {
        .done = 1, .failed = got->result.status != SHMF_OK, .nanoseconds = ns};
    got->result.node = (int)(node - root->nodes);
    shmfi_mpi_root_count(root, node, &one);
    int rc = shmfi_mpi_line_keep(&root->line, got, err);
    root->broken = root->broken || rc;
    return rc;
}

static int own_results(struct shmfi_mpi_root *root, int *moved, struct shmf_error *err)
{
    struct shmfi_mpi_node *node = &root->nodes[root->mpi->place.node];
    struct shmf_result *result;
    int64_t turn;
    int rc = shmfi_mpi_work_progress(root->own, err);
    while (rc >= 0 && (rc = shmfi_mpi_work_take(root->own, &result, &turn, err)) == 1) {
        struct shmfi_mpi_got *got = shmfi_mpi_own(result);
        if (got)
            got->key = root->options.stay ? turn : got->result.index;
        root->broken = root->broken || !got;
        rc = got ? shmfi_mpi_root_came(root, node, got, err) : shmfi_mpi_no_memory(err);
        ++*moved;
    }
    return rc;
}

static bool is_late(struct shmfi_mpi_root *root)
{
    double most = root->options.imap.call_seconds;
    root->late = most > 0 && MPI_Wtime() - root->progress.started > most;
    return root->late;
}

static int step(struct shmfi_mpi_root *root, int *moved, struct shmf_error *err)
{
    int rc = shmfi_mpi_root_receive(root, moved, err);
    if (!rc && root->own)
        rc = own_results(root, moved, err);
    if (!rc && !is_late(root))
        rc = hand_out(root, moved, err);
    shmfi_mpi_progress_show(&root->progress);
    return rc;
}

/* ---- the iteration -----------------------------------------------------------------------------
 */

static struct shmfi_mpi_got *hand_over(struct shmfi_mpi_root *root)
{
    static const struct shmfi_mpi_tally one = {.taken = 1};
    struct shmfi_mpi_got *got = shmfi_mpi_line_take(&root->line);
    shmfi_mpi_root_count(root, &root->nodes[got->result.node], &one);
    return got;
}

/* There is no task for it any more: it need not have asked, which it cannot when it is late. */
static bool has_had_all(const struct shmfi_mpi_root *root, const struct shmfi_mpi_node *node)
{
    int64_t next = root->options.block ? node->next : root->next;
    return node->idle || (counted(root) ? next >= root->tasks->count : root->ended);
}

/* All tasks are handed out and taken. */
static bool is_over(const struct shmfi_mpi_root *root)
{
    for (int i = 0; i < root->n_nodes; i++)
        if (!has_had_all(root, &root->nodes[i]))
            return false;
    return root->out == 0;
}

int shmfi_mpi_root_next(struct shmfi_mpi_root *root, struct shmfi_mpi_got **got,
                        struct shmf_error *err)
{
    struct shmfi_mpi_patience patience = {0};
    double since = MPI_Wtime();
    for (bool first = true;; first = false) {
        int moved = 0, rc = SHMF_OK;
        if (!first || !shmfi_mpi_line_has_next(&root->line) || shmfi_mpi_is_time(&root->looked))
            rc = step(root, &moved, err);
        if (rc)
            return rc;
        if (shmfi_mpi_line_has_next(&root->line)) {
            *got = hand_over(root);
            return 1;
        }
        if (is_over(root))
            return 0;
        if (is_late(root))
            return shmf_error_set(err, SHMF_E_TIMEOUT, "%g seconds have passed",
                                  root->options.imap.call_seconds);
        if (!moved)
            moved = rc = shmfi_mpi_root_relieve(root, MPI_Wtime() - since, err);
        if (rc < 0)
            return rc;
        if (moved) {
            patience = (struct shmfi_mpi_patience){0};
            since = MPI_Wtime();
        } else {
            shmfi_mpi_rest(&patience, root->own ? root->own->pool : NULL, root->flowing > 0);
        }
    }
}

/* ---- the end -----------------------------------------------------------------------------------
 */

static int say_stop(struct shmfi_mpi_root *root, struct shmfi_mpi_node *node,
                    struct shmf_error *err)
{
    if (node->told)
        return SHMF_OK;
    int rc = has_sent(node, err);
    if (rc != 1)
        return rc;
    node->orders.size = 0;
    if (!shmfi_mpi_extend(&node->orders, sizeof(struct shmfi_mpi_orders)))
        return shmfi_mpi_no_memory(err);
    node->told = true;
    return send_orders(root, node, (struct shmfi_mpi_orders){.stop = root->late ? 2 : 1}, err);
}

/* Others wait for the end, so memory is waited for, too. */
static int unless_no_memory(int rc)
{
    return rc == SHMF_E_NOMEM ? SHMF_OK : rc;
}

bool shmfi_mpi_root_is_broken(const struct shmfi_mpi_root *root)
{
    return root && root->broken;
}

int shmfi_mpi_root_stop(struct shmfi_mpi_root *root, struct shmf_error *err)
{
    struct shmfi_mpi_patience patience = {0};
    int rc = SHMF_OK, waiting = 1;
    root->stopping = true;
    shmfi_mpi_line_clear(&root->line); /* loans are over before their lenders hear of the end */
    if (root->own)
        shmfi_mpi_work_stop(root->own, root->late);
    while (!rc && waiting) {
        int moved = 0;
        waiting = 0;
        for (int i = 0; !rc && i < root->n_nodes; i++) {
            struct shmfi_mpi_node *node = &root->nodes[i];
            if (node->rank == root->mpi->place.rank)
                continue;
            rc = unless_no_memory(say_stop(root, node, err));
            waiting += !node->last || !node->told || (!rc && has_sent(node, err) != 1);
        }
        if (!rc && waiting)
            rc = unless_no_memory(shmfi_mpi_root_receive(root, &moved, err));
        if (!rc && waiting && !moved)
            shmfi_mpi_rest(&patience, NULL, root->flowing > 0);
        else
            patience = (struct shmfi_mpi_patience){0};
    }
    for (int i = 0; i < root->n_nodes; i++) /* what is lent there and nobody wants goes back */
        shmfi_mpi_node_hang_up(&root->nodes[i]);
    shmfi_mpi_progress_finish(&root->progress);
    return rc;
}

/* ---- making ------------------------------------------------------------------------------------
 */

struct shmfi_mpi_root *shmfi_mpi_root_new(const struct shmf_mpi *mpi,
                                          const struct shmf_tasks *tasks,
                                          const struct shmf_mpi_imap_options *options,
                                          struct shmfi_mpi_work *own,
                                          const struct shmfi_mpi_leader *leaders,
                                          const int *sockets, struct shmf_error *err)
{
    struct shmfi_mpi_root *root = calloc(1, sizeof *root);
    if (root)
        root->nodes = calloc((size_t)mpi->place.nodes, sizeof *root->nodes);
    if (!root || !root->nodes) {
        free(root);
        shmfi_mpi_no_memory(err);
        return NULL;
    }
    root->mpi = mpi;
    root->tasks = tasks;
    root->options = *options;
    root->own = own;
    root->line.unordered = options->imap.unordered;
    root->n_nodes = mpi->place.nodes;
    for (int i = 0; i < root->n_nodes; i++) {
        struct shmfi_mpi_node *node = &root->nodes[i];
        node->rank = mpi->leader[i];
        node->workers = leaders[node->rank].workers;
        node->socket = sockets[i];
        root->workers += node->workers;
        node->sending = MPI_REQUEST_NULL;
        node->last_report = &node->reports;
        if (__builtin_mul_overflow(options->block, (int64_t)i, &node->next))
            node->next = INT64_MAX;
    }
    shmfi_mpi_progress_start(&root->progress, &root->options.imap,
                             tasks->next && tasks->count < 0 ? -1 : tasks->count);
    return root;
}

void shmfi_mpi_root_free(struct shmfi_mpi_root *root)
{
    if (!root)
        return;
    shmfi_mpi_line_clear(&root->line);
    for (int i = 0; i < root->n_nodes; i++)
        shmfi_mpi_node_clear(&root->nodes[i]);
    free(root->nodes);
    free(root);
}

/* Results that the root reads where the worker of another node put them, the node being of the same
 * machine: lent (lend.h) over a socket, in the order in which reports name them. So the root finds
 * in its socket what a label announces. What cannot be lent is sent, and nothing is lost.
 *
 * What is lent is memory of the node's workers as long as the root has it. Half of their budget at
 * most goes that way; and when a node can go on no more for what it has lent, it says so, and the
 * root copies what waits there for its turn. What its caller holds is the caller's to free. */
#include "map.h"

#include <shmframe/control.h>
#include <shmframe/derive.h>
#include <shmframe/lend.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SMALLEST = 1 << 20 }; /* bytes; what is smaller is copied in less time than it is lent */
enum { LARGEST_SHARED = 64 << 20 }; /* bytes of a region that small results share */
#define SWEEP_SECONDS 2e-4          /* between two looks at what came back, or, if that is more, */
#define SWEEP_SHARE   20            /* so many times as long as the last one took */

static void close_socket(int *socket)
{
    if (*socket >= 0)
        close(*socket);
    *socket = -1;
}

/* ---- who lends to whom ------------------------------------------------------------------------
 */

static bool is_near(const struct shmf_mpi *mpi, int rank, int root)
{
    return rank != root && mpi->machine[rank] == mpi->machine[root];
}

/* The root needs a descriptor for each loan: a quarter of what it may have, for all. */
static int64_t most_loans(int lenders)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur > 65536)
        files.rlim_cur = 65536;
    return (int64_t)files.rlim_cur / 4 / lenders;
}

int shmfi_mpi_lend_open(const struct shmf_mpi *mpi, struct shmfi_mpi_offer *offer)
{
    int near = 0, listening = -1;
    for (int i = 0; i < mpi->place.nodes; i++)
        near += is_near(mpi, mpi->leader[i], mpi->place.rank);
    offer->most = near ? most_loans(near) : 0;
    offer->door.rc =
        near ? shmfi_mpi_door_open(&offer->door, near, &listening, NULL) : SHMF_E_UNSUPPORTED;
    if (offer->door.rc)
        close_socket(&listening);
    return listening;
}

int shmfi_mpi_lend_go_in(const struct shmf_mpi *mpi, int root, const struct shmfi_mpi_offer *offer)
{
    int socket = -1;
    bool leads = mpi->place.node_rank == 0;
    if (offer->door.rc || !leads || !is_near(mpi, mpi->place.rank, root))
        return -1;
    if (shmfi_mpi_door_go_in(&offer->door, mpi->place.node, &socket, NULL))
        close_socket(&socket);
    return socket;
}

/* Who is let in is told: a name may lead to somebody else where it goes by network namespaces. */
void shmfi_mpi_lend_let_in(const struct shmf_mpi *mpi, const struct shmfi_mpi_offer *offer,
                           int listening, int come, int *sockets)
{
    for (int i = 0; i < mpi->place.nodes; i++)
        sockets[i] = -1;
    shmfi_mpi_door_let_in(&offer->door, listening, come, sockets, mpi->place.nodes, NULL);
    close_socket(&listening);
    for (int i = 0; i < mpi->place.nodes; i++)
        if (sockets[i] >= 0 && send(sockets[i], "", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
            close_socket(&sockets[i]);
}

/* ---- lending ----------------------------------------------------------------------------------
 */

struct shmfi_mpi_lent {
    struct shmf_loan *loan;
    const struct shmf_pool *pool; /* whose memory it is */
    uint64_t size;
    struct shmfi_mpi_lent *next;
};

static void count_in(struct shmfi_mpi_lender *lender, const struct shmfi_mpi_lent *lent, int sign)
{
    lender->loans += sign;
    if (lent->pool == lender->pool)
        lender->bytes += sign > 0 ? lent->size : -lent->size;
}

void shmfi_mpi_lender_start(struct shmfi_mpi_lender *lender, struct shmf_mpi *mpi,
                            struct shmf_pool *pool, int socket, int64_t most_loans_out)
{
    struct shmf_pool_stats stats = {0};
    shmf_pool_get_stats(pool, &stats);
    *lender = (struct shmfi_mpi_lender){
        .mpi = mpi,
        .pool = pool,
        .socket = socket,
        .most_loans = most_loans_out,
        .most_bytes = stats.bytes_budget ? stats.bytes_budget / 2 : UINT64_MAX,
        .out = mpi->lent,
    };
    mpi->lent = NULL;
    for (struct shmfi_mpi_lent *lent = lender->out; lent; lent = lent->next)
        count_in(lender, lent, 1);
}

static void sweep(struct shmfi_mpi_lender *lender)
{
    double start = MPI_Wtime();
    for (struct shmfi_mpi_lent **at = &lender->out, *lent; (lent = *at);) {
        if (!shmf_loan_is_over(lent->loan)) {
            at = &lent->next;
            continue;
        }
        *at = lent->next;
        count_in(lender, lent, -1);
        shmf_loan_free(lent->loan);
        free(lent);
    }
    double end = MPI_Wtime(), pause = (end - start) * SWEEP_SHARE;
    lender->next_sweep = end + (pause > SWEEP_SECONDS ? pause : SWEEP_SECONDS);
}

void shmfi_mpi_lender_sweep(struct shmfi_mpi_lender *lender)
{
    if (lender->out && MPI_Wtime() >= lender->next_sweep)
        sweep(lender);
}

void shmfi_mpi_lender_free(struct shmfi_mpi_lender *lender)
{
    sweep(lender);
    lender->mpi->lent = lender->out;
    lender->out = NULL;
    close_socket(&lender->socket);
}

/* Those that are not over are the library's to look after. */
void shmfi_mpi_lend_forget(struct shmf_mpi *mpi)
{
    while (mpi->lent) {
        struct shmfi_mpi_lent *next = mpi->lent->next;
        shmf_loan_free(mpi->lent->loan);
        free(mpi->lent);
        mpi->lent = next;
    }
    shmf_loan_free(NULL);
}

static bool has_room(const struct shmfi_mpi_lender *lender, uint64_t size)
{
    return lender->loans < lender->most_loans && lender->bytes <= lender->most_bytes &&
           size <= lender->most_bytes - lender->bytes;
}

static bool is_let_in(struct shmfi_mpi_lender *lender)
{
    char byte;
    if (lender->socket >= 0 && !lender->let_in) {
        lender->let_in = recv(lender->socket, &byte, 1, MSG_DONTWAIT) == 1;
        if (!lender->let_in)
            close_socket(&lender->socket);
    }
    return lender->socket >= 0;
}

static uint64_t size_of(const struct shmf_array *array, const struct shmf_frame *frame)
{
    if (array)
        return (uint64_t)shmf_array_size(array) * shmf_dtype_size(shmf_array_dtype(array));
    return frame ? shmfi_mpi_data_bytes(frame) : 0;
}

bool shmfi_mpi_lend(struct shmfi_mpi_lender *lender, struct shmf_result *result,
                    struct shmfi_mpi_label *label)
{
    struct shmf_error why;
    if (shmf_result_status(result) || !is_let_in(lender))
        return false;
    const struct shmf_array *array = shmf_result_array(result);
    const struct shmf_frame *frame = array ? NULL : shmf_result_frame(result);
    uint64_t size = size_of(array, frame);
    if (size >= SMALLEST && !has_room(lender, size))
        sweep(lender);
    if (size < SMALLEST || !has_room(lender, size))
        return false;
    struct shmfi_mpi_lent *lent = calloc(1, sizeof *lent);
    if (!lent)
        return false;
    lent->loan = array ? shmf_array_lend(array, lender->socket, 0, &why)
                       : shmf_frame_lend(frame, lender->socket, 0, &why);
    if (!lent->loan) {
        free(lent);
        if (why.code == SHMF_E_CLOSED)
            close_socket(&lender->socket);
        return false;
    }
    lent->size = size;
    lent->pool = lender->pool;
    lent->next = lender->out;
    lender->out = lent;
    count_in(lender, lent, 1);
    label->what = array ? SHMFI_MPI_ARRAY : SHMFI_MPI_IMAGE;
    label->where = SHMFI_MPI_LENT;
    label->body = size;
    return true;
}

/* ---- borrowing --------------------------------------------------------------------------------
 */

/* What is received and cannot be held is lost, and the result with it. So there must be room for a
 * descriptor, and for the mapping of a region, before it is. */
static int check_room(int socket, uint64_t size, struct shmf_error *err)
{
    int fd = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (fd < 0 && errno == EMFILE)
        return shmf_error_set(err, SHMF_E_NOFILES, "no descriptor is free for a result");
    if (fd >= 0)
        close(fd);
    void *at = mmap(NULL, size + LARGEST_SHARED, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return shmf_error_set(err, SHMF_E_NOMEM, "no room to map a result of %llu bytes",
                              (unsigned long long)size);
    munmap(at, size + LARGEST_SHARED);
    return SHMF_OK;
}

int shmfi_mpi_borrow(int *socket, const struct shmfi_mpi_label *label, struct shmfi_mpi_got *got,
                     struct shmf_error *err)
{
    struct shmf_mpi_result *result = &got->result;
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    int rc = check_room(*socket, label->body, err);
    if (rc)
        return rc;
    if (label->what == SHMFI_MPI_ARRAY)
        result->array = shmf_array_borrow(*socket, 0, &why);
    else
        result->frame = shmf_frame_borrow(*socket, 0, &why);
    if ((result->array || result->frame) && size_of(result->array, result->frame) != label->body)
        shmf_error_set(&why, SHMF_E_CORRUPT, "what was lent is not what was announced");
    else if (result->array || result->frame)
        return SHMF_OK;
    /* Was it this result's message? What follows must not be taken for another. */
    if (why.code != SHMF_E_NOFILES)
        close_socket(socket);
    shmfi_mpi_fail(got, &why);
    return SHMF_OK;
}

/* Both copies are there for a moment. */
int shmfi_mpi_take_over(struct shmfi_mpi_got *got, struct shmf_error *err)
{
    struct shmf_mpi_result *result = &got->result;
    struct shmf_error why = {.code = SHMF_E_NOMEM};
    struct shmf_array *array = result->array, *copy = NULL;
    struct shmf_frame *frame = result->frame;
    if (array)
        copy = shmf_array_new(shmf_array_dtype(array), shmf_array_ndim(array),
                              shmf_array_shape(array), &why);
    else
        frame = shmf_frame_concat((const struct shmf_frame *const *)&frame, 1, &why);
    if (!copy && !frame) {
        *err = why;
        return why.code;
    }
    if (copy) {
        memcpy(shmf_array_data_mut(copy), shmf_array_data(array), size_of(array, NULL));
        shmf_array_free(array);
        result->array = copy;
    } else {
        shmf_frame_free(result->frame);
        result->frame = frame;
    }
    shmf_result_free(got->own); /* of this rank's pool: it refers to the memory, too */
    got->own = NULL;
    got->is_workers = false;
    return SHMF_OK;
}

/* Sockets between the leader of a node and its other ranks, over which descriptors travel.
 *
 * The leader's listening socket has an abstract name that the kernel chose: it is in no file
 * system, and gone with the socket. Who connects shows a secret that travelled by MPI, and must be
 * of the same user. Nobody waits for a socket: what is to be received was sent before a call of MPI
 * that both sides have made, because a rank that sleeps outside MPI would stop what others wait
 * for. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What the others need to connect. */
struct door {
    int rc;
    socklen_t size;
    struct sockaddr_un name;
    unsigned char secret[16];
};

struct hello {
    unsigned char secret[16];
    int node_rank;
};

static int failed(const char *what, struct shmf_error *err)
{
    int why = errno;
    int code = why == EMFILE || why == ENFILE ? SHMF_E_NOFILES : SHMF_E_SYS;
    shmf_error_set(err, code, "%s: %s", what, strerror(why));
    if (err)
        err->sys_errno = why;
    return code;
}

/* ---- connecting ------------------------------------------------------------------------------ */

static int open_door(struct shmf_mpi *mpi, struct door *door, int *listening,
                     struct shmf_error *err)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    *listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*listening < 0)
        return failed("a socket for the node's ranks", err);
    door->size = sizeof door->name;
    if (getrandom(door->secret, sizeof door->secret, 0) != (ssize_t)sizeof door->secret ||
        bind(*listening, (struct sockaddr *)&any, sizeof any.sun_family) ||
        listen(*listening, mpi->place.node_ranks) ||
        getsockname(*listening, (struct sockaddr *)&door->name, &door->size))
        return failed("a name for the node's socket", err);
    return SHMF_OK;
}

static bool same_user(int socket)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == geteuid();
}

static int go_in(struct shmf_mpi *mpi, const struct door *door, struct shmf_error *err)
{
    struct hello hello = {.node_rank = mpi->place.node_rank};
    int made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (made < 0)
        return failed("a socket to the node's leader", err);
    mpi->links[0] = made;
    memcpy(hello.secret, door->secret, sizeof hello.secret);
    if (connect(made, (const struct sockaddr *)&door->name, door->size))
        return failed("connecting to the node's leader (ranks of a node must share their network "
                      "namespace)",
                      err);
    if (!same_user(made) || send(made, &hello, sizeof hello, MSG_NOSIGNAL) != (ssize_t)sizeof hello)
        return failed("greeting the node's leader", err);
    return SHMF_OK;
}

/* Strangers are sent away. */
static void let_in(struct shmf_mpi *mpi, const struct door *door, int socket, int *missing)
{
    struct hello hello;
    bool known = same_user(socket) &&
                 recv(socket, &hello, sizeof hello, MSG_DONTWAIT) == (ssize_t)sizeof hello &&
                 !memcmp(hello.secret, door->secret, sizeof hello.secret) && hello.node_rank > 0 &&
                 hello.node_rank < mpi->place.node_ranks && mpi->links[hello.node_rank] < 0;
    if (!known || fcntl(socket, F_SETFD, FD_CLOEXEC)) {
        close(socket);
        return;
    }
    mpi->links[hello.node_rank] = socket;
    --*missing;
}

static int let_all_in(struct shmf_mpi *mpi, const struct door *door, int listening,
                      struct shmf_error *err)
{
    int missing = mpi->place.node_ranks - 1;
    while (missing > 0) {
        int came = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (came >= 0)
            let_in(mpi, door, came, &missing);
        else if (errno != EINTR && errno != ECONNABORTED)
            return failed("a rank of the node did not connect", err);
    }
    return SHMF_OK;
}

int shmfi_mpi_link(struct shmf_mpi *mpi, struct shmf_error *err)
{
    struct door door = {0};
    struct shmf_error why = {0};
    int listening = -1, rc = SHMF_OK;
    bool leads = mpi->place.node_rank == 0;
    if (mpi->place.node_ranks == 1)
        return SHMF_OK;
    if (leads)
        door.rc = open_door(mpi, &door, &listening, &why);
    int mpi_rc = MPI_Bcast(&door, (int)sizeof door, MPI_BYTE, 0, mpi->node);
    if (!mpi_rc && !door.rc && !leads)
        rc = go_in(mpi, &door, &why);
    if (!mpi_rc)
        rc = shmfi_mpi_agree(mpi, mpi->node, rc ? rc : leads ? door.rc : SHMF_OK, &why, err);
    else
        rc = shmfi_mpi_done(mpi_rc, "MPI_Bcast", err);
    if (!rc && leads)
        rc = let_all_in(mpi, &door, listening, err);
    if (listening >= 0)
        close(listening);
    return rc;
}

void shmfi_mpi_unlink(struct shmf_mpi *mpi)
{
    for (int i = 0; mpi->links && i < mpi->place.node_ranks; i++)
        if (mpi->links[i] >= 0)
            close(mpi->links[i]);
    free(mpi->links);
    mpi->links = NULL;
}

/* ---- passing on ------------------------------------------------------------------------------ */

static int show_others(struct shmf_mpi *mpi, int from, const struct shmfi_mpi_object *object,
                       struct shmf_error *err)
{
    int rc = SHMF_OK;
    for (int i = 1; !rc && i < mpi->place.node_ranks; i++)
        if (i != from)
            rc = shmfi_mpi_show(object, mpi->links[i], err);
    return rc;
}

static int tell(struct shmf_mpi *mpi, int from, int *rc, struct shmf_error *err)
{
    return shmfi_mpi_done(MPI_Bcast(rc, 1, MPI_INT, from, mpi->node), "MPI_Bcast", err);
}

int shmfi_mpi_pass(struct shmf_mpi *mpi, int from, uint32_t kind, int rc,
                   struct shmfi_mpi_object *object, struct shmf_error *err)
{
    int mine = mpi->place.node_rank, there, shown;
    if (mpi->place.node_ranks == 1)
        return rc;
    there = rc;
    if (!there && mine == from && from != 0)
        there = rc = shmfi_mpi_show(object, mpi->links[0], err);
    int mpi_rc = tell(mpi, from, &there, err);
    if (mpi_rc || there)
        return mpi_rc ? mpi_rc : rc;
    if (mine == 0 && from != 0)
        rc = shmfi_mpi_see(mpi->links[from], kind, object, err);
    if (mine == 0 && !rc)
        rc = show_others(mpi, from, object, err);
    shown = rc;
    mpi_rc = tell(mpi, 0, &shown, err);
    if (mpi_rc || shown)
        return mpi_rc ? mpi_rc : rc;
    return mine == 0 || mine == from ? rc : shmfi_mpi_see(mpi->links[0], kind, object, err);
}

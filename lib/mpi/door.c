/* The door: a socket on which one rank listens for others of its machine.
 *
 * Its abstract name is one that the kernel chose: it is in no file system, and gone with the
 * socket. Who connects shows a secret that travelled by MPI, and must be of the same user. Nobody
 * waits: who is let in has connected before a call of MPI that both sides have made. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

struct hello {
    unsigned char secret[16];
    int number;
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

int shmfi_mpi_door_open(struct shmfi_mpi_door *door, int most, int *listening,
                        struct shmf_error *err)
{
    struct sockaddr_un any = {.sun_family = AF_UNIX};
    *listening = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*listening < 0)
        return failed("a socket for the node's ranks", err);
    door->size = sizeof door->name;
    if (getrandom(door->secret, sizeof door->secret, 0) != (ssize_t)sizeof door->secret ||
        bind(*listening, (struct sockaddr *)&any, sizeof any.sun_family) ||
        listen(*listening, most) ||
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

int shmfi_mpi_door_go_in(const struct shmfi_mpi_door *door, int number, int *made,
                         struct shmf_error *err)
{
    struct hello hello = {.number = number};
    *made = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*made < 0)
        return failed("a socket to the node's leader", err);
    memcpy(hello.secret, door->secret, sizeof hello.secret);
    if (connect(*made, (const struct sockaddr *)&door->name, door->size))
        return failed("connecting to the node's leader (ranks of a node must share their network "
                      "namespace)",
                      err);
    if (!same_user(*made) ||
        send(*made, &hello, sizeof hello, MSG_NOSIGNAL) != (ssize_t)sizeof hello)
        return failed("greeting the node's leader", err);
    return SHMF_OK;
}

/* Strangers are sent away. */
static void let_in(const struct shmfi_mpi_door *door, int socket, int *sockets, int count,
                   int *missing)
{
    struct hello hello;
    bool known = same_user(socket) &&
                 recv(socket, &hello, sizeof hello, MSG_DONTWAIT) == (ssize_t)sizeof hello &&
                 !memcmp(hello.secret, door->secret, sizeof hello.secret) && hello.number >= 0 &&
                 hello.number < count && sockets[hello.number] < 0;
    if (!known || fcntl(socket, F_SETFD, FD_CLOEXEC)) {
        close(socket);
        return;
    }
    sockets[hello.number] = socket;
    --*missing;
}

int shmfi_mpi_door_let_in(const struct shmfi_mpi_door *door, int listening, int missing,
                          int *sockets, int count, struct shmf_error *err)
{
    while (missing > 0) {
        int came = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
        if (came >= 0)
            let_in(door, came, sockets, count, &missing);
        else if (errno != EINTR && errno != ECONNABORTED)
            return failed("a rank of the node did not connect", err);
    }
    return SHMF_OK;
}

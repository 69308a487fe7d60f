/* What the files of the MPI component share. It lives on public headers alone. */
#ifndef SHMFI_MPI_INTERNAL_H
#define SHMFI_MPI_INTERNAL_H

#include <shmframe/image.h>
#include <shmframe/mpi.h>

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Private to the process. */
struct shmf_mpi {
    MPI_Comm all;
    MPI_Comm node;    /* the ranks of this node, in the order of ranks */
    MPI_Comm leaders; /* rank 0 of each node; MPI_COMM_NULL elsewhere */
    struct shmf_mpi_place place;
    struct shmf_mpi_place *places; /* of every rank */
    int *leader;                   /* of every node: its leader's rank */
    int *machine;                  /* of every rank: the lowest that can be lent memory by it */
    int *links; /* sockets: the leader's to each rank of its node; of others links[0], to it */
    uint64_t piece;
    struct shmfi_mpi_lent *lent; /* lend.c: what iterations that are over have lent, and is out */
    bool iterating;              /* map.h: the others are in it, and would not answer */
};

/* A frame or an array; neither: none. */
struct shmfi_mpi_object {
    struct shmf_frame *frame;
    struct shmf_array *array;
};

/* ---- errors.c ----------------------------------------------------------------------------- */

int shmfi_mpi_no_memory(struct shmf_error *err);
int shmfi_mpi_check_reserved(const uint64_t *words, size_t count, struct shmf_error *err);

/* 0, or SHMF_E_SYS with what MPI says of its error. */
int shmfi_mpi_done(int mpi_code, const char *what, struct shmf_error *err);

/* Collective over `comm`: 0 if `rc` is 0 everywhere, else the same failure everywhere, with the
 * message of one that failed (`why`, in which it may have been left), in `*err`. */
int shmfi_mpi_agree(const struct shmf_mpi *mpi, MPI_Comm comm, int rc, const struct shmf_error *why,
                    struct shmf_error *err);

/* ---- door.c ------------------------------------------------------------------------------- */

/* What others need to connect. */
struct shmfi_mpi_door {
    int rc; /* of opening it, for whom it concerns */
    socklen_t size;
    struct sockaddr_un name;
    unsigned char secret[16];
};

/* `*listening` may be a socket on failure too, which the caller closes; `most`: that may come. */
int shmfi_mpi_door_open(struct shmfi_mpi_door *door, int most, int *listening,
                        struct shmf_error *err);

/* As number `number`; `*made` likewise. */
int shmfi_mpi_door_go_in(const struct shmfi_mpi_door *door, int number, int *made,
                         struct shmf_error *err);

/* Those who have come, `missing` of them: their sockets by their numbers, below `count`, where
 * there was -1. */
int shmfi_mpi_door_let_in(const struct shmfi_mpi_door *door, int listening, int missing,
                          int *sockets, int count, struct shmf_error *err);

/* ---- lend.c ------------------------------------------------------------------------------- */

/* Gives up what is lent still. */
void shmfi_mpi_lend_forget(struct shmf_mpi *mpi);

/* ---- links.c ------------------------------------------------------------------------------ */

/* Collective over the node. Returns what happened here; the caller agrees. */
int shmfi_mpi_link(struct shmf_mpi *mpi, struct shmf_error *err);
void shmfi_mpi_unlink(struct shmf_mpi *mpi);

/* Collective over the node: the sealed object of the node's rank `from` comes to its other ranks.
 * `kind`, the same everywhere, says what is to come; `rc` is not 0 where there is nothing to pass
 * on (`from`). Returns what happened here. No rank waits but inside MPI, which so makes progress.
 */
int shmfi_mpi_pass(struct shmf_mpi *mpi, int from, uint32_t kind, int rc,
                   struct shmfi_mpi_object *object, struct shmf_error *err);

/* ---- objects.c ---------------------------------------------------------------------------- */

int shmfi_mpi_seal(struct shmfi_mpi_object *object, struct shmf_error *err);
const void *shmfi_mpi_image(const struct shmfi_mpi_object *object, uint64_t *size);
int shmfi_mpi_open(struct shmf_image *image, uint32_t kind, struct shmfi_mpi_object *object,
                   struct shmf_error *err);
int shmfi_mpi_show(const struct shmfi_mpi_object *object, int socket, struct shmf_error *err);
int shmfi_mpi_see(int socket, uint32_t kind, struct shmfi_mpi_object *object,
                  struct shmf_error *err);
void shmfi_mpi_let_go(struct shmfi_mpi_object *object);

/* Bytes of any number between two ranks of `comm`, or from one of it, where they are only read, to
 * all, in pieces. */
int shmfi_mpi_send(const struct shmf_mpi *mpi, const void *bytes, uint64_t size, int to, int tag,
                   MPI_Comm comm, struct shmf_error *err);
int shmfi_mpi_receive(const struct shmf_mpi *mpi, void *bytes, uint64_t size, int from, int tag,
                      MPI_Comm comm, struct shmf_error *err);
int shmfi_mpi_spread(const struct shmf_mpi *mpi, void *bytes, uint64_t size, int root,
                     MPI_Comm comm, struct shmf_error *err);

/* bcast.c */
int shmfi_mpi_bcast(struct shmf_mpi *mpi, int root, uint32_t kind, struct shmfi_mpi_object *object,
                    struct shmf_error *err);

/* spec.c: what describes a frame's columns, for frames of `n_rows` rows without text, nulls and
 * categories. */
struct shmfi_mpi_spec {
    struct shmf_frame_spec spec;
    char *labels;
    struct shmf_pair *pairs;
};
int shmfi_mpi_spec_of(const struct shmf_frame *frame, struct shmfi_mpi_spec *made,
                      struct shmf_error *err);
void shmfi_mpi_spec_free(struct shmfi_mpi_spec *made);

/* A frame whose rows can be received into their place in another. */
bool shmfi_mpi_is_plain(const struct shmf_frame *frame);

/* scatter.c: a frame that the other side sends, as its image and the image's size before it; none
 * comes where that failed, which is no failure here. */
int shmfi_mpi_receive_frame(struct shmf_mpi *mpi, int from, struct shmf_frame **frame,
                            struct shmf_error *err);
int shmfi_mpi_send_frame(struct shmf_mpi *mpi, int to, const struct shmf_frame *frame,
                         int64_t first, int64_t count, struct shmf_error *err);

/* 0, or SHMF_E_INVAL: an iteration goes on, in which the others are. */
int shmfi_mpi_check_free(const struct shmf_mpi *mpi, struct shmf_error *err);

/* That, or SHMF_E_RANGE. */
int shmfi_mpi_check_rank(const struct shmf_mpi *mpi, const char *name, int rank,
                         struct shmf_error *err);

enum {
    SHMFI_MPI_TAG_PART = 1,
    SHMFI_MPI_TAG_SPREAD,
    SHMFI_MPI_TAG_TASKS,
    SHMFI_MPI_TAG_RESULT,
    SHMFI_MPI_TAG_BODY
};

#endif

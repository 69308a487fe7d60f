/* One side of the conversation between application, supervisor and workers, the other side of which
 * is played by the test: a pool without processes, made by hand. So messages can come in any order,
 * and none at a time that depends on anything. */
#ifndef TEST_POOL_STAGE_H
#define TEST_POOL_STAGE_H

#include "pool_calls.h"

#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

enum { STAGE_WORKERS = 3, STAGE_SLOTS = 4 };

struct stage {
    struct shmf_pool pool;
    struct shmfi_member members[STAGE_WORKERS];
    struct shmfi_job jobs[STAGE_SLOTS];
    uint32_t free_slots[STAGE_SLOTS];
    int control; /* the supervisor's end */
    struct shmfi_sys sys;
};

static inline void stage_pair(int *one, int *other)
{
    int fds[2];
    struct shmf_error err;
    assert_int_equal(shmfi_fdpass_pair(fds, &err), 0);
    *one = fds[0];
    *other = fds[1];
}

/* With `places` workers that are wanted, none of which is there. */
static inline struct stage *stage_new(uint32_t places)
{
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    struct shmf_pool *pool = &stage->pool;
    struct shmfi_geometry geometry = {.workers = STAGE_WORKERS, .slots = STAGE_SLOTS};
    stage->sys = shmfi_sys;
    pool->board_size = shmfi_board_size(&geometry);
    pool->board_memory = shared_memory(pool->board_size);
    shmfi_board_format(&pool->board, pool->board_memory, &geometry, UINT64_C(1) << 30);
    shmfi_board_restate(&pool->board, places, 0);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->harvested, NULL);
    pool->wanted = pool->told = pool->places = places;
    pool->n_workers = places;
    pool->max_workers = STAGE_WORKERS;
    pool->cpus = 1;
    pool->budget = UINT64_C(1) << 30;
    pool->supervisor_pidfd = pool->board_fd = pool->epoll = -1;
    pool->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pool->members = stage->members;
    pool->jobs = stage->jobs;
    pool->free_slots = stage->free_slots;
    for (uint32_t slot = 0; slot < STAGE_SLOTS; slot++)
        stage->free_slots[pool->n_free++] = slot;
    for (size_t w = 0; w < STAGE_WORKERS; w++)
        stage->members[w].socket = -1;
    stage_pair(&pool->control, &stage->control);
    shmfi_desk_open(pool);
    return stage;
}

static inline void stage_free(struct stage *stage)
{
    struct shmf_pool *pool = &stage->pool;
    shmfi_sys = stage->sys;
    shmfi_desk_close(pool);
    for (uint32_t w = 0; w < STAGE_WORKERS; w++) {
        shmfi_member_clear(pool, w);
        free(stage->members[w].kept);
    }
    shmfi_pool_retire_orphans(pool, true);
    shmfi_ids_clear(&pool->dropped);
    close(pool->control);
    if (stage->control >= 0)
        close(stage->control);
    if (pool->supervisor_pidfd >= 0)
        close(pool->supervisor_pidfd);
    close(pool->eventfd);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->harvested);
    munmap(pool->board_memory, pool->board_size);
    free(stage);
}

/* The supervisor says so, and the application reads it. */
static inline void stage_say(struct stage *stage, struct shmfi_control message, int fd)
{
    assert_int_equal(shmfi_fdpass_send(stage->control, &message, sizeof message, fd, NULL), 1);
    shmfi_pool_read_control(&stage->pool);
}

/* A worker is announced; its end of the socket. */
static inline int stage_announce(struct stage *stage, uint32_t worker, uint32_t incarnation)
{
    int ours, its;
    stage_pair(&ours, &its);
    stage_say(stage,
              (struct shmfi_control){
                  .type = SHMFI_CONTROL_SPAWNING, .worker = worker, .incarnation = incarnation},
              ours);
    close(ours);
    return its;
}

/* What the socket has: 1, 0, or a status; a descriptor that came is closed. */
static inline int stage_hear(int socket, void *message, size_t size)
{
    int fd = -1, rc = shmfi_fdpass_receive(socket, message, size, &fd, NULL);
    if (fd >= 0)
        close(fd);
    return rc;
}

static inline void stage_mail(int socket, struct shmfi_mail mail, int fd)
{
    assert_int_equal(shmfi_fdpass_send(socket, &mail, sizeof mail, fd, NULL), 1);
}

/* A file of two pages, as another process's region could be. */
static inline int stage_file(void)
{
    int fd = memfd_create("shmf-of-another", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 2 * sysconf(_SC_PAGESIZE)), 0);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    return fd;
}

static inline uint64_t stage_file_size(void)
{
    return 2 * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Nothing can be sent over it any more. */
static inline void stage_fill(int socket)
{
    struct shmfi_mail nothing = {0};
    while (shmfi_fdpass_send(socket, &nothing, sizeof nothing, -1, NULL) == 1)
        continue;
}

static inline void stage_empty(int socket)
{
    struct shmfi_mail mail;
    while (stage_hear(socket, &mail, sizeof mail) == 1)
        continue;
}

/* ---- calls that fail ---------------------------------------------------------------------- */

static int stage_calls_left; /* that succeed */

static inline void *stage_realloc(void *old, size_t size)
{
    return stage_calls_left-- > 0 ? realloc(old, size) : NULL;
}

static inline void *stage_calloc(size_t count, size_t size)
{
    return stage_calls_left-- > 0 ? calloc(count, size) : NULL;
}

static inline ssize_t stage_deaf(int fd, struct msghdr *message, int flags)
{
    (void)fd, (void)message, (void)flags;
    errno = ENOMEM;
    return -1;
}

static inline ssize_t stage_mute(int fd, const struct msghdr *message, int flags)
{
    (void)fd, (void)message, (void)flags;
    errno = ENOMEM;
    return -1;
}

#endif

/* Shares: the process that owns names, its end, and its children. */
#include "share/publish.h"

#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* All shares of the process, under `lock`, which fork() waits for. */
static struct shmf_share *shares;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A lock lives as long as any descriptor of its file: a child that kept one would keep its parent's
 * names alive. */
static void after_fork_in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    for (struct shmf_share *share = shares; share; share = share->next) {
        shmfi_sys.close(share->fd);
        share->fd = -1;
    }
}

static void watch_forks(void)
{
    shmfi_process_watch_forks(&lock, after_fork_in_child);
}

int shmfi_owner_begin(struct shmf_share *share, int fd, uint32_t policy)
{
    pthread_once(&once, watch_forks);
    share->fd = fd;
    share->policy = policy;
    share->epoch = shmfi_process_epoch();
    pthread_mutex_lock(&lock);
    share->next = shares;
    if (shares)
        shares->prev = share;
    shares = share;
    pthread_mutex_unlock(&lock);
    return SHMF_OK;
}

void shmfi_owner_end(struct shmf_share *share)
{
    pthread_mutex_lock(&lock);
    if (share->next)
        share->next->prev = share->prev;
    if (share->prev)
        share->prev->next = share->next;
    else
        shares = share->next;
    int fd = share->fd;
    share->fd = -1;
    pthread_mutex_unlock(&lock);
    if (fd >= 0)
        shmfi_sys.close(fd);
}

static bool is_ours(const struct shmf_share *share)
{
    return share->fd >= 0 && share->epoch == shmfi_process_epoch();
}

/* We hold the lock of the file, so only who breaks the rules has put another in its place. */
static int unlink_name(struct shmf_share *share, struct shmf_error *err)
{
    if (share->gone || !shmfi_name_leads_to(share->path.text, &share->status))
        return shmfi_error(err, SHMF_E_NOTFOUND, "%s is gone already", share->path.text);
    if (shmfi_sys.unlink(share->path.text))
        return errno == ENOENT
                   ? shmfi_error(err, SHMF_E_NOTFOUND, "%s is gone already", share->path.text)
                   : shmfi_error_sys(err, errno, "%s", share->path.text);
    share->gone = true;
    return SHMF_OK;
}

int shmf_share_unlink(struct shmf_share *share, struct shmf_error *err)
{
    if (!share)
        return shmfi_error(err, SHMF_E_INVAL, "share: NULL");
    if (!is_ours(share))
        return shmfi_error(err, SHMF_E_WRONG_PROCESS, "share: %s belongs to another process",
                           share->path.text);
    return unlink_name(share, err);
}

void shmf_share_free(struct shmf_share *share)
{
    if (!share)
        return;
    if (is_ours(share) && share->policy == SHMF_GOES_WITH_OWNER)
        unlink_name(share, NULL);
    shmfi_owner_end(share);
    shmfi_sys.free(share);
}

int shmf_share_reference(const struct shmf_share *share, char to[SHMF_REFERENCE_SIZE],
                         struct shmf_error *err)
{
    if (!share || !to)
        return shmfi_error(err, SHMF_E_INVAL, share ? "to: NULL" : "share: NULL");
    const char *name = share->path.text + strlen(SHMFI_SHARE_FOLDER "/" SHMFI_SHARE_PREFIX);
    snprintf(to, SHMF_REFERENCE_SIZE, "shmf:name:%s", name);
    return SHMF_OK;
}

/* At exit() other threads may still run, one of them holding the lock for ever. The kernel does the
 * rest. */
static __attribute__((destructor)) void at_exit(void)
{
    if (pthread_mutex_trylock(&lock))
        return;
    for (struct shmf_share *share = shares; share; share = share->next)
        if (is_ours(share) && share->policy == SHMF_GOES_WITH_OWNER)
            unlink_name(share, NULL);
    pthread_mutex_unlock(&lock);
}

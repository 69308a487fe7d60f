/* Regions' descriptors between application and workers. A descriptor is sent once to each process
 * that needs it, before the first task or record that names its region. */
#include "base/error.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/submit.h"
#include "pool/worker.h"

static void ask_again(struct shmf_pool *pool, uint32_t worker, uint64_t id)
{
    struct shmfi_mail mail = {.type = SHMFI_MAIL_RESEND, .id = id};
    if (shmfi_fdpass_send(pool->members[worker].socket, &mail, sizeof mail, -1, NULL) != 1)
        return; /* full: the next harvest asks again */
    atomic_fetch_add_explicit(&pool->board.lines[worker].app_mail, 1, memory_order_release);
    shmfi_wake(&pool->board, worker);
}

void shmfi_pool_ask_again(struct shmf_pool *pool, uint32_t worker)
{
    struct shmfi_member *member = &pool->members[worker];
    for (size_t i = 0; i < member->lost.count; i++)
        ask_again(pool, worker, member->lost.ids[i]);
}

/* Maps the worker's region. Without room for it the region is noted as lost, to be asked for when
 * a result in it is wanted. */
static void take_region(struct shmf_pool *pool, uint32_t worker, const struct shmfi_mail *mail,
                        int fd)
{
    struct shmfi_member *member = &pool->members[worker];
    struct shmfi_region *region;
    int rc = fd < 0
                 ? SHMF_E_NOFILES
                 : shmfi_region_adopt(mail->id, mail->size, fd, &shmfi_desk_lender, &region, NULL);
    if (rc == SHMF_OK) {
        rc = shmfi_ids_add(&member->regions, mail->id);
        if (!rc)
            rc = shmfi_desk_add_region(pool, worker, mail->id);
        if (rc) {
            shmfi_ids_remove(&member->regions, mail->id);
            shmfi_region_retire(region);
        }
    }
    if (rc == SHMF_OK)
        shmfi_ids_remove(&member->lost, mail->id);
    else if (rc != SHMF_E_CORRUPT && rc != SHMF_E_EXISTS && shmfi_ids_add(&member->lost, mail->id))
        member->forgetful = true;
}

static void retire(uint64_t id)
{
    struct shmfi_region *region = shmfi_region_find(id);
    if (region)
        shmfi_region_retire(region);
}

void shmfi_pool_forget_region(struct shmfi_member *member, uint64_t id)
{
    shmfi_ids_remove(&member->lost, id);
    if (!shmfi_ids_has(&member->regions, id))
        return;
    shmfi_ids_remove(&member->regions, id);
    shmfi_desk_remove_region(id);
    retire(id);
}

void shmfi_pool_orphan_regions(struct shmfi_member *member)
{
    for (size_t i = 0; i < member->regions.count; i++)
        if (shmfi_desk_orphan_region(member->regions.ids[i]))
            retire(member->regions.ids[i]);
    shmfi_ids_clear(&member->regions);
}

void shmfi_pool_retire_orphans(struct shmf_pool *pool, bool all)
{
    uint64_t id;
    while ((id = shmfi_desk_take_orphan(pool, all)))
        retire(id);
}

/* One message; false: there is none that could be read. `*asked`: for what was sent once. */
static bool read_one(struct shmf_pool *pool, uint32_t worker, bool *asked)
{
    struct shmfi_member *member = &pool->members[worker];
    struct shmfi_mail mail;
    int fd = -1;
    int rc = shmfi_fdpass_receive(member->socket, &mail, sizeof mail, &fd, NULL);
    if (rc < 0 && rc != SHMF_E_NOFILES && rc != SHMF_E_CORRUPT)
        member->forgetful = true; /* what is in there cannot be read now */
    if (rc != 1 && rc != SHMF_E_NOFILES)
        return false;
    member->mail_read++;
    if (mail.type == SHMFI_MAIL_REGION) {
        take_region(pool, worker, &mail, fd);
        return true;
    }
    if (fd >= 0)
        shmfi_sys.close(fd);
    if (mail.type == SHMFI_MAIL_DROP)
        shmfi_pool_forget_region(member, mail.id);
    if (mail.type == SHMFI_MAIL_RESEND) {
        shmfi_ids_remove(&member->sent, mail.id);
        shmfi_ids_remove(&member->granted, mail.id);
        *asked = true;
    }
    return true;
}

void shmfi_pool_read_mail(struct shmf_pool *pool, uint32_t worker)
{
    bool asked = false;
    while (pool->members[worker].socket >= 0 && read_one(pool, worker, &asked))
        continue;
    if (asked)
        shmfi_pool_resend_regions(pool);
}

static bool send_to(struct shmf_pool *pool, uint32_t worker, const struct shmfi_mail *mail, int fd)
{
    struct shmfi_member *member = &pool->members[worker];
    if (!member->incarnation || member->socket < 0 || shmfi_ids_has(&member->sent, mail->id))
        return true;
    if (shmfi_fdpass_send(member->socket, mail, sizeof *mail, fd, NULL) == 0) {
        shmfi_wake(&pool->board, worker); /* so that it empties its socket */
        return false;
    }
    /* Sent, or the worker is about to be reported dead. If the note cannot be made, the region is
     * sent once more with the next task, which does no harm. */
    shmfi_ids_add(&member->sent, mail->id);
    atomic_fetch_add_explicit(&pool->board.lines[worker].app_mail, 1, memory_order_release);
    return true;
}

int shmfi_pool_send_region(struct shmf_pool *pool, struct shmfi_region *region, bool need_fd,
                           struct shmf_error *err)
{
    if (!need_fd && shmfi_region_is_inherited(region) &&
        shmfi_region_serial(region) <= pool->regions_at_fork)
        return 1; /* every worker inherited the mapping */
    int fd = shmfi_region_fd(region, err);
    if (fd < 0)
        return fd;
    struct shmfi_mail mail = {SHMFI_MAIL_REGION, 0, shmfi_region_id(region),
                              shmfi_region_size(region)};
    int all = 1;
    for (uint32_t w = 0; w < pool->n_workers; w++)
        if (!send_to(pool, w, &mail, fd))
            all = 0;
    return all;
}

/* ---- regions that the application gave up ------------------------------------------------- */

/* Memory may give a region up while another thread is busy with the pool, so it is only noted. */
static void note_dropped(struct shmf_pool *pool, void *id)
{
    shmfi_ids_add(&pool->dropped, *(uint64_t *)id);
    pool->has_dropped = true;
}

void shmfi_region_dropped(void *worker, uint64_t id)
{
    if (worker)
        shmfi_worker_drop_region(worker, id);
    shmfi_desk_each(note_dropped, &id);
}

/* Best effort: a worker that does not hear of it keeps a mapping without pages. */
void shmfi_pool_send_drops(struct shmf_pool *pool)
{
    if (!pool->has_dropped)
        return;
    struct shmfi_ids dropped = shmfi_desk_take_dropped(pool);
    for (uint32_t w = 0; w < pool->n_workers; w++) {
        struct shmfi_member *member = &pool->members[w];
        for (size_t i = 0; i < dropped.count && member->socket >= 0; i++) {
            struct shmfi_mail mail = {.type = SHMFI_MAIL_DROP, .id = dropped.ids[i]};
            if (!shmfi_ids_has(&member->sent, mail.id) && !shmfi_ids_has(&member->granted, mail.id))
                continue; /* unknown to it, or inherited: a mapping without pages */
            shmfi_ids_remove(&member->sent, mail.id);
            shmfi_ids_remove(&member->granted, mail.id);
            if (shmfi_fdpass_send(member->socket, &mail, sizeof mail, -1, NULL) == 1)
                atomic_fetch_add_explicit(&pool->board.lines[w].app_mail, 1, memory_order_release);
        }
    }
    shmfi_ids_clear(&dropped);
}

#include "base/error.h"
#include "base/sys.h"
#include "handle/fdpass.h"
#include "pool/worker.h"

#define LOOK_MS   200
#define ANSWER_NS UINT64_C(1000000000) /* most that an application is waited for */

static void count_mail(struct shmfi_worker *self)
{
    uint64_t sent = atomic_load_explicit(&self->line->mail, memory_order_relaxed);
    atomic_store_explicit(&self->line->mail, sent + 1, memory_order_release);
}

/* ---- to the application ------------------------------------------------------------------- */

/* Waits until the socket takes the message; the application empties it when it is rung. */
static int post(struct shmfi_worker *self, const struct shmfi_mail *mail, int fd,
                struct shmf_error *err)
{
    int rc;
    while ((rc = shmfi_fdpass_send(self->socket, mail, sizeof *mail, fd, err)) == 0) {
        struct pollfd room = {self->socket, POLLOUT, 0};
        shmfi_ring_app(self->board, self->eventfd);
        shmfi_sys.poll(&room, 1, LOOK_MS);
        shmfi_worker_check_app(self);
    }
    if (rc == 1)
        count_mail(self);
    return rc;
}

int shmfi_worker_send_region(struct shmfi_worker *self, struct shmfi_region *region,
                             struct shmf_error *err)
{
    uint64_t id = shmfi_region_id(region);
    if (shmfi_ids_has(&self->sent, id))
        return SHMF_OK;
    if (shmfi_ids_add(&self->sent, id))
        return shmfi_error(err, SHMF_E_NOMEM, "no memory to note a region");
    int fd = shmfi_region_fd(region, err);
    struct shmfi_mail mail = {SHMFI_MAIL_REGION, 0, id, shmfi_region_size(region)};
    int rc = fd < 0 ? fd : post(self, &mail, fd, err);
    if (rc == 1)
        return SHMF_OK;
    shmfi_ids_remove(&self->sent, id);
    return rc;
}

/* The application must not wait for us, nor we for it: what does not fit waits for the next
 * time. */
static void tell(struct shmfi_worker *self, enum shmfi_mail_type type, struct shmfi_ids *regions)
{
    while (regions->count) {
        struct shmfi_mail mail = {.type = type, .id = regions->ids[0]};
        if (shmfi_fdpass_send(self->socket, &mail, sizeof mail, -1, NULL) == 0)
            return;
        count_mail(self);
        shmfi_ids_remove(regions, mail.id);
    }
}

void shmfi_worker_drop_region(void *context, uint64_t id)
{
    struct shmfi_worker *self = context;
    if (!shmfi_ids_has(&self->sent, id))
        return;
    shmfi_ids_remove(&self->sent, id);
    shmfi_ids_add(&self->undropped, id);
    tell(self, SHMFI_MAIL_DROP, &self->undropped);
}

/* ---- from the application ----------------------------------------------------------------- */

/* Without memory to note which one, any that did not come is taken for it. */
static void lose(struct shmfi_worker *self, uint64_t id, const struct shmf_error *why)
{
    if (why != &self->lost_why)
        self->lost_why = *why;
    self->lost_any = shmfi_ids_add(&self->lost, id) || self->lost_any;
}

/* What cannot be mapped for want of descriptors or mappings is lost: a task that needs it asks for
 * it once more, and fails for that. */
static void take_region(struct shmfi_worker *self, const struct shmfi_mail *mail, int fd,
                        struct shmf_error *why)
{
    struct shmfi_region *region;
    int rc = SHMF_E_NOFILES;
    if (fd >= 0 && mail->type == SHMFI_MAIL_WRITABLE)
        rc = shmfi_region_give_write_fd(mail->id, fd, why);
    else if (fd >= 0)
        rc = shmfi_region_find(mail->id)
                 ? shmfi_region_give_fd(mail->id, fd, why)
                 : shmfi_region_adopt(mail->id, mail->size, fd, NULL, &region, why);
    if (rc)
        lose(self, mail->id, why);
    else
        shmfi_ids_remove(&self->lost, mail->id);
}

static void resend(struct shmfi_worker *self, uint64_t id)
{
    struct shmfi_region *region = shmfi_region_find(id);
    shmfi_ids_remove(&self->sent, id);
    if (region)
        shmfi_worker_send_region(self, region, NULL);
}

static void (*forget)(uint64_t region_id); /* or NULL */

void shmfi_task_watch_drops(void (*callback)(uint64_t region_id))
{
    forget = callback;
}

/* A loan lasts as long as the last mapping of what was lent. */
static void forget_inputs(struct shmfi_worker *self)
{
    for (size_t i = 0; forget && i < self->gone.count; i++)
        forget(self->gone.ids[i]);
    shmfi_ids_clear(&self->gone);
}

/* What it is deaf to is read when more comes, or when it is needed. */
static void empty_socket(struct shmfi_worker *self)
{
    self->mail_seen = atomic_load_explicit(&self->line->app_mail, memory_order_acquire);
    for (;;) {
        struct shmfi_mail mail;
        struct shmf_error why = {.code = SHMF_E_NOFILES, .message = "no descriptor came with it"};
        int fd = -1;
        int rc = shmfi_fdpass_receive(self->socket, &mail, sizeof mail, &fd, &why);
        shmfi_deaf(&self->deaf, rc);
        if (rc == SHMF_E_CLOSED)
            shmfi_leave(0); /* the pool was freed, or the application is dead */
        if (rc != 1 && rc != SHMF_E_NOFILES)
            return;
        if (mail.type == SHMFI_MAIL_REGION || mail.type == SHMFI_MAIL_WRITABLE) {
            take_region(self, &mail, fd, &why);
            continue;
        }
        if (fd >= 0)
            shmfi_sys.close(fd);
        if (mail.type == SHMFI_MAIL_DROP) {
            shmfi_region_drop(mail.id);
            shmfi_ids_remove(&self->lost, mail.id);
            shmfi_ids_add(&self->gone, mail.id); /* if not, its mapping stays a while longer */
        }
        if (mail.type == SHMFI_MAIL_RESEND)
            resend(self, mail.id);
    }
}

void shmfi_worker_read_mail(struct shmfi_worker *self)
{
    tell(self, SHMFI_MAIL_DROP, &self->undropped);
    tell(self, SHMFI_MAIL_RESEND, &self->unasked);
    if (atomic_load_explicit(&self->line->app_mail, memory_order_acquire) != self->mail_seen)
        empty_socket(self);
    if (self->gone.count)
        forget_inputs(self);
}

static bool can_open(const struct shmf_handle *handle)
{
    const struct shmfi_region *region = shmfi_region_find(handle->region);
    if (region && handle->access == SHMF_COPY_ON_WRITE)
        return shmfi_region_has_fd(region);
    if (region && handle->access == SHMF_WRITABLE)
        return shmfi_region_is_writable(region);
    return region;
}

static bool is_lost(const struct shmfi_worker *self, uint64_t id)
{
    return self->lost_any || shmfi_ids_has(&self->lost, id);
}

/* For what was lost: there may be room by now. False: it cannot be asked for. */
static bool ask_again(struct shmfi_worker *self, uint64_t id)
{
    if (self->lost_any || shmfi_ids_add(&self->unasked, id))
        return false;
    shmfi_ids_remove(&self->lost, id);
    tell(self, SHMFI_MAIL_RESEND, &self->unasked);
    shmfi_ring_app(self->board, self->eventfd);
    return true;
}

/* Until the handle can be opened, or is lost (again, if it was asked for). */
static void listen_for(struct shmfi_worker *self, const struct shmf_handle *handle, bool asked)
{
    static const struct shmf_error is_deaf = {.code = SHMF_E_NOMEM,
                                              .message = "no memory to receive it"};
    uint64_t id = handle->region, start = asked ? shmfi_now() : 0;
    for (;;) {
        empty_socket(self);
        if (can_open(handle) || is_lost(self, id))
            return;
        if (shmfi_deaf_for_good(&self->deaf)) {
            lose(self, id, &is_deaf);
            return;
        }
        if (asked && shmfi_now() - start >= ANSWER_NS) {
            lose(self, id, &self->lost_why);
            return;
        }
        struct pollfd news = shmfi_deaf_poll(&self->deaf, self->socket);
        shmfi_sys.poll(&news, 1, shmfi_deaf_ms(&self->deaf, LOOK_MS));
        shmfi_worker_check_app(self);
    }
}

/* The application sends a descriptor before the first task that needs it, except to a worker that
 * it has not heard of yet: a successor that claimed a task before the application noticed the
 * death. Then the descriptor comes as soon as it does. */
int shmfi_worker_await_region(struct shmfi_worker *self, const struct shmf_handle *handle,
                              struct shmf_error *err)
{
    uint64_t id = handle->region;
    if (!can_open(handle))
        listen_for(self, handle, false);
    if (!can_open(handle) && ask_again(self, id))
        listen_for(self, handle, true);
    if (can_open(handle))
        return SHMF_OK;
    return shmfi_error(err, self->lost_why.code, "region %016llx is lost to this worker: %.200s",
                       (unsigned long long)id, self->lost_why.message);
}

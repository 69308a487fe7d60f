/* Claim, run, publish; sleep when there is nothing. The order of steps around a task is what makes
 * a death at any instruction harmless:
 *
 *   claim (CAS)          from here the task is ours; if we die it is reported or started again
 *   run                  results grow in memory of our own that nobody else knows
 *   send the region      the application can map what the record will name
 *   fill the record      beyond `done`: nobody reads it
 *   done (release)       the publication: from here the result is delivered even if we die
 *   ring                 lost if we die: the supervisor's word of our death wakes the
 * application */
#include "pool/worker.h"

#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "handle/selection.h"
#include "pool/crash.h"
#include "pool/descriptors.h"
#include "pool/machine.h"
#include "pool/threads.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

_Static_assert(SHMF_INLINE_RESULT <= SHMFI_RECORD_DATA, "what travels in a record fits");

_Static_assert(SHMF_MAX_WORKERS <= 1000000000, "a worker's number has at most nine digits");

#define SHORT_TASK_NS 20000u
#define PARK_MS       1000
#define MOST_MISSES   5
#define LOOK_EVERY    32

static struct shmfi_worker this_worker;
static uint64_t worker_epoch; /* of the process that `this_worker` describes */

struct shmfi_worker *shmfi_this_worker(void)
{
    return worker_epoch == shmfi_process_epoch() ? &this_worker : NULL;
}

/* By itself, between tasks; nothing is lost. */
static _Noreturn void finish(const struct shmfi_worker *self)
{
    if (self->setup->finalizer)
        self->setup->finalizer((int)self->me.worker, self->setup->initializer_context);
    shmfi_flush_output();
    shmfi_leave(0);
}

/* The same, while tasks may be waiting; what it did counts at once. */
static _Noreturn void retire(const struct shmfi_worker *self)
{
    shmfi_ring_app(self->board, self->eventfd);
    shmfi_leave_tasks(self->board, self->me.worker);
    finish(self);
}

/* It has done what one process should do, and at least one task: a successor can do more. */
static bool has_served(const struct shmfi_worker *self)
{
    return self->tasks && (self->tasks == self->setup->tasks_per_worker || self->outgrown);
}

/* ---- is anybody there? -------------------------------------------------------------------- */

/* The supervisor does this at once and for all; it may be stopped, though. Its death by our hand
 * makes the kernel kill the other workers. */
void shmfi_worker_check_app(const struct shmfi_worker *self)
{
    if (!shmfi_app_is_dead(self->setup))
        return;
    if (getppid() == self->supervisor)
        shmfi_sys.kill(self->supervisor, SIGKILL);
    shmfi_leave(0);
}

/* ---- one task ----------------------------------------------------------------------------- */

static void unref(void *segment)
{
    shmfi_segment_unref(segment);
}

/* Where the payload lies: in the slot, or in a segment of the application's. */
static const uint8_t *payload_of(struct shmfi_worker *self, const struct shmfi_slot *slot)
{
    struct shmf_task *task = &self->task;
    if (shmfi_payload_size(slot->arg_size, slot->n_handles) <= SHMFI_INLINE_PAYLOAD)
        return slot->payload;
    struct shmf_error err;
    struct shmfi_segment *segment;
    if (shmfi_worker_await_region(self, &slot->spill, &err) ||
        shmfi_segment_open(&slot->spill, &segment, &err)) {
        shmfi_task_error(task, &err);
        return NULL;
    }
    if (shmfi_task_defer(task, unref, segment)) {
        shmfi_segment_unref(segment);
        return NULL;
    }
    return (const uint8_t *)segment->base + SHMFI_BYTES_OFFSET;
}

/* What a selection is about, too: the application has seen to it that this is a selection's. */
static int await(struct shmfi_worker *self, const struct shmf_handle *handle,
                 struct shmf_error *err)
{
    const struct shmf_handle shared = shmf_handle_with(*handle, SHMF_READ_ONLY);
    struct shmfi_segment *segment;
    int rc = shmfi_worker_await_region(self, handle, err);
    if (rc || handle->kind != SHMF_KIND_SELECTION || shmfi_segment_open(&shared, &segment, NULL))
        return rc;
    const struct shmfi_selection_head *head = segment->base;
    const struct shmf_handle whole =
        shmf_handle_with(head->whole, (enum shmf_access)handle->access);
    rc = shmfi_worker_await_region(self, &whole, err);
    shmfi_segment_unref(segment);
    return rc;
}

static bool prepare(struct shmfi_worker *self, const struct shmfi_slot *slot)
{
    struct shmf_task *task = &self->task;
    struct shmf_error err;
    task->index = slot->index;
    task->seed = slot->seed;
    task->attempt = (int)slot->attempt;
    task->worker = (int)self->me.worker;
    task->error.code = SHMF_OK;
    task->kind = SHMF_KIND_NONE;
    task->segment = NULL;
    task->size = 0;
    task->began = task->nanoseconds = 0;
    uint64_t news_at = self->news_at;
    self->news_at = 0;
    const uint8_t *payload = payload_of(self, slot);
    if (!payload)
        return false;
    task->arg = payload;
    task->arg_size = slot->arg_size;
    task->own = (const void *)(payload + shmfi_payload_size(slot->arg_size, 0));
    task->n_own = slot->n_handles;
    for (size_t i = 0; i < task->n_own; i++) {
        if (await(self, &task->own[i], &err)) {
            shmfi_task_error(task, &err);
            return false;
        }
    }
    if (!task->n_own && payload == slot->payload)
        task->began = news_at;
    return true;
}

static void fill_failure(const struct shmf_task *task, struct shmfi_record *record)
{
    size_t length = strnlen(task->error.message, sizeof record->data - 1);
    record->status = task->error.code;
    record->kind = SHMFI_RESULT_FAILURE;
    record->size = length;
    memcpy(record->data, task->error.message, length);
}

static void fill_record(struct shmfi_worker *self, uint64_t ticket)
{
    struct shmf_task *task = &self->task;
    struct shmfi_record *record = shmfi_board_record(self->board, &self->me);
    struct shmf_error err;
    if (!task->error.code && task->segment &&
        shmfi_worker_send_region(self, task->segment->region, &err)) {
        shmfi_task_error(task, &err);
        shmfi_segment_unref(task->segment);
        task->segment = NULL;
    }
    record->ticket = ticket;
    record->incarnation = self->me.incarnation;
    record->nanoseconds = task->nanoseconds;
    record->status = SHMF_OK;
    record->size = task->size;
    if (task->error.code) {
        fill_failure(task, record);
    } else if (task->segment) {
        self->patience.lent++;
        record->kind = SHMFI_RESULT_SEGMENT;
        record->segment = shmfi_segment_handle(task->segment, task->kind);
    } else {
        record->kind = SHMFI_RESULT_INLINE;
        if (task->size)
            memcpy(record->data, task->bytes, task->size);
    }
}

/* The result of a short task, or of one of many that a call waits for, is worth no system call of
 * its own: it is announced together with others when half of what was in flight is done, when
 * nothing is left to do, or by the application's own look (it sleeps for milliseconds only while
 * results may come). */
static void ring_if_worthwhile(struct shmfi_worker *self, bool patient)
{
    uint64_t tail = atomic_load_explicit(&self->board->header->tail, memory_order_relaxed);
    uint64_t left = tail > self->me.cursor ? tail - self->me.cursor : 0;
    self->unrung++;
    if ((patient || self->task.nanoseconds < SHORT_TASK_NS) &&
        left > (uint64_t)self->unrung * shmfi_board_places(self->board))
        return;
    shmfi_ring_app(self->board, self->eventfd);
    self->unrung = 0;
}

static void run(struct shmfi_worker *self, uint64_t ticket)
{
    const struct shmfi_slot *slot = &self->board->slots[shmfi_ticket_slot(ticket)];
    bool patient = slot->patient; /* the slot is another task's when this one is published */
    self->idle_again = 0;
    shmfi_board_start(self->board, &self->me, ticket);
    self->task_bytes = 0;
    if (prepare(self, slot)) {
        if (slot->deadline)
            shmfi_board_time(self->board, &self->me, shmfi_now());
        shmfi_task_run(&self->task, (shmf_task_fn)(uintptr_t)slot->function,
                       (void *)(uintptr_t)slot->context);
    }
    shmfi_flush_output();
    fill_record(self, ticket);
    shmfi_worker_count_task(self);
    shmfi_board_publish(self->board, &self->me);
    ring_if_worthwhile(self, patient);
    shmfi_task_clean(&self->task);
}

/* ---- between tasks ------------------------------------------------------------------------ */

static bool has_news(void *context)
{
    const struct shmfi_worker *self = context;
    const struct shmfi_board *board = self->board;
    return shmfi_board_has_news(board, &self->me) ||
           atomic_load_explicit(&board->header->stopping, memory_order_relaxed) ||
           atomic_load_explicit(&board->header->pressure, memory_order_relaxed) !=
               self->pressure_seen ||
           atomic_load_explicit(&self->line->app_mail, memory_order_relaxed) != self->mail_seen ||
           shmfi_worker_is_asked_to_trim(self) || shmfi_board_is_surplus(board, self->me.worker);
}

/* Is there a cpu for everybody who is awake? Not looked at each time, because they may be many. */
static void look_at_others(struct shmfi_worker *self)
{
    if (self->looks_at_others++ % LOOK_EVERY)
        return;
    uint32_t places = shmfi_board_places(self->board);
    self->spinner.pause_first =
        places < self->cpus || shmfi_awake(self->board, self->cpus) < self->cpus;
}

/* One that was too late again and again for what had come is one too many: it leaves the cpu to
 * others, and will be woken when there are more tasks than workers awake. */
static uint64_t idle(struct shmfi_worker *self)
{
    if (self->unrung) {
        shmfi_ring_app(self->board, self->eventfd);
        self->unrung = 0;
    }
    if (atomic_load_explicit(&self->board->header->stopping, memory_order_acquire))
        finish(self);
    shmfi_board_expect(self->board, &self->me);
    look_at_others(self);
    if (!self->idle_since) /* the clock was read when the last task was over, if it began */
        self->idle_since =
            self->task.began ? self->task.began + self->task.nanoseconds : shmfi_now();
    struct shmfi_watch watch = {.word = shmfi_board_next(self->board, &self->me)};
    watch.old = atomic_load_explicit(watch.word, memory_order_relaxed);
    if (self->idle_again++ < MOST_MISSES && shmfi_spin(&self->spinner, watch, has_news, self)) {
        self->news_at = self->spinner.looked;
        return shmfi_board_claim_next(self->board, &self->me);
    }
    shmfi_worker_take_returns(self);
    shmfi_worker_count_waiting(self, shmfi_now());
    shmfi_worker_count(self);
    if (has_served(self))
        retire(self);
    shmfi_park(self->board, self->me.worker, has_news, self, PARK_MS);
    self->idle_again = 0;
    self->spinner.yield_first = true; /* who woke us waits, perhaps on this cpu */
    if (!has_news(self))
        shmfi_worker_check_app(self);
    return SHMFI_NO_TICKET;
}

static _Noreturn void loop(struct shmfi_worker *self)
{
    for (;;) {
        if (shmfi_board_is_surplus(self->board, self->me.worker))
            retire(self);
        shmfi_worker_relieve(self);
        shmfi_worker_read_mail(self);
        uint64_t ticket = shmfi_board_claim(self->board, &self->me);
        if (ticket == SHMFI_NO_TICKET)
            ticket = idle(self);
        if (ticket == SHMFI_NO_TICKET)
            continue;
        run(self, ticket);
        self->tasks++;
        if (has_served(self))
            retire(self);
    }
}

/* ---- the beginning ------------------------------------------------------------------------ */

/* Exit handlers run in reverse order: this one, registered last, keeps the application's from
 * running in a worker whose task called exit(). */
static void leave_at_exit(int status, void *unused)
{
    (void)unused;
    shmfi_leave(status);
}

/* If memory runs out, the kernel should choose a worker, which can be replaced. Raising one's own
 * score needs no privilege. */
static void offer_to_oom_killer(void)
{
    int fd = shmfi_sys.open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (shmfi_sys.write(fd, "500", 3) < 0) {
        /* Then the kernel chooses by size, as for any process. */
    }
    shmfi_sys.close(fd);
}

/* Without printf, whose code and tables every new worker would have to fetch page by page. */
static void name_process(uint32_t worker)
{
    char name[16] = "shmf-w", digits[10];
    size_t n = 0, length = strlen(name);
    do {
        digits[n++] = (char)('0' + worker % 10);
        worker /= 10;
    } while (worker);
    while (n)
        name[length++] = digits[--n];
    name[length] = '\0';
    shmfi_sys.prctl(PR_SET_NAME, (unsigned long)name);
}

/* Recursive: memory that is trimmed while it is asked for is given back under the lock. */
static void init_memory_lock(struct shmfi_worker *self)
{
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_settype(&how, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&self->memory_lock, &how);
    pthread_mutexattr_destroy(&how);
}

/* The pool is being freed already, and there is nothing that every worker must do once. */
static bool came_too_late(const struct shmf_pool *pool, const struct shmfi_setup *setup)
{
    return !setup->initializer && !setup->finalizer &&
           atomic_load_explicit(&pool->board.header->stopping, memory_order_relaxed);
}

void shmfi_work(struct shmf_pool *pool, const struct shmfi_setup *setup, uint32_t worker,
                uint32_t incarnation, int socket, pid_t supervisor)
{
    struct shmfi_worker *self = &this_worker;
    shmfi_sys.prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor || came_too_late(pool, setup))
        shmfi_leave(0);            /* it died before the line above; or nobody waits for us */
    memset(self, 0, sizeof *self); /* a worker's own worker inherits its parent's */
    worker_epoch = shmfi_process_epoch();
    name_process(worker);
    shmfi_sys.close(setup->control);
    offer_to_oom_killer();
    on_exit(leave_at_exit, NULL);
    self->board = &pool->board;
    self->line = &pool->board.lines[worker];
    self->setup = setup;
    self->socket = socket;
    self->eventfd = pool->eventfd;
    self->supervisor = supervisor;
    self->cpus = pool->cpus;
    self->pressure_seen = atomic_load_explicit(&pool->board.header->pressure, memory_order_relaxed);
    atomic_store_explicit(&self->line->cpu, setup->spread ? shmfi_machine_bind(worker) : -1,
                          memory_order_relaxed);
    shmfi_board_join(&pool->board, &self->me, worker, incarnation);
    self->idle_since = shmfi_now();
    init_memory_lock(self);
    /* Processes that a task forks must not be able to write recycled memory or the board. */
    shmfi_memory_set_dontfork(true);
    shmfi_sys.madvise(pool->board_memory, pool->board_size, MADV_DONTFORK);
    struct shmfi_budget budget = shmfi_worker_budget(self);
    shmfi_memory_set_budget(&budget);
    shmfi_memory_set_drop_hook(shmfi_region_dropped, self);
    shmfi_worker_begin_counting(self);
    if (came_too_late(pool, setup))
        shmfi_leave(0);
    shmfi_threads_cap(setup->threads);
    if (setup->backtraces)
        shmfi_crash_watch(&self->line->crash, incarnation);
    if (setup->initializer && setup->initializer((int)worker, setup->initializer_context))
        shmfi_leave(1);
    shmfi_worker_begin_growing(self);
    shmfi_look_for_tasks(self->board, worker);
    loop(self);
}

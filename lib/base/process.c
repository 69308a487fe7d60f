#include "base/process.h"

#include "base/sys.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* `page` is wiped by the kernel in a forked child, so a zero there means: not asked yet in this
 * process. `last` is ordinary memory and survives the fork: the child's number is one more than
 * any that its ancestors had at the time. Siblings may share a number; a process and its
 * ancestors never do. Only the thread that finds the zero writes, under `lock`; a lock that was
 * held by another thread at the fork is made anew in the child. */
static _Atomic(_Atomic uint64_t *) page; /* NULL: not mapped yet, or it cannot be */
static _Atomic uint64_t last;
static _Atomic pid_t last_pid;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Written under `lock` before `n_watchers` counts them. A fork may begin before and end after that,
 * so each knows for itself whether its lock is held. */
enum { MOST_WATCHERS = 8 };
static struct watcher {
    pthread_mutex_t *lock;
    void (*in_child)(void);
    bool held;
} watchers[MOST_WATCHERS];
static _Atomic int n_watchers;

static void before_fork(void)
{
    for (int i = atomic_load(&n_watchers) - 1; i >= 0; i--) {
        pthread_mutex_lock(watchers[i].lock);
        watchers[i].held = true;
    }
}

static void after_fork_in_parent(void)
{
    for (int i = 0; i < atomic_load(&n_watchers); i++)
        if (watchers[i].held) {
            watchers[i].held = false;
            pthread_mutex_unlock(watchers[i].lock);
        }
}

static void after_fork_in_child(void)
{
    pthread_mutex_init(&lock, NULL);
    for (int i = 0; i < atomic_load(&n_watchers); i++) {
        watchers[i].held = false;
        watchers[i].in_child();
    }
}

static void map_page(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    void *at =
        shmfi_sys.mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return;
    if (shmfi_sys.madvise(at, size, MADV_WIPEONFORK)) {
        shmfi_sys.munmap(at, size);
        return;
    }
    atomic_store_explicit(&page, at, memory_order_release);
}

static uint64_t by_page(_Atomic uint64_t *number)
{
    uint64_t epoch = atomic_load_explicit(number, memory_order_relaxed);
    if (epoch)
        return epoch;
    pthread_mutex_lock(&lock);
    epoch = atomic_load_explicit(number, memory_order_relaxed);
    if (!epoch) {
        epoch = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
        atomic_store_explicit(number, epoch, memory_order_relaxed);
    }
    pthread_mutex_unlock(&lock);
    return epoch;
}

static uint64_t by_pid(void)
{
    pid_t pid = getpid();
    pthread_mutex_lock(&lock);
    if (atomic_load_explicit(&last_pid, memory_order_relaxed) != pid) {
        atomic_store_explicit(&last_pid, pid, memory_order_relaxed);
        atomic_fetch_add_explicit(&last, 1, memory_order_relaxed);
    }
    uint64_t epoch = atomic_load_explicit(&last, memory_order_relaxed);
    pthread_mutex_unlock(&lock);
    return epoch;
}

void shmfi_process_watch_forks(pthread_mutex_t *with, void (*in_child)(void))
{
    pthread_once(&once, map_page);
    pthread_mutex_lock(&lock);
    int n = atomic_load(&n_watchers);
    if (n == MOST_WATCHERS)
        abort(); /* a module that is not counted above */
    watchers[n] = (struct watcher){.lock = with, .in_child = in_child};
    atomic_store(&n_watchers, n + 1);
    pthread_mutex_unlock(&lock);
}

void shmfi_process_fork_was_abandoned(void)
{
    after_fork_in_parent();
}

uint64_t shmfi_process_epoch(void)
{
    _Atomic uint64_t *number = atomic_load_explicit(&page, memory_order_acquire);
    if (number)
        return by_page(number);
    pthread_once(&once, map_page);
    number = atomic_load_explicit(&page, memory_order_acquire);
    return number ? by_page(number) : by_pid();
}

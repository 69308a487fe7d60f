#include "pool/machine.h"

#include "base/sys.h"
#include "board/wait.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define LIMITS_NS   100000000u /* so old may they be: reading the files takes a third of a fork */

/* The first bytes of a small file as a string; false when there is none. */
static bool read_file(const char *path, char *text, size_t size)
{
    int fd = shmfi_sys.open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return false;
    ssize_t got = shmfi_sys.read(fd, text, size - 1);
    shmfi_sys.close(fd);
    if (got <= 0)
        return false;
    text[got] = '\0';
    return true;
}

/* Path of our cgroup (version 2) below the root, "" at the root. */
static bool own_cgroup(char *path, size_t size)
{
    char text[4096];
    if (!read_file("/proc/self/cgroup", text, sizeof text))
        return false;
    const char *line = strstr(text, "0::/");
    if (!line || (line != text && line[-1] != '\n'))
        return false;
    line += 3;
    size_t length = strcspn(line, "\n");
    if (length >= size)
        return false;
    memcpy(path, line, length);
    path[length] = '\0';
    return true;
}

/* Calls `visit` with the directories of our cgroup and all above it. */
static void each_cgroup(void (*visit)(const char *directory, void *context), void *context)
{
    char path[2048], directory[4096];
    if (!own_cgroup(path, sizeof path))
        return;
    for (;;) {
        snprintf(directory, sizeof directory, CGROUP_ROOT "%s", path);
        visit(directory, context);
        char *slash = strrchr(path, '/');
        if (!slash)
            return;
        *slash = '\0';
    }
}

/* What is cut down on the way from our cgroup to the root. */
struct limits {
    int cpus;
    uint64_t memory;
};

/* cpu.max is "QUOTA PERIOD" in microseconds, or "max PERIOD". */
static void cut_cpus(const char *directory, struct limits *limits)
{
    char name[4200], text[128];
    snprintf(name, sizeof name, "%s/cpu.max", directory);
    if (!read_file(name, text, sizeof text))
        return;
    char *end;
    long quota = strtol(text, &end, 10), period = strtol(end, NULL, 10);
    if (end == text || quota <= 0 || period <= 0)
        return;
    int allowed = (int)((quota + period - 1) / period);
    if (allowed < limits->cpus)
        limits->cpus = allowed;
}

static bool read_number(const char *directory, const char *file, uint64_t *number)
{
    char name[4200], text[64], *end;
    snprintf(name, sizeof name, "%s/%s", directory, file);
    if (!read_file(name, text, sizeof text))
        return false;
    *number = strtoull(text, &end, 10);
    return end != text; /* "max" is no number */
}

static void cut_memory(const char *directory, struct limits *limits)
{
    uint64_t most, now;
    if (!read_number(directory, "memory.max", &most) ||
        !read_number(directory, "memory.current", &now))
        return;
    uint64_t left = most > now ? most - now : 0;
    if (left < limits->memory)
        limits->memory = left;
}

static void cut(const char *directory, void *limits)
{
    cut_cpus(directory, limits);
    cut_memory(directory, limits);
}

static int allowed_cpus(void)
{
    cpu_set_t set;
    return shmfi_sys.sched_getaffinity(sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

static uint64_t available_memory(void)
{
    char text[4096];
    const char *line = NULL;
    if (read_file("/proc/meminfo", text, sizeof text))
        line = strstr(text, "MemAvailable:");
    if (!line)
        return UINT64_C(1) << 30;
    return strtoull(line + strlen("MemAvailable:"), NULL, 10) * 1024;
}

/* What was read last, and when. Each word is right by itself. */
static struct {
    _Atomic uint64_t at; /* ns; 0: never */
    _Atomic uint64_t memory;
    _Atomic int cpus;
} known;

static void read_limits(uint64_t now)
{
    struct limits limits = {INT_MAX, available_memory()};
    each_cgroup(cut, &limits);
    atomic_store_explicit(&known.cpus, limits.cpus, memory_order_relaxed);
    atomic_store_explicit(&known.memory, limits.memory, memory_order_relaxed);
    atomic_store_explicit(&known.at, now, memory_order_release);
}

void shmfi_machine_limits(int *cpus, uint64_t *memory)
{
    uint64_t now = shmfi_now(), at = atomic_load_explicit(&known.at, memory_order_acquire);
    if (!at || now - at > LIMITS_NS)
        read_limits(now);
    int quota = atomic_load_explicit(&known.cpus, memory_order_relaxed), allowed = allowed_cpus();
    *cpus = quota < allowed ? quota : allowed;
    if (*cpus < 1)
        *cpus = 1;
    *memory = atomic_load_explicit(&known.memory, memory_order_relaxed);
}

void shmfi_machine_forget(void)
{
    atomic_store_explicit(&known.at, 0, memory_order_relaxed);
}

/* A directory's links are its parent, itself, and one for each directory in it: a tenth of the time
 * that /proc/self/status takes. 0: not to be known so. */
static int threads_by_links(void)
{
    struct stat tasks;
    int fd = shmfi_sys.open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    bool counted = !shmfi_sys.fstat(fd, &tasks) && tasks.st_nlink > 2;
    shmfi_sys.close(fd);
    return counted ? (int)tasks.st_nlink - 2 : 0;
}

int shmfi_machine_threads(void)
{
    char text[4096];
    int links = threads_by_links();
    if (links)
        return links;
    if (!read_file("/proc/self/status", text, sizeof text))
        return 1;
    const char *line = strstr(text, "\nThreads:");
    int threads = line ? (int)strtol(line + strlen("\nThreads:"), NULL, 10) : 1;
    return threads < 1 ? 1 : threads;
}

/* "size resident shared ..." in pages; what is shared includes memfds and files. */
uint64_t shmfi_machine_private_bytes(void)
{
    char text[128], *end;
    if (!read_file("/proc/self/statm", text, sizeof text))
        return 0;
    strtoull(text, &end, 10);
    uint64_t resident = strtoull(end, &end, 10), shared = strtoull(end, NULL, 10);
    return resident > shared ? (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

int shmfi_machine_bind(uint32_t number)
{
    cpu_set_t allowed, one;
    if (shmfi_sys.sched_getaffinity(sizeof allowed, &allowed) || !CPU_COUNT(&allowed))
        return -1;
    uint32_t left = number % (uint32_t)CPU_COUNT(&allowed);
    size_t cpu = 0;
    while (!CPU_ISSET(cpu, &allowed) || left-- > 0)
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return shmfi_sys.sched_setaffinity(sizeof one, &one) ? -1 : (int)cpu;
}

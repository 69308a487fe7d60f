#include "support/process.h"

#include "support/clock.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 4096

/* As ctest starts programs: nothing ignored, nothing blocked, and descriptors 0 to 2 are open.
 * Shells ignore interrupts for what runs in the background, nohup hangups, some supervisors the
 * ends of children, and daemons close their standard input. */
static void begin_plainly(void)
{
    struct sigaction action;
    sigset_t none;
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
    for (int number = 1; number <= SIGRTMAX; number++)
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Is a debugger looking? It would lose sight of the program that goes on in a child. */
static bool traced(void)
{
    char text[1024] = "";
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, sizeof text - 1) < 0)
        text[0] = '\0';
    close(fd);
    const char *tracer = strstr(text, "TracerPid:");
    return tracer && strtol(tracer + 10, NULL, 10) != 0;
}

/* A shell makes what it starts the leader of a group, which cannot have a new session: a child of
 * it can. This process only waits, and ends as the child does; where it is the first one of a
 * container, it buries the orphans, too. */
static void begin_session_in_child(void)
{
    int status = 0;
    pid_t self = getpid(), child = fork();
    if (child < 0)
        return;
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL);
        if (getppid() != self)
            _exit(1);
        setsid();
        return;
    }
    pid_t ended;
    do
        ended = waitpid(self == 1 ? -1 : child, &status, 0);
    while (ended != child && (ended > 0 || errno == EINTR));
    if (self != 1 && WIFSIGNALED(status)) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

/* Before main, so that no test can forget it: tests that run at the same time, as ctest's do, must
 * not take each other's processes and memory for their own. */
__attribute__((constructor)) static void begin_session(void)
{
    begin_plainly();
    bool alone = setsid() >= 0 || getsid(0) == getpid();
    if ((!alone || getpid() == 1) && !traced())
        begin_session_in_child();
}

/* "pid (name) state parent group session tty tpgid flags minflt ..."; a name may hold spaces and
 * parentheses, so the fields count from the last ')'. */
static bool parse(char *text, struct test_process *process)
{
    char *open = strchr(text, '(');
    char *end = strrchr(text, ')');
    if (!open || !end || end < open)
        return false;
    *end = '\0';
    snprintf(process->name, sizeof process->name, "%.31s", open + 1);
    process->pid = (pid_t)strtol(text, NULL, 10);
    return sscanf(end + 1, " %c %d %d %d %*d %*d %*u %" SCNu64, &process->state, &process->parent,
                  &process->group, &process->session, &process->minor_faults) == 5;
}

bool test_process_read(pid_t pid, struct test_process *process)
{
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    if (got <= 0)
        return false;
    text[got] = '\0';
    return parse(text, process);
}

static size_t read_all(struct test_process *list, size_t room)
{
    size_t count = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    struct dirent *entry;
    while (count < room && (entry = readdir(proc)))
        if (isdigit((unsigned char)entry->d_name[0]) &&
            test_process_read((pid_t)strtol(entry->d_name, NULL, 10), &list[count]))
            count++;
    closedir(proc);
    return count;
}

/* Is `pid` below `ancestor`? Follows parents through the list, which is a snapshot that may be
 * torn; the number of steps is bounded. */
static bool descends(const struct test_process *list, size_t count, pid_t pid, pid_t ancestor)
{
    for (size_t step = 0; step < count && pid > 1; step++) {
        size_t at = 0;
        while (at < count && list[at].pid != pid)
            at++;
        if (at == count)
            return false;
        pid = list[at].parent;
        if (pid == ancestor)
            return true;
    }
    return false;
}

static int by_pid(const void *left, const void *right)
{
    const struct test_process *a = left;
    const struct test_process *b = right;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

size_t test_process_list(struct test_process *list, size_t room)
{
    struct test_process *all = calloc(MOST, sizeof *all);
    if (!all)
        abort();
    size_t n_all = read_all(all, MOST);
    size_t count = 0;
    pid_t self = getpid();
    pid_t session = getsid(0);
    for (size_t i = 0; i < n_all && count < room; i++)
        if (all[i].pid != self &&
            (all[i].session == session || descends(all, n_all, all[i].pid, self)))
            list[count++] = all[i];
    free(all);
    qsort(list, count, sizeof *list, by_pid);
    return count;
}

static bool runs(const struct test_process *process)
{
    return process->state != 'Z' && process->state != 'X';
}

bool test_process_alive(pid_t pid)
{
    struct test_process process;
    return test_process_read(pid, &process) && runs(&process);
}

static bool gone(void *pid)
{
    return !test_process_alive(*(pid_t *)pid);
}

bool test_process_gone(pid_t pid, double seconds)
{
    return test_wait_until(seconds, gone, &pid);
}

/* Calls visit for each of this test's running processes. */
static void each(void (*visit)(const struct test_process *process, void *context), void *context)
{
    struct test_process *list = calloc(MOST, sizeof *list);
    if (!list)
        abort();
    size_t count = test_process_list(list, MOST);
    for (size_t i = 0; i < count; i++)
        if (runs(&list[i]))
            visit(&list[i], context);
    free(list);
}

struct named {
    const char *name;
    size_t count; /* of those whose names begin with it */
    pid_t exact;  /* the first whose name is exactly it */
    size_t n_exact;
};

static void match(const struct test_process *process, void *context)
{
    struct named *named = context;
    if (!strncmp(process->name, named->name, strlen(named->name)))
        named->count++;
    if (!strcmp(process->name, named->name) && !named->n_exact++)
        named->exact = process->pid;
}

size_t test_count_named(const char *prefix)
{
    struct named named = {.name = prefix};
    each(match, &named);
    return named.count;
}

struct so_many {
    const char *prefix;
    size_t count;
};

static bool are_so_many(void *context)
{
    const struct so_many *wanted = context;
    return test_count_named(wanted->prefix) == wanted->count;
}

bool test_wait_named(const char *prefix, size_t count, double seconds)
{
    struct so_many wanted = {prefix, count};
    return test_wait_until(seconds, are_so_many, &wanted);
}

bool test_none_named(const char *prefix, double seconds)
{
    return test_wait_named(prefix, 0, seconds);
}

static bool is_only_one(void *context)
{
    struct named *named = context;
    *named = (struct named){.name = named->name};
    each(match, named);
    return named->n_exact <= 1;
}

pid_t test_find_named(const char *name)
{
    struct named named = {.name = name};
    test_wait_until(5, is_only_one, &named);
    return named.exact;
}

uint64_t test_minor_faults(void)
{
    struct test_process self;
    return test_process_read(getpid(), &self) ? self.minor_faults : 0;
}

static void add_faults(const struct test_process *process, void *sum)
{
    *(uint64_t *)sum += process->minor_faults;
}

uint64_t test_minor_faults_of_all(void)
{
    uint64_t sum = test_minor_faults();
    each(add_faults, &sum);
    return sum;
}

static void print(const struct test_process *process, void *context)
{
    (void)context;
    fprintf(stderr, "  %d %s: state %c, parent %d, group %d, session %d\n", (int)process->pid,
            process->name, process->state, (int)process->parent, (int)process->group,
            (int)process->session);
}

void test_process_print(void)
{
    each(print, NULL);
}

/* The application, its supervisor or its early process is killed at every stage of an
 * application's life, thousands of times; afterwards nothing may be there: no process, no memory,
 * no name, no descriptor. An application whose supervisor was killed must say so or be done, give
 * everything back, and be able to make another pool.
 *
 *     kill_owners [TRIALS [SEED]]      defaults 200, 1: so many of each of the three roles, the
 *                                      stages in turn
 *
 * Every process here is the campaign's descendant, and it is the reaper of orphans: none is left
 * when it has no child any more. Prints one line of JSON, with the kills per role and stage, and
 * how many of them were before the stage was over; exit status 1 when anything was left or wrong.
 */
#include "support/account.h"
#include "support/clock.h"
#include "support/names.h"
#include "support/process.h"

#include <shmframe/shmframe.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum stage {
    CREATING,
    SUBMITTING,
    WAITING,
    RESULTS_IN_FLIGHT,
    GROWING,
    TRIMMING,
    FREEING,
    PUBLISHING,
    SOCKETS,
    EARLY,
    STAGES
};

static const char *const stage_names[STAGES] = {
    "creating", "submitting", "waiting",    "results_in_flight", "growing",
    "trimming", "freeing",    "publishing", "sockets",           "early"};

enum role { APPLICATION, SUPERVISOR, EARLY_PROCESS, ROLES };

static const char *const role_names[ROLES] = {"application", "supervisor", "early_process"};

static const char *const victims[ROLES] = {NULL, "shmf-super", "shmf-early"};

enum { SIZE = 100000, LARGE = 3 << 20, TASKS = 24, PATIENCE_S = 60 };

/* Written by the application, read by the campaign. */
static struct {
    atomic_int entered;      /* how often the stage began */
    atomic_int inside;       /* is it going on? */
    atomic_long nanoseconds; /* the last one took */
    atomic_int over;         /* by the campaign: the victim is dead */
} * shared;

static struct {
    long killed[ROLES][STAGES], inside[ROLES][STAGES], trials, unhurt;
    long survivors, names, bytes, wrong;
} tally;

/* ---- an application's life ----------------------------------------------------------------- */

struct life {
    enum stage stage;
    bool early;     /* its pools are the early process's */
    bool on_demand; /* they begin with one worker of three */
    struct shmf_array *input;
    struct shmf_pool *pool;
    struct shmf_iter *iter;
    struct shmf_future *futures[TASKS];
    struct shmf_share *share;
    double begun;
};

static void enter(struct life *life, enum stage stage)
{
    if (stage != life->stage)
        return;
    life->begun = test_now();
    atomic_store(&shared->inside, 1);
    atomic_fetch_add(&shared->entered, 1);
}

static void leave(const struct life *life, enum stage stage)
{
    if (stage != life->stage)
        return;
    atomic_store(&shared->inside, 0);
    atomic_store(&shared->nanoseconds, (long)((test_now() - life->begun) * 1e9));
}

static int return_array(struct shmf_task *task, void *unused)
{
    int64_t length = shmf_task_index(task) % 8 == 7 ? LARGE : SIZE;
    (void)unused;
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, &length);
    if (!array)
        return SHMF_E_TASK;
    memset(shmf_array_data_mut(array), (int)(shmf_task_index(task) % 200) + 1, (size_t)length);
    return shmf_task_return_array(task, array);
}

static bool is_right(struct shmf_result *result)
{
    const struct shmf_array *array = shmf_result_array(result);
    if (shmf_result_status(result) || !array)
        return shmf_result_status(result) < 0;
    const uint8_t *bytes = shmf_array_data(array);
    uint8_t value = (uint8_t)(shmf_result_index(result) % 200 + 1);
    return bytes[0] == value && bytes[shmf_array_size(array) - 1] == value;
}

static bool make_pool(struct life *life)
{
    struct shmf_pool_options options = {.workers = life->on_demand ? 3 : 1,
                                        .first_workers = life->on_demand,
                                        .max_workers = 3,
                                        .start = life->early ? SHMF_START_EARLY : SHMF_START_NOW};
    enter(life, EARLY);
    if (life->early && shmf_early_start(NULL, NULL))
        return false;
    enter(life, CREATING);
    life->pool = shmf_pool_new(&options, NULL);
    leave(life, CREATING);
    leave(life, EARLY);
    return life->pool;
}

static bool submit_and_wait(struct life *life)
{
    struct shmf_handle handle = shmf_array_handle(life->input);
    uint8_t spilled[2000] = {1};
    struct shmf_task_input input = {
        .arg = spilled, .arg_size = sizeof spilled, .handles = &handle, .n_handles = 1};
    bool good = true;
    enter(life, SUBMITTING);
    for (int i = 0; good && i < TASKS; i++) {
        life->futures[i] = shmf_pool_submit(life->pool, return_array, &input, NULL, NULL);
        good = life->futures[i];
    }
    leave(life, SUBMITTING);
    enter(life, WAITING);
    for (int i = 0; good && i < TASKS; i++)
        good = shmf_future_wait(life->futures[i], -1, NULL) == SHMF_OK;
    leave(life, WAITING);
    return good;
}

static bool iterate(struct life *life, bool *right)
{
    struct shmf_tasks tasks = {.count = TASKS};
    struct shmf_result *result;
    int rc = 0;
    enter(life, RESULTS_IN_FLIGHT);
    life->iter = shmf_pool_imap(life->pool, return_array, &tasks, NULL, NULL);
    while (life->iter && (rc = shmf_iter_next(life->iter, &result, NULL)) == 1) {
        *right = *right && is_right(result);
        shmf_result_free(result);
    }
    leave(life, RESULTS_IN_FLIGHT);
    return life->iter && rc == 0;
}

static bool grow_and_trim(struct life *life)
{
    bool good = true;
    enter(life, GROWING);
    for (int workers = 3; good && workers >= 1; workers--)
        good = shmf_pool_resize(life->pool, workers, NULL) == SHMF_OK;
    int64_t large = 8 * (int64_t)LARGE;
    for (int i = 0; i < 2; i++)
        shmf_array_free(shmf_array_new(SHMF_UINT8, 1, &large, NULL));
    leave(life, GROWING);
    enter(life, TRIMMING);
    good = good && shmf_pool_trim(life->pool, NULL) >= 0;
    shmf_memory_trim(0);
    leave(life, TRIMMING);
    return good;
}

static bool publish(struct life *life)
{
    enter(life, PUBLISHING);
    life->share = shmf_array_publish(life->input, test_name("campaign"), NULL, NULL);
    struct shmf_array *seen = shmf_array_attach(test_name("campaign"), NULL, NULL);
    bool good = life->share && seen;
    shmf_array_free(seen);
    shmf_share_free(life->share);
    life->share = NULL;
    leave(life, PUBLISHING);
    return good;
}

static bool send_and_receive(struct life *life)
{
    int ends[2];
    enter(life, SOCKETS);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        return false;
    bool good = shmf_array_send(life->input, ends[0], 60, NULL) == SHMF_OK;
    struct shmf_array *got = good ? shmf_array_receive(ends[1], 60, NULL, NULL) : NULL;
    good = got && shmf_array_size(got) == SIZE;
    shmf_array_free(got);
    close(ends[0]);
    close(ends[1]);
    leave(life, SOCKETS);
    return good;
}

static void free_all(struct life *life)
{
    enter(life, FREEING);
    shmf_pool_free(life->pool);
    shmf_iter_free(life->iter);
    for (int i = 0; i < TASKS; i++)
        shmf_future_free(life->futures[i]);
    shmf_array_free(life->input);
    leave(life, FREEING);
    if (life->early)
        shmf_early_stop();
}

/* Up to and a little beyond the stage. False: something is wrong with the library, not that
 * something failed: `good` says that. */
static bool live(enum stage stage, bool early, bool on_demand, bool *good)
{
    struct life life = {.stage = stage, .early = early, .on_demand = on_demand};
    bool right = true;
    int64_t size = SIZE;
    life.input = shmf_array_new(SHMF_UINT8, 1, &size, NULL);
    *good = life.input && make_pool(&life);
    if (*good && stage != CREATING && stage != EARLY) {
        *good = submit_and_wait(&life);
        if (*good && stage >= RESULTS_IN_FLIGHT)
            *good = iterate(&life, &right);
        if (*good && (stage == GROWING || stage == TRIMMING))
            *good = grow_and_trim(&life);
        if (*good && stage == PUBLISHING)
            right = publish(&life) && right;
        if (*good && stage == SOCKETS)
            right = send_and_receive(&life) && right;
    }
    free_all(&life);
    return right;
}

/* Exit status 0: as promised; 1 something was wrong, 2 something was left, 3 no pool could be made
 * afterwards. */
static _Noreturn void be_application(enum stage stage, bool early, bool on_demand)
{
    bool good = true, right = true;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct test_account before = test_account_take();
    while (right && !atomic_load(&shared->over))
        right = live(stage, early, on_demand, &good);
    if (!right)
        _exit(1);
    if (test_account_settle(&before))
        _exit(2);
    right = live(RESULTS_IN_FLIGHT, false, false, &good);
    _exit(right && good ? 0 : 3);
}

/* ---- the campaign -------------------------------------------------------------------------- */

static uint64_t random_state; /* set by the seed: splitmix64 */

static uint64_t random_number(void)
{
    uint64_t number = random_state += UINT64_C(0x9e3779b97f4a7c15);
    number = (number ^ number >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    number = (number ^ number >> 27) * UINT64_C(0x94d049bb133111eb);
    return number ^ number >> 31;
}

/* A running process that was orphaned to us, by its name; 0: none. */
static pid_t orphan_named(const char *name)
{
    char text[4096], *at = text;
    struct test_process process;
    int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[size > 0 ? size : 0] = '\0';
    for (long pid; (pid = strtol(at, &at, 10)) > 0;)
        if (test_process_read((pid_t)pid, &process) && process.state != 'Z' &&
            !strcmp(process.name, name))
            return (pid_t)pid;
    return 0;
}

static bool is_running(pid_t pid)
{
    siginfo_t info = {0};
    return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

/* Short stages would be over before a sleeper woke up, or before its victim was found: who exists
 * before the stage is looked for before. 0: it does not yet. */
static bool await_stage(int than, enum role role, pid_t *victim)
{
    double end = test_now() + PATIENCE_S;
    while (atomic_load(&shared->entered) <= than && test_now() < end) {
        if (role != APPLICATION && !is_running(*victim))
            *victim = orphan_named(victims[role]);
        sched_yield();
    }
    return atomic_load(&shared->entered) > than;
}

/* A sleeper would wake up too late for a short one. */
static void pause_ns(long nanoseconds)
{
    struct timespec time = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    double end = test_now() + (double)nanoseconds * 1e-9;
    if (nanoseconds > 200000)
        nanosleep(&time, NULL);
    while (test_now() < end)
        sched_yield();
}

/* Kills the victim at some moment of the stage. False: there was none to be found. */
static bool strike(enum role role, pid_t application, enum stage stage)
{
    static long length[STAGES];
    int entered = (int)(random_number() % 2); /* the first time, or when memory is warm */
    pid_t victim = role == APPLICATION ? application : 0;
    if (!await_stage(entered, role, &victim))
        return false;
    long known = atomic_load(&shared->nanoseconds);
    if (known && known < 1000000000)
        length[stage] = known;
    long most = length[stage] ? length[stage] + length[stage] / 4 : 3000000;
    pause_ns((long)(random_number() % (uint64_t)most));
    double end = test_now() + PATIENCE_S;
    while (role != APPLICATION && !is_running(victim) && test_now() < end)
        if (!(victim = orphan_named(victims[role])))
            test_sleep(0.001);
    int inside = atomic_load(&shared->inside);
    if (victim <= 0 || kill(victim, SIGKILL))
        return false;
    tally.killed[role][stage]++;
    tally.inside[role][stage] += inside;
    return true;
}

static bool reaped_all(void *application_status)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0)
        if (pid == ((int *)application_status)[0])
            ((int *)application_status)[1] = status;
    return pid < 0 && errno == ECHILD;
}

static long names_left(void)
{
    long count = 0;
    char own[64];
    snprintf(own, sizeof own, "shmf.%s", test_name(""));
    shmf_name_sweep(NULL, NULL, NULL);
    DIR *shm = opendir("/dev/shm");
    struct dirent *entry;
    while (shm && (entry = readdir(shm)))
        count += test_names_are_own() ? entry->d_name[0] != '.'
                                      : !strncmp(entry->d_name, own, strlen(own));
    if (shm)
        closedir(shm);
    return count;
}

static void kill_rest(void)
{
    struct test_process list[64];
    test_process_print();
    size_t count = test_process_list(list, 64);
    for (size_t i = 0; i < count; i++)
        kill(list[i].pid, SIGKILL);
}

static void judge(enum role role, enum stage stage, int status)
{
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (role == APPLICATION ? killed : status == 0)
        return;
    tally.wrong++;
    fprintf(stderr, "%s, %s: status %x\n", role_names[role], stage_names[stage], (unsigned)status);
}

static void try_once(enum role role, enum stage stage)
{
    memset(shared, 0, sizeof *shared);
    bool on_demand = random_number() % 2;
    fflush(NULL);
    pid_t application = fork();
    if (application == 0)
        be_application(stage, stage == EARLY || role == EARLY_PROCESS, on_demand);
    bool struck = application > 0 && strike(role, application, stage);
    atomic_store(&shared->over, 1);
    int status[2] = {(int)application, -1};
    if (!test_wait_until(PATIENCE_S, reaped_all, status)) {
        tally.survivors++;
        fprintf(stderr, "%s, %s: processes are left:\n", role_names[role], stage_names[stage]);
        kill_rest();
        test_wait_until(PATIENCE_S, reaped_all, status);
    }
    tally.trials++;
    tally.unhurt += !struck;
    if (struck)
        judge(role, stage, status[1]);
    tally.bytes += (long)test_shared_bytes();
    tally.names += names_left();
}

static long shmem_kb(void)
{
    char line[128];
    long kb = -1;
    FILE *file = fopen("/proc/meminfo", "re");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "Shmem: %ld", &kb);
    if (file)
        fclose(file);
    return kb;
}

static void print_result(unsigned seed, double seconds, long before_kb, size_t descriptors,
                         bool good)
{
    printf("{\"campaign\": \"kill_owners\", \"seed\": %u, \"seconds\": %.1f, \"trials\": %ld", seed,
           seconds, tally.trials);
    for (int role = 0; role < ROLES; role++) {
        printf(", \"%s\": {", role_names[role]);
        for (int stage = 0; stage < STAGES; stage++)
            printf("%s\"%s\": [%ld, %ld]", stage ? ", " : "", stage_names[stage],
                   tally.killed[role][stage], tally.inside[role][stage]);
        printf("}");
    }
    printf(", \"not_struck\": %ld, \"survivors\": %ld, \"names_left\": %ld, \"bytes_left\": %ld, "
           "\"descriptors_left\": %zu, \"wrong\": %ld, \"shmem_kb_before\": %ld, "
           "\"shmem_kb_after\": %ld, \"bad\": %ld, \"good\": %s}\n",
           tally.unhurt, tally.survivors, tally.names, tally.bytes, descriptors, tally.wrong,
           before_kb, shmem_kb(),
           tally.survivors + tally.names + tally.bytes + (long)descriptors + tally.wrong,
           good ? "true" : "false");
}

int main(int argc, char **argv)
{
    long trials = argc > 1 ? atol(argv[1]) : 200;
    unsigned seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
    double start = test_now();
    test_own_names(NULL);
    random_state = seed;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) || prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0))
        return 1;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    struct test_account before = test_account_take();
    long before_kb = shmem_kb();
    for (long i = 0; i < trials; i++) {
        for (int role = 0; role < ROLES; role++)
            try_once((enum role)role, (enum stage)(i % STAGES));
    }
    struct test_account after = test_account_take();
    size_t left = test_account_leaks(&before, &after, true);
    bool good = !tally.survivors && !tally.names && !tally.bytes && !tally.wrong && !left;
    print_result(seed, test_now() - start, before_kb, left, good);
    test_account_free(&before);
    test_account_free(&after);
    return good ? 0 : 1;
}

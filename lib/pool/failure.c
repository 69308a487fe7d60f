/* Failures in words. */
#include "base/sys.h"
#include "pool/pool_internal.h"

#if __has_include(<execinfo.h>)
#include <execinfo.h>
#endif
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

_Static_assert(SHMF_BACKTRACE_SIZE == SHMFI_CRASH_FRAMES, "all frames that are noted");

char **shmfi_names_of(const struct shmf_backtrace *backtrace, int count)
{
#if __has_include(<execinfo.h>)
    void *frames[SHMF_BACKTRACE_SIZE];
    for (int i = 0; i < count; i++)
        frames[i] = (void *)(uintptr_t)backtrace->frames[i];
    return backtrace_symbols(frames, count);
#else
    (void)backtrace;
    (void)count;
    return NULL;
#endif
}

/* Where it was, in a few words behind the message. */
static void say_where(struct shmf_failure *failure)
{
    if (!failure->backtrace)
        return;
    char **names = shmfi_names_of(failure->backtrace, 1);
    size_t length = strlen(failure->message);
    const char *name = names ? names[0] : "";
    const char *slash = strrchr(name, '/');
    snprintf(failure->message + length, sizeof failure->message - length, ", at %s",
             slash ? slash + 1 : name);
    shmfi_sys.free(names);
}

/* Optional: without memory there is none. */
static const struct shmf_backtrace *keep(const struct shmf_backtrace *backtrace)
{
    if (backtrace->count < 1 || backtrace->count > SHMF_BACKTRACE_SIZE)
        return NULL;
    struct shmf_backtrace *copy = shmfi_sys.malloc(sizeof *copy);
    if (copy)
        *copy = *backtrace;
    return copy;
}

void shmfi_failure_of_death(struct shmf_failure *failure, int worker, pid_t pid,
                            const struct shmfi_control *message)
{
    int status = (int)message->value;
    failure->code = SHMF_E_WORKER_DIED;
    failure->worker = worker;
    failure->pid = pid;
    failure->exit_status = -1;
    if (WIFSIGNALED(status)) {
        failure->signal = WTERMSIG(status);
        failure->backtrace = keep(&message->backtrace);
        snprintf(failure->message, sizeof failure->message,
                 "worker %d (pid %ld) was ended by signal %d (%s) while it ran the task", worker,
                 (long)pid, failure->signal, strsignal(failure->signal));
        say_where(failure);
    } else {
        failure->exit_status = WEXITSTATUS(status);
        snprintf(failure->message, sizeof failure->message,
                 "worker %d (pid %ld) exited with status %d while it ran the task", worker,
                 (long)pid, failure->exit_status);
    }
}

int shmf_failure_print(const struct shmf_failure *failure, FILE *stream)
{
    if (!failure || !stream)
        return SHMF_E_INVAL;
    fprintf(stream, "%s: %s\n", shmf_status_name(failure->code), failure->message);
    const struct shmf_backtrace *backtrace = failure->backtrace;
    if (!backtrace)
        return ferror(stream) ? SHMF_E_SYS : SHMF_OK;
    char **names = shmfi_names_of(backtrace, backtrace->count);
    if (backtrace->address)
        fprintf(stream, "  about address 0x%" PRIx64 "\n", backtrace->address);
    for (int i = 0; i < backtrace->count; i++)
        fprintf(stream, "  #%-2d 0x%" PRIx64 " %s\n", i, backtrace->frames[i],
                names ? names[i] : "");
    shmfi_sys.free(names);
    return ferror(stream) ? SHMF_E_SYS : SHMF_OK;
}

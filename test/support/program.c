#include "support/program.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void beside(const char *name, char *path, size_t room)
{
    char own[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", own, sizeof own - 1);
    if (length < 0)
        abort();
    own[length] = '\0';
    *strrchr(own, '/') = '\0';
    if (snprintf(path, room, "%s/%s", own, name) >= (int)room)
        abort();
}

struct test_program test_program_start(const char *name, const char *first, const char *second)
{
    struct test_program program;
    int in[2], out[2];
    char path[PATH_MAX];
    beside(name, path, sizeof path);
    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        abort();
    fflush(NULL);
    program.pid = fork();
    if (program.pid < 0)
        abort();
    if (program.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl(path, name, first, second, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    program.input = in[1];
    program.output = fdopen(out[0], "r");
    if (!program.output)
        abort();
    return program;
}

const char *test_program_line(struct test_program *program)
{
    static char line[400];
    if (!fgets(line, sizeof line, program->output))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return line;
}

struct test_outcome test_program_end(struct test_program *program)
{
    close(program->input);
    struct test_outcome outcome = test_join(program->pid, 10);
    fclose(program->output);
    return outcome;
}

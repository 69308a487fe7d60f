#include "options.h"

#include <argp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_TEXTS = 4,
    KEY_SEQUENTIAL = 256,
    KEY_PIPE,
    KEY_ATTEMPTS,
    KEY_NO_CHECK,
    KEY_PROGRESS,
    KEY_JSON,
    KEY_TEXT
};

static const struct argp_option common_options[] = {
    {"mode", 'm', "WAY", 0, "all (default), sequential, pipe or shared; a list with commas", 0},
    {"tasks", 'n', "N", 0, "number of tasks", 0},
    {"sequential-tasks", KEY_SEQUENTIAL, "N", 0, "how many of them run sequentially", 0},
    {"pipe-tasks", KEY_PIPE, "N", 0, "how many of them run through pipes", 0},
    {"rows", 'r', "N", 0, "rows of the input", 0},
    {"columns", 'c', "N", 0, "columns of the input", 0},
    {"workers", 'w', "N", 0, "worker processes; 0: one per CPU", 0},
    {"window", 'W', "N", 0, "tasks in flight; 0: two per worker", 0},
    {"attempts", KEY_ATTEMPTS, "N", 0, "start a task up to N times when its worker dies", 0},
    {"seed", 's', "N", 0, "seed of all random numbers", 0},
    {"quick", 'q', 0, 0, "small sizes, to try it out", 0},
    {"no-check", KEY_NO_CHECK, 0, 0, "only measure, do not compare the results", 0},
    {"progress", KEY_PROGRESS, 0, 0, "progress bar even when stderr is no terminal", 0},
    {"json", KEY_JSON, "FILE", 0, "append figures as JSON lines; - for standard output", 0},
    {0},
};

/* What the parser needs beside the result. */
struct parsing {
    struct options *options;
    const struct options *quick;
    const struct text_option *texts;
};

static int64_t number(struct argp_state *state, const char *text, int64_t least, int64_t most)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || value < least || value > most)
        argp_error(state, "\"%s\" is not a number from %lld to %lld", text, (long long)least,
                   (long long)most);
    return value;
}

static unsigned ways(struct argp_state *state, const char *text)
{
    static const struct {
        const char *name;
        unsigned ways;
    } known[] = {{"all", WAY_ALL},
                 {"sequential", WAY_SEQUENTIAL | WAY_BUFFER},
                 {"pipe", WAY_PIPE},
                 {"shared", WAY_SHARED}};
    unsigned found = 0;
    while (*text) {
        size_t length = strcspn(text, ","), i = 0;
        while (i < 4 &&
               (strlen(known[i].name) != length || strncmp(known[i].name, text, length) != 0))
            i++;
        if (i == 4)
            argp_error(state, "unknown way in --mode: \"%s\"", text);
        else
            found |= known[i].ways;
        text += length + (text[length] == ',');
    }
    return found;
}

static void quick(struct options *options, const struct options *sizes)
{
    options->rows = sizes->rows;
    options->columns = sizes->columns;
    options->tasks = sizes->tasks;
    options->sequential = sizes->sequential;
    options->pipe = sizes->pipe;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    struct options *options = parsing->options;
    const int64_t many = INT64_C(1) << 40;
    switch (key) {
    case 'm':
        options->ways = ways(state, text);
        break;
    case 'n':
        options->tasks = number(state, text, 1, many);
        break;
    case KEY_SEQUENTIAL:
        options->sequential = number(state, text, 1, many);
        break;
    case KEY_PIPE:
        options->pipe = number(state, text, 1, many);
        break;
    case 'r':
        options->rows = number(state, text, 1, many);
        break;
    case 'c':
        options->columns = number(state, text, 1, many);
        break;
    case 'w':
        options->workers = (int)number(state, text, 0, 1024);
        break;
    case 'W':
        options->window = (int)number(state, text, 0, 65536);
        break;
    case KEY_ATTEMPTS:
        options->attempts = (int)number(state, text, 1, 1000);
        break;
    case 's':
        options->seed = strtoull(text, NULL, 0);
        break;
    case 'q':
        quick(options, parsing->quick);
        break;
    case KEY_NO_CHECK:
        options->check = false;
        break;
    case KEY_PROGRESS:
        options->progress = true;
        break;
    case KEY_JSON:
        options->json = text;
        break;
    default:
        if (key < KEY_TEXT || key >= KEY_TEXT + MAX_TEXTS)
            return ARGP_ERR_UNKNOWN;
        *parsing->texts[key - KEY_TEXT].value = text;
    }
    return 0;
}

static int allowed_cpus(void)
{
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof cpus, &cpus) ? 1 : CPU_COUNT(&cpus);
}

void options_parse(struct options *options, const struct options *quick_sizes, const char *about,
                   const struct text_option *texts, int argc, char **argv)
{
    struct argp_option all[sizeof common_options / sizeof *common_options + MAX_TEXTS] = {{0}};
    struct argp argp = {.options = all, .parser = parse, .doc = about};
    struct parsing parsing = {options, quick_sizes, texts};
    size_t n = 0;
    while (common_options[n].name) {
        all[n] = common_options[n];
        n++;
    }
    for (int i = 0; texts && i < MAX_TEXTS && texts[i].name; i++, n++) {
        all[n].name = texts[i].name;
        all[n].key = KEY_TEXT + i;
        all[n].arg = texts[i].argument;
        all[n].doc = texts[i].help;
    }
    options->ways = WAY_ALL;
    options->check = true;
    options->seed = 1;
    argp_parse(&argp, argc, argv, 0, NULL, &parsing);
    if (!options->workers)
        options->workers = allowed_cpus();
    if (!options->window)
        options->window = 2 * options->workers;
    if (options->sequential > options->tasks || !options->sequential)
        options->sequential = options->tasks;
    if (options->pipe > options->tasks || !options->pipe)
        options->pipe = options->tasks;
}

/* Arguments, errors and objects, as the commands share them. */
#include "cli.h"

#include <string.h>

error_t cli_option(int key, struct cli_names *names)
{
    if (key == 'j')
        names->json = true;
    else if (key == CLI_KEY_OTHERS)
        names->other_users = true;
    else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

error_t cli_arguments(int key, const struct argp_state *state, struct cli_names *names, int least,
                      int most)
{
    if (key == ARGP_KEY_ARGS) {
        names->names = state->argv + state->next;
        names->n_names = state->argc - state->next;
    } else if (key == ARGP_KEY_END && names->n_names < least) {
        argp_error(state, "an argument is missing");
    } else if (key == ARGP_KEY_END && most >= 0 && names->n_names > most) {
        argp_error(state, "there are too many arguments");
    } else if (key != ARGP_KEY_END) {
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* Reasons may quote what others wrote: nothing of it reaches the terminal as a command. */
static void print_safe(const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, stderr);
}

int cli_fail_text(const char *what, const char *reason)
{
    fflush(stdout);
    fputs("shmframe: ", stderr);
    print_safe(what);
    fputs(": ", stderr);
    print_safe(reason);
    fputc('\n', stderr);
    return CLI_FAILED;
}

/* The library names the file or the name itself where that is the culprit. */
int cli_fail(const char *what, const struct shmf_error *err)
{
    const char *reason = err->code ? err->message : "failed without a reason";
    size_t size = strlen(what);
    if (strncmp(reason, what, size) == 0 && strncmp(reason + size, ": ", 2) == 0)
        reason += size + 2;
    return cli_fail_text(what, reason);
}

int cli_attach(struct cli_object *object, const char *from, bool other_users,
               struct shmf_error *err)
{
    const struct shmf_attach_options options = {.other_users = other_users};
    struct shmf_error second = {0};
    *object = (struct cli_object){.frame = shmf_frame_attach(from, &options, err)};
    if (object->frame)
        return SHMF_OK;
    if (err->code == SHMF_E_INVAL) /* an array, or no name at all: then the first reason stands */
        object->array = shmf_array_attach(from, &options, &second);
    if (object->array)
        return SHMF_OK;
    if (second.code && second.code != SHMF_E_INVAL)
        *err = second;
    return err->code;
}

void cli_object_free(struct cli_object *object)
{
    shmf_frame_free(object->frame);
    shmf_array_free(object->array);
}

struct shmf_frame *cli_frame(const char *from, bool other_users)
{
    struct shmf_error err = {0};
    const struct shmf_attach_options options = {.other_users = other_users};
    struct shmf_frame *frame = shmf_frame_attach(from, &options, &err);
    if (!frame)
        cli_fail(from, &err);
    return frame;
}

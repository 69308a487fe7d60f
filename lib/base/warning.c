#include "base/warning.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST 512

static shmf_warning_fn listener;
static void *listeners_user;
static bool silenced;

void shmf_set_warning_fn(shmf_warning_fn fn, void *user)
{
    listener = fn;
    listeners_user = user;
}

void shmfi_warn_no_more(void)
{
    silenced = true;
}

static bool environment_says_so(void)
{
    const char *said = getenv("SHMFRAME_WARNINGS");
    return said && said[0] && !(said[0] == '0' && !said[1]);
}

bool shmfi_warns(void)
{
    return !silenced && (listener || environment_says_so());
}

void shmfi_warn(const char *format, ...)
{
    if (!shmfi_warns())
        return;
    char text[MOST];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (listener)
        listener(text, listeners_user);
    else
        fprintf(stderr, "shmframe: %s\n", text);
}

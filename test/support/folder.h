/* A folder of its own for a test or a group, with the path of one file in it. */
#ifndef TEST_SUPPORT_FOLDER_H
#define TEST_SUPPORT_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[32], path[64];

/* For setups: `path` is that of a file of this name, which is not there yet. */
static inline int folder_make(const char *name)
{
    strcpy(folder, "/tmp/shmf-test-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return 0;
}

/* A teardown; it fails if there is anything but the file. */
static inline int folder_remove(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

#endif

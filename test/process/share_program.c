/* A program that shares nothing with the tests but names, sockets and descriptors; by the library's
 * public headers alone. Exit status 0: it went as the command says.
 *
 *     sum FROM               attaches the array and prints the sum of its bytes
 *     keep FROM              attaches it, prints "attached", waits for the end of its input, and
 *                            exits without freeing anything
 *     publish NAME           publishes an array of 100,000 bytes, prints "published", and waits so
 *     persist NAME           the same for one that persists */
#include <shmframe/shmframe.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int fail(const struct shmf_error *err)
{
    printf("%s: %s\n", shmf_status_name(err->code), err->message);
    return 1;
}

static void wait_for_end(const char *says)
{
    char byte;
    puts(says);
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
}

static int attach(const char *from, int keep)
{
    struct shmf_error err;
    static struct shmf_array *array; /* held to the end by "keep" */
    array = shmf_array_attach(from, NULL, &err);
    if (!array)
        return fail(&err);
    const unsigned char *bytes = shmf_array_data(array);
    unsigned long long sum = 0;
    for (int64_t i = 0; i < shmf_array_size(array); i++)
        sum += bytes[i];
    if (keep) {
        wait_for_end("attached");
        return 0;
    }
    printf("%llu\n", sum);
    shmf_array_free(array);
    return 0;
}

static int publish(const char *name, uint32_t policy)
{
    const struct shmf_publish_options options = {.policy = policy};
    const int64_t size = 100000;
    struct shmf_error err;
    struct shmf_array *array = shmf_array_new(SHMF_UINT8, 1, &size, &err);
    if (!array)
        return fail(&err);
    memset(shmf_array_data_mut(array), 1, (size_t)size);
    static struct shmf_share *share; /* held to the end */
    share = shmf_array_publish(array, name, &options, &err);
    shmf_array_free(array);
    if (!share)
        return fail(&err);
    wait_for_end("published");
    return 0;
}

int main(int n, char **args)
{
    if (n != 3)
        return 2;
    if (!strcmp(args[1], "sum") || !strcmp(args[1], "keep"))
        return attach(args[2], !strcmp(args[1], "keep"));
    if (!strcmp(args[1], "publish") || !strcmp(args[1], "persist"))
        return publish(args[2], !strcmp(args[1], "persist"));
    return 2;
}

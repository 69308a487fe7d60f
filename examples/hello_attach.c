/* A frame of another program, by its name; run hello_publish first, in another terminal.
 *
 *     cc hello_attach.c -o hello_attach $(pkg-config --cflags --libs shmframe)
 *     ./hello_attach [NAME]
 *
 * prints
 *
 *     3 rows, 2 columns, of process 4711
 *     pears on tuesday: 2
 *     in a private view: 99 */
#include <shmframe/shmframe.h>

#include <stdio.h>

int main(int n, char **args)
{
    const char *name = n > 1 ? args[1] : "hello-prices";
    struct shmf_name_info info;
    struct shmf_error err;
    if (shmf_name_info(name, &info, &err) < 0) {
        fprintf(stderr, "%s: %s\n", shmf_status_name(err.code), err.message);
        return 1;
    }
    printf("%d rows, %d columns, of process %d\n", (int)info.shape[0], (int)info.shape[1],
           (int)info.pid);

    /* Mapped, not copied, and looked at with care: others wrote it. */
    struct shmf_frame *frame = shmf_frame_attach(name, NULL, &err);
    const struct shmf_attach_options private_view = {.access = SHMF_COPY_ON_WRITE};
    struct shmf_frame *mine = shmf_frame_attach(name, &private_view, &err);
    double price;
    if (!frame || !mine ||
        shmf_frame_cell(frame, shmf_frame_loc(frame, "tuesday"), 1, &price) != SHMF_OK) {
        fprintf(stderr, "%s: %s\n", shmf_status_name(err.code), err.message);
        return 1;
    }
    printf("pears on tuesday: %g\n", price);
    double *pears = shmf_frame_data_mut(mine, 1);
    pears[1] = 99; /* nobody else sees it */
    printf("in a private view: %g\n", pears[1]);
    shmf_frame_free(mine);
    shmf_frame_free(frame);
    return 0;
}

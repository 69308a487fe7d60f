/* A frame for other programs: this one publishes it, hello_attach, in another terminal, looks.
 *
 *     cc hello_publish.c -o hello_publish $(pkg-config --cflags --libs shmframe)
 *     ./hello_publish [NAME]
 *
 * prints
 *
 *     "hello-prices" is there until you press Enter
 *     it is gone */
#include <shmframe/shmframe.h>

#include <stdio.h>

int main(int n, char **args)
{
    static const char *const days[] = {"monday", "tuesday", "wednesday"};
    static const double apples[] = {1.2, 1.3, 1.25}, pears[] = {2.1, 2.0, 2.2};
    static const struct shmf_column_spec columns[] = {{"apples", SHMF_FLOAT64, 0},
                                                      {"pears", SHMF_FLOAT64, 0}};
    const struct shmf_frame_spec spec = {
        .n_rows = 3, .n_columns = 2, .columns = columns, .row_labels = days};
    const char *name = n > 1 ? args[1] : "hello-prices";
    struct shmf_error err;
    struct shmf_frame *frame =
        shmf_frame_from_columns(&spec, (const void *[]){apples, pears}, NULL, &err);

    /* The name appears when the frame is complete. Should this program be killed, the next who
     * publishes under the same name takes it over, and shmf_name_sweep() removes it. */
    struct shmf_share *share = frame ? shmf_frame_publish(frame, name, NULL, &err) : NULL;
    shmf_frame_free(frame); /* a copy was published */
    if (!share) {
        fprintf(stderr, "%s: %s\n", shmf_status_name(err.code), err.message);
        return 1;
    }
    printf("\"%s\" is there until you press Enter\n", name);
    fflush(stdout);
    getchar();
    shmf_share_free(share); /* the name goes; who is attached stays attached */
    puts("it is gone");
    return 0;
}

/* bench_arrow [ROWS]: a frame of int64, float64 with nulls and utf8 through the routes of Arrow:
 * what each costs beside a copy of the same bytes, and whether it comes back equal (the exit
 * status). */
#include <shmframe/shmframe.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static struct shmf_frame *make(int64_t n)
{
    const struct shmf_column_spec columns[] = {
        {"number", SHMF_INT64, 0}, {"real", SHMF_FLOAT64, 1}, {"word", SHMF_UTF8, 0}};
    const struct shmf_column_details details[] = {
        {.data_size = 0}, {.data_size = 0}, {.data_size = 10 * n}};
    struct shmf_frame *frame = shmf_frame_new(
        &(struct shmf_frame_spec){
            .n_rows = n, .n_columns = 3, .columns = columns, .details = details},
        NULL);
    if (!frame)
        exit(1);
    int64_t *numbers = shmf_frame_data_mut(frame, 0);
    double *reals = shmf_frame_data_mut(frame, 1);
    char *words = shmf_frame_data_mut(frame, 2);
    int32_t *ends = shmf_frame_offsets_mut(frame, 2);
    uint8_t *validity = shmf_frame_validity_mut(frame, 1);
    for (int64_t r = 0; r < n; r++) {
        numbers[r] = r * 7919;
        reals[r] = (double)r / 8;
        memcpy(words + 10 * r, "abcdefghij", 10);
        words[10 * r + r % 10] = (char)('A' + r % 26);
        ends[r + 1] = (int32_t)(10 * (r + 1));
        if (r % 11 == 3)
            validity[r / 8] &= (uint8_t) ~(1u << (r % 8));
    }
    if (shmf_frame_finish(frame, NULL))
        exit(1);
    return frame;
}

static int failures;

static void check(const struct shmf_frame *frame, struct shmf_frame *back, const char *route,
                  double seconds, const struct shmf_error *err)
{
    int same = back && shmf_frame_equal(frame, back) == 1;
    printf("%-34s %8.1f ms  %s\n", route, seconds * 1e3,
           same   ? "equal"
           : back ? "DIFFERENT"
                  : err->message);
    failures += !same;
    shmf_frame_free(back);
}

static void export_and_import(const struct shmf_frame *frame, int64_t batch_rows)
{
    struct ArrowArrayStream stream;
    struct ArrowArray array;
    struct shmf_error err = {0};
    const struct shmf_arrow_export_options options = {.batch_rows = batch_rows};
    double begin = now();
    shmf_arrow_export_stream(frame, &options, &stream, NULL);
    int64_t n = 0;
    for (; stream.get_next(&stream, &array) == 0 && array.release; n++)
        array.release(&array);
    stream.release(&stream);
    printf("export, %6lld batches              %8.3f ms\n", (long long)n, (now() - begin) * 1e3);
    shmf_arrow_export_stream(frame, &options, &stream, NULL);
    begin = now();
    struct shmf_frame *back = shmf_arrow_import_stream(&stream, NULL, &err);
    double seconds = now() - begin;
    stream.release(&stream);
    check(frame, back, "import of these", seconds, &err);
}

static void write_and_read(const struct shmf_frame *frame, enum shmf_ipc_format format)
{
    struct shmf_error err = {0};
    int fd = memfd_create("bench", MFD_CLOEXEC);
    const struct shmf_ipc_options options = {.format = format, .batch_rows = 1 << 20};
    double begin = now();
    if (shmf_ipc_write(frame, fd, &options, &err))
        printf("%s\n", err.message);
    double written = now() - begin;
    lseek(fd, 0, SEEK_SET);
    begin = now();
    struct shmf_frame *back = shmf_ipc_read(fd, NULL, &err);
    double seconds = now() - begin;
    close(fd);
    printf("IPC %s, written to a memfd   %8.1f ms\n", format == SHMF_IPC_FILE ? "file  " : "stream",
           written * 1e3);
    check(frame, back, "                read from it", seconds, &err);
}

int main(int argc, char **argv)
{
    int64_t n = argc > 1 ? atoll(argv[1]) : 10000000;
    struct shmf_frame *frame = make(n);
    struct shmf_column column;
    size_t size = 0;
    for (int64_t c = 0; c < 3; c++)
        if (shmf_frame_column(frame, c, &column) == SHMF_OK)
            size += (size_t)column.data_size + (column.offsets ? (size_t)n * 4 : 0);
    char *copy = malloc(size);
    double begin = now();
    for (int64_t c = 0, at = 0; copy && c < 3; c++)
        if (shmf_frame_column(frame, c, &column) == SHMF_OK) {
            memcpy(copy + at, column.data, (size_t)column.data_size);
            at += column.data_size;
        }
    printf("%lld rows, %zu MB; memcpy to fresh memory %.1f ms\n", (long long)n, size / 1000000,
           (now() - begin) * 1e3);
    free(copy);
    export_and_import(frame, 0);
    export_and_import(frame, 1 << 16);
    write_and_read(frame, SHMF_IPC_FILE);
    write_and_read(frame, SHMF_IPC_STREAM);
    shmf_frame_free(frame);
    return failures ? 1 : 0;
}

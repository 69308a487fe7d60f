/* The fourth step: a frame handed to a library that knows Arrow, but not us, and back.
 *
 *     cc hello_arrow.c -o hello_arrow $(pkg-config --cflags --libs shmframe)
 *
 * prints
 *
 *     they see a stream of cities (u), metres (l)
 *     a batch of 2 rows, its numbers in the frame's own memory
 *     a batch of 1 rows, its numbers in the frame's own memory
 *     they computed 201 metres
 *             cities  metres
 *               utf8   int64
 *     0  Oslo, Bergen      23
 *     1          Lima     154
 *     2         Osaka      24
 *
 *     [3 rows x 2 columns] */
#include <shmframe/shmframe.h>

#include <stdio.h>

/* What another library would do: it knows the structures of the Arrow C Stream interface, consumes
 * the stream, and releases everything. `ours` is for the message alone. */
static int64_t sum_of_metres(struct ArrowArrayStream *stream, const struct shmf_column *ours)
{
    const char *begin = ours->data, *end = begin + ours->data_size;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    int64_t sum = 0;
    if (stream->get_schema(stream, &schema))
        return -1;
    printf("they see a stream of %s (%s), %s (%s)\n", schema.children[0]->name,
           schema.children[0]->format, schema.children[1]->name, schema.children[1]->format);
    schema.release(&schema);
    while (stream->get_next(stream, &batch) == 0 && batch.release) {
        const struct ArrowArray *metres = batch.children[1];
        const int64_t *values = (const int64_t *)metres->buffers[1] + metres->offset;
        int inside =
            (const char *)values >= begin && (const char *)(values + metres->length) <= end;
        printf("a batch of %lld rows, its numbers in %s memory\n", (long long)batch.length,
               inside ? "the frame's own" : "other");
        for (int64_t i = 0; i < metres->length; i++)
            sum += values[i];
        batch.release(&batch);
    }
    stream->release(stream);
    return sum;
}

int main(void)
{
    const struct shmf_column_spec columns[] = {{.label = "cities", .dtype = SHMF_UTF8},
                                               {.label = "metres", .dtype = SHMF_INT64}};
    const struct shmf_frame_spec spec = {.n_rows = 3, .n_columns = 2, .columns = columns};
    const struct shmf_text cities[] = {{"Oslo, Bergen", 12}, {"Lima", 4}, {"Osaka", 5}};
    const int64_t metres[] = {23, 154, 24};
    const void *const data[] = {cities, metres};
    const struct shmf_arrow_export_options two_rows = {.batch_rows = 2};
    struct ArrowArrayStream stream;
    struct shmf_column column;
    struct shmf_error err = {0};
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, data, NULL, &err);
    if (!frame || shmf_frame_column(frame, 1, &column) ||
        shmf_arrow_export_stream(frame, &two_rows, &stream, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("they computed %lld metres\n", (long long)sum_of_metres(&stream, &column));

    /* Back: whatever makes a stream makes a frame; this copies. */
    shmf_arrow_export_stream(frame, &two_rows, &stream, NULL);
    shmf_frame_free(frame); /* the stream has what it needs */
    struct shmf_frame *back = shmf_arrow_import_stream(&stream, NULL, &err);
    stream.release(&stream);
    if (!back) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    shmf_frame_print(back, stdout, NULL);
    shmf_frame_free(back);
    return 0;
}

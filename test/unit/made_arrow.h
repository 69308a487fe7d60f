/* Arrow structures made by hand, over memory of the test. */
#ifndef TEST_UNIT_MADE_ARROW_H
#define TEST_UNIT_MADE_ARROW_H

#include <shmframe/arrow.h>

#include <errno.h>
#include <stddef.h>

static inline void made_schema_release(struct ArrowSchema *schema)
{
    schema->release = NULL;
}

static inline void made_array_release(struct ArrowArray *array)
{
    array->release = NULL;
}

static inline struct ArrowSchema made_schema(const char *format, const char *name)
{
    return (struct ArrowSchema){.format = format,
                                .name = name,
                                .flags = ARROW_FLAG_NULLABLE,
                                .release = made_schema_release};
}

static inline struct ArrowSchema made_root(struct ArrowSchema **children, int64_t n)
{
    return (struct ArrowSchema){
        .format = "+s", .n_children = n, .children = children, .release = made_schema_release};
}

/* Nulls are not counted. */
static inline struct ArrowArray made_array(int64_t length, int64_t offset, int64_t n_buffers,
                                           const void **buffers)
{
    return (struct ArrowArray){.length = length,
                               .offset = offset,
                               .null_count = n_buffers > 0 && buffers[0] ? -1 : 0,
                               .n_buffers = n_buffers,
                               .buffers = buffers,
                               .release = made_array_release};
}

/* A stream of batches that are there; `fails`: instead of the batch with this number. */
struct made_stream {
    const struct ArrowSchema *schema;
    const struct ArrowArray *batches;
    int n, next, fails;
};

static inline int made_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *schema)
{
    *schema = *((struct made_stream *)stream->private_data)->schema;
    return 0;
}

static inline int made_get_next(struct ArrowArrayStream *stream, struct ArrowArray *array)
{
    struct made_stream *made = stream->private_data;
    if (made->fails && made->next == made->fails)
        return EIO;
    *array = made->next < made->n ? made->batches[made->next++] : (struct ArrowArray){.length = 0};
    return 0;
}

static inline const char *made_last_error(struct ArrowArrayStream *stream)
{
    (void)stream;
    return "the disk is on fire";
}

static inline void made_stream_release(struct ArrowArrayStream *stream)
{
    stream->release = NULL;
}

static inline struct ArrowArrayStream made_stream(struct made_stream *made)
{
    return (struct ArrowArrayStream){made_get_schema, made_get_next, made_last_error,
                                     made_stream_release, made};
}

#endif

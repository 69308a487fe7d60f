/* Tasks that return everything that tasks may return, and checks of what came of them. */
#ifndef TEST_MPI_KINDS_H
#define TEST_MPI_KINDS_H

#include "mpi/pools.h"

#include <shmframe/derive.h>

enum kind {
    NOTHING,
    NUMBER,
    BYTES,
    MANY_BYTES,
    ARRAY,
    BIG_ARRAY,
    TEXT,
    BIG_TEXT,
    BIG_FRAME,
    FAILURE,
    KINDS
};

static inline void fill(void *to, size_t size, int64_t index)
{
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)to)[i] = (unsigned char)(i * 7 + i / 251 + (size_t)index);
}

static inline bool is_filled(const void *bytes, size_t size, int64_t index)
{
    for (size_t i = 0; i < size; i++)
        if (((const unsigned char *)bytes)[i] != (unsigned char)(i * 7 + i / 251 + (size_t)index))
            return false;
    return true;
}

static inline int64_t shape_of(enum kind kind, int64_t *shape)
{
    shape[0] = 3;
    shape[1] = kind == BIG_ARRAY ? 300000 : 5;
    return shape[0] * shape[1] * (int64_t)sizeof(double);
}

static inline struct shmf_frame *text_frame(enum kind kind, int64_t index)
{
    int64_t n = kind == BIG_TEXT ? 20000 : 10;
    struct shmf_text *texts = calloc((size_t)n, sizeof *texts);
    struct shmf_column_spec column = {"text", SHMF_UTF8, 0};
    struct shmf_frame_spec spec = {
        .n_rows = n, .n_columns = 1, .columns = &column, .range_start = index};
    const void *data[1] = {texts};
    for (int64_t r = 0; r < n; r++) {
        static const char *const words[] = {"a", "frame", NULL, "of some words"};
        const char *word = words[(r + index) % 4];
        texts[r] = (struct shmf_text){word, word ? (int64_t)strlen(word) : 0};
    }
    struct shmf_frame *frame = shmf_frame_from_columns(&spec, data, NULL, NULL);
    free(texts);
    return frame;
}

static inline struct shmf_frame *number_frame(int64_t index)
{
    static const struct shmf_column_spec columns[] = {
        {"first", SHMF_FLOAT64, 0}, {"second", SHMF_INT16, 0}, {"third", SHMF_UINT8, 0}};
    static const struct shmf_pair pair = {{"made by", 7}, {"a task", 6}};
    struct shmf_frame_spec spec = {.n_rows = 50001,
                                   .n_columns = 3,
                                   .columns = columns,
                                   .range_start = 5 + index,
                                   .range_step = 2,
                                   .metadata = &pair,
                                   .n_metadata = 1};
    struct shmf_frame *frame = shmf_frame_new(&spec, NULL);
    static const size_t widths[] = {8, 2, 1};
    for (int64_t c = 0; frame && c < 3; c++)
        fill(shmf_frame_data_mut(frame, c), 50001 * widths[c], index + c);
    return frame && shmf_frame_finish(frame, NULL) == SHMF_OK ? frame : NULL;
}

/* Each kind in turn. */
static inline int return_kind(struct shmf_task *task, void *context)
{
    int64_t index = shmf_task_index(task), shape[2], size;
    enum kind kind = (enum kind)(index % KINDS);
    static char bytes[200000];
    struct shmf_array *array;
    (void)context;
    switch (kind) {
    case NOTHING:
        return 0;
    case NUMBER:
        return shmf_task_return_double(task, (double)index);
    case BYTES:
    case MANY_BYTES:
        size = kind == BYTES ? 100 : 200000;
        fill(bytes, (size_t)size, index);
        return shmf_task_return_bytes(task, bytes, (size_t)size);
    case ARRAY:
    case BIG_ARRAY:
        size = shape_of(kind, shape);
        array = shmf_task_new_array(task, SHMF_FLOAT64, 2, shape);
        if (!array)
            return -1;
        fill(shmf_array_data_mut(array), (size_t)size, index);
        return shmf_task_return_array(task, array);
    case TEXT:
    case BIG_TEXT:
    case BIG_FRAME: {
        struct shmf_frame *frame =
            kind == BIG_FRAME ? number_frame(index) : text_frame(kind, index);
        frame = shmf_task_own_frame(task, frame, NULL);
        return frame ? shmf_task_return_frame(task, frame) : -1;
    }
    default:
        return shmf_task_fail(task, SHMF_E_RANGE, "task %lld does not want to", (long long)index);
    }
}

static inline bool same_frame(const struct shmf_frame *frame, struct shmf_frame *wanted)
{
    bool same = frame && wanted && shmf_frame_equal(frame, wanted) == 1;
    shmf_frame_free(wanted);
    return same;
}

static inline void check_kind(const struct shmf_mpi_result *result)
{
    int64_t index = result->index, shape[2];
    enum kind kind = (enum kind)(index % KINDS);
    check(result->status == (kind == FAILURE ? SHMF_E_RANGE : SHMF_OK));
    check((result->failure != NULL) == (kind == FAILURE));
    check((result->array != NULL) == (kind == ARRAY || kind == BIG_ARRAY));
    check((result->frame != NULL) == (kind == TEXT || kind == BIG_TEXT || kind == BIG_FRAME));
    switch (kind) {
    case NOTHING:
        check(result->size == 0);
        break;
    case NUMBER:
        check(result->size == sizeof(double) && *(const double *)result->bytes == (double)index);
        break;
    case BYTES:
    case MANY_BYTES:
        check(result->size == (kind == BYTES ? 100 : 200000));
        check(is_filled(result->bytes, result->size, index));
        break;
    case ARRAY:
    case BIG_ARRAY:
        check(is_filled(shmf_array_data(result->array), (size_t)shape_of(kind, shape), index));
        check(shmf_array_ndim(result->array) == 2 && shmf_array_shape(result->array)[0] == 3);
        check(shmf_array_dtype(result->array) == SHMF_FLOAT64);
        break;
    case TEXT:
    case BIG_TEXT:
        check(same_frame(result->frame, text_frame(kind, index)));
        break;
    case BIG_FRAME:
        check(same_frame(result->frame, number_frame(index)));
        check(shmf_frame_n_metadata(result->frame, -1) == 1);
        break;
    default:
        check(strstr(result->failure->message, "does not want to"));
        check(result->failure->code == SHMF_E_RANGE && result->failure->attempts == 1);
    }
}

#endif

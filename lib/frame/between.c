/* Ranges of rows by their labels. */
#include "frame/frame_internal.h"

#include <string.h>

/* One end of a range: text, or a number if `text` is NULL. */
struct end {
    const char *text;
    uint64_t size;
    int64_t number;
};

/* The label of a row, less than (negative), equal to (0) or greater than the end. */
static int compare(const struct shmf_frame *frame, int64_t row, const struct end *end)
{
    int64_t number = 0;
    if (!end->text) {
        shmf_frame_row_number(frame, row, &number);
        return (number > end->number) - (number < end->number);
    }
    struct shmf_text label = shmf_frame_row_text(frame, row);
    uint64_t size = (uint64_t)label.size, least = size < end->size ? size : end->size;
    int order = least > 0 ? memcmp(label.data, end->text, least) : 0;
    return order ? order : (size > end->size) - (size < end->size);
}

static int64_t find(const struct shmf_frame *frame, const struct end *end, int64_t *count)
{
    *count = 1;
    if (end->text)
        return shmf_frame_loc_text(frame, (struct shmf_text){end->text, (int64_t)end->size}, count);
    return shmf_frame_loc_number_count(frame, end->number, count);
}

/* From the first row with a label to the last: an index knows the first and how many there are. */
static int64_t last_of(const struct shmf_frame *frame, const struct end *end)
{
    int64_t count, row = find(frame, end, &count), last = row;
    for (; row >= 0 && count > 1 && ++row < shmf_frame_rows(frame);)
        if (compare(frame, row, end) == 0) {
            last = row;
            count--;
        }
    return last;
}

static int from_to(const struct shmf_frame *frame, const struct end *from, const struct end *to,
                   int64_t *first, int64_t *count)
{
    int64_t ignored, begin = find(frame, from, &ignored), last = last_of(frame, to);
    if (begin < 0 || last < 0)
        return (int)(begin < 0 ? begin : last);
    *first = begin;
    *count = last < begin ? 0 : last - begin + 1;
    return SHMF_OK;
}

/* The first row whose label is not less than the end; with `behind`, that is greater. In a range
 * that descends: not greater, less. */
static int64_t bound(const struct shmf_frame *frame, const struct end *end, bool behind)
{
    const struct shmf_format_frame *h = &frame->header;
    bool descends = h->row_labels == SHMF_ROWS_RANGE && h->range_step < 0;
    int64_t low = 0, high = shmf_frame_rows(frame);
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = compare(frame, middle, end);
        if (descends)
            order = -order;
        if (order < 0 || (behind && order == 0))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int between(const struct shmf_frame *frame, const struct end *least, const struct end *most,
                   int64_t *first, int64_t *count)
{
    const struct shmf_format_frame *h = &frame->header;
    bool descends = h->row_labels == SHMF_ROWS_RANGE && h->range_step < 0;
    int64_t begin = bound(frame, descends ? most : least, false);
    int64_t end = bound(frame, descends ? least : most, true);
    *first = begin;
    *count = end > begin ? end - begin : 0;
    return SHMF_OK;
}

static int check(const struct shmf_frame *frame, bool texts, const int64_t *first,
                 const int64_t *count)
{
    if (!frame || !first || !count)
        return SHMF_E_INVAL;
    return (frame->header.row_labels == SHMF_ROWS_UTF8) == texts ? SHMF_OK : SHMF_E_DTYPE;
}

static struct end text_end(const char *text)
{
    return (struct end){.text = text, .size = strlen(text)};
}

int shmf_frame_loc_from_to(const struct shmf_frame *frame, const char *from, const char *to,
                           int64_t *first, int64_t *count)
{
    int rc = from && to ? check(frame, true, first, count) : SHMF_E_INVAL;
    if (rc)
        return rc;
    const struct end ends[] = {text_end(from), text_end(to)};
    return from_to(frame, &ends[0], &ends[1], first, count);
}

int shmf_frame_loc_numbers_from_to(const struct shmf_frame *frame, int64_t from, int64_t to,
                                   int64_t *first, int64_t *count)
{
    int rc = check(frame, false, first, count);
    const struct end ends[] = {{.number = from}, {.number = to}};
    return rc ? rc : from_to(frame, &ends[0], &ends[1], first, count);
}

int shmf_frame_loc_between(const struct shmf_frame *frame, const char *least, const char *most,
                           int64_t *first, int64_t *count)
{
    int rc = least && most ? check(frame, true, first, count) : SHMF_E_INVAL;
    if (rc)
        return rc;
    const struct end ends[] = {text_end(least), text_end(most)};
    return between(frame, &ends[0], &ends[1], first, count);
}

int shmf_frame_loc_numbers_between(const struct shmf_frame *frame, int64_t least, int64_t most,
                                   int64_t *first, int64_t *count)
{
    int rc = check(frame, false, first, count);
    const struct end ends[] = {{.number = least}, {.number = most}};
    return rc ? rc : between(frame, &ends[0], &ends[1], first, count);
}

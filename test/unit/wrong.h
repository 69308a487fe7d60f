/* Tables of wrong fields, to be put into a good segment one at a time. */
#ifndef TEST_UNIT_WRONG_H
#define TEST_UNIT_WRONG_H

#include "support/test.h"

#include <shmframe/error.h>

#include <string.h>

/* One wrong field: `size` bytes at `offset` of a struct become `value`. */
struct wrong {
    size_t offset;
    size_t size;
    uint64_t value;
    int code;
    const char *culprit; /* must be in the message */
};

#define WRONG(structure, field, value, code)                                                       \
    {                                                                                              \
        offsetof(struct structure, field), sizeof(((struct structure *)NULL)->field),              \
            (uint64_t)(value), code, #field                                                        \
    }
#define ELEMENT(structure, field, index, value, code)                                              \
    {                                                                                              \
        offsetof(struct structure, field) +                                                        \
            (index) * sizeof(((struct structure *)NULL)->field[0]),                                \
            sizeof(((struct structure *)NULL)->field[0]), (uint64_t)(value), code, #field          \
    }

static inline void put_wrong(unsigned char *at, const struct wrong *wrong)
{
    memcpy(at + wrong->offset, &wrong->value, wrong->size < 8 ? wrong->size : 8);
}

/* A message may name a field by its beginning: "reserved" for "reserved0". */
static inline void assert_names(const struct shmf_error *err, const struct wrong *wrong)
{
    char culprit[32];
    strcpy(culprit, strncmp(wrong->culprit, "reserved", 8) ? wrong->culprit : "reserved");
    assert_int_equal(err->code, wrong->code);
    if (wrong->code != SHMF_E_UNSUPPORTED && !strstr(err->message, culprit))
        fail_msg("\"%s\" does not name %s", err->message, culprit);
}

#endif

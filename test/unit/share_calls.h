/* What the tests of sharing have in common. */
#ifndef TEST_UNIT_SHARE_CALLS_H
#define TEST_UNIT_SHARE_CALLS_H

#include <shmframe/array.h>
#include <shmframe/share.h>

#include "support/test.h"
#include "unit/typed_frame.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* An array of `size` bytes that test_differs knows again. */
static inline struct shmf_array *patterned(int64_t size, uint64_t seed)
{
    struct shmf_array *array = shmf_array_new(SHMF_UINT8, 1, &size, NULL);
    if (array)
        test_fill(shmf_array_data_mut(array), (size_t)size, seed);
    return array;
}

static inline bool is_pattern(const struct shmf_array *array, int64_t size, uint64_t seed)
{
    return array && shmf_array_size(array) == size &&
           test_differs(shmf_array_data(array), (size_t)size, seed) < 0;
}

/* Publishes such an array, which goes at once. */
static inline struct shmf_share *publish_pattern(const char *name, int64_t size, uint64_t seed,
                                                 const struct shmf_publish_options *options,
                                                 struct shmf_error *err)
{
    struct shmf_array *array = patterned(size, seed);
    struct shmf_share *share = array ? shmf_array_publish(array, name, options, err) : NULL;
    shmf_array_free(array);
    return share;
}

static inline int attach_code(const char *from, const struct shmf_attach_options *options)
{
    struct shmf_error err = {0};
    struct shmf_array *array = shmf_array_attach(from, options, &err);
    shmf_array_free(array);
    return array ? SHMF_OK : err.code;
}

/* A message with descriptors of ours, which stay ours. */
static inline void send_raw(int socket, const void *bytes, size_t size, const int *fds,
                            size_t n_fds)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec vector = {(void *)(uintptr_t)bytes, size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (n_fds) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *part = CMSG_FIRSTHDR(&message);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(part), fds, n_fds * sizeof(int));
    }
    assert_int_equal(sendmsg(socket, &message, 0), size);
}

#endif

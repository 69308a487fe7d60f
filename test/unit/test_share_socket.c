/* share/: objects over sockets and as inherited descriptors, sealed. */
#include "frame/frame_internal.h"
#include "unit/share_calls.h"

#include <shmframe/derive.h>
#include <shmframe/memory.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct shmf_error err;
static int ends[2];

#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static void connect_ends(int type)
{
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
}

static void close_ends(void)
{
    close(ends[0]);
    close(ends[1]);
}

/* ---- both ways ------------------------------------------------------------------------------- */

static void test_frames_and_arrays_go_over_sockets_of_all_types(void **state)
{
    (void)state;
    static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM,
                                SOCK_STREAM | SOCK_NONBLOCK, SOCK_SEQPACKET | SOCK_NONBLOCK};
    struct shmf_frame *frame = typed_frame(&err);
    struct shmf_array *array = patterned(3000000, 1);
    for (int i = 0; i < 5; i++) {
        connect_ends(types[i]);
        for (uint32_t access = SHMF_READ_ONLY; access <= SHMF_PRIVATE_COPY; access++) {
            struct shmf_attach_options options = {.access = access,
                                                  .validation = SHMF_VALIDATE_FULL};
            assert_int_equal(shmf_frame_send(frame, ends[0], -1, &err), SHMF_OK);
            assert_int_equal(shmf_array_send(array, ends[0], -1, &err), SHMF_OK);
            struct shmf_frame *got = shmf_frame_receive(ends[1], -1, &options, &err);
            struct shmf_array *too = shmf_array_receive(ends[1], -1, &options, &err);
            assert_int_equal(shmf_frame_equal(frame, got), 1);
            assert_true(is_pattern(too, 3000000, 1));
            assert_true((shmf_array_data_mut(too) != NULL) == (access != SHMF_READ_ONLY));
            shmf_frame_free(got);
            shmf_array_free(too);
        }
        close_ends();
    }
    shmf_frame_free(frame);
    shmf_array_free(array);
}

static void test_what_was_sent_is_independent_of_sender_and_socket(void **state)
{
    (void)state;
    struct shmf_array *array = patterned(100000, 1);
    connect_ends(SOCK_SEQPACKET);
    assert_int_equal(shmf_array_send(array, ends[0], 0.1, &err), SHMF_OK);
    test_fill(shmf_array_data_mut(array), 100000, 2);
    shmf_array_free(array);
    close(ends[0]);
    array = shmf_array_receive(ends[1], 1, NULL, &err);
    assert_true(is_pattern(array, 100000, 1));
    shmf_array_free(array);
    assert_null(shmf_array_receive(ends[1], 1, NULL, &err));
    assert_int_equal(err.code, SHMF_E_CLOSED);
    close(ends[1]);
}

static void test_what_was_received_is_passed_on_without_a_copy(void **state)
{
    (void)state;
    struct shmf_array *array = patterned(8 << 20, 1);
    connect_ends(SOCK_SEQPACKET);
    assert_int_equal(shmf_array_send(array, ends[0], 0.1, &err), SHMF_OK);
    shmf_array_free(array);
    shmf_memory_trim(0);
    struct shmf_array *got[4] = {shmf_array_receive(ends[1], 1, NULL, &err)};
    uint64_t before = test_shared_bytes();
    for (int i = 1; i < 4; i++) {
        assert_int_equal(shmf_array_send(got[i - 1], ends[0], 0.1, &err), SHMF_OK);
        got[i] = shmf_array_receive(ends[1], 1, NULL, &err);
        assert_true(is_pattern(got[i], 8 << 20, 1));
    }
    assert_true(test_shared_bytes() <= before + 4096);
    for (int i = 0; i < 4; i++)
        shmf_array_free(got[i]);
    close_ends();
}

/* Who can change it decides; with many columns it is read in several pieces. */
static void test_the_column_table_is_used_in_place_only_where_it_is_sealed(void **state)
{
    (void)state;
    const struct shmf_frame_spec spec = {.n_rows = 5, .n_columns = 300, .dtype = SHMF_INT64};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    for (int64_t c = 0; c < 300; c++)
        for (int64_t r = 0; r < 5; r++)
            ((int64_t *)shmf_frame_data_mut(frame, c))[r] = c * 10 + r;
    assert_int_equal(shmf_frame_finish(frame, &err), SHMF_OK);
    connect_ends(SOCK_SEQPACKET);
    assert_int_equal(shmf_frame_send(frame, ends[0], 1, &err), SHMF_OK);
    struct shmf_frame *sealed = shmf_frame_receive(ends[1], 1, NULL, &err);
    struct shmf_share *share = shmf_frame_publish(frame, "test_share_socket.table", NULL, &err);
    struct shmf_frame *named = shmf_frame_attach("test_share_socket.table", NULL, &err);
    assert_int_equal(shmf_frame_equal(frame, sealed), 1);
    assert_int_equal(shmf_frame_equal(frame, named), 1);
    assert_ptr_equal(sealed->columns, sealed->base + sealed->header.columns_offset);
    assert_ptr_not_equal(named->columns, named->base + named->header.columns_offset);
    shmf_share_free(share);
    shmf_frame_free(named);
    shmf_frame_free(sealed);
    shmf_frame_free(frame);
    close_ends();
}

static void test_what_was_changed_in_a_private_view_is_what_is_passed_on(void **state)
{
    (void)state;
    struct shmf_attach_options options = {.access = SHMF_COPY_ON_WRITE};
    struct shmf_array *array = patterned(10000, 1);
    connect_ends(SOCK_SEQPACKET);
    assert_int_equal(shmf_array_send(array, ends[0], 0.1, &err), SHMF_OK);
    struct shmf_array *mine = shmf_array_receive(ends[1], 1, &options, &err);
    test_fill(shmf_array_data_mut(mine), 10000, 2);
    assert_int_equal(shmf_array_send(mine, ends[0], 0.1, &err), SHMF_OK);
    struct shmf_array *got = shmf_array_receive(ends[1], 1, NULL, &err);
    assert_true(is_pattern(got, 10000, 2));
    shmf_array_free(got);
    shmf_array_free(mine);
    shmf_array_free(array);
    close_ends();
}

/* ---- seals ------------------------------------------------------------------------------------
 */

/* A descriptor of what is sent, as the receiver gets it, opened for writing as well as we can. */
static int sealed_fd(int *read_only)
{
    char text[SHMF_REFERENCE_SIZE], path[40];
    struct shmf_array *array = patterned(5 << 20, 1);
    *read_only = shmf_array_export(array, text, &err);
    assert_true(*read_only >= 0);
    shmf_array_free(array);
    snprintf(path, sizeof path, "/proc/self/fd/%d", *read_only);
    int fd = open(path, O_RDWR | O_CLOEXEC); /* permissions do not hinder it */
    assert_true(fd >= 0);
    return fd;
}

static void test_the_kernel_refuses_every_change_from_everybody_for_ever(void **state)
{
    (void)state;
    int read_only, fd = sealed_fd(&read_only);
    char byte = 'x';
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(fcntl(fd, F_GET_SEALS) & ALL_SEALS, ALL_SEALS);
    assert_int_equal(write(fd, &byte, 1), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(pwrite(fd, &byte, 1, status.st_size - 1), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(pwrite(fd, &byte, 1, status.st_size), -1); /* behind the end */
    assert_ptr_equal(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(errno, EPERM);
    assert_ptr_equal(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    for (int i = 0; i < 2; i++) {
        void *at = mmap(NULL, 4096, PROT_READ, MAP_SHARED, i ? fd : read_only, 0);
        assert_true(at != MAP_FAILED || i == 1); /* old kernels refuse the second */
        if (at == MAP_FAILED)
            continue;
        assert_int_equal(mprotect(at, 4096, PROT_READ | PROT_WRITE), -1);
        assert_int_equal(errno, EACCES);
        assert_int_equal(madvise(at, 4096, MADV_REMOVE), -1);
        munmap(at, 4096);
    }
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, status.st_size + 4096), -1);
    assert_int_equal(errno, EPERM);
    static const int modes[] = {FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
                                FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE};
    for (int i = 0; i < 4; i++)
        assert_int_equal(fallocate(fd, modes[i], 0, 4096), -1);
    assert_int_equal(fallocate(fd, 0, 0, status.st_size + (1 << 20)), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* nor is any of it taken back */
    assert_int_equal(errno, EPERM);
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(truncate(path, 0), -1);
    assert_int_equal(open(path, O_RDWR | O_TRUNC | O_CLOEXEC), -1);
    struct stat after;
    assert_int_equal(fstat(fd, &after), 0);
    assert_int_equal(after.st_size, status.st_size);
    assert_int_equal(after.st_blocks, status.st_blocks);
    close(fd);
    close(read_only);
}

/* The message that the library sends. */
struct message {
    char magic[8];
    uint32_t version, kind;
    uint64_t size, reserved;
};

/* A memfd with the bytes of the array and these seals; its message in `*message`. */
static int forge(const struct shmf_array *array, int seals, struct message *message)
{
    char text[SHMF_REFERENCE_SIZE];
    static unsigned char bytes[1 << 20];
    int from = shmf_array_export(array, text, &err);
    ssize_t size = pread(from, bytes, sizeof bytes, 0);
    int fd = memfd_create("shmf-forged", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    assert_true(size > 0 && fd >= 0);
    assert_int_equal(write(fd, bytes, (size_t)size), size);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
    close(from);
    *message = (struct message){"SHMFsend", 1, SHMF_KIND_ARRAY, (uint64_t)size, 0};
    return fd;
}

static int receive_code(const struct shmf_attach_options *options)
{
    struct shmf_array *array = shmf_array_receive(ends[1], 0, options, &err);
    shmf_array_free(array);
    return array ? SHMF_OK : err.code;
}

static void test_an_object_without_all_seals_is_refused_or_copied_whole(void **state)
{
    (void)state;
    struct shmf_array *array = patterned(10000, 1);
    connect_ends(SOCK_SEQPACKET);
    for (int missing = 0; missing < 5; missing++) {
        static const int seals[] = {F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE, 0};
        struct message message;
        int fd = forge(array, ALL_SEALS & ~seals[missing], &message);
        send_raw(ends[0], &message, sizeof message, &fd, 1);
        assert_int_equal(receive_code(NULL), seals[missing] ? SHMF_E_UNSEALED : SHMF_OK);
        send_raw(ends[0], &message, sizeof message, &fd, 1);
        struct shmf_attach_options options = {.untrusted = 1};
        struct shmf_array *got = shmf_array_receive(ends[1], 0, &options, &err);
        assert_true(is_pattern(got, 10000, 1));
        if (seals[missing] == F_SEAL_WRITE) /* what becomes of theirs is nothing to us */
            assert_int_equal(pwrite(fd, "xxxx", 4, 5000), 4);
        assert_true(is_pattern(got, 10000, 1));
        assert_null(shmf_array_data_mut(got));
        shmf_array_free(got);
        close(fd);
    }
    shmf_array_free(array);
    close_ends();
}

/* ---- messages ---------------------------------------------------------------------------------
 */

static void test_messages_that_are_none_are_refused_and_their_descriptors_closed(void **state)
{
    (void)state;
    struct shmf_array *array = patterned(10000, 1);
    struct message good, wrong;
    int fd = forge(array, ALL_SEALS, &good), two[2] = {fd, fd};
    connect_ends(SOCK_SEQPACKET);
    send_raw(ends[0], &good, sizeof good, &fd, 1);
    assert_int_equal(receive_code(NULL), SHMF_OK);
    send_raw(ends[0], &good, sizeof good - 1, &fd, 1);
    assert_int_equal(receive_code(NULL), SHMF_E_CORRUPT);
    send_raw(ends[0], "x", 1, &fd, 1);
    assert_int_equal(receive_code(NULL), SHMF_E_CORRUPT);
    char longer[100] = {0};
    memcpy(longer, &good, sizeof good);
    send_raw(ends[0], longer, sizeof longer, &fd, 1);
    assert_int_equal(receive_code(NULL), SHMF_E_CORRUPT);
    send_raw(ends[0], &good, sizeof good, NULL, 0);
    assert_int_equal(receive_code(NULL), SHMF_E_CORRUPT);
    send_raw(ends[0], &good, sizeof good, two, 2);
    assert_int_equal(receive_code(NULL), SHMF_E_CORRUPT);
    static const struct {
        size_t offset;
        int code;
    } fields[] = {{offsetof(struct message, magic), SHMF_E_CORRUPT},
                  {offsetof(struct message, version), SHMF_E_VERSION},
                  {offsetof(struct message, kind), SHMF_E_INVAL},
                  {offsetof(struct message, size), SHMF_E_CORRUPT},
                  {offsetof(struct message, reserved), SHMF_E_CORRUPT}};
    for (int i = 0; i < 5; i++) {
        wrong = good;
        ((unsigned char *)&wrong)[fields[i].offset] ^= 1;
        send_raw(ends[0], &wrong, sizeof wrong, &fd, 1);
        assert_int_equal(receive_code(NULL), fields[i].code);
    }
    int other = open("/dev/null", O_RDWR | O_CLOEXEC);
    good.size = 0;
    send_raw(ends[0], &good, sizeof good, &other, 1);
    assert_int_equal(receive_code(NULL), SHMF_E_CORRUPT);
    assert_int_equal(receive_code(NULL), SHMF_E_TIMEOUT); /* nothing is left of all that */
    close(other);
    close(fd);
    shmf_array_free(array);
    close_ends();
}

static void test_a_receiver_without_a_free_descriptor_is_told(void **state)
{
    (void)state;
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        return; /* Valgrind keeps the limit to itself */
    struct shmf_array *array = patterned(10000, 1);
    struct rlimit limit, none;
    connect_ends(SOCK_SEQPACKET);
    assert_int_equal(shmf_array_send(array, ends[0], 0, &err), SHMF_OK);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int code = receive_code(NULL);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(code, SHMF_E_NOFILES);
    assert_int_equal(receive_code(NULL), SHMF_E_TIMEOUT); /* it is lost; it is sent again */
    assert_int_equal(shmf_array_send(array, ends[0], 0, &err), SHMF_OK);
    assert_int_equal(receive_code(NULL), SHMF_OK);
    shmf_array_free(array);
    close_ends();
}

static void test_waiting_ends_with_the_deadline_or_the_peer(void **state)
{
    (void)state;
    struct shmf_array *array = patterned(10, 1);
    connect_ends(SOCK_STREAM);
    assert_null(shmf_array_receive(ends[1], 0.01, NULL, &err));
    assert_int_equal(err.code, SHMF_E_TIMEOUT);
    int rc = SHMF_OK;
    for (int i = 0; i < 5000 && rc == SHMF_OK; i++)
        rc = shmf_array_send(array, ends[0], 0.01, &err);
    assert_int_equal(rc, SHMF_E_TIMEOUT); /* nobody reads, and the socket is full */
    close(ends[1]);
    assert_int_equal(shmf_array_send(array, ends[0], -1, &err), SHMF_E_CLOSED);
    close(ends[0]);
    assert_int_equal(shmf_array_send(array, -1, 0, &err), SHMF_E_SYS);
    assert_int_equal(shmf_array_send(NULL, -1, 0, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_send(NULL, -1, 0, &err), SHMF_E_INVAL);
    shmf_array_free(array);
}

/* ---- descriptors ------------------------------------------------------------------------------
 */

static void test_an_exported_descriptor_is_inherited_and_attached_by_its_reference(void **state)
{
    (void)state;
    char text[SHMF_REFERENCE_SIZE], wrong[SHMF_REFERENCE_SIZE + 1];
    struct shmf_frame *frame = typed_frame(&err);
    int fd = shmf_frame_export(frame, text, &err);
    assert_true(fd > 2);
    assert_int_equal(fcntl(fd, F_GETFD), 0); /* not close-on-exec */
    for (int i = 0; i < 3; i++) {
        struct shmf_frame *got = shmf_frame_attach(text, NULL, &err);
        assert_int_equal(shmf_frame_equal(frame, got), 1);
        shmf_frame_free(got);
    }
    assert_int_equal(attach_code(text, NULL), SHMF_E_INVAL); /* no array */
    snprintf(wrong, sizeof wrong, "%s1", text);              /* another inode */
    assert_null(shmf_frame_attach(wrong, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    close(fd);
    assert_null(shmf_frame_attach(text, NULL, &err));
    assert_int_equal(err.code, SHMF_E_INVAL);
    assert_int_equal(shmf_frame_export(NULL, text, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_frame_export(frame, NULL, &err), SHMF_E_INVAL);
    assert_int_equal(shmf_array_export(NULL, text, &err), SHMF_E_INVAL);
    shmf_frame_free(frame);
}

static void test_a_descriptor_of_an_unsealed_file_is_refused(void **state)
{
    (void)state;
    char text[SHMF_REFERENCE_SIZE];
    struct message message;
    struct stat status;
    struct shmf_array *array = patterned(10000, 1);
    int fd = forge(array, F_SEAL_SHRINK | F_SEAL_GROW, &message);
    assert_int_equal(fstat(fd, &status), 0);
    snprintf(text, sizeof text, "shmf:fd:%d:%llu", fd, (unsigned long long)status.st_ino);
    assert_int_equal(attach_code(text, NULL), SHMF_E_UNSEALED);
    assert_int_equal(attach_code(text, &(struct shmf_attach_options){.untrusted = 1}), SHMF_OK);
    close(fd);
    shmf_array_free(array);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_frames_and_arrays_go_over_sockets_of_all_types),
        test_case(test_what_was_sent_is_independent_of_sender_and_socket),
        test_case(test_what_was_received_is_passed_on_without_a_copy),
        test_case(test_the_column_table_is_used_in_place_only_where_it_is_sealed),
        test_case(test_what_was_changed_in_a_private_view_is_what_is_passed_on),
        test_case(test_the_kernel_refuses_every_change_from_everybody_for_ever),
        test_case(test_an_object_without_all_seals_is_refused_or_copied_whole),
        test_case(test_messages_that_are_none_are_refused_and_their_descriptors_closed),
        test_case(test_a_receiver_without_a_free_descriptor_is_told),
        test_case(test_waiting_ends_with_the_deadline_or_the_peer),
        test_case(test_an_exported_descriptor_is_inherited_and_attached_by_its_reference),
        test_case(test_a_descriptor_of_an_unsealed_file_is_refused),
    };
    test_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

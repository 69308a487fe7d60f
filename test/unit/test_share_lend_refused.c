/* share/: what is not lent, and what is not borrowed. */
#include "unit/lend_calls.h"

#include <shmframe/derive.h>
#include <shmframe/format.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

/* ---- what is not lent ------------------------------------------------------------------------ */

static void expect_not_lent(struct shmf_loan *loan, int code, const char *word)
{
    assert_null(loan);
    assert_int_equal(err.code, code);
    if (!strstr(err.message, word))
        fail_msg("no '%s' in: %s", word, err.message);
    assert_null(shmf_array_borrow(ends[1], 0, &err));
    assert_int_equal(err.code, SHMF_E_TIMEOUT); /* nothing was sent */
}

static struct shmf_loan *try_array(const struct shmf_array *array)
{
    return shmf_array_lend(array, ends[0], 0, &err);
}

static struct shmf_loan *try_frame(const struct shmf_frame *frame)
{
    return shmf_frame_lend(frame, ends[0], 0, &err);
}

static void test_parts_and_views_and_what_is_not_finished_are_not_lent(void **state)
{
    (void)state;
    connect_ends(SOCK_SEQPACKET);
    expect_not_lent(try_array(NULL), SHMF_E_INVAL, "array: NULL");
    expect_not_lent(try_frame(NULL), SHMF_E_INVAL, "frame: NULL");

    struct shmf_array *array = patterned(10000, 1);
    struct shmf_handle handle = shmf_array_handle(array);
    struct shmf_array *view = shmf_array_open(shmf_handle_with(handle, SHMF_COPY_ON_WRITE), &err);
    expect_not_lent(try_array(view), SHMF_E_UNSUPPORTED, "copy-on-write");
    handle.begin = 5;
    handle.end = 10;
    struct shmf_array *slice = shmf_array_open(handle, &err);
    expect_not_lent(try_array(slice), SHMF_E_UNSUPPORTED, "part");
    assert_int_equal(shmf_array_send(array, ends[0], 0, &err), SHMF_OK);
    struct shmf_attach_options options = {.access = SHMF_COPY_ON_WRITE};
    struct shmf_array *received = shmf_array_receive(ends[1], 0, &options, &err);
    expect_not_lent(try_array(received), SHMF_E_UNSUPPORTED, "copy-on-write");
    shmf_array_free(received);
    shmf_array_free(slice);
    shmf_array_free(view);
    shmf_array_free(array);

    struct shmf_frame *frame = typed_frame(&err);
    struct shmf_frame *rows = shmf_frame_slice(frame, 1, 2, &err);
    expect_not_lent(try_frame(rows), SHMF_E_UNSUPPORTED, "part");
    int64_t columns[] = {DAY, NAME};
    struct shmf_frame *some = shmf_frame_select(frame, columns, 2, &err);
    expect_not_lent(try_frame(some), SHMF_E_UNSUPPORTED, "part");
    shmf_frame_free(some);
    shmf_frame_free(rows);
    shmf_frame_free(frame);
    frame = shmf_frame_new(&typed_spec, &err);
    expect_not_lent(try_frame(frame), SHMF_E_ACCESS, "not finished");
    shmf_frame_free(frame);
    assert_int_equal(used_bytes(), 0);
    close_ends();
}

static void test_a_file_that_may_become_shorter_is_not_lent(void **state)
{
    (void)state;
    connect_ends(SOCK_SEQPACKET);
    struct shmf_share *share = publish_pattern(test_name("lend"), 5000, 1, NULL, &err);
    struct shmf_array *array = shmf_array_attach(test_name("lend"), NULL, &err);
    assert_non_null(array);
    expect_not_lent(try_array(array), SHMF_E_UNSUPPORTED, "truncation");
    shmf_array_free(array);
    shmf_share_free(share);
    close_ends();
}

static void test_lending_waits_until_the_deadline_or_the_end_of_the_peer(void **state)
{
    (void)state;
    struct shmf_array *array = patterned(10, 1);
    struct shmf_loan *loans[5000], *loan = NULL;
    int count = 0;
    connect_ends(SOCK_STREAM);
    assert_null(shmf_array_borrow(ends[1], 0.01, &err));
    assert_int_equal(err.code, SHMF_E_TIMEOUT);
    while (count < 5000 && (loan = shmf_array_lend(array, ends[0], 0.01, &err)))
        loans[count++] = loan;
    assert_int_equal(err.code, SHMF_E_TIMEOUT); /* nobody reads, and the socket is full */
    close(ends[1]);
    for (int i = 0; i < count; i++) {
        assert_true(test_wait_until(60, is_over, loans[i]));
        shmf_loan_free(loans[i]);
    }
    assert_null(shmf_array_lend(array, ends[0], -1, &err));
    assert_int_equal(err.code, SHMF_E_CLOSED);
    close(ends[0]);
    assert_null(shmf_array_lend(array, -1, 0, &err));
    assert_int_equal(err.code, SHMF_E_SYS);
    assert_null(shmf_array_borrow(-1, 0, &err));
    assert_int_equal(err.code, SHMF_E_SYS);
    assert_int_equal(shmf_loan_is_over(NULL), SHMF_E_INVAL);
    shmf_array_free(array);
    assert_int_equal(used_bytes(), 0);
}

static void test_who_lacks_a_descriptor_is_told_and_the_loan_is_over(void **state)
{
    (void)state;
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        return; /* Valgrind keeps the limit to itself */
    struct shmf_error why[2];
    struct rlimit limit, none;
    struct shmf_array *array = patterned(10000, 1);
    connect_ends(SOCK_SEQPACKET);
    struct shmf_loan *loan = try_array(array);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct shmf_array *got = shmf_array_borrow(ends[1], 0, &why[0]);
    struct shmf_loan *second = shmf_array_lend(array, ends[0], 0, &why[1]);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_null(got);
    assert_null(second);
    assert_int_equal(why[0].code, SHMF_E_NOFILES);
    assert_int_equal(why[1].code, SHMF_E_NOFILES);
    assert_int_equal(shmf_loan_is_over(loan), 1);
    shmf_loan_free(loan);
    shmf_array_free(array);
    assert_int_equal(used_bytes(), 0);
    close_ends();
}

/* ---- what is not borrowed -------------------------------------------------------------------- */

struct message {
    char magic[8];
    uint32_t version, kind;
    uint64_t size, offset, length, generation;
};

/* A file with an array in its third page and behind, and what tells of it. */
struct forged {
    int fd;
    uint8_t *file; /* mapped */
    struct message message;
};

enum { PAGES = 8, BEFORE = 2, BEHIND = 3 };

static struct forged forge(int seals, struct shmf_array *array)
{
    char text[SHMF_REFERENCE_SIZE];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct forged forged = {.fd = memfd_create("shmf-forged", MFD_ALLOW_SEALING | MFD_CLOEXEC)};
    assert_int_equal(ftruncate(forged.fd, (off_t)(PAGES * page)), 0);
    forged.file = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED, forged.fd, 0);
    assert_true(forged.file != MAP_FAILED);
    int from = shmf_array_export(array, text, &err);
    assert_true(pread(from, forged.file + BEFORE * page, BEHIND * page, 0) > 5000);
    close(from);
    assert_int_equal(fcntl(forged.fd, F_ADD_SEALS, seals), 0);
    struct shmf_format_header header;
    memcpy(&header, forged.file + BEFORE * page, sizeof header);
    forged.message = (struct message){
        "SHMFlend",       1, SHMF_KIND_ARRAY, PAGES * page, BEFORE * page, BEHIND * page,
        header.generation};
    return forged;
}

static void let_go(struct forged *forged)
{
    munmap(forged->file, PAGES * (size_t)sysconf(_SC_PAGESIZE));
    close(forged->fd);
}

static int borrow_code(void)
{
    struct shmf_array *array = shmf_array_borrow(ends[1], 0, &err);
    bool good = !array || is_pattern(array, 5000, 1);
    shmf_array_free(array);
    assert_true(good);
    return array ? SHMF_OK : err.code;
}

static int code_of(const struct message *message, int fd)
{
    send_raw(ends[0], message, sizeof *message, &fd, 1);
    return borrow_code();
}

static void expect_code(int code, int expected, const char *word)
{
    if (code != expected || !strstr(err.message, word))
        fail_msg("'%s': %s: %s", word, shmf_status_name(code), err.message);
}

static void test_a_message_with_a_wrong_field_is_refused_and_the_field_named(void **state)
{
    (void)state;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    struct shmf_array *array = patterned(5000, 1);
    struct forged forged = forge(F_SEAL_SHRINK | F_SEAL_GROW, array);
    connect_ends(SOCK_SEQPACKET);
    assert_int_equal(code_of(&forged.message, forged.fd), SHMF_OK);
    const struct {
        size_t field;
        uint64_t value;
        int code;
        const char *word;
    } wrong[] = {
        {offsetof(struct message, size), 0, SHMF_E_CORRUPT, "file of 0 bytes"},
        {offsetof(struct message, size), 7 * page, SHMF_E_CORRUPT, "announced"},
        {offsetof(struct message, size), 8 * page + 1, SHMF_E_CORRUPT, "announced"},
        {offsetof(struct message, size), UINT64_MAX, SHMF_E_CORRUPT, "file of"},
        {offsetof(struct message, size), UINT64_MAX - 2 * page + 1, SHMF_E_CORRUPT, "file of"},
        {offsetof(struct message, offset), 2 * page + 1, SHMF_E_CORRUPT, "segment of"},
        {offsetof(struct message, offset), 3 * page, SHMF_E_CORRUPT, "generation"},
        {offsetof(struct message, offset), 0, SHMF_E_CORRUPT, "generation"},
        {offsetof(struct message, offset), 6 * page, SHMF_E_CORRUPT, "segment of"},
        {offsetof(struct message, offset), 8 * page, SHMF_E_CORRUPT, "segment of"},
        {offsetof(struct message, offset), UINT64_MAX - page + 1, SHMF_E_CORRUPT, "segment of"},
        {offsetof(struct message, length), 0, SHMF_E_CORRUPT, "segment of 0"},
        {offsetof(struct message, length), 100, SHMF_E_CORRUPT, "segment of 100"},
        {offsetof(struct message, length), page, SHMF_E_CORRUPT, "total_size"},
        {offsetof(struct message, length), 7 * page, SHMF_E_CORRUPT, "segment of"},
        {offsetof(struct message, length), UINT64_MAX - page + 1, SHMF_E_CORRUPT, "segment of"},
        {offsetof(struct message, generation), 0, SHMF_E_CORRUPT, "generation"},
        {offsetof(struct message, generation), 99, SHMF_E_CORRUPT, "generation"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct message message = forged.message;
        memcpy((char *)&message + wrong[i].field, &wrong[i].value, sizeof(uint64_t));
        expect_code(code_of(&message, forged.fd), wrong[i].code, wrong[i].word);
    }
    struct message message = forged.message;
    message.magic[7] = 'D';
    expect_code(code_of(&message, forged.fd), SHMF_E_CORRUPT, "magic");
    message = forged.message;
    message.version = 2;
    expect_code(code_of(&message, forged.fd), SHMF_E_VERSION, "version is 2");
    message = forged.message;
    message.kind = SHMF_KIND_FRAME;
    expect_code(code_of(&message, forged.fd), SHMF_E_INVAL, "kind");
    message.kind = 77;
    expect_code(code_of(&message, forged.fd), SHMF_E_INVAL, "kind is 77");
    assert_int_equal(borrow_code(), SHMF_E_TIMEOUT); /* nothing is left of all that */
    let_go(&forged);
    shmf_array_free(array);
    close_ends();
}

static void test_a_message_of_another_size_or_without_its_descriptor_is_refused(void **state)
{
    (void)state;
    struct shmf_array *array = patterned(5000, 1);
    struct forged forged = forge(F_SEAL_SHRINK | F_SEAL_GROW, array);
    const struct message *good = &forged.message;
    int two[2] = {forged.fd, forged.fd};
    char longer[100] = {0};
    memcpy(longer, good, sizeof *good);
    assert_int_equal(sizeof *good, 48);
    connect_ends(SOCK_SEQPACKET);
    send_raw(ends[0], good, sizeof *good - 1, two, 1);
    expect_code(borrow_code(), SHMF_E_CORRUPT, "47 bytes");
    send_raw(ends[0], "x", 1, two, 1);
    expect_code(borrow_code(), SHMF_E_CORRUPT, "1 bytes");
    send_raw(ends[0], longer, sizeof longer, two, 1);
    expect_code(borrow_code(), SHMF_E_CORRUPT, "or more");
    send_raw(ends[0], good, sizeof *good, NULL, 0);
    expect_code(borrow_code(), SHMF_E_CORRUPT, "without a descriptor");
    send_raw(ends[0], good, sizeof *good, two, 2);
    expect_code(borrow_code(), SHMF_E_CORRUPT, "2 descriptors");
    assert_int_equal(shmf_array_send(array, ends[0], 0, &err), SHMF_OK);
    expect_code(borrow_code(), SHMF_E_CORRUPT, "bytes");
    assert_int_equal(borrow_code(), SHMF_E_TIMEOUT);
    let_go(&forged);
    shmf_array_free(array);
    close_ends();
}

static void test_what_is_of_the_other_kind_is_refused_and_the_loan_is_over(void **state)
{
    (void)state;
    struct shmf_array *array = patterned(10, 1);
    struct shmf_frame *frame = typed_frame(&err);
    connect_ends(SOCK_SEQPACKET);
    struct shmf_loan *loans[2] = {try_array(array), try_frame(frame)};
    assert_null(shmf_frame_borrow(ends[1], 0, &err));
    expect_code(err.code, SHMF_E_INVAL, "kind");
    assert_null(shmf_array_borrow(ends[1], 0, &err));
    expect_code(err.code, SHMF_E_INVAL, "kind");
    struct shmf_loan *third = try_array(array);
    assert_null(shmf_array_receive(ends[1], 0, NULL, &err)); /* nor is it received */
    assert_int_equal(err.code, SHMF_E_CORRUPT);
    assert_int_equal(shmf_loan_is_over(loans[0]), 1);
    assert_int_equal(shmf_loan_is_over(loans[1]), 1);
    assert_int_equal(shmf_loan_is_over(third), 1);
    shmf_loan_free(loans[0]);
    shmf_loan_free(loans[1]);
    shmf_loan_free(third);
    shmf_frame_free(frame);
    shmf_array_free(array);
    close_ends();
}

static void test_files_that_may_become_shorter_and_what_is_no_file_are_refused(void **state)
{
    (void)state;
    static const int seals[] = {0, F_SEAL_SHRINK, F_SEAL_GROW};
    struct shmf_array *array = patterned(5000, 1);
    struct message message;
    connect_ends(SOCK_SEQPACKET);
    for (int i = 0; i < 3; i++) {
        struct forged forged = forge(seals[i], array);
        message = forged.message;
        expect_code(code_of(&message, forged.fd), SHMF_E_UNSEALED, "not sealed");
        let_go(&forged);
    }
    int folder = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int others[] = {open("/dev/null", O_RDWR | O_CLOEXEC),
                    open("/dev/zero", O_RDWR | O_CLOEXEC),
                    open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600),
                    open("/proc/self/maps", O_RDONLY | O_CLOEXEC),
                    dup(ends[0]),
                    folder};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_true(others[i] >= 0);
        expect_code(code_of(&message, others[i]), SHMF_E_UNSEALED, "not sealed");
        close(others[i]);
    }
    shmf_array_free(array);
    close_ends();
}

#define IN_HEADER(field)                                                                           \
    offsetof(struct shmf_format_array, field), sizeof(((struct shmf_format_array *)NULL)->field)

static void test_a_hostile_header_is_refused_and_the_field_named(void **state)
{
    (void)state;
    static const struct {
        size_t field, size;
        uint64_t value; /* the first bytes of it */
        int code;
        const char *word;
    } wrong[] = {
        {IN_HEADER(header.magic), 0, SHMF_E_CORRUPT, "magic"},
        {IN_HEADER(header.version), 99, SHMF_E_VERSION, "version"},
        {IN_HEADER(header.kind), 1, SHMF_E_INVAL, "holds a frame"},
        {IN_HEADER(header.state), 1, SHMF_E_ACCESS, "state"},
        {IN_HEADER(header.total_size), 1 << 20, SHMF_E_CORRUPT, "total_size"},
        {IN_HEADER(header.incompatible), 1 << 9, SHMF_E_VERSION, "incompatible"},
        {IN_HEADER(data_offset), 1 << 20, SHMF_E_CORRUPT, "data"},
        {IN_HEADER(data_offset), UINT64_MAX - 63, SHMF_E_CORRUPT, "data"},
        {IN_HEADER(data_size), UINT64_MAX, SHMF_E_CORRUPT, "data"},
        {IN_HEADER(n_dims), 17, SHMF_E_CORRUPT, "n_dims"},
        {IN_HEADER(shape), INT64_MAX, SHMF_E_CORRUPT, "strides"},
        {IN_HEADER(strides), 1 << 20, SHMF_E_CORRUPT, "strides"},
    };
    struct shmf_array *array = patterned(5000, 1);
    struct forged forged = forge(F_SEAL_SHRINK | F_SEAL_GROW, array);
    uint8_t *header = forged.file + forged.message.offset;
    connect_ends(SOCK_SEQPACKET);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t kept[sizeof(uint64_t)];
        memcpy(kept, header + wrong[i].field, sizeof kept);
        memcpy(header + wrong[i].field, &wrong[i].value, wrong[i].size < 8 ? wrong[i].size : 8);
        expect_code(code_of(&forged.message, forged.fd), wrong[i].code, wrong[i].word);
        memcpy(header + wrong[i].field, kept, sizeof kept);
    }
    assert_int_equal(code_of(&forged.message, forged.fd), SHMF_OK);
    struct message message = forged.message;
    message.kind = SHMF_KIND_FRAME; /* which it is not */
    send_raw(ends[0], &message, sizeof message, &forged.fd, 1);
    assert_null(shmf_frame_borrow(ends[1], 0, &err));
    expect_code(err.code, SHMF_E_INVAL, "holds an array");
    let_go(&forged);
    shmf_array_free(array);
    close_ends();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_case(test_parts_and_views_and_what_is_not_finished_are_not_lent),
        test_case(test_a_file_that_may_become_shorter_is_not_lent),
        test_case(test_lending_waits_until_the_deadline_or_the_end_of_the_peer),
        test_case(test_who_lacks_a_descriptor_is_told_and_the_loan_is_over),
        test_case(test_a_message_with_a_wrong_field_is_refused_and_the_field_named),
        test_case(test_a_message_of_another_size_or_without_its_descriptor_is_refused),
        test_case(test_what_is_of_the_other_kind_is_refused_and_the_loan_is_over),
        test_case(test_files_that_may_become_shorter_and_what_is_no_file_are_refused),
        test_case(test_a_hostile_header_is_refused_and_the_field_named),
    };
    test_begin();
    test_own_names(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

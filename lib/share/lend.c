/* Objects lent where they lie: a message with the descriptor of their region and a lock on it.
 *
 * The lock is on a byte that no other loan has, and on an open file description that is made for
 * the loan and leaves this process with the message. Whoever has a descriptor or a mapping of it
 * holds the lock: the message while it is under way, then the borrower, and whom the borrower gives
 * it to. The kernel drops it with the last of them, whatever becomes of them; nobody has to say
 * anything. The lender asks for the byte through the descriptor that it has, which has no lock
 * there, though it may have that of another loan: of what is lent on.
 * Were the byte the object's and not the loan's, then two who lend on what both have borrowed would
 * wait for each other for ever. */
#include "share/share_internal.h"

#include "array/array_internal.h"
#include "base/error.h"
#include "base/process.h"
#include "base/sys.h"
#include "frame/frame_internal.h"

#include <shmframe/lend.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* What goes over the socket, beside the descriptor; docs/format.md has it. */
struct message {
    char magic[8];
    uint32_t version;
    uint32_t kind;                       /* enum shmf_kind */
    uint64_t size;                       /* of the file */
    uint64_t offset, length, generation; /* of the segment */
};

static const char magic[8] = {'S', 'H', 'M', 'F', 'l', 'e', 'n', 'd'};

struct shmf_loan {
    struct shmfi_segment *segment; /* our reference */
    int own;                       /* a descriptor of the segment's file, the region's */
    uint64_t byte;                 /* that is locked: drawn by lot, far beyond the file's end */
    uint64_t epoch;                /* of the lender */
    struct shmf_loan *next;
};

/* ---- loans that were given up before they were over ----------------------------------------- */

static struct shmf_loan *forsaken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void renew_lock(void)
{
    pthread_mutex_init(&lock, NULL);
}

static void watch_forks(void)
{
    shmfi_process_watch_forks(&lock, renew_lock);
}

static void enter(void)
{
    pthread_once(&once, watch_forks);
    pthread_mutex_lock(&lock);
}

static bool is_over(const struct shmf_loan *loan)
{
    return !shmfi_lock_is_shared(loan->own, loan->byte);
}

static void end(struct shmf_loan *loan)
{
    shmfi_segment_unref(loan->segment);
    shmfi_sys.free(loan);
}

/* A child's copies of its parent's loans are not its own: the memory is the parent's to keep. */
static bool is_ours(const struct shmf_loan *loan)
{
    return loan->epoch == shmfi_process_epoch();
}

static void sweep(void)
{
    struct shmf_loan *over = NULL, **at = &forsaken;
    enter();
    while (*at) {
        struct shmf_loan *loan = *at;
        if (is_ours(loan) && !is_over(loan)) {
            at = &loan->next;
            continue;
        }
        *at = loan->next;
        loan->next = over;
        over = loan;
    }
    pthread_mutex_unlock(&lock);
    while (over) {
        struct shmf_loan *loan = over;
        over = loan->next;
        end(loan);
    }
}

int shmf_loan_is_over(const struct shmf_loan *loan)
{
    if (!loan)
        return SHMF_E_INVAL;
    return is_ours(loan) ? is_over(loan) : SHMF_E_WRONG_PROCESS;
}

void shmf_loan_free(struct shmf_loan *loan)
{
    if (loan && (!is_ours(loan) || is_over(loan))) {
        end(loan);
    } else if (loan) {
        enter();
        loan->next = forsaken;
        forsaken = loan;
        pthread_mutex_unlock(&lock);
    }
    sweep();
}

/* ---- lending -------------------------------------------------------------------------------- */

static int draw_byte(struct shmf_loan *loan, struct shmf_error *err)
{
    int rc = shmfi_random_id(&loan->byte, err);
    loan->byte = (loan->byte >> 2) | UINT64_C(1) << 62;
    return rc;
}

static int file_size(int fd, uint64_t *size, struct shmf_error *err)
{
    struct stat status;
    if (shmfi_sys.fstat(fd, &status))
        return shmfi_error_sys(err, errno, "descriptor of what is lent");
    *size = (uint64_t)status.st_size;
    return SHMF_OK;
}

static int send_loan(struct shmf_loan *loan, uint32_t kind, int socket, double seconds,
                     struct shmf_error *err)
{
    const struct shmfi_segment *segment = loan->segment;
    struct message message = {.version = 1,
                              .kind = kind,
                              .offset = segment->offset,
                              .length = segment->length,
                              .generation = segment->generation};
    int fd;
    memcpy(message.magic, magic, sizeof magic);
    int rc = draw_byte(loan, err);
    if (!rc)
        rc = shmfi_segment_reopen(segment, &fd, &loan->own, err);
    if (rc)
        return rc;
    rc = file_size(fd, &message.size, err);
    if (!rc)
        rc = shmfi_lock_share(fd, loan->byte, err);
    if (!rc)
        rc = shmfi_message_send(socket, &message, sizeof message, fd, seconds, err);
    shmfi_sys.close(fd);
    return rc;
}

static struct shmf_loan *lend(struct shmfi_segment *segment, uint32_t kind, int socket,
                              double seconds, struct shmf_error *err)
{
    struct shmf_loan *loan = shmfi_sys.calloc(1, sizeof *loan);
    sweep();
    if (!loan) {
        shmfi_error(err, SHMF_E_NOMEM, "a loan");
        return NULL;
    }
    loan->epoch = shmfi_process_epoch();
    loan->segment = shmfi_segment_ref(segment);
    if (!send_loan(loan, kind, socket, seconds, err))
        return loan;
    end(loan);
    return NULL;
}

static struct shmf_loan *refuse_part(const char *what, struct shmf_error *err)
{
    shmfi_error(err, SHMF_E_UNSUPPORTED, "%s: a part of another one, which cannot be lent", what);
    return NULL;
}

struct shmf_loan *shmf_frame_lend(const struct shmf_frame *frame, int socket, double seconds,
                                  struct shmf_error *err)
{
    struct shmf_frame *stand_in;
    if (frame && frame->is_view)
        return refuse_part("frame", err);
    if (!shmfi_whole_frame(frame, &stand_in, err))
        return NULL;
    return lend(frame->segment, SHMF_KIND_FRAME, socket, seconds, err);
}

struct shmf_loan *shmf_array_lend(const struct shmf_array *array, int socket, double seconds,
                                  struct shmf_error *err)
{
    if (!array) {
        shmfi_error(err, SHMF_E_INVAL, "array: NULL");
        return NULL;
    }
    if (array->is_slice)
        return refuse_part("array", err);
    return lend(array->segment, SHMF_KIND_ARRAY, socket, seconds, err);
}

/* ---- borrowing ------------------------------------------------------------------------------ */

static int check_message(const struct message *message, uint32_t kind, int fd,
                         struct shmf_error *err)
{
    if (memcmp(message->magic, magic, sizeof magic) != 0)
        return shmfi_error(err, SHMF_E_CORRUPT, "message: magic is not that of a loan");
    if (message->version != 1)
        return shmfi_error(err, SHMF_E_VERSION, "message: version is %u, not 1", message->version);
    if (fd < 0)
        return shmfi_error(err, SHMF_E_CORRUPT, "message: it came without a descriptor");
    if (message->kind != kind)
        return shmfi_error(err, SHMF_E_INVAL, "message: kind is %u, not %u", message->kind, kind);
    return SHMF_OK;
}

static int borrow(int socket, double seconds, uint32_t kind, struct shmfi_segment **segment,
                  struct shmf_error *err)
{
    struct message message;
    int fd;
    int rc = shmfi_message_receive(socket, &message, sizeof message, &fd, seconds, err);
    if (rc)
        return rc;
    rc = check_message(&message, kind, fd, err);
    if (rc && fd >= 0)
        shmfi_sys.close(fd);
    if (rc)
        return rc;
    const struct shmf_handle where = {
        .offset = message.offset, .length = message.length, .generation = message.generation};
    return shmfi_segment_borrow(fd, message.size, &where, segment, err);
}

struct shmf_frame *shmf_frame_borrow(int socket, double seconds, struct shmf_error *err)
{
    struct shmfi_segment *segment;
    struct shmf_frame *frame;
    if (borrow(socket, seconds, SHMF_KIND_FRAME, &segment, err) ||
        shmfi_frame_from_attached(segment, &frame, err))
        return NULL;
    return frame;
}

struct shmf_array *shmf_array_borrow(int socket, double seconds, struct shmf_error *err)
{
    struct shmfi_segment *segment;
    struct shmf_array *array;
    if (borrow(socket, seconds, SHMF_KIND_ARRAY, &segment, err) ||
        shmfi_array_from_attached(segment, &array, err))
        return NULL;
    return array;
}

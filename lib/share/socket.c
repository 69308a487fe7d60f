/* Objects over a Unix socket: one message with the descriptor of a sealed file. */
#include "share/share_internal.h"

#include "base/error.h"
#include "base/sys.h"

#include <errno.h>
#include <string.h>

/* What goes over the socket, beside the descriptor; docs/format.md has it. */
struct message {
    char magic[8];
    uint32_t version;
    uint32_t kind; /* enum shmf_kind */
    uint64_t size; /* of the file */
    uint64_t reserved;
};

static const char magic[8] = {'S', 'H', 'M', 'F', 's', 'e', 'n', 'd'};

/* ---- sending ------------------------------------------------------------------------------ */

static int send_object(const struct shmfi_object_bytes *object, int socket, double seconds,
                       struct shmf_error *err)
{
    struct message message = {.version = 1, .kind = object->kind, .size = object->bytes.size};
    int fd;
    memcpy(message.magic, magic, sizeof magic);
    int rc = shmfi_bytes_sealed(object, &fd, err);
    if (rc)
        return rc;
    rc = shmfi_message_send(socket, &message, sizeof message, fd, seconds, err);
    shmfi_sys.close(fd);
    return rc;
}

int shmf_frame_send(const struct shmf_frame *frame, int socket, double seconds,
                    struct shmf_error *err)
{
    struct shmfi_object_bytes object;
    int rc = shmfi_bytes_of_frame(frame, &object, err);
    if (rc)
        return rc;
    rc = send_object(&object, socket, seconds, err);
    shmf_frame_free(object.stand_in);
    return rc;
}

int shmf_array_send(const struct shmf_array *array, int socket, double seconds,
                    struct shmf_error *err)
{
    struct shmfi_object_bytes object;
    int rc = shmfi_bytes_of_array(array, &object, err);
    return rc ? rc : send_object(&object, socket, seconds, err);
}

/* ---- receiving ---------------------------------------------------------------------------- */

static int check_message(const struct message *message, uint32_t kind, int fd,
                         struct shmf_error *err)
{
    struct stat status;
    if (memcmp(message->magic, magic, sizeof magic) != 0)
        return shmfi_error(err, SHMF_E_CORRUPT, "message: magic is not that of an object");
    if (message->version != 1)
        return shmfi_error(err, SHMF_E_VERSION, "message: version is %u, not 1", message->version);
    if (message->reserved)
        return shmfi_error(err, SHMF_E_CORRUPT, "message: reserved is not zero");
    if (fd < 0)
        return shmfi_error(err, SHMF_E_CORRUPT, "message: it came without a descriptor");
    if (message->kind != kind)
        return shmfi_error(err, SHMF_E_INVAL, "message: kind is %u, not %u", message->kind, kind);
    if (shmfi_sys.fstat(fd, &status))
        return shmfi_error_sys(err, errno, "message: descriptor");
    if ((uint64_t)status.st_size != message->size)
        return shmfi_error(err, SHMF_E_CORRUPT, "message: size is %llu, but the file has %llu",
                           (unsigned long long)message->size, (unsigned long long)status.st_size);
    return SHMF_OK;
}

static int receive(int socket, double seconds, uint32_t kind, int *fd, struct shmf_error *err)
{
    struct message message;
    int rc = shmfi_message_receive(socket, &message, sizeof message, fd, seconds, err);
    if (rc)
        return rc;
    rc = check_message(&message, kind, *fd, err);
    if (rc && *fd >= 0)
        shmfi_sys.close(*fd);
    return rc;
}

struct shmf_frame *shmf_frame_receive(int socket, double seconds,
                                      const struct shmf_attach_options *options,
                                      struct shmf_error *err)
{
    struct shmf_attach_options checked;
    struct shmf_frame *frame;
    int fd;
    if (shmfi_attach_options(options, &checked, err) ||
        receive(socket, seconds, SHMF_KIND_FRAME, &fd, err) ||
        shmfi_frame_of_file(fd, false, &checked, &frame, err))
        return NULL;
    return frame;
}

struct shmf_array *shmf_array_receive(int socket, double seconds,
                                      const struct shmf_attach_options *options,
                                      struct shmf_error *err)
{
    struct shmf_attach_options checked;
    struct shmf_array *array;
    int fd;
    if (shmfi_attach_options(options, &checked, err) ||
        receive(socket, seconds, SHMF_KIND_ARRAY, &fd, err) ||
        shmfi_array_of_file(fd, false, &checked, &array, err))
        return NULL;
    return array;
}

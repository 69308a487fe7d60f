/* libshmframe: Apache Arrow IPC: frames to and from files and streams that Polars, DuckDB, pyarrow,
 * JavaScript and others read and write.
 *
 * Uncompressed. What is written has exact null counts and buffers aligned to 64 bytes, so that
 * readers may map it. Types travel as in arrow.h. Thread safety: as for reading frames. */
#ifndef SHMFRAME_IPC_H
#define SHMFRAME_IPC_H

#include <shmframe/arrow.h>
#include <shmframe/share.h>

SHMF_BEGIN_DECLS

/* How frames lie in a file. */
enum shmf_ipc_format {
    SHMF_IPC_FILE = 0,  /* with a footer, for reading at random: .arrow, .feather */
    SHMF_IPC_STREAM = 1 /* from front to back, for pipes: .arrows */
};

/* Zero means the default in every field; NULL for all of them. */
struct shmf_ipc_options {
    enum shmf_ipc_format format;
    const char *row_labels; /* as in struct shmf_arrow_export_options, as is the next */
    int64_t batch_rows;
    uint64_t reserved[4]; /* must be zero */
};

/* Writes the frame to a descriptor, from where it stands. SHMF_E_SYS and others: a write failed,
 * and part of it is written. SHMF_E_INVAL, SHMF_E_ACCESS (not finished), SHMF_E_NOMEM. */
SHMF_API int shmf_ipc_write(const struct shmf_frame *frame, int fd,
                            const struct shmf_ipc_options *options, struct shmf_error *err);

/* Writes a file of this name, which appears when it is complete, in place of one that was there. */
SHMF_API int shmf_ipc_save(const struct shmf_frame *frame, const char *path,
                           const struct shmf_ipc_options *options, struct shmf_error *err);

/* Publishes the frame under a name (share.h) as a file that is at once a segment and an Arrow IPC
 * file: libshmframe attaches to it as to any other name, and whoever reads Arrow opens
 * /dev/shm/shmf.NAME. It is copied once, as by shmf_frame_publish(), whose options and errors these
 * are; the values are there once. The format is SHMF_IPC_FILE, of one batch: batch_rows is 0, or
 * not less than the rows. SHMF_E_UNSUPPORTED: a label with a NUL byte. Readers of Arrow follow
 * offsets and indexes unchecked: a frame that others wrote is published so after
 * shmf_frame_validate(frame, SHMF_VALIDATE_FULL, ...) only. The caller owns the share. */
SHMF_API struct shmf_share *shmf_ipc_publish(const struct shmf_frame *frame, const char *name,
                                             const struct shmf_ipc_options *ipc_options,
                                             const struct shmf_publish_options *options,
                                             struct shmf_error *err);

/* A frame of what is read from a descriptor up to its end, file or stream: it is read into private
 * memory, checked whatever it is, and copied into the frame. SHMF_E_CORRUPT names the byte, and the
 * part, that is wrong or missing; contents that are wrong are SHMF_E_INVAL. SHMF_E_UNSUPPORTED:
 * compressed or big-endian data, older versions than 4, types that a frame does not have (the
 * message names the field). Otherwise as for shmf_arrow_import. The caller owns it. */
SHMF_API struct shmf_frame *shmf_ipc_read(int fd, const struct shmf_arrow_import_options *options,
                                          struct shmf_error *err);

/* The same from a file of this name. */
SHMF_API struct shmf_frame *shmf_ipc_load(const char *path,
                                          const struct shmf_arrow_import_options *options,
                                          struct shmf_error *err);

/* The same from memory, which must be aligned to 8 bytes and must not change meanwhile. */
SHMF_API struct shmf_frame *shmf_ipc_read_memory(const void *data, size_t size,
                                                 const struct shmf_arrow_import_options *options,
                                                 struct shmf_error *err);

SHMF_END_DECLS

#endif

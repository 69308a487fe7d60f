/* libshmframe: handles, the small values that name a segment.
 *
 * A handle is plain data: copy it, store it, send it as a task's argument. It does not own what
 * it names: the object lives as long as its owner keeps it, or as long as a task that was given
 * the handle is not finished. A handle whose segment was released is refused with SHMF_E_STALE
 * when it is opened. Handles mean something in the process that made them and in the workers of
 * its pools; nowhere else. */
#ifndef SHMFRAME_HANDLE_H
#define SHMFRAME_HANDLE_H

#include <shmframe/base.h>

SHMF_BEGIN_DECLS

/* How the opener may use the object; explicit, never chosen by size. */
enum shmf_access {
    SHMF_READ_ONLY = 0,     /* shared, the hardware refuses writes */
    SHMF_COPY_ON_WRITE = 1, /* writable; what is written stays private to the opener */
    SHMF_PRIVATE_COPY = 2,  /* copied at once into memory of the opener's own, writable */
    SHMF_WRITABLE = 3       /* the shared object itself, for writing in place: see grant.h */
};

/* What a segment holds. */
enum shmf_kind {
    SHMF_KIND_NONE = 0,
    SHMF_KIND_FRAME = 1,
    SHMF_KIND_ARRAY = 2,
    SHMF_KIND_BYTES = 3,
    SHMF_KIND_SELECTION = 4 /* which columns of a frame; opened as the frame that they are */
};

/* 56 bytes that name a segment; made by the functions that give handles, not by hand. */
struct shmf_handle {
    uint64_t region;     /* the region's random 64-bit identity; 0 in a handle that names nothing */
    uint64_t offset;     /* of the segment in its region, bytes */
    uint64_t length;     /* of the segment, bytes */
    uint64_t generation; /* tells this segment from others that lay there before or will */
    uint32_t kind;       /* enum shmf_kind */
    uint32_t access;     /* enum shmf_access */
    int64_t begin;       /* what of it is meant: the rows begin <= r < end of a frame, the */
    int64_t end;         /* elements of an array's first axis; both 0: all */
};

/* Slices of a frame that has booleans or nullable columns can be written when they begin at
 * multiples of so many rows, and end there or with the last row: their bits share bytes. */
#define SHMF_SLICE_ROWS 64

/* The same segment with another access. */
SHMF_API struct shmf_handle shmf_handle_with(struct shmf_handle handle, enum shmf_access access);

/* The rows begin <= r < end of the same object, numbered as in the whole: what opens the handle
 * sees them as a frame, or array, of their own. Whether there are such rows is checked then
 * (SHMF_E_RANGE). */
SHMF_API struct shmf_handle shmf_handle_slice(struct shmf_handle handle, int64_t begin,
                                              int64_t end);

SHMF_END_DECLS

#endif

/* Regions and segments: the shared memory of this process, and its view of others'.
 *
 * A region is one memfd of fixed size. Its owner maps it writable; every other process maps it
 * read-only. A segment is a page-aligned extent of a region that holds one object and begins with
 * the header of <shmframe/format.h>, of which this module writes one word only: `generation`,
 * nonzero while the segment is alive. All bookkeeping is private to the process (keyed by
 * shmfi_process_epoch) and protected by one process-private mutex. */
#ifndef SHMFI_MEMORY_H
#define SHMFI_MEMORY_H

#include <shmframe/error.h>
#include <shmframe/handle.h>
#include <shmframe/memory.h>

#include <stdbool.h>

struct shmfi_region;

/* ---- segments ----------------------------------------------------------------------------- */

/* One live segment as this process sees it; reference-counted. Fields are read-only to others. */
struct shmfi_segment {
    struct shmfi_region *region;
    uint64_t offset; /* in the region */
    uint64_t length; /* bytes, a multiple of the page size */
    uint64_t generation;
    void *base;    /* first byte in this process */
    bool writable; /* by this process, through `base` */
    bool zeroed;   /* fresh from the kernel: every byte is known to be zero, but for the
                      generation in its header */
};

#define SHMFI_OWN_REGION 1u /* the segment gets a region to itself whatever its size */
#define SHMFI_GRANTABLE  2u /* that, and one whose writable descriptor other processes may get */

/* A new writable segment of at least `length` bytes in memory of this process, whose pages are
 * reserved: writing cannot raise SIGBUS. Its first 4096 bytes are zero, then holds old bytes.
 * The generation word in the header is set. SHMF_E_NOSPC, SHMF_E_NOMEM, SHMF_E_NOFILES,
 * SHMF_E_TOOBIG, SHMF_E_INVAL (length 0). */
int shmfi_segment_new(uint64_t length, unsigned flags, struct shmfi_segment **segment,
                      struct shmf_error *err);

struct shmfi_segment *shmfi_segment_ref(struct shmfi_segment *segment);

/* From now on a segment of our own, which keeps none yet, holds a reference to another one, until
 * it is released; and the other one, or NULL. Borrowed. */
void shmfi_segment_keep(struct shmfi_segment *segment, struct shmfi_segment *kept);
struct shmfi_segment *shmfi_segment_kept(const struct shmfi_segment *segment);

/* Was it made by this process, in memory of its own? Views are not. */
bool shmfi_segment_is_own(const struct shmfi_segment *segment);

/* Drops a reference; the last one releases the segment: our own goes back to the allocator
 * (generation word cleared), another's is reported to its lender. NULL is fine. */
void shmfi_segment_unref(struct shmfi_segment *segment);

/* Handle with read-only access; the caller says what kind of object it is. That of a copy-on-write
 * view names the shared segment, not what was written to the view. */
struct shmf_handle shmfi_segment_handle(const struct shmfi_segment *segment, uint32_t kind);

/* Opens what the handle names, honouring handle.access: read-only gives the shared object itself
 * (same base for all openers), copy-on-write a private mapping that pins the segment, private copy
 * a new own segment with the same bytes (generation word: its own), writable the shared object for
 * writing: our own if it is grantable, or one whose writable descriptor we were given (no system
 * call; SHMF_E_ACCESS otherwise). SHMF_E_STALE: unknown region, or the segment was released;
 * SHMF_E_INVAL: access. */
int shmfi_segment_open(const struct shmf_handle *handle, struct shmfi_segment **segment,
                       struct shmf_error *err);

/* Worker side: a segment that was handed to a consumer comes back: drops the reference that the
 * consumer held. Unknown or stale ones are ignored (they were meant for a dead predecessor). */
void shmfi_segment_reclaim(uint64_t region_id, uint64_t offset, uint64_t generation);

/* Is it memory of this process that no other can write, and no private view of another's? */
bool shmfi_segment_is_trusted(const struct shmfi_segment *segment);

/* Private memory of `size` bytes, aligned for anything; NULL: there is none. */
void *shmfi_private_new(uint64_t size);
void shmfi_private_free(void *memory);

/* ---- regions of this process -------------------------------------------------------------- */

uint64_t shmfi_region_id(const struct shmfi_region *region);
uint64_t shmfi_region_size(const struct shmfi_region *region);

/* Regions are numbered from 1 in the order in which this process came to know them. A child that
 * was forked when shmfi_memory_serial() was n has inherited the mappings of those up to n. */
uint64_t shmfi_region_serial(const struct shmfi_region *region);
uint64_t shmfi_memory_serial(void);

/* Is the region mapped in children that are forked? See shmfi_memory_set_dontfork. */
bool shmfi_region_is_inherited(const struct shmfi_region *region);

/* A descriptor of the region, opened read-only, to be sent; borrowed, stays open with the region.
 * Negative: an enum shmf_status. */
int shmfi_region_fd(struct shmfi_region *region, struct shmf_error *err);

/* Pages must be asked for before they are obtained and are reported when given back; a worker's
 * budget. `reserve` returns 0, a negative status, or SHMFI_LOOK_AGAIN: it granted nothing, but
 * segments were released meanwhile and one of them may do. It may block, and may call back
 * (reclaim, trim). A refusal makes this module give up what it caches, and ask again. `look` is
 * called before a large segment (SHMFI_LOOK_FROM) is placed, and may release others, which then
 * may do. NULL functions: no limit, nothing to look for. */
#define SHMFI_LOOK_AGAIN 1
#define SHMFI_LOOK_FROM  (UINT64_C(1) << 20)
struct shmfi_budget {
    int (*reserve)(void *context, uint64_t bytes, struct shmf_error *err);
    void (*release)(void *context, uint64_t bytes);
    void *context;
    void (*look)(void *context, uint64_t length);
};
void shmfi_memory_set_budget(const struct shmfi_budget *budget);

/* Called for each region that this process is about to give up (unmap and close), its own or lent
 * to it, so that others who map it can be told. NULL: nobody. */
void shmfi_memory_set_drop_hook(void (*hook)(void *context, uint64_t region_id), void *context);

/* Regions made from now on are (not) mapped in forked children: a worker's children cannot write
 * memory that the worker recycles. Always returns 0. */
int shmfi_memory_set_dontfork(bool dontfork);

/* ---- regions of other processes ----------------------------------------------------------- */

/* Where released segments of a foreign region are reported. */
struct shmfi_lender {
    void (*returned)(void *context, uint64_t region_id, uint64_t offset, uint64_t length,
                     uint64_t generation);
    void *context;
};

/* Takes over `fd` (closed on failure too), a descriptor of a foreign region, checks its real size
 * and seals (SHRINK, GROW) against `size`, and maps it read-only. With a lender, only segments
 * that were admitted can be opened (consumer of results); without, any handle whose generation
 * matches the header's in shared memory can (input of a task). SHMF_E_EXISTS: id is known. */
int shmfi_region_adopt(uint64_t id, uint64_t size, int fd, const struct shmfi_lender *lender,
                       struct shmfi_region **region, struct shmf_error *err);

/* Any known region, own or foreign; NULL when unknown. Borrowed. */
struct shmfi_region *shmfi_region_find(uint64_t id);

/* Consumer: a segment was delivered. Checks alignment, bounds, the generation in the header and
 * overlap with segments that are alive, and registers it with one reference, the caller's.
 * SHMF_E_CORRUPT names what is wrong. */
int shmfi_region_admit(struct shmfi_region *region, uint64_t offset, uint64_t length,
                       uint64_t generation, struct shmfi_segment **segment, struct shmf_error *err);

/* The owner is gone (or the pool): nothing is reported to the lender any more; the mapping goes
 * with the last segment that is alive in it. The pointer is dead after the call. Waits for a report
 * that is under way, so the caller must hold no lock that the lender takes. */
void shmfi_region_retire(struct shmfi_region *region);

/* A foreign region without a lender is no longer needed: unmap it. Unknown ids are ignored. */
void shmfi_region_drop(uint64_t id);

/* Does this process have a descriptor of the region (needed for copy-on-write)? Inherited
 * mappings have none until shmfi_region_give_fd. Takes over `fd`. */
bool shmfi_region_has_fd(const struct shmfi_region *region);
int shmfi_region_give_fd(uint64_t id, int fd, struct shmf_error *err);

/* ---- segments in files of their own, for other programs ----------------------------------- */

/* A random number that is not 0. */
int shmfi_random_id(uint64_t *id, struct shmf_error *err);

/* An empty memfd, close-on-exec, that can be sealed. */
int shmfi_outside_memfd(int *fd, struct shmf_error *err);

/* A file of `size` bytes without a name, all zero, close-on-exec; where it can be sealed, neither
 * shorter nor longer for ever. */
int shmfi_file_create(uint64_t size, int *fd, struct shmf_error *err);

/* What a file of `size` bytes is to hold: pieces that ascend, zeros between them. */
struct shmfi_outside_piece {
    uint64_t offset;
    const void *data;
    uint64_t size;
};
struct shmfi_outside {
    const struct shmfi_outside_piece *pieces;
    uint64_t n_pieces;
    uint64_t size;
};

/* Makes the empty file `fd` exactly `size` bytes long, reserves its pages, and fills it; it is not
 * mapped here afterwards. SHMF_E_NOSPC: no room, found out before anything is written. */
int shmfi_outside_fill(int fd, const struct shmfi_outside *bytes, struct shmf_error *err);

/* The first half of it: the file is `size` bytes long, has its pages, and is mapped for writing,
 * not in children; the caller unmaps it with shmfi_outside_unmap(). */
int shmfi_outside_map(int fd, uint64_t size, void **base, struct shmf_error *err);
void shmfi_outside_unmap(void *base, uint64_t size);

/* Seals a memfd that nobody maps for writing: the kernel refuses every change, by anybody, for
 * ever. `*fd` is replaced by a descriptor that was opened read-only, where /proc is there. */
int shmfi_outside_seal(int *fd, struct shmf_error *err);
bool shmfi_outside_is_sealed(int fd);

/* Another descriptor of the file, opened read-only where /proc is there. Negative: a status. */
int shmfi_outside_reader(int fd, struct shmf_error *err);

/* Copies bytes of a file that somebody may truncate meanwhile. SHMF_E_CORRUPT: they are gone. */
int shmfi_outside_read(int fd, uint64_t offset, void *to, uint64_t size, struct shmf_error *err);

/* Maps a file of `size` bytes as one segment whose length is rounded up to whole pages; takes over
 * `fd`, on failure too. Access read-only or copy-on-write. `generation` is what its header had;
 * nothing in the mapping is touched, and touching it raises SIGBUS should the file be truncated
 * (files that can be sealed must be sealed against that). The mapping goes with the last
 * reference. */
int shmfi_segment_attach(int fd, uint64_t size, uint64_t generation, uint32_t access,
                         struct shmfi_segment **segment, struct shmf_error *err);

/* A descriptor that the caller closes, opened anew and read-only, of the file in which the segment
 * lies; and one for comparison, which is borrowed and lives as long as the segment.
 * SHMF_E_UNSUPPORTED: there is none (an inherited mapping, no /proc), what others would see there
 * is not what is seen here (a copy-on-write view), it is another process's to use again, or the
 * file may become shorter. */
int shmfi_segment_reopen(const struct shmfi_segment *segment, int *fd, int *own,
                         struct shmf_error *err);

/* The other side: maps the file, of `size` bytes, read-only, and what lies at `offset`, `length`
 * bytes of it, becomes a segment; as shmfi_segment_attach(). SHMF_E_CORRUPT: nothing of that
 * generation is there; SHMF_E_UNSEALED. */
int shmfi_segment_borrow(int fd, uint64_t size, const struct shmf_handle *where,
                         struct shmfi_segment **segment, struct shmf_error *err);

/* shmfi_outside_read() from the file of a segment that was attached read-only, or of its view. */
int shmfi_segment_read(const struct shmfi_segment *segment, uint64_t offset, void *to,
                       uint64_t size, struct shmf_error *err);

/* The descriptor of the sealed file that holds this segment alone, unchanged; borrowed; -1: there
 * is none. */
int shmfi_segment_sealed_fd(const struct shmfi_segment *segment);

/* ---- setting aside: a segment's file without its region -------------------------------------- */

/* A segment that is alone in a region of this process keeps its file when the region goes. */
struct shmfi_aside {
    struct shmfi_segment *segment; /* until it is committed */
    uint64_t *size_word;           /* in the segment's header; restored by undo */
    uint64_t size;                 /* that the header had */
    uint64_t generation;
    int fd; /* a descriptor of the file, for writing; the caller's */
};

/* 1: the header says now that the segment is all of its file. 0: it cannot be set aside, because
 * it shares its region, is referred to elsewhere, or others may write it. Negative: a status. */
int shmfi_aside_begin(struct shmfi_segment *segment, struct shmfi_aside *aside,
                      struct shmf_error *err);

/* Everything is as it was. */
void shmfi_aside_undo(struct shmfi_aside *aside);

/* The region goes with the segment, whose last reference is the caller's to drop next; its pages
 * stay in the file, and count no more as memory of this process. */
void shmfi_aside_commit(struct shmfi_aside *aside);

/* After that: the header is that of a living segment again, and the file is sealed. Closes
 * `aside->fd` in any case. SHMF_E_SYS: somebody maps it for writing. */
int shmfi_aside_seal(struct shmfi_aside *aside, struct shmf_error *err);

/* ---- granting ------------------------------------------------------------------------------ */

/* May other processes get this segment for writing? Only its owner may let them. */
bool shmfi_segment_is_grantable(const struct shmfi_segment *segment);

/* The owner's writable descriptor of a region that holds grantable objects; borrowed. Negative:
 * SHMF_E_ACCESS. */
int shmfi_region_write_fd(struct shmfi_region *region, struct shmf_error *err);

/* The other side: maps the region, which is known here, writable as well. Takes over `fd`. */
int shmfi_region_give_write_fd(uint64_t id, int fd, struct shmf_error *err);
bool shmfi_region_is_writable(const struct shmfi_region *region);

/* Somebody who could write the region is dead or beyond control: it is not used again when its
 * object is released. Unknown ids are ignored. */
void shmfi_region_taint(uint64_t id);

/* ---- after fork --------------------------------------------------------------------------- */

/* A child that just goes on (this is not called) finds the parent's regions protected against
 * writing, keeps their descriptors, and starts regions of its own. Forks must go through libc's
 * fork(), which waits until this module is at rest.
 *
 * In a forked child that is to be a supervisor: the parent's regions become foreign: mapped
 * read-only at the same address, without descriptors; the child owns nothing. Its forked children
 * inherit that. Must be called before anything else of this module in the child. */
int shmfi_memory_disown(struct shmf_error *err);

/* For tests: unmaps and forgets everything, objects that are alive included. Copy-on-write views
 * must have been released. */
void shmfi_memory_reset(void);

#endif

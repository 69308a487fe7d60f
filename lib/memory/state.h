/* Private to memory/: what this process knows of its regions and segments.
 *
 * Who writes what. Everything below is private memory of this process, written under
 * shmfi_memory.lock only; nobody else ever sees it. In shared memory this module writes
 *   - the generation word of a segment's header: the region's owner alone, released when the
 *     segment is made and when it is given up; readers acquire it;
 *   - the first 4096 bytes of a new segment, before the generation is set.
 * If the owner dies, its words stay as they are: segments that were delivered remain readable,
 * and whoever borrowed the region retires it.
 *
 * Locking. One mutex; a function whose name ends in _locked, and every function of file.c, map.c,
 * populate.c and region.c, is called with it held or on an object that nobody else can reach.
 * No foreign code runs under it: budget, drop hook and lenders are called by
 * shmfi_memory_leave() after it was released, from what struct shmfi_after collected. So these may
 * call back into this module. fork() waits for the mutex (pthread_atfork), so a child finds the
 * bookkeeping in order; a fork around libc's handlers is not supported.
 *
 * Epochs. shmfi_memory_enter() compares the epoch under which the bookkeeping was last used with
 * the process's own. In a child they differ: then all regions of the parent become foreign, and
 * budget and hooks, which act for the parent, are forgotten. */
#ifndef SHMFI_MEMORY_STATE_H
#define SHMFI_MEMORY_STATE_H

#include "memory/memory.h"
#include "memory/table.h"

#include <pthread.h>
#include <sys/stat.h>

#define SHMFI_HUGE           (UINT64_C(2) << 20)  /* a huge page; block of big regions */
#define SHMFI_SMALL_BLOCK    (UINT64_C(64) << 10) /* pages are obtained in such steps elsewhere */
#define SHMFI_SHARED_FIRST   (UINT64_C(1) << 20)  /* regions that segments share: the first one, */
#define SHMFI_SHARED_LARGEST (UINT64_C(64) << 20) /* and where doubling ends */
#define SHMFI_SINGLE_FROM    (UINT64_C(32) << 20) /* segments of this size have their own region */
#define SHMFI_HEADER_BYTES   4096                 /* zeroed in a new segment */

enum shmfi_region_kind {
    SHMFI_REGION_OWN,    /* this process writes it */
    SHMFI_REGION_LENT,   /* another's: only segments that were admitted can be opened */
    SHMFI_REGION_FOREIGN /* another's: any segment whose generation matches can be opened */
};

struct shmfi_region {
    struct shmfi_node node;    /* in regions, by id */
    struct shmfi_region *prev; /* in `list`; when doomed, `next` chains the doomed */
    struct shmfi_region *next;
    struct shmfi_region_list *list; /* own regions only */
    enum shmfi_region_kind kind;
    uint64_t id;
    uint64_t serial;
    uint64_t size;
    uint8_t *base;       /* NULL: not mapped here (a worker's region in a child of the worker) */
    uint8_t *write_base; /* foreign: mapped writable as well, for objects granted; or NULL */
    int fd;              /* own: writable; others: as it came; -1: none */
    int read_fd;         /* own: opened read-only when first asked for; -1: not yet */
    dev_t device;        /* which file it is: descriptors that come later must be of the same */
    ino_t inode;
    bool single;    /* holds one segment at a time, or none */
    bool huge;      /* ask for huge pages */
    bool placed;    /* the kernel took the NUMA policy that was asked for */
    bool dontfork;  /* not mapped in children */
    bool writable;  /* mapped writable, even if no longer own */
    bool grantable; /* own, single: workers may be given its writable descriptor; it holds such
                       objects only */
    bool retired;   /* destroyed with its last segment */
    bool aside;     /* own: its file outlives it, pages and all */
    bool dropped;   /* retired and no longer in `regions` */
    bool attached;  /* a file of its own, of another program; whoever was lent it must be told */
    size_t live;    /* segments in the table that lie here */
    struct shmfi_lender lender; /* lent: `returned` is NULL once it was retired */
    size_t reporting;           /* calls of the lender that are under way */
    /* own: all bitmaps; lent: `used`; foreign: none */
    size_t n_pages;
    size_t used_pages;
    size_t longest; /* no run of free pages is longer; an upper bound that saves searches */
    uint64_t block; /* pages are obtained in blocks of this many bytes */
    size_t n_blocks;
    uint64_t reserved;   /* bytes of the blocks that are populated */
    uint64_t *used;      /* by page: part of a segment that is alive */
    uint64_t *dirty;     /* by page: was part of a segment since it came from the kernel */
    uint64_t *populated; /* by block: the pages are there */
    uint64_t *huge_map;  /* by block: in a huge page, as far as the kernel said */
};

struct shmfi_region_list {
    struct shmfi_region *head;
    struct shmfi_region *tail;
};

/* Nodes come first, so that tools that look for leaks see pointers to the whole. */
struct shmfi_live {
    struct shmfi_node node;       /* in segments, by region, offset and generation */
    struct shmfi_segment segment; /* what others see */
    size_t refs;
    struct shmfi_live *origin; /* of a view: the segment that is pinned; not in the table */
    struct shmfi_live *kept;   /* what it holds a reference to besides; or NULL */
    bool private_mapping;      /* copy-on-write: the view is a mapping of its own */
};

struct shmfi_memory {
    pthread_mutex_t lock;
    pthread_cond_t reported; /* some region's `reporting` came down */
    uint64_t epoch;          /* of the process that used it last; 0: nobody did */
    struct shmfi_table regions;
    struct shmfi_table segments;
    struct shmfi_region_list shared; /* own, of many segments, oldest first: first fit */
    struct shmfi_region_list busy;   /* own, single, holding a segment */
    struct shmfi_region_list cached; /* own, single, free; released last comes first */
    uint64_t generations;            /* made so far */
    uint64_t serials;                /* regions that were ever in `regions` */
    uint64_t shared_size;            /* of the regions in `shared` */
    uint64_t reserved;               /* bytes populated in own regions */
    uint64_t used;                   /* of these, in segments that are alive */
    uint64_t recycled;               /* segments made without obtaining pages */
    uint64_t fresh;                  /* others */
    uint64_t foreign;                /* regions of other processes that are mapped */
    struct shmfi_budget budget;
    void (*drop_hook)(void *context, uint64_t region_id);
    void *drop_context;
    struct shmf_memory_options options;
    bool dontfork;
    bool no_collapse; /* the kernel does not know MADV_COLLAPSE, or denies it */
    bool no_populate; /* nor MADV_POPULATE_WRITE */
};

extern struct shmfi_memory shmfi_memory;

/* What has to be done when the mutex is free again. All zero: nothing. */
struct shmfi_after {
    struct shmfi_region *doomed;   /* unlinked already */
    uint64_t released;             /* bytes that the budget gets back */
    struct shmfi_region *reported; /* its lender learns that this segment was released: */
    struct shmfi_lender lender;
    uint64_t offset;
    uint64_t length;
    uint64_t generation;
};

/* fork.c */
void shmfi_memory_enter(void);
void shmfi_memory_leave(struct shmfi_after *after); /* NULL: nothing to do after */

/* file.c: the memory itself. Sizes are whole pages. */
uint64_t shmfi_page_size(void);
int shmfi_file_anonymous(void); /* a memfd that can be sealed; negative and errno */
int shmfi_file_check_limit(uint64_t size, struct shmf_error *err);
int shmfi_file_check(int fd, uint64_t size, struct stat *status, struct shmf_error *err);
int shmfi_file_reopen(int fd); /* read-only; negative: /proc is not there */

/* map.c: MAP_FAILED and errno on failure. Aligned to huge pages where that can help. */
void *shmfi_map(uint64_t size, int protection, int flags, int fd, uint64_t offset);
void shmfi_map_advise(void *base, uint64_t size, bool dontfork);

/* foreign.c: checks the file and maps it read-only; keeps nothing of `fd` but which file it is. */
int shmfi_region_map_foreign(struct shmfi_region *region, int fd, struct shmf_error *err);

/* open.c: a private writable view of the segment; the caller's reference to it becomes the
 * view's. */
int shmfi_live_map_private(struct shmfi_live *origin, struct shmfi_live **result,
                           struct shmf_error *err);

/* numa.c: before pages are obtained. */
void shmfi_region_place(struct shmfi_region *region);

/* populate.c */
uint64_t shmfi_region_missing(const struct shmfi_region *region, uint64_t offset, uint64_t length);
int shmfi_region_populate(struct shmfi_region *region, uint64_t offset, uint64_t length,
                          uint64_t *obtained, struct shmf_error *err);
uint64_t shmfi_region_punch(struct shmfi_region *region, size_t first, size_t count);

/* region.c */
void shmfi_list_push(struct shmfi_region_list *list, struct shmfi_region *region, bool at_head);
void shmfi_list_remove(struct shmfi_region *region);
uint64_t shmfi_region_block(uint64_t size);
int shmfi_region_create(uint64_t size, bool single, struct shmfi_region **region,
                        struct shmf_error *err);
void shmfi_region_doom_locked(struct shmfi_region *region, struct shmfi_after *after);
void shmfi_region_destroy(struct shmfi_region *region);
struct shmfi_region *shmfi_region_find_locked(uint64_t id);
void shmfi_region_register_locked(struct shmfi_region *region);

/* segments.c */
struct shmfi_live *shmfi_live_new(struct shmfi_region *region, uint64_t offset, uint64_t length,
                                  uint64_t generation);
void shmfi_live_insert_locked(struct shmfi_live *live);
struct shmfi_live *shmfi_live_find_locked(const struct shmfi_region *region, uint64_t offset,
                                          uint64_t generation);
void shmfi_live_unref_locked(struct shmfi_live *live, struct shmfi_after *after);
uint64_t *shmfi_generation_word(const struct shmfi_region *region, uint64_t offset);

/* grant.c: the object itself, for writing; the caller's reference becomes the result's. */
int shmfi_open_writable_locked(struct shmfi_live *shared, struct shmfi_live **result,
                               struct shmf_error *err);

/* trim.c: gives back cached pages until at most `keep` bytes are cached; `dropped` counts regions
 * too, which may have been empty of pages but not of descriptors and address space. */
uint64_t shmfi_trim_locked(uint64_t keep, struct shmfi_after *after, size_t *dropped);

/* private.c: gives back what it keeps. */
void shmfi_private_trim(void);

#endif

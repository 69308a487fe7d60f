/* libshmframe: the segment format, version 1, in bytes. docs/format.md says what it means.
 *
 * Structs, offsets and static assertions only; little-endian, 64-bit; all offsets count from the
 * first byte of the segment; no pointers. `reserved` fields are zero and refused when not;
 * `unused` bytes are ignored. */
#ifndef SHMFRAME_FORMAT_H
#define SHMFRAME_FORMAT_H

#include <shmframe/base.h>

#include <assert.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "libshmframe segments are little-endian"
#endif

#define SHMF_FORMAT_MAGIC   "SHMF\r\n\x1a\n"
#define SHMF_FORMAT_VERSION 1u

/* Bytes 0-79 of every segment. */
struct shmf_format_header {
    uint8_t foreign[24];     /*  0 belongs to other formats; zero in an ordinary segment */
    uint8_t magic[8];        /* 24 SHMF_FORMAT_MAGIC */
    uint32_t version;        /* 32 SHMF_FORMAT_VERSION */
    uint32_t header_size;    /* 36 bytes of header in all, those of the kind included */
    uint32_t kind;           /* 40 enum shmf_kind */
    uint32_t state;          /* 44 SHMF_FORMAT_BUILDING or SHMF_FORMAT_READY */
    uint64_t total_size;     /* 48 bytes of the segment */
    uint64_t generation;     /* 56 nonzero while the segment is alive; written by the region's owner */
    uint64_t compatible;     /* 64 feature bits that a reader may ignore */
    uint64_t incompatible;   /* 72 feature bits that a reader must know */
};

#define SHMF_FORMAT_BUILDING 1u
#define SHMF_FORMAT_READY    2u

#endif

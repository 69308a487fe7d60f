/* libshmframe: sealed objects and their images, for transports of other people: MPI, RDMA, files.
 *
 * A sealed object lies in a file of its own that nobody can change any more, its maker included.
 * Sending, exporting and attaching it copy nothing. Its image, the bytes of that file, is all there
 * is of it: whoever has them, on whatever machine, has the object. It is received straight into
 * shared memory (shmf_image_new), without a buffer in between.
 * Thread safety: an object to be sealed, and an image, belong to one thread at a time. Fork: an
 * image belongs to the process that made it, and is not mapped in children. */
#ifndef SHMFRAME_IMAGE_H
#define SHMFRAME_IMAGE_H

#include <shmframe/array.h>
#include <shmframe/frame.h>

SHMF_BEGIN_DECLS

/* ---- sealing ------------------------------------------------------------------------------ */

/* Replaces the object by a sealed one with the same contents; pointers and handles to what it was
 * are dead afterwards. Copies nothing where the object has a region to itself (32 MiB and more),
 * was made by this process and not for granting, and nothing else refers to it; else it copies
 * once, and frees what was copied. What is sealed already stays as it is. SHMF_E_INVAL: NULL;
 * SHMF_E_ACCESS: the frame is not finished; SHMF_E_NOSPC, SHMF_E_NOMEM, SHMF_E_NOFILES,
 * SHMF_E_UNSUPPORTED (no memfd): the object is still there, and may have become read-only. */
SHMF_API int shmf_frame_seal(struct shmf_frame **frame, struct shmf_error *err);
SHMF_API int shmf_array_seal(struct shmf_array **array, struct shmf_error *err);

/* The image of a sealed object, `*size` bytes; lives as long as the object. NULL: it is not sealed,
 * or a part of one that is. */
SHMF_API const void *shmf_frame_image(const struct shmf_frame *frame, uint64_t *size);
SHMF_API const void *shmf_array_image(const struct shmf_array *array, uint64_t *size);

/* ---- receiving ---------------------------------------------------------------------------- */

/* Shared memory for an image that is under way. */
struct shmf_image;

/* Memory for `size` bytes, whose pages are there. SHMF_E_INVAL: size 0; SHMF_E_TOOBIG;
 * SHMF_E_NOSPC, SHMF_E_NOMEM, SHMF_E_NOFILES, SHMF_E_UNSUPPORTED. The caller owns it. */
SHMF_API struct shmf_image *shmf_image_new(uint64_t size, struct shmf_error *err);

/* Where the bytes are to be written, all of them. NULL for NULL. */
SHMF_API void *shmf_image_data(struct shmf_image *image);

/* Seals what was written and opens it, read-only; the image is freed, on failure too. What came
 * from elsewhere is checked as what is attached (share.h). SHMF_E_CORRUPT (names the field),
 * SHMF_E_VERSION; SHMF_E_INVAL: an object of the other kind, NULL. */
SHMF_API struct shmf_frame *shmf_image_frame(struct shmf_image *image, struct shmf_error *err);
SHMF_API struct shmf_array *shmf_image_array(struct shmf_image *image, struct shmf_error *err);

/* Gives up an image that did not come. NULL is fine. */
SHMF_API void shmf_image_free(struct shmf_image *image);

SHMF_END_DECLS

#endif

/* Where tasks and results meet frames and arrays: the pool knows neither. */
#ifndef SHMFI_TASK_OBJECTS_H
#define SHMFI_TASK_OBJECTS_H

#include "pool/task_internal.h"

/* One kind of object, as this module needs it. */
struct shmfi_object_type {
    const char *name;
    uint32_t kind;
    /* Opens what a handle of this other kind names as such an object; or 0 and NULL. */
    uint32_t selection_kind;
    int (*open_selection)(const struct shmf_handle *handle, void **object, bool *keepable,
                          struct shmf_error *err);
    /* Takes the segment's reference. */
    int (*open)(struct shmfi_segment *segment, bool trusted, void **object, struct shmf_error *err);
    /* The same, of a segment that was granted. */
    int (*open_granted)(struct shmfi_segment *segment, void **object, struct shmf_error *err);
    /* The rows that the handle names, of the whole that it was opened as. */
    int (*slice)(const void *whole, const struct shmf_handle *handle, void **object,
                 struct shmf_error *err);
    void (*free)(void *object);      /* for objects that were opened */
    void (*free_made)(void *object); /* the same, for those that the task made: so they are told
                                        apart in the task's list */
};

extern const struct shmfi_object_type shmfi_frame_type;
extern const struct shmfi_object_type shmfi_array_type;

/* The object behind the task's handle; borrowed. NULL with the task's error recorded. */
void *shmfi_task_open(struct shmf_task *task, size_t position,
                      const struct shmfi_object_type *type);

/* Remembers an object that the task has made (NULL: it could not, `err` says why). Returns it. */
void *shmfi_task_own(struct shmf_task *task, void *object, const struct shmfi_object_type *type,
                     const struct shmf_error *err);

/* Did this task make it? */
bool shmfi_task_made(const struct shmf_task *task, const void *object,
                     const struct shmfi_object_type *type);

#endif

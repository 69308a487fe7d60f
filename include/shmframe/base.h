/* libshmframe: what every public header needs: visibility, C++ linkage, attributes. */
#ifndef SHMFRAME_BASE_H
#define SHMFRAME_BASE_H

#include <stddef.h>
#include <stdint.h>

/* The version of the library that these headers belong to. */
#define SHMF_VERSION_MAJOR 0
#define SHMF_VERSION_MINOR 1
#define SHMF_VERSION_PATCH 0

#if defined(__GNUC__)
#define SHMF_API __attribute__((visibility("default")))
#define SHMF_PRINTF(format_index, first_argument)                                                  \
    __attribute__((format(printf, format_index, first_argument)))
#define SHMF_NODISCARD __attribute__((warn_unused_result))
#else
#define SHMF_API
#define SHMF_PRINTF(format_index, first_argument)
#define SHMF_NODISCARD
#endif

#ifdef __cplusplus
#define SHMF_BEGIN_DECLS extern "C" {
#define SHMF_END_DECLS   }
#else
#define SHMF_BEGIN_DECLS
#define SHMF_END_DECLS
#endif

#endif

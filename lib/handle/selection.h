/* What segments of SHMF_KIND_SELECTION begin with: frames write them and pools look what they are
 * about. */
#ifndef SHMFI_HANDLE_SELECTION_H
#define SHMFI_HANDLE_SELECTION_H

#include <shmframe/format.h>
#include <shmframe/handle.h>

/* Of the header only the generation is used: whoever takes it for a frame finds none. */
struct shmfi_selection_head {
    struct shmf_format_header header;
    struct shmf_handle whole;
};

#endif

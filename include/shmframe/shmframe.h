/* libshmframe: everything. Frames and arrays in shared memory, and a pool of worker processes
 * that map functions over them. Start with docs/guide.md or examples/. */
#ifndef SHMFRAME_H
#define SHMFRAME_H

#include <shmframe/array.h>
#include <shmframe/arrow.h>
#include <shmframe/base.h>
#include <shmframe/builder.h>
#include <shmframe/column.h>
#include <shmframe/control.h>
#include <shmframe/csv.h>
#include <shmframe/derive.h>
#include <shmframe/dtype.h>
#include <shmframe/duckdb.h>
#include <shmframe/early.h>
#include <shmframe/error.h>
#include <shmframe/file.h>
#include <shmframe/frame.h>
#include <shmframe/frame_map.h>
#include <shmframe/future.h>
#include <shmframe/grant.h>
#include <shmframe/handle.h>
#include <shmframe/image.h>
#include <shmframe/ipc.h>
#include <shmframe/lend.h>
#include <shmframe/map.h>
#include <shmframe/memory.h>
#include <shmframe/npy.h>
#include <shmframe/pool.h>
#include <shmframe/progress.h>
#include <shmframe/reduce.h>
#include <shmframe/result.h>
#include <shmframe/share.h>
#include <shmframe/task.h>
#include <shmframe/warning.h>

#endif

#include "dual/dual.h"

#include "base/error.h"
#include "share/publish.h"

#include <shmframe/ipc.h>

static int check_options(const struct shmf_frame *frame, const struct shmf_ipc_options *options,
                         struct shmf_error *err)
{
    if (options->format != SHMF_IPC_FILE)
        return shmfi_error(err, SHMF_E_INVAL, "ipc_options.format: a segment is no stream");
    if (options->batch_rows < 0 ||
        (options->batch_rows && options->batch_rows < shmf_frame_rows(frame)))
        return shmfi_error(err, SHMF_E_INVAL, "ipc_options.batch_rows: a segment is one batch");
    return shmfi_check_reserved(options->reserved,
                                sizeof options->reserved / sizeof options->reserved[0],
                                "ipc_options", err);
}

static struct shmf_share *publish(const struct shmf_frame *frame, const char *name,
                                  const char *row_labels,
                                  const struct shmf_publish_options *options,
                                  struct shmf_error *err)
{
    struct shmfi_dual dual;
    struct shmf_share *share = NULL;
    if (!shmfi_dual_make(&dual, frame, row_labels, err))
        share = shmfi_publish_bytes(
            &(struct shmfi_outside){dual.plan.pieces, dual.plan.n, dual.plan.end}, name, options,
            err);
    shmfi_dual_free(&dual);
    return share;
}

struct shmf_share *shmf_ipc_publish(const struct shmf_frame *frame, const char *name,
                                    const struct shmf_ipc_options *ipc_options,
                                    const struct shmf_publish_options *options,
                                    struct shmf_error *err)
{
    static const struct shmf_ipc_options defaults;
    const struct shmf_ipc_options *ipc = ipc_options ? ipc_options : &defaults;
    struct shmf_publish_options checked;
    struct shmf_frame *stand_in;
    const struct shmf_frame *whole = shmfi_whole_frame(frame, &stand_in, err);
    if (!whole)
        return NULL;
    struct shmf_share *share = NULL;
    if (!check_options(frame, ipc, err) && !shmfi_publish_options(options, &checked, err))
        share = publish(whole, name, ipc->row_labels, &checked, err);
    shmf_frame_free(stand_in);
    return share;
}

/* How far an iteration is, as a pool's iterations show it. */
#include "root.h"

#include <unistd.h>

#define INTERVAL 0.1 /* seconds */

void shmfi_mpi_progress_start(struct shmfi_mpi_progress *progress,
                              const struct shmf_imap_options *options, int64_t total)
{
    *progress = (struct shmfi_mpi_progress){.options = options};
    progress->bar = options->progress && (options->progress_always || isatty(STDERR_FILENO));
    progress->now.title = options->progress ? options->progress : "";
    progress->now.total = total;
    progress->started = MPI_Wtime();
}

void shmfi_mpi_progress_count(struct shmfi_mpi_progress *progress, int64_t done, int64_t failed)
{
    progress->now.done += done;
    progress->now.failed += failed;
}

static void show(struct shmfi_mpi_progress *progress, double time)
{
    struct shmf_progress *now = &progress->now;
    now->elapsed_seconds = time - progress->started;
    now->per_second =
        now->done && now->elapsed_seconds > 0 ? (double)now->done / now->elapsed_seconds : 0;
    now->remaining_seconds = -1;
    if (now->total >= 0 && now->per_second > 0)
        now->remaining_seconds = (double)(now->total - now->done) / now->per_second;
    progress->shown = time;
    if (progress->bar && shmf_progress_draw(now))
        progress->bar = false; /* nobody reads it */
    if (progress->options->progress_fn)
        progress->options->progress_fn(now, progress->options->progress_user);
}

static bool is_wanted(const struct shmfi_mpi_progress *progress)
{
    return (progress->bar || progress->options->progress_fn) && !progress->now.finished;
}

void shmfi_mpi_progress_show(struct shmfi_mpi_progress *progress)
{
    if (!is_wanted(progress))
        return;
    double time = MPI_Wtime();
    if (time - progress->shown >= INTERVAL)
        show(progress, time);
}

void shmfi_mpi_progress_finish(struct shmfi_mpi_progress *progress)
{
    if (!is_wanted(progress))
        return;
    progress->now.finished = 1;
    show(progress, MPI_Wtime());
}

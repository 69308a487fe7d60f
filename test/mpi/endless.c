/* endless [RANKS_PER_NODE [STAY]]: says who runs where, "RANK NODE NODE_RANK PID", and "going" when
 * tasks run; all of it says rank 0; then goes on until it is killed (killed.py). */
#include "mpi/ranks.h"

static int yield(struct shmf_task_input *input, void *user)
{
    (void)input;
    (void)user;
    return 1;
}

/* Big and small ones. */
static int make_array(struct shmf_task *task, void *context)
{
    int64_t n = shmf_task_index(task) % 3 ? 10 : 200000;
    struct shmf_array *array = shmf_task_new_array(task, SHMF_FLOAT64, 1, &n);
    (void)context;
    usleep(1000);
    return array && !shmf_array_zero(array) ? shmf_task_return_array(task, array) : -1;
}

static struct shmf_frame *give_frame(void)
{
    struct shmf_frame_spec spec = {.n_rows = 5 << 20, .n_columns = 1, .dtype = SHMF_FLOAT64};
    struct shmf_frame *frame = NULL;
    if (place.rank == 0) {
        frame = shmf_frame_new(&spec, &err);
        check(frame);
        memset(shmf_frame_data_mut(frame, 0), 1, 40 << 20);
        check_ok(shmf_frame_finish(frame, &err), "finish");
    }
    check_ok(shmf_mpi_bcast(mpi, 0, &frame, &err), "bcast");
    return frame;
}

/* By one rank: lines of several ranks come in any order. */
static void say_who_runs_where(void)
{
    int mine[4] = {place.rank, place.node, place.node_rank, (int)getpid()};
    int(*all)[4] = calloc((size_t)place.ranks, sizeof *all);
    check(all);
    MPI_Gather(mine, 4, MPI_INT, all, 4, MPI_INT, 0, MPI_COMM_WORLD);
    for (int i = 0; place.rank == 0 && i < place.ranks; i++)
        printf("%d %d %d %d\n", all[i][0], all[i][1], all[i][2], all[i][3]);
    free(all);
}

int main(int argc, char **argv)
{
    struct shmf_mpi_options options = {.ranks_per_node = argc > 1 ? atoi(argv[1]) : 0};
    struct shmf_pool_options early = {.workers = 2, .start = SHMF_START_EARLY};
    struct shmf_tasks tasks = {.count = -1, .next = yield};
    struct shmf_mpi_imap_options imap = {.stay = argc > 2 ? atoi(argv[2]) : 0};
    struct shmf_mpi_result *result;
    alarm(200); /* should nobody kill it */
    check_ok(shmf_mpi_init(&argc, &argv, MPI_THREAD_FUNNELED, NULL, NULL, &err), "init");
    mpi = shmf_mpi_new(MPI_COMM_WORLD, &options, &err);
    check(mpi);
    shmf_mpi_place(mpi, -1, &place);
    struct shmf_pool *pool = place.node_rank == 0 ? shmf_pool_new(&early, &err) : NULL;
    struct shmf_frame *frame = give_frame();
    say_who_runs_where();
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, make_array, &tasks, &imap, &err);
    check(iter);
    for (int64_t taken = 0; shmf_mpi_iter_next(iter, &result, &err) == 1; taken++) {
        if (place.rank == 0 && taken == 30) {
            printf("going\n");
            fflush(stdout);
        }
        shmf_mpi_result_free(result);
    }
    fprintf(stderr, "rank %d: %s\n", place.rank, err.message); /* as far as MPI let it */
    shmf_frame_free(frame);
    return 1;
}

/* files [RANKS_PER_NODE]: tasks for the pools of all nodes, whose results there are no files for;
 * run by mpirun, with any number of ranks, and without. */
#include "mpi/pools.h"

#include <sys/resource.h>

enum { MOST_FILES = 256 };

/* While there is one in it, this process gets no more. */
static struct {
    int files[MOST_FILES], count;
    struct rlimit before;
} taken_files;

static void take_all_files(void)
{
    int fd;
    check(getrlimit(RLIMIT_NOFILE, &taken_files.before) == 0);
    struct rlimit few = {MOST_FILES, taken_files.before.rlim_max};
    check(setrlimit(RLIMIT_NOFILE, &few) == 0);
    while ((fd = dup(STDERR_FILENO)) >= 0)
        taken_files.files[taken_files.count++] = fd;
    check(taken_files.count > 0);
}

static void give_all_files(void)
{
    while (taken_files.count)
        close(taken_files.files[--taken_files.count]);
    check(setrlimit(RLIMIT_NOFILE, &taken_files.before) == 0);
}

static int return_large(struct shmf_task *task, void *context)
{
    struct shmf_array *array = shmf_task_new_array(task, SHMF_UINT8, 1, (int64_t[]){1 << 20});
    (void)context;
    return array && !shmf_array_zero(array) ? shmf_task_return_array(task, array) : -1;
}

/* The root; where results stay, any leader. */
static void who_has_no_files_for_results_is_told_and_goes_on(bool stay)
{
    struct shmf_pool *fresh = new_pool(); /* none of its files is here */
    struct shmf_tasks tasks = {.count = place.nodes};
    struct shmf_mpi_imap_options options = {.block = 1, .stay = stay};
    struct shmf_mpi_result *result;
    bool lacks = stay ? place.node_rank == 0 : is_root;
    int64_t taken = 0, told = 0;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, fresh, return_large, &tasks, &options, &err);
    check(iter);
    if (lacks)
        take_all_files();
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) != 0) {
        check(rc == 1 || (rc == SHMF_E_NOFILES && lacks && !result));
        check(rc != 1 || (told && result->array));
        if (rc != 1 && !told++)
            give_all_files();
        taken += rc == 1;
        shmf_mpi_result_free(rc == 1 ? result : NULL);
    }
    check(!lacks || taken == (stay ? 1 : place.nodes));
    shmf_mpi_iter_free(iter);
    shmf_pool_free(fresh);
}

/* Nobody there could free any. */
static void a_node_that_has_no_files_for_results_fails_the_iteration(void)
{
    struct shmf_pool *fresh = new_pool();
    struct shmf_tasks tasks = {.count = place.nodes};
    struct shmf_mpi_imap_options options = {.block = 1};
    struct shmf_mpi_result *result;
    bool lacks = place.node == place.nodes - 1 && place.node_rank == 0;
    int rc;
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, fresh, return_large, &tasks, &options, &err);
    check(iter);
    if (lacks)
        take_all_files();
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1)
        shmf_mpi_result_free(result);
    if (lacks)
        give_all_files();
    check(rc == SHMF_E_NOFILES && strstr(err.message, "rank "));
    check(shmf_mpi_iter_next(iter, &result, &err) == SHMF_E_NOFILES);
    shmf_mpi_iter_free(iter);
    shmf_pool_free(fresh);
}

/* MPI opens files of its own when ranks first talk to each other. */
static void all_ranks_talk(void)
{
    int *all = calloc((size_t)place.ranks * 2, sizeof *all);
    struct shmf_tasks tasks = {.count = (int64_t)4 * place.nodes};
    struct shmf_mpi_imap_options options = {.block = 1};
    struct shmf_mpi_result *result;
    int rc;
    check(all);
    MPI_Alltoall(all, 1, MPI_INT, all + place.ranks, 1, MPI_INT, MPI_COMM_WORLD);
    free(all);
    struct shmf_mpi_iter *iter = shmf_mpi_imap(mpi, 0, pool, return_large, &tasks, &options, &err);
    check(iter);
    while ((rc = shmf_mpi_iter_next(iter, &result, &err)) == 1)
        shmf_mpi_result_free(result);
    check_ok(rc, "next");
    shmf_mpi_iter_free(iter);
}

int main(int argc, char **argv)
{
    start_ranks(&argc, &argv);
    all_ranks_talk();
    who_has_no_files_for_results_is_told_and_goes_on(false);
    who_has_no_files_for_results_is_told_and_goes_on(true);
    if (place.nodes > 1)
        a_node_that_has_no_files_for_results_fails_the_iteration();
    all_ranks_talk();
    return end_ranks();
}

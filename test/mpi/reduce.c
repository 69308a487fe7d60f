/* reduce [RANKS_PER_NODE]: reductions by the pools of all nodes; run by mpirun, with any number of
 * ranks, and without. */
#include "mpi/pools.h"

/* In another order elements would come to another word. */
struct word {
    int64_t count;
    uint64_t hash, power;
    int64_t last;
};

static int add_letter(struct shmf_task *task, void *accumulator, void *context)
{
    struct word *word = accumulator;
    int64_t index = shmf_task_index(task);
    (void)context;
    if (index == 700 && *(const int *)shmf_task_arg(task) < 0)
        return shmf_task_fail(task, SHMF_E_NOTFOUND, "no letter");
    word->count++;
    word->hash = word->hash * 31 + (uint64_t)index;
    word->power *= 31;
    word->last = index;
    return 0;
}

static void add_word(void *accumulator, const void *other, void *context)
{
    struct word *word = accumulator;
    const struct word *next = other;
    (void)context;
    check(!next->count || !word->count || next->last > word->last);
    word->count += next->count;
    word->hash = word->hash * next->power + next->hash;
    word->power *= next->power;
    word->last = next->count ? next->last : word->last;
}

static void all_elements_are_folded_in_their_order(int64_t begin, int64_t end)
{
    struct word word = {.power = 1}, wanted = {.power = 1};
    static int args[1000];
    struct shmf_tasks tasks = {.count = 1000, .args = args, .arg_size = sizeof *args};
    struct shmf_reduce_options options = {.begin = begin, .end = end};
    int root = place.ranks - 1;
    for (int64_t i = begin; i < (end ? end : 1000); i++) {
        wanted.count++;
        wanted.hash = wanted.hash * 31 + (uint64_t)i;
    }
    check_ok(shmf_mpi_reduce(mpi, root, pool, add_letter, add_word, &tasks, &options, &word,
                             sizeof word, &err),
             "reduce");
    check(place.rank != root || (word.count == wanted.count && word.hash == wanted.hash));
}

static int lost;

static void note_lost(int64_t begin, int64_t end, const struct shmf_failure *failure, void *user)
{
    check(begin <= 700 && 700 < end && failure->code == SHMF_E_NOTFOUND && !user);
    lost += (int)(end - begin);
}

static void elements_that_fail_are_told_and_the_others_folded(void)
{
    struct word word = {.power = 1};
    static int args[1000];
    struct shmf_tasks tasks = {.count = 1000, .args = args, .arg_size = sizeof *args};
    struct shmf_reduce_options options = {.chunk = 10, .failed_fn = note_lost};
    args[700] = -1;
    lost = 0;
    check(shmf_mpi_reduce(mpi, 0, pool, add_letter, add_word, &tasks, &options, &word, sizeof word,
                          &err) == SHMF_E_NOTFOUND);
    check(strstr(err.message, "no letter"));
    int all_lost;
    MPI_Allreduce(&lost, &all_lost, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    check(all_lost > 0 && all_lost <= 10 && (!is_root || word.count == 1000 - all_lost));
    check(shmf_mpi_reduce(mpi, 0, NULL, add_letter, add_word, &tasks, NULL, &word, sizeof word,
                          &err) == SHMF_E_INVAL);
    check(shmf_mpi_reduce(mpi, 0, pool, add_letter, add_word, &tasks, NULL, &word, 0, &err) ==
          SHMF_E_INVAL);
}

int main(int argc, char **argv)
{
    start_ranks(&argc, &argv);
    all_elements_are_folded_in_their_order(0, 0);
    all_elements_are_folded_in_their_order(333, 334);
    all_elements_are_folded_in_their_order(1, 1000);
    elements_that_fail_are_told_and_the_others_folded();
    return end_ranks();
}

/* node [RANKS_PER_NODE]: everything that ranks do with frames together, but for the map; run by
 * mpirun, with any number of ranks, and without. */
#include "unit/typed_frame.h"

#include "mpi/ranks.h"

#include <shmframe/derive.h>
#include <shmframe/image.h>
#include <shmframe/memory.h>

static struct shmf_frame *numbers(int64_t rows, int64_t columns, int64_t first)
{
    struct shmf_frame_spec spec = {
        .n_rows = rows, .n_columns = columns, .dtype = SHMF_FLOAT64, .range_start = first};
    struct shmf_frame *frame = shmf_frame_new(&spec, &err);
    check(frame);
    for (int64_t c = 0; c < columns; c++)
        for (int64_t r = 0; r < rows; r++)
            ((double *)shmf_frame_data_mut(frame, c))[r] = (double)((first + r) * 10 + c);
    check_ok(shmf_frame_finish(frame, &err), "finish");
    return frame;
}

/* ---- places ---------------------------------------------------------------------------------- */

static void places_fit_together(int per_node)
{
    int next_node = 0, ranks_seen = 0;
    for (int rank = 0; rank < place.ranks; rank++) {
        struct shmf_mpi_place other;
        check_ok(shmf_mpi_place(mpi, rank, &other), "place");
        check(other.rank == rank && other.ranks == place.ranks && other.nodes == place.nodes);
        check(other.node <= next_node && other.node_rank < other.node_ranks);
        next_node += other.node == next_node && other.node_rank == 0;
        ranks_seen += other.node == place.node;
    }
    check(next_node == place.nodes && ranks_seen == place.node_ranks);
    check(!per_node || place.node_ranks <= per_node);
    check(!per_node || place.nodes == (place.ranks + per_node - 1) / per_node);
    check(shmf_mpi_place(mpi, place.ranks, &place) == SHMF_E_RANGE);
    check(shmf_mpi_place(NULL, 0, &place) == SHMF_E_INVAL);
}

/* ---- broadcast ------------------------------------------------------------------------------- */

/* Ranks of a node see one file, those of others another. */
static void is_once_a_node(const void *data)
{
    uint64_t mine = inode_at(data), *all = calloc((size_t)place.ranks, sizeof *all);
    check(mine && all);
    MPI_Allgather(&mine, 1, MPI_UINT64_T, all, 1, MPI_UINT64_T, MPI_COMM_WORLD);
    for (int rank = 0; rank < place.ranks; rank++) {
        struct shmf_mpi_place other;
        shmf_mpi_place(mpi, rank, &other);
        check((all[rank] == mine) == (other.node == place.node));
    }
    free(all);
}

static void a_broadcast_frame_is_there_once_a_node(int64_t rows, int roots)
{
    for (int root = 0; root < roots; root++) {
        struct shmf_frame *frame = place.rank == root ? numbers(rows, 3, root) : NULL;
        struct shmf_frame *same = numbers(rows, 3, root);
        check_ok(shmf_mpi_bcast(mpi, root, &frame, &err), "bcast");
        check(shmf_frame_equal(frame, same) == 1);
        check(!shmf_frame_data_mut(frame, 0));
        check(shmf_frame_image(frame, NULL));
        is_once_a_node(shmf_frame_data(frame, 0, SHMF_FLOAT64));
        shmf_frame_free(same);
        shmf_frame_free(frame);
    }
}

static void frames_of_all_types_and_arrays_are_broadcast(void)
{
    struct shmf_frame *same = typed_frame(&err), *frame = place.rank == 0 ? same : NULL;
    if (place.rank == 0)
        same = typed_frame(&err);
    check_ok(shmf_mpi_bcast(mpi, 0, &frame, &err), "bcast");
    check(shmf_frame_equal(frame, same) == 1);
    /* once more: what is sealed goes as it is */
    struct shmf_frame *again = place.rank == place.ranks - 1 ? frame : NULL;
    check_ok(shmf_mpi_bcast(mpi, place.ranks - 1, &again, &err), "bcast again");
    check(shmf_frame_equal(again, same) == 1);
    check((again == frame) == (place.rank == place.ranks - 1));
    shmf_frame_free(again);
    if (again != frame)
        shmf_frame_free(frame);
    shmf_frame_free(same);
    struct shmf_array *array = NULL;
    int64_t n = 100000;
    if (place.rank == 0) {
        array = shmf_array_new(SHMF_INT64, 1, &n, &err);
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)shmf_array_data_mut(array))[i] = i * i;
    }
    check_ok(shmf_mpi_bcast_array(mpi, 0, &array, &err), "bcast_array");
    check(shmf_array_size(array) == n);
    check(((const int64_t *)shmf_array_data(array))[n - 1] == (n - 1) * (n - 1));
    is_once_a_node(shmf_array_data(array));
    shmf_array_free(array);
}

static void a_failure_is_everybodys(void)
{
    int last = place.ranks - 1;
    char wanted[20];
    snprintf(wanted, sizeof wanted, "rank %d: ", last);
    struct shmf_frame *frame = NULL, *part = NULL;
    check(shmf_mpi_bcast(mpi, last, &frame, &err) == SHMF_E_INVAL);
    check(!frame && !strncmp(err.message, wanted, strlen(wanted)));
    struct shmf_frame_spec spec = {.n_rows = 3, .n_columns = 1, .dtype = SHMF_INT64};
    struct shmf_frame *unfinished = shmf_frame_new(&spec, &err);
    frame = place.rank == last ? unfinished : NULL;
    check(shmf_mpi_bcast(mpi, last, &frame, &err) == SHMF_E_ACCESS);
    check(frame == (place.rank == last ? unfinished : NULL));
    check(shmf_mpi_scatter(mpi, last, unfinished, &part, &err) == SHMF_E_ACCESS && !part);
    check(shmf_mpi_gather(mpi, 0, place.rank == last ? NULL : unfinished, &part, &err) ==
              SHMF_E_INVAL &&
          !part);
    check_ok(shmf_frame_finish(unfinished, &err), "finish");
    check(shmf_mpi_bcast(mpi, place.ranks, &frame, &err) == SHMF_E_RANGE);
    check(shmf_mpi_bcast(mpi, -1, &frame, &err) == SHMF_E_RANGE);
    check(shmf_mpi_bcast(NULL, 0, &frame, &err) == SHMF_E_INVAL);
    check(shmf_mpi_bcast(mpi, 0, NULL, &err) == SHMF_E_INVAL);
    if (place.ranks > 1) { /* other columns than the root's */
        struct shmf_frame *other = numbers(3, place.rank == last ? 2 : 1, 0);
        check(shmf_mpi_gather(mpi, 0, other, &part, &err) == SHMF_E_DTYPE && !part);
        check(!strncmp(err.message, wanted, strlen(wanted)));
        shmf_frame_free(other);
    }
    shmf_frame_free(unfinished);
}

/* ---- exchange -------------------------------------------------------------------------------- */

static void ranks_of_a_node_see_each_others_frames(void)
{
    struct shmf_frame **frames = calloc((size_t)place.node_ranks, sizeof *frames);
    bool gives = place.node_rank % 3 != 2;
    if (gives)
        frames[place.node_rank] = numbers(10 + place.node_rank, 2, place.rank);
    check_ok(shmf_mpi_exchange(mpi, frames, &err), "exchange");
    for (int i = 0; i < place.node_ranks; i++) {
        check((frames[i] != NULL) == (i % 3 != 2));
        check(!frames[i] || shmf_frame_rows(frames[i]) == 10 + i);
        shmf_frame_free(frames[i]);
    }
    memset(frames, 0, (size_t)place.node_ranks * sizeof *frames);
    struct shmf_frame_spec spec = {.n_rows = 3, .n_columns = 1, .dtype = SHMF_INT64};
    if (place.rank == place.ranks - 1)
        frames[place.node_rank] = shmf_frame_new(&spec, &err);
    check(shmf_mpi_exchange(mpi, frames, &err) == SHMF_E_ACCESS);
    for (int i = 0; i < place.node_ranks; i++)
        check(!frames[i] || i == place.node_rank);
    shmf_frame_free(frames[place.node_rank]);
    free(frames);
}

/* ---- rows in parts --------------------------------------------------------------------------- */

static void parts_cover_all_rows(void)
{
    static const int64_t sizes[] = {0, 1, 7, 1000};
    for (int i = 0; i < 4; i++) {
        int64_t next = 0, begin, end;
        for (int rank = 0; rank < place.ranks; rank++) {
            check_ok(shmf_mpi_part(mpi, rank, sizes[i], &begin, &end), "part");
            check(begin == next && end >= begin && end - begin <= sizes[i] / place.ranks + 1);
            next = end;
        }
        check(next == sizes[i]);
    }
}

static void there_and_back(struct shmf_frame *whole, int root)
{
    struct shmf_frame *part, *again, *everywhere;
    int64_t begin, end;
    shmf_mpi_part(mpi, -1, shmf_frame_rows(whole), &begin, &end);
    check_ok(shmf_mpi_scatter(mpi, root, place.rank == root ? whole : NULL, &part, &err),
             "scatter");
    struct shmf_frame *mine = shmf_frame_slice(whole, begin, end - begin, &err);
    check(shmf_frame_equal(part, mine) == 1);
    check_ok(shmf_mpi_gather(mpi, root, part, &again, &err), "gather");
    check(place.rank == root ? shmf_frame_equal(again, whole) == 1 : !again);
    check_ok(shmf_mpi_allgather(mpi, part, &everywhere, &err), "allgather");
    check(shmf_frame_equal(everywhere, whole) == 1);
    shmf_frame_free(mine);
    shmf_frame_free(part);
    shmf_frame_free(again);
    shmf_frame_free(everywhere);
}

static void rows_go_to_all_ranks_and_come_back(void)
{
    static const int64_t sizes[] = {0, 1, 7, 1000, 50000};
    for (int i = 0; i < 5; i++) {
        struct shmf_frame *frame = numbers(sizes[i], 4, 0);
        there_and_back(frame, i % place.ranks);
        shmf_frame_free(frame);
    }
    struct shmf_frame *typed = typed_frame(&err);
    there_and_back(typed, place.ranks - 1);
    shmf_frame_free(typed);
}

/* Every other column, backwards, of some rows: they travel as the frames that they are. */
static struct shmf_frame *selection_of(const struct shmf_frame *frame)
{
    int64_t columns[64], n = 0, rows = shmf_frame_rows(frame);
    for (int64_t c = shmf_frame_columns(frame) - 1; c >= 0 && n < 64; c -= 2)
        columns[n++] = c;
    struct shmf_frame *slice = shmf_frame_slice(frame, rows / 3, rows - rows / 3, &err);
    struct shmf_frame *selection = shmf_frame_select(slice, columns, n, &err);
    shmf_frame_free(slice);
    check(selection);
    return selection;
}

static void selections_travel_as_frames(void)
{
    struct shmf_frame *wholes[] = {numbers(1000, 5, 0), typed_frame(&err)};
    struct shmf_column first;
    for (int i = 0; i < 2; i++) {
        struct shmf_frame *same = selection_of(wholes[i]);
        there_and_back(same, i % place.ranks);
        struct shmf_frame *frame = place.rank == 0 ? selection_of(wholes[i]) : NULL;
        check_ok(shmf_mpi_bcast(mpi, 0, &frame, &err), "bcast");
        check(shmf_frame_columns(frame) == shmf_frame_columns(same));
        check(shmf_frame_equal(frame, same) == 1);
        check_ok(shmf_frame_column(frame, 0, &first), "column");
        is_once_a_node(first.data);
        shmf_frame_free(frame);
        shmf_frame_free(same);
        shmf_frame_free(wholes[i]);
    }
}

/* As by shmf_frame_concat. */
static void rows_that_do_not_continue_are_numbered(void)
{
    struct shmf_frame *part = numbers(3, 2, 5), *whole;
    check_ok(shmf_mpi_allgather(mpi, part, &whole, &err), "allgather");
    check(shmf_frame_rows(whole) == 3 * place.ranks);
    for (int64_t r = 0; r < 3 * place.ranks; r++) {
        int64_t number;
        check_ok(shmf_frame_row_number(whole, r, &number), "number");
        check(number == 5 + r % 3);
    }
    shmf_frame_free(part);
    shmf_frame_free(whole);
}

int main(int argc, char **argv)
{
    struct shmf_mpi_options options = {.ranks_per_node = argc > 1 ? atoi(argv[1]) : 0,
                                       .piece_bytes = 400009};
    int provided;
    check_ok(shmf_mpi_init(&argc, &argv, MPI_THREAD_FUNNELED, &provided, NULL, &err), "init");
    check(shmf_mpi_init(NULL, NULL, MPI_THREAD_SINGLE, NULL, NULL, &err) == SHMF_E_INVAL);
    check(strstr(err.message, "initialised already"));
    shmf_mpi_free(shmf_mpi_new(MPI_COMM_WORLD, &options, &err)); /* what MPI keeps is there */
    int before = count_descriptors();
    mpi = shmf_mpi_new(MPI_COMM_WORLD, &options, &err);
    check(mpi);
    check_ok(shmf_mpi_place(mpi, -1, &place), "place");
    places_fit_together(options.ranks_per_node);
    a_broadcast_frame_is_there_once_a_node(0, 1);
    a_broadcast_frame_is_there_once_a_node(1000, place.ranks);
    a_broadcast_frame_is_there_once_a_node(1500000, 1); /* 36 MB: a region to itself */
    frames_of_all_types_and_arrays_are_broadcast();
    a_failure_is_everybodys();
    ranks_of_a_node_see_each_others_frames();
    parts_cover_all_rows();
    rows_go_to_all_ranks_and_come_back();
    selections_travel_as_frames();
    rows_that_do_not_continue_are_numbered();
    shmf_mpi_free(mpi);
    shmf_memory_trim(0);
    MPI_Barrier(MPI_COMM_WORLD);
    check(count_descriptors() <= before);
    MPI_Finalize();
    if (place.rank == 0)
        printf("%d ranks on %d nodes: all is well\n", place.ranks, place.nodes);
    return 0;
}

"""The benches: who takes part, with which parameters, and how much of it.

A bench runs its impls in interleaved rounds. How many tasks a round has follows from the warm-up,
so that a round lasts `seconds`; `tasks` fixes it instead. `cold`: a new server for every round,
which is timed from the first page to the last. `at`: one run of the bench for each value, or one
run of all values side by side where they are compared with each other (`together`)."""
from dataclasses import dataclass, field

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
ALL_C = ["omp_prealloc", "shmframe", "omp_malloc", "sequential", "pipe_copy", "mpi_window",
         "boost_interprocess"]
PYTHON = ["python_shared", "python_pool"]


@dataclass
class Bench:
    """One bench."""
    name: str
    impls: list
    metric: str = "tasks_per_s"
    unit: str = "tasks/s"
    at: list = field(default_factory=lambda: [0])
    quick_at: list = None
    quick_impls: list = None
    seconds: float = 0.7
    warm: int = 8             # tasks before anything is measured (2 where they are slow)
    tasks: int = 0            # of a round; 0: as many as fit `seconds`
    quick_tasks: int = 0
    most: int = 1 << 20       # tasks of a round
    rounds: int = 0           # of the whole run, and at most of the quick one; 0: as usual
    cold: bool = False
    touch: int = 0            # MiB that a cold server is given warm: more than it will take
    together: bool = False
    program: str = ""         # bench name that the servers are given, if it is another
    warm_memory: bool = False # touch and free memory before every round, so that the host has it


# Impls whose warm-up is short, since each of their large tasks takes long.
SLOW = ["pipe_copy", "python_shared", "python_pool"]


def lengths(first, last, factor):
    """first, first * factor, ... up to last."""
    values = [first]
    while values[-1] * factor <= last:
        values.append(values[-1] * factor)
    return values


def ns(name, impls, **more):
    """A latency."""
    return Bench(name, impls, metric="ns", unit="ns", **more)


BENCHES = [
    Bench("outer_200MB", ALL_C + PYTHON, quick_impls=ALL_C[:3] + PYTHON[:1], seconds=1.5, warm=12),
    Bench("outer_40MB", ALL_C + PYTHON, quick_impls=ALL_C + PYTHON[:1], seconds=1.0, warm=24),
    Bench("outer_200MB_cold", ["omp_prealloc", "shmframe"], program="outer_200MB", cold=True,
          touch=1600, tasks=250, quick_tasks=40, seconds=6, rounds=7),
    Bench("outer_40MB_cold", ["omp_prealloc", "shmframe"], program="outer_40MB", cold=True,
          touch=400, tasks=250, quick_tasks=100, seconds=3, rounds=7),
    Bench("fresh", ["shmframe", "omp_malloc"], warm=4, seconds=1.5, warm_memory=True),
    Bench("copy_200MB", ALL_C + PYTHON[:1], quick_impls=ALL_C[:3], seconds=1.0, warm=12),
    Bench("convolve", ["omp_prealloc", "shmframe", "sequential", "raw", "mpi_window",
                       "python_shared"], quick_impls=["omp_prealloc", "shmframe", "sequential", "raw"],
          warm=4, seconds=1.2),
    Bench("convolve_sum", ["omp_prealloc", "shmframe", "sequential", "pipe_copy", "mpi_window",
                           "python_shared"], quick_impls=["omp_prealloc", "shmframe"], warm=4,
          seconds=1.0, rounds=9),
    Bench("row_means", ["shmframe", "omp_prealloc", "sequential", "python_shared"],
          at=[64 * MIB], seconds=0.4, warm=2000),
    Bench("row_means_sizes", ["shmframe", "omp_prealloc"], program="row_means", together=True,
          at=[MIB, 64 * MIB, GIB, 4 * GIB], quick_at=[MIB, 64 * MIB], seconds=0.4, warm=2000),
    ns("row_gather", ["shmframe", "raw"], seconds=0.3, warm=100),
    Bench("inplace", ["omp_prealloc", "shmframe", "sequential"], seconds=0.4, warm=4),
    Bench("noop_imap", ["shmframe", "python_pool", "pipe_copy", "boost_interprocess",
                        "omp_prealloc", "sequential"], at=[64], warm=2000),
    Bench("noop_imap_default_window", ["shmframe"], program="noop_imap", warm=2000),
    Bench("noop_map", ["shmframe", "python_pool", "omp_prealloc", "sequential"], warm=100000),
    ns("roundtrip_spin", ["raw", "shmframe"], warm=2000),
    ns("roundtrip_yield", ["raw", "shmframe"], warm=2000),
    ns("roundtrip_parked", ["raw", "shmframe"], warm=100, most=2000),
    ns("parallel_for", ["omp_prealloc", "shmframe", "sequential"], warm=2000),
    ns("frame_open_5000_columns", ["shmframe", "raw", "python_shared"], warm=10, seconds=0.3),
    ns("frame_open", ["shmframe"], program="frame_open_5000_columns",
       at=[10, 100, 1000, 10000], quick_at=[10, 1000], warm=10, seconds=0.1),
    ns("loc", ["shmframe"], program="loc_1e6", at=[1000, 30000, 10000000], quick_at=[1000],
       warm=10000, seconds=0.2),
    ns("loc_1e6", ["shmframe", "raw", "python_shared"], warm=10000, seconds=0.4),
    Bench("result_sizes", ["shmframe", "omp_prealloc", "raw", "sequential", "pipe_copy"],
          at=lengths(8, 512 * MIB, 4) + [GIB], quick_at=[8, 2 * KIB, 128 * KIB, 2 * MIB, 32 * MIB],
          seconds=0.25, warm=4),
    # links of a chain of multiplications, about a nanosecond each
    Bench("task_lengths", ["shmframe", "omp_prealloc", "pipe_copy", "sequential"],
          at=lengths(100, 1000000000, 10), quick_at=[100, 10000, 1000000], seconds=0.25, warm=1),
    Bench("task_lengths_64KiB", ["shmframe", "omp_prealloc", "pipe_copy", "sequential"],
          at=lengths(1000, 100000000, 10), quick_at=[10000, 1000000], seconds=0.2, warm=2),
    Bench("task_lengths_2MiB", ["shmframe", "omp_prealloc", "pipe_copy", "sequential"],
          at=lengths(10000, 100000000, 10), quick_at=[100000, 1000000], seconds=0.2, warm=4),
    Bench("window", ["shmframe"], at=[1, 2, 3, 4, 6, 8, 16], quick_at=[1, 3, 8], warm=24),
    ns("cold_start", ["shmframe", "raw", "python_pool"], warm=5, most=300, seconds=0.4),
    ns("cold_start_on_demand", ["shmframe", "raw"], warm=5, most=300, seconds=0.4),
    ns("cold_start_4GiB", ["shmframe", "raw"], program="cold_start", at=[4 * GIB],
       quick_at=[GIB], warm=5, most=300, seconds=0.4),
    ns("cold_start_heap", ["shmframe", "raw"], at=[64 * MIB, 256 * MIB, GIB], quick_at=[64 * MIB],
       warm=3, most=100, seconds=0.3),
    ns("warm_up", ["shmframe", "raw"], warm=1, tasks=2, quick_tasks=1, warm_memory=True),
    Bench("million_tasks", ["shmframe"], tasks=1000000, quick_tasks=100000, warm=21000, rounds=3),
    ns("death_replacement", ["shmframe", "raw"], warm=10, most=1000, seconds=1.0),
    ns("death_replacement_1GiB", ["shmframe", "raw"], program="death_replacement", at=[GIB],
       warm=10, most=1000, seconds=1.0),
    Bench("workers", ["shmframe"], program="workers_256", at=[1, 2, 4, 16, 64, 256],
          quick_at=[1, 2, 16], warm=512, seconds=0.3, rounds=3),
    Bench("workers_256", ["shmframe"], warm=512, seconds=0.5, rounds=3),
]

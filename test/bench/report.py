#!/usr/bin/python3
"""Tables of what suite.py measured, and the ratios that are promised beside what was reached.

    report.py [--strict] FIGURES.json

A ratio is the median of the ratios of rounds that belong together. --strict: exit status 1 when
one is missed."""
import json
import statistics
import sys

WORST = 1e18


class Figures:
    """The lines of a run."""

    def __init__(self, path):
        self.machine = {}
        self.lines = []
        with open(path, encoding="utf-8") as file:
            for text in file:
                line = json.loads(text)
                if line["bench"] == "machine":
                    self.machine = line
                else:
                    self.lines.append(line)

    def find(self, bench, impl, metric, at=0):
        """One line, or None."""
        for line in self.lines:
            if (line["bench"], line["impl"], line["metric"], line.get("at", 0)) == \
                    (bench, impl, metric, at):
                return line
        return None

    def parameters(self, bench):
        """What `at` went through."""
        return sorted({line.get("at", 0) for line in self.lines if line["bench"] == bench})

    def ratio(self, upper, lower):
        """The median over the rounds of upper / lower, or None."""
        if not upper or not lower:
            return None
        return statistics.median(a / b if b else WORST
                                 for a, b in zip(upper["values"], lower["values"]))


def promises(figures):
    """(what, the ratio reached, the limit, whether it is a lower one)"""
    def against(bench, other, metric="tasks_per_s", at=0, mine=None, upper=None):
        return figures.ratio(figures.find(mine or bench, "shmframe", upper or metric, at),
                             figures.find(bench, other, metric, at))

    for size in ("200MB", "40MB"):
        bench = f"outer_{size}"
        yield f"{bench}: OpenMP, buffers beforehand", against(bench, "omp_prealloc"), 0.97, True
        yield f"{bench}_cold: the same, first touches count", \
            against(f"{bench}_cold", "omp_prealloc"), 0.97, True
        yield f"{bench}: OpenMP, malloc per task", against(bench, "omp_malloc"), 3, True
        yield f"{bench}: Python, shared", against(bench, "python_shared"), 8, True
    yield "fresh: OpenMP, malloc per task", against("fresh", "omp_malloc"), 2, True
    yield "convolve: OpenMP", against("convolve", "omp_prealloc"), 0.98, True
    yield "convolve_sum: OpenMP", against("convolve_sum", "omp_prealloc"), 0.98, True
    yield "convolve: one core, share of its multiply-adds", figures.ratio(
        figures.find("convolve", "sequential", "tasks_per_s"),
        figures.find("convolve", "raw", "tasks_per_s")), 0.7, True
    yield from of_rows(figures)
    for at in figures.parameters("result_sizes"):
        for impl, threads in ("sequential", "one thread"), ("omp_prealloc", "as many threads"):
            if at >= 1 << 20:
                yield f"result_sizes: {size_name(at)}, memset by {threads}", \
                    against("result_sizes", impl, at=at), 0.9, True
    yield "warm_up: touching page by page", against("warm_up", "raw", "ns"), 0.2, False
    yield "cold_start: three processes", against("cold_start", "raw", "ns"), 2, False
    yield "cold_start_on_demand: three processes", \
        against("cold_start_on_demand", "raw", "ns"), 2, False
    for at in figures.parameters("cold_start_4GiB"):
        yield f"cold_start: {size_name(at)} in frames", figures.ratio(
            figures.find("cold_start_4GiB", "shmframe", "ns", at),
            figures.find("cold_start", "shmframe", "ns")), 1.2, False
    yield "noop_imap: Python's imap", against("noop_imap", "python_pool", at=64), 60, True
    yield "noop_map: Python's map", against("noop_map", "python_pool"), 8, True
    yield "roundtrip_spin: spinning ping-pong", against("roundtrip_spin", "raw", "ns"), 4, False
    yield "roundtrip_yield: yielding ping-pong", against("roundtrip_yield", "raw", "ns"), 4, False
    yield "roundtrip_parked: sleeping ping-pong", \
        against("roundtrip_parked", "raw", "ns"), 1.3, False
    yield "parallel_for: OpenMP, two threads", against("parallel_for", "omp_prealloc", "ns"), 5, \
        False
    yield "million_tasks: late ones against early ones", figures.ratio(
        figures.find("million_tasks", "shmframe", "ns_late"),
        figures.find("million_tasks", "shmframe", "ns_early")), 1.1, False
    yield "million_tasks: memory late against early", figures.ratio(
        figures.find("million_tasks", "shmframe", "resident_late"),
        figures.find("million_tasks", "shmframe", "resident_early")), 1.05, False
    for what in ("descriptors", "mappings"):
        grown = figures.find("million_tasks", "shmframe", what + "_grown")
        yield f"million_tasks: {what}, more at the end", grown and grown["max"], 0, False
    descriptors = figures.find("workers_256", "shmframe", "descriptors")
    yield "workers_256: descriptors", descriptors and descriptors["max"], 300, False
    yield "death_replacement: p99, kill, wait and fork", \
        against("death_replacement", "raw", "p99_ns"), 3, False
    for at in figures.parameters("death_replacement_1GiB"):
        late = figures.find("death_replacement_1GiB", "shmframe", "p99_ns", at)
        yield "death_replacement: p99 with 1 GiB in frames, ms", \
            late and late["median"] / 1e6, 10, False


def of_rows(figures):
    """A task's cost does not grow with the matrix; the rows read are equally many."""
    at = figures.parameters("row_means_sizes")
    if len(at) > 1:
        def line(size):
            return figures.find("row_means_sizes", "shmframe", "tasks_per_s", size)
        yield f"row_means: rate of {size_name(at[-1])} against {size_name(at[0])}", \
            figures.ratio(line(at[-1]), line(at[0])), 0.9, True


def size_name(value):
    """Bytes, readable."""
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:g} {unit}"
        value /= 1024
    return f"{value:g} GiB"


def number(value):
    """Four digits, with a prefix where that is shorter."""
    for prefix, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= 10 * factor:
            return f"{value / factor:.4g} {prefix}"
    return f"{value:.4g} "


def print_table(figures, bench):
    """All impls of a bench."""
    lines = [line for line in figures.lines if line["bench"] == bench]
    print(f"\n== {bench} ==")
    print(f"{'impl':<19}{'at':>11} {'metric':<22}{'median':>11} {'spread':>8}"
          f"{'faults':>10}{'switches':>10}{'peak MB':>9}{'shared MB':>10}")
    for line in lines:
        spread = (line["max"] - line["min"]) / line["median"] if line["median"] else 0
        print(f"{line['impl']:<19}{line.get('at', '') or '':>11} {line['metric']:<22}"
              f"{number(line['median']):>11} {spread:>8.1%}{line['faults']:>10.4g}"
              f"{line['switches']:>10.4g}{line['peak_resident'] / 1e6:>9.0f}"
              f"{line['peak_shared'] / 1e6:>10.0f}")


def main():
    """Command line."""
    strict = "--strict" in sys.argv[1:]
    paths = [argument for argument in sys.argv[1:] if argument != "--strict"]
    if len(paths) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    figures = Figures(paths[0])
    machine = figures.machine
    print(f"{machine.get('cpu')}, {machine.get('cpus')} cpus, "
          f"{machine.get('memory_bytes', 0) / (1 << 30):.0f} GiB, Linux {machine.get('kernel')}; "
          f"load {machine.get('load', 0):.2f} at the start")
    print("faults and switches a task; peak MB is the sum of what each process had at most, shared "
          "pages counted in each")
    for bench in dict.fromkeys(line["bench"] for line in figures.lines):
        print_table(figures, bench)
    print("\n== promised: libshmframe's figure over the other's ==")
    missed = 0
    for what, reached, limit, at_least in promises(figures):
        if reached is None:
            continue
        good = reached >= limit if at_least else reached <= limit
        missed += not good
        print(f"{'ok    ' if good else 'MISSED'} {what:<56}{reached:>9.3g}  "
              f"{'at least' if at_least else 'at most'} {limit:g}")
    return 1 if strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())

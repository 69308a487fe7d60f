#!/usr/bin/python3
"""What plots.sh draws and writes, from what suite.py measured.

    fill.py FIGURES.json DATA DOCS

Writes the points of every plot as DATA/PLOT.TITLE, and the tables of DOCS/when.md and
DOCS/scaling.md between the marks that name them. A table whose bench did not run is left as it
is."""
import math
import os
import re
import sys

from report import Figures, size_name

SIZES = {"8B": ("task_lengths", 8), "64KiB": ("task_lengths_64KiB", 1 << 16),
         "2MiB": ("task_lengths_2MiB", 2 << 20)}
WAYS = {"omp_prealloc": "threads", "pipe_copy": "pipes", "shmframe": "libshmframe"}


def time_of(seconds):
    """Seconds, readable."""
    for unit, factor in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def table(heads, rows):
    """A table of a page."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


class Pages:
    """The figures, as the pages need them."""

    def __init__(self, figures):
        self.figures = figures

    def median(self, bench, impl, metric, at=0):
        """Of the rounds, or None."""
        line = self.figures.find(bench, impl, metric, at)
        return line["median"] if line else None

    def series(self, bench, impl, metric):
        """{at: median}"""
        return {line["at"]: line["median"] for line in self.figures.lines
                if (line["bench"], line["impl"], line["metric"]) == (bench, impl, metric)
                and "at" in line}

    def lengths(self, size):
        """{impl: {seconds of a task alone: seconds a task took}}; what one core needs, its result
        included, is the length of a task."""
        bench = SIZES[size][0]
        alone = self.series(bench, "sequential", "tasks_per_s")
        return {impl: {1 / alone[at]: 1 / rate for at, rate in
                       self.series(bench, impl, "tasks_per_s").items() if at in alone}
                for impl in ["sequential", *WAYS]}

    # ---- plots

    def plots(self):
        """{(plot, title): points}"""
        found = {}
        for size in SIZES:
            for impl, points in self.lengths(size).items():
                if impl in WAYS:
                    found[f"lengths-{size}", WAYS[impl]] = {x: x / y for x, y in points.items()}
        for impl, title in {**WAYS, "sequential": "sequential"}.items():
            rates = self.series("result_sizes", impl, "tasks_per_s")
            found["sizes", title] = {at: at * rate for at, rate in rates.items()}
        found["window", "tasks_a_second"] = self.series("window", "shmframe", "tasks_per_s")
        found["window", "MB"] = {line["at"]: line["peak_shared"] / 1e6
                                 for line in self.figures.lines if line["bench"] == "window"
                                 and line["metric"] == "tasks_per_s"}
        for impl, title in (("shmframe", "pool_of_2"), ("raw", "three_processes")):
            base = self.median("cold_start", impl, "ns")
            heap = self.series("cold_start_heap", impl, "ns")
            if base and heap:
                found["heap", title] = {at: ns * 1e-9 for at, ns in {0: base, **heap}.items()}
        found["workers", "no-op_tasks"] = self.series("workers", "shmframe", "tasks_per_s")
        return found

    # ---- tables

    def crossing(self, points, against, share):
        """From which length on the way needs at most `share` of the other's time, or None."""
        last = None
        lengths = sorted(set(points) & set(against), reverse=True)
        for longer, length in zip([None, *lengths], lengths):
            over = math.log(points[length] / against[length] / share)
            if over > 0:
                if longer is None:
                    return None
                part = over / (over - last)
                return length * (longer / length) ** part
            last = over
        return lengths[-1] if lengths else None

    def break_even(self):
        """Result size -> from which task length on."""
        rows = []
        for size, (_, size_bytes) in SIZES.items():
            ways = self.lengths(size)
            cells = [self.crossing(ways["shmframe"], ways["sequential"], 1),
                     self.crossing(ways["omp_prealloc"], ways["sequential"], 1),
                     self.crossing(ways["pipe_copy"], ways["sequential"], 1),
                     self.crossing(ways["shmframe"], ways["omp_prealloc"], 1.05)]
            if ways["shmframe"]:
                rows.append([size_name(size_bytes)] +
                            [time_of(cell) if cell else "never here" for cell in cells])
        return rows and table(["result", "libshmframe beats a loop from", "threads do from",
                               "pipes do from", "libshmframe within 5 % of threads from"], rows)

    def repaid(self):
        """How many tasks repay the pool's start."""
        start = self.median("cold_start", "shmframe", "ns")
        rows = []
        for size, (_, size_bytes) in SIZES.items():
            ways = self.lengths(size)
            for length in sorted(ways["shmframe"]):
                saved = length - ways["shmframe"][length]
                if start and 5e-7 < length < 0.2:
                    number = f"{math.ceil(start * 1e-9 / saved):,}" if saved > 0 else "never"
                    rows.append([size_name(size_bytes), time_of(length),
                                 time_of(ways["shmframe"][length]), number])
        return rows and table(["result", "a task alone", "a task of many, 2 workers",
                               "tasks that repay the pool"], rows)

    def heap(self):
        """Private memory against frames."""
        base = self.median("cold_start", "shmframe", "ns")
        if not base:
            return None
        rows = [["nothing", time_of(base * 1e-9),
                 time_of(self.median("cold_start", "raw", "ns") * 1e-9)]]
        for bench, what in (("cold_start_heap", "private memory"), ("cold_start_4GiB", "frames")):
            raw = self.series(bench, "raw", "ns")
            rows += [[f"{size_name(at)} of {what}", time_of(ns * 1e-9),
                      time_of(raw[at] * 1e-9) if at in raw else ""]
                     for at, ns in self.series(bench, "shmframe", "ns").items()]
        return table(["the application holds", "a pool of 2 made, used once, ended",
                      "three processes forked and reaped"], rows)

    def workers(self):
        """What each worker costs."""
        rates = self.series("workers", "shmframe", "tasks_per_s")
        rows = [[str(at), f"{rate / 1e6:.2f} million",
                 f"{self.median('workers', 'shmframe', 'descriptors', at):.0f}",
                 f"{self.median('workers', 'shmframe', 'bytes_per_idle_worker', at) / 1e3:.0f} KB"]
                for at, rate in rates.items()]
        return rows and table(["workers", "no-op tasks a second", "descriptors of application and "
                               "one worker", "memory of an idle worker"], rows)

    def columns(self):
        """Opening frames."""
        rows = [[f"{at:,}", time_of(ns * 1e-9)]
                for at, ns in self.series("frame_open", "shmframe", "ns").items()]
        return rows and table(["columns", "opened by its maker or a worker"], rows)

    def rows(self):
        """Looking up labels, and reading rows."""
        rows = [[f"a label among {at:,}", time_of(ns * 1e-9)]
                for at, ns in self.series("loc", "shmframe", "ns").items()]
        rows += [[f"a task on one of the rows of {size_name(at)}", time_of(1 / rate)]
                 for at, rate in self.series("row_means_sizes", "shmframe", "tasks_per_s").items()]
        return rows and table(["what", "time"], rows)

    def sizes(self):
        """Results by size."""
        mine = self.series("result_sizes", "shmframe", "tasks_per_s")
        other = self.series("result_sizes", "omp_prealloc", "tasks_per_s")
        rows = [[size_name(at), time_of(1 / rate), f"{at * rate / 1e9:.3g} GB",
                 f"{rate / other[at]:.2f}" if at in other else ""] for at, rate in mine.items()]
        return rows and table(["a result of", "a task", "a second", "of threads that write into "
                               "warm memory"], rows)

    def dispatch(self):
        """How many workers one application keeps busy."""
        rate = self.median("noop_imap", "shmframe", "tasks_per_s", 64)
        if not rate:
            return None
        rows = [[time_of(length), f"{length * rate:,.0f}"] for length in (1e-5, 1e-4, 1e-3, 1e-2)]
        return f"One application hands out a task and takes its result in {time_of(1 / rate)}.\n\n" + \
            table(["tasks of", "workers that it keeps busy, at most"], rows)

    def machine(self):
        """Where it was measured."""
        machine = self.figures.machine
        return (f"{machine.get('cpu')}, {machine.get('cpus')} cpus, "
                f"{machine.get('memory_bytes', 0) / (1 << 30):.0f} GiB, Linux "
                f"{machine.get('kernel')}, {machine.get('workers')} workers; "
                f"{(machine.get('when') or '')[:10]}"
                + (" (a quick run: rough)" if machine.get("quick") else "") + ".")


def fill(path, pages):
    """Replaces what lies between the marks of a page."""
    with open(path, encoding="utf-8") as file:
        text = file.read()

    def replace(match):
        made = getattr(pages, match[1])()
        return f"<!-- figures: {match[1]} -->\n{made}\n<!-- end -->" if made else match[0]

    text = re.sub(r"<!-- figures: (\w+) -->\n.*?<!-- end -->", replace, text, flags=re.DOTALL)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    """Command line."""
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    pages = Pages(Figures(sys.argv[1]))
    for (plot, title), points in pages.plots().items():
        if points:
            with open(os.path.join(sys.argv[2], f"{plot}.{title}"), "w", encoding="ascii") as file:
                for x, y in sorted(points.items()):
                    file.write(f"{x} {y}\n")
    for page in ("when.md", "scaling.md"):
        fill(os.path.join(sys.argv[3], page), pages)
    return 0


if __name__ == "__main__":
    sys.exit(main())

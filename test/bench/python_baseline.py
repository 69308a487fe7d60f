#!/usr/bin/python3
"""The examples' workloads as a Python user writes them today, to compare libshmframe with.

multiprocessing.Pool, numpy arrays in multiprocessing.shared_memory, pandas frames around them.
Needs numpy, pandas and scipy (Debian: python3-numpy python3-pandas python3-scipy). One JSON object
per line on standard output, with the fields of the examples' --json:

    python_baseline.py [--quick] [--workers N] [--tasks N] [--only WORKLOAD[/MODE]]...

Modes: sequential; pipe (arguments and results pickled through the pool's pipes); shared (the
input in shared memory, every result copied into a segment of its own, which the parent unlinks)."""
import argparse
import json
import multiprocessing
import os
import time
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pandas as pd
from scipy.ndimage import convolve

ROWS, COLUMNS, KERNEL = 1000, 5000, 20


class SharedArray:
    """A numpy array whose bytes lie in a shared memory segment; only its name is pickled."""

    def __init__(self, values):
        self.segment = SharedMemory(create=True, size=values.nbytes)
        self.dtype, self.shape = values.dtype, values.shape
        self.read()[...] = values

    def read(self):
        """The array, without a copy."""
        return np.ndarray(self.shape, self.dtype, buffer=self.segment.buf)

    def unlink(self):
        """Gives the memory back; forgotten, it stays until the machine restarts."""
        self.segment.close()
        self.segment.unlink()


class SharedFrame:
    """A pandas frame around a SharedArray; the labels are pickled with every task."""

    def __init__(self, frame):
        self.values = SharedArray(frame.values)
        self.index, self.columns = frame.index, frame.columns

    def read(self):
        """The frame, its numbers without a copy."""
        return pd.DataFrame(self.values.read(), index=self.index, columns=self.columns)

    def unlink(self):
        """As for SharedArray."""
        self.values.unlink()


class Survey:
    """An object that holds a large matrix."""

    def __init__(self, size):
        self.values = np.random.random((size, size))

    def row_mean(self, row):
        """One task of row_means."""
        return self.values[row].mean()


def outer_product(task):
    """The outer product of a labelled row with the column means of a random matrix."""
    frame, label = task
    return np.outer(frame.loc[label], np.random.random(frame.shape).mean(axis=0))


def convolution(task):
    """The frame convolved with a kernel made of entries of a labelled row."""
    frame, label = task
    entries = np.random.choice(frame.shape[1], KERNEL * KERNEL)
    weights = frame.loc[label].values[entries].reshape(KERNEL, KERNEL)
    return convolve(frame.values, weights, mode="reflect")


def convolution_sum(task):
    """The same, only the sum goes back; the frame is a global, inherited by fork."""
    return convolution((INHERITED["frame"], task)).sum()


def shared_outer_product(task):
    """outer_product with frame and result in shared memory."""
    return SharedArray(outer_product((task[0].read(), task[1])))


def shared_convolution(task):
    """convolution with frame and result in shared memory."""
    return SharedArray(convolution((task[0].read(), task[1])))


def shared_copy(matrix):
    """copy_matrix: the result is a copy of a prepared matrix."""
    return SharedArray(matrix.read())


def shared_row_mean(task):
    """row_means on a matrix in shared memory."""
    return task[0].read()[task[1]].mean()


def pickled_row_mean(task):
    """row_means on an object that is pickled with every task."""
    return task[0].row_mean(task[1])


def nothing(task):
    """What handing over a task costs."""
    return task


INHERITED = {}


def one_by_one(function, tasks):
    """Sequentially, results dropped at once."""
    for task in tasks:
        function(task)


def by_pool(workers, function, tasks):
    """With a pool; results in shared memory are unlinked as they come."""
    with multiprocessing.Pool(workers) as pool:
        for result in pool.imap(function, tasks):
            if isinstance(result, SharedArray):
                result.unlink()


class Bench:
    """Runs and reports what was asked for."""

    def __init__(self, options):
        self.options = options

    def count(self, usual, quick):
        """How many tasks."""
        return self.options.tasks or (quick if self.options.quick else usual)

    def wanted(self, workload, *modes):
        """Whether one of these is to run; setting up large inputs is skipped otherwise."""
        only = self.options.only
        return not only or workload in only or any(f"{workload}/{mode}" in only for mode in modes)

    def run(self, workload, mode, count, action):
        """Time one way and print its figures."""
        if not self.wanted(workload, mode):
            return
        start = time.perf_counter()
        action()
        seconds = time.perf_counter() - start
        print(json.dumps({"workload": workload, "mode": mode, "language": "python",
                          "workers": self.options.workers, "tasks": count, "failed": 0,
                          "seconds": round(seconds, 6),
                          "per_second": round(count / seconds, 3)}), flush=True)


def bench_frames(bench):
    """outer_product, convolve and convolve_sum."""
    workers = bench.options.workers
    rows = np.random.random((ROWS, COLUMNS))
    frame = pd.DataFrame(rows, index=[f"Idx-{i}" for i in range(ROWS)],
                         columns=[f"Col-{j}" for j in range(COLUMNS)])
    labels = [f"Idx-{i}" for i in np.random.choice(ROWS, 1000)]
    shared = SharedFrame(frame)
    n = bench.count(250, 60)
    few = max(n // 10, 1)
    bench.run("outer_product", "sequential", few,
              lambda: one_by_one(outer_product, ((frame, label) for label in labels[:few])))
    bench.run("outer_product", "pipe", few,
              lambda: by_pool(workers, outer_product, ((frame, label) for label in labels[:few])))
    bench.run("outer_product", "shared", n,
              lambda: by_pool(workers, shared_outer_product,
                              ((shared, labels[i % 1000]) for i in range(n))))
    n = bench.count(24, 6)
    few = max(n // 4, 1)
    bench.run("convolve", "sequential", few,
              lambda: one_by_one(convolution, ((frame, label) for label in labels[:few])))
    bench.run("convolve", "shared", n,
              lambda: by_pool(workers, shared_convolution,
                              ((shared, labels[i % 1000]) for i in range(n))))
    INHERITED["frame"] = frame
    bench.run("convolve_sum", "shared", n,
              lambda: by_pool(workers, convolution_sum, (labels[i % 1000] for i in range(n))))
    shared.unlink()


def bench_copy(bench):
    """copy_matrix: 200 MB, nothing computed."""
    shared = SharedArray(np.random.random((COLUMNS, COLUMNS)))
    n = bench.count(250, 60)
    bench.run("copy_matrix", "shared", n,
              lambda: by_pool(bench.options.workers, shared_copy, (shared for _ in range(n))))
    shared.unlink()


def bench_row_means(bench):
    """row_means: 10,000 x 10,000, an object's method."""
    survey = Survey(10000)
    shared = SharedArray(survey.values)
    n = bench.count(10000, 1000)
    bench.run("row_means", "shared", n,
              lambda: by_pool(bench.options.workers, shared_row_mean,
                              ((shared, i % 10000) for i in range(n))))
    bench.run("row_means", "pipe", 2,
              lambda: by_pool(bench.options.workers, pickled_row_mean,
                              ((survey, i) for i in range(2))))
    shared.unlink()


def bench_nothing(bench):
    """What handing over one task costs, singly and in chunks, with the pool warm."""
    with multiprocessing.Pool(bench.options.workers) as pool:
        pool.map(nothing, range(100))
        n = bench.count(20000, 5000)
        bench.run("nothing", "imap", n, lambda: list(pool.imap(nothing, range(n))))
        bench.run("nothing", "map", 10 * n, lambda: pool.map(nothing, range(10 * n)))


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="fewer tasks")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tasks", type=int, default=0, help="tasks of the shared ways")
    parser.add_argument("--only", action="append", default=[], metavar="WORKLOAD[/MODE]")
    bench = Bench(parser.parse_args())
    if (bench.wanted("outer_product", "sequential", "pipe", "shared") or
            bench.wanted("convolve", "sequential", "shared") or
            bench.wanted("convolve_sum", "shared")):
        bench_frames(bench)
    if bench.wanted("copy_matrix", "shared"):
        bench_copy(bench)
    if bench.wanted("row_means", "shared", "pipe"):
        bench_row_means(bench)
    if bench.wanted("nothing", "imap", "map"):
        bench_nothing(bench)


if __name__ == "__main__":
    main()

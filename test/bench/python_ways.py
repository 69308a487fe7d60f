#!/usr/bin/python3
"""The benches as a Python user writes them today; a server like the programs in C (bench.h):

    python_ways.py BENCH IMPL WORKERS AT

python_pool: multiprocessing.Pool, arguments and results pickled through its pipes. python_shared:
numpy arrays in multiprocessing.shared_memory, pandas frames around them; every result is copied
into a segment of its own, which the parent unlinks."""
import json
import multiprocessing
import os
import pickle
import sys
import time
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pandas as pd

ROWS, KERNEL = 1000, 20
COLUMNS = {"outer_40MB": 2236}


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


def outer(task):
    """The outer product of a labelled row with the column means of a random matrix."""
    frame, label = task
    return np.outer(frame.loc[label], np.random.random(frame.shape).mean(axis=0))


def convolution(task):
    """The frame convolved with a kernel made of entries of a labelled row."""
    from scipy.ndimage import convolve
    frame, label = task
    entries = np.random.choice(frame.shape[1], KERNEL * KERNEL)
    weights = frame.loc[label].values[entries].reshape(KERNEL, KERNEL)
    return convolve(frame.values, weights, mode="reflect")


def convolution_sum(label):
    """The same, only the sum goes back; the frame is a global, inherited by fork."""
    return convolution((INHERITED["frame"], label)).sum()


def shared_outer(task):
    """outer with frame and result in shared memory."""
    return SharedArray(outer((task[0].read(), task[1])))


def shared_convolution(task):
    """convolution with frame and result in shared memory."""
    return SharedArray(convolution((task[0].read(), task[1])))


def shared_copy(matrix):
    """The result is a copy of a prepared matrix."""
    return SharedArray(matrix.read())


def shared_row_mean(task):
    """The mean of a row of a matrix in shared memory."""
    return task[0].read()[task[1]].mean()


def same(task):
    """What handing over a task costs."""
    return task


INHERITED = {}


class Server:
    """Inputs, a pool when it is asked for, and runs."""

    def __init__(self, bench, impl, workers, at):
        self.bench, self.impl, self.workers, self.at = bench, impl, workers, at
        self.pool = None
        self.frame = self.plain = self.matrix = None
        family = bench.split("_")[0]
        if family in ("outer", "convolve", "fresh"):
            columns = COLUMNS.get(bench, 5000)
            self.plain = pd.DataFrame(np.random.random((ROWS, columns)),
                                      index=[f"Idx-{i}" for i in range(ROWS)],
                                      columns=[f"Col-{j}" for j in range(columns)])
            self.frame = SharedFrame(self.plain)
            INHERITED["frame"] = self.plain
        elif bench == "copy_200MB":
            self.matrix = SharedArray(np.random.random((5000, 5000)))
        elif bench == "row_means":
            self.matrix = SharedArray(np.random.random((at // 8000, 1000)))
        elif bench == "loc_1e6":
            self.plain = pd.Index([f"Idx-{i}" for i in range(1000000)])
            self.plain.get_loc("Idx-5")
        elif bench == "frame_open_5000_columns":
            self.frame = SharedFrame(pd.DataFrame(np.ones((ROWS, 5000)),
                                                  index=[f"Idx-{i}" for i in range(ROWS)],
                                                  columns=[f"Col-{j}" for j in range(5000)]))
            self.matrix = pickle.dumps(self.frame)

    def open(self):
        """The pool."""
        if not self.pool and self.bench not in ("cold_start", "loc_1e6", "frame_open_5000_columns"):
            self.pool = multiprocessing.Pool(self.workers)

    def close(self):
        """The pool and what is shared."""
        if self.pool:
            self.pool.close()
            self.pool.join()
        self.pool = None

    def unlink(self):
        """No segment stays behind."""
        for shared in (self.frame, self.matrix):
            if hasattr(shared, "unlink"):
                shared.unlink()

    def tasks(self, n):
        """A function and its arguments."""
        labels = (f"Idx-{i * 7919 % ROWS}" for i in range(n))
        if self.bench.startswith("outer"):
            if self.impl == "python_pool":
                return outer, ((self.plain, label) for label in labels)
            return shared_outer, ((self.frame, label) for label in labels)
        if self.bench == "convolve":
            return shared_convolution, ((self.frame, label) for label in labels)
        if self.bench == "convolve_sum":
            return convolution_sum, labels
        if self.bench == "copy_200MB":
            return shared_copy, (self.matrix for _ in range(n))
        if self.bench == "row_means":
            apart = self.matrix.shape[0] // 128
            return shared_row_mean, ((self.matrix, i % 128 * apart) for i in range(n))
        return same, range(n)

    def run(self, n):
        """One answer."""
        start = time.perf_counter()
        if self.bench == "noop_map":
            self.pool.map(same, range(n))
        elif self.bench == "cold_start":
            for _ in range(n):
                with multiprocessing.Pool(self.workers) as pool:
                    pool.apply(same, (1,))
        elif self.bench == "loc_1e6":
            labels = [f"Idx-{i * 7919 % 1000000}" for i in range(n)]
            start = time.perf_counter()
            for label in labels:
                self.plain.get_loc(label)
        elif self.bench == "frame_open_5000_columns":
            for _ in range(n):
                frame = pickle.loads(self.matrix)
                frame.read()
                frame.values.segment.close()
        else:
            function, tasks = self.tasks(n)
            for result in self.pool.imap(function, tasks):
                if isinstance(result, SharedArray):
                    result.unlink()
        seconds = time.perf_counter() - start
        return {"tasks_per_s": n / seconds, "ns": seconds / n * 1e9}


def main():
    """Serves until standard input ends."""
    bench, impl, workers, at = sys.argv[1:]
    server = Server(bench, impl, int(workers), int(at))
    try:
        for line in sys.stdin:
            command, n = line.split()
            start = time.perf_counter()
            server.open()
            figures = server.run(int(n))
            if command == "cold":
                server.close()
                figures["tasks_per_s"] = int(n) / (time.perf_counter() - start)
            print(json.dumps(figures), flush=True)
    finally:
        server.close()
        server.unlink()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()

#!/usr/bin/python3
"""Runs the benches and prints one JSON object a line, the machine first.

    suite.py [--quick] [--programs DIR] [--only BENCH]... [--rounds N] [--workers N]

Fields: bench, impl, metric, unit, median, min, max, rounds; `values` of the rounds in their order
(the rounds of a bench go through its impls in turn, and through its parameters too where it says
so, so that values at the same place belong together); `at`, the bench's parameter; and beside them faults and switches (of the context) a task,
peak_resident (bytes, the sum over all processes, which counts shared pages several times) and
peak_shared (bytes of shared memory). Other figures of a run have lines of their own."""
import argparse
import contextlib
import ctypes
import json
import mmap
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import time

import accounts
from benches import BENCHES, SLOW

HERE = os.path.dirname(os.path.abspath(__file__))


class Server:
    """One impl of one bench, in processes of its own."""

    def __init__(self, options, bench, impl, at):
        name = bench.program or bench.name
        arguments = [name, impl, str(options.workers), str(at)]
        self.impl = impl
        self.key = (impl, at)
        self.process = subprocess.Popen(
            self.command(options, impl) + arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, start_new_session=True, env=dict(os.environ, OMP_DYNAMIC="false"))

    @staticmethod
    def command(options, impl):
        """The program that has this impl."""
        if impl.startswith("python"):
            return ["/usr/bin/python3", os.path.join(HERE, "python_ways.py")]
        if impl == "mpi_window":
            root = ["--allow-run-as-root"] if os.getuid() == 0 else []
            return ["mpirun", *root, "--oversubscribe", "--bind-to", "none", "-n",
                    str(options.workers), os.path.join(options.programs, "bench_mpi")]
        name = "bench_boost" if impl == "boost_interprocess" else "bench_c"
        return [os.path.join(options.programs, name)]

    def ask(self, command, n):
        """Its figures for a run of n tasks."""
        try:
            self.process.stdin.write(f"{command} {n}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.impl} ended with status {self.process.wait()}")
        return json.loads(line)

    def measure(self, command, n):
        """The same, with what the system counted meanwhile."""
        session = self.process.pid
        before = accounts.usage(session)
        with accounts.Peak() as peak:
            figures = self.ask(command, n)
        after = accounts.usage(session)
        figures["n"] = n
        for key in ("faults", "switches"):
            figures[key] = max(after[key] - before[key], 0) / n
        figures["peak_resident"] = after["peak_resident"]
        figures["peak_shared"] = max(before["shared"] + peak.grown(), after["shared"])
        return figures

    def end(self):
        """Ends it, by force if it does not end."""
        try:
            self.process.stdin.close()
            self.process.wait(20)
        except (BrokenPipeError, subprocess.TimeoutExpired):
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()


def touch_memory(megabytes, huge=False):
    """Memory that is free is taken back by some hosts, and costs several times as much when it is
    touched next. So that this does not decide, it is touched and freed first. What they take,
    where they are told (keeping_memory), are whole blocks of 2 MiB and more, a second or two after
    these became free: just before `huge` pages are what is measured, these must be touched as
    such."""
    with mmap.mmap(-1, megabytes << 20) as memory:
        if huge:
            memory.madvise(mmap.MADV_HUGEPAGE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        ctypes.memset(address, 1, megabytes << 20)


REPORTING = "/sys/module/page_reporting/parameters/page_reporting_order"
NO_ORDER = "11"  # there are no larger blocks


def write_setting(path, value):
    """Whether the kernel took it."""
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write(value)
        return True
    except OSError:
        return False


@contextlib.contextmanager
def keeping_memory():
    """While benches run, a virtual machine does not tell its host which memory is free (free page
    reporting), where we may decide that: as root. Else what first touches cost is what the host
    takes to find memory again, huge pages more than small ones."""
    before = setting(REPORTING)
    kept = bool(before) and write_setting(REPORTING, NO_ORDER)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    if kept:
        print(f"{REPORTING} is {NO_ORDER} instead of {before} for this run", file=sys.stderr)
    try:
        yield "off" if kept else "on" if before else "none"
    finally:
        if kept:
            write_setting(REPORTING, before)


def setting(path):
    """A kernel's parameter; "": there is none."""
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def lone_huge_pages():
    """MiB in free blocks of just 2 MiB: the kernel takes huge pages from these before it divides
    larger ones."""
    with open("/proc/buddyinfo", encoding="ascii") as zones:
        return sum(2 * int(zone.split()[4 + 9]) for zone in zones)


def free_megabytes(options):
    """A part of what is free: what the largest benches need."""
    free = accounts.fields_of("/proc/meminfo", ["MemAvailable"])["MemAvailable"] // 1024
    return min(1200 if options.quick else 5000, free // 2)


class Runner:
    """Runs benches, within a time: where the machine is slow or busy, rounds get shorter."""

    def __init__(self, options, benches):
        self.options = options
        self.benches = benches
        self.base = self.scale = 0.12 if options.quick else 1
        self.rounds = options.rounds or (3 if options.quick else 5)
        self.end = time.monotonic() + (55 if options.quick else 840)

    def values(self, bench):
        """What `at` goes through."""
        return bench.quick_at if self.options.quick and bench.quick_at else bench.at

    def impls(self, bench):
        """Those that can run here."""
        impls = bench.quick_impls if self.options.quick and bench.quick_impls else bench.impls
        return [impl for impl in impls if available(self.options, impl)]

    def rounds_of(self, bench):
        """How many it has, unless its time is over before."""
        usual = min(bench.rounds or self.rounds, self.rounds) if self.options.quick else \
            bench.rounds or self.rounds
        return self.options.rounds or usual

    def planned(self, bench):
        """Seconds that it should take."""
        return len(self.values(bench)) * len(self.impls(bench)) * \
            (0.2 + self.rounds_of(bench) * (bench.seconds * self.base + 0.03))

    def run_all(self):
        """All benches; later ones are shortened when earlier ones took too long."""
        left = sum(self.planned(bench) for bench in self.benches)
        for bench in self.benches:
            share = (self.end - time.monotonic()) / left if left > 0 else 1
            self.scale = self.base * max(min(share, 1), 0.05)
            self.run(bench, max(share, 0.05) * self.planned(bench))
            left -= self.planned(bench)

    def run(self, bench, seconds):
        """All its values of `at`; no new round begins when the time is over."""
        values = self.values(bench)
        groups = [values] if bench.together else [[value] for value in values]
        for group in groups:
            started = time.monotonic()
            seconds_each_group = seconds / len(groups)
            try:
                rounds = self.cold_rounds(bench, group, seconds_each_group) if bench.cold else \
                    self.steady_rounds(bench, group, seconds_each_group)
                for (impl, value), figures in rounds.items():
                    report(bench, impl, value, figures)
            except (RuntimeError, ValueError) as error:
                print(f"{bench.name}: {error}", file=sys.stderr)
                self.options.failed = True
            print(f"{bench.name} {group[-1] or ''} {time.monotonic() - started:.1f} s",
                  file=sys.stderr)

    def count(self, bench, seconds_a_task, warm):
        """Tasks of a round."""
        if bench.tasks:
            return bench.quick_tasks if self.options.quick else bench.tasks
        workers = self.options.workers
        n = int(bench.seconds * self.scale / max(seconds_a_task, 1e-9))
        n = max(n, workers, min(warm, 100) if seconds_a_task < 0.001 else 1)
        n = min(n, bench.most)
        return n if n > 50 * workers else -(-n // workers) * workers  # nobody idles at the end

    def warm_up(self, bench, servers):
        """Two tasks each, the same for all, whose sums must agree; then as many as make everything
        warm and let a round's number be estimated."""
        counts, sums = {}, {}
        for server in servers:
            n = bench.warm if bench.tasks else 2
            figures = server.ask("run", n)
            if "sum" in figures:
                sums.setdefault(server.key[1], {})[server.impl] = figures["sum"]
            each = seconds_each(bench, figures)
            if not bench.tasks and (server.impl not in SLOW or each < 0.01):
                n = max(bench.warm, 2)
                each = seconds_each(bench, server.ask("run", n))
            while not bench.tasks and each * n < 0.02 and n < bench.most:
                n = min(max(2 * n, min(int(0.03 / each), 20 * n)), bench.most)
                each = seconds_each(bench, server.ask("run", n))
            counts[server.key] = self.count(bench, each, bench.warm)
        for at, of_impls in sums.items():
            if len(set(of_impls.values())) > 1:
                raise ValueError(f"the impls disagree at {at}: {of_impls}")
        return counts

    def steady_rounds(self, bench, group, seconds):
        """Servers side by side, asked in turn. Their preparation does not count."""
        memory = 500 if self.options.quick else 1000
        servers = []
        try:
            servers = [Server(self.options, bench, impl, at)
                       for at in group for impl in self.impls(bench)]
            counts = self.warm_up(bench, servers)
            figures = {server.key: [] for server in servers}
            stop = time.monotonic() + seconds
            for number in range(self.rounds_of(bench)):
                if number and time.monotonic() > stop:
                    break
                # forwards and backwards, so that nobody always comes after the same one
                for server in servers if number % 2 == 0 else servers[::-1]:
                    if bench.warm_memory:
                        touch_memory(memory)
                    figures[server.key].append(server.measure("run", counts[server.key]))
            return figures
        finally:
            for server in servers:
                server.end()

    def cold_rounds(self, bench, group, seconds):
        """A new server for every round."""
        impls = self.impls(bench)
        figures = {(impl, at): [] for at in group for impl in impls}
        n = bench.quick_tasks if self.options.quick else bench.tasks
        stop = time.monotonic() + seconds
        for number in range(self.rounds_of(bench)):
            if number and time.monotonic() > stop:
                break
            for impl, at in list(figures) if number % 2 == 0 else list(figures)[::-1]:
                server = Server(self.options, bench, impl, at)
                try:
                    touch_memory(bench.touch)
                    if not self.options.quick:
                        touch_memory(bench.touch + min(lone_huge_pages(), 4096), huge=True)
                    figures[impl, at].append(server.measure("cold", n))
                finally:
                    server.end()
        return figures


def seconds_each(bench, figures):
    """Seconds that a task took."""
    if bench.metric == "ns":
        return figures["ns"] * 1e-9
    return 1 / figures["tasks_per_s"]


def available(options, impl):
    """Whether its program was built."""
    if impl == "mpi_window":
        return bool(shutil.which("mpirun")) and built(options, "bench_mpi")
    return impl != "boost_interprocess" or built(options, "bench_boost")


def built(options, name):
    """Whether there is such a program."""
    return os.path.exists(os.path.join(options.programs, name))


BESIDE = ("faults", "switches", "peak_resident", "peak_shared", "n")
UNITS = {"ns": "ns", "tasks_per_s": "tasks/s", "resident_early": "bytes", "resident_late": "bytes",
         "bytes_per_idle_worker": "bytes", "huge_share": "share"}


def report(bench, impl, at, rounds):
    """A line for each figure."""
    for metric in rounds[0]:
        if metric in BESIDE or metric == "sum" or metric in ("ns", "tasks_per_s") and \
                metric != bench.metric:
            continue
        values = [figures[metric] for figures in rounds]
        unit = "ns" if metric.endswith("_ns") or metric.startswith("ns_") else \
            UNITS.get(metric, "count")
        line = {"bench": bench.name, "impl": impl, "metric": metric, "unit": unit,
                "median": statistics.median(values), "min": min(values), "max": max(values),
                "rounds": len(values)}
        if at:
            line["at"] = at
        for key in BESIDE:
            line[key] = round(statistics.median([figures[key] for figures in rounds]), 3)
        line["values"] = values
        put(line)


def put(line):
    """A line of output."""
    text = json.dumps(line)
    print(text, flush=True)
    if OUTPUT:
        OUTPUT[0].write(text + "\n")
        OUTPUT[0].flush()


OUTPUT = []  # a second file for the lines


def machine(options, reporting):
    """The first line."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        model = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=False)
    put({
        "bench": "machine", "cpu": model[0] if model else platform.machine(),
        "cpus": len(os.sched_getaffinity(0)), "workers": options.workers,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "kernel": platform.release(), "page_bytes": os.sysconf("SC_PAGE_SIZE"),
        "huge_pages": setting("/sys/kernel/mm/transparent_hugepage/enabled"),
        "huge_pages_shmem": setting("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
        "free_page_reporting": reporting,
        "libc": " ".join(platform.libc_ver()), "compiler": compiler.stdout.partition("\n")[0],
        "load": os.getloadavg()[0], "quick": options.quick,
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})


def main():
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="under a minute, rough")
    parser.add_argument("--programs", default="build-bench/test/bench", metavar="DIR")
    parser.add_argument("--output", default="", metavar="FILE", help="the lines go there as well")
    parser.add_argument("--only", action="append", default=[], metavar="BENCH")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--workers", type=int, default=min(len(os.sched_getaffinity(0)), 64))
    options = parser.parse_args()
    options.failed = False
    unknown = set(options.only) - {bench.name for bench in BENCHES}
    if unknown:
        parser.error(f"no such bench: {', '.join(sorted(unknown))}")
    if options.output:
        OUTPUT.append(open(options.output, "w", encoding="utf-8"))
    with keeping_memory() as reporting:
        machine(options, reporting)
        touch_memory(free_megabytes(options))
        Runner(options, [bench for bench in BENCHES
                         if not options.only or bench.name in options.only]).run_all()
    return 1 if options.failed else 0


if __name__ == "__main__":
    sys.exit(main())

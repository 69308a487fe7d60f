"""A worker that aborts leaves a core image of its private memory's size, not of the frames'.

    core_size.py OUTER_PRODUCT

Exit status 77: this machine does not write core images into the working directory."""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

COLUMNS = 2500
RESULT = COLUMNS * COLUMNS * 8  # 50 MB, and several of them are mapped


def worker_of(run):
    """A worker of the program, which started a session of its own; its memory as smaps sums it."""
    for entry in pathlib.Path('/proc').iterdir():
        try:
            text = (entry / 'stat').read_text()
            name, rest = text[text.index('(') + 1:].rsplit(')', 1)
            if int(rest.split()[3]) == run.pid and name.startswith('shmf-w'):
                return int(entry.name), (entry / 'smaps_rollup').read_text()
        except (OSError, ValueError):
            continue
    return None, ''


def kilobytes(rollup, field):
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(field))


def await_core(directory):
    """The core file, once it has stopped growing."""
    size = -1
    for _ in range(200):
        time.sleep(0.05)
        found = sorted(pathlib.Path(directory).glob('core*'))
        if found and found[0].stat().st_size == size:
            return found[0]
        size = found[0].stat().st_size if found else -1
    return None


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    pattern = pathlib.Path('/proc/sys/kernel/core_pattern').read_text()
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    if not pattern.startswith('core') or most != resource.RLIM_INFINITY:
        print('skipped: core images go elsewhere, or are limited')
        sys.exit(77)
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))
    with tempfile.TemporaryDirectory() as directory:
        run = subprocess.Popen(
            [program, '--mode=shared', '--no-check', '--workers=2', f'--columns={COLUMNS}',
             '--rows=500', '--tasks=4000'], cwd=directory, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        resident = 0
        while resident * 1024 < RESULT and run.poll() is None:
            pid, rollup = worker_of(run)
            resident = kilobytes(rollup, 'Rss:')
        own = kilobytes(rollup, 'Pss_Anon:')
        os.kill(pid, signal.SIGABRT)
        core = await_core(directory)
        run.kill()
        run.wait()
        assert core, 'no core image came'
        size = core.stat().st_size
        print(f'the worker had {resident / 1024:.0f} MiB resident, {own / 1024:.1f} MiB of it private '
              f'memory; its core image has {size / 2**20:.1f} MiB')
        assert size < RESULT / 4, size


main()

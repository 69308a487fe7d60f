"""In the steady state a task of `outer_product` makes no call that obtains or returns memory and
hardly faults: the example runs under strace, and what comes after a third of the tasks is counted.

    steady_state.py OUTER_PRODUCT

Also: the workers' memory at its peak stays below (window + workers) results and the input, however many tasks
there are. Exit status 77: there is no strace here, or it may not trace."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

CALLS = 'memfd_create,mmap,munmap,mremap,madvise,fallocate,ftruncate,mprotect,brk'
WINDOW, WORKERS = 4, 2
ROWS, COLUMNS = 500, 2500  # results of 50 MB
RESULT = COLUMNS * COLUMNS * 8
INPUT = COLUMNS * ROWS * 8


def run(program, tasks, trace=None):
    """Runs the shared way; returns its JSON figures."""
    command = [program, '--mode=shared', '--no-check', f'--workers={WORKERS}', f'--window={WINDOW}',
               f'--columns={COLUMNS}', f'--rows={ROWS}', f'--tasks={tasks}', '--progress', '--json=-']
    if trace:
        command = ['strace', '-f', '-qq', '-s', '200', '-o', trace, '-e', f'trace={CALLS},write', '-e',
                   'signal=none', *command]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         text=True).stdout
    return json.loads([line for line in out.splitlines() if line.startswith('{')][-1])


def calls_in_the_steady_state(trace, tasks):
    """Lines of memory calls between the first progress bar beyond a third and the last."""
    calls, steady = [], False
    for line in pathlib.Path(trace).read_text(errors='replace').splitlines():
        bar = re.search(r'write\(2,.*? (\d+)/%d ' % tasks, line)
        if bar:
            done = int(bar.group(1))
            if done == tasks:
                break
            steady = steady or done >= tasks // 3
        elif steady and not re.search(r'write(\(| resumed)', line):
            calls.append(line)
    assert steady, 'no progress bar was seen'
    return calls


def can_trace():
    if not shutil.which('strace'):
        return False
    return subprocess.run(['strace', '-qq', '-o', '/dev/null', 'true']).returncode == 0


def main():
    program = sys.argv[1]
    if not can_trace():
        print('skipped: no strace, or it may not trace')
        sys.exit(77)
    tasks = 240
    # A worker may come to need one region more when the consumer is held up for long, as it can be
    # on a busy machine; a library that obtained memory for tasks would do so in every run.
    for attempt in range(10):
        with tempfile.TemporaryDirectory() as directory:
            run(program, tasks, directory + '/trace')
            calls = calls_in_the_steady_state(directory + '/trace', tasks)
        print(f'{len(calls)} memory calls in the last two thirds of {tasks} tasks')
        if not calls:
            break
    assert not calls, '\n'.join(calls[:40])
    for tasks in (100, 400):
        figures = run(program, tasks)
        print(figures)
        assert figures['steady_faults_per_task'] < 10, figures
        assert figures['peak_shared_bytes'] < (WINDOW + WORKERS) * RESULT + INPUT, figures


main()

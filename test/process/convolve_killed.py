"""Twenty workers of the example `convolve` are killed (SIGKILL) at random times while it runs.

    convolve_killed.py CONVOLVE [SEED]

With more attempts a task than there are kills, all 24 results must be right. With one attempt, every task must either
deliver the right result or report SHMF_E_WORKER_DIED. Last, the application itself is killed:
none of its processes may be left."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

TASKS = 24
KILLS = 20
SLOW = float(os.environ.get('SHMF_TEST_SLOW', '1'))


def processes(session, prefix=''):
    """Pids and names of the running processes of a session."""
    found = []
    for entry in pathlib.Path('/proc').iterdir():
        if not entry.name.isdigit():
            continue
        try:
            text = (entry / 'stat').read_text()
        except OSError:
            continue
        name, rest = text[text.index('(') + 1:].rsplit(')', 1)
        state, _, _, its_session = rest.split()[:4]
        if int(its_session) == session and state not in 'ZX' and name.startswith(prefix):
            found.append(int(entry.name))
    return found


def start(program, *options):
    return subprocess.Popen(
        [program, '--workers=2', f'--tasks={TASKS}', f'--sequential-tasks={TASKS}', '--rows=500',
         '--columns=700', *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def seconds_per_task(program):
    """How long a task takes here, in a run that nobody disturbs."""
    out, _ = start(program, '--mode=shared', '--no-check', '--json=-').communicate(timeout=120 * SLOW)
    figures = json.loads([line for line in out.splitlines() if line.startswith('{')][-1])
    return 2 / figures['per_second']


def kill_workers(run, kills, pause):
    """Kills a worker every now and then until so many are killed or the program has ended."""
    killed = 0
    while killed < kills and run.poll() is None:
        workers = processes(run.pid, 'shmf-w')
        if workers:
            time.sleep(random.uniform(0, 2 * pause))
            try:
                os.kill(random.choice(workers), signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        else:
            time.sleep(0.001)
    return killed


def run_with_kills(program, pause, *options):
    """Starts it over until it has met so many kills in all; yields what each run said."""
    killed = 0
    while killed < KILLS:
        run = start(program, *options)
        killed += kill_workers(run, KILLS - killed, pause)
        out, err = run.communicate(timeout=120 * SLOW)
        yield run.returncode, out, err
    print(f'{killed} workers killed')


def failures_in(err):
    return [line for line in err.splitlines() if ' failed: ' in line]


def check_retried(program, pause):
    for status, out, err in run_with_kills(program, pause, '--mode=sequential,shared',
                                           f'--attempts={KILLS + 1}'):
        assert status == 0, (status, out, err)
        assert f'{TASKS} compared bit for bit, all ways agree' in out, out
    print(f'{KILLS + 1} attempts: all right')


def check_reported(program, pause):
    failed = 0
    while not failed:  # of so many kills one meets a task sooner or later
        for status, out, err in run_with_kills(program, pause, '--mode=sequential,shared'):
            failures = failures_in(err)
            for line in failures:
                assert 'SHMF_E_WORKER_DIED' in line and 'signal 9' in line, line
            assert (status != 0) == bool(failures), (status, out, err)
            assert 'differ' not in out, out
            failed += len(failures)
    print(f'one attempt: {failed} tasks reported their worker\'s death, the others are right')


def check_nothing_left(program):
    for _ in range(5):
        run = start(program, '--mode=shared')
        while not processes(run.pid, 'shmf-w'):
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.3))
        run.kill()
        run.communicate()
        deadline = time.monotonic() + 30 * SLOW
        while processes(run.pid) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert not processes(run.pid), processes(run.pid)
    print('application killed: nothing left')


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 32)
    random.seed(seed)
    print('seed', seed)
    task = seconds_per_task(sys.argv[1])
    check_retried(sys.argv[1], 4 * task)
    check_reported(sys.argv[1], 2 * task)
    check_nothing_left(sys.argv[1])


main()

"""A rank, or a node, that is killed ends the job, and nothing of it stays: killed.py RUN PROGRAM [RANKS PER_NODE].

RUN is the command under which ranks are started, up to the number of them. In turn the root, the leader of
another node, a rank that leads none, and all ranks of a node are killed while tasks run; mpirun must end then, and
so must all processes of the job: with them goes the memory, of which no file has a name."""

import contextlib
import os
import pathlib
import secrets
import signal
import subprocess
import sys
import time

DEADLINE = 100  # seconds, for what takes one
MARK = 'SHMFRAME_KILLED_TEST'


def marked(value):
    """The processes that have the mark in their environment."""
    found = []
    for process in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            state = (process / 'stat').read_text().rsplit(')', 1)[1].split()[0]
            if state != 'Z' and f'{MARK}={value}'.encode() in (process / 'environ').read_bytes().split(b'\0'):
                found.append(int(process.name))
        except (OSError, IndexError):
            pass  # it has just ended
    return found


def segments(pids):
    """How many memfds these processes have mapped."""
    count = 0
    for pid in pids:
        try:
            count += pathlib.Path(f'/proc/{pid}/maps').read_text().count('/memfd:')
        except OSError:
            pass
    return count


def start(command, value):
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                           env=os.environ | {MARK: value})
    places = []
    for line in job.stdout:
        if line.strip() == 'going':
            return job, places
        places.append([int(word) for word in line.split()])
    raise SystemExit(f'{command}: ended before it went')


def kill(pid):
    """Unless it is gone: when one rank is killed, mpirun kills the others."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def kill_some(command, name, choose):
    value = f'{secrets.token_hex(4)}-{name}'
    job, places = start(command, value)
    if segments(marked(value)) == 0:
        raise SystemExit(f'{name}: the job has no shared memory that could stay')
    victims = [pid for rank, node, node_rank, pid in places if choose(rank, node, node_rank)]
    if not victims:
        raise SystemExit(f'{name}: no such rank in {places}')
    for pid in victims:
        kill(pid)
    began = time.monotonic()
    try:
        job.communicate(timeout=DEADLINE)
        while (left := marked(value)) and time.monotonic() - began < DEADLINE:
            time.sleep(0.05)
    except subprocess.TimeoutExpired:
        left = marked(value)
    took = time.monotonic() - began
    for pid in left:
        kill(pid)
    if left or job.returncode == 0:
        raise SystemExit(f'{name}: exit status {job.returncode}, {len(left)} processes stayed for {took:.0f} s')
    print(f'{name} killed: the job ended, and nothing of it was there after {took:.2f} s')


def main(command):
    victims = {
        'the root': lambda rank, node, node_rank: rank == 0,
        'another leader': lambda rank, node, node_rank: node == 1 and node_rank == 0,
        'another rank': lambda rank, node, node_rank: node == 1 and node_rank == 1,
        'a node': lambda rank, node, node_rank: node == 1,
    }
    for name, choose in victims.items():
        kill_some(command, name, choose)


main(sys.argv[1:])

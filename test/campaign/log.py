#!/usr/bin/env python3
"""Runs one campaign and adds a line to its log.

    log.py LOG TEST SEED PROMISE COMMAND [ARGUMENT...]

What the command prints goes to LOG's directory as TEST-SEED.out. The line: test, promise, seed, trials and bad (sums over the
lines of JSON that it printed; an exit status that is not 0 is bad), seconds, commit."""

import datetime
import json
import pathlib
import subprocess
import sys
import time

import report


def main(log, test, seed, promise, *command):
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', check=False)
    seconds = time.monotonic() - start
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    trials = sum(report.trials_of(record) for record in records)
    bad = sum(report.is_bad(record) for record in records) + (done.returncode != 0)
    commit = subprocess.run(['git', '-C', report.ROOT, 'rev-parse', '--short', 'HEAD'], stdout=subprocess.PIPE, text=True,
                            check=False).stdout.strip()
    line = {'test': test, 'promise': promise, 'seed': int(seed), 'trials': trials, 'bad': bad, 'seconds': round(seconds, 1),
            'commit': commit, 'day': datetime.date.today().isoformat(), 'arguments': list(command[1:])}
    print(json.dumps(line), flush=True)
    log = pathlib.Path(log)
    (log.parent / f'{test}-{seed}.out').write_text(done.stdout)
    with log.open('a') as out:
        print(json.dumps(line), file=out)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))

#!/usr/bin/env python3
"""Runs one campaign and adds a line to its log.

    log.py LOG TEST SEED PROMISE COMMAND [ARGUMENT...]

What the command prints goes to LOG's directory as TEST-SEED.out. The line: test, promise, seed, trials and bad (sums over the
lines of JSON that it printed; an exit status that is not 0 is bad), seconds, the commit of this tree, with "-dirty" when it was
changed since, and the counts that the campaign alone knows."""

import datetime
import json
import pathlib
import subprocess
import sys
import time

import report


def commit_of_this_tree():
    git = ['git', '-C', report.ROOT]
    name = subprocess.run([*git, 'rev-parse', '--short', 'HEAD'], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    changed = subprocess.run([*git, 'status', '--porcelain', '--untracked-files=no', '--', 'lib', 'include', 'test', 'CMakeLists.txt',
                              ':!test/campaign/results.jsonl'], stdout=subprocess.PIPE, text=True, check=True).stdout
    return name + ('-dirty' if changed else '')


def main(log, test, seed, promise, *command):
    commit = commit_of_this_tree()  # before the run: of what was built
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace', check=False)
    seconds = time.monotonic() - start
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{')]
    trials = sum(report.trials_of(record) for record in records)
    bad = sum(report.is_bad(record) for record in records) + (done.returncode != 0)
    line = {'test': test, 'promise': promise, 'seed': int(seed), 'trials': trials, 'bad': bad, 'seconds': round(seconds, 1),
            'commit': commit, 'day': datetime.date.today().isoformat(), 'arguments': list(command[1:])}
    counts = report.sum_counts(records)
    if test.startswith('campaign.') and counts:
        line['counts'] = counts
    print(json.dumps(line), flush=True)
    log = pathlib.Path(log)
    (log.parent / f'{test}-{seed}.out').write_text(done.stdout)
    with log.open('a') as out:
        print(json.dumps(line), file=out)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))

#!/usr/bin/env python3
"""Checks the models of the board's protocol (board.pml with pool.pml: tasks; returns.pml: segments on their way back) with
spin: exhaustively, in the bounds named below, and with seeded mistakes, each of which must be found.

    check.py [SPIN CC]         the suite's bounds, one to two minutes
    check.py --long [SPIN CC]  larger ones: many minutes, and 4 GB of memory

Prints one line of JSON per run; exit status 1 when the model has an error or a mistake has none."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent

# Bounds. WORKERS 1 leaves room for more deaths, WORKERS 2 for claims and wake-ups that race.
RUNS = [
    {'WORKERS': 1, 'TASKS': 2, 'DEATHS': 2, 'STRIKES': 1, 'REVOKES': 1},
    {'WORKERS': 1, 'TASKS': 3, 'DEATHS': 2, 'STRIKES': 0, 'REVOKES': 1},
    {'WORKERS': 2, 'TASKS': 2, 'DEATHS': 0, 'STRIKES': 0, 'REVOKES': 1},
    {'WORKERS': 2, 'TASKS': 1, 'DEATHS': 1, 'STRIKES': 0, 'REVOKES': 1},
]
LONG_RUNS = RUNS + [
    {'WORKERS': 2, 'TASKS': 1, 'DEATHS': 1, 'STRIKES': 1, 'REVOKES': 1},
    {'WORKERS': 2, 'TASKS': 3, 'DEATHS': 0, 'STRIKES': 0, 'REVOKES': 1},
    {'WORKERS': 2, 'TASKS': 2, 'DEATHS': 1, 'STRIKES': 0, 'REVOKES': 0, 'BATCHES': 0},
]

# What is seeded -> what it breaks, and bounds that show it.
PAIR = {'WORKERS': 2, 'TASKS': 2, 'DEATHS': 0, 'STRIKES': 0, 'REVOKES': 0}
DYING = {'WORKERS': 1, 'TASKS': 2, 'DEATHS': 2, 'STRIKES': 0, 'REVOKES': 0}
STRUCK = {'WORKERS': 1, 'TASKS': 2, 'DEATHS': 0, 'STRIKES': 1, 'REVOKES': 0}
MISTAKES = {
    'NO_FENCE_IN_RING': PAIR,
    'NO_FENCE_IN_SLEEP': PAIR,
    'NO_FENCE_IN_PARK': PAIR,
    'NO_FENCE_IN_WAKE': PAIR,
    'IDLE_DOES_NOT_RING': PAIR,
    'PUBLISH_BEFORE_WRITE': PAIR,
    'TAIL_BEFORE_SLOT': PAIR,
    'CLAIM_WITHOUT_CAS': PAIR,
    'NO_LAST_HARVEST': DYING,
    'SILENCE_IS_DEATH': DYING,
    'ANNOUNCED_AFTER_BIRTH': DYING,
    'CURRENT_OUTLIVES_PUBLICATION': STRUCK,
    'CURRENT_OF_THE_DEAD': {**STRUCK, 'DEATHS': 1},
}


# Segments on their way back: full rings, and workers that sleep for each. Also looked for: cycles that get nowhere.
FULL = {'SEGMENTS': 3, 'ROUNDS': 7, 'DEATHS': 1}
THIN = {'SEGMENTS': 1, 'ROUNDS': 4, 'DEATHS': 1}
RETURNS = [(FULL, False), (FULL, True), (THIN, False), (THIN, True)]
LONG_RETURNS = RETURNS + [({'SEGMENTS': 2, 'ROUNDS': 6, 'DEATHS': 2}, False)]
RETURNS_MISTAKES = {
    'RETURN_BEFORE_ENTRY': (FULL, False),
    'NO_LOOK_AT_TAKEN': (FULL, False),
    'TAKEN_BEFORE_READ': (FULL, False),
    'BELIEVES_THE_DEAD': (FULL, False),
    'NO_FENCE_IN_GIVE': (THIN, False),
    'NO_FENCE_IN_WANT': (THIN, False),
    'STOPS_AT_THE_DEAD': (THIN, True),
}


def check(spin, cc, model, bounds, mistake=None, progress=False):
    """One run: what was found, and how much was seen."""
    defines = [f'-D{name}={value}' for name, value in bounds.items()]
    if mistake:
        defines.append(f'-DMISTAKE_{mistake}')
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        for name in HERE.glob('*.pml'):
            (pathlib.Path(directory) / name.name).write_text(name.read_text())
        subprocess.run([spin, '-a', *defines, f'{model}.pml'], cwd=directory, check=True,
                       stdout=subprocess.DEVNULL)
        kind = ['-DNP', '-DNFAIR=3'] if progress else ['-DSAFETY', '-DNOFAIR']
        subprocess.run([cc, '-w', '-O1' if mistake is None else '-O0', '-DCOLLAPSE', *kind, '-o', 'pan', 'pan.c'],
                       cwd=directory, check=True)
        text = subprocess.run(['./pan', '-m100000', '-w24', *(['-l', '-f'] if progress else [])], cwd=directory,
                              check=True, capture_output=True, text=True).stdout
    if 'Search not completed' not in text and 'errors: 0' not in text or 'max search depth' in text:
        raise SystemExit(text)
    found = re.search(r'^pan:1: (.*) \(at depth', text, re.MULTILINE)
    states = re.search(r'(\d+) states, stored', text)
    return {'model': model, **bounds, 'looked_for': 'non-progress' if progress else 'errors', 'mistake': mistake or 'none',
            'found': found.group(1) if found else 'nothing', 'states': int(states.group(1)),
            'seconds': round(time.monotonic() - start, 1)}


def main(arguments):
    long = arguments[:1] == ['--long']
    spin, cc = arguments[long:] or ['spin', 'gcc']
    bad = 0
    runs = [('board', bounds, None, False) for bounds in (LONG_RUNS if long else RUNS)]
    runs += [('board', bounds, mistake, False) for mistake, bounds in MISTAKES.items()]
    runs += [('returns', bounds, None, progress) for bounds, progress in (LONG_RETURNS if long else RETURNS)]
    runs += [('returns', bounds, mistake, progress) for mistake, (bounds, progress) in RETURNS_MISTAKES.items()]
    for model, bounds, mistake, progress in runs:
        result = check(spin, cc, model, bounds, mistake, progress)
        good = (result['found'] == 'nothing') == (mistake is None)
        bad += not good
        print(json.dumps({**result, 'good': good}), flush=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

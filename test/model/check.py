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

# What is looked for: states that are wrong; also cycles without progress, with every process running on (weak fairness); or any.
ERRORS, FAIR, CYCLE = 'errors', 'non-progress', 'cycles'

# Two tasks that wait for each other; and a worker that nobody replaces.
TOGETHER = {'WORKERS': 2, 'TASKS': 2, 'DEATHS': 0, 'STRIKES': 0, 'REVOKES': 0, 'TOGETHER': 1}
ORPHANED = {'WORKERS': 2, 'TASKS': 1, 'DEATHS': 1, 'STRIKES': 0, 'REVOKES': 0, 'SUCCESSORS': 0}

# Bounds. WORKERS 1 leaves room for more deaths, WORKERS 2 for claims and wake-ups that race.
RUNS = [
    {'WORKERS': 1, 'TASKS': 2, 'DEATHS': 2, 'STRIKES': 1, 'REVOKES': 1},
    {'WORKERS': 1, 'TASKS': 3, 'DEATHS': 2, 'STRIKES': 0, 'REVOKES': 1},
    {'WORKERS': 2, 'TASKS': 2, 'DEATHS': 0, 'STRIKES': 0, 'REVOKES': 1},
    {'WORKERS': 2, 'TASKS': 1, 'DEATHS': 1, 'STRIKES': 0, 'REVOKES': 1},
    TOGETHER,
    ORPHANED,
]
# Looked for besides: cycles of any kind, so somebody who is busy for ever, whoever gets to run how often.
CYCLES = [{**RUNS[0], 'DEATHS': 1}, {'WORKERS': 2, 'TASKS': 2, 'DEATHS': 0, 'STRIKES': 0, 'REVOKES': 0}]
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
    'ONE_AWAKE_WILL_DO': TOGETHER,
    'WAKE_IS_NOT_PASSED_ON': TOGETHER,
    'AWAY_IS_AWAKE': ORPHANED,
    'NOBODY_INSTEAD': ORPHANED,
    'NO_LAST_HARVEST': DYING,
    'SILENCE_IS_DEATH': DYING,
    'ANNOUNCED_AFTER_BIRTH': DYING,
    'CURRENT_OUTLIVES_PUBLICATION': STRUCK,
    'CURRENT_OF_THE_DEAD': {**STRUCK, 'DEATHS': 1},
}
CYCLES_MISTAKES = {'STOPS_AT_REVOKED': {**STRUCK, 'STRIKES': 0, 'REVOKES': 1}}


# Segments on their way back: full rings, and workers that sleep for each. Also looked for: cycles that get nowhere, where
# everybody gets to run.
FULL = {'SEGMENTS': 3, 'ROUNDS': 7, 'DEATHS': 1}
THIN = {'SEGMENTS': 1, 'ROUNDS': 4, 'DEATHS': 1}
RETURNS = [(FULL, ERRORS), (FULL, FAIR), (THIN, ERRORS), (THIN, FAIR)]
LONG_RETURNS = RETURNS + [({'SEGMENTS': 2, 'ROUNDS': 6, 'DEATHS': 2}, ERRORS)]
RETURNS_MISTAKES = {
    'RETURN_BEFORE_ENTRY': (FULL, ERRORS),
    'NO_LOOK_AT_TAKEN': (FULL, ERRORS),
    'TAKEN_BEFORE_READ': (FULL, ERRORS),
    'BELIEVES_THE_DEAD': (FULL, ERRORS),
    'NO_FENCE_IN_GIVE': (THIN, ERRORS),
    'NO_FENCE_IN_WANT': (THIN, ERRORS),
    'STOPS_AT_THE_DEAD': (THIN, FAIR),
}


def check(spin, cc, model, bounds, mistake=None, sought=ERRORS):
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
        kind = {ERRORS: ['-DSAFETY', '-DNOFAIR'], FAIR: ['-DNP', '-DNFAIR=3'], CYCLE: ['-DNP', '-DNOFAIR']}[sought]
        options = {ERRORS: [], FAIR: ['-l', '-f'], CYCLE: ['-l']}[sought]
        subprocess.run([cc, '-w', '-O1' if mistake is None else '-O0', '-DCOLLAPSE', *kind, '-o', 'pan', 'pan.c'],
                       cwd=directory, check=True)
        text = subprocess.run(['./pan', '-m100000', '-w24', *options], cwd=directory, check=True, capture_output=True,
                              text=True).stdout
    if 'Search not completed' not in text and 'errors: 0' not in text or 'max search depth' in text:
        raise SystemExit(text)
    found = re.search(r'^pan:1: (.*) \(at depth', text, re.MULTILINE)
    states = re.search(r'(\d+) states, stored', text)
    return {'model': model, **bounds, 'looked_for': sought, 'mistake': mistake or 'none',
            'found': found.group(1) if found else 'nothing', 'states': int(states.group(1)),
            'seconds': round(time.monotonic() - start, 1)}


def main(arguments):
    long = arguments[:1] == ['--long']
    spin, cc = arguments[long:] or ['spin', 'gcc']
    bad = 0
    runs = [('board', bounds, None, ERRORS) for bounds in (LONG_RUNS if long else RUNS)]
    runs += [('board', bounds, None, CYCLE) for bounds in (LONG_RUNS if long else CYCLES)]
    runs += [('board', bounds, mistake, ERRORS) for mistake, bounds in MISTAKES.items()]
    runs += [('board', bounds, mistake, CYCLE) for mistake, bounds in CYCLES_MISTAKES.items()]
    runs += [('returns', bounds, None, sought) for bounds, sought in (LONG_RETURNS if long else RETURNS)]
    runs += [('returns', bounds, mistake, sought) for mistake, (bounds, sought) in RETURNS_MISTAKES.items()]
    for model, bounds, mistake, sought in runs:
        result = check(spin, cc, model, bounds, mistake, sought)
        good = (result['found'] == 'nothing') == (mistake is None)
        bad += not good
        print(json.dumps({**result, 'good': good}), flush=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

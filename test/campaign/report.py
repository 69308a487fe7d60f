#!/usr/bin/env python3
"""Makes the table of faults of docs/reliability.md from faults.txt, from the campaigns' log and from what ctest noted.

    report.py [--ctest LOG]... [--check]

LOG is a build tree's Testing/Temporary/LastTest.log; without one, results are those of the campaigns alone. --check only says
(by exit status 1) whether every row names tests that exist."""

import argparse
import collections
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FAULTS = ROOT / 'test/campaign/faults.txt'
LOG = ROOT / 'test/campaign/results.jsonl'
PAGE = ROOT / 'docs/reliability.md'
BEGIN, END = '<!-- faults: made by test/campaign/report.py -->', '<!-- faults end -->'

# What a line of JSON calls its trials.
COUNTS = ('deaths', 'trials', 'runs', 'values', 'instructions', 'kills', 'openings', 'headers', 'states')


def rows(text):
    """Fault, promise, tests as (program, function or None), reason why there is none."""
    for line in text.splitlines():
        if not line or line.startswith('#'):
            continue
        fault, promise, tests = line.split(' | ')
        if tests.startswith('not here: '):
            yield fault, promise, [], tests.removeprefix('not here: ')
            continue
        names = [test.split(': ') for test in tests.split('; ')]
        yield fault, promise, [(name[0], name[1] if name[1:] else None) for name in names], ''


def source_of(program):
    kind, _, name = program.partition('.')
    places = {'campaign': [f'test/campaign/{name}.c', f'test/campaign/{name}.py'],
              'model': [f'test/model/{name}.pml']}
    for place in places.get(kind, [f'test/{kind}/test_{name}.c']):
        if (ROOT / place).exists():
            return ROOT / place
    return None


def problems():
    found = []
    for fault, _, tests, reason in rows(FAULTS.read_text()):
        if not tests and not reason:
            found.append(f'{fault}: neither a test nor a reason')
        for program, function in tests:
            source = source_of(program)
            if not source:
                found.append(f'{fault}: there is no test {program}')
            elif function and not re.search(rf'\b{function}\b', source.read_text()):
                found.append(f'{fault}: {program} has no {function}')
    return found


def trials_of(record):
    for name in COUNTS:
        if isinstance(record.get(name), int):
            return record[name]
    return 0


def add_counts(one, other):
    """Two values of JSON of the same shape: numbers are added."""
    if isinstance(one, dict):
        return {name: add_counts(one.get(name), other.get(name)) for name in {**one, **other}} if other else one
    if isinstance(one, list):
        return [add_counts(*pair) for pair in zip(one, other)] if other else one
    return other if one is None else one if other is None else one + other


def sum_counts(records):
    """What several lines of a campaign count, without what is not counted."""
    total = {}
    for record in records:
        total = add_counts(total, {name: value for name, value in record.items()
                                   if isinstance(value, (int, list, dict)) and not isinstance(value, bool)
                                   and name not in ('seed', 'workers') and not name.startswith('shmem_kb')})
    return total


def is_bad(record):
    return bool(record.get('bad')) or record.get('good') is False


def read_records(lines):
    """Per test: trials, and how many of its lines were bad."""
    trials, bad = collections.Counter(), collections.Counter()
    for line in lines:
        if not line.startswith('{'):
            continue
        record = json.loads(line)
        name = record.get('test') or f"campaign.{record.get('campaign')}"
        trials[name] += trials_of(record)
        bad[name] += is_bad(record)
    return trials, bad


def read_ctest(path):
    """Per program: passed everywhere?"""
    passed = {}
    text = path.read_text(errors='replace')
    for name, verdict in re.findall(r'^\d+/\d+ Test: (\S+)$.*?^Test (Passed|Failed|Skipped|Timeout)', text, re.M | re.S):
        program = name.split('/')[-1]
        if verdict != 'Skipped':
            passed[program] = passed.get(program, True) and verdict == 'Passed'
    return passed, [line for line in text.splitlines() if line.startswith('{"test"')]


def result_of(tests, trials, bad, passed):
    programs = [program for program, _ in tests]
    if any(bad[program] or passed.get(program) is False for program in programs):
        return 'BAD'
    seen = [program for program in programs if program in passed or trials[program]]
    return 'good' if len(seen) == len(programs) else 'not run' if not seen else 'good, in part not run'


def table(trials, bad, passed):
    lines = ['| fault | promise | test | trials | result |', '|---|---|---|---|---|']
    for fault, promise, tests, reason in rows(FAULTS.read_text()):
        if reason:
            lines.append(f'| {fault} | {promise} | none | | not produced: {reason} |')
            continue
        names = ', '.join(f'`{program}`' for program in dict(tests))
        count = sum(trials[program] for program in dict(tests))
        lines.append(f'| {fault} | {promise} | {names} | {f"{count:,}" if count else "1 run"} | '
                     f'{result_of(tests, trials, bad, passed)} |')
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--ctest', action='append', default=[], type=pathlib.Path)
    parser.add_argument('--check', action='store_true')
    arguments = parser.parse_args()
    wrong = problems()
    if arguments.check or wrong:
        print('\n'.join(wrong) or 'every fault has its tests')
        return 1 if wrong else 0
    lines, passed = LOG.read_text().splitlines() if LOG.exists() else [], {}
    for path in arguments.ctest:
        more, printed = read_ctest(path)
        for name, verdict in more.items():
            passed[name] = passed.get(name, True) and verdict
        lines += printed
    trials, bad = read_records(lines)
    text = PAGE.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text('\n'.join([before + BEGIN, '', *table(trials, bad, passed), '', END + after]))
    return 0


if __name__ == '__main__':
    sys.exit(main())

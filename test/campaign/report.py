#!/usr/bin/env python3
"""Makes the tables of docs/reliability.md: of faults from faults.txt, and of the long runs from the campaigns' log.

    report.py [--ctest LOG]... [--check]

LOG is a build tree's Testing/Temporary/LastTest.log; without one, results are those of the campaigns alone. Trials of a test
that has long runs are those of them; of others, what it printed in the run of the suite. --check only says (by exit status 1)
whether every row names tests that exist."""

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
BEGIN, END = '<!-- {}: made by test/campaign/report.py -->', '<!-- {} end -->'

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
    """Per test: its records."""
    found = collections.defaultdict(list)
    for line in lines:
        if line.startswith('{'):
            record = json.loads(line)
            found[record.get('test') or f"campaign.{record.get('campaign')}"].append(record)
    return found


def read_ctest(path):
    """Per program: passed everywhere?"""
    passed = {}
    text = path.read_text(errors='replace')
    for name, verdict in re.findall(r'^\d+/\d+ Test: (\S+)$.*?^Test (Passed|Failed|Skipped|Timeout)', text, re.M | re.S):
        program = name.split('/')[-1]
        if verdict != 'Skipped':
            passed[program] = passed.get(program, True) and verdict == 'Passed'
    return passed, [line for line in text.splitlines() if line.startswith('{"test"')]


def trials_of_part(records, part):
    """Of those of a campaign that counts by parts, here by who was killed, of one part."""
    parts = sum_counts(record.get('counts', {}) for record in records).get(part)
    return sum(pair[0] for pair in parts.values()) if parts else sum(map(trials_of, records))


def trials_of_tests(tests, logged, printed):
    """In words, and whether the long runs were meant."""
    long = sum(trials_of_part(logged[program], part) for program, part in dict(tests).items() if program in logged)
    if long:
        return f'{long:,} in long runs'
    suite = sum(trials_of(record) for program in dict(tests) for record in printed.get(program, []))
    return f'{suite:,} in the suite' if suite else 'the suite'


def result_of(tests, logged, printed, passed):
    programs = list(dict(tests))
    records = [record for program in programs for record in logged.get(program, []) + printed.get(program, [])]
    if any(map(is_bad, records)) or any(passed.get(program) is False for program in programs):
        return 'BAD'
    seen = [program for program in programs if program in passed or program in logged]
    return 'good' if len(seen) == len(programs) else 'not run' if not seen else 'good, in part not run'


def table_of_faults(logged, printed, passed):
    lines = ['| fault | promise | test | trials | result |', '|---|---|---|---|---|']
    for fault, promise, tests, reason in rows(FAULTS.read_text()):
        if reason:
            lines.append(f'| {fault} | {promise} | none | | not produced: {reason} |')
            continue
        names = ', '.join(f'`{program}`' for program in dict(tests))
        lines.append(f'| {fault} | {promise} | {names} | {trials_of_tests(tests, logged, printed)} | '
                     f'{result_of(tests, logged, printed, passed)} |')
    return lines


def in_words(numbers):
    """1 to 3, 7"""
    groups = []
    for number in sorted(set(numbers)):
        if groups and number == groups[-1][-1] + 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    return ', '.join(f'{group[0]} to {group[-1]}' if group[1:] else f'{group[0]}' for group in groups)


def table_of_runs(logged):
    lines = ['| test | commit | day | arguments of the last | runs, seeds | seconds | trials | of them | bad |',
             '|---|---|---|---|---|---|---|---|---|']
    for test, records in logged.items():
        counts = sum_counts(record.get('counts', {}) for record in records)
        notes = ', '.join(f'{name.replace("_", " ")} {value:,}' for name, value in counts.items()
                          if isinstance(value, int) and name not in COUNTS + ('bad',))
        lines.append(f"| `{test}` | {', '.join(dict.fromkeys(record['commit'] for record in records))} | {records[-1]['day']} | "
                     f"{' '.join(records[-1]['arguments'])} | {len(records)}: {in_words(record['seed'] for record in records)} | "
                     f"{sum(record['seconds'] for record in records):,.0f} | {sum(map(trials_of, records)):,} | {notes} | "
                     f"{sum(record['bad'] for record in records)} |")
    return lines


def table_of_stages(logged):
    """Who was killed, and when: all kills, and those before the stage was over."""
    counts = sum_counts(record.get('counts', {}) for record in logged['campaign.kill_owners'])
    roles = [name for name, value in counts.items() if isinstance(value, dict)]
    if not roles:
        return ['none yet']
    lines = [f"| stage | {' | '.join(role.replace('_', ' ') for role in roles)} |", '|---|' + '---|' * len(roles)]
    for stage in counts[roles[0]]:
        kills = ' | '.join(f'{counts[role][stage][0]:,} ({counts[role][stage][1]:,})' for role in roles)
        lines.append(f"| {stage.replace('_', ' ')} | {kills} |")
    totals = [[sum(pair[i] for pair in counts[role].values()) for i in (0, 1)] for role in roles]
    return lines + [f"| all | {' | '.join(f'{all_:,} ({inside:,})' for all_, inside in totals)} |"]


def put_table(text, name, lines):
    before, rest = text.split(BEGIN.format(name))
    after = rest.split(END.format(name))[1]
    return '\n'.join([before + BEGIN.format(name), '', *lines, '', END.format(name) + after])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--ctest', action='append', default=[], type=pathlib.Path)
    parser.add_argument('--check', action='store_true')
    arguments = parser.parse_args()
    wrong = problems()
    if arguments.check or wrong:
        print('\n'.join(wrong) or 'every fault has its tests')
        return 1 if wrong else 0
    passed, lines = {}, []
    for path in arguments.ctest:
        more, printed = read_ctest(path)
        for name, verdict in more.items():
            passed[name] = passed.get(name, True) and verdict
        lines += printed
    logged, printed = read_records(LOG.read_text().splitlines() if LOG.exists() else []), read_records(lines)
    text = put_table(PAGE.read_text(), 'faults', table_of_faults(logged, printed, passed))
    text = put_table(text, 'long runs', table_of_runs(logged))
    PAGE.write_text(put_table(text, 'stages', table_of_stages(logged)))
    return 0


if __name__ == '__main__':
    sys.exit(main())

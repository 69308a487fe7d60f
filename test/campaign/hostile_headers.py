#!/usr/bin/env python3
"""The long run of hostile_headers.c: so many distorted headers, in parts, on all cores, with sanitizers.

    test/campaign/hostile_headers.py [--headers N] [--seed S] [--part N] [--jobs N] [--out DIR] [--build DIR]

Defaults: 1,000,000,000 headers with seed 1 in parts of 25,000,000, as many at a time as there are cpus, after a
part of its own with every pair of fields at every pair of boundary values. Part i is
`campaign_hostile_headers PART S+i`, so each can be run again alone. Builds with clang, if there is one, and
AddressSanitizer and UndefinedBehaviorSanitizer in DIR/build.

What a part found is kept in DIR (default build-campaign/headers) when it is over, so that the same command goes on
where it was stopped; it refuses to when the checks, the mutators or the golden segments changed since. DIR/log
says what ran when. Prints a line of JSON for all of them at the end; exit status 1 when there is a finding, whose
output is in DIR/part-NNNN.txt."""

import argparse
import concurrent.futures
import datetime
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
WHAT_COUNTS = ['lib/base', 'lib/dtype', 'lib/format', 'lib/labels', 'lib/frame', 'lib/array', 'test/fuzz',
               'test/format/golden', 'test/format/fields.h', 'test/campaign/hostile_headers.c']
SUMS = ['headers', 'pairs', 'accepted', 'used', 'seconds', 'findings']


def fingerprint():
    """Of everything that a part's result depends on."""
    digest = hashlib.sha256()
    for name in WHAT_COUNTS:
        path = ROOT / name
        for file in sorted(path.rglob('*')) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(str(file.relative_to(ROOT)).encode() + b'\0' + file.read_bytes())
    return digest.hexdigest()


def build(tree):
    environment = dict(os.environ)
    if shutil.which('clang'):
        environment.setdefault('CC', 'clang')
    for command in [['cmake', '-S', ROOT, '-B', tree, '-DSHMFRAME_SANITIZE=address,undefined',
                     '-DSHMFRAME_EXAMPLES=OFF'],
                    ['cmake', '--build', tree, '--parallel', '--target', 'campaign_hostile_headers']]:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            sys.exit(done.stdout)
    return tree / 'test' / 'campaign_hostile_headers'


class Campaign:
    def __init__(self, out, asked):
        self.out, self.lock = out, threading.Lock()
        self.stamp = {'seed': asked.seed, 'part': asked.part, 'checks': fingerprint()}
        out.mkdir(parents=True, exist_ok=True)
        stamp = out / 'run.json'
        if not stamp.exists():
            stamp.write_text(json.dumps(self.stamp))
        elif json.loads(stamp.read_text()) != self.stamp:
            sys.exit(f'{out}: begun with another seed, size of parts or state of the checks; remove it to begin anew')

    def log(self, text):
        line = f'{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M:%S} {text}'
        with self.lock, open(self.out / 'log', 'a') as log:
            print(line, file=log)
        print(line, file=sys.stderr, flush=True)

    def run(self, program, number, arguments):
        """The result of a part, kept or made; None: a finding."""
        result = self.out / f'part-{number:04}.json'
        if result.exists():
            return json.loads(result.read_text())
        command = f'{program.name} {" ".join(arguments)}'
        self.log(f'part {number}: {command}')
        output = self.out / f'part-{number:04}.txt'
        with open(output, 'w') as into:
            done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=into, text=True)
        lines = done.stdout.splitlines()
        if done.returncode or not lines or not json.loads(lines[-1])['good']:
            with open(output, 'a') as into:
                into.write(done.stdout)
            self.log(f'part {number}: FINDING, exit status {done.returncode}: {output}')
            return None
        unfinished = result.with_suffix('.new')
        unfinished.write_text(lines[-1] + '\n')
        unfinished.rename(result)
        output.unlink()
        self.log(f'part {number}: {lines[-1]}')
        return json.loads(lines[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--headers', type=int, default=1_000_000_000)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--part', type=int, default=25_000_000)
    parser.add_argument('--jobs', type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument('--out', type=pathlib.Path, default=ROOT / 'build-campaign' / 'headers')
    parser.add_argument('--build', type=pathlib.Path)
    asked = parser.parse_args()
    campaign = Campaign(asked.out, asked)
    program = build(asked.build or asked.out / 'build')
    parts = [(0, ['0', str(asked.seed), '1'])]
    parts += [(i + 1, [str(min(asked.part, asked.headers - i * asked.part)), str(asked.seed + i + 1)])
              for i in range(-(-asked.headers // asked.part))]
    with concurrent.futures.ThreadPoolExecutor(asked.jobs) as pool:
        results = list(pool.map(lambda part: campaign.run(program, *part), parts))
    good = [result for result in results if result]
    summary = {'campaign': 'hostile_headers', 'seed': asked.seed, 'parts': len(parts), 'done': len(good)}
    summary.update({name: round(sum(result[name] for result in good), 1) for name in SUMS})
    summary['findings'] += len(parts) - len(good)
    summary['good'] = not summary['findings']
    campaign.log(json.dumps(summary))
    print(json.dumps(summary))
    return not summary['good']


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
"""Mutation testing: one operator, constant or condition of the source is changed at a time, the
object is compiled anew, and a test must fail.

    mutate_source.py [--build DIR] [--every N] [--first N] [FILE...]

FILE defaults to the checks of segments: lib/format/*.c but layout.c, and lib/frame/validate.c. DIR (default build)
is a finished build tree of make, without sanitizers; nothing in it or in the source is changed. Of
the mutants every N-th is tried, from the FIRST on. Prints those that no test noticed, and a line of
JSON; exit status 1 when one survived that is not listed in mutants.txt beside this file, with its
reason: changes that nobody can observe."""

import argparse
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

# The quick ones first: most mutants do not get far.
TESTS = [(name, []) for name in (
    'test_format', 'test_format_edges', 'test_format_frame', 'test_frame_validate',
    'test_frame_validate_edges', 'test_format_golden', 'test_format_evolution', 'test_frame',
    'test_array', 'test_frame_changing', 'test_format_fields')]
TESTS.append(('campaign_hostile_headers', ['400000', '1']))

TOKEN = re.compile(r'''/\*.*?\*/|//[^\n]*|\#(?:\\\n|[^\n])*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'
    |->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+|&^*/%]=|[A-Za-z_]\w*|\d\w*|.''', re.S | re.X)

OTHER = {'<': '<=', '<=': '<', '>': '>=', '>=': '>', '==': '!=', '!=': '==', '&&': '||', '||': '&&',
         ' + ': ' - ', ' - ': ' + ', '%': '/', '+=': '-=', '&=': '|=', '|=': '&=', '!': '',
         'true': 'false', 'false': 'true', '++': '--'}


def closing(text, at):
    """The place behind the parenthesis that closes the one at `at`."""
    depth = 0
    for match in TOKEN.finditer(text, at):
        depth += {'(': 1, ')': -1}.get(match.group(), 0)
        if depth == 0:
            return match.end()
    raise ValueError('an open parenthesis')


def mutants(text):
    """(place, end, what stands there instead); inside functions only."""
    depth = 0
    for match in TOKEN.finditer(text):
        token, begin, end = match.group(), match.start(), match.end()
        depth += {'{': 1, '}': -1}.get(token, 0)
        if depth == 0:
            continue
        if token in '+-' and text[begin - 1] == ' ' and text[end] == ' ':
            yield begin, end, OTHER[f' {token} '].strip()
        elif token in OTHER and token.strip():
            yield begin, end, OTHER[token]
        elif re.fullmatch(r'\d+[uUlL]*', token):
            number = int(re.match(r'\d+', token).group())
            yield begin, end, token.replace(str(number), str(number + 1), 1)
        elif token == 'if':
            opening = text.index('(', end)
            behind = closing(text, opening)
            yield opening, behind, f'(0 && {text[opening:behind]})'


class Tree:
    """A build tree, and how it compiles and links."""

    def __init__(self, build, scratch):
        self.build, self.scratch = build.resolve(), scratch

    def compile(self, source, text):
        commands = self.build / 'CMakeFiles' / f'shmfi_{source.parent.name}.dir'
        flags = {}
        for line in (commands / 'flags.make').read_text().splitlines():
            name, _, value = line.partition(' = ')
            flags[name] = shlex.split(value)
        changed = self.scratch / source.name
        changed.write_text(text)
        command = (['cc'] + flags['C_DEFINES'] + flags['C_INCLUDES'] + flags['C_FLAGS'] +
                   ['-Wno-error', '-w', '-I', str(source.parent), '-c', str(changed), '-o',
                    str(self.scratch / 'mutant.o')])
        return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0

    def link(self, test, source):
        script = self.build / 'test' / 'CMakeFiles' / f'{test}.dir' / 'link.txt'
        old = f'shmfi_{source.parent.name}.dir/lib/{source.parent.name}/{source.name}.o'
        words = shlex.split(script.read_text())
        if not any(word.endswith(old) for word in words):
            return None
        program = self.scratch / test
        words = [str(self.scratch / 'mutant.o') if word.endswith(old) else word for word in words]
        words[words.index('-o') + 1] = str(program)
        subprocess.run(words, cwd=self.build / 'test', check=True)
        return program

    def killed_by(self, source):
        for test, arguments in TESTS:
            program = self.link(test, source)
            if program is None:
                continue
            try:
                run = subprocess.run([program] + arguments, timeout=120, cwd=self.build / 'test',
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                if run.returncode:
                    return test
            except subprocess.TimeoutExpired:
                return test
        return None


def known_survivors():
    """Lines "file: changed line" of mutants.txt, as describe() writes them; reasons follow "--"."""
    for line in (HERE / 'mutants.txt').read_text().splitlines():
        if line and not line.startswith('#'):
            yield line.partition(' -- ')[0].rstrip()


def describe(source, text, mutant):
    """The changed line without its number, so that it can be known again."""
    begin, end, new = mutant
    changed = text[:begin] + '[' + text[begin:end] + ' => ' + new + ']' + text[end:]
    first, last = changed.rindex('\n', 0, begin) + 1, changed.index('\n', begin)
    if new.startswith('(0 && '):
        return f'{source}: if [never] {" ".join(text[begin:end].split())}'
    return f'{source}: {changed[first:last].strip()}'


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--build', type=pathlib.Path, default=ROOT / 'build')
    parser.add_argument('--every', type=int, default=1)
    parser.add_argument('--first', type=int, default=0)
    parser.add_argument('files', nargs='*')
    asked = parser.parse_args()
    checks = [path for path in (ROOT / 'lib' / 'format').glob('*.c') if path.name != 'layout.c']
    checks.append(ROOT / 'lib' / 'frame' / 'validate.c')
    names = asked.files or sorted(str(path.relative_to(ROOT)) for path in checks)
    known, start = set(known_survivors()), time.monotonic()
    tried = killed = invalid = excused = number = 0
    with tempfile.TemporaryDirectory(prefix='shmf-mutants-') as scratch:
        tree = Tree(asked.build, pathlib.Path(scratch))
        for name in names:
            text = (ROOT / name).read_text()
            for mutant in mutants(text):
                number += 1
                if (number - 1) % asked.every != asked.first:
                    continue
                begin, end, new = mutant
                if not tree.compile(ROOT / name, text[:begin] + new + text[end:]):
                    invalid += 1
                    continue
                tried += 1
                what = describe(name, text, mutant)
                if tree.killed_by(ROOT / name):
                    killed += 1
                elif what in known:
                    excused += 1
                else:
                    print(f'{what}    (line {text.count(chr(10), 0, begin) + 1})', flush=True)
    survived = tried - killed - excused
    print(json.dumps({'campaign': 'mutate_source', 'files': len(names), 'mutants': tried,
                      'killed': killed, 'unobservable': excused, 'survived': survived,
                      'not_compiled': invalid, 'seconds': round(time.monotonic() - start, 1),
                      'good': not survived}))
    return survived > 0


if __name__ == '__main__':
    sys.exit(main())

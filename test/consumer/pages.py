"""What the pages show is true: their code compiles without a warning and runs, their commands work, and
print what the pages say.

pages.py ROOT BUILD STATIC_LIBRARY CC MPI PAGE...

MPI: what programs that include shmframe/mpi.h are compiled with, separated by blanks; none: they are not.

Blocks are told by their first line:
- ```c with a main() is a program. The other blocks of a page make one program together, in the order in
  which they stand: ```c top goes to file scope, ```c into main(), where `struct shmf_error err` is there
  already; each in braces of its own. ```text behind them is what is printed, all of it, in that order.
- ```python likewise: a page's blocks are one program, with lib/python on its path.
- ```console: commands behind `$ `, and what they print; one shell in an empty folder for all of a page.
- ```sh: a script that takes too long to be run here. Its syntax, its paths and its CMake options are checked.
- ```c sketch is not compiled.
`<!--c`, `<!--c top`, `<!--python` and `<!--console` begin such a block that readers do not see, up to `-->`.

Names are put into a /dev/shm of this test's own; where that cannot be had, nothing is run (exit status 77)."""

import os
import pathlib
import pwd
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r'^(?:```|<!--)(c|c top|c sketch|text|python|sh|console)\n(.*?)^(?:```|-->)$', re.M | re.S)
C_HEAD = ''.join(f'#include <{name}.h>\n' for name in (
    'shmframe/shmframe', 'math', 'poll', 'signal', 'stdio', 'stdlib', 'string', 'sys/socket', 'sys/wait', 'unistd'))
SINCE = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d')


class Page:
    """The blocks of one page, by kind."""

    def __init__(self, text):
        self.programs = []  # [source, expected]
        self.top, self.main, self.said = [], [], []
        self.python, self.python_said = [], []
        self.scripts, self.console = [], []
        last = []  # where the next ```text belongs
        for kind, block in BLOCK.findall(text):
            last = self.add(kind, block, last)

    def add(self, kind, block, last):
        """Files one block; returns the list to which what it prints belongs."""
        if kind == 'text':
            last.append(block)
            return []
        if kind == 'c' and re.search(r'^int main\(', block, re.M):
            self.programs.append((block, []))
            return self.programs[-1][1]
        if kind == 'c':
            self.main.append('{' + block + '}')
        elif kind == 'python':
            self.python.append(block)
            return self.python_said
        else:
            {'c top': self.top, 'sh': self.scripts, 'console': self.console,
             'c sketch': []}[kind].append(block)
            return last if kind == 'c top' else []
        return self.said

    def c_programs(self):
        """(source, what it prints) of each C program, the one made of fragments last."""
        yield from ((source, ''.join(said)) for source, said in self.programs)
        if self.top or self.main:
            yield ('\n'.join([C_HEAD, *self.top, 'int main(void)\n{', 'struct shmf_error err = {0}; (void)err;',
                              *self.main, 'return 0;\n}\n']), ''.join(self.said))


class Checker:
    """Runs what is on pages; each check returns what is wrong, or ''."""

    def __init__(self, root, build, library, cc, mpi, folder):
        self.root, self.library, self.cc, self.folder = root, library, cc, folder
        self.mpi = [] if mpi == 'none' else mpi.split()
        self.environment = {**os.environ, 'LC_ALL': 'C.UTF-8', 'PYTHONPATH': str(root / 'lib/python'),
                            'SHMFRAME_LIBRARY': str(next(build.glob('libshmframe.so.?'), 'missing')),
                            'OMPI_ALLOW_RUN_AS_ROOT': '1', 'OMPI_ALLOW_RUN_AS_ROOT_CONFIRM': '1',
                            'PATH': f'{build}:{os.environ["PATH"]}'}
        self.options = ''.join(p.read_text() for p in (root / 'lib/cmake').glob('*.cmake'))

    def run(self, command, expected):
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True,
                              timeout=240, check=False)
        if done.returncode or done.stdout != expected:
            return f'exit status {done.returncode}; it printed\n{done.stdout}{done.stderr}\nnot\n{expected}'
        return ''

    def c(self, source, expected):
        path = self.folder / 'page.c'
        path.write_text(source)
        mpi = self.mpi if '<shmframe/mpi.h>' in source else []
        if '<shmframe/mpi.h>' in source and not mpi:
            print('no MPI here: its program is not compiled')
            return ''
        compiled = subprocess.run([self.cc, '-std=gnu11', '-g', '-Wall', '-Wextra', '-Werror', '-I',
                                   self.root / 'include', path, '-o', path.with_suffix(''), *mpi, self.library,
                                   '-pthread', '-lm'], capture_output=True, text=True, check=False)
        return compiled.stderr or self.run([path.with_suffix('')], expected)

    def python(self, blocks, expected):
        if subprocess.run(['/usr/bin/python3', '-c', 'import numpy, pandas'], capture_output=True).returncode:
            print('no numpy and pandas here: Python is not run')
            return ''
        return self.run(['/usr/bin/python3', '-B', '-c', '\n'.join(blocks)], expected)

    def script(self, script):
        """What is wrong with a script, without running it."""
        done = subprocess.run(['bash', '-n'], input=script, capture_output=True, text=True, check=False)
        wrong = [done.stderr] if done.returncode else []
        for word in re.sub('#.*', '', script).split():
            if re.match(r'(test|examples|lib|docs|include)/', word) and not (self.root / word).exists():
                wrong.append(f'{word} is not there')
            option = re.match(r'-D(SHMFRAME_\w+)=', word)
            if option and option.group(1) not in self.options:
                wrong.append(f'{option.group(1)} is no option')
        return '\n'.join(wrong)

    def shell(self, blocks):
        """Runs the commands of all blocks, one after the other; users and times are those of the page."""
        expected = ''.join(blocks)
        me = pwd.getpwuid(os.getuid()).pw_name
        said = ''
        for line in re.findall(r'^\$ (.*)$', expected, re.M):
            done = subprocess.run(['bash', '-c', line], cwd=self.folder, env=self.environment, text=True,
                                  timeout=240, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            said += f'$ {line}\n' + SINCE.sub('2026-03-01 12:00:00', re.sub(rf'\b{me}\b', 'anna', done.stdout))
        # Columns are as wide as the names in them, which differ.
        if [line.split() for line in said.splitlines()] != [line.split() for line in expected.splitlines()]:
            return f'the shell shows\n{said}\nnot\n{expected}'
        return ''


def check(name, text, checker):
    """Everything on one page; returns what is wrong with it."""
    page = Page(text)
    programs = list(page.c_programs())
    wrong = [checker.c(*program) for program in programs]
    wrong += [checker.script(script) for script in page.scripts]
    if page.console:
        wrong.append(checker.shell(page.console))
    if page.python:
        wrong.append(checker.python(page.python, ''.join(page.python_said)))
    print(f'{name}: {len(programs)} C programs, {len(page.python)} blocks of Python, {len(page.console)} of '
          f'commands, {len(page.scripts)} scripts')
    return [f'{name}:\n{said}' for said in wrong if said]


def with_own_names():
    """Goes on in a mount namespace with a /dev/shm of its own, or says that it cannot."""
    if 'SHMF_PAGES_OWN_NAMES' in os.environ:
        return
    start = ['unshare', '--mount', *([] if os.getuid() == 0 else ['--map-root-user']), 'sh', '-c',
             'mount -t tmpfs none /dev/shm && exec "$@"', 'sh']
    try:
        possible = subprocess.run([*start, 'true'], capture_output=True).returncode == 0
    except FileNotFoundError:
        possible = False
    if not possible:
        print('a /dev/shm of its own is not to be had')
        sys.exit(77)
    os.environ['SHMF_PAGES_OWN_NAMES'] = 'yes'
    os.execvp(start[0], [*start, sys.executable, '-B', *sys.argv])


def main():
    """Checks all pages; the exit status says whether they hold."""
    with_own_names()
    root, build, library, cc = map(pathlib.Path, sys.argv[1:5])
    mpi = sys.argv[5]
    wrong = []
    for name in sys.argv[6:]:
        with tempfile.TemporaryDirectory(prefix='shmf-page-') as folder:
            checker = Checker(root, build, library, cc, mpi, pathlib.Path(folder))
            wrong += check(name, (root / name).read_text(), checker)
        for left in pathlib.Path('/dev/shm').glob('shmf.*'):
            left.unlink()
    print('\n'.join(wrong))
    sys.exit(bool(wrong))


if __name__ == '__main__':
    main()

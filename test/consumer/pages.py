"""The C code on a page of the documents compiles without a warning, runs, and prints what the page says.

pages.py ROOT STATIC_LIBRARY CC PAGE...

A block ```c with a main() is a program. Other blocks of a page make one program together, in the order
in which they stand: ```c top goes to file scope, ```c into main(), where `struct shmf_error err` is
there already; each in braces of its own. What the ```text blocks behind them show is all that is printed,
in that order."""

import pathlib
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r'^```(c|c top|text)\n(.*?)^```$', re.M | re.S)
HEAD = '''#include <shmframe/shmframe.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
'''


def programs(page):
    """Yields (source, expected output), the page's fragments as one program last."""
    top, main, said, last = [], [], [], None
    whole, whole_said = [], []
    for kind, text in BLOCK.findall(page):
        if kind == 'c' and re.search(r'^int main\(', text, re.M):
            whole.append(text)
            whole_said.append('')
            last = 'program'
        elif kind == 'c':
            main.append('{' + text + '}')
            last = 'fragment'
        elif kind == 'c top':
            top.append(text)
        elif last == 'program':
            whole_said[-1] += text
            last = None
        elif last == 'fragment':
            said.append(text)
            last = None
    yield from zip(whole, whole_said)
    if top or main:
        body = '\n'.join(main)
        yield (HEAD + '\n'.join(top) + '\nint main(void)\n{\nstruct shmf_error err = {0}; (void)err;\n'
               + body + '\nreturn 0;\n}\n', ''.join(said))


def check(source, expected, root, library, cc, folder):
    """Compiles and runs one program; returns what is wrong, or ''."""
    path = pathlib.Path(folder) / 'page.c'
    path.write_text(source)
    program = path.with_suffix('')
    compiled = subprocess.run([cc, '-std=gnu11', '-g', '-Wall', '-Wextra', '-Werror', '-I', root / 'include',
                               path, '-o', program, library, '-pthread', '-lm'],
                              capture_output=True, text=True, check=False)
    if compiled.returncode:
        return compiled.stderr
    run = subprocess.run([program], capture_output=True, text=True, timeout=60, check=False)
    if run.returncode or run.stdout != expected:
        return f'exit status {run.returncode}; it printed\n{run.stdout}{run.stderr}\nnot\n{expected}'
    return ''


def main():
    """Checks all pages; the exit status says whether they hold."""
    root, library, cc = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    wrong = 0
    for page in sys.argv[4:]:
        count = 0
        for source, expected in programs((root / page).read_text()):
            count += 1
            with tempfile.TemporaryDirectory(prefix='shmf-page-') as folder:
                said = check(source, expected, root, library, cc, folder)
            if said:
                wrong += 1
                print(f'{page}, program {count}:\n{said}')
        print(f'{page}: {count} programs')
        wrong += count == 0
    sys.exit(wrong != 0)


if __name__ == '__main__':
    main()

"""What programs were compiled against is still there: abi.py ROOT CC [--write].

The kept interface is `abi.xml` beside this file, as abidw (Debian: abigail-tools) writes it of what the
public headers declare: every function's type, every struct's members, every enumeration's values.
Internal types do not occur in it, so it changes when the interface does. Additions pass; a function,
member or value that changed or went does not, until --write has written the interface as it is now.
docs/release.md says when that may be done. Exit code 77 (skipped) without abidw and abidiff.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import exports
import source

KEPT = pathlib.Path('test/structure/abi.xml')
TAGGED = re.compile(r'^(struct|enum|union) (\w+)\s*\{', re.MULTILINE)


def probe(root):
    """C that has an object of each public type and the address of each public function."""
    # mpi.h has types of the MPI that is there, and a static library.
    headers = [path for path in source.c_files(root / 'include') if path.stem != 'mpi']
    lines = [f'#include <shmframe/{path.name}>' for path in headers]
    for path in headers:
        text = source.code(path)
        lines += [f'{kind} {name} abi_{kind}_{name};' for kind, name in TAGGED.findall(text)]
    lines += [f'__typeof__({name}) *abi_{name} = {name};' for name in sorted(exports.declared(root))]
    return '\n'.join(dict.fromkeys(lines)) + '\n'


def describe(root, cc, folder):
    """Writes the interface of the headers into a file; returns it."""
    code, library, dump = (folder / name for name in ('abi.c', 'abi.so', 'abi.xml'))
    code.write_text(probe(root))
    subprocess.run([cc, '-std=gnu11', '-g', '-O0', '-fPIC', '-shared', '-Wl,--unresolved-symbols=ignore-all',
                    '-I', root / 'include', code, '-o', library], check=True)
    subprocess.run(['abidw', '--no-corpus-path', '--no-comp-dir-path', '--no-show-locs', '--no-architecture',
                    '--no-elf-needed', '--no-parameter-names', '--no-write-default-sizes',
                    '--drop-undefined-syms', '--type-id-style', 'hash', '--out-file', dump, library],
                   check=True)
    # Which functions the probe leaves undefined is said by its variables.
    text = re.sub(r' <undefined-elf-.*?</undefined-elf-\w+-symbols>\n', '', dump.read_text(), flags=re.DOTALL)
    dump.write_text(re.sub(r" path='[^']*'", '', text))
    return dump


def compare(kept, now):
    """What went or changed, as abidiff says it; '' if nothing."""
    result = subprocess.run(['abidiff', '--no-added-syms', '--no-show-locs', '--no-unreferenced-symbols',
                             kept, now], capture_output=True, text=True)
    return (result.stdout + result.stderr) if result.returncode else ''


def main(root, cc, *options):
    if not shutil.which('abidw') or not shutil.which('abidiff'):
        print('no abidw and abidiff here')
        return 77
    with tempfile.TemporaryDirectory(prefix='shmf-abi-') as folder:
        now = describe(root, cc, pathlib.Path(folder))
        if options == ('--write',):
            shutil.copy(now, root / KEPT)
            return 0
        said = compare(root / KEPT, now)
    if said:
        print(said)
        print('The interface changed. If that is meant: docs/release.md, then\n'
              '    python3 test/structure/abi.py . gcc --write')
    return 1 if said else 0


if __name__ == '__main__':
    sys.exit(main(pathlib.Path(sys.argv[1]), *sys.argv[2:]))
